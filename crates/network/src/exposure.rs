//! Who could talk to a workload that does not exist yet: pods that somebody could start, as the selectors of rules describe them.
//!
//! Every pair of selectors in a rule describes such a pod, and so does having neither a label nor a known namespace. Each is
//! asked about like any other pod, in the direction that the workload's own policies guard: what would hold it back on its
//! own side cannot be known. In Kubernetes' model it has the fewest labels that its selectors ask for, so that everybody can
//! start one and look. In np-guard's it has no labels, but the tests that its selectors make; what rules make the same tests mean it.

use std::collections::{BTreeMap, BTreeSet};

use bartizan_cluster::{Value, field};

use crate::connectivity::{Connectivity, Side};
use crate::door::Door;
use crate::grouping::UnitId;
use crate::inventory::NAMESPACE_NAME_LABEL;
use crate::label::Selector;
use crate::policy::formula::{Formula, Reads};
use crate::policy::{Direction, NamespaceMatch, Peer, PodMatch};
use crate::traffic::{Bounds, Protocol, Traffic};
use crate::verdict::{Cause, Member, Party, Trace};
use crate::{Model, Network};

/// A pod that does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Imagined {
    /// What describes it; a namespace of the input is told by its number.
    pub(crate) like: PodMatch,
    /// The labels of its namespace, if that is not in the input.
    namespace_labels: BTreeMap<String, String>,
    labels: BTreeMap<String, String>,
}

/// A pod that somebody could start.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Newcomer {
    /// The namespace that it would be in, if that is in the input.
    pub namespace: Option<String>,
    /// The labels of its namespace, if that would be a new one, without its name.
    pub namespace_labels: BTreeMap<String, String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// What is allowed between a workload and a pod that does not exist yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// Whether the pod would reach the workload, or the workload the pod.
    pub direction: Direction,
    /// The pod.
    pub newcomer: Newcomer,
    /// What the workload's side allows, and what it may.
    pub bounds: Bounds,
    /// Why something is not known.
    pub because: Vec<Cause>,
}

/// Everything to which a workload is exposed.
#[derive(Debug)]
pub struct Exposed {
    /// The position of the workload among the peers of [`Exposure::connectivity`].
    pub workload: usize,
    /// Whether any policy restricts what reaches it.
    pub guards_ingress: bool,
    /// Whether any policy restricts what leaves it.
    pub guards_egress: bool,
    /// Who could reach it, and whom it could reach.
    pub reaches: Vec<Reach>,
    /// The ways from outside of the cluster that lead to it.
    pub doors: Vec<Door>,
}

/// What every workload is exposed to, ready to be walked.
#[derive(Debug)]
pub struct Exposure<'n, 's> {
    network: &'n Network<'s>,
    connectivity: Connectivity<'n, 's>,
    /// A pod about which no rule can know anything.
    anybody: Imagined,
    /// The doors by the pod to which they lead.
    doors: BTreeMap<u32, Vec<Door>>,
}

impl<'s> Network<'s> {
    /// What every workload is exposed to.
    pub fn exposure(&self) -> Exposure<'_, 's> {
        Exposure { network: self, connectivity: self.connectivity(), anybody: self.anybody(), doors: self.doors() }
    }

    pub(crate) fn anybody(&self) -> Imagined {
        let name = self.policies.namespace_selectors.fresh(NAMESPACE_NAME_LABEL);
        Imagined { like: self.everybody, namespace_labels: BTreeMap::from([(NAMESPACE_NAME_LABEL.to_owned(), name)]), labels: BTreeMap::new() }
    }

    /// A pod with these labels in the namespace called `namespace`, which need not be in the input.
    pub(crate) fn pod_in(&self, namespace: &str, labels: &[(&str, &str)]) -> Imagined {
        let number = self.inventory.namespace(namespace);
        let like = PodMatch { namespaces: number.map_or(self.everybody.namespaces, NamespaceMatch::One), pods: self.everybody.pods, formula: None };
        Imagined {
            like,
            namespace_labels: BTreeMap::from([(NAMESPACE_NAME_LABEL.to_owned(), namespace.to_owned())]),
            labels: labels.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect(),
        }
    }

    /// The pod that a peer of a rule describes; none if there can be none or if it is anybody at all.
    pub(crate) fn imagine(&self, described: PodMatch) -> Option<Imagined> {
        let ways = described.formula.and_then(|id| self.policies.formulas.get(id.0)).map_or_else(|| vec![Vec::new()], Formula::ways);
        ways.iter().find_map(|way| self.imagine_with(described, way))
    }

    /// The same, if these selectors are to select it as well.
    fn imagine_with(&self, described: PodMatch, way: &[Reads]) -> Option<Imagined> {
        let (mut own, mut outer) = (self.policies.pod_selectors.get(described.pods)?.clone().into_tests(), Vec::new());
        for reads in way {
            match reads {
                Reads::Pods(selector) => own.extend(self.policies.pod_selectors.get(*selector)?.clone().into_tests()),
                Reads::Namespaces(selector) => outer.extend(self.policies.namespace_selectors.get(*selector)?.clone().into_tests()),
            }
        }
        let pods = Selector::of_tests(own);
        let selected = match described.namespaces {
            NamespaceMatch::Selected(selector) => {
                outer.extend(self.policies.namespace_selectors.get(selector)?.clone().into_tests());
                Some(Selector::of_tests(outer))
            }
            NamespaceMatch::One(_) => None,
        };
        if described.formula.is_none() && pods.is_everything() && selected.as_ref().is_some_and(Selector::is_everything) {
            return None;
        }
        // A namespace by its name is that namespace.
        let by_name = selected.as_ref().and_then(|selector| selector.only(NAMESPACE_NAME_LABEL)).and_then(|name| self.inventory.namespace(name));
        let like = PodMatch { namespaces: by_name.map_or(described.namespaces, NamespaceMatch::One), ..described };
        let owned = |labels: BTreeMap<&str, String>| labels.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<BTreeMap<_, _>>();
        let mut namespace_labels = match (by_name, &selected) {
            (None, Some(selector)) => owned(selector.witness(|key| self.policies.namespace_selectors.fresh(key))?),
            _ => BTreeMap::new(),
        };
        if by_name.is_none() && selected.is_some() {
            namespace_labels.entry(NAMESPACE_NAME_LABEL.to_owned()).or_insert_with(|| self.policies.namespace_selectors.fresh(NAMESPACE_NAME_LABEL));
        }
        let mut labels = owned(pods.witness(|key| self.policies.pod_selectors.fresh(key))?);
        if let NamespaceMatch::One(number) = like.namespaces
            && !self.policies.given.is_empty()
        {
            let strings = self.snapshot.strings();
            for (key, value) in self.policies.given.labels(self.inventory.namespace_name(number), None) {
                labels.entry(strings.text(key).to_owned()).or_insert_with(|| strings.text(value).to_owned());
            }
            if !pods.matches(|key| labels.get(key).map(String::as_str)) {
                return None;
            }
        }
        let imagined = Imagined { like, namespace_labels, labels };
        (described.formula.is_none() || self.would_be_among(described, &imagined)).then_some(imagined)
    }

    /// Whether a rule that means `pods` means a pod that does not exist.
    pub(crate) fn would_be_among(&self, pods: PodMatch, imagined: &Imagined) -> bool {
        let (Some(wanted), Some(described)) = (self.policies.pod_selectors.get(pods.pods), self.policies.pod_selectors.get(imagined.like.pods)) else {
            return false;
        };
        let is_meant = match self.model {
            Model::Kubernetes => wanted.matches(|key| imagined.labels.get(key).map(String::as_str)),
            Model::NpGuard => wanted.is_part_of(described),
        };
        let own = |selector| {
            let selector = self.policies.pod_selectors.get(selector);
            selector.is_some_and(|selector| selector.matches(|key| imagined.labels.get(key).map(String::as_str)))
        };
        let is_in = |selector| self.would_be_in(NamespaceMatch::Selected(selector), imagined);
        is_meant && self.would_be_in(pods.namespaces, imagined) && self.policies.formula_holds(pods, &own, &is_in)
    }

    fn would_be_in(&self, namespaces: NamespaceMatch, imagined: &Imagined) -> bool {
        let wanted = match (namespaces, imagined.like.namespaces) {
            (NamespaceMatch::Selected(wanted), NamespaceMatch::One(number)) if self.model == Model::NpGuard => {
                let wanted = self.policies.namespace_selectors.get(wanted);
                return wanted.is_some_and(|wanted| wanted.is_everything() || wanted.only(NAMESPACE_NAME_LABEL) == Some(self.inventory.namespace_name(number)));
            }
            (wanted, NamespaceMatch::One(number)) => return self.is_in_namespaces(wanted, number),
            (NamespaceMatch::One(_), _) => return false,
            (NamespaceMatch::Selected(wanted), _) => self.policies.namespace_selectors.get(wanted),
        };
        let Some(wanted) = wanted else { return false };
        match (self.model, imagined.like.namespaces) {
            (Model::NpGuard, NamespaceMatch::Selected(described)) => {
                self.policies.namespace_selectors.get(described).is_some_and(|described| wanted.is_part_of(described))
            }
            _ => wanted.matches(|key| imagined.namespace_labels.get(key).map(String::as_str)),
        }
    }

    /// The number of the network on which a pod would be.
    fn network_of(&self, imagined: &Imagined) -> u32 {
        match imagined.like.namespaces {
            NamespaceMatch::One(number) => self.user_networks.of_namespace(number),
            NamespaceMatch::Selected(_) => self.user_networks.of_labels(|key| imagined.namespace_labels.get(key).map(String::as_str)),
        }
    }

    /// Whether a pod of the input is one that `like` describes by labels alone: then it is no news.
    pub(crate) fn is_there(&self, like: PodMatch) -> bool {
        let is_plain = self.policies.pod_selectors.get(like.pods).is_some_and(Selector::is_plain);
        let is_bounded = match like.namespaces {
            NamespaceMatch::One(_) => true,
            NamespaceMatch::Selected(selector) => self.policies.namespace_selectors.get(selector).is_some_and(Selector::is_plain),
        };
        is_plain && is_bounded && like.formula.is_none() && !self.units_of(like).is_empty()
    }

    /// The rules that apply to a group, as the peers that they name, each once, in the order of the rules.
    fn described_by(&self, member: Member) -> Vec<PodMatch> {
        let mut found = Vec::new();
        let mut seen = BTreeSet::new();
        for direction in [Direction::Ingress, Direction::Egress] {
            let Some(applied) = self.applied(member, direction) else { continue };
            for rule in applied.rules().filter_map(|number| self.policies.rules.get(number as usize)) {
                found.extend(rule.peers.iter().flatten().flat_map(Peer::pods).filter(|pods| seen.insert(*pods)));
            }
        }
        found
    }

    /// Whether any policy restricts a group in a direction.
    pub(crate) fn guards(&self, member: Member, direction: Direction) -> bool {
        self.applied(member, direction).is_some_and(|applied| !applied.is_empty())
    }

    fn newcomer(&self, imagined: &Imagined) -> Newcomer {
        let namespace = match imagined.like.namespaces {
            NamespaceMatch::One(number) => Some(self.inventory.namespace_name(number).to_owned()),
            NamespaceMatch::Selected(_) => None,
        };
        let mut namespace_labels = imagined.namespace_labels.clone();
        let fresh = self.policies.namespace_selectors.fresh(NAMESPACE_NAME_LABEL);
        if namespace_labels.get(NAMESPACE_NAME_LABEL) == Some(&fresh) {
            namespace_labels.remove(NAMESPACE_NAME_LABEL);
        }
        Newcomer { namespace, namespace_labels, labels: imagined.labels.clone() }
    }
}

impl<'n, 's> Exposure<'n, 's> {
    /// The peers, and what is allowed between those that exist.
    pub fn connectivity(&self) -> &Connectivity<'n, 's> {
        &self.connectivity
    }

    /// Tells every workload, in the order of their names.
    pub fn walk<E>(&self, mut tell: impl FnMut(Exposed) -> Result<(), E>) -> Result<(), E> {
        for (workload, side) in self.connectivity.sides().iter().enumerate() {
            if let Side::Units(_) | Side::Hosts(_) = side {
                tell(self.of(workload, side))?;
            }
        }
        Ok(())
    }

    fn of(&self, workload: usize, side: &Side) -> Exposed {
        let units: &[(UnitId, _)] = if let Side::Units(units) = side { units } else { &[] };
        let members: Vec<Member> = units.iter().filter_map(|(unit, _)| self.network.member_party(*unit).member).collect();
        let guards = |direction| members.iter().any(|&member| self.network.guards(member, direction));
        let mut reaches = Vec::new();
        if let [(unit, _)] = units {
            let party = self.network.member_party(*unit);
            for direction in [Direction::Ingress, Direction::Egress] {
                reaches.extend(self.reaches_of(&party, direction));
            }
        }
        let pods = self.connectivity.pods_of(workload).iter();
        let mut doors: Vec<Door> = pods.filter_map(|pod| self.doors.get(pod)).flatten().cloned().collect();
        doors.sort();
        doors.dedup();
        Exposed { workload, guards_ingress: guards(Direction::Ingress), guards_egress: guards(Direction::Egress), reaches, doors }
    }

    /// Anybody, and those who may more or less than anybody.
    fn reaches_of(&self, party: &Party<'_>, direction: Direction) -> Vec<Reach> {
        let Some(member) = party.member else { return Vec::new() };
        let network = self.network;
        let reach = |imagined: &Imagined| {
            let mut trace = Trace::default();
            let bounds = network.reach(party, imagined, direction, &mut trace);
            let because = if bounds.unknown().is_empty() { Vec::new() } else { trace.causes.into_iter().collect() };
            Reach { direction, newcomer: network.newcomer(imagined), bounds, because }
        };
        let anybody = reach(&self.anybody);
        let described = network.described_by(member).into_iter().filter_map(|described| network.imagine(described));
        let mut others: Vec<Reach> = described
            .filter(|imagined| !network.is_there(imagined.like))
            .map(|imagined| reach(&imagined))
            .filter(|reach| reach.bounds != anybody.bounds)
            .collect();
        others.sort_by(|one, two| one.newcomer.cmp(&two.newcomer));
        others.dedup();
        if !anybody.bounds.is_empty() {
            others.insert(0, anybody);
        }
        others
    }
}

impl Network<'_> {
    /// What the side of `party` allows in one direction with a pod that does not exist.
    pub(crate) fn reach(&self, party: &Party<'_>, imagined: &Imagined, direction: Direction, trace: &mut Trace) -> Bounds {
        let network = |member: Member| self.user_networks.of_namespace(member.namespace);
        if party.member.is_some_and(|member| network(member) != self.network_of(imagined)) {
            return Bounds::none();
        }
        let other = Party::imagined(imagined);
        let reaching = self.one_way(direction, party, &other, &Traffic::all(), trace);
        if direction == Direction::Ingress { self.through_gate(&other, party, reaching, trace) } else { reaching }
    }
}

/// How np-guard tells the pods that rules describe.
#[derive(Debug)]
pub(crate) struct Representative {
    /// What it calls it.
    pub(crate) name: String,
    imagined: Imagined,
}

/// One line of np-guard's exposure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RepresentativeReach {
    pub(crate) name: String,
    pub(crate) bounds: Bounds,
    pub(crate) names: BTreeSet<(Protocol, String)>,
    pub(crate) causes: BTreeSet<Cause>,
}

/// What it calls pods about which no rule knows anything.
const ENTIRE_CLUSTER: &str = "entire-cluster";

impl Exposure<'_, '_> {
    /// Everything that rules of the whole input describe and that no pod is, each once.
    pub(crate) fn representatives(&self) -> Vec<Representative> {
        let network = self.network;
        let mut found: Vec<Representative> = Vec::new();
        let mut seen = BTreeSet::new();
        for rule in network.policies.all_rules() {
            let list = rule.place.get(if rule.direction == Direction::Ingress { field::FROM } else { field::TO });
            let items = list.into_iter().flat_map(Value::items);
            for (peer, item) in rule.peers.iter().flatten().zip(items) {
                let Peer::Pods(pods) = peer else { continue };
                let Some(imagined) = network.imagine(*pods).filter(|imagined| seen.insert(imagined.like) && !network.is_there(imagined.like)) else { continue };
                found.push(Representative { name: self.representative_name(&imagined, item), imagined });
            }
        }
        found
    }

    /// Who could reach a workload, or could be reached, that is not treated as anybody is.
    pub(crate) fn representative_reaches(&self, side: &Side, direction: Direction, representatives: &[Representative]) -> Vec<RepresentativeReach> {
        let Side::Units(units) = side else { return Vec::new() };
        let reach = |name: &str, imagined: &Imagined| {
            let mut trace = Trace::default();
            let each = units.iter().map(|(unit, _)| self.network.reach(&self.network.member_party(*unit), imagined, direction, &mut trace));
            let bounds = each.reduce(|sum, one| sum.either(&one)).unwrap_or_default();
            RepresentativeReach { name: name.to_owned(), bounds, names: trace.names, causes: trace.causes }
        };
        let anybody = reach(ENTIRE_CLUSTER, &self.anybody);
        let others = representatives.iter().map(|other| reach(&other.name, &other.imagined));
        let mut found: Vec<RepresentativeReach> = others.filter(|other| (&other.bounds, &other.names) != (&anybody.bounds, &anybody.names)).collect();
        if !anybody.bounds.is_empty() || !anybody.names.is_empty() {
            found.push(anybody);
        }
        found
    }

    /// Whether some policy restricts a workload.
    pub(crate) fn is_guarded(&self, side: &Side, direction: Direction) -> bool {
        let Side::Units(units) = side else { return false };
        units.iter().filter_map(|(unit, _)| self.network.member_party(*unit).member).any(|member| self.network.guards(member, direction))
    }

    fn representative_name(&self, imagined: &Imagined, item: Value<'_>) -> String {
        let inner = item.entry("pods").unwrap_or(item);
        let selected = inner.get(field::NAMESPACE_SELECTOR).or_else(|| item.entry("namespaces"));
        let only_name = match imagined.like.namespaces {
            NamespaceMatch::One(number) => Some(self.network.inventory.namespace_name(number)),
            NamespaceMatch::Selected(selector) => {
                self.network.policies.namespace_selectors.get(selector).and_then(|selector| selector.only(NAMESPACE_NAME_LABEL))
            }
        };
        let namespace = match (only_name, selected.map(selector_words).filter(|words| !words.is_empty())) {
            (Some(name), _) => name.to_owned(),
            (None, Some(words)) => format!("[namespace with {{{words}}}]"),
            (None, None) => "[all namespaces]".to_owned(),
        };
        let pods = match inner.get(field::POD_SELECTOR).map(selector_words).filter(|words| !words.is_empty()) {
            Some(words) => format!("[pod with {{{words}}}]"),
            None => "[all pods]".to_owned(),
        };
        format!("{namespace}/{pods}")
    }
}

/// A selector in np-guard's words: labels, then expressions as Go prints them, with their values as they were written.
fn selector_words(selector: Value<'_>) -> String {
    let mut labels: Vec<String> =
        selector.get(field::MATCH_LABELS).into_iter().flat_map(Value::entries).map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or(""))).collect();
    labels.sort();
    let mut expressions: Vec<String> = selector
        .list(field::MATCH_EXPRESSIONS)
        .map(|expression| {
            let values: Vec<&str> = expression.list(field::VALUES).filter_map(Value::as_str).collect();
            let (key, operator) = (expression.str(field::KEY).unwrap_or(""), expression.str(field::OPERATOR).unwrap_or(""));
            format!("{{Key:{key},Operator:{operator},Values:[{}],}}", values.join(" "))
        })
        .collect();
    expressions.sort();
    labels.extend(expressions);
    labels.join(",")
}
