//! Calico's policies: `NetworkPolicy` and `GlobalNetworkPolicy` of `projectcalico.org/v3` and as they are stored
//! (`crd.projectcalico.org/v1`), what belongs to them, and how they stand among NetworkPolicies and admin policies.
//!
//! Calico asks tiers in the order of their numbers, and in each the policies that select a pod in the order of theirs: the first
//! rule that matches decides, or passes on to the next tier; what no rule of a tier decides is refused if the tier says so.
//! NetworkPolicies stand in the tier `default` with the order 1000. Staged policies do nothing. What policies do to the traffic of
//! nodes (host endpoints) is not known here.
//!
//! Inside: [`selector`] is the language of selectors, [`meaning`] what its keys mean, [`tier`] the order of tiers, [`set`] what
//! has labels without being a pod, [`rule`] what rules ask, [`stored`] which objects are the same.

mod meaning;
mod rule;
pub(crate) mod selector;
mod set;
mod stored;
mod tier;

use bartizan_cluster::label::is_dns_subdomain;
use bartizan_cluster::{Kind, ObjectView, Snapshot, Value, field};

use super::unmodelled::Blur;
use super::{Direction, Isolates, Policies, Policy, shape};
use crate::inventory::{Inventory, count};
use crate::label::Refusal;
use crate::service::Services;
use crate::verdict::Cause;
use meaning::{Meaning, Place};
use set::Sets;
use stored::{is_current, is_group};
use tier::{DEFAULT_TIER, Tiers};

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

/// Whether interfaces of nodes have labels that policies of the whole cluster select.
pub(crate) fn has_host_endpoints(snapshot: &Snapshot) -> bool {
    snapshot.of_kind(Kind::Other).any(|object| is_group(object.group()) && object.kind_name() == "HostEndpoint")
}

/// Whether an object has a say in what its policies mean.
pub(crate) fn is_one(object: ObjectView<'_>) -> bool {
    is_group(object.group())
        && matches!(
            object.kind_name(),
            "NetworkPolicy" | "GlobalNetworkPolicy" | "Tier" | "NetworkSet" | "GlobalNetworkSet" | "HostEndpoint" | "IPPool" | "Profile" | "FelixConfiguration"
        )
}

/// Whether an object configures its agents.
pub(crate) fn is_configuration(object: ObjectView<'_>) -> bool {
    is_group(object.group()) && object.kind_name() == "FelixConfiguration"
}

/// Whether pools of addresses are in the input and none of them is encapsulated.
pub(crate) fn is_flat(snapshot: &Snapshot) -> bool {
    let is_never = |spec: Value<'_>, name: &str| spec.entry(name).and_then(Value::as_str).is_none_or(|mode| matches!(mode, "" | "Never"));
    let pools = || snapshot.of_kind(Kind::Other).filter(|object| is_group(object.group()) && object.kind_name() == "IPPool");
    pools().next().is_some() && pools().filter_map(ObjectView::spec).all(|spec| is_never(spec, "ipipMode") && is_never(spec, "vxlanMode"))
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

/// Reads every policy of Calico's, and tells what is not known because of them.
pub(crate) fn read_all<'s>(snapshot: &'s Snapshot, inventory: &Inventory<'s>, services: &Services<'s>, policies: &mut Policies<'s>) -> Vec<Blur> {
    let tiers = Tiers::read(snapshot, policies);
    let sets = Sets::read(snapshot, inventory, policies);
    policies.pod_space = Some(set::pod_space(snapshot));
    let mut reader = Reader { snapshot, inventory, services, policies, tiers, sets, blurs: Vec::new() };
    for object in snapshot.of_kind(Kind::Other).filter(|object| is_policy(*object) && is_current(snapshot, *object)) {
        reader.policy(object);
    }
    reader.policies.guarded_nodes = reader.sets.guarded_nodes();
    reader.blurs
}

struct Reader<'r, 's> {
    snapshot: &'s Snapshot,
    inventory: &'r Inventory<'s>,
    services: &'r Services<'s>,
    policies: &'r mut Policies<'s>,
    tiers: Tiers<'s>,
    sets: Sets,
    blurs: Vec<Blur>,
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
            let Some(number) = self.inventory.namespace(name) else { return };
            page.home = Some((number, self.inventory.namespace_name(number)));
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
        let is_for_hosts = is_global && hosts(&mut page, spec);
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
        let guards_hosts = is_global && self.sets.guard(&subject, self.inventory);
        if is_for_hosts {
            self.policies.forget(&drafts);
            self.about_hosts(object, spec, guards_hosts);
            return;
        }
        let subject = subject.to_wish(self.snapshot, &mut self.policies.absent_words);
        let subject = self.policies.wished(subject, home.map(|(number, _)| number));
        let Some(tier) = self.tiers.find(tier_name) else {
            let [ingress, egress] = [Direction::Ingress, Direction::Egress].map(|direction| types.contains(&direction));
            self.policies.forget(&drafts);
            let message = format!("the tier `{tier_name}` is not in the input; where the policy stands among others is not known");
            self.policies.remark(object, spec.entry("tier").unwrap_or(spec), message);
            self.blurs.push(Blur { subject, ingress, egress, may_add: true, cause: Cause::TierUnknown(tier_name.to_owned()) });
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
        if is_global && spec.entry("applyOnForward").and_then(Value::as_bool) == Some(true) {
            self.about_hosts(object, spec, guards_hosts);
        }
    }

    /// What a policy that reaches host endpoints makes unknown: if it selects any, everything that crosses a node.
    fn about_hosts(&mut self, object: ObjectView<'s>, spec: Value<'s>, guards_hosts: bool) {
        if !self.sets.has_hosts() {
            let message = "it is for host endpoints, and none is in the input: it changes nothing that is asked here";
            let is_for_hosts_alone = spec.entry("preDNAT").or_else(|| spec.entry("doNotTrack")).and_then(Value::as_bool) == Some(true);
            if is_for_hosts_alone {
                self.policies.remark(object, spec, message.to_owned());
            }
            return;
        }
        if !guards_hosts {
            return;
        }
        let subject = self.policies.everybody();
        self.blurs.push(Blur { subject, ingress: true, egress: true, may_add: false, cause: Cause::HostEndpoint });
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
    let mut terms: Vec<Meaning<'s>> = page.selector(spec, "selector", Place::Own).into_iter().collect();
    if page.home.is_none() {
        terms.extend(page.selector(spec, "namespaceSelector", Place::Namespace));
    }
    terms.extend(page.selector(spec, "serviceAccountSelector", Place::Account));
    Meaning::All(terms)
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

/// Whether a policy is for host endpoints and for nothing else.
fn hosts<'s>(page: &mut Page<'s>, spec: Value<'s>) -> bool {
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
    untracked || early
}

/// The namespaces in which its objects stand: they are there even if nothing else says so.
pub(crate) fn stands_in_namespace(object: ObjectView<'_>) -> bool {
    is_group(object.group()) && matches!(object.kind_name(), "NetworkPolicy" | "NetworkSet")
}
