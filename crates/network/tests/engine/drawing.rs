//! What is drawn, and what of a list is looked at.

use bartizan_network::render::{self, svg};
use bartizan_network::{Direction, Focus, Model, Network, Protocol, Traffic};

use crate::world::{namespace, pod, policy, snapshot};

fn shop() -> String {
    namespace("shop", "")
        + &namespace("data", "")
        + &pod("shop", "web", "app: web", "", "")
        + &pod("shop", "cart", "app: cart", "", "")
        + &pod("data", "redis", "app: redis", "", "")
        + &policy(
            "data",
            "p",
            "podSelector: {}, policyTypes: [Ingress, Egress], ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}, podSelector: {matchLabels: {app: cart}}}], ports: [{port: 6379}]}]",
        )
        + &policy("shop", "q", "podSelector: {matchLabels: {app: web}}, ingress: [{}]")
}

fn focused(peers: &[&str], direction: Option<Direction>, traffic: Traffic) -> Result<Vec<String>, String> {
    let snapshot = snapshot(&shop());
    let network = Network::resolve(&snapshot, Model::Kubernetes);
    let focus = Focus { peers: peers.iter().map(|word| (*word).to_owned()).collect(), direction, traffic };
    let connectivity = network.connectivity().focus(&focus).map_err(|error| error.to_string())?;
    let mut out = Vec::new();
    render::text(&connectivity, &mut out).unwrap();
    Ok(String::from_utf8(out).unwrap().lines().map(str::to_owned).collect())
}

#[test]
fn a_focus_keeps_the_connections_of_what_it_names() {
    let to_redis = ["shop/Pod/cart -> data/Pod/redis : TCP 6379"];
    assert_eq!(focused(&["data"], None, Traffic::all()).unwrap(), to_redis);
    assert_eq!(focused(&["data/Pod/redis"], Some(Direction::Ingress), Traffic::all()).unwrap(), to_redis);
    assert_eq!(focused(&["*/redis"], Some(Direction::Egress), Traffic::all()).unwrap(), Vec::<String>::new());
    let of_cart = focused(&["shop/Pod/cart"], Some(Direction::Egress), Traffic::ports(Protocol::Tcp, 6379, 6379)).unwrap();
    assert!(of_cart.iter().all(|line| line.starts_with("shop/Pod/cart -> ") && line.ends_with(" : TCP 6379")), "{of_cart:?}");
    assert!(of_cart.contains(&to_redis[0].to_owned()), "{of_cart:?}");
    assert_eq!(focused(&["data"], None, Traffic::of_protocol(Protocol::Udp)).unwrap(), Vec::<String>::new());
    assert_eq!(focused(&["dat"], None, Traffic::all()).unwrap_err(), "nothing in the input is called `dat`; did you mean `data`?");
}

#[test]
fn a_focus_takes_short_names_and_addresses_however_rules_cut_them() {
    let node = "---\napiVersion: v1\nkind: Node\nmetadata: {name: n1}\nstatus: {addresses: [{type: InternalIP, address: 192.168.0.1}]}\n";
    let world = namespace("a", "")
        + &pod("a", "x", "app: x", "nodeName: n1", "podIP: 10.0.0.1")
        + &policy(
            "a",
            "p",
            "podSelector: {}, policyTypes: [Ingress, Egress], ingress: [{from: [{ipBlock: {cidr: 203.0.113.0/25}}], ports: [{port: 80}]}], egress: [{to: [{ipBlock: {cidr: 198.51.100.0/24}}]}]",
        )
        + node;
    let snapshot = snapshot(&world);
    let network = Network::resolve(&snapshot, Model::Kubernetes);
    let lines = |word: &str| {
        let focus = Focus { peers: vec![word.to_owned()], direction: None, traffic: Traffic::ports(Protocol::Tcp, 80, 80) };
        let connectivity = network.connectivity().focus(&focus).map_err(|error| error.to_string())?;
        let mut out = Vec::new();
        render::text(&connectivity, &mut out).unwrap();
        Ok::<_, String>(String::from_utf8(out).unwrap().lines().map(str::to_owned).collect::<Vec<_>>())
    };
    for word in ["203.0.113.0/24", "203.0.113.0/25", "203.0.0.0/16"] {
        assert_eq!(lines(word).unwrap(), ["203.0.113.0/25 -> a/Pod/x : TCP 80"], "{word}");
    }
    assert_eq!(lines("203.0.113.9").unwrap(), ["203.0.113.9/32 -> a/Pod/x : TCP 80"]);
    assert_eq!(lines("203.0.113.200").unwrap(), Vec::<String>::new());
    assert_eq!(lines("*/0").unwrap(), ["a/Pod/x -> 198.51.100.0/24 : TCP 80", "203.0.113.0/25 -> a/Pod/x : TCP 80"]);
    assert_eq!(lines("0.0.0.0/0").unwrap(), lines("*/0").unwrap());
    assert_eq!(lines("::/0").unwrap(), Vec::<String>::new());
    let all = ["a/Pod/x -> 198.51.100.0/24 : TCP 80", "a/Pod/x -> Node/n1 : TCP 80", "203.0.113.0/25 -> a/Pod/x : TCP 80", "Node/n1 -> a/Pod/x : TCP 80"];
    for word in ["a", "a/x", "a/*", "10.0.0.1"] {
        assert_eq!(lines(word).unwrap(), all, "{word}");
    }
    for word in ["n1", "Node/n1", "192.168.0.1"] {
        assert_eq!(lines(word).unwrap(), [all[1], all[3]], "{word}");
    }
    assert_eq!(lines("a/y").unwrap_err(), "nothing in the input is called `a/y`; did you mean `a/x`?");
}

#[test]
fn a_list_for_machines_names_the_peers_of_its_connections() {
    let snapshot = snapshot(&shop());
    let network = Network::resolve(&snapshot, Model::Kubernetes);
    let focus = Focus { peers: vec!["data".to_owned()], direction: None, traffic: Traffic::all() };
    let connectivity = network.connectivity().focus(&focus).unwrap();
    let mut out = Vec::new();
    render::json(&connectivity, &mut out).unwrap();
    let list: serde_json::Value = serde_json::from_slice(&out).unwrap();
    let ids: Vec<&str> = list["peers"].as_array().unwrap().iter().map(|peer| peer["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["data/Pod/redis", "shop/Pod/cart"]);
}

fn drawn(text: &str) -> String {
    let snapshot = snapshot(text);
    let network = Network::resolve(&snapshot, Model::Kubernetes);
    let mut out = Vec::new();
    svg::svg(&network.connectivity(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Asserts that tags are those of a drawing, each closed where it must be.
fn tags(drawing: &str) {
    let known = ["svg", "defs", "marker", "path", "rect", "text", "title"];
    let mut open = Vec::new();
    for part in drawing.split('<').skip(1) {
        let (tag, _) = part.split_once('>').unwrap_or_else(|| panic!("`{part}` does not end"));
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
        assert!(known.contains(&name), "`{tag}`");
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert_eq!(open, Vec::<&str>::new());
}

#[test]
fn what_everybody_treats_alike_is_one_box() {
    let open: String = (0..5).map(|at| pod("a", &format!("pod-{at}"), "", "", "")).collect();
    let drawing = drawn(&open);
    // The ground, the five pods, and the addresses of both families.
    assert_eq!(drawing.matches("<rect").count(), 3, "{drawing}");
    tags(&drawing);
    assert!((0..5).all(|at| drawing.contains(&format!(">a/Pod/pod-{at}</text>"))), "{drawing}");
    let shop = drawn(&shop());
    tags(&shop);
    assert!(shop.contains("shop/Pod/cart -&gt; data/Pod/redis: TCP 6379"), "{shop}");
    assert_eq!(drawn(&self::shop()), shop, "the same input, the same drawing");
}

#[test]
fn names_cannot_leave_their_place_in_a_drawing() {
    let hostile = pod("a", "'</text><script>alert(1)</script>'", "", "", "")
        + &pod("a", "\"x\\\" onload=\\\"y\\u0007\"", "", "", "")
        + &policy("a", "p", "podSelector: {}, ingress: [{from: [{podSelector: {}}]}]");
    let drawing = drawn(&hostile);
    tags(&drawing);
    assert!(!drawing.contains("<script") && !drawing.contains(" onload=\"y") && !drawing.contains('\u{7}'), "{drawing}");
}
