//! The bundled examples: what the documentation says of them is what a scan finds.

mod program;

use std::collections::BTreeSet;
use std::fs;

use program::{bartizan, root};
use serde_json::Value;

/// (object, check) of every finding that fails.
fn failures(report: &Value) -> BTreeSet<(String, String)> {
    let findings = report["findings"].as_array().unwrap();
    findings
        .iter()
        .filter(|finding| finding["verdict"] == "fail")
        .map(|finding| {
            let subject = &finding["subject"];
            let text = |name: &str| subject[name].as_str().unwrap_or("").to_owned();
            let object = [text("namespace"), text("kind"), text("name")].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
            (object, finding["check"].as_str().unwrap().to_owned())
        })
        .collect()
}

/// The rows of the tables in `MISTAKES.md`: every object and every id of a row.
fn documented() -> BTreeSet<(String, String)> {
    let text = fs::read_to_string(root().join("examples/shop/MISTAKES.md")).unwrap();
    let catalogue: Value = serde_json::from_str(&bartizan(&["checks", "list", "-o", "json"]).stdout).unwrap();
    let ids: BTreeSet<&str> = catalogue.as_array().unwrap().iter().filter_map(|check| check["id"].as_str()).collect();
    let mut rows = BTreeSet::new();
    for row in text.lines().filter(|line| line.starts_with('|')) {
        let quoted: Vec<&str> = row.split('`').skip(1).step_by(2).collect();
        let (checks, others): (Vec<&str>, Vec<&str>) = quoted.into_iter().partition(|word| ids.contains(word));
        let objects =
            others.into_iter().filter(|word| word.contains('/') && word.split('/').any(|part| part.starts_with(|first: char| first.is_ascii_uppercase())));
        for object in objects {
            rows.extend(checks.iter().map(|check| (object.to_owned(), (*check).to_owned())));
        }
    }
    rows
}

#[test]
fn the_shop_has_the_mistakes_that_are_documented_and_no_others() {
    let ran = bartizan(&["scan", "examples/shop", "-o", "json"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let report = ran.report();
    assert_eq!(report["coverage"]["problems"], serde_json::json!([]));
    let (found, documented) = (failures(&report), documented());
    let undocumented: Vec<_> = found.difference(&documented).collect();
    let not_found: Vec<_> = documented.difference(&found).collect();
    assert!(undocumented.is_empty() && not_found.is_empty(), "found and not documented: {undocumented:#?}\ndocumented and not found: {not_found:#?}");
}

#[test]
fn the_hardened_shop_is_clean() {
    let ran = bartizan(&["scan", "examples/shop-hardened", "-o", "json"]);
    let report = ran.report();
    assert_eq!(failures(&report), BTreeSet::new());
    assert_eq!(report["summary"]["score"], 100.0);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

#[test]
fn two_runs_give_the_same_bytes() {
    let scan = || bartizan(&["scan", "examples/shop", "-o", "json", "--stage", "auditor", "--now", "2026-11-24T00:00:00Z"]).stdout;
    assert_eq!(scan(), scan());
}

#[test]
fn the_order_of_files_and_jobs_changes_nothing() {
    let one = bartizan(&["scan", "examples/shop", "-o", "json", "--jobs", "1", "--now", "2026-11-24T00:00:00Z"]).stdout;
    let four = bartizan(&["scan", "examples/shop", "-o", "json", "--jobs", "4", "--now", "2026-11-24T00:00:00Z"]).stdout;
    assert_eq!(one, four);
}
