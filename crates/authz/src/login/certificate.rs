//! Judgement of one certificate: whom it names, how long it holds, how strong it is.

use bartizan_cluster::secret::Certificate;
use jiff::{SignedDuration, Timestamp};

use super::Login;
use super::fault::{Judgement, fault};

/// Nobody can take a certificate back, so one that holds longer than this is one that somebody will still have.
const REMAINING_MAX_DAYS: i64 = 398;

/// A certificate that expires sooner is told.
const SOON_DAYS: i64 = 30;

/// Members of this group are above every authorizer.
pub(super) const MASTERS: &str = "system:masters";

fault!(
    MASTERS_CERTIFICATE,
    "certificate-system-masters",
    High,
    ("certificate of `{user}` is in the group `system:masters` until {expires}", "`{user}` 的证书属于组 `system:masters`，有效期至 {expires}"),
    (
        "The API server lets this group do everything before it asks any authorizer, and there is no revocation: whoever has the key is administrator until the certificate expires or the authority is replaced.",
        "API server 在询问任何授权器之前就允许该组做任何事，而证书无法吊销：谁拿到私钥，谁就是管理员，直到证书过期或更换证书颁发机构。"
    ),
    (
        "issue a certificate with a group that an RBAC binding makes administrator (kubeadm: `kubeadm:cluster-admins`) and keep this one offline; if its key may be known, replace the client CA",
        "改用由 RBAC 绑定赋予管理员权限的组签发证书（kubeadm 为 `kubeadm:cluster-admins`），并将此证书离线保存；若私钥可能泄露，请更换客户端 CA"
    ),
);

fault!(
    EXPIRED,
    "certificate-expired",
    Low,
    ("certificate of `{user}` expired at {expires}", "`{user}` 的证书已于 {expires} 过期"),
    (
        "Nobody can log in with it. What still uses it does not work, and what does not should not lie about.",
        "它已无法用于登录。仍在使用它的程序无法工作；不再使用的则不应遗留。"
    ),
    ("renew it, or delete it", "更新或删除该证书"),
);

fault!(
    NOT_YET,
    "certificate-not-yet-valid",
    Low,
    ("certificate of `{user}` is valid only from {begins}", "`{user}` 的证书自 {begins} 起才有效"),
    ("Until then nobody can log in with it; often a clock is wrong.", "在此之前无法用它登录；通常是某处时钟有误。"),
    ("check the clocks of the signer and of the cluster", "检查签发方与集群的时钟"),
);

fault!(
    SOON,
    "certificate-expires-soon",
    Low,
    ("certificate of `{user}` expires in {days} days, at {expires}", "`{user}` 的证书将在 {days} 天后（{expires}）过期"),
    ("What logs in with it stops working then.", "届时使用它登录的程序将停止工作。"),
    ("renew it", "更新该证书"),
);

fault!(
    LONG,
    "certificate-long-lived",
    Medium,
    ("certificate of `{user}` is valid for {days} more days, until {expires}", "`{user}` 的证书还有 {days} 天有效期，至 {expires}"),
    (
        "Kubernetes has no revocation of client certificates: one that is lost lets in until it expires.",
        "Kubernetes 无法吊销客户端证书：一旦丢失，在过期之前都可被用来登录。"
    ),
    (
        "issue certificates for a year or less, for people for hours; set `--cluster-signing-duration` and `spec.expirationSeconds`",
        "签发一年以内的证书，给人使用的以小时计；设置 `--cluster-signing-duration` 与 `spec.expirationSeconds`"
    ),
);

fault!(
    WEAK_KEY,
    "certificate-weak-key",
    High,
    ("certificate of `{user}` has a key of {kind} with {bits} bits", "`{user}` 的证书使用 {bits} 位的 {kind} 密钥"),
    ("A key of this size can be computed from the certificate.", "这种长度的密钥可以由证书推算出来。"),
    ("make a new key: RSA with 2048 bits or more, EC P-256, or Ed25519", "生成新密钥：2048 位以上的 RSA、EC P-256 或 Ed25519"),
);

fault!(
    WEAK_SIGNATURE,
    "certificate-weak-signature",
    Medium,
    ("certificate of `{user}` is signed with {signature}", "`{user}` 的证书使用 {signature} 签名"),
    ("Such signatures can be forged, and current API servers refuse them.", "此类签名可被伪造，当前的 API server 也会拒绝。"),
    ("sign with SHA-256 or better", "使用 SHA-256 或更强的算法签名"),
);

fault!(
    SERVICE_ACCOUNT_NAME,
    "certificate-service-account",
    High,
    ("certificate names the ServiceAccount `{user}`", "证书冒用了 ServiceAccount `{user}` 的名字"),
    (
        "It has every permission of the ServiceAccount, is bound to no pod, and stays good when the account is deleted: a known way to stay in a cluster.",
        "它拥有该 ServiceAccount 的全部权限，不与任何 Pod 绑定，账号删除后依然有效：这是一种已知的持久化手法。"
    ),
    ("find out who asked for it; if nobody did, replace the client CA", "查明是谁申请的；若无人知晓，请更换客户端 CA"),
);

fault!(
    NO_USER,
    "certificate-no-user",
    Low,
    (
        "certificate with the subject `{subject}` has no common name, so the API server takes it for nobody",
        "主题为 `{subject}` 的证书没有通用名，API server 不会将其识别为任何用户"
    ),
    (
        "The common name is the user; without it the certificate is passed over and the request is judged without it.",
        "通用名即用户名；没有它，证书会被忽略，请求将按无此凭据处理。"
    ),
    ("issue it with `CN=` the user and `O=` each group", "签发时使用 `CN=` 用户、`O=` 每个组"),
);

fault!(
    NOT_FOR_CLIENTS,
    "certificate-not-for-clients",
    Low,
    ("certificate of `{user}` is not meant for clients ({usages})", "`{user}` 的证书并非用于客户端（{usages}）"),
    ("The API server refuses a client certificate that states uses and not this one.", "若证书声明了用途而不含客户端认证，API server 会拒绝它。"),
    ("issue it with the extended key usage `clientAuth`", "签发时加入扩展用途 `clientAuth`"),
);

pub(super) static FAULTS: [&super::Fault; 10] =
    [&MASTERS_CERTIFICATE, &EXPIRED, &NOT_YET, &SOON, &LONG, &WEAK_KEY, &WEAK_SIGNATURE, &SERVICE_ACCOUNT_NAME, &NO_USER, &NOT_FOR_CLIENTS];

/// Adds what is known of a certificate to `login`.
pub(super) fn describe(login: Login, certificate: &Certificate) -> Login {
    login
        .fact("user", certificate.common_name.as_str())
        .fact("groups", certificate.organizations.clone())
        .fact_if("uid", certificate.uid.as_deref())
        .fact("issuer", certificate.issuer.as_str())
        .fact("notBefore", certificate.not_before.to_string())
        .fact("notAfter", certificate.not_after.to_string())
        .fact("key", certificate.key.to_string())
        .fact("signature", certificate.signature.as_str())
        .fact("sha256", certificate.sha256.as_str())
}

/// How much of a certificate's time is left.
pub(super) fn days_left(certificate: &Certificate, now: Timestamp) -> i64 {
    let from = now.max(certificate.not_before);
    whole_days(certificate.not_after.duration_since(from))
}

pub(super) fn whole_days(duration: SignedDuration) -> i64 {
    duration.as_secs() / 86_400
}

/// Judges a certificate with which somebody logs in.
pub(super) fn judge_client(certificate: &Certificate, now: Timestamp) -> Vec<Judgement> {
    let user = named(certificate);
    let expires = certificate.not_after.to_string();
    if certificate.not_after < now {
        return vec![Judgement::new(&EXPIRED, [("user", user), ("expires", expires)])];
    }
    let mut found = Vec::new();
    if certificate.organizations.iter().any(|group| group == MASTERS) {
        found.push(Judgement::new(&MASTERS_CERTIFICATE, [("user", user.clone()), ("expires", expires.clone())]));
    }
    if certificate.common_name.is_empty() {
        found.push(Judgement::new(&NO_USER, [("subject", certificate.subject.clone())]));
    }
    if certificate.common_name.starts_with("system:serviceaccount:") {
        found.push(Judgement::new(&SERVICE_ACCOUNT_NAME, [("user", user.clone())]));
    }
    if !certificate.usages.is_empty() && !certificate.usages.iter().any(|usage| matches!(usage.as_str(), "client-auth" | "any")) {
        found.push(Judgement::new(&NOT_FOR_CLIENTS, [("user", user.clone()), ("usages", certificate.usages.join(", "))]));
    }
    let days = days_left(certificate, now);
    if certificate.not_before > now {
        found.push(Judgement::new(&NOT_YET, [("user", user.clone()), ("begins", certificate.not_before.to_string())]));
    }
    if days > REMAINING_MAX_DAYS {
        found.push(Judgement::new(&LONG, [("user", user.clone()), ("days", days.to_string()), ("expires", expires.clone())]));
    } else if days < SOON_DAYS {
        found.push(Judgement::new(&SOON, [("user", user.clone()), ("days", days.to_string()), ("expires", expires)]));
    }
    found.extend(judge_strength(certificate));
    found
}

/// Judges the key and the signature of a certificate.
pub(super) fn judge_strength(certificate: &Certificate) -> Vec<Judgement> {
    let user = named(certificate);
    let mut found = Vec::new();
    if certificate.key.is_short() {
        let bits = certificate.key.bits.map_or_else(|| "?".to_owned(), |bits| bits.to_string());
        found.push(Judgement::new(&WEAK_KEY, [("user", user.clone()), ("kind", certificate.key.kind.clone()), ("bits", bits)]));
    }
    // A root vouches for itself; its signature proves nothing.
    let is_root = certificate.is_authority && certificate.subject == certificate.issuer;
    if !is_root && certificate.has_broken_hash() {
        found.push(Judgement::new(&WEAK_SIGNATURE, [("user", user), ("signature", certificate.signature.clone())]));
    }
    found
}

/// What a certificate is called: its user, or its subject if it has none.
pub(super) fn named(certificate: &Certificate) -> String {
    if certificate.common_name.is_empty() { certificate.subject.clone() } else { certificate.common_name.clone() }
}
