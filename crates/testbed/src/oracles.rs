//! Kubernetes' own packages as oracles: small Go programs of `tests/real/control-plane` that answer JSON lines.
//!
//! They say what Kubernetes does; they never see our code.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::builds;
use crate::error::{Error, Result};

/// A Pod Security level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Allows everything.
    Privileged,
    /// Prevents known privilege escalations.
    Baseline,
    /// Current hardening practice.
    Restricted,
}

/// One question to the [`PodSecurityOracle`].
#[derive(Clone, Copy, Debug, Serialize)]
pub struct PodQuestion<'a> {
    /// The level asked about.
    pub level: Level,
    /// The policy version, `latest` or `v1.N`; newer than the newest known means the newest.
    pub version: &'a str,
    /// A Pod, or anything with `metadata` and `spec` of a pod. It is judged as it stands, without defaults.
    pub pod: &'a Value,
}

/// What Pod Security admission says about a pod.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PodVerdict {
    /// Whether the pod is allowed.
    pub allowed: bool,
    /// The identifiers of the checks that forbid it, baseline checks first.
    pub checks: Vec<String>,
    /// The reason of each.
    pub reasons: Vec<String>,
    /// The detail of each, possibly empty.
    pub details: Vec<String>,
}

/// Pod Security admission itself, as the pinned API server registers it.
#[derive(Debug)]
pub struct PodSecurityOracle {
    program: PathBuf,
}

impl PodSecurityOracle {
    /// Finds the program, or builds it.
    pub fn locate() -> Result<Self> {
        Ok(Self { program: builds::POD_SECURITY.have()? })
    }

    /// One verdict per question, in order. The inner error is the oracle's own: a level, version or pod that it cannot read.
    pub fn ask(&self, questions: &[PodQuestion<'_>]) -> Result<Vec<std::result::Result<PodVerdict, String>>> {
        let lines = questions.iter().map(line).collect::<Result<Vec<_>>>()?;
        let answers = converse(&self.program, lines)?;
        answers.iter().map(|answer| read(answer, |value| serde_json::from_value(value).ok())).collect()
    }
}

/// The reader and validator of `AuthenticationConfiguration` of the pinned API server.
#[derive(Debug)]
pub struct AuthenticationOracle {
    program: PathBuf,
}

#[derive(Serialize)]
struct AuthenticationQuestion<'a> {
    base64: String,
    issuers: &'a [&'a str],
}

impl AuthenticationOracle {
    /// Finds the program, or builds it.
    pub fn locate() -> Result<Self> {
        Ok(Self { program: builds::AUTHENTICATION.have()? })
    }

    /// Whether the server takes each text, in order, or what it says against it. `issuers` are those of its own service accounts.
    pub fn ask(&self, texts: &[&str], issuers: &[&str]) -> Result<Vec<std::result::Result<(), String>>> {
        let question = |text: &&str| line(&AuthenticationQuestion { base64: STANDARD.encode(text), issuers });
        let answers = converse(&self.program, texts.iter().map(question).collect::<Result<Vec<_>>>()?)?;
        answers.iter().map(|answer| read(answer, |value| (value.get("taken") == Some(&Value::Bool(true))).then_some(()))).collect()
    }
}

/// Kubernetes' reader of label selectors as people write them.
#[derive(Debug)]
pub struct LabelOracle {
    program: PathBuf,
}

/// A label selector, and the labels that it may match.
#[derive(Clone, Debug, Serialize)]
pub struct LabelQuestion {
    /// The selector, as for `kubectl -l`.
    pub selector: String,
    /// The labels.
    pub labels: BTreeMap<String, String>,
}

impl LabelOracle {
    /// Finds the program, or builds it.
    pub fn locate() -> Result<Self> {
        Ok(Self { program: builds::LABELS.have()? })
    }

    /// Whether each selector matches, in order, or what is wrong with it.
    pub fn ask(&self, questions: &[LabelQuestion]) -> Result<Vec<std::result::Result<bool, String>>> {
        let answers = converse(&self.program, questions.iter().map(line).collect::<Result<Vec<_>>>()?)?;
        answers.iter().map(|answer| read(answer, |value| value.get("matches")?.as_bool())).collect()
    }
}

/// What happens to a key that a mapping holds twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// The last one wins, as for stored objects.
    LastWins,
    /// It is an error, as under strict field validation.
    Unique,
}

/// The documents of a file, as kubectl reads them.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Stream {
    /// Every document up to the first error; empty ones are passed over.
    pub documents: Vec<Value>,
    /// Why reading stopped before the end.
    #[serde(default)]
    pub error: Option<String>,
}

/// Kubernetes' conversion of YAML to JSON.
#[derive(Debug)]
pub struct YamlOracle {
    program: PathBuf,
}

#[derive(Serialize)]
struct YamlQuestion {
    base64: String,
    strict: bool,
    stream: bool,
}

impl YamlOracle {
    /// Finds the program, or builds it.
    pub fn locate() -> Result<Self> {
        Ok(Self { program: builds::YAML.have()? })
    }

    /// The JSON value of each document, in order, or what Kubernetes says against it.
    pub fn convert(&self, documents: &[&[u8]], keys: Keys) -> Result<Vec<std::result::Result<Value, String>>> {
        let answers = self.ask(documents, keys == Keys::Unique, false)?;
        answers.iter().map(|answer| read(answer, |mut value| value.get_mut("json").map(Value::take))).collect()
    }

    /// Each text split into documents and converted, as kubectl does for a file.
    pub fn documents(&self, texts: &[&[u8]]) -> Result<Vec<Stream>> {
        let understand = |answer: &String| serde_json::from_str(answer).map_err(|error| garbled(answer, &error.to_string()));
        self.ask(texts, false, true)?.iter().map(understand).collect()
    }

    fn ask(&self, texts: &[&[u8]], strict: bool, stream: bool) -> Result<Vec<String>> {
        let question = |text: &&[u8]| line(&YamlQuestion { base64: STANDARD.encode(text), strict, stream });
        converse(&self.program, texts.iter().map(question).collect::<Result<Vec<_>>>()?)
    }
}

/// A question as one line of JSON.
pub(crate) fn line(question: &impl Serialize) -> Result<String> {
    serde_json::to_string(question).map_err(|error| garbled("a question", &error.to_string()))
}

/// An answer that is either what `take` finds or `{"error": "…"}`.
pub(crate) fn read<T>(answer: &str, take: impl FnOnce(Value) -> Option<T>) -> Result<std::result::Result<T, String>> {
    let value: Value = serde_json::from_str(answer).map_err(|error| garbled(answer, &error.to_string()))?;
    if let Some(error) = value.get("error").and_then(Value::as_str) {
        return Ok(Err(error.to_owned()));
    }
    take(value).map(Ok).ok_or_else(|| garbled(answer, "it is neither an answer nor an error"))
}

/// Sends every line to a new process and collects as many.
pub(crate) fn converse(program: &PathBuf, questions: Vec<String>) -> Result<Vec<String>> {
    let doing = || format!("talking to `{}`", program.display());
    let mut child = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(Error::io(doing()))?;
    let asked = questions.len();
    let answers = exchange(&mut child, questions).map_err(Error::io(doing()));
    // After its input has ended the oracle ends too; after an error here it ends on a closed pipe.
    let status = child.wait().map_err(Error::io(doing()))?;
    let answers = answers?;
    if !status.success() || answers.len() != asked {
        let why = format!("{} answers to {asked} questions, {status}", answers.len());
        return Err(garbled(&program.display().to_string(), &why));
    }
    Ok(answers)
}

/// Writes on a thread of its own, because the oracle answers before it has read everything.
fn exchange(child: &mut Child, questions: Vec<String>) -> std::io::Result<Vec<String>> {
    let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(std::io::Error::other("the oracle has no pipes"));
    };
    std::thread::scope(|scope| {
        let writer = scope.spawn(move || {
            for mut question in questions {
                question.push('\n');
                input.write_all(question.as_bytes())?;
            }
            Ok::<(), std::io::Error>(())
        });
        let answers = BufReader::new(output).lines().collect::<std::io::Result<Vec<_>>>();
        match writer.join() {
            Ok(written) => written.and(answers),
            Err(_) => Err(std::io::Error::other("the writer of the questions panicked")),
        }
    })
}

pub(crate) fn garbled(question: &str, why: &str) -> Error {
    /// Enough of an answer to recognise it.
    const SHOWN: usize = 200;
    Error::Answer { question: question.chars().take(SHOWN).collect(), why: why.to_owned() }
}
