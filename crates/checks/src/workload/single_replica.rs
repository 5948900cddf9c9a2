//! `single-replica`: the application is gone while its only pod is.

use bartizan_cluster::{Kind, ObjectView, Workload, field};
use bartizan_report::{Check, Safety, Severity, Stage};
use serde_json::json;

use crate::sink::{Sink, set};
use crate::{Entry, Facts, Judge, Judged, msg};

pub(super) static ENTRY: Entry = Entry {
    check: Check { id: "single-replica", severity: Severity::Low, stage: Stage::Strict, since: "0.1.0", aliases: &[], page: include_str!("single_replica.md") },
    reads: &[Kind::HorizontalPodAutoscaler],
    judge: Judge::Workload(judge),
};

fn judge<'a>(workload: &'a Workload<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    let template = workload.variants.first().map(|variant| variant.pod.object()).filter(|object| workload.owner.id == Some(object.id()));
    let Some(owner) = template.filter(|object| matches!(object.kind(), Kind::Deployment | Kind::StatefulSet)) else { return out.not_applicable() };
    let replicas = owner.spec().and_then(|spec| spec.int(field::REPLICAS)).unwrap_or(1);
    if replicas == 0 {
        return out.not_applicable();
    }
    if replicas > 1 || facts.any(Kind::HorizontalPodAutoscaler, owner.namespace(), |autoscaler| keeps_two(autoscaler, owner))? {
        return out.done();
    }
    let spot = owner.root().spot(&[field::SPEC, field::REPLICAS]);
    let patch = set(&spot, json!(2));
    out.fail(spot, msg!("single")).object(owner).fix(Safety::Unsafe, [patch]);
    out.done()
}

/// Whether `autoscaler` never lets `owner` have fewer than two pods.
fn keeps_two(autoscaler: ObjectView<'_>, owner: ObjectView<'_>) -> bool {
    let Some(spec) = autoscaler.spec() else { return false };
    let target = spec.get(field::SCALE_TARGET_REF);
    let is_target = target.is_some_and(|target| target.str(field::KIND) == Some(owner.kind_name()) && target.str(field::NAME) == Some(owner.name()));
    is_target && spec.entry("minReplicas").and_then(bartizan_cluster::Value::as_i64).unwrap_or(1) >= 2
}
