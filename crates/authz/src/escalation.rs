//! Who can become whom: ways from one's own rights to rights, identities and content that nobody gave one.
//!
//! The ways are data ([`Primitive`], [`primitives`]); each is a conjunction of questions to the rules of RBAC, which somebody
//! may hold by several bindings and by the groups that the API server puts them in. [`Authz::escalations`] lists every subject
//! with every way that is open, and the bindings and rules that open it. Steps are not chained here.

mod compiled;
mod gate;
mod primitive;
mod table;
#[cfg(test)]
mod tests;
mod way;

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use bartizan_cluster::access::{AUTHENTICATED, NODE_PREFIX, PRIVILEGED_GROUP, SERVICE_ACCOUNTS, UNAUTHENTICATED, User, service_account_of};
use bartizan_cluster::{Kind, PodView, Symbol};
use bartizan_report::Language;
use bartizan_report::render::one_line;
use foldhash::{HashMap, HashMapExt as _};

use crate::Authz;
use crate::chain::AuthorizerKind;
use crate::decision::{Grant, GrantView, Unknown};
use crate::enumeration::Scope;
use crate::familiar::Provision;
use crate::policy::Holding;
use crate::rule::SetId;

use compiled::Answered;
use gate::{Facts, Names, Passage};
use primitive::Name;
use table::access::{ALWAYS_ALLOW, EVERY_RIGHT, MASTERS};
use table::nodes::KUBELET;
use way::{Extent, Held, Open, Proof, Rules};

pub use gate::Doubt;
pub use primitive::{Effect, Gain, Gate, Name as RequestName, Need, On, Place, Primitive, Said, Untold, Way};

/// The kinds that escalations look at, besides roles and bindings.
pub const ESCALATION_READS: &[Kind] = gate::READS;

/// Every primitive, in the order of the table.
pub fn primitives() -> impl Iterator<Item = &'static Primitive> {
    table::GROUPS.iter().copied().flatten()
}

/// Somebody, as bindings name them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Holder<'a> {
    /// Whether it is a group.
    pub is_group: bool,
    /// The name of the user (ServiceAccounts by their user name) or of the group.
    pub name: Cow<'a, str>,
}

impl<'a> Holder<'a> {
    /// The user `name`.
    pub fn user(name: impl Into<Cow<'a, str>>) -> Self {
        Self { is_group: false, name: name.into() }
    }

    /// The group `name`.
    pub fn group(name: impl Into<Cow<'a, str>>) -> Self {
        Self { is_group: true, name: name.into() }
    }

    /// The ServiceAccount `name` of `namespace`.
    pub fn service_account(namespace: &str, name: &str) -> Holder<'static> {
        Holder { is_group: false, name: User::service_account(namespace, name).name }
    }

    /// Who it is, as people read it, on one line.
    pub fn said(&self, language: Language) -> String {
        let [group, user] = match language {
            Language::English => ["group", "user"],
            Language::Chinese => ["组", "用户"],
        };
        match (self.is_group, service_account_of(&self.name)) {
            (true, _) => format!("{group} {}", one_line(&self.name)),
            (false, Some((namespace, name))) => format!("ServiceAccount {}/{}", one_line(namespace), one_line(name)),
            (false, None) => format!("{user} {}", one_line(&self.name)),
        }
    }

    /// Somebody who is this and nothing else, with the groups that the API server adds; a member of a group has no name.
    pub fn alone(&self) -> User<'_> {
        let name = if self.is_group { "" } else { &*self.name };
        let own = self.is_group.then_some(Cow::Borrowed(&*self.name));
        User::new(name, own.into_iter().chain(self.implied()))
    }

    /// The groups that the API server puts them in, whatever else.
    fn implied(&self) -> Vec<Cow<'static, str>> {
        if !self.is_group {
            let mut groups = User::logged_in(&self.name, &[]).groups;
            if self.name.starts_with(NODE_PREFIX) {
                groups.insert(0, Cow::Borrowed(bartizan_cluster::access::NODES));
            }
            return groups;
        }
        match &*self.name {
            AUTHENTICATED | UNAUTHENTICATED => Vec::new(),
            name if name.strip_prefix(SERVICE_ACCOUNTS).is_some_and(|rest| rest.starts_with(':')) => {
                vec![Cow::Borrowed(SERVICE_ACCOUNTS), Cow::Borrowed(AUTHENTICATED)]
            }
            _ => vec![Cow::Borrowed(AUTHENTICATED)],
        }
    }
}

/// As it is written in commands.
impl std::fmt::Display for Holder<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.said(Language::English))
    }
}

/// How sure it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Certainty {
    /// Everything that matters was seen.
    Confirmed,
    /// It depends on this.
    Possible(Vec<Doubt>),
}

/// One way that is open to somebody.
#[derive(Debug, Clone)]
pub struct Escalation<'a> {
    /// Who.
    pub subject: Holder<'a>,
    /// What.
    pub primitive: &'static Primitive,
    /// Where: in one namespace, or in the whole cluster.
    pub scope: Scope<'a>,
    /// What is gained.
    pub gain: Gain,
    /// The names of what is gained; `None`: whatever there is in the scope. Where the scope is the cluster and the things are in
    /// namespaces, `namespace/name`. Whoever holds the same rules shares them.
    pub names: Option<Arc<[String]>>,
    /// The grants that open it, at least one for each thing that it needs.
    pub evidence: Vec<GrantView<'a>>,
    /// How sure it is.
    pub certainty: Certainty,
    /// Who granted it.
    pub provision: Provision,
    /// Whether the subject holds a rule of stars there, which is every way at once.
    pub is_implied: bool,
}

/// Every way that is open, and what hides others.
#[derive(Debug, Clone, Default)]
pub struct Escalations<'a> {
    /// By subject (users before groups), primitive, scope and gain.
    pub found: Vec<Escalation<'a>>,
    /// Lists that could not be read: there may be more.
    pub unknown: Vec<Unknown>,
}

impl Authz<'_> {
    /// Every way that is open to anybody whom bindings name, to kubelets and to `system:masters`. What a subject has only by
    /// groups is listed at the group.
    pub fn escalations(&self) -> Escalations<'_> {
        let mut search = Search::new(self);
        let mut found = Vec::new();
        for principal in self.principals() {
            let holder = Holder { is_group: principal.is_group(), name: Cow::Borrowed(principal.name()) };
            search.of(&holder, true, &mut found);
        }
        found.extend(masters());
        found.extend(self.unguarded(Holder::group(AUTHENTICATED)));
        found.extend(search.kubelets());
        self.finished(found)
    }

    /// Every way that is open to `holder`, by groups as well.
    pub fn escalations_of<'a>(&'a self, holder: &Holder<'a>) -> Escalations<'a> {
        let mut search = Search::new(self);
        let mut found = Vec::new();
        search.of(holder, false, &mut found);
        found.extend(self.unguarded(holder.clone()));
        let is_it = |one: &Escalation<'a>| one.subject == *holder;
        found.extend(masters().into_iter().filter(is_it));
        found.extend(search.kubelets().into_iter().filter(is_it));
        self.finished(found)
    }

    /// What `holder` has where an authorizer allows everything; a webhook that is asked before it may refuse.
    fn unguarded<'a>(&'a self, holder: Holder<'a>) -> Option<Escalation<'a>> {
        let authorizers = self.chain().authorizers();
        let place = authorizers.iter().position(|authorizer| authorizer.kind == AuthorizerKind::AlwaysAllow)?;
        let before = authorizers.iter().take(place).filter(|authorizer| authorizer.kind == AuthorizerKind::Webhook);
        let doubts: Vec<Doubt> = before.map(|webhook| Doubt::Webhook(webhook.name.clone())).collect();
        Some(Escalation {
            certainty: if doubts.is_empty() { Certainty::Confirmed } else { Certainty::Possible(doubts) },
            ..everything(holder, ALWAYS_ALLOW, Provision::Own)?
        })
    }

    fn finished<'a>(&'a self, mut found: Vec<Escalation<'a>>) -> Escalations<'a> {
        found.sort_by(|one, two| order(one).cmp(&order(two)));
        Escalations { found, unknown: self.unread_policy() }
    }
}

fn order<'e>(one: &'e Escalation<'_>) -> (bool, &'e str, &'static str, &'e str, Gain) {
    let namespace = match one.scope {
        Scope::Namespace(namespace) => namespace,
        Scope::Cluster | Scope::Everywhere => "",
    };
    (one.subject.is_group, &one.subject.name, one.primitive.id, namespace, one.gain)
}

/// The group that is never refused anything: nothing grants it, and nothing takes it away.
fn masters<'a>() -> Option<Escalation<'a>> {
    everything(Holder::group(PRIVILEGED_GROUP), MASTERS, Provision::Default)
}

/// Everything in the cluster, by a primitive that needs no right.
fn everything<'a>(subject: Holder<'a>, primitive: &str, provision: Provision) -> Option<Escalation<'a>> {
    Some(Escalation {
        subject,
        primitive: primitives().find(|one| one.id == primitive)?,
        scope: Scope::Cluster,
        gain: Gain::Everything,
        names: None,
        evidence: Vec::new(),
        certainty: Certainty::Confirmed,
        provision,
        is_implied: false,
    })
}

/// What somebody holds, by place.
#[derive(Debug, Default)]
struct Holdings {
    cluster: Vec<Holding>,
    local: BTreeMap<Symbol, Vec<Holding>>,
}

impl Holdings {
    fn sets(holdings: &[Holding]) -> impl Iterator<Item = SetId> {
        holdings.iter().filter_map(|holding| holding.set)
    }

    fn here(&self, namespace: Option<Symbol>) -> &[Holding] {
        namespace.and_then(|namespace| self.local.get(&namespace)).map_or(&[], Vec::as_slice)
    }
}

/// What gates leave of a way.
#[derive(Debug, Clone)]
struct Passed {
    names: Option<Arc<[String]>>,
    doubts: Vec<Doubt>,
}

/// One run over a policy.
struct Search<'a> {
    authz: &'a Authz<'a>,
    answered: Answered,
    /// For each set of rules, which of all roles is the first that has it: evidence shall not depend on what was read first.
    ranks: Vec<u32>,
    facts: Facts<'a>,
    /// The ways that are open to what is held, in the cluster and in a namespace: many subjects hold the same.
    known: HashMap<(Box<[SetId]>, Box<[SetId]>, Option<Symbol>), Rc<[Open]>>,
    /// What gates leave of each of these ways, by its address; `None` where one is closed.
    passed: RefCell<HashMap<usize, Option<Passed>>>,
    /// What groups hold that everybody is in.
    groups: HashMap<Cow<'static, str>, Rc<Holdings>>,
    is_asked: bool,
}

impl<'a> Search<'a> {
    fn new(authz: &'a Authz<'a>) -> Self {
        let book = &authz.policy.book;
        let mut ranks = vec![u32::MAX; book.sets().count()];
        for (role, rank) in authz.roles().zip(0..u32::MAX) {
            if let Some(known) = role.set().and_then(|set| ranks.get_mut(set.number())) {
                *known = rank.min(*known);
            }
        }
        let is_asked = authz.chain().has_rbac();
        Self {
            authz,
            answered: Answered::of(book),
            ranks,
            facts: Facts::of(authz),
            known: HashMap::new(),
            passed: RefCell::default(),
            groups: HashMap::new(),
            is_asked,
        }
    }

    fn holdings(&self, is_group: bool, name: &str) -> Holdings {
        let policy = &self.authz.policy;
        let mut holdings = Holdings::default();
        for holding in policy.holdings_of(is_group, name) {
            // What answers no question of the table opens no way.
            if holding.set.is_none_or(|set| self.answered.of_set(set).is_empty()) {
                continue;
            }
            match policy.namespace_of(holding.binding) {
                None => holdings.cluster.push(*holding),
                Some(namespace) => holdings.local.entry(namespace).or_default().push(*holding),
            }
        }
        holdings
    }

    fn of_group(&mut self, name: Cow<'static, str>) -> Rc<Holdings> {
        if let Some(known) = self.groups.get(&name) {
            return Rc::clone(known);
        }
        let holdings = Rc::new(self.holdings(true, &name));
        self.groups.insert(name, Rc::clone(&holdings));
        holdings
    }

    /// Adds what is open to `holder`; `only_own` leaves out what their groups hold without them.
    fn of(&mut self, holder: &Holder<'a>, only_own: bool, found: &mut Vec<Escalation<'a>>) {
        if !self.is_asked {
            return;
        }
        let own = self.holdings(holder.is_group, &holder.name);
        if only_own && own.cluster.is_empty() && own.local.is_empty() {
            return;
        }
        let groups: Vec<Rc<Holdings>> = holder.implied().into_iter().map(|group| self.of_group(group)).collect();
        let mut namespaces: BTreeSet<Option<Symbol>> = [None].into();
        namespaces.extend(own.local.keys().copied().map(Some));
        if !only_own || !own.cluster.is_empty() {
            namespaces.extend(groups.iter().flat_map(|group| group.local.keys().copied().map(Some)));
        }
        let everywhere = self.open(&own, &groups, None);
        let by_groups = self.open(&Holdings::default(), &groups, None);
        let mut has_all = false;
        for namespace in namespaces {
            let here = self.open(&own, &groups, namespace);
            let beside = if only_own { self.open(&Holdings::default(), &groups, namespace) } else { Rc::default() };
            let mut folded: Vec<Escalation<'a>> = Vec::new();
            for open in here.iter() {
                let is_wider = namespace.is_some() && everywhere.iter().any(|wide| covers(wide, open));
                let is_of_groups = only_own && beside.iter().chain(by_groups.iter()).any(|other| covers(other, open));
                if is_wider || is_of_groups {
                    continue;
                }
                if let Some(escalation) = self.judged(holder, open, namespace, &own, &groups) {
                    fold(&mut folded, escalation);
                }
            }
            let has_all_here = folded.iter().any(|one| one.primitive.id == EVERY_RIGHT);
            has_all |= namespace.is_none() && has_all_here;
            for one in &mut folded {
                one.is_implied = (has_all || has_all_here) && one.primitive.id != EVERY_RIGHT;
            }
            found.append(&mut folded);
        }
    }

    /// The ways that are open in `namespace` to whoever holds all of these.
    fn open(&mut self, own: &Holdings, groups: &[Rc<Holdings>], namespace: Option<Symbol>) -> Rc<[Open]> {
        let held = || std::iter::once(own).chain(groups.iter().map(|group| &**group));
        let sorted = |mut sets: Vec<SetId>| {
            sets.sort_unstable_by_key(|set| (self.ranks.get(set.number()), *set));
            sets.dedup();
            sets.into_boxed_slice()
        };
        let cluster = sorted(held().flat_map(|holdings| Holdings::sets(&holdings.cluster)).collect());
        let local = sorted(held().flat_map(|holdings| Holdings::sets(holdings.here(namespace))).collect());
        let key = (cluster, local, namespace);
        if let Some(known) = self.known.get(&key) {
            return Rc::clone(known);
        }
        let book = &self.authz.policy.book;
        let (cluster, local, _) = &key;
        let held = Held { cluster, local, namespace: namespace.map(|namespace| book.text(namespace)) };
        let minor = self.authz.version().minor_number();
        let open: Rc<[Open]> = Rules { book, answered: &self.answered }.open(held, minor).into();
        self.known.insert(key, Rc::clone(&open));
        open
    }

    /// A way that is open, with its gates and its evidence; `None` where a gate is closed.
    fn judged(&self, holder: &Holder<'a>, open: &Open, namespace: Option<Symbol>, own: &Holdings, groups: &[Rc<Holdings>]) -> Option<Escalation<'a>> {
        let place = namespace.map(|namespace| self.authz.policy.book.text(namespace));
        // What one namespace has to do with a way of the whole cluster is a name that it fixes.
        let place = place.filter(|_| open.way.is_namespaced);
        let Passed { names, doubts } = self.passed(open, place)?;
        let mut evidence: Vec<GrantView<'a>> = Vec::new();
        for proof in &open.proofs {
            let grant = self.grant(proof, namespace, own, groups)?;
            if !evidence.iter().any(|known| known.binding == grant.binding && known.rule.place() == grant.rule.place()) {
                evidence.push(grant);
            }
        }
        let provision = evidence.iter().map(|grant| self.authz.provision(grant)).min().unwrap_or(Provision::Own);
        Some(Escalation {
            subject: holder.clone(),
            primitive: open.way.primitive,
            scope: place.map_or(Scope::Cluster, Scope::Namespace),
            gain: open.way.way.gain,
            names: names.filter(|_| open.way.way.is_named()),
            evidence,
            certainty: if doubts.is_empty() { Certainty::Confirmed } else { Certainty::Possible(doubts) },
            provision,
            is_implied: false,
        })
    }

    /// What the gates of a way leave of it at `place`; `None` where one is closed. Many subjects hold the same rules, and rules may
    /// name very many objects.
    fn passed(&self, open: &Open, place: Option<&str>) -> Option<Passed> {
        // INVARIANT: ways that are open are kept in `known` as long as this is, each for one namespace, so that an address is of one way.
        let key = std::ptr::from_ref(open).addr();
        if let Some(known) = self.passed.borrow().get(&key) {
            return known.clone();
        }
        let passed = self.pass(open, place);
        self.passed.borrow_mut().insert(key, passed.clone());
        passed
    }

    fn pass(&self, open: &Open, place: Option<&str>) -> Option<Passed> {
        let mut names = named(open, &self.authz.policy.book);
        let mut doubts = self.facts.webhooks().to_vec();
        for &gate in open.way.way.gates {
            match self.facts.pass(gate, place, &mut names) {
                Passage::Open => {}
                Passage::Closed => return None,
                Passage::Doubtful(more) => doubts.extend(more),
            }
        }
        doubts.sort();
        doubts.dedup();
        Some(Passed { names: names.map(Arc::from), doubts })
    }

    /// The grant by which a rule is held: by the subject itself rather than by a group.
    fn grant(&self, proof: &Proof, namespace: Option<Symbol>, own: &Holdings, groups: &[Rc<Holdings>]) -> Option<GrantView<'a>> {
        let held = std::iter::once(own).chain(groups.iter().map(|group| &**group));
        let mut places = held.map(|holdings| if proof.is_local { holdings.here(namespace) } else { &holdings.cluster });
        let holding = places.find_map(|place| place.iter().find(|holding| holding.set == Some(proof.set)))?;
        self.authz.grant(Grant { binding: holding.binding, subject: holding.subject, rule: proof.place })
    }

    /// What kubelets hold by the Node authorizer: the ServiceAccounts of the pods on their nodes.
    fn kubelets(&self) -> Vec<Escalation<'a>> {
        let Some(primitive) = primitives().find(|primitive| primitive.id == KUBELET) else { return Vec::new() };
        let mut nodes: BTreeMap<&'a str, BTreeSet<String>> = BTreeMap::new();
        for pod in self.authz.snapshot().of_kind(Kind::Pod).flat_map(PodView::of).filter(|pod| !pod.is_mirror()) {
            if let Some(node) = pod.spec().str(bartizan_cluster::field::NODE_NAME).filter(|node| !node.is_empty()) {
                nodes.entry(node).or_default().insert(format!("{}/{}", pod.namespace(), pod.service_account()));
            }
        }
        nodes
            .into_iter()
            .map(|(node, accounts)| Escalation {
                subject: Holder::user(User::node(node).name),
                primitive,
                scope: Scope::Cluster,
                gain: Gain::ServiceAccounts,
                names: Some(accounts.into_iter().collect()),
                evidence: Vec::new(),
                certainty: Certainty::Confirmed,
                provision: Provision::Default,
                is_implied: false,
            })
            .collect()
    }
}

/// Whether `wide` is the same way as `open`, on at least the same objects.
fn covers(wide: &Open, open: &Open) -> bool {
    std::ptr::eq(wide.way, open.way) && wide.objects.iter().zip(&open.objects).all(|(wide, narrow)| wide.holds(narrow))
}

/// The names of what a way gains, as rules write them.
fn named(open: &Open, book: &crate::rule::RuleBook) -> Names {
    match open.objects.first()? {
        Extent::These(names) => {
            let mut names: Vec<String> = names.iter().map(|&name| book.text(name).to_owned()).collect();
            names.sort_unstable();
            Some(names)
        }
        // Rules do not limit the names, but the way itself does.
        Extent::Any => open.way.needs.iter().find_map(|need| match need.name {
            Name::OneOf(names) => Some(names.iter().map(|&name| name.to_owned()).collect()),
            _ => None,
        }),
    }
}

/// Adds a way to those of the same primitive: several that gain the same are one.
fn fold<'a>(folded: &mut Vec<Escalation<'a>>, new: Escalation<'a>) {
    let same = folded.iter_mut().find(|one| one.primitive.id == new.primitive.id && one.gain == new.gain && one.scope == new.scope);
    let Some(known) = same else {
        folded.push(new);
        return;
    };
    let is_surer = new.certainty == Certainty::Confirmed && known.certainty != Certainty::Confirmed;
    let is_as_sure = (new.certainty == Certainty::Confirmed) == (known.certainty == Certainty::Confirmed);
    if is_surer {
        *known = new;
    } else if is_as_sure {
        let is_wider = known.names.is_some() && new.names.is_none();
        match (&mut known.names, new.names) {
            (Some(names), Some(more)) if !Arc::ptr_eq(names, &more) => {
                let mut all = [&**names, &*more].concat();
                all.sort_unstable();
                all.dedup();
                if all.len() > names.len() {
                    *names = all.into();
                    add(&mut known.evidence, new.evidence);
                }
            }
            (names, _) if is_wider => {
                *names = None;
                known.evidence = new.evidence;
            }
            _ => {}
        }
    }
}

fn add<'a>(evidence: &mut Vec<GrantView<'a>>, more: Vec<GrantView<'a>>) {
    for grant in more {
        if !evidence.iter().any(|known| known.binding == grant.binding && known.rule.place() == grant.rule.place()) {
            evidence.push(grant);
        }
    }
}
