//! What admission refuses to somebody whom the authorizers have let through: the plugins that stand between rights and what can be
//! done with them.
//!
//! - `CertificateSubjectRestriction`: nobody asks the signer of clients for a certificate in `system:masters`.
//! - `NodeRestriction`: a kubelet writes only what belongs to its own node.
//! - `OwnerReferencesPermissionEnforcement`: nobody has the garbage collector delete what they may not delete themselves, or holds up
//!   that an owner is deleted.
//!
//! A [`Submission`] is a write as admission sees it. Objects are as they would be sent to the server, in JSON. Start at
//! [`Authz::admits`]; [`Authz::admits_certificate`], [`Authz::admits_kubelet`] and [`Authz::admits_owners`] say what each plugin says where
//! it runs.

mod certificate;
mod node;
mod owner;
mod reference;

use bartizan_cluster::access::{Resource, User};
use serde_json::Value;

use crate::Authz;
use crate::decision::Unknown;

pub use certificate::{CLIENT_SIGNER, KUBELET_CLIENT_SIGNER, KUBELET_SERVING_SIGNER};

/// The admission plugin that keeps `system:masters` out of certificates.
pub(crate) const CERTIFICATE_SUBJECT: &str = "CertificateSubjectRestriction";
/// The admission plugin that confines kubelets.
pub(crate) const NODE: &str = "NodeRestriction";
/// The admission plugin that asks for rights on what is owned, and on owners.
pub(crate) const OWNERS: &str = "OwnerReferencesPermissionEnforcement";

/// What is done to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// It is created.
    Create,
    /// It is changed.
    Update,
    /// It is deleted.
    Delete,
}

/// A write, after it has been authorized and before it is stored.
#[derive(Debug, Clone, Copy)]
pub struct Submission<'a> {
    /// Who writes.
    pub user: &'a User<'a>,
    /// What is done.
    pub operation: Operation,
    /// To what: group, resource, subresource, namespace and, but for objects that are created, the name.
    pub target: &'a Resource<'a>,
    /// The object as it would be; none where one is deleted.
    pub object: Option<&'a Value>,
    /// The object that is there; none where one is created.
    pub stored: Option<&'a Value>,
}

/// What admission says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// Nothing against it.
    Admitted,
    /// It is refused: why, in the server's words.
    Refused(String),
    /// Something that has to be looked at is not there: what.
    NotFound(String),
    /// It depends on what is not known.
    Unknown(Vec<Unknown>),
}

impl Authz<'_> {
    /// What the plugins that run on this server say to `submission`: what one refuses is refused, whatever is not known of another.
    pub fn admits(&self, submission: &Submission<'_>) -> Admission {
        let mut unknown = Vec::new();
        for (plugin, runs, say) in self.plugins() {
            if runs == Some(false) {
                continue;
            }
            match (say(self, submission), runs) {
                (Admission::Admitted, _) => {}
                (Admission::Unknown(causes), Some(true)) => unknown.extend(causes),
                (said, Some(true)) => return said,
                (_, _) => unknown.push(Unknown::Plugin(plugin)),
            }
        }
        if unknown.is_empty() { Admission::Admitted } else { Admission::Unknown(unknown) }
    }

    /// The plugins in the order in which the server asks them, each with whether it runs, as far as that is known.
    fn plugins(&self) -> [(&'static str, Option<bool>, Voice); 3] {
        [
            (NODE, self.server.runs_plugin(NODE), |authz, submission| authz.admits_kubelet(submission)),
            (OWNERS, self.server.runs_plugin(OWNERS), |authz, submission| authz.admits_owners(submission)),
            (CERTIFICATE_SUBJECT, Some(self.server.runs_default_plugin(CERTIFICATE_SUBJECT)), |authz, submission| authz.admits_certificate(submission)),
        ]
    }

    /// What `CertificateSubjectRestriction` says.
    pub fn admits_certificate(&self, submission: &Submission<'_>) -> Admission {
        certificate::subject(submission)
    }

    /// What `NodeRestriction` says. Whoever is no kubelet is not restricted.
    pub fn admits_kubelet(&self, submission: &Submission<'_>) -> Admission {
        node::Kubelet::admits(self, submission)
    }

    /// What `OwnerReferencesPermissionEnforcement` says: who changes the owners of an object that is there needs the right to delete
    /// it, and who makes an owner wait for it (`blockOwnerDeletion`) the right to update the owner's finalizers.
    pub fn admits_owners(&self, submission: &Submission<'_>) -> Admission {
        owner::admits(self, submission)
    }
}

/// How a plugin is asked.
type Voice = fn(&Authz<'_>, &Submission<'_>) -> Admission;

/// A text of an object, by its path; empty where there is none.
fn text<'v>(object: Option<&'v Value>, pointer: &str) -> &'v str {
    object.and_then(|object| object.pointer(pointer)).and_then(Value::as_str).unwrap_or("")
}
