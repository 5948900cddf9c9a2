//! `cargo xtask kit authz`: the conformance kit for authorizers, `kit/authz`.
//!
//! A real API server has answered the questions of random worlds; the kit holds worlds, questions and answers. This command
//! puts the questions to any program that reads a world and answers a file of questions line by line, and counts its errors.
//! `record` makes the kit again. How the kit is read by people and programs is said in `kit/authz/README.md`.

mod cases;
mod judge;
mod record;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use bartizan_testbed::Reviewed;
use cases::{Case, Recorded};
use serde_json::{Value, json};

use crate::{root, say};
use judge::Tally;

const USAGE: &str = "\
usage: cargo xtask kit authz [--written] [--seconds N] -- PROGRAM [ARGUMENT…]
       cargo xtask kit authz record
  WORLD and QUESTIONS in an argument stand for the files of one case; the program answers on standard output, a line each
  --written    the world as it was written, with aggregated roles to be filled, instead of as the server stores it
  --seconds N  how long the program may take for a case; 60 if not given";

/// How long a program gets for a case.
const LIMIT: Duration = Duration::from_mins(1);

pub(crate) fn run(words: &[String]) -> Result<()> {
    let Some(("authz", words)) = words.split_first().map(|(name, rest)| (name.as_str(), rest)) else { bail!("{USAGE}") };
    if words == ["record"] {
        return record::record(&directory());
    }
    let Some(divide) = words.iter().position(|word| word == "--") else { bail!("{USAGE}") };
    let (options, program) = words.split_at(divide);
    let (mut written, mut limit) = (false, LIMIT);
    let mut options = options.iter();
    while let Some(option) = options.next() {
        match option.as_str() {
            "--written" => written = true,
            "--seconds" => limit = Duration::from_secs(options.next().context(USAGE)?.parse()?),
            other => bail!("unknown option `{other}`\n{USAGE}"),
        }
    }
    let Some((program, arguments)) = program.get(1..).and_then(<[String]>::split_first) else { bail!("{USAGE}") };
    measure(program, arguments, written, limit)
}

/// The kit.
pub(crate) fn directory() -> PathBuf {
    root().join("kit/authz")
}

fn measure(program: &str, arguments: &[String], written: bool, limit: Duration) -> Result<()> {
    let place = tempfile::tempdir()?;
    let mut tally = Tally::default();
    let mut spent = Duration::ZERO;
    for case in cases::read(&directory())? {
        let world = place.path().join(format!("{}.json", case.name));
        let questions = place.path().join(format!("{}.questions.jsonl", case.name));
        let answers = place.path().join(format!("{}.answers.jsonl", case.name));
        fs::write(&world, if written { &case.written } else { &case.stored })?;
        fs::write(&questions, &case.questions)?;
        let arguments = arguments.iter().map(|word| word.replace("QUESTIONS", &questions.to_string_lossy()).replace("WORLD", &world.to_string_lossy()));
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(fs::File::create(&answers)?);
        match finish(&mut command, limit)? {
            Some(time) => spent += time,
            None => say(&format!("{}: no answer in {} s", case.name, limit.as_secs())),
        }
        tally.add(&case, &fs::read_to_string(&answers)?)?;
    }
    say(&tally.table());
    say(&format!("{} questions in {:.1} s, start and reading of the world included", tally.asked(), spent.as_secs_f64()));
    Ok(())
}

/// The errors of a program that answers on standard output, a line for each of `specs` in their order, as a table; `truth` is what
/// should be answered. Also how long it took; none if `limit` came first, and then what it left open counts as no answer.
pub(crate) fn errors_of(command: &mut Command, specs: &[Value], truth: &[Reviewed], limit: Duration) -> Result<(String, Option<Duration>)> {
    let place = tempfile::tempdir()?;
    let answers = place.path().join("answers.jsonl");
    command.stdin(Stdio::null()).stdout(fs::File::create(&answers)?);
    let time = finish(command, limit)?;
    let lines: Vec<String> = specs.iter().map(|spec| json!({ "spec": spec }).to_string()).collect();
    let recorded = truth.iter().map(|answer| match answer {
        Ok(review) => Recorded { allowed: Some(review.allowed), reason: review.reason.clone(), reasons: review.reasons.clone(), error: None },
        Err(error) => Recorded { error: Some(error.clone()), ..Recorded::default() },
    });
    let case = Case { name: "questions".to_owned(), written: String::new(), stored: String::new(), questions: lines.join("\n"), answers: recorded.collect() };
    let mut tally = Tally::default();
    tally.add(&case, &fs::read_to_string(&answers)?)?;
    Ok((tally.table(), time))
}

/// The time of a command; none if the limit came first. Its exit status is not judged: what counts is what it has answered.
fn finish(command: &mut Command, limit: Duration) -> Result<Option<Duration>> {
    let started = Instant::now();
    let mut child = command.spawn().with_context(|| format!("{command:?}"))?;
    loop {
        if child.try_wait()?.is_some() {
            return Ok(Some(started.elapsed()));
        }
        if started.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
