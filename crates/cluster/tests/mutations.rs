//! The claims of the fuzz targets on seeds that were mutilated at random, with a fixed seed: a short run for every machine.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    reason = "a test stops at the first surprise"
)]

#[path = "../../../fuzz/claims/cluster.rs"]
mod claims;

#[path = "../../../fuzz/claims/mutation.rs"]
mod mutation;

use mutation::run;

#[test]
fn yaml_holds() {
    run("cluster_yaml", claims::yaml);
}

#[test]
fn json_holds() {
    run("cluster_json", claims::json);
}

#[test]
fn files_hold() {
    run("cluster_file", claims::file);
}

#[test]
fn pieces_hold() {
    run("cluster_pieces", claims::pieces);
}

#[test]
fn secrets_hold() {
    run("cluster_secret", claims::secret);
}

#[test]
fn places_hold() {
    run("cluster_places", claims::places);
}

#[test]
fn selectors_hold() {
    run("cluster_selectors", claims::selectors);
}

#[test]
fn label_selectors_hold() {
    run("cluster_label_selector", claims::label_selector);
}
