//! The configuration: what is built in, below `bartizan.toml`, below the environment, below the flags. Every value keeps where
//! it comes from.
//!
//! Start with [`Config::load`]. Nothing here looks at the process: the directory, the environment and the flags are handed
//! in, so that a test sees what a user would. The `[[waive]]` tables of the file are read by [`bartizan_report::waiver`].

mod file;
mod text;

use std::path::{Path, PathBuf};
use std::str::FromStr;

use bartizan_cluster::KubernetesVersion;
use bartizan_report::settings::{KEYS, Key, SettingError, Written};
use bartizan_report::{Check, FailOn, Severity, Stage, suggest};
use clap::ValueEnum;

use crate::args::{Format, Lang};

pub(crate) use file::{ConfigFile, find};
pub(crate) use text::{schema, show, template};

/// How long a live cluster may take to read, in seconds, unless somebody says otherwise.
const TIMEOUT: u64 = 300;

/// A value, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting<T> {
    /// The value.
    pub(crate) value: T,
    /// Where it comes from.
    pub(crate) origin: Origin,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It is built in.
    Default,
    /// A line of the configuration file.
    File {
        /// The file.
        name: String,
        /// The line, from 1.
        line: u32,
    },
    /// A variable of the environment.
    Environment(String),
    /// A flag.
    Flag(&'static str),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Origin::Default => out.write_str("default"),
            Origin::File { name, line } => write!(out, "{name}:{line}"),
            Origin::Environment(variable) => out.write_str(variable),
            Origin::Flag(flag) => out.write_str(flag),
        }
    }
}

/// What the flags say; what they leave out is `None` or empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Flags {
    /// `--kubernetes-version`
    pub(crate) kubernetes_version: Option<KubernetesVersion>,
    /// `--stage`
    pub(crate) stage: Option<Stage>,
    /// `--fail-on`
    pub(crate) fail_on: Vec<FailOn>,
    /// `--lang`
    pub(crate) lang: Option<Lang>,
    /// `--output`
    pub(crate) output: Vec<Format>,
    /// `--exclude`
    pub(crate) exclude: Vec<String>,
    /// `--jobs`
    pub(crate) jobs: Option<usize>,
    /// `--timeout`, in seconds
    pub(crate) timeout: Option<u64>,
    /// `--without`
    pub(crate) disable: Vec<String>,
    /// `--check`
    pub(crate) only: Vec<String>,
}

/// Every setting with its origin. A list of a higher layer replaces the one of a lower layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Config {
    /// The configuration file, if there is one.
    pub(crate) file: Option<ConfigFile>,
    /// The version to judge manifests for; the newest known one if `None`.
    pub(crate) kubernetes_version: Setting<Option<KubernetesVersion>>,
    /// The loudest stage that is run.
    pub(crate) stage: Setting<Stage>,
    /// What makes a run fail.
    pub(crate) fail_on: Setting<Vec<FailOn>>,
    /// The language of what people read; that of the locale if `None`.
    pub(crate) lang: Setting<Option<Lang>>,
    /// The formats of reports.
    pub(crate) output: Setting<Vec<Format>>,
    /// What is left out of directories.
    pub(crate) exclude: Setting<Vec<String>>,
    /// Threads; one a processor if 0.
    pub(crate) jobs: Setting<usize>,
    /// How long a live cluster may take to read, in seconds.
    pub(crate) timeout: Setting<u64>,
    /// Checks that are left out, by their present ids.
    pub(crate) disable: Setting<Vec<String>>,
    /// Checks that are run, whatever their stage; all of the stage if empty.
    pub(crate) only: Setting<Vec<String>>,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file cannot be read.
    #[error("`{}` could not be read", .0.display())]
    Unreadable(PathBuf, #[source] std::io::Error),
    /// The file makes no settings.
    #[error(transparent)]
    Settings(#[from] SettingError),
    /// A value cannot be what it is meant to be.
    #[error("{origin}: `{key}`: {fault}")]
    BadValue {
        /// Where it stands.
        origin: Origin,
        /// The setting.
        key: &'static str,
        /// What is wrong with it.
        fault: String,
    },
}

/// A value as it is written, before it is understood: the words of a list, or the one word of anything else.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Raw {
    words: Vec<String>,
    origin: Origin,
}

/// The layers between what is built in and the flags.
struct Layers<'l> {
    file: Vec<Written>,
    environment: &'l dyn Fn(&str) -> Option<String>,
}

impl Config {
    /// Lays all layers over each other. `named` is the file that `--config` names; without it, the file is looked for from
    /// `directory` up. `environment` answers for a variable, `checks` is the catalogue.
    pub(crate) fn load(
        named: Option<&Path>,
        directory: &Path,
        environment: &dyn Fn(&str) -> Option<String>,
        flags: &Flags,
        checks: &[&'static Check],
    ) -> Result<Self, ConfigError> {
        let file = match named {
            Some(path) => Some(ConfigFile::read(path, path.display().to_string())?),
            None => find(directory).map(|(path, name)| ConfigFile::read(&path, name)).transpose()?,
        };
        let layers = Layers { file: file.as_ref().map(ConfigFile::values).transpose()?.unwrap_or_default(), environment };
        let check = |word: &str| known_check(word, checks);
        let own = |list: &[String]| (!list.is_empty()).then(|| list.to_vec());
        let list = |list: &[FailOn]| (!list.is_empty()).then(|| list.to_vec());
        let formats = (!flags.output.is_empty()).then(|| flags.output.clone());
        Ok(Self {
            kubernetes_version: layers
                .one("kubernetes-version", flags.kubernetes_version.map(Some), None, |word| parsed::<KubernetesVersion>(word).map(Some))?,
            stage: layers.one("stage", flags.stage, Stage::Default, stage)?,
            fail_on: layers.list("fail-on", list(&flags.fail_on), vec![FailOn::Severity(Severity::Low)], parsed::<FailOn>)?,
            lang: layers.one("lang", flags.lang.map(Some), None, |word| choice::<Lang>(word).map(Some))?,
            output: layers.list("output", formats, vec![Format::Text], choice::<Format>)?,
            exclude: layers.list("exclude", own(&flags.exclude), Vec::new(), |word| Ok(word.to_owned()))?,
            jobs: layers.one("jobs", flags.jobs, 0, number::<usize>)?,
            timeout: layers.one("timeout", flags.timeout, TIMEOUT, number::<u64>)?,
            disable: layers.list("checks.disable", own(&flags.disable), Vec::new(), check)?,
            only: layers.list("checks.only", own(&flags.only), Vec::new(), check)?,
            file,
        })
    }
}

impl Layers<'_> {
    fn one<T>(&self, name: &str, flag: Option<T>, default: T, parse: impl Fn(&str) -> Result<T, String>) -> Result<Setting<T>, ConfigError> {
        self.setting(name, flag, default, |words| match words {
            [word] => parse(word),
            _ => Err("one value is expected, not a list".to_owned()),
        })
    }

    fn list<T>(&self, name: &str, flag: Option<Vec<T>>, default: Vec<T>, parse: impl Fn(&str) -> Result<T, String>) -> Result<Setting<Vec<T>>, ConfigError> {
        self.setting(name, flag, default, |words| words.iter().map(|word| parse(word)).collect())
    }

    fn setting<T>(&self, name: &str, flag: Option<T>, default: T, parse: impl Fn(&[String]) -> Result<T, String>) -> Result<Setting<T>, ConfigError> {
        // Every name that is asked for stands in the table; a test sees to it.
        let Some(key) = KEYS.iter().find(|key| key.name == name) else { return Ok(Setting { value: default, origin: Origin::Default }) };
        if let Some(value) = flag {
            return Ok(Setting { value, origin: Origin::Flag(key.flag) });
        }
        match self.raw(key) {
            None => Ok(Setting { value: default, origin: Origin::Default }),
            Some(Raw { words, origin }) => match parse(&words) {
                Ok(value) => Ok(Setting { value, origin }),
                Err(fault) => Err(ConfigError::BadValue { origin, key: key.name, fault }),
            },
        }
    }

    fn raw(&self, key: &Key) -> Option<Raw> {
        let variable = key.variable();
        match (self.environment)(&variable).filter(|value| !value.trim().is_empty()) {
            Some(value) => {
                let words = if key.is_list {
                    value.split(',').map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect()
                } else {
                    vec![value.trim().to_owned()]
                };
                Some(Raw { words, origin: Origin::Environment(variable) })
            }
            None => self
                .file
                .iter()
                .find(|written| written.key.name == key.name)
                .map(|written| Raw { words: written.words.clone(), origin: Origin::File { name: written.location.file.clone(), line: written.location.line } }),
        }
    }
}

fn parsed<T: FromStr<Err: std::fmt::Display>>(word: &str) -> Result<T, String> {
    word.parse().map_err(|error: T::Err| error.to_string())
}

fn number<T: FromStr>(word: &str) -> Result<T, String> {
    word.parse().map_err(|_| format!("`{word}` is no whole number that is not negative"))
}

fn stage(word: &str) -> Result<Stage, String> {
    let stages = [Stage::Default, Stage::Strict, Stage::Auditor];
    stages.into_iter().find(|stage| stage.name() == word).ok_or_else(|| unknown_word(word, &stages.map(Stage::name)))
}

fn choice<T: ValueEnum>(word: &str) -> Result<T, String> {
    let names: Vec<String> = T::value_variants().iter().filter_map(|value| Some(value.to_possible_value()?.get_name().to_owned())).collect();
    T::from_str(word, false).map_err(|_| unknown_word(word, &names.iter().map(String::as_str).collect::<Vec<_>>()))
}

fn unknown_word(word: &str, known: &[&str]) -> String {
    match suggest::nearest(word, known.iter().copied()) {
        Some(near) => format!("`{word}` is unknown; did you mean `{near}`?"),
        None => format!("`{word}` is none of `{}`", known.join("`, `")),
    }
}

fn known_check(word: &str, checks: &[&'static Check]) -> Result<String, String> {
    match checks.iter().find(|check| check.id == word || check.aliases.contains(&word)) {
        Some(check) => Ok(check.id.to_owned()),
        None => Err(match suggest::nearest(word, checks.iter().map(|check| check.id)) {
            Some(near) => format!("there is no check `{word}`; did you mean `{near}`?"),
            None => format!("there is no check `{word}`; `bartizan checks list` names all of them"),
        }),
    }
}

#[cfg(test)]
mod tests;
