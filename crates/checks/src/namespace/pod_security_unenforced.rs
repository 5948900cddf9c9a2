//! `pod-security-unenforced`: a namespace takes pods of every kind, and what would change if it did not.

use std::collections::BTreeSet;

use bartizan_cluster::{Kind, KubernetesVersion, ObjectView, Value, Workload, field};
use bartizan_report::{Check, Safety, Severity, Stage};

use super::{POD_SECURITY, is_of_the_platform, set_label};
use crate::pod_security::{Level, violations};
use crate::sink::{Msg, Sink};
use crate::{Entry, Facts, Judge, Judged, msg};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "pod-security-unenforced",
        severity: Severity::Medium,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("pod_security_unenforced.md"),
    },
    reads: &[Kind::Pod],
    judge: Judge::Namespace(judge),
};

fn judge<'a>(namespace: ObjectView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    if is_of_the_platform(namespace) {
        return out.not_applicable();
    }
    let key = format!("{POD_SECURITY}enforce");
    let label = namespace.labels().and_then(|labels| labels.entry(&key));
    match label.map(|value| Level::named(value.as_str().unwrap_or(""))) {
        Some(Some(Level::Baseline | Level::Restricted)) => return out.done(),
        // The server refuses the namespace: `pod-security-label` says so.
        Some(None) => return out.not_applicable(),
        Some(Some(Level::Privileged)) | None => {}
    }
    let forecast = Forecast::of(namespace, facts);
    let complete = facts.pods_complete(Some(namespace.name()));
    if label.is_some() && forecast.refused_at(Level::Baseline) > 0 {
        // Somebody wrote `privileged`, and something there needs it.
        return out.done();
    }
    if label.is_some() || (namespace.name() == "default" && forecast.workloads == 0) {
        complete.clone()?;
    }
    if label.is_none() && namespace.name() == "default" && forecast.workloads == 0 {
        return out.not_applicable();
    }
    let spot = label.map_or_else(|| namespace.root().spot(&[field::METADATA, field::LABELS]), Into::into);
    let raised = out.fail(spot, forecast.message(label, complete.is_ok()));
    for refused in &forecast.refused {
        raised.related(refused.object, refused.note());
    }
    if let Some(level) = forecast.harmless_level().filter(|_| complete.is_ok()) {
        // Manifests rarely show everything that runs in a namespace.
        let safety = if facts.from_files() || forecast.workloads == 0 { Safety::Unsafe } else { Safety::Safe };
        raised.fix(safety, [set_label(namespace, &key, level.name())]);
    }
    out.done()
}

/// What would happen to the workloads of a namespace if a level were enforced.
struct Forecast<'a> {
    workloads: usize,
    refused: Vec<Refused<'a>>,
}

/// A workload that a level would refuse, and the checks that say why.
struct Refused<'a> {
    object: ObjectView<'a>,
    at_baseline: BTreeSet<&'static str>,
    at_restricted: BTreeSet<&'static str>,
}

impl<'a> Forecast<'a> {
    fn of(namespace: ObjectView<'a>, facts: &Facts<'a>) -> Self {
        let workloads = facts.workloads(Some(namespace.name()));
        let refused = workloads.iter().filter_map(|workload| Refused::of(workload, facts.version())).collect();
        Self { workloads: workloads.len(), refused }
    }

    fn refused_at(&self, level: Level) -> usize {
        self.refused.iter().filter(|refused| level == Level::Restricted || !refused.at_baseline.is_empty()).count()
    }

    /// The strictest level that refuses nothing; `baseline` where nothing runs yet.
    fn harmless_level(&self) -> Option<Level> {
        if self.workloads > 0 && self.refused.is_empty() {
            return Some(Level::Restricted);
        }
        (self.refused_at(Level::Baseline) == 0).then_some(Level::Baseline)
    }

    fn message(&self, label: Option<Value<'_>>, is_complete: bool) -> Msg {
        let (workloads, baseline, restricted) = (self.workloads, self.refused_at(Level::Baseline), self.refused_at(Level::Restricted));
        let level = self.harmless_level().unwrap_or(Level::Privileged);
        match (label, workloads) {
            (Some(_), 0) => msg!("idle"),
            (Some(_), _) => msg!("privileged", workloads = workloads, level = level),
            (None, 0) => msg!("empty"),
            (None, _) if !is_complete => msg!("partial", workloads = workloads, baseline = baseline, restricted = restricted),
            (None, _) if restricted == 0 => msg!("ready", workloads = workloads),
            (None, _) => msg!("refused", workloads = workloads, baseline = baseline, restricted = restricted),
        }
    }
}

impl<'a> Refused<'a> {
    fn of(workload: &'a Workload<'a>, version: KubernetesVersion) -> Option<Self> {
        let at = |level| -> BTreeSet<&'static str> {
            workload.variants.iter().flat_map(|variant| violations(variant.pod, level, version)).map(|rule| rule.check).collect()
        };
        let refused = Self { object: workload.variants.first()?.pod.object(), at_baseline: at(Level::Baseline), at_restricted: at(Level::Restricted) };
        (!refused.at_baseline.is_empty() || !refused.at_restricted.is_empty()).then_some(refused)
    }

    fn note(&self) -> String {
        let list = |checks: &mut dyn Iterator<Item = &'static str>| checks.collect::<Vec<_>>().join(", ");
        let baseline = list(&mut self.at_baseline.iter().copied());
        let beyond = list(&mut self.at_restricted.difference(&self.at_baseline).copied());
        match (baseline.is_empty(), beyond.is_empty()) {
            (true, _) => format!("refused at `restricted`: {beyond}"),
            (false, true) => format!("refused at `baseline`: {baseline}"),
            (false, false) => format!("refused at `baseline`: {baseline}; at `restricted` also: {beyond}"),
        }
    }
}
