//! What leads from an object to the node of a kubelet: pods, what they mention, and volumes.

use std::collections::hash_map::Entry;
use std::sync::Arc;

use bartizan_cluster::sharing::Layered;
use bartizan_cluster::snapshot::Changes;
use bartizan_cluster::{Interner, Kind, ObjectView, PodView, Provenance, Snapshot, Symbol, Value, field};
use foldhash::HashMap;

/// What a kubelet can be related to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Thing {
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

/// What leads to which node, in the symbols of the snapshot.
#[derive(Debug, Clone)]
pub(super) struct Relations {
    /// The nodes of what pods mention, and of what names its node itself, by namespace and name.
    nodes: Layered<(Thing, Symbol, Symbol), Homes>,
    /// Claims whose names are made of those of a pod and a volume.
    made: Layered<(Symbol, String), Homes>,
    volumes: Arc<Volumes>,
}

/// Nodes, each with the number of mentions that lead to it.
type Homes = HashMap<Symbol, u32>;

/// What volumes say.
#[derive(Debug, Default)]
struct Volumes {
    /// The claim of each volume.
    claims: HashMap<Symbol, (Symbol, Symbol)>,
    /// The volumes that name a Secret.
    of_secrets: HashMap<(Symbol, Symbol), Vec<Symbol>>,
}

/// Whether what is read comes or goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Comes,
    Goes,
}

/// Relations in the making.
struct Reader<'s, 'r> {
    strings: &'s Interner,
    is_stored: bool,
    turn: Turn,
    relations: &'r mut Relations,
}

impl<'s, 'r> Reader<'s, 'r> {
    fn of(snapshot: &'s Snapshot, turn: Turn, relations: &'r mut Relations) -> Self {
        let is_stored = snapshot.circumstances().provenance == Provenance::Live;
        Self { strings: snapshot.strings(), is_stored, turn, relations }
    }

    fn read(&mut self, object: ObjectView<'s>) {
        let thing = match (object.kind(), object.group(), object.kind_name()) {
            (Kind::Pod, ..) => return PodView::of(object).into_iter().for_each(|pod| self.add_pod(pod)),
            (Kind::Other, "storage.k8s.io", "VolumeAttachment") => Thing::Attachment,
            (Kind::Other, "resource.k8s.io", "ResourceSlice") => Thing::Slice,
            (Kind::Other, "certificates.k8s.io", "PodCertificateRequest") => Thing::CertificateRequest,
            _ => return,
        };
        if let Some(node) = object.spec().and_then(|spec| spec.str(field::NODE_NAME)).filter(|node| !node.is_empty()) {
            self.add(thing, object.namespace().unwrap_or(""), object.name(), node);
        }
    }

    fn symbol(&self, text: &str) -> Symbol {
        symbol(self.strings, text)
    }

    fn add(&mut self, thing: Thing, namespace: &str, name: &str, node: &str) {
        if !name.is_empty() {
            let (namespace, name, node) = (self.symbol(namespace), self.symbol(name), self.symbol(node));
            mention(self.relations.nodes.slot((thing, namespace, name), Homes::default), node, self.turn);
        }
    }

    fn add_pod(&mut self, pod: PodView<'s>) {
        let spec = pod.spec();
        let Some(node) = spec.str(field::NODE_NAME).filter(|node| !node.is_empty()) else { return };
        let namespace = pod.namespace();
        self.add(Thing::Pod, namespace, pod.object().name(), node);
        // The kubelet makes mirror pods itself: they give it nothing.
        if pod.is_mirror() {
            return;
        }
        // What admission would have filled in stands in stored pods, or was not wanted.
        let account = if self.is_stored { spec.str(field::SERVICE_ACCOUNT_NAME).unwrap_or("") } else { pod.service_account() };
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
            mention(self.relations.made.slot((namespace, name), Homes::default), node, self.turn);
        }
    }
}

impl Volumes {
    fn read(snapshot: &Snapshot) -> Self {
        let mut volumes = Self::default();
        for volume in snapshot.of_kind(Kind::PersistentVolume) {
            volumes.add(volume, snapshot.strings());
        }
        volumes
    }

    fn add(&mut self, volume: ObjectView<'_>, strings: &Interner) {
        let Some(spec) = volume.spec() else { return };
        let Some(claim) = spec.entry("claimRef") else { return };
        let (home, name) = (claim.str(field::NAMESPACE).unwrap_or(""), claim.str(field::NAME).unwrap_or(""));
        let claimed = (symbol(strings, home), symbol(strings, name));
        let named = symbol(strings, volume.name());
        self.claims.insert(named, claimed);
        let mut name_secret = |namespace: &str, secret: Option<&str>| {
            if let Some(secret) = secret.filter(|secret| !secret.is_empty()) {
                self.of_secrets.entry((symbol(strings, namespace), symbol(strings, secret))).or_default().push(named);
            }
        };
        if let Some(file) = spec.entry("azureFile") {
            let namespace = file.entry("secretNamespace").and_then(Value::as_str).filter(|namespace| !namespace.is_empty()).unwrap_or(home);
            name_secret(namespace, file.str(field::SECRET_NAME));
            return;
        }
        // Old volumes mean the namespace of their claim.
        for source in ["cephfs", "flexVolume", "rbd", "scaleIO", "iscsi"] {
            let Some(secret) = spec.entry(source).and_then(|source| source.entry("secretRef")) else { continue };
            let namespace = secret.str(field::NAMESPACE).filter(|namespace| !namespace.is_empty()).unwrap_or(home);
            name_secret(namespace, secret.str(field::NAME));
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
            name_secret(secret.str(field::NAMESPACE).unwrap_or(""), secret.str(field::NAME));
        }
    }
}

impl Relations {
    pub(super) fn read(snapshot: &Snapshot) -> Self {
        let mut relations = Self { nodes: Layered::default(), made: Layered::default(), volumes: Arc::new(Volumes::read(snapshot)) };
        let mut reader = Reader::of(snapshot, Turn::Comes, &mut relations);
        for object in [Kind::Pod, Kind::Other].into_iter().flat_map(|kind| snapshot.of_kind(kind)) {
            reader.read(object);
        }
        relations
    }

    /// Takes in what `changes` say, which lead to `after`: what goes takes away what it mentioned, and volumes are read again where
    /// one of them has changed.
    pub(super) fn change(&mut self, after: &Snapshot, changes: &Changes<'_>) {
        for (objects, turn) in [(&changes.removed, Turn::Goes), (&changes.added, Turn::Comes)] {
            let mut reader = Reader::of(after, turn, self);
            for &object in objects {
                reader.read(object);
            }
        }
        if changes.removed.iter().chain(&changes.added).any(|object| object.kind() == Kind::PersistentVolume) {
            self.volumes = Arc::new(Volumes::read(after));
        }
        self.nodes.settle();
        self.made.settle();
    }

    /// Whether the object leads to the node.
    pub(super) fn lead_to(&self, strings: &Interner, node: &str, thing: Thing, namespace: &str, name: &str) -> bool {
        let (Some(node), Some(home)) = (strings.find(node), strings.find(namespace)) else { return false };
        if thing == Thing::Claim && self.made.get(&(home, name.to_owned())).is_some_and(|nodes| nodes.contains_key(&node)) {
            return true;
        }
        let Some(name) = strings.find(name) else { return false };
        let directly = |thing: Thing, namespace: Symbol, name: Symbol| self.nodes.get(&(thing, namespace, name)).is_some_and(|nodes| nodes.contains_key(&node));
        let by_claim = |&(namespace, name): &(Symbol, Symbol)| {
            directly(Thing::Claim, namespace, name) || self.made.get(&(namespace, strings.text(name).to_owned())).is_some_and(|nodes| nodes.contains_key(&node))
        };
        let by_volume = |volume: &Symbol| self.volumes.claims.get(volume).is_some_and(by_claim);
        match thing {
            Thing::Claim => by_claim(&(home, name)),
            Thing::Volume => namespace.is_empty() && by_volume(&name),
            Thing::Secret => directly(thing, home, name) || self.volumes.of_secrets.get(&(home, name)).into_iter().flatten().any(by_volume),
            _ => directly(thing, home, name),
        }
    }
}

/// The claim that was made for the pod's claim `name` from a template.
fn status_claim<'s>(pod: PodView<'s>, name: &str) -> Option<&'s str> {
    let statuses = pod.object().root().get(field::STATUS)?.entry("resourceClaimStatuses")?;
    statuses.items().find(|status| status.str(field::NAME) == Some(name))?.entry("resourceClaimName")?.as_str()
}

/// The symbol of a text of the snapshot; all of them have one.
fn symbol(strings: &Interner, text: &str) -> Symbol {
    strings.find(text).unwrap_or(field::EMPTY)
}

/// One mention more, or one less, leads to a node.
fn mention(homes: &mut Homes, node: Symbol, turn: Turn) {
    match (homes.entry(node), turn) {
        (entry, Turn::Comes) => *entry.or_insert(0) += 1,
        (Entry::Occupied(mut known), Turn::Goes) if *known.get() > 1 => *known.get_mut() -= 1,
        (Entry::Occupied(known), Turn::Goes) => drop(known.remove()),
        (Entry::Vacant(_), Turn::Goes) => {}
    }
}
