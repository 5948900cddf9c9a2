//! What a report looked at: whether a fault that it does not show is known not to be there.

use bartizan_cluster::{Kind, ObjectRef, group_of};

use super::{StageOf, Unseen};
use crate::check::Stage;
use crate::finding::{Finding, MissingFact};
use crate::report::{Narrowing, Report};

/// What one report looked at, beside the other one.
pub(super) struct Sight<'r> {
    report: &'r Report,
    narrowing: Narrowing,
    /// The arguments, where they are a part of what the other report read.
    part: Option<Vec<&'r str>>,
    stage_of: StageOf<'r>,
}

impl<'r> Sight<'r> {
    pub(super) fn new(report: &'r Report, other: &'r Report, stage_of: StageOf<'r>) -> Self {
        let files = |report: &Report| report.source.kind == "files";
        let names: Vec<&str> = report.source.names.iter().map(String::as_str).collect();
        let is_part = files(report)
            && files(other)
            && report.source.names != other.source.names
            && names.iter().all(|name| other.source.names.iter().any(|around| holds(around, name)));
        Self { report, narrowing: report.narrowing.clone().unwrap_or_default(), part: is_part.then_some(names), stage_of }
    }

    /// Why the report may say nothing about this fault of the other one though it is there; `None` if it would show it.
    pub(super) fn gap(&self, finding: &Finding) -> Option<Unseen> {
        if !self.ran(&finding.check) {
            return Some(Unseen::NotRun);
        }
        if !self.judged(finding.subject.as_ref()) {
            return Some(Unseen::NotJudged);
        }
        self.outside(finding).or_else(|| self.unread(finding)).or_else(|| self.missing(finding.subject.as_ref()?))
    }

    fn ran(&self, check: &str) -> bool {
        let Narrowing { stage, only, without, .. } = &self.narrowing;
        let wanted = if only.is_empty() {
            self.report.benchmark.is_some() || (self.stage_of)(check).is_none_or(|of| of <= *stage || *stage == Stage::Auditor)
        } else {
            only.iter().any(|id| id == check)
        };
        wanted && without.iter().all(|id| id != check)
    }

    fn judged(&self, subject: Option<&ObjectRef>) -> bool {
        let Narrowing { namespaces, labels, objects, .. } = &self.narrowing;
        let everything = namespaces.is_empty() && labels.is_empty() && objects.is_empty();
        let Some(subject) = subject else { return everything };
        let place = subject.namespace.as_deref().or((subject.kind == "Namespace").then_some(subject.name.as_str()));
        let in_namespace = namespaces.is_empty() || place.is_some_and(|place| namespaces.iter().any(|namespace| namespace == place));
        let named = objects.is_empty()
            || objects.iter().any(|object| object.split_once('/').is_some_and(|(kind, name)| subject.kind.eq_ignore_ascii_case(kind) && subject.name == name));
        // A report does not say which labels its subjects have.
        in_namespace && named && labels.is_empty()
    }

    /// The text of the fault is outside what was asked to be read.
    fn outside(&self, finding: &Finding) -> Option<Unseen> {
        let part = self.part.as_ref()?;
        let file = files_of(finding).find(|file| !part.iter().any(|around| holds(around, file)))?;
        Some(Unseen::NotAsked { source: file.to_owned() })
    }

    /// The text of the fault, or the place that it was read from, could not be read whole.
    fn unread(&self, finding: &Finding) -> Option<Unseen> {
        let lost = self.report.coverage.problems.iter().filter(|problem| problem.lost);
        let mut lost = lost.map(|problem| problem.source.as_str());
        let source = lost.find(|source| files_of(finding).any(|file| holds(source, file)))?;
        Some(Unseen::NotRead { source: source.to_owned() })
    }

    /// The subject, or what it runs, is among the lists that could not be had.
    fn missing(&self, subject: &ObjectRef) -> Option<Unseen> {
        let kind = Kind::of(group_of(&subject.api_version), &subject.kind);
        let plural = kind.resource().map(|resource| resource.plural);
        let concerned = |missing: &&MissingFact| {
            let of_kind = plural.is_some_and(|plural| plural == missing.fact) || (kind == Kind::Other && missing.fact == "objects");
            let in_scope = match (missing.scope.split_once('/'), subject.namespace.as_deref()) {
                (Some(("namespace", name)), Some(namespace)) => name == namespace,
                (Some(("namespaces-except", names)), Some(namespace)) => names.split(',').all(|name| name != namespace),
                _ => true,
            };
            of_kind && in_scope
        };
        self.report.coverage.missing.iter().find(concerned).cloned().map(Unseen::MissingFact)
    }
}

fn files_of(finding: &Finding) -> impl Iterator<Item = &str> {
    finding.places.iter().filter_map(|place| place.location.as_ref()).map(|location| location.file.as_str())
}

/// Whether the file or directory `inside` is `around`, or lies below it.
fn holds(around: &str, inside: &str) -> bool {
    let plain = |path: &str| -> String {
        let path = path.trim_end_matches('/');
        path.strip_prefix("./").unwrap_or(path).to_owned()
    };
    let (around, inside) = (plain(around), plain(inside));
    let relative = !inside.starts_with(['/']) && !inside.starts_with("../") && inside != "..";
    around == inside || (around == "." && relative && inside != "-") || inside.strip_prefix(&around).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod unit {
    use super::holds;

    #[test]
    fn a_directory_holds_what_is_below_it() {
        for (around, inside) in [("apps", "apps/a.yaml"), ("./apps/", "apps/b/c.yaml"), (".", "apps/a.yaml"), ("a.yaml", "./a.yaml"), ("-", "-")] {
            assert!(holds(around, inside), "{around} {inside}");
        }
        for (around, inside) in [("app", "apps/a.yaml"), (".", "../a.yaml"), (".", "/a.yaml"), (".", "-"), ("apps/a.yaml", "apps")] {
            assert!(!holds(around, inside), "{around} {inside}");
        }
    }
}
