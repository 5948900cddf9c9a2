//! A snapshot after random changes holds what is assembled from the changed input.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;

use bartizan_cluster::read::{Fragment, ReadOptions, split};
use bartizan_cluster::snapshot::Delta;
use bartizan_cluster::{Circumstances, Kind, KubernetesVersion, ObjectId, ObjectRef, ObjectView, Provenance, Snapshot, Source, SourceId};

/// A small deterministic source of chance (xorshift64*).
struct Chance(u64);

impl Chance {
    fn below(&mut self, count: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap() % count
    }
}

/// A document: what the object is called, and its text.
#[derive(Clone)]
struct Written {
    name: ObjectRef,
    text: String,
}

fn fragment(source: SourceId, documents: &[Written]) -> (Fragment, String) {
    let text = documents.iter().map(|document| document.text.as_str()).collect::<Vec<_>>().join("---\n");
    let mut fragment = Fragment::new(ReadOptions { secret_key: [7; 32] });
    for document in &split(&text).0 {
        fragment.read(source, &text, document);
    }
    (fragment, text)
}

fn assembled(documents: &[Written]) -> Snapshot {
    let (fragment, text) = fragment(SourceId(0), documents);
    let circumstances = Circumstances {
        provenance: Provenance::Files,
        sources: vec![Source::text("base.yaml", text)],
        version: KubernetesVersion::NEWEST,
        observed_at: "2026-11-24T00:00:00Z".parse().unwrap(),
        missing: Vec::new(),
    };
    Snapshot::assemble(vec![fragment], circumstances)
}

/// An object of a few kinds and names, so that changes meet what is there.
fn random(chance: &mut Chance, fresh: usize) -> Written {
    let (name, owner) = (format!("o{}", chance.below(6)), format!("o{}", chance.below(6)));
    let namespace = ["shop", "pay"][chance.below(2)];
    let owned = |kind: &str| format!(", ownerReferences: [{{apiVersion: apps/v1, kind: {kind}, name: {owner}, uid: u, controller: true}}]");
    let pod = format!("containers: [{{name: app, image: \"app:{}\"}}]", chance.below(3));
    let (api_version, kind, metadata, spec) = match chance.below(7) {
        0 => ("apps/v1", "Deployment", String::new(), format!("replicas: 2, template: {{spec: {{{pod}}}}}")),
        1 => ("apps/v1", "ReplicaSet", owned("Deployment"), format!("template: {{spec: {{{pod}}}}}")),
        2 => ("v1", "Pod", owned("ReplicaSet"), pod),
        3 => ("v1", "Service", String::new(), format!("clusterIP: \"10.0.0.{fresh}\"")),
        4 => ("networking.istio.io/v1", "Gateway", String::new(), format!("servers: [{fresh}]")),
        5 => ("gateway.networking.k8s.io/v1", "Gateway", String::new(), format!("gatewayClassName: c{fresh}")),
        _ => ("v1", "ConfigMap", String::new(), String::new()),
    };
    let text = format!("apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: {name}, namespace: {namespace}{metadata}}}\nspec: {{{spec}}}\n")
        .replace("kind: ConfigMap\n", "kind: ConfigMap\ndata: {}\n");
    let text = if kind == "ConfigMap" { text.replace("spec: {}\n", "") } else { text };
    Written { name: ObjectRef { api_version: api_version.to_owned(), kind: kind.to_owned(), namespace: Some(namespace.to_owned()), name }, text }
}

fn told(view: ObjectView<'_>) -> String {
    format!("{} {}", view.reference(), view.root().to_json())
}

/// Everything that can be asked of a snapshot, as text.
fn facts(snapshot: &Snapshot) -> Vec<String> {
    let mut facts: Vec<String> = snapshot.objects().map(|view| format!("object {}", told(view))).collect();
    facts.push(format!("{} objects, {:?}", snapshot.len(), snapshot.is_empty()));
    for &kind in Kind::ALL.iter().chain(&[Kind::Other]) {
        facts.extend(snapshot.of_kind(kind).map(|view| format!("{kind:?} {}", told(view))));
        for name in 0..6 {
            let name = format!("o{name}");
            for namespace in ["shop", "pay"] {
                let found = snapshot.find(kind, Some(namespace), &name);
                facts.extend(found.map(|view| format!("found {}", told(view))));
            }
        }
    }
    for group in ["networking.istio.io", "gateway.networking.k8s.io"] {
        facts.extend(snapshot.find_other(group, "Gateway", Some("shop"), "o1").map(|view| format!("gateway {}", told(view))));
    }
    facts.extend(snapshot.duplicates().map(|(one, two)| format!("twice {} {}", told(one), told(two))));
    facts.extend(
        snapshot.objects().map(|view| format!("owner {:?}", (view.reference(), snapshot.owner_of(view).reference, snapshot.owner_of(view).broken_chain))),
    );
    facts.extend(snapshot.workloads().iter().map(|workload| {
        let variants: Vec<_> = workload.variants.iter().map(|variant| (variant.pods, variant.pod.spec().to_json().to_string())).collect();
        format!("workload {} {:?} {variants:?}", workload.owner.reference, workload.replicas)
    }));
    facts
}

/// Fails at the first fact that differs: all of them together are pages.
fn assert_same(changed: &Snapshot, anew: &Snapshot) {
    let (changed, anew) = (facts(changed), facts(anew));
    for (one, two) in changed.iter().zip(&anew) {
        assert_eq!(one, two);
    }
    assert_eq!(changed.len(), anew.len());
}

fn same_name(one: &ObjectRef, two: &ObjectRef) -> bool {
    let group = |reference: &ObjectRef| bartizan_cluster::group_of(&reference.api_version).to_owned();
    (group(one), &one.kind, &one.namespace, &one.name) == (group(two), &two.kind, &two.namespace, &two.name)
}

#[test]
fn a_changed_snapshot_is_what_the_changed_input_gives() {
    let mut chance = Chance(0x0dd_ba11);
    for _ in 0..60 {
        let mut documents: Vec<Written> = (0..chance.below(30)).map(|fresh| random(&mut chance, fresh)).collect();
        let mut lineage = vec![(assembled(&documents), documents.clone())];
        for step in 0..6 {
            let (before, _) = lineage.last().unwrap();
            let numbers: BTreeMap<ObjectId, String> = before.objects().map(|view| (view.id(), told(view))).collect();
            let added: Vec<Written> = (0..chance.below(4)).map(|_| random(&mut chance, 100 + step)).collect();
            let mut removed: Vec<ObjectRef> = (0..chance.below(3)).map(|_| random(&mut chance, 0).name).collect();
            removed.extend(documents.get(chance.below(documents.len() + 1)).map(|document| document.name.clone()));

            let (fragment, text) = fragment(before.next_source(), &added);
            let file = format!("change-{step}.yaml");
            let after = before.with(Delta { removed: removed.clone(), added: vec![fragment], sources: vec![Source::text(file.as_str(), text)] });
            documents.retain(|document| !removed.iter().chain(added.iter().map(|new| &new.name)).any(|name| same_name(name, &document.name)));
            documents.extend(added);

            assert_same(&after, &assembled(&documents));
            for view in after.objects() {
                let file_of = after.location(view, &view.root().into()).unwrap().file;
                match numbers.get(&view.id()) {
                    Some(known) => assert_eq!(*known, told(view), "a number is another object's"),
                    None => assert_eq!(file_of, file, "{view:?}"),
                }
            }
            lineage.push((after, documents.clone()));
        }
        // What was changed is still there as it was.
        for (snapshot, documents) in &lineage {
            assert_same(snapshot, &assembled(documents));
        }
    }
}

#[test]
fn problems_of_a_change_join_those_of_the_input() {
    let base = assembled(&[random(&mut Chance(5), 0)]);
    let mut fragment = Fragment::new(ReadOptions { secret_key: [7; 32] });
    let text = "apiVersion: v1\nkind: Service\nmetadata: {}\n";
    for document in &split(text).0 {
        fragment.read(base.next_source(), text, document);
    }
    let after = base.with(Delta { added: vec![fragment], sources: vec![Source::text("change.yaml", text)], ..Delta::default() });
    assert_eq!((base.problems().len(), after.problems().len()), (0, 1));
    assert_eq!(after.problems()[0].location.as_ref().unwrap().to_string(), "change.yaml:1:1");
    assert_eq!(after.sources().map(Source::name).collect::<Vec<_>>(), ["base.yaml", "change.yaml"]);
}
