//! Reads the world: files, rendered charts, live clusters and saved snapshots become one [`Snapshot`].
//!
//! This crate is told what to fetch and where. It never judges what it reads and never prints: what people see while it works
//! goes through [`Progress`], what they should know afterwards stands in [`Gathered`]. Something that could not be read never
//! hides the rest; it becomes a problem or a missing fact of the snapshot.
//!
//! The doors are [`files::gather`], `live::gather` and `live::preflight` (with the feature `live`), and [`saved::write`]; beside them
//! [`node::Reader`] for files of nodes, and with the feature `live` `issuer::ask` for issuers of tokens and `handshake::probe` for servers, whose
//! answers [`hello`] reads.

#[cfg(feature = "live")]
mod connection;
mod error;
pub mod files;
#[cfg(feature = "live")]
pub mod handshake;
pub mod hello;
#[cfg(feature = "live")]
pub mod issuer;
#[cfg(feature = "live")]
pub mod live;
pub mod node;
mod note;
mod progress;
pub mod saved;

use bartizan_cluster::embedded::told_version;
use bartizan_cluster::{KubernetesVersion, Snapshot};

pub use error::Error;
pub use note::Note;
pub use progress::{Progress, Silent, Step};

/// The oldest version of Kubernetes whose clusters are supported.
pub const OLDEST_SUPPORTED: KubernetesVersion = KubernetesVersion::minor(29);

/// What was read.
#[derive(Debug)]
pub struct Gathered {
    /// The facts, with what was wrong with them and what is missing.
    pub snapshot: Snapshot,
    /// What kind of source they come from.
    pub road: Road,
    /// The arguments as they were given, or the address of the server.
    pub names: Vec<String>,
    /// How many files were opened; standard input and a rendered chart count as one each.
    pub files: usize,
    /// What was met and not read.
    pub skipped: Skipped,
    /// What people should know and no judgement depends on.
    pub notes: Vec<Note>,
}

/// The kind of source that facts come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Road {
    /// Manifests.
    Files,
    /// A cluster.
    Live,
    /// A saved snapshot.
    Saved,
}

impl Road {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Road::Files => "files",
            Road::Live => "live",
            Road::Saved => "snapshot",
        }
    }
}

/// Files and directories that were met and not read, by the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Skipped {
    /// Left out by `--exclude`, a `.bartizanignore`, or for being `.git`; a directory counts once.
    pub excluded: usize,
    /// Files whose names are not those of manifests.
    pub other_names: usize,
    /// Files of charts and overlays below the argument that mean nothing before rendering.
    pub unrendered: usize,
    /// Sockets, pipes and devices.
    pub special: usize,
    /// Files that had been read under another name.
    pub repeated: usize,
}

impl Skipped {
    /// How many there are.
    pub fn total(&self) -> usize {
        self.excluded + self.other_names + self.unrendered + self.special + self.repeated
    }
}

/// A key under which the Secrets of one snapshot are made comparable.
fn random_key() -> Result<bartizan_cluster::secret::SnapshotKey, Error> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|error| Error::Random(error.to_string()))?;
    Ok(key)
}

/// The snapshot with the version of its cluster: `known`, where somebody said it or the server told it; else what the input
/// says; else the newest.
fn of_decided_version(snapshot: Snapshot, known: Option<KubernetesVersion>) -> Snapshot {
    let told = || told_version(&snapshot).map(|(version, ..)| version);
    let version = known.or_else(told).unwrap_or_default();
    snapshot.of_version(version)
}
