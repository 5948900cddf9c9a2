//! Requests without any credential.

use bartizan_cluster::{Kind, KubernetesVersion, Value, field};

use super::Place;
use super::fault::{Judgement, fault};
use super::ground::{Configured, Flags, Ground};
use super::{Login, Mechanism, Section, State, UnseenFact};

/// Since when an `AuthenticationConfiguration` says who may come without a credential.
const BLOCK_SINCE: KubernetesVersion = KubernetesVersion::minor(32);

/// Paths that say whether a server is well, and no more.
const HEALTH: [&str; 3] = ["/livez", "/readyz", "/healthz"];

/// Roles that the default policy and kubeadm give to everybody.
const USUAL_ROLES: [&str; 2] = ["system:public-info-viewer", "kubeadm:bootstrap-signer-clusterinfo"];

fault!(
    UNCONDITIONED,
    "anonymous-unconditioned",
    High,
    ("requests without a credential are served on every path, as `system:anonymous`", "所有路径都会以 `system:anonymous` 身份处理没有凭据的请求"),
    (
        "One binding to `system:anonymous` or `system:unauthenticated` opens the cluster to whoever reaches the port, and code behind the authentication meets strangers.",
        "只要有一条绑定给 `system:anonymous` 或 `system:unauthenticated`，集群便对任何能连上端口的人开放；认证之后的代码也会面对陌生人。"
    ),
    (
        "set `--anonymous-auth=false`, or since 1.32 allow only `/livez`, `/readyz` and `/healthz` in an AuthenticationConfiguration (`anonymous.conditions`)",
        "设置 `--anonymous-auth=false`；自 1.32 起也可在 AuthenticationConfiguration 中只放行 `/livez`、`/readyz` 与 `/healthz`（`anonymous.conditions`）"
    ),
);

fault!(
    CONDITION_WIDE,
    "anonymous-condition-wide",
    Medium,
    ("requests without a credential are served on `{path}`", "在 `{path}` 上会处理没有凭据的请求"),
    (
        "Whatever is bound to `system:anonymous` for this path is open to whoever reaches the port.",
        "在该路径上绑定给 `system:anonymous` 的权限，对任何能连上端口的人开放。"
    ),
    ("leave only the health checks in `anonymous.conditions`", "在 `anonymous.conditions` 中只保留健康检查路径"),
);

fault!(
    BOUND,
    "anonymous-bound",
    Critical,
    ("`{subject}` holds the role `{role}`", "`{subject}` 拥有角色 `{role}`"),
    ("Whoever reaches the API server has it, without logging in.", "任何能连上 API server 的人无需登录即拥有它。"),
    ("delete the binding, or bind the role to who needs it", "删除该绑定，或将角色绑定给真正需要的对象"),
);

pub(super) static FAULTS: [&super::Fault; 3] = [&UNCONDITIONED, &CONDITION_WIDE, &BOUND];

pub(super) fn section(ground: &Ground<'_>) -> Section {
    let mut section = Section::new(Mechanism::Anonymous);
    section.needs_server(ground);
    section.needs(ground, Kind::ClusterRoleBinding, None);
    let mut states = Vec::new();
    for server in &ground.servers {
        let (state, login) = of_server(ground, server, &mut section);
        states.push(state);
        section.logins.extend(login);
    }
    if ground.servers.is_empty() {
        for config in ground.configurations("AuthenticationConfiguration") {
            if let Some(block) = config.view.root().entry("anonymous") {
                let (state, login) = of_block(&config, block);
                states.push(state);
                section.logins.push(login);
            }
        }
    }
    section.state = if states.contains(&State::On) {
        State::On
    } else if states.is_empty() || states.contains(&State::Unknown) {
        State::Unknown
    } else {
        State::Off
    };
    let is_off = section.state == State::Off;
    bindings(ground, is_off, &mut section);
    section
}

fn of_server<'a>(ground: &Ground<'a>, server: &Flags<'a>, section: &mut Section) -> (State, Option<Login>) {
    let named = server.value("authentication-config").filter(|value| !value.text.is_empty());
    if let Some(path) = &named
        && ground.version() >= BLOCK_SINCE
    {
        match ground.configuration_at(server, &path.text, "AuthenticationConfiguration") {
            Ok(config) => {
                if let Some(block) = config.view.root().entry("anonymous") {
                    let (state, login) = of_block(&config, block);
                    return (state, Some(login));
                }
            }
            // Without the flag, a file that was not seen may say anything.
            Err(unseen) if server.switch("anonymous-auth").is_none() => {
                section.unseen.push(UnseenFact::file(&path.text, &unseen));
                return (State::Unknown, None);
            }
            Err(_) => {}
        }
    }
    let (is_on, place) = server.switch("anonymous-auth").unwrap_or_else(|| (true, server.place.clone()));
    let login = Login::new("anonymous requests", place).fact("enabled", is_on).fact("isDefault", server.switch("anonymous-auth").is_none());
    let login = if is_on { login.judged([Judgement::new(&UNCONDITIONED, [])]) } else { login };
    (if is_on { State::On } else { State::Off }, Some(login))
}

fn of_block(config: &Configured<'_>, block: Value<'_>) -> (State, Login) {
    let is_on = block.entry("enabled").and_then(Value::as_bool).unwrap_or(false);
    let conditions: Vec<Value<'_>> = block.entry("conditions").into_iter().flat_map(Value::items).collect();
    let path_of = |condition: &Value<'_>| condition.entry("path").and_then(Value::as_str).unwrap_or("").to_owned();
    let mut found = Vec::new();
    if is_on && conditions.is_empty() {
        found.push(Judgement::new(&UNCONDITIONED, []));
    }
    for condition in conditions.iter().filter(|_| is_on) {
        let path = path_of(condition);
        if !HEALTH.contains(&path.as_str()) {
            found.push(Judgement::new(&CONDITION_WIDE, [("path", path)]).at(Place::of(config.snapshot, config.view, *condition)));
        }
    }
    let login = Login::new("anonymous requests", Place::of(config.snapshot, config.view, block))
        .fact("enabled", is_on)
        .fact("paths", conditions.iter().map(path_of).collect::<Vec<_>>())
        .judged(found);
    (if is_on { State::On } else { State::Off }, login)
}

/// What is bound to those who do not log in.
fn bindings(ground: &Ground<'_>, is_off: bool, section: &mut Section) {
    for binding in [Kind::ClusterRoleBinding, Kind::RoleBinding].into_iter().flat_map(|kind| ground.snapshot.of_kind(kind)) {
        let role = binding.root().get(field::ROLE_REF).and_then(|role| role.str(field::NAME)).unwrap_or("");
        for subject in binding.root().list(field::SUBJECTS) {
            let name = match (subject.str(field::KIND), subject.str(field::NAME)) {
                (Some("User"), Some("system:anonymous")) => "system:anonymous",
                (Some("Group"), Some("system:unauthenticated")) => "system:unauthenticated",
                _ => continue,
            };
            let place = Place::of(ground.snapshot, binding, subject);
            let login = Login::new(format!("binding {}", binding.name()), place).fact("subject", name).fact("role", role);
            let is_usual = USUAL_ROLES.contains(&role) || is_off;
            section.logins.push(if is_usual {
                login
            } else {
                login.judged([Judgement::new(&BOUND, [("subject", name.to_owned()), ("role", role.to_owned())])])
            });
        }
    }
}
