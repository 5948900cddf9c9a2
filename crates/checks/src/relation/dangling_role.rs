//! `dangling-role`: a binding grants a role that does not exist.

use bartizan_cluster::{Kind, ObjectView, field};
use bartizan_report::{Check, Severity, Stage};

use crate::facts::POLICY;
use crate::grant::role_name;
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "dangling-role",
        severity: Severity::Medium,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("dangling_role.md"),
    },
    reads: &POLICY,
    judge: Judge::Object(&[Kind::RoleBinding, Kind::ClusterRoleBinding], judge),
};

fn judge<'a>(binding: ObjectView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    let Some(place) = binding.root().get(field::ROLE_REF).and_then(|reference| reference.get(field::NAME)) else { return out.not_applicable() };
    let (kind, name, namespace) = match (role_name(binding, "ClusterRole"), role_name(binding, "Role")) {
        (Some(name), _) => (Kind::ClusterRole, name, None),
        (None, Some(name)) => (Kind::Role, name, binding.namespace()),
        (None, None) => return out.not_applicable(),
    };
    if kind == Kind::Role && binding.kind() == Kind::ClusterRoleBinding {
        out.fail(place, msg!("impossible", role = name));
        return out.done();
    }
    // Manifests do not hold the roles that every cluster is born with.
    if facts.from_files() && facts.is_role_of_every_cluster(namespace, name) {
        return out.done();
    }
    if facts.get(kind, namespace, name).read()?.is_none() {
        let message = match namespace {
            Some(namespace) => msg!("role", role = name, namespace = namespace),
            None => msg!("cluster-role", role = name),
        };
        out.fail(place, message);
    }
    out.done()
}
