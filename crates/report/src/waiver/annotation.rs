//! Waivers in annotations: `bartizan.dev/waive.host-pid: the agent reads /proc; until=2027-01-01; owner=platform`.
//!
//! One on an object, or on its pod template, covers the object; one on a namespace covers everything in it. Copies that
//! controllers make of annotations are not waivers of their own.

use std::collections::BTreeSet;

use bartizan_cluster::{Kind, ObjectView, PodView, Snapshot, Value};

use super::{Parts, Target, Waivers, Written};

const PREFIX: &str = "bartizan.dev/waive.";

pub(super) fn collect(snapshot: &Snapshot, waivers: &mut Waivers) {
    for object in snapshot.objects() {
        let mut seen = BTreeSet::new();
        for (key, value) in annotations_of(object) {
            let Some(check) = key.strip_prefix(PREFIX) else { continue };
            let text = value.display();
            // The same waiver on an object and on its template is one.
            if seen.insert((check, text.clone())) {
                take(snapshot, object, value, check, &text, waivers);
            }
        }
    }
}

/// The annotations of an object and of the pods that it makes.
pub(super) fn annotations_of(object: ObjectView<'_>) -> impl Iterator<Item = (&str, Value<'_>)> {
    let own = object.annotations();
    let of_pods = PodView::of(object).into_iter().filter(move |_| object.kind() != Kind::Pod).filter_map(PodView::annotations);
    own.into_iter().chain(of_pods).flat_map(Value::entries)
}

fn take(snapshot: &Snapshot, object: ObjectView<'_>, value: Value<'_>, check: &str, text: &str, waivers: &mut Waivers) {
    let owner = snapshot.owner_of(object);
    let inherited = owner.id != Some(object.id());
    let carried_by_owner = || {
        owner
            .id
            .and_then(|id| snapshot.view(id))
            .is_some_and(|owner| annotations_of(owner).any(|(key, value)| key.strip_prefix(PREFIX) == Some(check) && value.display() == text))
    };
    let target = match object.kind() {
        Kind::Namespace => Target::Namespace(object.name().to_owned()),
        _ if !inherited => Target::Objects(vec![object.reference()]),
        // The owner is only named: its pods are all that shows what it carries.
        _ if owner.id.is_none() => Target::Objects(vec![owner.reference.clone()]),
        _ if carried_by_owner() => return,
        _ => Target::Inside(object.reference()),
    };
    let written = Written {
        location: snapshot.location(object, &value.into()),
        path: value.path().as_str().to_owned(),
        subject: Some(owner.reference),
        copied: inherited,
    };
    let known = waivers.accepted.iter().any(|waiver| waiver.check == check && waiver.target == target && waiver.written.copied && inherited);
    if !known {
        let mut parts = parse(text);
        parts.check = check;
        parts.finish(target, written, waivers);
    }
}

/// Takes `reason; until=…; owner=…` apart. Parts without a name belong to the reason.
fn parse(text: &str) -> Parts<'_> {
    let mut parts = Parts::default();
    let mut reasons = Vec::new();
    for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
        match part.split_once('=') {
            Some(("until", value)) => parts.until = Some(value.trim()),
            Some(("owner", value)) => parts.owner = Some(value.trim()).filter(|owner| !owner.is_empty()),
            // `untill=2027-01-01` must not become a part of the reason, or the waiver would hold for ever.
            Some((name, _)) if !reasons.is_empty() && !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase()) => parts.unknown.push(name),
            _ => reasons.push(part),
        }
    }
    parts.reason = reasons.join("; ");
    parts
}

#[cfg(test)]
mod tests {
    use super::super::Fault;
    use super::super::apply::tests::{placed, world};
    use super::*;

    #[test]
    fn an_annotation_holds_reason_last_day_and_owner() {
        let parts = parse("the agent reads /proc; see a=b; until=2027-01-01; owner=platform team");
        assert_eq!((parts.reason.as_str(), parts.until, parts.owner), ("the agent reads /proc; see a=b", Some("2027-01-01"), Some("platform team")));
        assert_eq!(parse("reason; untill=2027-01-01").unknown, ["untill"]);
        assert_eq!(parse("; until=2027-01-01").reason, "");
        assert_eq!(parse("mode=debug is needed").reason, "mode=debug is needed");
    }

    #[test]
    fn waivers_stand_on_objects_templates_and_namespaces() {
        let snapshot = world(
            "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: ops\n  annotations:\n    bartizan.dev/waive.host-ipc: legacy\n---\n\
             apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: agent\n  namespace: ops\nspec:\n  template:\n    metadata:\n      annotations:\n        bartizan.dev/waive.host-pid: reads /proc; until=2027-01-01; owner=ops\n    spec:\n      containers: []\n",
        );
        let waivers = Waivers::of(&snapshot);
        assert_eq!(waivers.rejected, []);
        let [namespace, template] = waivers.accepted.as_slice() else { panic!("{waivers:?}") };
        assert_eq!((namespace.check.as_str(), &namespace.target), ("host-ipc", &Target::Namespace("ops".to_owned())));
        assert_eq!(placed(&namespace.written), "a.yaml:6");
        assert_eq!(template.target.to_string(), "Deployment ops/agent");
        assert_eq!((template.reason.as_str(), template.until, template.owner.as_deref()), ("reads /proc", "2027-01-01".parse().ok(), Some("ops")));
        assert_eq!(placed(&template.written), "a.yaml:17");
        assert_eq!(template.written.path, "spec.template.metadata.annotations[\"bartizan.dev/waive.host-pid\"]");
    }

    #[test]
    fn copies_that_controllers_make_are_not_waivers_of_their_own() {
        let owned = |kind: &str, name: &str, owner: &str, uid: &str, note: &str| {
            format!(
                "apiVersion: apps/v1\nkind: ReplicaSet\nmetadata:\n  name: {name}\n  namespace: ops\n  annotations: {{bartizan.dev/waive.host-pid: {note}}}\n  ownerReferences: [{{apiVersion: apps/v1, kind: {kind}, name: {owner}, uid: {uid}, controller: true}}]\nspec: {{template: {{spec: {{containers: []}}}}}}\n---\n"
            )
        };
        let text = format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: agent, namespace: ops, uid: u1, annotations: {{bartizan.dev/waive.host-pid: reads}}}}\nspec: {{template: {{spec: {{containers: []}}}}}}\n---\n{}{}{}{}",
            owned("Deployment", "agent-1", "agent", "u1", "reads"),
            owned("Deployment", "agent-2", "agent", "u1", "by hand"),
            owned("Rollout", "other-1", "other", "u2", "reads"),
            owned("Rollout", "other-2", "other", "u2", "reads"),
        );
        let waivers = Waivers::of(&world(&text));
        let targets: Vec<String> = waivers.accepted.iter().map(|waiver| format!("{} {}", waiver.target, waiver.written.copied)).collect();
        assert_eq!(targets, ["Deployment ops/agent false", "ReplicaSet ops/agent-2 true", "Rollout ops/other true"]);
        assert_eq!(waivers.accepted[1].target, Target::Inside(waivers.accepted[1].target_object()));
    }

    impl super::super::Waiver {
        fn target_object(&self) -> bartizan_cluster::ObjectRef {
            match &self.target {
                Target::Inside(object) => object.clone(),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn what_cannot_be_read_is_rejected_with_every_fault() {
        let waivers =
            Waivers::of(&world("apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  annotations:\n    bartizan.dev/waive.host-pid: until=2027-02-30\n"));
        let faults: Vec<&Fault> = waivers.rejected.iter().map(|rejected| &rejected.fault).collect();
        assert_eq!(faults, [&Fault::NoReason("host-pid".to_owned()), &Fault::BadDate("2027-02-30".to_owned())]);
        assert!(waivers.accepted.is_empty());
    }
}
