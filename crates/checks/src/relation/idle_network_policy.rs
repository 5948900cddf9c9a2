//! `idle-network-policy`: a policy for the traffic of pods applies to none of them.

use bartizan_cluster::{Kind, ObjectView, field, selector};
use bartizan_network::Ward;
use bartizan_report::{Check, Safety, Severity, Stage};

use super::selects_all;
use super::slip::{Slip, plain_labels};
use crate::facts::NETWORK;
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "idle-network-policy",
        severity: Severity::Medium,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("idle_network_policy.md"),
    },
    reads: &NETWORK,
    judge: Judge::TrafficPolicy(judge),
};

fn judge<'a>(policy: ObjectView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    if policy.kind() == Kind::NetworkPolicy { judge_selector(policy, facts, out) } else { judge_standing(policy, facts, out) }
}

/// A policy whose selectors are those of its own project: the engine of the network reads them.
fn judge_standing<'a>(policy: ObjectView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    let Some(standing) = facts.policy_standing(policy) else { return out.not_applicable() };
    if standing.is_selecting || standing.is_for_all || standing.may_guard_nodes {
        return out.done();
    }
    facts.network_complete()?;
    let place = policy.root().spot(&[field::METADATA, field::NAME]);
    match policy.namespace() {
        Some(namespace) => out.fail(place, msg!("nothing", namespace = namespace)),
        None if standing.ward == Ward::Nodes => out.fail(place, msg!("no-node")),
        None => out.fail(place, msg!("nobody")),
    };
    out.done()
}

fn judge_selector<'a>(policy: ObjectView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    // A policy for all pods of the namespace waits for those to come; that is what a default is for.
    let wanted = policy.spec().and_then(|spec| spec.get(field::POD_SELECTOR)).filter(|wanted| !selects_all(*wanted));
    let Some(wanted) = wanted else { return out.done() };
    if facts.any_pod(policy.namespace(), |pod| selector::matches(wanted, pod.labels()))? {
        return out.done();
    }
    match plain_labels(wanted).and_then(|labels| Slip::find(labels, policy.namespace(), facts)) {
        Some(slip) => out.fail(slip.place(), slip.message()).fix(Safety::Unsafe, slip.patch()),
        None => out.fail(wanted, msg!("nothing", namespace = policy.namespace().unwrap_or(""))),
    };
    out.done()
}
