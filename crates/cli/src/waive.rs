//! `bartizan waive`

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use bartizan_report::waiver::{Entry, add_to_file};
use bartizan_report::{Language, Outcome};

use crate::args::{Global, Waive};
use crate::output::{self, Terminal};
use crate::{catalogue, config};

pub(crate) fn run(waive: &Waive, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let here = std::env::current_dir().context("the working directory is gone")?;
    let found = || config::find(&here).map(|(path, _)| path);
    let file = global.config.clone().or_else(found).unwrap_or_else(|| PathBuf::from("bartizan.toml"));
    let name = file.display().to_string();
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).with_context(|| format!("`{name}` could not be read")),
    };
    let entry = Entry {
        check: waive.check.clone(),
        subject: waive.subject.clone(),
        path: None,
        reason: waive.reason.clone(),
        until: waive.until.clone(),
        owner: waive.owner.clone(),
    };
    let whole = add_to_file(&name, &text, &entry, &catalogue::checks())?;
    output::write_file(&file, |out| Ok(out.write_all(whole.as_bytes())?))?;
    terminal.note(&match terminal.language {
        Language::English => format!("waived `{}` for `{}` in `{name}`", waive.check, waive.subject),
        Language::Chinese => format!("已在 `{name}` 中豁免 `{}`（{}）", waive.check, waive.subject),
    });
    Ok(Outcome::Clean)
}
