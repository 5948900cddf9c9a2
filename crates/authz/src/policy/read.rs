//! Reading: from roles and bindings as they are written to who holds which rules.
//!
//! Start at [`Policy::read`]. What is read here once, [`Policy::with`] reads again where it has changed.

use std::ops::Range;
use std::sync::Arc;

use bartizan_cluster::access::SERVICE_ACCOUNT_PREFIX;
use bartizan_cluster::sharing::{Layered, Pages};
use bartizan_cluster::{Kind, KubernetesVersion, Missing, ObjectView, Provenance, Reason, Snapshot, Symbol, Value, field};

use super::{Binding, BindingId, Counting, Holding, Index, Listed, Number, Policy, Principal, PrincipalId, Role, StoredOrigin, Subject, SubjectKind, index};
use crate::aggregation::{self, Part};
use crate::default_policy;
use crate::rule::{EMPTY, Rule, RuleBook, RuleId, SetId, count};

pub(super) const ROLES: [Kind; 2] = [Kind::ClusterRole, Kind::Role];
pub(super) const BINDINGS: [Kind; 2] = [Kind::ClusterRoleBinding, Kind::RoleBinding];

impl<'s> Policy<'s> {
    /// Reads the roles and bindings of `snapshot`, and adds the default policy of `version` where one is wanted. With `repairs`, it
    /// is also added to the default roles and bindings that are there, as a server does when it starts.
    pub(crate) fn read(snapshot: &'s Snapshot, version: Option<KubernetesVersion>, repairs: bool) -> Self {
        let plurals: Vec<&str> = ROLES.into_iter().chain(BINDINGS).filter_map(Kind::resource).map(|resource| resource.plural).collect();
        let mut policy = Self {
            snapshot,
            book: RuleBook::new(),
            default: version.map(|version| (version, Arc::new(default_policy::snapshot(version)))),
            repairs,
            is_cut: false,
            roles: Pages::default(),
            listed_roles: Listed::default(),
            role_slots: Layered::default(),
            bindings: Pages::default(),
            listed_bindings: Listed::default(),
            namespaces: Layered::default(),
            principals: Pages::default(),
            users: Layered::default(),
            groups: Layered::default(),
            missing: snapshot.circumstances().missing.iter().filter(|missing| plurals.contains(&missing.fact.as_str())).cloned().collect(),
            room: index::BUDGET,
        };
        policy.read_roles();
        if policy.is_cut {
            let missing = Missing::list(Kind::ClusterRole, None, Reason::Incomplete);
            policy.missing = policy.missing.iter().cloned().chain([missing]).collect();
        }
        policy.read_bindings();
        policy.file_holdings();
        policy.book.share();
        policy
    }

    /// The default policy that stands beside the input.
    pub(super) fn default_snapshot(&self) -> Option<Arc<Snapshot>> {
        self.default.as_ref().map(|(_, default)| Arc::clone(default))
    }

    /// The objects of `kinds` that count: those of the input, and those of the default policy of which the input says nothing. What
    /// the input says about a default role is what was written last.
    fn counting_objects<'o>(&self, kinds: [Kind; 2], default: Option<&'o Snapshot>) -> Vec<(ObjectView<'o>, StoredOrigin)>
    where
        's: 'o,
    {
        let snapshot = self.snapshot;
        let own = kinds.into_iter().flat_map(|kind| snapshot.of_kind(kind)).filter(|&object| counts(snapshot, object));
        let is_missing = |object: &ObjectView<'_>| snapshot.find(object.kind(), object.namespace(), object.name()).is_none();
        let added = default.into_iter().flat_map(|default| kinds.into_iter().flat_map(|kind| default.of_kind(kind))).filter(is_missing);
        let own = own.map(|object| (object, StoredOrigin::Object(object.id())));
        own.chain(added.map(|object| (object, StoredOrigin::DefaultPolicy))).collect()
    }

    fn read_roles(&mut self) {
        let default = self.default_snapshot();
        let mut roles = Vec::new();
        for (object, origin) in self.counting_objects(ROLES, default.as_deref()) {
            roles.push(self.read_role(object, origin));
        }
        roles.sort_by_cached_key(|role| (!role.is_cluster, self.book.text(role.namespace).to_owned(), self.book.text(role.name).to_owned()));
        self.listed_roles = Listed::of(0..count(roles.len()));
        for (role, number) in roles.into_iter().zip(self.listed_roles.all()) {
            self.role_slots.insert((role.is_cluster, role.namespace, role.name), number.slot);
            self.roles.push(Role { order: number.order, ..role });
        }
        self.aggregate();
    }

    pub(super) fn read_role(&mut self, object: ObjectView<'_>, origin: StoredOrigin) -> Role {
        let mut rules: Vec<RuleId> = object.root().list(field::RULES).map(|rule| self.read_rule(rule)).collect();
        let default = self.default_snapshot();
        for rule in self.repair(object, default.as_deref()).into_iter().flat_map(|default| default.root().list(field::RULES)) {
            let rule = self.read_rule(rule);
            if !rules.contains(&rule) {
                rules.push(rule);
            }
        }
        let text = |name| object.metadata().and_then(|metadata| metadata.str(name)).is_some_and(|text| !text.is_empty());
        let is_from_server = self.snapshot.circumstances().provenance == Provenance::Live && matches!(origin, StoredOrigin::Object(_));
        let is_cluster = object.kind() == Kind::ClusterRole;
        let written = self.book.set(rules);
        Role {
            is_cluster,
            namespace: object.namespace().map_or(EMPTY, |namespace| self.book.word(namespace)),
            name: self.book.word(object.name()),
            origin: Some(origin),
            order: 0,
            is_stored: is_from_server || text(field::UID) || text(field::RESOURCE_VERSION),
            is_selecting: is_cluster && aggregation::selectors(object).is_some(),
            written,
            counting: Counting::of(written),
            references: 0,
        }
    }

    fn read_rule(&mut self, rule: Value<'_>) -> RuleId {
        let said = Rule::read(rule, &mut self.book);
        self.book.rule(said)
    }

    /// The object in which a role is written.
    pub(super) fn role_object<'o>(&self, role: &Role, default: Option<&'o Snapshot>) -> Option<ObjectView<'o>>
    where
        's: 'o,
    {
        match role.origin? {
            StoredOrigin::Object(id) => self.snapshot.view(id),
            StoredOrigin::DefaultPolicy => {
                let kind = if role.is_cluster { Kind::ClusterRole } else { Kind::Role };
                let namespace = self.book.text(role.namespace);
                default?.find(kind, (!namespace.is_empty()).then_some(namespace), self.book.text(role.name))
            }
        }
    }

    /// Gives aggregated roles their rules; the answer is the slots of those of which that changes anything.
    pub(super) fn aggregate(&mut self) -> Vec<u32> {
        let default = self.default_snapshot();
        let listed = self.listed_roles.all().iter().map(|number| number.slot);
        let slots: Vec<u32> = listed.take_while(|&slot| self.roles.get(slot as usize).is_some_and(|role| role.is_cluster)).collect();
        let part = |&slot: &u32| {
            let role = self.roles.get(slot as usize)?;
            let object = self.role_object(role, default.as_deref());
            Some(Part { object, rules: self.book.rules_of(role.written), is_stored: role.is_stored })
        };
        let parts: Vec<Part<'_>> = slots.iter().filter_map(part).collect();
        let aggregated = aggregation::resolve(&parts);
        self.is_cut = aggregated.cut.contains(&true);
        let mut changed = Vec::new();
        for (((&slot, made), circle), is_cut) in slots.iter().zip(aggregated.made).zip(aggregated.circles).zip(aggregated.cut) {
            let Some(role) = self.roles.get(slot as usize) else { continue };
            let mut counting = Counting { circle: circle.and_then(|place| slots.get(place as usize).copied()), ..Counting::of(role.written) };
            if let Some(made) = made {
                let set = self.book.set(made.iter().map(|&(rule, ..)| rule).collect());
                if role.is_stored {
                    counting.drift = (!is_cut && set != role.written).then_some(set);
                } else {
                    counting.set = set;
                    counting.is_cut = is_cut;
                    let source = |&(_, place, rule): &aggregation::Made| slots.get(place as usize).map(|&slot| (slot, rule));
                    counting.sources = Some(made.iter().filter_map(source).collect());
                }
            }
            if counting != role.counting
                && let Some(role) = self.roles.get_mut(slot as usize)
            {
                role.counting = counting;
                changed.push(slot);
            }
        }
        changed
    }

    /// The slot of the role called that, be it there or not.
    pub(super) fn role_slot(&mut self, is_cluster: bool, namespace: Symbol, name: Symbol) -> u32 {
        if let Some(&known) = self.role_slots.get(&(is_cluster, namespace, name)) {
            return known;
        }
        let slot = count(self.roles.len());
        let written = self.book.set(Vec::new());
        let counting = Counting::of(written);
        self.roles.push(Role { is_cluster, namespace, name, origin: None, order: 0, is_stored: false, is_selecting: false, written, counting, references: 0 });
        self.role_slots.insert((is_cluster, namespace, name), slot);
        slot
    }

    fn read_bindings(&mut self) {
        let default = self.default_snapshot();
        let mut bindings = Vec::new();
        for (object, origin) in self.counting_objects(BINDINGS, default.as_deref()) {
            bindings.push(self.read_binding(object, origin));
        }
        let key = |binding: &Binding| (!binding.is_cluster, self.book.text(binding.namespace).to_owned(), self.book.text(binding.name).to_owned());
        bindings.sort_by_cached_key(key);
        self.listed_bindings = Listed::of(0..count(bindings.len()));
        for binding in bindings {
            self.bindings.push(binding);
        }
        self.place_namespaces();
    }

    /// Looks where the bindings of each namespace stand.
    pub(super) fn place_namespaces(&mut self) {
        let listed = self.listed_bindings.clone();
        let home = |number: Number| self.namespace_of(BindingId(number));
        let runs = listed.all().chunk_by(|&one, &next| home(one) == home(next));
        let placed: Vec<(Symbol, Range<u32>)> = runs.filter_map(|run| Some((home(*run.first()?)?, range(run)))).collect();
        for (namespace, range) in placed {
            self.namespaces.insert(namespace, range);
        }
    }

    pub(super) fn read_binding(&mut self, object: ObjectView<'_>, origin: StoredOrigin) -> Binding {
        let reference = object.root().get(field::ROLE_REF);
        let part = |name| reference.and_then(|reference| reference.str(name)).unwrap_or("");
        let is_cluster = object.kind() == Kind::ClusterRoleBinding;
        let namespace = object.namespace().map_or(EMPTY, |namespace| self.book.word(namespace));
        let name = self.book.word(object.name());
        let [role_kind, role_name] = [field::KIND, field::NAME].map(|field| self.book.word(part(field)));
        let role = match part(field::KIND) {
            "ClusterRole" => Some(self.role_slot(true, EMPTY, role_name)),
            // A binding of the whole cluster has no namespace in which a Role could be looked for.
            "Role" if !is_cluster => Some(self.role_slot(false, namespace, role_name)),
            _ => None,
        };
        let mut subjects: Vec<Subject> = object.root().list(field::SUBJECTS).map(|subject| self.read_subject(namespace, subject)).collect();
        let default = self.default_snapshot();
        for subject in self.repair(object, default.as_deref()).into_iter().flat_map(|default| default.root().list(field::SUBJECTS)) {
            let subject = self.read_subject(namespace, subject);
            if !subjects.contains(&subject) {
                subjects.push(subject);
            }
        }
        Binding { is_cluster, namespace, name, role_kind, role_name, role, subjects: subjects.into(), origin }
    }

    /// Reads a subject of a binding in the namespace `home`.
    fn read_subject(&mut self, home: Symbol, subject: Value<'_>) -> Subject {
        let [kind_name, name, namespace] = [field::KIND, field::NAME, field::NAMESPACE].map(|name| subject.str(name).unwrap_or(""));
        let kind = match kind_name {
            "User" => SubjectKind::User,
            "Group" => SubjectKind::Group,
            "ServiceAccount" => SubjectKind::ServiceAccount,
            _ => SubjectKind::Unknown,
        };
        let principal = match kind {
            SubjectKind::User => Some(self.principal(false, name)),
            SubjectKind::Group => Some(self.principal(true, name)),
            SubjectKind::ServiceAccount => {
                let home = if namespace.is_empty() { self.book.text(home) } else { namespace };
                let user = (!home.is_empty()).then(|| format!("{SERVICE_ACCOUNT_PREFIX}{home}:{name}"));
                user.map(|user| self.principal(false, &user))
            }
            SubjectKind::Unknown => None,
        };
        Subject { kind, kind_name: self.book.word(kind_name), name: self.book.word(name), namespace: self.book.word(namespace), principal }
    }

    fn principal(&mut self, is_group: bool, name: &str) -> PrincipalId {
        let name = self.book.word(name);
        let known = if is_group { &mut self.groups } else { &mut self.users };
        if let Some(&known) = known.get(&name) {
            return known;
        }
        let id = PrincipalId(count(self.principals.len()));
        known.insert(name, id);
        self.principals.push(Principal { is_group, name, holdings: Arc::new([]), cluster: 0, has_dangling: false, index: None });
        id
    }

    fn file_holdings(&mut self) {
        let mut held: Vec<Vec<Holding>> = vec![Vec::new(); self.principals.len()];
        let mut references: Vec<u32> = vec![0; self.roles.len()];
        for &number in self.listed_bindings.all() {
            let Some(binding) = self.bindings.get(number.slot()) else { continue };
            if let Some(references) = binding.role.and_then(|slot| references.get_mut(slot as usize)) {
                *references += 1;
            }
            for (principal, holding) in self.given(number) {
                if let Some(holdings) = held.get_mut(principal.0 as usize) {
                    file(holdings, holding);
                }
            }
        }
        for (references, slot) in references.into_iter().zip(0..) {
            if let Some(role) = self.roles.get_mut(slot) {
                role.references = references;
            }
        }
        for (holdings, number) in held.into_iter().zip(0u32..) {
            self.hold(PrincipalId(number), holdings);
        }
    }

    /// What each entry of a binding gives, and to whom.
    pub(super) fn given(&self, number: Number) -> impl Iterator<Item = (PrincipalId, Holding)> {
        let binding = self.bindings.get(number.slot());
        let set = binding.and_then(|binding| self.set_of(binding));
        let subjects: &[Subject] = binding.map_or(&[], |binding| &binding.subjects);
        let given = subjects.iter().zip(0u32..);
        given.filter_map(move |(subject, place)| Some((subject.principal?, Holding { binding: BindingId(number), subject: place, set })))
    }

    /// The rules that a binding gives; none where its role is not there, or its rules are not known.
    fn set_of(&self, binding: &Binding) -> Option<SetId> {
        let role = self.roles.get(binding.role? as usize)?;
        role.origin.filter(|_| !role.counting.is_cut).map(|_| role.counting.set)
    }

    /// Lets a principal hold this, which is in the order of the bindings, and nothing else.
    pub(super) fn hold(&mut self, id: PrincipalId, holdings: Vec<Holding>) {
        let of = |holding: &Holding| self.bindings.get(holding.binding.0.slot());
        let cluster = holdings.partition_point(|holding| of(holding).is_some_and(|binding| binding.is_cluster));
        let has_dangling = holdings.iter().any(|holding| holding.set.is_none());
        let known = self.principals.get(id.0 as usize).and_then(|principal| principal.index.as_deref());
        let mut room = self.room + known.map_or(0, |index| index.entries);
        let index = Index::of(&holdings, cluster, known, |holding| of(holding).map(|binding| binding.namespace), &self.book, &mut room);
        self.room = room;
        if let Some(principal) = self.principals.get_mut(id.0 as usize) {
            *principal = Principal { holdings: holdings.into(), cluster, has_dangling, index, ..*principal };
        }
    }

    /// The default that a server would add to `object` when it starts; none where nobody starts one, or somebody has forbidden that.
    fn repair<'d>(&self, object: ObjectView<'_>, default: Option<&'d Snapshot>) -> Option<ObjectView<'d>> {
        let default = default.filter(|_| self.repairs)?.find(object.kind(), object.namespace(), object.name())?;
        (object.annotation("rbac.authorization.kubernetes.io/autoupdate") != Some("false")).then_some(default)
    }
}

impl Counting {
    /// Of a role that has rules of its own.
    pub(super) fn of(written: SetId) -> Self {
        Self { set: written, is_cut: false, sources: None, drift: None, circle: None }
    }
}

/// The places in the order from the first to the last of these.
pub(super) fn range(numbers: &[Number]) -> Range<u32> {
    numbers.first().zip(numbers.last()).map_or(0..0, |(first, last)| first.order..last.order.saturating_add(1))
}

/// Puts a holding behind others: somebody whom a binding names twice holds the same rules once.
pub(super) fn file(holdings: &mut Vec<Holding>, holding: Holding) {
    if holdings.last().is_none_or(|last| last.binding != holding.binding) {
        holdings.push(holding);
    }
}

/// Whether `object` is the one that counts among those of its name; of those whose names a server will choose, all count.
fn counts(snapshot: &Snapshot, object: ObjectView<'_>) -> bool {
    object.name().ends_with('*') || snapshot.find(object.kind(), object.namespace(), object.name()).is_some_and(|found| found.id() == object.id())
}
