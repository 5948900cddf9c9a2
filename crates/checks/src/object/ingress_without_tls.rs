//! `ingress-without-tls`: an Ingress serves a host without TLS.

use bartizan_cluster::{Kind, ObjectView, Spot, Value, field};
use bartizan_network::encryption::{ends_elsewhere, is_for};
use bartizan_report::{Check, Severity, Stage};

use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "ingress-without-tls",
        severity: Severity::Medium,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("ingress_without_tls.md"),
    },
    reads: &[],
    judge: Judge::Object(&[Kind::Ingress], judge),
};

fn judge<'a>(ingress: ObjectView<'a>, _: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    // The answer to a certificate authority has to be given in the clear.
    if ingress.label("acme.cert-manager.io/http01-solver") == Some("true") {
        return out.not_applicable();
    }
    let Some(spec) = ingress.spec() else { return out.done() };
    if ends_elsewhere(ingress) {
        return out.done();
    }
    let sections: Vec<Value<'a>> = spec.list(field::TLS).collect();
    let mut hosts: Vec<(Spot<'a>, &'a str)> =
        spec.list(field::RULES).map(|rule| (rule.get(field::HOST).unwrap_or(rule).into(), rule.str(field::HOST).unwrap_or(""))).collect();
    if hosts.is_empty() {
        hosts.push((spec.spot(&[field::TLS]), ""));
    }
    for (spot, host) in hosts {
        if !sections.iter().any(|section| is_for(*section, host)) {
            let message = match (host, sections.is_empty()) {
                ("", _) => msg!("any-host"),
                (host, true) => msg!("host", host = host),
                (host, false) => msg!("left-out", host = host),
            };
            out.fail(spot, message);
        }
    }
    out.done()
}
