//! A network after any changes answers as one that is resolved anew.

use bartizan_cluster::read::{Fragment, ReadOptions, split};
use bartizan_cluster::snapshot::Delta;
use bartizan_cluster::{ObjectRef, Snapshot, Source};
use bartizan_network::render::{self, exposure};
use bartizan_network::{Model, Network};
use bartizan_report::Language;

use crate::calico::random::CalicoWorld;
use crate::cilium_packets::Cluster;
use crate::istio_packets::Mesh;
use crate::random::{Dice, Traits, World};
use crate::world::{question, snapshot};

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
            pods.chain(["Service/front", "Deployment/app", "ReplicaSet/app"].map(|name| format!("{namespace}/{name}")))
        })
        .chain(["10.1.0.3".to_owned(), "192.0.2.1".to_owned(), "Node/node-1".to_owned(), "Node/node-2".to_owned()])
        .collect();
    for from in &ends {
        for to in &ends {
            for port in ["80", "UDP 53", "http"] {
                told += &format!("{from} {to} {port} {:?}\n", network.explain(&question(from, to, port)));
            }
        }
    }
    told
}

/// Things that random worlds do not have: what makes pods, and Services.
fn further(dice: &mut Dice) -> String {
    let namespace = dice.one_of(&["alpha", "beta", "gamma", "delta"]);
    let app = dice.one_of(&["one", "two", "three"]);
    let owner = |kind: &str| format!("ownerReferences: [{{apiVersion: apps/v1, kind: {kind}, name: app, uid: u, controller: true}}]");
    let template = format!(
        "template: {{metadata: {{labels: {{app: {app}, tier: two}}}}, spec: {{containers: [{{name: c, image: i, ports: [{{name: http, containerPort: {}}}]}}]}}}}",
        dice.one_of(&[80, 8080])
    );
    match dice.below(7) {
        0 => format!("apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: app, namespace: {namespace}}}\nspec: {{replicas: 2, {template}}}\n"),
        1 => format!("apiVersion: apps/v1\nkind: ReplicaSet\nmetadata: {{name: app, namespace: {namespace}, {}}}\nspec: {{{template}}}\n", owner("Deployment")),
        2 => format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: pod-{}, namespace: {namespace}, labels: {{app: {app}}}, {}}}\nspec: {{nodeName: node-{}, containers: [{{name: c, image: i}}]}}\nstatus: {{phase: Running, podIP: 10.1.0.{}}}\n",
            dice.below(7),
            owner(dice.one_of(&["ReplicaSet", "Deployment"])),
            1 + dice.below(3),
            1 + dice.below(4),
        ),
        3 => format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: front, namespace: {namespace}}}\nspec: {{type: {}, selector: {{app: {app}}}, ports: [{{name: http, port: 80, targetPort: http}}]}}\n",
            dice.one_of(&["ClusterIP", "NodePort"])
        ),
        4 => format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: front, namespace: {namespace}}}\nspec: {{ports: [{{port: 80}}]}}\n---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: front-1, namespace: {namespace}, labels: {{kubernetes.io/service-name: front}}}}\naddressType: IPv4\nendpoints: [{{addresses: [10.1.0.{}]}}]\nports: [{{port: 80, protocol: TCP, name: ''}}]\n",
            1 + dice.below(4)
        ),
        5 => format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: policy-{}, namespace: {namespace}}}\nspec: {{podSelector: {{}}, ingress: [{{from: [{{ipBlock: {{cidr: 10.1.0.{}/{}}}}}]}}], policyTypes: [Sometimes]}}\n",
            dice.below(4),
            dice.below(4),
            dice.one_of(&[30, 32])
        ),
        _ => format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: app, namespace: {namespace}}}\ndata: {{}}\n"),
    }
}

/// A change: a few objects of another world come, in the place of those of their names, and a few go.
fn change(dice: &mut Dice, before: &Snapshot, traits: Traits) -> (Vec<ObjectRef>, String) {
    let other = World::roll(dice.below(1 << 30) as u64, traits).yaml();
    let documents: Vec<&str> = other.split("---\n").filter(|document| !document.trim().is_empty()).collect();
    let mut added: Vec<String> = (0..dice.below(3)).map(|_| dice.one_of(&documents).to_owned()).collect();
    added.extend((0..dice.below(3)).map(|_| further(dice)));
    let known: Vec<ObjectRef> = before.objects().map(|object| object.reference()).collect();
    let removed = (0..dice.below(3)).filter(|_| !known.is_empty()).map(|_| dice.one_of(&known)).collect();
    (removed, added.join("---\n"))
}

fn check(seed: u64, traits: Traits, changes: usize) -> u32 {
    check_from(&World::roll(seed, traits).yaml(), seed, traits, changes)
}

fn check_from(text: &str, seed: u64, traits: Traits, changes: usize) -> u32 {
    let mut dice = Dice(seed ^ 0x5eed);
    let mut snapshot: &'static Snapshot = Box::leak(Box::new(snapshot(text)));
    let mut network = Network::resolve(snapshot, Model::Kubernetes);
    let mut taken_over = 0;
    let mut story = String::new();
    for _ in 0..changes {
        let (removed, text) = change(&mut dice, snapshot, traits);
        story += &format!("removed {removed:?}, added\n{text}\n");
        let later = after(snapshot, removed, text);
        let next = network.with(later);
        taken_over += u32::from(next.steps() > network.steps());
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

#[test]
fn any_changes_of_pods_namespaces_policies_and_services_give_the_answers_of_a_network_resolved_anew() {
    let traits = Traits { hosts: true, cluster_policies: false, ipv6: true };
    let taken_over: u32 = (0..40).map(|seed| check(seed, traits, 6)).sum();
    assert_eq!(taken_over, 40 * 6, "every change of these kinds is taken over");
}

#[test]
fn policies_of_the_whole_cluster_are_resolved_anew_and_kept_over_other_changes() {
    let traits = Traits { hosts: true, cluster_policies: true, ipv6: false };
    let taken_over: u32 = (100..120).map(|seed| check(seed, traits, 6)).sum();
    assert!((20..120).contains(&taken_over), "{taken_over}");
}

#[test]
fn policies_of_calico_are_kept_over_changes_of_pods_and_network_policies() {
    let traits = Traits { hosts: true, cluster_policies: false, ipv6: true };
    let taken_over: u32 = (300..340).map(|seed| check_from(&CalicoWorld::roll(seed).yaml(), seed, traits, 6)).sum();
    assert!((40..240).contains(&taken_over), "{taken_over}");
}

#[test]
fn policies_of_cilium_are_kept_over_changes_of_everything_else() {
    let traits = Traits { hosts: true, cluster_policies: false, ipv6: true };
    let taken_over: u32 = (200..230).map(|seed| check_from(&Cluster::roll(seed).yaml(), seed, traits, 6)).sum();
    assert!((60..180).contains(&taken_over), "{taken_over}");
}

#[test]
fn policies_of_a_mesh_are_kept_over_changes_of_pods() {
    let traits = Traits { hosts: true, cluster_policies: false, ipv6: true };
    let taken_over: u32 = (300..330).map(|seed| check_from(&Mesh::roll(seed).yaml(), seed, traits, 6)).sum();
    assert!((60..180).contains(&taken_over), "{taken_over}");
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
