//! Policies and uses for tests: as JSON, as a snapshot, as an index.

use bartizan_authz::narrow::{NarrowOptions, Narrowing, narrow};
use bartizan_authz::usage::{Sighting, Usage};
use bartizan_authz::{Authz, DefaultPolicy, Options};
use bartizan_cluster::access::{Action, Resource, User};
use bartizan_cluster::read::{Fragment, ReadOptions};
use bartizan_cluster::{Circumstances, KubernetesVersion, Provenance, Snapshot, Source, SourceId};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::slow::{Asked, Asker};

pub(crate) fn snapshot(objects: &[Value]) -> Snapshot {
    let mut fragment = Fragment::new(ReadOptions { secret_key: [1; 32] });
    for object in objects {
        fragment.take_value(SourceId(0), object);
    }
    let circumstances = Circumstances {
        provenance: Provenance::Files,
        sources: vec![Source::without_text("test")],
        version: KubernetesVersion::NEWEST,
        observed_at: "2026-11-24T00:00:00Z".parse().unwrap(),
        missing: Vec::new(),
    };
    Snapshot::assemble(vec![fragment], circumstances)
}

pub(crate) fn without_defaults() -> Options {
    Options { default_policy: DefaultPolicy::None, ..Options::default() }
}

/// Somebody, something, how often, and at which hours it began and ended.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) asker: Asker,
    pub(crate) asked: Asked,
    pub(crate) count: u64,
    pub(crate) hours: (i64, i64),
}

impl Asked {
    pub(crate) fn action(&self) -> Action<'_> {
        if self.resource.is_empty() {
            return Action::on_path(&*self.verb, &*self.name);
        }
        Action::on(&*self.verb, Resource::new(&self.group, &self.resource).within(&*self.namespace).named(&*self.name))
    }
}

pub(crate) fn usage(seen: &[Seen]) -> Usage {
    let mut usage = Usage::new();
    for one in seen {
        let user = usage.user(&User::new(&*one.asker.name, one.asker.groups.iter().map(String::as_str)));
        let hour = |hour: i64| Timestamp::from_second(1_790_000_000 + hour * 3600).unwrap();
        for number in 0..one.count {
            let time = hour(if number == 0 { one.hours.0 } else { one.hours.1 });
            usage.record(&Sighting { user, action: &one.asked.action(), time: Some(time), is_certain: true, is_complete: true, reason: "" });
        }
    }
    usage
}

pub(crate) fn narrowed(objects: &[Value], seen: &[Seen], options: &NarrowOptions) -> Narrowing {
    let snapshot = snapshot(objects);
    narrow(&Authz::resolve(&snapshot, &without_defaults()), &usage(seen), options)
}

/// The policy after the objects of a narrowing were applied.
pub(crate) fn applied(objects: &[Value], narrowing: &Narrowing) -> Vec<Value> {
    let key = |object: &Value| {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or("").to_owned();
        (text("/kind"), text("/metadata/namespace"), text("/metadata/name"))
    };
    let mut after = objects.to_vec();
    for change in &narrowing.changes {
        let object = change.to_json();
        after.retain(|old| key(old) != key(&object));
        after.push(object);
    }
    after
}

pub(crate) fn role(namespace: Option<&str>, name: &str, rules: Value) -> Value {
    let kind = if namespace.is_some() { "Role" } else { "ClusterRole" };
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata(namespace, name), "rules": rules})
}

pub(crate) fn binding(namespace: Option<&str>, name: &str, role: (&str, &str), subjects: &[Value]) -> Value {
    let kind = if namespace.is_some() { "RoleBinding" } else { "ClusterRoleBinding" };
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata(namespace, name), "subjects": subjects,
           "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": role.0, "name": role.1}})
}

fn metadata(namespace: Option<&str>, name: &str) -> Value {
    match namespace {
        Some(namespace) => json!({"name": name, "namespace": namespace}),
        None => json!({"name": name}),
    }
}

pub(crate) fn user(name: &str) -> Value {
    json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name})
}

pub(crate) fn group(name: &str) -> Value {
    json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": name})
}

pub(crate) fn account(namespace: &str, name: &str) -> Value {
    json!({"kind": "ServiceAccount", "name": name, "namespace": namespace})
}
