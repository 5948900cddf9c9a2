//! How long the stages of a command took, told where benchmarks ask for it.

use std::time::Instant;

use crate::output::Terminal;

/// How long each stage took, for benchmarks.
#[derive(Debug)]
pub(crate) struct Clock {
    since: Option<Instant>,
}

impl Clock {
    /// A clock that tells something if it is `shown`.
    pub(crate) fn start(shown: bool) -> Self {
        Self { since: shown.then(Instant::now) }
    }

    /// Tells how long the stage that ends here took.
    pub(crate) fn stage(&mut self, name: &str, terminal: &Terminal) {
        if let Some(since) = self.since {
            self.since = Some(Instant::now());
            terminal.note(&format!("timing: {name} {:.3}", since.elapsed().as_secs_f64()));
        }
    }
}
