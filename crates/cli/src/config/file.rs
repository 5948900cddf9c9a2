//! `bartizan.toml`: where it is found, and how its text is had. What it says is read by [`bartizan_report::settings`] and
//! [`bartizan_report::waiver`].

use std::path::{Path, PathBuf};

use bartizan_report::settings::{self, SettingError, Written};
use bartizan_report::waiver::{SyntaxError, Waivers};

use super::ConfigError;

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
    pub(super) fn values(&self) -> Result<Vec<Written>, SettingError> {
        settings::read(&self.name, &self.text)
    }
}
