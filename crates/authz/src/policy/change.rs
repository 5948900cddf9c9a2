//! Roles and bindings after a change: what has their names is read again, and who holds them is given what they now say.
//!
//! Start at [`Policy::with`].

use std::collections::{BTreeMap, BTreeSet};

use bartizan_cluster::snapshot::Changes;
use bartizan_cluster::{Kind, ObjectView, Snapshot, Symbol, selector};

use super::number::Others;
use super::read::{BINDINGS, ROLES, file, range};
use super::{Counting, Holding, Listed, Number, Policy, PrincipalId, Role, StoredOrigin};
use crate::aggregation;
use crate::rule::{EMPTY, count};

/// Kind, namespace and name.
type Name<'a> = (Kind, Option<&'a str>, &'a str);

impl<'s> Policy<'s> {
    /// The policy of `after`, of which `changes` tells what is different from what was read here. `None` where names are still to be
    /// chosen by a server, so that it is not known what takes the place of what.
    pub(crate) fn with<'a>(&self, after: &'a Snapshot, changes: &Changes<'a>) -> Option<Policy<'a>>
    where
        's: 'a,
    {
        let mut roles: BTreeSet<Name<'_>> = BTreeSet::new();
        let mut bindings: BTreeSet<Name<'_>> = BTreeSet::new();
        for object in changes.removed.iter().chain(&changes.added) {
            let kind = object.kind();
            let names = match kind {
                _ if ROLES.contains(&kind) => &mut roles,
                _ if BINDINGS.contains(&kind) => &mut bindings,
                _ => continue,
            };
            if object.name().ends_with('*') {
                return None;
            }
            names.insert((kind, object.namespace(), object.name()));
        }
        let mut next: Policy<'a> = self.clone();
        next.snapshot = after;
        let changed = next.change_roles(self, &roles);
        next.change_bindings(&bindings, &changed);
        next.settle();
        Some(next)
    }

    /// Puts what changes brought among what is shared, if that has become much.
    fn settle(&mut self) {
        self.book.settle();
        self.role_slots.settle();
        self.namespaces.settle();
        self.users.settle();
        self.groups.settle();
    }

    /// What has the name now, and where it is from.
    fn current<'o>(&self, (kind, namespace, name): Name<'_>, default: Option<&'o Snapshot>) -> Option<(ObjectView<'o>, StoredOrigin)>
    where
        's: 'o,
    {
        let own = self.snapshot.find(kind, namespace, name).map(|object| (object, StoredOrigin::Object(object.id())));
        own.or_else(|| default?.find(kind, namespace, name).map(|object| (object, StoredOrigin::DefaultPolicy)))
    }

    /// Reads the roles of these names again; the answer is the slots of all roles that changed, those among them that aggregation
    /// changes with them.
    fn change_roles(&mut self, before: &Policy<'_>, names: &BTreeSet<Name<'_>>) -> BTreeSet<u32> {
        let default = self.default_snapshot();
        let mut changed = BTreeSet::new();
        let mut is_aggregating = false;
        let mut concerned = Vec::new();
        for &name in names {
            let key = (name.0 == Kind::ClusterRole, self.book.word(name.1.unwrap_or("")), self.book.word(name.2));
            let slot = self.role_slot(key.0, key.1, key.2);
            let Some(old) = self.roles.get(slot as usize).cloned() else { continue };
            let new = match self.current(name, default.as_deref()) {
                Some((object, origin)) => self.read_role(object, origin),
                None => self.empty_role(&old),
            };
            let was = old.origin.and_then(|_| before.role_object(&old, default.as_deref()));
            let is = self.role_object(&new, default.as_deref());
            is_aggregating |= old.is_selecting || new.is_selecting;
            concerned.extend([was, is].into_iter().flatten().filter(|object| object.kind() == Kind::ClusterRole));
            self.put_role(slot, &old, new);
            changed.insert(slot);
        }
        if is_aggregating || concerned.into_iter().any(|role| self.is_selected(role, default.as_deref())) {
            changed.extend(self.aggregate());
        }
        changed
    }

    /// What is left of a role that is there no more.
    fn empty_role(&mut self, old: &Role) -> Role {
        let written = self.book.set(Vec::new());
        Role { origin: None, is_stored: false, is_selecting: false, written, counting: Counting::of(written), ..old.clone() }
    }

    /// Puts a role into its slot and, if it was not there or is there no more, into or out of the list.
    fn put_role(&mut self, slot: u32, old: &Role, new: Role) {
        let place = self.place(&self.listed_roles, (!new.is_cluster, new.namespace, new.name), |policy, slot| {
            policy.roles.get(slot).map(|role| (!role.is_cluster, role.namespace, role.name))
        });
        let others = match (old.origin.is_some(), new.origin.is_some()) {
            (false, true) => self.listed_roles.insert(place, slot),
            (true, false) => {
                self.listed_roles.remove(place);
                Others::Kept
            }
            _ => Others::Kept,
        };
        let order = self.listed_roles.all().get(place).filter(|number| number.slot == slot).map_or(0, |number| number.order);
        if let Some(role) = self.roles.get_mut(slot as usize) {
            *role = Role { order, references: old.references, ..new };
        }
        if others == Others::Moved {
            for number in self.listed_roles.clone().all() {
                if let Some(role) = self.roles.get_mut(number.slot()) {
                    role.order = number.order;
                }
            }
        }
    }

    /// Whether an aggregated role takes the rules of this one in.
    fn is_selected(&self, role: ObjectView<'_>, default: Option<&Snapshot>) -> bool {
        let cluster = self.listed_roles.all().iter().filter_map(|number| self.roles.get(number.slot())).take_while(|role| role.is_cluster);
        let selecting = cluster.filter(|role| role.is_selecting).filter_map(|role| self.role_object(role, default));
        selecting.filter_map(aggregation::selectors).flatten().any(|wanted| selector::matches(wanted, role.labels()))
    }

    /// Reads the bindings of these names again, and gives everybody whom they or one of `roles` concern what they now hold.
    fn change_bindings(&mut self, names: &BTreeSet<Name<'_>>, roles: &BTreeSet<u32>) {
        let default = self.default_snapshot();
        let mut is_affected = vec![false; self.bindings.len()];
        let mut holders: BTreeMap<PrincipalId, Vec<Holding>> = BTreeMap::new();
        let mut others = Others::Kept;
        for &name in names {
            let key = (name.0 == Kind::RoleBinding, self.book.word(name.1.unwrap_or("")), self.book.word(name.2));
            let place = self.place_of_binding(key);
            let old = self.listed_bindings.all().get(place).copied().filter(|number| self.binding_key(number.slot()) == Some(key));
            if let Some(binding) = old.and_then(|number| self.bindings.get(number.slot())) {
                holders.extend(binding.subjects.iter().filter_map(|subject| Some((subject.principal?, Vec::new()))));
                self.refer(binding.role, false);
            }
            let new = self.current(name, default.as_deref()).map(|(object, origin)| self.read_binding(object, origin));
            if let Some(binding) = &new {
                self.refer(binding.role, true);
            }
            match (old, new) {
                (Some(number), Some(binding)) => {
                    if let Some(slot) = self.bindings.get_mut(number.slot()) {
                        *slot = binding;
                    }
                    mark(&mut is_affected, number.slot());
                }
                (Some(number), None) => {
                    self.listed_bindings.remove(place);
                    if let Some(slot) = self.bindings.get_mut(number.slot()) {
                        slot.subjects = [].into();
                    }
                    mark(&mut is_affected, number.slot());
                }
                (None, Some(binding)) => {
                    let slot = count(self.bindings.len());
                    self.bindings.push(binding);
                    if self.listed_bindings.insert(place, slot) == Others::Moved {
                        others = Others::Moved;
                    }
                    is_affected.push(true);
                }
                (None, None) => {}
            }
        }
        match others {
            Others::Moved => self.follow_moved(),
            Others::Kept => {
                let local = names.iter().filter(|name| name.0 == Kind::RoleBinding);
                local.for_each(|name| self.place_namespace(name.1.unwrap_or("")));
            }
        }
        self.give_again(is_affected, roles, holders);
    }

    /// Makes the holdings of affected bindings again: of those that are marked, and of those that give one of `roles`. `holders` are
    /// those who held something by them.
    fn give_again(&mut self, mut is_affected: Vec<bool>, roles: &BTreeSet<u32>, mut holders: BTreeMap<PrincipalId, Vec<Holding>>) {
        for &number in self.listed_bindings.all() {
            let gives_one = || self.bindings.get(number.slot()).and_then(|binding| binding.role).is_some_and(|role| roles.contains(&role));
            if is_affected.get(number.slot()) == Some(&false) && !roles.is_empty() && gives_one() {
                mark(&mut is_affected, number.slot());
            }
            if is_affected.get(number.slot()) == Some(&true) {
                for (principal, holding) in self.given(number) {
                    file(holders.entry(principal).or_default(), holding);
                }
            }
        }
        for (id, new) in holders {
            let held = self.principals.get(id.0 as usize).map_or(&[][..], |principal| &principal.holdings);
            let stays = |holding: &&Holding| is_affected.get(holding.binding.0.slot()) != Some(&true);
            let mut holdings: Vec<Holding> = held.iter().filter(stays).copied().chain(new).collect();
            holdings.sort_unstable_by_key(|holding| holding.binding);
            self.hold(id, holdings);
        }
    }

    /// One binding more, or one less, refers to a role.
    fn refer(&mut self, role: Option<u32>, is_more: bool) {
        if let Some(role) = role.and_then(|slot| self.roles.get_mut(slot as usize)) {
            role.references = if is_more { role.references.saturating_add(1) } else { role.references.saturating_sub(1) };
        }
    }

    /// Takes the new places of all bindings in the order into what refers to them.
    fn follow_moved(&mut self) {
        let mut orders = vec![0; self.bindings.len()];
        for number in self.listed_bindings.all() {
            if let Some(order) = orders.get_mut(number.slot()) {
                *order = number.order;
            }
        }
        for place in 0..self.principals.len() {
            let Some(principal) = self.principals.get_mut(place) else { continue };
            let moved = |holding: &Holding| {
                let mut holding = *holding;
                holding.binding.0.order = orders.get(holding.binding.0.slot()).copied().unwrap_or(0);
                holding
            };
            principal.holdings = principal.holdings.iter().map(moved).collect();
        }
        self.place_namespaces();
    }

    /// Looks where the bindings of one namespace stand.
    fn place_namespace(&mut self, namespace: &str) {
        let namespace = self.book.word(namespace);
        let first = self.place_of_binding((true, namespace, EMPTY));
        let listed = self.listed_bindings.all().get(first..).unwrap_or_default();
        let here = listed.partition_point(|number| self.bindings.get(number.slot()).is_some_and(|binding| binding.namespace == namespace));
        let range = range(listed.get(..here).unwrap_or_default());
        self.namespaces.insert(namespace, range);
    }

    fn binding_key(&self, slot: usize) -> Option<(bool, Symbol, Symbol)> {
        self.bindings.get(slot).map(|binding| (!binding.is_cluster, binding.namespace, binding.name))
    }

    fn place_of_binding(&self, key: (bool, Symbol, Symbol)) -> usize {
        self.place(&self.listed_bindings, key, Self::binding_key)
    }

    /// The place of the first in a list that does not stand before `key`: whether it is in a namespace, the namespace and the name.
    fn place(&self, list: &Listed, key: (bool, Symbol, Symbol), key_of: impl Fn(&Self, usize) -> Option<(bool, Symbol, Symbol)>) -> usize {
        let said = |(is_local, namespace, name): (bool, Symbol, Symbol)| (is_local, self.book.text(namespace), self.book.text(name));
        list.all().partition_point(|number: &Number| key_of(self, number.slot()).is_some_and(|its| said(its) < said(key)))
    }
}

fn mark(marks: &mut [bool], place: usize) {
    if let Some(mark) = marks.get_mut(place) {
        *mark = true;
    }
}
