//! A report as JUnit XML, which CI systems show as tests.
//!
//! - One suite is one object, one case in it one check: CI systems group by suite and class and compare runs by class and
//!   name, so "`host-pid` of this workload" is new, still there, or gone. `classname` is `namespace.Kind/name`, because the
//!   part before the last dot is shown as a package.
//! - A failed finding is a `failure`. One that nobody could decide is an `error`: `skipped` would hide that a protection was
//!   never looked at. What a person must look at, and what is waived, is `skipped` with the reason.
//! - Passed judgements are only counted in a report, so there are no cases for them. The suite `input` is always there: it
//!   says whether everything that was asked for could be read, and keeps a clean report from looking like one without tests.
//! - `file` and `line` of a case are those of its first place. There are no times: the same input gives the same bytes.
//!
//! The words are English, as for machines, and no line of any file is quoted.

use std::collections::BTreeMap;
use std::io;

use bartizan_cluster::{Location, ObjectRef};
use quick_junit::{NonSuccessKind, Report as Document, TestCase, TestCaseStatus, TestSuite};

use super::Rendering;
use super::escape::visible;
use crate::finding::{Finding, Place, Safety, Subject, Verdict, WaiverNote};
use crate::page::Language;
use crate::report::{Coverage, Report};

/// Writes the report.
pub fn write(rendering: &Rendering<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    // The format is English whatever language people read.
    let rendering = Rendering { language: Language::English, ..*rendering };
    let report = rendering.report;
    let mut document = Document::new(&*visible(&report.tool.name));
    document.add_test_suite(input_suite(report));
    let mut owners: BTreeMap<Subject<'_>, Vec<&Finding>> = BTreeMap::new();
    for finding in &report.findings {
        owners.entry(finding.about()).or_default().push(finding);
    }
    let mut owners: Vec<_> = owners.into_iter().collect();
    owners.sort_by_key(|&(subject, _)| subject.object().map(|subject| (&subject.namespace, &subject.kind, &subject.name, &subject.api_version)));
    for (subject, findings) in owners {
        document.add_test_suite(suite(&rendering, subject, &findings));
    }
    let text = document.to_string().map_err(io::Error::other)?;
    out.write_all(text.trim_end().as_bytes())?;
    out.write_all(b"\n")
}

/// One case for the input as a whole, or one for each thing that was asked for and not had.
fn input_suite(report: &Report) -> TestSuite {
    let Coverage { read, problems, missing, not_in_source } = &report.coverage;
    let mut suite = TestSuite::new("input");
    for (name, value) in [
        ("source", report.source.names.join(", ")),
        ("kubernetes-version", report.kubernetes_version.clone()),
        ("observed-at", report.observed_at.clone()),
        ("objects", read.objects.to_string()),
        ("passed", report.summary.pass.to_string()),
        ("score", report.summary.score.map_or_else(|| "none".to_owned(), |score| score.to_string())),
        ("not-in-source", not_in_source.join(", ")),
    ] {
        suite.add_property((name, &*visible(&value)));
    }
    let mut cases = Vec::new();
    for problem in problems.iter().filter(|problem| problem.lost) {
        let place = problem.location.as_ref().map_or_else(|| problem.source.clone(), ToString::to_string);
        let mut case = case(&format!("{} {place}", problem.kind), "input", error(&problem.kind, &problem.message, &format!("{place}: {}", problem.message)));
        set_place(&mut case, problem.location.as_ref());
        cases.push(case);
    }
    for missing in missing {
        let message = format!("{} ({}) could not be read: {}", missing.fact, missing.scope, missing.reason);
        cases.push(case(&format!("{} {}", missing.fact, missing.scope), "input", error(&missing.reason, &message, &message)));
    }
    if cases.is_empty() {
        cases.push(case("everything that was asked for was read", "input", TestCaseStatus::success()));
    }
    suite.add_test_cases(cases);
    suite
}

fn suite(rendering: &Rendering<'_>, subject: Subject<'_>, findings: &[&Finding]) -> TestSuite {
    let name = subject.name("cluster");
    let mut suite = TestSuite::new(&*visible(&name));
    // A dot in a name would move the border between package and class.
    let class = subject.object().map_or_else(|| name.replace('.', "_"), class_of);
    for finding in findings {
        let mut case = case(&format!("{}: {}", finding.check, rendering.title(finding)), &class, status(rendering, finding));
        set_place(&mut case, finding.places.iter().find_map(|place| place.location.as_ref()));
        suite.add_test_case(case);
    }
    suite
}

fn class_of(subject: &ObjectRef) -> String {
    let package = subject.namespace.as_deref().unwrap_or("cluster");
    format!("{package}.{}/{}", subject.kind, subject.name.replace('.', "_"))
}

fn status(rendering: &Rendering<'_>, finding: &Finding) -> TestCaseStatus {
    match finding.verdict {
        Verdict::Fail => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_type(finding.severity.name()).set_message(&*visible(&finding.message)).set_description(description(rendering, finding));
            status
        }
        Verdict::Unknown => {
            let (kind, message) = match &finding.missing {
                Some(missing) => (missing.reason.as_str(), format!("unknown: {} ({}) is missing: {}", missing.fact, missing.scope, missing.reason)),
                None => ("unknown", format!("unknown: {}", finding.message)),
            };
            error(kind, &message, &description(rendering, finding))
        }
        Verdict::Manual => skipped("manual", &format!("a person must look: {}", finding.message), &description(rendering, finding)),
        Verdict::Waived => skipped("waived", &waiver_text(finding.waiver.as_ref()), &description(rendering, finding)),
        Verdict::Pass | Verdict::NotApplicable => TestCaseStatus::success(),
    }
}

fn waiver_text(waiver: Option<&WaiverNote>) -> String {
    let Some(waiver) = waiver else { return "waived".to_owned() };
    let until = waiver.until.as_deref().map(|until| format!(", until {until}")).unwrap_or_default();
    let owner = waiver.owner.as_deref().map(|owner| format!(", {owner}")).unwrap_or_default();
    format!("waived: {}{until}{owner} ({})", waiver.reason, waiver.source)
}

/// Everything a reader needs who sees nothing but the text of a case.
fn description(rendering: &Rendering<'_>, finding: &Finding) -> String {
    let subject = finding.about().name("cluster");
    let mut lines = vec![format!("{}[{}] {subject}: {}", finding.severity, finding.check, finding.message)];
    lines.extend(finding.places.iter().map(|place| place_text(rendering, finding, place)));
    for related in &finding.related {
        let place = related.location.as_ref().map(|location| format!(" ({location})")).unwrap_or_default();
        lines.push(format!("  see {}{place}: {}", related.object, related.note));
    }
    if !finding.controls.is_empty() {
        lines.push(format!("controls: {}", finding.controls.join(", ")));
    }
    let fix = rendering.pages.get(&finding.check).map_or("", |page| page.fix(Language::English));
    if !fix.is_empty() {
        lines.push(format!("fix: {}", fix.split_whitespace().collect::<Vec<_>>().join(" ")));
    }
    if let Some(fix) = finding.fix.as_ref().filter(|fix| !fix.patch.is_empty()) {
        let safety = match fix.safety {
            Safety::Safe => "safe",
            Safety::Unsafe => "try it first",
        };
        lines.push(format!("patch ({safety}): {}", serde_json::to_string(&fix.patch).unwrap_or_default()));
    }
    lines.iter().map(|line| visible(line)).collect::<Vec<_>>().join("\n")
}

fn place_text(rendering: &Rendering<'_>, finding: &Finding, place: &Place) -> String {
    let location = place.location.as_ref().map(|location| format!("{location} ")).unwrap_or_default();
    let object = place.object.as_ref().map(|object| format!(" of {object}")).unwrap_or_default();
    let message = place.message.as_ref().map(|_| format!(": {}", rendering.place_message(finding, place))).unwrap_or_default();
    format!("  at {location}{}{object}{message}", place.path)
}

fn case(name: &str, class: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(&*visible(name), status);
    case.set_classname(&*visible(class));
    case
}

fn set_place(case: &mut TestCase, location: Option<&Location>) {
    if let Some(location) = location {
        case.extra.insert("file".into(), visible(&location.file).into_owned().into());
        case.extra.insert("line".into(), location.line.to_string().into());
    }
}

fn error(kind: &str, message: &str, description: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status.set_type(&*visible(kind)).set_message(&*visible(message)).set_description(description);
    status
}

fn skipped(kind: &str, message: &str, description: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_type(kind).set_message(&*visible(message)).set_description(description);
    status
}
