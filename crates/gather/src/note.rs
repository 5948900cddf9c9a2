//! Remarks on what was read, for people; nothing is judged by them.

use bartizan_cluster::{KubernetesVersion, Missing};

/// A remark.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Note {
    /// An argument is a directory in which there is nothing to read.
    EmptyDirectory {
        /// The argument.
        directory: String,
    },
    /// A line of an ignore file is no pattern and was left alone.
    IgnoreFile {
        /// The file.
        file: String,
        /// What is wrong with it.
        message: String,
    },
    /// The cluster's version is outside the range that the program knows.
    UnsupportedVersion {
        /// The version of the cluster.
        version: KubernetesVersion,
    },
    /// The server did not tell its version.
    UnknownVersion {
        /// What the server said instead.
        message: String,
        /// The version that was taken for its own.
        assumed: KubernetesVersion,
    },
    /// What a server said when it refused a list.
    Refused {
        /// What is missing for it.
        missing: Missing,
        /// The server's words, or the failure of the connection.
        message: String,
    },
    /// A saved snapshot ends early or is damaged.
    CutSnapshot {
        /// The file.
        file: String,
        /// Where and how it ends.
        message: String,
    },
}

impl std::fmt::Display for Note {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Note::EmptyDirectory { directory } => write!(out, "`{directory}` holds no manifests (`.yaml`, `.yml`, `.json`, `.jsonl`, `.ndjson`)"),
            Note::IgnoreFile { file, message } => write!(out, "`{file}`: {message}"),
            Note::UnsupportedVersion { version } => {
                write!(out, "Kubernetes {version} is outside the supported versions {} to {}", crate::OLDEST_SUPPORTED, KubernetesVersion::NEWEST)
            }
            Note::UnknownVersion { message, assumed } => write!(out, "the server does not tell its version ({message}); {assumed} is assumed"),
            Note::Refused { missing, message } => write!(out, "{missing}: {message}"),
            Note::CutSnapshot { file, message } => write!(out, "`{file}` {message}; what stands before was read"),
        }
    }
}
