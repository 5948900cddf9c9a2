//! X.509: the authorities whose certificates the API server believes, and the client certificates that can be seen.

use bartizan_cluster::component::is_on;
use bartizan_cluster::node_file::{FileContent, FileKind, NodeFile};
use bartizan_cluster::pem::{self, Lined, PemFacts};
use bartizan_cluster::secret::{Certificate, CertificateRequest, Content};
use bartizan_cluster::{Kind, KubernetesVersion, ObjectView, field};
use serde_json::json;

use super::Place;
use super::certificate::{MASTERS, describe, judge_client, judge_strength, named};
use super::fault::{Judgement, fault};
use super::ground::{Configured, Ground, Unseen};
use super::kubeconfig;
use super::{Login, Mechanism, Section, State, UnseenFact};

fault!(
    NOT_AN_AUTHORITY,
    "client-ca-not-an-authority",
    Medium,
    ("`{subject}` stands among the client authorities and is no authority", "`{subject}` 位于客户端 CA 列表中，但并不是 CA"),
    ("No certificate is believed because of it; somebody took the wrong file.", "不会有任何证书因它而被信任；多半是用错了文件。"),
    ("put the authority's own certificate there", "换成 CA 自身的证书"),
);

fault!(
    AUTHORITY_EXPIRED,
    "client-ca-expired",
    Medium,
    ("client authority `{subject}` expired at {expires}", "客户端 CA `{subject}` 已于 {expires} 过期"),
    ("Every certificate that it signed is refused.", "它签发的所有证书都会被拒绝。"),
    ("take it out of the bundle, or renew it", "将其移出证书包，或更新它"),
);

fault!(
    REQUEST_MASTERS,
    "csr-system-masters",
    Critical,
    (
        "request `{name}` asks for a client certificate in the group `system:masters`, and is {state}",
        "请求 `{name}` 申请属于组 `system:masters` 的客户端证书，状态为 {state}"
    ),
    (
        "Its holder would be administrator, without revocation. The admission plugin CertificateSubjectRestriction refuses such requests; that this one is there means that it is off.",
        "持有者将成为无法吊销的管理员。准入插件 CertificateSubjectRestriction 会拒绝此类请求；它的存在说明该插件已关闭。"
    ),
    (
        "deny and delete it, turn CertificateSubjectRestriction on, and if a certificate was issued replace the client CA",
        "拒绝并删除该请求，启用 CertificateSubjectRestriction；若证书已签发，请更换客户端 CA"
    ),
);

fault!(
    REQUEST_COMPONENT,
    "csr-component-identity",
    High,
    ("request `{name}` asks for a client certificate of `{user}`, and is {state}", "请求 `{name}` 申请 `{user}` 的客户端证书，状态为 {state}"),
    (
        "Names that begin with `system:` belong to components of the cluster; whoever has such a certificate is one of them. This is a known way to stay in a cluster.",
        "以 `system:` 开头的名字属于集群组件；持有此类证书即等同于该组件。这是一种已知的持久化手法。"
    ),
    ("find out who asked and who approved; deny and delete it", "查明申请者与批准者；拒绝并删除该请求"),
);

fault!(
    REQUEST_UNREADABLE,
    "csr-unreadable",
    Low,
    ("request `{name}` holds nothing that can be read as a certificate request", "请求 `{name}` 中没有可读取的证书请求"),
    ("What it asks for cannot be told.", "无法得知它申请的内容。"),
    ("delete it", "删除该请求"),
);

fault!(
    REQUEST_WEAK_KEY,
    "csr-weak-key",
    Medium,
    ("request `{name}` is for a key of {key}", "请求 `{name}` 使用的密钥为 {key}"),
    ("A key of this size can be computed from the certificate.", "这种长度的密钥可以由证书推算出来。"),
    ("deny it and ask with a stronger key", "拒绝该请求，改用更强的密钥申请"),
);

pub(super) static FAULTS: [&super::Fault; 6] =
    [&NOT_AN_AUTHORITY, &AUTHORITY_EXPIRED, &REQUEST_MASTERS, &REQUEST_COMPONENT, &REQUEST_UNREADABLE, &REQUEST_WEAK_KEY];

/// The ConfigMap in which the API server publishes what it believes of clients.
const PUBLISHED: (&str, &str) = ("kube-system", "extension-apiserver-authentication");

/// The certificate signers whose certificates let a client in.
const CLIENT_SIGNER: &str = "kubernetes.io/kube-apiserver-client";
const KUBELET_SIGNER: &str = "kubernetes.io/kube-apiserver-client-kubelet";

/// The identifier of a user in a certificate is read from this version on.
const UID_SINCE: KubernetesVersion = KubernetesVersion::minor(33);

pub(super) fn section(ground: &Ground<'_>) -> Section {
    let mut section = Section::new(Mechanism::ClientCertificates);
    section.needs_server(ground);
    let authorities = client_authorities(ground, &mut section);
    let is_given = ground.servers.iter().any(|server| server.value("client-ca-file").is_some_and(|value| !value.text.is_empty()));
    section.state = match (is_given || published(ground, "client-ca-file").is_some(), ground.servers.is_empty()) {
        (true, _) => State::On,
        (false, false) => State::Off,
        (false, true) => State::Unknown,
    };
    let mut known: Vec<&Certificate> = Vec::new();
    for (place, authority) in &authorities {
        if known.iter().all(|other| other.sha256 != authority.sha256) {
            section.logins.push(authority_login(ground, place.clone(), authority));
        }
        known.push(authority);
    }
    let kubeconfigs = ground.configurations("Config");
    for config in &kubeconfigs {
        section.logins.extend(of_kubeconfig(ground, config));
        section.logins.extend(kubeconfig::broken(ground, config));
    }
    pem_files(ground, &mut section);
    secrets(ground, &known, &mut section);
    section.needs(ground, Kind::CertificateSigningRequest, None);
    for request in ground.snapshot.of_kind(Kind::CertificateSigningRequest) {
        section.logins.extend(of_request(ground, request));
    }
    if kubeconfigs.is_empty() {
        section.unseen.push(UnseenFact { fact: "kubeconfigs".to_owned(), reason: "not-in-source".to_owned(), is_loss: false });
    }
    section
}

/// What the API server publishes under `key`.
pub(super) fn published<'a>(ground: &Ground<'a>, key: &str) -> Option<(ObjectView<'a>, &'a str)> {
    let map = ground.snapshot.find(Kind::ConfigMap, Some(PUBLISHED.0), PUBLISHED.1)?;
    let text = map.root().get(field::DATA)?.entry(key)?.as_str()?;
    Some((map, text)).filter(|(_, text)| !text.trim().is_empty())
}

/// The authorities that a flag of the API servers names, or that they publish, with what could not be read of them.
pub(super) fn authorities(ground: &Ground<'_>, flag: &str, section: &mut Section) -> Vec<(Place, Certificate)> {
    let mut found: Vec<(Place, Certificate)> = Vec::new();
    for server in &ground.servers {
        let Some(value) = server.value(flag).filter(|value| !value.text.is_empty()) else { continue };
        match ground.file(server, &value.text) {
            Ok((name, FileContent::Pem(facts))) => {
                found.extend(facts.certificates.iter().map(|certificate| (Place::line(name, certificate.line), certificate.value.clone())));
                note_faults(name, facts, section);
            }
            Ok(_) => {}
            Err(unseen) => section.unseen.push(UnseenFact::file(&value.text, &unseen)),
        }
    }
    if let Some((map, text)) = published(ground, flag) {
        let place = map.root().get(field::DATA).map_or_else(|| ground.place(map), |data| Place::field(ground.snapshot, map, data, flag));
        found.extend(pem::read(text).certificates.into_iter().map(|certificate| (place.clone(), certificate.value)));
        // What is published is what is believed: the file could not say more.
        section.unseen.retain(|unseen| unseen.is_loss || !ground.servers.iter().filter_map(|server| server.value(flag)).any(|value| value.text == unseen.fact));
    }
    found
}

fn client_authorities(ground: &Ground<'_>, section: &mut Section) -> Vec<(Place, Certificate)> {
    authorities(ground, "client-ca-file", section)
}

fn note_faults(name: &str, facts: &PemFacts, section: &mut Section) {
    for fault in &facts.faults {
        section.unseen.push(UnseenFact { fact: format!("{name}:{}", fault.line), reason: fault.message.clone(), is_loss: true });
    }
}

fn authority_login(ground: &Ground<'_>, place: Place, authority: &Certificate) -> Login {
    let mut found = judge_strength(authority);
    if !authority.is_authority {
        found.push(Judgement::new(&NOT_AN_AUTHORITY, [("subject", authority.subject.clone())]));
    }
    if authority.not_after < ground.now() {
        found.push(Judgement::new(&AUTHORITY_EXPIRED, [("subject", authority.subject.clone()), ("expires", authority.not_after.to_string())]));
    }
    Login::new(format!("authority {}", authority.subject), place)
        .fact("subject", authority.subject.as_str())
        .fact("notBefore", authority.not_before.to_string())
        .fact("notAfter", authority.not_after.to_string())
        .fact("key", authority.key.to_string())
        .fact("signature", authority.signature.as_str())
        .fact("sha256", authority.sha256.as_str())
        .judged(found)
}

fn client_login(ground: &Ground<'_>, place: Place, certificate: &Certificate) -> Login {
    let login = describe(Login::new(format!("certificate {}", named(certificate)), place), certificate);
    let is_ignored = certificate.uid.is_some() && ground.version() < UID_SINCE;
    let login = if is_ignored { login.fact("uidIsRead", false) } else { login };
    login.judged(judge_client(certificate, ground.now()))
}

/// The client certificates of a kubeconfig, in it or in the files that it names.
fn of_kubeconfig<'a>(ground: &Ground<'a>, config: &Configured<'a>) -> Vec<Login> {
    let mut found = Vec::new();
    let Some(users) = config.view.root().entry("users") else { return found };
    for (entry, number) in users.items().zip(0usize..) {
        let Some(user) = entry.entry("user") else { continue };
        let place = |name| Place::field(config.snapshot, config.view, user, name);
        let data = config.view.secret().and_then(|facts| facts.entry(&format!("/users/{number}/user/client-certificate-data")));
        if let Some(Content::Pem { certificates, .. }) = data.map(|entry| &entry.content) {
            found.extend(certificates.first().map(|certificate| client_login(ground, place("client-certificate-data"), certificate)));
        }
        if let Some(path) = user.entry("client-certificate").and_then(bartizan_cluster::Value::as_str)
            && let Ok(NodeFile { content: Ok(FileContent::Pem(facts)), .. }) = ground.file_beside(config, path)
        {
            found.extend(facts.certificates.first().map(|certificate| client_login(ground, place("client-certificate"), &certificate.value)));
        }
    }
    found
}

fn lets_clients_in(certificate: &Certificate) -> bool {
    !certificate.is_authority && (certificate.usages.is_empty() || certificate.usages.iter().any(|usage| matches!(usage.as_str(), "client-auth" | "any")))
}

/// Certificates and requests in PEM files, of the node and given outright.
fn pem_files(ground: &Ground<'_>, section: &mut Section) {
    let of_node = ground.files.nodes.iter().flat_map(|node| &node.files).filter(|(path, _)| super::is_standard(path)).map(|(_, file)| file);
    for file in of_node.chain(ground.given(FileKind::Pem)) {
        let NodeFile { name, content: Ok(FileContent::Pem(facts)), .. } = file else { continue };
        note_faults(name, facts, section);
        // Of a chain, the first is the one that is shown.
        let clients = facts.certificates.iter().filter(|certificate| lets_clients_in(&certificate.value));
        section.logins.extend(clients.map(|Lined { line, value }| client_login(ground, Place::line(name, *line), value)));
        for Lined { line, value } in &facts.requests {
            let wish = Wish { name: name.clone(), state: "pending", signer: None, request: value };
            section.logins.push(wish.login(Place::line(name, *line)));
        }
    }
    for file in ground.given(FileKind::Pem).chain(ground.given(FileKind::Configuration)) {
        if let Err(fault) = &file.content {
            section.unseen.push(UnseenFact::file(&file.name, &Unseen::Fault(fault.clone())));
        }
    }
    for (path, file) in ground.files.nodes.iter().flat_map(|node| &node.files) {
        if let Err(fault) = &file.content
            && super::is_standard(path)
            && *fault != bartizan_cluster::node_file::FileFault::Absent
        {
            section.unseen.push(UnseenFact::file(path, &Unseen::Fault(fault.clone())));
        }
    }
}

/// Client certificates in Secrets that a client authority of this cluster signed.
fn secrets(ground: &Ground<'_>, authorities: &[&Certificate], section: &mut Section) {
    for secret in ground.snapshot.of_kind(Kind::Secret) {
        for entry in secret.secret().into_iter().flat_map(|facts| &facts.entries) {
            let Content::Pem { certificates, .. } = &entry.content else { continue };
            let Some(first) = certificates.first().filter(|first| lets_clients_in(first) && !first.usages.is_empty()) else { continue };
            if authorities.iter().any(|authority| authority.subject == first.issuer) {
                let mut place = ground.place(secret);
                place.path = format!("data.{}", entry.key);
                section.logins.push(client_login(ground, place, first));
            }
        }
    }
}

/// A certificate that somebody asks for.
struct Wish<'a> {
    name: String,
    state: &'static str,
    signer: Option<&'a str>,
    request: &'a CertificateRequest,
}

impl Wish<'_> {
    fn login(&self, place: Place) -> Login {
        let request = self.request;
        let mut found = Vec::new();
        let is_refused = matches!(self.state, "denied" | "failed");
        let is_client = self.signer.is_none_or(|signer| signer == CLIENT_SIGNER || signer == "kubernetes.io/legacy-unknown");
        let args = || [("name", self.name.clone()), ("state", self.state.to_owned())];
        if is_client && !is_refused && request.organizations.iter().any(|group| group == MASTERS) {
            found.push(Judgement::new(&REQUEST_MASTERS, args()));
        }
        if is_client && !is_refused && request.common_name.starts_with("system:") {
            let [name, state] = args();
            found.push(Judgement::new(&REQUEST_COMPONENT, [name, state, ("user", request.common_name.clone())]));
        }
        if !is_refused && request.key.is_short() {
            found.push(Judgement::new(&REQUEST_WEAK_KEY, [("name", self.name.clone()), ("key", request.key.to_string())]));
        }
        Login::new(format!("request {}", self.name), place)
            .fact("user", request.common_name.as_str())
            .fact("groups", request.organizations.clone())
            .fact_if("uid", request.uid.as_deref())
            .fact_if("signer", self.signer)
            .fact("state", self.state)
            .fact("key", request.key.to_string())
            .fact("signature", request.signature.as_str())
            .judged(found)
    }
}

/// A `CertificateSigningRequest` and the certificate that was issued for it.
fn of_request(ground: &Ground<'_>, view: ObjectView<'_>) -> Vec<Login> {
    let spec = view.spec();
    let text = |name: &str| spec.and_then(|spec| spec.entry(name)).and_then(bartizan_cluster::Value::as_str);
    let place = |name: &str| spec.map_or_else(|| ground.place(view), |spec| Place::field(ground.snapshot, view, spec, name));
    let signer = text("signerName");
    let serves_clients = signer.is_none_or(|signer| matches!(signer, CLIENT_SIGNER | KUBELET_SIGNER | "kubernetes.io/legacy-unknown"));
    let issued_text = view.root().get(field::STATUS).and_then(|status| status.entry("certificate")).and_then(bartizan_cluster::Value::as_str);
    let state = state_of(view, issued_text.is_some());
    let mut found = Vec::new();
    let request = text("request").and_then(decoded).map(|text| pem::read(&text)).and_then(|facts| facts.requests.into_iter().next());
    if let Some(request) = request {
        let mut login = Wish { name: view.name().to_owned(), state, signer, request: &request.value }.login(place("request"));
        let expiration = spec.and_then(|spec| spec.entry("expirationSeconds")).and_then(bartizan_cluster::Value::as_i64);
        if let Some(seconds) = expiration {
            login.facts.push(("expirationSeconds", json!(seconds)));
        }
        if let Some(user) = text("username") {
            login.facts.push(("requestedBy", json!(user)));
        }
        found.push(login);
    } else {
        let judgement = Judgement::new(&REQUEST_UNREADABLE, [("name", view.name().to_owned())]);
        found.push(Login::new(format!("request {}", view.name()), place("request")).fact_if("signer", signer).fact("state", state).judged([judgement]));
    }
    let issued = issued_text.and_then(decoded).map(|text| pem::read(&text)).and_then(|facts| facts.certificates.into_iter().next());
    if let Some(certificate) = issued.filter(|_| serves_clients) {
        let mut place = ground.place(view);
        "status.certificate".clone_into(&mut place.path);
        let mut login = client_login(ground, place, &certificate.value);
        login.name = format!("certificate of request {}", view.name());
        found.push(login);
    }
    found
}

fn decoded(text: &str) -> Option<String> {
    bartizan_cluster::pem::from_base64(text)
}

fn state_of(view: ObjectView<'_>, is_issued: bool) -> &'static str {
    let conditions = view.root().get(field::STATUS).and_then(|status| status.entry("conditions"));
    let has = |name: &str| {
        conditions
            .into_iter()
            .flat_map(bartizan_cluster::Value::items)
            .any(|condition| condition.str(field::TYPE) == Some(name) && condition.str(field::STATUS).is_none_or(is_on))
    };
    if is_issued {
        "issued"
    } else if has("Denied") {
        "denied"
    } else if has("Failed") {
        "failed"
    } else if has("Approved") {
        "approved"
    } else {
        "pending"
    }
}
