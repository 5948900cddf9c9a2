//! How many events a second of processor time go from a log into the index of what was used, beside what the same bytes cost
//! when they are only looked through for line feeds, and when they are only parsed.
//!
//! `cargo run --release -p bartizan-audit --example audit_speed [FILE]`; without a file, a log is made. Each of three runs is a line of
//! JSON; `cargo xtask bench authz` takes the one in the middle.

use std::hint::black_box;
use std::time::Duration;

use bartizan_audit::{Actors, Answer, Certainty, Tally, read};
use bartizan_authz::usage::{Sighting, Usage};

/// As many events as a busy cluster writes in a quarter of an hour.
const EVENTS: usize = 300_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let log = match std::env::args_os().nth(1) {
        Some(file) => std::fs::read(file)?,
        None => made(EVENTS),
    };
    for _ in 0..3 {
        let started = spent()?;
        black_box(memchr::memchr_iter(b'\n', black_box(&log)).count());
        let floor = spent()? - started;

        let started = spent()?;
        let tally = read(log.as_slice(), |event| {
            black_box(event.accesses(|access| drop(black_box(access))).is_ok());
        })?;
        let parsed = spent()? - started;

        let started = spent()?;
        let (usage, _) = index(&log)?;
        let indexed = spent()? - started;
        let rate = |spent: Duration| tally.events as f64 / spent.as_secs_f64();
        let megabytes = log.len() as f64 / 1e6;
        let run = serde_json::json!({
            "events": tally.events, "megabytes": megabytes, "users": usage.users().len(), "uses": usage.len(),
            "indexed_each_second": rate(indexed), "parsed_each_second": rate(parsed), "looked_through_each_second": rate(floor),
        });
        println!("{run}");
    }
    Ok(())
}

fn index(log: &[u8]) -> std::io::Result<(Usage, Tally)> {
    let (mut usage, mut actors, mut ids) = (Usage::new(), Actors::new(), Vec::new());
    let tally = read(log, |event| {
        let time = event.time();
        let read = event.accesses(|access| {
            if access.answer != Answer::Allowed {
                return;
            }
            let number = actors.number(access.actor, |user| {
                ids.push(usage.user(&user));
                ids.len() as u32 - 1
            });
            if let Some(&user) = number.and_then(|number| ids.get(number as usize)) {
                usage.record(&Sighting {
                    user,
                    action: &access.action,
                    time,
                    is_certain: access.certainty == Certainty::Certain,
                    is_complete: access.is_complete,
                    reason: access.reason,
                });
            }
        });
        black_box(read.is_ok());
    })?;
    Ok((usage, tally))
}

/// The processor time of this thread: others on the machine do not count.
fn spent() -> Result<Duration, Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(Duration::from_nanos(text.split_whitespace().next().ok_or("no time")?.parse()?))
}

/// Events at the level `Metadata`, of the size and variety that a cluster writes; every tenth has a body.
fn made(events: usize) -> Vec<u8> {
    let mut log = Vec::with_capacity(events * 1200);
    for number in 0..events {
        let (namespace, account, pod) = (number % 200, number % 40, number % 5000);
        let (verb, uri, name) = match number % 5 {
            0 => ("get", format!("/api/v1/namespaces/ns-{namespace}/pods/pod-{pod}"), format!("pod-{pod}")),
            1 => ("list", format!("/api/v1/namespaces/ns-{namespace}/pods?labelSelector=app%3Dcart&limit=500&resourceVersion=0"), String::new()),
            2 => (
                "watch",
                format!("/api/v1/namespaces/ns-{namespace}/pods?allowWatchBookmarks=true&resourceVersion={number}&timeoutSeconds=399&watch=true"),
                String::new(),
            ),
            3 => ("patch", format!("/api/v1/namespaces/ns-{namespace}/pods/pod-{pod}?fieldManager=controller"), format!("pod-{pod}")),
            _ => ("create", format!("/api/v1/namespaces/ns-{namespace}/pods"), format!("pod-{pod}")),
        };
        let body =
            if number % 10 == 3 { format!(r#","requestObject":{{"metadata":{{"annotations":{{"note":"{}"}}}}}}"#, "x".repeat(1500)) } else { String::new() };
        log.extend_from_slice(
            format!(
                r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"7c1b8b0e-3a52-4f0b-9a51-{number:012}","stage":"ResponseComplete","requestURI":"{uri}","verb":"{verb}","user":{{"username":"system:serviceaccount:ns-{namespace}:account-{account}","uid":"3f0d4b1a-0001-4c5e-8a9e-{account:012}","groups":["system:serviceaccounts","system:serviceaccounts:ns-{namespace}","system:authenticated"],"extra":{{"authentication.kubernetes.io/credential-id":["JTI=a3a2ef4c-0f0e-4f4c-9a63-{account:012}"],"authentication.kubernetes.io/pod-name":["controller-{account}"]}}}},"sourceIPs":["10.0.0.{}"],"userAgent":"controller/v1.2.3 (linux/amd64) kubernetes/abcdef0","objectRef":{{"resource":"pods","namespace":"ns-{namespace}","name":"{name}","apiVersion":"v1"}},"responseStatus":{{"metadata":{{}},"code":200}}{body},"requestReceivedTimestamp":"2026-11-24T10:{:02}:{:02}.123456Z","stageTimestamp":"2026-11-24T10:00:00.133456Z","annotations":{{"authorization.k8s.io/decision":"allow","authorization.k8s.io/reason":"RBAC: allowed by ClusterRoleBinding \"controller\" of ClusterRole \"controller\" to ServiceAccount \"account-{account}/ns-{namespace}\""}}}}
"#,
                number % 250,
                number / 60 % 60,
                number % 60,
            )
            .as_bytes(),
        );
    }
    log
}
