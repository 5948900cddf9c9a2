//! What the template shows: a report arranged for reading. Nothing is escaped here but prose, which is HTML already.
//!
//! Failed findings stand under their owners, the worst owner first. What a check means is said once, in its guide, however
//! many owners share it; unknown and manual findings are folded by what they have in common.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use bartizan_cluster::{Location, ObjectRef};

use super::excerpt::{Excerpts, Shown};
use super::prose;
use super::words::{Words, counted, grouped};
use crate::check::Severity;
use crate::finding::{Finding, MissingFact, PatchOperation, Place, PlaceOrigin, Related, Safety, Scope, Subject, Verdict};
use crate::render::prose::first_sentences;
use crate::render::{Rendering, words};
use crate::report::ReportProblem;

/// Steps under "what to do first": as many as a person keeps in mind.
const FIRST_STEPS: usize = 5;
/// Columns of advice beside a step; the guide has all of it.
const ADVICE: usize = 200;
/// Up to this many failed findings, every owner is open from the start.
const OPEN_ALL: usize = 120;
/// Owners that are open from the start in a longer report.
const OPEN_FIRST: usize = 10;
/// Findings that are open from the start: the gravest ones, as an example of what is inside the others.
const OPEN_FINDINGS: usize = 3;
/// The namespace of what belongs to none; no namespace can be called so.
pub(super) const CLUSTER_WIDE: &str = "-";

/// HTML that needs no escaping.
pub(super) type Html = String;

/// The whole page.
#[derive(Debug)]
pub(super) struct View<'a> {
    pub(super) words: &'static Words,
    pub(super) name: String,
    pub(super) headline: Headline,
    pub(super) score: Option<Score>,
    pub(super) bars: Vec<Bar>,
    pub(super) verdicts: Vec<(&'static str, String)>,
    pub(super) steps: Vec<Step<'a>>,
    pub(super) read: Vec<(&'static str, String)>,
    pub(super) assumptions: Vec<Cow<'a, str>>,
    pub(super) problems: Vec<(&'a ReportProblem, String)>,
    pub(super) missing: Vec<(&'a MissingFact, &'a str, Html)>,
    pub(super) not_in_source: &'a [String],
    pub(super) owners: Vec<Owner<'a>>,
    pub(super) unknown: Vec<Question<'a>>,
    pub(super) manual: Vec<Question<'a>>,
    pub(super) waived: Vec<Waived<'a>>,
    pub(super) guides: Vec<Guide<'a>>,
    pub(super) checks: Vec<(&'a str, usize)>,
    pub(super) namespaces: Vec<(&'a str, usize)>,
    pub(super) severities: Vec<(&'static str, &'static str)>,
    pub(super) rows: usize,
}

/// What the report says in one line.
#[derive(Debug)]
pub(super) struct Headline {
    pub(super) text: String,
    pub(super) more: String,
    pub(super) clean: bool,
    pub(super) incomplete: bool,
}

/// The score, and the length of its arc.
#[derive(Debug)]
pub(super) struct Score {
    pub(super) text: String,
    pub(super) arc: String,
}

/// One part of the bar of severities.
#[derive(Debug)]
pub(super) struct Bar {
    pub(super) class: &'static str,
    pub(super) label: &'static str,
    pub(super) count: String,
    pub(super) is_zero: bool,
    pub(super) start: String,
    pub(super) width: String,
}

/// One thing to do first.
#[derive(Debug)]
pub(super) struct Step<'a> {
    pub(super) badge: Badge,
    pub(super) title: Html,
    pub(super) check: &'a str,
    pub(super) anchor: String,
    pub(super) reach: String,
    pub(super) patches: Option<String>,
    pub(super) advice: Html,
}

/// A severity as it is shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Badge {
    pub(super) class: &'static str,
    pub(super) label: &'static str,
}

/// An object with its failed findings.
#[derive(Debug)]
pub(super) struct Owner<'a> {
    pub(super) kind: &'a str,
    pub(super) namespace: Option<&'a str>,
    pub(super) name: &'a str,
    pub(super) file: Option<&'a str>,
    pub(super) pods: Option<String>,
    pub(super) uncertain: bool,
    pub(super) counts: Vec<(Badge, usize)>,
    pub(super) open: bool,
    pub(super) rows: Vec<Row<'a>>,
}

/// What the filter looks at.
#[derive(Debug)]
pub(super) struct Facets<'a> {
    pub(super) severity: &'static str,
    pub(super) check: &'a str,
    pub(super) namespaces: String,
}

/// One failed finding.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) anchor: String,
    pub(super) facets: Facets<'a>,
    pub(super) badge: Badge,
    pub(super) message: Html,
    pub(super) guide: String,
    pub(super) open: bool,
    pub(super) places: Vec<Spot<'a>>,
    pub(super) shown: Shown<'a>,
    pub(super) more: Option<String>,
    pub(super) change: Option<Change>,
    pub(super) related: &'a [Related],
    pub(super) controls: &'a [String],
}

/// One place of a finding.
#[derive(Debug)]
pub(super) struct Spot<'a> {
    pub(super) path: &'a str,
    pub(super) location: Option<&'a Location>,
    pub(super) container: Option<&'a str>,
    pub(super) object: Option<&'a ObjectRef>,
    pub(super) from_admission: bool,
    pub(super) message: Option<Html>,
}

/// A change that removes a fault.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) safe: bool,
    pub(super) text: String,
}

/// What several findings leave open for the same reason.
#[derive(Debug)]
pub(super) struct Question<'a> {
    pub(super) facets: Facets<'a>,
    pub(super) badge: Badge,
    pub(super) missing: Option<&'a MissingFact>,
    pub(super) reason: &'a str,
    pub(super) title: Html,
    pub(super) guide: String,
    pub(super) messages: Vec<Html>,
    pub(super) subjects: Vec<String>,
    pub(super) reach: String,
}

/// One accepted fault.
#[derive(Debug)]
pub(super) struct Waived<'a> {
    pub(super) anchor: String,
    pub(super) facets: Facets<'a>,
    pub(super) badge: Badge,
    pub(super) title: Html,
    pub(super) guide: String,
    pub(super) subject: String,
    pub(super) reason: &'a str,
    pub(super) until: &'a str,
    pub(super) owner: &'a str,
    pub(super) source: &'a str,
}

/// What one check means.
#[derive(Debug)]
pub(super) struct Guide<'a> {
    pub(super) anchor: String,
    pub(super) check: &'a str,
    pub(super) badge: Badge,
    pub(super) title: Html,
    pub(super) reach: String,
    pub(super) why: Html,
    pub(super) fix: Html,
    pub(super) patch: Option<&'static str>,
    pub(super) references: Vec<Html>,
    pub(super) controls: Vec<&'a str>,
    pub(super) affected: Vec<(String, Option<String>)>,
}

impl<'a> View<'a> {
    /// Arranges `rendering`.
    pub(super) fn new(rendering: &Rendering<'a>) -> Self {
        let report = rendering.report;
        let words = Words::of(rendering.language);
        let arranged = Arrangement { rendering, words, shared: words::Words::of(rendering.language), anchors: anchors(&report.findings) };
        let failed: Vec<usize> = arranged.with(Verdict::Fail);
        let coverage = &report.coverage;
        View {
            words,
            name: report.source.names.join(", "),
            headline: arranged.headline(&failed),
            score: report.summary.score.map(|score| Score { text: format!("{score:.1}"), arc: format!("{:.1}", score.clamp(0.0, 100.0)) }),
            bars: arranged.bars(),
            verdicts: arranged.verdicts(),
            steps: arranged.steps(&failed),
            read: arranged.read(),
            assumptions: report.assumptions.iter().map(|text| words::assumption(rendering.language, text)).collect(),
            problems: coverage.problems.iter().map(|problem| (problem, place_of(problem))).collect(),
            missing: coverage.missing.iter().map(|missing| arranged.lost(missing)).collect(),
            not_in_source: &coverage.not_in_source,
            owners: arranged.owners(&failed),
            unknown: arranged.questions(Verdict::Unknown),
            manual: arranged.questions(Verdict::Manual),
            waived: arranged.waived(),
            guides: arranged.guides(),
            checks: counts(report.findings.iter().map(|finding| finding.check.as_str())),
            namespaces: counts(report.findings.iter().map(namespace)),
            severities: Severity::ALL.iter().map(|&severity| (severity.name(), words.severity(severity))).collect(),
            rows: 0,
        }
        .numbered()
    }

    fn numbered(mut self) -> Self {
        self.rows = self.owners.iter().map(|owner| owner.rows.len()).sum::<usize>() + self.unknown.len() + self.manual.len() + self.waived.len();
        self
    }

    /// Whether nothing at all was found.
    pub(super) fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// What a namespace is called in the filter.
    pub(super) fn namespace_label<'n>(&self, name: &'n str) -> &'n str {
        if name == CLUSTER_WIDE { self.words.cluster_wide } else { name }
    }
}

/// What folded findings have in common.
type QuestionKey<'a> = (Option<&'a MissingFact>, Reverse<Severity>, &'a str);

/// A report together with what is needed to arrange it.
struct Arrangement<'r, 'a> {
    rendering: &'r Rendering<'a>,
    words: &'static Words,
    /// The words of all renderers.
    shared: &'static words::Words,
    /// The anchor of each finding.
    anchors: Vec<String>,
}

impl<'a> Arrangement<'_, 'a> {
    fn findings(&self) -> &'a [Finding] {
        &self.rendering.report.findings
    }

    fn with(&self, verdict: Verdict) -> Vec<usize> {
        (0..).zip(self.findings()).filter(|(_, finding)| finding.verdict == verdict).map(|(number, _)| number).collect()
    }

    fn picked(&self, numbers: &[usize]) -> Vec<(usize, &'a Finding)> {
        numbers.iter().filter_map(|&number| Some((number, self.findings().get(number)?))).collect()
    }

    fn anchor(&self, number: usize) -> String {
        self.anchors.get(number).cloned().unwrap_or_default()
    }

    fn badge(&self, severity: Severity) -> Badge {
        Badge { class: severity.name(), label: self.words.severity(severity) }
    }

    fn reach(&self, count: usize) -> String {
        counted(count, self.words.affects_one, self.words.affects_many)
    }

    fn headline(&self, failed: &[usize]) -> Headline {
        let (report, words) = (self.rendering.report, self.words);
        let incomplete = report.coverage.is_incomplete();
        let open = incomplete || report.summary.unknown > 0;
        let subjects: BTreeSet<_> = self.picked(failed).into_iter().map(|(_, finding)| finding.about()).collect();
        let (text, more) = match failed.len() {
            0 if open => (words.clean_as_read.to_owned(), String::new()),
            0 => (words.clean.to_owned(), String::new()),
            count => (counted(count, words.one_fault, words.many_faults), counted(subjects.len(), words.on_one, words.on_many)),
        };
        Headline { text, more, clean: failed.is_empty() && !open, incomplete }
    }

    #[expect(clippy::cast_precision_loss, reason = "the share of a bar; counts are far below 2^52")]
    fn bars(&self) -> Vec<Bar> {
        /// No count is so small beside the others that its part of the bar cannot be seen.
        const LEAST: f64 = 1.5;
        let fail = &self.rendering.report.summary.fail;
        let total = fail.total().max(1) as f64;
        let raw: Vec<f64> = Severity::ALL
            .iter()
            .map(|&severity| fail.of(severity) as f64 / total * 100.0)
            .map(|share| if share > 0.0 { share.max(LEAST) } else { 0.0 })
            .collect();
        let sum = raw.iter().sum::<f64>().max(1.0);
        let mut start = 0.0;
        Severity::ALL
            .iter()
            .zip(raw)
            .map(|(&severity, share)| {
                let width = share / sum * 100.0;
                let count = fail.of(severity);
                let bar = Bar {
                    class: severity.name(),
                    label: self.words.severity(severity),
                    count: grouped(usize::try_from(count).unwrap_or(usize::MAX)),
                    is_zero: count == 0,
                    start: format!("{start:.2}"),
                    width: format!("{width:.2}"),
                };
                start += width;
                bar
            })
            .collect()
    }

    fn verdicts(&self) -> Vec<(&'static str, String)> {
        let (summary, words) = (&self.rendering.report.summary, self.words);
        [
            (words.passed, summary.pass),
            (words.unknown, summary.unknown),
            (words.manual, summary.manual),
            (words.waived, summary.waived),
            (words.not_applicable, summary.not_applicable),
        ]
        .into_iter()
        .filter(|&(name, count)| count > 0 || name == words.passed || name == words.unknown)
        .map(|(name, count)| (name, grouped(usize::try_from(count).unwrap_or(usize::MAX))))
        .collect()
    }

    fn read(&self) -> Vec<(&'static str, String)> {
        let (report, words) = (self.rendering.report, self.words);
        let read = &report.coverage.read;
        let mut rows = vec![
            (words.sources, format!("{} ({})", report.source.names.join(", "), words.source_kind(&report.source.kind))),
            (words.observed, to_the_second(&report.observed_at)),
            (words.kubernetes, report.kubernetes_version.clone()),
        ];
        rows.extend(report.benchmark.iter().map(|benchmark| (words.benchmark, benchmark.clone())));
        let counts = [
            (words.files, read.files),
            (words.documents, read.documents),
            (words.objects, read.objects),
            (words.other_documents, read.other_documents),
            (words.skipped, read.skipped),
        ];
        rows.extend(counts.into_iter().filter(|&(name, count)| count > 0 || name == words.objects).map(|(name, count)| (name, grouped(count))));
        rows.extend(self.narrowing());
        rows.push((words.tool, format!("{} {}", report.tool.name, report.tool.version)));
        rows
    }

    /// What was left out on purpose.
    fn narrowing(&self) -> Vec<(&'static str, String)> {
        let Some(narrowing) = &self.rendering.report.narrowing else { return Vec::new() };
        let words = self.words;
        let lists = [
            (words.only, &narrowing.only),
            (words.without, &narrowing.without),
            (words.namespace, &narrowing.namespaces),
            (words.labels, &narrowing.labels),
            (words.judged, &narrowing.objects),
        ];
        let lists = lists.into_iter().filter(|(_, names)| !names.is_empty()).map(|(name, names)| (name, names.join(", ")));
        [(words.stage, narrowing.stage.name().to_owned())].into_iter().chain(lists).collect()
    }

    fn lost(&self, missing: &'a MissingFact) -> (&'a MissingFact, &'a str, Html) {
        let remedy = words::remedy(self.shared, missing).map(prose::inline).unwrap_or_default();
        (missing, words::reason(self.shared, &missing.reason), remedy)
    }

    fn steps(&self, failed: &[usize]) -> Vec<Step<'a>> {
        let mut by_check: BTreeMap<&str, Vec<&'a Finding>> = BTreeMap::new();
        for (_, finding) in self.picked(failed) {
            by_check.entry(&finding.check).or_default().push(finding);
        }
        let mut ranked: Vec<_> = by_check.into_iter().filter_map(|(check, findings)| Some((check, *findings.first()?, findings))).collect();
        ranked.sort_by_key(|(check, first, findings)| (Reverse(first.severity), Reverse(findings.len()), *check));
        ranked
            .into_iter()
            .take(FIRST_STEPS)
            .map(|(check, first, findings)| {
                let patches = findings.iter().filter(|finding| finding.fix.is_some()).count();
                let advice = self.rendering.pages.get(check).map_or("", |page| page.fix(self.rendering.language));
                Step {
                    badge: self.badge(first.severity),
                    title: prose::inline(self.rendering.title(first)),
                    check,
                    anchor: check_anchor(check),
                    reach: self.reach(findings.len()),
                    patches: (patches > 0).then(|| counted(patches, self.words.one_patch, self.words.many_patches)),
                    advice: prose::inline(&first_sentences(advice, ADVICE)),
                }
            })
            .collect()
    }

    fn owners(&self, failed: &[usize]) -> Vec<Owner<'a>> {
        let excerpts = Excerpts::new(self.rendering.report, self.rendering.sources);
        let mut by_owner: BTreeMap<Subject<'_>, Vec<(usize, &'a Finding)>> = BTreeMap::new();
        for (number, finding) in self.picked(failed) {
            by_owner.entry(finding.about()).or_default().push((number, finding));
        }
        let mut owners: Vec<_> = by_owner.into_iter().collect();
        owners.sort_by_cached_key(|(subject, findings)| {
            let worst = findings.iter().map(|(_, finding)| finding.severity).max();
            let weight: u32 = findings.iter().map(|(_, finding)| finding.severity.weight()).sum();
            let object = subject.object();
            let namespace = object.and_then(|object| object.namespace.clone());
            (Reverse(worst), Reverse(weight), namespace, object.map(|object| (object.kind.clone(), object.name.clone())))
        });
        let mut to_open = OPEN_FINDINGS;
        owners
            .into_iter()
            .enumerate()
            .map(|(at, (subject, findings))| {
                let open = failed.len() <= OPEN_ALL || at < OPEN_FIRST;
                self.owner(subject, &findings, open, &excerpts, &mut to_open)
            })
            .collect()
    }

    fn owner(&self, subject: Subject<'a>, findings: &[(usize, &'a Finding)], open: bool, excerpts: &Excerpts<'a>, to_open: &mut usize) -> Owner<'a> {
        let words = self.words;
        let object = subject.object();
        let count = |severity| findings.iter().filter(|(_, finding)| finding.severity == severity).count();
        let pods = findings.iter().find_map(|(_, finding)| finding.replicas);
        Owner {
            kind: object.map_or("", |object| &object.kind),
            namespace: object.and_then(|object| object.namespace.as_deref()),
            name: match subject {
                Subject::Cluster => words.whole_cluster,
                Subject::File(file) => file,
                Subject::Object(object) => &object.name,
            },
            file: findings.iter().flat_map(|(_, finding)| &finding.places).find_map(|place| place.location.as_ref()).map(|location| location.file.as_str()),
            pods: pods.map(|pods| counted(pods as usize, words.one_pod, words.many_pods)),
            uncertain: findings.iter().any(|(_, finding)| finding.owner_chain.is_some()),
            counts: Severity::ALL.iter().map(|&severity| (self.badge(severity), count(severity))).filter(|&(_, count)| count > 0).collect(),
            open,
            rows: findings
                .iter()
                .map(|&(number, finding)| {
                    let open = finding.severity >= Severity::High && *to_open > 0;
                    *to_open -= usize::from(open);
                    self.row(number, finding, open, excerpts)
                })
                .collect(),
        }
    }

    fn row(&self, number: usize, finding: &'a Finding, open: bool, excerpts: &Excerpts<'a>) -> Row<'a> {
        let shown = excerpts.of(finding);
        Row {
            anchor: self.anchor(number),
            facets: facets(finding, [namespace(finding)]),
            badge: self.badge(finding.severity),
            message: prose::inline(&self.rendering.message(finding)),
            guide: check_anchor(&finding.check),
            open,
            places: finding.places.iter().map(|place| self.spot(finding, place)).collect(),
            more: (shown.more > 0).then(|| self.words.more_frames.replace("{n}", &grouped(shown.more))),
            shown,
            change: finding
                .fix
                .as_ref()
                .filter(|fix| !fix.patch.is_empty())
                .map(|fix| Change { safe: fix.safety == Safety::Safe, text: patch_text(&fix.patch) }),
            related: &finding.related,
            controls: &finding.controls,
        }
    }

    fn spot(&self, finding: &Finding, place: &'a Place) -> Spot<'a> {
        Spot {
            path: &place.path,
            location: place.location.as_ref(),
            container: place.container.as_deref(),
            object: place.object.as_ref(),
            from_admission: place.origin == PlaceOrigin::Admission,
            message: place.message.as_ref().map(|_| prose::inline(&self.rendering.place_message(finding, place))),
        }
    }

    fn questions(&self, verdict: Verdict) -> Vec<Question<'a>> {
        let mut groups: BTreeMap<QuestionKey<'a>, Vec<&'a Finding>> = BTreeMap::new();
        for (_, finding) in self.picked(&self.with(verdict)) {
            groups.entry((finding.missing.as_ref(), Reverse(finding.severity), finding.check.as_str())).or_default().push(finding);
        }
        groups
            .into_iter()
            .filter_map(|((missing, Reverse(severity), check), findings)| {
                let first = *findings.first()?;
                let messages: BTreeSet<String> = findings.iter().map(|finding| self.rendering.message(finding)).filter(|message| !message.is_empty()).collect();
                Some(Question {
                    facets: facets(first, findings.iter().map(|finding| namespace(finding))),
                    badge: self.badge(severity),
                    missing,
                    reason: missing.map_or(self.words.missing_unsaid, |missing| words::reason(self.shared, &missing.reason)),
                    title: prose::inline(self.rendering.title(first)),
                    guide: check_anchor(check),
                    messages: messages.iter().map(|message| prose::inline(message)).collect(),
                    subjects: findings.iter().map(|finding| self.subject(finding)).collect(),
                    reach: self.reach(findings.len()),
                })
            })
            .collect()
    }

    fn waived(&self) -> Vec<Waived<'a>> {
        self.picked(&self.with(Verdict::Waived))
            .into_iter()
            .map(|(number, finding)| {
                let waiver = finding.waiver.as_ref();
                Waived {
                    anchor: self.anchor(number),
                    facets: facets(finding, [namespace(finding)]),
                    badge: self.badge(finding.severity),
                    title: prose::inline(self.rendering.title(finding)),
                    guide: check_anchor(&finding.check),
                    subject: self.subject(finding),
                    reason: waiver.map_or("", |waiver| &waiver.reason),
                    until: waiver.and_then(|waiver| waiver.until.as_deref()).unwrap_or(self.words.no_end),
                    owner: waiver.and_then(|waiver| waiver.owner.as_deref()).unwrap_or("–"),
                    source: waiver.map_or("", |waiver| &waiver.source),
                }
            })
            .collect()
    }

    fn guides(&self) -> Vec<Guide<'a>> {
        let mut by_check: BTreeMap<&str, Vec<(usize, &'a Finding)>> = BTreeMap::new();
        for (number, finding) in (0..).zip(self.findings()) {
            by_check.entry(&finding.check).or_default().push((number, finding));
        }
        let mut guides: Vec<(Severity, Guide<'a>)> = by_check
            .into_iter()
            .filter_map(|(check, findings)| {
                let severity = findings.iter().map(|(_, finding)| finding.severity).max()?;
                Some((severity, self.guide(check, severity, &findings)?))
            })
            .collect();
        guides.sort_by(|(one, _), (other, _)| other.cmp(one));
        guides.into_iter().map(|(_, guide)| guide).collect()
    }

    fn guide(&self, check: &'a str, severity: Severity, findings: &[(usize, &'a Finding)]) -> Option<Guide<'a>> {
        let (_, first) = *findings.first()?;
        let language = self.rendering.language;
        let page = self.rendering.pages.get(check);
        let patch = page.and_then(|page| page.examples().into_iter().find(|example| example.role == "patch")).map(|example| example.text);
        let controls: BTreeSet<&str> = findings.iter().flat_map(|(_, finding)| finding.controls.iter().map(String::as_str)).collect();
        Some(Guide {
            anchor: check_anchor(check),
            check,
            badge: self.badge(severity),
            title: prose::inline(self.rendering.title(first)),
            reach: self.reach(findings.len()),
            why: page.map(|page| prose::blocks(page.reason(language))).unwrap_or_default(),
            fix: page.map(|page| prose::blocks(page.fix(language))).unwrap_or_default(),
            patch,
            references: page.map(|page| page.references().map(prose::inline).collect()).unwrap_or_default(),
            controls: controls.into_iter().collect(),
            affected: findings
                .iter()
                .map(|&(number, finding)| {
                    // Folded findings have no row of their own to lead to.
                    let has_row = matches!(finding.verdict, Verdict::Fail | Verdict::Waived);
                    (self.subject(finding), has_row.then(|| self.anchor(number)))
                })
                .collect(),
        })
    }

    fn subject(&self, finding: &Finding) -> String {
        finding.about().name(self.words.whole_cluster)
    }
}

/// The namespace that a finding belongs to: its own for a namespace, none for the cluster.
fn namespace(finding: &Finding) -> &str {
    let Some(subject) = &finding.subject else { return CLUSTER_WIDE };
    if finding.scope == Scope::Namespace && subject.kind == "Namespace" {
        return &subject.name;
    }
    subject.namespace.as_deref().unwrap_or(CLUSTER_WIDE)
}

fn facets<'a, 'n>(finding: &'a Finding, namespaces: impl IntoIterator<Item = &'n str>) -> Facets<'a> {
    let namespaces: BTreeSet<&str> = namespaces.into_iter().collect();
    Facets { severity: finding.severity.name(), check: &finding.check, namespaces: namespaces.into_iter().collect::<Vec<_>>().join(" ") }
}

fn counts<'a>(names: impl Iterator<Item = &'a str>) -> Vec<(&'a str, usize)> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for name in names {
        *counts.entry(name).or_default() += 1;
    }
    counts.into_iter().collect()
}

/// One anchor a finding, made of its fingerprint so that a link outlives the next scan. The same fault twice gets a number.
fn anchors(findings: &[Finding]) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    findings
        .iter()
        .map(|finding| {
            let stem = format!("f-{}", slug(finding.fingerprint.get(..12).unwrap_or(&finding.fingerprint)));
            let count = seen.entry(stem.clone()).or_default();
            *count += 1;
            if *count == 1 { stem } else { format!("{stem}-{count}") }
        })
        .collect()
}

fn check_anchor(check: &str) -> String {
    format!("check-{}", slug(check))
}

/// What may stand in a fragment as it is. Ids and fingerprints already do, unless a report was written by another hand.
fn slug(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect()
}

fn place_of(problem: &ReportProblem) -> String {
    problem.location.as_ref().map_or_else(|| problem.source.clone(), ToString::to_string)
}

/// A time without the fraction of its second, which nobody reads.
fn to_the_second(time: &str) -> String {
    match time.split_once('.') {
        Some((seconds, fraction)) => format!("{seconds}{}", fraction.trim_start_matches(|digit: char| digit.is_ascii_digit())),
        None => time.to_owned(),
    }
}

/// The patch as YAML: what `kubectl patch --type=json --patch-file` reads.
fn patch_text(patch: &[PatchOperation]) -> String {
    let mut text = String::new();
    for operation in patch {
        let (name, pointer, value) = match operation {
            PatchOperation::Add { path, value } => ("add", path, Some(value)),
            PatchOperation::Replace { path, value } => ("replace", path, Some(value)),
            PatchOperation::Remove { path } => ("remove", path, None),
        };
        // JSON is YAML, so values and paths need no quoting of their own.
        text.extend(["- op: ", name, "\n  path: ", &quoted(pointer), "\n"]);
        if let Some(value) = value {
            text.extend(["  value: ", &value.to_string(), "\n"]);
        }
    }
    text
}

fn quoted(path: &str) -> String {
    let plain = path.starts_with('/') && path.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '~' | '.'));
    if plain { path.to_owned() } else { serde_json::Value::from(path).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_is_yaml_that_kubectl_reads() {
        let patch = [
            PatchOperation::Replace { path: "/spec/template/spec/hostPID".into(), value: false.into() },
            PatchOperation::Add { path: "/metadata/annotations/a: b".into(), value: serde_json::json!({"x": ["y"]}) },
            PatchOperation::Remove { path: "/spec/x".into() },
        ];
        let expected = "- op: replace\n  path: /spec/template/spec/hostPID\n  value: false\n\
                        - op: add\n  path: \"/metadata/annotations/a: b\"\n  value: {\"x\":[\"y\"]}\n\
                        - op: remove\n  path: /spec/x\n";
        assert_eq!(patch_text(&patch), expected);
    }

    #[test]
    fn a_time_is_told_to_the_second() {
        assert_eq!(to_the_second("2026-11-24T04:06:34.600256948Z"), "2026-11-24T04:06:34Z");
        assert_eq!(to_the_second("2026-11-24T04:06:34Z"), "2026-11-24T04:06:34Z");
    }

    #[test]
    fn anchors_hold_no_foreign_characters() {
        assert_eq!(check_anchor("host-pid"), "check-host-pid");
        assert_eq!(check_anchor("a\" onclick=b"), "check-a__onclick_b");
    }
}
