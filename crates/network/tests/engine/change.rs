//! A network after any changes answers as one that is resolved anew.

use bartizan_cluster::read::{Fragment, ReadOptions, split};
use bartizan_cluster::snapshot::Delta;
use bartizan_cluster::{Missing, ObjectRef, Reason, Snapshot, Source};
use bartizan_network::render::{self, exposure};
use bartizan_network::{Model, Network};
use bartizan_report::Language;

mod further;

use crate::calico::random::CalicoWorld;
use crate::cilium_packets::Cluster;
use crate::istio_packets::Mesh;
use crate::random::{Dice, KEYS, Traits, VALUES, World};
use crate::world::{question, snapshot, with_missing};
use further::{Flavour, further};

/// The snapshot after objects came and went. It is never dropped: networks of one lineage refer to all of its snapshots.
fn after(before: &Snapshot, removed: Vec<ObjectRef>, text: String) -> &'static Snapshot {
    let mut fragment = Fragment::new(ReadOptions { secret_key: [0; 32] });
    for document in &split(&text).0 {
        fragment.read(before.next_source(), &text, document);
    }
    let delta = Delta { removed, added: vec![fragment], sources: vec![Source::text("change.yaml", &text)] };
    Box::leak(Box::new(before.with(delta)))
}

/// Everything that a network can be asked, as text.
fn answers(network: &Network<'_>) -> String {
    let mut out = Vec::new();
    render::text(&network.connectivity(), &mut out).unwrap();
    exposure::text(&network.exposure(), Language::English, &mut out).unwrap();
    let mut told = String::from_utf8(out).unwrap();
    told += &format!("{:#?}\n{:#?}\n", network.verify(), network.problems());
    let ends: Vec<String> = ["alpha", "beta", "gamma"]
        .iter()
        .flat_map(|namespace| {
            let pods = (0..7).map(move |pod| format!("{namespace}/pod-{pod}"));
            pods.chain(["Service/front", "Service/back", "Deployment/app", "ReplicaSet/app"].map(|name| format!("{namespace}/{name}")))
        })
        .chain(["10.1.0.3", "10.96.0.1", "10.96.0.2", "192.0.2.1", "Node/node-1", "Node/node-2"].map(str::to_owned))
        .collect();
    for from in &ends {
        for to in &ends {
            let of_nodes = to.starts_with("Node/").then_some("30080");
            for port in ["80", "UDP 53", "http"].into_iter().chain(of_nodes) {
                told += &format!("{from} {to} {port} {:?}\n", network.explain(&question(from, to, port)));
            }
        }
    }
    told
}

/// A kind of random world.
#[derive(Clone, Copy)]
struct Kind {
    flavour: Flavour,
    /// The manifests of the world of a seed.
    yaml: fn(u64) -> String,
    /// The namespaces of which all NetworkPolicies are known; all of them if none are told.
    read: Option<&'static [&'static str]>,
}

impl Kind {
    fn of(flavour: Flavour, yaml: fn(u64) -> String) -> Self {
        Self { flavour, yaml, read: None }
    }
}

fn plain(seed: u64) -> String {
    World::roll(seed, Traits { hosts: true, cluster_policies: false, ipv6: true }).yaml()
}

fn with_cluster_policies(seed: u64) -> String {
    World::roll(seed, Traits { hosts: true, cluster_policies: true, ipv6: false }).yaml()
}

/// A change: a few objects of another world of the kind come, in the place of those of their names, and a few go.
fn change(dice: &mut Dice, before: &Snapshot, kind: Kind) -> (Vec<ObjectRef>, String) {
    let other = (kind.yaml)(dice.below(1 << 30) as u64);
    let documents: Vec<&str> = other.split("---\n").filter(|document| !document.trim().is_empty()).collect();
    let mut added: Vec<String> = (0..dice.below(3)).map(|_| dice.one_of(&documents).to_owned()).collect();
    added.extend((0..dice.below(3)).map(|_| further(dice, kind.flavour)));
    let known: Vec<ObjectRef> = before.objects().map(|object| object.reference()).collect();
    let removed = (0..dice.below(3)).filter(|_| !known.is_empty()).map(|_| dice.one_of(&known)).collect();
    (removed, added.join("---\n"))
}

/// More pods of one namespace, so many that a change of one of them is taken over in what is told of the namespace, as long as these are
/// there: one with fewer is told anew.
fn crowd(dice: &mut Dice) -> String {
    let pod = |number: usize| {
        let (key, value) = (dice.one_of(&KEYS), dice.one_of(&VALUES));
        format!(
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: crowd-{number}, namespace: alpha, labels: {{{key}: {value}}}}}\nspec: {{nodeName: node-1, containers: [{{name: c, image: i, ports: [{{name: http, containerPort: 80}}]}}]}}\nstatus: {{phase: Running, podIP: 10.1.{}.{number}, podIPs: [{{ip: 10.1.{}.{number}}}]}}\n",
            number % 2,
            number % 2
        )
    };
    (100..116).map(pod).collect()
}

/// Of so many changes in a row, how many were taken over.
fn check(seed: u64, kind: Kind, changes: usize) -> u32 {
    let mut dice = Dice(seed ^ 0x5eed);
    let mut world = (kind.yaml)(seed);
    if dice.once_in(2) {
        world += &crowd(&mut dice);
    }
    let missing = kind.read.map(|read| Missing::elsewhere(bartizan_cluster::Kind::NetworkPolicy, read, Reason::Forbidden));
    let mut snapshot: &'static Snapshot = Box::leak(Box::new(with_missing(&world, missing.into_iter().collect())));

    let mut network = Network::resolve(snapshot, Model::Kubernetes);
    let mut taken_over = 0;
    let mut story = String::new();
    for _ in 0..changes {
        let (removed, text) = change(&mut dice, snapshot, kind);
        story += &format!("removed {removed:?}, added\n{text}\n");
        let later = after(snapshot, removed, text);
        let next = network.with(later);
        taken_over += u32::from(next.steps() > network.steps());
        if dice.once_in(3) {
            // What is not told yet is told after more changes.
            (snapshot, network) = (later, next);
            continue;
        }
        let anew = Network::resolve(later, Model::Kubernetes);
        let (told, expected) = (answers(&next), answers(&anew));
        if told != expected {
            let differing = told.lines().zip(expected.lines()).find(|(one, two)| one != two);
            panic!("seed {seed}: {differing:#?}\nafter {story}");
        }
        (snapshot, network) = (later, next);
    }
    taken_over
}

/// Of a hundred changes of worlds of a kind, how many were taken over.
fn share(seeds: std::ops::Range<u64>, kind: Kind) -> usize {
    const CHANGES: usize = 6;
    let all = usize::try_from(seeds.end - seeds.start).unwrap() * CHANGES;
    let taken_over: u32 = seeds.map(|seed| check(seed, kind, CHANGES)).sum();
    usize::try_from(taken_over).unwrap() * 100 / all
}

#[test]
fn any_changes_of_pods_namespaces_policies_and_services_give_the_answers_of_a_network_resolved_anew() {
    let taken_over = share(0..40, Kind::of(Flavour::Plain, plain));
    assert_eq!(taken_over, 100, "every change of these kinds is taken over");
}

#[test]
fn policies_of_the_whole_cluster_are_taken_over() {
    let taken_over = share(100..140, Kind::of(Flavour::Plain, with_cluster_policies));
    assert_eq!(taken_over, 100, "every change of these kinds is taken over");
}

#[test]
fn policies_that_could_not_be_read_everywhere_are_taken_over() {
    let taken_over = share(400..430, Kind { read: Some(&["alpha", "gamma"]), ..Kind::of(Flavour::Plain, plain) });
    assert_eq!(taken_over, 100, "every change of these kinds is taken over");
}

#[test]
fn policies_of_calico_and_what_they_are_read_by_are_taken_over() {
    let taken_over = share(300..380, Kind::of(Flavour::Calico, |seed| CalicoWorld::roll(seed).yaml()));
    assert!((60..100).contains(&taken_over), "all but those of host endpoints and profiles are taken over: {taken_over}");
}

#[test]
fn policies_of_cilium_and_what_they_are_read_by_are_taken_over() {
    let taken_over = share(200..260, Kind::of(Flavour::Cilium, |seed| Cluster::roll(seed).yaml()));
    assert!((75..100).contains(&taken_over), "all but those of its settings are taken over: {taken_over}");
}

#[test]
fn policies_of_a_mesh_are_taken_over() {
    let taken_over = share(300..360, Kind::of(Flavour::Mesh, |seed| Mesh::roll(seed).yaml()));
    assert!((75..100).contains(&taken_over), "all but the first and the last of them are taken over: {taken_over}");
}

#[test]
fn the_network_before_stays_as_it_was() {
    let world = World::roll(3, Traits { hosts: true, cluster_policies: true, ipv6: true }).yaml();
    let before: &'static Snapshot = Box::leak(Box::new(snapshot(&world)));
    let network = Network::resolve(before, Model::Kubernetes);
    let told = answers(&network);
    let all: Vec<ObjectRef> = before.objects().map(|object| object.reference()).collect();
    let empty = after(before, all, String::new());
    assert_eq!(answers(&network.with(empty)), answers(&Network::resolve(empty, Model::Kubernetes)));
    assert_eq!(answers(&network), told);
    // A snapshot of another lineage is read anew.
    let other = snapshot(&world);
    let anew = network.with(&other);
    assert_eq!((anew.steps(), answers(&anew)), (0, told));
}
