//! The Node authorizer: what a kubelet may do, by what runs on its node.
//!
//! A kubelet may read what its pods mention: a node leads to its pods, a pod to its Secrets, ConfigMaps, claims and ServiceAccount, a
//! claim to its volume and a volume to its Secrets. Everything else it may do is the same for all kubelets, and is the default
//! role `system:node`. The relations are looked for when a kubelet is asked about, and then kept.

mod relation;

use std::sync::{Arc, OnceLock};

use bartizan_cluster::access::{Action, NODE_PREFIX, NODES, Request, Resource, Target};
use bartizan_cluster::snapshot::Changes;
use bartizan_cluster::{Kind, KubernetesVersion, Missing, Provenance, Reason, Snapshot, field};

use crate::default_policy;
use crate::feature::{CSI_VOLUME_HEALTH, Features, KUBELET_READS_ACCOUNTS, POD_CERTIFICATE};
use crate::reason::quote;
use crate::rule::{Rule, RuleBook, SetId};
use relation::{Relations, Thing};

/// The default role whose rules say what every kubelet may do.
const ROLE: &str = "system:node";

/// The namespace of the leases by which nodes show that they are alive.
const LEASES: &str = "kube-node-lease";

/// What the authorizer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Allow,
    /// It has no opinion, with these words.
    NoOpinion(String),
    /// It depends on a list that was not read.
    Unknown(Missing),
}

/// The Node authorizer of a cluster.
#[derive(Debug, Clone)]
pub(crate) struct Nodes<'s> {
    snapshot: &'s Snapshot,
    version: KubernetesVersion,
    features: Features,
    relations: OnceLock<Relations>,
    /// What every kubelet may do: made when a kubelet asks.
    rules: Arc<OnceLock<(RuleBook, SetId)>>,
}

/// The rules of every kubelet, by the default policy of `version`.
fn rules(version: KubernetesVersion) -> (RuleBook, SetId) {
    let mut book = RuleBook::new();
    let default = default_policy::snapshot(version);
    let role = default.find(Kind::ClusterRole, None, ROLE);
    let rules = role.into_iter().flat_map(|role| role.root().list(field::RULES)).map(|rule| {
        let said = Rule::read(rule, &mut book);
        book.rule(said)
    });
    let rules = rules.collect();
    let rules = book.set(rules);
    (book, rules)
}

impl<'s> Nodes<'s> {
    pub(crate) fn new(snapshot: &'s Snapshot, version: KubernetesVersion, features: Features) -> Self {
        Self { snapshot, version, features, relations: OnceLock::new(), rules: Arc::default() }
    }

    /// The authorizer after `changes`, which lead to `after`.
    pub(crate) fn with<'a>(&self, after: &'a Snapshot, changes: &Changes<'a>) -> Nodes<'a>
    where
        's: 'a,
    {
        let mut next: Nodes<'a> = self.clone();
        next.snapshot = after;
        // Relations for which no kubelet has asked yet are looked for when one does.
        if let Some(relations) = next.relations.get_mut() {
            relations.change(after, changes);
        }
        next
    }

    /// What the authorizer says to `request`.
    pub(crate) fn decide(&self, request: &Request<'_>) -> Answer {
        let user = &request.user;
        let Some(node) = user.name.strip_prefix(NODE_PREFIX).filter(|_| user.is_in(NODES)) else { return nothing() };
        if node.is_empty() {
            return says(format!("unknown node for user {}", quote(&user.name)));
        }
        let Target::Resource(target) = &request.action.target else { return self.by_rules(&request.action) };
        let verb = &*request.action.verb;
        // Since 1.32, lists of pods and reads of nodes are divided as well.
        let is_divided = self.version.at_least(32);
        match (&*target.group, &*target.resource) {
            ("", "secrets") => self.read(node, Thing::Secret, verb, target),
            ("", "configmaps") => self.read(node, Thing::ConfigMap, verb, target),
            ("", "persistentvolumeclaims") if target.subresource == "status" => match verb {
                "update" | "patch" => self.related(node, Thing::Claim, target),
                _ => says("can only get/update/patch this type"),
            },
            ("", "persistentvolumeclaims") => self.get(node, Thing::Claim, verb, target),
            ("", "persistentvolumes") => self.get(node, Thing::Volume, verb, target),
            ("resource.k8s.io", "resourceclaims") => self.get(node, Thing::ResourceClaim, verb, target),
            ("storage.k8s.io", "volumeattachments") => self.get(node, Thing::Attachment, verb, target),
            ("", "serviceaccounts") => self.service_account(node, verb, target),
            ("coordination.k8s.io", "leases") => lease(node, verb, target),
            ("storage.k8s.io", "csinodes") => self.csi_node(node, verb, target),
            ("resource.k8s.io", "resourceslices") if self.version.at_least(30) => self.slice(node, verb, target),
            ("", "nodes") if is_divided => own_node(node, verb, target),
            ("", "pods") if is_divided => self.pod(node, verb, target),
            ("certificates.k8s.io", "podcertificaterequests") if self.version.at_least(34) => self.certificate_request(node, verb, target),
            _ => self.by_rules(&request.action),
        }
    }

    /// What every kubelet may do.
    fn by_rules(&self, action: &Action<'_>) -> Answer {
        let (book, rules) = self.rules.get_or_init(|| rules(self.version));
        match book.first_match(*rules, book.wanted(action)) {
            Some(_) => Answer::Allow,
            None => nothing(),
        }
    }

    fn get(&self, node: &str, thing: Thing, verb: &str, target: &Resource<'_>) -> Answer {
        if verb != "get" {
            return says("can only get individual resources of this type");
        }
        if !target.subresource.is_empty() {
            return says("cannot get subresource");
        }
        self.related(node, thing, target)
    }

    fn read(&self, node: &str, thing: Thing, verb: &str, target: &Resource<'_>) -> Answer {
        if !matches!(verb, "get" | "list" | "watch") {
            return says("can only read resources of this type");
        }
        if !target.subresource.is_empty() {
            return says("cannot read subresource");
        }
        if target.namespace.is_empty() {
            return says("can only read namespaced object of this type");
        }
        self.related(node, thing, target)
    }

    fn service_account(&self, node: &str, verb: &str, target: &Resource<'_>) -> Answer {
        if verb == "get" && target.subresource.is_empty() && self.version.at_least(33) {
            let features = [KUBELET_READS_ACCOUNTS, POD_CERTIFICATE];
            let is_on = features.iter().any(|&feature| self.features.is_on(feature));
            return if is_on { self.read(node, Thing::ServiceAccount, verb, target) } else { says("not allowed to get service accounts") };
        }
        if verb != "create" || target.name.is_empty() {
            return says("can only create tokens for individual service accounts");
        }
        if target.subresource != "token" {
            return says("can only create token subresource of serviceaccount");
        }
        self.related(node, Thing::ServiceAccount, target)
    }

    fn csi_node(&self, node: &str, verb: &str, target: &Resource<'_>) -> Answer {
        match &*target.subresource {
            "" if !matches!(verb, "get" | "create" | "update" | "patch" | "delete") => {
                return says("can only get, create, update, patch, or delete a CSINode");
            }
            "" => {}
            "status" if self.version.at_least(37) => {
                if !self.features.is_on(CSI_VOLUME_HEALTH) {
                    return says("CSINode status access requires CSIVolumeHealth feature");
                }
                if !matches!(verb, "get" | "update" | "patch") {
                    return says("can only get, update, or patch CSINode status");
                }
            }
            _ => return says("cannot authorize CSINode subresources"),
        }
        if verb != "create" && target.name != node {
            return says("can only access CSINode with the same name as the requesting node");
        }
        Answer::Allow
    }

    fn slice(&self, node: &str, verb: &str, target: &Resource<'_>) -> Answer {
        if !target.subresource.is_empty() {
            return says("cannot authorize ResourceSlice subresources");
        }
        match verb {
            "create" => Answer::Allow,
            "get" | "update" | "patch" | "delete" => self.related(node, Thing::Slice, target),
            "watch" | "list" | "deletecollection" if !self.version.at_least(32) || selects(target, "spec.nodeName", node) => Answer::Allow,
            "watch" | "list" | "deletecollection" => says("can only list/watch/deletecollection resourceslices with nodeName field selector"),
            _ => says("only the following verbs are allowed for a ResourceSlice: get, watch, list, create, update, patch, delete, deletecollection"),
        }
    }

    fn certificate_request(&self, node: &str, verb: &str, target: &Resource<'_>) -> Answer {
        if !self.features.is_on(POD_CERTIFICATE) {
            return nothing();
        }
        if !target.subresource.is_empty() {
            return says("nodes may not access the status subresource of PodCertificateRequests");
        }
        match verb {
            "create" => Answer::Allow,
            "get" => self.related(node, Thing::CertificateRequest, target),
            "list" | "watch" if selects(target, "spec.nodeName", node) => Answer::Allow,
            "list" | "watch" => says("can only list/watch podcertificaterequests with nodeName field selector"),
            _ => says(format!("nodes may not {verb} podcertificaterequests")),
        }
    }

    fn pod(&self, node: &str, verb: &str, target: &Resource<'_>) -> Answer {
        match (&*target.subresource, verb) {
            ("", "get") => self.get(node, Thing::Pod, verb, target),
            ("", "list" | "watch") if selects(target, "spec.nodeName", node) => Answer::Allow,
            ("", "list" | "watch") if !target.name.is_empty() => self.related(node, Thing::Pod, target),
            ("", "list" | "watch") => says("can only list/watch pods with spec.nodeName field selector"),
            ("", "create" | "delete") | ("status", "update" | "patch") | ("eviction", "create") => Answer::Allow,
            _ => nothing(),
        }
    }

    /// Whether the object is related to the node.
    fn related(&self, node: &str, thing: Thing, target: &Resource<'_>) -> Answer {
        if target.name.is_empty() {
            return says("No Object name found");
        }
        let relations = self.relations.get_or_init(|| Relations::read(self.snapshot));
        // Objects of the whole cluster have no namespace, whatever the request says.
        let namespace = &*target.namespace;
        if relations.lead_to(self.snapshot.strings(), node, thing, namespace, &target.name) {
            return Answer::Allow;
        }
        match self.gap(thing, namespace) {
            Some(missing) => Answer::Unknown(missing),
            None => says(format!("no relationship found between node '{node}' and this object")),
        }
    }

    /// A list that was not read and could hold the relation.
    fn gap(&self, thing: Thing, namespace: &str) -> Option<Missing> {
        let local = (!namespace.is_empty()).then_some(namespace);
        let other = |kind: &str, plural: &str| {
            let is_live = self.snapshot.circumstances().provenance == Provenance::Live;
            let is_read = || self.snapshot.of_kind(Kind::Other).any(|object| object.kind_name() == kind);
            let listed = self.snapshot.circumstances().missing.iter().find(|missing| missing.fact == plural).cloned();
            listed.or_else(|| (is_live && !is_read()).then(|| Missing { fact: plural.to_owned(), scope: "cluster".to_owned(), reason: Reason::NotGathered }))
        };
        match thing {
            Thing::Attachment => other("VolumeAttachment", "volumeattachments"),
            Thing::Slice => other("ResourceSlice", "resourceslices"),
            Thing::CertificateRequest => other("PodCertificateRequest", "podcertificaterequests"),
            Thing::Secret => self.snapshot.gap(Kind::Pod, None).or_else(|| self.snapshot.gap(Kind::PersistentVolume, None)),
            Thing::Volume => self.snapshot.gap(Kind::Pod, None).or_else(|| self.snapshot.gap(Kind::PersistentVolume, None)),
            Thing::Pod | Thing::ConfigMap | Thing::Claim | Thing::ResourceClaim | Thing::ServiceAccount => self.snapshot.gap(Kind::Pod, local),
        }
    }
}

fn nothing() -> Answer {
    Answer::NoOpinion(String::new())
}

fn says(words: impl Into<String>) -> Answer {
    Answer::NoOpinion(words.into())
}

/// Whether a request is limited to objects whose field `key` is `value`.
fn selects(target: &Resource<'_>, key: &str, value: &str) -> bool {
    target.fields.iter().any(|requirement| requirement.is_in && requirement.key == key && requirement.values.iter().eq([value]))
}

fn lease(node: &str, verb: &str, target: &Resource<'_>) -> Answer {
    if !matches!(verb, "get" | "create" | "update" | "patch" | "delete") {
        return says("can only get, create, update, patch, or delete a node lease");
    }
    if target.namespace != LEASES {
        return says(format!("can only access leases in the {} system namespace", quote(LEASES)));
    }
    if verb != "create" && target.name != node {
        return says("can only access node lease with the same name as the requesting node");
    }
    Answer::Allow
}

fn own_node(node: &str, verb: &str, target: &Resource<'_>) -> Answer {
    match (&*target.subresource, verb) {
        ("", "create" | "update" | "patch") | ("status", "update" | "patch") => Answer::Allow,
        ("", "get" | "list" | "watch") => match &*target.name {
            name if name == node => Answer::Allow,
            "" => says(format!("node '{node}' cannot read all nodes, only its own Node object")),
            name => says(format!("node '{node}' cannot read '{name}', only its own Node object")),
        },
        _ => nothing(),
    }
}
