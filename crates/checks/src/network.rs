//! Checks of the network: who reaches what, once policies, Services and routes have all had their say, and with which certificates.
//!
//! The engine of the crate `network` answers; it is asked once in a run. What it cannot know is no pass: a person must look.

mod api_server_reachable;
mod blocked_dns;
mod database_internet_egress;
mod database_open_to_cluster;
mod exposed_admin_port;
mod exposed_database;
mod faulty_authority_bundle;
mod faulty_certificate;
mod faulty_gateway_certificate;
mod faulty_ingress_certificate;
mod kubelet_reachable;
mod metadata_service_reachable;
mod overbroad_policy_rule;
mod unenforced_network_policy;
mod unrestricted_egress;

use bartizan_cluster::{ContainerView, Kind, ObjectView, Spot, Value, Workload, field, selector};
use bartizan_network::{Door, Protocol, Standing};
use bartizan_report::fault::Judgement;

use crate::namespace::{is_of_the_platform, is_reserved};
use crate::sink::{Msg, Raised, Sink};
use crate::{Entry, Facts, Judged, msg};

/// The checks of this family, sorted by id.
pub(crate) static ALL: &[&Entry] = &[
    &api_server_reachable::ENTRY,
    &blocked_dns::ENTRY,
    &database_internet_egress::ENTRY,
    &database_open_to_cluster::ENTRY,
    &exposed_admin_port::ENTRY,
    &exposed_database::ENTRY,
    &faulty_authority_bundle::ENTRY,
    &faulty_certificate::ENTRY,
    &faulty_gateway_certificate::ENTRY,
    &faulty_ingress_certificate::ENTRY,
    &kubelet_reachable::ENTRY,
    &metadata_service_reachable::ENTRY,
    &overbroad_policy_rule::ENTRY,
    &unenforced_network_policy::ENTRY,
    &unrestricted_egress::ENTRY,
];

/// Ports at which data is kept or passed on, and what usually listens there.
const DATABASES: &[(u16, &str)] = &[
    (1433, "SQL Server"),
    (1521, "Oracle"),
    (2379, "etcd"),
    (2380, "etcd"),
    (3306, "MySQL"),
    (5432, "PostgreSQL"),
    (5671, "AMQP"),
    (5672, "AMQP"),
    (5984, "CouchDB"),
    (6379, "Redis"),
    (7000, "Cassandra"),
    (8086, "InfluxDB"),
    (9042, "Cassandra"),
    (9092, "Kafka"),
    (9200, "Elasticsearch"),
    (9300, "Elasticsearch"),
    (11211, "memcached"),
    (26257, "CockroachDB"),
    (27017, "MongoDB"),
    (50000, "Db2"),
];

/// The name of what listens at a port, if the table has it.
fn listener(port: u16, table: &'static [(u16, &'static str)]) -> Option<&'static str> {
    table.iter().find(|(known, _)| *known == port).map(|(_, what)| *what)
}

/// The ports of a table that containers declare: the container, the place, the number, and what listens there.
fn declared_ports<'a>(workload: &Workload<'a>, table: &'static [(u16, &'static str)]) -> Vec<(ContainerView<'a>, Value<'a>, u16, &'static str)> {
    let containers = workload.variants.iter().flat_map(|variant| variant.pod.containers());
    let written = containers.flat_map(|container| container.value().list(field::PORTS).map(move |port| (container, port)));
    let known = written.filter_map(|(container, port)| {
        let place = port.get(field::CONTAINER_PORT)?;
        let number = u16::try_from(place.as_i64()?).ok()?;
        Some((container, place, number, listener(number, table)?))
    });
    known.collect()
}

/// Says something about a workload at the name of its owner; at that of a pod where the owner was not read.
fn fail_owner<'s, 'a>(message: Msg, out: &'s mut Sink<'a>) -> &'s mut Raised<'a> {
    match out.object {
        Some(object) => out.fail(name_of(object), message),
        None => out.fail_cluster(message),
    }
}

fn name_of(object: ObjectView<'_>) -> Spot<'_> {
    object.root().spot(&[field::METADATA, field::NAME])
}

/// Judges the ways from outside to the ports of a table.
fn judge_doors<'a>(workload: &Workload<'a>, table: &'static [(u16, &'static str)], facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    let standing = facts.standing(workload).filter(|standing| !is_reserved(standing.namespace));
    let doors = standing.map_or(&[][..], |standing| standing.doors.as_slice()).iter().filter(|door| door.protocol == Protocol::Tcp);
    let (mut count, mut is_unclear) = (0, false);
    for door in doors {
        let port = door.port.filter(|&port| listener(port, table).is_some()).unwrap_or(door.target_port);
        let Some(what) = listener(port, table) else { continue };
        count += 1;
        match door.is_open_to_internet() {
            Some(true) => fail_door(door, port, what, facts, out),
            Some(false) => {}
            None => is_unclear = true,
        }
    }
    if out.has_failed() {
        return out.done();
    }
    facts.network_complete()?;
    match (count, is_unclear) {
        (0, _) => out.not_applicable(),
        (_, true) => out.manual(msg!("unclear")),
        (_, false) => out.done(),
    }
}

fn fail_door<'a>(door: &Door, port: u16, what: &str, facts: &Facts<'a>, out: &mut Sink<'a>) {
    let message = if door.is_on_nodes() { msg!("nodes", port = port, what = what) } else { msg!("internet", port = port, what = what) };
    match door.object.as_ref().and_then(|reference| facts.named(reference)) {
        Some(object) => _ = out.fail(name_of(object), message).object(object),
        None => _ = fail_owner(message, out),
    }
}

/// Judges the workloads of a namespace that policies can hold back: those for which `is_open` holds are counted.
fn judge_namespace<'a>(
    namespace: ObjectView<'a>,
    is_open: impl Fn(&Standing<'a>) -> Option<bool>,
    open: impl Fn(usize, usize) -> Msg,
    unclear: impl Fn() -> Msg,
    facts: &Facts<'a>,
    out: &mut Sink<'a>,
) -> Judged {
    if is_of_the_platform(namespace) {
        return out.not_applicable();
    }
    let standings = facts.standings_of(namespace.name());
    let answers: Vec<Option<bool>> = standings.iter().filter(|standing| !standing.is_on_hosts).map(&is_open).collect();
    let count = answers.iter().filter(|answer| **answer == Some(true)).count();
    if count > 0 {
        out.fail(name_of(namespace), open(count, answers.len()));
        return out.done();
    }
    facts.network_complete()?;
    if answers.is_empty() {
        out.not_applicable()
    } else if answers.contains(&None) {
        out.manual(unclear())
    } else {
        out.done()
    }
}

/// The policies that select pods of a workload and say where they may connect.
fn policies_of_egress<'a>(workload: &Workload<'a>, facts: &Facts<'a>) -> Vec<ObjectView<'a>> {
    let namespace = workload.owner.reference.namespace.as_deref();
    let policies = facts.list(Kind::NetworkPolicy, namespace).read().ok().flatten().unwrap_or_default();
    let concerns = |spec: Value<'a>| match spec.get(field::POLICY_TYPES).filter(|types| !types.is_empty()) {
        Some(types) => types.items().any(|of| of.as_str() == Some("Egress")),
        None => spec.get(field::EGRESS).is_some_and(|rules| !rules.is_empty()),
    };
    let selects = |spec: Value<'a>| {
        let wanted = spec.get(field::POD_SELECTOR);
        workload.variants.iter().any(|variant| wanted.is_none_or(|wanted| selector::matches(wanted, variant.pod.labels())))
    };
    policies.into_iter().filter(|policy| policy.spec().is_some_and(|spec| concerns(spec) && selects(spec))).collect()
}

/// What fills a slot of a fault's text.
fn told<'j>(judgement: &'j Judgement, slot: &str) -> &'j str {
    judgement.args.iter().find(|(name, _)| *name == slot).map_or("", |(_, value)| value)
}
