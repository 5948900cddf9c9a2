//! NetworkPolicy v1: what the API server accepts of it, what it fills in, and what it means.

use bartizan_cluster::label::is_dns_subdomain;
use bartizan_cluster::{ObjectView, Value, field};

use super::{Action, Direction, Draft, Isolates, NamespaceMatch, Peer, PodMatch, Policies, Policy, PortMatch, Tier, calico};
use crate::Model;
use crate::address::{AddressSet, Cidr};
use crate::label::{Refusal, Selector};
use crate::profile::Does;
use crate::traffic::{Protocol, Traffic};

/// A policy has two directions and may name each once.
const POLICY_TYPES_MAX: usize = 2;

/// The longest name of a port.
const PORT_NAME_MAX: usize = 15;

/// Reads `object`, a NetworkPolicy of the namespace with number `namespace`.
pub(crate) fn read<'s>(object: ObjectView<'s>, namespace: u32, model: Model, policies: &mut Policies<'s>) {
    if let Some(who) = policies.ignored_by {
        policies.ignore(object, who);
        return;
    }
    let mut reader = Reader { namespace, policies, refused: Vec::new(), remarks: Vec::new() };
    // A star stands for what the server adds to a name that it generates.
    let name = object.name().strip_suffix('*').map_or(object.name(), |generated| generated.trim_end_matches('-'));
    if model == Model::Kubernetes && !is_dns_subdomain(name) {
        reader.refused.push((object.root(), format!("`{}` is no name of an object", object.name())));
    }
    let spec = object.spec();
    let selector = reader.selector(spec.and_then(|spec| spec.get(field::POD_SELECTOR)));
    let ingress = reader.rules(spec, Direction::Ingress);
    let egress = reader.rules(spec, Direction::Egress);
    let types = reader.types(spec);
    if !reader.refused.is_empty() {
        let refused = reader.refused;
        policies.forget(&[ingress, egress]);
        policies.refuse(object, refused);
        return;
    }
    let remarks = if model == Model::Kubernetes { reader.remarks } else { Vec::new() };
    for (place, message) in remarks {
        policies.remark(object, place, message);
    }
    for unknown in bartizan_cluster::schema::unknown_fields(object) {
        let meant = unknown.suggestion.map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
        policies.remark(object, unknown.value, format!("the API server drops the unknown field `{}`{meant}", unknown.value.path()));
    }
    let number = crate::inventory::count(policies.list.len());
    let subject = PodMatch { namespaces: NamespaceMatch::One(namespace), pods: policies.pod_selectors.add_in(Some(namespace), selector), formula: None };
    let [ingress, egress] = [(Direction::Ingress, ingress), (Direction::Egress, egress)].map(|(direction, drafts)| {
        if types.contains(&direction) {
            return Some(policies.add_rules(number, subject, direction, drafts));
        }
        policies.forget(&[drafts]);
        None
    });
    policies.add(Policy { object, tier: Tier::Namespace, priority: calico::network_policy_rank(), subject, ingress, egress, isolates: Isolates::BOTH });
}

struct Reader<'p, 's> {
    namespace: u32,
    policies: &'p mut Policies<'s>,
    refused: Vec<Refusal<'s>>,
    remarks: Vec<Refusal<'s>>,
}

impl<'s> Reader<'_, 's> {
    fn selector(&mut self, value: Option<Value<'s>>) -> Selector<'s> {
        value.map_or_else(Selector::everything, |value| Selector::read(value, &mut self.refused))
    }

    /// The directions in which the policy applies; where it does not say, what the server fills in.
    fn types(&mut self, spec: Option<Value<'s>>) -> Vec<Direction> {
        let written = spec.and_then(|spec| spec.get(field::POLICY_TYPES)).filter(|types| !types.is_empty());
        let Some(written) = written else {
            let has_egress = spec.and_then(|spec| spec.get(field::EGRESS)).is_some_and(|rules| !rules.is_empty());
            return if has_egress { vec![Direction::Ingress, Direction::Egress] } else { vec![Direction::Ingress] };
        };
        if written.len() > POLICY_TYPES_MAX {
            self.refused.push((written, format!("`policyTypes` has more than {POLICY_TYPES_MAX} items")));
        }
        let mut types = Vec::new();
        for item in written.items() {
            match item.as_str().unwrap_or("") {
                "Ingress" => types.push(Direction::Ingress),
                "Egress" => types.push(Direction::Egress),
                other => self.refused.push((item, format!("policy type `{other}` is none of `Ingress`, `Egress`"))),
            }
        }
        types
    }

    fn rules(&mut self, spec: Option<Value<'s>>, direction: Direction) -> Vec<Draft<'s>> {
        let (rules, peers) = match direction {
            Direction::Ingress => (field::INGRESS, field::FROM),
            Direction::Egress => (field::EGRESS, field::TO),
        };
        let Some(spec) = spec else { return Vec::new() };
        (0u32..)
            .zip(spec.list(rules))
            .map(|(index, rule)| {
                let (peers, ports) = (self.peers(rule.get(peers)), self.ports(rule.get(field::PORTS)));
                Draft { index, action: Action::Allow, peers, ports, local: None, doubt: None, place: rule }
            })
            .collect()
    }

    /// No list and an empty list both mean everybody.
    fn peers(&mut self, list: Option<Value<'s>>) -> Option<Vec<Peer<'s>>> {
        let list = list.filter(|list| !list.is_empty())?;
        Some(list.items().filter_map(|item| self.peer(item)).collect())
    }

    fn peer(&mut self, item: Value<'s>) -> Option<Peer<'s>> {
        let (pods, namespaces) = (item.get(field::POD_SELECTOR), item.get(field::NAMESPACE_SELECTOR));
        let block = item.get(field::IP_BLOCK);
        if let Some(block) = block {
            if pods.or(namespaces).is_some() {
                self.refused.push((item, "`ipBlock` stands beside a selector".to_owned()));
            }
            return self.block(block);
        }
        if pods.or(namespaces).is_none() {
            self.refused.push((item, "a peer needs one of `podSelector`, `namespaceSelector`, `ipBlock`".to_owned()));
            return None;
        }
        let pods = self.selector(pods);
        let namespaces = match namespaces {
            Some(selector) => {
                let selector = self.selector(Some(selector));
                NamespaceMatch::Selected(self.policies.namespace_selectors.add(selector))
            }
            None => NamespaceMatch::One(self.namespace),
        };
        Some(Peer::Pods(PodMatch { namespaces, pods: self.policies.pod_selectors.add_in(namespaces.scope(), pods), formula: None }))
    }

    fn block(&mut self, block: Value<'s>) -> Option<Peer<'s>> {
        let written = block.get(field::CIDR);
        let cidr = self.cidr(written.unwrap_or(block), written.and_then(Value::as_str).unwrap_or(""))?;
        let mut set = AddressSet::block(cidr);
        for item in block.list(field::EXCEPT) {
            let Some(except) = self.cidr(item, item.as_str().unwrap_or("")) else { continue };
            if !cidr.strictly_contains(except) {
                self.refused.push((item, format!("`{}` in `except` is not strictly inside `{cidr}`", item.display())));
            }
            set = set.difference(&AddressSet::block(except));
        }
        Some(Peer::Addresses { block: self.policies.block(set), speaks_of_pods: false })
    }

    fn cidr(&mut self, place: Value<'s>, text: &str) -> Option<Cidr> {
        let cidr = text.parse().map_err(|error: crate::address::NoCidr| self.refused.push((place, error.to_string()))).ok();
        if let Some((reason, cidr)) = Cidr::strange(text).zip(cidr) {
            self.remarks.push((place, format!("the API server takes this from nobody who creates it: `{text}` {reason}; it counts as `{cidr}`")));
        }
        cidr
    }

    /// No list and an empty list both mean every port.
    fn ports(&mut self, list: Option<Value<'s>>) -> PortMatch<'s> {
        let Some(list) = list.filter(|list| !list.is_empty()) else { return PortMatch::all() };
        let mut ports = PortMatch::default();
        for item in list.items() {
            let protocol = match item.get(field::PROTOCOL) {
                None => Ok(Protocol::Tcp),
                Some(written) => written.display().parse().map_err(|error: crate::traffic::NoSuchProtocol| self.refused.push((written, error.to_string()))),
            };
            let (port, end) = (item.get(field::PORT), item.get(field::END_PORT));
            match (protocol, port.map(|port| (port, port.as_str()))) {
                (Err(()), _) => {}
                (Ok(_), None) if end.is_some() => self.refused.push((item, "`endPort` stands without `port`".to_owned())),
                (Ok(protocol), None) => ports.traffic = ports.traffic.union(&Traffic::of_protocol(protocol)),
                (Ok(protocol), Some((port, Some(name)))) => {
                    if !is_port_name(name) {
                        self.refused.push((port, format!("`{name}` is no name of a port")));
                    }
                    if end.is_some() {
                        self.refused.push((item, format!("`endPort` stands beside the named port `{name}`")));
                    }
                    match self.policies.reading.reads_names {
                        Does::No => ports.traffic = ports.traffic.union(&Traffic::of_protocol(protocol)),
                        Does::Yes | Does::Unknown => ports.named.push((Some(protocol), name)),
                    }
                }
                (Ok(protocol), Some((port, None))) => {
                    let Some((first, last)) = self.range(port, end) else { continue };
                    let whole = Traffic::ports(protocol, first, last);
                    let reads_ranges = self.policies.reading.reads_ranges;
                    let read = if reads_ranges == Does::Yes { whole.clone() } else { Traffic::ports(protocol, first, first) };
                    ports.traffic = ports.traffic.union(&read);
                    if reads_ranges == Does::Unknown {
                        ports.perhaps = ports.perhaps.union(&whole.difference(&read));
                    }
                }
            }
        }
        ports
    }

    fn range(&mut self, port: Value<'s>, end: Option<Value<'s>>) -> Option<(u16, u16)> {
        let first = self.number(port)?;
        let Some(end) = end else { return Some((first, first)) };
        let last = self.number(end)?;
        if last < first {
            self.refused.push((end, format!("`endPort` {last} is below `port` {first}")));
        }
        Some((first, last))
    }

    fn number(&mut self, value: Value<'s>) -> Option<u16> {
        let number = value.as_i64().and_then(|number| u16::try_from(number).ok()).filter(|&number| number != 0);
        if number.is_none() {
            self.refused.push((value, format!("`{}` is no port: ports are 1 to 65535", value.display())));
        }
        number
    }
}

/// Whether `name` is a service name: short, lower-case, with a letter, and dashes only inside and alone.
pub(super) fn is_port_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=PORT_NAME_MAX).contains(&name.len())
        && name.bytes().all(|byte| is_plain(byte) || byte == b'-')
        && name.bytes().any(|byte| byte.is_ascii_lowercase())
        && !name.starts_with('-')
        && !name.ends_with('-')
        && !name.contains("--")
}
