//! `OpenID Connect`: issuers whose tokens the API server believes, by flags or by an `AuthenticationConfiguration`.

use bartizan_cluster::Value;
use bartizan_cluster::component_file::Home;
use bartizan_cluster::issuer::IssuerFacts;

use super::Place;
use super::authentication_configuration::{Invalid, url_faults, validate};
use super::certificate::whole_days;
use super::expression::Expression;
use super::fault::{Judgement, fault};
use super::ground::{Configured, Flags, Ground};
use super::{Issuer, Login, Mechanism, Section, State, UnseenFact};

/// Claims that people can change, or that are given to somebody else when they leave.
const MUTABLE: [&str; 6] = ["preferred_username", "name", "nickname", "unique_name", "upn", "display_name"];

/// Issuers at which anybody can have a token for any audience.
const SHARED: [&str; 8] = [
    "https://token.actions.githubusercontent.com",
    "https://gitlab.com",
    "https://oidc.circleci.com/org/",
    "https://app.terraform.io",
    "https://agent.buildkite.com",
    "https://api.bitbucket.org/",
    "https://oidc.eks.",
    "https://container.googleapis.com/",
];

const RSA_BITS_MIN: u32 = 2048;

/// A certificate of an issuer that expires sooner is told.
const SOON_DAYS: i64 = 14;

fault!(
    CONFIGURATION_INVALID,
    "authentication-configuration-invalid",
    High,
    ("API server does not take the configuration: `{path}`: {reason}", "API server 不接受该配置：`{path}`：{reason}"),
    (
        "A server that starts with it stops; a running one goes on with what it had, so that a change which was meant to lock somebody out does not.",
        "用它启动的服务器会退出；正在运行的服务器会沿用旧配置，本意要锁定某人的修改不会生效。"
    ),
    ("correct the field", "修正该字段"),
);

fault!(
    FLAGS_INVALID,
    "authentication-flags-invalid",
    Medium,
    ("API server does not start with these flags: {reason}", "API server 无法以这些参数启动：{reason}"),
    ("What is written here is not what runs.", "这里所写的与实际运行的并不一致。"),
    ("correct the flags", "修正这些参数"),
);

fault!(
    GROUPS_UNPREFIXED,
    "oidc-groups-unprefixed",
    High,
    ("groups of `{issuer}` count without a prefix", "来自 `{issuer}` 的组没有前缀"),
    (
        "Whoever can name a group at the issuer can name it `system:masters`, and is administrator past every authorizer.",
        "任何能在颁发者处命名组的人都可以将其命名为 `system:masters`，从而越过所有授权器成为管理员。"
    ),
    (
        "set a prefix (`--oidc-groups-prefix=oidc:`, `claimMappings.groups.prefix`), or a rule that refuses `system:` (`userValidationRules`), and change the bindings with it",
        "设置前缀（`--oidc-groups-prefix=oidc:`、`claimMappings.groups.prefix`），或用 `userValidationRules` 拒绝 `system:`，并相应修改绑定"
    ),
);

fault!(
    USERNAME_UNPREFIXED,
    "oidc-username-unprefixed",
    High,
    ("names of `{issuer}` count without a prefix", "来自 `{issuer}` 的用户名没有前缀"),
    (
        "A user of the issuer whose name is `system:kube-controller-manager`, or that of somebody who logs in by certificate, is taken for them.",
        "若颁发者处有用户名为 `system:kube-controller-manager`，或与某个使用证书登录的人同名，便会被当作对方。"
    ),
    (
        "set a prefix (`--oidc-username-prefix=oidc:`, `claimMappings.username.prefix`), or a rule that refuses `system:` (`userValidationRules`)",
        "设置前缀（`--oidc-username-prefix=oidc:`、`claimMappings.username.prefix`），或用 `userValidationRules` 拒绝 `system:`"
    ),
);

fault!(
    EMAIL_UNVERIFIED,
    "oidc-email-unverified",
    Medium,
    (
        "mail address is the name of a user of `{issuer}`, and a token that does not say that it is verified is taken",
        "`{issuer}` 以邮箱作为用户名，且未声明已验证的令牌也会被接受"
    ),
    (
        "The server refuses `email_verified: false` and takes a token without the claim: at an issuer that lets people type their address, anybody is anybody.",
        "服务器会拒绝 `email_verified: false`，却接受没有该声明的令牌：在允许自行填写邮箱的颁发者处，任何人都可以冒充他人。"
    ),
    (
        "use `sub`, or map with an expression, which the server makes ask for `claims.email_verified`",
        "改用 `sub`，或使用表达式映射，服务器会要求其中检查 `claims.email_verified`"
    ),
);

fault!(
    MUTABLE_CLAIM,
    "oidc-mutable-claim",
    Medium,
    ("name of a user of `{issuer}` is the claim `{claim}`, which can change hands", "`{issuer}` 的用户名取自可变的声明 `{claim}`"),
    ("Whoever gets the name gets the permissions of whoever had it.", "谁得到这个名字，谁就得到原主人的权限。"),
    ("use `sub`", "改用 `sub`"),
);

fault!(
    MANY_AUDIENCES,
    "oidc-many-audiences",
    Medium,
    ("tokens of `{issuer}` for any of {count} audiences let in", "`{issuer}` 面向 {count} 个受众的令牌都可登录"),
    (
        "A token that was given to one of these clients opens the cluster too, and each client sees its users' tokens.",
        "发给其中任一客户端的令牌都能打开集群，而每个客户端都能看到其用户的令牌。"
    ),
    ("give the cluster an audience of its own", "为集群使用独立的受众"),
);

fault!(
    SHARED_ISSUER,
    "oidc-shared-issuer",
    Critical,
    ("`{issuer}` gives tokens to anybody, and no rule tells whose are meant", "`{issuer}` 向任何人签发令牌，而没有规则限定接受谁的令牌"),
    (
        "Any customer of the issuer can ask for a token with the audience of this cluster; only what is bound to its user keeps it out.",
        "该颁发者的任何客户都能申请以本集群为受众的令牌；能阻止它的只有绑定给其用户的权限。"
    ),
    (
        "require a claim that names your organization (`--oidc-required-claim`, `claimValidationRules`)",
        "要求标明您所在组织的声明（`--oidc-required-claim`、`claimValidationRules`）"
    ),
);

fault!(
    ISSUER_MISMATCH,
    "oidc-issuer-mismatch",
    High,
    ("discovery document of `{issuer}` names the issuer `{found}`", "`{issuer}` 的发现文档声明的颁发者是 `{found}`"),
    ("The server takes no token of it; or somebody else answers in its place.", "服务器不会接受它的任何令牌；或者是他人在冒名应答。"),
    ("write the issuer exactly as its document names it, the last slash included", "按其文档所写精确填写颁发者，包括末尾的斜杠"),
);

fault!(
    ISSUER_KEY_WEAK,
    "oidc-issuer-key-weak",
    High,
    ("key `{key}` of `{issuer}` has only {bits} bits", "`{issuer}` 的密钥 `{key}` 只有 {bits} 位"),
    ("Whoever computes the private half can be anybody at this cluster.", "推算出私钥的人可以冒充本集群的任何用户。"),
    ("have the issuer use RSA with 2048 bits or more, or EC P-256", "让颁发者改用 2048 位以上的 RSA 或 EC P-256"),
);

fault!(
    ISSUER_KEY_PRIVATE,
    "oidc-issuer-key-private",
    Critical,
    ("`{issuer}` publishes a private or symmetric key (`{key}`)", "`{issuer}` 公开了私钥或对称密钥（`{key}`）"),
    ("Whoever reads its key set can write tokens for anybody.", "读到其密钥集的人可以为任何人伪造令牌。"),
    ("take the key out of the set and replace it", "从密钥集中移除并更换该密钥"),
);

fault!(
    ISSUER_ALGORITHM,
    "oidc-issuer-algorithm",
    Medium,
    ("`{issuer}` says that it signs with {algorithms}", "`{issuer}` 声明使用 {algorithms} 签名"),
    ("Such a signature can be made by whoever checks it, or is none.", "这类签名任何验证者都能伪造，或根本没有签名。"),
    ("have the issuer sign with RS256 or ES256", "让颁发者使用 RS256 或 ES256 签名"),
);

fault!(
    ISSUER_CERTIFICATE,
    "oidc-issuer-certificate-expires",
    Low,
    ("certificate that `{issuer}` shows expires in {days} days", "`{issuer}` 出示的证书将在 {days} 天后过期"),
    ("When it has expired, the server cannot fetch keys and nobody of this issuer logs in.", "过期后服务器将无法获取密钥，该颁发者的用户都无法登录。"),
    ("renew it", "更新该证书"),
);

pub(super) static FAULTS: [&super::Fault; 13] = [
    &CONFIGURATION_INVALID,
    &FLAGS_INVALID,
    &GROUPS_UNPREFIXED,
    &USERNAME_UNPREFIXED,
    &EMAIL_UNVERIFIED,
    &MUTABLE_CLAIM,
    &MANY_AUDIENCES,
    &SHARED_ISSUER,
    &ISSUER_MISMATCH,
    &ISSUER_KEY_WEAK,
    &ISSUER_KEY_PRIVATE,
    &ISSUER_ALGORITHM,
    &ISSUER_CERTIFICATE,
];

/// How a name or groups are made of claims.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Mapping {
    None,
    Claim { claim: String, prefix: String },
    Expression(String),
}

impl Mapping {
    fn of(mappings: Option<Value<'_>>, name: &str) -> Self {
        let Some(mapping) = mappings.and_then(|mappings| mappings.entry(name)) else { return Mapping::None };
        let text = |name: &str| mapping.entry(name).and_then(Value::as_str).unwrap_or("").to_owned();
        match (text("claim"), text("expression")) {
            (claim, _) if !claim.is_empty() => Mapping::Claim { claim, prefix: text("prefix") },
            (_, expression) if !expression.is_empty() => Mapping::Expression(expression),
            _ => Mapping::None,
        }
    }

    /// Whether what a claim says counts as it is.
    fn is_unprefixed(&self) -> bool {
        match self {
            Mapping::None => false,
            Mapping::Claim { prefix, .. } => prefix.is_empty(),
            Mapping::Expression(text) => Expression::parse(text).is_ok_and(|parsed| parsed.is_field_of("claims")),
        }
    }

    fn shown(&self) -> Option<String> {
        match self {
            Mapping::None => None,
            Mapping::Claim { claim, prefix } => Some(format!("{prefix}<{claim}>")),
            Mapping::Expression(text) => Some(text.clone()),
        }
    }
}

/// An issuer, however it is configured.
struct Trusted {
    url: String,
    discovery_url: Option<String>,
    authority: Option<String>,
    authority_file: Option<(Option<String>, String)>,
    audiences: Vec<String>,
    username: Mapping,
    groups: Mapping,
    /// How many rules about claims there are.
    claim_rules: usize,
    /// Whether a rule refuses names, or groups, of the system's own.
    guards_username: bool,
    guards_groups: bool,
    algorithms: Vec<String>,
    place: Place,
}

pub(super) fn section(ground: &Ground<'_>) -> Section {
    let mut section = Section::new(Mechanism::Oidc);
    section.needs_server(ground);
    let (mut is_on, mut is_unseen) = (false, false);
    for server in &ground.servers {
        let faults = flag_faults(ground, server);
        if !faults.is_empty() {
            section.logins.push(Login::new("flags of authentication", server.place.clone()).judged(faults));
        }
        if let Some(path) = server.value("authentication-config").filter(|value| !value.text.is_empty())
            && let Err(unseen) = ground.configuration_at(server, &path.text, "AuthenticationConfiguration")
        {
            section.unseen.push(UnseenFact::file(&path.text, &unseen));
            is_unseen = true;
        }
    }
    let own: Vec<String> = own_issuers(ground);
    for config in ground.configurations("AuthenticationConfiguration") {
        let invalid = validate(config.snapshot, config.view, ground.version(), &own);
        if !invalid.is_empty() {
            let judgements = invalid.into_iter().map(judgement_of);
            let place = Place::whole(config.snapshot, config.view);
            section.logins.push(Login::new("authentication configuration", place).judged(judgements));
        }
    }
    for trusted in trusted(ground) {
        is_on = true;
        section.logins.push(of_issuer(ground, &trusted));
    }
    section.state = match (is_on, is_unseen || ground.servers.is_empty()) {
        (true, _) => State::On,
        (false, true) => State::Unknown,
        (false, false) => State::Off,
    };
    section
}

fn judgement_of(invalid: Invalid) -> Judgement {
    let judgement = Judgement::new(&CONFIGURATION_INVALID, [("path", invalid.path), ("reason", invalid.message)]);
    match invalid.place {
        Some(place) => judgement.at(place),
        None => judgement,
    }
}

pub(super) fn own_issuers(ground: &Ground<'_>) -> Vec<String> {
    ground.servers.iter().flat_map(|server| server.all("service-account-issuer")).map(|value| value.text).collect()
}

/// The issuers that are configured, for whoever asks them.
pub(super) fn issuers(ground: &Ground<'_>) -> Vec<Issuer> {
    let mut found: Vec<Issuer> = trusted(ground)
        .into_iter()
        .filter(|trusted| url_faults(&trusted.url).is_empty())
        .map(|trusted| Issuer { url: trusted.url, discovery_url: trusted.discovery_url, authority: trusted.authority, authority_file: trusted.authority_file })
        .collect();
    found.sort();
    found.dedup();
    found
}

fn trusted(ground: &Ground<'_>) -> Vec<Trusted> {
    let mut found: Vec<Trusted> = ground.servers.iter().filter_map(of_flags).collect();
    for config in ground.configurations("AuthenticationConfiguration") {
        let all = config.view.root().entry("jwt");
        found.extend(all.into_iter().flat_map(Value::items).map(|one| of_configuration(&config, one)));
    }
    found
}

fn flag_faults<'a>(ground: &Ground<'a>, server: &Flags<'a>) -> Vec<Judgement> {
    let is_given = |name: &str| server.value(name).is_some_and(|value| !value.text.is_empty());
    let oidc = server.beginning_with("oidc-");
    let config = server.value("authentication-config").filter(|value| !value.text.is_empty());
    let mut found = Vec::new();
    let mut add = |reason: String, place: Place| found.push(Judgement::new(&FLAGS_INVALID, [("reason", reason)]).at(place));
    if let (Some((name, place)), Some(_)) = (oidc, &config) {
        add(format!("`--{name}` and `--authentication-config` exclude each other"), place.clone());
    }
    if let (Some((_, place)), None) = (oidc, &config)
        && !(is_given("oidc-issuer-url") && is_given("oidc-client-id"))
    {
        add("`--oidc-issuer-url` and `--oidc-client-id` are needed together".to_owned(), place.clone());
    }
    if let Some(url) = server.value("oidc-issuer-url").filter(|value| !value.text.is_empty()) {
        for reason in url_faults(&url.text) {
            add(format!("`--oidc-issuer-url`: {reason}"), url.place.clone());
        }
        if own_issuers(ground).contains(&url.text) {
            add("`--oidc-issuer-url` is the issuer of the server's own ServiceAccounts".to_owned(), url.place);
        }
    }
    if let (Some(config), Some((_, place))) = (&config, server.switch("anonymous-auth"))
        && ground.configuration_at(server, &config.text, "AuthenticationConfiguration").is_ok_and(|found| found.view.root().entry("anonymous").is_some())
    {
        add("`--anonymous-auth` and the block `anonymous` of the configuration exclude each other".to_owned(), place);
    }
    found
}

fn of_flags(server: &Flags<'_>) -> Option<Trusted> {
    let text = |name: &str| server.value(name).map(|value| value.text).filter(|text| !text.is_empty());
    if text("authentication-config").is_some() {
        return None;
    }
    let url = server.value("oidc-issuer-url").filter(|value| !value.text.is_empty())?;
    let client = text("oidc-client-id")?;
    let claim = text("oidc-username-claim").unwrap_or_else(|| "sub".to_owned());
    // Names other than mail addresses have the issuer before them unless something else is said; `-` says: nothing.
    let prefix = match text("oidc-username-prefix") {
        Some(prefix) if prefix == "-" => String::new(),
        Some(prefix) => prefix,
        None if claim == "email" => String::new(),
        None => format!("{}#", url.text),
    };
    let groups = text("oidc-groups-claim");
    let algorithms = server.items("oidc-signing-algs");
    Some(Trusted {
        url: url.text,
        discovery_url: None,
        authority: None,
        authority_file: text("oidc-ca-file").map(|path| match server.home_of(&path) {
            Home::Node(path) => (server.node.map(|node| node.root.clone()), path),
            Home::Map(_) | Home::Volume(_) => (None, path),
        }),
        audiences: vec![client],
        username: Mapping::Claim { claim, prefix },
        groups: groups.map_or(Mapping::None, |claim| Mapping::Claim { claim, prefix: text("oidc-groups-prefix").unwrap_or_default() }),
        claim_rules: server.all("oidc-required-claim").len(),
        guards_username: false,
        guards_groups: false,
        algorithms: if algorithms.is_empty() { vec!["RS256".to_owned()] } else { algorithms },
        place: url.place,
    })
}

fn of_configuration(config: &Configured<'_>, one: Value<'_>) -> Trusted {
    let issuer = one.entry("issuer");
    let text = |name: &str| issuer.and_then(|issuer| issuer.entry(name)).and_then(Value::as_str).filter(|text| !text.is_empty());
    let list = |value: Option<Value<'_>>, name: &str| -> Vec<String> {
        let items = value.and_then(|value| value.entry(name)).into_iter().flat_map(Value::items);
        items.filter_map(|item| item.as_str().map(str::to_owned)).collect()
    };
    let rules = |name: &str| one.entry(name).into_iter().flat_map(Value::items).count();
    // A rule about users guards what it names if it names what is the system's.
    let guards = |field: &str| {
        let rules = one.entry("userValidationRules").into_iter().flat_map(Value::items);
        let expressions = rules.filter_map(|rule| rule.entry("expression")?.as_str().map(Expression::parse));
        expressions.filter_map(Result::ok).any(|parsed| parsed.selects("user", field) && parsed.mentions("system:"))
    };
    Trusted {
        url: text("url").unwrap_or("").to_owned(),
        discovery_url: text("discoveryURL").map(str::to_owned),
        authority: text("certificateAuthority").map(str::to_owned),
        authority_file: None,
        audiences: list(issuer, "audiences"),
        username: Mapping::of(one.entry("claimMappings"), "username"),
        groups: Mapping::of(one.entry("claimMappings"), "groups"),
        claim_rules: rules("claimValidationRules"),
        guards_username: guards("username"),
        guards_groups: guards("groups"),
        algorithms: Vec::new(),
        place: Place::of(config.snapshot, config.view, one),
    }
}

fn of_issuer(ground: &Ground<'_>, trusted: &Trusted) -> Login {
    let issuer = || ("issuer", trusted.url.clone());
    let mut found = Vec::new();
    if trusted.groups.is_unprefixed() && !trusted.guards_groups {
        found.push(Judgement::new(&GROUPS_UNPREFIXED, [issuer()]));
    }
    if trusted.username.is_unprefixed() && !trusted.guards_username {
        found.push(Judgement::new(&USERNAME_UNPREFIXED, [issuer()]));
    }
    if let Mapping::Claim { claim, .. } = &trusted.username {
        if claim == "email" {
            found.push(Judgement::new(&EMAIL_UNVERIFIED, [issuer()]));
        } else if MUTABLE.contains(&claim.as_str()) {
            found.push(Judgement::new(&MUTABLE_CLAIM, [issuer(), ("claim", claim.clone())]));
        }
    }
    if trusted.audiences.len() > 1 {
        found.push(Judgement::new(&MANY_AUDIENCES, [issuer(), ("count", trusted.audiences.len().to_string())]));
    }
    if trusted.claim_rules == 0
        && SHARED.iter().any(|shared| trusted.url.trim_end_matches('/') == *shared || (shared.ends_with(['/', '.']) && trusted.url.starts_with(shared)))
    {
        found.push(Judgement::new(&SHARED_ISSUER, [issuer()]));
    }
    let asked = ground.issuers.iter().find(|facts| facts.url == trusted.url);
    found.extend(asked.into_iter().flat_map(|facts| judge_answer(ground, facts)));
    Login::new(format!("issuer {}", trusted.url), trusted.place.clone())
        .fact("url", trusted.url.as_str())
        .fact_if("discoveryUrl", trusted.discovery_url.as_deref())
        .fact("audiences", trusted.audiences.clone())
        .fact_if("username", trusted.username.shown())
        .fact_if("groups", trusted.groups.shown())
        .fact("claimRules", trusted.claim_rules)
        .fact_if("algorithms", Some(trusted.algorithms.clone()).filter(|algorithms| !algorithms.is_empty()))
        .fact("ownAuthority", trusted.authority.is_some() || trusted.authority_file.is_some())
        .judged(found)
}

/// Judges what an issuer says of itself.
fn judge_answer(ground: &Ground<'_>, facts: &IssuerFacts) -> Vec<Judgement> {
    let issuer = || ("issuer", facts.url.clone());
    let mut found = Vec::new();
    if let Some(named) = facts.issuer.as_ref().filter(|named| **named != facts.url) {
        found.push(Judgement::new(&ISSUER_MISMATCH, [issuer(), ("found", named.clone())]));
    }
    for key in &facts.keys {
        let named = ("key", key.id.clone());
        if key.is_private {
            found.push(Judgement::new(&ISSUER_KEY_PRIVATE, [issuer(), named]));
        } else if let Some(bits) = key.bits.filter(|&bits| key.kind == "RSA" && bits < RSA_BITS_MIN) {
            found.push(Judgement::new(&ISSUER_KEY_WEAK, [issuer(), named, ("bits", bits.to_string())]));
        }
    }
    let weak: Vec<String> =
        facts.algorithms.iter().filter(|algorithm| *algorithm == "none" || algorithm.starts_with("HS")).map(|name| format!("`{name}`")).collect();
    if !weak.is_empty() {
        found.push(Judgement::new(&ISSUER_ALGORITHM, [issuer(), ("algorithms", weak.join(", "))]));
    }
    if let Some(expires) = facts.certificate_expires {
        let days = whole_days(expires.duration_since(ground.now()));
        if days < SOON_DAYS {
            found.push(Judgement::new(&ISSUER_CERTIFICATE, [issuer(), ("days", days.to_string())]));
        }
    }
    found
}
