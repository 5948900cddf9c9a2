//! What differs between two small worlds.

use bartizan_network::{Model, Network, difference};

use crate::world::{pod, policy, snapshot};

fn changes(before: &str, after: &str) -> Vec<String> {
    let snapshots = [snapshot(before), snapshot(after)];
    let [before, after] = [&snapshots[0], &snapshots[1]].map(|snapshot| Network::resolve(snapshot, Model::Kubernetes));
    difference(&before, &after)
        .iter()
        .map(|change| {
            format!("{} {} -> {} : {} => {}", change.kind().name(), change.from.peer.id, change.to.peer.id, change.before.allowed(), change.after.allowed())
        })
        .collect()
}

fn two() -> String {
    pod("a", "x", "app: x", "", "") + &pod("a", "w", "app: w", "", "")
}

fn ingress(rules: &str) -> String {
    two() + &policy("a", "p", &format!("podSelector: {{matchLabels: {{app: x}}}}, ingress: [{rules}]"))
}

#[test]
fn nothing_differs_from_itself_however_it_is_written() {
    assert_eq!(changes(&ingress("{}"), &ingress("{from: []}")), Vec::<String>::new());
    assert_eq!(changes(&ingress("{ports: [{port: 80}, {port: 81}]}"), &ingress("{ports: [{port: 80, endPort: 81}]}")), Vec::<String>::new());
    let halves = "{from: [{ipBlock: {cidr: 10.0.0.0/9}}, {ipBlock: {cidr: 10.128.0.0/9}}]}";
    assert_eq!(changes(&ingress("{from: [{ipBlock: {cidr: 10.0.0.0/8}}]}"), &ingress(halves)), Vec::<String>::new());
}

#[test]
fn what_was_opened_and_closed_is_told_with_both_sides() {
    assert_eq!(
        changes(&ingress("{from: [{podSelector: {}}], ports: [{port: 80}]}"), &ingress("{from: [{podSelector: {}}], ports: [{port: 80}, {port: 443}]}")),
        ["opened a/Pod/w -> a/Pod/x : TCP 80 => TCP 80,443"]
    );
    assert_eq!(
        changes(&ingress("{from: [{podSelector: {}}], ports: [{port: 80}]}"), &ingress("{from: [{podSelector: {}}], ports: [{port: 443}]}")),
        ["changed a/Pod/w -> a/Pod/x : TCP 80 => TCP 443"]
    );
    assert_eq!(changes(&ingress("{from: [{podSelector: {}}]}"), &ingress("")), ["closed a/Pod/w -> a/Pod/x : all => none"]);
}

#[test]
fn addresses_are_compared_across_different_blocks() {
    let before = ingress("{from: [{ipBlock: {cidr: 10.0.0.0/8}}]}");
    let after = ingress("{from: [{ipBlock: {cidr: 10.0.0.0/7, except: [10.1.0.0/16]}}]}");
    assert_eq!(changes(&before, &after), ["closed 10.1.0.0/16 -> a/Pod/x : all => none", "opened 11.0.0.0/8 -> a/Pod/x : none => all"]);
}

#[test]
fn a_workload_that_comes_opens_and_one_that_goes_closes() {
    assert_eq!(
        changes(&pod("a", "x", "", "", ""), &pod("a", "w", "", "", "")),
        [
            "opened 0.0.0.0/0 -> a/Pod/w : none => all",
            "closed 0.0.0.0/0 -> a/Pod/x : all => none",
            "opened ::/0 -> a/Pod/w : none => all",
            "closed ::/0 -> a/Pod/x : all => none",
            "opened a/Pod/w -> 0.0.0.0/0 : none => all",
            "opened a/Pod/w -> ::/0 : none => all",
            "closed a/Pod/x -> 0.0.0.0/0 : all => none",
            "closed a/Pod/x -> ::/0 : all => none",
        ]
    );
}
