//! `anonymous-kubelet-client`: API server comes to kubelets without a credential.

use bartizan_cluster::component::{Component, ComponentView};
use bartizan_report::{Check, Severity, Stage};

use super::{absent_flag, is_given};
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "anonymous-kubelet-client",
        severity: Severity::Medium,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("anonymous_kubelet_client.md"),
    },
    reads: &[],
    judge: Judge::Component(Component::ApiServer, judge),
};

fn judge<'a>(server: ComponentView<'a>, _: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    for (name, file) in [("kubelet-client-certificate", "apiserver-kubelet-client.crt"), ("kubelet-client-key", "apiserver-kubelet-client.key")] {
        if !is_given(server, name) {
            absent_flag(server, name, &format!("/etc/kubernetes/pki/{file}"), msg!("unset", flag = name), out);
        }
    }
    out.done()
}
