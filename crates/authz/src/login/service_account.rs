//! Tokens of service accounts: those in Secrets, those that pods are given, and how the API server makes and checks them.

use std::collections::{BTreeMap, BTreeSet};

use bartizan_cluster::component::{Component, ComponentView};
use bartizan_cluster::{Kind, ObjectView, PodView, field};
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::Place;
use super::certificate::whole_days;
use super::fault::{Judgement, fault};
use super::ground::{Flags, Ground};
use super::token::Token;
use super::{Login, Mechanism, Section, State};

/// A token that nobody has used for so long is one that nobody uses.
const UNUSED_DAYS: i64 = 90;

/// What the server puts into pods lives this long; longer is somebody's wish.
const SECONDS_USUAL: i64 = 3607;

/// So many workloads of one account are named.
const NAMED_MAX: usize = 8;

fault!(
    SECRET_TOKEN,
    "service-account-token-secret",
    Medium,
    (
        "Secret `{secret}` holds a token of the ServiceAccount `{account}` that never expires",
        "Secret `{secret}` 保存着 ServiceAccount `{account}` 永不过期的令牌"
    ),
    (
        "Whoever reads the Secret once is that ServiceAccount until somebody deletes it, from anywhere.",
        "只要读到一次该 Secret，就能在任何地方一直冒充该 ServiceAccount，直到它被删除。"
    ),
    ("use tokens that pods are given, or `kubectl create token`, and delete the Secret", "使用投射到 Pod 的令牌或 `kubectl create token`，并删除该 Secret"),
);

fault!(
    UNUSED,
    "service-account-token-unused",
    Medium,
    ("token in the Secret `{secret}` was last used {when}", "Secret `{secret}` 中的令牌最后一次使用：{when}"),
    ("Nothing needs it, and it still lets in.", "没有任何程序需要它，但它仍可用于登录。"),
    ("delete the Secret", "删除该 Secret"),
);

fault!(
    INVALIDATED,
    "service-account-token-invalidated",
    Low,
    ("token in the Secret `{secret}` has been refused since {since} and is still there", "Secret `{secret}` 中的令牌自 {since} 起已失效，但仍然存在"),
    (
        "The controller manager marks tokens that nobody used and deletes them a year later; taking the label off revives the token.",
        "控制器管理器会标记长期未用的令牌并在一年后删除；去掉标签即可使其恢复有效。"
    ),
    ("delete the Secret", "删除该 Secret"),
);

fault!(
    ORPHAN,
    "service-account-token-orphan",
    Low,
    ("Secret `{secret}` is for the ServiceAccount `{account}`, which does not exist", "Secret `{secret}` 属于不存在的 ServiceAccount `{account}`"),
    (
        "The controller manager deletes such Secrets; until then whoever creates the account revives what it holds.",
        "控制器管理器会删除此类 Secret；在此之前，创建该账号会使其内容重新有意义。"
    ),
    ("delete the Secret", "删除该 Secret"),
);

fault!(
    COPIED,
    "service-account-token-copied",
    High,
    (
        "`{key}` of the Secret `{secret}` is a token of the ServiceAccount `{account}` ({life})",
        "Secret `{secret}` 的 `{key}` 是 ServiceAccount `{account}` 的令牌（{life}）"
    ),
    (
        "The server does not know that the token stands there: deleting the account or its own Secret is the only way to take it back.",
        "服务器并不知道令牌存放于此：只有删除账号或其自身的 Secret 才能收回它。"
    ),
    ("give the program that uses it a projected token, and delete the copy", "为使用它的程序提供投射令牌，并删除这份副本"),
);

fault!(
    LONG_PROJECTION,
    "service-account-token-long-projection",
    Low,
    ("token for `{path}` is asked for with {seconds} seconds", "`{path}` 的令牌申请了 {seconds} 秒的有效期"),
    ("A token that is stolen lets in until it expires, or until its pod is gone.", "被盗的令牌在过期或其 Pod 消失之前都可用于登录。"),
    ("leave `expirationSeconds` out: an hour, renewed by the kubelet", "省略 `expirationSeconds`：默认一小时，由 kubelet 自动续期"),
);

fault!(
    DEFAULT_AUDIENCE,
    "service-account-token-default-audience",
    Low,
    ("token for `{path}` has no audience, so it is good for the API server", "`{path}` 的令牌未指定受众，因此对 API server 有效"),
    (
        "A token that another service is meant to see lets that service act as this ServiceAccount.",
        "若令牌是给其他服务看的，该服务便能以此 ServiceAccount 的身份行事。"
    ),
    ("set `audience` to the service that the token is for", "将 `audience` 设为令牌所面向的服务"),
);

fault!(
    NEEDLESS_MOUNT,
    "service-account-token-needless",
    Low,
    (
        "token of the ServiceAccount `{account}`, to which nothing is bound, is mounted by {workloads}",
        "未绑定任何权限的 ServiceAccount `{account}` 的令牌被 {workloads} 挂载"
    ),
    (
        "What the pod gains is what everybody who is logged in may do; what an attacker gains is a way to the API server.",
        "Pod 得到的只是所有已登录者共有的权限；攻击者得到的则是通往 API server 的入口。"
    ),
    ("set `automountServiceAccountToken: false` on the account", "在该账号上设置 `automountServiceAccountToken: false`"),
);

fault!(
    NO_LOOKUP,
    "service-account-lookup-off",
    High,
    ("API server does not look whether tokens of ServiceAccounts were deleted", "API server 不检查 ServiceAccount 令牌是否已被删除"),
    ("A token in a Secret stays good after the Secret or the account is gone.", "即使 Secret 或账号已删除，其中的令牌依然有效。"),
    ("take `--service-account-lookup=false` away", "去掉 `--service-account-lookup=false`"),
);

fault!(
    EXTENDED,
    "service-account-extended-expiration",
    Low,
    ("API server makes the tokens of pods good for a year instead of an hour", "API server 将 Pod 令牌的有效期从一小时延长为一年"),
    (
        "The extension helps programs that do not read their token again; it also helps whoever steals one.",
        "该延长是为不会重新读取令牌的程序准备的，但同样方便了窃取令牌的人。"
    ),
    (
        "watch the metric `serviceaccount_stale_tokens_total`; when it stays at zero, set `--service-account-extend-token-expiration=false`",
        "观察指标 `serviceaccount_stale_tokens_total`；持续为零时设置 `--service-account-extend-token-expiration=false`"
    ),
);

fault!(
    NO_MAXIMUM,
    "service-account-no-maximum-expiration",
    Low,
    ("API server sets no limit to how long a token of a ServiceAccount may be asked for", "API server 未限制 ServiceAccount 令牌可申请的最长有效期"),
    ("Whoever may create tokens can have one that lives for years.", "能够创建令牌的人可以申请长达数年的令牌。"),
    ("set `--service-account-max-token-expiration`, for example to `24h`", "设置 `--service-account-max-token-expiration`，例如 `24h`"),
);

fault!(
    MANY_ISSUERS,
    "service-account-many-issuers",
    Low,
    ("API server accepts tokens of {count} issuers of ServiceAccounts", "API server 接受 {count} 个 ServiceAccount 颁发者的令牌"),
    (
        "Several are meant for the time of a change; tokens of the old one stay good as long as it stands there.",
        "多个颁发者只应存在于迁移期间；旧颁发者只要还在，其令牌就有效。"
    ),
    ("take the old `--service-account-issuer` away when its tokens have expired", "待旧令牌过期后，去掉旧的 `--service-account-issuer`"),
);

fault!(
    AUDIENCES,
    "service-account-api-audiences",
    Medium,
    ("API server takes tokens for {audiences} as meant for itself", "API server 将面向 {audiences} 的令牌视为发给自己的"),
    (
        "A token that was made for such a service, and that the service sees, lets it act at the API server.",
        "为此类服务签发并被其看到的令牌，可让该服务操作 API server。"
    ),
    ("leave only the issuer and names of the API server itself in `--api-audiences`", "在 `--api-audiences` 中只保留颁发者与 API server 自身的名字"),
);

pub(super) static FAULTS: [&super::Fault; 13] = [
    &SECRET_TOKEN,
    &UNUSED,
    &INVALIDATED,
    &ORPHAN,
    &COPIED,
    &LONG_PROJECTION,
    &DEFAULT_AUDIENCE,
    &NEEDLESS_MOUNT,
    &NO_LOOKUP,
    &EXTENDED,
    &NO_MAXIMUM,
    &MANY_ISSUERS,
    &AUDIENCES,
];

pub(super) fn section(ground: &Ground<'_>) -> Section {
    let mut section = Section::new(Mechanism::ServiceAccountTokens);
    section.needs_server(ground);
    section.needs(ground, Kind::Secret, None);
    section.needs(ground, Kind::ServiceAccount, None);
    section.needs(ground, Kind::ClusterRoleBinding, None);
    section.needs(ground, Kind::RoleBinding, None);
    // There is no API server without them: the issuer is a flag that must be given.
    section.state = State::On;
    for server in &ground.servers {
        section.logins.push(of_server(server));
    }
    for secret in ground.snapshot.of_kind(Kind::Secret) {
        if secret.root().str(field::TYPE) == Some("kubernetes.io/service-account-token") {
            section.logins.push(of_secret(ground, secret));
        } else {
            section.logins.extend(copies(ground, secret));
        }
    }
    of_pods(ground, &mut section);
    section
}

fn of_server(server: &Flags<'_>) -> Login {
    let issuers: Vec<String> = server.all("service-account-issuer").into_iter().map(|value| value.text).collect();
    let audiences = server.items("api-audiences");
    let mut found = Vec::new();
    if let Some((false, place)) = server.switch("service-account-lookup") {
        found.push(Judgement::new(&NO_LOOKUP, []).at(place));
    }
    let extends = server.switch("service-account-extend-token-expiration");
    if extends.as_ref().is_none_or(|(is_on, _)| *is_on) {
        let judgement = Judgement::new(&EXTENDED, []);
        found.push(match &extends {
            Some((_, place)) => judgement.at(place.clone()),
            None => judgement,
        });
    }
    let maximum = server.value("service-account-max-token-expiration").filter(|value| !matches!(value.text.as_str(), "" | "0" | "0s"));
    if maximum.is_none() {
        found.push(Judgement::new(&NO_MAXIMUM, []));
    }
    if issuers.len() > 1 {
        found.push(Judgement::new(&MANY_ISSUERS, [("count", issuers.len().to_string())]));
    }
    let is_own = |audience: &str| {
        issuers.iter().any(|issuer| issuer == audience)
            || audience == "kubernetes"
            || audience.starts_with("kubernetes.default")
            || audience.starts_with("https://kubernetes.default")
    };
    let foreign: Vec<String> = audiences.iter().filter(|audience| !is_own(audience)).map(|audience| format!("`{audience}`")).collect();
    if !foreign.is_empty() {
        let judgement = Judgement::new(&AUDIENCES, [("audiences", foreign.join(", "))]);
        found.push(server.value("api-audiences").map_or_else(|| judgement.clone(), |value| judgement.clone().at(value.place)));
    }
    let effective = if audiences.is_empty() { issuers.clone() } else { audiences };
    Login::new("tokens of ServiceAccounts", server.place.clone())
        .fact("issuers", issuers)
        .fact("apiAudiences", effective)
        .fact("lookup", server.switch("service-account-lookup").is_none_or(|(is_on, _)| is_on))
        .fact("extendTokenExpiration", extends.is_none_or(|(is_on, _)| is_on))
        .fact_if("maxTokenExpiration", maximum.map(|value| value.text))
        .judged(found)
}

/// A Secret in which the server keeps a token that never expires.
fn of_secret(ground: &Ground<'_>, secret: ObjectView<'_>) -> Login {
    let account = secret.annotation("kubernetes.io/service-account.name").unwrap_or("");
    let namespace = secret.namespace().unwrap_or("default");
    let name = format!("{namespace}/{}", secret.name());
    let shown = format!("{namespace}/{account}");
    let last_used = secret.label("kubernetes.io/legacy-token-last-used");
    let invalid_since = secret.label("kubernetes.io/legacy-token-invalid-since");
    let entry = secret.secret().and_then(|facts| facts.entry("token"));
    let mut found = Vec::new();
    if let Some(since) = invalid_since {
        found.push(Judgement::new(&INVALIDATED, [("secret", name.clone()), ("since", since.to_owned())]));
    } else {
        found.push(Judgement::new(&SECRET_TOKEN, [("secret", name.clone()), ("account", shown.clone())]));
        if let Some(when) = unused(ground, last_used) {
            found.push(Judgement::new(&UNUSED, [("secret", name.clone()), ("when", when)]));
        }
    }
    let is_listed = ground.snapshot.gap(Kind::ServiceAccount, Some(namespace)).is_none();
    let has_accounts = ground.snapshot.of_kind(Kind::ServiceAccount).any(|other| other.namespace() == Some(namespace));
    if is_listed && has_accounts && ground.snapshot.find(Kind::ServiceAccount, Some(namespace), account).is_none() {
        found.push(Judgement::new(&ORPHAN, [("secret", name), ("account", shown.clone())]));
    }
    let login = Login::new(format!("token Secret of {shown}"), ground.place(secret))
        .fact("account", shown)
        .fact("hasToken", entry.is_some())
        .fact_if("lastUsed", last_used)
        .fact_if("invalidSince", invalid_since);
    let token = entry.and_then(|entry| Token::of(&entry.content));
    token.map_or(login.clone(), |token| token.describe(login)).judged(found)
}

/// When a token was last used, if that is long ago. The server writes the day into a label whenever the token is used.
fn unused(ground: &Ground<'_>, last_used: Option<&str>) -> Option<String> {
    let day: Date = last_used?.parse().ok()?;
    let time = day.to_zoned(TimeZone::UTC).ok()?.timestamp();
    let days = whole_days(ground.now().duration_since(time));
    (days > UNUSED_DAYS).then(|| format!("{day} ({days}d)"))
}

/// Tokens of service accounts that stand in Secrets of other types.
fn copies(ground: &Ground<'_>, secret: ObjectView<'_>) -> Vec<Login> {
    let mut found = Vec::new();
    for entry in secret.secret().into_iter().flat_map(|facts| &facts.entries) {
        let Some(token) = Token::of(&entry.content) else { continue };
        let Some((namespace, account)) = token.service_account() else { continue };
        let expires = token.time("exp");
        if expires.is_some_and(|expires| expires < ground.now()) {
            continue;
        }
        let name = format!("{}/{}", secret.namespace().unwrap_or("default"), secret.name());
        let life = expires.map_or_else(|| "never expires".to_owned(), |expires| format!("expires {expires}"));
        let args = [("key", entry.key.clone()), ("secret", name.clone()), ("account", format!("{namespace}/{account}")), ("life", life)];
        let mut place = ground.place(secret);
        place.path = format!("data.{}", entry.key);
        let login = Login::new(format!("token in Secret {name}"), place);
        found.push(token.describe(login).judged([Judgement::new(&COPIED, args)]));
    }
    found
}

/// What is known of the use of one ServiceAccount.
#[derive(Default)]
struct Use {
    mounts: BTreeSet<String>,
}

/// Tokens that pods are given: those they ask for, and the one they get unless they refuse.
fn of_pods(ground: &Ground<'_>, section: &mut Section) {
    let mut uses: BTreeMap<(String, String), Use> = BTreeMap::new();
    for object in ground.snapshot.objects() {
        // What a controller made says the same again.
        let is_owned = object.metadata().and_then(|metadata| metadata.get(field::OWNER_REFERENCES)).is_some();
        if is_owned {
            continue;
        }
        for pod in PodView::of(object) {
            let account = (pod.namespace().to_owned(), pod.service_account().to_owned());
            let found = ground.snapshot.find(Kind::ServiceAccount, Some(&account.0), &account.1);
            let on_account = found.and_then(|account| account.root().bool(field::AUTOMOUNT_SERVICE_ACCOUNT_TOKEN));
            let is_mounted = pod.spec().bool(field::AUTOMOUNT_SERVICE_ACCOUNT_TOKEN).or(on_account).unwrap_or(true) && !is_static(pod);
            let entry = uses.entry(account).or_default();
            if is_mounted {
                entry.mounts.insert(format!("{} {}/{}", object.kind_name(), pod.namespace(), object.name()));
            }
            section.logins.extend(projections(ground, pod));
        }
    }
    for account in ground.snapshot.of_kind(Kind::ServiceAccount) {
        uses.entry((account.namespace().unwrap_or("default").to_owned(), account.name().to_owned())).or_default();
    }
    let bound = Bound::of(ground);
    for ((namespace, name), usage) in uses {
        section.logins.extend(of_account(ground, &namespace, &name, &usage, &bound));
    }
}

/// Pods that the kubelet makes from files get no token; manifests of the control plane are such files.
fn is_static(pod: PodView<'_>) -> bool {
    pod.is_mirror() || Component::ALL.into_iter().any(|component| ComponentView::of(component, pod).is_some())
}

/// Which service accounts something is bound to.
struct Bound {
    accounts: BTreeSet<(String, String)>,
    groups: BTreeSet<String>,
    is_whole: bool,
}

impl Bound {
    fn of(ground: &Ground<'_>) -> Self {
        let kinds = [Kind::ClusterRoleBinding, Kind::RoleBinding];
        let mut bound = Self {
            accounts: BTreeSet::new(),
            groups: BTreeSet::new(),
            // In manifests without a single binding, nobody keeps bindings.
            is_whole: kinds.iter().all(|&kind| ground.snapshot.gap(kind, None).is_none())
                && kinds.iter().any(|&kind| ground.snapshot.of_kind(kind).next().is_some()),
        };
        for binding in kinds.into_iter().flat_map(|kind| ground.snapshot.of_kind(kind)) {
            for subject in binding.root().list(field::SUBJECTS) {
                let name = subject.str(field::NAME).unwrap_or("").to_owned();
                match subject.str(field::KIND) {
                    Some("ServiceAccount") => {
                        let namespace = subject.str(field::NAMESPACE).or(binding.namespace()).unwrap_or("").to_owned();
                        bound.accounts.insert((namespace, name));
                    }
                    Some("User") => bound.accounts.extend(
                        name.strip_prefix("system:serviceaccount:")
                            .and_then(|rest| rest.split_once(':'))
                            .map(|(namespace, name)| (namespace.to_owned(), name.to_owned())),
                    ),
                    Some("Group") => {
                        bound.groups.insert(name);
                    }
                    _ => {}
                }
            }
        }
        bound
    }

    fn is_bound(&self, namespace: &str, name: &str) -> bool {
        self.accounts.contains(&(namespace.to_owned(), name.to_owned()))
            || self.groups.contains("system:serviceaccounts")
            || self.groups.contains(&format!("system:serviceaccounts:{namespace}"))
    }
}

fn of_account(ground: &Ground<'_>, namespace: &str, name: &str, usage: &Use, bound: &Bound) -> Option<Login> {
    let account = ground.snapshot.find(Kind::ServiceAccount, Some(namespace), name);
    if account.is_none() && usage.mounts.is_empty() {
        return None;
    }
    let shown = format!("{namespace}/{name}");
    let automount = account.and_then(|account| account.root().bool(field::AUTOMOUNT_SERVICE_ACCOUNT_TOKEN));
    let is_bound = bound.is_bound(namespace, name);
    let mut found = Vec::new();
    if bound.is_whole && !is_bound && !usage.mounts.is_empty() {
        found.push(Judgement::new(&NEEDLESS_MOUNT, [("account", shown.clone()), ("workloads", listed(&usage.mounts))]));
    }
    let place = account.map_or_else(Place::default, |account| ground.place(account));
    let login = Login::new(format!("ServiceAccount {shown}"), place)
        .fact_if("automount", automount)
        .fact("mountedBy", usage.mounts.len())
        .fact_if("isBound", bound.is_whole.then_some(is_bound));
    Some(login.judged(found))
}

fn listed(names: &BTreeSet<String>) -> String {
    let mut text = names.iter().take(NAMED_MAX).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if names.len() > NAMED_MAX {
        text.push_str(&format!(" (+{})", names.len() - NAMED_MAX));
    }
    text
}

/// The tokens that a pod asks for in projected volumes.
fn projections(ground: &Ground<'_>, pod: PodView<'_>) -> Vec<Login> {
    let mut found = Vec::new();
    for volume in pod.volumes() {
        let volume_name = volume.str(field::NAME).unwrap_or("");
        let sources = volume.get(field::PROJECTED).into_iter().flat_map(|projected| projected.list(field::SOURCES));
        for token in sources.filter_map(|source| source.get(field::SERVICE_ACCOUNT_TOKEN)) {
            let place = Place::of(ground.snapshot, pod.object(), token);
            let path = token.str(field::PATH).unwrap_or("");
            let audience = token.entry("audience").and_then(bartizan_cluster::Value::as_str).unwrap_or("");
            let seconds = token.entry("expirationSeconds").and_then(bartizan_cluster::Value::as_i64);
            // What admission puts there is every pod's.
            if volume_name.starts_with("kube-api-access-") && audience.is_empty() && seconds.is_none_or(|seconds| seconds <= SECONDS_USUAL) {
                continue;
            }
            let shown = format!("{volume_name}/{path}");
            let mut judgements = Vec::new();
            if let Some(seconds) = seconds.filter(|&seconds| seconds > SECONDS_USUAL) {
                judgements.push(Judgement::new(&LONG_PROJECTION, [("path", shown.clone()), ("seconds", seconds.to_string())]));
            }
            if audience.is_empty() {
                judgements.push(Judgement::new(&DEFAULT_AUDIENCE, [("path", shown.clone())]));
            }
            let owner = pod.object();
            let name = format!("projected token of {} {}/{}", owner.kind_name(), pod.namespace(), owner.name());
            found.push(
                Login::new(name, place)
                    .fact("account", format!("{}/{}", pod.namespace(), pod.service_account()))
                    .fact("volume", volume_name)
                    .fact("path", path)
                    .fact("audience", audience)
                    .fact("expirationSeconds", seconds.unwrap_or(3600))
                    .judged(judgements),
            );
        }
    }
    found
}
