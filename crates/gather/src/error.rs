//! What keeps anything at all from being read.

use std::io;
use std::time::Duration;

/// A failure that leaves nothing to report on. Everything smaller is a problem or a missing fact of the snapshot.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Arguments that do not exist.
    #[error("no such file or directory: {}", quoted(names))]
    NoSuchSource {
        /// The arguments.
        names: Vec<String>,
    },
    /// A pattern that cannot be read.
    #[error("`{glob}` is not a pattern: {reason}")]
    Exclude {
        /// The pattern.
        glob: String,
        /// Why.
        reason: String,
    },
    /// A saved snapshot among other sources.
    #[error("`{name}` is a saved snapshot, which is a whole cluster: give it alone, not together with other sources")]
    MixedSources {
        /// The snapshot.
        name: String,
    },
    /// A file that begins like a saved snapshot and is none.
    #[error("`{name}` is not a snapshot that can be read: {reason}")]
    NotASnapshot {
        /// The file.
        name: String,
        /// Why.
        reason: String,
    },
    /// A saved snapshot of another format.
    #[error("`{name}` has the format `{found}`, and this program reads `{}`; use the version that wrote it", crate::saved::SCHEMA)]
    SnapshotFormat {
        /// The file.
        name: String,
        /// Its format.
        found: String,
    },
    /// A snapshot could not be written.
    #[error("the snapshot could not be written: {0}")]
    Write(#[source] io::Error),
    /// The threads that read could not be started.
    #[error("cannot start the reading threads: {0}")]
    Threads(String),
    /// The system gives no random bytes.
    #[error("the system gives no random bytes: {0}")]
    Random(String),
    /// There is no kubeconfig that could be used, or it lacks what was asked for.
    #[error("no cluster to connect to: {reason}; name manifests to scan, or choose a cluster with `--kubeconfig` and `--context`")]
    NoCluster {
        /// Why.
        reason: String,
    },
    /// The server could not be reached.
    #[error("cannot reach `{server}`: {reason}")]
    Unreachable {
        /// Its address.
        server: String,
        /// Why.
        reason: String,
    },
    /// The server did not answer.
    #[error("`{server}` did not answer within {}", seconds(*after))]
    NoAnswer {
        /// Its address.
        server: String,
        /// How long it had.
        after: Duration,
    },
    /// The server does not accept the credentials.
    #[error("`{server}` does not accept the credentials: {reason}; they may have expired, log in again")]
    Credentials {
        /// Its address.
        server: String,
        /// What it says.
        reason: String,
    },
    /// Credentials could not be had.
    #[error("cannot get credentials for `{server}`: {reason}")]
    NoCredentials {
        /// Its address.
        server: String,
        /// Why.
        reason: String,
    },
}

impl Error {
    /// Whether the command line is at fault.
    pub fn is_usage(&self) -> bool {
        matches!(self, Error::NoSuchSource { .. } | Error::Exclude { .. } | Error::MixedSources { .. })
    }
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn seconds(duration: Duration) -> String {
    match duration.as_secs_f64() {
        1.0 => "a second".to_owned(),
        seconds => format!("{seconds} seconds"),
    }
}
