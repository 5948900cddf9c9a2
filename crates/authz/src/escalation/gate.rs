//! Gates: facts of the cluster that switch a way off, known to be open, known to be closed, or not known.
//!
//! Features and plugins are at their defaults unless the flags of a server say otherwise; what cannot be seen at all is a
//! doubt, which makes a way possible and never confirms or hides it.

use std::collections::{BTreeMap, BTreeSet};

use bartizan_cluster::{Kind, Missing, Provenance, Snapshot, Value};
use bartizan_report::Language;
use foldhash::HashSet;

use super::primitive::{Gate, Untold};
use crate::Authz;
use crate::chain::{Authorizer, AuthorizerKind};
use crate::feature::STATIC_POLICIES;
use crate::policy::{Origin, SubjectKind};
use crate::server::Server;

/// What stays open about a way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubt {
    /// No enforced level of Pod Security is written on the namespace, and the server's own default cannot be seen.
    PodSecurityDefault(String),
    /// This webhook or policy may refuse the pod.
    Guard(String),
    /// Policies may lie in files of the API server.
    StaticPolicies,
    /// A feature that is off by default, and the flags of the server cannot be seen.
    Feature(&'static str),
    /// The same, of a feature of kubelets.
    KubeletFeature(&'static str),
    /// A flag of the server that cannot be seen.
    Flag(&'static str),
    /// A list that could not be read.
    Unread(Missing),
    /// The input is manifests, and the object may be in the cluster all the same.
    NotInSource(String),
    /// A webhook that decides about access may refuse.
    Webhook(String),
    /// What no source tells.
    Untold(Untold),
}

impl Doubt {
    /// The name in machine formats.
    pub fn name(&self) -> &'static str {
        match self {
            Doubt::PodSecurityDefault(_) => "pod-security-default",
            Doubt::Guard(_) => "admission-guard",
            Doubt::StaticPolicies => "static-policies",
            Doubt::Feature(_) | Doubt::KubeletFeature(_) => "feature",
            Doubt::Flag(_) => "flag",
            Doubt::Unread(_) => "unread",
            Doubt::NotInSource(_) => "not-in-source",
            Doubt::Webhook(_) => "webhook-authorizer",
            Doubt::Untold(_) => "untold",
        }
    }

    /// The question that stays open, in `language`.
    pub fn text(&self, language: Language) -> String {
        let is_english = language == Language::English;
        match self {
            Doubt::PodSecurityDefault(namespace) if is_english => {
                format!("namespace `{namespace}` has no enforced Pod Security level, and the server's default is not in the input")
            }
            Doubt::PodSecurityDefault(namespace) => format!("命名空间 `{namespace}` 未设置强制的 Pod Security 级别，且输入中没有服务器的默认值"),
            Doubt::Guard(name) if is_english => format!("{name} may refuse it"),
            Doubt::Guard(name) => format!("{name} 可能会拒绝"),
            Doubt::StaticPolicies if is_english => "policies may lie in files of the API server, which are not in the input".to_owned(),
            Doubt::StaticPolicies => "API 服务器的文件中可能有策略，而输入中没有这些文件".to_owned(),
            Doubt::Feature(name) if is_english => format!("feature gate `{name}` is off by default, and the server's flags are not in the input"),
            Doubt::Feature(name) => format!("特性门控 `{name}` 默认关闭，且输入中没有服务器的启动参数"),
            Doubt::KubeletFeature(name) if is_english => format!("feature gate `{name}` is off by default, and what kubelets are told is not in the input"),
            Doubt::KubeletFeature(name) => format!("特性门控 `{name}` 默认关闭，且输入中没有 kubelet 的配置"),
            Doubt::Flag(name) if is_english => format!("whether the API server runs with `--{name}` is not in the input"),
            Doubt::Flag(name) => format!("输入中没有 API 服务器是否使用 `--{name}` 的信息"),
            Doubt::Unread(missing) if is_english => format!("not read: {missing}"),
            Doubt::Unread(missing) => format!("未读取：{missing}"),
            Doubt::NotInSource(what) if is_english => format!("{what} is not in the input, and may be in the cluster"),
            Doubt::NotInSource(what) => format!("{what} 不在输入中，但集群中可能存在"),
            Doubt::Webhook(name) if is_english => format!("the webhook authorizer `{name}` may refuse it"),
            Doubt::Webhook(name) => format!("Webhook 授权器 `{name}` 可能会拒绝"),
            Doubt::Untold(untold) => untold.title().text(language).to_owned(),
        }
    }
}

/// Whether a gate lets a way through.
#[derive(Debug)]
pub(super) enum Passage {
    Open,
    Closed,
    Doubtful(Vec<Doubt>),
}

/// The objects of which a gate leaves some: `None` stands for all, and names are `namespace/name` where the way is open in
/// the whole cluster.
pub(super) type Names = Option<Vec<String>>;

/// The kinds that gates look at.
pub(super) const READS: &[Kind] = &[
    Kind::Namespace,
    Kind::Pod,
    Kind::ServiceAccount,
    Kind::ConfigMap,
    Kind::Node,
    Kind::CustomResourceDefinition,
    Kind::ValidatingWebhookConfiguration,
    Kind::MutatingWebhookConfiguration,
    Kind::ValidatingAdmissionPolicy,
    Kind::ValidatingAdmissionPolicyBinding,
];

/// The facts that gates look at, each found once.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    authz: &'a Authz<'a>,
    server: &'a Server,
    is_from_files: bool,
    /// The enforced level of Pod Security that is written on each namespace.
    levels: BTreeMap<&'a str, Option<&'a str>>,
    /// What stands before pods.
    guards: Vec<Doubt>,
    /// ServiceAccounts that bindings name and that are not there, by namespace.
    dangling: BTreeMap<String, Vec<String>>,
    /// Each ConfigMap that a policy takes as its parameters.
    parameters: BTreeSet<(String, String)>,
    /// Custom resources: `plural.group`.
    served: HashSet<&'a str>,
    /// Whether the authorizers ask a webhook, and which come before RBAC.
    webhooks: Vec<Doubt>,
    asks_webhook: bool,
}

impl<'a> Facts<'a> {
    pub(super) fn of(authz: &'a Authz<'a>) -> Self {
        let snapshot = authz.snapshot();
        let server = &authz.server;
        let level = |namespace: bartizan_cluster::ObjectView<'a>| namespace.label("pod-security.kubernetes.io/enforce");
        let before_rbac = authz.chain().authorizers().iter().take_while(|authorizer| authorizer.kind != AuthorizerKind::Rbac);
        let is_webhook = |authorizer: &&Authorizer| authorizer.kind == AuthorizerKind::Webhook;
        Self {
            is_from_files: snapshot.circumstances().provenance == Provenance::Files,
            levels: snapshot.of_kind(Kind::Namespace).map(|namespace| (namespace.name(), level(namespace))).collect(),
            guards: guards(snapshot, server),
            dangling: dangling(authz),
            parameters: parameters(snapshot),
            served: snapshot.of_kind(Kind::CustomResourceDefinition).map(bartizan_cluster::ObjectView::name).collect(),
            webhooks: before_rbac.filter(is_webhook).map(|webhook| Doubt::Webhook(webhook.name.clone())).collect(),
            asks_webhook: authz.chain().authorizers().iter().any(|authorizer| is_webhook(&authorizer)),
            authz,
            server,
        }
    }

    /// What may refuse every request, whatever is granted.
    pub(super) fn webhooks(&self) -> &[Doubt] {
        &self.webhooks
    }

    /// Whether `gate` lets a way through in `namespace` (in the whole cluster, if that is `None`), and for which `names`.
    pub(super) fn pass(&self, gate: Gate, namespace: Option<&str>, names: &mut Names) -> Passage {
        match gate {
            Gate::PodSecurity => self.pod_security(namespace),
            Gate::PodAdmission => doubtful(self.guards.clone()),
            Gate::Feature(feature) => match self.server.features.known(feature) {
                Some(is_on) => closed_unless(is_on),
                None => Passage::Doubtful(vec![Doubt::Feature(feature.name)]),
            },
            Gate::KubeletFeature(feature) => match self.authz.kubelets.known(feature) {
                Some(is_on) => closed_unless(is_on),
                None => Passage::Doubtful(vec![Doubt::KubeletFeature(feature.name)]),
            },
            // Off by default, and nobody can be seen to have switched it on: then it is off.
            Gate::WithoutFeature(feature) => closed_unless(!self.server.features.is_on(feature)),
            Gate::Without(plugin) => closed_unless(!self.server.runs_default_plugin(plugin)),
            Gate::Flag(flag) if !self.server.is_seen => Passage::Doubtful(vec![Doubt::Flag(flag)]),
            Gate::Flag(flag) => closed_unless(self.server.is_on(flag)),
            Gate::Exists(kind, home) => self.exists(kind, home, names),
            Gate::DanglingAccount => self.keep_dangling(namespace, names),
            Gate::Bound => self.keep_bound(namespace, names),
            Gate::Served(group, plural) => self.served(group, plural),
            Gate::Parameter => self.keep_parameters(namespace, names),
            Gate::WebhookAuthorizer => closed_unless(self.asks_webhook),
            Gate::Untold(untold) => Passage::Doubtful(vec![Doubt::Untold(untold)]),
        }
    }

    fn unread(&self, kind: Kind, namespace: Option<&str>) -> Option<Doubt> {
        self.authz.snapshot().gap(kind, namespace).map(Doubt::Unread)
    }

    fn pod_security(&self, namespace: Option<&str>) -> Passage {
        if !self.server.runs_default_plugin("PodSecurity") {
            return Passage::Open;
        }
        if let Some(namespace) = namespace {
            return self.level(namespace);
        }
        // Whoever may do it everywhere does it where it is allowed.
        let mut doubts = Vec::new();
        for namespace in self.levels.keys() {
            match self.level(namespace) {
                Passage::Open => return Passage::Open,
                Passage::Closed => {}
                Passage::Doubtful(more) => doubts.extend(more),
            }
        }
        doubts.truncate(1);
        doubts.extend(self.unread(Kind::Namespace, None));
        if doubts.is_empty() && self.is_from_files {
            doubts.push(Doubt::NotInSource("Namespace `kube-system`".to_owned()));
        }
        doubtful_or_closed(doubts)
    }

    fn level(&self, namespace: &str) -> Passage {
        match self.levels.get(namespace) {
            Some(Some("privileged")) => Passage::Open,
            Some(Some("baseline" | "restricted")) => Passage::Closed,
            // Without a file that says otherwise, the server takes every pod.
            _ if self.server.is_seen && !self.server.has("admission-control-config-file") => match self.levels.get(namespace) {
                Some(_) => Passage::Open,
                None => doubtful(self.unread(Kind::Namespace, Some(namespace)).into_iter().collect()),
            },
            _ => Passage::Doubtful(vec![self.unread(Kind::Namespace, Some(namespace)).unwrap_or(Doubt::PodSecurityDefault(namespace.to_owned()))]),
        }
    }

    fn exists(&self, kind: Kind, home: &str, names: &mut Names) -> Passage {
        let Some(wanted) = names.take() else { return Passage::Open };
        let snapshot = self.authz.snapshot();
        let (there, absent): (Vec<String>, Vec<String>) = wanted.into_iter().partition(|name| snapshot.find(kind, Some(home), name).is_some());
        if !there.is_empty() {
            *names = Some(there);
            return Passage::Open;
        }
        let doubt = self.unread(kind, Some(home)).or_else(|| {
            let what = format!("{} `{home}/{}`", kind.name(), absent.join("`, `"));
            self.is_from_files.then_some(Doubt::NotInSource(what))
        });
        *names = Some(absent);
        doubtful_or_closed(doubt.into_iter().collect())
    }

    fn keep_dangling(&self, namespace: Option<&str>, names: &mut Names) -> Passage {
        let whole = |(home, names): (&String, &Vec<String>)| names.iter().map(|name| format!("{home}/{name}")).collect::<Vec<_>>();
        let mut found: Vec<String> = match namespace {
            Some(namespace) => self.dangling.get(namespace).cloned().unwrap_or_default(),
            None => self.dangling.iter().flat_map(whole).collect(),
        };
        if let Some(wanted) = names {
            found.retain(|found| wanted.iter().any(|name| name == found.rsplit_once('/').map_or(found.as_str(), |(_, name)| name)));
        }
        if found.is_empty() {
            return Passage::Closed;
        }
        let mut doubts: Vec<Doubt> = self.unread(Kind::ServiceAccount, namespace).into_iter().collect();
        if self.is_from_files {
            doubts.push(Doubt::NotInSource(format!("ServiceAccount `{}`", found.join("`, `"))));
        }
        *names = Some(found);
        doubtful(doubts)
    }

    fn keep_bound(&self, namespace: Option<&str>, names: &mut Names) -> Passage {
        let bound = |name: &str| match namespace {
            Some(namespace) => self.authz.bindings_in(namespace).any(|binding| binding.role_name() == name),
            None => self.authz.bindings().any(|binding| binding.role_name() == name),
        };
        // Whoever may bind every role takes the strongest that is bound; there is one wherever somebody was given this.
        if let Some(wanted) = names {
            wanted.retain(|name| bound(name));
            return closed_unless(!wanted.is_empty());
        }
        Passage::Open
    }

    fn keep_parameters(&self, namespace: Option<&str>, names: &mut Names) -> Passage {
        let is_wanted = |name: &str| names.as_ref().is_none_or(|names| names.iter().any(|one| one == name));
        let is_here = |home: &str| namespace.is_none_or(|namespace| namespace == home);
        let mut found: Vec<String> = self
            .parameters
            .iter()
            .filter(|(home, name)| is_here(home) && is_wanted(name))
            .map(|(home, name)| if namespace.is_some() { name.clone() } else { format!("{home}/{name}") })
            .collect();
        found.sort_unstable();
        let is_open = !found.is_empty();
        *names = Some(found);
        closed_unless(is_open)
    }

    fn served(&self, group: &str, plural: &str) -> Passage {
        let name = format!("{plural}.{group}");
        if self.served.contains(name.as_str()) {
            return Passage::Open;
        }
        let files = || self.is_from_files.then(|| Doubt::NotInSource(format!("CustomResourceDefinition `{name}`")));
        doubtful_or_closed(self.unread(Kind::CustomResourceDefinition, None).or_else(files).into_iter().collect())
    }
}

fn closed_unless(is_open: bool) -> Passage {
    if is_open { Passage::Open } else { Passage::Closed }
}

fn doubtful(doubts: Vec<Doubt>) -> Passage {
    if doubts.is_empty() { Passage::Open } else { Passage::Doubtful(doubts) }
}

fn doubtful_or_closed(doubts: Vec<Doubt>) -> Passage {
    if doubts.is_empty() { Passage::Closed } else { Passage::Doubtful(doubts) }
}

fn texts<'a>(value: Value<'a>, key: &str) -> Vec<&'a str> {
    value.entry(key).into_iter().flat_map(Value::items).filter_map(Value::as_str).collect()
}

/// Whether a rule of admission (of a webhook or a policy) is about making pods.
fn is_about_pods(rule: Value<'_>) -> bool {
    let has = |key: &str, words: &[&str]| texts(rule, key).iter().any(|text| words.contains(text));
    has("apiGroups", &["", "*"]) && has("resources", &["*", "pods", "*/*"]) && has("operations", &["*", "CREATE"])
}

/// What may refuse a pod besides Pod Security.
fn guards(snapshot: &Snapshot, server: &Server) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    for kind in [Kind::ValidatingWebhookConfiguration, Kind::MutatingWebhookConfiguration] {
        for configuration in snapshot.of_kind(kind) {
            let webhooks = configuration.root().entry("webhooks").into_iter().flat_map(Value::items);
            if webhooks.flat_map(|webhook| webhook.entry("rules").into_iter().flat_map(Value::items)).any(is_about_pods) {
                doubts.push(Doubt::Guard(format!("{} `{}`", kind.name(), configuration.name())));
            }
        }
        doubts.extend(snapshot.gap(kind, None).map(Doubt::Unread));
    }
    for binding in snapshot.of_kind(Kind::ValidatingAdmissionPolicyBinding) {
        let spec = binding.spec();
        let is_denying = spec.is_some_and(|spec| texts(spec, "validationActions").contains(&"Deny"));
        let policy = spec.and_then(|spec| spec.entry("policyName")?.as_str()).and_then(|name| snapshot.find(Kind::ValidatingAdmissionPolicy, None, name));
        let constraints = policy.and_then(|policy| policy.spec()?.entry("matchConstraints")?.entry("resourceRules"));
        if is_denying && constraints.is_some_and(|rules| rules.items().any(is_about_pods)) {
            doubts.push(Doubt::Guard(format!("ValidatingAdmissionPolicyBinding `{}`", binding.name())));
        }
    }
    doubts.extend(snapshot.gap(Kind::ValidatingAdmissionPolicyBinding, None).map(Doubt::Unread));
    // Since 1.37 policies and webhooks can lie in files of the API server, which no API shows.
    let can_be_static = server.features.is_on(STATIC_POLICIES);
    if can_be_static && (!server.is_seen || server.has("admission-control-config-file")) {
        doubts.push(Doubt::StaticPolicies);
    }
    doubts
}

/// The ServiceAccounts that bindings name and that are not there, by namespace.
fn dangling(authz: &Authz<'_>) -> BTreeMap<String, Vec<String>> {
    let snapshot = authz.snapshot();
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for binding in authz.bindings().filter(|binding| binding.role().is_some() && matches!(binding.origin(), Some(Origin::Object(_)))) {
        for subject in binding.subjects() {
            let Some(principal) = subject.principal().filter(|_| matches!(subject.kind(), SubjectKind::ServiceAccount | SubjectKind::User)) else { continue };
            // Every namespace has a `default`.
            let Some((namespace, name)) = principal.service_account().filter(|&(_, name)| name != "default") else { continue };
            if snapshot.find(Kind::ServiceAccount, Some(namespace), name).is_none() {
                found.entry(namespace.to_owned()).or_default().push(name.to_owned());
            }
        }
    }
    for names in found.values_mut() {
        names.sort_unstable();
        names.dedup();
    }
    found
}

/// Each ConfigMap that a binding of an admission policy names as its parameters.
fn parameters(snapshot: &Snapshot) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for binding in snapshot.of_kind(Kind::ValidatingAdmissionPolicyBinding) {
        let Some(spec) = binding.spec() else { continue };
        let policy = spec.entry("policyName").and_then(Value::as_str).and_then(|name| snapshot.find(Kind::ValidatingAdmissionPolicy, None, name));
        let kind = policy.and_then(|policy| policy.spec()?.entry("paramKind"));
        let is_config_map = kind.is_some_and(|kind| {
            kind.entry("kind").and_then(Value::as_str) == Some("ConfigMap") && kind.entry("apiVersion").and_then(Value::as_str) == Some("v1")
        });
        let text = |name: &str| spec.entry("paramRef").and_then(|reference| reference.entry(name)).and_then(Value::as_str);
        if let (true, Some(name), Some(namespace)) = (is_config_map, text("name"), text("namespace")) {
            found.insert((namespace.to_owned(), name.to_owned()));
        }
    }
    found
}
