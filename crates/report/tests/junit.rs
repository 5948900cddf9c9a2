//! JUnit: what a CI system reads back is what the report says.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

mod sample;

use bartizan_report::Language;
use bartizan_report::render::junit;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus};
use sample::{PASSWORD, Sample};

fn text(sample: &Sample, language: Language) -> String {
    let mut out = Vec::new();
    junit::write(&sample.rendering(language), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn parsed(sample: &Sample) -> Report {
    Report::deserialize_from_str(&text(sample, Language::English)).unwrap()
}

fn case<'r>(report: &'r Report, suite: &str, check: &str) -> &'r TestCase {
    let suite = report.test_suites.iter().find(|found| found.name.as_str() == suite).unwrap_or_else(|| panic!("no suite {suite}"));
    suite.test_cases.iter().find(|case| case.name.as_str().starts_with(&format!("{check}:"))).unwrap_or_else(|| panic!("no case {check}"))
}

/// How a case ended, its type, its message and its text.
fn ending(case: &TestCase) -> (&'static str, &str, &str, &str) {
    fn words(text: Option<&quick_junit::XmlString>) -> &str {
        text.map_or("", |text| text.as_str())
    }
    match &case.status {
        TestCaseStatus::Success { .. } => ("success", "", "", ""),
        TestCaseStatus::NonSuccess { kind, message, ty, description, .. } => {
            let kind = match kind {
                NonSuccessKind::Failure => "failure",
                NonSuccessKind::Error => "error",
            };
            (kind, words(ty.as_ref()), words(message.as_ref()), words(description.as_ref()))
        }
        TestCaseStatus::Skipped { message, ty, description } => ("skipped", words(ty.as_ref()), words(message.as_ref()), words(description.as_ref())),
    }
}

#[test]
fn a_suite_is_an_object_and_a_case_a_check() {
    let report = parsed(&sample::files());
    let suites: Vec<&str> = report.test_suites.iter().map(|suite| suite.name.as_str()).collect();
    let expected = [
        "input",
        "cluster",
        "DaemonSet monitoring/node-exporter",
        "ConfigMap pay/payment",
        "Deployment shop/cart",
        "Secret shop/redis-client",
        "Service shop/cart",
    ];
    assert_eq!(suites, expected);
    assert_eq!((report.tests, report.failures, report.errors), (11, 6, 3));

    let case = case(&report, "Deployment shop/cart", "host-pid");
    assert_eq!(case.name.as_str(), "host-pid: pod shares the host's process namespace");
    assert_eq!(case.classname.as_ref().unwrap().as_str(), "shop.Deployment/cart");
    let (kind, severity, message, description) = ending(case);
    assert_eq!((kind, severity, message), ("failure", "high", "pod shares the host's process namespace"));
    let expected = "high[host-pid] Deployment shop/cart: pod shares the host's process namespace\n  at shop/cart.yaml:18:7 spec.template.spec.hostPID\n  see Namespace shop (shop/namespace.yaml:1:1): enforces nothing\ncontrols: cis-1.12/5.2.3, pss-baseline/host-namespaces\nfix: Remove the field. A node agent that measures processes usually gets what it needs from the kubelet; one that really must see them belongs into a namespace of its own.\npatch (safe): [{\"op\":\"remove\",\"path\":\"/spec/template/spec/hostPID\"}]";
    assert_eq!(description, expected);
    let extra: Vec<(&str, &str)> = case.extra.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(extra, [("file", "shop/cart.yaml"), ("line", "18")]);
}

#[test]
fn what_nobody_could_decide_is_an_error_and_what_is_accepted_is_skipped() {
    let report = parsed(&sample::files());
    let (kind, reason, message, _) = ending(case(&report, "Service shop/cart", "dangling-reference"));
    assert_eq!((kind, reason, message), ("error", "forbidden", "unknown: secrets (namespace/pay) is missing: forbidden"));
    let (kind, reason, message, _) = ending(case(&report, "DaemonSet monitoring/node-exporter", "host-pid"));
    assert_eq!((kind, reason, message), ("skipped", "waived", "waived: reads <cgroups>, until 2027-01-01, sre (bartizan.toml:12)"));
    let (kind, reason, message, _) = ending(case(&report, "cluster", "anonymous-access"));
    assert_eq!((kind, reason, message), ("skipped", "manual", "a person must look: something is wrong"));
}

#[test]
fn the_input_has_a_suite_of_its_own() {
    let report = parsed(&sample::files());
    let input: Vec<_> = report.test_suites[0].test_cases.iter().map(|case| (case.name.as_str(), ending(case))).collect();
    assert_eq!(
        input,
        [
            ("parse shop/broken.yaml:3:7", ("error", "parse", "tab in indentation", "shop/broken.yaml:3:7: tab in indentation")),
            (
                "secrets namespace/pay",
                ("error", "forbidden", "secrets (namespace/pay) could not be read: forbidden", "secrets (namespace/pay) could not be read: forbidden")
            ),
        ]
    );
    let clean = parsed(&sample::clean());
    assert_eq!((clean.tests, clean.failures, clean.errors), (1, 0, 0));
    assert_eq!(ending(&clean.test_suites[0].test_cases[0]).0, "success");
}

#[test]
fn live_objects_have_no_file() {
    let report = parsed(&sample::live());
    let case = case(&report, "Deployment shop/cart", "host-pid");
    assert!(case.extra.is_empty());
    assert!(ending(case).3.contains("  at spec.hostPID of Pod shop/cart-7d4b9"));
}

#[test]
fn foreign_text_cannot_leave_its_place() {
    const HOSTILE: &str = "]]></failure><x a='\"\u{0}\u{1b}[31m\u{202e}";
    let mut sample = sample::files();
    for finding in &mut sample.report.findings {
        finding.message = HOSTILE.to_owned();
        if let Some(object) = &mut finding.subject {
            object.name = HOSTILE.to_owned();
        }
        for place in &mut finding.places {
            place.path = HOSTILE.to_owned();
        }
    }
    let text = text(&sample, Language::English);
    let report = Report::deserialize_from_str(&text).unwrap();
    assert_eq!(report.tests, 11);
    assert!(!text.contains(['\u{0}', '\u{1b}', '\u{202e}']));
    let cart = report.test_suites.iter().find(|suite| suite.name.as_str().starts_with("Deployment")).unwrap();
    assert!(ending(&cart.test_cases[0]).2.contains("]]></failure><x a='\"\\u{0}\\u{1b}[31m\\u{202e}"));
}

#[test]
fn it_is_english_quotes_no_secret_and_does_not_vary() {
    let sample = sample::files();
    let english = text(&sample, Language::English);
    assert_eq!(english, text(&sample, Language::Chinese));
    assert!(!english.contains(PASSWORD) && !english.contains("time="));
}
