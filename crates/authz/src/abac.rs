//! ABAC: a file of policies, one JSON object a line; the first that fits allows.
//!
//! It is the oldest authorizer that the server still has, and the file is read when the server starts. A file in which one line is
//! wrong keeps the server from starting, so it is refused whole.

use bartizan_cluster::access::{AUTHENTICATED, Request, Target};
use bartizan_cluster::{ObjectView, Value};
use serde::Deserialize;

/// The API version of policies.
const V1BETA1: &str = "abac.authorization.kubernetes.io/v1beta1";

/// Policies in one file: a file is a few lines that people write.
const MOST_POLICIES: usize = 100_000;

/// The policies of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policies(Vec<Policy>);

#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Policy {
    user: String,
    group: String,
    readonly: bool,
    #[serde(rename = "apiGroup")]
    api_group: String,
    resource: String,
    namespace: String,
    #[serde(rename = "nonResourcePath")]
    path: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    api_version: Option<String>,
    kind: Option<String>,
    spec: Option<Policy>,
}

/// Why a file is no ABAC policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyFileError {
    /// A line does not parse.
    #[error("line {line}: {message}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        message: String,
    },
    /// There are too many lines.
    #[error("the file has more than {MOST_POLICIES} policies")]
    TooLong,
}

impl Policies {
    /// Reads the text of a policy file.
    pub fn read(text: &str) -> Result<Self, PolicyFileError> {
        let mut policies = Vec::new();
        for (line, number) in text.lines().zip(1..) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if policies.len() == MOST_POLICIES {
                return Err(PolicyFileError::TooLong);
            }
            policies.push(Policy::read(line).map_err(|message| PolicyFileError::Line { line: number, message })?);
        }
        Ok(Self(policies))
    }

    /// The policies among the documents of the input, in their order; `None` where there are none.
    pub(crate) fn of<'s>(documents: impl Iterator<Item = ObjectView<'s>>) -> Option<Self> {
        let policies: Vec<Policy> = documents.filter(|document| document.api_version() == V1BETA1).map(Policy::of).collect();
        (!policies.is_empty()).then_some(Self(policies))
    }

    /// The policy that allows `request`, by its number from zero.
    pub(crate) fn allows(&self, request: &Request<'_>) -> Option<usize> {
        self.0.iter().position(|policy| policy.allows(request))
    }
}

impl Policy {
    fn of(document: ObjectView<'_>) -> Self {
        let spec = document.spec();
        let value = |key: &str| spec.and_then(|spec| spec.entry(key));
        let text = |key: &str| value(key).and_then(Value::as_str).unwrap_or("").to_owned();
        let policy = Self {
            user: text("user"),
            group: text("group"),
            readonly: value("readonly").and_then(Value::as_bool).unwrap_or(false),
            api_group: text("apiGroup"),
            resource: text("resource"),
            namespace: text("namespace"),
            path: text("nonResourcePath"),
        };
        policy.settled()
    }

    fn read(line: &str) -> Result<Self, String> {
        let whole: Line = serde_json::from_str(line).map_err(|error| error.to_string())?;
        match (whole.api_version.as_deref(), whole.kind.as_deref(), whole.spec) {
            (Some(V1BETA1), Some("Policy"), spec) => Ok(spec.unwrap_or_default().settled()),
            (Some(V1BETA1), kind, _) => Err(format!("`{}` is not the kind `Policy`", kind.unwrap_or(""))),
            (None | Some(""), None | Some(""), None) => Self::version_zero(line),
            (Some("abac.authorization.kubernetes.io/v0"), Some("Policy"), None) => Self::version_zero(line),
            (version, ..) => Err(format!("`{}` is not `{V1BETA1}`", version.unwrap_or(""))),
        }
    }

    /// A policy of the oldest form, which has no version and says everything in one object.
    fn version_zero(line: &str) -> Result<Self, String> {
        let mut policy: Self = serde_json::from_str(line).map_err(|error| error.to_string())?;
        // Whoever is not named is everybody who logged in.
        if policy.user.is_empty() && policy.group.is_empty() {
            AUTHENTICATED.clone_into(&mut policy.group);
        }
        policy = policy.settled();
        let is_limited = !policy.namespace.is_empty() || !policy.resource.is_empty();
        for word in [&mut policy.namespace, &mut policy.resource] {
            if word.is_empty() {
                "*".clone_into(word);
            }
        }
        "*".clone_into(&mut policy.api_group);
        policy.path = if is_limited { String::new() } else { "*".to_owned() };
        Ok(policy)
    }

    /// What the server makes of a policy that names everybody: everybody who logged in.
    fn settled(mut self) -> Self {
        if self.user == "*" || self.group == "*" {
            self.user.clear();
            AUTHENTICATED.clone_into(&mut self.group);
        }
        self
    }

    fn allows(&self, request: &Request<'_>) -> bool {
        let is_reading = matches!(&*request.action.verb, "get" | "list" | "watch");
        self.means(request) && (is_reading || !self.readonly) && self.covers(request)
    }

    fn means(&self, request: &Request<'_>) -> bool {
        let user = self.user.is_empty() || self.user == "*" || self.user == request.user.name;
        let group = self.group.is_empty() || self.group == "*" || request.user.is_in(&self.group);
        user && group && !(self.user.is_empty() && self.group.is_empty())
    }

    fn covers(&self, request: &Request<'_>) -> bool {
        let fits = |said: &str, asked: &str| said == "*" || said == asked;
        match &request.action.target {
            Target::Resource(target) => {
                fits(&self.namespace, &target.namespace) && fits(&self.resource, &target.resource) && fits(&self.api_group, &target.group)
            }
            Target::Path(path) => crate::rule::url_covers(&self.path, path),
        }
    }
}
