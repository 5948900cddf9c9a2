//! Asks issuers of tokens what they say of themselves: their discovery document and their keys.
//!
//! Only over TLS with a certificate that is verified, without redirects, with a bound on every answer and on the time of all of them
//! together. No credential is ever sent. What is answered is kept as it is; nothing is judged here.

use std::io::{self, Read as _, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bartizan_cluster::issuer::{IssuerFacts, IssuerKey, ProbeFailure};
use bartizan_cluster::pem;
use base64::Engine as _;
use jiff::Timestamp;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_platform_verifier::BuilderVerifierExt as _;
use serde_json::Value as Json;

use crate::connection::{Timed, connect, host_and_port, told};

/// Discovery documents have some kilobytes, key sets some tens.
const ANSWER_MAX: u64 = 1 << 20;

/// So many keys of one issuer are kept.
const KEYS_MAX: usize = 256;

/// Longer texts of an answer are cut.
const TEXT_MAX: usize = 512;

/// An issuer to ask.
#[derive(Debug, Clone)]
pub struct Question {
    /// Its URL.
    pub url: String,
    /// Where its discovery document is, if not below its URL.
    pub discovery_url: Option<String>,
    /// The authorities that its certificate is checked against, PEM; those of the system if `None`.
    pub authority: Option<String>,
}

/// Asks one issuer, for at most `within`.
pub fn ask(question: &Question, within: Duration) -> IssuerFacts {
    let deadline = Instant::now() + within;
    let below = || format!("{}/.well-known/openid-configuration", question.url.trim_end_matches('/'));
    let discovery_url = question.discovery_url.clone().unwrap_or_else(below);
    let mut facts = IssuerFacts { url: question.url.clone(), discovery_url: discovery_url.clone(), ..IssuerFacts::default() };
    let document = match get(&discovery_url, question.authority.as_deref(), deadline, &mut facts.certificate_expires) {
        Ok(document) => document,
        Err(reason) => {
            facts.failure = Some(ProbeFailure { step: "discovery", reason });
            return facts;
        }
    };
    let text = |name: &str| document.get(name).and_then(Json::as_str).map(cut);
    facts.issuer = text("issuer");
    facts.jwks_uri = text("jwks_uri");
    let algorithms = document.get("id_token_signing_alg_values_supported").and_then(Json::as_array).into_iter().flatten();
    facts.algorithms = algorithms.filter_map(Json::as_str).take(KEYS_MAX).map(cut).collect();
    let Some(uri) = facts.jwks_uri.clone() else {
        facts.failure = Some(ProbeFailure { step: "discovery", reason: "the document has no `jwks_uri`".to_owned() });
        return facts;
    };
    match get(&uri, question.authority.as_deref(), deadline, &mut None) {
        Ok(set) => match set.get("keys").and_then(Json::as_array) {
            Some(keys) => facts.keys = keys.iter().take(KEYS_MAX).map(key).collect(),
            None => facts.failure = Some(ProbeFailure { step: "keys", reason: "the answer has no `keys`".to_owned() }),
        },
        Err(reason) => facts.failure = Some(ProbeFailure { step: "keys", reason }),
    }
    facts
}

/// The facts about an issuer that was not asked, for `reason`.
pub fn not_asked(question: &Question, reason: &str) -> IssuerFacts {
    let failure = ProbeFailure { step: "discovery", reason: reason.to_owned() };
    IssuerFacts { url: question.url.clone(), failure: Some(failure), ..IssuerFacts::default() }
}

fn cut(text: &str) -> String {
    text.chars().take(TEXT_MAX).collect()
}

fn key(key: &Json) -> IssuerKey {
    let text = |name: &str| key.get(name).and_then(Json::as_str);
    let kind = text("kty").unwrap_or("");
    let curve_bits = || match text("crv")? {
        "P-256" | "secp256k1" => Some(256),
        "P-384" => Some(384),
        "P-521" => Some(521),
        _ => None,
    };
    let modulus_bits = || {
        let modulus = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text("n")?.trim_end_matches('=')).ok()?;
        let significant: Vec<u8> = modulus.into_iter().skip_while(|&byte| byte == 0).collect();
        let first = significant.first()?.leading_zeros();
        Some(u32::try_from(significant.len() * 8).ok()? - first)
    };
    IssuerKey {
        id: text("kid").map(cut).unwrap_or_default(),
        kind: cut(kind),
        bits: if kind == "RSA" { modulus_bits() } else { curve_bits() },
        algorithm: text("alg").map(cut),
        // What a public key has not: the secret numbers of RSA and EC, and the bytes of a symmetric key.
        is_private: kind == "oct" || ["d", "p", "q", "k"].iter().any(|name| key.get(name).is_some()),
    }
}

/// The JSON that `url` answers with. Notes when the certificate that is shown expires.
fn get(url: &str, authority: Option<&str>, deadline: Instant, expires: &mut Option<Timestamp>) -> Result<Json, String> {
    let rest = url.get(..8).filter(|scheme| scheme.eq_ignore_ascii_case("https://")).and_then(|_| url.get(8..)).ok_or("it is no `https` address")?;
    let path_at = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, path) = rest.split_at_checked(path_at).ok_or("it is no address")?;
    if host.contains('@') || url.chars().any(|letter| letter.is_control() || letter == ' ') {
        return Err("it is no address that can be asked".to_owned());
    }
    let path = path.split('#').next().unwrap_or("");
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let (name, port) = host_and_port(host).ok_or("it is no address")?;
    let config = config(authority)?;
    let server = ServerName::try_from(name.trim_matches(['[', ']']).to_owned()).map_err(|error| error.to_string())?;
    let connection = ClientConnection::new(config, server).map_err(|error| error.to_string())?;
    let stream = connect(name.trim_matches(['[', ']']), port, deadline)?;
    let mut stream = StreamOwned::new(connection, Timed { stream, deadline });
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: application/json\r\nConnection: close\r\nUser-Agent: bartizan\r\n\r\n");
    let sent = stream.write_all(request.as_bytes()).and_then(|()| stream.flush());
    if let Some(certificates) = stream.conn.peer_certificates() {
        *expires = certificates.first().and_then(|der| pem::certificate_of(der)).map(|certificate| certificate.not_after);
    }
    sent.map_err(|error| told(&error))?;
    let mut answer = Vec::new();
    let read = (&mut stream).take(ANSWER_MAX + 1).read_to_end(&mut answer);
    if answer.len() as u64 > ANSWER_MAX {
        return Err(format!("the answer is larger than {} KiB", ANSWER_MAX >> 10));
    }
    let is_cut = match read {
        Ok(_) => false,
        // Many servers hang up without saying goodbye: whether the answer is whole is told by its length.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => true,
        Err(error) => return Err(told(&error)),
    };
    let body = body(&answer, is_cut)?;
    serde_json::from_slice(&body).map_err(|error| format!("the answer is no JSON (line {}, column {})", error.line(), error.column()))
}

fn config(authority: Option<&str>) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
    let config = match authority {
        Some(text) => {
            let mut roots = RootCertStore::empty();
            for certificate in CertificateDer::pem_slice_iter(text.as_bytes()) {
                let certificate = certificate.map_err(|_| "the given authority is no PEM")?;
                roots.add(certificate).map_err(|error| error.to_string())?;
            }
            builder.with_root_certificates(roots).with_no_client_auth()
        }
        None => builder.with_platform_verifier().map_err(|error| error.to_string())?.with_no_client_auth(),
    };
    Ok(Arc::new(config))
}

/// The body of an answer, if it is a good one and whole.
fn body(answer: &[u8], is_cut: bool) -> Result<Vec<u8>, String> {
    const CUT: &str = "the answer is cut";
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").ok_or(CUT)?;
    let (head, rest) = answer.split_at_checked(end).ok_or(CUT)?;
    let body = rest.get(4..).unwrap_or_default();
    let head = std::str::from_utf8(head).map_err(|_| "the answer is no HTTP")?;
    let mut lines = head.split("\r\n");
    let status: Vec<&str> = lines.next().unwrap_or("").split(' ').collect();
    match status.as_slice() {
        [version, code, ..] if version.starts_with("HTTP/1.") => {
            if *code != "200" {
                let code: String = code.chars().filter(char::is_ascii_digit).take(3).collect();
                return Err(format!("it answers with the status {code}"));
            }
        }
        _ => return Err("the answer is no HTTP".to_owned()),
    }
    let header = |name: &str| {
        let found = head.split("\r\n").skip(1).filter_map(|line| line.split_once(':')).find(|(key, _)| key.trim().eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim())
    };
    if header("transfer-encoding").is_some_and(|encoding| encoding.eq_ignore_ascii_case("chunked")) {
        return chunks(body).ok_or_else(|| CUT.to_owned());
    }
    match header("content-length").map(str::parse::<usize>) {
        Some(Ok(length)) => body.get(..length).map(<[u8]>::to_vec).ok_or_else(|| CUT.to_owned()),
        Some(Err(_)) => Err("the answer is no HTTP".to_owned()),
        // Without a length, only the end of the connection says where the answer ends.
        None if is_cut => Err(CUT.to_owned()),
        None => Ok(body.to_vec()),
    }
}

/// The content of a body in chunks, if it is whole.
fn chunks(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n")?;
        let (line, behind) = rest.split_at_checked(end)?;
        let digits = std::str::from_utf8(line).ok()?.split(';').next()?.trim();
        let length = usize::from_str_radix(digits, 16).ok()?;
        let (chunk, behind) = behind.get(2..)?.split_at_checked(length)?;
        if length == 0 {
            return Some(content);
        }
        content.extend_from_slice(chunk);
        rest = behind.strip_prefix(b"\r\n")?;
    }
}
