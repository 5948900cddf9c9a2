//! `CiliumNetworkPolicy` and `CiliumClusterwideNetworkPolicy`: which of them the API server and Cilium's agents take, and what they
//! mean. One object may hold several policies (`specs`), each with pods of its own.
//!
//! Rules that refuse go before all that allow, whatever policies these stand in. What a policy says of requests and of who must
//! prove who they are makes what it allows uncertain, never wrong. Policies for nodes are kept beside the others: they
//! guard no pod. Start at [`read`]; `selector` reads labels, `rule` other ends, `port` traffic.

mod port;
mod rule;
mod selector;

use std::sync::Arc;

use bartizan_cluster::{ObjectId, ObjectView, Value, field};

use super::unmodelled::Blur;
use super::{Direction, Isolates, NamespaceMatch, PodMatch, Policies, Policy, Tier, shape};
use crate::custom::Ground;
use crate::fabric::Settings;
use crate::inventory::count;
use crate::label::{Refusal, Selector};
use crate::verdict::Cause;
use selector::Subject;

const GROUP: &str = "cilium.io";

/// A policy of one namespace.
const NAMESPACED: &str = "CiliumNetworkPolicy";

/// A policy of the whole cluster.
const CLUSTERWIDE: &str = "CiliumClusterwideNetworkPolicy";

/// The kinds of its policies, with their group.
pub(crate) const POLICIES: [(&str, &str); 2] = [(GROUP, NAMESPACED), (GROUP, CLUSTERWIDE)];

/// The Service by which pods reach API servers.
const API_SERVER: (&str, &str) = ("default", "kubernetes");

/// A list of blocks that rules refer to.
const BLOCKS: &str = "CiliumCIDRGroup";

/// Who refuses what the API server takes.
const AGENTS: &str = "Cilium";

/// Those of the whole cluster are told after those of namespaces.
const CLUSTERWIDE_PRIORITY: i64 = 1;

/// Whether the object with this root is one of Cilium's.
pub(crate) fn is_group(root: Value<'_>) -> bool {
    root.str(field::API_VERSION).is_some_and(|version| version.strip_prefix(GROUP).is_some_and(|rest| rest.starts_with('/')))
}

/// Whether an object is a policy of Cilium's.
pub(crate) fn is_policy(object: ObjectView<'_>) -> bool {
    object.group() == GROUP && matches!(object.kind_name(), NAMESPACED | CLUSTERWIDE)
}

/// Whether an object is a list of blocks that rules refer to.
pub(crate) fn is_list_of_blocks(object: ObjectView<'_>) -> bool {
    object.group() == GROUP && object.kind_name() == BLOCKS
}

/// A policy that guards nodes.
#[derive(Debug, Clone)]
pub(crate) struct HostPolicy<'s> {
    pub(crate) object: ObjectId,
    pub(crate) nodes: Selector<'s>,
    /// Why it is not known whether it guards the nodes that it seems to select.
    pub(crate) doubt: Option<Cause>,
    ingress: HostSide,
    egress: HostSide,
}

/// What it says about one direction.
#[derive(Debug, Clone)]
pub(crate) struct HostSide {
    /// The rules by number; none where it does not apply.
    pub(crate) rules: Option<Vec<u32>>,
    pub(crate) isolates: bool,
    /// Why it is not known what it does.
    pub(crate) unclear: Option<Cause>,
}

impl HostPolicy<'_> {
    pub(crate) fn side(&self, direction: Direction) -> &HostSide {
        match direction {
            Direction::Ingress => &self.ingress,
            Direction::Egress => &self.egress,
        }
    }

    /// Its rules of both directions, by number.
    pub(crate) fn rules(&self) -> impl Iterator<Item = u32> {
        [&self.ingress, &self.egress].into_iter().flat_map(|side| side.rules.iter().flatten().copied())
    }
}

/// Reads a policy of Cilium's, which runs with these settings.
pub(crate) fn read<'s>(object: ObjectView<'s>, ground: &Ground<'_, 's>, settings: &Settings<'s>, policies: &mut Policies<'s>) {
    let snapshot = ground.snapshot;
    let is_current = snapshot.find_other(GROUP, object.kind_name(), object.namespace(), object.name()).is_none_or(|found| found.id() == object.id());
    let home = match (object.kind_name(), object.namespace()) {
        (NAMESPACED, Some(name)) => ground.inventory.namespace(name).map(|number| Some((number, name))),
        _ => Some(None),
    };
    // Of the same policy twice, the last one counts.
    let Some(home) = home.filter(|_| is_current) else { return };
    let mut reader = Reader { ground, settings, policies, home, refused: Vec::new(), invalid: Vec::new(), remarks: Vec::new(), unclear: None, doubted: None };
    let drafts = reader.specs(object);
    let Reader { mut refused, invalid, mut remarks, .. } = reader;
    let root = object.root();
    for spec in root.get(field::SPEC).into_iter().chain(root.entry("specs").into_iter().flat_map(Value::items)) {
        let told: Vec<Refusal<'s>> = refused.iter().chain(&invalid).cloned().collect();
        refused.extend(shape::misfits(object, Some(spec), &shape::CILIUM, &told));
        let newer = shape::misfits(object, Some(spec), &shape::CILIUM_NEWEST, &told);
        remarks.extend(newer.into_iter().map(|(place, message)| (place, shape::of_creation(&message))));
    }
    if !refused.is_empty() || !invalid.is_empty() {
        for draft in &drafts {
            draft.forget(policies);
        }
        policies.refuse(object, refused);
        policies.refuse_by(AGENTS, object, invalid);
        return;
    }
    for (place, message) in remarks {
        policies.remark(object, place, message);
    }
    for draft in drafts {
        draft.enter(object, home.is_none(), policies);
    }
}

/// What the reading of one object needs and finds.
struct Reader<'p, 's> {
    ground: &'p Ground<'p, 's>,
    settings: &'p Settings<'s>,
    policies: &'p mut Policies<'s>,
    /// The number and name of the namespace; none for a policy of the whole cluster.
    home: Option<(u32, &'s str)>,
    /// What the API server refuses.
    refused: Vec<Refusal<'s>>,
    /// What the agents refuse.
    invalid: Vec<Refusal<'s>>,
    remarks: Vec<Refusal<'s>>,
    /// Why it is not known what the current policy does in the current direction.
    unclear: Option<Cause>,
    /// Why it is not known whether the current policy guards the pods that it seems to select.
    doubted: Option<Cause>,
}

/// One policy of an object before it is entered.
struct SpecDraft<'s> {
    subject: Guarded<'s>,
    sides: [Side<'s>; 2],
}

/// Whom a policy guards.
enum Guarded<'s> {
    Pods(PodMatch),
    Nodes(Selector<'s>, Option<Cause>),
    /// Nothing that the engine tells.
    Nobody,
}

/// What a policy says about one direction.
#[derive(Default)]
struct Side<'s> {
    /// None where it does not apply.
    rules: Option<Vec<super::Draft<'s>>>,
    isolates: bool,
    unclear: Option<Cause>,
}

const DIRECTIONS: [Direction; 2] = [Direction::Ingress, Direction::Egress];

impl<'s> Reader<'_, 's> {
    fn specs(&mut self, object: ObjectView<'s>) -> Vec<SpecDraft<'s>> {
        let root = object.root();
        let spec = root.get(field::SPEC).filter(|spec| !spec.is_null());
        let specs = self.list(root, "specs").unwrap_or_default();
        if spec.is_none() && specs.is_empty() {
            self.invalid.push((root, "neither `spec` nor `specs` says anything".to_owned()));
        }
        spec.into_iter().chain(specs).filter_map(|spec| self.spec(spec)).collect()
    }

    fn spec(&mut self, spec: Value<'s>) -> Option<SpecDraft<'s>> {
        if !spec.is_map() {
            self.refused.push((spec, format!("`{}` is no object", spec.key())));
            return None;
        }
        self.known_fields(
            spec,
            &["description", "egress", "egressDeny", "enableDefaultDeny", "endpointSelector", "ingress", "ingressDeny", "labels", "log", "nodeSelector"],
        );
        self.doubted = None;
        let subject = self.guarded(spec)?;
        let defaults = spec.entry("enableDefaultDeny");
        let sides = DIRECTIONS.map(|direction| {
            let (allow, deny, key) = match direction {
                Direction::Ingress => ("ingress", "ingressDeny", "ingress"),
                Direction::Egress => ("egress", "egressDeny", "egress"),
            };
            self.unclear = None;
            let (denied, allowed) = (self.list(spec, deny).unwrap_or_default(), self.list(spec, allow).unwrap_or_default());
            let is_about = !denied.is_empty() || !allowed.is_empty();
            let written = defaults.and_then(|defaults| defaults.entry(key)).filter(|written| !written.is_null());
            if let Some(written) = written.filter(|written| written.as_bool().is_none()) {
                self.refused.push((written, format!("`{}` is none of `true`, `false`", written.display())));
            }
            let isolates = written.and_then(Value::as_bool).unwrap_or(is_about);
            let mut rules = self.rules(denied, direction, true);
            rules.extend(self.rules(allowed, direction, false));
            let unclear = self.unclear.take().or_else(|| self.doubted.clone());
            Side { rules: (is_about || isolates).then_some(rules), isolates, unclear }
        });
        if let Guarded::Nodes(..) = subject
            && sides.iter().flat_map(|side| side.rules.iter().flatten()).any(|rule| matches!(rule.doubt, Some(Cause::SomeRequests(_))))
        {
            self.invalid.push((spec, "a policy for nodes speaks about requests".to_owned()));
        }
        Some(SpecDraft { subject, sides })
    }

    /// Whom the policy guards; none where that is refused.
    fn guarded(&mut self, spec: Value<'s>) -> Option<Guarded<'s>> {
        let written = |name| spec.entry(name).filter(|selector: &Value<'_>| !selector.is_null());
        match (written("endpointSelector"), written("nodeSelector")) {
            (Some(selector), None) => match self.subject(selector)? {
                Subject::Pods(pods) => Some(Guarded::Pods(pods)),
                Subject::Nobody => Some(Guarded::Nobody),
            },
            (None, Some(selector)) => {
                if self.home.is_some() {
                    self.invalid.push((selector, "a policy of one namespace cannot guard nodes".to_owned()));
                }
                if self.settings.guards_hosts == Some(false) {
                    self.remarks.push((selector, "Cilium's host firewall is off: policies for nodes do nothing".to_owned()));
                    return Some(Guarded::Nobody);
                }
                let nodes = self.node_selector(selector)?;
                let odd = nodes.keys().find(|key| !selector::is_counted(key));
                let doubt = odd.map(|key| Cause::Setting(format!("`labels` of Cilium, by which nodes are told apart by `{key}` or not")));
                Some(Guarded::Nodes(nodes, doubt))
            }
            (Some(_), Some(_)) => {
                self.refused.push((spec, "`endpointSelector` stands beside `nodeSelector`".to_owned()));
                None
            }
            (None, None) => {
                self.refused.push((spec, "a policy needs one of `endpointSelector`, `nodeSelector`".to_owned()));
                None
            }
        }
    }

    /// The items of a list; none if it is not written. What is no list is refused.
    fn list(&mut self, value: Value<'s>, name: &str) -> Option<Vec<Value<'s>>> {
        let list = value.entry(name).filter(|list| !list.is_null())?;
        if !list.is_list() {
            self.refused.push((list, format!("`{name}` is no list")));
            return None;
        }
        Some(list.items().collect())
    }

    /// Tells fields that the server drops.
    fn known_fields(&mut self, value: Value<'s>, known: &[&str]) {
        for (name, field) in value.entries().filter(|(name, _)| !known.contains(name)) {
            let meant = bartizan_report::suggest::nearest(name, known.iter().copied());
            let meant = meant.map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"));
            self.remarks.push((field, format!("the API server drops the unknown field `{}`{meant}", field.path())));
        }
    }
}

impl<'s> SpecDraft<'s> {
    /// Takes away what it uses.
    fn forget(&self, policies: &mut Policies<'s>) {
        for rules in self.sides.iter().filter_map(|side| side.rules.as_ref()) {
            policies.forget(std::slice::from_ref(rules));
        }
        if let Guarded::Pods(pods) = self.subject {
            policies.release(pods);
        }
    }

    fn enter(self, object: ObjectView<'s>, is_clusterwide: bool, policies: &mut Policies<'s>) {
        let subject = match self.subject {
            Guarded::Pods(pods) => pods,
            Guarded::Nodes(nodes, doubt) => {
                let number = count(policies.list.len());
                let subject = policies.everybody();
                let mut directions = DIRECTIONS.into_iter();
                let [ingress, egress] = self.sides.map(|side| {
                    let direction = directions.next().unwrap_or(Direction::Ingress);
                    let unclear = side.unclear.filter(|_| side.rules.is_some());
                    HostSide { rules: side.rules.map(|rules| policies.add_rules(number, subject, direction, rules)), isolates: side.isolates, unclear }
                });
                // It has a name for its rules, and is none of the policies of pods.
                policies.list.push(Policy {
                    object,
                    tier: Tier::Namespace,
                    priority: CLUSTERWIDE_PRIORITY,
                    subject,
                    ingress: None,
                    egress: None,
                    isolates: Isolates::NEITHER,
                });
                let hosts = Arc::make_mut(&mut policies.host_policies);
                let at = hosts.partition_point(|other| other.object <= object.id());
                hosts.insert(at, HostPolicy { object: object.id(), nodes, doubt, ingress, egress });
                return;
            }
            Guarded::Nobody => {
                policies.forget(&self.sides.map(|side| side.rules.unwrap_or_default()));
                return;
            }
        };
        let number = count(policies.list.len());
        let isolates = Isolates { ingress: self.sides[0].isolates, egress: self.sides[1].isolates };
        let mut directions = DIRECTIONS.into_iter();
        let [ingress, egress] = self.sides.map(|side| {
            let direction = directions.next().unwrap_or(Direction::Ingress);
            if let Some(cause) = side.unclear.filter(|_| side.rules.is_some()) {
                let is_ingress = direction == Direction::Ingress;
                policies.retain(subject);
                policies.blur(Blur { subject, ingress: is_ingress, egress: !is_ingress, may_add: true, cause });
            }
            let rules = side.rules?;
            policies.has_denials |= rules.iter().any(|rule| rule.action == super::Action::Deny);
            Some(policies.add_rules(number, subject, direction, rules))
        });
        let is_of_namespace = matches!(subject.namespaces, NamespaceMatch::One(_)) && !is_clusterwide;
        let priority = if is_of_namespace { 0 } else { CLUSTERWIDE_PRIORITY };
        policies.add(Policy { object, tier: Tier::Namespace, priority, subject, ingress, egress, isolates });
    }
}
