//! The claims of the fuzz targets on seeds that were mutilated at random, with a fixed seed: a short run for every machine.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr, reason = "a test stops at the first surprise")]

#[path = "../../../fuzz/claims/audit.rs"]
mod claims;
#[path = "../../../fuzz/claims/mutation.rs"]
mod mutation;

use mutation::run;

#[test]
fn any_log_is_read_to_its_end() {
    run("audit_log", claims::log);
}

#[test]
fn any_address_is_taken_apart() {
    run("audit_address", claims::address);
}
