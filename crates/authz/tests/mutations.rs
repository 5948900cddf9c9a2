//! The claims of the fuzz targets about logins on seeds that were mutilated at random, with a fixed seed.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr, clippy::cast_possible_truncation, reason = "a test stops at the first surprise")]

#[path = "../../../fuzz/claims/login.rs"]
mod claims;
#[path = "../../../fuzz/claims/mutation.rs"]
mod mutation;

use mutation::run;

#[test]
fn configurations_hold() {
    run("login_configuration", claims::configuration);
}

#[test]
fn pem_holds() {
    run("login_pem", claims::pem);
}

#[test]
fn tokens_hold() {
    run("login_tokens", claims::tokens);
}
