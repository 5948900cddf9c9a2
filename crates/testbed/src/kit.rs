//! The conformance kit for authorizers (`kit/authz`): what a real API server answered, put to any program that answers a file of
//! questions line by line.

mod cases;
mod judge;

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{Error, Result, Reviewed};

pub use cases::{Case, Recorded, cases};
pub use judge::Tally;

/// How a program is measured.
#[derive(Debug, Clone, Copy)]
pub struct Measure<'a> {
    /// The program.
    pub program: &'a str,
    /// Its arguments; `WORLD` and `QUESTIONS` in them stand for the files of a case.
    pub arguments: &'a [String],
    /// Whether it gets the world as it was written, instead of as the server stores it.
    pub written: bool,
    /// How long it may take for a case.
    pub limit: Duration,
}

impl Measure<'_> {
    /// Puts the questions of a case to the program, and counts its errors; how long it took, none if the limit came first.
    pub fn case(&self, case: &Case, tally: &mut Tally) -> Result<Option<Duration>> {
        let place = tempfile::tempdir().map_err(Error::io("a directory for a case"))?;
        let file = |name: &str, text: &str| {
            let path = place.path().join(name);
            fs::write(&path, text).map_err(Error::io(path.display().to_string())).map(|()| path.to_string_lossy().into_owned())
        };
        let world = file("world.json", if self.written { &case.written } else { &case.stored })?;
        let questions = file("questions.jsonl", &case.questions)?;
        let mut command = Command::new(self.program);
        command.args(self.arguments.iter().map(|word| word.replace("QUESTIONS", &questions).replace("WORLD", &world)));
        let (time, answers) = answers(&mut command, place.path(), self.limit)?;
        tally.add(case, &answers)?;
        Ok(time)
    }
}

/// The errors of a program that answers on standard output, a line for each of `specs` in their order; `truth` is what should be
/// answered. Also how long it took; none if `limit` came first, and then what it left open counts as no answer.
pub fn errors_of(command: &mut Command, specs: &[Value], truth: &[Reviewed], limit: Duration) -> Result<(Tally, Option<Duration>)> {
    let place = tempfile::tempdir().map_err(Error::io("a directory for answers"))?;
    let (time, answers) = answers(command, place.path(), limit)?;
    let lines: Vec<String> = specs.iter().map(|spec| json!({ "spec": spec }).to_string()).collect();
    let recorded = truth.iter().map(|answer| match answer {
        Ok(review) => Recorded { allowed: Some(review.allowed), reason: review.reason.clone(), reasons: review.reasons.clone(), error: None },
        Err(error) => Recorded { error: Some(error.clone()), ..Recorded::default() },
    });
    let case = Case { name: "questions".to_owned(), written: String::new(), stored: String::new(), questions: lines.join("\n"), answers: recorded.collect() };
    let mut tally = Tally::default();
    tally.add(&case, &answers)?;
    Ok((tally, time))
}

/// What a command writes, and how long it takes; no time if the limit came first. Its exit status is not judged: what counts is what it
/// has answered.
fn answers(command: &mut Command, place: &Path, limit: Duration) -> Result<(Option<Duration>, String)> {
    let path = place.join("answers.jsonl");
    let file = File::create(&path).map_err(Error::io(path.display().to_string()))?;
    let started = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(file).spawn().map_err(Error::io(format!("{command:?}")))?;
    let time = loop {
        if child.try_wait().map_err(Error::io(format!("{command:?}")))?.is_some() {
            break Some(started.elapsed());
        }
        if started.elapsed() > limit {
            child.kill().and_then(|()| child.wait()).map_err(Error::io(format!("{command:?}")))?;
            break None;
        }
        thread::sleep(Duration::from_millis(5));
    };
    let bytes = fs::read(&path).map_err(Error::io(path.display().to_string()))?;
    Ok((time, String::from_utf8_lossy(&bytes).into_owned()))
}
