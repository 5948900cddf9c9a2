//! `cargo xtask kit authz`: the conformance kit for authorizers, `kit/authz`.
//!
//! A real API server has answered the questions of random worlds; the kit holds worlds, questions and answers. This command
//! puts the questions to any program that reads a world and answers a file of questions line by line, and counts its errors.
//! `record` makes the kit again. How the kit is read by people and programs is said in `kit/authz/README.md`.

mod record;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bartizan_testbed::kit::{self, Measure, Tally};

use crate::{root, say};

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
    measure(&Measure { program, arguments, written, limit })
}

/// The kit.
pub(crate) fn directory() -> PathBuf {
    root().join("kit/authz")
}

fn measure(measure: &Measure<'_>) -> Result<()> {
    let mut tally = Tally::default();
    let mut spent = Duration::ZERO;
    for case in kit::cases(&directory())? {
        match measure.case(&case, &mut tally)? {
            Some(time) => spent += time,
            None => say(&format!("{}: no answer in {} s", case.name, measure.limit.as_secs())),
        }
    }
    say(&tally.table());
    say(&format!("{} questions in {:.1} s, start and reading of the world included", tally.asked(), spent.as_secs_f64()));
    Ok(())
}
