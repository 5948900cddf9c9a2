//! Label selectors, as the API server evaluates them.

mod written;

use crate::field;
use crate::tree::Value;

pub use written::{LabelSelector, SelectorError};

/// Whether the `LabelSelector` at `selector` matches `labels`. An empty selector matches everything; a requirement with an
/// operator that Kubernetes does not know matches nothing, since the server would refuse the object.
pub fn matches(selector: Value<'_>, labels: Option<Value<'_>>) -> bool {
    let by_labels = selector.get(field::MATCH_LABELS).is_none_or(|wanted| matches_map(wanted, labels));
    by_labels && selector.list(field::MATCH_EXPRESSIONS).all(|requirement| requirement_holds(requirement, labels))
}

/// Whether every entry of the plain map `wanted` (the selector of a Service) stands in `labels`.
pub fn matches_map(wanted: Value<'_>, labels: Option<Value<'_>>) -> bool {
    wanted.entries().all(|(key, value)| label(labels, key).is_some_and(|found| found == text(value)))
}

fn requirement_holds(requirement: Value<'_>, labels: Option<Value<'_>>) -> bool {
    let Some(key) = requirement.str(field::KEY) else { return false };
    let found = label(labels, key);
    let values = requirement.get(field::VALUES);
    let listed = || values.into_iter().flat_map(Value::items).any(|value| Some(text(value)) == found);
    // The server wants values for the first two operators and none for the others.
    let has_values = values.is_some_and(|values| !values.is_empty());
    match requirement.str(field::OPERATOR) {
        Some("In") => has_values && listed(),
        Some("NotIn") => has_values && !listed(),
        Some("Exists") => !has_values && found.is_some(),
        Some("DoesNotExist") => !has_values && found.is_none(),
        _ => false,
    }
}

/// The value of label `key`; the server reads one that is `null` as the empty string.
fn label<'a>(labels: Option<Value<'a>>, key: &str) -> Option<&'a str> {
    let labels = labels?;
    labels.strings_table().find(key).and_then(|key| labels.get_written(key)).map(text)
}

fn text(value: Value<'_>) -> &str {
    value.as_str().unwrap_or("")
}

#[cfg(test)]
mod tests {
    use crate::{Interner, Tree, json};

    fn tree(text: &str, strings: &mut Interner) -> Tree {
        json::read(text, strings).unwrap().tree
    }

    fn selects(selector: &str, labels: &str) -> bool {
        let mut strings = Interner::new();
        let (selector, labels) = (tree(selector, &mut strings), tree(labels, &mut strings));
        super::matches(selector.root(&strings), Some(labels.root(&strings)))
    }

    #[test]
    fn an_empty_selector_matches_everything() {
        assert!(selects("{}", "{}"));
        assert!(selects(r#"{"matchLabels": {}, "matchExpressions": null}"#, r#"{"a": "b"}"#));
    }

    #[test]
    fn every_label_and_every_requirement_must_hold() {
        let selector = r#"{"matchLabels": {"app": "cart"}, "matchExpressions": [{"key": "tier", "operator": "In", "values": ["web", "api"]}]}"#;
        assert!(selects(selector, r#"{"app": "cart", "tier": "api"}"#));
        assert!(!selects(selector, r#"{"app": "cart", "tier": "db"}"#));
        assert!(!selects(selector, r#"{"tier": "api"}"#));
    }

    #[test]
    fn operators_are_those_of_the_server() {
        let requirement = |operator: &str, values: &str| format!(r#"{{"matchExpressions": [{{"key": "k", "operator": "{operator}", "values": {values}}}]}}"#);
        for (operator, values, with, without) in [
            ("In", r#"["v"]"#, true, false),
            ("NotIn", r#"["v"]"#, false, true),
            ("NotIn", r#"["w"]"#, true, true),
            ("Exists", "[]", true, false),
            ("DoesNotExist", "[]", false, true),
            // Selectors that the server refuses select nothing.
            ("In", "[]", false, false),
            ("NotIn", "[]", false, false),
            ("Exists", r#"["v"]"#, false, false),
            ("Near", r#"["v"]"#, false, false),
        ] {
            assert_eq!(selects(&requirement(operator, values), r#"{"k": "v"}"#), with, "{operator} {values} on a label that is there");
            assert_eq!(selects(&requirement(operator, values), "{}"), without, "{operator} {values} on one that is not");
        }
    }

    #[test]
    fn a_null_label_is_an_empty_one() {
        assert!(selects(r#"{"matchLabels": {"a": ""}}"#, r#"{"a": null}"#));
        assert!(selects(r#"{"matchLabels": {"a": null}}"#, r#"{"a": ""}"#));
        assert!(!selects(r#"{"matchLabels": {"a": ""}}"#, "{}"));
    }
}
