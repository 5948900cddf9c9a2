//! The items of the CIS benchmark: what fails them, what meets them, and what leaves them open.

mod world;

use std::collections::BTreeSet;

use bartizan_checks::benchmark::{ALL, Benchmark, Control};
use bartizan_checks::{Judgement, Selection, find, judge, page_of};
use bartizan_cluster::{Kind, Missing, Reason};
use bartizan_report::Verdict;
use world::world;

const CIS: &str = "cis-1.12";

fn cis() -> &'static Benchmark {
    ALL.get(CIS).unwrap()
}

fn judged(text: &str, options: &str, missing: Vec<Missing>) -> Judgement {
    judge(&world(text, options, missing), &Selection { benchmark: Some(CIS.to_owned()), trace: true, ..Selection::default() })
}

/// Every verdict about `control`, apart from those that say nothing.
fn verdicts(judgement: &Judgement, control: &Control) -> BTreeSet<Verdict> {
    judgement
        .decided
        .iter()
        .filter(|one| control.checks.iter().any(|check| check == one.check))
        .map(|one| one.verdict)
        .filter(|verdict| *verdict != Verdict::NotApplicable)
        .collect()
}

#[test]
fn the_failing_examples_of_its_checks_fail_an_item_and_the_passing_ones_do_not() {
    let mut worlds = 0;
    for control in &cis().controls {
        for check in &control.checks {
            let entry = find(check).unwrap();
            for example in page_of(entry).examples() {
                let found = verdicts(&judged(example.text, example.options, Vec::new()), control);
                match example.role {
                    "fails" => assert!(found.contains(&Verdict::Fail), "{}: {found:?} in\n{}", control.id, example.text),
                    "passes" if control.checks.len() == 1 => assert!(!found.contains(&Verdict::Fail), "{}: {found:?} in\n{}", control.id, example.text),
                    _ => continue,
                }
                worlds += 1;
            }
        }
    }
    assert!(worlds > 2 * cis().controls.len(), "{worlds} worlds");
}

#[test]
fn no_item_passes_in_an_input_that_says_nothing_about_it() {
    for (text, options) in [("", ""), ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: shop}\ndata: {a: b}\n", "")] {
        let judgement = judged(text, options, Vec::new());
        for control in &cis().controls {
            assert_eq!(verdicts(&judgement, control), [Verdict::Unknown].into(), "{}", control.id);
        }
        let named: BTreeSet<&str> =
            judgement.findings.iter().flat_map(|finding| &finding.controls).filter_map(|control| control.strip_prefix("cis-1.12/")).collect();
        assert_eq!(named.len(), cis().controls.len(), "each item is listed as unknown");
    }
}

/// A cluster without bindings of its own meets the items about rights, once all lists were read.
#[test]
fn an_empty_list_of_a_cluster_meets_an_item_and_a_denied_one_leaves_it_open() {
    let control = |id: &str| cis().controls.iter().find(|control| control.id == id).unwrap();
    let lists = [Kind::ClusterRole, Kind::ClusterRoleBinding, Kind::Role, Kind::RoleBinding];
    for id in ["5.1.1", "5.1.2", "5.1.4", "5.1.9", "5.1.10", "5.1.11", "5.1.12", "5.1.13"] {
        assert_eq!(verdicts(&judged("", "live", Vec::new()), control(id)), [Verdict::Pass].into(), "{id}");
        for kind in [lists[1], lists[3]] {
            let denied = judged("", "live", vec![Missing::list(kind, None, Reason::Forbidden)]);
            assert_eq!(verdicts(&denied, control(id)), [Verdict::Unknown].into(), "{id} without {kind:?}");
        }
    }
    // Flags are nowhere in an empty cluster, and certificates are everywhere.
    for id in ["1.2.1", "1.2.7", "1.3.3", "4.2.1", "5.1.7"] {
        assert_eq!(verdicts(&judged("", "live", Vec::new()), control(id)), [Verdict::Unknown].into(), "{id}");
    }
}

#[test]
fn membership_in_the_privileged_group_is_only_ever_refuted() {
    let control = cis().controls.iter().find(|control| control.id == "5.1.7").unwrap();
    let binding = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: b}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}\nsubjects: [{kind: Group, apiGroup: rbac.authorization.k8s.io, name: NAME}]\n";
    assert!(verdicts(&judged(&binding.replace("NAME", "system:masters"), "", Vec::new()), control).contains(&Verdict::Fail));
    let others = verdicts(&judged(&binding.replace("NAME", "dev"), "", Vec::new()), control);
    assert!(others.contains(&Verdict::Unknown), "{others:?}");
}

/// What kubeadm sets up by itself, item by item.
#[test]
fn kubeadms_defaults_are_judged_as_the_command_line_that_they_make() {
    let text = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n---\napiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\n---\napiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n";
    let judgement = judged(text, "", Vec::new());
    let failed: Vec<&str> =
        cis().controls.iter().filter(|control| verdicts(&judgement, control).contains(&Verdict::Fail)).map(|control| control.id.as_str()).collect();
    assert_eq!(failed, ["1.2.1", "1.2.5", "1.2.30"]);
    let decided = |id: &str| verdicts(&judgement, cis().controls.iter().find(|control| control.id == id).unwrap());
    for id in [
        "1.2.2", "1.2.4", "1.2.6", "1.2.7", "1.2.8", "1.2.12", "1.2.14", "1.2.21", "1.2.22", "1.2.25", "1.3.3", "1.3.4", "1.3.5", "1.3.6", "4.2.1", "4.2.2",
        "4.2.3", "4.2.4",
    ] {
        assert_eq!(decided(id), [Verdict::Pass].into(), "{id}");
    }
}
