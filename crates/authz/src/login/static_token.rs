//! The static token file, and what is left of the static password file.

use bartizan_cluster::KubernetesVersion;
use bartizan_cluster::node_file::{FileContent, FileKind, NodeFile};
use bartizan_cluster::token_file::{TokenFile, TokenUser};

use super::Place;
use super::certificate::MASTERS;
use super::fault::{Judgement, fault};
use super::ground::{Ground, Unseen};
use super::{Login, Mechanism, Section, State, UnseenFact};

/// Shorter tokens can be guessed.
const TOKEN_LENGTH_MIN: usize = 16;

/// The version that took `--basic-auth-file` away.
const BASIC_AUTH_UNTIL: KubernetesVersion = KubernetesVersion::minor(19);

fault!(
    TOKEN_FILE,
    "static-token-file",
    High,
    ("API server reads static tokens from `{file}`", "API server 从 `{file}` 读取静态令牌"),
    (
        "The tokens stand in the clear in a file, never expire, and change only when the server is started again.",
        "令牌以明文保存在文件中，永不过期，只有重启服务器才会生效变更。"
    ),
    (
        "log in with OpenID Connect or short-lived certificates and take `--token-auth-file` away",
        "改用 OpenID Connect 或短期证书登录，并去掉 `--token-auth-file`"
    ),
);

fault!(
    TOKEN_MASTERS,
    "static-token-system-masters",
    Critical,
    ("static token of `{user}` is in the group `system:masters`", "`{user}` 的静态令牌属于组 `system:masters`"),
    ("Whoever reads the file is administrator; no authorizer is asked about this group.", "读到该文件的人即为管理员；授权器不会检查该组。"),
    ("take the line out, and give what it is used for its own identity with only what it needs", "删除该行，并为其用途创建权限最小的独立身份"),
);

fault!(
    TOKEN_SYSTEM,
    "static-token-system-identity",
    High,
    ("static token logs in as `{user}`, a name of the system's own", "静态令牌以系统保留名 `{user}` 登录"),
    ("It has every permission of that component, for ever.", "它永久拥有该组件的全部权限。"),
    ("take the line out; components have certificates and ServiceAccount tokens", "删除该行；组件应使用证书与 ServiceAccount 令牌"),
);

fault!(
    TOKEN_SHORT,
    "static-token-short",
    Medium,
    ("static token of `{user}` has only {length} characters", "`{user}` 的静态令牌只有 {length} 个字符"),
    ("The API server does not slow down whoever guesses.", "API server 不会限制猜测的速度。"),
    ("make tokens of at least 128 random bits", "使用至少 128 位随机数生成令牌"),
);

fault!(
    TOKEN_REPEATED,
    "static-token-repeated",
    Medium,
    ("token of `{user}` stands in line {line} too, and counts here", "`{user}` 的令牌也出现在第 {line} 行，以此处为准"),
    (
        "The server keeps one user for each token: the earlier one silently logs in as the later one.",
        "服务器为每个令牌只保留一个用户：前一个用户会以后一个用户的身份登录。"
    ),
    ("give every user a token of its own", "为每个用户分配各自的令牌"),
);

fault!(
    TOKEN_UNREADABLE,
    "static-token-unreadable",
    Low,
    ("line {line} of the token file cannot be read: {reason}", "令牌文件第 {line} 行无法读取：{reason}"),
    ("The server passes over the line, or does not start.", "服务器会跳过该行，或无法启动。"),
    ("write it as `token,user,uid,\"group,group\"`", "写成 `token,user,uid,\"group,group\"`"),
);

fault!(
    BASIC_AUTH,
    "basic-auth-file",
    High,
    ("API server is given `--basic-auth-file`", "API server 设置了 `--basic-auth-file`"),
    (
        "Passwords stand in the clear in a file. Servers since 1.19 do not know the flag and do not start with it; an older server lets in with them.",
        "密码以明文保存在文件中。1.19 及以后的服务器不认识该参数并会启动失败；更老的服务器则允许用其登录。"
    ),
    ("take the flag away and delete the file", "去掉该参数并删除文件"),
);

pub(super) static FAULTS: [&super::Fault; 7] = [&TOKEN_FILE, &TOKEN_MASTERS, &TOKEN_SYSTEM, &TOKEN_SHORT, &TOKEN_REPEATED, &TOKEN_UNREADABLE, &BASIC_AUTH];

pub(super) fn section(ground: &Ground<'_>) -> Section {
    let mut section = Section::new(Mechanism::StaticTokens);
    section.needs_server(ground);
    let mut is_on = false;
    for server in &ground.servers {
        let Some(value) = server.value("token-auth-file").filter(|value| !value.text.is_empty()) else { continue };
        is_on = true;
        let judgement = Judgement::new(&TOKEN_FILE, [("file", value.text.clone())]);
        section.logins.push(Login::new("static token file", value.place).fact("file", value.text.as_str()).judged([judgement]));
        match ground.file(server, &value.text) {
            Ok((name, FileContent::Tokens(file))) => of_file(name, file, &mut section),
            Ok(_) => {}
            Err(unseen) => section.unseen.push(UnseenFact::file(&value.text, &unseen)),
        }
    }
    for file in ground.given(FileKind::Tokens) {
        match file {
            NodeFile { name, content: Ok(FileContent::Tokens(tokens)), .. } => of_file(name, tokens, &mut section),
            NodeFile { name, content: Err(fault), .. } => section.unseen.push(UnseenFact::file(name, &Unseen::Fault(fault.clone()))),
            NodeFile { .. } => {}
        }
    }
    section.state = state(is_on, ground);
    section
}

fn state(is_on: bool, ground: &Ground<'_>) -> State {
    match (is_on, ground.servers.is_empty()) {
        (true, _) => State::On,
        (false, false) => State::Off,
        (false, true) => State::Unknown,
    }
}

fn of_file(name: &str, file: &TokenFile, section: &mut Section) {
    for user in &file.users {
        section.logins.push(
            Login::new(format!("static token of {}", user.user), Place::line(name, user.line))
                .fact("user", user.user.as_str())
                .fact("uid", user.uid.as_str())
                .fact("groups", user.groups.clone())
                .fact("tokenLength", user.token_length)
                .judged(judge(user)),
        );
    }
    for fault in &file.faults {
        let judgement = Judgement::new(&TOKEN_UNREADABLE, [("line", fault.line.to_string()), ("reason", fault.message.clone())]);
        section.logins.push(Login::new(format!("line {}", fault.line), Place::line(name, fault.line)).judged([judgement]));
        section.unseen.push(UnseenFact { fact: format!("{name}:{}", fault.line), reason: fault.message.clone(), is_loss: true });
    }
}

fn judge(user: &TokenUser) -> Vec<Judgement> {
    let name = || ("user", user.user.clone());
    let mut found = Vec::new();
    if user.groups.iter().any(|group| group == MASTERS) {
        found.push(Judgement::new(&TOKEN_MASTERS, [name()]));
    }
    if user.user.starts_with("system:") {
        found.push(Judgement::new(&TOKEN_SYSTEM, [name()]));
    }
    if user.token_length < TOKEN_LENGTH_MIN {
        found.push(Judgement::new(&TOKEN_SHORT, [name(), ("length", user.token_length.to_string())]));
    }
    if let Some(line) = user.repeats {
        found.push(Judgement::new(&TOKEN_REPEATED, [name(), ("line", line.to_string())]));
    }
    found
}

/// What is left of static passwords.
pub(super) fn basic_auth(ground: &Ground<'_>) -> Section {
    let mut section = Section::new(Mechanism::BasicAuth);
    let mut is_on = false;
    for server in &ground.servers {
        if let Some(value) = server.value("basic-auth-file").filter(|value| !value.text.is_empty()) {
            is_on = true;
            let judgement = Judgement::new(&BASIC_AUTH, []);
            section.logins.push(Login::new("static password file", value.place).fact("file", value.text).judged([judgement]));
        }
    }
    // A server that is new enough cannot read passwords, whatever its flags were.
    let is_gone = ground.version() >= BASIC_AUTH_UNTIL;
    if !is_gone {
        section.needs_server(ground);
    }
    section.state = if is_gone && !is_on { State::Off } else { state(is_on, ground) };
    section
}
