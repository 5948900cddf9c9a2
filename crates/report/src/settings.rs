//! The settings in `bartizan.toml`: what each is called in the file, on the command line and in the environment, and the words
//! that a file gives them, with their lines.
//!
//! Start with [`read`]. It never says what a word means: that is for whoever uses it. The `[[waive]]` tables of the same file are
//! read by [`crate::waiver`].

use bartizan_cluster::{Location, Source};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::suggest;
use crate::waiver::SyntaxError;

/// One setting.
#[derive(Debug, PartialEq, Eq)]
pub struct Key {
    /// The name in the file; a dot stands for a table.
    pub name: &'static str,
    /// The flag.
    pub flag: &'static str,
    /// Whether it takes several values.
    pub is_list: bool,
    /// Whether it is a number in the file.
    pub is_number: bool,
    /// What it does, in English.
    pub about: &'static str,
}

impl Key {
    /// The variable of the environment.
    pub fn variable(&self) -> String {
        format!("BARTIZAN_{}", self.name.to_ascii_uppercase().replace(['-', '.'], "_"))
    }
}

const fn word(name: &'static str, flag: &'static str, about: &'static str) -> Key {
    Key { name, flag, is_list: false, is_number: false, about }
}

const fn list(name: &'static str, flag: &'static str, about: &'static str) -> Key {
    Key { name, flag, is_list: true, is_number: false, about }
}

const fn number(name: &'static str, flag: &'static str, about: &'static str) -> Key {
    Key { name, flag, is_list: false, is_number: true, about }
}

/// Every setting, in the order in which people read them.
pub static KEYS: &[Key] = &[
    word("kubernetes-version", "--kubernetes-version", "Kubernetes version to judge manifests for, such as `1.34`; the newest known one if it is left out"),
    word("stage", "--stage", "how much noise you accept: `default`, `strict` or `auditor`"),
    list("fail-on", "--fail-on", "what makes a run fail: `critical`, `high`, `medium`, `low`, `unknown`, `new`, `never`"),
    word("lang", "--lang", "language of what people read: `en` or `zh`; that of the locale if it is left out"),
    list("output", "--output", "formats of the report"),
    list("exclude", "--exclude", "what is left out of directories, as in a .gitignore"),
    number("jobs", "--jobs", "threads that read and judge; 0 is one a processor"),
    number("timeout", "--timeout", "seconds after which reading a live cluster is given up"),
    list("checks.disable", "--without", "checks that are left out"),
    list("checks.only", "--check", "checks that are run, whatever their stage; all of the stage if it is empty"),
];

/// What a file gives one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The setting.
    pub key: &'static Key,
    /// The words of a list, or the one word of anything else.
    pub words: Vec<String>,
    /// Where its name stands.
    pub location: Location,
}

/// Why a file gives no settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// It is no TOML.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// It has a key that does not exist.
    #[error("{}:{}: there is no setting `{key}`{}", .location.file, .location.line, .near.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())]
    UnknownKey {
        /// Where it stands.
        location: Location,
        /// The key.
        key: String,
        /// The key that may be meant.
        near: Option<String>,
    },
    /// A value has another type than the setting.
    #[error("{}:{}: `{key}`: {fault}", .location.file, .location.line)]
    BadValue {
        /// Where it stands.
        location: Location,
        /// The setting.
        key: &'static str,
        /// What is wrong with it.
        fault: String,
    },
}

impl SettingError {
    /// The place in the file.
    pub fn location(&self) -> &Location {
        match self {
            SettingError::Syntax(error) => &error.location,
            SettingError::UnknownKey { location, .. } | SettingError::BadValue { location, .. } => location,
        }
    }
}

/// Every setting that the file `name` makes, in the order of their names.
pub fn read(name: &str, text: &str) -> Result<Vec<Written>, SettingError> {
    let source = Source::text(name, text);
    let table = DeTable::parse(text).map_err(|error| SyntaxError::new(&error, &source))?;
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

struct Reader<'s> {
    source: &'s Source,
}

impl Reader<'_> {
    fn value(&self, name: &str, written: &Spanned<impl AsRef<str>>, value: &Spanned<DeValue<'_>>) -> Result<Written, SettingError> {
        let Some(key) = KEYS.iter().find(|key| key.name == name) else {
            let near = suggest::nearest(name, KEYS.iter().map(|key| key.name).chain(["waive", "checks"])).map(str::to_owned);
            return Err(SettingError::UnknownKey { location: self.place(written), key: name.to_owned(), near });
        };
        let words = match value.get_ref() {
            DeValue::Array(items) if key.is_list => items.iter().map(|item| text(item.get_ref())).collect::<Option<Vec<String>>>(),
            DeValue::Integer(number) if key.is_number && number.radix() == 10 => {
                // The reader of TOML takes whatever begins like a number.
                let digits = number.as_str().replace('_', "");
                if !digits.strip_prefix(['+', '-']).unwrap_or(&digits).bytes().all(|byte| byte.is_ascii_digit()) {
                    return Err(self.bad(written, key.name, format!("`{}` is no number", number.as_str())));
                }
                Some(vec![digits])
            }
            other if !key.is_number => text(other).map(|word| vec![word]),
            _ => None,
        };
        let expected = match (key.is_list, key.is_number) {
            (true, _) => "a list of strings is expected",
            (_, true) => "a number is expected",
            _ => "a string is expected",
        };
        match words {
            Some(words) => Ok(Written { key, words, location: self.place(written) }),
            None => Err(self.bad(written, key.name, format!("{expected}, not {} {}", article(value.get_ref()), value.get_ref().type_str()))),
        }
    }

    fn place<T>(&self, written: &Spanned<T>) -> Location {
        let start = u32::try_from(written.span().start).ok();
        start.and_then(|start| self.source.location(start)).unwrap_or_else(|| Location { file: self.source.name().to_owned(), line: 1, column: 1 })
    }

    fn bad<T>(&self, written: &Spanned<T>, key: &'static str, fault: String) -> SettingError {
        SettingError::BadValue { location: self.place(written), key, fault }
    }
}

fn text(value: &DeValue<'_>) -> Option<String> {
    value.as_str().map(|word| word.trim().to_owned())
}

fn article(value: &DeValue<'_>) -> &'static str {
    if value.type_str().starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}
