//! `cargo xtask bench scan|authz|network`: how long a scan or an answer takes and how much memory it holds, beside its peers in the same run.
//!
//! Every figure is the median of whole processes, watched from outside. Peers that are not installed are named as such; with
//! `--install` those that come from `PyPI` and the Rust registry are installed into the cache first, with `--trivy` trivy is built.

mod authz;
mod generator;
mod network;
mod peers;
mod process;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::{root, say};
use peers::Peer;
use process::{Limit, Run, watch};

const USAGE: &str = "\
usage: cargo xtask bench scan [--quick] [--install] [--trivy] [--cold-build]
       cargo xtask bench authz [--quick] [--install]
       cargo xtask bench network [--quick] [--without-peer]
  --quick       the small sizes only
  --install     install checkov and syncable-cli into the cache first
  --trivy       build trivy into the cache first (about 14 CPU minutes)
  --cold-build  time a build of the whole workspace from nothing";

/// Counted runs of each command, after one that is not counted.
const RUNS: usize = 3;

/// What a peer gets.
const PEER_LIMIT: Duration = Duration::from_mins(1);

#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
struct Options {
    quick: bool,
    install: bool,
    trivy: bool,
    cold_build: bool,
}

pub(crate) fn run(words: &[String]) -> Result<()> {
    let flags = match words.split_first().map(|(name, flags)| (name.as_str(), flags)) {
        Some(("scan", flags)) => flags,
        Some(("authz", flags)) => return authz::run(flags),
        Some(("network", flags)) => return network::run(flags),
        _ => bail!("{USAGE}"),
    };
    let mut options = Options::default();
    for flag in flags {
        match flag.as_str() {
            "--quick" => options.quick = true,
            "--install" => options.install = true,
            "--trivy" => options.trivy = true,
            "--cold-build" => options.cold_build = true,
            other => bail!("unknown option `{other}`\n{USAGE}"),
        }
    }
    scan(&options)
}

fn scan(options: &Options) -> Result<()> {
    let binary = built()?;
    say(&circumstances());
    start_up(&binary)?;
    if options.cold_build {
        cold_build()?;
    }
    let place = std::env::temp_dir().join(format!("bartizan-bench-{}", std::process::id()));
    let done = sizes(options, &binary, &place);
    let _ = fs::remove_dir_all(&place);
    done
}

fn sizes(options: &Options, binary: &Path, place: &Path) -> Result<()> {
    let peers = peers::found(options.install, options.trivy)?;
    for peer in &peers {
        say(&format!("peer: {}", peer.describe()));
    }
    let checks: usize = bartizan_checks::CATALOGUE.iter().map(|family| family.len()).sum();
    say(&format!("\nManifest directories: one object a file; bartizan runs all of its {checks} checks"));
    say("| files | program | median s | CPU s | peak MB | x bartizan | x bartizan, CPU |\n|---|---|---|---|---|---|---|");
    // As many files as in the figures that other programs are known by: 772 and 15,435.
    for workloads in if options.quick { vec![220] } else { vec![220, 4_410] } {
        let directory = place.join(format!("files-{workloads}"));
        // A name by which sync-ctl knows where manifests are.
        let files = generator::manifests(&directory.join("manifests"), workloads)?;
        beside_peers(binary, &peers, &directory, files)?;
        fs::remove_dir_all(&directory)?;
    }
    say("\nLive-shaped clusters: JSON lists as a server sends them, with status and managedFields");
    say(
        "| pods | workloads | MB | median s | read s | judge s | render s | CPU s | peak MB | growth | growth, CPU |\n|---|---|---|---|---|---|---|---|---|---|---|",
    );
    let mut before: Option<Run> = None;
    for pods in if options.quick { vec![1_000, 10_000] } else { vec![1_000, 10_000, 100_000] } {
        let directory = place.join(format!("cluster-{pods}"));
        let bytes = generator::cluster(&directory, pods)?;
        let run = ours(binary, &directory)?;
        let growth = |of: fn(&Run) -> f64| before.as_ref().map_or_else(String::new, |before| format!("x{:.1}", of(&run) / of(before)));
        say(&format!(
            "| {pods} | {} | {:.0} | {:.2} | {} | {} | {} | {:.2} | {:.0} | {} | {} |",
            pods / generator::PODS_PER_WORKLOAD,
            megabytes(bytes),
            run.seconds,
            run.stage("read"),
            run.stage("judge"),
            run.stage("render"),
            run.processor_seconds,
            run.peak_megabytes,
            growth(|run| run.seconds),
            growth(|run| run.processor_seconds),
        ));
        before = Some(run);
        fs::remove_dir_all(&directory)?;
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "sizes for people")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn ours(binary: &Path, directory: &Path) -> Result<Run> {
    median(|| {
        let mut command = Command::new(binary);
        command.args(["scan", "--stage", "auditor", "-o", "json", "--timings"]).arg(directory);
        watch(command, Limit::none())
    })?
    .context("the scan did not finish")
}

fn beside_peers(binary: &Path, peers: &[Peer], directory: &Path, files: usize) -> Result<()> {
    let own = ours(binary, directory)?;
    let line = |name: &str, run: &Run| {
        let (seconds, processor) = (run.seconds / own.seconds, run.processor_seconds / own.processor_seconds);
        let Run { seconds: wall, processor_seconds, peak_megabytes, .. } = run;
        say(&format!("| {files} | {name} | {wall:.3} | {processor_seconds:.2} | {peak_megabytes:.0} | {seconds:.1} | {processor:.1} |"));
    };
    line(&format!("bartizan {}", env!("CARGO_PKG_VERSION")), &own);
    for peer in peers {
        match median(|| watch(peer.command(directory), Limit::of(PEER_LIMIT)))? {
            Some(run) if run.said > 0 => line(&peer.name, &run),
            Some(_) => say(&format!("| {files} | {} | ended without a word | | | | |", peer.name)),
            None => say(&format!("| {files} | {} | no answer in {} s | | | | |", peer.name, PEER_LIMIT.as_secs())),
        }
    }
    Ok(())
}

/// The median of several runs by time; none if one of them did not finish.
fn median(mut run: impl FnMut() -> Result<Option<Run>>) -> Result<Option<Run>> {
    if run()?.is_none() {
        return Ok(None);
    }
    let mut runs = Vec::new();
    for _ in 0..RUNS {
        match run()? {
            Some(done) => runs.push(done),
            None => return Ok(None),
        }
    }
    runs.sort_by(|one, two| one.seconds.total_cmp(&two.seconds));
    Ok(runs.into_iter().nth(RUNS / 2))
}

/// When and on what this was measured, and how busy it was.
fn circumstances() -> String {
    let processors = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split_whitespace().next().unwrap_or("unknown").to_owned();
    let day = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
    format!("{day}, {processors} processors, load {load} before the first run; medians of {RUNS} runs after one that is not counted")
}

fn built() -> Result<PathBuf> {
    let status = crate::cargo().args(["build", "--release", "--quiet", "--package", "bartizan"]).status()?;
    if !status.success() {
        bail!("the binary does not build");
    }
    Ok(target().join("release/bartizan"))
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

fn start_up(binary: &Path) -> Result<()> {
    let size = fs::metadata(binary)?.len();
    let help = median(|| {
        let mut command = Command::new(binary);
        command.arg("--help");
        watch(command, Limit::none())
    })?
    .context("`--help` did not finish")?;
    say(&format!("binary {:.1} MB; `bartizan --help` {:.1} ms", megabytes(size), help.seconds * 1e3));
    Ok(())
}

/// Builds the workspace into an empty target directory.
fn cold_build() -> Result<()> {
    let target = std::env::temp_dir().join(format!("bartizan-cold-{}", std::process::id()));
    let start = Instant::now();
    let status = crate::cargo().args(["build", "--release", "--workspace", "--quiet", "--target-dir"]).arg(&target).status()?;
    let seconds = start.elapsed().as_secs_f64();
    fs::remove_dir_all(&target)?;
    if !status.success() {
        bail!("the workspace does not build");
    }
    say(&format!("cold release build of the workspace: {seconds:.0} s"));
    Ok(())
}
