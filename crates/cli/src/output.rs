//! Where reports go, and how the program speaks to a person.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _, StdoutLock, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use bartizan_cluster::Snapshot;
use bartizan_report::render::text::{Detail, TextStyle};
use bartizan_report::render::{self, Harmless, Rendering, harmless};
use bartizan_report::{FailOn, Language, Outcome, Severity};

use crate::args::{Format, Global, Outputs, When};

/// Says what was odd about the input; whether something was lost by it.
pub(crate) fn tell_reading(snapshot: &Snapshot, terminal: &Terminal) -> bool {
    for problem in snapshot.problems() {
        let place = problem.location.as_ref().map_or_else(String::new, |place| format!("{}:{}:{}: ", place.file, place.line, place.column));
        terminal.note(&format!("{}: {place}{}", loss_word(problem.kind.is_loss(), terminal.language), problem.message));
    }
    snapshot.problems().iter().any(|problem| problem.kind.is_loss())
}

/// What stands before something odd: whether it does not count because of it.
pub(crate) fn loss_word(is_loss: bool, language: Language) -> &'static str {
    match (is_loss, language) {
        (true, Language::English) => "not counted",
        (true, Language::Chinese) => "未计入",
        (false, Language::English) => "note",
        (false, Language::Chinese) => "提示",
    }
}

/// How a run ends whose gravest fault is `worst`.
pub(crate) fn outcome(worst: Option<Severity>, is_incomplete: bool, conditions: &[FailOn]) -> Outcome {
    let least = if conditions.is_empty() { &[FailOn::Severity(Severity::Low)] } else { conditions };
    let fails = least.iter().any(|condition| match condition {
        FailOn::Severity(least) => worst.is_some_and(|worst| worst >= *least),
        FailOn::Unknown => is_incomplete,
        FailOn::New | FailOn::Never => false,
    });
    if fails {
        Outcome::Findings
    } else if is_incomplete {
        Outcome::Incomplete
    } else {
        Outcome::Clean
    }
}

/// How the program speaks to a person.
#[derive(Debug)]
pub(crate) struct Terminal {
    /// The language.
    pub(crate) language: Language,
    quiet: bool,
    color: When,
}

impl Terminal {
    pub(crate) fn new(global: &Global, language: Language) -> Self {
        Self { language, quiet: global.quiet, color: global.color }
    }

    /// The same terminal, spoken to in another language.
    pub(crate) fn speaking(&self, language: Language) -> Self {
        Self { language, quiet: self.quiet, color: self.color }
    }

    /// A remark on standard error.
    #[expect(clippy::print_stderr, reason = "the one place that speaks to a person beside the result")]
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            eprintln!("{}", harmless(text));
        }
    }

    /// What kept a report from being made.
    #[expect(clippy::print_stderr, reason = "the one place that speaks to a person beside the result")]
    pub(crate) fn error(&self, error: &anyhow::Error) {
        let word = match self.language {
            Language::English => "error",
            Language::Chinese => "错误",
        };
        eprintln!("{word}: {}", harmless(&format!("{error:#}")));
    }

    /// Whether progress may be drawn.
    pub(crate) fn draws_progress(&self) -> bool {
        !self.quiet && io::stderr().is_terminal()
    }

    /// Whether standard output is coloured.
    pub(crate) fn colours(&self) -> bool {
        match self.color {
            When::Always => true,
            When::Never => false,
            When::Auto => io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        }
    }
}

/// Standard output for lists whose words are those of the input.
pub(crate) fn result() -> BufWriter<Harmless<StdoutLock<'static>>> {
    BufWriter::new(Harmless(io::stdout().lock()))
}

/// One report to write.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Target {
    format: Format,
    /// `None` is standard output.
    file: Option<PathBuf>,
}

/// Pairs formats and files by their order.
fn targets(outputs: &Outputs) -> Result<Vec<Target>> {
    let formats = if outputs.output.is_empty() { vec![Format::Text] } else { outputs.output.clone() };
    if outputs.output_file.len() > formats.len() {
        bail!("{} files for {} formats: give each --output-file its -o", outputs.output_file.len(), formats.len());
    }
    let targets: Vec<Target> = formats
        .into_iter()
        .enumerate()
        .map(|(at, format)| Target { format, file: outputs.output_file.get(at).filter(|file| file.as_os_str() != "-").cloned() })
        .collect();
    if targets.iter().filter(|target| target.file.is_none()).count() > 1 {
        bail!("several formats would go to standard output: give all but one an --output-file");
    }
    Ok(targets)
}

/// Checks that the outputs make sense, before anything is read.
pub(crate) fn check(outputs: &Outputs) -> Result<()> {
    targets(outputs).map(drop)
}

/// Writes a report to everything that was asked for.
pub(crate) fn write(rendering: &Rendering<'_>, outputs: &Outputs, terminal: &Terminal) -> Result<()> {
    for target in targets(outputs)? {
        if let Some(file) = &target.file {
            write_file(file, |out| one(rendering, target.format, outputs, None, out))?;
        } else {
            let mut out = BufWriter::new(io::stdout().lock());
            one(rendering, target.format, outputs, Some(terminal), &mut out)?;
            out.flush()?;
        }
    }
    Ok(())
}

/// Writes a file whole or not at all: a report that is cut would be read as a report.
pub(crate) fn write_file(file: &Path, content: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let failed = || format!("`{}` could not be written", file.display());
    if file.exists() && !file.is_file() {
        // A device or a pipe is written as it is.
        let mut out = BufWriter::new(File::options().write(true).open(file).with_context(failed)?);
        content(&mut out)?;
        return out.flush().with_context(failed);
    }
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    let partial = file.with_file_name(name);
    let mut out = BufWriter::new(File::create(&partial).with_context(failed)?);
    content(&mut out)?;
    out.flush().with_context(failed)?;
    std::fs::rename(&partial, file).with_context(failed)
}

fn one(rendering: &Rendering<'_>, format: Format, outputs: &Outputs, terminal: Option<&Terminal>, out: &mut dyn Write) -> Result<()> {
    let report = rendering.report;
    match format {
        Format::Text => render::text::text(rendering, &text_style(outputs.verbose, terminal), out)?,
        Format::Concise => render::concise::concise(rendering, out)?,
        Format::Json => render::json::json(report, out)?,
        Format::Jsonl => render::json::jsonl(report, out)?,
        Format::Yaml => render::json::yaml(report, out)?,
        Format::Sarif => render::sarif::write(rendering, out)?,
        Format::Junit => render::junit::write(rendering, out)?,
        Format::Github => render::github::github(report, out)?,
        Format::Markdown => render::markdown::markdown(rendering, out)?,
        Format::Html => render::html::write(rendering, out)?,
    }
    Ok(())
}

/// The widest text that is pleasant to read.
const WIDTH_MAX: usize = 120;

/// How text is written to a terminal, or to a file if there is none.
pub(crate) fn text_style(verbose: bool, terminal: Option<&Terminal>) -> TextStyle {
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let width = columns.or_else(|| terminal_size::terminal_size().map(|(width, _)| usize::from(width.0))).unwrap_or(100).clamp(40, WIDTH_MAX);
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    // The plain C locale of old terminals cannot show more than ASCII.
    let unicode = locale.is_none_or(|locale| !matches!(locale.as_str(), "C" | "POSIX"));
    TextStyle { colour: terminal.is_some_and(Terminal::colours), links: None, width, unicode, detail: if verbose { Detail::FULL } else { Detail::NORMAL } }
}
