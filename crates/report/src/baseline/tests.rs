//! Claims about what two reports have in common.

use std::collections::BTreeMap;

use bartizan_cluster::{Location, ObjectRef};

use super::*;
use crate::finding::{Message, PlaceOrigin, Scope};
use crate::report::{Coverage, Narrowing, ReportProblem, SCHEMA, Tally, Tool};

fn place(path: &str, text: Option<&str>) -> Place {
    let message = text.map(|text| Message { key: "k".to_owned(), args: BTreeMap::new(), text: text.to_owned() });
    Place {
        container: None,
        path: path.to_owned(),
        location: Some(Location { file: "shop/cart.yaml".to_owned(), line: 1, column: 1 }),
        origin: PlaceOrigin::Source,
        object: None,
        message,
    }
}

fn finding(check: &str, name: &str, verdict: Verdict, places: Vec<Place>) -> Finding {
    let subject =
        Some(ObjectRef { api_version: "apps/v1".to_owned(), kind: "Deployment".to_owned(), namespace: Some("shop".to_owned()), name: name.to_owned() });
    let fingerprint = Finding::fingerprint_of(check, subject.as_ref(), &places);
    Finding {
        check: check.to_owned(),
        title: check.to_owned(),
        severity: Severity::High,
        verdict,
        scope: Scope::Object,
        subject,
        owner_chain: None,
        replicas: None,
        message: format!("{check} fails"),
        message_key: "k".to_owned(),
        args: BTreeMap::new(),
        places,
        related: Vec::new(),
        controls: Vec::new(),
        missing: None,
        fix: None,
        waiver: None,
        fingerprint,
    }
}

fn failing(check: &str, name: &str, paths: &[&str]) -> Finding {
    finding(check, name, Verdict::Fail, paths.iter().map(|path| place(path, None)).collect())
}

fn report(findings: Vec<Finding>) -> Report {
    let mut tally = Tally::default();
    for finding in &findings {
        tally.count(finding.severity, finding.verdict);
    }
    Report {
        schema: SCHEMA.to_owned(),
        tool: Tool { name: "bartizan".to_owned(), version: "0.1.0".to_owned() },
        source: SourceNote { kind: "files".to_owned(), names: vec!["shop".to_owned()] },
        observed_at: "2026-11-24T00:00:00Z".to_owned(),
        kubernetes_version: "1.37".to_owned(),
        assumptions: Vec::new(),
        benchmark: None,
        narrowing: None,
        coverage: Coverage::default(),
        summary: tally.summary(),
        findings,
    }
}

fn between(before: &Report, after: &Report) -> Diff {
    Diff::between(before, after, &|check| Some(if check == "strict-one" { Stage::Strict } else { Stage::Default })).unwrap()
}

/// `what check name paths` of everything that a comparison says.
fn lines(diff: &Diff) -> Vec<String> {
    let of = |what: &str, finding: &Finding| {
        let paths: Vec<&str> = finding.places.iter().map(|place| place.path.as_str()).collect();
        format!("{what} {} {} {}", finding.check, finding.subject.as_ref().map_or("-", |subject| &subject.name), paths.join(","))
    };
    let opened = diff.opened.iter().map(|opened| of(if opened.grown { "grown" } else { "opened" }, &opened.finding));
    let closed = diff.closed.iter().map(|finding| of("closed", finding));
    let changed = diff.changed.iter().map(|changed| format!("{} {:?}", of("changed", &changed.finding), changed.changes));
    let unconfirmed = diff.unconfirmed.iter().map(|one| format!("{} {:?}", of("unconfirmed", &one.finding), one.unseen));
    opened.chain(closed).chain(changed).chain(unconfirmed).collect()
}

#[test]
fn the_same_report_has_no_difference() {
    let report = report(vec![failing("host-pid", "cart", &["spec.hostPID"]), failing("privileged", "cart", &["a", "b"])]);
    let diff = between(&report, &report);
    assert!(diff.is_empty());
    assert_eq!(diff.unchanged, 2);
}

#[test]
fn faults_open_and_close() {
    let diff = between(
        &report(vec![failing("host-pid", "cart", &["p"]), failing("host-ipc", "cart", &["p"])]),
        &report(vec![failing("host-pid", "pay", &["p"]), failing("host-ipc", "cart", &["p"])]),
    );
    assert_eq!(lines(&diff), ["opened host-pid pay p", "closed host-pid cart p"]);
    assert_eq!(diff.unchanged, 1);
}

#[test]
fn a_fault_that_grew_is_new_where_it_grew() {
    let (before, after) = (
        report(vec![failing("privileged", "cart", &["containers[name=a]", "containers[name=b]"])]),
        report(vec![failing("privileged", "cart", &["containers[name=b]", "containers[name=c]"])]),
    );
    assert_eq!(lines(&between(&before, &after)), ["grown privileged cart containers[name=c]", "closed privileged cart containers[name=a]"]);
    let comparison = Baseline::new(before).compare(&after, &|_| None).unwrap();
    assert!(comparison.has_new());
    assert_eq!(comparison.new_places(&after.findings[0]), [place("containers[name=c]", None)]);
    assert_eq!((comparison.counts().high, comparison.fixed.len(), comparison.unchanged), (1, 1, 0));
}

#[test]
fn a_rule_inserted_above_does_not_make_the_ones_below_new() {
    let rules = |rules: &[(&str, &str)]| {
        report(vec![finding("wildcard-rule", "r", Verdict::Fail, rules.iter().map(|&(path, text)| place(path, Some(text))).collect())])
    };
    let diff =
        between(&rules(&[("rules[0]", "secrets"), ("rules[1]", "exec")]), &rules(&[("rules[0]", "nodes"), ("rules[1]", "secrets"), ("rules[2]", "exec")]));
    assert_eq!(lines(&diff), ["grown wildcard-rule r rules[0]"]);
    assert_eq!(diff.opened[0].finding.message, "nodes");
}

#[test]
fn what_else_changed_is_told() {
    let before = report(vec![finding("mutable-image", "cart", Verdict::Fail, vec![place("image", Some("a:1"))])]);
    let mut after = report(vec![finding("mutable-image", "cart", Verdict::Fail, vec![place("image", Some("a:2"))])]);
    after.findings[0].severity = Severity::Critical;
    assert_eq!(
        lines(&between(&before, &after)),
        ["changed mutable-image cart image [Severity { from: High, to: Critical }, Message { path: \"image\", from: \"a:1\", to: \"a:2\" }]"]
    );
    assert!(!Baseline::new(before).compare(&after, &|_| None).unwrap().has_new());
}

#[test]
fn a_waiver_changes_a_fault_and_its_end_makes_it_new() {
    let (fails, waived) =
        (report(vec![failing("host-pid", "cart", &["p"])]), report(vec![finding("host-pid", "cart", Verdict::Waived, vec![place("p", None)])]));
    assert_eq!(lines(&between(&fails, &waived)), ["changed host-pid cart p [Verdict { from: Fail, to: Waived }]"]);
    let accepted = Baseline::new(fails.clone()).compare(&waived, &|_| None).unwrap();
    assert_eq!((accepted.new.len(), accepted.fixed.len(), accepted.unconfirmed.len()), (0, 0, 0));
    assert!(Baseline::new(waived).compare(&fails, &|_| None).unwrap().has_new());
}

#[test]
fn a_fact_that_is_missing_now_closes_nothing() {
    let before = report(vec![failing("automounted-token", "cart", &["p"])]);
    let gap = MissingFact { fact: "serviceaccounts".to_owned(), scope: "cluster".to_owned(), reason: "forbidden".to_owned() };
    // The check says that it cannot tell.
    let mut unknown = report(vec![finding("automounted-token", "cart", Verdict::Unknown, Vec::new())]);
    unknown.findings[0].missing = Some(gap.clone());
    assert_eq!(between(&before, &unknown).unconfirmed, [Unconfirmed { finding: before.findings[0].clone(), unseen: Unseen::MissingFact(gap.clone()) }]);
    // And the other way round, what is seen now may have been there.
    let diff = between(&unknown, &before);
    assert_eq!((diff.opened[0].unseen.clone(), diff.unchanged), (Some(Unseen::MissingFact(gap)), 0));
}

#[test]
fn a_subject_that_was_not_read_closes_nothing() {
    let before = report(vec![failing("host-pid", "cart", &["p"])]);
    let reasons = |change: &dyn Fn(&mut Report)| {
        let mut after = report(Vec::new());
        change(&mut after);
        let diff = between(&before, &after);
        assert_eq!(diff.closed.len() + diff.unconfirmed.len(), 1);
        diff.unconfirmed.into_iter().next().map(|one| one.unseen)
    };
    let missing = |fact: &str, scope: &str| MissingFact { fact: fact.to_owned(), scope: scope.to_owned(), reason: "forbidden".to_owned() };
    let gap = |fact: &str, scope: &str| reasons(&|after| after.coverage.missing = vec![missing(fact, scope)]);
    assert_eq!(gap("deployments", "cluster"), Some(Unseen::MissingFact(missing("deployments", "cluster"))));
    assert!(gap("deployments", "namespace/shop").is_some() && gap("deployments", "namespaces-except/pay").is_some());
    assert_eq!((gap("deployments", "namespace/pay"), gap("deployments", "namespaces-except/pay,shop"), gap("secrets", "cluster")), (None, None, None));
    let problem = |source: &str, lost| {
        let problem = ReportProblem { kind: "parse".to_owned(), source: source.to_owned(), location: None, message: String::new(), lost };
        reasons(&|after| after.coverage.problems = vec![problem.clone()])
    };
    assert_eq!(problem("shop/cart.yaml", true), Some(Unseen::NotRead { source: "shop/cart.yaml".to_owned() }));
    assert_eq!((problem("shop/cart.yaml", false), problem("shop/pay.yaml", true)), (None, None));
    let asked = |names: &[&str]| reasons(&|after| after.source.names = names.iter().map(|&name| name.to_owned()).collect());
    assert_eq!(asked(&["shop/pay.yaml"]), Some(Unseen::NotAsked { source: "shop/cart.yaml".to_owned() }));
    // The same application in another place is the same application.
    assert_eq!((asked(&["shop/cart.yaml"]), asked(&["new-shop"])), (None, None));
    let narrowed = |narrowing: Narrowing| reasons(&|after| after.narrowing = narrowing.clone().unless_whole());
    let list = |word: &str| vec![word.to_owned()];
    assert_eq!(narrowed(Narrowing { only: list("host-ipc"), ..Narrowing::default() }), Some(Unseen::NotRun));
    assert_eq!(narrowed(Narrowing { without: list("host-pid"), ..Narrowing::default() }), Some(Unseen::NotRun));
    assert_eq!(narrowed(Narrowing { namespaces: list("pay"), ..Narrowing::default() }), Some(Unseen::NotJudged));
    assert_eq!(narrowed(Narrowing { labels: list("a=b"), ..Narrowing::default() }), Some(Unseen::NotJudged));
    assert_eq!(narrowed(Narrowing { objects: list("deployment/pay"), ..Narrowing::default() }), Some(Unseen::NotJudged));
    assert_eq!(narrowed(Narrowing { objects: list("deployment/cart"), namespaces: list("shop"), only: list("host-pid"), ..Narrowing::default() }), None);
}

#[test]
fn a_stage_that_was_not_run_closes_nothing() {
    let mut before = report(vec![failing("strict-one", "cart", &["p"]), failing("host-pid", "cart", &["p"])]);
    before.narrowing = Some(Narrowing { stage: Stage::Strict, ..Narrowing::default() });
    assert_eq!(lines(&between(&before, &report(Vec::new()))), ["closed host-pid cart p", "unconfirmed strict-one cart p NotRun"]);
}

#[test]
fn reports_of_different_benchmarks_are_not_compared() {
    let mut other = report(Vec::new());
    other.benchmark = Some("pss-baseline".to_owned());
    let error = Diff::between(&report(Vec::new()), &other, &|_| None).unwrap_err();
    assert_eq!(error.to_string(), "one report is of no benchmark and the other of benchmark `pss-baseline`: only the same can be compared");
}

#[test]
fn a_newer_version_of_an_api_is_the_same_object() {
    let before = report(vec![failing("host-pid", "cart", &["p"])]);
    let mut after = before.clone();
    after.findings[0].subject.as_mut().unwrap().api_version = "apps/v1beta2".to_owned();
    assert!(between(&before, &after).is_empty());
}

#[test]
fn a_baseline_is_a_report_and_nothing_else() {
    let text = serde_json::to_string(&report(vec![failing("host-pid", "cart", &["p"])])).unwrap();
    let baseline = Baseline::read(&text).unwrap();
    assert!(!baseline.compare(&report(vec![failing("host-pid", "cart", &["p"])]), &|_| None).unwrap().has_new());
    for (text, expected) in
        [("{}", "no `schema`"), ("{\"schema\":\"bartizan.report/2\"}", "bartizan.report/2"), ("{\"schema\":\"bartizan.report/1\"}", "missing field")]
    {
        let error = Baseline::read(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_comparison_is_read_back_as_it_was_written() {
    let gone = Unseen::NotRead { source: "a.yaml".to_owned() };
    let mut diff = between(&report(vec![failing("host-pid", "cart", &["p"])]), &report(vec![failing("host-ipc", "cart", &["p"])]));
    diff.unconfirmed.push(Unconfirmed { finding: failing("a", "b", &[]), unseen: gone });
    diff.opened[0].unseen = Some(Unseen::MissingFact(MissingFact { fact: "a".to_owned(), scope: "cluster".to_owned(), reason: "forbidden".to_owned() }));
    let text = serde_json::to_string(&diff).unwrap();
    assert!(text.starts_with("{\"schema\":\"bartizan.diff/1\"") && text.contains("\"why\":\"missing-fact\",\"fact\":\"a\""), "{text}");
    assert_eq!(serde_json::from_str::<Diff>(&text).unwrap(), diff);
}
