//! What was used: every different question that an authorizer answered with yes, how often, and from when to when.
//!
//! The index does not know where the questions come from, and nothing of policy. It is filled one [`Sighting`] at a time; words
//! are stored once, so that a use takes a few dozen bytes. What it is used for is in `narrow`.

use std::cmp::Ordering;

use bartizan_cluster::access::{Action, Request, Resource, Target, User};
use bartizan_cluster::{Interner, Symbol, field};
use foldhash::{HashMap, HashMapExt as _};
use jiff::Timestamp;

/// So many different uses are kept apart: about a gigabyte. A cluster of thousands of nodes makes a few hundred thousand in a
/// month; names that never come again make more.
const USES_MAX: usize = 8 << 20;

/// The number of a user in an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserId(u32);

/// That somebody was seen to be allowed something.
#[derive(Debug, Clone, Copy)]
pub struct Sighting<'a> {
    /// Who.
    pub user: UserId,
    /// What.
    pub action: &'a Action<'a>,
    /// When, if that is known.
    pub time: Option<Timestamp>,
    /// Whether the question was certainly asked; otherwise what was seen looks the same if it was not.
    pub is_certain: bool,
    /// Whether the request is over. What runs is used, and counts when it ends.
    pub is_complete: bool,
    /// The words with which the authorizer allowed it, if they are known and are about this question.
    pub reason: &'a str,
}

/// What is done, to what, in the words of the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    user: UserId,
    is_path: bool,
    verb: Symbol,
    group: Symbol,
    resource: Symbol,
    subresource: Symbol,
    namespace: Symbol,
    /// The name, or the path.
    name: Symbol,
}

#[derive(Debug, Clone, Copy)]
struct Record {
    count: u64,
    times: Option<Times>,
    is_certain: bool,
    reason: Symbol,
}

/// From when to when something was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// The first time.
    pub first: Timestamp,
    /// The last time.
    pub last: Timestamp,
}

impl Times {
    /// The time that holds both.
    pub fn join(self, other: Self) -> Self {
        Self { first: self.first.min(other.first), last: self.last.max(other.last) }
    }

    /// How long it is.
    pub fn seconds(self) -> i64 {
        self.last.as_second() - self.first.as_second()
    }

    fn add(times: &mut Option<Self>, time: Timestamp) {
        let this = Self { first: time, last: time };
        *times = Some(times.map_or(this, |times| times.join(this)));
    }
}

/// Every different thing that was used.
#[derive(Debug, Default)]
pub struct Usage {
    words: Interner,
    users: Vec<User<'static>>,
    user_ids: HashMap<User<'static>, UserId>,
    records: HashMap<Key, Record>,
    times: Option<Times>,
    sightings: u64,
    lost: u64,
}

/// One thing that was used.
#[derive(Debug, Clone)]
pub struct Use<'a> {
    /// Who used it.
    pub user: &'a User<'static>,
    /// The number of that user.
    pub user_id: UserId,
    /// What was asked for.
    pub action: Action<'a>,
    /// How many completed requests; 0 for one that still ran at the end.
    pub count: u64,
    /// From when to when.
    pub times: Option<Times>,
    /// Whether it was certainly asked.
    pub is_certain: bool,
    /// The words with which it was allowed the last time, empty where they are not known.
    pub reason: &'a str,
}

impl<'a> Use<'a> {
    /// The question, as an authorizer is asked.
    pub fn request(&self) -> Request<'a> {
        Request { user: User::new(self.user.name.as_ref(), self.user.groups.iter().map(AsRef::<str>::as_ref)), action: self.action.clone() }
    }
}

impl Usage {
    /// Nothing was used.
    pub fn new() -> Self {
        Self { words: Interner::new(), users: Vec::new(), user_ids: HashMap::new(), records: HashMap::new(), times: None, sightings: 0, lost: 0 }
    }

    /// The number of `user`: somebody of this name in these groups. Nothing else about a user ever allows anything.
    pub fn user(&mut self, user: &User<'_>) -> UserId {
        let plain = User { name: user.name.clone(), groups: user.groups.clone(), ..User::default() };
        if let Some(&known) = self.user_ids.get(&plain) {
            return known;
        }
        let id = UserId(u32::try_from(self.users.len()).unwrap_or(u32::MAX));
        let plain = plain.into_owned();
        self.users.push(plain.clone());
        self.user_ids.insert(plain, id);
        id
    }

    /// Files what was seen.
    pub fn record(&mut self, seen: &Sighting<'_>) {
        self.sightings += u64::from(seen.is_complete);
        if let Some(time) = seen.time {
            Times::add(&mut self.times, time);
        }
        let key = self.key(seen.user, seen.action);
        let is_full = self.records.len() >= USES_MAX;
        let reason = if seen.reason.is_empty() { field::EMPTY } else { self.words.intern(seen.reason) };
        let record = match self.records.entry(key) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(_) if is_full => {
                self.lost += 1;
                return;
            }
            std::collections::hash_map::Entry::Vacant(new) => new.insert(Record { count: 0, times: None, is_certain: false, reason: field::EMPTY }),
        };
        record.count += u64::from(seen.is_complete);
        record.is_certain |= seen.is_certain;
        if let Some(time) = seen.time {
            Times::add(&mut record.times, time);
        }
        if reason != field::EMPTY {
            record.reason = reason;
        }
    }

    fn key(&mut self, user: UserId, action: &Action<'_>) -> Key {
        let verb = self.words.intern(&action.verb);
        let nothing = Key {
            user,
            is_path: true,
            verb,
            group: field::EMPTY,
            resource: field::EMPTY,
            subresource: field::EMPTY,
            namespace: field::EMPTY,
            name: field::EMPTY,
        };
        match &action.target {
            Target::Path(path) => Key { name: self.words.intern(path), ..nothing },
            Target::Resource(resource) => Key {
                is_path: false,
                group: self.words.intern(&resource.group),
                resource: self.words.intern(&resource.resource),
                subresource: self.words.intern(&resource.subresource),
                namespace: self.words.intern(&resource.namespace),
                name: self.words.intern(&resource.name),
                ..nothing
            },
        }
    }

    /// Everything that was used, by user and then by what it is.
    pub fn uses(&self) -> Vec<Use<'_>> {
        let mut uses: Vec<Use<'_>> = Vec::with_capacity(self.records.len());
        #[expect(clippy::iter_over_hash_type, reason = "sorted below by all that tells uses apart")]
        for (key, record) in &self.records {
            let Some(user) = self.users.get(key.user.0 as usize) else { continue };
            uses.push(Use {
                user,
                user_id: key.user,
                action: self.action(key),
                count: record.count,
                times: record.times,
                is_certain: record.is_certain,
                reason: self.words.text(record.reason),
            });
        }
        uses.sort_by(|one, two| one.user.cmp(two.user).then_with(|| order(&one.action, &two.action)));
        uses
    }

    fn action(&self, key: &Key) -> Action<'_> {
        let text = |word| self.words.text(word);
        if key.is_path {
            return Action::on_path(text(key.verb), text(key.name));
        }
        let resource = Resource {
            group: text(key.group).into(),
            resource: text(key.resource).into(),
            subresource: text(key.subresource).into(),
            namespace: text(key.namespace).into(),
            name: text(key.name).into(),
            ..Resource::default()
        };
        Action::on(text(key.verb), resource)
    }

    /// Everybody who was seen.
    pub fn users(&self) -> &[User<'static>] {
        &self.users
    }

    /// From when to when anything was seen.
    pub fn times(&self) -> Option<Times> {
        self.times
    }

    /// How many completed requests were seen.
    pub fn sightings(&self) -> u64 {
        self.sightings
    }

    /// How many sightings were not kept, because there was no room for more that differ.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// How many different uses there are.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether nothing was used.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}

/// Resources before paths; then by all parts, the namespace before the name.
fn order(one: &Action<'_>, two: &Action<'_>) -> Ordering {
    match (&one.target, &two.target) {
        (Target::Resource(_), Target::Path(_)) => Ordering::Less,
        (Target::Path(_), Target::Resource(_)) => Ordering::Greater,
        (Target::Path(a), Target::Path(b)) => (a, &one.verb).cmp(&(b, &two.verb)),
        (Target::Resource(a), Target::Resource(b)) => (&a.group, &a.resource, &a.subresource, &one.verb, &a.namespace, &a.name).cmp(&(
            &b.group,
            &b.resource,
            &b.subresource,
            &two.verb,
            &b.namespace,
            &b.name,
        )),
    }
}
