//! What kubeadm's configuration says of the command lines of components: `extraArgs`, as a map (`v1beta3`) and as a list
//! (`v1beta4`), over the flags that kubeadm gives on its own.
//!
//! Only flags that say who is let in and what they may do are known as kubeadm's own; the addresses and files of one machine are not.

use std::borrow::Cow;

use crate::component::Component;
use crate::tree::Shape;
use crate::{ObjectView, Spot, Symbol, Value, field};

/// The API group of kubeadm's configuration.
const GROUP: &str = "kubeadm.k8s.io";

/// Where kubeadm keeps keys and certificates unless `certificatesDir` says otherwise.
const CERTIFICATES: &str = "/etc/kubernetes/pki";

/// The part of a configuration that is about one component.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Section<'a> {
    document: ObjectView<'a>,
    component: Component,
}

/// A flag of a configuration.
#[derive(Debug, Clone)]
pub(crate) struct Argument<'a> {
    pub(crate) name: String,
    pub(crate) value: Cow<'a, str>,
    /// The value, or what is nearest to where it would stand.
    pub(crate) place: Value<'a>,
    /// Whether it is written down, and not kubeadm's own.
    pub(crate) is_written: bool,
}

impl<'a> Section<'a> {
    /// What `document` says of `component`; none if it is not about it.
    pub(crate) fn of(component: Component, document: ObjectView<'a>) -> Option<Self> {
        if document.group() != GROUP {
            return None;
        }
        let is_about = match (document.kind_name(), component) {
            ("ClusterConfiguration", Component::Kubelet) => false,
            // An etcd elsewhere is none of kubeadm's.
            ("ClusterConfiguration", Component::Etcd) => document.root().get(field::ETCD).is_none_or(|etcd| etcd.entry("external").is_none()),
            ("ClusterConfiguration", _) | ("InitConfiguration" | "JoinConfiguration", Component::Kubelet) => true,
            _ => false,
        };
        is_about.then_some(Self { document, component })
    }

    /// The document.
    pub(crate) fn document(self) -> ObjectView<'a> {
        self.document
    }

    /// The settings of the component, or what is nearest to them.
    pub(crate) fn whole(self) -> Value<'a> {
        let (_, settings) = path(self.component).split_last().unwrap_or((&field::EMPTY, &[]));
        self.document.root().spot(settings).nearest()
    }

    /// Where the arguments stand, or would.
    pub(crate) fn spot(self) -> Spot<'a> {
        self.document.root().spot(path(self.component))
    }

    /// Every flag: what kubeadm gives on its own, unless it is written, and then what is written, in its order.
    pub(crate) fn arguments(self) -> Vec<Argument<'a>> {
        let written = self.written();
        let nearest = self.spot().nearest();
        let own = self.own(&written).into_iter().map(|(name, value)| Argument { name: name.to_owned(), value, place: nearest, is_written: false });
        let mut all: Vec<Argument<'a>> = own.filter(|argument| written.iter().all(|other| other.name != argument.name)).collect();
        all.extend(written);
        all
    }

    /// The environment variable `name` that is written down.
    pub(crate) fn variable(self, name: &str) -> Option<Value<'a>> {
        let entry = self.whole().list(field::EXTRA_ENVS).find(|entry| entry.str(field::NAME) == Some(name))?;
        entry.get(field::VALUE)
    }

    fn written(self) -> Vec<Argument<'a>> {
        let Some(arguments) = self.document.root().walk(path(self.component)) else { return Vec::new() };
        let named = |name: &str| name.replace('_', "-");
        let of_map = arguments.entries().map(|(name, value)| Argument { name: named(name), value: text(value), place: value, is_written: true });
        let of_list = arguments.items().filter_map(|item| {
            let value = item.get(field::VALUE);
            let name = named(item.str(field::NAME)?);
            Some(Argument { name, value: value.map_or(Cow::Borrowed(""), text), place: value.unwrap_or(item), is_written: true })
        });
        of_map.chain(of_list).collect()
    }

    /// The flags that kubeadm gives whatever the configuration says, as far as they decide who is let in.
    fn own(self, written: &[Argument<'_>]) -> Vec<(&'static str, Cow<'static, str>)> {
        let root = self.document.root();
        let directory = root.entry("certificatesDir").and_then(Value::as_str).filter(|text| !text.is_empty()).unwrap_or(CERTIFICATES);
        let file = |name: &str| Cow::Owned(format!("{}/{name}", directory.trim_end_matches('/')));
        let is_written = |name: &str| written.iter().any(|argument| argument.name == name);
        match self.component {
            Component::ApiServer => {
                let domain = root.entry("networking").and_then(|networking| networking.entry("dnsDomain")).and_then(Value::as_str).unwrap_or("cluster.local");
                let mut own = vec![
                    ("allow-privileged", "true".into()),
                    ("client-ca-file", file("ca.crt")),
                    ("enable-admission-plugins", "NodeRestriction".into()),
                    ("enable-bootstrap-token-auth", "true".into()),
                    ("kubelet-client-certificate", file("apiserver-kubelet-client.crt")),
                    ("kubelet-client-key", file("apiserver-kubelet-client.key")),
                    ("proxy-client-cert-file", file("front-proxy-client.crt")),
                    ("proxy-client-key-file", file("front-proxy-client.key")),
                    ("requestheader-allowed-names", "front-proxy-client".into()),
                    ("requestheader-client-ca-file", file("front-proxy-ca.crt")),
                    ("requestheader-extra-headers-prefix", "X-Remote-Extra-".into()),
                    ("requestheader-group-headers", "X-Remote-Group".into()),
                    ("requestheader-username-headers", "X-Remote-User".into()),
                    ("service-account-issuer", format!("https://kubernetes.default.svc.{domain}").into()),
                    ("service-account-key-file", file("sa.pub")),
                    ("service-account-signing-key-file", file("sa.key")),
                    ("tls-cert-file", file("apiserver.crt")),
                    ("tls-private-key-file", file("apiserver.key")),
                ];
                let external = root.get(field::ETCD).and_then(|etcd| etcd.entry("external"));
                match external {
                    None => own.extend([
                        ("etcd-cafile", file("etcd/ca.crt")),
                        ("etcd-certfile", file("apiserver-etcd-client.crt")),
                        ("etcd-keyfile", file("apiserver-etcd-client.key")),
                    ]),
                    Some(external) => {
                        for (flag, name) in [("etcd-cafile", "caFile"), ("etcd-certfile", "certFile"), ("etcd-keyfile", "keyFile")] {
                            let path = external.entry(name).and_then(Value::as_str).filter(|path| !path.is_empty());
                            own.extend(path.map(|path| (flag, Cow::Owned(path.to_owned()))));
                        }
                    }
                }
                // The modes and the file exclude each other.
                if !is_written("authorization-config") {
                    own.push(("authorization-mode", "Node,RBAC".into()));
                }
                own
            }
            Component::ControllerManager => vec![
                ("authentication-kubeconfig", "/etc/kubernetes/controller-manager.conf".into()),
                ("authorization-kubeconfig", "/etc/kubernetes/controller-manager.conf".into()),
                ("bind-address", "127.0.0.1".into()),
                ("client-ca-file", file("ca.crt")),
                ("cluster-signing-cert-file", file("ca.crt")),
                ("cluster-signing-key-file", file("ca.key")),
                ("controllers", "*,bootstrapsigner,tokencleaner".into()),
                ("kubeconfig", "/etc/kubernetes/controller-manager.conf".into()),
                ("requestheader-client-ca-file", file("front-proxy-ca.crt")),
                ("root-ca-file", file("ca.crt")),
                ("service-account-private-key-file", file("sa.key")),
                ("use-service-account-credentials", "true".into()),
            ],
            Component::Scheduler => vec![
                ("authentication-kubeconfig", "/etc/kubernetes/scheduler.conf".into()),
                ("authorization-kubeconfig", "/etc/kubernetes/scheduler.conf".into()),
                ("bind-address", "127.0.0.1".into()),
                ("kubeconfig", "/etc/kubernetes/scheduler.conf".into()),
            ],
            Component::Etcd => vec![
                ("cert-file", file("etcd/server.crt")),
                ("client-cert-auth", "true".into()),
                ("key-file", file("etcd/server.key")),
                ("peer-cert-file", file("etcd/peer.crt")),
                ("peer-client-cert-auth", "true".into()),
                ("peer-key-file", file("etcd/peer.key")),
                ("peer-trusted-ca-file", file("etcd/ca.crt")),
                ("trusted-ca-file", file("etcd/ca.crt")),
            ],
            Component::Kubelet => vec![
                ("bootstrap-kubeconfig", "/etc/kubernetes/bootstrap-kubelet.conf".into()),
                ("config", "/var/lib/kubelet/config.yaml".into()),
                ("kubeconfig", "/etc/kubernetes/kubelet.conf".into()),
            ],
        }
    }
}

/// Where the arguments of a component stand.
fn path(component: Component) -> &'static [Symbol] {
    match component {
        Component::ApiServer => &[field::API_SERVER, field::EXTRA_ARGS],
        Component::ControllerManager => &[field::CONTROLLER_MANAGER, field::EXTRA_ARGS],
        Component::Scheduler => &[field::SCHEDULER, field::EXTRA_ARGS],
        Component::Etcd => &[field::ETCD, field::LOCAL, field::EXTRA_ARGS],
        Component::Kubelet => &[field::NODE_REGISTRATION, field::KUBELET_EXTRA_ARGS],
    }
}

/// kubeadm takes strings; what people write instead is read as they meant it.
fn text(value: Value<'_>) -> Cow<'_, str> {
    match value.shape() {
        Shape::String(text) | Shape::Number(text) => Cow::Borrowed(text),
        Shape::Null => Cow::Borrowed(""),
        _ => Cow::Owned(value.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Snapshot;
    use crate::component::{ComponentView, FlagShape, FlagsShape};

    fn input(text: &str) -> Snapshot {
        crate::node_file::configuration("kubeadm.yaml", text, &[0; 32])
    }

    fn flag(snapshot: &Snapshot, component: Component, name: &str) -> Option<(String, FlagShape)> {
        let instance = ComponentView::all(component, snapshot).pop()?;
        instance.flag(name).map(|flag| (flag.value.into_owned(), flag.shape))
    }

    const MAP: &str =
        "apiVersion: kubeadm.k8s.io/v1beta3\nkind: ClusterConfiguration\napiServer:\n  extraArgs:\n    anonymous-auth: \"false\"\n    audit-log-maxage: 30\n";
    const PAIRS: &str = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\napiServer:\n  extraArgs:\n  - name: authorization-mode\n    value: AlwaysAllow\n  - name: service-account-issuer\n    value: https://one.example\n  - name: service-account-issuer\n    value: https://two.example\n";

    #[test]
    fn both_forms_of_arguments_are_read() {
        let written = |value: &str| Some((value.to_owned(), FlagShape::Value));
        assert_eq!(flag(&input(MAP), Component::ApiServer, "anonymous-auth"), written("false"));
        assert_eq!(flag(&input(MAP), Component::ApiServer, "audit-log-maxage"), written("30"));
        assert_eq!(flag(&input(PAIRS), Component::ApiServer, "authorization-mode"), written("AlwaysAllow"));
        assert_eq!(flag(&input(PAIRS), Component::ApiServer, "service-account-issuer"), written("https://two.example"));
    }

    #[test]
    fn what_is_written_takes_the_place_of_kubeadms_own() {
        let own = |value: &str| Some((value.to_owned(), FlagShape::Implied));
        assert_eq!(flag(&input(MAP), Component::ApiServer, "authorization-mode"), own("Node,RBAC"));
        assert_eq!(flag(&input(MAP), Component::ApiServer, "token-auth-file"), None);
        let pairs = input(PAIRS);
        let issuers = ComponentView::all(Component::ApiServer, &pairs).pop().unwrap().given();
        assert_eq!(issuers.iter().filter(|given| given.name == "service-account-issuer").count(), 2);
        let config = format!("{MAP}    authorization-config: /etc/kubernetes/authz.yaml\ncertificatesDir: /pki/\n");
        assert_eq!(flag(&input(&config), Component::ApiServer, "authorization-mode"), None);
        assert_eq!(flag(&input(&config), Component::ApiServer, "client-ca-file"), own("/pki/ca.crt"));
    }

    #[test]
    fn each_document_is_about_the_components_that_it_sets_up() {
        let count = |text: &str| Component::ALL.map(|component| ComponentView::all(component, &input(text)).len());
        assert_eq!(count(MAP), [1, 1, 1, 1, 0]);
        assert_eq!(count(&format!("{MAP}etcd:\n  external:\n    endpoints: [\"https://etcd:2379\"]\n")), [1, 1, 1, 0, 0]);
        assert_eq!(count("apiVersion: kubeadm.k8s.io/v1beta4\nkind: JoinConfiguration\n"), [0, 0, 0, 0, 1]);
        assert_eq!(count("apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"), [0; 5]);
        let hostile = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\napiServer: [1]\netcd: no\ncontrollerManager: {extraArgs: [1, {value: x}, {name: a}]}\n";
        assert_eq!(count(hostile), [1, 1, 1, 1, 0]);
        assert_eq!(flag(&input(hostile), Component::ControllerManager, "a"), Some((String::new(), FlagShape::Value)));
    }

    #[test]
    fn a_flag_is_added_in_the_form_of_the_document() {
        let shape = |text: &str| ComponentView::all(Component::ApiServer, &input(text)).pop().and_then(ComponentView::flags_shape);
        assert_eq!(shape(MAP), Some(FlagsShape::Map));
        assert_eq!(shape(PAIRS), Some(FlagsShape::Pairs));
        assert_eq!(shape("apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n"), Some(FlagsShape::Pairs));
        assert_eq!(shape("apiVersion: kubeadm.k8s.io/v1beta3\nkind: ClusterConfiguration\n"), Some(FlagsShape::Map));
    }
}
