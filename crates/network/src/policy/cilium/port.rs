//! `toPorts`: ports and protocols, and what a rule says of requests beyond them.

use bartizan_cluster::Value;

use super::Reader;
use crate::policy::PortMatch;
use crate::policy::network_policy::is_port_name;
use crate::traffic::{Protocol, Traffic};
use crate::verdict::Cause;

/// The most ports of one item.
const PORTS_MAX: usize = 40;

/// What an item of `toPorts` says.
pub(super) struct Ports<'s> {
    pub(super) ports: PortMatch<'s>,
    /// What it asks of requests.
    pub(super) doubt: Option<Cause>,
}

/// The protocols that one port is about.
enum Transport {
    /// Those of connections that policies of all kinds know.
    Of(&'static [Protocol]),
    /// One that has no ports.
    Other,
}

impl<'s> Reader<'_, 's> {
    /// One item of `toPorts` of a rule on the way in, or of one that denies.
    pub(super) fn port_rule(&mut self, item: Value<'s>, is_ingress: bool, denies: bool) -> Option<Ports<'s>> {
        if !item.is_map() {
            self.refused.push((item, "an item of `toPorts` is no object".to_owned()));
            return None;
        }
        if denies {
            self.known_fields(item, &["ports"]);
        } else {
            self.known_fields(item, &["listener", "originatingTLS", "ports", "rules", "serverNames", "terminatingTLS"]);
        }
        let listed = self.list(item, "ports").unwrap_or_default();
        if listed.len() > PORTS_MAX {
            self.refused.push((item, format!("`ports` has more than {PORTS_MAX} items")));
        }
        // No ports are all ports.
        let mut ports = if listed.is_empty() { PortMatch::all() } else { PortMatch::default() };
        let mut doubt = if denies { None } else { self.requests(item, &listed, is_ingress) };
        for port in listed {
            if let Some(cause) = self.port(port, &mut ports) {
                doubt = Some(cause);
            }
        }
        Some(Ports { ports, doubt })
    }

    fn port(&mut self, item: Value<'s>, ports: &mut PortMatch<'s>) -> Option<Cause> {
        self.known_fields(item, &["endPort", "port", "protocol"]);
        let transport = self.transport(item)?;
        let Some(written) = item.entry("port").filter(|port| !port.is_null()) else {
            if matches!(transport, Transport::Of(_)) {
                self.invalid.push((item, "a port needs `port`".to_owned()));
            }
            return None;
        };
        let Some(text) = written.as_str() else {
            self.refused.push((written, format!("`{}` is no text: ports stand in quotes", written.display())));
            return None;
        };
        let Transport::Of(protocols) = transport else { return None };
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            let Ok(first) = text.parse::<u16>() else {
                self.invalid.push((written, format!("`{text}` is no port: ports are 0 to 65535")));
                return None;
            };
            let end = self.end_port(item);
            let (from, to) = if first == 0 { (0, u16::MAX) } else { (first, end.unwrap_or(first).max(first)) };
            for &protocol in protocols {
                ports.traffic = ports.traffic.union(&Traffic::ports(protocol, from, to));
            }
            let is_odd = end.is_some_and(|end| end != 0 && end < first);
            return is_odd.then(|| Cause::NotModelled("an `endPort` below its `port` (cilium.io)".to_owned()));
        }
        let lower = text.to_ascii_lowercase();
        if !is_port_name(&lower) {
            self.invalid.push((written, format!("`{text}` is no port and no name of one")));
            return None;
        }
        // A name that nobody else writes is no pod's.
        let strings = self.ground.snapshot.strings();
        match strings.find(&lower).map(|symbol| strings.text(symbol)) {
            Some(name) => ports.named.extend(protocols.iter().map(|protocol| (Some(*protocol), name))),
            None => self.policies.reads_absent(lower),
        }
        None
    }

    fn end_port(&mut self, item: Value<'s>) -> Option<u16> {
        let written = item.entry("endPort").filter(|end| !end.is_null())?;
        let end = written.as_i64().and_then(|end| u16::try_from(end).ok());
        if end.is_none() {
            self.refused.push((written, format!("`{}` is no port: ports are 0 to 65535", written.display())));
        }
        end
    }

    fn transport(&mut self, item: Value<'s>) -> Option<Transport> {
        let Some(written) = item.entry("protocol").filter(|protocol| !protocol.is_null()) else { return Some(Transport::Of(&Protocol::ALL)) };
        Some(match written.as_str().unwrap_or("") {
            "" | "ANY" => Transport::Of(&Protocol::ALL),
            "TCP" => Transport::Of(&[Protocol::Tcp]),
            "UDP" => Transport::Of(&[Protocol::Udp]),
            "SCTP" => Transport::Of(&[Protocol::Sctp]),
            "AH" | "ESP" | "GRE" | "ICMP" | "ICMPv6" | "IGMP" | "IPIP" | "IPV6" | "VRRP" => Transport::Other,
            _ => {
                self.refused.push((written, format!("protocol `{}` is none of `TCP`, `UDP`, `SCTP`, `ICMP`, `ICMPv6`, `ANY`", written.display())));
                return None;
            }
        })
    }

    /// What an item asks of requests, if it asks anything that some do not pass.
    fn requests(&mut self, item: Value<'s>, ports: &[Value<'s>], is_ingress: bool) -> Option<Cause> {
        let names = self.list(item, "serverNames").unwrap_or_default();
        let rules = item.entry("rules").filter(|rules| rules.is_map() && !rules.is_empty());
        let kinds: Vec<&str> = ["http", "kafka", "dns", "l7proto"]
            .into_iter()
            .filter(|kind| rules.is_some_and(|rules| rules.entry(kind).is_some_and(|rules| !rules.is_null())))
            .collect();
        if kinds.len() > 1 {
            self.invalid.push((item, "rules of several protocols stand in one item".to_owned()));
        }
        let is_dns = kinds.contains(&"dns");
        if is_dns && is_ingress {
            self.invalid.push((item, "`dns` is for what leaves pods".to_owned()));
        }
        if !kinds.is_empty() && !names.is_empty() && item.entry("terminatingTLS").is_none() {
            self.invalid.push((item, "`serverNames` stands beside rules about requests".to_owned()));
        }
        if !kinds.is_empty() && !is_dns {
            let is_tcp = |port: &Value<'_>| port.entry("protocol").and_then(Value::as_str) == Some("TCP");
            if let Some(port) = ports.iter().find(|port| !is_tcp(port)) {
                self.invalid.push((*port, "rules about requests need `protocol: TCP`, but for those of `dns`".to_owned()));
            }
        }
        if !kinds.is_empty() && ports.iter().any(|port| port.entry("port").and_then(Value::as_str) == Some("0")) {
            self.invalid.push((item, "rules about requests need a port that is not 0".to_owned()));
        }
        if is_dns && ports.is_empty() {
            self.invalid.push((item, "`dns` needs a port".to_owned()));
        }
        let passes_all = |kind: &&str| {
            let listed = || rules.and_then(|rules| rules.entry(kind)).into_iter().flat_map(Value::items);
            match *kind {
                "dns" => listed().any(|rule| rule.entry("matchPattern").and_then(Value::as_str) == Some("*")),
                "http" | "kafka" => listed().any(|rule| rule.is_map() && rule.is_empty()),
                _ => false,
            }
        };
        let asked = kinds.iter().find(|kind| !passes_all(kind)).copied();
        let listener = item.entry("listener").filter(|listener| !listener.is_null()).map(|_| "listener");
        let asked = asked.or((!names.is_empty()).then_some("serverNames")).or(listener)?;
        Some(Cause::SomeRequests(format!("`{asked}`")))
    }
}
