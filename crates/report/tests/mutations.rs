//! The claims of the fuzz targets on seeds that were mutilated at random, with a fixed seed: a short run for every machine.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::print_stderr, reason = "a test stops at the first surprise")]

#[path = "../../../fuzz/claims/report.rs"]
mod claims;
#[path = "../../../fuzz/claims/mutation.rs"]
mod mutation;

use mutation::run;

#[test]
fn settings_hold() {
    run("report_settings", claims::settings);
}

#[test]
fn waivers_hold() {
    run("report_waivers", claims::waivers);
}

#[test]
fn comments_hold() {
    run("report_comments", claims::comments);
}

#[test]
fn baselines_hold() {
    run("report_baseline", claims::baseline);
}
