//! `SubjectAccessReviewSpec`s: read as the server reads them, refused where it refuses them, and answered, one a line.
//!
//! Text is borrowed from the line wherever it has no escapes, and what is said of a grant is made once for each, so that a
//! batch costs little more than reading it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;

use bartizan_cluster::KubernetesVersion;
use bartizan_cluster::access::{Action, Request, Resource, Target, Text, User};
use foldhash::{HashMap, HashMapExt as _};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::json;

use crate::Authz;
use crate::decision::{Decision, Grant, Ground};
use crate::policy::{BindingId, PrincipalId};
use crate::reason::aggregate;

mod plain;
mod selector;

/// Answers and people that a batch keeps; of more different ones than this, all are made again.
const MOST_KEPT: usize = 1 << 16;

/// Why a review has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReviewError {
    /// It is no review at all.
    #[error("{0}")]
    Syntax(String),
    /// The server refuses it: its conditions.
    #[error("{0}")]
    Invalid(String),
}

/// Reads `{"spec": …}`, a review or the bare part of one that counts.
pub fn read(line: &[u8], version: KubernetesVersion) -> Result<Request<'_>, ReviewError> {
    if let Some(spec) = plain::spec(line) {
        return spec.into_request(version);
    }
    let review: Review<'_> = serde_json::from_slice(line).map_err(|error| ReviewError::Syntax(error.to_string()))?;
    let spec = review.spec.ok_or_else(|| ReviewError::Syntax("the line has no `spec`".to_owned()))?;
    spec.into_request(version)
}

#[derive(Default)]
struct Review<'a> {
    spec: Option<Spec<'a>>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Spec<'a> {
    resource: Option<ResourceAttributes<'a>>,
    path: Option<PathAttributes<'a>>,
    user: User<'a>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct ResourceAttributes<'a> {
    verb: Text<'a>,
    resource: Resource<'a>,
    fields: Option<selector::Written<'a>>,
    labels: Option<selector::Written<'a>>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct PathAttributes<'a> {
    path: Text<'a>,
    verb: Text<'a>,
}

impl<'a> Spec<'a> {
    fn into_request(self, version: KubernetesVersion) -> Result<Request<'a>, ReviewError> {
        let mut faults = Vec::new();
        if self.resource.is_some() == self.path.is_some() {
            faults.push("spec: exactly one of nonResourceAttributes or resourceAttributes must be specified".to_owned());
        }
        if self.user.name.is_empty() && self.user.groups.is_empty() {
            faults.push("spec.user: at least one of user or group must be specified".to_owned());
        }
        // Older servers do not know selectors, and pass over them.
        let knows_selectors = version.at_least(32);
        if let Some(resource) = self.resource.as_ref().filter(|_| knows_selectors) {
            if let Some(fields) = &resource.fields {
                fields.check("spec.resourceAttributes.fieldSelector", selector::Of::Fields, &mut faults);
            }
            if let Some(labels) = &resource.labels {
                labels.check("spec.resourceAttributes.labelSelector", selector::Of::Labels, &mut faults);
            }
        }
        if !faults.is_empty() {
            return Err(ReviewError::Invalid(aggregate(faults)));
        }
        let action = match (self.resource, self.path) {
            (Some(ResourceAttributes { verb, mut resource, fields, .. }), _) => {
                resource.fields = fields.filter(|_| knows_selectors).map(selector::Written::requirements).unwrap_or_default();
                Action { verb, target: Target::Resource(resource) }
            }
            (None, path) => {
                let path = path.unwrap_or_default();
                Action { verb: path.verb, target: Target::Path(path.path) }
            }
        };
        Ok(Request { user: self.user, action })
    }
}

/// Text that borrows from the line; `null` is the empty text, as for the server.
struct Borrowed<'a>(Text<'a>);

impl<'de> Deserialize<'de> for Borrowed<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Borrowed<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Borrowed(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Borrowed(Cow::Owned(text.to_owned())))
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Borrowed(Cow::Borrowed("")))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// A list of texts; `null` is the empty one.
struct Texts<'a>(Vec<Text<'a>>);

impl<'de> Deserialize<'de> for Texts<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Texts<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a list of strings")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut texts = Vec::new();
                while let Some(Borrowed(text)) = list.next_element()? {
                    texts.push(text);
                }
                Ok(Texts(texts))
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Texts(Vec::new()))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// Something that is read field by field. A field that stands twice counts as it stands last; unknown fields are passed over.
trait Fields<'de>: Default {
    /// What a reader calls it.
    const NOUN: &'static str;

    /// Reads the field `name`.
    fn field<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error>;
}

/// The reader of [`Fields`].
struct FieldReader<T>(PhantomData<T>);

impl<'de, T: Fields<'de>> Visitor<'de> for FieldReader<T> {
    type Value = Option<T>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", T::NOUN)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut value = T::default();
        while let Some(Borrowed(name)) = map.next_key()? {
            value.field(&name, &mut map)?;
        }
        Ok(Some(value))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// An object, or nothing where `null` stands.
struct Maybe<T>(Option<T>);

impl<'de, T: Fields<'de>> Deserialize<'de> for Maybe<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldReader(PhantomData)).map(Self)
    }
}

impl<'de> Deserialize<'de> for Review<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Maybe::<Self>::deserialize(deserializer)?.0.unwrap_or_default())
    }
}

fn skip<'de, A: MapAccess<'de>>(map: &mut A) -> Result<(), A::Error> {
    map.next_value::<IgnoredAny>().map(|_| ())
}

fn text<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Text<'de>, A::Error> {
    map.next_value::<Borrowed<'de>>().map(|text| text.0)
}

impl<'de> Fields<'de> for Review<'de> {
    const NOUN: &'static str = "an object with a `spec`";

    fn field<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "spec" => self.spec = Some(map.next_value::<Maybe<Spec<'de>>>()?.0.unwrap_or_default()),
            _ => skip(map)?,
        }
        Ok(())
    }
}

impl<'de> Fields<'de> for Spec<'de> {
    const NOUN: &'static str = "a SubjectAccessReviewSpec";

    fn field<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "resourceAttributes" => self.resource = map.next_value::<Maybe<ResourceAttributes<'de>>>()?.0,
            "nonResourceAttributes" => self.path = map.next_value::<Maybe<PathAttributes<'de>>>()?.0,
            "user" => self.user.name = text(map)?,
            "uid" => self.user.uid = text(map)?,
            "groups" => self.user.groups = map.next_value::<Texts<'de>>()?.0,
            "extra" => self.user.extra = map.next_value::<Maybe<Extra<'de>>>()?.0.unwrap_or_default().0.into_iter().collect(),
            _ => skip(map)?,
        }
        Ok(())
    }
}

/// Further properties of a user.
#[derive(Default)]
struct Extra<'a>(BTreeMap<Text<'a>, Vec<Text<'a>>>);

impl<'de> Fields<'de> for Extra<'de> {
    const NOUN: &'static str = "a map of lists of strings";

    fn field<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        self.0.insert(Cow::Owned(name.to_owned()), map.next_value::<Texts<'de>>()?.0);
        Ok(())
    }
}

impl<'de> Fields<'de> for ResourceAttributes<'de> {
    const NOUN: &'static str = "resourceAttributes";

    fn field<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        let resource = &mut self.resource;
        match name {
            "namespace" => resource.namespace = text(map)?,
            "verb" => self.verb = text(map)?,
            "group" => resource.group = text(map)?,
            "version" => resource.version = text(map)?,
            "resource" => resource.resource = text(map)?,
            "subresource" => resource.subresource = text(map)?,
            "name" => resource.name = text(map)?,
            "fieldSelector" => self.fields = map.next_value::<Maybe<selector::Written<'de>>>()?.0,
            "labelSelector" => self.labels = map.next_value::<Maybe<selector::Written<'de>>>()?.0,
            _ => skip(map)?,
        }
        Ok(())
    }
}

impl<'de> Fields<'de> for PathAttributes<'de> {
    const NOUN: &'static str = "nonResourceAttributes";

    fn field<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "path" => self.path = text(map)?,
            "verb" => self.verb = text(map)?,
            _ => skip(map)?,
        }
        Ok(())
    }
}

/// Answers of a batch: what is said of each grant is made once, and everybody is looked up once.
#[derive(Debug)]
pub struct Batch<'a> {
    authz: &'a Authz<'a>,
    said: HashMap<(BindingId, u32, u32), Box<[u8]>>,
    /// The principals that users are, by their names, if bindings name them.
    users: HashMap<Box<str>, Option<PrincipalId>>,
    /// Those that their groups are, by the names of all groups, each ended by a byte that no text has.
    groups: HashMap<Box<[u8]>, Rc<[PrincipalId]>>,
    /// Room for one key of `groups`.
    key: Vec<u8>,
}

/// What became of one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// It was answered with yes or no.
    Known,
    /// The answer is not known.
    Unknown,
    /// It was no question.
    Error,
}

impl<'a> Batch<'a> {
    /// Answers by `authz`.
    pub fn new(authz: &'a Authz<'a>) -> Self {
        Self { authz, said: HashMap::new(), users: HashMap::new(), groups: HashMap::new(), key: Vec::new() }
    }

    /// The principals that `user` and their groups are.
    fn numbers_of(&mut self, user: &User<'_>) -> (Option<PrincipalId>, Rc<[PrincipalId]>) {
        let policy = &self.authz.policy;
        let number = self.users.get(&*user.name).copied().unwrap_or_else(|| {
            let number = policy.numbered(false, &user.name);
            make_room(&mut self.users).insert(user.name.as_ref().into(), number);
            number
        });
        self.key.clear();
        for group in &user.groups {
            self.key.extend_from_slice(group.as_bytes());
            self.key.push(0xff);
        }
        let groups = self.groups.get(&*self.key).cloned().unwrap_or_else(|| {
            let groups: Rc<[PrincipalId]> = user.groups.iter().filter_map(|group| policy.numbered(true, group)).collect();
            make_room(&mut self.groups).insert(self.key.as_slice().into(), Rc::clone(&groups));
            groups
        });
        (number, groups)
    }

    /// Writes the answer to `line` behind `out`, with a line break.
    pub fn answer(&mut self, line: &[u8], out: &mut Vec<u8>) -> Answered {
        let request = match read(line, self.authz.version()) {
            Ok(request) => request,
            Err(error) => {
                write_json(&json!({ "error": error.to_string() }), out);
                return Answered::Error;
            }
        };
        let policy = &self.authz.policy;
        let (user, groups) = self.numbers_of(&request.user);
        let principals = policy.all_of(user.into_iter().chain(groups.iter().copied()));
        let decision = self.authz.decide_among(&request, &principals);
        if let Decision::Allow(Ground::Rbac(grant)) = decision {
            let key = (grant.binding, grant.subject, grant.rule);
            if let Some(line) = self.said.get(&key) {
                out.extend_from_slice(line);
            } else {
                let line = allowed(self.authz, grant);
                out.extend_from_slice(&line);
                make_room(&mut self.said).insert(key, line);
            }
            return Answered::Known;
        }
        let allowed = decision.is_allowed();
        let reason = self.authz.reason_among(&request, &decision, &principals);
        if allowed == Some(false) && reason.is_empty() {
            out.extend_from_slice(b"{\"allowed\":false,\"reason\":\"\"}\n");
        } else {
            write_json(&json!({ "allowed": allowed, "reason": reason }), out);
        }
        if allowed.is_some() { Answered::Known } else { Answered::Unknown }
    }
}

/// The same map, with room for one more.
fn make_room<K, V>(kept: &mut HashMap<K, V>) -> &mut HashMap<K, V> {
    if kept.len() >= MOST_KEPT {
        kept.clear();
    }
    kept
}

/// The line that says that `grant` allows.
fn allowed(authz: &Authz<'_>, grant: Grant) -> Box<[u8]> {
    let mut line = Vec::new();
    let Some(grant) = authz.grant(grant) else { return line.into() };
    let name = |kind: &str, namespace: Option<&str>, name: &str| match namespace {
        Some(namespace) => json!({ "kind": kind, "namespace": namespace, "name": name }),
        None => json!({ "kind": kind, "name": name }),
    };
    let role = grant.rule.role();
    let binding = name(grant.binding.kind(), grant.binding.namespace(), grant.binding.name());
    let mut rule = name(role.kind(), role.namespace(), role.name());
    if let Some(rule) = rule.as_object_mut() {
        rule.insert("index".to_owned(), grant.rule.place().into());
    }
    write_json(&json!({ "allowed": true, "reason": grant.reason(), "binding": binding, "rule": rule }), &mut line);
    line.into()
}

fn write_json(value: &serde_json::Value, out: &mut Vec<u8>) {
    // Writing into memory cannot fail.
    if serde_json::to_writer(&mut *out, value).is_ok() {
        out.push(b'\n');
    }
}
