//! What a primitive is: the rights that somebody must hold together, what they become by using them, and what stands in the way.
//!
//! Everything here is data; the rows are in `table`, and who holds them is found in `holders`.

use bartizan_cluster::Kind;
use bartizan_report::{Language, Severity};

use crate::feature::Feature;

/// A text in both languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said {
    /// English.
    pub en: &'static str,
    /// 中文
    pub zh: &'static str,
}

impl Said {
    /// The text in `language`.
    pub fn text(self, language: Language) -> &'static str {
        match language {
            Language::English => self.en,
            Language::Chinese => self.zh,
        }
    }
}

pub(super) const fn said(en: &'static str, zh: &'static str) -> Said {
    Said { en, zh }
}

/// A way from one's own rights to what nobody gave one.
#[derive(Debug)]
pub struct Primitive {
    /// The name, in kebab-case; never reused.
    pub id: &'static str,
    /// What it is.
    pub title: Said,
    /// What to do about it.
    pub remedy: Said,
    /// How grave it is where nothing narrows it.
    pub severity: Severity,
    /// What it is good for.
    pub effect: Effect,
    /// The technique of MITRE ATT&CK that it serves.
    pub technique: &'static str,
    /// Each is enough.
    pub ways: &'static [Way],
}

/// What a primitive is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Effect {
    /// Another identity, more rights, or code in somebody else's place.
    Escalation,
    /// Content that is not one's own.
    Disclosure,
    /// Guards, traffic or workloads of others are bent.
    Interference,
    /// What one has lasts longer, or is handed on; nothing is gained.
    Persistence,
}

impl Effect {
    /// The name in machine formats.
    pub fn name(self) -> &'static str {
        match self {
            Effect::Escalation => "escalation",
            Effect::Disclosure => "disclosure",
            Effect::Interference => "interference",
            Effect::Persistence => "persistence",
        }
    }
}

/// One way to use a primitive: everything it needs, held by one subject, by whatever bindings.
#[derive(Debug, Clone, Copy)]
pub struct Way {
    /// All of these are needed.
    pub needs: &'static [Need],
    /// What is gained.
    pub gain: Gain,
    /// Facts that may switch it off; all must be on.
    pub gates: &'static [Gate],
    /// The minor version with which it began to work.
    pub since: u16,
    /// The last minor version in which it works.
    pub until: u16,
}

impl Way {
    pub(super) const fn to(gain: Gain, needs: &'static [Need]) -> Self {
        Self { needs, gain, gates: &[], since: 0, until: u16::MAX }
    }

    pub(super) const fn gated(self, gates: &'static [Gate]) -> Self {
        Self { gates, ..self }
    }

    pub(super) const fn since(self, since: u16) -> Self {
        Self { since, ..self }
    }

    pub(super) const fn until(self, until: u16) -> Self {
        Self { until, ..self }
    }

    /// Whether names in rules limit what is gained.
    pub fn is_named(&self) -> bool {
        self.needs.iter().any(|need| matches!(need.name, Name::New(0) | Name::Object(0) | Name::Namespace))
    }

    /// Whether it is about namespaces, so that RoleBindings can give it.
    pub fn is_namespaced(&self) -> bool {
        self.needs.iter().any(|need| need.place == Place::Here)
    }
}

/// Something that must be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// One of these verbs. A verb that ends in `:` stands for every verb that begins so; `*` for the word itself.
    pub verbs: &'static [&'static str],
    /// On one of these.
    pub on: &'static [On],
    /// The name that the request carries.
    pub name: Name,
    /// Where bindings are asked.
    pub place: Place,
}

/// What a verb is allowed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum On {
    /// A resource of an API group: `pods`, `pods/exec`. `*` is the word itself; `userextras/` stands for all its subresources.
    Resource(&'static str, &'static str),
    /// Some resource, whichever.
    Anything,
    /// A path that is no resource.
    Path(&'static str),
}

/// The name that a request carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    /// None: only rules without `resourceNames` match.
    None,
    /// A new object's: unknown to the authorizer when the object is posted, known when it is applied (`patch` and `create`).
    /// Needs with the same number speak of the same name; the name of number 0 is what is gained.
    New(u8),
    /// That of an object. Needs with the same number speak of the same object; that of number 0 is what is gained.
    Object(u8),
    /// One of these.
    OneOf(&'static [&'static str]),
    /// That of the namespace in which bindings are asked: the request is about the Namespace itself.
    Namespace,
}

/// Where bindings are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the namespace that the primitive is about; the whole cluster counts there too.
    Here,
    /// In the whole cluster: only ClusterRoleBindings count.
    Cluster,
    /// In this namespace.
    In(&'static str),
}

impl Need {
    /// One of `verbs` on an object, in the namespace that it is about.
    pub(super) const fn may(verbs: &'static [&'static str], on: &'static [On]) -> Self {
        Self { verbs, on, name: Name::Object(0), place: Place::Here }
    }

    /// Making an object.
    pub(super) const fn create(on: &'static [On]) -> Self {
        Self { verbs: &["create"], on, name: Name::New(0), place: Place::Here }
    }

    /// One of `verbs` on something that has no name.
    pub(super) const fn nameless(verbs: &'static [&'static str], on: &'static [On]) -> Self {
        Self { verbs, on, name: Name::None, place: Place::Here }
    }

    /// The same, in the whole cluster.
    pub(super) const fn cluster(self) -> Self {
        Self { place: Place::Cluster, ..self }
    }

    /// The same, in one namespace.
    pub(super) const fn within(self, namespace: &'static str) -> Self {
        Self { place: Place::In(namespace), ..self }
    }

    /// The same, on one of these objects.
    pub(super) const fn called(self, names: &'static [&'static str]) -> Self {
        Self { name: Name::OneOf(names), ..self }
    }

    /// The same, on another object than the one that is gained.
    pub(super) const fn other(self) -> Self {
        self.numbered(1)
    }

    pub(super) const fn numbered(self, number: u8) -> Self {
        let name = match self.name {
            Name::New(_) => Name::New(number),
            Name::Object(_) => Name::Object(number),
            name => name,
        };
        Self { name, ..self }
    }

    /// The same, on the Namespace itself.
    pub(super) const fn on_itself(self) -> Self {
        Self { name: Name::Namespace, ..self }
    }
}

/// What is gained by a way. "Those that are named" are all unless rules limit the names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Gain {
    /// Every right there is: in the cluster, or in the namespace.
    Everything,
    /// The users that are named.
    Users,
    /// The groups that are named.
    Groups,
    /// Any user and group that certificates can name, but `system:masters`.
    CertifiedUsers,
    /// The ServiceAccounts that are named.
    ServiceAccounts,
    /// Every ServiceAccount of the namespace.
    AccountsOfNamespace,
    /// Any rights in the roles that are named, and so for everybody who holds them.
    RulesOfRoles,
    /// The same for ClusterRoles.
    RulesOfClusterRoles,
    /// The rights of the Roles that are named.
    Roles,
    /// The rights of the ClusterRoles that are named.
    ClusterRoles,
    /// The identity of kubelets.
    Kubelets,
    /// The nodes that are named, and what runs there.
    Nodes,
    /// Some node, as root.
    SomeNode,
    /// Code in the pods that are named, and so their ServiceAccounts.
    Pods,
    /// Code in the workloads that are named, and any ServiceAccount of the namespace.
    Workloads,
    /// A place in the network of the pods that are named.
    PodNetwork,
    /// The content of the Secrets that are named.
    Secrets,
    /// The content of each ConfigMap that is named.
    ConfigMaps,
    /// What admission lets in or changes, and so every object written from now on.
    Admission,
    /// The policies that are named no longer guard.
    Guards,
    /// What Pod Security and selectors of namespaces keep out of the namespace.
    Namespaces,
    /// Traffic of others.
    Traffic,
    /// The rights of the cloud that a ServiceAccount stands for.
    CloudIdentity,
    /// The program that acts on the objects that are named.
    Controllers,
    /// Trust in certificates.
    Trust,
    /// Data in volumes.
    Volumes,
    /// What helps to go on.
    Information,
    /// Nothing but that others hold what one holds oneself.
    Delegation,
}

impl Gain {
    /// The name in machine formats.
    pub fn name(self) -> &'static str {
        match self {
            Gain::Everything => "everything",
            Gain::Users => "users",
            Gain::Groups => "groups",
            Gain::CertifiedUsers => "certified-users",
            Gain::ServiceAccounts => "service-accounts",
            Gain::AccountsOfNamespace => "service-accounts-of-namespace",
            Gain::RulesOfRoles => "rules-of-roles",
            Gain::RulesOfClusterRoles => "rules-of-cluster-roles",
            Gain::Roles => "roles",
            Gain::ClusterRoles => "cluster-roles",
            Gain::Kubelets => "kubelets",
            Gain::Nodes => "nodes",
            Gain::SomeNode => "some-node",
            Gain::Pods => "pods",
            Gain::Workloads => "workloads",
            Gain::PodNetwork => "pod-network",
            Gain::Secrets => "secrets",
            Gain::ConfigMaps => "config-maps",
            Gain::Admission => "admission",
            Gain::Guards => "guards",
            Gain::Namespaces => "namespaces",
            Gain::Traffic => "traffic",
            Gain::CloudIdentity => "cloud-identity",
            Gain::Controllers => "controllers",
            Gain::Trust => "trust",
            Gain::Volumes => "volumes",
            Gain::Information => "information",
            Gain::Delegation => "delegation",
        }
    }

    /// What it is for people.
    pub fn title(self) -> Said {
        match self {
            Gain::Everything => said("every right", "所有权限"),
            Gain::Users => said("users", "用户"),
            Gain::Groups => said("groups", "用户组"),
            Gain::CertifiedUsers => said("any user and group but system:masters", "除 system:masters 外的任意用户和用户组"),
            Gain::ServiceAccounts => said("ServiceAccounts", "ServiceAccount"),
            Gain::AccountsOfNamespace => said("every ServiceAccount of the namespace", "该命名空间的所有 ServiceAccount"),
            Gain::RulesOfRoles => said("any rule in Roles", "Role 中的任意规则"),
            Gain::RulesOfClusterRoles => said("any rule in ClusterRoles", "ClusterRole 中的任意规则"),
            Gain::Roles => said("Roles", "Role"),
            Gain::ClusterRoles => said("ClusterRoles", "ClusterRole"),
            Gain::Kubelets => said("kubelets", "kubelet"),
            Gain::Nodes => said("nodes and all that runs there", "节点及其上运行的一切"),
            Gain::SomeNode => said("a node, as root", "以 root 身份控制某个节点"),
            Gain::Pods => said("pods and their ServiceAccounts", "Pod 及其 ServiceAccount"),
            Gain::Workloads => said("workloads and every ServiceAccount of the namespace", "工作负载及该命名空间的所有 ServiceAccount"),
            Gain::PodNetwork => said("the network of pods", "Pod 的网络位置"),
            Gain::Secrets => said("Secrets", "Secret"),
            Gain::ConfigMaps => said("ConfigMaps", "ConfigMap"),
            Gain::Admission => said("every object that is written from now on", "此后写入的所有对象"),
            Gain::Guards => said("policies that guard", "防护策略"),
            Gain::Namespaces => said("the guards of namespaces", "命名空间的防护"),
            Gain::Traffic => said("traffic of others", "他人的流量"),
            Gain::CloudIdentity => said("cloud identities", "云身份"),
            Gain::Controllers => said("the controller's ServiceAccount", "控制器的 ServiceAccount"),
            Gain::Trust => said("trust in certificates", "证书信任"),
            Gain::Volumes => said("data in volumes", "存储卷中的数据"),
            Gain::Information => said("information", "信息"),
            Gain::Delegation => said("no more than what is held already", "不超过已持有的权限"),
        }
    }
}

/// A fact that may switch a way off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Pod Security lets a privileged pod into the namespace.
    PodSecurity,
    /// No webhook or policy stands before pods.
    PodAdmission,
    /// A feature of the server is on.
    Feature(Feature),
    /// A feature of a kubelet is on.
    KubeletFeature(Feature),
    /// A feature of the server is off.
    WithoutFeature(Feature),
    /// An admission plugin that the server runs unless told otherwise is switched off.
    Without(&'static str),
    /// A switch of the API server that is off unless it is given.
    Flag(&'static str),
    /// The objects that are named exist: of this kind, in this namespace.
    Exists(Kind, &'static str),
    /// Bindings name ServiceAccounts that do not exist; those are what is gained.
    DanglingAccount,
    /// Bindings of the roles that are named exist, so that a subject can be added to them.
    Bound,
    /// A custom resource is served: group and plural.
    Served(&'static str, &'static str),
    /// An admission policy takes a ConfigMap that is named as its parameters; that is what is gained.
    Parameter,
    /// A webhook decides about access.
    WebhookAuthorizer,
    /// What no source tells.
    Untold(Untold),
}

/// What no source tells, so that a way stays possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Untold {
    /// Whether the subject holds the key of the cluster's certificate authority.
    AuthorityKey,
    /// What the storage driver does with what it is told.
    Driver,
    /// What the cloud makes of the identity of a ServiceAccount.
    Cloud,
    /// Whether somebody trusts what is written there.
    Reliance,
}

impl Untold {
    /// The question that stays open.
    pub fn title(self) -> Said {
        match self {
            Untold::AuthorityKey => said("whether the subject holds the key of the certificate authority", "主体是否持有证书颁发机构的私钥"),
            Untold::Driver => said("what the storage driver does with it", "存储驱动如何处理它"),
            Untold::Cloud => said("what the cloud lets the identity do", "云平台允许该身份做什么"),
            Untold::Reliance => said("whether somebody relies on it", "是否有人依赖它"),
        }
    }
}
