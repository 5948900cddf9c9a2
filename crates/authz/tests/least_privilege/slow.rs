//! A second authorizer, slow and obvious: roles and bindings as JSON, every rule looked at for every question.

use serde_json::Value;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asker {
    pub(crate) name: String,
    pub(crate) groups: Vec<String>,
}

/// What for: a resource or a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) verb: String,
    pub(crate) group: String,
    /// `pods` or `pods/exec`; empty for a path.
    pub(crate) resource: String,
    pub(crate) namespace: String,
    /// The name, or the path.
    pub(crate) name: String,
}

fn texts<'v>(value: &'v Value, key: &str) -> Vec<&'v str> {
    value.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

fn rule_allows(rule: &Value, asked: &Asked) -> bool {
    let says = |key: &str, word: &str| texts(rule, key).iter().any(|said| *said == "*" || *said == word);
    if !says("verbs", &asked.verb) {
        return false;
    }
    if asked.resource.is_empty() {
        return texts(rule, "nonResourceURLs").iter().any(|url| *url == asked.name || url.ends_with('*') && asked.name.starts_with(url.trim_end_matches('*')));
    }
    let any_subresource = asked.resource.split_once('/').map(|(_, subresource)| format!("*/{subresource}"));
    let names = texts(rule, "resourceNames");
    says("apiGroups", &asked.group)
        && (says("resources", &asked.resource) || any_subresource.is_some_and(|any| texts(rule, "resources").contains(&&*any)))
        && (names.is_empty() || names.contains(&&*asked.name))
}

fn means(subject: &Value, binding: &Value, asker: &Asker) -> bool {
    let name = text(subject, "/name");
    match text(subject, "/kind") {
        "User" => asker.name == name,
        "Group" => asker.groups.iter().any(|group| group == name),
        "ServiceAccount" => {
            let written = text(subject, "/namespace");
            let namespace = if written.is_empty() { text(binding, "/metadata/namespace") } else { written };
            !namespace.is_empty() && asker.name == format!("system:serviceaccount:{namespace}:{name}")
        }
        _ => false,
    }
}

/// Whether `objects` allow it.
pub(crate) fn allows(objects: &[Value], asker: &Asker, asked: &Asked) -> bool {
    objects.iter().any(|binding| {
        let kind = text(binding, "/kind");
        let home = text(binding, "/metadata/namespace");
        let holds = match kind {
            "ClusterRoleBinding" => true,
            "RoleBinding" => !home.is_empty() && home == asked.namespace && !asked.resource.is_empty(),
            _ => false,
        };
        let subjects = binding.get("subjects").and_then(Value::as_array);
        holds
            && subjects.into_iter().flatten().any(|subject| means(subject, binding, asker))
            && objects.iter().any(|role| {
                let wanted = text(binding, "/roleRef/kind");
                text(role, "/kind") == wanted
                    && text(role, "/metadata/name") == text(binding, "/roleRef/name")
                    && (wanted == "ClusterRole" || text(role, "/metadata/namespace") == home)
                    && role.get("rules").and_then(Value::as_array).into_iter().flatten().any(|rule| rule_allows(rule, asked))
            })
    })
}
