//! Times the engine in process, on one core: `measure WORLD.json QUESTIONS.jsonl` prints one line of JSON.
//!
//! `cargo xtask bench authz` runs it beside Kubernetes' own authorizer, which measures itself the same way
//! (`tests/real/control-plane/rbac/bench.go`).

use std::error::Error;
use std::hint::black_box;
use std::io::Write as _;
use std::time::Instant;

use bartizan_authz::review::{self, Batch};
use bartizan_authz::{Authz, DefaultPolicy, Options};
use bartizan_cluster::access::Request;
use bartizan_cluster::read::{Fragment, ReadOptions};
use bartizan_cluster::{Circumstances, KubernetesVersion, Provenance, Snapshot, Source, SourceId};
use serde_json::{Value, json};

/// Actions whose holders are looked for.
const HOLDERS_OF: usize = 1_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(world), Some(questions)) = (arguments.next(), arguments.next()) else { return Err("usage: measure WORLD.json QUESTIONS.jsonl".into()) };
    let world = std::fs::read(world)?;
    let questions = std::fs::read_to_string(questions)?;
    let lines: Vec<&[u8]> = questions.lines().map(str::as_bytes).collect();

    let before = resident();
    let clock = Instant::now();
    let snapshot = read(&world)?;
    let read_ms = milliseconds(clock);
    let clock = Instant::now();
    let authz = Authz::resolve(&snapshot, &Options { default_policy: DefaultPolicy::None, ..Options::default() });
    let resolve_ms = milliseconds(clock);
    let held_mb = resident() - before;

    let requests: Vec<Request<'_>> = lines.iter().filter_map(|line| review::read(line, authz.version()).ok()).collect();
    let clock = Instant::now();
    let allowed = requests.iter().filter(|&request| black_box(authz.decide(request)).is_allowed() == Some(true)).count();
    let decide_ns = milliseconds(clock) * 1e6 / count(requests.len());

    let mut batch = Batch::new(&authz);
    let mut out = Vec::new();
    let clock = Instant::now();
    for line in &lines {
        out.clear();
        batch.answer(line, &mut out);
        black_box(&out);
    }
    let batch_ns = milliseconds(clock) * 1e6 / count(lines.len());

    let clock = Instant::now();
    let holders: usize = requests.iter().take(HOLDERS_OF).map(|request| authz.who_can(&request.action).grants.len()).sum();
    let who_can_ms = milliseconds(clock) / count(requests.len().min(HOLDERS_OF));

    let clock = Instant::now();
    let escalations = authz.escalations().found.len();
    let escalations_ms = milliseconds(clock);

    let measured = json!({
        "read_ms": read_ms, "resolve_ms": resolve_ms, "held_mb": held_mb, "questions": requests.len(), "allowed": allowed,
        "decide_ns": decide_ns, "batch_ns": batch_ns, "who_can_ms": who_can_ms, "holders": holders, "escalations_ms": escalations_ms, "escalations": escalations,
    });
    writeln!(std::io::stdout(), "{measured}")?;
    Ok(())
}

fn read(world: &[u8]) -> Result<Snapshot, Box<dyn Error>> {
    let objects: Vec<Value> = serde_json::from_slice(world)?;
    let mut fragment = Fragment::new(ReadOptions { secret_key: [0; 32] });
    for object in &objects {
        fragment.take_value(SourceId(0), object);
    }
    let circumstances = Circumstances {
        provenance: Provenance::Files,
        sources: vec![Source::without_text("world")],
        version: KubernetesVersion::NEWEST,
        observed_at: jiff::Timestamp::UNIX_EPOCH,
        missing: Vec::new(),
    };
    Ok(Snapshot::assemble(vec![fragment], circumstances))
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

#[expect(clippy::cast_precision_loss, reason = "counts for people")]
fn count(number: usize) -> f64 {
    number.max(1) as f64
}

/// Memory of this process that is in use, in megabytes.
fn resident() -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse::<f64>().ok()).map_or(0.0, |kilobytes| kilobytes / 1e3)
}
