//! One policy as rules of the newer version, before it has a name and a priority.

use bartizan_cluster::{ObjectRef, ObjectView};
use serde_json::{Map, Value as Json, json};

use super::{MOST, Remark};
use crate::policy::admin::Dialect;

/// What a policy says, in the words of the newer version.
#[derive(Debug, Clone)]
pub(super) struct Translation {
    pub(super) from: ObjectRef,
    pub(super) is_baseline: bool,
    pub(super) priority: i64,
    pub(super) metadata: Map<String, Json>,
    pub(super) subject: Json,
    pub(super) ingress: Vec<Json>,
    pub(super) egress: Vec<Json>,
    pub(super) remarks: Vec<Remark>,
    /// What has no equal; the rest is the nearest that can be said.
    pub(super) loss: Option<Loss>,
}

/// What the newer version cannot say, by its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Loss {
    RelativeNamespaces(String),
    UnknownPeer(String),
}

struct Translator {
    remarks: Vec<Remark>,
    loss: Option<Loss>,
}

/// Translates a policy that the API server takes.
pub(super) fn translate(object: ObjectView<'_>) -> Translation {
    let whole = object.root().to_json();
    let spec = whole.get("spec").cloned().unwrap_or_default();
    let is_baseline = Dialect::of(object) == Some(Dialect::BaselineAdmin);
    let mut translator = Translator { remarks: Vec::new(), loss: None };
    let known: &[&str] = if is_baseline { &["subject", "ingress", "egress"] } else { &["priority", "subject", "ingress", "egress"] };
    translator.tell_unknown(&spec, known, "spec");
    let subject = translator.pods(spec.get("subject").unwrap_or(&Json::Null), "spec.subject").unwrap_or_else(|| json!({"namespaces": {}}));
    let ingress = translator.rules(&spec, "ingress", "from");
    let egress = translator.rules(&spec, "egress", "to");
    let mut metadata = Map::new();
    for field in ["labels", "annotations"] {
        let mut kept = whole.get("metadata").and_then(|metadata| metadata.get(field)).and_then(Json::as_object).cloned().unwrap_or_default();
        kept.shift_remove("kubectl.kubernetes.io/last-applied-configuration");
        if !kept.is_empty() {
            metadata.insert(field.to_owned(), Json::Object(kept));
        }
    }
    let Translator { mut remarks, loss } = translator;
    for (rules, peers) in [(&ingress, "from"), (&egress, "to")] {
        for field in ["nodes", "domainNames"] {
            let uses = |rule: &Json| rule.get(peers).and_then(Json::as_array).is_some_and(|peers| peers.iter().any(|peer| peer.get(field).is_some()));
            if rules.iter().any(uses) {
                remarks.push(Remark::Experimental(if field == "nodes" { "nodes" } else { "domainNames" }));
            }
        }
    }
    let priority = spec.get("priority").and_then(Json::as_i64).unwrap_or(0);
    Translation { from: object.reference(), is_baseline, priority, metadata, subject, ingress, egress, remarks, loss }
}

impl Translator {
    fn lose(&mut self, loss: Loss) {
        self.loss.get_or_insert(loss);
    }

    fn tell_unknown(&mut self, value: &Json, known: &[&str], path: &str) {
        for key in value.as_object().into_iter().flat_map(Map::keys).filter(|key| !known.contains(&key.as_str())) {
            self.remarks.push(Remark::UnknownField(format!("{path}.{key}")));
        }
    }

    fn rules(&mut self, spec: &Json, direction: &str, peers: &str) -> Vec<Json> {
        let rules = spec.get(direction).and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
        let translated = rules.iter().enumerate().flat_map(|(at, rule)| self.rule(rule, peers, &format!("spec.{direction}[{at}]")));
        translated.collect()
    }

    /// A rule as one rule, or as several that say the same together; none if it matches nothing.
    fn rule(&mut self, rule: &Json, peers: &str, path: &str) -> Vec<Json> {
        self.tell_unknown(rule, &["name", "action", peers, "ports"], path);
        let is_allowing = rule.get("action").and_then(Json::as_str) == Some("Allow");
        let action = if is_allowing { json!("Accept") } else { rule.get("action").cloned().unwrap_or_default() };
        let written = rule.get(peers).and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
        let mut found = Vec::new();
        for (at, peer) in written.iter().enumerate() {
            let place = format!("{path}.{peers}[{at}]");
            match self.peer(peer, peers, &place) {
                Some(peer) => found.push(peer),
                // What allows matches nothing at all when one of its peers is not understood.
                None if is_allowing && self.loss.is_none() => {
                    self.remarks.push(Remark::Dropped(path.to_owned()));
                    return Vec::new();
                }
                None => self.lose(Loss::UnknownPeer(place)),
            }
        }
        if found.is_empty() {
            return Vec::new();
        }
        let ports = rule.get("ports").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
        let protocols: Vec<Json> = ports.iter().filter_map(protocol).collect();
        let of_protocols: Vec<Option<&[Json]>> = if protocols.is_empty() { vec![None] } else { protocols.chunks(MOST).map(Some).collect() };
        let mut rules = Vec::new();
        for peers_of_one in found.chunks(MOST) {
            for protocols in &of_protocols {
                let mut one = Map::new();
                if let Some(name) = rule.get("name").and_then(Json::as_str).filter(|name| !name.is_empty()) {
                    one.insert("name".to_owned(), json!(name));
                }
                one.insert("action".to_owned(), action.clone());
                one.insert(peers.to_owned(), json!(peers_of_one));
                if let Some(protocols) = protocols {
                    one.insert("protocols".to_owned(), json!(protocols));
                }
                rules.push(Json::Object(one));
            }
        }
        if rules.len() > 1 {
            self.remarks.push(Remark::RuleSplit(path.to_owned(), rules.len()));
        }
        rules
    }

    /// A peer; none for one that is not known.
    fn peer(&mut self, peer: &Json, peers: &str, path: &str) -> Option<Json> {
        if let Some(pods) = self.pods(peer, path) {
            return Some(pods);
        }
        if peers != "to" {
            return None;
        }
        let (field, value) = ["networks", "nodes", "domainNames"].iter().find_map(|field| Some((*field, peer.get(field)?)))?;
        Some(if field == "nodes" { json!({field: self.selector(value, &format!("{path}.nodes"))?}) } else { json!({field: value}) })
    }

    /// `namespaces` or `pods` of a subject or peer; none if it has neither, or compares labels.
    fn pods(&mut self, value: &Json, path: &str) -> Option<Json> {
        if let Some(namespaces) = value.get("namespaces") {
            return Some(json!({"namespaces": self.selector(namespaces, &format!("{path}.namespaces"))?}));
        }
        let pods = value.get("pods")?;
        let mut selector = |field: &str| match pods.get(field) {
            Some(selector) => self.selector(selector, &format!("{path}.pods.{field}")),
            None => Some(json!({})),
        };
        let (namespaces, pods) = (selector("namespaceSelector")?, selector("podSelector")?);
        Some(json!({"pods": {"namespaceSelector": namespaces, "podSelector": pods}}))
    }

    fn selector(&mut self, selector: &Json, path: &str) -> Option<Json> {
        let unknown = selector.as_object().into_iter().flat_map(Map::keys).find(|key| !matches!(key.as_str(), "matchLabels" | "matchExpressions"));
        if let Some(unknown) = unknown {
            self.lose(Loss::RelativeNamespaces(format!("{path}.{unknown}")));
            return None;
        }
        Some(if selector.is_object() { selector.clone() } else { json!({}) })
    }
}

/// A port as the newer version writes it.
fn protocol(port: &Json) -> Option<Json> {
    if let Some(name) = port.get("namedPort") {
        return Some(json!({"destinationNamedPort": name}));
    }
    let (found, destination) = if let Some(number) = port.get("portNumber") {
        (number, json!({"number": number.get("port")?}))
    } else {
        let range = port.get("portRange")?;
        let (start, end) = (range.get("start")?, range.get("end")?);
        // A range of one port is none for the newer version.
        (range, if start == end { json!({"number": start}) } else { json!({"range": {"start": start, "end": end}}) })
    };
    let word = found.get("protocol").and_then(Json::as_str).unwrap_or("TCP").to_ascii_lowercase();
    Some(json!({word: {"destinationPort": destination}}))
}
