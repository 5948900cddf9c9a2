//! `webhook-fails-open`: an admission webhook lets everything pass while it is away.

use bartizan_cluster::{Kind, ObjectView, Value, field};
use bartizan_report::{Check, Safety, Severity, Stage};

use crate::sink::set;
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "webhook-fails-open",
        severity: Severity::Low,
        stage: Stage::Strict,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("webhook_fails_open.md"),
    },
    reads: &[],
    judge: Judge::Object(&[Kind::ValidatingWebhookConfiguration, Kind::MutatingWebhookConfiguration], judge),
};

fn judge<'a>(configuration: ObjectView<'a>, _: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    // The default of the first version of the API was the other way round.
    let ignores_by_default = configuration.api_version().ends_with("/v1beta1");
    for webhook in configuration.root().list(field::WEBHOOKS) {
        let policy = webhook.str(field::FAILURE_POLICY);
        if policy == Some("Ignore") || (policy.is_none() && ignores_by_default) {
            let name = webhook.get(field::NAME).map(Value::display).unwrap_or_default();
            let spot = webhook.spot(&[field::FAILURE_POLICY]);
            let patch = set(&spot, "Fail".into());
            out.fail(spot, msg!("open", webhook = name)).fix(Safety::Unsafe, [patch]);
        }
    }
    out.done()
}
