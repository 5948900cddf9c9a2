//! Claims about what waivers accept.

use bartizan_cluster::read::{Fragment, ReadOptions, split};
use bartizan_cluster::{Circumstances, Kind, KubernetesVersion, Location, Missing, PodView, Provenance, Source, SourceId, Spot, Value, field};

use super::*;
use crate::check::{Severity, Stage};
use crate::finding::{Fix, Safety};

static HOST_PID: Check = Check { id: "host-pid", severity: Severity::High, stage: Stage::Default, since: "0.1.0", aliases: &["shares-pid"], page: "" };
static HOST_IPC: Check = Check { id: "host-ipc", severity: Severity::Medium, stage: Stage::Default, since: "0.1.0", aliases: &[], page: "" };
static PRIVILEGED: Check = Check { id: "privileged", severity: Severity::Critical, stage: Stage::Default, since: "0.1.0", aliases: &[], page: "" };

/// A catalogue of three checks, and those about waivers.
pub(in crate::waiver) static CATALOGUE: &[&Check] = &[&HOST_PID, &HOST_IPC, &PRIVILEGED, &EXPIRED, &MALFORMED, &UNUSED];

pub(in crate::waiver) fn world(text: &str) -> Snapshot {
    world_without(text, Vec::new())
}

fn world_without(text: &str, missing: Vec<Missing>) -> Snapshot {
    let mut fragment = Fragment::new(ReadOptions { secret_key: [7; 32] });
    for document in split(text).0 {
        fragment.read(SourceId(0), text, &document);
    }
    let circumstances = Circumstances {
        provenance: Provenance::Files,
        sources: vec![Source::text("a.yaml", text)],
        version: KubernetesVersion::NEWEST,
        observed_at: "2026-11-24T23:00:00Z".parse().unwrap(),
        missing,
    };
    Snapshot::assemble(vec![fragment], circumstances)
}

pub(in crate::waiver) fn placed(written: &Written) -> String {
    written.location.as_ref().map_or_else(String::new, |Location { file, line, .. }| format!("{file}:{line}"))
}

/// Judges the three checks as simply as can be: a field of the pod, a field of the pod, a field of each container.
fn judge(snapshot: &Snapshot) -> (Vec<Finding>, Tally) {
    let (mut findings, mut tally) = (Vec::new(), Tally::default());
    for object in snapshot.objects() {
        let subject = snapshot.owner_of(object).reference;
        for pod in PodView::of(object) {
            let of_pod = |name: &str| pod.spec().entry(name).map(|value| (None, value)).into_iter().collect::<Vec<_>>();
            let of_containers: Vec<_> = pod
                .containers()
                .filter_map(|container| Some((Some(container.name().to_owned()), container.security_context()?.entry("privileged")?)))
                .collect();
            for (check, places) in [(&HOST_PID, of_pod("hostPID")), (&HOST_IPC, of_pod("hostIPC")), (&PRIVILEGED, of_containers)] {
                if places.is_empty() {
                    tally.count(check.severity, Verdict::Pass);
                    continue;
                }
                tally.count(check.severity, Verdict::Fail);
                findings.push(failed(snapshot, check, &subject, object, &places));
            }
        }
    }
    (findings, tally)
}

fn failed(snapshot: &Snapshot, check: &Check, subject: &ObjectRef, object: ObjectView<'_>, places: &[(Option<String>, Value<'_>)]) -> Finding {
    let message = |container: &Option<String>| Message {
        key: "k".to_owned(),
        args: BTreeMap::new(),
        text: format!("{} of {}", check.id, container.as_deref().unwrap_or("pod")),
    };
    let first = message(&places[0].0);
    let patch = places.iter().map(|(_, value)| PatchOperation::Remove { path: value.path().pointer().to_owned() }).collect();
    let places: Vec<Place> = places
        .iter()
        .map(|(container, value)| Place {
            container: container.clone(),
            path: value.path().as_str().to_owned(),
            location: snapshot.location(object, &Spot::from(*value)),
            origin: PlaceOrigin::Source,
            object: (object.reference() != *subject).then(|| object.reference()),
            message: Some(message(container)).filter(|message| *message != first),
        })
        .collect();
    let fingerprint = Finding::fingerprint_of(check.id, Some(subject), &places);
    Finding {
        check: check.id.to_owned(),
        title: String::new(),
        severity: check.severity,
        verdict: Verdict::Fail,
        scope: Scope::Object,
        subject: Some(subject.clone()),
        owner_chain: None,
        replicas: None,
        message: first.text,
        message_key: first.key,
        args: first.args,
        places,
        related: Vec::new(),
        controls: Vec::new(),
        missing: None,
        fix: Some(Fix { safety: Safety::Safe, patch }),
        waiver: None,
        fingerprint,
    }
}

struct Run {
    findings: Vec<Finding>,
    tally: Tally,
}

impl Run {
    /// `check verdict message @ lines` of every finding.
    fn lines(&self) -> Vec<String> {
        let places = |finding: &Finding| {
            finding.places.iter().filter_map(|place| place.location.as_ref()).map(|location| location.line.to_string()).collect::<Vec<_>>().join(",")
        };
        self.findings.iter().map(|finding| format!("{} {:?} {} @ {}", finding.check, finding.verdict, finding.message, places(finding))).collect()
    }
}

fn run(text: &str, file: &str) -> Run {
    run_on(&world(text), file, |_| {})
}

fn run_on(snapshot: &Snapshot, file: &str, change: impl FnOnce(&mut Ground<'_>)) -> Run {
    let (mut findings, mut tally) = judge(snapshot);
    let mut waivers = Waivers::of(snapshot);
    waivers.add_file("bartizan.toml", file).unwrap();
    let mut ground = Ground { snapshot, checks: CATALOGUE, ran: &|_| true, focus: None, partial: false };
    change(&mut ground);
    apply(&mut findings, &mut tally, &waivers, &ground);
    Run { findings, tally }
}

const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: agent\n  namespace: ops\nspec:\n  hostPID: true\n  containers:\n    - name: one\n      securityContext:\n        privileged: true\n    - name: two\n      securityContext:\n        privileged: true\n";

fn waive(check: &str, subject: &str, rest: &str) -> String {
    format!("[[waive]]\ncheck = \"{check}\"\nsubject = \"{subject}\"\nreason = \"because\"\n{rest}\n")
}

#[test]
fn an_accepted_fault_is_waived_and_leaves_the_score() {
    let before = judge(&world(POD)).1.summary();
    let run = run(POD, &waive("host-pid", "Pod ops/agent", "until = 2026-11-24\nowner = \"ops\""));
    assert_eq!(run.lines(), ["privileged Fail privileged of one @ 11,14", "host-pid Waived host-pid of pod @ 7"]);
    let note = run.findings[1].waiver.as_ref().unwrap();
    assert_eq!(
        (note.reason.as_str(), note.until.as_deref(), note.owner.as_deref(), note.source.as_str()),
        ("because", Some("2026-11-24"), Some("ops"), "bartizan.toml:1")
    );
    let after = run.tally.summary();
    assert_eq!((before.fail.high, after.fail.high, after.waived), (1, 0, 1));
    assert_eq!((before.score, after.score), (Some(11.7), Some(16.6)));
}

#[test]
fn an_older_id_and_a_pattern_waive_too() {
    assert!(run(POD, &waive("shares-pid", "*/pod/ag*", "")).lines().contains(&"host-pid Waived host-pid of pod @ 7".to_owned()));
}

#[test]
fn the_last_day_counts_and_the_day_after_does_not() {
    // The snapshot was read on 2026-11-24.
    assert_eq!(run(POD, &waive("host-pid", "Pod ops/agent", "until = 2026-11-24")).tally.summary().waived, 1);
    let run = run(POD, &waive("host-pid", "Pod ops/agent", "until = 2026-11-23"));
    assert_eq!(
        run.lines()[1..],
        [
            "host-pid Fail host-pid of pod @ 7",
            "expired-waiver Fail the waiver of `host-pid` for `Pod ops/agent` held until 2026-11-23; what it accepted counts again @ 1"
        ]
    );
    assert_eq!((run.tally.summary().waived, run.tally.summary().fail.low), (0, 1));
}

#[test]
fn a_fault_that_is_accepted_in_part_keeps_failing_with_the_rest() {
    let run = run(POD, &waive("privileged", "Pod ops/agent", "path = \"*.containers[name=one]\""));
    let finding = &run.findings[0];
    assert_eq!(run.lines()[0], "privileged Fail privileged of two @ 14");
    assert_eq!(finding.places[0].message, None);
    assert_eq!(finding.fix.as_ref().unwrap().patch, [PatchOperation::Remove { path: "/spec/containers/1/securityContext/privileged".to_owned() }]);
    assert_eq!(finding.fingerprint, Finding::fingerprint_of("privileged", finding.subject.as_ref(), &finding.places));
    assert_eq!((run.tally.summary().fail.critical, run.tally.summary().waived), (1, 0));
    assert_eq!(run.findings.len(), 2);
}

#[test]
fn two_waivers_of_parts_are_one_of_the_whole() {
    let both = format!(
        "{}{}",
        waive("privileged", "Pod ops/agent", "path = \"*.containers[name=one]\""),
        waive("privileged", "Pod ops/*", "path = \"*.containers[name=two].*\"")
    );
    assert_eq!(run(POD, &both).lines()[0], "privileged Waived privileged of one @ 11,14");
}

#[test]
fn a_comment_waives_the_field_on_its_line_and_no_other() {
    let text = POD.replace(
        "- name: two\n      securityContext:\n        privileged: true",
        "- name: two\n      securityContext:\n        # bartizan: waive privileged it loads modules\n        privileged: true",
    );
    assert_eq!(run(&text, "").lines(), ["privileged Fail privileged of one @ 11", "host-pid Fail host-pid of pod @ 7"]);
    let top = format!("# bartizan: waive privileged it loads modules\n{POD}");
    assert_eq!(run(&top, "").lines()[0], "privileged Waived privileged of one @ 12,15");
    let unused = POD.replace("hostPID: true", "hostPID: true # bartizan: waive host-ipc why not");
    assert_eq!(run(&unused, "").lines()[2], "unused-waiver Fail `host-ipc` does not fail on the line `a.yaml:7`, so there is nothing to accept @ 7");
}

#[test]
fn a_namespace_waives_for_everything_in_it() {
    let namespace = |name: &str| {
        format!("{POD}---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: {name}\n  annotations:\n    bartizan.dev/waive.host-pid: agents only\n")
    };
    assert_eq!(run(&namespace("ops"), "").lines()[1], "host-pid Waived host-pid of pod @ 7");
    let other = run(&namespace("shop"), "");
    assert_eq!(other.lines()[2], "unused-waiver Fail `host-pid` does not fail on `Namespace shop`, so there is nothing to accept @ 21");
    assert_eq!(other.findings[2].scope, Scope::Namespace);
}

#[test]
fn a_waiver_inside_one_pod_spares_that_pod_and_not_its_owner() {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: cart-1\n  annotations: {bartizan.dev/waive.host-pid: debugging}\n  ownerReferences: [{apiVersion: apps/v1, kind: StatefulSet, name: cart, controller: true}]\nspec: {hostPID: true}\n";
    let owner = "---\napiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: cart}\nspec: {template: {spec: {hostPID: true}}}\n";
    let run = run(&format!("{pod}{owner}"), "");
    assert_eq!(run.lines(), ["host-pid Waived host-pid of pod @ 7", "host-pid Fail host-pid of pod @ 12"]);
}

#[test]
fn a_waiver_that_accepts_nothing_says_why() {
    let file = [
        waive("host-ipc", "Pod ops/agent", ""),
        waive("host-pid", "Pod ops/agnet", ""),
        waive("privileged", "Pod ops/agent", "path = \"spec.initContainers\""),
        waive("host-pid", "cluster", ""),
    ]
    .concat();
    let run = run(POD, &file);
    let finding = &run.findings[2];
    assert_eq!((finding.check.as_str(), finding.scope, finding.places.len()), ("unused-waiver", Scope::Cluster, 4));
    let texts: Vec<&str> = finding.places.iter().map(|place| place.message.as_ref().map_or(finding.message.as_str(), |message| &message.text)).collect();
    assert_eq!(
        texts,
        [
            "`host-ipc` does not fail on `Pod ops/agent`, so there is nothing to accept",
            "nothing that was read is called `Pod ops/agnet`, so the waiver of `host-pid` accepts nothing",
            "`privileged` does not fail on `Pod ops/agent` at `spec.initContainers`, so there is nothing to accept",
            "`host-pid` does not fail on `cluster`, so there is nothing to accept",
        ]
    );
    assert_eq!(run.lines()[2].rsplit('@').next(), Some(" 1,6,11,16"));
    assert_eq!(run.tally.summary().fail.low, 1);
}

#[test]
fn a_waiver_that_was_not_needed_this_time_is_not_unused() {
    let file = waive("host-ipc", "Pod ops/agent", "") + &waive("host-pid", "Pod shop/web", "");
    let quiet = |snapshot: &Snapshot, change: &dyn Fn(&mut Ground<'_>)| {
        run_on(snapshot, &file, |ground| change(ground))
            .findings
            .iter()
            .filter(|finding| finding.check == "unused-waiver")
            .map(|finding| finding.places.len())
            .sum::<usize>()
    };
    let snapshot = world(POD);
    assert_eq!(quiet(&snapshot, &|_| {}), 2);
    assert_eq!(quiet(&snapshot, &|ground| ground.ran = &|id| id != "host-ipc"), 1);
    assert_eq!(quiet(&snapshot, &|ground| ground.ran = &|id| id != "unused-waiver"), 0);
    assert_eq!(quiet(&snapshot, &|ground| ground.focus = Some(&|_| true)), 0);
    // The subject that is there was judged, the other one may be elsewhere.
    assert_eq!(quiet(&snapshot, &|ground| ground.partial = true), 1);
    assert_eq!(quiet(&world_without(POD, vec![Missing::list(Kind::Pod, Some("shop"), Reason::Forbidden)]), &|_| {}), 1);
    assert_eq!(quiet(&world_without(POD, vec![Missing::list(Kind::Deployment, None, Reason::Forbidden)]), &|_| {}), 2);
    assert_eq!(quiet(&world(&format!("{POD}---\na: [\n")), &|_| {}), 0);
    // The Secret may be among those that could not be listed; manifests without one hold none.
    let secret = |missing| {
        run_on(&world_without(POD, missing), &waive("host-pid", "Secret ops/key", ""), |_| {})
            .findings
            .iter()
            .filter(|finding| finding.check == "unused-waiver")
            .count()
    };
    assert_eq!((secret(vec![Missing::list(Kind::Secret, None, Reason::Forbidden)]), secret(Vec::new())), (0, 1));
}

#[test]
fn an_annotation_outside_the_focus_is_not_unused() {
    let text = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  annotations: {bartizan.dev/waive.host-pid: x}\n---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: b\n  annotations: {bartizan.dev/waive.host-pid: x}\n";
    let run = run_on(&world(text), "", |ground| ground.focus = Some(&|object| object.name() == "b"));
    assert_eq!(run.findings.iter().map(|finding| finding.subject.as_ref().unwrap().name.as_str()).collect::<Vec<_>>(), ["b"]);
}

#[test]
fn what_a_missing_fact_left_open_is_neither_waived_nor_unused() {
    let snapshot = world(POD);
    let (mut findings, mut tally) = judge(&snapshot);
    for finding in &mut findings {
        finding.verdict = Verdict::Unknown;
    }
    let mut waivers = Waivers::default();
    waivers.add_file("bartizan.toml", &waive("host-pid", "Pod ops/agent", "")).unwrap();
    apply(&mut findings, &mut tally, &waivers, &Ground { snapshot: &snapshot, checks: CATALOGUE, ran: &|_| true, focus: None, partial: false });
    assert_eq!(findings.iter().map(|finding| finding.verdict).collect::<Vec<_>>(), [Verdict::Unknown, Verdict::Unknown]);
}

#[test]
fn what_waits_for_a_person_can_be_accepted() {
    let snapshot = world(POD);
    let (mut findings, mut tally) = (judge(&snapshot).0, Tally::default());
    findings.truncate(1);
    findings[0] = Finding { verdict: Verdict::Manual, places: Vec::new(), ..findings[0].clone() };
    tally.count(findings[0].severity, Verdict::Manual);
    let mut waivers = Waivers::default();
    waivers.add_file("bartizan.toml", &waive("host-pid", "Pod ops/agent", "")).unwrap();
    apply(&mut findings, &mut tally, &waivers, &Ground { snapshot: &snapshot, checks: CATALOGUE, ran: &|_| true, focus: None, partial: false });
    assert_eq!((findings[0].verdict, tally.summary().manual, tally.summary().waived), (Verdict::Waived, 0, 1));
}

#[test]
fn a_waiver_of_the_checks_about_waivers_is_malformed() {
    let run = run(POD, &(waive("unused-waiver", "*", "") + &waive("hots-pid", "*", "") + &waive("zzz", "*", "")));
    let finding = &run.findings[2];
    let texts: Vec<&str> = finding.places.iter().map(|place| place.message.as_ref().map_or(finding.message.as_str(), |message| &message.text)).collect();
    assert_eq!(
        texts,
        [
            "`unused-waiver` speaks about waivers themselves and cannot be waived",
            "no check is called `hots-pid`; did you mean `host-pid`?",
            "no check is called `zzz`"
        ]
    );
}

#[test]
fn a_path_is_found_from_its_pointer_there_or_not() {
    let snapshot = world(POD);
    let root = snapshot.objects().next().unwrap().root();
    assert_eq!(path_of(root, "/spec/containers/1/securityContext/runAsUser"), "spec.containers[name=two].securityContext.runAsUser");
    assert_eq!(path_of(root, "/metadata/annotations/a~1b/c"), "metadata.annotations[\"a/b\"].c");
    assert!(is_within("spec.containers[name=a]", "spec.containers") && is_within("spec", "") && !is_within("spec.hostPIDs", "spec.hostPID"));
    assert!(root.get(field::SPEC).is_some());
}

/// The examples of the pages fail at the marked lines, and the others do not.
#[test]
fn the_pages_tell_the_truth() {
    for check in OWN_CHECKS {
        let page = check.page();
        let mut roles = Vec::new();
        for example in page.examples() {
            let snapshot = world(example.text);
            assert!(snapshot.problems().is_empty(), "{}: {:?}", check.id, snapshot.problems());
            let run = run_on(&snapshot, "", |_| {});
            let own: Vec<&Finding> = run.findings.iter().filter(|finding| OWN_CHECKS.iter().any(|own| own.id == finding.check)).collect();
            let mark = format!("# fails: {}", check.id);
            let marked: Vec<u32> = example.text.lines().zip(1u32..).filter(|(line, _)| line.ends_with(&mark)).map(|(_, number)| number).collect();
            let mut lines: Vec<u32> =
                own.iter().flat_map(|finding| &finding.places).filter_map(|place| place.location.as_ref()).map(|location| location.line).collect();
            lines.dedup();
            assert_eq!(lines, marked, "{}:\n{}", check.id, example.text);
            assert!(own.iter().all(|finding| finding.check == check.id), "{}: another check about waivers fails", check.id);
            assert_eq!(example.role == "fails", !marked.is_empty(), "{}", check.id);
            roles.push(example.role);
        }
        assert!(roles.contains(&"fails") && roles.contains(&"passes"), "{}", check.id);
    }
}

#[test]
fn the_pages_are_whole_in_both_languages() {
    for check in OWN_CHECKS {
        let page = check.page();
        let keys = |language| page.message_keys(language).collect::<Vec<_>>();
        assert_eq!(keys(Language::English), keys(Language::Chinese), "{}", check.id);
        for language in [Language::English, Language::Chinese] {
            assert!(!page.title(language).is_empty() && !page.reason(language).is_empty() && !page.fix(language).is_empty(), "{} {language:?}", check.id);
        }
        for key in keys(Language::English) {
            let slots = |language| {
                let mut slots: Vec<&str> =
                    page.message(key, language).unwrap().split('{').skip(1).filter_map(|part| part.split_once('}')).map(|(name, _)| name).collect();
                slots.sort_unstable();
                slots
            };
            assert_eq!(slots(Language::English), slots(Language::Chinese), "{} {key}", check.id);
        }
        assert!(page.references().next().is_some() && !page.summary.is_empty() && !page.section("Limits").is_empty(), "{}", check.id);
    }
}
