//! The Node authorizer: what a kubelet may do, by what runs on its node.
//!
//! A kubelet may read what its pods mention: a node leads to its pods, a pod to its Secrets, ConfigMaps, claims and ServiceAccount, a
//! claim to its volume and a volume to its Secrets. Everything else it may do is the same for all kubelets, and is the default
//! role `system:node`. The relations are looked for when a kubelet is asked about, and then kept.

use std::sync::OnceLock;

use bartizan_cluster::access::{Action, NODE_PREFIX, NODES, Request, Resource, Target};
use bartizan_cluster::{Interner, Kind, KubernetesVersion, Missing, ObjectView, PodView, Provenance, Reason, Snapshot, Symbol, Value, field};
use foldhash::{HashMap, HashSet};

use crate::default_policy;
use crate::feature::{CSI_VOLUME_HEALTH, Features, KUBELET_READS_ACCOUNTS, POD_CERTIFICATE};
use crate::reason::quote;
use crate::rule::{Rule, RuleBook, SetId};

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

/// What a kubelet can be related to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Thing {
    Pod,
    Secret,
    ConfigMap,
    Claim,
    Volume,
    ResourceClaim,
    Attachment,
    Slice,
    CertificateRequest,
    ServiceAccount,
}

/// The Node authorizer of a cluster.
#[derive(Debug)]
pub(crate) struct Nodes<'s> {
    snapshot: &'s Snapshot,
    version: KubernetesVersion,
    features: Features,
    relations: OnceLock<Relations>,
    /// What every kubelet may do: made when a kubelet asks.
    rules: OnceLock<(RuleBook, SetId)>,
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
        Self { snapshot, version, features, relations: OnceLock::new(), rules: OnceLock::new() }
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
        let relations = self.relations.get_or_init(|| Reader::read(self.snapshot));
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

/// What leads to which node, in the symbols of the snapshot.
#[derive(Debug, Default)]
struct Relations {
    /// The nodes of what pods mention, and of what names its node itself, by namespace and name.
    nodes: HashMap<(Thing, Symbol, Symbol), HashSet<Symbol>>,
    /// The claim of each volume.
    claims: HashMap<Symbol, (Symbol, Symbol)>,
    /// The volumes that name a Secret.
    volumes: HashMap<(Symbol, Symbol), Vec<Symbol>>,
    /// Claims whose names are made of those of a pod and a volume.
    made: HashMap<(Symbol, String), HashSet<Symbol>>,
}

/// Relations in the making.
struct Reader<'s> {
    strings: &'s Interner,
    relations: Relations,
}

impl<'s> Reader<'s> {
    fn read(snapshot: &'s Snapshot) -> Relations {
        let mut reader = Self { strings: snapshot.strings(), relations: Relations::default() };
        let is_stored = snapshot.circumstances().provenance == Provenance::Live;
        for object in snapshot.of_kind(Kind::Pod) {
            for pod in PodView::of(object) {
                reader.add_pod(pod, is_stored);
            }
        }
        for volume in snapshot.of_kind(Kind::PersistentVolume) {
            reader.add_volume(volume);
        }
        for object in snapshot.of_kind(Kind::Other) {
            let thing = match (object.group(), object.kind_name()) {
                ("storage.k8s.io", "VolumeAttachment") => Thing::Attachment,
                ("resource.k8s.io", "ResourceSlice") => Thing::Slice,
                ("certificates.k8s.io", "PodCertificateRequest") => Thing::CertificateRequest,
                _ => continue,
            };
            if let Some(node) = object.spec().and_then(|spec| spec.str(field::NODE_NAME)).filter(|node| !node.is_empty()) {
                reader.add(thing, object.namespace().unwrap_or(""), object.name(), node);
            }
        }
        reader.relations
    }

    /// The symbol of a text of the snapshot; all of them have one.
    fn symbol(&self, text: &str) -> Symbol {
        self.strings.find(text).unwrap_or(field::EMPTY)
    }

    fn add(&mut self, thing: Thing, namespace: &str, name: &str, node: &str) {
        if !name.is_empty() {
            let (namespace, name, node) = (self.symbol(namespace), self.symbol(name), self.symbol(node));
            self.relations.nodes.entry((thing, namespace, name)).or_default().insert(node);
        }
    }

    fn add_pod(&mut self, pod: PodView<'s>, is_stored: bool) {
        let spec = pod.spec();
        let Some(node) = spec.str(field::NODE_NAME).filter(|node| !node.is_empty()) else { return };
        let namespace = pod.namespace();
        self.add(Thing::Pod, namespace, pod.object().name(), node);
        // The kubelet makes mirror pods itself: they give it nothing.
        if pod.is_mirror() {
            return;
        }
        // What admission would have filled in stands in stored pods, or was not wanted.
        let account = if is_stored { spec.str(field::SERVICE_ACCOUNT_NAME).unwrap_or("") } else { pod.service_account() };
        self.add(Thing::ServiceAccount, namespace, account, node);
        for secret in spec.list(field::IMAGE_PULL_SECRETS) {
            self.add(Thing::Secret, namespace, secret.str(field::NAME).unwrap_or(""), node);
        }
        for container in pod.containers() {
            self.add_container(container.value(), namespace, node);
        }
        for volume in pod.volumes() {
            self.add_mount(volume, pod, node);
        }
        let claims = spec.entry("resourceClaims");
        for claim in claims.into_iter().flat_map(Value::items) {
            let name = claim.entry("resourceClaimName").and_then(Value::as_str).or_else(|| status_claim(pod, claim.str(field::NAME)?));
            self.add(Thing::ResourceClaim, namespace, name.unwrap_or(""), node);
        }
        let extended =
            pod.object().root().get(field::STATUS).and_then(|status| status.entry("extendedResourceClaimStatus")?.entry("resourceClaimName")?.as_str());
        self.add(Thing::ResourceClaim, namespace, extended.unwrap_or(""), node);
    }

    fn add_container(&mut self, container: Value<'s>, namespace: &'s str, node: &'s str) {
        let name = |value: Value<'s>| value.str(field::NAME);
        for (source, thing) in [(field::SECRET_REF, Thing::Secret), (field::CONFIG_MAP_REF, Thing::ConfigMap)] {
            for from in container.list(field::ENV_FROM) {
                self.add(thing, namespace, from.get(source).and_then(name).unwrap_or(""), node);
            }
        }
        for (source, thing) in [(field::SECRET_KEY_REF, Thing::Secret), (field::CONFIG_MAP_KEY_REF, Thing::ConfigMap)] {
            for variable in container.list(field::ENV) {
                self.add(thing, namespace, variable.walk(&[field::VALUE_FROM, source]).and_then(name).unwrap_or(""), node);
            }
        }
    }

    fn add_mount(&mut self, volume: Value<'s>, pod: PodView<'s>, node: &'s str) {
        let namespace = pod.namespace();
        let text = |value: Option<Value<'s>>| value.and_then(Value::as_str).unwrap_or("");
        let reference = |source: &str, key: &str| text(volume.entry(source).and_then(|source| source.entry(key)?.get(field::NAME)));
        let secrets = [
            text(volume.entry("azureFile").and_then(|source| source.get(field::SECRET_NAME))),
            text(volume.walk(&[field::SECRET, field::SECRET_NAME])),
            reference("cephfs", "secretRef"),
            reference("cinder", "secretRef"),
            reference("flexVolume", "secretRef"),
            reference("rbd", "secretRef"),
            reference("scaleIO", "secretRef"),
            reference("iscsi", "secretRef"),
            reference("storageos", "secretRef"),
            reference("csi", "nodePublishSecretRef"),
        ];
        for secret in secrets {
            self.add(Thing::Secret, namespace, secret, node);
        }
        self.add(Thing::ConfigMap, namespace, text(volume.walk(&[field::CONFIG_MAP, field::NAME])), node);
        for source in volume.get(field::PROJECTED).into_iter().flat_map(|projected| projected.list(field::SOURCES)) {
            self.add(Thing::Secret, namespace, text(source.walk(&[field::SECRET, field::NAME])), node);
            self.add(Thing::ConfigMap, namespace, text(source.walk(&[field::CONFIG_MAP, field::NAME])), node);
        }
        if let Some(claim) = volume.get(field::PERSISTENT_VOLUME_CLAIM) {
            self.add(Thing::Claim, namespace, claim.str(field::CLAIM_NAME).unwrap_or(""), node);
        } else if volume.get(field::EPHEMERAL).is_some() {
            let name = format!("{}-{}", pod.object().name(), volume.str(field::NAME).unwrap_or(""));
            let (namespace, node) = (self.symbol(namespace), self.symbol(node));
            self.relations.made.entry((namespace, name)).or_default().insert(node);
        }
    }

    fn add_volume(&mut self, volume: ObjectView<'s>) {
        let Some(spec) = volume.spec() else { return };
        let Some(claim) = spec.entry("claimRef") else { return };
        let (home, name) = (claim.str(field::NAMESPACE).unwrap_or(""), claim.str(field::NAME).unwrap_or(""));
        let claimed = (self.symbol(home), self.symbol(name));
        self.relations.claims.insert(self.symbol(volume.name()), claimed);
        if let Some(file) = spec.entry("azureFile") {
            let namespace = file.entry("secretNamespace").and_then(Value::as_str).filter(|namespace| !namespace.is_empty()).unwrap_or(home);
            self.name_secret(volume.name(), namespace, file.str(field::SECRET_NAME));
            return;
        }
        // Old volumes mean the namespace of their claim.
        for source in ["cephfs", "flexVolume", "rbd", "scaleIO", "iscsi"] {
            let Some(secret) = spec.entry(source).and_then(|source| source.entry("secretRef")) else { continue };
            let namespace = secret.str(field::NAMESPACE).filter(|namespace| !namespace.is_empty()).unwrap_or(home);
            self.name_secret(volume.name(), namespace, secret.str(field::NAME));
        }
        let exact = [
            ("cinder", "secretRef"),
            ("storageos", "secretRef"),
            ("csi", "nodePublishSecretRef"),
            ("csi", "nodeStageSecretRef"),
            ("csi", "nodeExpandSecretRef"),
        ];
        for (source, key) in exact {
            let Some(secret) = spec.entry(source).and_then(|source| source.entry(key)) else { continue };
            self.name_secret(volume.name(), secret.str(field::NAMESPACE).unwrap_or(""), secret.str(field::NAME));
        }
    }

    fn name_secret(&mut self, volume: &str, namespace: &str, name: Option<&str>) {
        if let Some(name) = name.filter(|name| !name.is_empty()) {
            let secret = (self.symbol(namespace), self.symbol(name));
            let volume = self.symbol(volume);
            self.relations.volumes.entry(secret).or_default().push(volume);
        }
    }
}

impl Relations {
    /// Whether the object leads to the node.
    fn lead_to(&self, strings: &Interner, node: &str, thing: Thing, namespace: &str, name: &str) -> bool {
        let (Some(node), Some(home)) = (strings.find(node), strings.find(namespace)) else { return false };
        if thing == Thing::Claim && self.made.get(&(home, name.to_owned())).is_some_and(|nodes| nodes.contains(&node)) {
            return true;
        }
        let Some(name) = strings.find(name) else { return false };
        let directly = |thing: Thing, namespace: Symbol, name: Symbol| self.nodes.get(&(thing, namespace, name)).is_some_and(|nodes| nodes.contains(&node));
        let by_claim = |&(namespace, name): &(Symbol, Symbol)| {
            directly(Thing::Claim, namespace, name) || self.made.get(&(namespace, strings.text(name).to_owned())).is_some_and(|nodes| nodes.contains(&node))
        };
        let by_volume = |volume: &Symbol| self.claims.get(volume).is_some_and(by_claim);
        match thing {
            Thing::Claim => by_claim(&(home, name)),
            Thing::Volume => namespace.is_empty() && by_volume(&name),
            Thing::Secret => directly(thing, home, name) || self.volumes.get(&(home, name)).into_iter().flatten().any(by_volume),
            _ => directly(thing, home, name),
        }
    }
}

/// The claim that was made for the pod's claim `name` from a template.
fn status_claim<'s>(pod: PodView<'s>, name: &str) -> Option<&'s str> {
    let statuses = pod.object().root().get(field::STATUS)?.entry("resourceClaimStatuses")?;
    statuses.items().find(|status| status.str(field::NAME) == Some(name))?.entry("resourceClaimName")?.as_str()
}
