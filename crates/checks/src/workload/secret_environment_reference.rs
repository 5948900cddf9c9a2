//! `secret-environment-reference`: a Secret reaches the container as an environment variable.

use bartizan_cluster::{ContainerView, field};
use bartizan_report::{Check, Severity, Stage};

use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "secret-environment-reference",
        severity: Severity::Low,
        stage: Stage::Auditor,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("secret_environment_reference.md"),
    },
    reads: &[],
    judge: Judge::Container(judge),
};

fn judge<'a>(container: ContainerView<'a>, _: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    for variable in container.value().list(field::ENV) {
        if let Some(reference) = variable.walk(&[field::VALUE_FROM, field::SECRET_KEY_REF]) {
            let (name, secret) = (variable.str(field::NAME).unwrap_or(""), reference.str(field::NAME).unwrap_or(""));
            out.fail(reference, msg!("variable", variable = name, secret = secret));
        }
    }
    for source in container.value().list(field::ENV_FROM) {
        if let Some(reference) = source.get(field::SECRET_REF) {
            out.fail(reference, msg!("all", secret = reference.str(field::NAME).unwrap_or("")));
        }
    }
    out.done()
}
