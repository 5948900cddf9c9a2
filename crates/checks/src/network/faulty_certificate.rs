//! `faulty-certificate`: a certificate in a Secret is over, weak, or does not go with its key or its chain.

use bartizan_cluster::{Kind, ObjectView, field};
use bartizan_network::certificate::HoldingContent;
use bartizan_report::{Check, Severity, Stage};

use super::told;
use crate::sink::{Msg, Sink};
use crate::{Entry, Facts, Judge, Judged, msg};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "faulty-certificate",
        severity: Severity::Medium,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("faulty_certificate.md"),
    },
    reads: &[],
    judge: Judge::Object(&[Kind::Secret], judge),
};

fn judge<'a>(secret: ObjectView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    let name = secret.reference();
    let held = facts.certificates().holdings.iter().filter(|holding| holding.content == HoldingContent::Chain && holding.place.object.as_ref() == Some(&name));
    let mut count = 0;
    for holding in held {
        count += 1;
        let key = holding.name.rsplit(' ').next().unwrap_or("");
        let data = [field::STRING_DATA, field::DATA].into_iter().find_map(|data| secret.root().get(data));
        let place = data.and_then(|data| data.entries().find(|(name, _)| *name == key)).map_or(secret.root(), |(_, value)| value);
        for message in holding.judgements.iter().filter_map(message) {
            out.fail(place, message);
        }
    }
    if count == 0 { out.not_applicable() } else { out.done() }
}

/// What is told of a fault that the Secret has by itself, whoever uses it.
fn message(judgement: &bartizan_report::fault::Judgement) -> Option<Msg> {
    let subject = told(judgement, "subject");
    Some(match judgement.fault.id {
        "certificate-expired" | "served-certificate-expired" => msg!("expired", subject = subject, expires = told(judgement, "expires")),
        "certificate-expires-soon" | "authority-expires-soon" => {
            msg!("soon", subject = subject, days = told(judgement, "days"), expires = told(judgement, "expires"))
        }
        "certificate-weak-key" => msg!("key", subject = subject, key = told(judgement, "key")),
        "certificate-weak-signature" => msg!("signature", subject = subject, signature = told(judgement, "signature")),
        "certificate-common-name-only" => msg!("common-name", subject = subject),
        "key-mismatch" => msg!("mismatch", subject = subject),
        "chain-broken" => msg!("broken", subject = subject, issuer = told(judgement, "issuer")),
        "chain-signature-wrong" => msg!("other-key", subject = subject, issuer = told(judgement, "issuer")),
        "chain-out-of-order" => msg!("disordered", subject = subject, position = told(judgement, "position")),
        "authority-may-not-sign" => msg!("unfit", subject = subject, authority = told(judgement, "authority"), lack = told(judgement, "lack")),
        "authority-path-too-long" => msg!("too-long", subject = subject, authority = told(judgement, "authority"), allowed = told(judgement, "allowed")),
        "authority-forbids-name" => msg!("forbidden", subject = subject, authority = told(judgement, "authority"), name = told(judgement, "name")),
        "authority-beside-did-not-sign" => msg!("beside", subject = subject, key = told(judgement, "key"), issuer = told(judgement, "issuer")),
        "chain-expires-earlier" => msg!("earlier", subject = subject, authority = told(judgement, "authority"), expires = told(judgement, "expires")),
        _ => return None,
    })
}
