//! SARIF: valid by the official schema, whatever was scanned, and true to the report.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

mod sample;

use bartizan_report::Language;
use bartizan_report::render::sarif;
use sample::{PASSWORD, Sample};
use serde_json::Value;

const SCHEMA: &str = include_str!("schemas/sarif-schema-2.1.0.json");

fn text(sample: &Sample, language: Language) -> String {
    let mut out = Vec::new();
    sarif::write(&sample.rendering(language), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn run(sample: &Sample) -> Value {
    let log: Value = serde_json::from_str(&text(sample, Language::English)).unwrap();
    log.pointer("/runs/0").unwrap().clone()
}

fn result<'r>(run: &'r Value, check: &str, kind: &str) -> &'r Value {
    let says = |result: &Value, field: &str, value: &str| result.get(field).is_some_and(|found| found == value);
    let plain = |result: &&Value| says(result, "ruleId", check) && says(result, "kind", kind) && result.get("suppressions").is_none();
    run.get("results").unwrap().as_array().unwrap().iter().find(plain).unwrap()
}

#[test]
fn every_kind_of_report_is_valid_by_the_official_schema() {
    // Two patterns hold a bracket that closes nothing. ECMA 262 reads it as itself; the validator wants that said.
    let schema: Value = serde_json::from_str(&SCHEMA.replace("{2}]?$", r"{2}\\]?$")).unwrap();
    assert_eq!(schema["title"], "Static Analysis Results Format (SARIF) Version 2.1.0 JSON Schema");
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    for sample in [sample::files(), sample::live(), sample::clean(), sample::large(3)] {
        let log: Value = serde_json::from_str(&text(&sample, Language::English)).unwrap();
        let errors: Vec<String> = validator.iter_errors(&log).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert_eq!(errors, Vec::<String>::new());
    }
    let mut broken: Value = serde_json::from_str(&text(&sample::files(), Language::English)).unwrap();
    broken["runs"][0]["results"][0]["kind"] = "bad".into();
    assert!(!validator.is_valid(&broken), "the schema is looked at");
}

#[test]
fn a_result_has_its_rule_its_places_and_its_fingerprints() {
    let sample = sample::files();
    let run = run(&sample);
    let found = result(&run, "privilege-escalation", "fail");
    assert_eq!(found["level"], "warning");
    assert_eq!(found["message"]["text"], "Deployment shop/cart: container `cart` may gain privileges");
    let place = &found["locations"][0];
    assert_eq!(place["physicalLocation"]["artifactLocation"], serde_json::json!({"uri": "shop/cart.yaml", "uriBaseId": "SRCROOT"}));
    assert_eq!(place["physicalLocation"]["region"], serde_json::json!({"startLine": 26, "startColumn": 13}));
    assert_eq!(place["logicalLocations"][0]["fullyQualifiedName"], "apps/v1/Deployment/shop/cart#spec.template.spec.containers[name=cart].securityContext");
    assert_eq!(place["logicalLocations"][1]["fullyQualifiedName"], "apps/v1/Deployment/shop/cart");
    let other = &found["relatedLocations"][0];
    assert_eq!(other["physicalLocation"]["region"]["startLine"], 30);
    assert_eq!(other["message"]["text"], "container `proxy` may gain privileges; set at admission, not in the template");
    let fingerprint = sample.report.findings.iter().find(|finding| finding.check == "privilege-escalation").unwrap().fingerprint.as_str();
    assert_eq!(found["partialFingerprints"]["bartizan/v1"], fingerprint);
    assert_eq!(found["partialFingerprints"]["primaryLocationLineHash"], fingerprint);

    let related = &result(&run, "host-pid", "fail")["relatedLocations"][0];
    assert_eq!(related["physicalLocation"]["artifactLocation"]["uri"], "shop/namespace.yaml");
    assert_eq!(related["message"]["text"], "enforces nothing");
}

#[test]
fn rules_come_from_the_pages_and_results_point_at_them() {
    let run = run(&sample::files());
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    for result in run["results"].as_array().unwrap() {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
    }
    let rule = rules.iter().find(|rule| rule["id"] == "host-pid").unwrap();
    assert_eq!(rule["name"], "HostPid");
    assert_eq!(rule["shortDescription"]["text"], "pod shares the host's process namespace");
    assert_eq!(rule["fullDescription"]["text"], "The pod sees every process of its node.");
    assert_eq!(rule["helpUri"], "https://kubernetes.io/docs/concepts/security/pod-security-standards/");
    assert_eq!(rule["properties"]["security-severity"], "8.0");
    assert_eq!(rule["properties"]["tags"], serde_json::json!(["security", "kubernetes", "cis-1.12/5.2.3", "pss-baseline/host-namespaces"]));
    let markdown = rule["help"]["markdown"].as_str().unwrap();
    for part in
        ["## Why it matters\nWith `hostPID: true`", "## How to fix it\nRemove the field.", "```yaml\n- op: remove\n  path: /spec/hostPID\n```", "## References"]
    {
        assert!(markdown.contains(part), "{part}");
    }
}

#[test]
fn what_is_not_a_plain_failure_says_so() {
    let run = run(&sample::files());
    let unknown = result(&run, "dangling-reference", "open");
    assert_eq!(unknown["level"], "none");
    assert_eq!(unknown["message"]["text"], "Service shop/cart: something is wrong (unknown: `secrets` of namespace/pay is missing, forbidden)");
    let manual = result(&run, "anonymous-access", "review");
    assert_eq!(manual["level"], "none");
    assert_eq!(manual["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "cluster");
    let waived = run["results"].as_array().unwrap().iter().find(|result| result.get("suppressions").is_some()).unwrap();
    assert_eq!((waived["ruleId"].as_str(), waived["kind"].as_str(), waived["level"].as_str()), (Some("host-pid"), Some("fail"), Some("error")));
    assert_eq!(waived["suppressions"][0]["kind"], "external");
    assert_eq!(waived["suppressions"][0]["justification"], "reads <cgroups>");

    let mut sample = sample::files();
    for waiver in sample.report.findings.iter_mut().filter_map(|finding| finding.waiver.as_mut()) {
        waiver.source = "annotation".to_owned();
    }
    let text = text(&sample, Language::English);
    assert!(text.contains("\"inSource\"") && !text.contains("\"external\""));
}

#[test]
fn an_incomplete_scan_is_no_successful_one() {
    let files = run(&sample::files());
    let invocation = &files["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false);
    let notes = invocation["toolExecutionNotifications"].as_array().unwrap();
    assert_eq!(notes.len(), 2);
    assert_eq!(notes[0]["locations"][0]["physicalLocation"]["region"], serde_json::json!({"startLine": 3, "startColumn": 7}));
    assert_eq!(notes[0]["descriptor"]["id"], "input/parse");
    assert_eq!(notes[1]["message"]["text"], "`secrets` (namespace/pay) could not be read: forbidden");
    assert_eq!(run(&sample::clean())["invocations"][0]["executionSuccessful"], true);

    // A remark about the input that cost nothing leaves the run successful.
    let mut remark = sample::files();
    remark.report.coverage.missing.clear();
    remark.report.coverage.problems[0].lost = false;
    let run = run(&remark);
    assert_eq!(run["invocations"][0]["executionSuccessful"], true);
    assert_eq!(run["invocations"][0]["toolExecutionNotifications"][0]["level"], "warning");
}

#[test]
fn live_objects_have_exact_logical_and_made_up_physical_places() {
    let run = run(&sample::live());
    let found = result(&run, "host-pid", "fail");
    let place = &found["locations"][0];
    assert_eq!(place["physicalLocation"]["artifactLocation"], serde_json::json!({"uri": "cluster/shop/Deployment/cart"}));
    assert_eq!(place["physicalLocation"]["region"], serde_json::json!({"startLine": 1}));
    assert_eq!(place["logicalLocations"][0]["fullyQualifiedName"], "apps/v1/Deployment/shop/cart#spec.template.spec.hostPID");
    assert_eq!(found["relatedLocations"][0]["physicalLocation"]["artifactLocation"]["uri"], "cluster/shop/Pod/cart-7d4b9");
    assert_eq!(result(&run, "anonymous-access", "fail")["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "cluster");
}

#[test]
fn it_is_english_quotes_no_secret_and_does_not_vary() {
    let sample = sample::files();
    let english = text(&sample, Language::English);
    assert_eq!(english, text(&sample, Language::Chinese));
    assert!(!english.contains(PASSWORD) && english.is_ascii());
    assert!(english.ends_with("}\n"));
}
