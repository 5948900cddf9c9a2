//! Which accounts of programs some binding names: an index over all bindings, made once for all judges that ask.
//!
//! What a binding allows is not asked here; see the module of roles and bindings for that.

use std::collections::HashSet;

use bartizan_cluster::{Kind, ObjectView, Snapshot};

use crate::rbac::{Subject, role_name, subjects};

/// The kinds that bind roles to accounts.
pub(crate) const BINDINGS: [Kind; 2] = [Kind::RoleBinding, Kind::ClusterRoleBinding];

/// What the default policy lets every account do: find out what the server is, and what oneself may do there.
const FOR_EVERYBODY: [&str; 5] =
    ["system:discovery", "system:basic-user", "system:public-info-viewer", "system:service-account-issuer-discovery", "system:cluster-trust-bundle-discovery"];

/// The accounts to which bindings give more than the default policy gives to everybody.
#[derive(Debug, Default)]
pub(crate) struct Grants<'a> {
    accounts: HashSet<(&'a str, &'a str)>,
    namespaces: HashSet<&'a str>,
    everybody: bool,
}

impl<'a> Grants<'a> {
    /// Reads every binding of `snapshot`.
    pub(crate) fn of(snapshot: &'a Snapshot) -> Self {
        let mut grants = Self::default();
        for binding in BINDINGS.iter().flat_map(|&kind| snapshot.of_kind(kind)) {
            grants.add(binding);
        }
        grants
    }

    fn add(&mut self, binding: ObjectView<'a>) {
        let is_default = role_name(binding, "ClusterRole").is_some_and(|role| FOR_EVERYBODY.contains(&role));
        for (_, subject) in subjects(binding) {
            match subject {
                Subject::Account { namespace, name } => {
                    let namespace = if namespace.is_empty() { binding.namespace().unwrap_or("") } else { namespace };
                    self.accounts.insert((namespace, name));
                }
                Subject::Group("system:serviceaccounts" | "system:authenticated") => self.everybody |= !is_default,
                Subject::Group(group) => self.namespaces.extend(group.strip_prefix("system:serviceaccounts:")),
                Subject::User(_) => {}
            }
        }
    }

    /// Whether a binding names the account, or a group in which it is.
    pub(crate) fn hold(&self, namespace: &str, account: &str) -> bool {
        self.everybody || self.namespaces.contains(namespace) || self.accounts.contains(&(namespace, account))
    }
}
