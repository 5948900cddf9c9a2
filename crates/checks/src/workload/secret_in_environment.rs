//! `secret-in-environment`: a credential stands in the manifest as the value of an environment variable.

use bartizan_cluster::{ContainerView, field};
use bartizan_report::{Check, Severity, Stage};

use crate::credential::{Kind, looks_like};
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "secret-in-environment",
        severity: Severity::High,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("secret_in_environment.md"),
    },
    reads: &[],
    judge: Judge::Container(judge),
};

// INVARIANT: no message, place or fix of this check contains a value; the place is the variable, so that a report that
// quotes the manifest's line quotes its name. The tests of this family hold it.
fn judge<'a>(container: ContainerView<'a>, _: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    let mut written = container.value().list(field::ENV).filter(|variable| variable.get(field::VALUE).is_some()).peekable();
    if written.peek().is_none() {
        return out.not_applicable();
    }
    for variable in written {
        let (Some(name), Some(value)) = (variable.str(field::NAME), variable.str(field::VALUE)) else { continue };
        let message = match looks_like(name, value) {
            None => continue,
            Some(Kind::Named) => msg!("named", variable = name),
            Some(Kind::PrivateKey) => msg!("private-key", variable = name),
            Some(Kind::Token(issuer)) => msg!("token", variable = name, issuer = issuer),
            Some(Kind::Jwt) => msg!("jwt", variable = name),
            Some(Kind::Address) => msg!("address", variable = name),
        };
        out.fail(variable, message);
    }
    out.done()
}
