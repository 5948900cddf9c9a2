//! Label selectors, as the API server evaluates them.

use crate::field;
use crate::tree::Value;

/// Whether the `LabelSelector` at `selector` matches `labels`. An empty selector matches everything; a requirement with an
/// operator that Kubernetes does not know matches nothing, since the server would refuse the object.
pub fn matches(selector: Value<'_>, labels: Option<Value<'_>>) -> bool {
    let by_labels = selector.get(field::MATCH_LABELS).is_none_or(|wanted| matches_map(wanted, labels));
    by_labels && selector.list(field::MATCH_EXPRESSIONS).all(|requirement| requirement_holds(requirement, labels))
}

/// Whether every entry of the plain map `wanted` (the selector of a Service) stands in `labels`.
pub fn matches_map(wanted: Value<'_>, labels: Option<Value<'_>>) -> bool {
    wanted.entries().all(|(key, value)| {
        let found = labels.and_then(|labels| labels.entry(key)).and_then(Value::as_str);
        // The server reads a label without a value as the empty string.
        found.is_some() && found == Some(value.as_str().unwrap_or(""))
    })
}

fn requirement_holds(requirement: Value<'_>, labels: Option<Value<'_>>) -> bool {
    let Some(key) = requirement.str(field::KEY) else { return false };
    let found = labels.and_then(|labels| labels.entry(key)).map(|value| value.as_str().unwrap_or(""));
    let listed = || requirement.strings(field::VALUES).any(|value| Some(value) == found);
    match requirement.str(field::OPERATOR) {
        Some("In") => listed(),
        Some("NotIn") => found.is_none() || !listed(),
        Some("Exists") => found.is_some(),
        Some("DoesNotExist") => found.is_none(),
        _ => false,
    }
}
