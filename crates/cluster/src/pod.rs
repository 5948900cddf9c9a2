//! The one way to look at a pod, wherever it sits: a Pod, a controller's template, a `CronJob`, or a kind that nobody has heard
//! of with a pod template inside.
//!
//! Accessors fill in what the API server would fill in, and say so; raw fields stay reachable through [`PodView::spec`].

use crate::field;
use crate::intern::Symbol;
use crate::kind::Kind;
use crate::object::ObjectView;
use crate::spot::Spot;
use crate::tree::Value;

/// Deeper templates of unknown kinds are not looked for.
const TEMPLATE_DEPTH_MAX: usize = 12;

/// A pod, or what a controller would make one from.
#[derive(Clone, Copy)]
pub struct PodView<'a> {
    object: ObjectView<'a>,
    /// The Pod or the template: the value with `metadata` and `spec`.
    whole: Value<'a>,
    spec: Value<'a>,
}

impl std::fmt::Debug for PodView<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "pod of {:?}", self.object)
    }
}

/// Which of the three lists a container stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// `initContainers`, sidecars included.
    Init,
    /// `containers`.
    Regular,
    /// `ephemeralContainers`.
    Ephemeral,
}

impl<'a> PodView<'a> {
    /// The pods that `object` is or makes: one for known kinds, any number for unknown ones, none for the rest.
    pub fn of(object: ObjectView<'a>) -> Vec<PodView<'a>> {
        let root = object.root();
        let template = match object.kind() {
            Kind::Pod => Some(root),
            Kind::CronJob => root.walk(&[field::SPEC, field::JOB_TEMPLATE, field::SPEC, field::TEMPLATE]),
            Kind::PodTemplate => root.get(field::TEMPLATE),
            kind if kind.is_controller() => root.walk(&[field::SPEC, field::TEMPLATE]),
            Kind::Other => {
                let mut found = Vec::new();
                find_templates(root, 0, &mut found);
                return found.into_iter().filter_map(|whole| PodView::new(object, whole)).collect();
            }
            _ => None,
        };
        template.and_then(|whole| PodView::new(object, whole)).into_iter().collect()
    }

    /// The pod that a virtual machine of `KubeVirt` runs in: its labels and where it runs, and no containers.
    pub fn of_machine(object: ObjectView<'a>) -> Option<PodView<'a>> {
        if object.group() != "kubevirt.io" {
            return None;
        }
        let whole = match object.kind_name() {
            "VirtualMachine" => object.root().walk(&[field::SPEC, field::TEMPLATE])?,
            "VirtualMachineInstance" => object.root(),
            _ => return None,
        };
        PodView::new(object, whole)
    }

    fn new(object: ObjectView<'a>, whole: Value<'a>) -> Option<Self> {
        let spec = whole.get(field::SPEC).filter(|spec| spec.is_map())?;
        Some(Self { object, whole, spec })
    }

    /// The object in which the pod stands.
    pub fn object(self) -> ObjectView<'a> {
        self.object
    }

    /// `spec` of the pod.
    pub fn spec(self) -> Value<'a> {
        self.spec
    }

    /// `metadata` of the pod (of the template, where it is one).
    pub fn metadata(self) -> Option<Value<'a>> {
        self.whole.get(field::METADATA)
    }

    /// The labels of the pod.
    pub fn labels(self) -> Option<Value<'a>> {
        self.metadata()?.get(field::LABELS)
    }

    /// The annotations of the pod.
    pub fn annotations(self) -> Option<Value<'a>> {
        self.metadata()?.get(field::ANNOTATIONS)
    }

    /// The value of annotation `key` of the pod.
    pub fn annotation(self, key: &str) -> Option<&'a str> {
        self.annotations()?.entry(key)?.as_str()
    }

    /// The Pod or template as a whole: what holds `metadata` and `spec`.
    pub fn whole(self) -> Value<'a> {
        self.whole
    }

    /// The namespace in which the pod runs.
    pub fn namespace(self) -> &'a str {
        self.object.namespace().unwrap_or("default")
    }

    /// The ServiceAccount: `serviceAccountName`, else the deprecated `serviceAccount`, else `default`.
    pub fn service_account(self) -> &'a str {
        let named = |name| self.spec.str(name).filter(|text| !text.is_empty());
        named(field::SERVICE_ACCOUNT_NAME).or_else(|| named(field::SERVICE_ACCOUNT)).unwrap_or("default")
    }

    /// Whether the pod declares that it runs on Windows (`spec.os.name`).
    pub fn is_windows(self) -> bool {
        self.spec.walk(&[field::OS, field::NAME]).and_then(Value::as_str) == Some("windows")
    }

    /// Every container, in the order in which a person reads them: init, regular, ephemeral.
    pub fn containers(self) -> impl Iterator<Item = ContainerView<'a>> {
        [(field::INIT_CONTAINERS, Role::Init), (field::CONTAINERS, Role::Regular), (field::EPHEMERAL_CONTAINERS, Role::Ephemeral)]
            .into_iter()
            .flat_map(move |(name, role)| self.spec.list(name).map(move |value| ContainerView { pod: self, value, role }))
    }

    /// The volumes.
    pub fn volumes(self) -> impl Iterator<Item = Value<'a>> {
        self.spec.list(field::VOLUMES)
    }

    /// The spot of a field of the pod's spec, there or not.
    pub fn at(self, names: &[Symbol]) -> Spot<'a> {
        self.spec.spot(names)
    }

    /// A pod that the kubelet made from a file on its node.
    pub fn is_mirror(self) -> bool {
        self.object.kind() == Kind::Pod && self.object.annotation("kubernetes.io/config.mirror").is_some()
    }
}

/// One container of a pod.
#[derive(Clone, Copy)]
pub struct ContainerView<'a> {
    pod: PodView<'a>,
    value: Value<'a>,
    role: Role,
}

impl std::fmt::Debug for ContainerView<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "container `{}` of {:?}", self.name(), self.pod.object)
    }
}

impl<'a> ContainerView<'a> {
    /// The pod.
    pub fn pod(self) -> PodView<'a> {
        self.pod
    }

    /// The container as written.
    pub fn value(self) -> Value<'a> {
        self.value
    }

    /// Which list it stands in.
    pub fn role(self) -> Role {
        self.role
    }

    /// A sidecar: an init container that keeps running beside the others.
    pub fn is_sidecar(self) -> bool {
        self.role == Role::Init && self.value.str(field::RESTART_POLICY) == Some("Always")
    }

    /// The name, empty if there is none.
    pub fn name(self) -> &'a str {
        self.value.str(field::NAME).unwrap_or("")
    }

    /// The image, empty if there is none.
    pub fn image(self) -> &'a str {
        self.value.str(field::IMAGE).unwrap_or("")
    }

    /// `securityContext` of the container.
    pub fn security_context(self) -> Option<Value<'a>> {
        self.value.get(field::SECURITY_CONTEXT)
    }

    /// A field of the security context: the container's, else the pod's.
    pub fn security(self, name: Symbol) -> Option<Value<'a>> {
        self.security_context().and_then(|context| context.get(name)).or_else(|| self.pod.spec.get(field::SECURITY_CONTEXT)?.get(name))
    }

    /// The spot of a field of the container, there or not.
    pub fn at(self, names: &[Symbol]) -> Spot<'a> {
        self.value.spot(names)
    }
}

/// Finds `…template.spec.containers[].image` anywhere in an object of an unknown kind.
fn find_templates<'a>(value: Value<'a>, depth: usize, found: &mut Vec<Value<'a>>) {
    if depth > TEMPLATE_DEPTH_MAX {
        return;
    }
    for (key, child) in value.entries() {
        let is_template = key == "template" || key.ends_with("Template");
        let has_images =
            is_template && child.get(field::SPEC).is_some_and(|spec| spec.list(field::CONTAINERS).any(|container| container.str(field::IMAGE).is_some()));
        if has_images {
            found.push(child);
        } else if child.is_map() || child.is_list() {
            find_templates(child, depth + 1, found);
        }
    }
    for item in value.items() {
        find_templates(item, depth + 1, found);
    }
}
