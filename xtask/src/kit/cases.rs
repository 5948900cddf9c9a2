//! The files of the kit: one directory a case, every file compressed.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::Path;

use anyhow::{Context, Result};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};

/// One world, what was asked about it and what a real API server answered.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// A JSON List of what was created.
    pub(crate) written: String,
    /// A JSON List of all roles and bindings as the server stored them, its default policy among them.
    pub(crate) stored: String,
    /// A line `{"spec": …}` for each question.
    pub(crate) questions: String,
    pub(crate) answers: Vec<Recorded>,
}

/// What the server answered.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Recorded {
    /// Whether it is allowed; none where the server refuses the review.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) allowed: Option<bool>,
    /// Its reason.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) reason: String,
    /// Where several bindings allow it, the reason of each: the server names whichever its cache hands out first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) reasons: Vec<String>,
    /// Why the review is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

impl Case {
    /// Writes the case below `kit`.
    pub(crate) fn write(&self, kit: &Path) -> Result<()> {
        let place = kit.join("cases").join(&self.name);
        fs::create_dir_all(&place)?;
        let answers: Vec<String> = self.answers.iter().map(serde_json::to_string).collect::<serde_json::Result<_>>()?;
        let files = [
            ("written.json.gz", self.written.clone()),
            ("stored.json.gz", self.stored.clone()),
            ("questions.jsonl.gz", self.questions.clone()),
            ("answers.jsonl.gz", answers.join("\n") + "\n"),
        ];
        for (name, text) in files {
            let mut encoder = GzEncoder::new(File::create(place.join(name))?, Compression::best());
            encoder.write_all(text.as_bytes())?;
            encoder.finish()?;
        }
        Ok(())
    }
}

/// The cases of the kit, by name.
pub(crate) fn read(kit: &Path) -> Result<Vec<Case>> {
    let directory = kit.join("cases");
    let mut places = Vec::new();
    for entry in fs::read_dir(&directory).with_context(|| directory.display().to_string())? {
        places.push(entry?.path());
    }
    places.sort();
    places.iter().map(|place| read_one(place)).collect()
}

fn read_one(place: &Path) -> Result<Case> {
    let text = |name: &str| -> Result<String> {
        let path = place.join(name);
        let mut text = String::new();
        GzDecoder::new(File::open(&path).with_context(|| path.display().to_string())?).read_to_string(&mut text)?;
        Ok(text)
    };
    let answers = text("answers.jsonl.gz")?.lines().map(serde_json::from_str).collect::<serde_json::Result<_>>()?;
    let name = place.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(Case { name, written: text("written.json.gz")?, stored: text("stored.json.gz")?, questions: text("questions.jsonl.gz")?, answers })
}
