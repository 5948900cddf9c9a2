//! Begins to speak TLS with a server, once for each version, and notes what it says: no further than its certificate, and no word after.
//!
//! Old versions and broken suites are spoken by no library worth using, so the greeting is written here and the answer is read in
//! [`crate::hello`]. No credential is ever sent, nothing is verified,
//! nothing is judged.

use std::io::{self, Write as _};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bartizan_cluster::handshake::{HandshakeFacts, VersionFacts};
use bartizan_cluster::pem;
use bartizan_cluster::secret::Certificate;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};

use crate::connection::{Timed, connect, host_and_port, told};
use crate::hello::{Answer, CHAIN_MAX, TLS_1_3, Unread};

/// The versions that are asked for, with their numbers.
const VERSIONS: [(&str, u16); 4] = [("1.0", 0x0301), ("1.1", 0x0302), ("1.2", 0x0303), ("1.3", 0x0304)];

const TLS_1_2: u16 = 0x0303;

/// Suites that are offered as a client of today or yesterday would.
const SUITES: [(u16, &str); 23] = [
    (0x1301, "TLS_AES_128_GCM_SHA256"),
    (0x1302, "TLS_AES_256_GCM_SHA384"),
    (0x1303, "TLS_CHACHA20_POLY1305_SHA256"),
    (0xc02b, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
    (0xc02c, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
    (0xcca9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"),
    (0xc02f, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
    (0xc030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"),
    (0xcca8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
    (0xc009, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"),
    (0xc00a, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA"),
    (0xc023, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256"),
    (0xc013, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"),
    (0xc014, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"),
    (0xc027, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256"),
    (0x009c, "TLS_RSA_WITH_AES_128_GCM_SHA256"),
    (0x009d, "TLS_RSA_WITH_AES_256_GCM_SHA384"),
    (0x009e, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"),
    (0x009f, "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384"),
    (0x002f, "TLS_RSA_WITH_AES_128_CBC_SHA"),
    (0x0035, "TLS_RSA_WITH_AES_256_CBC_SHA"),
    (0x0033, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA"),
    (0x0039, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA"),
];

/// Suites without encryption, without authentication, for export, with RC4 or with DES.
const WEAK: [(u16, &str); 19] = [
    (0x0001, "TLS_RSA_WITH_NULL_MD5"),
    (0x0002, "TLS_RSA_WITH_NULL_SHA"),
    (0x003b, "TLS_RSA_WITH_NULL_SHA256"),
    (0xc006, "TLS_ECDHE_ECDSA_WITH_NULL_SHA"),
    (0xc010, "TLS_ECDHE_RSA_WITH_NULL_SHA"),
    (0x0003, "TLS_RSA_EXPORT_WITH_RC4_40_MD5"),
    (0x0008, "TLS_RSA_EXPORT_WITH_DES40_CBC_SHA"),
    (0x0018, "TLS_DH_anon_WITH_RC4_128_MD5"),
    (0x0034, "TLS_DH_anon_WITH_AES_128_CBC_SHA"),
    (0xc018, "TLS_ECDH_anon_WITH_AES_128_CBC_SHA"),
    (0x0004, "TLS_RSA_WITH_RC4_128_MD5"),
    (0x0005, "TLS_RSA_WITH_RC4_128_SHA"),
    (0xc007, "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA"),
    (0xc011, "TLS_ECDHE_RSA_WITH_RC4_128_SHA"),
    (0x0009, "TLS_RSA_WITH_DES_CBC_SHA"),
    (0x000a, "TLS_RSA_WITH_3DES_EDE_CBC_SHA"),
    (0x0016, "TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA"),
    (0xc008, "TLS_ECDHE_ECDSA_WITH_3DES_EDE_CBC_SHA"),
    (0xc012, "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA"),
];

/// Asks the server at `endpoint` (`host:port`; 443 if no port is written) for at most `within`.
pub fn probe(endpoint: &str, within: Duration) -> HandshakeFacts {
    let mut facts = HandshakeFacts { endpoint: endpoint.to_owned(), ..HandshakeFacts::default() };
    let Some((host, port)) = host_and_port(endpoint).filter(|(host, _)| host.chars().all(is_host_letter)) else {
        facts.failure = Some("it is no address of a server".to_owned());
        return facts;
    };
    let host = host.trim_matches(['[', ']']);
    host.clone_into(&mut facts.host);
    let asker = Asker { host, port, deadline: Instant::now() + within };
    for (name, number) in VERSIONS {
        match asker.ask(number, &SUITES) {
            Ok(answer) => facts.versions.push(said(name, number, answer, &mut facts.certificates)),
            // Where nobody listens, nobody will for the next version.
            Err(Failed::Connecting(reason)) => {
                facts.failure = Some(reason);
                return facts;
            }
            Err(Failed::Speaking(reason)) => facts.versions.push(VersionFacts { version: name, offered: None, suite: None, reason: Some(reason) }),
        }
    }
    let speaks = facts.versions.iter().any(|version| version.offered == Some(true));
    for version in facts.versions.iter_mut().filter(|version| speaks && version.offered.is_none() && version.reason.as_deref() == Some(HUNG_UP)) {
        // A server that speaks another version and hangs up on this one has refused it.
        version.offered = Some(false);
    }
    if speaks {
        facts.weak_suites = asker.weak_suites();
        if facts.certificates.is_empty() {
            match asker.certificates() {
                Ok(certificates) => facts.certificates = certificates,
                Err(reason) => facts.failure = Some(reason),
            }
        }
    } else {
        facts.failure = facts.versions.iter().find_map(|version| version.reason.clone());
    }
    facts
}

fn is_host_letter(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.' | '_' | ':' | '[' | ']')
}

const HUNG_UP: &str = "it hung up";

/// Why there is no answer.
enum Failed {
    Connecting(String),
    Speaking(String),
}

struct Asker<'a> {
    host: &'a str,
    port: u16,
    deadline: Instant,
}

impl Asker<'_> {
    fn ask(&self, version: u16, suites: &[(u16, &str)]) -> Result<Answer, Failed> {
        let stream = connect(self.host, self.port, self.deadline).map_err(Failed::Connecting)?;
        let mut stream = Timed { stream, deadline: self.deadline };
        let greeting = greeting(self.host, version, suites);
        stream.write_all(&greeting).map_err(|error| Failed::Speaking(spoken(&error)))?;
        Answer::read(&mut stream).map_err(|unread| Failed::Speaking(unspoken(&unread)))
    }

    /// The broken suites to which the server agrees: each time, those that it chose before are left out.
    fn weak_suites(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut left: Vec<(u16, &str)> = WEAK.to_vec();
        while !left.is_empty() {
            let chosen = [TLS_1_2, 0x0301].into_iter().find_map(|version| match self.ask(version, &left) {
                Ok(Answer::Hello { suite, .. }) => left.iter().position(|(number, _)| *number == suite),
                _ => None,
            });
            let Some(at) = chosen else { break };
            found.push(left.remove(at).1.to_owned());
        }
        found.sort();
        found
    }

    /// The certificates of a server that encrypts them: the handshake is made to its end, and nothing is said after it.
    fn certificates(&self) -> Result<Vec<Certificate>, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let schemes = provider.signature_verification_algorithms.supported_schemes();
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
        let config = builder.dangerous().with_custom_certificate_verifier(Arc::new(Onlooker { schemes })).with_no_client_auth();
        let name = ServerName::try_from(self.host.to_owned()).map_err(|error| error.to_string())?;
        let mut connection = ClientConnection::new(Arc::new(config), name).map_err(|error| error.to_string())?;
        let stream = connect(self.host, self.port, self.deadline)?;
        let mut stream = Timed { stream, deadline: self.deadline };
        // A server that asks for a certificate of ours may end the handshake; its own has been shown by then.
        let ended = connection.complete_io(&mut stream);
        let shown = connection.peer_certificates().unwrap_or_default();
        let read: Vec<Certificate> = shown.iter().take(CHAIN_MAX).filter_map(|der| pem::certificate_of(der)).collect();
        match ended {
            Err(error) if read.is_empty() => Err(told(&error)),
            _ => Ok(read),
        }
    }
}

/// What the answer to one version tells.
fn said(name: &'static str, asked: u16, answer: Answer, shown: &mut Vec<Certificate>) -> VersionFacts {
    match answer {
        Answer::Hello { version, suite, certificates } if version == asked => {
            if !certificates.is_empty() {
                *shown = certificates;
            }
            VersionFacts { version: name, offered: Some(true), suite: Some(suite_name(suite)), reason: None }
        }
        Answer::Hello { .. } => VersionFacts { version: name, offered: Some(false), suite: None, reason: Some("it answers with an older version".to_owned()) },
        Answer::Alert(number) => VersionFacts { version: name, offered: Some(false), suite: None, reason: Some(alert_name(number)) },
    }
}

/// Looks at certificates and believes all of them: what is wrong with them is judged elsewhere, and nothing is sent to the server.
#[derive(Debug)]
struct Onlooker {
    schemes: Vec<SignatureScheme>,
}

impl ServerCertVerifier for Onlooker {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(&self, _: &[u8], _: &CertificateDer<'_>, _: &DigitallySignedStruct) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(&self, _: &[u8], _: &CertificateDer<'_>, _: &DigitallySignedStruct) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}

fn spoken(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted | io::ErrorKind::UnexpectedEof => HUNG_UP.to_owned(),
        _ => told(error),
    }
}

fn unspoken(unread: &Unread) -> String {
    match unread {
        Unread::Broken(error) => spoken(error),
        other => other.to_string(),
    }
}

/// A list behind its length of two bytes.
fn with_length(content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes(), content].concat()
}

fn extension(number: u16, content: &[u8]) -> Vec<u8> {
    [number.to_be_bytes().as_slice(), &with_length(content)].concat()
}

/// The greeting of a client that speaks `version` and nothing newer.
fn greeting(host: &str, version: u16, suites: &[(u16, &str)]) -> Vec<u8> {
    let is_new = version == TLS_1_3;
    let wanted = suites.iter().filter(|(number, _)| (number >> 8 == 0x13) == is_new);
    let suites: Vec<u8> = wanted.flat_map(|(number, _)| number.to_be_bytes()).collect();
    let mut extensions = Vec::new();
    if host.parse::<IpAddr>().is_err() {
        let name = [&[0], with_length(host.as_bytes()).as_slice()].concat();
        extensions.extend(extension(0, &with_length(&name)));
    }
    // x25519, P-256, P-384, P-521; points as they are.
    extensions.extend(extension(10, &with_length(&[0x00, 0x1d, 0x00, 0x17, 0x00, 0x18, 0x00, 0x19])));
    extensions.extend(extension(11, &[1, 0]));
    if version >= TLS_1_2 {
        let schemes: [u16; 13] = [0x0403, 0x0503, 0x0603, 0x0807, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0203, 0x0201, 0x0202];
        extensions.extend(extension(13, &with_length(&schemes.into_iter().flat_map(u16::to_be_bytes).collect::<Vec<u8>>())));
    }
    if is_new {
        extensions.extend(extension(43, &[2, 0x03, 0x04]));
        // No share of a key: a server that speaks this version asks for one, which is all that is to be known.
        extensions.extend(extension(51, &with_length(&[])));
    }
    let mut random = [0x42; 32];
    // Any bytes will do: nothing that depends on them is ever said.
    let _drawn = getrandom::fill(&mut random);
    let written = version.min(TLS_1_2).to_be_bytes();
    let body = [written.as_slice(), &random, &[0], &with_length(&suites), &[1, 0], &with_length(&extensions)].concat();
    let length = u32::try_from(body.len()).unwrap_or(0).to_be_bytes();
    let message = [&[1], length.get(1..).unwrap_or_default(), &body].concat();
    [&[0x16, 0x03, 0x01], with_length(&message).as_slice()].concat()
}

fn suite_name(number: u16) -> String {
    SUITES.iter().chain(&WEAK).find(|(known, _)| *known == number).map_or_else(|| format!("{number:#06x}"), |(_, name)| (*name).to_owned())
}

fn alert_name(number: u8) -> String {
    let name = match number {
        40 => "handshake_failure",
        70 => "protocol_version",
        71 => "insufficient_security",
        80 => "internal_error",
        86 => "inappropriate_fallback",
        112 => "unrecognized_name",
        _ => return format!("alert {number}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_greeting_has_the_lengths_that_it_says() {
        for (version, suites) in [(0x0301, SUITES.as_slice()), (TLS_1_2, &SUITES), (TLS_1_3, &SUITES), (TLS_1_2, &WEAK)] {
            let greeting = greeting("shop.example", version, suites);
            assert_eq!(greeting.len(), 5 + usize::from(u16::from_be_bytes([greeting[3], greeting[4]])));
            assert_eq!(greeting.len(), 9 + u32::from_be_bytes([0, greeting[6], greeting[7], greeting[8]]) as usize);
        }
    }
}
