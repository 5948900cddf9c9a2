//! A real API server is asked what the catalogue claims: which pods it admits at each level and version of Pod Security, and
//! which fields of a manifest it does not know.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

#[path = "pod_security/random.rs"]
mod random;
#[path = "pod_security/valid.rs"]
mod valid;
#[path = "pod_security/verdict.rs"]
mod verdict;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use bartizan_checks::pod_security::Level;
use bartizan_checks::{Selection, judge};
use bartizan_cluster::{Kind, KubernetesVersion, group_of};
use bartizan_testbed::{ControlPlane, Options, manifests};
use random::Chance;
use serde_json::{Value, json};
use verdict::{Verdicts, pods, snapshot};

/// Without controllers: pods are only ever asked about, and nothing has to run.
static PLANE: LazyLock<ControlPlane> =
    LazyLock::new(|| ControlPlane::start(&Options::default().without_controller_manager().api_server_flag("--allow-privileged=true")).unwrap());

/// Requests at a time.
const WORKERS: usize = 4;

/// What `ask` answers for each of `questions`, in their order, several at a time.
fn in_parallel<Q: Sync, A: Send>(questions: &[Q], ask: impl Fn(&Q) -> A + Sync) -> Vec<A> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut answers = Vec::new();
        while let Some((at, question)) = Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, questions.get(at)?))) {
            answers.push((at, ask(question)));
        }
        answers
    };
    let mut answers: Vec<(usize, A)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    answers.sort_by_key(|(at, _)| *at);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// Pods that are offered to the server; it refuses some as invalid before it judges them.
const OFFERED: usize = 4_500;

/// So many of them must be valid, for the comparison to be worth something.
const VALID: usize = 2_500;

/// The versions at which levels are enforced: every one that the server knows, one above, and what is newest.
fn versions() -> Vec<(String, KubernetesVersion)> {
    let newest = KubernetesVersion::NEWEST;
    let known = (0..=newest.minor_number() + 1).map(|minor| (format!("v1.{minor}"), KubernetesVersion::minor(minor)));
    known.chain([("latest".to_owned(), newest)]).collect()
}

fn namespace_of(level: Level, version: &str) -> String {
    format!("{level}-{}", version.replace('.', "-"))
}

/// What a server that enforces a level says to a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Admission {
    Allowed,
    Forbidden,
    /// Validation refused it, which comes first.
    Invalid,
}

fn offer(pod: &Value, namespace: &str) -> Admission {
    let (status, answer) = PLANE.post(&format!("/api/v1/namespaces/{namespace}/pods?dryRun=All"), pod).unwrap();
    let message = answer["message"].as_str().unwrap_or("");
    match status {
        201 => Admission::Allowed,
        403 if message.contains("violates PodSecurity") => Admission::Forbidden,
        422 => Admission::Invalid,
        _ => panic!("{status} {answer}\n{pod}"),
    }
}

#[test]
fn random_pods_are_admitted_where_the_catalogue_lets_them_pass() {
    let versions = versions();
    let labelled = [Level::Baseline, Level::Restricted].into_iter().flat_map(|level| versions.iter().map(move |(name, _)| (level, name.as_str())));
    for (level, version) in labelled.chain([(Level::Privileged, "latest")]) {
        let labels = json!({"pod-security.kubernetes.io/enforce": level.name(), "pod-security.kubernetes.io/enforce-version": version});
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace_of(level, version), "labels": labels}});
        PLANE.apply(&[namespace]).unwrap();
    }
    let mut chance = Chance::seeded(0xad31_7ed0);
    let offered: Vec<(usize, Value)> = (0..OFFERED).map(|number| (number % versions.len(), valid::pod(&mut chance, number))).collect();
    let answers = in_parallel(&offered, |(version, pod)| {
        let ask = |level| offer(pod, &namespace_of(level, &versions[*version].0));
        let baseline = ask(Level::Baseline);
        // Validation says the same in every namespace.
        let restricted = if baseline == Admission::Invalid { Admission::Invalid } else { ask(Level::Restricted) };
        (baseline, restricted)
    });

    let mut compared: BTreeMap<(Level, Admission), usize> = BTreeMap::new();
    for (at, (name, version)) in versions.iter().enumerate() {
        let mine: Vec<_> = offered.iter().zip(&answers).filter(|((of, _), (baseline, _))| *of == at && *baseline != Admission::Invalid).collect();
        let worlds: Vec<Value> = mine.iter().map(|((_, pod), _)| pod.clone()).collect();
        let world = snapshot(&worlds, *version);
        for (level, of) in [(Level::Baseline, 0), (Level::Restricted, 1)] {
            let verdicts = Verdicts::of(&world, level);
            for (view, ((_, pod), answers)) in pods(&world).into_iter().zip(&mine) {
                let admission = [answers.0, answers.1][of];
                let by_rules = verdict::controls_broken(view, level, *version).is_empty();
                let by_findings = verdicts.controls_failed(view, level, *version).is_empty();
                assert_eq!((by_rules, by_findings), (admission == Admission::Allowed, admission == Admission::Allowed), "{level} {name}: {pod}");
                *compared.entry((level, admission)).or_default() += 1;
            }
        }
    }
    let count = |level, admission| compared.get(&(level, admission)).copied().unwrap_or(0);
    let valid = count(Level::Baseline, Admission::Allowed) + count(Level::Baseline, Admission::Forbidden);
    assert!(valid >= VALID, "only {valid} of {OFFERED} pods were valid: {compared:?}");
    for level in [Level::Baseline, Level::Restricted] {
        assert!(count(level, Admission::Allowed) > VALID / 10 && count(level, Admission::Forbidden) > VALID / 10, "one-sided: {compared:?}");
    }
    // What both levels forbid is admitted where nothing is enforced.
    let harmful: Vec<&Value> = offered.iter().zip(&answers).filter(|(_, (baseline, _))| *baseline == Admission::Forbidden).map(|((_, pod), _)| pod).collect();
    let some: Vec<&Value> = harmful.into_iter().step_by(20).collect();
    assert!(in_parallel(&some, |pod| offer(pod, &namespace_of(Level::Privileged, "latest"))).iter().all(|answer| *answer == Admission::Allowed));
}

/// Every object of the example that is of a kind of Kubernetes' own.
fn example() -> Vec<Value> {
    let objects = manifests(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/shop")).unwrap();
    objects.into_iter().filter(|object| collection(object).is_some()).collect()
}

/// The path of the collection in which an object is created.
fn collection(object: &Value) -> Option<String> {
    let (api_version, kind) = (object["apiVersion"].as_str()?, object["kind"].as_str()?);
    let resource = Kind::of(group_of(api_version), kind).resource()?;
    let group = if resource.group.is_empty() { format!("/api/{api_version}") } else { format!("/apis/{api_version}") };
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or("default");
    let place = if resource.namespaced { format!("/namespaces/{namespace}") } else { String::new() };
    Some(format!("{group}{place}/{}", resource.plural))
}

/// The pointers of all maps of a value, itself included.
fn maps(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            found.push(at.to_owned());
            map.iter().for_each(|(key, value)| maps(value, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), found));
        }
        Value::Array(items) => items.iter().enumerate().for_each(|(index, item)| maps(item, &format!("{at}/{index}"), found)),
        _ => {}
    }
}

/// A slip of the hand.
fn misspelled(chance: &mut Chance, name: &str) -> String {
    let mut letters: Vec<char> = name.chars().collect();
    let at = chance.below(letters.len().max(1));
    match chance.below(5) {
        0 if at + 1 < letters.len() => letters.swap(at, at + 1),
        1 if letters.len() > 1 => drop(letters.remove(at)),
        2 => return name.to_lowercase(),
        3 => letters.push('s'),
        _ => letters.insert(at, 'x'),
    }
    letters.into_iter().collect()
}

/// The object with some of its fields misspelled, or moved to where they do not belong.
fn with_slips(chance: &mut Chance, object: &Value) -> Value {
    let mut object = object.clone();
    for _ in 0..=chance.below(3) {
        let mut places = Vec::new();
        maps(&object, "", &mut places);
        let place = chance.pick(&places);
        let map = object.pointer_mut(&place).and_then(Value::as_object_mut).unwrap();
        // What tells the object's type and name has to stay for the server to know what it reads.
        let fixed = |name: &str| match place.as_str() {
            "" => matches!(name, "apiVersion" | "kind" | "metadata"),
            "/metadata" => matches!(name, "name" | "namespace"),
            _ => false,
        };
        let names: Vec<String> = map.keys().filter(|name| !fixed(name)).cloned().collect();
        if names.is_empty() || chance.one_in(4) {
            map.insert(chance.pick(&["hostPID", "securityContext", "automountServiceAccountToken", "limits", "podSelector"]).to_owned(), json!({}));
            continue;
        }
        let name = chance.pick(&names);
        let value = map.remove(&name).unwrap();
        map.insert(misspelled(chance, &name), value);
    }
    object
}

/// The unknown fields that a strict server complains about, as it writes their paths.
fn refused(answer: &Value) -> BTreeSet<String> {
    let message = answer["message"].as_str().unwrap_or("");
    message.match_indices("unknown field \"").filter_map(|(at, start)| message[at + start.len()..].split_once('"')).map(|(path, _)| path.to_owned()).collect()
}

/// A JSON pointer as the server writes it: `spec.containers[0].image`.
fn dotted(object: &Value, pointer: &str) -> String {
    let mut path = String::new();
    let mut here = object;
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        if let Value::Array(items) = here {
            path.push_str(&format!("[{step}]"));
            here = &items[step.parse::<usize>().unwrap()];
        } else {
            path.push_str(if path.is_empty() { "" } else { "." });
            path.push_str(&step);
            here = &here[step.as_str()];
        }
    }
    path
}

/// Slips in the manifests of the example.
const SLIPS: usize = 1_500;

#[test]
fn unknown_fields_are_those_that_a_strict_server_refuses() {
    let objects = example();
    let mut chance = Chance::seeded(0x0dd_f1e1d);
    let questions: Vec<Value> = (0..SLIPS).map(|number| with_slips(&mut chance, &objects[number % objects.len()])).chain(objects.clone()).collect();
    let answers = in_parallel(&questions, |object| PLANE.post(&format!("{}?dryRun=All&fieldValidation=Strict", collection(object).unwrap()), object).unwrap());
    let selection = Selection { only: ["unknown-field".to_owned()].into(), ..Selection::default() };
    let (mut agreed, mut told) = (0, 0);
    for (object, (status, answer)) in questions.iter().zip(&answers) {
        let text = object.to_string();
        let world = world::world(&text, "", Vec::new());
        if world.is_empty() {
            // A slip can put a value where another type is due, which is a problem of the input.
            continue;
        }
        let view = world.objects().next().unwrap();
        let unknown: BTreeSet<String> =
            bartizan_cluster::schema::unknown_fields(view).iter().map(|field| dotted(object, field.value.path().pointer())).collect();
        assert_eq!(unknown, refused(answer), "{status} {answer}\n{object}");
        let findings = judge(&world, &selection).findings;
        assert_eq!(findings.iter().map(|finding| finding.places.len()).sum::<usize>(), unknown.len(), "{object}");
        agreed += 1;
        told += unknown.len();
    }
    assert!(agreed > SLIPS * 3 / 4 && told > SLIPS / 2, "{agreed} objects agreed on, {told} fields told");
}
