//! `account-escalation`: what a pod's ServiceAccount holds, taken together, makes it somebody else.

use std::collections::BTreeSet;

use bartizan_authz::{Certainty, Doubt, Effect, Escalation, Provision};
use bartizan_cluster::{PodView, field};
use bartizan_report::{Check, Severity, Stage};

use crate::facts::ESCALATIONS;
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "account-escalation",
        severity: Severity::High,
        stage: Stage::Strict,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("account_escalation.md"),
    },
    reads: &ESCALATIONS,
    judge: Judge::Pod(judge),
};

fn judge<'a>(pod: PodView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    // A static pod has no account at all.
    if pod.is_mirror() {
        return out.not_applicable();
    }
    let (namespace, account) = (pod.namespace(), pod.service_account());
    let held: Vec<&Escalation<'a>> = facts.escalations(namespace, account).filter(|one| is_grave(one)).collect();
    let sure: Vec<&&Escalation<'a>> = held.iter().filter(|one| one.certainty == Certainty::Confirmed).collect();
    if !sure.is_empty() {
        let ways: BTreeSet<&str> = sure.iter().map(|one| one.primitive.id).collect();
        let ways = ways.into_iter().map(|way| format!("`{way}`")).collect::<Vec<_>>().join(", ");
        let raised = out.fail(pod.at(&[field::SERVICE_ACCOUNT_NAME]), msg!("held", account = account, namespace = namespace, ways = ways));
        let mut named = BTreeSet::new();
        for binding in sure.iter().flat_map(|one| &one.evidence).filter_map(|grant| grant.binding.object()) {
            if named.insert(binding.id()) {
                raised.related(binding, "grants it");
            }
        }
    }
    facts.policy_complete()?;
    let unread = held.iter().find_map(|one| match &one.certainty {
        Certainty::Possible(doubts) => doubts.iter().find_map(|doubt| if let Doubt::Unread(missing) = doubt { Some(missing.clone()) } else { None }),
        Certainty::Confirmed => None,
    });
    unread.map_or_else(|| out.done(), Err)
}

/// Whether somebody here granted what makes somebody else of its holder, or shows them the credentials of others.
fn is_grave(one: &Escalation<'_>) -> bool {
    let is_gain = matches!(one.primitive.effect, Effect::Escalation | Effect::Disclosure);
    is_gain && one.primitive.severity >= Severity::High && one.provision == Provision::Own && !one.is_implied
}
