//! Makes the kit: creates each world on a real API server and writes down what it answers.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use bartizan_testbed::kit::{Case, Recorded};
use bartizan_testbed::{AuthorizationOracle, ControlPlane, Fit, Inquiry, Options, RbacWorld, Review, Reviewed};
use serde_json::{Value, json};

use crate::say;

/// The seeds of the worlds and how many roles each has.
const WORLDS: [(u64, usize); 4] = [(101, 30), (102, 80), (103, 150), (104, 300)];

/// Questions about each world.
const QUESTIONS: usize = 10_000;

const CONNECTIONS: usize = 16;

pub(super) fn record(kit: &Path) -> Result<()> {
    let control_plane = ControlPlane::start(&Options::default().api_server_flag("--max-requests-inflight=3000"))?;
    let oracle = AuthorizationOracle::locate()?;
    let cases = kit.join("cases");
    if cases.is_dir() {
        fs::remove_dir_all(&cases)?;
    }
    for (seed, size) in WORLDS {
        let started = Instant::now();
        let world = RbacWorld::draw(seed, size, Fit::Server);
        let stored = control_plane.settle(world.objects())?;
        let specs = world.questions(seed, QUESTIONS);
        let served = control_plane.review(&specs, &["team-a", "team-b"], CONNECTIONS)?;
        let every = oracle.ask_every(&[Inquiry { world: &stored, specs: &specs }])?.pop().context("no answers of the oracle")?;
        let answers = specs.iter().zip(served).zip(every).map(|((spec, served), every)| recorded(spec, served, every)).collect::<Result<Vec<_>>>()?;
        let lines: Vec<String> = specs.iter().map(|spec| json!({ "spec": spec }).to_string()).collect();
        let case = Case { name: format!("world-{seed}"), written: list(world.objects()), stored: list(&stored), questions: lines.join("\n") + "\n", answers };
        case.write(kit)?;
        control_plane.clear(world.objects())?;
        say(&format!(
            "{}: {} objects, {} answers of Kubernetes {} in {:.0} s",
            case.name,
            stored.len(),
            specs.len(),
            control_plane.version(),
            started.elapsed().as_secs_f64()
        ));
    }
    Ok(())
}

/// The server's answer, with the reasons that it could have given as well.
fn recorded(spec: &Value, served: Reviewed, every: Reviewed) -> Result<Recorded> {
    match (served, every) {
        (Err(error), Err(_)) => Ok(Recorded { error: Some(error), ..Recorded::default() }),
        (Ok(Review { allowed, reason, .. }), Ok(every)) if allowed == every.allowed => {
            let is_by_rbac = reason.starts_with("RBAC: allowed by");
            if is_by_rbac && !every.reasons.contains(&reason) {
                bail!("the server says `{reason}` to {spec}, and its authorizers know {:?}", every.reasons);
            }
            let reasons = if is_by_rbac && every.reasons.len() > 1 { every.reasons } else { Vec::new() };
            Ok(Recorded { allowed: Some(allowed), reason, reasons, error: None })
        }
        (served, every) => bail!("the server says {served:?} to {spec}, and its authorizers {every:?}"),
    }
}

fn list(objects: &[Value]) -> String {
    json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string()
}
