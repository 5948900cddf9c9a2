//! `authorization-webhook-evaded`: a webhook that is there to refuse can be passed by.

use bartizan_authz::login::whole_seconds;
use bartizan_cluster::component::{Component, ComponentView};
use bartizan_cluster::{Value, field};
use bartizan_report::{Check, Severity, Stage};

use super::{Modes, modes};
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "authorization-webhook-evaded",
        severity: Severity::Medium,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("authorization_webhook_evaded.md"),
    },
    reads: &[],
    judge: Judge::Component(Component::ApiServer, judge),
};

/// What an answer is remembered for unless something else is said.
const REMEMBERED_SECONDS: u64 = 300;

/// Authorizers that allow people things; the Node authorizer knows kubelets alone.
const GRANTING: [&str; 3] = ["ABAC", "AlwaysAllow", "RBAC"];

fn judge<'a>(server: ComponentView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    let Modes::Configuration(configured, _) = modes(server, facts)? else { return out.not_applicable() };
    let authorizers: Vec<Value<'a>> = configured.view.root().entry("authorizers").into_iter().flat_map(Value::items).collect();
    let kind = |one: &Value<'a>| one.str(field::TYPE).unwrap_or("");
    if !authorizers.iter().any(|one| kind(one) == "Webhook") {
        return out.not_applicable();
    }
    let granting = |all: &[Value<'a>]| all.iter().map(kind).find(|kind| GRANTING.contains(kind));
    for (one, at) in authorizers.iter().zip(0usize..).filter(|(one, _)| kind(one) == "Webhook") {
        let (name, webhook) = (one.str(field::NAME).unwrap_or(""), one.entry("webhook").unwrap_or(*one));
        let (before, behind) = authorizers.split_at_checked(at).unwrap_or_default();
        let text = |value: Value<'a>, name: &str| value.entry(name).and_then(Value::as_str).unwrap_or("");
        let refuses = text(webhook, "failurePolicy") == "Deny";
        match granting(before) {
            Some(before) if refuses => facts.fail_in(configured, *one, msg!("late", webhook = name, before = before), out),
            // One that stands behind those that allow, and does not refuse, allows more.
            Some(_) => {}
            None => {
                if !refuses && granting(behind).is_some() {
                    facts.fail_in(configured, webhook.entry("failurePolicy").unwrap_or(webhook), msg!("silent", webhook = name), out);
                }
                for condition in webhook.entry("matchConditions").into_iter().flat_map(Value::items) {
                    let expression = text(condition, "expression");
                    if ["request.user", "request.groups", "request.uid"].iter().any(|who| expression.contains(who)) {
                        facts.fail_in(configured, condition, msg!("skipped", webhook = name, condition = expression), out);
                    }
                }
            }
        }
        let duration = text(webhook, "authorizedTTL");
        if whole_seconds(duration).is_some_and(|seconds| seconds > REMEMBERED_SECONDS) {
            facts.fail_in(configured, webhook.entry("authorizedTTL").unwrap_or(webhook), msg!("remembered", webhook = name, duration = duration), out);
        }
    }
    out.done()
}
