//! `open-load-balancer`: a load balancer answers every address of the internet.

use bartizan_cluster::{Kind, ObjectView, Value, field};
use bartizan_network::load_balancer::{annotated_ranges, is_internal};
use bartizan_report::{Check, Severity, Stage};

use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "open-load-balancer",
        severity: Severity::Medium,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("open_load_balancer.md"),
    },
    reads: &[],
    judge: Judge::Object(&[Kind::Service], judge),
};

fn judge<'a>(service: ObjectView<'a>, _: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    let Some(spec) = service.spec().filter(|spec| spec.str(field::TYPE) == Some("LoadBalancer")) else { return out.not_applicable() };
    if is_internal(service) || is_guarded_elsewhere(service) {
        return out.not_applicable();
    }
    let ranges: Vec<Value<'a>> = spec.list(field::LOAD_BALANCER_SOURCE_RANGES).collect();
    for range in ranges.iter().filter(|range| range.as_str().is_some_and(is_everything)) {
        out.fail(*range, msg!("everything", range = range.display()));
    }
    // The field is asked first; the annotations count where it is empty.
    if ranges.is_empty() {
        if let Some((value, text)) = annotated_ranges(service) {
            for range in text.split(',').map(str::trim).filter(|range| is_everything(range)) {
                out.fail(value, msg!("everything", range = range));
            }
        } else {
            out.fail(spec.spot(&[field::LOAD_BALANCER_SOURCE_RANGES]), msg!("unlimited"));
        }
    }
    out.done()
}

/// A range that leaves nobody out, in either family of addresses.
fn is_everything(range: &str) -> bool {
    range.trim().rsplit_once('/').is_some_and(|(_, length)| length.bytes().all(|digit| digit == b'0') && !length.is_empty())
}

/// Whether somebody else's list decides who may connect, which is not to be seen here.
fn is_guarded_elsewhere(service: ObjectView<'_>) -> bool {
    let lists = [
        "service.beta.kubernetes.io/aws-load-balancer-security-groups",
        "service.beta.kubernetes.io/azure-allowed-service-tags",
        "service.beta.kubernetes.io/do-loadbalancer-allow-rules",
    ];
    lists.iter().any(|key| service.annotation(key).is_some_and(|value| !value.trim().is_empty()))
}
