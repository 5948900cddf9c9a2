//! Owners: which pods are one workload, so that a report names the Deployment and not its forty pods.

use std::hash::{BuildHasher, Hasher};

use foldhash::{HashMap, HashMapExt as _};
use rayon::prelude::*;

use crate::field;
use crate::kind::{Kind, group_of};
use crate::object::{ObjectId, ObjectRef, ObjectView};
use crate::pod::PodView;
use crate::snapshot::Snapshot;
use crate::tree::{Shape, Value};

/// Longer chains of owners are not followed; Kubernetes itself makes chains of three.
const CHAIN_MAX: usize = 8;

/// The highest controller of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// What it is called.
    pub reference: ObjectRef,
    /// The object, if it was read.
    pub id: Option<ObjectId>,
    /// Whether a link of the chain is named but could not be read, so that a higher owner may exist.
    pub broken_chain: bool,
}

/// A pod, or template, that differs from the others of its workload in what can be judged.
#[derive(Debug, Clone, Copy)]
pub struct Variant<'a> {
    /// One of the equal pods.
    pub pod: PodView<'a>,
    /// How many pods are equal to it; 0 for a template.
    pub pods: u32,
}

/// Everything that one owner runs.
#[derive(Debug, Clone)]
pub struct Workload<'a> {
    /// The owner.
    pub owner: Owner,
    /// How many pods it asks for or has.
    pub replicas: Option<u32>,
    /// The distinct pods, the owner's own templates first.
    pub variants: Vec<Variant<'a>>,
}

impl Snapshot {
    /// The highest controller of `object` that exists or is named; the object itself if nothing controls it.
    pub fn owner_of(&self, object: ObjectView<'_>) -> Owner {
        self.highest(object).into()
    }

    /// The kinds of the controllers of `object` on the way up, whether they were read or are only named: a change of an object of
    /// another kind does not change who owns it.
    pub fn kinds_above<'a>(&'a self, object: ObjectView<'a>) -> Vec<&'a str> {
        let mut kinds = Vec::new();
        self.climb(object, |kind| kinds.push(kind));
        kinds
    }

    fn highest<'a>(&'a self, object: ObjectView<'a>) -> Highest<'a> {
        self.climb(object, |_| {})
    }

    fn climb<'a>(&'a self, object: ObjectView<'a>, mut pass: impl FnMut(&'a str)) -> Highest<'a> {
        let mut here = object;
        if object.annotation("kubernetes.io/config.mirror").is_some() {
            return here.into();
        }
        for _ in 0..CHAIN_MAX {
            let Some(controller) = controller_of(here) else { break };
            pass(controller.kind);
            let kind = Kind::of(group_of(controller.api_version), controller.kind);
            let namespace = if kind.namespaced() == Some(false) { None } else { here.namespace() };
            match self.controller(kind, &controller, namespace) {
                Some(next) if next.id() == here.id() => break,
                Some(next) => here = next,
                None => {
                    // A kind that was not asked for may have owners of its own, as a ReplicaSet has.
                    let broken_chain = kind == Kind::Other || self.gap(kind, namespace).is_some();
                    let name = Name { namespace, kind: controller.kind, name: controller.name, api_version: controller.api_version };
                    return Highest { name, id: None, broken_chain };
                }
            }
        }
        here.into()
    }

    fn controller(&self, kind: Kind, named: &Controller<'_>, namespace: Option<&str>) -> Option<ObjectView<'_>> {
        let found = match kind {
            Kind::Other => self.find_other(group_of(named.api_version), named.kind, namespace, named.name),
            kind => self.find(kind, namespace, named.name),
        }?;
        // The same name may have been given to a new object since.
        let same = found.uid().zip(named.uid).is_none_or(|(uid, named)| uid == named);
        same.then_some(found)
    }

    /// Every workload, sorted by namespace, kind and name of its owner.
    pub fn workloads(&self) -> Vec<Workload<'_>> {
        // What takes time is done for each object alone; what is found is put together in the order of the objects.
        let found: Vec<(Highest<'_>, Vec<(PodView<'_>, u64)>)> = (0..self.numbers())
            .into_par_iter()
            .filter_map(|number| {
                let object = self.view(ObjectId(number))?;
                let pods = PodView::of(object);
                let runs = !pods.is_empty() && !is_old_replica_set(object);
                runs.then(|| (self.highest(object), pods.into_iter().map(|pod| (pod, judged_fingerprint(pod))).collect()))
            })
            .collect();
        let mut known: HashMap<Name<'_>, usize> = HashMap::new();
        let mut collectors: Vec<(Name<'_>, Collector<'_>)> = Vec::new();
        for (owner, pods) in found {
            let at = *known.entry(owner.name).or_insert_with(|| {
                collectors.push((owner.name, Collector { owner: owner.into(), variants: Vec::new(), known: HashMap::new(), pods: 0 }));
                collectors.len() - 1
            });
            if let Some((_, collector)) = collectors.get_mut(at) {
                for (pod, print) in pods {
                    collector.add(pod, print);
                }
            }
        }
        collectors.sort_unstable_by_key(|&(name, _)| name);
        collectors.into_par_iter().map(|(_, collector)| collector.finish(self)).collect()
    }
}

/// The parts of a reference, in the order in which workloads stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Name<'a> {
    namespace: Option<&'a str>,
    kind: &'a str,
    name: &'a str,
    api_version: &'a str,
}

/// An [`Owner`] that borrows what it is called.
#[derive(Debug, Clone, Copy)]
struct Highest<'a> {
    name: Name<'a>,
    id: Option<ObjectId>,
    broken_chain: bool,
}

impl<'a> From<ObjectView<'a>> for Highest<'a> {
    fn from(object: ObjectView<'a>) -> Self {
        let name = Name { namespace: object.namespace(), kind: object.kind_name(), name: object.name(), api_version: object.api_version() };
        Self { name, id: Some(object.id()), broken_chain: false }
    }
}

impl From<Highest<'_>> for Owner {
    fn from(highest: Highest<'_>) -> Self {
        let Highest { name, id, broken_chain } = highest;
        let reference = ObjectRef {
            api_version: name.api_version.to_owned(),
            kind: name.kind.to_owned(),
            namespace: name.namespace.map(str::to_owned),
            name: name.name.to_owned(),
        };
        Self { reference, id, broken_chain }
    }
}

struct Collector<'a> {
    owner: Owner,
    /// Whether it is the owner's own template, and the variant.
    variants: Vec<(bool, Variant<'a>)>,
    /// The position of each variant, by its fingerprint.
    known: HashMap<u64, usize>,
    pods: u32,
}

impl<'a> Collector<'a> {
    fn add(&mut self, pod: PodView<'a>, print: u64) {
        let is_pod = u32::from(pod.object().kind() == Kind::Pod);
        let own = self.owner.id == Some(pod.object().id());
        self.pods += is_pod;
        if let Some((known_own, variant)) = self.known.get(&print).and_then(|&at| self.variants.get_mut(at)) {
            variant.pods += is_pod;
            if own && !*known_own {
                // The template is the better place to point at.
                variant.pod = pod;
                *known_own = true;
            }
        } else {
            self.known.insert(print, self.variants.len());
            self.variants.push((own, Variant { pod, pods: is_pod }));
        }
    }

    fn finish(mut self, snapshot: &Snapshot) -> Workload<'a> {
        self.variants.sort_by_key(|(own, _)| !own);
        let wanted = self.owner.id.and_then(|id| snapshot.view(id)).and_then(|owner| {
            let replicates = matches!(owner.kind(), Kind::Deployment | Kind::StatefulSet | Kind::ReplicaSet | Kind::ReplicationController);
            replicates.then(|| owner.spec().and_then(|spec| spec.int(field::REPLICAS)).unwrap_or(1)).and_then(|count| u32::try_from(count).ok())
        });
        let counted = (self.pods > 0).then_some(self.pods);
        Workload { owner: self.owner, replicas: wanted.or(counted), variants: self.variants.into_iter().map(|(_, variant)| variant).collect() }
    }
}

/// A `ReplicaSet` that a Deployment has scaled down to nothing: a template of the past.
fn is_old_replica_set(object: ObjectView<'_>) -> bool {
    object.kind() == Kind::ReplicaSet && controller_of(object).is_some() && object.spec().and_then(|spec| spec.int(field::REPLICAS)) == Some(0)
}

struct Controller<'a> {
    api_version: &'a str,
    kind: &'a str,
    name: &'a str,
    uid: Option<&'a str>,
}

fn controller_of(object: ObjectView<'_>) -> Option<Controller<'_>> {
    let references = object.metadata()?.list(field::OWNER_REFERENCES);
    references.into_iter().find(|reference| reference.bool(field::CONTROLLER) == Some(true)).and_then(|reference| {
        Some(Controller {
            api_version: reference.str(field::API_VERSION)?,
            kind: reference.str(field::KIND)?,
            name: reference.str(field::NAME)?,
            uid: reference.str(field::UID),
        })
    })
}

/// Where the token of the ServiceAccount is mounted by admission.
const TOKEN_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// A number that is equal for pods and templates which no check can tell apart: what scheduling, admission of the token and
/// the controllers themselves put into each pod is left out.
fn judged_fingerprint(pod: PodView<'_>) -> u64 {
    let mut state = foldhash::fast::FixedState::with_seed(0).build_hasher();
    if let Some(annotations) = pod.annotations() {
        for (key, value) in annotations.entries().filter(|(key, _)| key.contains("apparmor.security") || key.contains("seccomp.security")) {
            state.write(key.as_bytes());
            hash_value(value, &mut state);
        }
    }
    for (key, value) in pod.spec().entries() {
        let placed_per_pod = matches!(
            key,
            "nodeName"
                | "priority"
                | "preemptionPolicy"
                | "tolerations"
                | "imagePullSecrets"
                | "serviceAccount"
                | "hostname"
                | "subdomain"
                | "affinity"
                | "enableServiceLinks"
                | "schedulerName"
                | "terminationGracePeriodSeconds"
                | "dnsPolicy"
        );
        if placed_per_pod || (key == "restartPolicy" && value.as_str() == Some("Always")) || (key == "securityContext" && value.is_empty()) {
            continue;
        }
        if key == "serviceAccountName" {
            if value.as_str() != Some("default") {
                state.write(key.as_bytes());
                hash_value(value, &mut state);
            }
            continue;
        }
        hash_entry(key, value, &mut state);
    }
    state.finish()
}

fn hash_entry(key: &str, value: Value<'_>, state: &mut impl Hasher) {
    let injected = |item: &Value<'_>| match key {
        "volumes" => item.str(field::NAME).is_some_and(|name| name.starts_with("kube-api-access-")),
        "volumeMounts" => item.str(field::MOUNT_PATH) == Some(TOKEN_PATH),
        _ => false,
    };
    // A claim of a StatefulSet carries the number of its pod.
    if key == "claimName" || (matches!(key, "volumes" | "volumeMounts") && value.items().all(|item| injected(&item))) {
        return;
    }
    state.write(key.as_bytes());
    if value.is_list() {
        for item in value.items().filter(|item| !injected(item)) {
            hash_value(item, state);
        }
    } else {
        hash_value(value, state);
    }
}

fn hash_value(value: Value<'_>, state: &mut impl Hasher) {
    match value.shape() {
        Shape::Null => state.write_u8(0),
        Shape::Bool(is_true) => state.write_u8(1 + u8::from(is_true)),
        Shape::Int(number) => state.write_i32(number),
        Shape::Number(text) | Shape::String(text) => {
            state.write_u8(3);
            state.write(text.as_bytes());
        }
        Shape::List => {
            state.write_u8(4);
            for item in value.items() {
                hash_value(item, state);
            }
            state.write_u8(5);
        }
        Shape::Map => {
            state.write_u8(6);
            for (key, child) in value.entries() {
                hash_entry(key, child, state);
            }
            state.write_u8(7);
        }
    }
}
