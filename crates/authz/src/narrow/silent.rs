//! What a rule grants and no log of requests shows: it stays, where the rule names it outright.
//!
//! The server and other components ask the authorizer about things that are no requests to the API server: verbs such as `use`
//! or `approve`, the kubelet's own API, paths of other servers, the finalizers of owners. An asterisk does not name anything:
//! what it stands for goes.

use bartizan_report::fault::Words;

use super::attribution::Deeds;
use super::piece::What;
use crate::restriction::OWNERS;
use crate::{Authz, RuleView};

/// The verbs of requests, and those that are worked out from requests: a log shows whether they were used.
const SEEN: [&str; 13] = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "proxy", "impersonate", "escalate", "bind", "*"];

/// What stands before the verbs of constrained impersonation, which are worked out from requests too.
const SEEN_PREFIXES: [&str; 2] = ["impersonate:", "impersonate-on:"];

/// The HTTP methods of paths.
const METHODS: [&str; 8] = ["get", "head", "post", "put", "patch", "delete", "options", "*"];

/// Why something stays that was not seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Silence {
    /// A verb that is no request.
    Verb,
    /// A verb that is asked for when certificates are approved or signed, or trust is attested, which was seen.
    Deed,
    /// The kubelet asks for it.
    Kubelet,
    /// Asked for when an owner is named in an object.
    Finalizers,
    /// Asked for when the owners of an object are changed.
    Owners,
    /// A path, which other servers than the API server have as well.
    Path,
}

impl Silence {
    pub(super) fn words(self) -> Words {
        match self {
            Silence::Verb => Words::new("not a request: no log shows whether it is used", "不是请求：日志无法显示是否使用"),
            Silence::Deed => Words::new(
                "asked for by the server when certificates are approved or signed, or trust is attested, which was seen",
                "API server 在批准或签发证书、证明信任时查询，日志中出现过此类操作",
            ),
            Silence::Kubelet => Words::new(
                "asked for by kubelets on their own ports: no log of the API server shows it",
                "由 kubelet 在自己的端口上查询：API server 的日志无法显示",
            ),
            Silence::Finalizers => Words::new(
                "asked for where OwnerReferencesPermissionEnforcement is on: no log shows it",
                "启用 OwnerReferencesPermissionEnforcement 时查询：日志无法显示",
            ),
            Silence::Owners => Words::new(
                "asked for when changes, which were seen, touch owner references: OwnerReferencesPermissionEnforcement is on",
                "日志中出现过的更改若涉及 ownerReferences 则会查询：OwnerReferencesPermissionEnforcement 已启用",
            ),
            Silence::Path => {
                Words::new("a path that other components ask about too: no log of the API server shows it", "其他组件也会查询的路径：API server 的日志无法显示")
            }
        }
    }
}

/// What of a rule stays without having been seen.
pub(super) fn kept(authz: &Authz<'_>, rule: RuleView<'_>, deeds: Deeds) -> Vec<(What, Silence)> {
    let asks_for_owners = authz.server.runs_plugin(OWNERS) != Some(false);
    let mut kept = Vec::new();
    let names: Vec<Option<String>> = if rule.names().len() == 0 { vec![None] } else { rule.names().map(|name| Some(name.to_owned())).collect() };
    for resource in rule.resources() {
        for group in rule.groups() {
            for (verb, why) in silent_verbs(rule, group, resource, deeds).into_iter().filter(|(_, why)| asks_for_owners || *why != Silence::Finalizers) {
                for name in &names {
                    let what = What::Resource { group: group.to_owned(), resource: resource.to_owned(), verb: verb.clone(), name: name.clone() };
                    kept.push((what, why));
                }
            }
        }
    }
    for url in rule.urls().filter(|url| *url != "*") {
        for verb in rule.verbs().filter(|verb| METHODS.contains(verb)) {
            kept.push((What::Path { path: url.to_owned(), verb: verb.to_owned() }, Silence::Path));
        }
    }
    kept
}

/// What of a rule lets its holder delete what they were seen to change: where the server asks for that when owners change, it stays.
pub(super) fn owned(authz: &Authz<'_>, rule: RuleView<'_>, changed: &What) -> Vec<(What, Silence)> {
    let What::Resource { group, resource, verb, name } = changed else { return Vec::new() };
    let is_change = matches!(verb.as_str(), "update" | "patch") && rule.verbs().any(|verb| verb == "delete") && rule.covers("delete", group, resource);
    if !is_change || authz.server.runs_plugin(OWNERS) != Some(true) {
        return Vec::new();
    }
    let names: Vec<Option<String>> = match name {
        _ if rule.names().len() == 0 => vec![name.clone()],
        Some(name) => rule.names().filter(|one| one == name).map(|one| Some(one.to_owned())).collect(),
        None => rule.names().map(|one| Some(one.to_owned())).collect(),
    };
    let what = |name| What::Resource { group: group.clone(), resource: resource.clone(), verb: "delete".to_owned(), name };
    names.into_iter().map(|name| (what(name), Silence::Owners)).collect()
}

/// The verbs on a resource of a rule that stay.
fn silent_verbs(rule: RuleView<'_>, group: &str, resource: &str, deeds: Deeds) -> Vec<(String, Silence)> {
    let is_any = |wanted: &str, written: &str| written == wanted || written == "*";
    let has = |wanted: &str| rule.verbs().any(|verb| is_any(wanted, verb));
    let is_about = |wanted_group: &str, wanted: &str| is_any(wanted_group, group) && is_any(wanted, resource);
    let mut verbs = Vec::new();
    for (verb, wanted, is_done) in [("approve", "signers", deeds.approves), ("sign", "signers", deeds.signs), ("attest", "signers", deeds.attests)] {
        if is_done && has(verb) && is_about("certificates.k8s.io", wanted) {
            verbs.push((verb.to_owned(), Silence::Deed));
        }
    }
    let is_deed = |verb: &str| matches!(verb, "approve" | "sign" | "attest") && is_about("certificates.k8s.io", "signers");
    for verb in rule.verbs().filter(|verb| !SEEN.contains(verb) && !SEEN_PREFIXES.iter().any(|prefix| verb.starts_with(prefix)) && !is_deed(verb)) {
        verbs.push((verb.to_owned(), Silence::Verb));
    }
    if group.is_empty() && resource.starts_with("nodes/") && resource != "nodes/status" {
        verbs.extend(rule.verbs().filter(|verb| SEEN.contains(verb)).map(|verb| (verb.to_owned(), Silence::Kubelet)));
    }
    if resource.ends_with("/finalizers") && has("update") {
        verbs.push(("update".to_owned(), Silence::Finalizers));
    }
    verbs
}
