//! From a judgement to a report: what was read, what was assumed, what was missing, and what was found.

use bartizan_cluster::component::{Component, ComponentView};
use bartizan_cluster::embedded::{Embedded, Teller, told_version};
use bartizan_cluster::node_file::{FileContent, FileFault, NodeFiles};
use bartizan_cluster::pem::PemFacts;
use bartizan_cluster::read::ProblemKind;
use bartizan_cluster::token_file::TokenFile;
use bartizan_cluster::{Kind, Location, PlacedProblem, Provenance, Snapshot};
use bartizan_report::{Coverage, MissingFact, Narrowing, ReadCounts, Report, ReportProblem, SCHEMA, SourceNote, Stage, Tool};

use crate::run::{Judgement, Selection};

/// What the caller knows of the reading and the snapshot does not.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// `files`, `live` or `snapshot`.
    pub road: String,
    /// The arguments, or the address of the server.
    pub names: Vec<String>,
    /// Files that were opened.
    pub files: usize,
    /// Files and directories that were met and not read.
    pub skipped: usize,
    /// Whether the caller named the Kubernetes version.
    pub version_given: bool,
    /// Whether files of a node were looked for.
    pub has_node: bool,
    /// What was wrong with them.
    pub node_problems: Vec<ReportProblem>,
}

/// What kept files of a node from being read. One that is not there is nothing wrong.
pub fn node_problems(files: &NodeFiles) -> Vec<ReportProblem> {
    let mut problems = Vec::new();
    for file in files.of_nodes() {
        match &file.content {
            Err(FileFault::Absent) => {}
            Err(fault) => problems.push(ReportProblem {
                kind: ProblemKind::Unreadable.name().to_owned(),
                source: file.name.clone(),
                location: None,
                message: fault.to_string(),
                lost: true,
            }),
            Ok(FileContent::Configuration(snapshot)) => problems.extend(snapshot.problems().iter().map(problem)),
            Ok(FileContent::Pem(PemFacts { faults, .. }) | FileContent::Tokens(TokenFile { faults, .. })) => {
                problems.extend(faults.iter().map(|fault| ReportProblem {
                    kind: ProblemKind::Parse.name().to_owned(),
                    source: file.name.clone(),
                    location: Some(Location { file: file.name.clone(), line: fault.line, column: 1 }),
                    message: fault.message.clone(),
                    lost: true,
                }));
            }
            Ok(FileContent::Words(_) | FileContent::Credential) => {}
        }
    }
    problems
}

fn problem(problem: &PlacedProblem) -> ReportProblem {
    ReportProblem {
        kind: problem.kind.name().to_owned(),
        source: problem.source.clone(),
        location: problem.location.clone(),
        message: problem.message.clone(),
        lost: problem.kind.is_loss(),
    }
}

/// Makes the report of a judgement.
pub fn compose(snapshot: &Snapshot, judgement: Judgement, selection: &Selection, reading: &Reading) -> Report {
    let circumstances = snapshot.circumstances();
    Report {
        schema: SCHEMA.to_owned(),
        tool: Tool { name: "bartizan".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
        source: SourceNote { kind: reading.road.clone(), names: reading.names.clone() },
        observed_at: circumstances.observed_at.to_string(),
        kubernetes_version: snapshot.version().to_string(),
        assumptions: [assumptions(snapshot, reading), judgement.assumptions].concat(),
        benchmark: selection.benchmark.clone(),
        narrowing: narrowing(selection),
        coverage: coverage(snapshot, reading),
        summary: judgement.tally.summary(),
        findings: judgement.findings,
    }
}

fn narrowing(selection: &Selection) -> Option<Narrowing> {
    let focus = &selection.focus;
    Narrowing {
        stage: selection.stage.unwrap_or(Stage::Default),
        only: selection.only.iter().cloned().collect(),
        without: selection.without.iter().cloned().collect(),
        namespaces: focus.namespaces.iter().cloned().collect(),
        labels: focus.labels.parts().collect(),
        objects: focus.objects.iter().map(|(kind, name)| format!("{kind}/{name}")).collect(),
    }
    .unless_whole()
}

fn assumptions(snapshot: &Snapshot, reading: &Reading) -> Vec<String> {
    let mut assumptions = Vec::new();
    if snapshot.circumstances().provenance == Provenance::Files {
        if !reading.version_given {
            let version = snapshot.version();
            assumptions.push(match told_version(snapshot).filter(|(told, ..)| *told == version) {
                Some((_, Teller::Image, place)) => format!("Kubernetes {version}, by the image of the API server at {place}"),
                Some((_, Teller::Kubeadm, place)) => format!("Kubernetes {version}, by `kubernetesVersion` at {place}"),
                None => format!("Kubernetes {version}, the newest known version"),
            });
        }
        if snapshot.objects().any(|object| {
            object.kind().namespaced() == Some(true) && object.metadata().is_none_or(|metadata| metadata.str(bartizan_cluster::field::NAMESPACE).is_none())
        }) {
            assumptions.push("objects without a namespace go to `default`".to_owned());
        }
    }
    assumptions
}

fn coverage(snapshot: &Snapshot, reading: &Reading) -> Coverage {
    let lost = snapshot.sources().filter(|source| source.is_lost()).map(|source| ReportProblem {
        kind: ProblemKind::Unreadable.name().to_owned(),
        source: source.name().to_owned(),
        location: None,
        message: "the file changed while it was judged, so that places in it are not known; scan it again".to_owned(),
        lost: true,
    });
    let mut problems: Vec<ReportProblem> = snapshot.problems().iter().map(problem).chain(lost).collect();
    // A file of a node may lie among the sources too.
    for beside in &reading.node_problems {
        if !problems.contains(beside) {
            problems.push(beside.clone());
        }
    }
    let mut missing: Vec<MissingFact> = snapshot.circumstances().missing.iter().filter(|missing| missing.reason.is_loss()).map(MissingFact::from).collect();
    missing.sort();
    missing.dedup();
    Coverage {
        read: ReadCounts {
            files: reading.files,
            documents: snapshot.documents(),
            objects: snapshot.len(),
            other_documents: snapshot.untyped(),
            skipped: reading.skipped,
        },
        problems,
        missing,
        not_in_source: not_in_source(snapshot, reading),
    }
}

/// Facts that this kind of source does not have.
fn not_in_source(snapshot: &Snapshot, reading: &Reading) -> Vec<String> {
    let mut facts = Vec::new();
    if !reading.has_node {
        facts.push("node-files".to_owned());
    }
    let told = Embedded::all(snapshot);
    let is_told = |component| told.iter().any(|map| !map.components(component).is_empty());
    let is_component = |component| !ComponentView::all(component, snapshot).is_empty() || is_told(component);
    if ![Component::ApiServer, Component::ControllerManager, Component::Etcd].into_iter().any(is_component) {
        facts.push("component-flags".to_owned());
    }
    if snapshot.circumstances().provenance == Provenance::Files && snapshot.of_kind(Kind::Secret).next().is_none() {
        facts.push("secrets".to_owned());
    }
    facts.sort();
    facts
}
