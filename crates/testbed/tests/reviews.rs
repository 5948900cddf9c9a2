//! A real API server, with roles aggregated by its controller manager, answers reviews in bulk as Kubernetes' authorizers do in
//! process for what it has stored: the two oracles agree before anything of ours is held against them.

use std::collections::BTreeSet;

use bartizan_testbed::{AuthorizationOracle, ControlPlane, Fit, Inquiry, Options, RbacWorld};

#[test]
fn the_server_and_its_authorizers_agree_on_random_worlds() {
    let control_plane = ControlPlane::start(&Options::default().api_server_flag("--max-requests-inflight=3000")).expect("a control plane");
    let oracle = AuthorizationOracle::locate().expect("the oracle");
    let mut reasons = BTreeSet::new();
    for seed in [31, 32] {
        let world = RbacWorld::draw(seed, 120, Fit::Server);
        let stored = control_plane.settle(world.objects()).expect("a settled world");
        let specs = world.questions(seed, 2_500);
        let served = control_plane.review(&specs, &["team-a", "team-b"], 8).expect("answers of the server");
        let asked = oracle.ask_every(&[Inquiry { world: &stored, specs: &specs }]).expect("answers of the oracle").remove(0);
        for ((spec, served), asked) in specs.iter().zip(&served).zip(&asked) {
            match (served, asked) {
                (Ok(served), Ok(asked)) => {
                    assert_eq!(served.allowed, asked.allowed, "{spec}\n{served:?}\n{asked:?}");
                    let is_by_rbac = served.reason.starts_with("RBAC: allowed by");
                    assert!(!is_by_rbac || asked.reasons.contains(&served.reason), "{spec}\n{served:?}\n{asked:?}");
                    reasons.insert(served.reason.clone());
                }
                (Err(_), Err(_)) => {}
                _ => panic!("{spec}\n{served:?}\n{asked:?}"),
            }
        }
        control_plane.clear(world.objects()).expect("a cleared server");
    }
    assert!(reasons.len() > 100, "{} different reasons", reasons.len());
}
