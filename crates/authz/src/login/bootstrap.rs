//! Bootstrap tokens: with which new nodes ask for their certificates, and what else they let in.

use bartizan_cluster::secret::Content;
use bartizan_cluster::{Kind, ObjectView, field};
use jiff::Timestamp;

use super::certificate::whole_days;
use super::fault::{Judgement, fault};
use super::ground::Ground;
use super::{Login, Mechanism, Section, State};

/// kubeadm's tokens live a day; joining takes minutes.
const DAYS_MAX: i64 = 7;

/// The group that kubeadm gives its tokens.
const KUBEADM_GROUP: &str = "system:bootstrappers:kubeadm:default-node-token";
const GROUP: &str = "system:bootstrappers";

/// Roles that a node needs to join, and no more.
const JOINING_ROLES: [&str; 7] =
    ["system:node-bootstrapper", NODE_CLIENT, SELF_NODE_CLIENT, "kubeadm:get-nodes", "kubeadm:kubelet-config", "kubeadm:nodes-kubeadm-config", "kube-proxy"];
const NODE_CLIENT: &str = "system:certificates.k8s.io:certificatesigningrequests:nodeclient";
const SELF_NODE_CLIENT: &str = "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient";

fault!(
    NO_EXPIRY,
    "bootstrap-token-no-expiry",
    High,
    ("bootstrap token `{id}` never expires", "引导令牌 `{id}` 永不过期"),
    ("Whoever learns it can join a machine of their own to the cluster, at any time.", "得知它的人随时都能把自己的机器加入集群。"),
    ("delete it, and make tokens that live for hours (`kubeadm token create --ttl 2h`)", "删除它，改用有效期以小时计的令牌（`kubeadm token create --ttl 2h`）"),
);

fault!(
    LEFT_OVER,
    "bootstrap-token-expired",
    Low,
    ("bootstrap token `{id}` expired at {expires} and is still there", "引导令牌 `{id}` 已于 {expires} 过期，但仍然存在"),
    (
        "The token cleaner of the controller manager deletes such Secrets; that it has not means that it does not run.",
        "控制器管理器的 token cleaner 会删除此类 Secret；它仍在说明该控制器没有运行。"
    ),
    ("delete the Secret, and let the controller `token-cleaner-controller` run", "删除该 Secret，并启用控制器 `token-cleaner-controller`"),
);

fault!(
    LONG,
    "bootstrap-token-long-lived",
    Medium,
    ("bootstrap token `{id}` is good for {days} more days", "引导令牌 `{id}` 还有 {days} 天有效期"),
    ("A token is needed for the minutes in which a node joins.", "只有节点加入的几分钟内才需要令牌。"),
    ("delete it after the nodes have joined, and make tokens that live for hours", "节点加入后删除它，并使用有效期以小时计的令牌"),
);

fault!(
    EXTRA_GROUPS,
    "bootstrap-token-extra-groups",
    Medium,
    ("bootstrap token `{id}` is in the groups {groups}", "引导令牌 `{id}` 属于组 {groups}"),
    ("Everything that is bound to these groups is open to whoever has the token.", "绑定给这些组的权限，对任何持有该令牌的人开放。"),
    (
        "leave only the group that joining needs (kubeadm: `system:bootstrappers:kubeadm:default-node-token`)",
        "只保留加入所需的组（kubeadm 为 `system:bootstrappers:kubeadm:default-node-token`）"
    ),
);

fault!(
    MALFORMED,
    "bootstrap-token-malformed",
    Low,
    ("Secret `{name}` is of the type of bootstrap tokens and lets nobody in: {reason}", "Secret `{name}` 的类型为引导令牌，但无法用于登录：{reason}"),
    ("It looks like a credential and is none; its values are still worth hiding.", "它看似凭据却无法使用；但其中的值仍需保密。"),
    ("delete it", "删除它"),
);

fault!(
    WIDE_APPROVAL,
    "bootstrap-auto-approval-wide",
    Critical,
    ("certificates of nodes are approved for `{subject}` without anybody looking", "`{subject}` 申请的节点证书会被自动批准"),
    (
        "Whoever is in it gets a client certificate of a node, and with that the Secrets of the pods on it.",
        "其中任何人都能拿到节点的客户端证书，进而获得该节点上 Pod 的 Secret。"
    ),
    (
        "bind `nodeclient` to the group of the bootstrap tokens and `selfnodeclient` to `system:nodes`, and to nobody else",
        "只将 `nodeclient` 绑定给引导令牌的组、将 `selfnodeclient` 绑定给 `system:nodes`"
    ),
);

fault!(
    APPROVAL,
    "bootstrap-auto-approval",
    Medium,
    ("certificates of nodes are approved for `{subject}` without anybody looking", "`{subject}` 申请的节点证书会被自动批准"),
    ("It can become any node that it names.", "它可以冒充它所指名的任意节点。"),
    (
        "bind `nodeclient` to the group of the bootstrap tokens and `selfnodeclient` to `system:nodes`, and to nobody else",
        "只将 `nodeclient` 绑定给引导令牌的组、将 `selfnodeclient` 绑定给 `system:nodes`"
    ),
);

fault!(
    GROUP_POWER,
    "bootstrap-group-power",
    High,
    ("group `{group}` of bootstrap tokens holds the role `{role}`", "引导令牌的组 `{group}` 拥有角色 `{role}`"),
    ("A bootstrap token passes through many hands: images, user data of machines, chat.", "引导令牌会经过许多地方：镜像、机器的用户数据、聊天记录。"),
    ("bind the group only to what joining needs", "只为该组绑定加入所需的角色"),
);

pub(super) static FAULTS: [&super::Fault; 8] = [&NO_EXPIRY, &LEFT_OVER, &LONG, &EXTRA_GROUPS, &MALFORMED, &WIDE_APPROVAL, &APPROVAL, &GROUP_POWER];

pub(super) fn section(ground: &Ground<'_>) -> Section {
    let mut section = Section::new(Mechanism::BootstrapTokens);
    section.needs_server(ground);
    section.needs(ground, Kind::Secret, Some("kube-system"));
    section.needs(ground, Kind::ClusterRoleBinding, None);
    let switches: Vec<_> = ground.servers.iter().map(|server| server.switch("enable-bootstrap-token-auth")).collect();
    section.state = match (switches.iter().flatten().any(|(is_on, _)| *is_on), switches.is_empty()) {
        (true, _) => State::On,
        // The flag is off unless it is given.
        (false, false) => State::Off,
        (false, true) => State::Unknown,
    };
    for (is_on, place) in switches.into_iter().flatten() {
        section.logins.push(Login::new("bootstrap token authentication", place).fact("enabled", is_on));
    }
    for secret in ground.snapshot.of_kind(Kind::Secret) {
        if secret.root().str(field::TYPE) == Some("bootstrap.kubernetes.io/token") {
            section.logins.push(of_secret(ground, secret, section.state));
        }
    }
    bindings(ground, &mut section);
    section
}

fn of_secret(ground: &Ground<'_>, secret: ObjectView<'_>, state: State) -> Login {
    let text = |key: &str| match secret.secret()?.entry(key).map(|entry| &entry.content) {
        Some(Content::Text { text }) => Some(text.as_str()),
        _ => None,
    };
    let id = text("token-id").unwrap_or("");
    let expiration = text("expiration");
    let expires: Option<Timestamp> = expiration.and_then(|text| text.parse().ok());
    let groups: Vec<&str> = text("auth-extra-groups").unwrap_or("").split(',').map(str::trim).filter(|group| !group.is_empty()).collect();
    let logs_in = text("usage-bootstrap-authentication") == Some("true");
    let shown = if id.is_empty() { secret.name() } else { id };
    let mut found = Vec::new();
    let is_expired = expires.is_some_and(|expires| expires < ground.now());
    match fault_of(secret, id, expiration, expires, &groups) {
        Some(reason) => found.push(Judgement::new(&MALFORMED, [("name", secret.name().to_owned()), ("reason", reason.to_owned())])),
        None if is_expired => found.push(Judgement::new(&LEFT_OVER, [("id", shown.to_owned()), ("expires", expiration.unwrap_or("").to_owned())])),
        None => {
            match expires {
                None => found.push(Judgement::new(&NO_EXPIRY, [("id", shown.to_owned())])),
                Some(expires) => {
                    let days = whole_days(expires.duration_since(ground.now()));
                    if days > DAYS_MAX {
                        found.push(Judgement::new(&LONG, [("id", shown.to_owned()), ("days", days.to_string())]));
                    }
                }
            }
            let extra: Vec<&str> = groups.iter().copied().filter(|&group| group != KUBEADM_GROUP && group != GROUP).collect();
            if logs_in && !extra.is_empty() {
                found.push(Judgement::new(&EXTRA_GROUPS, [("id", shown.to_owned()), ("groups", quoted(&extra))]));
            }
        }
    }
    // Where the server does not ask for such tokens, they are only lying about.
    if state == State::Off {
        found.retain(|judgement| !std::ptr::eq(judgement.fault, &raw const EXTRA_GROUPS));
    }
    Login::new(format!("bootstrap token {shown}"), ground.place(secret))
        .fact("id", id)
        .fact("user", format!("system:bootstrap:{id}"))
        .fact_if("expiration", expiration)
        .fact("groups", std::iter::once(GROUP).chain(groups).collect::<Vec<_>>())
        .fact("authenticates", logs_in)
        .fact("signs", text("usage-bootstrap-signing") == Some("true"))
        .fact_if("description", text("description"))
        .judged(found)
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Why the API server would not take the token, whatever it is.
fn fault_of(secret: ObjectView<'_>, id: &str, expiration: Option<&str>, expires: Option<Timestamp>, groups: &[&str]) -> Option<&'static str> {
    let has_shape = |text: &str, length: usize| text.len() == length && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let secret_length = secret.secret().and_then(|facts| facts.entry("token-secret")).map(|entry| entry.length);
    if secret.namespace() != Some("kube-system") {
        return Some("it is not in the namespace kube-system");
    }
    if !has_shape(id, 6) {
        return Some("`token-id` is not six lower-case letters and digits");
    }
    if secret.name() != format!("bootstrap-token-{id}") {
        return Some("its name is not `bootstrap-token-` and its `token-id`");
    }
    if secret_length != Some(16) {
        return Some("`token-secret` does not have 16 characters");
    }
    if expiration.is_some() && expires.is_none() {
        return Some("`expiration` is no time in RFC 3339");
    }
    // The server refuses a token with a group of any other name.
    if groups.iter().any(|group| !is_bootstrap_group(group)) {
        return Some("a group in `auth-extra-groups` does not begin with `system:bootstrappers:`");
    }
    None
}

fn is_bootstrap_group(group: &str) -> bool {
    let Some(rest) = group.strip_prefix("system:bootstrappers:") else { return false };
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    rest.len() <= 256 && rest.bytes().all(|byte| is_plain(byte) || matches!(byte, b':' | b'-')) && rest.bytes().last().is_some_and(is_plain)
}

/// Bindings that approve certificates of nodes, and bindings of the tokens' groups.
fn bindings(ground: &Ground<'_>, section: &mut Section) {
    let all = [Kind::ClusterRoleBinding, Kind::RoleBinding].into_iter().flat_map(|kind| ground.snapshot.of_kind(kind));
    for binding in all {
        let role = binding.root().get(field::ROLE_REF).and_then(|role| role.str(field::NAME)).unwrap_or("");
        let approves = binding.kind() == Kind::ClusterRoleBinding && matches!(role, NODE_CLIENT | SELF_NODE_CLIENT);
        let mut found = Vec::new();
        for subject in binding.root().list(field::SUBJECTS) {
            let (kind, name) = (subject.str(field::KIND).unwrap_or(""), subject.str(field::NAME).unwrap_or(""));
            let place = super::Place::of(ground.snapshot, binding, subject);
            if approves {
                let fault = match (kind, name, role) {
                    ("Group", "system:authenticated" | "system:unauthenticated" | "system:serviceaccounts", _) | ("User", "system:anonymous", _) => {
                        &WIDE_APPROVAL
                    }
                    ("Group", "system:nodes", SELF_NODE_CLIENT) => continue,
                    ("Group", group, NODE_CLIENT) if group == GROUP || is_bootstrap_group(group) => continue,
                    _ => &APPROVAL,
                };
                found.push(Judgement::new(fault, [("subject", name.to_owned())]).at(place));
            } else if kind == "Group" && (name == GROUP || is_bootstrap_group(name)) && !JOINING_ROLES.contains(&role) {
                found.push(Judgement::new(&GROUP_POWER, [("group", name.to_owned()), ("role", role.to_owned())]).at(place));
            }
        }
        if approves || !found.is_empty() {
            let subjects: Vec<&str> = binding.root().list(field::SUBJECTS).filter_map(|subject| subject.str(field::NAME)).collect();
            section
                .logins
                .push(Login::new(format!("binding {}", binding.name()), ground.place(binding)).fact("role", role).fact("subjects", subjects).judged(found));
        }
    }
}
