//! One server: requests with time limits, patience where it helps, and none where it does not.
//!
//! A server that throttles is waited for as long as it asks, within bounds. A connection that breaks is tried once more. A
//! server that has gone is noticed once, and everything after that fails at once.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bartizan_cluster::Reason;
use http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use http_body_util::{BodyExt as _, Limited};
use kube::client::Body;
use serde::Deserialize;
use tokio::time::{sleep, timeout};

/// A page of five hundred objects of the largest size is about 750 MiB; nothing honest is larger.
const BODY_MAX: usize = 1 << 30;

/// How often a request is sent to a server that throttles.
const TRIES_MAX: u32 = 5;

/// After so many requests were given up because the server throttles, the others are tried once.
const GIVEN_UP_MAX: usize = 2;

/// How long a server may ask to be left alone between two tries.
const PAUSE_MAX: Duration = Duration::from_secs(20);

/// The pause where the server names none.
const PAUSE: Duration = Duration::from_millis(500);

/// How long a server that stopped answering has to prove that it is there.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

/// Plain JSON.
pub(super) const JSON: &str = "application/json";

/// A server and the time that is left for it.
pub(super) struct Server {
    client: kube::Client,
    address: String,
    deadline: Option<Instant>,
    patience: Duration,
    gone: OnceLock<Failure>,
    /// How many requests were given up because the server throttles.
    given_up: AtomicUsize,
}

/// Why a request brought nothing.
#[derive(Debug, Clone)]
pub(super) enum Failure {
    /// The server said no.
    Status { code: u16, message: String, pause: Option<Duration> },
    /// The connection could not be made, or broke.
    Lost(String),
    /// No answer in time.
    TimedOut,
    /// An answer that makes no sense.
    Garbage(String),
}

impl Failure {
    /// What it means for a fact.
    pub(super) fn reason(&self) -> Reason {
        match self {
            Failure::Status { code, .. } => match code {
                401 | 403 => Reason::Forbidden,
                404 | 405 => Reason::NotServed,
                408 | 504 => Reason::TimedOut,
                410 => Reason::Incomplete,
                429 => Reason::Throttled,
                502 | 503 => Reason::NotReachable,
                _ => Reason::Unreadable,
            },
            Failure::Lost(_) => Reason::NotReachable,
            Failure::TimedOut => Reason::TimedOut,
            Failure::Garbage(_) => Reason::Unreadable,
        }
    }

    /// Whether the server said this code.
    pub(super) fn is(&self, wanted: u16) -> bool {
        matches!(self, Failure::Status { code, .. } if *code == wanted)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Status { code, message, .. } if message.is_empty() => write!(out, "the server answered {code}"),
            Failure::Status { code, message, .. } => write!(out, "{message} ({code})"),
            Failure::Lost(message) | Failure::Garbage(message) => out.write_str(message),
            Failure::TimedOut => out.write_str("no answer in time"),
        }
    }
}

/// The part of the server's refusals that is read.
#[derive(Debug, Default, Deserialize)]
struct Status {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    message: String,
}

impl Server {
    pub(super) fn new(client: kube::Client, address: String, time: Option<Duration>, patience: Duration) -> Self {
        Self { client, address, deadline: time.map(|time| Instant::now() + time), patience, gone: OnceLock::new(), given_up: AtomicUsize::new(0) }
    }

    /// The address, as the kubeconfig has it.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// The namespace that the kubeconfig names for this context.
    pub(super) fn default_namespace(&self) -> &str {
        self.client.default_namespace()
    }

    /// Reads `path` as `accept`.
    pub(super) async fn get(&self, path: &str, accept: &str) -> Result<String, Failure> {
        let mut lost = 0u32;
        let mut tries = 0u32;
        let tries_max = if self.given_up.load(Ordering::Relaxed) < GIVEN_UP_MAX { TRIES_MAX } else { 1 };
        loop {
            if let Some(gone) = self.gone.get() {
                return Err(gone.clone());
            }
            tries += 1;
            let failure = match self.once("GET", path, accept, None, self.patience).await {
                Ok(text) => return Ok(text),
                Err(failure) => failure,
            };
            match &failure {
                Failure::Status { code: 429, pause, .. } | Failure::Status { code: 503, pause: pause @ Some(_), .. } if tries < tries_max => {
                    self.rest(pause.unwrap_or(PAUSE * tries)).await?;
                }
                Failure::Status { code: 429, .. } => {
                    self.given_up.fetch_add(1, Ordering::Relaxed);
                    return Err(failure);
                }
                Failure::Status { code: 500 | 502 | 503 | 504, .. } if tries < 2 => self.rest(PAUSE).await?,
                Failure::Lost(_) if lost == 0 => {
                    lost += 1;
                    self.rest(PAUSE / 2).await?;
                }
                Failure::Lost(_) | Failure::TimedOut => {
                    self.look_for_life(&failure).await;
                    return Err(failure);
                }
                _ => return Err(failure),
            }
        }
    }

    /// Sends `body` to `path`, once.
    pub(super) async fn post(&self, path: &str, body: String) -> Result<String, Failure> {
        self.once("POST", path, JSON, Some(body), self.patience).await
    }

    /// One try, for callers who want to know how it failed and nothing else.
    pub(super) async fn once(&self, method: &str, path: &str, accept: &str, body: Option<String>, patience: Duration) -> Result<String, Failure> {
        let patience = match self.deadline {
            None => patience,
            Some(deadline) => patience.min(deadline.saturating_duration_since(Instant::now())),
        };
        if patience.is_zero() {
            return Err(Failure::TimedOut);
        }
        timeout(patience, self.exchange(method, path, accept, body)).await.unwrap_or(Err(Failure::TimedOut))
    }

    async fn exchange(&self, method: &str, path: &str, accept: &str, body: Option<String>) -> Result<String, Failure> {
        let mut request = http::Request::builder().method(method).uri(path).header(ACCEPT, accept);
        if body.is_some() {
            request = request.header(CONTENT_TYPE, JSON);
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.into_bytes()));
        let request = request.body(body).map_err(|error| Failure::Garbage(error.to_string()))?;
        let response = self.client.send(request).await.map_err(|error| Failure::Lost(chain(&error)))?;
        let (head, body) = response.into_parts();
        let bytes =
            Limited::new(body, BODY_MAX).collect().await.map_err(|error| Failure::Lost(format!("the answer broke off: {}", chain(error.as_ref()))))?.to_bytes();
        if head.status.is_success() {
            return String::from_utf8(bytes.into()).map_err(|_| Failure::Garbage("the answer is no UTF-8".to_owned()));
        }
        let pause = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok()).map(Duration::from_secs);
        let status: Status = serde_json::from_slice(&bytes).unwrap_or_default();
        let message = if status.kind == "Status" { status.message } else { String::new() };
        Err(Failure::Status { code: head.status.as_u16(), message, pause })
    }

    /// Waits, unless that would take longer than there is time.
    async fn rest(&self, pause: Duration) -> Result<(), Failure> {
        let pause = pause.min(PAUSE_MAX);
        if self.deadline.is_some_and(|deadline| Instant::now() + pause >= deadline) {
            return Err(Failure::TimedOut);
        }
        sleep(pause).await;
        Ok(())
    }

    /// After a failure that the server may not have survived: asks once more, briefly. If nothing comes, nothing will.
    async fn look_for_life(&self, failure: &Failure) {
        if let Err(silence @ (Failure::Lost(_) | Failure::TimedOut)) = self.once("GET", "/version", JSON, None, SIGN_OF_LIFE.min(self.patience)).await {
            let gone = match (&silence, failure) {
                (Failure::TimedOut, _) => Failure::TimedOut,
                (_, Failure::Lost(message)) => Failure::Lost(message.clone()),
                (silence, _) => silence.clone(),
            };
            // Another request may have noticed first; one of the two is kept.
            let _ = self.gone.set(gone);
        }
    }
}

/// An error in the words of all its layers, each said once.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        // Most layers repeat what is below them.
        if !words.iter().any(|known| known.contains(&text)) {
            words.push(text);
        }
        next = error.source();
    }
    let text = words.join(": ");
    let text = ["ServiceError: ", "HyperError: "].iter().find_map(|layer| text.strip_prefix(layer)).unwrap_or(&text);
    text.rsplit_once(" (os error ").map_or(text, |(text, _)| text).to_owned()
}
