//! `bartizan waive`

use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use bartizan_gather::files;
use bartizan_report::waiver::foreign;
use bartizan_report::waiver::{Entry, WriteError, add_to_file};
use bartizan_report::{Language, Outcome};
use jiff::Timestamp;

use crate::args::{Global, Waive};
use crate::output::{self, Terminal};
use crate::{catalogue, config, progress};

pub(crate) fn run(waive: &Waive, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let here = std::env::current_dir().context("the working directory is gone")?;
    let found = || config::find(&here).map(|(path, _)| path);
    let file = global.config.clone().or_else(found).unwrap_or_else(|| PathBuf::from("bartizan.toml"));
    let name = file.display().to_string();
    let mut text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).with_context(|| format!("`{name}` could not be read")),
    };
    let (mut written, mut known) = (0, 0);
    let checks = catalogue::checks();
    if let Some(source) = &waive.import {
        for entry in imported(source, terminal)? {
            match add_to_file(&name, &text, &entry, &checks) {
                Ok(longer) => {
                    text = longer;
                    written += 1;
                }
                Err(WriteError::Duplicate { .. }) => known += 1,
                Err(error) => return Err(error.into()),
            }
        }
    } else {
        text = add_to_file(&name, &text, &entry(waive), &checks)?;
        written = 1;
    }
    if written > 0 {
        output::write_file(&file, |out| Ok(out.write_all(text.as_bytes())?))?;
    }
    terminal.note(&match terminal.language {
        Language::English => format!("{written} waivers written to `{name}`, {known} were there already"),
        Language::Chinese => format!("已向 `{name}` 写入 {written} 条豁免，另有 {known} 条已存在"),
    });
    Ok(Outcome::Clean)
}

/// The waiver that the options describe; the parser sees to it that the three words are there.
fn entry(waive: &Waive) -> Entry {
    Entry {
        check: waive.check.clone().unwrap_or_default(),
        subject: waive.subject.clone().unwrap_or_default(),
        path: None,
        reason: waive.reason.clone().unwrap_or_default(),
        until: waive.until.clone(),
        owner: waive.owner.clone(),
    }
}

/// The ignore rules of other tools, as waivers.
fn imported(source: &Path, terminal: &Terminal) -> Result<Vec<Entry>> {
    let request = files::Request::new([source], Timestamp::now());
    let gathered = files::gather(&request, &mut io::empty(), &progress::Line::new(terminal.draws_progress()))?;
    Ok(foreign::ignores(&gathered.snapshot).iter().flat_map(foreign::Ignore::waivers).collect())
}
