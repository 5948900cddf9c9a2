//! Progress on a terminal; nothing anywhere else.

use std::time::Duration;

use bartizan_gather::{Progress, Step};
use indicatif::{ProgressBar, ProgressStyle};

/// A line on standard error that tells what is being read.
#[derive(Debug)]
pub(crate) struct Line {
    bar: ProgressBar,
}

impl Line {
    pub(crate) fn new(drawn: bool) -> Self {
        let bar = if drawn { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        Self { bar }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl Progress for Line {
    fn step(&self, step: &Step<'_>) {
        let message = match step {
            Step::Found { files } => format!("{files} files"),
            Step::Rendering { program, directory } => format!("{program}: {directory}"),
            Step::Read { documents, of } => format!("{documents}/{of} documents"),
            Step::Connected { server, version } => format!("{server} {version}"),
            Step::Listing { resource, objects, remaining: Some(remaining) } => format!("{resource} {objects}/{}", *objects as u64 + remaining),
            Step::Listing { resource, objects, remaining: None } => format!("{resource} {objects}"),
            Step::Listed { resource, lists, of } => format!("{resource} ({lists}/{of})"),
            _ => return,
        };
        self.bar.set_message(message);
    }
}
