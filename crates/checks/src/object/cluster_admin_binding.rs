//! `cluster-admin-binding`: a binding hands out `cluster-admin`.

use bartizan_cluster::{Kind, ObjectView};
use bartizan_report::{Check, Safety, Severity, Stage};

use crate::grant::{Subject, is_bootstrap, role_name, subjects};
use crate::sink::remove;
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "cluster-admin-binding",
        severity: Severity::High,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("cluster_admin_binding.md"),
    },
    reads: &[],
    judge: Judge::Object(&[Kind::RoleBinding, Kind::ClusterRoleBinding], judge),
};

/// The groups that hold the role on every cluster: the one that cannot be taken away, and the one of kubeadm's `admin.conf`.
const GROUPS_OF_THE_INSTALLATION: [&str; 2] = ["system:masters", "kubeadm:cluster-admins"];

fn judge<'a>(binding: ObjectView<'a>, _: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    let is_wide = binding.kind() == Kind::ClusterRoleBinding || binding.namespace() == Some("kube-system");
    if is_bootstrap(binding) || !is_wide {
        return out.not_applicable();
    }
    if role_name(binding, "ClusterRole") != Some("cluster-admin") {
        return out.done();
    }
    for (place, subject) in subjects(binding) {
        let message = match subject {
            Subject::Group(name) if GROUPS_OF_THE_INSTALLATION.contains(&name) => continue,
            _ if binding.kind() == Kind::RoleBinding => msg!("system-namespace", subject = subject.describe()),
            Subject::Account { .. } => msg!("account", subject = subject.describe()),
            _ => msg!("person", subject = subject.describe()),
        };
        let patch = remove(&place.into());
        out.fail(place, message).fix(Safety::Unsafe, [patch]);
    }
    out.done()
}
