//! `cargo xtask bench authz`: the engine beside Kubernetes' own authorizer, the real API server and kubectl-rbac-guard.
//!
//! All of them get one world of 20,000 bindings, 5,000 roles and 10,000 service accounts, and the same questions. Ours and
//! Kubernetes' authorizer measure themselves in process on one core; the others are watched from outside. What one change costs and how
//! fast an audit log is taken in stand beside their budgets.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bartizan_testbed::kit::errors_of;
use bartizan_testbed::{AuthorizationOracle, ControlPlane, Estate, Inquiry, Measured, Options as Setup};
use serde::Deserialize;
use serde_json::json;

use super::process::{Limit, watch};
use super::target;
use crate::{kit, say};

const USAGE: &str = "\
usage: cargo xtask bench authz [--quick] [--install]
  --quick    without the API server, which takes a minute to take in the world
  --install  install kubectl-rbac-guard into the cache first (needs Python 3.12 or newer)";

const SEED: u64 = 1;
const QUESTIONS: usize = 200_000;
/// What the API server is asked.
const SERVED: usize = 10_000;
const CONNECTIONS: usize = 16;
/// How much kubectl-rbac-guard is asked: the most that it answers in its time.
const GUARDED: [usize; 3] = [20_000, 2_000, 200];
/// Questions of the account with many bindings.
const CROWDED: usize = 20_000;
const RUNS: usize = 3;
const PEER_LIMIT: Duration = Duration::from_mins(1);

/// What `crates/authz/examples/measure.rs` prints.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Own {
    read_ms: f64,
    resolve_ms: f64,
    held_mb: f64,
    allowed: usize,
    decide_ns: f64,
    batch_ns: f64,
    who_can_ms: f64,
    escalations_ms: f64,
}

pub(super) fn run(flags: &[String]) -> Result<()> {
    let (mut quick, mut install) = (false, false);
    for flag in flags {
        match flag.as_str() {
            "--quick" => quick = true,
            "--install" => install = true,
            other => bail!("unknown option `{other}`\n{USAGE}"),
        }
    }
    let place = tempfile::tempdir()?;
    let estate = Estate::draw(SEED);
    let specs = estate.questions(SEED, QUESTIONS);
    let world = place.path().join("world.json");
    let list = place.path().join("list.json");
    let questions = place.path().join("questions.jsonl");
    fs::write(&world, serde_json::to_vec(estate.objects())?)?;
    fs::write(&list, json!({"apiVersion": "v1", "kind": "List", "items": estate.objects()}).to_string())?;
    fs::write(&questions, lines(&specs))?;
    let crowd = Estate::crowd(SEED);
    let (crowded_world, crowded_questions) = (place.path().join("crowd.json"), place.path().join("crowd.jsonl"));
    fs::write(&crowded_world, serde_json::to_vec(crowd.objects())?)?;
    fs::write(&crowded_questions, lines(&crowd.questions_of_crowd(SEED, CROWDED)))?;

    let own = ours(&world, &questions)?;
    let theirs = upstream(&world, &questions)?;
    let crowded = (ours(&crowded_world, &crowded_questions)?, upstream(&crowded_world, &crowded_questions)?);
    if own.allowed != theirs.allowed {
        say(&format!("DIFFERENT: {} allowed by ours, {} by Kubernetes' authorizer, of those that it had the time for", own.allowed, theirs.allowed));
    }
    say("20,000 bindings, 5,000 roles, 10,000 service accounts; one core; medians of three runs");
    say("| what | bartizan | Kubernetes' RBAC authorizer with the API server's caches | with plain lists |\n|---|---|---|---|");
    say(&format!("| world from JSON in memory to answers | {:.0} ms read, {:.0} ms resolve | {:.0} ms | |", own.read_ms, own.resolve_ms, theirs.load_ms));
    say(&format!("| one question in process | {:.0} ns | {:.0} ns | {:.0} ns |", own.decide_ns, theirs.served_ns, theirs.listed_ns));
    say(&format!(
        "| one question of an account with 5,000 bindings | {:.0} ns | {:.0} ns | {:.0} ns |",
        crowded.0.decide_ns, crowded.1.served_ns, crowded.1.listed_ns
    ));
    say(&format!("| one line of JSON to one line of JSON | {:.0} ns | | |", own.batch_ns));
    say(&format!("| who can | {:.2} ms | | |", own.who_can_ms));
    say(&format!("| who can become whom, everybody | {:.0} ms | | |", own.escalations_ms));
    say(&format!("| memory | {:.0} MB | {:.0} MB | |", own.held_mb, theirs.heap_mb));
    batch(&list, &questions)?;
    let missed: Vec<&str> = [changes(&world)?, log()?].into_iter().flatten().collect();
    if !quick {
        server(&estate, &specs)?;
    }
    guard(&estate, &specs, place.path(), install)?;
    if missed.is_empty() { Ok(()) } else { bail!("over budget: {}", missed.join(", ")) }
}

/// What one change may take, 99 times of 100, in milliseconds.
const CHANGE_BUDGET: f64 = 10.0;
const KINDS_OF_CHANGE: [&str; 12] = [
    "binding-added",
    "binding-replaced",
    "binding-removed",
    "binding-for-everybody-added",
    "role-added",
    "role-replaced",
    "role-removed",
    "cluster-role-replaced",
    "aggregated-role-added",
    "account-added",
    "namespace-added",
    "pod-added",
];

/// What a change of one object costs after everything was resolved, in process.
fn changes(world: &Path) -> Result<Option<&'static str>> {
    let mut command = Command::new(example("bartizan-authz", "access_change_speed")?);
    command.arg(world);
    let run = watch(command, Limit::none())?.context("the changes were not measured")?;
    say("One change taken over and a question asked, 100 tried of each kind; then 300 one after the other; ms");
    say("| change | p50 | p99 |\n|---|---|---|");
    for kind in KINDS_OF_CHANGE.into_iter().chain(["each", "in-a-row"]) {
        say(&format!("| {} | {} | {} |", kind.replace('-', " "), run.stage(&format!("{kind}-p50")), run.stage(&format!("{kind}-p99"))));
    }
    let p99: f64 = run.stage("each-p99").parse().context("no changes were measured")?;
    say(&format!("budget of one change, 99 times of 100: {CHANGE_BUDGET} ms; {:.0} MB", run.peak_megabytes));
    Ok((p99 > CHANGE_BUDGET).then_some("one change"))
}

/// Events of an audit log that have to go into the index of what was used, each second of a processor.
const EVENTS_BUDGET: f64 = 200_000.0;

/// What `crates/audit/examples/audit_speed.rs` prints.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Indexed {
    events: usize,
    megabytes: f64,
    indexed_each_second: f64,
    parsed_each_second: f64,
}

/// From the bytes of an audit log to the index of what was used.
fn log() -> Result<Option<&'static str>> {
    let output = Command::new(example("bartizan-audit", "audit_speed")?).output()?;
    let text = String::from_utf8(output.stdout)?;
    let mut runs: Vec<Indexed> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    runs.sort_by(|one, two| one.indexed_each_second.total_cmp(&two.indexed_each_second));
    let run = runs.get(runs.len() / 2).context("no events were measured")?;
    say(&format!(
        "audit log of {} events, {:.0} MB: {:.0} events into the index for each second of a processor (budget {EVENTS_BUDGET:.0}), {:.0} only parsed",
        run.events, run.megabytes, run.indexed_each_second, run.parsed_each_second
    ));
    Ok((run.indexed_each_second < EVENTS_BUDGET).then_some("the audit log"))
}

/// An example of a crate, built.
fn example(package: &str, name: &str) -> Result<PathBuf> {
    let status = crate::cargo().args(["build", "--release", "--quiet", "--package", package, "--example", name]).status()?;
    if !status.success() {
        bail!("the example `{name}` does not build");
    }
    Ok(target().join("release/examples").join(name))
}

fn ours(world: &Path, questions: &Path) -> Result<Own> {
    let measure = example("bartizan-authz", "measure")?;
    let mut runs: Vec<Own> = Vec::new();
    for _ in 0..RUNS {
        let output = Command::new(&measure).arg(world).arg(questions).output()?;
        runs.push(serde_json::from_slice(&output.stdout).with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?);
    }
    runs.sort_by(|one, two| one.decide_ns.total_cmp(&two.decide_ns));
    runs.into_iter().nth(RUNS / 2).context("no runs")
}

fn upstream(world: &Path, questions: &Path) -> Result<Measured> {
    Ok(AuthorizationOracle::locate()?.measure(world, questions)?)
}

/// The binary from start to end, world and questions read from files.
fn batch(list: &Path, questions: &Path) -> Result<()> {
    let binary = super::built()?;
    let run = super::median(|| {
        let mut command = Command::new(&binary);
        command.args(["authz", "can-i", "--default-policy", "none", "-f"]).arg(list).arg("--batch").arg(questions);
        watch(command, Limit::none())
    })?
    .context("the batch did not finish")?;
    say(&format!(
        "`bartizan authz can-i --batch`: {QUESTIONS} answers in {:.2} s from start to end, {:.0} a second, {:.0} for each second of a processor, {:.0} MB",
        run.seconds,
        each(QUESTIONS) / run.seconds,
        each(QUESTIONS) / run.processor_seconds,
        run.peak_megabytes
    ));
    Ok(())
}

/// The real API server, which is asked over many connections and has every core.
fn server(estate: &Estate, specs: &[serde_json::Value]) -> Result<()> {
    let control_plane = ControlPlane::start(&Setup::default().without_controller_manager().api_server_flag("--max-requests-inflight=3000"))?;
    let started = Instant::now();
    control_plane.create(estate.objects())?;
    say(&format!("kube-apiserver {}: world created in {:.0} s", control_plane.version(), started.elapsed().as_secs_f64()));
    let specs = specs.get(..SERVED).unwrap_or(specs);
    let started = Instant::now();
    let answers = control_plane.review(specs, &[], CONNECTIONS)?;
    let seconds = started.elapsed().as_secs_f64();
    let allowed = answers.iter().flatten().filter(|review| review.allowed).count();
    say(&format!(
        "kube-apiserver: {SERVED} reviews in {seconds:.1} s, {:.0} a second over {CONNECTIONS} connections; {allowed} allowed",
        each(SERVED) / seconds
    ));
    Ok(())
}

/// kubectl-rbac-guard: its time, and its errors beside Kubernetes' own authorizer.
fn guard(estate: &Estate, specs: &[serde_json::Value], place: &Path, install: bool) -> Result<()> {
    let Some(python) = super::peers::rbac_guard(install)? else {
        say("| kubectl-rbac-guard | **NOT MEASURED: not installed** (`--install` does it, with Python 3.12 or newer) |\n|---|---|");
        return Ok(());
    };
    let list = place.join("list.json");
    let oracle = AuthorizationOracle::locate()?;
    for asked in GUARDED {
        let specs = specs.get(..asked).unwrap_or(specs);
        let questions = place.join("guarded.jsonl");
        fs::write(&questions, lines(specs))?;
        let mut command = Command::new(&python);
        command.arg(kit::directory().join("adapters/kubectl-rbac-guard.py")).arg(&list).arg(&questions);
        let truth = oracle.ask(&[Inquiry { world: estate.objects(), specs }])?.pop().context("no answers of the oracle")?;
        let (tally, time) = errors_of(&mut command, specs, &truth, PEER_LIMIT)?;
        let Some(time) = time else {
            say(&format!("kubectl-rbac-guard 0.1.1: no answer to {asked} questions in {} s", PEER_LIMIT.as_secs()));
            continue;
        };
        say(&format!("kubectl-rbac-guard 0.1.1: {asked} answers in {:.1} s from start to end", time.as_secs_f64()));
        say(&tally.table());
        return Ok(());
    }
    Ok(())
}

/// Questions as a batch has them.
fn lines(specs: &[serde_json::Value]) -> String {
    let lines: Vec<String> = specs.iter().map(|spec| json!({ "spec": spec }).to_string()).collect();
    lines.join("\n") + "\n"
}

#[expect(clippy::cast_precision_loss, reason = "a count for people")]
fn each(count: usize) -> f64 {
    count as f64
}
