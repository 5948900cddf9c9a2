//! `bartizan.toml`: where it is found, and what it says, with its lines. It never decides what a value means.

use std::path::{Path, PathBuf};

use bartizan_cluster::Source;
use bartizan_report::suggest;
use bartizan_report::waiver::{SyntaxError, Waivers};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::key::{KEYS, Key};
use super::{ConfigError, Origin, Raw};

/// The name of the file.
const NAME: &str = "bartizan.toml";

/// A configuration file that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConfigFile {
    /// Where it lies.
    pub(crate) path: PathBuf,
    /// What it is called in messages: as it was named, or as it is reached from the working directory.
    pub(crate) name: String,
    /// What it holds.
    pub(crate) text: String,
}

/// `bartizan.toml` in `directory` or above, up to the root of the repository, and what it is called from `directory`.
pub(crate) fn find(directory: &Path) -> Option<(PathBuf, String)> {
    for (steps, here) in directory.ancestors().enumerate() {
        let file = here.join(NAME);
        if file.is_file() {
            return Some((file, format!("{}{NAME}", "../".repeat(steps))));
        }
        if here.join(".git").exists() {
            return None;
        }
    }
    None
}

impl ConfigFile {
    pub(super) fn read(path: &Path, name: String) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Unreadable(path.to_owned(), error))?;
        Ok(Self { path: path.to_owned(), name, text })
    }

    /// Adds the waivers of the file.
    pub(crate) fn add_waivers(&self, waivers: &mut Waivers) -> Result<(), SyntaxError> {
        waivers.add_file(&self.name, &self.text)
    }

    /// Every setting that the file makes.
    pub(super) fn values(&self) -> Result<Vec<(&'static Key, Raw)>, ConfigError> {
        let source = Source::text(&self.name, &self.text);
        let table = DeTable::parse(&self.text).map_err(|error| SyntaxError::new(&error, &source))?;
        let reader = Reader { source: &source };
        let mut values = Vec::new();
        for (name, value) in table.get_ref() {
            match (name.get_ref().as_ref(), value.get_ref()) {
                ("waive", _) => {}
                ("checks", DeValue::Table(checks)) => {
                    for (inner, value) in checks {
                        values.push(reader.value(&format!("checks.{}", inner.get_ref()), inner, value)?);
                    }
                }
                ("checks", _) => return Err(reader.bad(name, "checks", "a table is expected, written `[checks]`".to_owned())),
                (plain, _) => values.push(reader.value(plain, name, value)?),
            }
        }
        Ok(values)
    }
}

struct Reader<'s> {
    source: &'s Source,
}

impl Reader<'_> {
    fn value(&self, name: &str, written: &Spanned<impl AsRef<str>>, value: &Spanned<DeValue<'_>>) -> Result<(&'static Key, Raw), ConfigError> {
        let Some(key) = KEYS.iter().find(|key| key.name == name) else {
            let near = suggest::nearest(name, KEYS.iter().map(|key| key.name).chain(["waive", "checks"])).map(str::to_owned);
            return Err(ConfigError::UnknownKey { place: self.place(written), key: name.to_owned(), near });
        };
        let words = match value.get_ref() {
            DeValue::Array(items) if key.is_list => items.iter().map(|item| word(item.get_ref())).collect::<Option<Vec<String>>>(),
            DeValue::Integer(number) if key.is_number && number.radix() == 10 => Some(vec![number.as_str().replace('_', "")]),
            other if !key.is_number => word(other).map(|word| vec![word]),
            _ => None,
        };
        let expected = match (key.is_list, key.is_number) {
            (true, _) => "a list of strings is expected",
            (_, true) => "a number is expected",
            _ => "a string is expected",
        };
        match words {
            Some(words) => Ok((key, Raw { words, origin: self.place(written) })),
            None => Err(self.bad(written, key.name, format!("{expected}, not {} {}", article(value.get_ref()), value.get_ref().type_str()))),
        }
    }

    fn place<T>(&self, written: &Spanned<T>) -> Origin {
        let line = u32::try_from(written.span().start).ok().and_then(|start| self.source.location(start)).map_or(1, |location| location.line);
        Origin::File { name: self.source.name().to_owned(), line }
    }

    fn bad<T>(&self, written: &Spanned<T>, key: &'static str, fault: String) -> ConfigError {
        ConfigError::BadValue { origin: self.place(written), key, fault }
    }
}

fn word(value: &DeValue<'_>) -> Option<String> {
    value.as_str().map(|word| word.trim().to_owned())
}

fn article(value: &DeValue<'_>) -> &'static str {
    if value.type_str().starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}
