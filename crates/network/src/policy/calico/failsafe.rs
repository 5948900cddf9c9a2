//! Ports that pass every host endpoint whatever policies say, so that nobody cuts a node off: the usual ones, or those that the
//! configuration of Calico's agents names.

use bartizan_cluster::{Snapshot, Value};

use crate::address::{Address, AddressSet, Cidr};
use crate::fabric;
use crate::policy::Direction;
use crate::traffic::{Protocol, Traffic};

/// A port that always passes, from or to these addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failsafe {
    pub(crate) traffic: Traffic,
    /// Everybody where none is named.
    pub(crate) net: Option<AddressSet>,
}

/// What a node needs to be reached: SSH, DHCP, BGP, etcd, Typha, the API server, and etcd of Calico's own.
const USUAL_IN: [(Protocol, u16); 9] = [
    (Protocol::Tcp, 22),
    (Protocol::Udp, 68),
    (Protocol::Tcp, 179),
    (Protocol::Tcp, 2379),
    (Protocol::Tcp, 2380),
    (Protocol::Tcp, 5473),
    (Protocol::Tcp, 6443),
    (Protocol::Tcp, 6666),
    (Protocol::Tcp, 6667),
];

/// What it needs to reach: DNS, DHCP, and the same.
const USUAL_OUT: [(Protocol, u16); 9] = [
    (Protocol::Udp, 53),
    (Protocol::Udp, 67),
    (Protocol::Tcp, 179),
    (Protocol::Tcp, 2379),
    (Protocol::Tcp, 2380),
    (Protocol::Tcp, 5473),
    (Protocol::Tcp, 6443),
    (Protocol::Tcp, 6666),
    (Protocol::Tcp, 6667),
];

/// More ports than this are not read.
const PORTS_MAX: usize = 4096;

/// Those of an installation that says nothing.
pub(super) fn usual(direction: Direction) -> Vec<Failsafe> {
    let ports = if direction == Direction::Ingress { USUAL_IN } else { USUAL_OUT };
    ports.iter().map(|&(protocol, port)| Failsafe { traffic: Traffic::ports(protocol, port, port), net: None }).collect()
}

/// Those that somebody names for one node or, without a node, for all of them. What agents are told goes before what is configured.
pub(super) fn told(snapshot: &Snapshot, direction: Direction, node: Option<&str>) -> Option<Vec<Failsafe>> {
    let (name, variable) = match direction {
        Direction::Ingress => ("failsafeInboundHostPorts", "FELIX_FAILSAFEINBOUNDHOSTPORTS"),
        Direction::Egress => ("failsafeOutboundHostPorts", "FELIX_FAILSAFEOUTBOUNDHOSTPORTS"),
    };
    if let Some(text) = fabric::told_to_calico(snapshot, variable) {
        return Some(of_text(text));
    }
    let object = node.map_or_else(|| "default".to_owned(), |node| format!("node.{node}"));
    let list = super::configurations(snapshot, &object).filter_map(|spec| spec.entry(name)).filter(|list| list.is_list()).last()?;
    Some(list.items().take(PORTS_MAX).filter_map(of_item).collect())
}

fn of_item(item: Value<'_>) -> Option<Failsafe> {
    let text = |name: &str| item.entry(name).and_then(Value::as_str);
    let port = u16::try_from(item.entry("port")?.as_i64()?).ok()?;
    failsafe(text("protocol").unwrap_or("TCP"), port, text("net").unwrap_or(""))
}

/// A list such as `tcp:22, udp:10.0.0.0/8:53`; a number alone is one of TCP, and `none` is none.
fn of_text(text: &str) -> Vec<Failsafe> {
    let of_word = |word: &str| {
        let (rest, port) = word.rsplit_once(':').unwrap_or(("tcp", word));
        let (protocol, net) = rest.split_once(':').unwrap_or((rest, ""));
        failsafe(protocol, port.trim().parse().ok()?, net.trim_matches(['[', ']']))
    };
    text.split(',').map(str::trim).take(PORTS_MAX).filter_map(of_word).collect()
}

fn failsafe(protocol: &str, port: u16, net: &str) -> Option<Failsafe> {
    let protocol: Protocol = protocol.trim().to_ascii_uppercase().parse().ok()?;
    let single = || net.parse::<Address>().ok().map(|address| AddressSet::of_addresses(&[address]));
    let net = if net.is_empty() { None } else { Some(net.parse::<Cidr>().ok().map(AddressSet::block).or_else(single)?) };
    Some(Failsafe { traffic: Traffic::ports(protocol, port, port), net })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_agents_are_told_is_read_as_they_read_it() {
        let told =
            |text: &str| of_text(text).iter().map(|one| format!("{}{}", one.traffic, if one.net.is_some() { " of some" } else { "" })).collect::<Vec<_>>();
        assert_eq!(told("tcp:22, udp:68,8080"), ["TCP 22", "UDP 68", "TCP 8080"]);
        assert_eq!(told("tcp:10.0.0.0/8:22, udp:[fd00::/8]:53, sctp:192.0.2.1:9"), ["TCP 22 of some", "UDP 53 of some", "SCTP 9 of some"]);
        assert_eq!(told("none"), Vec::<String>::new());
        assert_eq!(told("tcp:x, icmp:1, tcp:nonsense:22, tcp:70000"), Vec::<String>::new());
    }
}
