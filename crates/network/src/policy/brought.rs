//! What each object of a custom kind brought, and what else it was read by: a change takes back and reads again what it concerns.
//!
//! NetworkPolicies are not told here: nothing but the object itself says what one of them means.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use bartizan_cluster::{Interner, ObjectId};

use super::cilium::HostPolicy;
use super::istio::Guard;
use super::unmodelled::Blur;
use super::{PodMatch, Policies, calico};
use crate::label::{Scope, SelectorId};
use crate::sharing::{Layered, Register};

/// What an object was read by beside itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Reads<'s> {
    /// What stands behind a Service, by namespace and name.
    Service(&'s str, &'s str),
    /// What stands behind all Services that are like something.
    Services,
    /// A list of blocks of Cilium's, by name.
    Blocks(&'s str),
    /// All lists of blocks that are like something.
    AllBlocks,
    /// A tier of Calico's.
    Tier(&'s str),
    /// What of Calico's network sets and host endpoints is like something, by the number of what it is like.
    Sets(u32),
    /// The value of a label of service accounts.
    Accounts(&'s str),
    /// That no object has a word, by the number of the word.
    Absent(u32),
}

/// What one object brought, as ranges of the numbers that were given while it was read.
#[derive(Debug, Clone, Default)]
struct Share<'s> {
    policies: Range<u32>,
    blurs: Range<u32>,
    guards: Range<u32>,
    faults: Range<u32>,
    /// Selectors that are noted without a policy.
    noted: Vec<SelectorId>,
    reads: Vec<Reads<'s>>,
}

/// What all objects brought.
#[derive(Debug, Clone, Default)]
pub(super) struct Brought<'s> {
    shares: Layered<ObjectId, Arc<Share<'s>>>,
    /// Who was read by what.
    readers: Layered<Reads<'s>, Vec<ObjectId>>,
    /// What selectors of Calico's may select that is no pod, of one namespace or anywhere.
    likenesses: Register<(Scope, calico::Meaning<'s>)>,
    /// Words that no object had.
    absent: Register<Box<str>>,
    /// That of the object that is being read.
    current: Share<'s>,
}

impl<'s> Policies<'s> {
    /// From here on, everything that is added is brought by one object.
    pub(crate) fn begin(&mut self) {
        self.brought.current = Share {
            policies: crate::inventory::count(self.list.len())..0,
            blurs: self.blurs.numbers()..0,
            guards: self.guards.numbers()..0,
            faults: self.faults.numbers()..0,
            noted: Vec::new(),
            reads: Vec::new(),
        };
    }

    /// Up to here, it was this one.
    pub(crate) fn finish(&mut self, object: ObjectId) {
        let mut share = std::mem::take(&mut self.brought.current);
        share.policies.end = crate::inventory::count(self.list.len());
        share.blurs.end = self.blurs.numbers();
        share.guards.end = self.guards.numbers();
        share.faults.end = self.faults.numbers();
        share.reads.sort_unstable();
        for &read in &share.reads {
            let readers = self.brought.readers.slot(read, Vec::new);
            if readers.last() != Some(&object) {
                readers.push(object);
            }
        }
        self.brought.shares.insert(object, Arc::new(share));
    }

    /// Notes by what the object that is being read is read.
    pub(crate) fn reads(&mut self, what: Reads<'s>) {
        self.brought.current.reads.push(what);
    }

    /// Notes that it is read by a word that no object has.
    pub(super) fn reads_absent(&mut self, word: String) {
        let number = self.brought.absent.add(word.into());
        self.reads(Reads::Absent(number));
    }

    /// Notes that it is read by what of Calico's sets is like this.
    pub(super) fn reads_sets(&mut self, home: Scope, meaning: &calico::Meaning<'s>) {
        let number = self.brought.likenesses.add((home, meaning.clone()));
        self.reads(Reads::Sets(number));
    }

    /// Notes a selector that the object uses.
    pub(super) fn notes(&mut self, selector: SelectorId) {
        self.brought.current.noted.push(selector);
    }

    /// Adds something that is not known. It uses its pods.
    pub(super) fn blur(&mut self, blur: Blur) {
        let scope = blur.subject.namespaces.scope();
        self.touched.push(scope);
        self.blurs.add(scope, blur);
    }

    /// Adds what proxies enforce. It uses its pods and blocks.
    pub(super) fn guard(&mut self, guard: Guard<'s>) {
        let scope = guard.subject.namespaces.scope();
        self.touched.push(scope);
        self.guards.add(scope, Arc::new(guard));
    }

    /// The objects that were read by something, and those that were read by any of Calico's sets for which `is_meant` holds.
    pub(crate) fn readers_of(&self, what: Reads<'s>) -> &[ObjectId] {
        self.brought.readers.get(&what).map_or(&[], Vec::as_slice)
    }

    /// The objects that were read by what is like something for which this holds, of one namespace or anywhere.
    pub(super) fn readers_of_sets(&self, is_meant: impl Fn(Scope, &calico::Meaning<'s>) -> bool) -> BTreeSet<ObjectId> {
        let meant = self.brought.likenesses.numbered().filter(|(_, (home, meaning))| is_meant(*home, meaning));
        meant.flat_map(|(number, _)| self.readers_of(Reads::Sets(number))).copied().collect()
    }

    /// The objects that were read by the absence of a word that is one of these now.
    pub(crate) fn readers_of_words(&self, strings: &Interner) -> Vec<ObjectId> {
        let found = self.brought.absent.numbered().filter(|(_, word)| strings.find(word).is_some());
        found.flat_map(|(number, _)| self.readers_of(Reads::Absent(number))).copied().collect()
    }

    /// Takes away everything that an object brought.
    pub(crate) fn take_back(&mut self, object: ObjectId) {
        let Some(share) = self.brought.shares.get(&object).map(Arc::clone) else { return };
        self.brought.shares.remove(object);
        if self.host_policies.iter().any(|policy| policy.object == object) {
            self.remove_for_nodes(object);
        }
        for number in share.policies.clone() {
            self.remove(number);
        }
        for number in share.blurs.clone() {
            if let Some(blur) = self.blurs.take(number, |blur| blur.subject.namespaces.scope()) {
                self.touched.push(blur.subject.namespaces.scope());
                self.release(blur.subject);
            }
        }
        for number in share.guards.clone() {
            if let Some(guard) = self.guards.take(number, |guard| guard.subject.namespaces.scope()) {
                self.touched.push(guard.subject.namespaces.scope());
                self.release_guard(&guard);
            }
        }
        for number in share.faults.clone() {
            let _ = self.faults.take(number);
        }
        for &selector in &share.noted {
            self.pod_selectors.release(selector);
        }
        for &read in &share.reads {
            self.brought.readers.slot(read, Vec::new).retain(|&other| other != object);
            match read {
                Reads::Sets(number) => self.brought.likenesses.release(number),
                Reads::Absent(number) => self.brought.absent.release(number),
                _ => {}
            }
        }
    }

    /// Takes away what it says of nodes.
    fn remove_for_nodes(&mut self, object: ObjectId) {
        let hosts = Arc::make_mut(&mut self.host_policies);
        let (gone, kept): (Vec<HostPolicy<'s>>, Vec<HostPolicy<'s>>) = hosts.drain(..).partition(|policy| policy.object == object);
        *hosts = kept;
        for policy in gone {
            let numbers: Vec<u32> = policy.rules().collect();
            // The subject itself goes with the policy that has a name for the rules.
            if let Some(subject) = numbers.first().and_then(|&rule| self.subject_of(rule)) {
                self.release_rules(subject, numbers.iter());
            }
        }
    }

    fn subject_of(&self, rule: u32) -> Option<PodMatch> {
        self.list.get(self.rules.get(rule as usize)?.policy as usize).map(|policy| policy.subject)
    }

    /// Takes away what a guard uses.
    pub(super) fn release_guard(&mut self, guard: &Guard<'s>) {
        self.release(guard.subject);
        guard.blocks().for_each(|block| self.blocks.release(block));
    }

    /// Forgets what nothing uses any more and what tells no pods apart by itself.
    pub(crate) fn forget_unused(&mut self) {
        let _ = (self.formulas.news(), self.brought.likenesses.news(), self.brought.absent.news());
    }
}
