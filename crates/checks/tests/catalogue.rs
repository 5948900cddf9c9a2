//! The pages of the catalogue are executed, and laws are held over the whole list.

mod world;

use std::collections::BTreeSet;
use std::path::Path;

use bartizan_checks::{Entry, Judge, Selection, all, judge, page_of};
use bartizan_cluster::read::{ProblemKind, split};
use bartizan_cluster::{Kind, Missing, ObjectRef, ObjectView, Reason};
use bartizan_report::page::Example;
use bartizan_report::{Finding, Language, PatchOperation, Place, Verdict};
use world::{world, world_of};

fn only(entry: &Entry) -> Selection {
    Selection { only: [entry.check.id.to_owned()].into(), trace: true, ..Selection::default() }
}

/// The lines that a page marks as offending.
fn marked_lines(example: Example, id: &str) -> BTreeSet<u32> {
    let mark = format!("# fails: {id}");
    example.text.lines().zip(1u32..).filter(|(line, _)| line.trim_end().ends_with(&mark)).map(|(_, number)| number).collect()
}

fn examples(entry: &'static Entry, role: &'static str) -> impl Iterator<Item = Example> {
    page_of(entry).examples().into_iter().filter(move |example| example.role == role)
}

#[test]
fn every_failing_example_fails_at_the_marked_lines() {
    for entry in all() {
        let id = entry.check.id;
        assert!(examples(entry, "fails").next().is_some(), "{id}: the page has no failing example");
        for example in examples(entry, "fails") {
            let snapshot = world(example.text, example.options, Vec::new());
            let lost: Vec<_> = snapshot.problems().iter().filter(|problem| problem.kind != ProblemKind::DuplicateKey).collect();
            assert!(lost.is_empty(), "{id}: {lost:?}");
            let judgement = judge(&snapshot, &only(entry));
            let failed: Vec<_> = judgement.findings.iter().filter(|finding| finding.verdict == Verdict::Fail).collect();
            assert!(!failed.is_empty(), "{id}: the failing example passes:\n{}", example.text);
            let lines: BTreeSet<u32> =
                failed.iter().flat_map(|finding| &finding.places).filter_map(|place| place.location.as_ref()).map(|location| location.line).collect();
            assert_eq!(lines, marked_lines(example, id), "{id}: lines that fail, and lines that the page marks, in\n{}", example.text);
            for finding in failed {
                assert!(
                    page_of(entry).message(&finding.message_key, Language::English).is_some(),
                    "{id}: message `{}` is not on the page",
                    finding.message_key
                );
                assert!(!finding.message.contains(['{', '}']) || finding.message.contains("{{"), "{id}: a slot stayed open in `{}`", finding.message);
            }
        }
    }
}

#[test]
fn every_passing_example_passes() {
    for entry in all() {
        let id = entry.check.id;
        assert!(examples(entry, "passes").next().is_some(), "{id}: the page has no passing example");
        for example in examples(entry, "passes") {
            let snapshot = world(example.text, example.options, Vec::new());
            assert!(snapshot.problems().is_empty(), "{id}: {:?}", snapshot.problems());
            let judgement = judge(&snapshot, &only(entry));
            assert!(judgement.findings.is_empty(), "{id}: the passing example does not pass: {:#?}\n{}", judgement.findings, example.text);
            assert!(
                judgement.decided.iter().any(|decided| decided.verdict == Verdict::Pass),
                "{id}: nothing is judged in the passing example\n{}",
                example.text
            );
        }
    }
}

/// The patch of the page, or the one that the judge proposes, turns each failing example into a passing one.
#[test]
fn every_fix_works() {
    for entry in all() {
        let id = entry.check.id;
        let page_patch: Option<Vec<PatchOperation>> = examples(entry, "patch").next().map(|example| read_patch(example.text, id));
        for (number, example) in examples(entry, "fails").enumerate() {
            let snapshot = world(example.text, example.options, Vec::new());
            let judgement = judge(&snapshot, &only(entry));
            let proposed: Vec<_> = judgement.findings.iter().filter_map(|finding| Some((finding.subject.clone()?, finding.fix.clone()?))).collect();
            if proposed.is_empty() {
                // A page's own patch is written for its first example.
                if number > 0 {
                    continue;
                }
                let subject = judgement.findings.first().and_then(|finding| finding.subject.clone());
                if subject.is_none() {
                    assert_cluster_fixed(entry, &snapshot, example, page_patch.as_deref());
                    continue;
                }
                if let Some(added) = examples(entry, "adds").next() {
                    assert_fixed_by_adding(entry, example, added);
                    continue;
                }
                let patch = page_patch.as_ref().unwrap_or_else(|| panic!("{id}: neither the judge nor the page proposes a fix"));
                // The page's patch is for the object in which the fault lies: a configuration that its component reads.
                let place = judgement.findings.first().and_then(|finding| finding.places.first()?.object.clone());
                let is_it = |reference: &ObjectRef| place.as_ref().map_or(Some(reference) == subject.as_ref(), |object| is_alike(object, reference));
                assert_fixed(entry, &snapshot, example, is_it, patch);
            }
            for (subject, fix) in &proposed {
                assert!(!fix.patch.is_empty(), "{id}: an empty fix");
                assert_fixed(entry, &snapshot, example, |reference| reference == subject, &fix.patch);
            }
        }
    }
}

/// Whether both are of one kind and namespace: configurations have no name of their own.
fn is_alike(one: &ObjectRef, two: &ObjectRef) -> bool {
    (&one.kind, &one.namespace) == (&two.kind, &two.namespace)
}

fn assert_fixed(
    entry: &'static Entry,
    snapshot: &bartizan_cluster::Snapshot,
    example: Example,
    is_subject: impl Fn(&bartizan_cluster::ObjectRef) -> bool,
    patch: &[PatchOperation],
) {
    let id = entry.check.id;
    let mut objects = Vec::new();
    let mut fixed = None;
    // Configurations have no name of their own: they are called by their file.
    let called = |view: ObjectView<'_>| if view.name().is_empty() { ObjectRef { name: "page.yaml".to_owned(), ..view.reference() } } else { view.reference() };
    for object in snapshot.objects().chain(snapshot.configurations()) {
        let mut json = object.root().to_json();
        if is_subject(&called(object)) && fixed.is_none() {
            bartizan_checks::patch::apply(&mut json, patch).unwrap_or_else(|error| panic!("{id}: the fix does not apply: {error}\n{}", example.text));
            fixed = Some(called(object));
        }
        objects.push(json.to_string());
    }
    let fixed = fixed.unwrap_or_else(|| panic!("{id}: the subject of the finding is not in the example"));
    let after = world(&objects.join("\n"), example.options, Vec::new());
    let judgement = judge(&after, &only(entry));
    let is_of = |finding: &Finding| {
        let lies_there = |place: &Place| place.object.as_ref().is_some_and(|object| is_alike(object, &fixed));
        finding.subject.as_ref() == Some(&fixed) || finding.places.iter().any(lies_there)
    };
    let left: Vec<_> = judgement.findings.iter().filter(|finding| is_of(finding)).collect();
    assert!(left.is_empty(), "{id}: still there after the fix: {left:#?}\n{}", objects.join("\n"));
}

/// What is at fault is that some other object is not there: with it, the example passes.
fn assert_fixed_by_adding(entry: &'static Entry, example: Example, added: Example) {
    let id = entry.check.id;
    let text = format!("{}\n---\n{}", example.text, added.text);
    let judgement = judge(&world(&text, example.options, Vec::new()), &only(entry));
    assert!(judgement.findings.is_empty(), "{id}: still there with what the page adds: {:#?}\n{text}", judgement.findings);
}

/// A fault of the cluster as a whole is mended by changing one of its objects, or by no object at all: then the page has a
/// passing example with the same objects in other circumstances.
fn assert_cluster_fixed(entry: &'static Entry, snapshot: &bartizan_cluster::Snapshot, example: Example, patch: Option<&[PatchOperation]>) {
    let id = entry.check.id;
    let Some(patch) = patch else {
        assert!(
            examples(entry, "passes").any(|other| other.text == example.text && other.options != example.options),
            "{id}: the page shows no way out of\n{}",
            example.text
        );
        return;
    };
    let objects: Vec<serde_json::Value> = snapshot.objects().map(|object| object.root().to_json()).collect();
    let fixes = (0..objects.len()).any(|at| {
        let mut patched = objects.clone();
        let applied = bartizan_checks::patch::apply(&mut patched[at], patch).is_ok();
        let text: Vec<String> = patched.iter().map(ToString::to_string).collect();
        applied && judge(&world(&text.join("\n"), example.options, Vec::new()), &only(entry)).findings.is_empty()
    });
    assert!(fixes, "{id}: the patch of the page mends nothing in\n{}", example.text);
}

fn read_patch(text: &str, id: &str) -> Vec<PatchOperation> {
    // The list is wrapped so that the reader for objects reads it.
    let wrapped =
        format!("apiVersion: v1\nkind: Patch\nmetadata: {{name: patch}}\npatch:\n{}", text.lines().map(|line| format!("  {line}\n")).collect::<String>());
    let snapshot = world(&wrapped, "", Vec::new());
    let object = snapshot.objects().next().unwrap_or_else(|| panic!("{id}: the patch does not parse: {:?}", snapshot.problems()));
    let list = object.root().entry("patch").unwrap_or_else(|| panic!("{id}: the patch is empty")).to_json();
    serde_json::from_value(list).unwrap_or_else(|error| panic!("{id}: {error}"))
}

// INVARIANT: facts that are taken away never make a check pass. Each list that an entry declares is denied, and cut at
// each page, in every world of its page.
#[test]
fn a_missing_fact_never_makes_a_check_pass() {
    let mut worlds = 0;
    for entry in all() {
        for role in ["fails", "passes"] {
            for example in examples(entry, role) {
                let before = judge(&world(example.text, example.options, Vec::new()), &only(entry)).decided;
                for kind in declared(entry) {
                    for (reason, missing_from) in [(Reason::Forbidden, 0), (Reason::Incomplete, 1), (Reason::Incomplete, 2)] {
                        let kinds = kinds_of_documents(example);
                        let mut seen = 0;
                        let keep: Vec<bool> = kinds
                            .iter()
                            .map(|&of| {
                                seen += usize::from(of == kind);
                                of != kind || seen <= missing_from
                            })
                            .collect();
                        let missing = vec![Missing::list(kind, None, reason)];
                        let after = judge(&world_of(example.text, example.options, missing, |at| keep.get(at).copied().unwrap_or(true)), &only(entry)).decided;
                        worlds += 1;
                        for decided in after.iter().filter(|decided| decided.verdict == Verdict::Pass) {
                            assert!(
                                before.contains(decided),
                                "{}: without all of {kind:?} ({reason:?}), {:?} passes in\n{}",
                                entry.check.id,
                                decided.subject,
                                example.text
                            );
                        }
                    }
                }
            }
        }
    }
    assert!(worlds > 0 || all().all(|entry| entry.reads.is_empty()));
}

fn declared(entry: &Entry) -> Vec<Kind> {
    let workloads = entry.reads.contains(&Kind::Pod);
    let mut kinds: Vec<Kind> = entry.reads.to_vec();
    if workloads {
        kinds.extend(bartizan_checks::facts::WORKLOAD_KINDS);
    }
    kinds
}

fn kinds_of_documents(example: Example) -> Vec<Kind> {
    let (documents, _) = split(example.text);
    documents
        .iter()
        .map(|document| {
            let snapshot = world(&example.text[document.range.clone()], "", Vec::new());
            snapshot.objects().next().map_or(Kind::Other, ObjectView::kind)
        })
        .collect()
}

#[test]
fn ids_are_unique_sorted_and_named_like_their_files() {
    let families = ["cluster", "identity", "namespace", "network", "object", "pod_security", "relation", "workload"];
    let mut seen = BTreeSet::new();
    for (family, name) in bartizan_checks::CATALOGUE.iter().zip(families) {
        let ids: Vec<&str> = family.iter().map(|entry| entry.check.id).collect();
        assert!(ids.is_sorted(), "family `{name}` is not sorted: {ids:?}");
        for id in ids {
            assert!(seen.insert(id), "`{id}` is listed twice");
            assert!(id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'), "`{id}` is not kebab-case");
            for banned in ["no-", "ensure-", "check-", "avoid-", "use-"] {
                assert!(!id.starts_with(banned), "`{id}` names a rule, not a fault");
            }
            let stem = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(name).join(id.replace('-', "_"));
            assert!(stem.with_extension("rs").is_file() && stem.with_extension("md").is_file(), "`{id}` has no file of its name in `{name}`");
        }
    }
}

#[test]
fn pages_are_whole_in_both_languages() {
    for entry in all() {
        let id = entry.check.id;
        let page = page_of(entry);
        for language in [Language::English, Language::Chinese] {
            assert!(!page.title(language).is_empty(), "{id}: no title in {language:?}");
            assert!(!page.reason(language).is_empty(), "{id}: no reason in {language:?}");
            assert!(!page.fix(language).is_empty(), "{id}: no fix in {language:?}");
        }
        assert!(!page.summary.is_empty() && !page.summary.contains('\n'), "{id}: the summary is one line");
        assert!(!page.title.is_empty(), "{id}: no title");
        assert!(!page.title.ends_with('.'), "{id}: the title ends in a full stop");
        assert!(page.references().next().is_some(), "{id}: no reference");
        let keys: Vec<_> = page.message_keys(Language::English).collect();
        assert!(!keys.is_empty(), "{id}: no messages");
        assert_eq!(keys, page.message_keys(Language::Chinese).collect::<Vec<_>>(), "{id}: the messages of the two languages");
        for key in keys {
            let (english, chinese) = (page.message(key, Language::English).unwrap(), page.message(key, Language::Chinese).unwrap());
            assert_eq!(slots(english), slots(chinese), "{id}: the slots of message `{key}`");
            assert!(!english.ends_with('.'), "{id}: message `{key}` ends in a full stop");
            assert!(page_source_uses(entry, key), "{id}: no judge says `{key}`");
        }
    }
}

fn slots(template: &str) -> BTreeSet<&str> {
    template.split('{').skip(1).filter_map(|part| part.split_once('}')).map(|(slot, _)| slot).collect()
}

/// Whether the source of the check, or of its family, names the message.
fn page_source_uses(entry: &Entry, key: &str) -> bool {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let quoted = format!("\"{key}\"");
    let stem = entry.check.id.replace('-', "_");
    ["cluster", "identity", "namespace", "network", "object", "pod_security", "relation", "workload"].iter().any(|family| {
        let own = source.join(family).join(&stem).with_extension("rs");
        let shared = source.join(family).with_extension("rs");
        let of_grants = source.join("right.rs");
        own.is_file() && [own, shared, of_grants].iter().any(|file| std::fs::read_to_string(file).is_ok_and(|text| text.contains(&quoted)))
    })
}

/// A check of logins says what the inventory of logins says, word for word and in both languages.
#[test]
fn pages_of_logins_speak_as_the_inventory() {
    let mut faults = 0;
    for entry in all() {
        let Judge::Login(wanted) = entry.judge else { continue };
        for &key in wanted.faults {
            let fault = bartizan_authz::login::faults().into_iter().find(|fault| fault.id == key);
            let fault = fault.unwrap_or_else(|| panic!("{}: the inventory knows no fault `{key}`", entry.check.id));
            for language in [Language::English, Language::Chinese] {
                assert_eq!(page_of(entry).message(key, language), Some(fault.problem.of(language)), "{}: `{key}`", entry.check.id);
            }
            faults += 1;
        }
        let read: BTreeSet<Kind> = wanted.mechanisms.iter().flat_map(|mechanism| mechanism.reads()).copied().collect();
        assert!(read.iter().all(|kind| entry.reads.contains(kind)), "{}: reads more than it declares", entry.check.id);
    }
    assert!(faults > 20, "{faults} faults");
}
