//! `bartizan scan`

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use bartizan_checks::{Focus, Judgement, Selection, benchmark};
use bartizan_cluster::node_file::NodeFiles;
use bartizan_cluster::selector::LabelSelector;
use bartizan_cluster::{Kind, ObjectView, Snapshot, Source};
use bartizan_gather::{Gathered, Road};
use bartizan_report::baseline::{Baseline, Comparison};
use bartizan_report::render::{Pages, Rendering};
use bartizan_report::waiver::{self, Ground, Waivers};
use bartizan_report::{Language, Outcome, Report, suggest};

use crate::args::{Global, Narrowing, Scan};
use crate::clock::Clock;
use crate::output::{self, Terminal};
use crate::settings::Settings;
use crate::{catalogue, source};

pub(crate) fn run(scan: &Scan, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let mut settings = Settings::load(&scan.sources, &scan.narrowing, &scan.outputs, &scan.fail_on, global)?;
    let mut roots = scan.node_root.clone();
    let manifests = source::manifests(&roots)?;
    if settings.sources.arguments().is_empty() {
        settings.sources.sources = manifests;
    }
    if roots.is_empty() {
        roots = nodes_among(&settings.sources.arguments());
    }
    let terminal = &terminal.speaking(settings.language.unwrap_or(terminal.language));
    let (sources, narrowing, outputs) = (&settings.sources, &settings.narrowing, &settings.outputs);
    output::check(outputs)?;
    let selection = Selection { cni: scan.enforcer.cni, ..selection(narrowing)? };
    let baseline = scan.baseline.as_deref().map(read_baseline).transpose()?;
    let entries = bartizan_checks::run::entries(&selection, sources.kubernetes_version.unwrap_or_default());
    let wanted = bartizan_checks::wanted_kinds(&entries);
    if scan.preflight {
        return source::preflight(sources, &narrowing.namespace, &wanted, global, terminal);
    }
    let mut clock = Clock::start(scan.timings);
    let gathered = match roots.as_slice() {
        [] => source::gather(sources, &narrowing.namespace, &narrowing.object, &wanted, global, terminal)?,
        roots => source::gather_files(sources, roots, terminal)?,
    };
    clock.stage("read", terminal);
    tell_absent(&gathered.snapshot, &selection.focus, terminal);
    let waivers = settings.waivers(&gathered.snapshot)?;
    let files = source::node_files(&gathered.snapshot, &roots, Vec::new())?;
    let report = judged(&gathered, &files, &selection, &settings, &waivers);
    clock.stage("judge", terminal);
    let pages = Pages::new(catalogue::checks());
    // Findings about waivers point into the configuration file.
    let texts: Vec<Source> = gathered.snapshot.sources().cloned().chain(settings.configuration()).collect();
    let rendering = Rendering { report: &report, pages: &pages, sources: &texts, language: terminal.language };
    output::write(&rendering, outputs, terminal)?;
    clock.stage("render", terminal);
    offer_import(&gathered.snapshot, terminal);
    let comparison = baseline.map(|baseline| baseline.compare(&report, &catalogue::stage_of)).transpose()?;
    if let Some(comparison) = &comparison {
        terminal.note(&compared(comparison, terminal.language));
    }
    let outcome = Outcome::of(&report, &settings.fail_on, comparison.is_some_and(|comparison| comparison.has_new()));
    // The process ends here and gives its memory back whole; millions of strings need not be freed one by one before.
    std::mem::forget((report, gathered));
    Ok(outcome)
}

fn read_baseline(file: &Path) -> Result<Baseline> {
    let failed = || format!("the baseline `{}` could not be read", file.display());
    let text = std::fs::read_to_string(file).with_context(failed)?;
    Baseline::read(&text).with_context(failed)
}

fn compared(comparison: &Comparison, language: Language) -> String {
    let (new, fixed, unchanged) = (comparison.new.len(), comparison.fixed.len(), comparison.unchanged);
    match language {
        Language::English => {
            format!("compared with the baseline: {new} new, {fixed} fixed, {unchanged} unchanged, {} not looked at", comparison.unconfirmed.len())
        }
        Language::Chinese => format!("与基线相比：新增 {new}，消除 {fixed}，未变 {unchanged}，未查看 {}", comparison.unconfirmed.len()),
    }
}

/// The arguments in which the file system of a node lies, or a copy of what matters of it.
fn nodes_among(arguments: &[PathBuf]) -> Vec<PathBuf> {
    let is_node = |argument: &&PathBuf| ["etc/kubernetes", "var/lib/kubelet"].iter().any(|part| argument.join(part).is_dir());
    arguments.iter().filter(is_node).cloned().collect()
}

/// The report of what was gathered, with what is accepted marked so.
fn judged(gathered: &Gathered, files: &NodeFiles, selection: &Selection, settings: &Settings, waivers: &Waivers) -> Report {
    let snapshot = &gathered.snapshot;
    let mut judgement = bartizan_checks::judge_with(snapshot, files, selection);
    accept(&mut judgement, waivers, snapshot, selection, settings, gathered.road);
    bartizan_checks::compose(snapshot, judgement, selection, &source::reading(gathered, &settings.sources, files))
}

fn accept(judgement: &mut Judgement, waivers: &Waivers, snapshot: &Snapshot, selection: &Selection, settings: &Settings, road: Road) {
    let run: BTreeSet<&str> = bartizan_checks::selected(selection, snapshot).iter().map(|entry| entry.check.id).collect();
    // Benchmarks and single checks were asked for by name: what is odd about waivers is no answer to that.
    let whole_catalogue = selection.benchmark.is_none() && selection.only.is_empty();
    let own = |id: &str| whole_catalogue && !selection.without.contains(id) && bartizan_report::OWN_CHECKS.iter().any(|check| check.id == id);
    let focus = |object: ObjectView<'_>| selection.focus.holds(&object.reference(), Some(object));
    let ground = Ground {
        snapshot,
        checks: &catalogue::checks(),
        ran: &|id| run.contains(id) || own(id),
        focus: if selection.focus.is_everything() { None } else { Some(&focus) },
        partial: road == Road::Files && !settings.covers_configuration(),
    };
    waiver::apply(&mut judgement.findings, &mut judgement.tally, waivers, &ground);
}

/// A report about nothing looks like a good one: what is judged alone and was not read is told.
fn tell_absent(snapshot: &Snapshot, focus: &Focus, terminal: &Terminal) {
    let namespaces: BTreeSet<&str> =
        snapshot.objects().filter_map(|object| object.namespace().or_else(|| (object.kind() == Kind::Namespace).then(|| object.name()))).collect();
    let near = |word: &str, known: &mut dyn Iterator<Item = String>| {
        let known: Vec<String> = known.collect();
        let near = suggest::nearest(word, known.iter().map(String::as_str));
        match (near, terminal.language) {
            (None, _) => String::new(),
            (Some(near), Language::English) => format!("; did you mean `{near}`?"),
            (Some(near), Language::Chinese) => format!("；您是指 `{near}` 吗？"),
        }
    };
    for absent in focus.namespaces.iter().filter(|name| !namespaces.contains(name.as_str())) {
        let near = near(absent, &mut namespaces.iter().map(|&name| name.to_owned()));
        terminal.note(&match terminal.language {
            Language::English => format!("note: nothing was read from namespace `{absent}`{near}"),
            Language::Chinese => format!("提示：没有从命名空间 `{absent}` 读到任何内容{near}"),
        });
    }
    for (kind, name) in &focus.objects {
        let is_kind = |object: &ObjectView<'_>| object.kind_name().eq_ignore_ascii_case(kind);
        if !snapshot.objects().any(|object| is_kind(&object) && object.name() == name) {
            let near = near(&format!("{kind}/{name}"), &mut snapshot.objects().filter(is_kind).map(|object| format!("{kind}/{}", object.name())));
            terminal.note(&match terminal.language {
                Language::English => format!("note: nothing that was read is `{kind}/{name}`{near}"),
                Language::Chinese => format!("提示：读到的内容中没有 `{kind}/{name}`{near}"),
            });
        }
    }
}

/// Other tools' ignore rules are never obeyed, but their owner should know that they are there.
fn offer_import(snapshot: &Snapshot, terminal: &Terminal) {
    let ignores = waiver::foreign::ignores(snapshot);
    if ignores.is_empty() {
        return;
    }
    let tools: BTreeSet<&str> = ignores.iter().map(|ignore| ignore.tool.name()).collect();
    let tools = tools.into_iter().collect::<Vec<_>>().join(", ");
    terminal.note(&match terminal.language {
        Language::English => {
            format!("note: {} ignore rules of {tools} were seen and not obeyed; `bartizan waive --import SOURCE` writes them as waivers", ignores.len())
        }
        Language::Chinese => format!("提示：发现 {} 条 {tools} 的忽略规则，未予采用；`bartizan waive --import SOURCE` 可将其写为豁免", ignores.len()),
    });
}

/// What is judged, from the options that narrow it.
pub(crate) fn selection(narrowing: &Narrowing) -> Result<Selection> {
    if let Some(id) = &narrowing.benchmark
        && !benchmark::ALL.contains_key(id.as_str())
    {
        let known: Vec<&str> = benchmark::ALL.keys().copied().collect();
        match suggest::nearest(id, known.iter().copied()) {
            Some(near) => bail!("there is no benchmark `{id}`; did you mean `{near}`?"),
            None => bail!("there is no benchmark `{id}`; known are `{}`", known.join("`, `")),
        }
    }
    let ids = |given: &[String]| given.iter().map(|id| catalogue::find(id).map(|check| check.id.to_owned())).collect::<Result<BTreeSet<String>>>();
    Ok(Selection {
        benchmark: narrowing.benchmark.clone(),
        stage: narrowing.stage,
        only: ids(&narrowing.checks)?,
        without: ids(&narrowing.without)?,
        focus: Focus {
            namespaces: narrowing.namespace.iter().cloned().collect(),
            labels: labels(narrowing.select.as_deref())?,
            objects: objects(&narrowing.object)?,
        },
        cni: None,
        trace: false,
    })
}

fn labels(selector: Option<&str>) -> Result<LabelSelector> {
    selector.unwrap_or_default().parse().context("in --select")
}

fn objects(given: &[String]) -> Result<Vec<(String, String)>> {
    let parts = |object: &String| {
        object.split_once('/').map(|(kind, name)| (kind.to_owned(), name.to_owned())).with_context(|| format!("`{object}` in --object is not KIND/NAME"))
    };
    given.iter().map(parts).collect()
}
