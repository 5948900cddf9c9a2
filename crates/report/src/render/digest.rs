//! A report in the order in which people act on it: by owner, the gravest first, repeated faults told once.
//!
//! It only sorts references; nothing is written here.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::check::Severity;
use crate::finding::{Finding, MissingFact, Subject, Verdict};
use crate::report::Report;

/// The failures of one owner.
#[derive(Debug)]
pub(crate) struct Owner<'a> {
    /// Who that is.
    pub(crate) subject: Subject<'a>,
    /// Its failures, the gravest first.
    pub(crate) findings: Vec<&'a Finding>,
}

impl Owner<'_> {
    /// How many failures there are of each severity, the gravest first.
    pub(crate) fn counts(&self) -> [usize; 4] {
        Severity::ALL.map(|severity| self.findings.iter().filter(|finding| finding.severity == severity).count())
    }

    /// How many pods it runs.
    pub(crate) fn replicas(&self) -> Option<u32> {
        self.findings.iter().find_map(|finding| finding.replicas)
    }
}

/// The failures of one check.
#[derive(Debug)]
pub(crate) struct Fault<'a> {
    /// The first of them, in the order of the owners.
    pub(crate) leader: &'a Finding,
    /// All of them, the leader included, in the order of the owners.
    pub(crate) findings: Vec<&'a Finding>,
}

/// A report, sorted.
#[derive(Debug)]
pub(crate) struct Digest<'a> {
    /// Who fails, the worst first.
    pub(crate) owners: Vec<Owner<'a>>,
    /// What fails, the gravest and then the most repeated first.
    pub(crate) faults: Vec<Fault<'a>>,
    /// What a person must look at, in the order of the report.
    pub(crate) manual: Vec<&'a Finding>,
    /// What stayed open, by the fact that was missing.
    pub(crate) unknown: BTreeMap<Option<&'a MissingFact>, Vec<&'a Finding>>,
}

impl<'a> Digest<'a> {
    /// Sorts the findings of `report`.
    pub(crate) fn of(report: &'a Report) -> Self {
        let mut failures: Vec<&Finding> = report.findings.iter().filter(|finding| finding.verdict == Verdict::Fail).collect();
        failures.sort_by(|one, two| one.order().cmp(&two.order()));
        let mut by_owner: BTreeMap<Subject<'_>, Vec<&Finding>> = BTreeMap::new();
        for finding in failures {
            by_owner.entry(finding.about()).or_default().push(finding);
        }
        let mut owners: Vec<Owner<'_>> = by_owner.into_iter().map(|(subject, findings)| Owner { subject, findings }).collect();
        owners.sort_by_cached_key(|owner| (Reverse(owner.counts()), name_key(owner.subject)));

        let mut by_check: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
        for finding in owners.iter().flat_map(|owner| &owner.findings) {
            by_check.entry(&finding.check).or_default().push(finding);
        }
        let mut faults: Vec<Fault<'_>> = by_check.into_values().filter_map(|findings| Some(Fault { leader: findings.first()?, findings })).collect();
        faults.sort_by_key(|fault| (Reverse(fault.leader.severity), Reverse(fault.findings.len())));

        let mut unknown: BTreeMap<_, Vec<&Finding>> = BTreeMap::new();
        for finding in report.findings.iter().filter(|finding| finding.verdict == Verdict::Unknown) {
            unknown.entry(finding.missing.as_ref()).or_default().push(finding);
        }
        Self { owners, faults, manual: report.findings.iter().filter(|finding| finding.verdict == Verdict::Manual).collect(), unknown }
    }

    /// Whether the failures can be seen at one glance.
    pub(crate) fn is_short(&self) -> bool {
        self.faults.iter().map(|fault| fault.findings.len()).sum::<usize>() <= 3
    }

    /// The repeated faults: of every message that at least `least` owners share, by check and message key, the first
    /// finding with all that follow it.
    pub(crate) fn repeats(&self, least: usize) -> Repeats<'a> {
        let mut alike: BTreeMap<(&str, &str), Vec<&Finding>> = BTreeMap::new();
        for finding in self.owners.iter().flat_map(|owner| &owner.findings) {
            alike.entry((&finding.check, &finding.message_key)).or_default().push(finding);
        }
        let mut repeats = Repeats::default();
        for findings in alike.into_values().filter(|findings| findings.len() >= least) {
            let Some((leader, rest)) = findings.split_first() else { continue };
            repeats.told.extend(rest.iter().map(|finding| address(finding)));
            repeats.followers.insert(address(leader), rest.to_vec());
        }
        repeats
    }
}

/// Which findings stand for others of the same kind.
#[derive(Debug, Default)]
pub(crate) struct Repeats<'a> {
    followers: BTreeMap<usize, Vec<&'a Finding>>,
    told: BTreeSet<usize>,
}

impl<'a> Repeats<'a> {
    /// The findings that `finding` stands for, besides itself.
    pub(crate) fn followers(&self, finding: &Finding) -> &[&'a Finding] {
        self.followers.get(&address(finding)).map_or(&[], Vec::as_slice)
    }

    /// Whether anything is told once for several.
    pub(crate) fn any(&self) -> bool {
        !self.told.is_empty()
    }

    /// Whether another finding stands for this one.
    pub(crate) fn is_told(&self, finding: &Finding) -> bool {
        self.told.contains(&address(finding))
    }
}

/// Which finding of a report this is: fingerprints of a report that was written by hand may be equal.
fn address(finding: &Finding) -> usize {
    std::ptr::from_ref(finding).addr()
}

fn name_key(subject: Subject<'_>) -> (&str, &str, &str) {
    subject.object().map_or(("", "", ""), |subject| (subject.namespace.as_deref().unwrap_or(""), &subject.kind, &subject.name))
}
