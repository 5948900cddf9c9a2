//! Facts that may be missing: what is known, what is known to be absent, and what could not be had.

use serde::{Deserialize, Serialize};

use crate::kind::Kind;

/// Why a fact could not be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The server said 401 or 403.
    Forbidden,
    /// The server could not be reached or hung up.
    NotReachable,
    /// The server did not answer in time.
    TimedOut,
    /// The server kept answering 429.
    Throttled,
    /// The list was cut: a page could not be had, or its continuation had expired for good.
    Incomplete,
    /// The server does not serve the kind.
    NotServed,
    /// The server answered with something that is not a list of the kind.
    Unreadable,
    /// It was asked not to be read.
    NotGathered,
    /// This kind of source cannot have it: manifests hold no node files and rarely any Secret.
    NotInSource,
}

impl Reason {
    /// Whether the fact was asked for and not had: what makes a report incomplete.
    pub fn is_loss(self) -> bool {
        !matches!(self, Reason::NotServed | Reason::NotGathered | Reason::NotInSource)
    }

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Forbidden => "forbidden",
            Reason::NotReachable => "not-reachable",
            Reason::TimedOut => "timed-out",
            Reason::Throttled => "throttled",
            Reason::Incomplete => "incomplete",
            Reason::NotServed => "not-served",
            Reason::Unreadable => "unreadable",
            Reason::NotGathered => "not-gathered",
            Reason::NotInSource => "not-in-source",
        }
    }
}

/// A fact that could not be had, where, and why.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Missing {
    /// What is missing: the plural of a kind (`secrets`), or `node-files`, `component-flags`.
    pub fact: String,
    /// `cluster`, `namespace/NAME` or `namespaces-except/NAME,NAME`.
    pub scope: String,
    /// Why.
    pub reason: Reason,
}

/// The fact that is missing where a server does not say what it serves beyond Kubernetes' own kinds.
pub const CUSTOM_KINDS: &str = "custom-resources";

impl Missing {
    /// A list of `kind` in `namespace` (everywhere if `None`) that could not be had.
    pub fn list(kind: Kind, namespace: Option<&str>, reason: Reason) -> Self {
        let fact = kind.resource().map_or("objects", |resource| resource.plural).to_owned();
        Self { fact, scope: namespace.map_or_else(|| "cluster".to_owned(), |name| format!("namespace/{name}")), reason }
    }

    /// The list of `kind` that could be had in the namespaces `known` and nowhere else.
    pub fn elsewhere(kind: Kind, known: &[&str], reason: Reason) -> Self {
        Self { scope: format!("namespaces-except/{}", known.join(",")), ..Self::list(kind, None, reason) }
    }

    /// Whether something may be missing in `namespace`; with `None`, anywhere.
    pub fn concerns(&self, namespace: Option<&str>) -> bool {
        let Some(namespace) = namespace else { return true };
        match self.scope.split_once('/') {
            Some(("namespace", name)) => name == namespace,
            Some(("namespaces-except", names)) => names.split(',').all(|name| name != namespace),
            _ => true,
        }
    }
}

impl std::fmt::Display for Missing {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} ({}): {}", self.fact, self.scope, self.reason.name())
    }
}

/// A fact: known, known to be absent, or missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact<T> {
    /// It is there.
    Known(T),
    /// It is known not to be there.
    Absent,
    /// It could not be had.
    Missing(Missing),
}

impl<T> Fact<T> {
    /// The fact for a judge that cannot go on without it: `?` on the answer ends the judgement in *unknown*.
    pub fn read(self) -> Result<Option<T>, Missing> {
        match self {
            Fact::Known(value) => Ok(Some(value)),
            Fact::Absent => Ok(None),
            Fact::Missing(missing) => Err(missing),
        }
    }

    /// The same fact about something derived from it.
    pub fn map<U>(self, derive: impl FnOnce(T) -> U) -> Fact<U> {
        match self {
            Fact::Known(value) => Fact::Known(derive(value)),
            Fact::Absent => Fact::Absent,
            Fact::Missing(missing) => Fact::Missing(missing),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_list_concerns_the_namespaces_of_its_scope() {
        let everywhere = Missing::list(Kind::Pod, None, Reason::Forbidden);
        let here = Missing::list(Kind::Pod, Some("here"), Reason::Forbidden);
        let elsewhere = Missing::elsewhere(Kind::Pod, &["here", "near"], Reason::Forbidden);
        let concerned = |missing: &Missing| [None, Some("here"), Some("there")].map(|namespace| missing.concerns(namespace));
        assert_eq!(concerned(&everywhere), [true, true, true]);
        assert_eq!(concerned(&here), [true, true, false]);
        assert_eq!(concerned(&elsewhere), [true, false, true]);
    }
}
