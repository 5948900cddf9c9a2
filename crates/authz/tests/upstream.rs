//! Random worlds and questions, held against Kubernetes' own authorizers: every answer and every word of its reason.

mod objects;

use bartizan_authz::review::Batch;
use bartizan_authz::{Authz, DefaultPolicy, Options};
use bartizan_cluster::{KubernetesVersion, Provenance};
use bartizan_testbed::{AuthorizationOracle, Fit, Inquiry, RbacWorld, Reviewed};
use serde_json::Value;

/// Half a million questions in all, about worlds of ten to four hundred roles and bindings.
const WORLDS: u64 = 100;
const QUESTIONS: usize = 5_000;

/// Worlds that one conversation with the oracle is about.
const AT_ONCE: usize = 10;

/// Differences that are shown.
const SHOWN: usize = 12;

struct Drawn {
    seed: u64,
    world: RbacWorld,
    specs: Vec<Value>,
}

fn drawn(seed: u64) -> Drawn {
    let fit = if seed.is_multiple_of(3) { Fit::Server } else { Fit::Files };
    let world = RbacWorld::draw(seed, 10 + 4 * usize::try_from(seed).unwrap(), fit);
    let specs = world.questions(seed, QUESTIONS);
    Drawn { seed, world, specs }
}

/// Where our answers to the questions of one world differ.
fn differences(drawn: &Drawn, answers: &[Reviewed]) -> Vec<String> {
    let snapshot = objects::snapshot(drawn.world.objects(), Provenance::Files, KubernetesVersion::NEWEST);
    let authz = Authz::resolve(&snapshot, &Options { default_policy: DefaultPolicy::None, ..Options::default() });
    let mut batch = Batch::new(&authz);
    let mut line = Vec::new();
    let mut found = Vec::new();
    for (spec, theirs) in drawn.specs.iter().zip(answers) {
        line.clear();
        batch.answer(format!(r#"{{"spec":{spec}}}"#).as_bytes(), &mut line);
        let ours: Value = serde_json::from_slice(&line).expect("a line of JSON");
        let same = match theirs {
            Ok(review) => ours["allowed"] == review.allowed && ours["reason"] == review.reason,
            Err(_) => ours["error"].is_string(),
        };
        if !same {
            found.push(format!("world {}: {spec}\n    ours   {ours}\n    theirs {theirs:?}", drawn.seed));
        }
    }
    found
}

#[test]
fn half_a_million_answers_are_those_of_kubernetes_authorizers() {
    let oracle = AuthorizationOracle::locate().expect("the oracle");
    let (mut asked, mut allowed, mut refused) = (0, 0, 0);
    let mut found = Vec::new();
    for seeds in (0..WORLDS).collect::<Vec<_>>().chunks(AT_ONCE) {
        let worlds: Vec<Drawn> = seeds.iter().copied().map(drawn).collect();
        let inquiries: Vec<Inquiry<'_>> = worlds.iter().map(|drawn| Inquiry { world: drawn.world.objects(), specs: &drawn.specs }).collect();
        let answers = oracle.ask(&inquiries).expect("answers");
        for (drawn, answers) in worlds.iter().zip(&answers) {
            asked += answers.len();
            allowed += answers.iter().flatten().filter(|review| review.allowed).count();
            refused += answers.iter().filter(|answer| answer.is_err()).count();
            found.extend(differences(drawn, answers));
        }
    }
    assert!(found.is_empty(), "{} of {asked} differ:\n{}", found.len(), found[..SHOWN.min(found.len())].join("\n"));
    assert_eq!(asked, 500_000);
    assert!(allowed > asked / 4 && refused > asked / 200, "{allowed} are allowed and {refused} refused");
}
