//! Grants that nobody here made: those of the API server's default policy, and those that installers and clouds bring along.
//!
//! A default grant is recognised by what it says, word for word, never by its label: anybody can write a label.

use bartizan_cluster::KubernetesVersion;
use bartizan_cluster::access::{AUTHENTICATED, SERVICE_ACCOUNTS};
use foldhash::{HashMap, HashMapExt as _, HashSet};
use serde_json::Value;

use crate::Authz;
use crate::decision::GrantView;
use crate::default_policy::{self, Gates};
use crate::policy::{BindingView, RuleView, SubjectView};

/// Where the rights come from that open a way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Provision {
    /// Somebody here granted at least one of them.
    Own,
    /// An installer or a cloud granted them: its name.
    Vendor(&'static str),
    /// The API server itself granted all of them.
    Default,
}

impl Provision {
    /// The name in machine formats.
    pub fn name(self) -> &'static str {
        match self {
            Provision::Own => "own",
            Provision::Vendor(vendor) => vendor,
            Provision::Default => "default",
        }
    }
}

/// Bindings that an installer or a cloud makes, with the role and the subject; `*` stands for any ending.
const VENDORS: &[(&str, &str, &str, &str)] = &[
    ("kubeadm", "kubeadm:cluster-admins", "cluster-admin", "kubeadm:cluster-admins"),
    ("kubeadm", "kubeadm:kubelet-bootstrap", "system:node-bootstrapper", "system:bootstrappers:kubeadm:default-node-token"),
    (
        "kubeadm",
        "kubeadm:node-autoapprove-bootstrap",
        "system:certificates.k8s.io:certificatesigningrequests:nodeclient",
        "system:bootstrappers:kubeadm:default-node-token",
    ),
    ("kubeadm", "kubeadm:node-autoapprove-certificate-rotation", "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient", "system:nodes"),
    ("kubeadm", "kubeadm:get-nodes", "kubeadm:get-nodes", "system:bootstrappers:kubeadm:default-node-token"),
    ("kubeadm", "kubeadm:node-proxier", "system:node-proxier", "kube-proxy"),
    ("coredns", "system:coredns", "system:coredns", "coredns"),
    // The clouds let nobody log in by these names.
    ("eks", "eks:*", "*", "eks:*"),
    ("gke", "system:gke-*", "*", "system:gke-*"),
    ("gke", "system:gcp-*", "*", "system:gcp-*"),
    ("aks", "aks-*", "*", "aks-support"),
    ("aks", "aks-cluster-admin-binding", "cluster-admin", "clusterAdmin"),
];

/// The default policy of a version, by what it says.
#[derive(Debug)]
pub(crate) struct Familiar {
    /// By kind, namespace and name: the kind and name of the role, and the subjects.
    bindings: HashMap<(bool, String, String), (String, String, HashSet<(String, String)>)>,
    /// By kind, namespace and name: the rules.
    roles: HashMap<(bool, String, String), Vec<Value>>,
}

impl Familiar {
    pub(crate) fn new(version: KubernetesVersion) -> Self {
        let mut familiar = Self { bindings: HashMap::new(), roles: HashMap::new() };
        for object in default_policy::objects(version, Gates::All) {
            let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or("").to_owned();
            let kind = text("/kind");
            let key = (kind.starts_with("Cluster"), text("/metadata/namespace"), text("/metadata/name"));
            let list = |name: &str| object.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
            if kind.ends_with("Binding") {
                let subjects = list("subjects").iter().map(|subject| (field(subject, "kind"), field(subject, "name"))).collect();
                familiar.bindings.insert(key, (text("/roleRef/kind"), text("/roleRef/name"), subjects));
            } else {
                familiar.roles.insert(key, list("rules"));
            }
        }
        familiar
    }

    /// Who made `grant`.
    pub(crate) fn provision(&self, grant: &GrantView<'_>) -> Provision {
        if self.is_default_binding(grant.binding, grant.subject) && self.is_default_rule(grant.rule) {
            return Provision::Default;
        }
        let is = |pattern: &str, text: &str| pattern.strip_suffix('*').map_or(pattern == text, |start| text.starts_with(start));
        let binding = grant.binding;
        VENDORS
            .iter()
            .find(|(_, name, role, subject)| is(name, binding.name()) && is(role, binding.role_name()) && is(subject, grant.subject.name()))
            .map_or(Provision::Own, |(vendor, ..)| Provision::Vendor(vendor))
    }

    fn is_default_binding(&self, binding: BindingView<'_>, subject: SubjectView<'_>) -> bool {
        let key = (binding.is_cluster(), binding.namespace().unwrap_or("").to_owned(), binding.name().to_owned());
        self.bindings.get(&key).is_some_and(|(kind, name, subjects)| {
            kind == binding.role_kind()
                && name == binding.role_name()
                && subjects.contains(&(subject.kind_name().to_owned(), subject.name().to_owned()))
                && (subject.kind_name() != "ServiceAccount" || subject.namespace() == Some("kube-system"))
        })
    }

    /// Whether the server itself lets everybody who logged in, or every ServiceAccount, hold the role of `binding`.
    fn is_role_for_everybody(&self, binding: BindingView<'_>) -> bool {
        let group = |name: &str| ("Group".to_owned(), name.to_owned());
        let groups = [group(AUTHENTICATED), group(SERVICE_ACCOUNTS)];
        self.bindings
            .values()
            .any(|(kind, name, subjects)| kind == binding.role_kind() && name == binding.role_name() && groups.iter().any(|group| subjects.contains(group)))
    }

    fn is_default_rule(&self, rule: RuleView<'_>) -> bool {
        let role = rule.role();
        let key = (role.is_cluster(), role.namespace().unwrap_or("").to_owned(), role.name().to_owned());
        self.roles.get(&key).is_some_and(|rules| rules.iter().any(|default| is_same(default, rule)))
    }
}

impl Authz<'_> {
    /// What is known of grants that nobody here made.
    pub(crate) fn familiar(&self) -> &Familiar {
        self.familiar.get_or_init(|| Familiar::new(self.version()))
    }

    /// Who made `grant`.
    pub fn provision(&self, grant: &GrantView<'_>) -> Provision {
        self.familiar().provision(grant)
    }

    /// Whether this entry gives a ServiceAccount no more than what the API server gives all of them.
    pub fn is_for_everybody(&self, subject: SubjectView<'_>) -> bool {
        let familiar = self.familiar();
        familiar.is_role_for_everybody(subject.binding()) || familiar.is_default_binding(subject.binding(), subject)
    }
}

fn field(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or("").to_owned()
}

/// Whether `rule` says what `default` says, in whatever order.
fn is_same(default: &Value, rule: RuleView<'_>) -> bool {
    let said = rule.to_json();
    ["apiGroups", "resources", "resourceNames", "nonResourceURLs", "verbs"].into_iter().all(|key| sorted(default, key) == sorted(&said, key))
}

fn sorted<'v>(rule: &'v Value, key: &str) -> Vec<&'v str> {
    let mut words: Vec<&str> = rule.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    words.sort_unstable();
    words
}
