//! What could not be read of a log, with its line.

/// Something in a log that was not counted, at its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1, in which it begins.
    pub line: u64,
    /// What is the matter.
    pub trouble: Trouble,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}: {}", self.line, self.trouble)
    }
}

/// Why something in a log was not counted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// It is not JSON.
    #[error("not an audit event: {0}")]
    Syntax(String),
    /// It ends before it is complete.
    #[error("cut off: the event ends before it is complete")]
    Cut,
    /// What follows cannot be read: the file is compressed, and cut off or damaged.
    #[error("the rest cannot be read: {0}")]
    Damaged(String),
    /// It is too large to be held.
    #[error("longer than {} MiB", limit >> 20)]
    TooLong {
        /// How many bytes are held at most.
        limit: usize,
    },
    /// It is a JSON object, but neither an event nor a wrapping that is known.
    #[error("no audit event, and no wrapping of one that is known")]
    Foreign,
    /// It is an event of a version that is not known.
    #[error("`{0}` is no known version of audit events")]
    Version(String),
    /// It is an entry of Google Cloud's audit log.
    #[error("an entry of Google Cloud's audit log: it names neither the groups of the user nor the request, so nothing exact follows from it")]
    GoogleCloud,
    /// It is a wrapping inside a wrapping inside a wrapping.
    #[error("wrapped too deeply")]
    Nested,
}
