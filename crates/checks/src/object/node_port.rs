//! `node-port`: a Service opens a port on every node.

use bartizan_cluster::{Kind, ObjectView, field};
use bartizan_report::{Check, Safety, Severity, Stage};

use crate::sink::{remove, set};
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check { id: "node-port", severity: Severity::Low, stage: Stage::Strict, since: "0.1.0", aliases: &[], page: include_str!("node_port.md") },
    reads: &[],
    judge: Judge::Object(&[Kind::Service], judge),
};

fn judge<'a>(service: ObjectView<'a>, _: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    let Some(spec) = service.spec() else { return out.done() };
    let Some(kind) = spec.get(field::TYPE).filter(|kind| kind.as_str() == Some("NodePort")) else { return out.done() };
    let ports: Vec<_> = spec.list(field::PORTS).filter_map(|port| port.get(field::NODE_PORT)).collect();
    // What the server refuses on a Service that is only reached from inside.
    let leftovers = ports.iter().copied().chain(spec.get(field::EXTERNAL_TRAFFIC_POLICY)).map(|field| remove(&field.into()));
    let patch: Vec<_> = std::iter::once(set(&kind.into(), "ClusterIP".into())).chain(leftovers).collect();
    let numbers = ports.iter().map(|port| format!("`{}`", port.display())).collect::<Vec<_>>().join(", ");
    let message = if numbers.is_empty() { msg!("any") } else { msg!("open", ports = numbers) };
    out.fail(kind, message).fix(Safety::Unsafe, patch);
    out.done()
}
