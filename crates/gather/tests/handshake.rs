//! Handshakes with real servers on loopback: rustls, and OpenSSL from TLS 1.0 on; and with what is no TLS server at all.
#![cfg(feature = "live")]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bartizan_cluster::handshake::HandshakeFacts;
use bartizan_gather::handshake::probe;
use bartizan_testbed::{Authority, Identity, TlsServer};

/// Long enough for a busy machine.
const WITHIN: Duration = Duration::from_secs(60);

fn offered(facts: &HandshakeFacts) -> Vec<Option<bool>> {
    facts.versions.iter().map(|version| version.offered).collect()
}

fn identity() -> (Authority, Identity) {
    let authority = Authority::new("root").unwrap();
    let identity = authority.server("shop", &["shop.example"], &[Ipv4Addr::LOCALHOST]).unwrap();
    (authority, identity)
}

#[test]
fn a_server_of_today_speaks_two_versions_and_shows_its_certificate() {
    let (_, identity) = identity();
    let server = TlsServer::start(&identity).unwrap();
    let facts = probe(server.url().strip_prefix("https://").unwrap(), WITHIN);
    assert_eq!(offered(&facts), [Some(false), Some(false), Some(true), Some(true)], "{facts:#?}");
    assert_eq!((facts.weak_suites.len(), facts.failure.as_deref()), (0, None));
    assert_eq!(facts.certificates.len(), 1);
    assert_eq!(facts.certificates[0].alternative_names, ["DNS:shop.example", "IP:127.0.0.1"]);
    assert!(facts.versions[3].suite.as_ref().is_some_and(|suite| suite.starts_with("TLS_AES_") || suite.contains("CHACHA20")));
}

/// `openssl s_server` with these arguments.
struct OpenSsl {
    child: Child,
    port: u16,
    _files: tempfile::TempDir,
}

impl OpenSsl {
    fn start(identity: &Identity, chain: &str, arguments: &[&str]) -> Self {
        let files = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = files.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let (certificate, key, chain) = (write("cert.pem", &identity.certificate), write("key.pem", &identity.key), write("chain.pem", chain));
        let mut command = Command::new("openssl");
        command.args(["s_server", "-accept", "127.0.0.1:0", "-www", "-cert"]).arg(certificate).arg("-key").arg(key).arg("-cert_chain").arg(chain);
        let mut child =
            command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("Debian's `openssl` is needed");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.find_map(|line| line.ok()?.strip_prefix("ACCEPT ")?.rsplit(':').next()?.parse().ok()).unwrap();
        // The rest is read away, so that the server never waits for us.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, port, _files: files }
    }

    fn probe(&self) -> HandshakeFacts {
        probe(&format!("127.0.0.1:{}", self.port), WITHIN)
    }
}

impl Drop for OpenSsl {
    fn drop(&mut self) {
        let _stopped = self.child.kill();
        let _ended = self.child.wait();
    }
}

#[test]
fn openssl_is_told_apart_version_by_version() {
    let (authority, identity) = identity();
    let chain = authority.identity().certificate.clone();
    // Security level 0 lets the server speak what it would rather not.
    let old = ["-cipher", "ALL:@SECLEVEL=0"];
    for (arguments, expected) in [
        (vec!["-tls1", old[0], old[1]], [true, false, false, false]),
        (vec!["-tls1_1", old[0], old[1]], [false, true, false, false]),
        (vec!["-tls1_2"], [false, false, true, false]),
        (vec!["-tls1_3"], [false, false, false, true]),
        (vec![old[0], old[1]], [true, true, true, true]),
        (vec!["-no_tls1", "-no_tls1_1"], [false, false, true, true]),
    ] {
        let facts = OpenSsl::start(&identity, &chain, &arguments).probe();
        assert_eq!(offered(&facts), expected.map(Some), "{arguments:?}: {facts:#?}");
        let subjects: Vec<&str> = facts.certificates.iter().map(|certificate| certificate.common_name.as_str()).collect();
        assert_eq!(subjects, ["shop", "root"], "{arguments:?}");
    }
}

#[test]
fn suites_without_protection_are_found_one_by_one() {
    let (authority, identity) = identity();
    let weak = OpenSsl::start(
        &identity,
        &authority.identity().certificate,
        &["-tls1_2", "-cipher", "ECDHE-ECDSA-NULL-SHA:AECDH-AES128-SHA:ECDHE-ECDSA-AES128-GCM-SHA256:@SECLEVEL=0"],
    );
    assert_eq!(weak.probe().weak_suites, ["TLS_ECDHE_ECDSA_WITH_NULL_SHA", "TLS_ECDH_anon_WITH_AES_128_CBC_SHA"]);
    let strong = OpenSsl::start(&identity, &authority.identity().certificate, &["-tls1_2"]);
    assert_eq!(strong.probe().weak_suites, Vec::<String>::new());
}

/// A server that does `deed` with every connection.
struct Strange {
    port: u16,
    stopped: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Strange {
    fn start(deed: impl Fn(&mut TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let stopped = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&stopped);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                if let Ok(mut stream) = stream {
                    deed(&mut stream);
                }
            }
        });
        Self { port, stopped, thread: Some(thread) }
    }

    fn probe(&self, within: Duration) -> HandshakeFacts {
        probe(&format!("127.0.0.1:{}", self.port), within)
    }
}

impl Drop for Strange {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        let _woken = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

fn read_some(stream: &mut TcpStream) {
    let mut bytes = [0; 1024];
    let _read = stream.read(&mut bytes);
}

#[test]
fn what_is_no_tls_server_is_said_to_be_none() {
    let plain = Strange::start(|stream| {
        read_some(stream);
        let _sent = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    });
    let facts = plain.probe(WITHIN);
    assert_eq!((offered(&facts), facts.failure.as_deref()), (vec![None; 4], Some("it answers in plaintext (HTTP)")));
    let other = Strange::start(|stream| {
        read_some(stream);
        let _sent = stream.write_all(b"SSH-2.0-OpenSSH_9.9\r\n");
    });
    assert_eq!(other.probe(WITHIN).failure.as_deref(), Some("it speaks no TLS"));
}

#[test]
fn a_server_that_hangs_up_half_way_leaves_everything_unknown() {
    let dead = Strange::start(|stream| {
        read_some(stream);
        // The head of a record that never comes.
        let _sent = stream.write_all(&[0x16, 0x03, 0x03, 0x40, 0x00, 0x02]);
    });
    let facts = dead.probe(WITHIN);
    assert_eq!((offered(&facts), facts.failure.as_deref(), facts.certificates.len()), (vec![None; 4], Some("it hung up"), 0));
}

#[test]
fn a_server_that_says_nothing_costs_no_more_than_the_time_it_was_given() {
    let (sender, receiver) = std::sync::mpsc::channel::<()>();
    let receiver = std::sync::Mutex::new(receiver);
    // Every connection is held until the test is over.
    let silent = Strange::start(move |_| {
        let _released = receiver.lock().map(|receiver| receiver.recv());
    });
    let begun = Instant::now();
    let facts = silent.probe(Duration::from_millis(300));
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert_eq!(facts.failure.as_deref(), Some("it did not answer in time"));
    drop(sender);
}

#[test]
fn nobody_is_there() {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let facts = probe(&format!("127.0.0.1:{free}"), WITHIN);
    assert!(facts.failure.is_some() && facts.versions.is_empty(), "{facts:#?}");
    for endpoint in ["", ":443", "a b:443", "host:notaport", "host:99999", "ho\nst:1"] {
        assert_eq!(probe(endpoint, WITHIN).failure.as_deref(), Some("it is no address of a server"), "{endpoint:?}");
    }
}
