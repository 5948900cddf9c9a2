//! What a caller may show while facts are read. Nothing depends on it.

/// Hears how far the reading has come. Calls come from several threads.
pub trait Progress: Send + Sync {
    /// One step was made.
    fn step(&self, step: &Step<'_>);
}

/// A listener that shows nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn step(&self, _: &Step<'_>) {}
}

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step<'a> {
    /// So many files have been found.
    Found {
        /// The files.
        files: usize,
    },
    /// A program renders a chart or an overlay.
    Rendering {
        /// `helm`, `kustomize` or `kubectl`.
        program: &'a str,
        /// What it renders.
        directory: &'a str,
    },
    /// Documents have been read.
    Read {
        /// How many.
        documents: usize,
        /// Of how many.
        of: usize,
    },
    /// The server has answered.
    Connected {
        /// Its address.
        server: &'a str,
        /// Its version, if it told.
        version: &'a str,
    },
    /// A page of a list has arrived.
    Listing {
        /// The plural of the kind.
        resource: &'a str,
        /// Objects so far.
        objects: usize,
        /// Objects still to come, where the server says so.
        remaining: Option<u64>,
    },
    /// A list is done, or given up.
    Listed {
        /// The plural of the kind.
        resource: &'a str,
        /// Lists done so far.
        lists: usize,
        /// Of how many.
        of: usize,
    },
}
