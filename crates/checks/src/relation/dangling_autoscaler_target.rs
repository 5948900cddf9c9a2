//! `dangling-autoscaler-target`: an autoscaler scales something that is not there.

use bartizan_cluster::{Kind, Missing, ObjectView, Reason, Value, field, group_of};
use bartizan_report::{Check, Safety, Severity, Stage};

use crate::sink::set;
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "dangling-autoscaler-target",
        severity: Severity::Low,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("dangling_autoscaler_target.md"),
    },
    reads: &[Kind::Deployment, Kind::StatefulSet, Kind::ReplicaSet, Kind::ReplicationController],
    judge: Judge::Object(&[Kind::HorizontalPodAutoscaler], judge),
};

fn judge<'a>(autoscaler: ObjectView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    let Some(target) = autoscaler.spec().and_then(|spec| spec.get(field::SCALE_TARGET_REF)) else { return out.not_applicable() };
    let (Some(kind_name), Some(name)) = (target.str(field::KIND), target.get(field::NAME)) else { return out.not_applicable() };
    let version = target.str(field::API_VERSION).unwrap_or("");
    match Kind::of(group_of(version), kind_name) {
        Kind::Other => return other(kind_name, name, version, autoscaler, facts, out),
        kind @ (Kind::Deployment | Kind::StatefulSet | Kind::ReplicaSet | Kind::ReplicationController) => {
            if facts.get(kind, autoscaler.namespace(), name.as_str().unwrap_or("")).read()?.is_none() {
                out.fail(name, msg!("nowhere", kind = kind_name, name = name.display(), namespace = autoscaler.namespace().unwrap_or("")));
            }
        }
        _ => {
            out.fail(target.get(field::KIND).unwrap_or(target), msg!("unscalable", kind = kind_name));
        }
    }
    out.done()
}

/// A target of a kind that is not Kubernetes' own, or not in the API group that was written.
fn other<'a>(kind: &str, name: Value<'a>, version: &str, autoscaler: ObjectView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    if matches!(kind, "Deployment" | "StatefulSet" | "ReplicaSet") && matches!(group_of(version), "" | "autoscaling" | "batch") {
        let spot = autoscaler.root().spot(&[field::SPEC, field::SCALE_TARGET_REF, field::API_VERSION]);
        let patch = set(&spot, "apps/v1".into());
        out.fail(spot, msg!("group", kind = kind, api = version)).fix(Safety::Unsafe, [patch]);
        return out.done();
    }
    let is_target = |object: ObjectView<'a>| {
        object.namespace() == autoscaler.namespace()
            && object.kind_name() == kind
            && object.group() == group_of(version)
            && Some(object.name()) == name.as_str()
    };
    if facts.snapshot().of_kind(Kind::Other).any(is_target) {
        return out.done();
    }
    if facts.from_files() {
        out.fail(name, msg!("nowhere", kind = kind, name = name.display(), namespace = autoscaler.namespace().unwrap_or("")));
        return out.done();
    }
    // Kinds of others are only read where they run pods.
    Err(Missing {
        fact: kind.to_lowercase(),
        scope: autoscaler.namespace().map_or_else(|| "cluster".to_owned(), |name| format!("namespace/{name}")),
        reason: Reason::NotGathered,
    })
}
