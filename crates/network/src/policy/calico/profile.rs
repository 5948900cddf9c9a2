//! Profiles: what becomes of traffic that no policy of an endpoint decides, and labels that endpoints inherit.
//!
//! Host endpoints name theirs. A pod has that of its namespace (`kns.NAME`) and of its service account (`ksa.NAMESPACE.NAME`): Calico
//! makes them from what they are named after, and the first lets everything through. One that is in the input and says otherwise
//! counts as it says.

use std::collections::BTreeMap;

use bartizan_cluster::{ObjectView, Snapshot, Symbol, Value, field};

use super::meaning::{ACCOUNT_PREFIX, NAMESPACE_PREFIX};
use super::stored::{self, is_current};
use super::{CALICO, Page, Reader};
use crate::inventory::{CALICO_ACCOUNT_LABEL, count};
use crate::label::{Label, Test};
use crate::policy::formula::Wish;
use crate::policy::{Action, Direction, Isolates, Policy, Tier};
use crate::verdict::Cause;

/// The profile that lets everything through.
pub(super) const ALLOWS_ALL: &str = "projectcalico-default-allow";

/// How the names of those begin that belong to namespaces and to service accounts.
const OF_NAMESPACE: &str = "kns.";
const OF_ACCOUNT: &str = "ksa.";

/// What becomes of what no rule of a profile decides.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ending {
    Allowed,
    Refused,
    Unknown(Cause),
}

/// The profiles of the input by their names, each as the policy that its rules are.
#[derive(Debug, Default)]
pub(super) struct Profiles<'s> {
    list: BTreeMap<&'s str, u32>,
}

impl Profiles<'_> {
    /// The profiles that are asked of those with these names, in this order, and what becomes of the rest.
    pub(super) fn behind(&self, names: &[&str]) -> (Vec<u32>, Ending) {
        let mut asked = Vec::new();
        for name in names {
            if *name == ALLOWS_ALL {
                return (asked, Ending::Allowed);
            }
            match self.list.get(name) {
                Some(&policy) => asked.push(policy),
                None if name.starts_with(OF_NAMESPACE) => return (asked, Ending::Allowed),
                None if name.starts_with(OF_ACCOUNT) => {}
                None => return (asked, Ending::Unknown(Cause::ProfileUnknown((*name).to_owned()))),
            }
        }
        (asked, Ending::Refused)
    }
}

/// The labels that profiles of these names give to endpoints; of one key twice, the first counts.
pub(super) fn inherited(snapshot: &Snapshot, names: &[&str]) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    for name in names {
        let found = objects(snapshot).find(|object| object.name() == *name).and_then(ObjectView::spec);
        let given = found.and_then(|spec| spec.entry("labelsToApply")).into_iter().flat_map(Value::entries);
        for (key, value) in given.filter_map(|(key, value)| Some((key, value.as_str()?))) {
            labels.entry(key.to_owned()).or_insert_with(|| value.to_owned());
        }
    }
    labels
}

fn objects(snapshot: &Snapshot) -> impl Iterator<Item = ObjectView<'_>> {
    stored::objects(snapshot, "Profile").filter(|object| is_current(snapshot, *object))
}

/// Labels that pods have from the profiles of their namespaces and service accounts, and from nothing else: what Calico makes of the
/// labels of both is read from these. What a pod has itself goes before that, and what its namespace gives before its account.
#[derive(Debug, Clone, Default)]
pub(crate) struct Given<'s> {
    of_namespace: BTreeMap<&'s str, Vec<Label>>,
    /// By namespace and name.
    of_account: BTreeMap<(&'s str, &'s str), Vec<Label>>,
}

impl<'s> Given<'s> {
    pub(super) fn read(snapshot: &'s Snapshot) -> Self {
        let mut given = Self::default();
        for object in objects(snapshot) {
            let labels = object.spec().and_then(|spec| spec.entry("labelsToApply"));
            let symbols = |prefix: &str| -> Vec<Label> {
                let told = labels.into_iter().flat_map(Value::entries).filter(|(key, _)| !key.starts_with(prefix));
                told.filter_map(|(key, value)| Some((snapshot.strings().find(key)?, snapshot.strings().find(value.as_str()?)?))).collect()
            };
            if let Some(namespace) = object.name().strip_prefix(OF_NAMESPACE) {
                given.of_namespace.entry(namespace).or_default().extend(symbols(NAMESPACE_PREFIX));
            } else if let Some(account) = object.name().strip_prefix(OF_ACCOUNT).and_then(|name| name.split_once('.')) {
                given.of_account.entry(account).or_default().extend(symbols(ACCOUNT_PREFIX));
            }
        }
        given.of_namespace.retain(|_, labels| !labels.is_empty());
        given.of_account.retain(|_, labels| !labels.is_empty());
        given
    }

    /// Whether no pod has any.
    pub(crate) fn is_empty(&self) -> bool {
        self.of_namespace.is_empty() && self.of_account.is_empty()
    }

    /// Those of the pods of a namespace that run as one of its accounts, if that is known; of one key twice, the first counts.
    pub(crate) fn labels<'g>(&'g self, namespace: &'g str, account: Option<&'g str>) -> impl Iterator<Item = Label> + use<'g> {
        let of_account = account.and_then(|account| self.of_account.get(&(namespace, account)));
        let of_namespace = self.of_namespace.get(namespace);
        let lists: [&'g [Label]; 2] = [of_namespace, of_account].map(|list| list.map_or(&[][..], Vec::as_slice));
        lists.into_iter().flatten().copied()
    }
}

/// Whether a profile lets everything through and says nothing else, as those of namespaces do.
fn allows_all(spec: Value<'_>) -> bool {
    let is_open = |name: Symbol| {
        let rules: Vec<Value<'_>> = spec.list(name).collect();
        matches!(rules.as_slice(), [rule] if rule.entries().all(|(key, value)| match key {
            "action" => value.as_str() == Some("Allow"),
            _ => value.is_empty(),
        }) && rule.entry("action").is_some())
    };
    is_open(field::INGRESS) && is_open(field::EGRESS)
}

impl<'s> Reader<'_, 's> {
    /// Reads every profile; those of namespaces and service accounts guard their pods.
    pub(super) fn profiles(&mut self) -> Profiles<'s> {
        let mut profiles = Profiles::default();
        for object in objects(self.ground.snapshot).filter(|object| object.name() != ALLOWS_ALL) {
            self.policies.begin();
            if let Some(policy) = self.profile(object) {
                profiles.list.insert(object.name(), policy);
            }
            self.policies.finish(object.id());
        }
        // A profile of an account is asked where that of its namespace leaves something over.
        let of_namespaces: Vec<(&'s str, u32)> = profiles.list.iter().filter_map(|(name, &policy)| Some((name.strip_prefix(OF_NAMESPACE)?, policy))).collect();
        for (namespace, policy) in of_namespaces {
            let is_plain = self.policies.list.get(policy as usize).and_then(|policy| policy.object.spec()).is_some_and(allows_all);
            if is_plain {
                continue;
            }
            let number = self.ground.inventory.namespace(namespace);
            self.frame.profiled.push((namespace, number.is_some()));
            let Some(number) = number else { continue };
            self.guard(policy, 0, number, None);
            let of_namespace = format!("{OF_ACCOUNT}{namespace}.");
            let accounts: Vec<(&'s str, u32)> =
                profiles.list.iter().filter_map(|(name, &policy)| Some((name.strip_prefix(of_namespace.as_str())?, policy))).collect();
            for (account, policy) in accounts {
                self.guard(policy, 1, number, Some(account));
            }
        }
        profiles
    }

    /// The rules of a profile as those of a policy that is none of those of pods.
    fn profile(&mut self, object: ObjectView<'s>) -> Option<u32> {
        let mut page = Page { home: None, refused: Vec::new(), remarks: Vec::new() };
        let spec = object.spec().unwrap_or(object.root());
        let drafts = [Direction::Ingress, Direction::Egress].map(|direction| self.rules(&mut page, spec, direction));
        for draft in drafts.iter().flatten().filter(|draft| draft.action == Action::Pass) {
            page.refuse(draft.place, "behind a profile there is nothing to pass on to");
        }
        if !page.refused.is_empty() {
            self.policies.forget(&drafts);
            self.policies.refuse_by(CALICO, object, page.refused);
            return None;
        }
        for (place, message) in page.remarks {
            self.policies.remark(object, place, message);
        }
        let subject = self.policies.everybody();
        let number = count(self.policies.list.len());
        let [ingress, egress] = drafts;
        let ingress = Some(self.policies.add_rules(number, subject, Direction::Ingress, ingress));
        let egress = Some(self.policies.add_rules(number, subject, Direction::Egress, egress));
        self.policies.list.push(Policy { object, tier: Tier::Profiles, priority: 0, subject, ingress, egress, isolates: Isolates::NEITHER });
        Some(number)
    }

    /// Lets a profile guard the pods of a namespace, or those that run as one of its accounts.
    fn guard(&mut self, profile: u32, priority: i64, namespace: u32, account: Option<&'s str>) {
        let Some(policy) = self.policies.list.get(profile as usize).cloned() else { return };
        let wish = account.map_or(Wish::Always, |account| Wish::Pod(CALICO_ACCOUNT_LABEL, Test::In(vec![account])));
        let subject = self.policies.wished(wish, Some(namespace));
        // The profile of a namespace refuses what neither it nor that of an account allows.
        let isolates = if account.is_none() { Isolates::BOTH } else { Isolates::NEITHER };
        self.policies.add(Policy { priority, subject, isolates, ..policy });
    }
}
