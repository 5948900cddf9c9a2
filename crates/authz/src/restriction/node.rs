//! What a kubelet may write, by the admission plugin `NodeRestriction`: on its own Node, Lease, `CSINode` and slices, and on the pods
//! that run there.
//!
//! Read from `plugin/pkg/admission/noderestriction`. A pod or node that has to be looked at is looked for in the snapshot. Quantities
//! are compared as they are written.

use bartizan_cluster::access::{Action, Request, Resource, Target};
use bartizan_cluster::{Fact, Kind, PodView, Value as ObjectValue, field};
use serde_json::Value;

use super::reference::reference;
use super::{Admission, Operation, Submission, certificate, text};
use crate::Authz;
use crate::decision::{Decision, Unknown};
use crate::feature::{CSI_VOLUME_HEALTH, INSECURE_KUBELET_REQUESTS, POD_CERTIFICATE};
use crate::reason::quote;

const MIRROR: &str = "kubernetes.io/config.mirror";

/// The namespace of the leases by which nodes show that they are alive.
const LEASES: &str = "kube-node-lease";

/// Labels of Kubernetes' own prefixes that a kubelet sets on its Node.
const KUBELET_LABELS: [&str; 11] = [
    "beta.kubernetes.io/arch",
    "beta.kubernetes.io/instance-type",
    "beta.kubernetes.io/os",
    "failure-domain.beta.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "kubernetes.io/arch",
    "kubernetes.io/hostname",
    "kubernetes.io/os",
    "node.kubernetes.io/instance-type",
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
];

/// Prefixes whose labels a kubelet sets, with whatever stands before them.
const KUBELET_PREFIXES: [&str; 2] = ["kubelet.kubernetes.io", "node.kubernetes.io"];

/// The prefix of labels that are kept from kubelets.
const KEPT_PREFIX: &str = "node-restriction.kubernetes.io";

/// A kubelet that writes.
pub(super) struct Kubelet<'a> {
    authz: &'a Authz<'a>,
    submission: &'a Submission<'a>,
    node: &'a str,
}

impl<'a> Kubelet<'a> {
    pub(super) fn admits(authz: &'a Authz<'a>, submission: &'a Submission<'a>) -> Admission {
        let Some(node) = submission.user.node_name() else { return Admission::Admitted };
        if node.is_empty() {
            return Admission::Refused(format!("could not determine node from user {}", quote(&submission.user.name)));
        }
        Kubelet { authz, submission, node }.judged().err().unwrap_or(Admission::Admitted)
    }

    /// The words of a refusal, if there is one.
    fn judged(&self) -> Result<(), Admission> {
        let target = self.submission.target;
        match (&*target.group, &*target.resource, &*target.subresource) {
            ("", "pods", "") => self.pod(),
            ("", "pods", "status") => self.pod_status(),
            ("", "pods", "eviction") => self.eviction(),
            ("", "pods", other) => refused(format!("unexpected pod subresource {}, only 'status' and 'eviction' are allowed", quote(other))),
            ("", "nodes", _) => self.own_node(),
            ("", "persistentvolumeclaims", "status") => self.claim_status(),
            ("", "persistentvolumeclaims", _) => refused("may only update PVC status"),
            ("", "serviceaccounts", "token") if self.is(Operation::Create) => self.token(),
            ("certificates.k8s.io", "podcertificaterequests", _) => self.pod_certificate(),
            ("coordination.k8s.io", "leases", _) => self.lease(),
            ("storage.k8s.io", "csinodes", _) => self.csi_node(),
            ("resource.k8s.io", "resourceslices", _) => self.slice(),
            ("certificates.k8s.io", "certificatesigningrequests", _) if self.checks_requests() => match certificate::of_kubelet(self.submission, self.node) {
                Admission::Admitted => Ok(()),
                refusal => Err(refusal),
            },
            _ => Ok(()),
        }
    }

    fn is(&self, operation: Operation) -> bool {
        self.submission.operation == operation
    }

    /// Whether kubelets may ask for certificates in their own name only: since 1.31, unless somebody lets them.
    fn checks_requests(&self) -> bool {
        self.authz.version().at_least(31) && !self.authz.server.features.is_on(INSECURE_KUBELET_REQUESTS)
    }

    fn object(&self, pointer: &str) -> &'a str {
        text(self.submission.object, pointer)
    }

    /// The name that is written: that of the request, or for what is created that of the object.
    fn name(&self) -> &'a str {
        if self.is(Operation::Create) { self.object("/metadata/name") } else { &self.submission.target.name }
    }

    /// A value of the object that is there, and of the one that would take its place.
    fn both(&self, pointer: &str) -> [Value; 2] {
        [self.submission.stored, self.submission.object].map(|object| object.and_then(|object| object.pointer(pointer)).map_or(Value::Null, plain))
    }

    fn changes(&self, pointer: &str) -> bool {
        let [stored, object] = self.both(pointer);
        stored != object
    }

    /// The pod `name` of the namespace of the request, as it is in the snapshot.
    fn pod_called(&self, name: &str) -> Result<PodView<'a>, Admission> {
        let namespace = &*self.submission.target.namespace;
        match self.authz.snapshot().fact(Kind::Pod, Some(namespace), name) {
            Fact::Known(object) => PodView::of(object).into_iter().next().ok_or_else(|| Admission::NotFound(format!("pod {} not found", quote(name)))),
            Fact::Absent => Err(Admission::NotFound(format!("pod {} not found", quote(name)))),
            Fact::Missing(missing) => Err(Admission::Unknown(vec![Unknown::Missing(missing)])),
        }
    }

    fn is_here(&self, pod: PodView<'_>) -> bool {
        pod.object().spec().and_then(|spec| spec.entry("nodeName")?.as_str()) == Some(self.node)
    }

    fn pod(&self) -> Result<(), Admission> {
        let node = quote(self.node);
        match self.submission.operation {
            Operation::Create => self.mirror_pod(),
            Operation::Delete if self.is_here(self.pod_called(&self.submission.target.name)?) => Ok(()),
            Operation::Delete => refused(format!("node {node} can only delete pods with spec.nodeName set to itself")),
            Operation::Update => refused(format!("unexpected operation \"UPDATE\", node {node} can only create and delete mirror pods")),
        }
    }

    /// A pod that a kubelet creates stands for one of a file of its node, and refers to nothing in the API.
    fn mirror_pod(&self) -> Result<(), Admission> {
        let node = quote(self.node);
        let annotations = self.submission.object.and_then(|pod| pod.pointer("/metadata/annotations"));
        if annotations.and_then(|annotations| annotations.get(MIRROR)).is_none() {
            return refused(format!("pod does not have \"{MIRROR}\" annotation, node {node} can only create mirror pods"));
        }
        if self.object("/spec/nodeName") != self.node {
            return refused(format!("node {node} can only create pods with spec.nodeName set to itself"));
        }
        let owners = self.submission.object.and_then(|pod| pod.pointer("/metadata/ownerReferences")).and_then(Value::as_array);
        let owner = match owners.map(Vec::as_slice) {
            Some([owner]) => owner,
            Some([_, ..]) => return refused(format!("node {node} can only create pods with a single owner reference set to itself")),
            _ => return refused(format!("node {node} can only create pods with an owner reference set to itself")),
        };
        let of = |key: &str| owner.get(key).and_then(Value::as_str).unwrap_or("");
        if of("apiVersion") != "v1" || of("kind") != "Node" || of("name") != self.node {
            return refused(format!("node {node} can only create pods with an owner reference set to itself"));
        }
        let is_set = |key: &str| owner.get(key).and_then(Value::as_bool) == Some(true);
        if !is_set("controller") {
            return refused(format!("node {node} can only create pods with a controller owner reference set to itself"));
        }
        if is_set("blockOwnerDeletion") {
            return refused(format!("node {node} must not set blockOwnerDeletion on an owner reference"));
        }
        let uid = self.uid_of(Kind::Node, None, self.node)?;
        if of("uid") != uid {
            return refused(format!("node {} UID mismatch: expected {uid} got {}", self.node, of("uid")));
        }
        match self.submission.object.and_then(|pod| pod.get("spec")).and_then(reference) {
            Some(what) => refused(format!("node {node} can not create pods that reference {what}")),
            None => Ok(()),
        }
    }

    fn uid_of(&self, kind: Kind, namespace: Option<&str>, name: &str) -> Result<String, Admission> {
        match self.authz.snapshot().fact(kind, namespace, name) {
            Fact::Known(object) => Ok(object.metadata().and_then(|metadata| metadata.str(field::UID)).unwrap_or("").to_owned()),
            Fact::Absent => Err(Admission::NotFound(format!("{} {} not found", kind.name().to_lowercase(), quote(name)))),
            Fact::Missing(missing) => Err(Admission::Unknown(vec![Unknown::Missing(missing)])),
        }
    }

    fn pod_status(&self) -> Result<(), Admission> {
        let node = quote(self.node);
        if !self.is(Operation::Update) {
            return refused("unexpected operation");
        }
        if text(self.submission.stored, "/spec/nodeName") != self.node {
            return refused(format!("node {node} can only update pod status for pods with spec.nodeName set to itself"));
        }
        for (pointer, what) in [
            ("/metadata/labels", "update labels through pod status"),
            ("/status/resourceClaimStatuses", "update resource claim statues"),
            ("/status/extendedResourceClaimStatus", "update extended resource claim status"),
        ] {
            if self.changes(pointer) {
                return refused(format!("node {node} cannot {what}"));
            }
        }
        if self.authz.version().at_least(37) && self.changes("/status/nodeAllocatableResourceClaimStatuses") {
            return refused(format!("node {node} cannot update node allocatable resource claim statuses"));
        }
        Ok(())
    }

    fn eviction(&self) -> Result<(), Admission> {
        let name = if self.submission.target.name.is_empty() { self.object("/metadata/name") } else { &self.submission.target.name };
        if name.is_empty() {
            return refused("could not determine pod from request data");
        }
        if self.is_here(self.pod_called(name)?) {
            return Ok(());
        }
        refused(format!("node {} can only evict pods with spec.nodeName set to itself", self.node))
    }

    fn own_node(&self) -> Result<(), Admission> {
        let node = quote(self.node);
        // The server takes the name of a Node that is created from the object.
        let name = self.name();
        if name != self.node {
            return refused(format!("node {node} is not allowed to modify node {}", quote(name)));
        }
        if self.is(Operation::Delete) {
            return Ok(());
        }
        let [before, after] = self.both("/spec/configSource");
        if !after.is_null() && before != after {
            return refused(format!("node {node} is not allowed to set a configSource"));
        }
        if self.is(Operation::Update) && self.changes("/spec/taints") {
            return refused(format!("node {node} is not allowed to modify taints"));
        }
        if self.is(Operation::Update) && self.changes("/metadata/ownerReferences") {
            return refused(format!("node {node} is not allowed to modify ownerReferences"));
        }
        let kept = self.kept_labels();
        if kept.is_empty() {
            return Ok(());
        }
        let labels = kept.join(", ");
        if self.is(Operation::Create) {
            return refused(format!("node {node} is not allowed to set the following labels: {labels}"));
        }
        refused(format!("is not allowed to modify labels: {labels}"))
    }

    /// The labels that change and are kept from kubelets, sorted.
    fn kept_labels(&self) -> Vec<String> {
        let [before, after] = self.both("/metadata/labels");
        let keys = [&before, &after].into_iter().filter_map(Value::as_object).flat_map(|labels| labels.keys());
        let mut kept: Vec<String> = keys.filter(|key| before.get(key) != after.get(key) && is_kept(key)).cloned().collect();
        kept.sort_unstable();
        kept.dedup();
        kept
    }

    fn claim_status(&self) -> Result<(), Admission> {
        if !self.is(Operation::Update) {
            return refused("unexpected operation");
        }
        let knows_recovery = self.authz.version().at_least(32);
        let rest = |object: Option<&Value>| {
            let mut claim = object.cloned().unwrap_or_default();
            if let Some(metadata) = claim.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.retain(|key, _| !matches!(key.as_str(), "resourceVersion" | "managedFields"));
            }
            if let Some(status) = claim.get_mut("status").and_then(Value::as_object_mut) {
                let is_growth = |key: &str| knows_recovery && matches!(key, "allocatedResourceStatuses" | "allocatedResources");
                status.retain(|key, _| !matches!(key.as_str(), "capacity" | "conditions") && !is_growth(key));
            }
            plain(&claim)
        };
        if rest(self.submission.stored) == rest(self.submission.object) {
            return Ok(());
        }
        refused(format!("node {} is not allowed to update fields other than status.quantity and status.conditions", quote(self.node)))
    }

    /// A kubelet asks for tokens that end with a pod of its own, for an audience that the pod names or that somebody allows it.
    fn token(&self) -> Result<(), Admission> {
        let reference = |key: &str| self.object(&format!("/spec/boundObjectRef/{key}"));
        if reference("apiVersion") != "v1" || reference("kind") != "Pod" || reference("name").is_empty() {
            return refused("node requested token not bound to a pod");
        }
        if reference("uid").is_empty() {
            return refused("node requested token with a pod binding without a uid");
        }
        let pod = self.pod_called(reference("name"))?;
        let uid = self.uid_of(Kind::Pod, Some(&self.submission.target.namespace), reference("name"))?;
        if uid != reference("uid") {
            return refused(format!("the UID in the bound object reference ({}) does not match the UID in record", reference("uid")));
        }
        if !self.is_here(pod) {
            return refused("node requested token bound to a pod scheduled on a different node");
        }
        if !self.authz.version().at_least(33) {
            return Ok(());
        }
        let audiences = self.submission.object.and_then(|request| request.pointer("/spec/audiences")).and_then(Value::as_array);
        let audience = match audiences.map(Vec::as_slice) {
            None | Some([]) => "",
            Some([one]) => one.as_str().unwrap_or(""),
            Some(_) => return refused("node may only request 0 or 1 audiences"),
        };
        if names_audience(pod, audience)? {
            return Ok(());
        }
        self.ask("request-serviceaccounts-token-audience", audience, &self.submission.target.name)?;
        Ok(())
    }

    /// Asks the authorizers whether the kubelet may do what only a verb says: a right to the word `resource`.
    fn ask(&self, verb: &str, resource: &str, name: &str) -> Result<(), Admission> {
        let submitted = self.submission.target;
        let target = Resource { group: submitted.group.clone(), ..Resource::new("", resource).within(submitted.namespace.clone()).named(name) };
        let target = Resource { resource: resource.into(), subresource: "".into(), ..target };
        let request = Request { user: self.submission.user.clone(), action: Action { verb: verb.into(), target: Target::Resource(target) } };
        match self.authz.decide(&request) {
            Decision::Allow(_) => Ok(()),
            Decision::Unknown(causes) => Err(Admission::Unknown(causes)),
            _ => refused(format!("{} is not authorized to {verb} {}", self.submission.user.name, quote(resource))),
        }
    }

    fn pod_certificate(&self) -> Result<(), Admission> {
        if !self.authz.server.features.is_on(POD_CERTIFICATE) {
            return refused("PodCertificateRequest feature gate is disabled");
        }
        if !self.is(Operation::Create) || !self.submission.target.subresource.is_empty() {
            return refused("unexpected operation");
        }
        let asked = |key: &str| self.object(&format!("/spec/{key}"));
        if asked("nodeName") != self.node {
            return refused(format!("PodCertificateRequest.Spec.NodeName={}, which is not the requesting node {}", quote(asked("nodeName")), quote(self.node)));
        }
        let namespace = &*self.submission.target.namespace;
        let pod = self.pod_called(asked("podName"))?;
        // A uid that differs is an error like one of a cache that lags behind: it is refused, and may be tried again.
        for (kind, home, name, uid) in [
            (Kind::Node, None, self.node, asked("nodeUID")),
            (Kind::Pod, Some(namespace), asked("podName"), asked("podUID")),
            (Kind::ServiceAccount, Some(namespace), asked("serviceAccountName"), asked("serviceAccountUID")),
        ] {
            if self.uid_of(kind, home, name)? != uid {
                return refused(format!("the uid of {} {} is another one", kind.name(), quote(name)));
            }
        }
        if !self.is_here(pod) {
            return refused(format!("pod {} is not running on node {}", quote(asked("podName")), quote(self.node)));
        }
        if pod.is_mirror() {
            return refused(format!("pod {} is a mirror pod", quote(asked("podName"))));
        }
        if pod.object().spec().and_then(|spec| spec.entry("serviceAccountName")?.as_str()).unwrap_or("") != asked("serviceAccountName") {
            return refused("the service account is not that of the pod");
        }
        if !self.authz.version().at_least(37) || mounts_certificate(pod, asked("signerName")) {
            return Ok(());
        }
        self.ask("request-serviceaccounts-podcertificate-signer", &asked("signerName").replace('/', ":"), asked("serviceAccountName"))
    }

    fn lease(&self) -> Result<(), Admission> {
        if self.submission.target.namespace != LEASES {
            return refused(format!("can only access leases in the \"{LEASES}\" system namespace"));
        }
        if self.name() == self.node { Ok(()) } else { refused("can only access node lease with the same name as the requesting node") }
    }

    fn csi_node(&self) -> Result<(), Admission> {
        if self.name() != self.node {
            return refused("can only access CSINode with the same name as the requesting node");
        }
        if self.submission.target.subresource != "status" || !self.authz.version().at_least(37) {
            return Ok(());
        }
        if !self.authz.server.features.is_on(CSI_VOLUME_HEALTH) {
            return refused("CSIVolumeHealth feature gate is disabled");
        }
        if self.is(Operation::Update) && !self.changes("/spec") {
            return Ok(());
        }
        refused(format!("node {} is not allowed to modify CSINode spec via status", quote(self.node)))
    }

    fn slice(&self) -> Result<(), Admission> {
        let (slice, verb) = match self.submission.operation {
            Operation::Create => (self.submission.object, "create"),
            Operation::Delete => (self.submission.stored, "delete"),
            Operation::Update => return Ok(()),
        };
        if text(slice, "/spec/nodeName") == self.node {
            return Ok(());
        }
        refused(format!("can only {verb} ResourceSlice with the same NodeName as the requesting node"))
    }
}

fn refused(words: impl Into<String>) -> Result<(), Admission> {
    Err(Admission::Refused(words.into()))
}

/// A value without what is as good as absent.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept: serde_json::Map<String, Value> =
                fields.iter().map(|(key, value)| (key.clone(), plain(value))).filter(|(_, value)| !value.is_null()).collect();
            if kept.is_empty() { Value::Null } else { kept.into() }
        }
        Value::Array(items) if items.is_empty() => Value::Null,
        Value::Array(items) => items.iter().map(plain).collect(),
        other => other.clone(),
    }
}

/// Whether the label `key` is kept from kubelets.
fn is_kept(key: &str) -> bool {
    let prefix = key.split_once('/').map_or("", |(prefix, _)| prefix);
    let is_of = |domain: &str| prefix == domain || prefix.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    let is_kubelets = KUBELET_LABELS.contains(&key) || KUBELET_PREFIXES.into_iter().any(is_of);
    is_of(KEPT_PREFIX) || ((is_of("kubernetes.io") || is_of("k8s.io")) && !is_kubelets)
}

/// Whether a volume of the pod is for a certificate of this signer.
fn mounts_certificate(pod: PodView<'_>, signer: &str) -> bool {
    let volumes = pod.object().spec().and_then(|spec| spec.entry("volumes"));
    let sources = volumes.into_iter().flat_map(ObjectValue::items).filter_map(|volume| volume.entry("projected")?.entry("sources"));
    let mut certificates = sources.flat_map(ObjectValue::items).filter_map(|source| source.entry("podCertificate"));
    certificates.any(|certificate| certificate.entry("signerName").and_then(ObjectValue::as_str) == Some(signer))
}

/// Whether a volume of the pod is for a token with this audience: projected, or of a driver that asks for one.
fn names_audience(pod: PodView<'_>, audience: &str) -> Result<bool, Admission> {
    let volumes = || pod.object().spec().and_then(|spec| spec.entry("volumes")).into_iter().flat_map(ObjectValue::items);
    let sources = volumes().filter_map(|volume| volume.entry("projected")?.entry("sources")).flat_map(ObjectValue::items);
    let mut tokens = sources.filter_map(|source| source.entry("serviceAccountToken"));
    if tokens.any(|token| token.entry("audience").and_then(ObjectValue::as_str).unwrap_or("") == audience) {
        return Ok(true);
    }
    // What a volume leads to by claims and drivers is not followed here.
    let leads_on = |volume: ObjectValue<'_>| ["csi", "persistentVolumeClaim", "ephemeral"].iter().any(|kind| volume.entry(kind).is_some());
    if volumes().any(leads_on) { Err(Admission::Unknown(vec![Unknown::VolumeDriver])) } else { Ok(false) }
}
