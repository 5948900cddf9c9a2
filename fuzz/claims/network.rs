//! What must hold of the readers of `bartizan-network` for any bytes at all. The fuzz targets call these functions, and so does
//! `crates/network/tests/mutations.rs`, which runs everywhere.

#[path = "assemble.rs"]
mod assemble;

use assemble::assemble;
use bartizan_cluster::read::split;
use bartizan_network::{Intents, Model, Network, PortName, Protocol, Question};

const WORLD: &str = "\
apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: shop, labels: {app: web}}\nspec: {containers: [{name: a, image: a, ports: [{name: http, containerPort: 80}]}]}
---\napiVersion: v1\nkind: Pod\nmetadata: {name: db, namespace: data, labels: {app: db}}\nspec: {containers: [{name: a, image: a}]}
---\napiVersion: v1\nkind: Service\nmetadata: {name: db, namespace: data}\nspec: {selector: {app: db}, ports: [{port: 5432}]}
---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: db, namespace: data}\nspec: {podSelector: {}, ingress: [{from: [{namespaceSelector: {}}], ports: [{port: 5432}]}]}
";

/// A file of intents: a fault has its place; what was read means the same when it is written again, and is verified or told of.
pub(crate) fn intents(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let intents = match Intents::read("fuzz", text) {
        Ok(intents) => intents,
        Err(fault) => {
            assert!((1..=text.split('\n').count()).contains(&(fault.location.line as usize)) && !fault.message.is_empty(), "{fault}");
            return;
        }
    };
    let written = serde_json::to_string(&intents).unwrap();
    let again = Intents::read("fuzz", &written).unwrap();
    assert_eq!(serde_json::to_string(&again).unwrap(), written);
    let snapshot = assemble(WORLD, &split(WORLD).0);
    if let Ok(found) = Network::resolve(&snapshot, Model::Kubernetes).verify_intents(&intents) {
        assert!(found.iter().all(|one| one.location.is_some()), "{found:?}");
    }
}

/// A selector of Calico's: it is refused inside of its text, or it and its negation share the pods between them.
pub(crate) fn calico(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let selected = |selector: &str| {
        let spec = serde_json::json!({ "selector": selector, "ingress": [{ "action": "Deny" }] });
        let policy = serde_json::json!({ "apiVersion": "projectcalico.org/v3", "kind": "GlobalNetworkPolicy", "metadata": { "name": "fuzz" }, "spec": spec });
        let text = format!("{WORLD}---\n{policy}\n");
        let snapshot = assemble(&text, &split(&text).0);
        // Some characters cannot stand in YAML.
        if !snapshot.problems().is_empty() {
            return None;
        }
        let network = Network::resolve(&snapshot, Model::Kubernetes);
        if let Some(lost) = network.problems().iter().find(|problem| problem.is_loss) {
            let at = lost.message.rsplit_once(" at character ").and_then(|(_, at)| at.parse::<usize>().ok());
            assert!(at.is_none_or(|at| (1..=selector.chars().count() + 1).contains(&at)), "{lost}");
            return None;
        }
        let asked = |to: &str| {
            let question = Question { from: "192.0.2.1".to_owned(), to: to.to_owned(), port: PortName::Number(80), protocol: Protocol::Tcp };
            network.ask(&question).unwrap().allowed.map(|allowed| !allowed)
        };
        Some([asked("shop/web"), asked("data/db")])
    };
    let Some(one) = selected(text) else { return };
    // What is empty selects everything, and has no negation; parentheses may not be nested too deep.
    let Some(two) = selected(&format!("!({text})")) else { return };
    // The NetworkPolicy of the other pod refuses the rest.
    assert!(matches!((one[0], two[0]), (Some(one), Some(two)) if one != two), "{text}: {one:?} {two:?}");
    assert_eq!((one[1], two[1]), (Some(true), Some(true)), "{text}");
}

/// Policies of Cilium and Istio beside a small world: whatever they say is read to its end, what is refused of them has its place, and
/// what is told of a connection is what is answered.
pub(crate) fn policies(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let text = format!("{WORLD}---\n{text}\n");
    let snapshot = assemble(&text, &split(&text).0);
    let network = Network::resolve(&snapshot, Model::Kubernetes);
    for problem in network.problems().iter().filter(|problem| problem.is_loss) {
        assert!(problem.location.is_some() && problem.message.contains("refuses this: "), "{problem}");
    }
    for (from, to) in [("shop/web", "data/db"), ("data/db", "shop/web"), ("192.0.2.1", "data/db"), ("data/db", "192.0.2.1")] {
        let question = Question { from: from.to_owned(), to: to.to_owned(), port: PortName::Number(5432), protocol: Protocol::Tcp };
        let answer = network.ask(&question);
        assert_eq!(network.explain(&question).map(|explanation| explanation.answer), answer);
        assert!(answer.is_err() || answer.is_ok_and(|answer| !answer.reason.is_empty()), "{from} {to}");
    }
    assert_eq!(network.verify(), Network::resolve(&snapshot, Model::Kubernetes).verify());
}

/// A line of a batch: a question that makes sense is the same when it is written again, and is answered twice alike.
pub(crate) fn question(bytes: &[u8]) {
    let question = match Question::read(bytes) {
        Ok(question) => question,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let port = match &question.port {
        PortName::Number(number) => serde_json::json!(number),
        PortName::Name(name) => serde_json::json!(name),
    };
    let written = serde_json::json!({ "from": question.from, "to": question.to, "port": port, "protocol": question.protocol.name() });
    assert_eq!(Question::read(written.to_string().as_bytes()).unwrap(), question);
    let snapshot = assemble(WORLD, &split(WORLD).0);
    let network = Network::resolve(&snapshot, Model::Kubernetes);
    assert_eq!(network.ask(&question), network.ask(&question));
}
