//! `bartizan authz least-privilege`: audit logs go in, narrowed roles and bindings come out.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use bartizan_audit::{Access, Actors, Answer, AttributesUnknown, Certainty, Tally};
use bartizan_authz::Authz;
use bartizan_authz::narrow::{self, NarrowOptions, Narrowing, Unseen};
use bartizan_authz::usage::{Sighting, Usage, UserId};
use bartizan_cluster::Kind;
use bartizan_report::{Language, Outcome, Sentence, assumption};
use clap::{Args, ValueEnum};
use flate2::bufread::MultiGzDecoder;

use super::WANTED;
use super::args::Policy;
use super::subject;
use crate::args::Global;
use crate::network::args::NamedSources;
use crate::output::Terminal;

pub(crate) const EXAMPLES: &str = "\
Examples:
  bartizan authz least-privilege --audit audit.log > narrowed.yaml       the cluster of the current kube context
  bartizan authz least-privilege --audit audit.log --audit audit-1.log.gz -f cluster.json -o text
  bartizan authz least-privilege --subject ServiceAccount/shop/cart --audit audit.log -f deploy/
  kubectl apply -f narrowed.yaml                                         what gives stands before what takes";

/// Large enough that a log is read in few calls.
const BUFFER: usize = 1 << 20;

/// What a gzip file begins with.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// So many faults of a log are told one by one.
const FAULTS_SHOWN: usize = 20;

/// `bartizan authz least-privilege`
#[derive(Debug, Args)]
pub(crate) struct LeastPrivilege {
    /// Audit log of the API server, gzip or not; repeatable; `-` is standard input.
    #[arg(long, value_name = "FILE", required = true, help_heading = "Sources")]
    audit: Vec<PathBuf>,
    /// Narrow this subject only: a user name, `ServiceAccount/NAMESPACE/NAME`, `User/NAME` or `Group/NAME`; repeatable.
    #[arg(long, value_name = "SUBJECT")]
    subject: Vec<String>,
    /// What happens to subjects that the log never shows.
    #[arg(long, value_enum, default_value_t = UnseenChoice::Keep)]
    unseen: UnseenChoice,
    /// What is used in more namespaces than these stays granted in the whole cluster.
    #[arg(long, value_name = "N", default_value_t = NarrowOptions::default().namespaces_max)]
    max_namespaces: usize,
    /// What is used under more names than these is not limited to names.
    #[arg(long, value_name = "N", default_value_t = NarrowOptions::default().names_max)]
    max_names: usize,
    /// Format.
    #[arg(short, long, value_enum, default_value_t = Format::Yaml, help_heading = "Output")]
    output: Format,
    #[command(flatten)]
    policy: Policy,
    #[command(flatten)]
    sources: NamedSources,
}

/// What happens to subjects that the log never shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum UnseenChoice {
    /// Their grants stay
    Keep,
    /// Their grants go
    Remove,
}

/// Formats of narrowed policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Objects to apply, with comments
    Yaml,
    /// A summary
    Text,
    /// bartizan.least-privilege/1
    Json,
}

pub(crate) fn run(command: &LeastPrivilege, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    if command.audit.iter().any(|file| file.as_os_str() == "-") && command.sources.read_standard_input() {
        bail!("`--audit -` and `-f -` both read standard input");
    }
    let options = NarrowOptions {
        subjects: command.subject.iter().map(|text| Ok(subject::read(text)?.holder())).collect::<Result<_>>()?,
        unseen: match command.unseen {
            UnseenChoice::Keep => Unseen::Stays,
            UnseenChoice::Remove => Unseen::Goes,
        },
        namespaces_max: command.max_namespaces,
        names_max: command.max_names,
        ..NarrowOptions::default()
    };
    let wanted: Vec<Kind> = WANTED.into_iter().chain([Kind::CronJob, Kind::Job]).collect();
    let gathered = super::gather(&command.sources, &wanted, global, terminal)?;
    let mut index = Index::default();
    for file in &command.audit {
        index.read(file).with_context(|| format!("`{}` could not be read", file.display()))?;
    }
    let is_cut = index.tell(terminal) | super::tell_reading(&gathered.snapshot, terminal);
    let authz = Authz::resolve(&gathered.snapshot, &super::options(&command.policy)?);
    let narrowing = narrow::narrow(&authz, &index.usage, &options);
    if !narrowing.certificate.holds() {
        bail!("the narrowed policy does not pass its own test, so it is not given out: {:?}", narrowing.certificate);
    }
    let mut notes = index.notes();
    notes.extend(authz.assumptions().iter().map(|text| Sentence::new(format!("Assumed: {text}."), format!("假定：{}。", assumption(Language::Chinese, text)))));
    notes.extend(narrow::caveats(&gathered.snapshot, &narrowing));
    write(&narrowing, &notes, command.output, terminal.language)?;
    let certificate = &narrowing.certificate;
    let is_incomplete = is_cut || certificate.lost > 0 || !certificate.unknown.is_empty();
    Ok(if is_incomplete { Outcome::Incomplete } else { Outcome::Clean })
}

fn write(narrowing: &Narrowing, notes: &[Sentence], format: Format, language: Language) -> Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    match format {
        Format::Yaml => narrow::yaml(narrowing, notes, language, &mut out)?,
        Format::Text => narrow::text(narrowing, notes, language, &mut out)?,
        Format::Json => writeln!(out, "{:#}", narrow::json(narrowing, notes))?,
    }
    Ok(out.flush()?)
}

/// What logs show.
#[derive(Default)]
struct Index {
    usage: Usage,
    actors: Actors,
    ids: Vec<UserId>,
    tallies: Vec<(String, Tally)>,
    refused: u64,
    undecided: u64,
    unreadable: u64,
    without_attributes: u64,
}

impl Index {
    fn read(&mut self, file: &Path) -> Result<()> {
        let tally = if file.as_os_str() == "-" {
            self.events(BufReader::with_capacity(BUFFER, io::stdin().lock()))?
        } else {
            self.events(BufReader::with_capacity(BUFFER, File::open(file)?))?
        };
        self.tallies.push((file.display().to_string(), tally));
        Ok(())
    }

    fn events(&mut self, mut input: impl BufRead) -> Result<Tally> {
        let is_gzip = input.fill_buf()?.starts_with(&GZIP);
        let take = |event: &bartizan_audit::Event<'_>| {
            let time = event.time();
            match event.accesses(|access| self.access(&access, time)) {
                Ok(()) => {}
                Err(AttributesUnknown::NoTarget | AttributesUnknown::NoVerb | AttributesUnknown::NoUser) => self.without_attributes += 1,
            }
        };
        Ok(if is_gzip { bartizan_audit::read(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(input)), take)? } else { bartizan_audit::read(input, take)? })
    }

    fn access(&mut self, access: &Access<'_>, time: Option<jiff::Timestamp>) {
        match access.answer {
            Answer::Allowed => {}
            Answer::Refused => {
                self.refused += 1;
                return;
            }
            Answer::Unknown => {
                self.undecided += 1;
                return;
            }
        }
        let (usage, ids) = (&mut self.usage, &mut self.ids);
        let number = self.actors.number(access.actor, |user| {
            ids.push(usage.user(&user));
            u32::try_from(ids.len() - 1).unwrap_or(u32::MAX)
        });
        let Some(&user) = number.and_then(|number| self.ids.get(number as usize)) else {
            self.unreadable += 1;
            return;
        };
        self.usage.record(&Sighting {
            user,
            action: &access.action,
            time,
            is_certain: access.certainty == Certainty::Certain,
            is_complete: access.is_complete,
            reason: access.reason,
        });
    }

    /// Says what of the logs was not read; whether anything was not.
    fn tell(&self, terminal: &Terminal) -> bool {
        let word = match terminal.language {
            Language::English => "not counted",
            Language::Chinese => "未计入",
        };
        let mut is_cut = false;
        for (name, tally) in &self.tallies {
            for problem in tally.problems.iter().take(FAULTS_SHOWN) {
                terminal.note(&format!("{word}: {name}:{problem}"));
            }
            let more = tally.problem_count.saturating_sub(tally.problems.len().min(FAULTS_SHOWN) as u64);
            if more > 0 {
                terminal.note(&format!("{word}: {name}: +{more}"));
            }
            is_cut |= tally.problem_count > 0;
        }
        is_cut || self.unreadable > 0 || self.without_attributes > 0
    }

    /// What of the events does not count, a line each.
    fn notes(&self) -> Vec<Sentence> {
        let events: u64 = self.tallies.iter().map(|(_, tally)| tally.events).sum();
        let problems: u64 = self.tallies.iter().map(|(_, tally)| tally.problem_count).sum();
        let logs = self.tallies.len();
        let mut notes = vec![Sentence::new(
            format!("Read: {events} events from {logs} logs; {problems} places could not be read."),
            format!("读取：{logs} 个日志中的 {events} 个事件；{problems} 处无法读取。"),
        )];
        let mut also = |count: u64, english: &str, chinese: &str| {
            if count > 0 {
                notes.push(Sentence::new(format!("{count} {english}"), format!("{count} {chinese}")));
            }
        };
        also(self.refused, "requests were refused, and do not count.", "次请求被拒绝，不计入。");
        also(self.undecided, "requests do not tell whether they were allowed, and do not count.", "次请求未说明是否被允许，不计入。");
        also(self.without_attributes, "events do not tell who asked for what.", "个事件未说明谁请求了什么。");
        also(self.unreadable, "events describe no user.", "个事件没有描述用户。");
        notes
    }
}
