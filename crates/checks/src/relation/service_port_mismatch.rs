//! `service-port-mismatch`: a Service sends to a named port that no pod has.

use bartizan_cluster::{ContainerView, Kind, ObjectView, PodView, Role, Value, field, selector};
use bartizan_report::{Check, Safety, Severity, Stage};

use super::pod_selector;
use crate::sink::set;
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "service-port-mismatch",
        severity: Severity::Medium,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("service_port_mismatch.md"),
    },
    reads: &[Kind::Pod],
    judge: Judge::Object(&[Kind::Service], judge),
};

fn judge<'a>(service: ObjectView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    let (Some(wanted), Some(spec)) = (pod_selector(service), service.spec()) else { return out.not_applicable() };
    let matches = |pod: PodView<'a>| selector::matches_map(wanted, pod.labels());
    let named: Vec<Named<'a>> = spec.list(field::PORTS).filter_map(Named::of).collect();
    if named.is_empty() {
        return out.done();
    }
    // A Service without pods is another fault.
    if !facts.any_pod(service.namespace(), matches)? {
        return out.not_applicable();
    }
    for port in named {
        if facts.any_pod(service.namespace(), |pod| matches(pod) && port.is_in(pod))? {
            continue;
        }
        match port.same_number(service.namespace(), facts, matches) {
            Some(meant) => {
                let patch = set(&port.target.into(), meant.into());
                out.fail(port.target, msg!("renamed", name = port.name, protocol = port.protocol, number = port.number.unwrap_or_default(), meant = meant))
                    .fix(Safety::Unsafe, [patch]);
            }
            None => {
                out.fail(port.target, msg!("nowhere", name = port.name, protocol = port.protocol));
            }
        }
    }
    out.done()
}

/// A port of a Service that names its target.
#[derive(Clone, Copy)]
struct Named<'a> {
    target: Value<'a>,
    name: &'a str,
    protocol: &'a str,
    number: Option<i64>,
}

impl<'a> Named<'a> {
    fn of(port: Value<'a>) -> Option<Self> {
        let target = port.get(field::TARGET_PORT)?;
        Some(Self { target, name: target.as_str()?, protocol: protocol_of(port), number: port.int(field::PORT) })
    }

    /// Whether a container that runs as long as the pod declares the port.
    fn is_in(self, pod: PodView<'_>) -> bool {
        lasting_ports(pod).any(|port| port.str(field::NAME) == Some(self.name) && protocol_of(port) == self.protocol)
    }

    /// The one name under which the selected pods declare the Service's own number.
    fn same_number(self, namespace: Option<&str>, facts: &Facts<'a>, matches: impl Fn(PodView<'a>) -> bool) -> Option<&'a str> {
        let pods = facts.workloads(namespace).into_iter().flat_map(|workload| &workload.variants).map(|variant| variant.pod).filter(|&pod| matches(pod));
        let same = |port: &Value<'a>| port.int(field::CONTAINER_PORT) == self.number && protocol_of(*port) == self.protocol;
        let mut names: Vec<&'a str> = pods.flat_map(lasting_ports).filter(same).filter_map(|port| port.str(field::NAME)).collect();
        names.sort_unstable();
        names.dedup();
        match names.as_slice() {
            [name] => Some(name),
            _ => None,
        }
    }
}

fn lasting_ports(pod: PodView<'_>) -> impl Iterator<Item = Value<'_>> {
    let lasts = |container: &ContainerView<'_>| container.role() == Role::Regular || container.is_sidecar();
    pod.containers().filter(lasts).flat_map(|container| container.value().list(field::PORTS))
}

fn protocol_of(port: Value<'_>) -> &str {
    port.str(field::PROTOCOL).unwrap_or("TCP")
}
