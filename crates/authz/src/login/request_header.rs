//! A proxy in front of the API server that names the user in headers: whose certificates are believed to be its.

use bartizan_cluster::secret::Certificate;
use serde_json::Value as Json;

use super::Place;
use super::fault::{Judgement, fault};
use super::ground::Ground;
use super::x509::{authorities, published};
use super::{Login, Mechanism, Section, State};

fault!(
    ANY_NAME_SHARED,
    "request-header-any-client",
    Critical,
    (
        "every holder of a client certificate may say that it is anybody: the authority `{authority}` signs both clients and the proxy, and no names are required",
        "任何持有客户端证书的人都可以自称是任何人：CA `{authority}` 同时签发客户端与代理证书，且未限定名字"
    ),
    (
        "The headers `X-Remote-User` and `X-Remote-Group` are believed from whoever shows a certificate of this authority: one node's certificate makes `system:masters`. Newer servers refuse to start so.",
        "凡出示该 CA 证书者，其 `X-Remote-User` 与 `X-Remote-Group` 头都会被相信：一张节点证书就能变成 `system:masters`。较新的服务器会拒绝以此配置启动。"
    ),
    (
        "sign the proxy with an authority of its own (`--requestheader-client-ca-file`), and set `--requestheader-allowed-names=front-proxy-client`",
        "为代理使用独立的 CA（`--requestheader-client-ca-file`），并设置 `--requestheader-allowed-names=front-proxy-client`"
    ),
);

fault!(
    SHARED,
    "request-header-shared-ca",
    High,
    ("authority `{authority}` signs both clients and the proxy", "CA `{authority}` 同时签发客户端与代理证书"),
    (
        "Only the names {names} keep a client from saying that it is anybody; whoever can get a certificate with such a name, by a CertificateSigningRequest for instance, can.",
        "只有名字 {names} 能阻止客户端自称任何人；能申请到此名字证书的人（例如通过 CertificateSigningRequest）便可做到。"
    ),
    ("sign the proxy with an authority of its own", "为代理使用独立的 CA"),
);

fault!(
    ANY_NAME,
    "request-header-any-name",
    Medium,
    ("every certificate of the proxy's authority is believed to be the proxy", "代理 CA 签发的任何证书都会被当作代理"),
    ("Whatever else that authority signs can say that it is anybody.", "该 CA 签发的其他证书都可以自称任何人。"),
    ("set `--requestheader-allowed-names=front-proxy-client`", "设置 `--requestheader-allowed-names=front-proxy-client`"),
);

pub(super) static FAULTS: [&super::Fault; 3] = [&ANY_NAME_SHARED, &SHARED, &ANY_NAME];

/// What a server believes of a proxy.
struct Proxy {
    place: Place,
    names: Vec<String>,
    facts: Vec<(&'static str, Vec<String>)>,
    /// Whether the two flags name the same file.
    same_file: bool,
}

pub(super) fn section(ground: &Ground<'_>) -> Section {
    let mut section = Section::new(Mechanism::RequestHeader);
    section.needs_server(ground);
    let proxies = proxies(ground);
    let proxy_authorities = authorities(ground, "requestheader-client-ca-file", &mut section);
    // What is unseen of clients is told in their own section.
    let client_authorities = authorities(ground, "client-ca-file", &mut Section::new(Mechanism::RequestHeader));
    let shared = shared(&proxy_authorities, &client_authorities);
    section.state = match (proxies.is_empty(), ground.servers.is_empty() && published(ground, "client-ca-file").is_none()) {
        (false, _) => State::On,
        (true, false) => State::Off,
        (true, true) => State::Unknown,
    };
    for proxy in proxies {
        let authority = shared.clone().or_else(|| proxy.same_file.then(|| "(same file)".to_owned()));
        let found = match (authority, proxy.names.is_empty()) {
            (Some(authority), true) => Some(Judgement::new(&ANY_NAME_SHARED, [("authority", authority)])),
            (Some(authority), false) => Some(Judgement::new(&SHARED, [("authority", authority), ("names", proxy.names.join(", "))])),
            (None, true) => Some(Judgement::new(&ANY_NAME, [])),
            (None, false) => None,
        };
        let mut login = Login::new("proxy with headers", proxy.place).fact("allowedNames", proxy.names);
        for (name, values) in proxy.facts {
            login = login.fact(name, values);
        }
        let subjects: Vec<String> = proxy_authorities.iter().map(|(_, authority)| authority.subject.clone()).collect();
        section.logins.push(login.fact_if("authorities", Some(subjects).filter(|subjects| !subjects.is_empty())).judged(found));
    }
    section
}

/// The proxies that API servers are told of by flags; where none was seen, what they publish.
fn proxies(ground: &Ground<'_>) -> Vec<Proxy> {
    let mut found = Vec::new();
    for server in &ground.servers {
        let Some(authority) = server.value("requestheader-client-ca-file").filter(|value| !value.text.is_empty()) else { continue };
        found.push(Proxy {
            names: server.items("requestheader-allowed-names"),
            facts: vec![
                ("usernameHeaders", server.items("requestheader-username-headers")),
                ("groupHeaders", server.items("requestheader-group-headers")),
                ("extraHeaderPrefixes", server.items("requestheader-extra-headers-prefix")),
            ],
            same_file: server.value("client-ca-file").is_some_and(|client| client.text == authority.text),
            place: authority.place,
        });
    }
    if let (true, Some((map, _))) = (found.is_empty(), published(ground, "requestheader-client-ca-file")) {
        let list = |key: &str| -> Vec<String> {
            let text = published(ground, key).map_or("[]", |(_, text)| text);
            let items: Vec<Json> = serde_json::from_str(text).unwrap_or_default();
            items.iter().filter_map(Json::as_str).map(str::to_owned).collect()
        };
        found.push(Proxy {
            place: ground.place(map),
            names: list("requestheader-allowed-names"),
            facts: vec![
                ("usernameHeaders", list("requestheader-username-headers")),
                ("groupHeaders", list("requestheader-group-headers")),
                ("extraHeaderPrefixes", list("requestheader-extra-headers-prefix")),
            ],
            same_file: false,
        });
    }
    found
}

/// An authority that stands in both bundles: the same certificate, or another one with the same key.
fn shared(proxies: &[(Place, Certificate)], clients: &[(Place, Certificate)]) -> Option<String> {
    let is_among = |proxy: &Certificate| clients.iter().any(|(_, client)| client.key.sha256 == proxy.key.sha256);
    proxies.iter().find(|(_, proxy)| is_among(proxy)).map(|(_, proxy)| proxy.subject.clone())
}
