//! The files of the kit: one directory a case, every file compressed.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// One world, what was asked about it and what a real API server answered.
#[derive(Debug)]
pub struct Case {
    /// What it is called.
    pub name: String,
    /// A JSON List of what was created.
    pub written: String,
    /// A JSON List of all roles and bindings as the server stored them, its default policy among them.
    pub stored: String,
    /// A line `{"spec": …}` for each question.
    pub questions: String,
    /// An answer for each.
    pub answers: Vec<Recorded>,
}

/// What the server answered.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Recorded {
    /// Whether it is allowed; none where the server refuses the review.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed: Option<bool>,
    /// Its reason.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Where several bindings allow it, the reason of each: the server names whichever its cache hands out first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// Why the review is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Case {
    /// Writes the case below `kit`.
    pub fn write(&self, kit: &Path) -> Result<()> {
        let place = kit.join("cases").join(&self.name);
        fs::create_dir_all(&place).map_err(failed(&place))?;
        let answers: Vec<String> = self.answers.iter().map(|answer| serde_json::json!(answer).to_string()).collect();
        let files = [
            ("written.json.gz", self.written.clone()),
            ("stored.json.gz", self.stored.clone()),
            ("questions.jsonl.gz", self.questions.clone()),
            ("answers.jsonl.gz", answers.join("\n") + "\n"),
        ];
        for (name, text) in files {
            let path = place.join(name);
            let file = File::create(&path).map_err(failed(&path))?;
            let mut encoder = GzEncoder::new(file, Compression::best());
            encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish()).map_err(failed(&path))?;
        }
        Ok(())
    }
}

/// The cases of the kit, by name.
pub fn cases(kit: &Path) -> Result<Vec<Case>> {
    let directory = kit.join("cases");
    let mut places: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(&directory).map_err(failed(&directory))? {
        places.push(entry.map_err(failed(&directory))?.path());
    }
    places.sort();
    places.iter().map(|place| read_one(place)).collect()
}

fn read_one(place: &Path) -> Result<Case> {
    let text = |name: &str| -> Result<String> {
        let path = place.join(name);
        let mut text = String::new();
        let file = File::open(&path).map_err(failed(&path))?;
        GzDecoder::new(file).read_to_string(&mut text).map_err(failed(&path))?;
        Ok(text)
    };
    let answer = |line: &str| serde_json::from_str(line).map_err(|error| Error::Answer { question: place.display().to_string(), why: error.to_string() });
    let answers = text("answers.jsonl.gz")?.lines().map(answer).collect::<Result<_>>()?;
    let name = place.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(Case { name, written: text("written.json.gz")?, stored: text("stored.json.gz")?, questions: text("questions.jsonl.gz")?, answers })
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> Error + use<> {
    Error::io(path.display().to_string())
}
