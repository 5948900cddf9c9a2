//! Policies of the whole cluster: AdminNetworkPolicy and BaselineAdminNetworkPolicy (`v1alpha1`), and ClusterNetworkPolicy
//! (`v1alpha2`), which took their place. All of them are ordered rules before and after those of namespaces.

use bartizan_cluster::{ObjectView, Snapshot, Value, field};

use super::network_policy::is_port_name;
use super::unmodelled::Blur;
use super::{Action, Direction, Draft, Isolates, NamespaceMatch, Peer, PodMatch, Policies, Policy, PortMatch, Tier};
use crate::address::{AddressSet, Cidr, NoCidr};
use crate::fabric::Fabric;
use crate::label::{Refusal, Selector};
use crate::profile::Does;
use crate::traffic::{NoSuchProtocol, Protocol, Traffic};
use crate::verdict::Cause;

/// The API group of all of them.
const GROUP: &str = "policy.networking.k8s.io";

/// The greatest priority: the last to be asked.
pub(crate) const PRIORITY_MAX: i64 = 1_000;

/// The most blocks of a peer, in every version.
const NETWORKS_MAX: usize = 25;

/// The one name that a BaselineAdminNetworkPolicy may have.
const BASELINE_NAME: &str = "default";

/// Which of the three kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Admin,
    BaselineAdmin,
    Cluster,
}

impl Dialect {
    /// The kind of an object, if it is one of them.
    pub(crate) fn of(object: ObjectView<'_>) -> Option<Self> {
        match (object.group(), object.kind_name()) {
            (GROUP, "AdminNetworkPolicy") => Some(Dialect::Admin),
            (GROUP, "BaselineAdminNetworkPolicy") => Some(Dialect::BaselineAdmin),
            (GROUP, "ClusterNetworkPolicy") => Some(Dialect::Cluster),
            _ => None,
        }
    }

    /// How many rules of a direction, and how many peers and ports of a rule, its schema takes.
    fn items_max(self) -> usize {
        if self == Dialect::Cluster { 25 } else { 100 }
    }

    fn action(self, word: &str) -> Option<Action> {
        match (self, word) {
            (Dialect::Cluster, "Accept") | (Dialect::Admin | Dialect::BaselineAdmin, "Allow") => Some(Action::Allow),
            (_, "Deny") => Some(Action::Deny),
            (Dialect::Cluster | Dialect::Admin, "Pass") => Some(Action::Pass),
            _ => None,
        }
    }

    fn actions(self) -> &'static str {
        match self {
            Dialect::Cluster => "`Accept`, `Deny`, `Pass`",
            Dialect::Admin => "`Allow`, `Deny`, `Pass`",
            Dialect::BaselineAdmin => "`Allow`, `Deny`",
        }
    }
}

/// Of the same policy twice, the last one counts.
pub(crate) fn is_current(snapshot: &Snapshot, object: ObjectView<'_>) -> bool {
    snapshot.find_other(GROUP, object.kind_name(), None, object.name()).is_none_or(|found| found.id() == object.id())
}

/// Whether an object is a policy of the whole cluster.
pub(crate) fn is_one(object: ObjectView<'_>) -> bool {
    Dialect::of(object).is_some()
}

/// Reads a policy of the whole cluster; of one of which it is not known whether it is enforced, what it may change.
pub(crate) fn read<'s>(object: ObjectView<'s>, dialect: Dialect, snapshot: &'s Snapshot, fabric: &Fabric<'s>, policies: &mut Policies<'s>) {
    if !is_current(snapshot, object) {
        return;
    }
    let enforces = fabric.enforces(object);
    if enforces == Does::No {
        policies.ignore(object, fabric.name());
        return;
    }
    let mut reader = Reader { dialect, policies, refused: Vec::new(), remarks: Vec::new() };
    let Some(spec) = object.spec() else {
        policies.refuse(object, vec![(object.root(), "`spec` is missing".to_owned())]);
        return;
    };
    if dialect == Dialect::BaselineAdmin && object.name() != BASELINE_NAME {
        reader.refused.push((object.root(), format!("the name must be `{BASELINE_NAME}`")));
    }
    let tier = reader.tier(spec);
    let priority = if dialect == Dialect::BaselineAdmin { 0 } else { reader.priority(spec) };
    let subject = reader.subject(spec);
    let ingress = reader.rules(spec, Direction::Ingress);
    let egress = reader.rules(spec, Direction::Egress);
    let Reader { refused, remarks, .. } = reader;
    let Some(subject) = subject.filter(|_| refused.is_empty()) else {
        policies.forget(&[ingress, egress]);
        if let Some(subject) = subject {
            policies.release(subject);
        }
        policies.refuse(object, refused);
        return;
    };
    for (place, message) in remarks {
        policies.remark(object, place, message);
    }
    if enforces == Does::Unknown {
        let [is_in, is_out] = [&ingress, &egress].map(|rules| !rules.is_empty());
        policies.forget(&[ingress, egress]);
        let cause = Cause::NotEnforced(object.kind_name().to_owned());
        policies.blur(Blur { subject, ingress: is_in, egress: is_out, may_add: true, cause });
        return;
    }
    let number = crate::inventory::count(policies.list.len());
    let ingress = policies.add_rules(number, subject, Direction::Ingress, ingress);
    let egress = policies.add_rules(number, subject, Direction::Egress, egress);
    policies.add(Policy { object, tier, priority, subject, ingress: Some(ingress), egress: Some(egress), isolates: Isolates::NEITHER });
}

/// Policies of which it is undefined which is asked first, each with the one that was read before it.
pub(crate) fn ties<'s>(policies: &Policies<'s>) -> Vec<(ObjectView<'s>, ObjectView<'s>, i64)> {
    let of_cluster = policies.of_cluster().map(|(_, policy)| policy);
    let ordered = of_cluster.filter(|policy| Dialect::of(policy.object).is_some_and(|dialect| dialect != Dialect::BaselineAdmin));
    let mut ordered: Vec<&Policy<'s>> = ordered.collect();
    ordered.sort_by_key(|policy| (policy.tier, policy.priority, policy.object.id()));
    let pairs = ordered.iter().zip(ordered.iter().skip(1)).filter(|(one, two)| (one.tier, one.priority) == (two.tier, two.priority));
    pairs.map(|(one, two)| (two.object, one.object, two.priority)).collect()
}

struct Reader<'p, 's> {
    dialect: Dialect,
    policies: &'p mut Policies<'s>,
    refused: Vec<Refusal<'s>>,
    remarks: Vec<Refusal<'s>>,
}

impl<'s> Reader<'_, 's> {
    fn tier(&mut self, spec: Value<'s>) -> Tier {
        match self.dialect {
            Dialect::Admin => Tier::Admin,
            Dialect::BaselineAdmin => Tier::Baseline,
            Dialect::Cluster => match spec.entry("tier").and_then(Value::as_str) {
                Some("Admin") => Tier::Admin,
                Some("Baseline") => Tier::Baseline,
                other => {
                    self.refused.push((spec, format!("tier `{}` is none of `Admin`, `Baseline`", other.unwrap_or(""))));
                    Tier::Admin
                }
            },
        }
    }

    fn priority(&mut self, spec: Value<'s>) -> i64 {
        let written = spec.get(field::PRIORITY);
        let priority = written.and_then(Value::as_i64).filter(|priority| (0..=PRIORITY_MAX).contains(priority));
        priority.unwrap_or_else(|| {
            self.refused.push((written.unwrap_or(spec), format!("`priority` must be a number from 0 to {PRIORITY_MAX}")));
            0
        })
    }

    fn subject(&mut self, spec: Value<'s>) -> Option<PodMatch> {
        let subject = spec.entry("subject");
        let found = subject.and_then(|subject| self.pods(subject));
        if found.is_none() || subject.is_some_and(|subject| subject.len() != 1) {
            self.refused.push((subject.unwrap_or(spec), "`subject` needs exactly one of `namespaces`, `pods`".to_owned()));
        }
        found
    }

    /// What `namespaces` or `pods` of a subject or peer selects.
    fn pods(&mut self, value: Value<'s>) -> Option<PodMatch> {
        let (namespaces, pods) = match (value.entry("namespaces"), value.entry("pods")) {
            (Some(namespaces), _) => (Selector::read(namespaces, &mut self.refused), Selector::everything()),
            (None, Some(pods)) => {
                let mut selector = |name| pods.get(name).map_or_else(Selector::everything, |selector| Selector::read(selector, &mut self.refused));
                (selector(field::NAMESPACE_SELECTOR), selector(field::POD_SELECTOR))
            }
            (None, None) => return None,
        };
        let namespaces = NamespaceMatch::Selected(self.policies.namespace_selectors.add(namespaces));
        Some(PodMatch { namespaces, pods: self.policies.pod_selectors.add(pods), formula: None })
    }

    fn rules(&mut self, spec: Value<'s>, direction: Direction) -> Vec<Draft<'s>> {
        let (rules, peers) = match direction {
            Direction::Ingress => (field::INGRESS, field::FROM),
            Direction::Egress => (field::EGRESS, field::TO),
        };
        let Some(list) = spec.get(rules) else { return Vec::new() };
        self.limit(list);
        (0u32..).zip(list.items()).filter_map(|(index, rule)| self.rule(index, rule, rule.get(peers), direction)).collect()
    }

    fn limit(&mut self, list: Value<'s>) {
        let most = self.dialect.items_max();
        if list.len() > most {
            self.refused.push((list, format!("`{}` has more than {most} items", list.key())));
        }
    }

    fn rule(&mut self, index: u32, rule: Value<'s>, peers: Option<Value<'s>>, direction: Direction) -> Option<Draft<'s>> {
        let word = rule.entry("action").and_then(Value::as_str).unwrap_or("");
        let Some(action) = self.dialect.action(word) else {
            self.refused.push((rule, format!("action `{word}` is none of {}", self.dialect.actions())));
            return None;
        };
        let Some(listed) = peers.filter(|peers| !peers.is_empty()) else {
            self.refused.push((rule, "a rule needs at least one peer".to_owned()));
            return None;
        };
        self.limit(listed);
        let mut found = Vec::new();
        let mut has_unknown = false;
        for item in listed.items() {
            match self.peer(item, action, direction) {
                Some(peer) => found.push(peer),
                None => has_unknown = true,
            }
        }
        let ports = self.ports(rule);
        if !ports.named.is_empty() && found.iter().any(|peer| !matches!(peer, Peer::Pods(_))) {
            self.refused.push((rule, "a named port stands beside peers that are no pods".to_owned()));
        }
        if !has_unknown {
            return Some(Draft { index, action, peers: Some(found), ports, local: None, doubt: None, place: rule });
        }
        // What is not understood must not open anything.
        match action {
            Action::Allow => Some(Draft { index, action, peers: Some(Vec::new()), ports, local: None, doubt: None, place: rule }),
            Action::Deny | Action::Pass => {
                Some(Draft { index, action: Action::Deny, peers: None, ports: PortMatch::all(), local: None, doubt: None, place: rule })
            }
        }
    }

    /// A peer; `None` for one of a kind that is not known.
    fn peer(&mut self, item: Value<'s>, action: Action, direction: Direction) -> Option<Peer<'s>> {
        if item.len() != 1 {
            self.refused.push((item, "a peer needs exactly one field".to_owned()));
        }
        if !item.entries().any(|(_, value)| compared(value).is_some())
            && let Some(pods) = self.pods(item)
        {
            return Some(Peer::Pods(pods));
        }
        if direction == Direction::Egress {
            if let Some(networks) = item.entry("networks") {
                return Some(self.networks(networks));
            }
            if let Some(nodes) = item.entry("nodes") {
                return Some(Peer::Nodes(Selector::read(nodes, &mut self.refused)));
            }
            if let Some(domains) = item.entry("domainNames") {
                if action != Action::Allow {
                    self.remarks.push((domains, "`domainNames` is for rules that allow; what others do with it is not defined".to_owned()));
                }
                return Some(Peer::Domains);
            }
        }
        let name = item.entries().next().map_or("", |(key, value)| compared(value).unwrap_or(key));
        self.remarks.push((item, format!("the peer `{name}` is not known: a rule that allows matches nothing, any other denies everything")));
        None
    }

    fn networks(&mut self, networks: Value<'s>) -> Peer<'s> {
        if networks.len() > NETWORKS_MAX {
            self.refused.push((networks, format!("`networks` has more than {NETWORKS_MAX} items")));
        }
        let mut set = AddressSet::default();
        for item in networks.items() {
            match item.as_str().unwrap_or("").parse::<Cidr>() {
                Ok(cidr) => set = set.union(&AddressSet::block(cidr)),
                Err(error) => self.refused.push((item, NoCidr::to_string(&error))),
            }
        }
        Peer::Addresses { block: self.policies.block(set), speaks_of_pods: true }
    }

    fn ports(&mut self, rule: Value<'s>) -> PortMatch<'s> {
        let list = if self.dialect == Dialect::Cluster { rule.entry("protocols") } else { rule.get(field::PORTS) };
        let Some(list) = list.filter(|list| !list.is_empty()) else { return PortMatch::all() };
        self.limit(list);
        let mut ports = PortMatch::default();
        for item in list.items() {
            if item.len() != 1 {
                self.refused.push((item, "a port needs exactly one field".to_owned()));
            }
            if self.dialect == Dialect::Cluster {
                self.protocol_match(item, &mut ports);
            } else {
                self.port_match(item, &mut ports);
            }
        }
        ports
    }

    /// `{tcp: {destinationPort: …}}` and the like.
    fn protocol_match(&mut self, item: Value<'s>, ports: &mut PortMatch<'s>) {
        if let Some(name) = item.entry("destinationNamedPort") {
            return self.named(name, ports);
        }
        for (key, protocol) in [("tcp", Protocol::Tcp), ("udp", Protocol::Udp), ("sctp", Protocol::Sctp)] {
            let Some(written) = item.entry(key) else { continue };
            let found = match written.entry("destinationPort") {
                None => Traffic::of_protocol(protocol),
                Some(port) => match (port.get(field::NUMBER), port.entry("range")) {
                    (Some(number), _) => self.numbers(protocol, number, number),
                    (None, Some(range)) => self.range(protocol, range),
                    (None, None) => {
                        self.refused.push((port, "`destinationPort` needs one of `number`, `range`".to_owned()));
                        Traffic::none()
                    }
                },
            };
            ports.traffic = ports.traffic.union(&found);
        }
    }

    /// `{portNumber: …}`, `{portRange: …}` or `{namedPort: …}`.
    fn port_match(&mut self, item: Value<'s>, ports: &mut PortMatch<'s>) {
        let found = if let Some(name) = item.entry("namedPort") {
            return self.named(name, ports);
        } else if let Some(number) = item.entry("portNumber") {
            let protocol = self.protocol(number);
            number.get(field::PORT).map_or_else(Traffic::none, |port| self.numbers(protocol, port, port))
        } else if let Some(range) = item.entry("portRange") {
            let protocol = self.protocol(range);
            self.range(protocol, range)
        } else {
            self.refused.push((item, "a port needs one of `portNumber`, `portRange`, `namedPort`".to_owned()));
            return;
        };
        ports.traffic = ports.traffic.union(&found);
    }

    fn protocol(&mut self, value: Value<'s>) -> Protocol {
        let Some(written) = value.get(field::PROTOCOL) else { return Protocol::Tcp };
        written.as_str().unwrap_or("").parse().unwrap_or_else(|error: NoSuchProtocol| {
            self.refused.push((written, error.to_string()));
            Protocol::Tcp
        })
    }

    fn named(&mut self, value: Value<'s>, ports: &mut PortMatch<'s>) {
        let name = value.as_str().unwrap_or("");
        if !is_port_name(name) {
            self.refused.push((value, format!("`{name}` is no name of a port")));
        }
        ports.named.push((None, name));
    }

    fn range(&mut self, protocol: Protocol, range: Value<'s>) -> Traffic {
        if let (Some(start), Some(end)) = (range.entry("start"), range.entry("end")) {
            if self.dialect == Dialect::Cluster && start.as_i64().is_some() && start.as_i64() == end.as_i64() {
                self.refused.push((end, "a range ends after its start; a single port is a `number`".to_owned()));
            }
            return self.numbers(protocol, start, end);
        }
        self.refused.push((range, "a range needs `start` and `end`".to_owned()));
        Traffic::none()
    }

    fn numbers(&mut self, protocol: Protocol, first: Value<'s>, last: Value<'s>) -> Traffic {
        let mut number = |value: Value<'s>| {
            let number = value.as_i64().and_then(|number| u16::try_from(number).ok()).filter(|&number| number != 0);
            if number.is_none() {
                self.refused.push((value, format!("`{}` is no port: ports are 1 to 65535", value.display())));
            }
            number
        };
        let (Some(from), Some(to)) = (number(first), number(last)) else { return Traffic::none() };
        if to < from {
            self.refused.push((last, format!("the range ends at {to}, before its start {from}")));
        }
        Traffic::ports(protocol, from, to)
    }
}

/// The field by which older versions compared labels of peers with those of the subject, in what selects namespaces or in what is
/// below it. What the newer ones say nothing about is not understood.
fn compared(selected: Value<'_>) -> Option<&str> {
    let is_relative = |key: &str| matches!(key, "sameLabels" | "notSameLabels");
    let inner = selected.entries().filter(|(_, value)| value.is_map()).flat_map(|(_, value)| value.entries());
    selected.entries().chain(inner).map(|(key, _)| key).find(|key| is_relative(key))
}
