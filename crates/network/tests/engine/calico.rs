//! Calico's policies: what they mean, what of them is refused, and where they stand among others.

mod endpoints;
mod hosts;
mod packets;
pub(crate) mod random;

use bartizan_network::{Model, Network};

use crate::world::{check, expect, namespace, pod, policy, question, snapshot};

/// Two namespaces with three pods: `shop/web`, `shop/api`, `bank/core`, each with an address.
fn cluster() -> String {
    let ports = "containers: [{name: c, image: i, ports: [{name: http, containerPort: 8080}]}]";
    let pod = |namespace: &str, name: &str, account: &str, last: u8| {
        pod(namespace, name, &format!("app: {name}, role: {namespace}-{name}"), "", &format!("podIP: 10.1.0.{last}"))
            .replace("containers: [{name: c, image: i}]", &format!("serviceAccountName: {account}, {ports}"))
    };
    namespace("shop", "team: red, zone: a")
        + &namespace("bank", "team: blue")
        + &pod("shop", "web", "front", 1)
        + &pod("shop", "api", "back", 2)
        + &pod("bank", "core", "back", 3)
        + "---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: front, namespace: shop, labels: {trust: low}}\n"
        + "---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: back, namespace: bank, labels: {trust: high}}\n"
}

fn calico(kind: &str, namespace: Option<&str>, name: &str, spec: &str) -> String {
    let namespace = namespace.map_or_else(String::new, |namespace| format!(", namespace: {namespace}"));
    format!("---\napiVersion: projectcalico.org/v3\nkind: {kind}\nmetadata: {{name: {name}{namespace}}}\nspec: {{{spec}}}\n")
}

fn global(name: &str, spec: &str) -> String {
    calico("GlobalNetworkPolicy", None, name, spec)
}

fn local(namespace: &str, name: &str, spec: &str) -> String {
    calico("NetworkPolicy", Some(namespace), name, spec)
}

fn tier(name: &str, spec: &str) -> String {
    calico("Tier", None, name, spec)
}

/// The losses and the remarks that a text meets.
fn problems(text: &str) -> (Vec<String>, Vec<String>) {
    let snapshot = snapshot(text);
    assert_eq!(snapshot.problems(), []);
    let network = Network::resolve(&snapshot, Model::Kubernetes);
    let (lost, remarks): (Vec<_>, Vec<_>) = network.problems().iter().partition(|problem| problem.is_loss);
    let told = |list: Vec<&bartizan_network::Problem>| list.iter().map(|problem| format!("{} {}", problem.path, problem.message)).collect();
    (told(lost), told(remarks))
}

#[test]
fn a_policy_isolates_whom_it_selects_in_the_directions_that_it_has() {
    let text = cluster() + &local("shop", "api", "selector: app == 'api', ingress: [{action: Allow, source: {selector: app == 'web'}}]");
    expect(
        &text,
        "shop/web shop/api 80 yes
         bank/core shop/api 80 no
         192.0.2.1 shop/api 80 no
         shop/api bank/core 80 yes
         bank/core shop/web 80 yes",
    );
    // Without rules a policy is for ingress; with egress rules alone it is for egress.
    expect(&(cluster() + &local("shop", "api", "selector: app == 'api'")), "shop/web shop/api 80 no\n shop/api shop/web 80 yes");
    let egress = local("shop", "api", "selector: app == 'api', egress: [{action: Allow, destination: {nets: [192.0.2.0/24]}}]");
    expect(&(cluster() + &egress), "shop/web shop/api 80 yes\n shop/api shop/web 80 no\n shop/api 192.0.2.9 80 yes");
    let both = local("shop", "api", "selector: app == 'api', types: [Ingress, Egress], egress: [{action: Allow}]");
    expect(&(cluster() + &both), "shop/web shop/api 80 no\n shop/api shop/web 80 yes");
}

#[test]
fn selectors_of_a_rule_mean_the_namespace_of_its_policy_or_everything() {
    let allow = |source: &str| format!("selector: app == 'web', ingress: [{{action: Allow, source: {{{source}}}}}]");
    // Both pods have the label; of a policy of one namespace the rule means those of its own.
    expect(&(cluster() + &local("shop", "web", &allow("selector: has(app)"))), "shop/api shop/web 80 yes\n bank/core shop/web 80 no");
    expect(&(cluster() + &global("web", &allow("selector: has(app)"))), "shop/api shop/web 80 yes\n bank/core shop/web 80 yes");
    let named = allow("namespaceSelector: team == 'blue', selector: app == 'core'");
    expect(&(cluster() + &local("shop", "web", &named)), "shop/api shop/web 80 no\n bank/core shop/web 80 yes\n 192.0.2.1 shop/web 80 no");
    let by_name = allow("namespaceSelector: projectcalico.org/name == 'bank'");
    expect(&(cluster() + &local("shop", "web", &by_name)), "shop/api shop/web 80 no\n bank/core shop/web 80 yes");
    let mixed = allow("selector: pcns.zone == 'a' || app == 'core'");
    expect(&(cluster() + &global("web", &mixed)), "shop/api shop/web 80 yes\n bank/core shop/web 80 yes\n 192.0.2.1 shop/web 80 no");
    // What is not selected may be anybody, but only in the namespace of the policy.
    let not = allow("notSelector: app == 'core'");
    expect(&(cluster() + &local("shop", "web", &not)), "shop/api shop/web 80 yes\n bank/core shop/web 80 no\n 192.0.2.1 shop/web 80 no");
    expect(&(cluster() + &global("web", &not)), "shop/api shop/web 80 yes\n bank/core shop/web 80 no\n 192.0.2.1 shop/web 80 yes");
    expect(&(cluster() + &global("web", &allow("namespaceSelector: all()"))), "bank/core shop/web 80 yes\n 192.0.2.1 shop/web 80 no");
    expect(&(cluster() + &global("web", &allow("namespaceSelector: global()"))), "bank/core shop/web 80 no\n 192.0.2.1 shop/web 80 no");
}

#[test]
fn service_accounts_are_known_by_name_and_by_labels() {
    let allow = |source: &str| format!("namespaceSelector: team == 'red', ingress: [{{action: Allow, source: {{{source}}}}}]");
    let reaches = |source: &str, answers: &str| expect(&(cluster() + &global("red", &allow(source))), answers);
    reaches("serviceAccounts: {names: [back]}", "bank/core shop/web 80 yes\n shop/api shop/web 80 yes");
    // The account `back` of `shop` is not in the input: it has no labels.
    reaches("serviceAccounts: {selector: trust == 'high'}", "bank/core shop/web 80 yes\n shop/api shop/web 80 no\n shop/web shop/api 80 no");
    reaches("serviceAccounts: {selector: '!has(trust)'}", "bank/core shop/web 80 no\n shop/api shop/web 80 yes\n shop/web shop/api 80 no");
    reaches("serviceAccounts: {names: [front], selector: trust != 'high'}", "shop/web shop/api 80 yes\n bank/core shop/api 80 no");
    reaches("selector: projectcalico.org/serviceaccount == 'front'", "shop/web shop/api 80 yes\n bank/core shop/api 80 no");
    reaches("selector: pcsa.trust == 'high' && projectcalico.org/orchestrator == 'k8s'", "bank/core shop/api 80 yes\n shop/web shop/api 80 no");
    let subject = global("low", "serviceAccountSelector: trust == 'low', ingress: [{action: Deny}]");
    expect(&(cluster() + &subject), "bank/core shop/web 80 no\n bank/core shop/api 80 yes");
    // A pod that names no account runs as `default`.
    let plain = pod("shop", "plain", "", "", "podIP: 10.1.0.9");
    let subject = global("default", "selector: projectcalico.org/serviceaccount == 'default', ingress: [{action: Deny}]");
    expect(&(cluster() + &plain + &subject), "bank/core shop/plain 80 no\n bank/core shop/web 80 yes");
}

#[test]
fn tiers_are_asked_in_the_order_of_their_numbers() {
    let deny = |name: &str, in_tier: &str| {
        global(name, &format!("tier: {in_tier}, selector: app == 'web', ingress: [{{action: Deny, source: {{selector: app == 'api'}}}}]"))
    };
    let allow = |name: &str, in_tier: &str| {
        global(name, &format!("tier: {in_tier}, selector: app == 'web', ingress: [{{action: Allow, source: {{selector: app == 'api'}}}}]"))
    };
    let early = tier("early", "order: 10");
    let late = tier("late", "order: 2000000");
    expect(&(cluster() + &early + &late + &deny("early.no", "early") + &allow("late.yes", "late")), "shop/api shop/web 80 no");
    expect(&(cluster() + &early + &late + &allow("early.yes", "early") + &deny("late.no", "late")), "shop/api shop/web 80 yes");
    // What no rule of a tier decides is refused, unless the tier passes it on.
    let answers = |early: &str, answer: &str| expect(&(cluster() + early + &deny("early.no", "early")), &format!("bank/core shop/web 80 {answer}"));
    answers(&early, "no");
    answers(&tier("early", "order: 10, defaultAction: Deny"), "no");
    answers(&tier("early", "order: 10, defaultAction: Pass"), "yes");
    // A rule may pass on to the next tier, and after the last one everything is allowed.
    let pass =
        global("early.pass", "tier: early, order: 1, selector: app == 'web', ingress: [{action: Log}, {action: Pass, source: {selector: app == 'core'}}]");
    expect(&(cluster() + &early + &pass), "bank/core shop/web 80 yes\n shop/api shop/web 80 no");
    expect(&(cluster() + &early + &pass + &policy("shop", "deny", "podSelector: {}")), "bank/core shop/web 80 no");
    // A tier without a number is asked last, and of two with the same number the name decides.
    let (one, two) = (tier("aa", "order: 5, defaultAction: Pass"), tier("bb", "order: 5, defaultAction: Pass"));
    expect(&(cluster() + &two + &one + &allow("bb.yes", "bb") + &deny("aa.no", "aa")), "shop/api shop/web 80 no");
    expect(&(cluster() + &two + &one + &deny("bb.no", "bb") + &allow("aa.yes", "aa")), "shop/api shop/web 80 yes");
    let last = tier("aaa", "defaultAction: Pass");
    expect(&(cluster() + &last + &late + &allow("late.yes", "late") + &deny("aaa.no", "aaa")), "shop/api shop/web 80 yes");
}

#[test]
fn network_policies_stand_in_the_default_tier_with_the_order_1000() {
    let isolate = policy("shop", "only-web", "podSelector: {matchLabels: {app: api}}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]");
    let rule = |order: &str, action: &str, app: &str| {
        global("other", &format!("{order}selector: app == 'api', ingress: [{{action: {action}, source: {{selector: app == '{app}'}}}}]"))
    };
    expect(&(cluster() + &isolate + &rule("order: 999.5, ", "Deny", "web")), "shop/web shop/api 80 no");
    expect(&(cluster() + &isolate + &rule("order: 1000.5, ", "Deny", "web")), "shop/web shop/api 80 yes");
    expect(&(cluster() + &isolate + &rule("", "Deny", "web")), "shop/web shop/api 80 yes");
    // What they do not allow, a later policy of the tier may.
    expect(&(cluster() + &isolate + &rule("", "Allow", "core")), "bank/core shop/api 80 yes\n 192.0.2.1 shop/api 80 no");
    // A pass leaves the tier, NetworkPolicies included.
    expect(&(cluster() + &isolate + &rule("order: -1, ", "Pass", "core")), "bank/core shop/api 80 yes\n 192.0.2.1 shop/api 80 no");
    let (lost, remarks) = problems(&(cluster() + &rule("order: 1000, ", "Deny", "web")));
    assert_eq!((lost.len(), remarks.len()), (0, 1), "{remarks:?}");
}

#[test]
fn admin_policies_have_tiers_of_their_own() {
    let admin = "---\napiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\nmetadata: {name: admin}\nspec: {tier: Admin, priority: 5, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {matchLabels: {team: blue}}}]}]}\n";
    let baseline = admin.replace("tier: Admin", "tier: Baseline");
    let allow =
        |tier: &str| global("allow", &format!("tier: {tier}, selector: app == 'web', ingress: [{{action: Allow, source: {{selector: app == 'core'}}}}]"));
    let (early, middle, late) = (tier("early", "order: 999"), tier("middle", "order: 1001"), tier("late", "order: 1000001, defaultAction: Pass"));
    expect(&(cluster() + admin + &early + &allow("early")), "bank/core shop/web 80 yes\n bank/core shop/api 80 no");
    expect(&(cluster() + admin + &middle + &allow("middle")), "bank/core shop/web 80 no");
    expect(&(cluster() + &baseline + &late + &allow("late")), "bank/core shop/web 80 yes\n bank/core shop/api 80 no");
    let later = tier("later", "order: 10000001");
    expect(&(cluster() + &baseline + &later + &allow("later")), "bank/core shop/web 80 no");
}

#[test]
fn policies_of_one_tier_are_asked_by_order_and_then_by_name() {
    let rule = |name: &str, order: &str, action: &str| global(name, &format!("{order}selector: app == 'web', ingress: [{{action: {action}}}]"));
    expect(&(cluster() + &rule("b", "", "Deny") + &rule("a", "", "Allow")), "bank/core shop/web 80 yes");
    expect(&(cluster() + &rule("b", "", "Allow") + &rule("a", "", "Deny")), "bank/core shop/web 80 no");
    expect(&(cluster() + &rule("b", "order: 7, ", "Allow") + &rule("a", "order: 7.5, ", "Deny")), "bank/core shop/web 80 yes");
    expect(&(cluster() + &rule("b", "order: -3, ", "Allow") + &rule("a", "order: -2, ", "Deny")), "bank/core shop/web 80 yes");
    let here = local("shop", "c", "order: 1, selector: all(), ingress: [{action: Deny}]");
    expect(&(cluster() + &here + &rule("b", "order: 2, ", "Allow")), "bank/core shop/web 80 no");
}

#[test]
fn ports_are_numbers_ranges_names_and_what_is_left() {
    let allow = |rule: &str| global("web", &format!("selector: app == 'web', ingress: [{{action: Allow, {rule}}}]"));
    let reaches = |rule: &str, answers: &str| expect(&(cluster() + &allow(rule)), answers);
    reaches(
        "protocol: TCP, destination: {ports: [80, '1000:2000', http]}",
        "bank/core shop/web 80 yes\n bank/core shop/web 1500 yes\n bank/core shop/web 8080 yes\n bank/core shop/web 81 no\n bank/core shop/web UDP 80 no",
    );
    reaches(
        "protocol: TCP, destination: {notPorts: [80, '1000:2000', http]}",
        "bank/core shop/web 80 no\n bank/core shop/web 1500 no\n bank/core shop/web 8080 no\n bank/core shop/web 81 yes",
    );
    reaches("protocol: TCP, destination: {ports: [http, 80], notPorts: [8080]}", "bank/core shop/web 80 yes\n bank/core shop/web 8080 no");
    reaches("protocol: 17, destination: {ports: [53]}", "bank/core shop/web UDP 53 yes\n bank/core shop/web 53 no");
    reaches("notProtocol: UDP", "bank/core shop/web UDP 53 no\n bank/core shop/web SCTP 53 yes\n bank/core shop/web 53 yes");
    reaches("protocol: ICMP", "bank/core shop/web 80 no");
    reaches("notProtocol: ICMP", "bank/core shop/web 80 yes");
    reaches("destination: {ports: [http]}", "bank/core shop/web 8080 yes\n bank/core shop/web 80 no");
    // Which port a connection comes from is drawn when it begins.
    reaches("protocol: TCP, source: {ports: ['30000:40000']}", "bank/core shop/web 80 unknown\n bank/core shop/web UDP 80 no");
    reaches("protocol: TCP, source: {ports: ['0:65535']}", "bank/core shop/web 80 yes");
}

#[test]
fn both_ends_may_be_asked_for_in_one_rule() {
    let both = global(
        "both",
        "order: 1, selector: has(app), ingress: [{action: Deny, source: {selector: app == 'core'}, destination: {selector: app == 'web'}}, {action: Allow}]",
    );
    expect(&(cluster() + &both), "bank/core shop/web 80 no\n bank/core shop/api 80 yes");
    let own =
        global("own", "selector: has(app), egress: [{action: Deny, source: {nets: [10.1.0.3/32]}, destination: {nets: [192.0.2.0/24]}}, {action: Allow}]");
    expect(&(cluster() + &own), "bank/core 192.0.2.1 80 no\n shop/web 192.0.2.1 80 yes\n bank/core 198.51.100.1 80 yes");
    let left = global("left", "selector: has(app), ingress: [{action: Deny, source: {nets: [10.1.0.0/24], notNets: [10.1.0.3/32]}}, {action: Allow}]");
    expect(&(cluster() + &left), "bank/core shop/web 80 yes\n shop/api shop/web 80 no\n 192.0.2.1 shop/web 80 yes");
    let with_selector = global("with", "selector: app == 'web', ingress: [{action: Allow, source: {selector: has(app), nets: [10.1.0.2/32]}}]");
    expect(&(cluster() + &with_selector), "shop/api shop/web 80 yes\n bank/core shop/web 80 no");
    let family = global("family", "selector: app == 'web', ingress: [{action: Allow, ipVersion: 6}]");
    expect(&(cluster() + &family), "bank/core shop/web 80 no\n 2001:db8::1 shop/web 80 no\n 192.0.2.1 shop/web 80 no");
}

#[test]
fn network_sets_are_addresses_with_labels() {
    let sets = calico("GlobalNetworkSet", None, "partners", "nets: [192.0.2.0/24]").replace("name: partners", "name: partners, labels: {kind: partner}")
        + &calico("NetworkSet", Some("bank"), "branch", "nets: [198.51.100.0/24]").replace("name: branch,", "name: branch, labels: {kind: partner},");
    let allow = |source: &str| format!("selector: app == 'web', ingress: [{{action: Allow, source: {{{source}}}}}]");
    let reaches = |text: &str, answers: &str| expect(&(cluster() + &sets + text), answers);
    reaches(
        &global("web", &allow("selector: kind == 'partner'")),
        "192.0.2.1 shop/web 80 yes\n 198.51.100.1 shop/web 80 yes\n 203.0.113.1 shop/web 80 no\n bank/core shop/web 80 no",
    );
    reaches(&global("web", &allow("selector: kind == 'partner', namespaceSelector: global()")), "192.0.2.1 shop/web 80 yes\n 198.51.100.1 shop/web 80 no");
    reaches(&global("web", &allow("namespaceSelector: team == 'blue'")), "192.0.2.1 shop/web 80 no\n 198.51.100.1 shop/web 80 yes\n bank/core shop/web 80 yes");
    // A policy of another namespace does not mean it by its labels alone.
    reaches(&local("shop", "web", &allow("selector: kind == 'partner'")), "192.0.2.1 shop/web 80 no\n 198.51.100.1 shop/web 80 no");
    reaches(&local("shop", "web", &allow("namespaceSelector: global(), selector: kind == 'partner'")), "192.0.2.1 shop/web 80 yes");
    reaches(&global("web", &allow("notSelector: kind == 'partner'")), "192.0.2.1 shop/web 80 no\n 203.0.113.1 shop/web 80 yes\n bank/core shop/web 80 yes");
}

#[test]
fn services_are_their_endpoints_with_their_ports() {
    let service = "---\napiVersion: v1\nkind: Service\nmetadata: {name: core, namespace: bank}\nspec: {selector: {app: core}, ports: [{name: a, port: 80, targetPort: http}, {name: b, port: 53, protocol: UDP, targetPort: 5353}]}\n";
    let to = |namespace: &str| format!("selector: app == 'web', egress: [{{action: Allow, destination: {{services: {{name: core{namespace}}}}}}}]");
    expect(
        &(cluster() + service + &global("web", &to(", namespace: bank"))),
        "shop/web bank/core 8080 yes\n shop/web bank/core UDP 5353 yes\n shop/web bank/core 80 no\n shop/web shop/api 8080 no\n shop/web bank/Service/core 80 yes",
    );
    expect(&(cluster() + service + &local("bank", "web", &to("").replace("app == 'web'", "all()"))), "bank/core bank/core 8080 yes\n bank/core shop/web 80 no");
    let from = "selector: app == 'web', ingress: [{action: Allow, source: {services: {name: core, namespace: bank}}}]";
    expect(&(cluster() + service + &global("web", from)), "bank/core shop/web 9 yes\n shop/api shop/web 80 no");
    let (lost, remarks) = problems(&(cluster() + &global("web", &to(", namespace: bank"))));
    assert_eq!((lost.len(), remarks.len()), (0, 1), "{remarks:?}");
}

#[test]
fn staged_policies_and_policies_for_host_endpoints_change_nothing_for_pods() {
    let deny = "selector: all(), ingress: [{action: Deny}]";
    for kind in ["StagedGlobalNetworkPolicy", "StagedKubernetesNetworkPolicy", "StagedNetworkPolicy"] {
        let namespace = if kind == "StagedGlobalNetworkPolicy" { None } else { Some("shop") };
        expect(&(cluster() + &calico(kind, namespace, "staged", deny)), "bank/core shop/web 80 yes");
    }
    let hosts = global("hosts", "selector: all(), preDNAT: true, applyOnForward: true, ingress: [{action: Deny}]");
    expect(&(cluster() + &hosts), "bank/core shop/web 80 yes");
    // With a host endpoint nobody knows what comes through the node.
    let endpoint = calico("HostEndpoint", None, "node-1", "node: node-1, interfaceName: eth0");
    let node = "---\napiVersion: v1\nkind: Node\nmetadata: {name: node-1}\nstatus: {addresses: [{type: InternalIP, address: 10.9.0.1}]}\n";
    expect(&(cluster() + node + &endpoint + &hosts), "192.0.2.1 shop/web 80 unknown");
    let other = global("other", "selector: app == 'web', ingress: [{action: Allow}]");
    expect(&(cluster() + node + &endpoint + &other), "192.0.2.1 shop/web 80 yes\n shop/web Node/node-1 22 yes\n Node/node-1 shop/api 80 unknown");
}

#[test]
fn what_is_not_known_is_told_with_its_cause() {
    let because = |text: &str, from: &str, to: &str| {
        let snapshot = snapshot(text);
        let network = Network::resolve(&snapshot, Model::Kubernetes);
        let answer = network.ask(&question(from, to, "80")).unwrap();
        assert_eq!(answer.allowed, None, "{}", answer.reason);
        answer.reason
    };
    let http = global("web", "selector: app == 'web', ingress: [{action: Allow, http: {methods: [GET]}}]");
    assert!(because(&(cluster() + &http), "bank/core", "shop/web").contains("some requests"));
    let lost_tier = global("web", "tier: gone, selector: app == 'web', ingress: [{action: Deny}]");
    assert!(because(&(cluster() + &lost_tier), "bank/core", "shop/web").contains("the tier `gone`"));
    expect(&(cluster() + &lost_tier), "bank/core shop/api 80 yes");
    let domains = global("web", "selector: app == 'web', egress: [{action: Allow, destination: {domains: [example.com]}}]");
    assert!(because(&(cluster() + &domains), "shop/web", "192.0.2.1").contains("domains"));
    expect(&(cluster() + &domains), "shop/web bank/core 80 no");
    // Where a pod will be is not known, but not on the internet.
    let unborn = pod("shop", "unborn", "app: unborn", "", "");
    let nets = |net: &str| global("nets", &format!("selector: app == 'web', egress: [{{action: Allow, destination: {{nets: [{net}]}}}}]"));
    assert!(because(&(cluster() + &unborn + &nets("10.0.0.0/8")), "shop/web", "shop/unborn").contains("addresses"));
    expect(&(cluster() + &unborn + &nets("192.0.2.0/24")), "shop/web shop/unborn 80 no");
    let pool = calico("IPPool", None, "pool", "cidr: 10.1.0.0/16");
    expect(&(cluster() + &unborn + &pool + &nets("10.0.0.0/8")), "shop/web shop/unborn 80 yes");
    expect(&(cluster() + &unborn + &pool + &nets("10.2.0.0/16")), "shop/web shop/unborn 80 no");
    // Beside Cilium's policies nobody knows who enforces.
    let cilium =
        "---\napiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: c, namespace: shop}\nspec: {endpointSelector: {}, ingress: [{}]}\n";
    because(&(cluster() + cilium + &global("web", "selector: app == 'web', ingress: [{action: Deny}]")), "bank/core", "shop/web");
}

#[test]
fn what_calico_refuses_is_told_with_its_place_and_the_rest_counts() {
    let refused = |spec: &str, place: &str, message: &str| {
        let sound = global("sound", "selector: app == 'api', ingress: [{action: Deny}]");
        let text = cluster() + &sound + &global("bad", spec);
        let (lost, _) = problems(&text);
        assert_eq!(lost, [format!("{place} Calico refuses this: {message}")], "{spec}");
        expect(&text, "bank/core shop/web 80 yes\n bank/core shop/api 80 no");
    };
    refused("selector: app = 'web'", "spec.selector", "`app = 'web'` is no selector: an operator was expected behind the label at character 5");
    refused("selector: global()", "spec.selector", "`global()` stands in the `namespaceSelector` of a rule and nowhere else");
    refused("types: [Sideways]", "spec.types[0]", "type `Sideways` is none of `Ingress`, `Egress`");
    refused("types: [Egress, Egress]", "spec.types[1]", "type `Egress` stands twice");
    refused("order: first", "spec.order", "`order` must be a number");
    refused("preDNAT: true, doNotTrack: true, applyOnForward: true", "spec", "`doNotTrack` and `preDNAT` exclude each other");
    refused("doNotTrack: true", "spec", "`doNotTrack` and `preDNAT` need `applyOnForward: true`");
    let rule = |rule: &str, place: &str, message: &str| {
        let place = if place.is_empty() { "spec.ingress[0]".to_owned() } else { format!("spec.ingress[0].{place}") };
        refused(&format!("ingress: [{{{rule}}}]"), &place, message);
    };
    rule("action: allow", "action", "action `allow` is none of `Allow`, `Deny`, `Log`, `Pass`");
    rule("source: {}", "", "action `` is none of `Allow`, `Deny`, `Log`, `Pass`");
    rule("action: Allow, destination: {ports: [80]}", "destination.ports", "`ports` needs a `protocol` that has ports");
    rule("action: Allow, protocol: ICMP, source: {notPorts: [80]}", "source.notPorts", "`notPorts` stands beside a protocol without ports");
    rule("action: Allow, protocol: TCP, source: {ports: ['9:1']}", "source.ports[0]", "the range `9:1` ends before its start");
    rule("action: Allow, protocol: TCP, source: {ports: [70000]}", "source.ports[0]", "`70000` is no port: ports are 0 to 65535");
    rule(
        "action: Allow, protocol: tcp",
        "protocol",
        "`protocol` `tcp` is none of `TCP`, `UDP`, `SCTP`, `ICMP`, `ICMPv6`, `UDPLite`, and no number from 1 to 255",
    );
    rule("action: Allow, source: {nets: [10.0.0.0/8, 'fd00::/8']}", "", "the rule has blocks of both IPv4 and IPv6");
    rule("action: Allow, ipVersion: 6, source: {nets: [10.0.0.0/8]}", "ipVersion", "`ipVersion` contradicts the blocks of the rule");
    rule("action: Allow, ipVersion: 5", "ipVersion", "`ipVersion` `5` is none of `4`, `6`");
    rule("action: Allow, source: {notNets: [0.0.0.0/0]}", "source.notNets[0]", "`0.0.0.0/0` in `notNets` leaves nothing");
    rule("action: Allow, source: {nets: [10.0.0.1]}", "source.nets[0]", "`10.0.0.1` is no CIDR such as `10.0.0.0/8` or `fd00::/8`");
    rule("action: Allow, icmp: {type: 8}", "icmp", "`icmp` needs the protocol `ICMP` or `ICMPv6`");
    rule("action: Allow, protocol: ICMP, icmp: {code: 8}", "icmp", "`icmp` has a `code` and no `type`");
    rule("action: Deny, http: {methods: [GET]}", "http", "`http` is for rules that allow");
    rule("action: Allow, protocol: UDP, http: {methods: [GET]}", "http", "`http` needs the protocol `TCP`");
    rule("action: Allow, source: {namespaceSelector: global() || has(a)}", "source.namespaceSelector", "`global()` stands alone");
    rule("action: Allow, source: {services: {name: a}}", "source.services", "`services` of a policy of the whole cluster needs a `namespace`");
    rule(
        "action: Allow, destination: {services: {name: a, namespace: b}}",
        "destination.services",
        "`services` stands in the `source` of such rules and nowhere else",
    );
    rule(
        "action: Allow, source: {selector: all(), services: {name: a, namespace: b}}",
        "source.services",
        "`services` stands beside selectors, service accounts or nets",
    );
    let tiers = |spec: &str, name: &str, place: &str, message: &str| {
        let (lost, _) = problems(&(cluster() + &tier(name, spec) + &global("sound", "selector: app == 'web', ingress: [{action: Allow}]")));
        assert_eq!(lost, [format!("{place} Calico refuses this: {message}")], "{spec}");
    };
    tiers("order: 5", "default", "spec.order", "the order of the tier `default` is 1000000");
    tiers("order: 1000", "kube-admin", "", "the default action of the tier `kube-admin` is `Pass`");
    tiers("defaultAction: Allow", "mine", "spec.defaultAction", "default action `Allow` is none of `Deny`, `Pass`");
}

#[test]
fn explanations_name_the_rule_with_its_line() {
    let text = cluster()
        + "---\napiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: {name: web}\nspec:\n  selector: app == 'web'\n  ingress:\n  - action: Log\n  - action: Deny\n    source: {selector: app == 'core'}\n";
    let snapshot = snapshot(&text);
    let network = Network::resolve(&snapshot, Model::Kubernetes);
    let told = network.explain(&question("bank/core", "shop/web", "80")).unwrap();
    let says = &told.pairs[0].says;
    let denied = says.iter().find(|say| say.direction == "ingress").unwrap();
    let line = text.lines().position(|line| line.contains("action: Deny")).unwrap() + 1;
    assert_eq!((denied.verdict, denied.rule, denied.location.as_ref().unwrap().line as usize), ("deny", Some(2), line), "{says:#?}");
    let told = network.explain(&question("shop/api", "shop/web", "80")).unwrap();
    let isolated = told.pairs[0].says.iter().find(|say| say.direction == "ingress").unwrap();
    assert_eq!((isolated.verdict, isolated.policy.as_ref().map(|policy| policy.name.as_str())), ("deny", Some("web")), "{told:#?}");
    check(&network, "shop/api shop/web 80 no");
}

#[test]
fn pods_that_do_not_exist_are_described_by_alternatives_as_well() {
    let text = cluster()
        + &global(
            "web",
            "selector: app == 'web', ingress: [{action: Allow, protocol: TCP, source: {selector: app == 'later' || pcns.team == 'green'}, destination: {ports: [80]}}]",
        );
    let snapshot = snapshot(&text);
    let network = Network::resolve(&snapshot, Model::Kubernetes);
    let exposure = network.exposure();
    let mut told = Vec::new();
    let walked: Result<(), ()> = exposure.walk(|exposed| {
        let peer = &exposure.connectivity().peers()[exposed.workload];
        told.extend(exposed.reaches.iter().map(|reach| format!("{} {:?} {:?} {}", peer.id, reach.direction, reach.newcomer.labels, reach.bounds.allowed())));
        Ok(())
    });
    walked.unwrap();
    assert!(told.contains(&"shop/Pod/web Ingress {\"app\": \"later\"} TCP 80".to_owned()), "{told:#?}");
}

/// A policy as it is stored.
fn stored(kind: &str, namespace: Option<&str>, name: &str, spec: &str) -> String {
    calico(kind, namespace, name, spec).replace("projectcalico.org/v3", "crd.projectcalico.org/v1")
}

#[test]
fn a_policy_that_a_cluster_serves_in_both_forms_counts_once() {
    let spec = "order: 5, selector: app == 'api', ingress: [{action: Allow, source: {selector: app == 'web'}}]";
    let count = |text: &str| {
        let snapshot = snapshot(text);
        let network = Network::resolve(&snapshot, Model::Kubernetes);
        check(&network, "shop/web shop/api 80 yes\nbank/core shop/api 80 no");
        let explained = network.explain(&question("bank/core", "shop/api", "80")).unwrap();
        explained.pairs[0].says.iter().filter(|say| say.verdict == "deny").count()
    };
    for written in ["allow", "default.allow"] {
        assert_eq!(count(&(cluster() + &stored("NetworkPolicy", Some("shop"), "default.allow", spec) + &local("shop", written, spec))), 1);
        assert_eq!(count(&(cluster() + &local("shop", written, spec) + &stored("NetworkPolicy", Some("shop"), "default.allow", spec))), 1);
    }
    // Of another namespace or tier, a policy of that name is another one; two of one form are two.
    assert_eq!(count(&(cluster() + &local("shop", "allow", spec) + &local("shop", "default.allow", spec))), 2);
    let elsewhere = stored("NetworkPolicy", Some("shop"), "default.allow", &format!("tier: first, {spec}"));
    assert_eq!(count(&(cluster() + &tier("first", "order: 10") + &local("shop", "allow", spec) + &elsewhere)), 1);
    let text = cluster() + &local("bank", "allow", spec) + &stored("NetworkPolicy", Some("shop"), "default.allow", spec);
    assert_eq!(count(&text), 1);
}

#[test]
fn network_policies_that_calico_shows_as_its_own_count_once() {
    let plain = policy("shop", "p", "podSelector: {matchLabels: {app: api}}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]");
    let shown = local("shop", "knp.default.p", "order: 1000, selector: app == 'api', ingress: [{action: Allow, source: {selector: app == 'web'}}]");
    let (_, remarks) = problems(&(cluster() + &plain + &shown));
    assert!(remarks.iter().all(|remark| !remark.contains("the order 1000 is also that of NetworkPolicies")), "{remarks:?}");
    // One of which the origin is not in the input counts as what it says.
    let (_, remarks) = problems(&(cluster() + &shown));
    assert!(remarks.iter().any(|remark| remark.contains("the order 1000 is also that of NetworkPolicies")), "{remarks:?}");
}

#[test]
fn labels_of_stored_sets_stand_in_an_annotation() {
    let set = "---\napiVersion: crd.projectcalico.org/v1\nkind: GlobalNetworkSet\nmetadata: {name: office, annotations: {projectcalico.org/metadata: '{\"labels\":{\"where\":\"office\"}}'}}\nspec: {nets: [192.0.2.0/24]}\n";
    let text = cluster() + set + &global("g", "selector: app == 'api', ingress: [{action: Allow, source: {selector: where == 'office'}}]");
    expect(&text, "192.0.2.7 shop/api 80 yes\n198.51.100.1 shop/api 80 no");
}
