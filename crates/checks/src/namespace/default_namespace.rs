//! `default-namespace`: a workload runs in the namespace that takes what was put nowhere.

use bartizan_cluster::{Workload, field};
use bartizan_report::{Check, Severity, Stage};

use crate::sink::Sink;
use crate::{Entry, Facts, Judge, Judged, msg};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "default-namespace",
        severity: Severity::Low,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("default_namespace.md"),
    },
    reads: &[],
    judge: Judge::Workload(judge),
};

fn judge<'a>(workload: &'a Workload<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    let Some(variant) = workload.variants.first() else { return out.not_applicable() };
    let object = variant.pod.object();
    let written = object.metadata().and_then(|metadata| metadata.get(field::NAMESPACE));
    match written {
        // Whoever applies the manifest says where: `kubectl -n`, a Helm release, Argo CD.
        None if facts.from_files() => return out.not_applicable(),
        Some(namespace) if variant.pod.namespace() == "default" => {
            out.fail(namespace, msg!("default")).object(object);
        }
        _ => {}
    }
    out.done()
}
