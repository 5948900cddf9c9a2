//! What can go wrong between a test and its real components. Messages carry the end of the component's log.

use std::path::PathBuf;
use std::time::Duration;

use crate::apply::Refusal;

/// The result of everything at this crate's door.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a real component could not be had, started or asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No Go toolchain, and the part is neither in `$KUBEBUILDER_ASSETS` nor in the cache.
    #[error(
        "`{part}` has to be built and `go` was not found: install Go {wanted} or newer, or point `KUBEBUILDER_ASSETS` at a directory with kube-apiserver, kube-controller-manager and etcd"
    )]
    NoGo {
        /// The part that is missing.
        part: String,
        /// The Go release that its module asks for.
        wanted: String,
    },
    /// `go build` ended with an error.
    #[error("`{part}` could not be built in `{module}`:\n{log}")]
    Build {
        /// The part that was being built.
        part: String,
        /// The Go module's directory.
        module: PathBuf,
        /// The end of what the compiler said.
        log: String,
    },
    /// The module that pins a part does not name its version.
    #[error("`{file}` does not require `{module}`")]
    NotPinned {
        /// The `go.mod` that was read.
        file: PathBuf,
        /// The Go module whose version was looked for.
        module: String,
    },
    /// `$KUBEBUILDER_ASSETS` is set and cannot be used.
    #[error("`KUBEBUILDER_ASSETS` is `{directory}`, {why}")]
    Assets {
        /// The directory that the variable names.
        directory: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Neither `$BARTIZAN_CACHE`, `$XDG_CACHE_HOME` nor `$HOME` says where built parts are kept.
    #[error("no directory for built parts: set `BARTIZAN_CACHE`, `XDG_CACHE_HOME` or `HOME`")]
    NoCache,
    /// A component ended by itself.
    #[error("`{part}` ended by itself ({status}); the end of its log:\n{log}")]
    Ended {
        /// The component.
        part: String,
        /// Its exit status.
        status: String,
        /// The end of its log.
        log: String,
    },
    /// A component did not become ready in time.
    #[error("`{part}` was not ready after {waited:?}: {last}; the end of its log:\n{log}")]
    NotReady {
        /// The component.
        part: String,
        /// How long was waited.
        waited: Duration,
        /// What the last look saw.
        last: String,
        /// The end of its log.
        log: String,
    },
    /// [`ControlPlane::wait_for`](crate::ControlPlane::wait_for) saw its deadline pass.
    #[error("`{path}` did not come to what was waited for in {waited:?}; last seen: {last}")]
    TimedOut {
        /// The path that was polled.
        path: String,
        /// How long was waited.
        waited: Duration,
        /// The last answer.
        last: String,
    },
    /// Some manifests were not accepted; all the others were.
    #[error("{} not accepted:\n{}", count(.0), lines(.0))]
    NotApplied(Vec<Refusal>),
    /// A request got no answer at all.
    #[error("{method} `{url}`: {source}")]
    Request {
        /// The HTTP method.
        method: String,
        /// The whole address.
        url: String,
        /// Why there was no answer.
        #[source]
        source: Box<ureq::Error>,
    },
    /// An answer was not what its sender promises.
    #[error("the answer to `{question}` cannot be understood: {why}")]
    Answer {
        /// What was asked.
        question: String,
        /// What is wrong with the answer.
        why: String,
    },
    /// A key or certificate could not be made.
    #[error("no certificate for `{subject}`: {why}")]
    Certificate {
        /// Whose certificate.
        subject: String,
        /// What failed.
        why: &'static str,
    },
    /// The operating system refused something.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done, with the path or address.
        doing: String,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
}

impl Error {
    /// A closure for `map_err` that says what was being done.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { doing: doing.into(), source }
    }
}

fn count(refusals: &[Refusal]) -> String {
    match refusals.len() {
        1 => "1 manifest was".to_owned(),
        several => format!("{several} manifests were"),
    }
}

fn lines(refusals: &[Refusal]) -> String {
    refusals.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
