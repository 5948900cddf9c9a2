//! Access reviews put to a real API server in bulk: many connections, one answer for each spec, in order.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::authorization_oracle::Review;
use crate::client::Client;
use crate::control_plane::ControlPlane;
use crate::error::{Error, Result};

/// Every so many reviews with a namespace are asked as a local one, which the server answers by another road.
const LOCAL_EVERY: usize = 16;

/// What the API server says to a review; the inner error is its refusal.
pub type Reviewed = std::result::Result<Review, String>;

impl ControlPlane {
    /// Asks the API server for a review of each spec, as the administrator, over so many connections. A namespace in `local` may
    /// be asked as a local review.
    pub fn review(&self, specs: &[Value], local: &[&str], connections: usize) -> Result<Vec<Reviewed>> {
        let next = AtomicUsize::new(0);
        let ask = || -> Result<Vec<(usize, Reviewed)>> {
            let client = self.new_connection()?;
            let mut answers = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(spec) = specs.get(index) else { return Ok(answers) };
                let namespace = local_namespace(spec).filter(|namespace| index.is_multiple_of(LOCAL_EVERY) && local.contains(namespace));
                answers.push((index, ask_one(&client, spec, namespace)?));
            }
        };
        let parts = std::thread::scope(|scope| {
            let askers: Vec<_> = (0..connections.max(1)).map(|_| scope.spawn(ask)).collect();
            askers.into_iter().map(|asker| asker.join().unwrap_or_else(|_| Err(panicked()))).collect::<Result<Vec<_>>>()
        })?;
        let mut answers: Vec<(usize, Reviewed)> = parts.into_iter().flatten().collect();
        answers.sort_by_key(|(index, _)| *index);
        Ok(answers.into_iter().map(|(_, answer)| answer).collect())
    }
}

fn panicked() -> Error {
    Error::Answer { question: "access reviews".to_owned(), why: "a thread that asks panicked".to_owned() }
}

/// The namespace of a spec that a local review can carry.
fn local_namespace(spec: &Value) -> Option<&str> {
    if spec.get("nonResourceAttributes").is_some() {
        return None;
    }
    spec.pointer("/resourceAttributes/namespace").and_then(Value::as_str)
}

fn ask_one(client: &Client, spec: &Value, namespace: Option<&str>) -> Result<Reviewed> {
    let (path, body) = match namespace {
        None => ("/apis/authorization.k8s.io/v1/subjectaccessreviews".to_owned(), json!({"kind": "SubjectAccessReview", "spec": spec})),
        Some(namespace) => (
            format!("/apis/authorization.k8s.io/v1/namespaces/{namespace}/localsubjectaccessreviews"),
            json!({"kind": "LocalSubjectAccessReview", "metadata": {"namespace": namespace}, "spec": spec}),
        ),
    };
    let mut body = body;
    if let Some(fields) = body.as_object_mut() {
        fields.insert("apiVersion".to_owned(), json!("authorization.k8s.io/v1"));
    }
    let (status, answer) = client.post(&path, &body)?;
    match status {
        201 => {
            let status = answer.get("status").cloned().unwrap_or_default();
            let reason = status.get("reason").and_then(Value::as_str).unwrap_or_default().to_owned();
            let evaluation_error = status.get("evaluationError").and_then(Value::as_str).unwrap_or_default().to_owned();
            let allowed = status.get("allowed").and_then(Value::as_bool).unwrap_or_default();
            Ok(Ok(Review { allowed, reason, evaluation_error, reasons: Vec::new() }))
        }
        400 | 422 => Ok(Err(answer.get("message").and_then(Value::as_str).unwrap_or_default().to_owned())),
        _ => Err(Error::Answer { question: format!("{path} {spec}"), why: format!("{status} {answer}") }),
    }
}
