//! One process, watched from outside: wall and CPU time, peak memory, how much it says, and the stages it tells of itself.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
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
    /// On all processors: what a busy machine changes least.
    pub(super) processor_seconds: f64,
    pub(super) peak_megabytes: f64,
    /// How many bytes it wrote to standard output.
    pub(super) said: u64,
    stages: BTreeMap<String, f64>,
}

impl Run {
    /// The names of its stages.
    pub(super) fn stages(&self) -> impl Iterator<Item = &str> {
        self.stages.keys().map(String::as_str)
    }

    /// Seconds of a stage, as a cell of a table.
    pub(super) fn stage(&self, name: &str) -> String {
        self.stages.get(name).map_or_else(String::new, |seconds| format!("{seconds:.2}"))
    }
}

/// Runs a command to its end; none if the limit came first. Exit codes are not judged: scanners fail when they find something.
pub(super) fn watch(mut command: Command, limit: Limit) -> Result<Option<Run>> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let start = Instant::now();
    let mut child = command.spawn().with_context(|| format!("{command:?}"))?;
    let (mut output, mut errors) = (child.stdout.take().context("stdout")?, child.stderr.take().context("stderr")?);
    let listener = std::thread::spawn(move || io::copy(&mut output, &mut io::sink()).unwrap_or_default());
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        let _ = errors.read_to_string(&mut text);
        text
    });
    let place = PathBuf::from(format!("/proc/{}", child.id()));
    let (mut peak, mut processor) = (0.0f64, 0.0f64);
    let seconds = loop {
        // Both only grow, so the last look before the end is the figure; what has ended says nothing more.
        peak = peak.max(high_water(&place.join("status")));
        processor = processor.max(processor_seconds(&place.join("stat")));
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
    let (text, said) = (reader.join().unwrap_or_default(), listener.join().unwrap_or_default());
    let stages = text
        .lines()
        .filter_map(|line| line.strip_prefix("timing: ")?.split_once(' '))
        .filter_map(|(name, seconds)| Some((name.to_owned(), seconds.parse().ok()?)))
        .collect();
    Ok(Some(Run { seconds, processor_seconds: processor, peak_megabytes: peak, said, stages }))
}

fn high_water(status: &Path) -> f64 {
    let text = fs::read_to_string(status).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse::<f64>().ok()).map_or(0.0, |kilobytes| kilobytes / 1e3)
}

/// User and system time of all threads, which the kernel counts in hundredths of a second.
fn processor_seconds(stat: &Path) -> f64 {
    let text = fs::read_to_string(stat).unwrap_or_default();
    // The name of the program may hold blanks; it ends with the last parenthesis, and eleven fields stand between.
    let fields = text.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}
