//! `ssh-port`: the container offers remote logins beside those of the cluster.

use bartizan_cluster::{ContainerView, field};
use bartizan_report::{Check, Severity, Stage};

use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check { id: "ssh-port", severity: Severity::Medium, stage: Stage::Default, since: "0.1.0", aliases: &[], page: include_str!("ssh_port.md") },
    reads: &[],
    judge: Judge::Container(judge),
};

fn judge<'a>(container: ContainerView<'a>, _: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    for port in container.value().list(field::PORTS) {
        let is_tcp = port.str(field::PROTOCOL).is_none_or(|protocol| protocol == "TCP");
        if is_tcp && port.int(field::CONTAINER_PORT) == Some(22) {
            out.fail(port.spot(&[field::CONTAINER_PORT]), msg!("ssh", container = container.name()));
        }
    }
    out.done()
}
