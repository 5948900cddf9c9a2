//! Access reviews in random worlds.
//!
//! The aggregated roles are filled by the real controller manager. The engine answers twice: from the objects as they are
//! stored, and from the manifests that were created, for which it fills aggregated roles and adds the default policy itself.

use std::collections::BTreeSet;

use bartizan_authz::review::{self, Batch};
use bartizan_authz::{Authz, Options};
use bartizan_cluster::{Provenance, Snapshot};
use bartizan_testbed::{Fit, RbacWorld, Reviewed};
use serde_json::Value;

use crate::{assert_none, control_plane, figures, objects, version};

/// More than a hundred thousand reviews.
const WORLDS: [(u64, usize); 3] = [(201, 40), (202, 120), (203, 250)];
const QUESTIONS: usize = 34_000;
const CONNECTIONS: usize = 16;

/// What the engine says, where the server says something else.
fn differences(snapshot: &Snapshot, what: &str, specs: &[Value], answers: &[Reviewed]) -> Vec<String> {
    let authz = Authz::resolve(snapshot, &Options::default());
    let mut batch = Batch::new(&authz);
    let mut line = Vec::new();
    let mut found = Vec::new();
    for (spec, theirs) in specs.iter().zip(answers) {
        line.clear();
        let question = format!(r#"{{"spec":{spec}}}"#);
        batch.answer(question.as_bytes(), &mut line);
        let ours: Value = serde_json::from_slice(&line).expect("a line of JSON");
        let same = match theirs {
            Err(_) => ours["error"].is_string(),
            Ok(review) => ours["allowed"] == review.allowed && is_same_reason(&authz, question.as_bytes(), ours["reason"].as_str(), &review.reason),
        };
        if !same {
            found.push(format!("{what}: {spec}\n    ours   {ours}\n    theirs {theirs:?}"));
        }
    }
    found
}

/// The server asks bindings in the order of its cache, which changes from start to start: it names any of those that allow, and
/// lists the errors that it met in any order.
fn is_same_reason(authz: &Authz<'_>, question: &[u8], ours: Option<&str>, theirs: &str) -> bool {
    let Some(ours) = ours else { return false };
    if ours == theirs || errors(ours) == errors(theirs) {
        return true;
    }
    let Ok(request) = review::read(question, authz.version()) else { return false };
    theirs.starts_with("RBAC: allowed by") && authz.grants(&request).any(|grant| grant.reason() == theirs)
}

/// The errors in `rbac: RBAC: [one, two]`.
fn errors(reason: &str) -> Option<BTreeSet<&str>> {
    let (_, list) = reason.split_once("RBAC: [")?;
    Some(list.strip_suffix(']')?.split(", ").collect())
}

#[test]
fn a_hundred_thousand_reviews_are_answered_as_the_server_does() {
    let control_plane = control_plane();
    let questions = figures::questions(QUESTIONS);
    let (mut asked, mut allowed, mut refused) = (0, 0, 0);
    let mut found = Vec::new();
    for (seed, size) in WORLDS {
        let drawn = RbacWorld::draw(seed, size, Fit::Server);
        let stored = control_plane.settle(drawn.objects()).expect("a settled world");
        let specs = drawn.questions(seed, questions);
        let answers = control_plane.review(&specs, &["team-a", "team-b"], CONNECTIONS).expect("answers");
        asked += answers.len();
        allowed += answers.iter().flatten().filter(|review| review.allowed).count();
        refused += answers.iter().filter(|answer| answer.is_err()).count();
        let version = version(&control_plane);
        let live = objects::snapshot(&stored, Provenance::Live, version);
        found.extend(differences(&live, &format!("world {seed}, as stored"), &specs, &answers));
        let files = objects::snapshot(drawn.objects(), Provenance::Files, version);
        found.extend(differences(&files, &format!("world {seed}, as written"), &specs, &answers));
        control_plane.clear(drawn.objects()).expect("a cleared server");
    }
    assert_none(&found, asked);
    figures::tell(&control_plane, "reviews", asked);
    assert!(asked == WORLDS.len() * questions && allowed > asked / 4 && refused > asked / 200, "{asked} asked, {allowed} allowed, {refused} refused");
}
