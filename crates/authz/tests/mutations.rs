//! The claims of the fuzz targets on seeds that were mutilated at random, with a fixed seed.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr, clippy::cast_possible_truncation, reason = "a test stops at the first surprise")]

#[path = "../../../fuzz/claims/login.rs"]
mod claims;
#[path = "../../../fuzz/claims/mutation.rs"]
mod mutation;
#[path = "../../../fuzz/claims/authz.rs"]
mod questions;

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

#[test]
fn reviews_hold() {
    run("authz_review", questions::review);
}

#[test]
fn selectors_hold() {
    run("authz_selector", questions::selector);
}

#[test]
fn abac_files_hold() {
    run("authz_abac", questions::abac);
}
