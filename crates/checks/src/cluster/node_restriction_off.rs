//! `node-restriction-off`: kubelets may change the objects of other nodes.

use bartizan_cluster::component::{Component, ComponentView};
use bartizan_report::{Check, Severity, Stage};

use super::{Plugin, absent_flag, plugin, wrong_flag};
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "node-restriction-off",
        severity: Severity::High,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("node_restriction_off.md"),
    },
    reads: &[],
    judge: Judge::Component(Component::ApiServer, judge),
};

fn judge<'a>(server: ComponentView<'a>, _: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    match plugin(server, "NodeRestriction") {
        Plugin::Enabled => {}
        Plugin::Disabled(flag) => {
            out.fail(flag.word, msg!("disabled"));
        }
        Plugin::Unset(flag) => {
            let others = flag.as_ref().map_or("", |flag| flag.value.trim_end_matches(','));
            let comma = if others.is_empty() { "" } else { "," };
            let wanted = format!("{others}{comma}NodeRestriction");
            match &flag {
                Some(flag) => wrong_flag(server, flag, "enable-admission-plugins", &wanted, msg!("off"), out),
                None => absent_flag(server, "enable-admission-plugins", &wanted, msg!("off"), out),
            }
        }
    }
    out.done()
}
