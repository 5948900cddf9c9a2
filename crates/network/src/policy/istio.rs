//! `AuthorizationPolicy` of Istio: what the proxies in front of pods are told to let through, as far as a connection shows it. What
//! depends on requests (methods, paths, hosts, tokens) is kept as a doubt. What proxies make of it is told in `gate`.

use bartizan_cluster::{ObjectView, Snapshot, Value, field};

use super::{NamespaceMatch, PodMatch, Policies, shape};
use crate::address::AddressSet;
use crate::inventory::Inventory;
use crate::label::{Refusal, Selector, misshapen};
use crate::mesh::{Mesh, SECURITY};
use crate::traffic::{Protocol, Traffic};

/// The label by which pods of a gateway are known.
const GATEWAY_LABEL: &str = "gateway.networking.k8s.io/gateway-name";

/// What makes a policy one that nothing enforces.
const DRY_RUN: &str = "istio.io/dry-run";

/// The longest value of a label.
const LABEL_MAX: usize = 63;

/// Who refuses it beyond its schema.
const WEBHOOK: &str = "Istio";

/// What a policy does with what its rules match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Allow,
    Deny,
    /// Somebody else is asked.
    Custom,
}

/// One policy.
#[derive(Debug)]
pub(crate) struct Guard<'s> {
    pub(crate) object: ObjectView<'s>,
    pub(crate) verb: Verb,
    pub(crate) subject: PodMatch,
    /// Any of these.
    pub(crate) rules: Vec<GuardRule<'s>>,
    /// Whether gateways enforce it, and proxies of pods do not.
    pub(crate) is_for_gateways: bool,
    /// Whether waypoints enforce it, for what is addressed to Services.
    pub(crate) is_for_services: bool,
}

/// One rule: somebody, doing something, when all of this holds.
#[derive(Debug)]
pub(crate) struct GuardRule<'s> {
    /// Where it stands.
    pub(crate) place: Value<'s>,
    /// Any of these, each of which is all of its tests; empty: everybody.
    pub(crate) from: Vec<Vec<Test<'s>>>,
    /// Any of these; empty: everything.
    pub(crate) to: Vec<Operation>,
    /// All of these.
    pub(crate) when: Vec<Test<'s>>,
}

/// What is done.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) traffic: Traffic,
    /// What it asks of requests.
    pub(crate) asks: Option<&'static str>,
}

impl<'s> Guard<'s> {
    /// What its rules ask of connections.
    pub(crate) fn tests(&self) -> impl Iterator<Item = &Test<'s>> {
        self.rules.iter().flat_map(|rule| rule.from.iter().flatten().chain(&rule.when))
    }

    /// Whether proxies enforce it for what is addressed to pods.
    pub(crate) fn concerns_pods(&self) -> bool {
        !self.is_for_services
    }

    /// The sets of addresses that it reads, by number.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = u32> {
        self.tests().filter_map(Test::block)
    }
}

impl GuardRule<'_> {
    /// Whether it looks at anything that the proxy of a node does not see.
    pub(crate) fn is_beyond_nodes(&self) -> bool {
        let is_beyond = |test: &Test<'_>| matches!(test.of, Trait::Request(_) | Trait::Remote(_));
        self.to.iter().any(|operation| operation.asks.is_some())
            || self.from.iter().flatten().any(is_beyond)
            || self.when.iter().any(|test| is_beyond(test) || matches!(test.of, Trait::Account(_)))
    }
}

/// Something that must hold of a connection: one of these values, or none of them.
#[derive(Debug)]
pub(crate) struct Test<'s> {
    pub(crate) is_negative: bool,
    pub(crate) of: Trait<'s>,
}

impl Test<'_> {
    /// The set of addresses that it reads, by its number.
    pub(crate) fn block(&self) -> Option<u32> {
        match self.of {
            Trait::Address(block) | Trait::Remote(block) | Trait::Destination(block) => Some(block),
            _ => None,
        }
    }
}

/// What a test looks at.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trait<'s> {
    /// `domain/ns/namespace/sa/account`, with a star at an end.
    Principal(Vec<&'s str>),
    Namespace(Vec<&'s str>),
    /// Namespace and name.
    Account(Vec<(&'s str, &'s str)>),
    /// The address that the proxy sees, by the number of the set.
    Address(u32),
    /// The address where the connection came from before proxies, by the number of the set.
    Remote(u32),
    /// The address at which it ends, by the number of the set.
    Destination(u32),
    Ports(Traffic),
    /// Something of requests.
    Request(String),
}

impl Trait<'_> {
    /// Whether it depends on who connects.
    pub(crate) fn is_about_clients(&self) -> bool {
        match self {
            Trait::Principal(_) | Trait::Namespace(_) | Trait::Account(_) | Trait::Address(_) | Trait::Remote(_) => true,
            Trait::Destination(_) | Trait::Ports(_) | Trait::Request(_) => false,
        }
    }
}

/// Whether an object is a policy of this kind.
pub(crate) fn is_one(object: ObjectView<'_>) -> bool {
    object.group() == SECURITY && object.kind_name() == "AuthorizationPolicy"
}

/// Reads a policy of this kind.
pub(crate) fn read<'s>(object: ObjectView<'s>, snapshot: &'s Snapshot, inventory: &Inventory<'s>, mesh: &Mesh<'s>, policies: &mut Policies<'s>) {
    let is_current = snapshot.find_other(SECURITY, object.kind_name(), object.namespace(), object.name()).is_none_or(|found| found.id() == object.id());
    if !is_current {
        return;
    }
    let home = object.namespace().unwrap_or("");
    let namespaces = if home == mesh.root() {
        NamespaceMatch::Selected(policies.namespace_selectors.add(Selector::everything()))
    } else if let Some(number) = inventory.namespace(home) {
        NamespaceMatch::One(number)
    } else {
        return;
    };
    let mut reader = Reader { policies, home, refused: Vec::new(), invalid: Vec::new(), remarks: Vec::new() };
    let (verb, guard) = reader.guard(object, namespaces);
    let Reader { mut refused, invalid, remarks, .. } = reader;
    let told: Vec<Refusal<'s>> = refused.iter().chain(&invalid).cloned().collect();
    refused.extend(shape::misfits(object, object.spec(), &shape::AUTHORIZATION, &told));
    for (place, message) in remarks {
        policies.remark(object, place, message);
    }
    let is_dry = object.annotation(DRY_RUN) == Some("true");
    let is_sound = refused.is_empty() && invalid.is_empty();
    match verb.filter(|_| is_sound && !is_dry) {
        Some(verb) => policies.guard(Guard { verb, ..guard }),
        None => policies.release_guard(&guard),
    }
    if is_dry {
        policies.remark(object, object.spec().unwrap_or(object.root()), format!("`{DRY_RUN}` is on: nothing enforces the policy"));
        return;
    }
    policies.refuse(object, refused);
    policies.refuse_by(WEBHOOK, object, invalid);
}

/// Notes by which labels a policy about mutual TLS tells pods apart.
pub(crate) fn note_peers<'s>(object: ObjectView<'s>, inventory: &Inventory<'s>, policies: &mut Policies<'s>) {
    if let Some(selector) = object.spec().and_then(|spec| spec.get(field::SELECTOR)) {
        let home = object.namespace().and_then(|name| inventory.namespace(name));
        let noted = policies.pod_selectors.add_in(home, Selector::read(selector, &mut Vec::new()));
        policies.notes(noted);
    }
}

/// Tells what the API server refuses of a policy about mutual TLS. What it says counts all the same: clusters hold such from before.
pub(crate) fn remark_on_peers<'s>(policy: ObjectView<'s>, policies: &mut Policies<'s>) {
    for (place, message) in peer_refusals(policy) {
        policies.remark(policy, place, shape::of_creation(&message));
    }
}

fn peer_refusals(policy: ObjectView<'_>) -> Vec<Refusal<'_>> {
    let mut found = shape::misfits(policy, policy.spec(), &shape::PEERS, &[]);
    let Some(spec) = policy.spec().filter(|spec| spec.is_map() && policy.uid().is_none()) else { return found };
    let Some(ports) = spec.entry("portLevelMtls").filter(|ports| ports.is_map()) else { return found };
    let selects = spec.get(field::SELECTOR).and_then(|selector| selector.get(field::MATCH_LABELS)).is_some_and(|labels| !labels.is_empty());
    if ports.is_empty() {
        found.push((ports, "`portLevelMtls` is empty".to_owned()));
    } else if !selects {
        found.push((ports, "`portLevelMtls` needs a `selector`".to_owned()));
    }
    for (port, setting) in ports.entries() {
        if !port.parse::<u16>().is_ok_and(|port| port != 0) {
            found.push((setting, format!("`{port}` is no port: ports are 1 to 65535")));
        }
        found.extend(shape::misfits(policy, Some(setting), &shape::PORT_MTLS, &[]));
    }
    found
}

struct Reader<'p, 's> {
    policies: &'p mut Policies<'s>,
    home: &'s str,
    /// What the API server refuses.
    refused: Vec<Refusal<'s>>,
    /// What Istio's webhook refuses.
    invalid: Vec<Refusal<'s>>,
    remarks: Vec<Refusal<'s>>,
}

/// Of the name of a field, whether it is about what must not be, and the name of what it is about.
fn negated(name: &str) -> (bool, String) {
    match name.strip_prefix("not").filter(|rest| rest.starts_with(|letter: char| letter.is_ascii_uppercase())) {
        Some(rest) => (true, rest.chars().take(1).map(|letter| letter.to_ascii_lowercase()).chain(rest.chars().skip(1)).collect()),
        None => (false, name.to_owned()),
    }
}

fn is_gateway(reference: &Value<'_>) -> bool {
    reference.str(field::KIND) == Some("Gateway")
}

/// Everything that proxies look at.
fn all_ports() -> Traffic {
    Traffic::of_protocol(Protocol::Tcp)
}

impl<'s> Reader<'_, 's> {
    /// What a policy says, with what it does; none for that where nothing is enforced, or it is refused.
    fn guard(&mut self, object: ObjectView<'s>, namespaces: NamespaceMatch) -> (Option<Verb>, Guard<'s>) {
        let spec = object.spec().filter(|spec| !spec.is_null());
        if let Some(spec) = spec.filter(|spec| !spec.is_map()) {
            self.refused.push((spec, "`spec` is no object".to_owned()));
        }
        let written = |name: &str| spec.and_then(|spec| spec.entry(name)).filter(|value| !value.is_null());
        let provider = written("provider");
        let verb = match written("action").map(Value::display).as_deref() {
            None | Some("ALLOW") => Some(Verb::Allow),
            Some("DENY") => Some(Verb::Deny),
            Some("CUSTOM") => Some(Verb::Custom),
            // It is written down what it matches, and nothing else.
            Some("AUDIT") => None,
            Some(other) => {
                let place = written("action").unwrap_or(object.root());
                self.refused.push((place, format!("action `{other}` is none of `ALLOW`, `DENY`, `CUSTOM`, `AUDIT`")));
                None
            }
        };
        if (verb == Some(Verb::Custom)) != provider.is_some() {
            self.invalid.push((provider.or(spec).unwrap_or(object.root()), "`provider` and action `CUSTOM` stand together".to_owned()));
        }
        let selector = written("selector");
        let references = written("targetRefs").into_iter().flat_map(Value::items).chain(written("targetRef"));
        let references: Vec<Value<'s>> = references.collect();
        if let Some(reference) = written("targetRef").filter(|_| written("targetRefs").is_some_and(|listed| !listed.is_empty())) {
            self.refused.push((reference, "`targetRef` stands beside `targetRefs`".to_owned()));
        }
        if let Some(&reference) = references.first().filter(|_| selector.is_some()) {
            self.invalid.push((reference, "`targetRefs` stands beside `selector`".to_owned()));
        }
        let pods = match (selector, references.as_slice()) {
            (Some(selector), _) => self.selector(selector),
            (None, references) if references.iter().any(is_gateway) => {
                let gateways = references.iter().filter(|reference| is_gateway(reference));
                let names = gateways.map(|gateway| gateway.str(field::NAME).unwrap_or("")).collect();
                Selector::of_tests(vec![(GATEWAY_LABEL, crate::label::Test::In(names))])
            }
            _ => Selector::everything(),
        };
        let listed = self.list(spec, "rules").unwrap_or_default();
        let rules = listed.into_iter().filter_map(|rule| self.rule(rule)).collect();
        let subject = PodMatch { namespaces, pods: self.policies.pod_selectors.add_in(namespaces.scope(), pods), formula: None };
        let (is_for_gateways, is_for_services) = (!references.is_empty(), !references.is_empty() && !references.iter().any(is_gateway));
        (verb, Guard { object, verb: Verb::Allow, subject, rules, is_for_gateways, is_for_services })
    }

    fn selector(&mut self, selector: Value<'s>) -> Selector<'s> {
        if !selector.is_map() {
            self.refused.push((selector, "a selector is no object".to_owned()));
        }
        self.refused.extend(misshapen(selector));
        let labels = selector.get(field::MATCH_LABELS).into_iter().flat_map(Value::entries);
        for (key, value) in labels {
            if value.as_str().is_some_and(|text| text.len() > LABEL_MAX) {
                self.refused.push((value, format!("a label is longer than {LABEL_MAX} bytes")));
            }
            if key.is_empty() || key.contains('*') || value.as_str().is_some_and(|value| value.contains('*')) {
                self.invalid.push((value, "labels have no stars".to_owned()));
            }
        }
        selector.get(field::MATCH_LABELS).map_or_else(Selector::everything, Selector::of_map)
    }

    /// The items of a list; none if it is not written. What is no list is refused.
    fn list(&mut self, value: Option<Value<'s>>, name: &str) -> Option<Vec<Value<'s>>> {
        let list = value?.entry(name).filter(|list| !list.is_null())?;
        if !list.is_list() {
            self.refused.push((list, format!("`{name}` is no list")));
            return None;
        }
        Some(list.items().collect())
    }

    fn rule(&mut self, rule: Value<'s>) -> Option<GuardRule<'s>> {
        if !rule.is_map() {
            self.refused.push((rule, "a rule is no object".to_owned()));
            return None;
        }
        let mut parts = |name: &str, inner: &str| -> Vec<Value<'s>> {
            let Some(list) = self.list(Some(rule), name) else { return Vec::new() };
            if list.is_empty() {
                self.invalid.push((rule, format!("`{name}` is empty")));
            }
            let mut found = Vec::new();
            for item in list {
                match item.entry(inner).filter(|inner| inner.is_map() && !inner.is_empty()) {
                    Some(inner) => found.push(inner),
                    None => self.invalid.push((item, format!("an item of `{name}` needs a `{inner}` that says something"))),
                }
            }
            found
        };
        let (sources, operations) = (parts("from", "source"), parts("to", "operation"));
        let from = sources.into_iter().map(|source| self.source(source)).collect();
        let to = operations.into_iter().map(|operation| self.operation(operation)).collect();
        let conditions = self.list(Some(rule), "when").unwrap_or_default();
        let when = conditions.into_iter().flat_map(|condition| self.condition(condition)).collect();
        Some(GuardRule { place: rule, from, to, when })
    }

    /// The texts of a list of one field.
    fn texts(&mut self, value: Value<'s>, name: &str) -> Vec<&'s str> {
        let Some(list) = self.list(Some(value), name) else { return Vec::new() };
        let mut found = Vec::new();
        for item in list {
            match item.as_str().filter(|text| !text.is_empty()) {
                Some(text) => found.push(text),
                None => self.invalid.push((item, format!("`{name}` holds something that says nothing"))),
            }
        }
        found
    }

    fn source(&mut self, source: Value<'s>) -> Vec<Test<'s>> {
        let mut tests = Vec::new();
        for (name, written) in source.entries() {
            let (is_negative, plain) = negated(name);
            let of = match plain.as_str() {
                "principals" => Trait::Principal(self.texts(source, name)),
                "namespaces" => Trait::Namespace(self.texts(source, name)),
                "serviceAccounts" => {
                    Trait::Account(self.texts(source, name).into_iter().map(|text| text.split_once('/').unwrap_or((self.home, text))).collect())
                }
                "ipBlocks" => Trait::Address(self.blocks(source, name)),
                "remoteIpBlocks" => Trait::Remote(self.blocks(source, name)),
                "requestPrincipals" => Trait::Request(name.to_owned()),
                _ => {
                    self.remarks.push((written, format!("the API server drops the unknown field `{}`", written.path())));
                    continue;
                }
            };
            tests.push(Test { is_negative, of });
        }
        if tests.iter().any(|test| matches!(test.of, Trait::Account(_)))
            && tests.iter().any(|test| matches!(test.of, Trait::Principal(_) | Trait::Namespace(_)))
        {
            self.invalid.push((source, "`serviceAccounts` stands beside `principals` or `namespaces`".to_owned()));
        }
        tests
    }

    fn blocks(&mut self, source: Value<'s>, name: &str) -> u32 {
        let mut set = AddressSet::default();
        for item in self.list(Some(source), name).unwrap_or_default() {
            match AddressSet::written(item.as_str().unwrap_or("")) {
                Some(block) => set = set.union(&block),
                None => self.invalid.push((item, format!("`{}` is no block of addresses", item.display()))),
            }
        }
        self.policies.block(set)
    }

    fn operation(&mut self, operation: Value<'s>) -> Operation {
        let mut traffic = all_ports();
        let mut asks = None;
        for (name, written) in operation.entries() {
            let (is_negative, plain) = negated(name);
            match plain.as_str() {
                "ports" => {
                    let ports = self.ports(operation, name);
                    traffic = if is_negative { traffic.difference(&ports) } else { traffic.intersection(&ports) };
                }
                "methods" => asks = Some("methods"),
                "paths" => asks = Some("paths"),
                "hosts" => asks = Some("hosts"),
                _ => self.remarks.push((written, format!("the API server drops the unknown field `{}`", written.path()))),
            }
        }
        Operation { traffic, asks }
    }

    fn ports(&mut self, value: Value<'s>, name: &str) -> Traffic {
        let listed = self.list(Some(value), name).unwrap_or_default();
        let mut traffic = Traffic::none();
        for item in listed {
            match item.as_str().and_then(|text| text.parse::<u16>().ok()).filter(|&port| port != 0) {
                Some(port) => traffic = traffic.union(&Traffic::ports(Protocol::Tcp, port, port)),
                None => self.invalid.push((item, format!("`{}` is no port: ports stand in quotes, from 1 to 65535", item.display()))),
            }
        }
        traffic
    }

    /// A condition: one of its values, and none of those that must not be.
    fn condition(&mut self, condition: Value<'s>) -> Vec<Test<'s>> {
        let Some(key) = condition.str(field::KEY).filter(|key| !key.is_empty()) else {
            self.invalid.push((condition, "a condition needs `key`".to_owned()));
            return Vec::new();
        };
        let named = ["values", "notValues"].map(|name| (name, condition.entry(name).is_some_and(|list| !list.is_empty())));
        if named.iter().all(|(_, is_said)| !is_said) {
            self.invalid.push((condition, "a condition needs one of `values`, `notValues`".to_owned()));
        }
        let mut tests = Vec::new();
        for (name, _) in named.into_iter().filter(|(_, is_said)| *is_said) {
            let of = match key {
                "source.ip" => Trait::Address(self.blocks(condition, name)),
                "remote.ip" => Trait::Remote(self.blocks(condition, name)),
                "destination.ip" => Trait::Destination(self.blocks(condition, name)),
                "source.namespace" => Trait::Namespace(self.texts(condition, name)),
                "source.principal" => Trait::Principal(self.texts(condition, name)),
                "source.serviceAccount" => {
                    Trait::Account(self.texts(condition, name).into_iter().map(|text| text.split_once('/').unwrap_or((self.home, text))).collect())
                }
                "destination.port" => Trait::Ports(self.ports(condition, name)),
                _ if key.starts_with("request.") || key == "connection.sni" || key.starts_with("experimental.envoy.filters.") => Trait::Request(key.to_owned()),
                _ => {
                    self.invalid.push((condition, format!("`{key}` is nothing that a condition can look at")));
                    continue;
                }
            };
            tests.push(Test { is_negative: name == "notValues", of });
        }
        tests
    }
}
