//! A reverse proxy that misbehaves on request: plain HTTP on loopback in front of an API server.
//!
//! It passes the caller's headers on, the bearer token among them, and never credentials of its own. One connection carries
//! one request. Upgrades (exec, port-forward) are not carried.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::json;
use ureq::Agent;
use ureq::http::{Request, Response};

use crate::client::{agent, run};
use crate::error::{Error, Result};

/// The largest request head that is read.
const HEAD_LIMIT: u64 = 64 << 10;

/// Headers that belong to one connection and are not passed on.
const HOP_BY_HOP: [&str; 7] = ["connection", "host", "content-length", "transfer-encoding", "keep-alive", "te", "expect"];

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum Fault {
    /// An error of the API server: this status with a Kubernetes `Status` body; upstream is not asked.
    Status {
        /// The HTTP status.
        code: u16,
        /// The seconds of a `Retry-After` header, if it has one.
        retry_after: Option<u32>,
    },
    /// An answer of something that is no API server, such as a load balancer's page; upstream is not asked.
    Answer {
        /// The HTTP status.
        code: u16,
        /// The `Content-Type` header.
        content_type: String,
        /// The body.
        body: String,
    },
    /// The answer of upstream with its own length, broken off after so many bytes of the body.
    HangUp {
        /// Bytes of the body that still arrive.
        after: usize,
    },
    /// The answer comes later; rules after this one still count.
    Delay(Duration),
    /// The connection closes without an answer.
    Close,
}

impl Fault {
    /// An error of the API server without `Retry-After`.
    pub fn status(code: u16) -> Self {
        Self::Status { code, retry_after: None }
    }
}

/// A fault and the requests that meet it.
#[derive(Debug)]
pub struct Rule {
    part: String,
    method: Option<String>,
    after: usize,
    times: usize,
    met: AtomicUsize,
    fault: Fault,
}

impl Rule {
    /// Every request whose path and query contain `part` meets this fault.
    pub fn on(part: impl Into<String>, fault: Fault) -> Self {
        Self { part: part.into(), method: None, after: 0, times: usize::MAX, met: AtomicUsize::new(0), fault }
    }

    /// Every request meets this fault.
    pub fn always(fault: Fault) -> Self {
        Self::on("", fault)
    }

    /// Only requests of this method count.
    #[must_use]
    pub fn method(mut self, method: impl Into<String>) -> Self {
        self.method = Some(method.into());
        self
    }

    /// The first `requests` that match pass unharmed.
    #[must_use]
    pub fn after(mut self, requests: usize) -> Self {
        self.after = requests;
        self
    }

    /// The fault strikes this often, then no more.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    /// Counts a request, and says whether the fault strikes it.
    fn strikes(&self, method: &str, target: &str) -> bool {
        if !target.contains(&self.part) || self.method.as_deref().is_some_and(|only| only != method) {
            return false;
        }
        let earlier = self.met.fetch_add(1, Ordering::SeqCst);
        earlier.checked_sub(self.after).is_some_and(|struck| struck < self.times)
    }
}

/// A request that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The HTTP method.
    pub method: String,
    /// The path and query.
    pub target: String,
    /// The status that was answered, or none where the connection was closed.
    pub status: Option<u16>,
}

/// A running proxy; it stops with its value.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    listener: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    agent: Agent,
    upstream: String,
    rules: Vec<Rule>,
    seen: Mutex<Vec<Seen>>,
    stopped: AtomicBool,
}

impl Proxy {
    /// Listens on a free port in front of `upstream` (`https://127.0.0.1:PORT`), whose certificate `ca_pem` signed. Of all
    /// rules that match, the first in order strikes; a delay lets the later ones strike as well.
    pub fn start(upstream: &str, ca_pem: &str, rules: impl IntoIterator<Item = Rule>) -> Result<Self> {
        let listening = "listening on loopback";
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Error::io(listening))?;
        let address = socket.local_addr().map_err(Error::io(listening))?;
        let shared = Arc::new(Shared {
            agent: agent(ca_pem, None, None)?,
            upstream: upstream.trim_end_matches('/').to_owned(),
            rules: rules.into_iter().collect(),
            seen: Mutex::new(Vec::new()),
            stopped: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        let listener = std::thread::spawn(move || accept(&socket, &accepting));
        Ok(Self { address, shared, listener: Some(listener) })
    }

    /// The proxy's address, `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every request so far, in the order of their answers.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // The listener sees the flag at its next connection: this one.
        let _woken = TcpStream::connect(self.address);
        if let Some(listener) = self.listener.take() {
            // It cannot panic, and there is nobody to tell.
            let _ended = listener.join();
        }
    }
}

fn accept(socket: &TcpListener, shared: &Arc<Shared>) {
    for stream in socket.incoming() {
        if shared.stopped.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let shared = Arc::clone(shared);
        std::thread::spawn(move || {
            // A caller that went away needs no answer.
            let _lost = shared.serve(&stream);
            let _closed = stream.shutdown(Shutdown::Both);
        });
    }
}

/// A request as it arrived.
struct Incoming {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Shared {
    fn serve(&self, mut stream: &TcpStream) -> io::Result<()> {
        let Some(request) = read_request(BufReader::new(stream))? else {
            return Ok(());
        };
        let mut cut = None;
        for rule in &self.rules {
            if !rule.strikes(&request.method, &request.target) {
                continue;
            }
            match &rule.fault {
                Fault::Delay(duration) => {
                    std::thread::sleep(*duration);
                    continue;
                }
                Fault::Close => {
                    self.note(&request, None);
                    return Ok(());
                }
                Fault::Status { code, retry_after } => {
                    self.note(&request, Some(*code));
                    let body = status_body(*code, *retry_after);
                    return answer(&mut stream, *code, "application/json", *retry_after, &body);
                }
                Fault::Answer { code, content_type, body } => {
                    self.note(&request, Some(*code));
                    return answer(&mut stream, *code, content_type, None, body);
                }
                Fault::HangUp { after } => cut = Some(*after),
            }
            break;
        }
        self.forward(stream, &request, cut)
    }

    fn forward(&self, mut stream: &TcpStream, request: &Incoming, cut: Option<usize>) -> io::Result<()> {
        let mut outgoing = Request::builder().method(request.method.as_str()).uri(format!("{}{}", self.upstream, request.target));
        for (name, value) in &request.headers {
            if !HOP_BY_HOP.contains(&name.to_ascii_lowercase().as_str()) {
                outgoing = outgoing.header(name, value);
            }
        }
        let sent = outgoing.body(request.body.clone()).map_err(ureq::Error::from);
        let response = match sent.and_then(|outgoing| run(&self.agent, outgoing)) {
            Ok(response) => response,
            Err(error) => {
                self.note(request, Some(502));
                return answer(&mut stream, 502, "text/plain", None, &format!("upstream: {error}"));
            }
        };
        self.note(request, Some(response.status().as_u16()));
        relay(response, stream, cut)
    }

    fn note(&self, request: &Incoming, status: Option<u16>) {
        let seen = Seen { method: request.method.clone(), target: request.target.clone(), status };
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
    }
}

/// Reads one request; none if the caller connected and said nothing.
fn read_request(reader: BufReader<&TcpStream>) -> io::Result<Option<Incoming>> {
    let mut head = reader.take(HEAD_LIMIT);
    let mut line = String::new();
    head.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Ok(None);
    };
    let mut request = Incoming { method: method.to_owned(), target: target.to_owned(), headers: Vec::new(), body: Vec::new() };
    let mut length = 0;
    loop {
        let mut line = String::new();
        head.read_line(&mut line)?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        let (name, value) = (name.trim(), value.trim());
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse().map_err(io::Error::other)?;
        }
        if name.eq_ignore_ascii_case("transfer-encoding") {
            return Err(io::Error::other("requests with a body of unknown length are not carried"));
        }
        request.headers.push((name.to_owned(), value.to_owned()));
    }
    head.into_inner().take(length).read_to_end(&mut request.body)?;
    Ok(Some(request))
}

/// Passes an answer on, whole or broken off after `cut` bytes of its body.
fn relay(response: Response<ureq::Body>, mut stream: &TcpStream, cut: Option<usize>) -> io::Result<()> {
    let (head, body) = response.into_parts();
    let mut out = format!("HTTP/1.1 {}\r\nConnection: close\r\n", head.status);
    for (name, value) in &head.headers {
        if !HOP_BY_HOP.contains(&name.as_str()) {
            out = format!("{out}{name}: {}\r\n", String::from_utf8_lossy(value.as_bytes()));
        }
    }
    let length = head.headers.get("content-length").and_then(|value| value.to_str().ok());
    match length {
        Some(length) => write!(stream, "{out}Content-Length: {length}\r\n\r\n")?,
        None => write!(stream, "{out}Transfer-Encoding: chunked\r\n\r\n")?,
    }

    let chunked = length.is_none();
    let mut left = cut.unwrap_or(usize::MAX);
    let mut body = body.into_with_config().limit(u64::MAX).reader();
    let mut buffer = vec![0; 32 << 10];
    loop {
        let read = body.read(&mut buffer)?;
        let Some(piece) = buffer.get(..read.min(left)) else {
            return Ok(());
        };
        if read == 0 {
            return if chunked { stream.write_all(b"0\r\n\r\n") } else { Ok(()) };
        }
        if chunked {
            // The chunk promises what was read, so that a cut shows.
            write!(stream, "{read:x}\r\n")?;
        }
        stream.write_all(piece)?;
        left -= piece.len();
        if piece.len() < read {
            return Ok(());
        }
        if chunked {
            stream.write_all(b"\r\n")?;
        }
        stream.flush()?;
    }
}

fn answer(stream: &mut &TcpStream, code: u16, content_type: &str, retry_after: Option<u32>, body: &str) -> io::Result<()> {
    let retry = retry_after.map(|seconds| format!("Retry-After: {seconds}\r\n")).unwrap_or_default();
    let length = body.len();
    write!(stream, "HTTP/1.1 {code} {}\r\nConnection: close\r\nContent-Type: {content_type}\r\n{retry}Content-Length: {length}\r\n\r\n{body}", reason(code))
}

/// The `Status` object that an API server sends with an error.
fn status_body(code: u16, retry_after: Option<u32>) -> String {
    let details = retry_after.map(|seconds| json!({ "retryAfterSeconds": seconds }));
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code, "reason": reason(code),
        "message": format!("the testbed answers {code} {}", reason(code)), "details": details,
    });
    status.to_string()
}

/// The API server's word for a status.
fn reason(code: u16) -> &'static str {
    match code {
        400 => "BadRequest",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "NotFound",
        405 => "MethodNotAllowed",
        409 => "Conflict",
        410 => "Expired",
        422 => "Invalid",
        429 => "TooManyRequests",
        500 => "InternalError",
        502 => "BadGateway",
        503 => "ServiceUnavailable",
        504 => "Timeout",
        _ => "Unknown",
    }
}
