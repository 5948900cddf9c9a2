//! np-guard's list of connections where there are several networks: a section for each, and the networks of every workload.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use super::{Line, Undecided, lines, name};
use crate::Network;
use crate::connectivity::{Connectivity, PeerKind};
use crate::plane::{self, CLUSTER_NETWORK, Plane, UserNetwork};

/// What it calls the network of the cluster.
const POD_NETWORK: &str = "pod-network";

/// Whether there is any network beside the cluster's.
pub(super) fn are_several(connectivity: &Connectivity<'_, '_>) -> bool {
    let network = connectivity.network();
    network.user_networks.all().next().is_some() || !plane::attachments(network.snapshot).is_empty()
}

pub(super) fn text(connectivity: &Connectivity<'_, '_>, undecided: &mut Undecided, out: &mut dyn Write) -> io::Result<()> {
    let network = connectivity.network();
    let workloads = workloads(connectivity);
    let (all, _) = lines(connectivity);
    writeln!(out, "Permitted connectivity analyzed in Pod network:")?;
    if workloads.values().any(|workload| workload.network == CLUSTER_NETWORK) {
        let within = within(&all, &workloads, CLUSTER_NETWORK);
        section(&within.collect::<Vec<_>>(), POD_NETWORK, out)?;
    } else {
        writeln!(out, "all input workloads are configured with (C)UDN as their primary network interface")?;
    }
    for (number, user_network) in network.user_networks.all() {
        let kind = if user_network.is_of_cluster { "CUDN" } else { "UDN" };
        writeln!(out, "\nPermitted connectivity analyzed in primary {kind} {}:", user_network.name)?;
        let told = within(&all, &workloads, number).map(|line| Line {
            src: in_network(&line.src, &workloads, user_network),
            dst: in_network(&line.dst, &workloads, user_network),
            conn: line.conn,
        });
        let mut told: Vec<Line> = told.collect();
        told.sort();
        section(&told, user_network.name, out)?;
    }
    let mut attached: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for attachment in plane::attachments(network.snapshot) {
        let beside = Network::resolve_on(network.snapshot, network.model, Plane::Attached(attachment));
        let beside = beside.connectivity();
        for peer in beside.peers().iter().filter(|peer| peer.kind == PeerKind::PodOwner) {
            attached.entry(name(peer)).or_default().insert(format!("{attachment}[NAD]"));
        }
        let (told, unknown) = lines(&beside);
        undecided.extend(unknown);
        let is_among = |name: &str| workloads.contains_key(name);
        let told: Vec<Line> = told.into_iter().filter(|line| is_among(&line.src) && is_among(&line.dst)).collect();
        writeln!(out, "\nPermitted connectivity analyzed in secondary NAD {attachment}:")?;
        section(&told, attachment, out)?;
    }
    writeln!(out, "\nWorkload-to-Networks Mapping:")?;
    for (name, workload) in &workloads {
        writeln!(out, "{name}: \n\tPrimary Network: {}", workload.primary)?;
        if let Some(attached) = attached.get(name) {
            writeln!(out, "\tSecondary Networks: {}", attached.iter().cloned().collect::<Vec<_>>().join(","))?;
        }
    }
    Ok(())
}

struct Workload {
    network: u32,
    /// What it calls that network.
    primary: String,
}

fn workloads(connectivity: &Connectivity<'_, '_>) -> BTreeMap<String, Workload> {
    let owners = connectivity.peers().iter().enumerate().filter(|(_, peer)| peer.kind == PeerKind::PodOwner);
    let told = owners.map(|(at, peer)| {
        let network = connectivity.network_of(at).unwrap_or(CLUSTER_NETWORK);
        let primary = match connectivity.network().user_networks.get(network) {
            Some(UserNetwork { name, is_of_cluster: true, .. }) => format!("{name}[CUDN]"),
            Some(UserNetwork { name, is_of_cluster: false, .. }) => format!("{name}[UDN]"),
            None => POD_NETWORK.to_owned(),
        };
        (name(peer), Workload { network, primary })
    });
    told.collect()
}

/// The lines whose workloads are on a network.
fn within<'l>(lines: &'l [Line], workloads: &'l BTreeMap<String, Workload>, network: u32) -> impl Iterator<Item = Line> {
    let is_on = move |name: &str| workloads.get(name).is_none_or(|workload| workload.network == network);
    lines.iter().filter(move |line| is_on(&line.src) && is_on(&line.dst)).cloned()
}

/// A network of one namespace is told behind the name of that.
fn in_network(name: &str, workloads: &BTreeMap<String, Workload>, network: &UserNetwork<'_>) -> String {
    match name.split_once('/') {
        Some((namespace, rest)) if !network.is_of_cluster && workloads.contains_key(name) => format!("{namespace}[udn]/{rest}"),
        _ => name.to_owned(),
    }
}

fn section(lines: &[Line], network: &str, out: &mut dyn Write) -> io::Result<()> {
    if lines.is_empty() {
        return writeln!(out, "All connections are not allowed for the workloads in the {network}");
    }
    for Line { src, dst, conn } in lines {
        writeln!(out, "{src} => {dst} : {conn}")?;
    }
    Ok(())
}
