//! An API server that says what a test has told it to say.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};

/// What arrived.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) accept: String,
    pub(crate) body: String,
}

/// What is answered.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Json(Value),
    Status(u16, Value),
    Throttled(u32),
    Text(u16, String),
    /// The first half of an answer, and then nothing.
    Half(Value),
    /// No answer for this long.
    Silence(Duration),
    /// The connection closes, and no other is taken.
    Death,
}

/// An error as the API server words it.
pub(crate) fn refusal(code: u16, message: &str) -> Answer {
    Answer::Status(code, json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code}))
}

type Script = dyn Fn(&Asked) -> Answer + Send + Sync;

/// A server on loopback; it stops with its value.
pub(crate) struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    directory: tempfile::TempDir,
}

impl Server {
    pub(crate) fn start(script: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, stopped) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (seen, stop, script): (_, _, Arc<Script>) = (Arc::clone(&asked), Arc::clone(&stopped), Arc::new(script));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let (seen, stop, script) = (Arc::clone(&seen), Arc::clone(&stop), Arc::clone(&script));
                std::thread::spawn(move || {
                    // A client that hangs up is no failure of the server.
                    let _ = serve(stream, address, &seen, &stop, &*script);
                });
            }
        });
        Self { address, asked, stopped, thread: Some(thread), directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A kubeconfig for this server, at another address if one is given.
    pub(crate) fn kubeconfig(&self, url: Option<&str>, user: &Value) -> PathBuf {
        let url = url.map_or_else(|| self.url(), str::to_owned);
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": url}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test", "namespace": "home"}}],
            "users": [{"name": "test", "user": user}],
        });
        let path = self.directory.path().join("kubeconfig");
        std::fs::write(&path, config.to_string()).unwrap();
        path
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The targets that contain `part`.
    pub(crate) fn asked_for(&self, part: &str) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.target).filter(|target| target.contains(part)).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(stream: TcpStream, own: SocketAddr, seen: &Mutex<Vec<Asked>>, stopped: &AtomicBool, script: &Script) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return Ok(()) };
    let (mut accept, mut length) = (String::new(), 0u64);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "accept" => value.clone_into(&mut accept),
            "content-length" => length = value.parse().unwrap_or(0),
            _ => {}
        }
    }
    let mut body = String::new();
    reader.take(length).read_to_string(&mut body)?;
    let asked = Asked { method, target, accept, body };
    seen.lock().unwrap().push(asked.clone());
    answer(stream, own, stopped, script(&asked))
}

fn answer(mut stream: TcpStream, own: SocketAddr, stopped: &AtomicBool, answer: Answer) -> std::io::Result<()> {
    let mut send = |code: u16, extra: &str, body: &str, cut: usize| {
        write!(stream, "HTTP/1.1 {code} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n{extra}\r\n", body.len())?;
        stream.write_all(&body.as_bytes()[..body.len() - cut])?;
        stream.flush()
    };
    match answer {
        Answer::Json(body) => send(200, "", &body.to_string(), 0),
        Answer::Status(code, body) => send(code, "", &body.to_string(), 0),
        Answer::Throttled(seconds) => send(429, &format!("Retry-After: {seconds}\r\n"), "{}", 0),
        Answer::Text(code, body) => send(code, "", &body, 0),
        Answer::Half(body) => {
            let body = body.to_string();
            send(200, "", &body, body.len() / 2)
        }
        Answer::Silence(time) => {
            std::thread::sleep(time);
            Ok(())
        }
        Answer::Death => {
            stopped.store(true, Ordering::SeqCst);
            // The listener sees the flag at its next connection: this one.
            TcpStream::connect(own).map(drop)
        }
    }
}

/// A cluster that serves nothing but what `lists` holds, and empty lists of everything else that Kubernetes has.
pub(crate) fn cluster(lists: &'static [(&'static str, &'static str, &'static [&'static str])]) -> impl Fn(&Asked) -> Answer {
    move |asked| {
        let path = asked.target.split('?').next().unwrap_or("");
        if let Some(answer) = fixed(path) {
            return answer;
        }
        for (prefix, kind, names) in lists {
            if path == *prefix {
                let items: Vec<Value> = names.iter().map(|name| item(name)).collect();
                return list(kind, items, "");
            }
        }
        list("Thing", Vec::new(), "")
    }
}

/// An item called `namespace/name` or `name`.
pub(crate) fn item(name: &str) -> Value {
    match name.split_once('/') {
        Some((namespace, name)) => json!({"metadata": {"name": name, "namespace": namespace, "uid": name}}),
        None => json!({"metadata": {"name": name, "uid": name}}),
    }
}

pub(crate) fn list(kind: &str, items: Vec<Value>, next: &str) -> Answer {
    let version = if kind == "Deployment" { "apps/v1" } else { "v1" };
    Answer::Json(
        json!({"kind": format!("{kind}List"), "apiVersion": version, "metadata": {"resourceVersion": "1", "continue": next}, "items": Value::Array(items)}),
    )
}

/// The documents that every cluster has.
pub(crate) fn fixed(path: &str) -> Option<Answer> {
    let groups = |items: Value| Some(Answer::Json(json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "items": items})));
    match path {
        "/version" => Some(Answer::Json(json!({"major": "1", "minor": "33", "gitVersion": "v1.33.4"}))),
        "/api" | "/apis" => groups(json!([])),
        _ => None,
    }
}
