//! A REST client for one identity at one API server: JSON in, status and JSON out, nothing retried.

use std::time::Duration;

use serde_json::Value;
use ureq::http::{Request, Response};
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};
use ureq::{Agent, Body};

use crate::certificates::Identity;
use crate::error::{Error, Result};

/// An answer that takes longer than this is a server that hangs.
const TIMEOUT: Duration = Duration::from_mins(1);

/// The largest answer that is read: a list of tens of thousands of pods fits.
const BODY_LIMIT: u64 = 1 << 30;

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Value,
    /// The texts of the `Warning` headers, in their order.
    pub warnings: Vec<String>,
}

/// A client that speaks as one identity.
#[derive(Clone, Debug)]
pub struct Client {
    agent: Agent,
    url: String,
    token: Option<String>,
    /// Headers that go along with every request.
    headers: Vec<(String, String)>,
}

impl Client {
    /// A client that sends a bearer token.
    pub fn with_token(url: &str, ca_pem: &str, token: &str) -> Result<Self> {
        Ok(Self { agent: agent(ca_pem, None, Some(TIMEOUT))?, url: url.to_owned(), token: Some(token.to_owned()), headers: Vec::new() })
    }

    /// A client that shows a client certificate.
    pub fn with_certificate(url: &str, ca_pem: &str, identity: &Identity) -> Result<Self> {
        Ok(Self { agent: agent(ca_pem, Some(identity), Some(TIMEOUT))?, url: url.to_owned(), token: None, headers: Vec::new() })
    }

    /// A client that shows no credentials.
    pub fn anonymous(url: &str, ca_pem: &str) -> Result<Self> {
        Ok(Self { agent: agent(ca_pem, None, Some(TIMEOUT))?, url: url.to_owned(), token: None, headers: Vec::new() })
    }

    /// The same client, acting as somebody else in further groups.
    #[must_use]
    pub fn acting_as(&self, user: &str, groups: &[&str]) -> Self {
        let mut client = self.clone();
        client.headers = vec![("impersonate-user".to_owned(), user.to_owned())];
        client.headers.extend(groups.iter().map(|&group| ("impersonate-group".to_owned(), group.to_owned())));
        client
    }

    /// The same client with these headers in every request.
    #[must_use]
    pub fn with_headers(&self, headers: Vec<(String, String)>) -> Self {
        Self { headers, ..self.clone() }
    }

    /// Asks for a WebSocket at a path, as `kubectl exec` does. The answer is the status; nothing is spoken over it.
    pub fn upgrade(&self, path: &str) -> Result<u16> {
        let mut client = self.clone();
        let headers = [("connection", "Upgrade"), ("upgrade", "websocket"), ("sec-websocket-version", "13"), ("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA==")];
        client.headers.extend(headers.map(|(name, value)| (name.to_owned(), value.to_owned())));
        client.get(path).map(|(status, _)| status)
    }

    /// Reads a path.
    pub fn get(&self, path: &str) -> Result<(u16, Value)> {
        self.send("GET", path, None)
    }

    /// Creates an object in a collection.
    pub fn post(&self, path: &str, body: &Value) -> Result<(u16, Value)> {
        self.send("POST", path, Some(("application/json", body)))
    }

    /// Replaces an object.
    pub fn put(&self, path: &str, body: &Value) -> Result<(u16, Value)> {
        self.send("PUT", path, Some(("application/json", body)))
    }

    /// Merges a patch into an object (a JSON merge patch).
    pub fn patch(&self, path: &str, body: &Value) -> Result<(u16, Value)> {
        self.send("PATCH", path, Some(("application/merge-patch+json", body)))
    }

    /// Applies an object on the server's side, taking over fields that others own.
    pub fn server_side_apply(&self, path: &str, body: &Value) -> Result<(u16, Value)> {
        let mark = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{mark}fieldManager=bartizan-testbed&force=true");
        self.send("PATCH", &path, Some(("application/apply-patch+yaml", body)))
    }

    /// Deletes an object; `body` holds the options, or null for none.
    pub fn delete(&self, path: &str, body: &Value) -> Result<(u16, Value)> {
        let options = (!body.is_null()).then_some(("application/json", body));
        self.send("DELETE", path, options)
    }

    /// Sends `body` as a merge patch for PATCH and as an object else, and keeps the warnings of the answer.
    pub fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Answer> {
        let content_type = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        self.exchange(method, path, Some((content_type, body)))
    }

    fn send(&self, method: &str, path: &str, body: Option<(&str, &Value)>) -> Result<(u16, Value)> {
        let answer = self.exchange(method, path, body)?;
        Ok((answer.status, answer.body))
    }

    fn exchange(&self, method: &str, path: &str, body: Option<(&str, &Value)>) -> Result<Answer> {
        let url = format!("{}{path}", self.url);
        let mut request = Request::builder().method(method).uri(&url).header("accept", "application/json");
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some((content_type, _)) = body {
            request = request.header("content-type", content_type);
        }
        let bytes = body.map(|(_, value)| value.to_string().into_bytes());
        let failed = |source| Error::Request { method: method.to_owned(), url: url.clone(), source: Box::new(source) };
        let request = request.body(bytes.unwrap_or_default()).map_err(|error| failed(error.into()))?;
        let mut response = run(&self.agent, request).map_err(failed)?;
        let text = response.body_mut().with_config().limit(BODY_LIMIT).read_to_vec().map_err(failed)?;
        let warnings = response.headers().get_all("warning").iter().filter_map(|header| warning(header.to_str().ok()?)).collect();
        Ok(Answer { status: response.status().as_u16(), body: understand(&text), warnings })
    }
}

/// The text of a header `299 - "text"`, in which a backslash stands before a quotation mark or another one.
fn warning(header: &str) -> Option<String> {
    let quoted = header.split_once('"')?.1.strip_suffix('"')?;
    let mut text = String::new();
    let mut letters = quoted.chars();
    while let Some(letter) = letters.next() {
        text.push(if letter == '\\' { letters.next()? } else { letter });
    }
    Some(text)
}

/// JSON as it is, anything else (such as the `ok` of a health check) as a string.
fn understand(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()))
}

/// An HTTP agent that trusts one authority, uses no proxy of the environment and takes every status for an answer.
pub(crate) fn agent(ca_pem: &str, identity: Option<&Identity>, timeout: Option<Duration>) -> Result<Agent> {
    let failed = |source| Error::Request { method: "TLS".to_owned(), url: "certificates".to_owned(), source: Box::new(source) };
    let root = Certificate::from_pem(ca_pem.as_bytes()).map_err(failed)?;
    let client = match identity {
        None => None,
        Some(identity) => Some(ClientCert::new_with_certs(
            &[Certificate::from_pem(identity.certificate.as_bytes()).map_err(failed)?],
            PrivateKey::from_pem(identity.key.as_bytes()).map_err(failed)?,
        )),
    };
    let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&[root])).client_cert(client).build();
    Ok(Agent::config_builder().tls_config(tls).proxy(None).max_redirects(0).http_status_as_error(false).timeout_global(timeout).build().new_agent())
}

/// Sends a request whatever its method; a body goes along with DELETE too.
pub(crate) fn run(agent: &Agent, request: Request<Vec<u8>>) -> std::result::Result<Response<Body>, ureq::Error> {
    let (head, body) = request.into_parts();
    if head.method == "DELETE" && !body.is_empty() {
        let mut builder = agent.delete(head.uri).force_send_body();
        for (name, value) in &head.headers {
            builder = builder.header(name, value);
        }
        return builder.send(&body[..]);
    }
    if body.is_empty() && !matches!(head.method.as_str(), "POST" | "PUT" | "PATCH") {
        return agent.run(Request::from_parts(head, ()));
    }
    agent.run(Request::from_parts(head, body))
}
