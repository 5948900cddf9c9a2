//! Kubernetes' own authorizers as an oracle: the program `tests/real/control-plane/rbac` answers for whole worlds at once, and
//! times itself. It never sees our code.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::builds;
use crate::error::{Error, Result};
use crate::oracles::{converse, garbled, line, read};

/// A world and what is asked about it.
#[derive(Clone, Copy, Debug)]
pub struct Inquiry<'a> {
    /// Objects of RBAC and those that the Node authorizer follows; others that belong to a cluster are passed over.
    pub world: &'a [Value],
    /// Specs of access reviews.
    pub specs: &'a [Value],
}

/// What the chain `Node,RBAC` says to a review.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Review {
    /// Whether it is allowed.
    pub allowed: bool,
    /// Why, in the words of the API server's answer. Of several bindings that allow it, the first by name is named, cluster
    /// role bindings before role bindings.
    pub reason: String,
    /// What could not be evaluated.
    #[serde(default, rename = "evaluationError")]
    pub evaluation_error: String,
    /// With [`AuthorizationOracle::ask_every`]: the reason of each binding that allows it, sorted.
    #[serde(default)]
    pub reasons: Vec<String>,
}

/// The rules of a role that a user writes, or the role that a user binds.
#[derive(Clone, Debug, Serialize)]
pub struct Grant {
    /// Who writes.
    pub user: String,
    /// With these groups, exactly.
    pub groups: Vec<String>,
    /// The namespace of the role or binding, empty for cluster roles and their bindings.
    pub namespace: String,
    /// The rules of a role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rules: Option<Value>,
    /// The role of a binding.
    #[serde(rename = "roleRef", skip_serializing_if = "Option::is_none")]
    pub role_ref: Option<Value>,
}

/// How fast Kubernetes' authorizers are in process, on one core.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Measured {
    /// From JSON in memory to authorizers that are ready, in milliseconds.
    pub load_ms: f64,
    /// What the world holds, in megabytes.
    pub heap_mb: f64,
    /// How many questions were put.
    pub questions: usize,
    /// How many of them are allowed.
    pub allowed: usize,
    /// One question with the caches of the API server, in nanoseconds.
    pub served_ns: f64,
    /// One question with bindings in plain slices, in nanoseconds.
    pub listed_ns: f64,
}

/// The authorizers of the pinned release.
#[derive(Debug)]
pub struct AuthorizationOracle {
    program: PathBuf,
}

impl AuthorizationOracle {
    /// Finds the program, or builds it.
    pub fn locate() -> Result<Self> {
        Ok(Self { program: builds::AUTHORIZATION.have()? })
    }

    /// The answers to each inquiry's specs, in order. The inner error is what the API server refuses a review with.
    pub fn ask(&self, inquiries: &[Inquiry<'_>]) -> Result<Vec<Vec<std::result::Result<Review, String>>>> {
        self.inquire(inquiries, false)
    }

    /// As [`ask`](Self::ask), and every reason for which each review is allowed.
    pub fn ask_every(&self, inquiries: &[Inquiry<'_>]) -> Result<Vec<Vec<std::result::Result<Review, String>>>> {
        self.inquire(inquiries, true)
    }

    fn inquire(&self, inquiries: &[Inquiry<'_>], every: bool) -> Result<Vec<Vec<std::result::Result<Review, String>>>> {
        let mut lines = Vec::new();
        for inquiry in inquiries {
            lines.push(line(&json!({"world": inquiry.world}))?);
            for spec in inquiry.specs {
                lines.push(if every { format!(r#"{{"spec":{spec},"every":true}}"#) } else { format!(r#"{{"spec":{spec}}}"#) });
            }
        }
        let mut answers = converse(&self.program, lines)?.into_iter();
        let mut reviews = Vec::new();
        for inquiry in inquiries {
            loaded(&answers.next().unwrap_or_default())?;
            reviews.push(answers.by_ref().take(inquiry.specs.len()).map(|answer| understand(&answer)).collect::<Result<_>>()?);
        }
        Ok(reviews)
    }

    /// Whether Kubernetes' escalation check lets each grant through. The verbs `escalate` and `bind` are not asked here.
    pub fn may_grant(&self, world: &[Value], grants: &[Grant]) -> Result<Vec<Review>> {
        let mut lines = vec![line(&json!({ "world": world }))?];
        for grant in grants {
            lines.push(line(&json!({ "grant": grant }))?);
        }
        let mut answers = converse(&self.program, lines)?.into_iter();
        loaded(&answers.next().unwrap_or_default())?;
        answers.map(|answer| understand(&answer)?.map_err(|error| garbled(&answer, &error))).collect()
    }

    /// Times the authorizers on a file with a JSON list of objects and one with a line `{"spec": …}` for each question.
    pub fn measure(&self, world: &Path, questions: &Path) -> Result<Measured> {
        let doing = || format!("running `{} bench`", self.program.display());
        let output = Command::new(&self.program).arg("bench").arg(world).arg(questions).env("GOMAXPROCS", "1").output().map_err(Error::io(doing()))?;
        if !output.status.success() {
            return Err(garbled(&doing(), &String::from_utf8_lossy(&output.stderr)));
        }
        serde_json::from_slice(&output.stdout).map_err(|error| garbled(&doing(), &error.to_string()))
    }
}

fn understand(answer: &str) -> Result<std::result::Result<Review, String>> {
    read(answer, |value| serde_json::from_value(value).ok())
}

/// A world that was not understood answers nothing.
fn loaded(answer: &str) -> Result<()> {
    read(answer, |value| value.get("objects").map(drop))?.map_err(|error| garbled("a world", &error))
}
