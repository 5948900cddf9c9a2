//! Text and JSON of inventories and kubeconfigs.

use std::io::{self, Write};

use bartizan_report::Language;
use bartizan_report::fault::Place;
use bartizan_report::fault::text::{self, plain};
use serde_json::Value as Json;

use super::fault::Words;
use super::kubeconfig::{Hygiene, InputProblem};
use super::{Inventory, Login, Mechanism, Section, State, UnseenFact};

const fn words(english: &'static str, chinese: &'static str) -> Words {
    Words { english, chinese }
}

impl Mechanism {
    /// What a person reads.
    pub fn title(self, language: Language) -> &'static str {
        let title = match self {
            Mechanism::ClientCertificates => words("Client certificates (X.509)", "客户端证书（X.509）"),
            Mechanism::StaticTokens => words("Static token file", "静态令牌文件"),
            Mechanism::BasicAuth => words("Static password file", "静态密码文件"),
            Mechanism::BootstrapTokens => words("Bootstrap tokens", "引导令牌"),
            Mechanism::ServiceAccountTokens => words("Tokens of ServiceAccounts", "ServiceAccount 令牌"),
            Mechanism::Oidc => words("OpenID Connect", "OpenID Connect"),
            Mechanism::Webhook => words("Webhook for tokens", "令牌 webhook"),
            Mechanism::RequestHeader => words("Proxy with headers", "请求头代理"),
            Mechanism::Anonymous => words("Anonymous requests", "匿名请求"),
            Mechanism::Kubelet => words("Kubelets", "kubelet"),
        };
        title.of(language)
    }
}

impl State {
    fn shown(self, language: Language) -> &'static str {
        let state = match self {
            State::On => words("on", "已启用"),
            State::Off => words("off", "未启用"),
            State::Unknown => words("unknown", "未知"),
        };
        state.of(language)
    }
}

/// What the facts are called.
pub(super) const LABELS: [(&str, Words); 77] = [
    ("account", words("account", "账号")),
    ("ageDays", words("age in days", "已签发天数")),
    ("algorithm", words("algorithm", "算法")),
    ("algorithms", words("algorithms", "算法")),
    ("allowedNames", words("allowed names", "允许的名字")),
    ("anonymous", words("anonymous", "匿名")),
    ("apiAudiences", words("audiences of the API", "API 受众")),
    ("audience", words("audience", "受众")),
    ("audiences", words("audiences", "受众")),
    ("authProvider", words("auth provider", "认证提供方")),
    ("authenticates", words("authenticates", "可用于认证")),
    ("authorities", words("authorities", "CA")),
    ("authorizationMode", words("authorization", "授权模式")),
    ("automount", words("automount", "自动挂载")),
    ("boundTo", words("bound to", "绑定到")),
    ("cacheSeconds", words("cached for seconds", "缓存秒数")),
    ("certificateAuthority", words("authority", "CA")),
    ("claimRules", words("rules about claims", "声明规则数")),
    ("clientCAFile", words("client authority", "客户端 CA")),
    ("clientCertificate", words("certificate file", "证书文件")),
    ("clientKey", words("key file", "私钥文件")),
    ("cluster", words("cluster", "集群")),
    ("clusters", words("clusters", "集群数")),
    ("contexts", words("contexts", "上下文数")),
    ("currentContext", words("current context", "当前上下文")),
    ("description", words("description", "描述")),
    ("discoveryUrl", words("discovery", "发现地址")),
    ("enabled", words("enabled", "启用")),
    ("exec", words("runs", "执行")),
    ("execApiVersion", words("plugin version", "插件版本")),
    ("execArgs", words("with", "参数")),
    ("execEnv", words("variables", "环境变量")),
    ("expiration", words("expires", "过期时间")),
    ("expirationSeconds", words("seconds asked for", "申请秒数")),
    ("expires", words("expires", "过期时间")),
    ("extendTokenExpiration", words("extends expiration", "延长有效期")),
    ("extraHeaderPrefixes", words("headers of attributes", "附加属性头")),
    ("file", words("file", "文件")),
    ("groupHeaders", words("headers of groups", "组头")),
    ("groups", words("groups", "组")),
    ("hasToken", words("has a token", "含令牌")),
    ("id", words("id", "编号")),
    ("impersonates", words("acts as", "模拟用户")),
    ("impersonatesGroups", words("acts in groups", "模拟组")),
    ("invalidSince", words("refused since", "失效时间")),
    ("isBound", words("something is bound to it", "绑定了权限")),
    ("isDefault", words("by default", "默认值")),
    ("isLegacy", words("of the old kind", "旧式令牌")),
    ("issuedAt", words("issued", "签发时间")),
    ("issuer", words("issuer", "颁发者")),
    ("issuers", words("issuers", "颁发者")),
    ("key", words("key", "密钥")),
    ("lastUsed", words("last used", "最后使用")),
    ("lookup", words("looks tokens up", "检查令牌是否存在")),
    ("maxTokenExpiration", words("maximum expiration", "最长有效期")),
    ("mode", words("mode", "权限")),
    ("mountedBy", words("mounted by workloads", "挂载它的工作负载数")),
    ("namespace", words("namespace", "命名空间")),
    ("notAfter", words("until", "有效期至")),
    ("notBefore", words("from", "生效时间")),
    ("ownAuthority", words("own authority", "自有 CA")),
    ("path", words("path", "路径")),
    ("paths", words("paths", "路径")),
    ("proxyUrl", words("proxy", "代理")),
    ("readOnlyPort", words("read-only port", "只读端口")),
    ("requestedBy", words("requested by", "申请者")),
    ("role", words("role", "角色")),
    ("rotateCertificates", words("renews its certificate", "自动更新证书")),
    ("server", words("server", "服务器")),
    ("serverTLSBootstrap", words("serving certificate signed by the cluster", "服务证书由集群签发")),
    ("servers", words("servers", "服务器")),
    ("sha256", words("sha256", "sha256")),
    ("signature", words("signature", "签名")),
    ("signer", words("signer", "签发者")),
    ("signs", words("signs", "可用于签名")),
    ("state", words("state", "状态")),
    ("subject", words("subject", "主体")),
];

/// More of them; one table would be longer than a screen can hold at once.
pub(super) const MORE_LABELS: [(&str, Words); 16] = [
    ("subjects", words("subjects", "主体")),
    ("tlsServerName", words("expected name", "期望的服务器名")),
    ("token", words("token", "令牌")),
    ("tokenFile", words("token file", "令牌文件")),
    ("tokenLength", words("length of the token", "令牌长度")),
    ("tokenReview", words("asks about tokens", "验证令牌")),
    ("uid", words("uid", "uid")),
    ("uidIsRead", words("uid counts", "uid 生效")),
    ("url", words("address", "地址")),
    ("user", words("user", "用户")),
    ("username", words("user name", "用户名")),
    ("usernameHeaders", words("headers of names", "用户名头")),
    ("users", words("users", "用户数")),
    ("verifiesCertificate", words("verifies the certificate", "验证证书")),
    ("version", words("version", "版本")),
    ("volume", words("volume", "卷")),
];

/// What the names of logins begin with.
const NAMES: [(&str, &str); 22] = [
    ("anonymous requests", "匿名请求"),
    ("authentication configuration", "认证配置"),
    ("authority ", "CA "),
    ("binding ", "绑定 "),
    ("bootstrap token authentication", "引导令牌认证"),
    ("bootstrap token ", "引导令牌 "),
    ("certificate ", "证书 "),
    ("cluster ", "集群 "),
    ("context ", "上下文 "),
    ("flags of authentication", "认证参数"),
    ("issuer ", "颁发者 "),
    ("line ", "行 "),
    ("proxy with headers", "请求头代理"),
    ("request ", "签发请求 "),
    ("static password file", "静态密码文件"),
    ("static token file", "静态令牌文件"),
    ("static token of ", "静态令牌 "),
    ("token Secret of ", "令牌 Secret，属于 "),
    ("token in Secret ", "Secret 中的令牌 "),
    ("tokens of ServiceAccounts", "ServiceAccount 令牌"),
    ("user ", "用户 "),
    ("webhook for tokens", "令牌 webhook"),
];

/// What a login is called; a file is called by its name.
fn named(login: &Login, language: Language) -> String {
    let mut known = NAMES.iter().filter(|_| language == Language::Chinese && login.place != Place::file(&login.name));
    let renamed = known.find_map(|(english, chinese)| Some(format!("{chinese}{}", login.name.strip_prefix(english)?)));
    plain(&renamed.unwrap_or_else(|| login.name.clone()))
}

fn label(name: &'static str, language: Language) -> &'static str {
    LABELS.iter().chain(&MORE_LABELS).find(|(known, _)| *known == name).map_or(name, |(_, words)| words.of(language))
}

fn shown(value: &Json, language: Language) -> String {
    match value {
        Json::Null => "-".to_owned(),
        Json::Bool(value) => words(if *value { "yes" } else { "no" }, if *value { "是" } else { "否" }).of(language).to_owned(),
        Json::String(text) => plain(text),
        Json::Array(items) if items.is_empty() => "-".to_owned(),
        Json::Array(items) => items.iter().map(|item| shown(item, language)).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

impl Inventory {
    /// Writes it as JSON (`bartizan.logins/1`).
    pub fn write_json(&self, out: &mut impl Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, self)?;
        out.write_all(b"\n")
    }

    /// Writes it for people.
    pub fn write_text(&self, language: Language, out: &mut impl Write) -> io::Result<()> {
        for section in &self.mechanisms {
            write_section(section, language, out)?;
        }
        write_problems(&self.problems, language, out)?;
        for issuer in self.issuers.iter().filter_map(|issuer| Some((&issuer.url, issuer.failure.as_ref()?))) {
            let (url, failure) = issuer;
            writeln!(out, "{}: {} ({}): {}", words("not answered", "未应答").of(language), plain(url), failure.step, plain(&failure.reason))?;
        }
        text::total(self.judgements(), language, out)
    }
}

impl Hygiene {
    /// Writes it as JSON (`bartizan.kubeconfig/1`).
    pub fn write_json(&self, out: &mut impl Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, self)?;
        out.write_all(b"\n")
    }

    /// Writes it for people.
    pub fn write_text(&self, language: Language, out: &mut impl Write) -> io::Result<()> {
        for file in &self.files {
            writeln!(out, "{}", plain(&file.file))?;
            write_facts(&file.facts, "  ", language, out)?;
            for judgement in &file.judgements {
                text::judgement(judgement, language, out)?;
            }
            for entry in &file.entries {
                write_login(entry, language, out)?;
            }
            writeln!(out)?;
        }
        write_problems(&self.problems, language, out)?;
        text::total(self.judgements(), language, out)
    }
}

fn write_problems(problems: &[InputProblem], language: Language, out: &mut impl Write) -> io::Result<()> {
    for problem in problems {
        let place = problem.location.as_ref().map_or_else(|| plain(&problem.file), |place| plain(&place.to_string()));
        writeln!(out, "{}: {place}: {}", words("not judged", "未判定").of(language), plain(&problem.message))?;
    }
    Ok(())
}

fn write_section(section: &Section, language: Language, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}: {}", section.mechanism.title(language), section.state.shown(language))?;
    for login in &section.logins {
        write_login(login, language, out)?;
    }
    for unseen in &section.unseen {
        write_unseen(unseen, language, out)?;
    }
    writeln!(out)
}

fn write_unseen(unseen: &UnseenFact, language: Language, out: &mut impl Write) -> io::Result<()> {
    let reason = match unseen.reason.as_str() {
        "not-in-source" => words("not in this kind of source", "此类来源中没有").of(language),
        other => other,
    };
    writeln!(out, "  {}: {} ({})", words("not seen", "未见").of(language), plain(&unseen.fact), plain(reason))
}

fn write_login(login: &Login, language: Language, out: &mut impl Write) -> io::Result<()> {
    let place = login.place.to_string();
    let place = if place.is_empty() { place } else { format!("  [{}]", plain(&place)) };
    writeln!(out, "  {}{place}", named(login, language))?;
    write_facts(&login.facts, "      ", language, out)?;
    for judgement in &login.judgements {
        text::judgement(judgement, language, out)?;
    }
    Ok(())
}

fn write_facts(facts: &[(&'static str, Json)], indent: &str, language: Language, out: &mut impl Write) -> io::Result<()> {
    for (name, value) in facts {
        writeln!(out, "{indent}{}: {}", label(name, language), shown(value, language))?;
    }
    Ok(())
}
