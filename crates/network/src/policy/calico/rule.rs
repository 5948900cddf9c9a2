//! Rules: what they ask of source, destination and traffic, as Calico's validator takes them.

use bartizan_cluster::{Value, field};

use super::meaning::{Meaning, Place};
use super::{Page, Reader};
use crate::address::{AddressSet, Cidr, Family};
use crate::label::Selector;
use crate::policy::demand::{Demand, Members};
use crate::policy::formula::Wish;
use crate::policy::{Action, Direction, Draft, Peer, PortMatch, Reads};
use crate::service::{Backend, Service, TargetPort};
use crate::traffic::{Protocol, Traffic};
use crate::verdict::Cause;

/// The fields of a rule and of what it says about one end.
const FIELDS: [&str; 10] = ["action", "ipVersion", "protocol", "icmp", "notProtocol", "notICMP", "source", "destination", "http", "metadata"];
const ENTITY_FIELDS: [&str; 10] =
    ["nets", "notNets", "selector", "notSelector", "namespaceSelector", "ports", "notPorts", "services", "serviceAccounts", "domains"];

/// The protocols by name and number, and those that have ports.
const PROTOCOLS: [(&str, i64, Option<Protocol>); 6] = [
    ("TCP", 6, Some(Protocol::Tcp)),
    ("UDP", 17, Some(Protocol::Udp)),
    ("SCTP", 132, Some(Protocol::Sctp)),
    ("ICMP", 1, None),
    ("ICMPv6", 58, None),
    ("UDPLite", 136, None),
];

/// The longest name of a port.
const PORT_NAME_MAX: usize = 128;

/// A protocol as written: its number, and what it is if it has ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Written {
    number: i64,
    known: Option<Protocol>,
}

impl Written {
    fn traffic(self) -> Traffic {
        self.known.map_or_else(Traffic::none, Traffic::of_protocol)
    }

    fn is_icmp(self) -> bool {
        matches!(self.number, 1 | 58)
    }
}

/// What a rule says about one end.
#[derive(Debug, Default)]
struct Entity<'s> {
    demand: Demand,
    ports: Option<Ports<'s>>,
    not_ports: Option<Ports<'s>>,
    /// The endpoints of a Service, each with the ports at which it is served.
    services: Option<Vec<Served<'s>>>,
    families: [bool; 2],
}

/// Ports as numbers and names.
#[derive(Debug, Default)]
struct Ports<'s> {
    numbers: Vec<(u16, u16)>,
    names: Vec<&'s str>,
}

/// Which way of a connection a rule is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    /// From who begins: the port of the connection is that of the destination.
    ToServe,
    /// Back: it is that of the source.
    AsAnswer,
}

/// Endpoints of a Service, and the traffic for which they are there.
#[derive(Debug)]
struct Served<'s> {
    peer: Peer<'s>,
    ports: PortMatch<'s>,
}

impl<'s> Reader<'_, 's> {
    /// The rules of a direction; those that only write to a log are left out.
    pub(super) fn rules(&mut self, page: &mut Page<'s>, spec: Value<'s>, direction: Direction) -> Vec<Draft<'s>> {
        let name = if direction == Direction::Ingress { "ingress" } else { "egress" };
        let rules = page.list(spec, name);
        (0u32..).zip(rules).flat_map(|(index, rule)| self.rule(page, index, rule, direction, Sent::ToServe)).collect()
    }

    /// The same of both directions, as what they mean for answers: a port of the source is that of the connection. What is wrong with
    /// them is told where they are read as they stand.
    pub(super) fn rules_for_answers(&mut self, spec: Value<'s>) -> [Vec<Draft<'s>>; 2] {
        let mut page = Page { home: None, refused: Vec::new(), remarks: Vec::new() };
        [Direction::Ingress, Direction::Egress].map(|direction| {
            let rules = spec.entry(if direction == Direction::Ingress { "ingress" } else { "egress" });
            let rules = (0u32..).zip(rules.into_iter().flat_map(Value::items));
            rules.flat_map(|(index, rule)| self.rule(&mut page, index, rule, direction, Sent::AsAnswer)).collect()
        })
    }

    fn rule(&mut self, page: &mut Page<'s>, index: u32, rule: Value<'s>, direction: Direction, sent: Sent) -> Vec<Draft<'s>> {
        page.strange_fields(rule, &FIELDS);
        let word = page.text(rule, "action");
        let action = match word {
            "Allow" => Some(Action::Allow),
            "Deny" => Some(Action::Deny),
            "Pass" => Some(Action::Pass),
            "Log" => None,
            _ => {
                let place = rule.entry("action").unwrap_or(rule);
                page.refuse(place, format!("action `{word}` is none of `Allow`, `Deny`, `Log`, `Pass`"));
                None
            }
        };
        let [protocol, excluded] = ["protocol", "notProtocol"].map(|name| protocol(page, rule, name));
        icmp(page, rule, protocol);
        let family = family(page, rule, [protocol, excluded]);
        let [source, destination] = ["source", "destination"].map(|side| self.entity(page, rule, side, direction, protocol));
        families(page, rule, family, &source, &destination);
        let (served, drawn) = if sent == Sent::ToServe { (&destination, &source) } else { (&source, &destination) };
        let doubt = http(page, rule, direction, action, protocol).or_else(|| from_some_ports(drawn));
        let traffic = traffic(protocol, excluded, served);
        let (mut local, mut remote) = if direction == Direction::Ingress { (destination, source) } else { (source, destination) };
        if let Some(family) = family {
            for entity in [&mut local, &mut remote] {
                self.restrict(&mut entity.demand, family);
            }
        }
        let local = (!local.demand.is_empty()).then(|| Box::new(local.demand));
        let Some(action) = action else {
            self.forget_entity(local.as_deref(), &remote);
            return Vec::new();
        };
        let draft = |peers, ports| Draft { index, action, peers, ports, local: local.clone(), doubt: doubt.clone(), place: rule };
        if let Some(served) = remote.services {
            let drafts: Vec<Draft<'s>> = served
                .into_iter()
                .map(|served| {
                    let is_served = direction == Direction::Egress && sent == Sent::ToServe;
                    let ports = if is_served { served.ports.within(&traffic.traffic) } else { traffic.clone() };
                    draft(Some(vec![served.peer]), ports)
                })
                .collect();
            // Each draft gives back what it uses.
            for local in drafts.iter().skip(1).filter_map(|draft| draft.local.as_deref()) {
                self.policies.retain_demand(local);
            }
            return drafts;
        }
        vec![draft(peers(remote.demand), traffic)]
    }

    /// Gives back what was read for a rule that becomes none.
    fn forget_entity(&mut self, local: Option<&Demand>, remote: &Entity<'s>) {
        for demand in local.into_iter().chain([&remote.demand]) {
            self.policies.release_demand(demand);
        }
        for served in remote.services.iter().flatten() {
            self.policies.release_peer(&served.peer);
        }
    }

    /// Limits an end to addresses of one family.
    fn restrict(&mut self, demand: &mut Demand, family: Family) {
        let whole = AddressSet::range(family, 0, family.last());
        let set = match demand.addresses {
            Some(block) => {
                let known = self.policies.blocks.get(block).cloned().unwrap_or_default();
                self.policies.blocks.release(block);
                known.intersection(&whole)
            }
            None => whole,
        };
        demand.addresses = Some(self.policies.block(set));
    }

    fn entity(&mut self, page: &mut Page<'s>, rule: Value<'s>, side: &str, direction: Direction, protocol: Option<Written>) -> Entity<'s> {
        let mut entity = Entity::default();
        let Some(value) = rule.entry(side) else { return entity };
        if !value.is_map() {
            page.refuse(value, format!("`{side}` must be a map"));
            return entity;
        }
        page.strange_fields(value, &ENTITY_FIELDS);
        let selector = page.selector(value, "selector", Place::Own);
        let strangers = page.selector(value, "notSelector", Place::Own);
        let namespaces = page.selector(value, "namespaceSelector", Place::NamespaceOfRule);
        let accounts = accounts(page, value);
        let has_selectors = selector.is_some() || strangers.is_some() || namespaces.is_some() || accounts.is_some();
        entity.demand.members = self.members(page, has_selectors, namespaces, [selector, accounts]);
        entity.demand.strangers = strangers.map(|meaning| self.selected(&meaning, None));
        entity.demand.addresses = self.nets(page, value, &mut entity.families);
        [entity.ports, entity.not_ports] = ["ports", "notPorts"].map(|name| ports(page, value, name, protocol));
        if let Some(domains) = value.entry("domains").filter(|domains| !domains.is_empty()) {
            page.remarks.push((domains, "`domains` is enforced by Calico Enterprise alone; what they resolve to is not known".to_owned()));
            entity.demand.doubt = Some(Cause::DomainName);
        }
        if let Some(services) = value.entry("services") {
            let stands_alone = !has_selectors && entity.demand.addresses.is_none();
            entity.services = self.services(page, services, direction, side, stands_alone);
            let ports = value.get(field::PORTS).or_else(|| value.entry("notPorts"));
            if let Some(place) = ports.filter(|ports| direction == Direction::Egress && !ports.is_empty()) {
                page.refuse(place, "ports stand beside `services`, which tell the ports themselves");
            }
        }
        entity
    }

    /// Whom the selectors of an end mean; those of a policy of one namespace mean its own unless they say otherwise.
    fn members(&mut self, page: &Page<'s>, has_selectors: bool, namespaces: Option<Meaning<'s>>, selectors: [Option<Meaning<'s>>; 2]) -> Option<Members> {
        let home = page.home.map(|(number, _)| number).filter(|_| namespaces.is_none() && has_selectors);
        let terms: Vec<Meaning<'s>> = namespaces.into_iter().chain(selectors.into_iter().flatten()).collect();
        if terms.is_empty() && home.is_none() {
            return None;
        }
        Some(self.selected(&Meaning::All(terms), home))
    }

    fn selected(&mut self, meaning: &Meaning<'s>, home: Option<u32>) -> Members {
        self.policies.reads_sets(home, meaning);
        let wish = self.wish(meaning);
        let pods = self.policies.wished(wish, home);
        let addresses = self.frame.sets.addresses(meaning, home, self.ground.inventory);
        let addresses = (!addresses.is_empty()).then(|| self.policies.block(addresses));
        Members { pods, addresses }
    }

    /// The addresses that `nets` and `notNets` leave.
    fn nets(&mut self, page: &mut Page<'s>, value: Value<'s>, families: &mut [bool; 2]) -> Option<u32> {
        let mut read = |page: &mut Page<'s>, name: &str| {
            let mut found: Option<AddressSet> = None;
            for item in page.list(value, name) {
                match item.as_str().unwrap_or("").parse::<Cidr>() {
                    Ok(cidr) => {
                        if name == "notNets" && cidr.prefix == 0 {
                            page.refuse(item, format!("`{cidr}` in `notNets` leaves nothing"));
                        }
                        if let Some(seen) = families.get_mut(usize::from(cidr.family == Family::V6)) {
                            *seen = true;
                        }
                        found = Some(found.unwrap_or_default().union(&AddressSet::block(cidr)));
                    }
                    Err(error) => page.refuse(item, error.to_string()),
                }
            }
            found
        };
        let (nets, not_nets) = (read(page, "nets"), read(page, "notNets"));
        if nets.is_none() && not_nets.is_none() {
            return None;
        }
        let set = nets.unwrap_or_else(AddressSet::everything).difference(&not_nets.unwrap_or_default());
        Some(self.policies.block(set))
    }

    /// The endpoints of a Service, by its name.
    fn services(&mut self, page: &mut Page<'s>, value: Value<'s>, direction: Direction, side: &str, stands_alone: bool) -> Option<Vec<Served<'s>>> {
        let wanted = if direction == Direction::Ingress { "source" } else { "destination" };
        if side != wanted {
            page.refuse(value, format!("`services` stands in the `{wanted}` of such rules and nowhere else"));
        }
        if !stands_alone {
            page.refuse(value, "`services` stands beside selectors, service accounts or nets");
        }
        let name = page.text(value, "name");
        if name.is_empty() {
            page.refuse(value, "`services` needs a `name`");
        }
        let written = Some(page.text(value, "namespace")).filter(|name| !name.is_empty());
        let Some(namespace) = written.or(page.home.map(|(_, name)| name)) else {
            page.refuse(value, "`services` of a policy of the whole cluster needs a `namespace`");
            return None;
        };
        self.policies.reads(Reads::Service(namespace, name));
        let ground = self.ground;
        let service = ground.inventory.namespace(namespace).and_then(|number| ground.services.find(number, name));
        let Some(service) = service else {
            page.remarks.push((value, format!("the Service `{namespace}/{name}` is not in the input: the rule matches nothing")));
            return Some(Vec::new());
        };
        Some(self.served(service))
    }

    fn served(&mut self, service: &Service<'s>) -> Vec<Served<'s>> {
        match &service.backend {
            Backend::Pods(_) => {
                let selector = service.object.spec().and_then(|spec| spec.get(field::SELECTOR));
                let tests = selector.map_or_else(Selector::everything, Selector::of_map);
                let terms: Vec<Wish<'s>> = tests.into_tests().into_iter().map(|(key, test)| Wish::Pod(key, test)).collect();
                let each = service.ports.iter().map(|port| match port.target {
                    TargetPort::Number(number) => PortMatch { traffic: Traffic::ports(port.protocol, number, number), ..PortMatch::default() },
                    TargetPort::Name(name) => PortMatch { named: vec![(Some(port.protocol), name)], ..PortMatch::default() },
                });
                let each: Vec<PortMatch<'s>> = each.collect();
                each.into_iter()
                    .map(|ports| Served { peer: Peer::Pods(self.policies.wished(Wish::all(terms.clone()), Some(service.namespace))), ports })
                    .collect()
            }
            Backend::Written(endpoints) => endpoints
                .iter()
                .map(|written| {
                    let one =
                        |set: AddressSet, address: &crate::address::Address| set.union(&AddressSet::range(address.family, address.number, address.number));
                    let set = written.addresses.iter().fold(AddressSet::default(), one);
                    let traffic = written.ports.iter().fold(Traffic::none(), |sum, (_, protocol, port)| sum.union(&Traffic::ports(*protocol, *port, *port)));
                    let peer = Peer::Addresses { block: self.policies.block(set), speaks_of_pods: true };
                    Served { peer, ports: PortMatch { traffic, ..PortMatch::default() } }
                })
                .collect(),
            Backend::Unknown => {
                let demand = Demand { doubt: Some(Cause::EndpointsUnknown), ..Demand::default() };
                vec![Served { peer: Peer::Demand(Box::new(demand)), ports: PortMatch::all() }]
            }
            Backend::Alias(..) | Backend::Domain => Vec::new(),
        }
    }
}

/// The other end as peers; none where it is everybody.
fn peers<'s>(demand: Demand) -> Option<Vec<Peer<'s>>> {
    if demand.is_empty() {
        return None;
    }
    match demand {
        // What is asked for in one way alone is what other policies ask for as well.
        Demand { members: Some(Members { pods, addresses }), strangers: None, addresses: None, doubt: None } => {
            Some([Peer::Pods(pods)].into_iter().chain(addresses.map(|block| Peer::Addresses { block, speaks_of_pods: true })).collect())
        }
        Demand { members: None, strangers: None, addresses: Some(block), doubt: None } => Some(vec![Peer::Addresses { block, speaks_of_pods: true }]),
        other => Some(vec![Peer::Demand(Box::new(other))]),
    }
}

/// The traffic of a rule.
fn traffic<'s>(protocol: Option<Written>, excluded: Option<Written>, destination: &Entity<'s>) -> PortMatch<'s> {
    let whole = protocol.map_or_else(Traffic::all, Written::traffic);
    let known = protocol.and_then(|protocol| protocol.known);
    let numbered = |ports: &Ports<'s>| {
        let of = |protocol: Protocol| ports.numbers.iter().fold(Traffic::none(), |sum, &(first, last)| sum.union(&Traffic::ports(protocol, first, last)));
        Protocol::ALL.into_iter().filter(|protocol| known.is_none_or(|known| known == *protocol)).fold(Traffic::none(), |sum, one| sum.union(&of(one)))
    };
    let named = |ports: &Option<Ports<'s>>| ports.iter().flat_map(|ports| &ports.names).map(|name| (known, *name)).collect::<Vec<_>>();
    let traffic = destination.ports.as_ref().map_or_else(|| whole.clone(), |ports| whole.intersection(&numbered(ports)));
    let except = destination.not_ports.as_ref().map_or_else(Traffic::none, numbered);
    let except = excluded.map_or_else(|| except.clone(), |excluded| except.union(&excluded.traffic()));
    let not_named = named(&destination.not_ports);
    PortMatch { traffic: traffic.difference(&except), named: named(&destination.ports), except, not_named, ..PortMatch::default() }
}

/// Whether a rule is about some ports of the source and not about others, which nobody knows beforehand.
fn from_some_ports(source: &Entity<'_>) -> Option<Cause> {
    let all = |ports: &Ports<'_>| {
        let sum = ports.numbers.iter().fold(Traffic::none(), |sum, &(first, last)| sum.union(&Traffic::ports(Protocol::Tcp, first, last)));
        sum == Traffic::of_protocol(Protocol::Tcp)
    };
    let is_limited = source.ports.as_ref().is_some_and(|ports| !all(ports)) || source.not_ports.is_some();
    is_limited.then_some(Cause::SourcePort)
}

/// The service accounts that an end runs as.
fn accounts<'s>(page: &mut Page<'s>, value: Value<'s>) -> Option<Meaning<'s>> {
    let accounts = value.entry("serviceAccounts")?;
    let names: Vec<&str> = page.list(accounts, "names").into_iter().filter_map(Value::as_str).collect();
    let mut terms: Vec<Meaning<'s>> = page.selector(accounts, "selector", Place::Account).into_iter().collect();
    if !names.is_empty() {
        terms.push(Meaning::runs_as(names));
    }
    (!terms.is_empty()).then_some(Meaning::All(terms))
}

fn protocol<'s>(page: &mut Page<'s>, rule: Value<'s>, name: &str) -> Option<Written> {
    let value = rule.entry(name)?;
    let word = value.display();
    let by_name = PROTOCOLS.iter().find(|(known, ..)| *known == word);
    let number = by_name.map(|(_, number, _)| *number).or_else(|| word.parse().ok()).filter(|number| (1..=255).contains(number));
    if number.is_none() {
        page.refuse(value, format!("`{name}` `{word}` is none of `TCP`, `UDP`, `SCTP`, `ICMP`, `ICMPv6`, `UDPLite`, and no number from 1 to 255"));
    }
    number.map(|number| Written { number, known: PROTOCOLS.iter().find(|(_, known, _)| *known == number).and_then(|(.., protocol)| *protocol) })
}

fn icmp<'s>(page: &mut Page<'s>, rule: Value<'s>, protocol: Option<Written>) {
    for name in ["icmp", "notICMP"] {
        let Some(value) = rule.entry(name) else { continue };
        if name == "icmp" && !protocol.is_some_and(Written::is_icmp) {
            page.refuse(value, "`icmp` needs the protocol `ICMP` or `ICMPv6`");
        }
        let (kind, code) = (value.entry("type"), value.entry("code"));
        if code.is_some() && kind.is_none() {
            page.refuse(value, format!("`{name}` has a `code` and no `type`"));
        }
        for (field, most) in [(kind, 254), (code, 255)] {
            if let Some(place) = field.filter(|field| !field.as_i64().is_some_and(|number| (0..=most).contains(&number))) {
                page.refuse(place, format!("`{}` must be a number from 0 to {most}", place.key()));
            }
        }
    }
}

/// The family of addresses that a rule is about.
fn family<'s>(page: &mut Page<'s>, rule: Value<'s>, protocols: [Option<Written>; 2]) -> Option<Family> {
    let value = rule.entry("ipVersion")?;
    let family = match value.as_i64() {
        Some(4) => Family::V4,
        Some(6) => Family::V6,
        _ => {
            page.refuse(value, format!("`ipVersion` `{}` is none of `4`, `6`", value.display()));
            return None;
        }
    };
    for protocol in protocols.into_iter().flatten() {
        if (protocol.number == 1 && family == Family::V6) || (protocol.number == 58 && family == Family::V4) {
            page.refuse(value, "`ipVersion` contradicts the protocol");
        }
    }
    Some(family)
}

/// All blocks of a rule are of one family, and of that which it names.
fn families<'s>(page: &mut Page<'s>, rule: Value<'s>, family: Option<Family>, source: &Entity<'s>, destination: &Entity<'s>) {
    let [v4, v6] = [0, 1].map(|at| [source, destination].iter().any(|entity| entity.families.get(at) == Some(&true)));
    if v4 && v6 {
        page.refuse(rule, "the rule has blocks of both IPv4 and IPv6");
    }
    if (family == Some(Family::V4) && v6) || (family == Some(Family::V6) && v4) {
        page.refuse(rule.entry("ipVersion").unwrap_or(rule), "`ipVersion` contradicts the blocks of the rule");
    }
}

/// Rules about requests let some of a connection through.
fn http<'s>(page: &mut Page<'s>, rule: Value<'s>, direction: Direction, action: Option<Action>, protocol: Option<Written>) -> Option<Cause> {
    let value = rule.entry("http")?;
    if direction == Direction::Egress {
        page.refuse(value, "`http` is for ingress rules");
    }
    if action != Some(Action::Allow) {
        page.refuse(value, "`http` is for rules that allow");
    }
    if protocol.is_some_and(|protocol| protocol.known != Some(Protocol::Tcp)) {
        page.refuse(value, "`http` needs the protocol `TCP`");
    }
    for path in page.list(value, "paths") {
        if path.len() != 1 || !path.entries().all(|(key, _)| matches!(key, "exact" | "prefix")) {
            page.refuse(path, "a path needs exactly one of `exact`, `prefix`");
        }
    }
    let is_limited = ["methods", "paths"].iter().any(|name| value.entry(name).is_some_and(|list| !list.is_empty()));
    is_limited.then(|| Cause::SomeRequests("http".to_owned()))
}

/// Ports as numbers, ranges `first:last`, or names; none where the list is missing or empty.
fn ports<'s>(page: &mut Page<'s>, value: Value<'s>, name: &str, protocol: Option<Written>) -> Option<Ports<'s>> {
    let list = page.list(value, name);
    if list.is_empty() {
        return None;
    }
    let mut ports = Ports::default();
    for item in list {
        match port(item) {
            Ok(Port::Range(first, last)) => ports.numbers.push((first, last)),
            Ok(Port::Name(name)) => ports.names.push(name),
            Err(message) => page.refuse(item, message),
        }
    }
    let place = value.entry(name).unwrap_or(value);
    match protocol {
        None if !ports.numbers.is_empty() => page.refuse(place, format!("`{name}` needs a `protocol` that has ports")),
        Some(Written { known: None, .. }) => page.refuse(place, format!("`{name}` stands beside a protocol without ports")),
        _ => {}
    }
    Some(ports)
}

enum Port<'s> {
    Range(u16, u16),
    Name(&'s str),
}

fn port(item: Value<'_>) -> Result<Port<'_>, String> {
    let number = |text: &str| text.parse::<u16>().map_err(|_| format!("`{text}` is no port: ports are 0 to 65535"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some(text) = item.as_str() else {
        let single = number(&item.display())?;
        return Ok(Port::Range(single, single));
    };
    if is_number(text) {
        let single = number(text)?;
        return Ok(Port::Range(single, single));
    }
    if let Some((first, last)) = text.split_once(':').filter(|(first, last)| is_number(first) && is_number(last)) {
        let (from, to) = (number(first)?, number(last)?);
        return if from <= to { Ok(Port::Range(from, to)) } else { Err(format!("the range `{text}` ends before its start")) };
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    if (1..=PORT_NAME_MAX).contains(&text.len()) && text.bytes().all(is_plain) { Ok(Port::Name(text)) } else { Err(format!("`{text}` is no name of a port")) }
}

impl PortMatch<'_> {
    /// The same, as far as it lies in `traffic`.
    fn within(self, traffic: &Traffic) -> Self {
        let named = self.named.iter().copied().filter(|(protocol, _)| protocol.is_none_or(|protocol| !traffic.ranges(protocol).is_empty())).collect();
        PortMatch { traffic: self.traffic.intersection(traffic), named, ..self }
    }
}
