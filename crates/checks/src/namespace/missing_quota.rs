//! `missing-quota`: nothing limits what the pods of a namespace may take from the cluster together.

use bartizan_cluster::{Kind, ObjectView};
use bartizan_report::{Check, Severity, Stage};

use super::{is_of_the_platform, name_of};
use crate::sink::Sink;
use crate::{Entry, Facts, Judge, Judged, msg};

pub(super) static ENTRY: Entry = Entry {
    check: Check { id: "missing-quota", severity: Severity::Low, stage: Stage::Auditor, since: "0.1.0", aliases: &[], page: include_str!("missing_quota.md") },
    reads: &[Kind::Pod, Kind::ResourceQuota],
    judge: Judge::Namespace(judge),
};

fn judge<'a>(namespace: ObjectView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    let name = Some(namespace.name());
    if is_of_the_platform(namespace) || !facts.any_pod(name, |_| true)? {
        return out.not_applicable();
    }
    if !facts.any(Kind::ResourceQuota, name, |_| true)? {
        out.fail(name_of(namespace), msg!("unlimited"));
    }
    out.done()
}
