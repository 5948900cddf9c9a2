//! Measures what a change costs after everything was resolved: `access_change_speed WORLD.json`, where WORLD is an array of objects as
//! `cargo xtask bench authz` makes it, which runs this. It tells milliseconds on standard error.

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use bartizan_authz::{Authz, DefaultPolicy, Options};
use bartizan_cluster::access::{Action, Request, Resource, User};
use bartizan_cluster::read::{Fragment, ReadOptions};
use bartizan_cluster::snapshot::Delta;
use bartizan_cluster::{Circumstances, Kind, KubernetesVersion, ObjectRef, Provenance, Snapshot, Source, SourceId};
use serde_json::{Value, json};

/// So many changes of each kind are tried, each for itself.
const TRIED: usize = 100;
/// So many are taken over one after the other.
const IN_A_ROW: usize = 300;

const RBAC: &str = "rbac.authorization.k8s.io";
const RBAC_V1: &str = "rbac.authorization.k8s.io/v1";

/// What came and went.
type Change = (Vec<ObjectRef>, Vec<Value>);

/// The kinds of changes, and one of each for every number.
struct Changes {
    bindings: Vec<(ObjectRef, Value)>,
    roles: Vec<(ObjectRef, Value)>,
    cluster_roles: Vec<(ObjectRef, Value)>,
}

impl Changes {
    const KINDS: [&'static str; 12] = [
        "binding added",
        "binding replaced",
        "binding removed",
        "binding for everybody added",
        "role added",
        "role replaced",
        "role removed",
        "cluster role replaced",
        "aggregated role added",
        "account added",
        "namespace added",
        "pod added",
    ];

    fn of(snapshot: &Snapshot) -> Self {
        let all = |kind| snapshot.of_kind(kind).map(|object| (object.reference(), object.root().to_json())).collect();
        Self { bindings: all(Kind::RoleBinding), roles: all(Kind::Role), cluster_roles: all(Kind::ClusterRole) }
    }

    fn one(&self, kind: &str, number: usize) -> Change {
        let pick = |all: &[(ObjectRef, Value)]| all.get(number * 7_919 % all.len().max(1)).cloned();
        let (binding, mut bound) = pick(&self.bindings).unwrap_or_else(|| (reference("RoleBinding", "default", "none"), json!({})));
        let (role, mut ruled) = pick(&self.roles).or_else(|| pick(&self.cluster_roles)).unwrap_or_else(|| (reference("Role", "default", "none"), json!({})));
        let (_, mut wide) = pick(&self.cluster_roles).unwrap_or_else(|| (reference("ClusterRole", "", "none"), json!({})));
        let namespace = binding.namespace.clone().unwrap_or_default();
        let name = format!("changed-{number}");
        let rules = json!([
            { "apiGroups": [format!("{name}.example.com")], "resources": [format!("things-{number}")], "verbs": ["get", "list"] },
            { "apiGroups": [""], "resources": ["pods"], "verbs": ["delete"] },
        ]);
        match kind {
            "binding added" => {
                bound["metadata"]["name"] = json!(name);
                (Vec::new(), vec![bound])
            }
            "binding replaced" => {
                bound["subjects"] = json!([{ "kind": "User", "apiGroup": RBAC, "name": name }, { "kind": "Group", "apiGroup": RBAC, "name": "oidc:group-1" }]);
                (Vec::new(), vec![bound])
            }
            "binding removed" => (vec![binding], Vec::new()),
            "binding for everybody added" => {
                let object = json!({ "apiVersion": RBAC_V1, "kind": "ClusterRoleBinding", "metadata": { "name": name },
                    "roleRef": { "apiGroup": RBAC, "kind": "ClusterRole", "name": wide["metadata"]["name"] },
                    "subjects": [{ "kind": "Group", "apiGroup": RBAC, "name": "system:authenticated" }] });
                (Vec::new(), vec![object])
            }
            "role added" => {
                ruled["metadata"]["name"] = json!(name);
                ruled["rules"] = rules;
                (Vec::new(), vec![ruled])
            }
            "role replaced" => {
                ruled["rules"] = rules;
                (Vec::new(), vec![ruled])
            }
            "role removed" => (vec![role], Vec::new()),
            "cluster role replaced" => {
                wide["rules"] = rules;
                (Vec::new(), vec![wide])
            }
            "aggregated role added" => {
                wide["metadata"]["name"] = json!(name);
                wide["metadata"]["labels"] = json!({ "rbac.authorization.k8s.io/aggregate-to-view": "true" });
                wide["rules"] = rules;
                (Vec::new(), vec![wide])
            }
            "account added" => {
                (Vec::new(), vec![json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": name, "namespace": namespace } })])
            }
            "namespace added" => (Vec::new(), vec![json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } })]),
            _ => {
                let spec = json!({ "nodeName": "node-1", "serviceAccountName": "app-1", "containers": [{ "name": "app", "image": "i" }],
                    "volumes": [{ "name": "key", "secret": { "secretName": name } }] });
                (Vec::new(), vec![json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name, "namespace": namespace }, "spec": spec })])
            }
        }
    }
}

fn reference(kind: &str, namespace: &str, name: &str) -> ObjectRef {
    let namespace = (!namespace.is_empty()).then(|| namespace.to_owned());
    ObjectRef { api_version: RBAC_V1.to_owned(), kind: kind.to_owned(), namespace, name: name.to_owned() }
}

fn read(source: SourceId, objects: &[Value]) -> Fragment {
    let mut fragment = Fragment::new(ReadOptions { secret_key: [0; 32] });
    for object in objects {
        fragment.take_value(source, object);
    }
    fragment
}

fn after(before: &Snapshot, (removed, added): Change) -> Snapshot {
    let fragment = read(before.next_source(), &added);
    before.with(Delta { removed, added: vec![fragment], sources: vec![Source::without_text("change")] })
}

/// Takes the change over and asks once; how long that took.
fn time<'a>(authz: &Authz<'a>, later: &'a Snapshot, request: &Request<'_>) -> (Authz<'a>, Duration) {
    let start = Instant::now();
    let next = authz.with(later);
    black_box(next.decide(request));
    let took = start.elapsed();
    (next, took)
}

/// Tells the times in milliseconds at the middle, at 99 of 100, and the longest.
fn tell(out: &mut impl std::io::Write, name: &str, mut times: Vec<Duration>) -> std::io::Result<()> {
    times.sort_unstable();
    for (what, hundredth) in [("p50", 50), ("p99", 99), ("max", 100)] {
        let at = (times.len() * hundredth / 100).min(times.len().saturating_sub(1));
        writeln!(out, "timing: {name}-{what} {:.3}", times.get(at).map_or(0.0, |time| time.as_secs_f64() * 1e3))?;
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let world = std::env::args().nth(1).ok_or("usage: access_change_speed WORLD.json")?;
    let objects: Vec<Value> = serde_json::from_slice(&std::fs::read(world)?)?;
    let circumstances = Circumstances {
        provenance: Provenance::Files,
        sources: vec![Source::without_text("world")],
        version: KubernetesVersion::NEWEST,
        observed_at: jiff::Timestamp::UNIX_EPOCH,
        missing: Vec::new(),
    };
    let snapshot = Snapshot::assemble(vec![read(SourceId(0), &objects)], circumstances);
    drop(objects);
    let changes = Changes::of(&snapshot);
    // With the roles that each server makes, of which some take in the rules of others.
    let options = Options { default_policy: DefaultPolicy::Of(KubernetesVersion::NEWEST), ..Options::default() };
    let authz = Authz::resolve(&snapshot, &options);
    // A kubelet has asked, so that what is related to it is known and has to follow.
    let request = Request { user: User::node("node-1"), action: Action::on("get", Resource::new("", "secrets").within("team-1").named("key")) };
    black_box(authz.decide(&request));
    let mut out = std::io::stderr().lock();
    let mut all = Vec::new();
    for kind in Changes::KINDS {
        let mut times = Vec::new();
        for number in 0..TRIED {
            let later = after(&snapshot, changes.one(kind, number));
            let (next, took) = time(&authz, &later, &request);
            times.push(took);
            if next.steps() != 1 {
                return Err(format!("`{kind}` was not taken over").into());
            }
        }
        all.extend(times.iter().copied());
        tell(&mut out, &kind.replace(' ', "-"), times)?;
    }
    tell(&mut out, "each", all)?;
    // One after the other, as a watch brings them; the snapshots stay as long as the engines.
    let mut lineage: Vec<Box<Snapshot>> = Vec::new();
    for number in 0..IN_A_ROW {
        let kind = Changes::KINDS.get(number % Changes::KINDS.len()).copied().unwrap_or("");
        let later = after(lineage.last().map_or(&snapshot, |last| last), changes.one(kind, number));
        lineage.push(Box::new(later));
    }
    let mut current = authz;
    let mut in_a_row = Vec::new();
    for later in &lineage {
        let (next, took) = time(&current, later, &request);
        current = next;
        in_a_row.push(took);
    }
    tell(&mut out, "in-a-row", in_a_row)?;
    Ok(())
}
