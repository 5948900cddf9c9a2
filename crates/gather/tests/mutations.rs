//! The claims of the fuzz targets on seeds that were mutilated at random, with a fixed seed: a short run for every machine.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::print_stderr, reason = "a test stops at the first surprise")]

#[path = "../../../fuzz/claims/gather.rs"]
mod claims;
#[path = "../../../fuzz/claims/mutation.rs"]
mod mutation;

use mutation::run;

#[test]
fn saved_files_hold() {
    run("gather_saved_file", claims::saved_file);
}

#[test]
fn saved_lines_hold() {
    run("gather_saved_lines", claims::saved_lines);
}

#[test]
fn ignore_files_hold() {
    run("gather_ignore", claims::ignore_file);
}

#[test]
fn hellos_hold() {
    run("gather_hello", claims::hello);
}

#[test]
fn kustomizations_hold() {
    run("gather_kustomization", claims::kustomization);
}
