//! `faulty-ingress-certificate`: the certificate of an Ingress is not there, or not for its hosts.

use bartizan_cluster::{Kind, ObjectView, field};
use bartizan_network::certificate::ReferenceState;
use bartizan_report::{Check, Severity, Stage};

use super::told;
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "faulty-ingress-certificate",
        severity: Severity::High,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("faulty_ingress_certificate.md"),
    },
    reads: &[Kind::Secret],
    judge: Judge::Object(&[Kind::Ingress], judge),
};

fn judge<'a>(ingress: ObjectView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    let entries =
        ingress.spec().into_iter().flat_map(|spec| spec.list(field::TLS)).filter(|entry| entry.str(field::SECRET_NAME).is_some_and(|name| !name.is_empty()));
    let references = facts.certificates().references.iter().filter(|reference| reference.object == ingress.id());
    let mut unknown = None;
    let mut count = 0;
    for (entry, reference) in entries.zip(references) {
        count += 1;
        let name = entry.str(field::SECRET_NAME).unwrap_or("");
        if reference.state == ReferenceState::Unknown {
            unknown = unknown.or_else(|| facts.get(Kind::Secret, ingress.namespace(), name).read().err());
        }
        let place = entry.get(field::SECRET_NAME).unwrap_or(entry);
        for judgement in &reference.judgements {
            match judgement.fault.id {
                "secret-missing" => _ = out.fail(place, msg!("missing", secret = name)),
                "secret-incomplete" => _ = out.fail(place, msg!("incomplete", secret = name, key = told(judgement, "key"))),
                "host-not-covered" => {
                    let host = entry
                        .get(field::HOSTS)
                        .into_iter()
                        .flat_map(bartizan_cluster::Value::items)
                        .find(|host| host.as_str() == Some(told(judgement, "host")));
                    out.fail(host.unwrap_or(place), msg!("host", secret = name, host = told(judgement, "host"), names = told(judgement, "names")));
                }
                _ => {}
            }
        }
    }
    match (unknown, count) {
        (Some(missing), _) => Err(missing),
        (None, 0) => out.not_applicable(),
        (None, _) => out.done(),
    }
}
