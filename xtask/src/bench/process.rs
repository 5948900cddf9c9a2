//! One process, watched from outside: wall time, peak memory, and the stages it tells of itself.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// How long a process may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit(Option<Duration>);

impl Limit {
    pub(super) fn none() -> Self {
        Self(None)
    }

    pub(super) fn of(time: Duration) -> Self {
        Self(Some(time))
    }
}

/// A process that finished.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) seconds: f64,
    pub(super) peak_megabytes: f64,
    stages: BTreeMap<String, f64>,
}

impl Run {
    /// Seconds of a stage, as a cell of a table.
    pub(super) fn stage(&self, name: &str) -> String {
        self.stages.get(name).map_or_else(String::new, |seconds| format!("{seconds:.2}"))
    }
}

/// Runs a command to its end; none if the limit came first. Exit codes are not judged: scanners fail when they find something.
pub(super) fn watch(mut command: Command, limit: Limit) -> Result<Option<Run>> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let start = Instant::now();
    let mut child = command.spawn().with_context(|| format!("{command:?}"))?;
    let mut errors = child.stderr.take().context("stderr")?;
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        let _ = errors.read_to_string(&mut text);
        text
    });
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0.0f64;
    let seconds = loop {
        // The high-water mark only grows, so the last look before the end is the figure.
        peak = peak.max(high_water(&status));
        if child.try_wait()?.is_some() {
            break start.elapsed().as_secs_f64();
        }
        if limit.0.is_some_and(|limit| start.elapsed() > limit) {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    let text = reader.join().unwrap_or_default();
    let stages = text
        .lines()
        .filter_map(|line| line.strip_prefix("timing: ")?.split_once(' '))
        .filter_map(|(name, seconds)| Some((name.to_owned(), seconds.parse().ok()?)))
        .collect();
    Ok(Some(Run { seconds, peak_megabytes: peak, stages }))
}

fn high_water(status: &str) -> f64 {
    let text = fs::read_to_string(status).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse::<f64>().ok()).map_or(0.0, |kilobytes| kilobytes / 1e3)
}
