//! Issuers of tokens: a TLS server of ours that answers well, badly, too much, too slowly, or hangs up.
#![cfg(feature = "live")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bartizan_cluster::issuer::IssuerFacts;
use bartizan_gather::issuer::{Question, ask};
use bartizan_testbed::{Authority, Identity};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Long enough for a busy machine, short enough for a test that waits for it.
const WITHIN: Duration = Duration::from_secs(20);

/// What a server does with the address that it is asked for.
type Manner = fn(&str, u16) -> Deed;

enum Deed {
    /// Sends these bytes and says goodbye.
    Say(String),
    /// Sends these bytes and hangs up.
    Drop(String),
    /// Sends nothing, for as long as the other side waits.
    Wait,
}

fn answer(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn chunked(parts: &[&str]) -> String {
    let chunks: String = parts.iter().map(|part| format!("{:x}\r\n{part}\r\n", part.len())).collect();
    format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n")
}

/// Starts a server that answers so many connections.
fn serve(identity: &Identity, connections: usize, manner: Manner) -> (u16, std::thread::JoinHandle<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let chain = CertificateDer::pem_slice_iter(identity.certificate.as_bytes()).collect::<Result<Vec<_>, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let config = Arc::new(config.with_single_cert(chain, key).unwrap());
    let thread = std::thread::spawn(move || {
        for _ in 0..connections {
            let (stream, _) = listener.accept().unwrap();
            converse(stream, Arc::clone(&config), manner, port);
        }
    });
    (port, thread)
}

fn converse(stream: TcpStream, config: Arc<ServerConfig>, manner: Manner, port: u16) {
    let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
    let mut asked = Vec::new();
    let mut byte = [0];
    while !asked.ends_with(b"\r\n\r\n") {
        // A client that does not trust this server hangs up here.
        match stream.read(&mut byte) {
            Ok(1) => asked.push(byte[0]),
            _ => return,
        }
    }
    let asked = String::from_utf8(asked).unwrap();
    assert!(!asked.to_ascii_lowercase().contains("authorization"), "a credential was sent");
    match manner(asked.split(' ').nth(1).unwrap(), port) {
        Deed::Say(text) => {
            let _ = stream.write_all(text.as_bytes());
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
        Deed::Drop(text) => {
            let _ = stream.write_all(text.as_bytes());
            let _ = stream.flush();
        }
        Deed::Wait => {
            let _ = stream.read(&mut byte);
        }
    }
}

struct Asked {
    facts: IssuerFacts,
    url: String,
}

fn asked(connections: usize, within: Duration, manner: Manner) -> Asked {
    let authority = Authority::new("idp").unwrap();
    let identity = authority.server("idp", &["localhost"], &[Ipv4Addr::LOCALHOST]).unwrap();
    let (port, thread) = serve(&identity, connections, manner);
    let url = format!("https://127.0.0.1:{port}");
    let question = Question { url: url.clone(), discovery_url: None, authority: Some(authority.identity().certificate.clone()) };
    let facts = ask(&question, within);
    thread.join().unwrap();
    Asked { facts, url }
}

fn failure(asked: &Asked) -> (&str, &str) {
    asked.facts.failure.as_ref().map_or(("", ""), |failure| (failure.step, failure.reason.as_str()))
}

fn discovery(port: u16) -> String {
    format!(r#"{{"issuer":"https://127.0.0.1:{port}","jwks_uri":"https://127.0.0.1:{port}/keys","id_token_signing_alg_values_supported":["RS256","none"]}}"#)
}

#[test]
fn a_good_issuer_is_read_whole() {
    let asked = asked(2, WITHIN, |path, port| match path {
        "/.well-known/openid-configuration" => Deed::Say(answer(&discovery(port))),
        // In chunks, as many servers answer.
        _ => Deed::Say(chunked(&[
            r#"{"keys":[{"kty":"RSA","kid":"a","alg":"RS256","n":"xcXFxcXFxcU","#,
            r#""e":"AQAB"},{"kty":"EC","kid":"b","crv":"P-256"},{"kty":"oct","kid":"c","k":"eA"}]}"#,
        ])),
    });
    let facts = &asked.facts;
    assert_eq!(failure(&asked), ("", ""));
    assert_eq!((facts.issuer.as_deref(), facts.algorithms.as_slice()), (Some(asked.url.as_str()), ["RS256".to_owned(), "none".to_owned()].as_slice()));
    let keys: Vec<_> = facts.keys.iter().map(|key| (key.id.as_str(), key.kind.as_str(), key.bits, key.is_private)).collect();
    assert_eq!(keys, [("a", "RSA", Some(64), false), ("b", "EC", Some(256), false), ("c", "oct", None, true)]);
    assert_eq!(facts.certificate_expires.unwrap().to_string(), "2049-12-31T23:59:59Z");
}

#[test]
fn an_issuer_that_names_another_is_a_fact_not_an_error() {
    let asked = asked(2, WITHIN, |path, port| match path {
        "/keys" => Deed::Say(answer(r#"{"keys":[]}"#)),
        _ => Deed::Say(answer(&discovery(port).replacen(&format!("127.0.0.1:{port}"), "other.example", 1))),
    });
    assert_eq!((failure(&asked), asked.facts.issuer.as_deref()), (("", ""), Some("https://other.example")));
}

#[test]
fn what_a_bad_issuer_answers_is_told() {
    let cases: [(Manner, &str); 9] = [
        (|_, port| Deed::Drop(answer(&discovery(port))[..80].to_owned()), "the answer is cut"),
        (|_, _| Deed::Drop(String::new()), "the answer is cut"),
        (|_, _| Deed::Drop("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{".to_owned()), "the answer is cut"),
        (|_, _| Deed::Drop("HTTP/1.1 200 OK\r\n\r\n{}".to_owned()), "the answer is cut"),
        (|_, _| Deed::Say(answer("{\"issuer\": tru")), "the answer is no JSON (line 1, column 14)"),
        (|_, _| Deed::Say("HTTP/1.1 302 Found\r\nLocation: https://evil.example\r\n\r\n".to_owned()), "it answers with the status 302"),
        (|_, _| Deed::Say("SSH-2.0-x\r\n\r\n".to_owned()), "the answer is no HTTP"),
        (|_, _| Deed::Say(answer("{}")), "the document has no `jwks_uri`"),
        (|_, _| Deed::Say(format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(2 << 20))), "the answer is larger than 1024 KiB"),
    ];
    for (manner, reason) in cases {
        let asked = asked(1, WITHIN, manner);
        assert_eq!(failure(&asked), ("discovery", reason));
    }
}

#[test]
fn keys_that_cannot_be_had_leave_the_rest() {
    let asked = asked(1, WITHIN, |_, port| Deed::Say(answer(&discovery(port).replace(&format!("https://127.0.0.1:{port}/keys"), "http://127.0.0.1/keys"))));
    assert_eq!(failure(&asked), ("keys", "it is no `https` address"));
    assert!(asked.facts.issuer.is_some());
}

#[test]
fn an_issuer_that_says_nothing_is_not_waited_for() {
    let begun = Instant::now();
    let asked = asked(1, Duration::from_secs(2), |_, _| Deed::Wait);
    assert_eq!(failure(&asked), ("discovery", "it did not answer in time"));
    assert!(begun.elapsed() < Duration::from_secs(15));
}

#[test]
fn a_certificate_of_another_authority_is_not_believed() {
    let identity = Authority::new("idp").unwrap().server("idp", &[], &[Ipv4Addr::LOCALHOST]).unwrap();
    for authority in [Authority::new("other").unwrap().identity().certificate.clone(), "garbage".to_owned()] {
        let (port, thread) = serve(&identity, 1, |_, port| Deed::Say(answer(&discovery(port))));
        let question = Question { url: format!("https://127.0.0.1:{port}"), discovery_url: None, authority: Some(authority) };
        let facts = ask(&question, WITHIN);
        assert!(facts.failure.is_some() && facts.issuer.is_none(), "{facts:?}");
        // A server that nobody came to is let go.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, port));
        thread.join().unwrap();
    }
    let (port, thread) = serve(&identity, 1, |_, _| Deed::Wait);
    let question = Question { url: format!("http://127.0.0.1:{port}"), discovery_url: None, authority: None };
    assert_eq!(ask(&question, WITHIN).failure.unwrap().reason, "it is no `https` address");
    let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, port));
    thread.join().unwrap();
}
