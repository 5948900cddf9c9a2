//! `kubelet-serving-rotation-off`: kubelets cannot renew their serving certificates.

use bartizan_cluster::component::{Component, ComponentView, is_on};
use bartizan_report::{Check, Severity, Stage};

use super::wrong_flag;
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "kubelet-serving-rotation-off",
        severity: Severity::Low,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("kubelet_serving_rotation_off.md"),
    },
    reads: &[],
    judge: Judge::Component(Component::ControllerManager, judge),
};

const FEATURE: &str = "RotateKubeletServerCertificate";

fn judge<'a>(manager: ComponentView<'a>, _: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    if let Some(flag) = manager.flag("feature-gates")
        && flag.items().filter_map(|gate| gate.split_once('=')).any(|(name, on)| name == FEATURE && !is_on(on))
    {
        let left: Vec<&str> = flag.items().filter(|gate| !gate.starts_with(FEATURE)).collect();
        wrong_flag(manager, &flag, "feature-gates", &left.join(","), msg!("off"), out);
    }
    out.done()
}
