//! `kubelet-serving-rotation-off`: kubelets cannot renew their serving certificates.

use bartizan_cluster::component::{Component, ComponentView, Given};
use bartizan_cluster::feature::{Stage as Maturity, concerns, pairs, switched_by};
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
    let given: Vec<Given<'a>> = manager.given().into_iter().filter(|flag| flag.name == "feature-gates").collect();
    let values = given.iter().map(|flag| (flag.word, flag.value.clone().or_else(|| flag.next.clone()).unwrap_or_default()));
    let Some((false, place)) = switched_by(values, FEATURE, Maturity::Beta) else { return out.done() };
    match manager.flag("feature-gates").filter(|_| given.len() == 1) {
        Some(flag) => {
            let left = flag.items().filter(|item| pairs(item).all(|(gate, _)| gate != FEATURE)).map(str::to_owned);
            // With all of its stage off, it has to be named.
            let is_off_with_others = pairs(&flag.value).any(|(gate, is_on)| gate != FEATURE && concerns(gate, FEATURE, Maturity::Beta) && !is_on);
            let wanted: Vec<String> = left.chain(is_off_with_others.then(|| format!("{FEATURE}=true"))).collect();
            wrong_flag(manager, &flag, "feature-gates", &wanted.join(","), msg!("off"), out);
        }
        None => {
            out.fail(place, msg!("off"));
        }
    }
    out.done()
}
