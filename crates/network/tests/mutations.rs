//! The claims of the fuzz targets on seeds that were mutilated at random, with a fixed seed: a short run for every machine.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr, reason = "a test stops at the first surprise")]

#[path = "../../../fuzz/claims/network.rs"]
mod claims;
#[path = "../../../fuzz/claims/flow.rs"]
mod flow_claims;
#[path = "../../../fuzz/claims/mutation.rs"]
mod mutation;

use mutation::run;

#[test]
fn flows_hold() {
    run("network_flows", flow_claims::flows);
}

#[test]
fn intents_hold() {
    run("network_intents", claims::intents);
}

#[test]
fn selectors_of_calico_hold() {
    run("network_calico", claims::calico);
}

#[test]
fn policies_hold() {
    run("network_policies", claims::policies);
}

#[test]
fn questions_hold() {
    run("network_question", claims::question);
}
