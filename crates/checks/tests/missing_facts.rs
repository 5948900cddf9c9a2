//! The law about missing facts, over whole applications: whatever list is denied, and wherever a page of it is cut off, no
//! check passes that did not pass with all facts, and no fault turns into something that has nothing to say.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bartizan_checks::facts::WORKLOAD_KINDS;
use bartizan_checks::run::Decided;
use bartizan_checks::{Selection, all, judge};
use bartizan_cluster::{Kind, Missing, Reason};
use bartizan_report::{Stage, Verdict};
use bartizan_testbed::yaml_files;
use world::{world, world_of};

/// An application as a server lists it: one object a line, kind by kind, each list in the order of namespaces and names.
fn application(name: &str) -> Vec<(Kind, String)> {
    let files = yaml_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name)).unwrap();
    let text = files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect::<Vec<_>>().join("\n---\n");
    let files = world(&text, "", Vec::new());
    let mut objects: Vec<_> = files.objects().map(|object| ((object.kind(), object.namespace(), object.name()), object.root().to_json().to_string())).collect();
    objects.sort();
    objects.into_iter().map(|((kind, ..), text)| (kind, text)).collect()
}

/// Every verdict of the whole catalogue over the objects that `keep` names, with `missing` told.
fn decided(text: &str, missing: Vec<Missing>, keep: impl Fn(usize) -> bool) -> Vec<Decided> {
    judge(&world_of(text, "live", missing, keep), &Selection { stage: Some(Stage::Auditor), trace: true, ..Selection::default() }).decided
}

/// Every kind that an entry declares.
fn declared() -> BTreeSet<Kind> {
    let kinds = all().flat_map(|entry| entry.reads.iter().copied());
    kinds.chain(WORKLOAD_KINDS).collect()
}

/// Holds the law for one application; says how many worlds were judged, and how many verdicts became unknown in them.
fn hold(name: &str) -> (usize, usize) {
    let objects = application(name);
    let text = objects.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join("\n");
    let whole = decided(&text, Vec::new(), |_| true);
    let before: BTreeMap<_, Verdict> = whole.iter().map(|one| ((one.check, one.subject.clone()), one.verdict)).collect();
    let (mut worlds, mut unknown) = (0, 0);
    for kind in declared() {
        let of_kind: Vec<usize> = (0..objects.len()).filter(|&at| objects[at].0 == kind).collect();
        // Pages hold one object: the list may end before any of them.
        for kept in 0..=of_kind.len() {
            let reason = if kept == 0 { Reason::Forbidden } else { Reason::Incomplete };
            let lost: BTreeSet<usize> = of_kind.iter().skip(kept).copied().collect();
            let after = decided(&text, vec![Missing::list(kind, None, reason)], |at| !lost.contains(&at));
            worlds += 1;
            for one in &after {
                let earlier = before.get(&(one.check, one.subject.clone()));
                let here = format!("{name}: {} of {:?} with {kept} of {} {kind:?}", one.check, one.subject, of_kind.len());
                assert!(one.verdict != Verdict::Pass || earlier == Some(&Verdict::Pass), "passes anew: {here}, was {earlier:?}");
                let is_quiet = one.verdict == Verdict::NotApplicable;
                assert!(!is_quiet || earlier != Some(&Verdict::Fail), "falls silent: {here}");
                unknown += usize::from(one.verdict == Verdict::Unknown);
            }
        }
    }
    (worlds, unknown)
}

// INVARIANT: facts that are taken away never make a check pass.
#[test]
fn no_page_that_is_cut_off_makes_a_check_pass() {
    for name in ["shop", "shop-hardened"] {
        let (worlds, unknown) = hold(name);
        assert!(worlds > 100, "{name}: {worlds} worlds");
        assert!(unknown > worlds, "{name}: {unknown} verdicts in {worlds} worlds became unknown");
    }
}
