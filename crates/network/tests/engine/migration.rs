//! From the older policies of the whole cluster to the newer ones: nothing changes, or it is shown what would.

use bartizan_network::{Feature, Migration, Model, Network, Reason, Relation, Remark, migrate, relation};
use bartizan_testbed::{ControlPlane, Definitions, Options};
use serde_json::Value;

use crate::random::{Traits, World};
use crate::world::{namespace, pod, snapshot};

fn admin(name: &str, priority: u32, spec: &str) -> String {
    format!(
        "---\napiVersion: policy.networking.k8s.io/v1alpha1\nkind: AdminNetworkPolicy\nmetadata: {{name: {name}}}\nspec: {{priority: {priority}, subject: {{namespaces: {{}}}}, {spec}}}\n"
    )
}

fn baseline(spec: &str) -> String {
    format!(
        "---\napiVersion: policy.networking.k8s.io/v1alpha1\nkind: BaselineAdminNetworkPolicy\nmetadata: {{name: default}}\nspec: {{subject: {{namespaces: {{}}}}, {spec}}}\n"
    )
}

fn two() -> String {
    namespace("a", "tenant: one")
        + &namespace("b", "tenant: two")
        + &pod("a", "x", "app: x", "", "podIP: 10.1.0.1")
        + &pod("b", "w", "app: w", "", "podIP: 10.1.0.2")
}

fn migrated(text: &str) -> Migration {
    let snapshot = snapshot(text);
    assert_eq!(snapshot.problems(), []);
    migrate(&snapshot)
}

fn objects(migration: &Migration) -> Vec<&Value> {
    migration.documents.iter().map(|document| &document.object).collect()
}

#[test]
fn actions_ports_and_tiers_get_the_words_of_the_newer_version() {
    let rule = "{name: web, action: Allow, from: [{pods: {namespaceSelector: {matchLabels: {tenant: two}}, podSelector: {}}}], ports: [{portNumber: {protocol: TCP, port: 80}}, {portRange: {protocol: UDP, start: 53, end: 60}}, {portRange: {start: 7, end: 7}}, {namedPort: http}]}";
    let migration = migrated(
        &(two()
            + &admin("a", 7, &format!("ingress: [{rule}], egress: [{{action: Pass, to: [{{networks: [10.0.0.0/8]}}]}}]"))
            + &baseline("ingress: [{action: Deny, from: [{namespaces: {}}]}]")),
    );
    assert_eq!((migration.refused.len(), migration.notes.as_slice()), (0, [].as_slice()));
    let objects = objects(&migration);
    assert_eq!(objects[0].pointer("/spec/tier"), Some(&"Admin".into()));
    assert_eq!(objects[0].pointer("/spec/priority"), Some(&7.into()));
    assert_eq!(
        objects[0].pointer("/spec/ingress/0").unwrap().to_string(),
        r#"{"name":"web","action":"Accept","from":[{"pods":{"namespaceSelector":{"matchLabels":{"tenant":"two"}},"podSelector":{}}}],"protocols":[{"tcp":{"destinationPort":{"number":80}}},{"udp":{"destinationPort":{"range":{"start":53,"end":60}}}},{"tcp":{"destinationPort":{"number":7}}},{"destinationNamedPort":"http"}]}"#
    );
    assert_eq!(objects[0].pointer("/spec/egress/0/action"), Some(&"Pass".into()));
    assert_eq!((objects[1].pointer("/spec/tier"), objects[1].pointer("/metadata/name")), (Some(&"Baseline".into()), Some(&"default".into())));
    assert!(migration.proof.holds() && migration.proof.rules_are_equal, "{:?}", migration.proof);
    assert_eq!(migration.features, [Feature::Networks, Feature::NamedPorts, Feature::Pass]);
}

#[test]
fn what_is_too_long_for_one_object_is_divided_and_says_the_same() {
    let rules: Vec<String> = (0..60)
        .map(|at| {
            format!("{{action: {}, from: [{{namespaces: {{}}}}], ports: [{{portNumber: {{protocol: TCP, port: {}}}}}]}}", ["Allow", "Deny"][at % 2], 100 + at)
        })
        .collect();
    let peers: Vec<String> = (0..30).map(|at| format!("{{namespaces: {{matchLabels: {{tenant: t{at}}}}}}}")).collect();
    let ports: Vec<String> = (0..27).map(|at| format!("{{portNumber: {{protocol: TCP, port: {}}}}}", 1 + at)).collect();
    let wide = format!("{{action: Deny, to: [{}], ports: [{}]}}", peers.join(", "), ports.join(", "));
    let text = two()
        + &admin("long", 5, &format!("ingress: [{}], egress: [{wide}]", rules.join(", ")))
        + &admin("next", 6, "ingress: [{action: Deny, from: [{namespaces: {}}]}]");
    let migration = migrated(&text);
    let told: Vec<(&str, i64)> = objects(&migration)
        .iter()
        .map(|object| (object.pointer("/metadata/name").unwrap().as_str().unwrap(), object.pointer("/spec/priority").unwrap().as_i64().unwrap()))
        .collect();
    assert_eq!(told, [("long", 5), ("long-2", 6), ("long-3", 7), ("next", 8)]);
    assert!(migration.proof.holds() && migration.proof.rules_are_equal, "{:?}", migration.proof);
    let remarks: Vec<&Remark> = migration.notes.iter().map(|note| &note.remark).collect();
    assert_eq!(remarks, [&Remark::Split(3), &Remark::RuleSplit("spec.egress[0]".to_owned(), 4), &Remark::Renumbered(6, 8)]);
}

#[test]
fn what_has_no_equal_stays_and_a_connection_shows_why() {
    let deny = |peer: &str| admin("p", 1, &format!("ingress: [{{action: Deny, from: [{{namespaces: {{matchLabels: {{tenant: none}}}}}}, {peer}]}}]"));
    let migration = migrated(&(two() + &deny("{namespaces: {notSameLabels: [tenant]}}")));
    let [refused] = migration.refused.as_slice() else { panic!("{:?}", migration.refused) };
    assert_eq!(refused.reason, Reason::RelativeNamespaces("spec.ingress[0].from[1].namespaces.notSameLabels".to_owned()));
    assert!(refused.witness.as_ref().is_some_and(|shown| shown.claim.name() == "allows-more" && shown.witness.is_some()), "{refused:?}");
    assert!(migration.documents.is_empty() && migration.proof.relation == Relation::Equal, "what is not migrated stays");

    let migration = migrated(&(two() + &deny("{clouds: [one]}")));
    assert_eq!(migration.refused[0].reason, Reason::UnknownPeer("spec.ingress[0].from[1]".to_owned()));
    // Where the rule allows, it matched nothing, and can go.
    let migration = migrated(&(two() + &deny("{clouds: [one]}").replace("Deny", "Allow")));
    assert_eq!(migration.notes.iter().map(|note| note.remark.clone()).collect::<Vec<_>>(), [Remark::Dropped("spec.ingress[0]".to_owned())]);
    assert!(migration.proof.holds() && migration.proof.rules_are_equal);
    // What the server does not take is no policy.
    let migration = migrated(&(two() + &admin("p", 2000, "ingress: []")));
    assert!(matches!(migration.refused[0].reason, Reason::Invalid(_)));
}

#[test]
fn names_and_priorities_that_are_taken_are_told() {
    let cluster = "---\napiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\nmetadata: {name: p}\nspec: {tier: Admin, priority: 3, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {matchLabels: {tenant: two}}}]}]}\n";
    let rules: Vec<String> =
        (0..26).map(|at| format!("{{action: Deny, from: [{{namespaces: {{}}}}], ports: [{{portNumber: {{protocol: TCP, port: {}}}}}]}}", 1 + at)).collect();
    let long = format!("ingress: [{}]", rules.join(", "));
    // One of its parts would be asked after what is asked after it.
    let migration = migrated(&(two() + cluster + &admin("p", 2, &long)));
    assert_eq!(migration.refused.iter().map(|refused| refused.reason.clone()).collect::<Vec<_>>(), []);
    assert!(migration.proof.holds(), "{:?}", migration.proof);
    assert!(migration.notes.iter().any(|note| note.remark == Remark::Renamed("p-admin".to_owned())), "{:?}", migration.notes);
    assert!(migration.notes.iter().any(|note| note.remark == Remark::Renumbered(2, 0)), "{:?}", migration.notes);
    let migration = migrated(&(two() + cluster + &admin("q", 3, "ingress: [{action: Deny, from: [{namespaces: {}}]}]")));
    assert!(migration.notes.iter().any(|note| note.remark == Remark::Tie(3)), "{:?}", migration.notes);
}

#[test]
fn random_policies_say_the_same_after_they_were_migrated() {
    let traits = Traits { hosts: true, cluster_policies: true, ipv6: true };
    let mut documents = 0;
    for seed in 0..150 {
        let world = snapshot(&World::roll(seed, traits).yaml());
        let migration = migrate(&world);
        assert!(migration.refused.iter().all(|refused| matches!(refused.reason, Reason::Invalid(_))), "seed {seed}: {:?}", migration.refused);
        assert!(migration.proof.rules_are_equal && migration.proof.holds(), "seed {seed}: {:?}", migration.proof);
        documents += migration.documents.len();
    }
    assert!(documents > 50, "{documents}");
}

#[test]
fn a_changed_action_is_refuted() {
    let text = two() + &admin("a", 7, "ingress: [{action: Deny, from: [{namespaces: {}}]}]");
    let migration = migrated(&text);
    let wrong = migration.documents[0].object.to_string().replace("Deny", "Accept");
    let (before, after) = (snapshot(&text), snapshot(&(two() + "---\n" + &wrong + "\n")));
    let compared = relation(&Network::resolve(&after, Model::Kubernetes), &Network::resolve(&before, Model::Kubernetes));
    assert_eq!(compared.relation, Relation::Beyond);
}

const COLLECTION: &str = "/apis/policy.networking.k8s.io/v1alpha2/clusternetworkpolicies";

/// An API server that serves the newer version.
fn defined() -> ControlPlane {
    let plane = ControlPlane::start(&Options::default().without_controller_manager()).unwrap();
    let definition = Definitions::NetworkPolicyApi.of(&["ClusterNetworkPolicy"]).unwrap().remove(0);
    let (status, answer) = plane.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", &definition).unwrap();
    assert_eq!(status, 201, "{answer}");
    // The server says when it serves the kind: the watch ends with that.
    let watch = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions?watch=true&timeoutSeconds=2";
    for _ in 0..30 {
        if plane.get(COLLECTION).unwrap().0 == 200 {
            return plane;
        }
        let _ = plane.get(watch);
    }
    panic!("the kind is not served");
}

#[test]
fn the_api_server_takes_what_is_written() {
    let plane = defined();
    let collection = format!("{COLLECTION}?fieldValidation=Strict");
    let egress = "egress: [{action: Allow, to: [{nodes: {matchLabels: {a: b}}}, {domainNames: ['*.example.com']}, {networks: [10.0.0.0/8, 'fd00::/8']}]}]";
    let mut texts = vec![
        two()
            + &admin("everything", 1, egress)
            + &baseline("ingress: [{action: Deny, from: [{namespaces: {}}], ports: [{namedPort: http}, {portRange: {start: 9, end: 9}}]}]"),
    ];
    let traits = Traits { hosts: true, cluster_policies: true, ipv6: true };
    texts.extend((200..260).map(|seed| World::roll(seed, traits).yaml()));
    let mut taken = 0;
    for (text, number) in texts.iter().zip(0..) {
        for document in migrated(text).documents {
            let mut object = document.object;
            object["metadata"]["name"] = format!("{}-{number}", object["metadata"]["name"].as_str().unwrap()).into();
            let (status, answer) = plane.post(&collection, &object).unwrap();
            assert_eq!(status, 201, "{answer}\n{object}");
            taken += 1;
        }
    }
    assert!(taken > 20, "{taken}");
}

#[test]
fn what_the_api_server_does_not_take_of_the_newer_version_does_not_count() {
    let plane = defined();
    let pods = |spec: &str| format!("tier: Admin, priority: 1, subject: {{namespaces: {{}}}}, {spec}");
    let rule = |rule: &str| pods(&format!("egress: [{rule}]"));
    let with_port = |port: &str| rule(&format!("{{action: Deny, to: [{{namespaces: {{}}}}], protocols: [{port}]}}"));
    let with_peer = |peer: &str| rule(&format!("{{action: Accept, to: [{peer}]}}"));
    let networks = |count: usize| (0..count).map(|at| format!("10.{at}.0.0/16")).collect::<Vec<_>>().join(", ");
    let tried = [
        pods("ingress: []"),
        pods("ingress: [{action: Allow, from: [{namespaces: {}}]}]"),
        pods("ingress: [{action: Accept, from: []}]"),
        pods("ingress: [{action: Accept}]"),
        pods("ingress: [{action: Accept, from: [{namespaces: {}, pods: {podSelector: {}}}]}]"),
        pods("ingress: []").replace("priority: 1,", "priority: 1001,"),
        pods("ingress: []").replace("priority: 1,", ""),
        pods("ingress: []").replace("Admin", "Middle"),
        pods("ingress: []").replace("{namespaces: {}}", "{}"),
        with_port("{tcp: {destinationPort: {number: 80}}}"),
        with_port("{tcp: {destinationPort: {number: 0}}}"),
        with_port("{tcp: {destinationPort: {range: {start: 5, end: 6}}}}"),
        with_port("{tcp: {destinationPort: {range: {start: 5, end: 5}}}}"),
        with_port("{tcp: {destinationPort: {range: {start: 6, end: 5}}}}"),
        with_port("{tcp: {destinationPort: {range: {start: 5}}}}"),
        with_port("{tcp: {destinationPort: {}}}"),
        with_port("{destinationNamedPort: http}"),
        with_peer("{networks: [10.0.0.0/8]}"),
        with_peer("{networks: [10.0.0.0]}"),
        with_peer(&format!("{{networks: [{}]}}", networks(25))),
        with_peer(&format!("{{networks: [{}]}}", networks(26))),
        with_peer("{nodes: {matchLabels: {a: b}}}"),
        with_peer("{domainNames: [example.com]}"),
        rule("{action: Deny, to: [{domainNames: [example.com]}]}"),
        rule("{action: Deny, to: [{networks: [10.0.0.0/8]}], protocols: [{destinationNamedPort: http}]}"),
    ];
    let mut different = Vec::new();
    for (spec, number) in tried.iter().zip(0..) {
        let text =
            format!("---\napiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\nmetadata: {{name: tried-{number}}}\nspec: {{{spec}}}\n");
        let world = snapshot(&(two() + &text));
        let object = world.objects().find(|object| object.kind_name() == "ClusterNetworkPolicy").map(|object| object.root().to_json());
        let (status, answer) = plane.post(COLLECTION, &object.unwrap()).unwrap();
        let counts = Network::resolve(&world, Model::Kubernetes).problems().iter().all(|problem| !problem.is_loss);
        if counts != (status == 201) {
            different.push(format!("{spec}: the server answers {status} {}", answer["message"]));
        }
    }
    assert!(different.is_empty(), "{different:#?}");
}
