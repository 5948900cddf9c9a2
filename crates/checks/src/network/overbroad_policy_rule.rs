//! `overbroad-policy-rule`: a rule of a policy lets in whole worlds, or lets out to all of them.

use bartizan_cluster::{Kind, ObjectView, Value, field};
use bartizan_network::{Breadth, BroadRule, Direction};
use bartizan_report::{Check, Severity, Stage};

use crate::facts::NETWORK;
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "overbroad-policy-rule",
        severity: Severity::Low,
        stage: Stage::Strict,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("overbroad_policy_rule.md"),
    },
    reads: &NETWORK,
    judge: Judge::TrafficPolicy(judge),
};

fn judge<'a>(policy: ObjectView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    if policy.kind() == Kind::NetworkPolicy { judge_peers(policy, out) } else { judge_rules(policy, facts, out) }
}

/// The rules of a policy in the language of its own project, as the engine of the network reads them.
fn judge_rules<'a>(policy: ObjectView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    let Some(standing) = facts.policy_standing(policy) else { return out.not_applicable() };
    for BroadRule { place, direction, breadth } in &standing.broad {
        let message = match (breadth, direction) {
            (Breadth::Everybody, Direction::Ingress) => msg!("everybody"),
            (Breadth::Everybody, Direction::Egress) => msg!("everywhere"),
            (Breadth::Addresses, Direction::Ingress) => msg!("world-in"),
            (Breadth::Addresses, Direction::Egress) => msg!("world-out"),
            (Breadth::Pods, Direction::Ingress) => msg!("namespaces-in"),
            (Breadth::Pods, Direction::Egress) => msg!("namespaces-out"),
        };
        out.fail(*place, message);
    }
    out.done()
}

/// The peers of a NetworkPolicy, each at its own line.
fn judge_peers<'a>(policy: ObjectView<'a>, out: &mut Sink<'a>) -> Judged {
    let Some(spec) = policy.spec() else { return out.not_applicable() };
    for (rules, peers, is_inward) in [(field::INGRESS, field::FROM, true), (field::EGRESS, field::TO, false)] {
        for rule in spec.list(rules) {
            if rule.get(peers).is_none_or(Value::is_empty) {
                let has_ports = rule.get(field::PORTS).is_some_and(|ports| !ports.is_empty());
                match (is_inward, has_ports) {
                    // A port that is open to everybody is what a public service has.
                    (_, true) => {}
                    (true, false) => _ = out.fail(rule, msg!("everybody")),
                    (false, false) => _ = out.fail(rule, msg!("everywhere")),
                }
            }
            for peer in rule.list(peers) {
                judge_peer(peer, is_inward, out);
            }
        }
    }
    out.done()
}

fn judge_peer<'a>(peer: Value<'a>, is_inward: bool, out: &mut Sink<'a>) {
    if let Some(block) = peer.get(field::IP_BLOCK) {
        let cidr = block.str(field::CIDR).unwrap_or("");
        let is_whole = cidr.rsplit_once('/').is_some_and(|(_, length)| length.parse::<u8>() == Ok(0));
        let leaves_out = block.get(field::EXCEPT).is_some_and(|except| !except.is_empty());
        if is_whole && !leaves_out {
            let message = if is_inward { msg!("addresses-in", cidr = cidr) } else { msg!("addresses-out", cidr = cidr) };
            out.fail(block.get(field::CIDR).unwrap_or(block), message);
        }
        return;
    }
    let selects_all = |name| peer.get(name).is_some_and(Value::is_empty);
    let narrows = peer.get(field::POD_SELECTOR).is_some_and(|pods| !pods.is_empty());
    if selects_all(field::NAMESPACE_SELECTOR) && !narrows {
        let place = peer.get(field::NAMESPACE_SELECTOR).unwrap_or(peer);
        out.fail(place, if is_inward { msg!("namespaces-in") } else { msg!("namespaces-out") });
    }
}
