//! What a command works with, once flags, environment and configuration file have been laid over each other; and the commands
//! about the configuration itself.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use bartizan_cluster::{Snapshot, Source};
use bartizan_report::waiver::Waivers;
use bartizan_report::{FailOn, Language, Outcome};

use crate::args::{Global, Lang, Narrowing, Outputs, Sources};
use crate::catalogue;
use crate::config::{self, Config, ConfigFile, Flags};
use crate::output::{self, Terminal};

/// Everything that a scan works with.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) sources: Sources,
    pub(crate) narrowing: Narrowing,
    pub(crate) outputs: Outputs,
    pub(crate) fail_on: Vec<FailOn>,
    /// The language, where somebody chose one.
    pub(crate) language: Option<Language>,
    file: Option<ConfigFile>,
}

impl Settings {
    /// Lays the flags of a command over everything below them.
    pub(crate) fn load(sources: &Sources, narrowing: &Narrowing, outputs: &Outputs, fail_on: &[FailOn], global: &Global) -> Result<Self> {
        let flags = Flags {
            kubernetes_version: sources.kubernetes_version,
            stage: narrowing.stage,
            fail_on: fail_on.to_vec(),
            lang: global.lang,
            output: outputs.output.clone(),
            exclude: sources.exclude.clone(),
            jobs: sources.jobs,
            timeout: sources.live.timeout,
            disable: narrowing.without.clone(),
            only: narrowing.checks.clone(),
        };
        let config = load(global, &flags)?;
        let (mut sources, mut narrowing, mut outputs) = (sources.clone(), narrowing.clone(), outputs.clone());
        sources.kubernetes_version = config.kubernetes_version.value;
        sources.exclude = config.exclude.value;
        sources.jobs = Some(config.jobs.value);
        sources.live.timeout = Some(config.timeout.value);
        narrowing.stage = Some(config.stage.value);
        narrowing.checks = config.only.value;
        // A benchmark is judged whole: only who asks for it may leave something out.
        if narrowing.benchmark.is_none() {
            narrowing.without = config.disable.value;
        }
        outputs.output = config.output.value;
        let language = config.lang.value.map(language);
        Ok(Self { sources, narrowing, outputs, fail_on: config.fail_on.value, language, file: config.file })
    }

    /// The waivers of the input and of the configuration file.
    pub(crate) fn waivers(&self, snapshot: &Snapshot) -> Result<Waivers> {
        let mut waivers = Waivers::of(snapshot);
        if let Some(file) = &self.file {
            file.add_waivers(&mut waivers)?;
        }
        Ok(waivers)
    }

    /// The configuration file as a text that findings point into.
    pub(crate) fn configuration(&self) -> Option<Source> {
        self.file.as_ref().map(|file| Source::text(&file.name, file.text.as_str()))
    }

    /// Whether the sources are everything that the configuration file speaks about.
    pub(crate) fn covers_configuration(&self) -> bool {
        let home = self.file.as_ref().and_then(|file| file.path.canonicalize().ok()).and_then(|path| path.parent().map(PathBuf::from));
        let Some(home) = home else { return true };
        self.sources.arguments().iter().any(|argument| argument.canonicalize().is_ok_and(|argument| home.starts_with(argument)))
    }
}

fn language(lang: Lang) -> Language {
    match lang {
        Lang::En => Language::English,
        Lang::Zh => Language::Chinese,
    }
}

fn load(global: &Global, flags: &Flags) -> Result<Config> {
    let here = std::env::current_dir().context("the working directory is gone")?;
    let environment = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    Ok(Config::load(global.config.as_deref(), &here, &environment, flags, &catalogue::checks())?)
}

/// `bartizan config init`
pub(crate) fn init(file: &Path, terminal: &Terminal) -> Result<Outcome> {
    if file.exists() {
        bail!("`{}` is there already; it was left as it is", file.display());
    }
    output::write_file(file, |out| Ok(out.write_all(config::template(terminal.language).as_bytes())?))?;
    let name = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    terminal.note(&match terminal.language {
        Language::English => format!("wrote `{}`", name.display()),
        Language::Chinese => format!("已写入 `{}`", name.display()),
    });
    Ok(Outcome::Clean)
}

/// `bartizan config show`
pub(crate) fn show(global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let config = load(global, &Flags { lang: global.lang, ..Flags::default() })?;
    io::stdout().lock().write_all(config::show(&config, terminal.language).as_bytes())?;
    Ok(Outcome::Clean)
}

/// `bartizan config schema`
pub(crate) fn schema() -> Result<Outcome> {
    writeln!(io::stdout().lock(), "{}", serde_json::to_string_pretty(&config::schema())?)?;
    Ok(Outcome::Clean)
}
