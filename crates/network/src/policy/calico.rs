//! Calico's policies: `NetworkPolicy` and `GlobalNetworkPolicy` of `projectcalico.org/v3` and as they are stored
//! (`crd.projectcalico.org/v1`), what belongs to them, and how they stand among NetworkPolicies and admin policies.
//!
//! Calico asks tiers in the order of their numbers, and in each the policies that select a pod in the order of theirs: the first
//! rule that matches decides, or passes on to the next tier; what no rule of a tier decides is refused if the tier says so.
//! NetworkPolicies stand in the tier `default` with the order 1000. Staged policies do nothing. Policies of the whole cluster guard
//! host endpoints as well.
//!
//! Inside: [`selector`] is the language of selectors, [`meaning`] what its keys mean, [`tier`] the order of tiers, [`set`] what
//! has labels without being a pod, [`rule`] what rules ask, [`profile`] what stands behind all tiers, [`host`] the interfaces of nodes,
//! [`template`] which of these Calico makes,
//! [`failsafe`] what always passes them, [`stored`] which objects are the same.

mod change;
pub(crate) mod failsafe;
pub(crate) mod host;
mod meaning;
pub(crate) mod profile;
mod rule;
pub(crate) mod selector;
mod set;
mod stored;
mod template;
mod tier;

use std::sync::Arc;

use bartizan_cluster::label::is_dns_subdomain;
use bartizan_cluster::{ObjectView, Snapshot, Value, field};

use super::unmodelled::Blur;
use super::{Direction, Draft, Isolates, Policies, Policy, Reads, shape};
use crate::custom::Ground;
use crate::fabric;
use crate::inventory::{Inventory, count};
use crate::label::Refusal;
use crate::verdict::Cause;
use host::{HostReader, Phase};
use meaning::{Accounts, Key, Place};
use profile::Given;
use set::Sets;
use stored::{is_current, is_group};
use tier::{DEFAULT_TIER, Tiers};

pub(crate) use change::{concerns_everybody, is_pool, rivals};
pub(crate) use meaning::Meaning;

/// The order of NetworkPolicies in the tier `default`.
const NETWORK_POLICY_ORDER: f64 = 1_000.0;

/// So much of a text that is no selector is shown.
const SHOWN_MAX: usize = 80;

/// Who refuses what is refused here.
const CALICO: &str = "Calico";

/// Whether an object is a policy of Calico's that does something.
pub(crate) fn is_policy(object: ObjectView<'_>) -> bool {
    is_group(object.group()) && matches!(object.kind_name(), "NetworkPolicy" | "GlobalNetworkPolicy")
}

/// Whether a policy is of the whole cluster.
pub(crate) fn is_of_cluster(object: ObjectView<'_>) -> bool {
    is_group(object.group()) && object.kind_name() == "GlobalNetworkPolicy"
}

/// The policies that are for interfaces of nodes and for no pod.
pub(crate) fn for_hosts_alone(snapshot: &Snapshot) -> impl Iterator<Item = ObjectView<'_>> {
    let is_on = |object: &ObjectView<'_>, name| object.spec().and_then(|spec| spec.entry(name)).and_then(Value::as_bool) == Some(true);
    let policies = stored::objects(snapshot, "GlobalNetworkPolicy").filter(|object| is_current(snapshot, *object));
    policies.filter(move |object| is_on(object, "doNotTrack") || is_on(object, "preDNAT"))
}

/// Whether the selector of a policy says that it is for everything.
pub(crate) fn is_for_everything(policy: ObjectView<'_>) -> bool {
    let spec = policy.spec().unwrap_or(policy.root());
    let text = |name| spec.entry(name).and_then(Value::as_str).map_or("", str::trim);
    matches!(text("selector"), "" | "all()") && text("namespaceSelector").is_empty() && text("serviceAccountSelector").is_empty()
}

/// The kinds of objects that Calico alone goes by, with their groups: policies, and endpoints on nodes.
pub(crate) const KINDS: [(&str, &str); 6] = [
    ("projectcalico.org", "NetworkPolicy"),
    ("projectcalico.org", "GlobalNetworkPolicy"),
    ("projectcalico.org", "HostEndpoint"),
    ("crd.projectcalico.org", "NetworkPolicy"),
    ("crd.projectcalico.org", "GlobalNetworkPolicy"),
    ("crd.projectcalico.org", "HostEndpoint"),
];

/// Whether an object configures its agents.
pub(crate) fn is_configuration(object: ObjectView<'_>) -> bool {
    (is_group(object.group()) && object.kind_name() == "FelixConfiguration") || (object.group(), object.kind_name()) == INSTALLATION
}

/// What its operator is asked for.
const INSTALLATION: (&str, &str) = ("operator.tigera.io", "Installation");

/// Whether its agents guard by programs in the kernel rather than by tables: what they are told goes before what is configured, and that
/// before what the operator is asked for.
pub(crate) fn uses_bpf(snapshot: &Snapshot) -> bool {
    let told = fabric::told_to_calico(snapshot, "FELIX_BPFENABLED").map(|text| ["true", "t", "yes", "y", "1"].contains(&text.to_ascii_lowercase().as_str()));
    let written = || configurations(snapshot, "default").filter_map(|spec| spec.entry("bpfEnabled")?.as_bool()).last();
    let asked = || {
        let (group, kind) = INSTALLATION;
        let plane = |object: ObjectView<'_>| object.spec()?.entry("calicoNetwork")?.entry("linuxDataplane")?.as_str().map(|plane| plane == "BPF");
        snapshot.of_other(group, kind).filter_map(plane).last()
    };
    told.or_else(written).or_else(asked).unwrap_or(false)
}

/// Whether an object makes an interface of a node an endpoint, which Calico alone guards.
pub(crate) fn is_host_endpoint(object: ObjectView<'_>) -> bool {
    is_group(object.group()) && object.kind_name() == "HostEndpoint"
}

/// What configures its agents: for all of them (`default`), or for that of one node.
pub(crate) fn configurations<'s>(snapshot: &'s Snapshot, name: &str) -> impl Iterator<Item = Value<'s>> {
    let configured = stored::objects(snapshot, "FelixConfiguration").filter(move |object| object.name() == name);
    configured.filter_map(ObjectView::spec)
}

/// Whether pools of addresses are in the input and none of them is encapsulated.
pub(crate) fn is_flat(snapshot: &Snapshot) -> bool {
    host::has_tunnels(snapshot) == Some(false)
}

/// A number by which orders are compared: those of policies without one come last.
fn rank(order: f64) -> i64 {
    let bits = i64::from_ne_bytes(order.to_ne_bytes());
    if bits < 0 { bits ^ i64::MAX } else { bits }
}

/// The number by which NetworkPolicies stand among Calico's policies.
pub(crate) fn network_policy_rank() -> i64 {
    rank(NETWORK_POLICY_ORDER)
}

/// What policies of Calico's are read by, beside Services.
#[derive(Debug, Clone)]
pub(crate) struct Frame<'s> {
    tiers: Arc<Tiers<'s>>,
    sets: Arc<Sets>,
    accounts: Arc<Accounts<'s>>,
    /// Host endpoints while policies are read.
    hosts: HostReader<'s>,
    /// The namespaces whose profiles say more than that everything may pass, with whether they are there.
    profiled: Vec<(&'s str, bool)>,
    /// Whether host endpoints are there, or are made for nodes that come.
    may_have_hosts: bool,
}

impl<'s> Frame<'s> {
    /// Reads it.
    pub(crate) fn read(snapshot: &'s Snapshot, inventory: &Inventory<'s>, policies: &mut Policies<'s>) -> Self {
        let tiers = Tiers::read(snapshot, policies);
        let mut sets = Sets::read(snapshot, inventory, policies);
        let hosts = HostReader::read(snapshot, inventory, &mut sets, policies);
        policies.pod_space = Some(set::pod_space(snapshot));
        policies.given = Arc::new(Given::read(snapshot));
        Self {
            tiers: Arc::new(tiers),
            sets: Arc::new(sets),
            accounts: Arc::new(Accounts::read(snapshot)),
            may_have_hosts: !hosts.is_empty() || stored::objects(snapshot, "KubeControllersConfiguration").next().is_some(),
            hosts,
            profiled: Vec::new(),
        }
    }

    /// Reads what stands behind all policies, once every policy was read.
    pub(crate) fn finish(&mut self, ground: &Ground<'_, 's>, policies: &mut Policies<'s>) {
        let profiles = Reader { ground, frame: self, policies }.profiles();
        let hosts = std::mem::take(&mut self.hosts);
        policies.hosts = hosts.settle(ground.snapshot, ground.inventory, policies, &profiles).map(Arc::new);
    }
}

/// Reads a policy of Calico's, unless another object says the same later.
pub(crate) fn read<'s>(object: ObjectView<'s>, ground: &Ground<'_, 's>, frame: &mut Frame<'s>, policies: &mut Policies<'s>) {
    if is_current(ground.snapshot, object) {
        Reader { ground, frame, policies }.policy(object);
    }
}

struct Reader<'r, 's> {
    ground: &'r Ground<'r, 's>,
    frame: &'r mut Frame<'s>,
    policies: &'r mut Policies<'s>,
}

/// What is read of one policy, and what is wrong with it.
struct Page<'s> {
    /// The namespace of a policy of one namespace, by number and name.
    home: Option<(u32, &'s str)>,
    refused: Vec<Refusal<'s>>,
    remarks: Vec<Refusal<'s>>,
}

/// The fields of a policy; of one namespace, and of the whole cluster.
const FIELDS: [&str; 8] = ["tier", "order", "ingress", "egress", "selector", "types", "serviceAccountSelector", "performanceHints"];
const GLOBAL_FIELDS: [&str; 4] = ["doNotTrack", "preDNAT", "applyOnForward", "namespaceSelector"];

impl<'s> Page<'s> {
    fn refuse(&mut self, place: Value<'s>, message: impl Into<String>) {
        self.refused.push((place, message.into()));
    }

    /// The string of a field; empty where there is none.
    fn text(&mut self, of: Value<'s>, name: &str) -> &'s str {
        match of.entry(name) {
            Some(value) => value.as_str().unwrap_or_else(|| {
                self.refuse(value, format!("`{name}` must be a string"));
                ""
            }),
            None => "",
        }
    }

    /// The items of a list.
    fn list(&mut self, of: Value<'s>, name: &str) -> Vec<Value<'s>> {
        let Some(value) = of.entry(name) else { return Vec::new() };
        if !value.is_list() {
            self.refuse(value, format!("`{name}` must be a list"));
        }
        value.items().collect()
    }

    fn flag(&mut self, of: Value<'s>, name: &str) -> bool {
        let Some(value) = of.entry(name) else { return false };
        value.as_bool().unwrap_or_else(|| {
            self.refuse(value, format!("`{name}` must be `true` or `false`"));
            false
        })
    }

    /// A selector, as what it means at its place; none where none is written.
    fn selector(&mut self, of: Value<'s>, name: &str, place: Place) -> Option<Meaning<'s>> {
        let text = self.text(of, name);
        let value = of.entry(name).filter(|_| !text.is_empty())?;
        if text.contains("global(") && place != Place::NamespaceOfRule {
            self.refuse(value, "`global()` stands in the `namespaceSelector` of a rule and nowhere else");
        }
        match selector::parse(text) {
            Ok(read) => {
                if place == Place::NamespaceOfRule && text.contains("global(") && read != selector::Expression::Global {
                    self.refuse(value, "`global()` stands alone");
                }
                Some(Meaning::of(read, place))
            }
            Err(error) => {
                let shown: String = text.chars().take(SHOWN_MAX).collect();
                let rest = if shown.len() < text.len() { "…" } else { "" };
                self.refuse(value, format!("`{shown}{rest}` is no selector: {error}"));
                None
            }
        }
    }

    /// Tells the fields that nobody reads.
    fn strange_fields(&mut self, of: Value<'s>, known: &[&str]) {
        for (key, value) in of.entries().filter(|(key, _)| !known.contains(key)) {
            self.remarks.push((value, format!("Calico drops the unknown field `{key}`")));
        }
    }
}

impl<'s> Reader<'_, 's> {
    fn policy(&mut self, object: ObjectView<'s>) {
        let is_global = object.kind_name() == "GlobalNetworkPolicy";
        let mut page = Page { home: None, refused: Vec::new(), remarks: Vec::new() };
        if !is_global {
            let name = object.namespace().unwrap_or("default");
            let Some(number) = self.ground.inventory.namespace(name) else { return };
            page.home = Some((number, self.ground.inventory.namespace_name(number)));
        }
        if !is_dns_subdomain(object.name()) {
            page.refuse(object.root(), format!("`{}` is no name of a policy", object.name()));
        }
        let spec = object.spec().unwrap_or(object.root());
        if object.spec().is_some() {
            let known: Vec<&str> = FIELDS.into_iter().chain(GLOBAL_FIELDS.into_iter().filter(|_| is_global)).collect();
            page.strange_fields(spec, &known);
        }
        let order = order(&mut page, spec);
        let subject = subject(&mut page, spec);
        let types = types(&mut page, spec);
        let host_phase = if is_global { hosts(&mut page, spec) } else { None };
        let drafts = [Direction::Ingress, Direction::Egress].map(|direction| self.rules(&mut page, spec, direction));
        let tier_name = Some(page.text(spec, "tier")).filter(|name| !name.is_empty()).unwrap_or(DEFAULT_TIER);
        let Page { home, mut refused, remarks, .. } = page;
        refused.extend(shape::misfits(object, object.spec(), &shape::CALICO, &refused));
        if !refused.is_empty() {
            self.policies.forget(&drafts);
            self.policies.refuse_by(CALICO, object, refused);
            return;
        }
        for (place, message) in remarks {
            self.policies.remark(object, place, message);
        }
        let guarded = if is_global { self.frame.hosts.select(object, &subject, &self.frame.sets, self.ground.inventory) } else { Vec::new() };
        if let Some(phase) = host_phase {
            self.for_hosts_alone(object, phase, &types, order, drafts, &guarded);
            return;
        }
        let subject = self.wish(&subject);
        let subject = self.policies.wished(subject, home.map(|(number, _)| number));
        self.policies.reads(Reads::Tier(tier_name));
        let Some(tier) = self.frame.tiers.find(tier_name) else {
            let [ingress, egress] = [Direction::Ingress, Direction::Egress].map(|direction| types.contains(&direction));
            self.policies.forget(&drafts);
            let message = format!("the tier `{tier_name}` is not in the input; where the policy stands among others is not known");
            self.policies.remark(object, spec.entry("tier").unwrap_or(spec), message);
            let cause = Cause::TierUnknown(tier_name.to_owned());
            self.frame.hosts.doubt(&guarded, &cause);
            self.policies.blur(Blur { subject, ingress, egress, may_add: true, cause });
            return;
        };
        if tier_name == DEFAULT_TIER && rank(order) == network_policy_rank() {
            let message =
                "the order 1000 is also that of NetworkPolicies; versions of Calico differ in which are asked first, and this one counts as the first";
            self.policies.remark(object, spec.entry("order").unwrap_or(spec), message.to_owned());
        }
        let number = count(self.policies.list.len());
        let mut drafts = drafts.into_iter();
        let [ingress, egress] = [Direction::Ingress, Direction::Egress].map(|direction| {
            let drafts = drafts.next().unwrap_or_default();
            if types.contains(&direction) {
                return Some(self.policies.add_rules(number, subject, direction, drafts));
            }
            self.policies.forget(&[drafts]);
            None
        });
        let isolates = Isolates { ingress: tier.isolates, egress: tier.isolates };
        self.policies.add(Policy { object, tier: tier.tier, priority: tier.rank_of(order), subject, ingress, egress, isolates });
        self.frame.hosts.give(&guarded, Phase::Own, number);
        if spec.entry("applyOnForward").and_then(Value::as_bool) == Some(true) {
            self.frame.hosts.give(&guarded, Phase::Forwarded, number);
        }
    }

    /// A policy that is for host endpoints and for no pod.
    fn for_hosts_alone(&mut self, object: ObjectView<'s>, phase: Phase, types: &[Direction], order: f64, drafts: [Vec<Draft<'s>>; 2], guarded: &[usize]) {
        let spec = object.spec().unwrap_or(object.root());
        if self.frame.hosts.is_empty() {
            self.policies.remark(object, spec, "it is for host endpoints, and none is in the input: it changes nothing that is asked here".to_owned());
        }
        let tier_name = spec.entry("tier").and_then(Value::as_str).filter(|name| !name.is_empty()).unwrap_or(DEFAULT_TIER);
        let tier = self.frame.tiers.find(tier_name);
        let Some(tier) = tier.filter(|_| !guarded.is_empty()) else {
            self.policies.forget(&drafts);
            if tier.is_none() {
                self.frame.hosts.doubt(guarded, &Cause::TierUnknown(tier_name.to_owned()));
            }
            return;
        };
        let take = |reader: &mut Self, phase: Phase, drafts: [Vec<Draft<'s>>; 2], is_meant: [bool; 2]| {
            let subject = reader.policies.everybody();
            let number = count(reader.policies.list.len());
            let mut sides = drafts.into_iter().zip([Direction::Ingress, Direction::Egress]).zip(is_meant);
            let mut side = || {
                let ((drafts, direction), is_meant) = sides.next()?;
                if is_meant {
                    return Some(reader.policies.add_rules(number, subject, direction, drafts));
                }
                reader.policies.forget(&[drafts]);
                None
            };
            let (ingress, egress) = (side(), side());
            // It has a name for its rules, and is none of the policies of pods.
            reader.policies.list.push(Policy { object, tier: tier.tier, priority: tier.rank_of(order), subject, ingress, egress, isolates: Isolates::NEITHER });
            reader.frame.hosts.give(guarded, phase, number);
        };
        let is_meant = [Direction::Ingress, Direction::Egress].map(|direction| types.contains(&direction));
        let [ingress_meant, egress_meant] = is_meant;
        if phase == Phase::Untracked {
            let [ingress, egress] = self.rules_for_answers(spec);
            // Answers to what comes in go out.
            take(self, Phase::Answers, [egress, ingress], [egress_meant, ingress_meant]);
        }
        take(self, phase, drafts, is_meant);
    }
}

/// The order of a policy; one that has none comes last.
fn order<'s>(page: &mut Page<'s>, spec: Value<'s>) -> f64 {
    let Some(value) = spec.entry("order") else { return f64::INFINITY };
    tier::number(value).unwrap_or_else(|| {
        page.refuse(value, "`order` must be a number");
        f64::INFINITY
    })
}

/// The endpoints that a policy is about.
fn subject<'s>(page: &mut Page<'s>, spec: Value<'s>) -> Meaning<'s> {
    let own = page.selector(spec, "selector", Place::Own);
    let namespaces = if page.home.is_none() { page.selector(spec, "namespaceSelector", Place::Namespace) } else { None };
    let accounts = page.selector(spec, "serviceAccountSelector", Place::Account);
    let ground = if namespaces.is_some() { Some(Key::NamespaceName) } else { accounts.is_some().then_some(Key::AccountName) };
    let terms = [own, namespaces, accounts].into_iter().flatten();
    Meaning::All(terms.map(|term| ground.map_or_else(|| term.clone(), |key| term.clone().grounded(key))).collect())
}

/// The directions in which a policy applies; where it does not say, those of which it has rules, and ingress if it has none.
fn types<'s>(page: &mut Page<'s>, spec: Value<'s>) -> Vec<Direction> {
    let has = |name| spec.get(name).is_some_and(|rules| !rules.is_empty());
    let written = page.list(spec, "types");
    if written.is_empty() {
        return match (has(field::INGRESS), has(field::EGRESS)) {
            (_, false) => vec![Direction::Ingress],
            (false, true) => vec![Direction::Egress],
            (true, true) => vec![Direction::Ingress, Direction::Egress],
        };
    }
    let mut types = Vec::new();
    for item in written {
        let direction = match item.as_str().unwrap_or("") {
            "Ingress" => Direction::Ingress,
            "Egress" => Direction::Egress,
            _ => {
                page.refuse(item, format!("type `{}` is none of `Ingress`, `Egress`", item.display()));
                continue;
            }
        };
        if types.contains(&direction) {
            page.refuse(item, format!("type `{}` stands twice", direction.name()));
        }
        types.push(direction);
    }
    types
}

/// The phase of a policy that is for host endpoints and for nothing else.
fn hosts<'s>(page: &mut Page<'s>, spec: Value<'s>) -> Option<Phase> {
    let [untracked, early, forward] = ["doNotTrack", "preDNAT", "applyOnForward"].map(|name| page.flag(spec, name));
    if untracked && early {
        page.refuse(spec, "`doNotTrack` and `preDNAT` exclude each other");
    }
    if (untracked || early) && !forward {
        page.refuse(spec, "`doNotTrack` and `preDNAT` need `applyOnForward: true`");
    }
    if early {
        let is_egress = |item: Value<'_>| item.as_str() == Some("Egress");
        let egress = spec.get(field::EGRESS).filter(|rules| !rules.is_empty());
        let egress = egress.or_else(|| spec.entry("types").and_then(|types| types.items().find(|item| is_egress(*item))));
        if let Some(place) = egress {
            page.refuse(place, "a policy with `preDNAT` has no egress");
        }
    }
    match (untracked, early) {
        (true, _) => Some(Phase::Untracked),
        (false, true) => Some(Phase::Early),
        (false, false) => None,
    }
}

/// The namespaces in which its objects stand: they are there even if nothing else says so.
pub(crate) fn stands_in_namespace(object: ObjectView<'_>) -> bool {
    is_group(object.group()) && matches!(object.kind_name(), "NetworkPolicy" | "NetworkSet")
}
