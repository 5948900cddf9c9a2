//! What somebody may write into `ownerReferences`, by the admission plugin `OwnerReferencesPermissionEnforcement`.
//!
//! Read from `plugin/pkg/admission/gc`. The garbage collector deletes what an owner leaves behind, and an owner that is deleted in the
//! foreground waits for those that block it: whoever writes references has it do both.

use std::collections::HashMap;

use bartizan_cluster::access::{Action, Request, Resource};
use serde_json::Value;

use super::{Admission, Operation, Submission};
use crate::decision::Decision;
use crate::{Authz, served};

/// A reference to an owner, with what of it is compared. What is `null` is as good as absent, and `false` is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Owner<'v> {
    api_version: &'v str,
    kind: &'v str,
    name: &'v str,
    uid: &'v str,
    controller: Option<bool>,
    blocks: Option<bool>,
}

impl<'v> Owner<'v> {
    fn of(reference: &'v Value) -> Self {
        let text = |key: &str| reference.get(key).and_then(Value::as_str).unwrap_or("");
        let switch = |key: &str| reference.get(key).and_then(Value::as_bool);
        Self {
            api_version: text("apiVersion"),
            kind: text("kind"),
            name: text("name"),
            uid: text("uid"),
            controller: switch("controller"),
            blocks: switch("blockOwnerDeletion"),
        }
    }

    fn all(object: Option<&'v Value>) -> Vec<Self> {
        let references = object.and_then(|object| object.pointer("/metadata/ownerReferences")).and_then(Value::as_array);
        references.into_iter().flatten().map(Owner::of).collect()
    }
}

pub(super) fn admits(authz: &Authz<'_>, submission: &Submission<'_>) -> Admission {
    let target = submission.target;
    // Old kubelets spoil the references of pods when they write the status, which keeps those that are stored.
    let is_left_out = target.group.is_empty() && target.resource == "pods" && target.subresource == "status";
    if submission.operation == Operation::Delete || is_left_out {
        return Admission::Admitted;
    }
    let (stored, written) = (Owner::all(submission.stored), Owner::all(submission.object));
    if stored == written {
        return Admission::Admitted;
    }
    judged(authz, submission, &stored, &written).err().unwrap_or(Admission::Admitted)
}

fn judged(authz: &Authz<'_>, submission: &Submission<'_>, stored: &[Owner<'_>], written: &[Owner<'_>]) -> Result<(), Admission> {
    let asker = Asker { authz, submission };
    if submission.operation == Operation::Update {
        asker.needs("delete", submission.target.clone(), "cannot set an ownerRef on a resource you can't delete")?;
    }
    // Of references to the same owner the last one counts.
    let blocked: HashMap<&str, bool> = stored.iter().map(|owner| (owner.uid, owner.blocks == Some(true))).collect();
    let mut blocking = written.iter().filter(|owner| owner.blocks == Some(true) && blocked.get(owner.uid) != Some(&true)).peekable();
    if blocking.peek().is_none() {
        return Ok(());
    }
    // Who may finalize anything is not asked further, so that the server need not know the kinds of the owners.
    let mut each = || blocking.try_for_each(|owner| asker.may_block(owner));
    match authz.decide(&asker.request("update", Resource::new("*", "*/finalizers").named("*"))) {
        Decision::Allow(_) => Ok(()),
        Decision::Unknown(causes) => each().map_err(|_| Admission::Unknown(causes)),
        _ => each(),
    }
}

/// Whoever writes, as the authorizers are asked about them.
struct Asker<'a> {
    authz: &'a Authz<'a>,
    submission: &'a Submission<'a>,
}

impl Asker<'_> {
    fn request<'r>(&'r self, verb: &'r str, target: Resource<'r>) -> Request<'r> {
        Request { user: self.submission.user.clone(), action: Action::on(verb, target) }
    }

    fn needs(&self, verb: &str, target: Resource<'_>, refusal: &str) -> Result<(), Admission> {
        let request = self.request(verb, target);
        match self.authz.decide(&request) {
            Decision::Allow(_) => Ok(()),
            Decision::Unknown(causes) => Err(Admission::Unknown(causes)),
            // Of the errors that the server appends, none comes from an authorizer that is modelled.
            other => Err(Admission::Refused(format!("{refusal}: {}, <nil>", self.authz.reason(&request, &other)))),
        }
    }

    fn may_block(&self, owner: &Owner<'_>) -> Result<(), Admission> {
        let (api_version, kind) = (owner.api_version, owner.kind);
        let served = served::of_kind(self.authz.snapshot(), api_version, kind).map_err(|cause| Admission::Unknown(vec![cause]))?;
        let Some(served) = served else {
            let words = "cannot set blockOwnerDeletion in this case because cannot find RESTMapping for APIVersion";
            return Err(Admission::Refused(format!("{words} {api_version} Kind {kind}: no matches for kind \"{kind}\" in version \"{api_version}\"")));
        };
        // An owner in a namespace stands in that of what it owns.
        let namespace = if served.is_namespaced { &*self.submission.target.namespace } else { "" };
        let target = Resource {
            group: served.group,
            resource: served.plural,
            subresource: "finalizers".into(),
            namespace: namespace.into(),
            name: owner.name.into(),
            ..Resource::default()
        };
        self.needs("update", target, "cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on")
    }
}
