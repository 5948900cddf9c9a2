//! The rules of a policy: who is at the other end, in one of the ways to say so, and about what.

use bartizan_cluster::{Kind, ObjectView, Value, field};

use super::{API_SERVER, BLOCKS, GROUP, Reader};
use crate::address::{Address, AddressSet, Cidr, Family};
use crate::label::Selector;
use crate::policy::{Action, Direction, Draft, Entity, NamespaceMatch, Peer, PodMatch, PortMatch, Reads};
use crate::verdict::Cause;

/// The ways to say who is at the other end, of which a rule has one.
const FROM: [&str; 7] = ["fromEndpoints", "fromEntities", "fromCIDR", "fromCIDRSet", "fromNodes", "fromGroups", "fromRequires"];
const TO: [&str; 9] = ["toEndpoints", "toEntities", "toCIDR", "toCIDRSet", "toNodes", "toGroups", "toRequires", "toServices", "toFQDNs"];

/// From this version on, rules have no `fromRequires` and `toRequires`.
const WITHOUT_REQUIREMENTS: (u32, u32) = (1, 19);

/// Of these an empty list means nobody.
const EMPTY_IS_NOBODY: [&str; 5] = ["Endpoints", "Entities", "CIDR", "CIDRSet", "Nodes"];

/// Who is at the other end.
struct Ends<'s> {
    /// None means everybody.
    peers: Option<Vec<Peer<'s>>>,
    doubt: Option<Cause>,
}

impl<'s> Reader<'_, 's> {
    /// The rules of one list.
    pub(super) fn rules(&mut self, list: Vec<Value<'s>>, direction: Direction, denies: bool) -> Vec<Draft<'s>> {
        (0u32..).zip(list).flat_map(|(index, rule)| self.rule(index, rule, direction, denies)).collect()
    }

    /// One rule: one draft for what it says for certain, and one for what depends on requests.
    fn rule(&mut self, index: u32, rule: Value<'s>, direction: Direction, denies: bool) -> Vec<Draft<'s>> {
        if !rule.is_map() {
            self.refused.push((rule, "a rule is no object".to_owned()));
            return Vec::new();
        }
        if rule.is_empty() {
            // It is written for its direction to be isolated, and says nothing.
            return Vec::new();
        }
        let is_ingress = direction == Direction::Ingress;
        let ways: &[&str] = if is_ingress { &FROM } else { &TO };
        let others: &[&str] = if denies { &["icmps", "toPorts"] } else { &["authentication", "icmps", "toPorts"] };
        self.known_fields(rule, &[ways, others].concat());
        let listed = self.list(rule, "toPorts").unwrap_or_default();
        let icmps = self.list(rule, "icmps").unwrap_or_default();
        if !icmps.is_empty() && !listed.is_empty() {
            self.invalid.push((rule, "`icmps` stands beside `toPorts`".to_owned()));
        }
        let ends = self.ends(rule, ways, direction, !listed.is_empty());
        let mut parts: Vec<(PortMatch<'s>, Option<Cause>)> = Vec::new();
        for item in &listed {
            let Some(ports) = self.port_rule(*item, is_ingress, denies) else { continue };
            match parts.iter_mut().find(|(_, doubt)| *doubt == ports.doubt) {
                Some((known, _)) => {
                    known.traffic = known.traffic.union(&ports.ports.traffic);
                    known.named.extend(ports.ports.named);
                }
                None => parts.push((ports.ports, ports.doubt)),
            }
        }
        if listed.is_empty() {
            // Messages about the network have no ports, and are none of the connections that are asked about.
            let all = if icmps.is_empty() { PortMatch::all() } else { PortMatch::default() };
            parts.push((all, None));
        }
        let proven = if denies { None } else { self.proof(rule) };
        let action = if denies { Action::Deny } else { Action::Allow };
        let many = parts.len() > 1;
        let mut drafts = Vec::new();
        for (ports, requests) in parts {
            if !icmps.is_empty() {
                continue;
            }
            let doubt = requests.or_else(|| proven.clone()).or_else(|| ends.doubt.clone());
            let peers = if many { ends.peers.as_ref().map(|peers| self.again(peers)) } else { ends.peers.clone() };
            drafts.push(Draft { index, action, peers, ports, local: None, doubt, place: rule });
        }
        if many || drafts.is_empty() {
            // The peers that were read stand in copies, or in no draft at all.
            let read = Draft { index, action, peers: ends.peers, ports: PortMatch::default(), local: None, doubt: None, place: rule };
            self.policies.forget(&[vec![read]]);
        }
        drafts
    }

    /// The same peers once more.
    fn again(&mut self, peers: &[Peer<'s>]) -> Vec<Peer<'s>> {
        for peer in peers {
            self.policies.retain_peer(peer);
        }
        peers.to_vec()
    }

    /// What a rule asks of those who connect, if they have to prove who they are.
    fn proof(&mut self, rule: Value<'s>) -> Option<Cause> {
        let written = rule.entry("authentication").filter(|written| !written.is_null())?;
        match written.entry("mode").and_then(Value::as_str).unwrap_or("") {
            "disabled" => None,
            mode @ ("required" | "test-always-fail") => Some(Cause::SomeRequests(format!("`authentication` {mode}"))),
            other => {
                self.refused.push((written, format!("mode `{other}` is none of `disabled`, `required`, `test-always-fail`")));
                None
            }
        }
    }

    fn ends(&mut self, rule: Value<'s>, ways: &[&'static str], direction: Direction, has_ports: bool) -> Ends<'s> {
        let prefix = if direction == Direction::Ingress { "from" } else { "to" };
        let mut written: Vec<(&str, Vec<Value<'s>>)> = Vec::new();
        for way in ways {
            if let Some(list) = self.list(rule, way) {
                written.push((way.strip_prefix(prefix).unwrap_or(way), list));
            }
        }
        let is_nobody = written.iter().any(|(way, list)| list.is_empty() && EMPTY_IS_NOBODY.contains(way));
        let mut used = written.into_iter().filter(|(_, list)| !list.is_empty());
        let mut ends = Ends { peers: None, doubt: None };
        let mut chosen: Option<&str> = None;
        let mut peers = Vec::new();
        for (way, list) in &mut used {
            if way == "Requires" && self.settings.version.is_some_and(|version| version >= WITHOUT_REQUIREMENTS) {
                let place = rule.entry(&format!("{prefix}Requires")).unwrap_or(rule);
                self.remarks.push((place, format!("`{prefix}Requires` is no field of the Cilium that runs: it does nothing")));
                continue;
            }
            if way == "Requires" {
                self.unclear = Some(Cause::NotModelled(format!("`{prefix}Requires` (cilium.io)")));
                continue;
            }
            if let Some(other) = chosen.replace(way) {
                self.invalid.push((rule, format!("`{prefix}{other}` stands beside `{prefix}{way}`")));
            }
            if way == "Services" && has_ports {
                self.invalid.push((rule, "`toServices` stands beside `toPorts`".to_owned()));
            }
            for item in list {
                let doubt = self.peer(way, item, &mut peers);
                ends.doubt = ends.doubt.or(doubt);
            }
        }
        // A rule without anybody and without ports means nobody.
        if chosen.is_some() || is_nobody || !has_ports {
            ends.peers = Some(peers);
        }
        if is_nobody && let Some(peers) = &mut ends.peers {
            for peer in peers.drain(..) {
                self.policies.release_peer(&peer);
            }
        }
        ends
    }

    /// What one item of a list means; why that is not certain.
    fn peer(&mut self, way: &str, item: Value<'s>, peers: &mut Vec<Peer<'s>>) -> Option<Cause> {
        match way {
            "Endpoints" => return self.endpoints(item, peers),
            "Entities" => match self.entity(item.as_str().unwrap_or("")) {
                Some(entity) => peers.push(entity),
                None => self.refused.push((item, format!("`{}` is no entity", item.display()))),
            },
            "CIDR" => {
                if let Some(set) = self.address(item) {
                    peers.push(Peer::Addresses { block: self.policies.block(set), speaks_of_pods: false });
                }
            }
            "CIDRSet" => {
                if let Some(set) = self.block_set(item) {
                    peers.push(Peer::Addresses { block: self.policies.block(set), speaks_of_pods: false });
                }
            }
            "Nodes" => {
                match self.settings.reads_nodes {
                    Some(true) => {}
                    Some(false) => self.invalid.push((item, "rules about nodes need the setting `enable-node-selector-labels`".to_owned())),
                    None => self.unclear = Some(Cause::Setting("`enable-node-selector-labels` of Cilium".to_owned())),
                }
                if let Some(selector) = self.node_selector(item) {
                    peers.push(Peer::Nodes(selector));
                }
            }
            "Groups" => peers.push(Peer::Unsettled(Cause::CloudGroups)),
            "Services" => self.service(item, peers),
            "FQDNs" => {
                let has = |name| item.entry(name).and_then(Value::as_str).is_some_and(|name| !name.is_empty());
                if has("matchName") == has("matchPattern") {
                    self.invalid.push((item, "a name needs one of `matchName`, `matchPattern`".to_owned()));
                }
                peers.push(Peer::Domains);
            }
            _ => {}
        }
        None
    }

    /// What a word means that Cilium keeps for kinds of ends.
    pub(super) fn entity(&mut self, word: &str) -> Option<Peer<'s>> {
        let plain = |entity| Some(Peer::Entity(entity, None));
        match word {
            "all" => plain(Entity::All),
            "world" => plain(Entity::World),
            "world-ipv4" => plain(Entity::WorldOf(Family::V4)),
            "world-ipv6" => plain(Entity::WorldOf(Family::V6)),
            "host" => plain(Entity::Host),
            "remote-node" => plain(Entity::RemoteNode),
            "ingress" => plain(Entity::Ingress),
            "init" | "health" | "unmanaged" | "none" => plain(Entity::Nobody),
            "cluster" | "kube-apiserver" => {
                let servers = self.servers().map(|servers| self.policies.block(servers));
                Some(Peer::Entity(if word == "cluster" { Entity::Cluster } else { Entity::ApiServer }, servers))
            }
            _ => None,
        }
    }

    /// Where API servers listen, if that is known.
    fn servers(&mut self) -> Option<AddressSet> {
        let (namespace, name) = API_SERVER;
        self.policies.reads(Reads::Service(namespace, name));
        let assumed = self.ground.servers;
        let listed = self.ground.services.written(namespace, name).map(|addresses| singles(&addresses));
        listed.or_else(|| (!assumed.is_empty()).then(AddressSet::default)).map(|servers| servers.union(assumed))
    }

    /// A block, or one address.
    fn address(&mut self, item: Value<'s>) -> Option<AddressSet> {
        let text = item.as_str().unwrap_or("");
        if let Ok(address) = text.parse::<Address>() {
            return Some(singles(&[address]));
        }
        self.cidr(item).map(AddressSet::block)
    }

    fn cidr(&mut self, item: Value<'s>) -> Option<Cidr> {
        item.as_str().unwrap_or("").parse().map_err(|error: crate::address::NoCidr| self.refused.push((item, error.to_string()))).ok()
    }

    /// An item of a list of blocks with exceptions.
    fn block_set(&mut self, item: Value<'s>) -> Option<AddressSet> {
        self.known_fields(item, &["cidr", "cidrGroupRef", "cidrGroupSelector", "except"]);
        let (cidr, group, selector) = (item.entry("cidr"), item.entry("cidrGroupRef"), item.entry("cidrGroupSelector"));
        let mut outer = None;
        let mut set = match (cidr, group.and_then(Value::as_str), selector) {
            (Some(cidr), None, None) => {
                outer = self.cidr(cidr);
                AddressSet::block(outer?)
            }
            (None, Some(name), None) => {
                self.policies.reads(Reads::Blocks(name));
                let group = self.ground.snapshot.find_other(GROUP, BLOCKS, None, name);
                if group.is_none() {
                    self.remarks.push((item, format!("there is no {BLOCKS} `{name}`: no address is meant")));
                }
                group.map_or_else(AddressSet::default, blocks_of)
            }
            (None, None, Some(selector)) => {
                let wanted = self.node_selector(selector)?;
                self.policies.reads(Reads::AllBlocks);
                let groups = self.ground.snapshot.of_other(GROUP, BLOCKS);
                groups.filter(|group| wanted.matches(|key| group.label(key))).fold(AddressSet::default(), |sum, group| sum.union(&blocks_of(group)))
            }
            _ => {
                self.refused.push((item, "a set of blocks needs exactly one of `cidr`, `cidrGroupRef`, `cidrGroupSelector`".to_owned()));
                return None;
            }
        };
        for except in self.list(item, "except").unwrap_or_default() {
            let Some(inner) = self.cidr(except) else { continue };
            if outer.is_some_and(|outer| outer != inner && !outer.strictly_contains(inner) && !inner.strictly_contains(outer)) {
                self.invalid.push((except, format!("`{}` in `except` is not inside `{}`", except.display(), cidr.map_or_else(String::new, Value::display))));
            }
            set = set.difference(&AddressSet::block(inner));
        }
        Some(set)
    }

    /// What stands behind the Services that an item of `toServices` means.
    fn service(&mut self, item: Value<'s>, peers: &mut Vec<Peer<'s>>) {
        let (by_name, by_labels) = (item.entry("k8sService"), item.entry("k8sServiceSelector"));
        let named = by_name.map(|named| {
            let own = self.home.map_or("", |(_, name)| name);
            let namespace = named.entry("namespace").and_then(Value::as_str).filter(|name| !name.is_empty());
            (named.entry("serviceName").and_then(Value::as_str).unwrap_or(""), namespace.unwrap_or(own))
        });
        let wanted = by_labels.and_then(|labels| labels.get(field::SELECTOR)).map(|selector| Selector::read(selector, &mut self.refused));
        let within = by_labels.and_then(|labels| labels.entry("namespace")).and_then(Value::as_str).filter(|name| !name.is_empty());
        let is_meant = |service: &ObjectView<'s>| {
            named.is_none_or(|(name, namespace)| service.name() == name && service.namespace() == Some(namespace))
                && wanted.as_ref().is_none_or(|wanted| wanted.matches(|key| service.label(key)))
                && within.is_none_or(|namespace| service.namespace() == Some(namespace))
        };
        self.policies.reads(named.map_or(Reads::Services, |(name, namespace)| Reads::Service(namespace, name)));
        let services: Vec<_> = self.ground.snapshot.of_kind(Kind::Service).filter(is_meant).collect();
        for service in services {
            let Some(spec) = service.spec() else { continue };
            let namespace = service.namespace().unwrap_or("");
            match spec.get(field::SELECTOR).filter(|selector| !selector.is_empty()) {
                Some(selector) => {
                    let Some(number) = self.ground.inventory.namespace(namespace) else { continue };
                    let pods = self.policies.pod_selectors.add_in(Some(number), Selector::of_map(selector));
                    peers.push(Peer::Pods(PodMatch { namespaces: NamespaceMatch::One(number), pods, formula: None }));
                }
                None => peers.push(match self.ground.services.written(namespace, service.name()) {
                    Some(addresses) => Peer::Addresses { block: self.policies.block(singles(&addresses)), speaks_of_pods: false },
                    None => Peer::Unsettled(Cause::EndpointsUnknown),
                }),
            }
        }
    }
}

/// The blocks of a group.
fn blocks_of(group: ObjectView<'_>) -> AddressSet {
    let listed = group.spec().and_then(|spec| spec.entry("externalCIDRs")).into_iter().flat_map(Value::items);
    let blocks = listed.filter_map(|item| item.as_str()?.parse::<Cidr>().ok());
    blocks.fold(AddressSet::default(), |sum, block| sum.union(&AddressSet::block(block)))
}

pub(super) fn singles(addresses: &[Address]) -> AddressSet {
    addresses.iter().fold(AddressSet::default(), |sum, address| sum.union(&AddressSet::range(address.family, address.number, address.number)))
}
