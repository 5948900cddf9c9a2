//! The kubelets' own API: who may ask it, and for what.
//!
//! What is not said stands for something else in a configuration file than on a command line without one: there, everybody may do
//! everything.

use bartizan_cluster::feature::{Stage, switched_by};
use bartizan_cluster::{ObjectView, Value, group_of};

use super::Place;
use super::fault::{Judgement, fault};
use crate::kubelets::CONFIGURATION;

use super::ground::{Configured, Flags, Ground};
use super::{Login, Mechanism, Section, State, UnseenFact};

fault!(
    OPEN,
    "kubelet-open",
    Critical,
    ("kubelet does everything for everybody: no credential is needed and no authorizer is asked", "kubelet 对任何人有求必应：既不需要凭据，也不询问授权器"),
    ("Whoever reaches the port 10250 of the node runs commands in every pod on it.", "任何能连上节点 10250 端口的人都能在其上的所有 Pod 中执行命令。"),
    (
        "set `authentication.anonymous.enabled: false` and `authorization.mode: Webhook`",
        "设置 `authentication.anonymous.enabled: false` 与 `authorization.mode: Webhook`"
    ),
);

fault!(
    ANONYMOUS,
    "kubelet-anonymous",
    High,
    ("kubelet serves requests without a credential, as `system:anonymous`", "kubelet 会以 `system:anonymous` 身份处理没有凭据的请求"),
    (
        "What is bound to `system:anonymous` for nodes is open to whoever reaches the port.",
        "就节点而言绑定给 `system:anonymous` 的权限，对任何能连上端口的人开放。"
    ),
    ("set `authentication.anonymous.enabled: false`", "设置 `authentication.anonymous.enabled: false`"),
);

fault!(
    ALWAYS_ALLOW,
    "kubelet-always-allow",
    High,
    ("kubelet does everything for everybody who is logged in", "kubelet 对任何已登录者有求必应"),
    ("Any token of the cluster runs commands in every pod of the node.", "集群中的任何令牌都能在该节点的所有 Pod 中执行命令。"),
    ("set `authorization.mode: Webhook`", "设置 `authorization.mode: Webhook`"),
);

fault!(
    READ_ONLY_PORT,
    "kubelet-read-only-port",
    Medium,
    ("kubelet tells everybody about its pods on the port {port}", "kubelet 在端口 {port} 上向任何人公开其 Pod 信息"),
    (
        "The port asks for no credential: names, images, environment and addresses of all pods of the node.",
        "该端口不要求凭据：节点上所有 Pod 的名称、镜像、环境变量与地址都可读取。"
    ),
    ("set `readOnlyPort: 0`", "设置 `readOnlyPort: 0`"),
);

fault!(
    NO_TOKENS,
    "kubelet-token-review-off",
    Low,
    ("kubelet does not ask the API server about tokens", "kubelet 不向 API server 验证令牌"),
    ("Monitoring that comes with a token is refused, which leads people to open the read-only port.", "携带令牌的监控会被拒绝，人们往往因此打开只读端口。"),
    ("set `authentication.webhook.enabled: true`", "设置 `authentication.webhook.enabled: true`"),
);

fault!(
    NO_AUTHORITY,
    "kubelet-no-client-ca",
    Low,
    ("kubelet has no authority for client certificates", "kubelet 未设置客户端证书的 CA"),
    ("The API server then comes as nobody, or with whatever else lets it in.", "API server 便只能匿名访问，或依赖其他方式。"),
    ("set `authentication.x509.clientCAFile`", "设置 `authentication.x509.clientCAFile`"),
);

fault!(
    UNROTATED,
    "kubelet-certificate-unrotated",
    Low,
    ("kubelet does not renew its client certificate", "kubelet 不会更换其客户端证书"),
    (
        "One certificate is good for a year or longer, whoever copied it; when it ends, the node is lost.",
        "同一张证书在一年甚至更久内有效，无论被谁复制；到期之后节点便会失联。"
    ),
    ("set `rotateCertificates: true`", "设置 `rotateCertificates: true`"),
);

fault!(
    SERVING_UNROTATED,
    "kubelet-serving-certificate-unrotated",
    Low,
    (
        "kubelet cannot renew its serving certificate: the feature `RotateKubeletServerCertificate` is off",
        "kubelet 无法更换其服务端证书：特性 `RotateKubeletServerCertificate` 已关闭"
    ),
    (
        "The kubelet then signs its certificate itself, and the API server cannot tell it from somebody in between.",
        "此时 kubelet 使用自签名证书，API server 无法将其与中间人区分开。"
    ),
    (
        "leave `RotateKubeletServerCertificate` on and set `serverTLSBootstrap: true`",
        "保持 `RotateKubeletServerCertificate` 开启，并设置 `serverTLSBootstrap: true`"
    ),
);

pub(super) static FAULTS: [&super::Fault; 8] = [&OPEN, &ANONYMOUS, &ALWAYS_ALLOW, &READ_ONLY_PORT, &NO_TOKENS, &NO_AUTHORITY, &UNROTATED, &SERVING_UNROTATED];

/// The feature by which a kubelet asks for a serving certificate.
const SERVING_ROTATION: &str = "RotateKubeletServerCertificate";

/// The file of authorities that kubeadm tells kubelets of.
const KUBEADM_AUTHORITY: &str = "/etc/kubernetes/pki/ca.crt";

/// How a kubelet decides about requests.
struct Settings {
    place: Place,
    anonymous: (bool, Place),
    webhook: (bool, Place),
    mode: (String, Place),
    read_only_port: (i64, Place),
    authority: Option<String>,
    /// What is said about renewing the client certificate, and the feature for the serving one.
    rotation: Option<(bool, Place)>,
    serving_rotation: Option<(bool, Place)>,
    serving_bootstrap: bool,
}

pub(super) fn section(ground: &Ground<'_>) -> Section {
    let mut section = Section::new(Mechanism::Kubelet);
    let mut all: Vec<Settings> = Vec::new();
    let mut configs = ground.configurations("KubeletConfiguration");
    for flags in &ground.kubelets {
        let named = flags.value("config").filter(|value| !value.text.is_empty());
        // kubeadm names the file in the unit of the service, not beside its flags.
        let path = named.as_ref().map(|value| value.text.clone()).or_else(|| is_kubeadm(flags).then(|| CONFIGURATION.to_owned()));
        match path {
            None => all.push(of_flags(None, flags)),
            // kubeadm writes the file from what stands beside the arguments.
            Some(path) if is_kubeadm_document(flags) && ground.file(flags, &path).is_err() => {
                let source = flags.place.configuration.as_ref().map(|document| document.name.clone()).unwrap_or_default();
                let beside = configs.iter().position(|config| config.name() == source).map(|at| configs.remove(at));
                let base = beside.map_or_else(|| by_kubeadm(flags.place.clone()), |config| of_file(&config));
                all.push(of_flags(Some(base), flags));
            }
            Some(path) => match ground.configuration_at(flags, &path, "KubeletConfiguration") {
                Ok(config) => {
                    configs.retain(|other| other.name() != config.name());
                    all.push(of_flags(Some(of_file(&config)), flags));
                }
                Err(unseen) => section.unseen.push(UnseenFact::file(&path, &unseen)),
            },
        }
    }
    all.extend(configs.iter().map(of_file));
    if all.is_empty() {
        section.unseen.push(UnseenFact { fact: "kubelet-configuration".to_owned(), reason: "not-in-source".to_owned(), is_loss: false });
    }
    section.state = if all.is_empty() { State::Unknown } else { State::On };
    section.logins = all.into_iter().map(judged).collect();
    section
}

fn is_kubeadm(flags: &Flags<'_>) -> bool {
    flags.place.file.as_deref().is_some_and(|file| file.ends_with("kubeadm-flags.env"))
}

/// Whether the flags stand in a configuration of kubeadm.
fn is_kubeadm_document(flags: &Flags<'_>) -> bool {
    flags.place.configuration.as_ref().is_some_and(|document| group_of(&document.api_version) == KUBEADM_GROUP)
}

const KUBEADM_GROUP: &str = "kubeadm.k8s.io";

/// A kubelet of which kubeadm is told nothing.
fn by_kubeadm(place: Place) -> Settings {
    let here = || place.clone();
    Settings {
        anonymous: (false, here()),
        webhook: (true, here()),
        mode: ("Webhook".to_owned(), here()),
        read_only_port: (0, here()),
        authority: Some(KUBEADM_AUTHORITY.to_owned()),
        rotation: Some((true, here())),
        serving_rotation: None,
        serving_bootstrap: false,
        place,
    }
}

/// What a configuration file says; what it leaves out is strict.
fn of_file(config: &Configured<'_>) -> Settings {
    let root = config.view.root();
    let field = |names: &[&str]| names.iter().try_fold(root, |value, name| value.entry(name));
    let place = |names: &[&str]| {
        let mut nearest = root;
        for (at, name) in names.iter().enumerate() {
            match nearest.entry(name) {
                Some(child) => nearest = child,
                None => return Place::field(config.snapshot, config.view, nearest, &names.get(at..).unwrap_or_default().join(".")),
            }
        }
        Place::of(config.snapshot, config.view, nearest)
    };
    let switch = |names: &[&str], default: bool| (field(names).and_then(Value::as_bool).unwrap_or(default), place(names));
    let said = |names: &[&str]| field(names).and_then(Value::as_bool).map(|value| (value, place(names)));
    // kubeadm fills in what is left out of a document beside its own.
    let is_beside = |other: ObjectView<'_>| other.group() == KUBEADM_GROUP && other.origin().source == config.view.origin().source;
    let is_of_kubeadm = config.snapshot.configurations().any(is_beside);
    let authority = field(&["authentication", "x509", "clientCAFile"]).and_then(Value::as_str).filter(|file| !file.is_empty());
    let mode = field(&["authorization", "mode"]).and_then(Value::as_str).filter(|mode| !mode.is_empty()).unwrap_or("Webhook");
    Settings {
        place: Place::whole(config.snapshot, config.view),
        anonymous: switch(&["authentication", "anonymous", "enabled"], false),
        webhook: switch(&["authentication", "webhook", "enabled"], true),
        mode: (mode.to_owned(), place(&["authorization", "mode"])),
        read_only_port: (field(&["readOnlyPort"]).and_then(Value::as_i64).unwrap_or(0), place(&["readOnlyPort"])),
        authority: authority.or_else(|| is_of_kubeadm.then_some(KUBEADM_AUTHORITY)).map(str::to_owned),
        rotation: said(&["rotateCertificates"]),
        serving_rotation: said(&["featureGates", SERVING_ROTATION]).or_else(|| said(&["featureGates", "AllBeta"])),
        serving_bootstrap: field(&["serverTLSBootstrap"]).and_then(Value::as_bool).unwrap_or(false),
    }
}

/// What a command line says, over what the file says that it names; without a file, what it leaves out is open.
fn of_flags(file: Option<Settings>, flags: &Flags<'_>) -> Settings {
    let here = || flags.place.clone();
    let mut settings = file.unwrap_or_else(|| Settings {
        place: here(),
        anonymous: (true, here()),
        webhook: (false, here()),
        mode: ("AlwaysAllow".to_owned(), here()),
        read_only_port: (10_255, here()),
        authority: None,
        rotation: None,
        serving_rotation: None,
        serving_bootstrap: false,
    });
    if let Some(found) = flags.switch("anonymous-auth") {
        settings.anonymous = found;
    }
    if let Some(found) = flags.switch("authentication-token-webhook") {
        settings.webhook = found;
    }
    if let Some(value) = flags.value("authorization-mode") {
        settings.mode = (value.text, value.place);
    }
    if let Some(value) = flags.value("read-only-port")
        && let Ok(port) = value.text.parse()
    {
        settings.read_only_port = (port, value.place);
    }
    if let Some(value) = flags.value("client-ca-file") {
        settings.authority = Some(value.text).filter(|file| !file.is_empty());
    }
    if let Some(found) = flags.switch("rotate-certificates") {
        settings.rotation = Some(found);
    }
    let given = flags.all("feature-gates").into_iter().map(|value| (value.place, value.text));
    if let Some(found) = switched_by(given, SERVING_ROTATION, Stage::Beta) {
        settings.serving_rotation = Some(found);
    }
    settings
}

fn judged(settings: Settings) -> Login {
    let always = settings.mode.0 == "AlwaysAllow";
    let mut found = Vec::new();
    if settings.anonymous.0 && always {
        found.push(Judgement::new(&OPEN, []).at(settings.anonymous.1));
    } else if settings.anonymous.0 {
        found.push(Judgement::new(&ANONYMOUS, []).at(settings.anonymous.1));
    } else if always {
        found.push(Judgement::new(&ALWAYS_ALLOW, []).at(settings.mode.1));
    }
    if settings.read_only_port.0 != 0 {
        found.push(Judgement::new(&READ_ONLY_PORT, [("port", settings.read_only_port.0.to_string())]).at(settings.read_only_port.1));
    }
    if !settings.webhook.0 {
        found.push(Judgement::new(&NO_TOKENS, []).at(settings.webhook.1));
    }
    if settings.authority.is_none() {
        found.push(Judgement::new(&NO_AUTHORITY, []));
    }
    let rotates = settings.rotation.as_ref().map(|(is_on, _)| *is_on);
    if let Some((false, place)) = settings.rotation {
        found.push(Judgement::new(&UNROTATED, []).at(place));
    }
    if let Some((false, place)) = settings.serving_rotation {
        found.push(Judgement::new(&SERVING_UNROTATED, []).at(place));
    }
    Login::new("kubelet", settings.place)
        .fact("anonymous", settings.anonymous.0)
        .fact("tokenReview", settings.webhook.0)
        .fact("authorizationMode", settings.mode.0)
        .fact("readOnlyPort", settings.read_only_port.0)
        .fact_if("clientCAFile", settings.authority)
        .fact("rotateCertificates", rotates.unwrap_or(false))
        .fact("serverTLSBootstrap", settings.serving_bootstrap)
        .judged(found)
}
