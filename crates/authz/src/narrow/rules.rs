//! From grants to rules: what one subject is left with, joined into as few rules as say it exactly, each with its reasons.

use std::collections::{BTreeMap, BTreeSet};

use bartizan_report::Sentence;
use bartizan_report::fault::Words;
use serde_json::{Value, json};

use super::attribution::Attribution;
use super::piece::{Evidence, Place, What, Widened};
use super::silent::Silence;
use crate::usage::{Times, Use};
use crate::{BindingView, RoleView, RuleView};

/// A rule that stays, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NarrowRule {
    /// The API group; none for paths.
    pub group: Option<String>,
    /// The resources.
    pub resources: Vec<String>,
    /// The names to which it is limited.
    pub names: Vec<String>,
    /// The paths.
    pub urls: Vec<String>,
    /// The verbs.
    pub verbs: Vec<String>,
    /// Why it stays, a line each.
    pub because: Vec<Sentence>,
}

impl NarrowRule {
    pub(super) fn says(&self) -> (&Option<String>, &[String], &[String], &[String], &[String]) {
        (&self.group, &self.resources, &self.names, &self.urls, &self.verbs)
    }

    pub(super) fn to_json(&self) -> Value {
        let mut rule = serde_json::Map::new();
        if let Some(group) = &self.group {
            rule.insert("apiGroups".to_owned(), json!([group]));
            rule.insert("resources".to_owned(), json!(self.resources));
        }
        if !self.names.is_empty() {
            rule.insert("resourceNames".to_owned(), json!(self.names));
        }
        if !self.urls.is_empty() {
            rule.insert("nonResourceURLs".to_owned(), json!(self.urls));
        }
        rule.insert("verbs".to_owned(), json!(self.verbs));
        Value::Object(rule)
    }
}

/// The rules that an entry is left with, by where they hold.
pub(super) type Remains = BTreeMap<Place, Vec<NarrowRule>>;

/// Joins grants into rules: those of one resource that share names, then resources that share verbs and names.
pub(super) fn rules(uses: &[Use<'_>], attribution: &Attribution<'_>, grants: &BTreeMap<(Place, What), Evidence>) -> Remains {
    // By place, group, resource and names: the verbs, and why.
    let mut cells: BTreeMap<(Place, &str, &str, &str), (BTreeSet<Option<&str>>, Reasons)> = BTreeMap::new();
    let mut paths: BTreeMap<(Place, &str), (BTreeSet<&str>, Reasons)> = BTreeMap::new();
    for ((place, what), evidence) in grants {
        match what {
            What::Resource { group, resource, verb, name } => {
                let cell = cells.entry((place.clone(), group, resource, verb)).or_default();
                cell.0.insert(name.as_deref());
                cell.1.add(uses, attribution, evidence);
            }
            What::Path { path, verb } => {
                let cell = paths.entry((place.clone(), path)).or_default();
                cell.0.insert(verb);
                cell.1.add(uses, attribution, evidence);
            }
        }
    }
    // One resource: verbs that share names.
    let mut by_names: BTreeMap<(Place, &str, &str, BTreeSet<&str>), (BTreeSet<&str>, Reasons)> = BTreeMap::new();
    for ((place, group, resource, verb), (names, reasons)) in cells {
        // A grant without a name allows what those with one allow.
        let names = if names.contains(&None) { BTreeSet::new() } else { names.into_iter().flatten().collect() };
        let entry = by_names.entry((place, group, resource, names)).or_default();
        entry.0.insert(verb);
        entry.1.merge(reasons);
    }
    // Several resources: those that share verbs and names.
    let mut by_verbs: BTreeMap<(Place, &str, BTreeSet<&str>, BTreeSet<&str>), (BTreeSet<&str>, Reasons)> = BTreeMap::new();
    for ((place, group, resource, names), (verbs, reasons)) in by_names {
        let entry = by_verbs.entry((place, group, names, verbs)).or_default();
        entry.0.insert(resource);
        entry.1.merge(reasons);
    }
    let mut remains = Remains::new();
    let owned = |words: BTreeSet<&str>| words.into_iter().map(str::to_owned).collect::<Vec<_>>();
    for ((place, group, names, verbs), (resources, reasons)) in by_verbs {
        let rule = NarrowRule {
            group: Some(group.to_owned()),
            resources: owned(resources),
            names: owned(names),
            urls: Vec::new(),
            verbs: owned(verbs),
            because: reasons.lines(),
        };
        remains.entry(place).or_default().push(rule);
    }
    let mut by_methods: BTreeMap<(Place, BTreeSet<&str>), (BTreeSet<&str>, Reasons)> = BTreeMap::new();
    for ((place, path), (verbs, reasons)) in paths {
        let entry = by_methods.entry((place, verbs)).or_default();
        entry.0.insert(path);
        entry.1.merge(reasons);
    }
    for ((place, verbs), (urls, reasons)) in by_methods {
        let rule = NarrowRule { group: None, resources: Vec::new(), names: Vec::new(), urls: owned(urls), verbs: owned(verbs), because: reasons.lines() };
        remains.entry(place).or_default().push(rule);
    }
    for rules in remains.values_mut() {
        rules.sort_by(|one, two| one.says().cmp(&two.says()));
    }
    remains
}

/// Why a rule stays.
#[derive(Debug, Default)]
struct Reasons {
    count: u64,
    times: Option<Times>,
    runs: bool,
    implied: bool,
    silences: BTreeSet<Silence>,
    widened: BTreeSet<Widened>,
    rules: BTreeSet<u32>,
}

impl Reasons {
    fn add(&mut self, uses: &[Use<'_>], attribution: &Attribution<'_>, evidence: &Evidence) {
        for need in evidence.needs.iter().filter_map(|number| attribution.needs.get(*number)) {
            let Some(used) = uses.get(need.from) else { continue };
            self.implied |= need.is_implied;
            if need.is_implied {
                continue;
            }
            self.count += used.count;
            self.runs |= used.count == 0;
            self.add_times(used.times);
        }
        self.silences.extend(evidence.silence);
        self.widened.extend(evidence.widened);
        self.rules.extend(&evidence.rules);
    }

    fn add_times(&mut self, times: Option<Times>) {
        self.times = match (self.times, times) {
            (Some(one), Some(two)) => Some(one.join(two)),
            (one, two) => one.or(two),
        };
    }

    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.runs |= other.runs;
        self.implied |= other.implied;
        self.add_times(other.times);
        self.silences.extend(other.silences);
        self.widened.extend(other.widened);
        self.rules.extend(other.rules);
    }

    fn lines(&self) -> Vec<Sentence> {
        let mut lines = Vec::new();
        let from: Vec<String> = self.rules.iter().map(|rule| format!("rules[{rule}]")).collect();
        let from = from.join(", ");
        if self.count > 0 {
            let count = self.count;
            let requests = if count == 1 { "request" } else { "requests" };
            lines.push(match self.times {
                Some(Times { first, last }) => Sentence::new(
                    format!("{count} {requests}, {first:.0} to {last:.0}; from {from}"),
                    format!("{count} 次请求，{first:.0} 至 {last:.0}；来自 {from}"),
                ),
                None => Sentence::new(format!("{count} {requests}; from {from}"), format!("{count} 次请求；来自 {from}")),
            });
        }
        let mut also = |words: Words| lines.push(Sentence::new(format!("{}; from {from}", words.english), format!("{}；来自 {from}", words.chinese)));
        if self.runs {
            also(Words::new("a request that still ran at the end of the log", "日志结束时仍在进行的请求"));
        }
        if self.implied {
            also(Words::new("asked for by the server when roles or bindings are written", "API server 在写入角色或绑定时查询"));
        }
        self.silences.iter().for_each(|silence| also(silence.words()));
        lines.extend(self.widened.iter().map(|widened| match widened {
            Widened::AllNamespaces => Sentence::new(
                "in the whole cluster: it was listed, watched or deleted in all namespaces at once",
                "作用于整个集群：曾一次性列出、监视或删除所有命名空间中的对象",
            ),
            Widened::ManyNamespaces(count) => {
                Sentence::new(format!("in the whole cluster: it was used in {count} namespaces"), format!("作用于整个集群：在 {count} 个命名空间中使用过"))
            }
            Widened::ManyPaths(count) => {
                Sentence::new(format!("the pattern: {count} paths under it were used"), format!("保留通配路径：其下有 {count} 条路径使用过"))
            }
        }));
        lines
    }
}

/// What of a rule no grant that stays is made of, in words of rules; nothing if all of it stays.
pub(super) fn not_observed(rule: RuleView<'_>, grants: &BTreeMap<(Place, What), Evidence>) -> Option<String> {
    let stays = |group: &str, resource: &str, verb: &str| {
        grants.keys().any(|(_, what)| matches!(what, What::Resource { group: g, resource: r, verb: v, .. } if g == group && r == resource && v == verb))
    };
    let path_stays = |url: &str, verb: &str| grants.keys().any(|(_, what)| matches!(what, What::Path { path, verb: v } if path == url && v == verb));
    let show = |group: &str| if group.is_empty() { "\"\"".to_owned() } else { group.to_owned() };
    // By the verbs that are left over: what they are left over of.
    let mut left: BTreeMap<Vec<&str>, Vec<String>> = BTreeMap::new();
    for group in rule.groups() {
        for resource in rule.resources() {
            let verbs: Vec<&str> = rule.verbs().filter(|verb| !stays(group, resource, verb)).collect();
            if !verbs.is_empty() {
                left.entry(verbs).or_default().push(format!("{resource} in {}", show(group)));
            }
        }
    }
    for url in rule.urls() {
        let verbs: Vec<&str> = rule.verbs().filter(|verb| !path_stays(url, verb)).collect();
        if !verbs.is_empty() {
            left.entry(verbs).or_default().push(url.to_owned());
        }
    }
    if left.is_empty() {
        return None;
    }
    let names: Vec<&str> = rule.names().collect();
    let names = if names.is_empty() { String::new() } else { format!(" [{}]", names.join(",")) };
    let parts: Vec<String> = left.iter().map(|(verbs, of)| format!("{} {}{names}", verbs.join(","), of.join(", "))).collect();
    Some(format!("rules[{}]: {}", rule.place(), parts.join("; ")))
}

/// Whether an entry is left with all that the role says, where it says it.
pub(super) fn is_same(role: RoleView<'_>, binding: BindingView<'_>, left: &Remains) -> bool {
    let place = binding.namespace().map(str::to_owned);
    if left.keys().any(|at| *at != place) {
        return false;
    }
    let mut wanted = BTreeSet::new();
    for rule in role.rules() {
        let names: Vec<Option<&str>> = if rule.names().len() == 0 { vec![None] } else { rule.names().map(Some).collect() };
        for verb in rule.verbs() {
            for group in rule.groups() {
                for resource in rule.resources() {
                    wanted.extend(names.iter().map(|name| (Some(group), resource, verb, *name)));
                }
            }
            wanted.extend(rule.urls().map(|url| (None, url, verb, None)));
        }
    }
    let mut found = BTreeSet::new();
    for rule in left.values().flatten() {
        let names: Vec<Option<&str>> = if rule.names.is_empty() { vec![None] } else { rule.names.iter().map(|name| Some(&**name)).collect() };
        for verb in &rule.verbs {
            for resource in &rule.resources {
                found.extend(names.iter().map(|name| (rule.group.as_deref(), &**resource, &**verb, *name)));
            }
            found.extend(rule.urls.iter().map(|url| (None, &**url, &**verb, None)));
        }
    }
    wanted == found
}
