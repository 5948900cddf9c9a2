//! The project's own commands: `cargo xtask ci|tidy|generate|conformance|bench|kit|matrix`.
//!
//! Nothing here is shipped. `ci` is what the test command of the README runs; the others are its parts.

mod bench;
mod ci;
mod conformance;
mod default_policy;
mod generate;
mod kit;
mod matrix;
mod schema;
mod tidy;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

const USAGE: &str = "\
usage: cargo xtask COMMAND
  ci            everything: format, lints, tests against real components, docs, tidy, generated files, conformance
  tidy          laws of the tree: arrows between crates, file sizes, names, stray files
  generate      write generated files again; `--check` compares instead
  schema FILE   write the table of Kubernetes' field types from an OpenAPI document (`/openapi/v2` of an API server)
  conformance   public test suites: passed and total of each; `--data DIR` says where they are
  bench NAME    benchmarks: `scan`, `authz` and `network`; without a name it lists their options
  kit authz     the conformance kit for authorizers; without more it lists its options
  matrix        the authorizer against several releases of the API server, a million questions; writes docs/matrix.md";

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let command = words.next().unwrap_or_default();
    let rest: Vec<String> = words.collect();
    let done = match command.as_str() {
        "ci" => ci::run(&rest),
        "tidy" => tidy::run(),
        "generate" => generate::run(rest.iter().any(|word| word == "--check")),
        "bench" => bench::run(&rest),
        "schema" => write_schema(&rest),
        "kit" => kit::run(&rest),
        "matrix" => matrix::run(&rest),
        "conformance" => conformance::run(&rest),
        _ => {
            say(USAGE);
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("xtask {command}: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Writes the table of field types that `crates/cluster` reads.
fn write_schema(words: &[String]) -> anyhow::Result<()> {
    let [file] = words else { anyhow::bail!("usage: cargo xtask schema FILE") };
    let openapi: serde_json::Value = serde_json::from_slice(&std::fs::read(file)?)?;
    std::fs::write(root().join("crates/cluster/src/schema/kubernetes-1.37.txt"), schema::generate(&openapi))?;
    Ok(())
}

/// The root of the workspace.
fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or_else(|| here.clone(), PathBuf::from)
}

/// Cargo, as if it were called by hand. `cargo run` names the package of this program to it in the environment, and the build
/// scripts that look there would run again, and all that depends on them, at every turn from one to the other.
fn cargo() -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.env_remove("CARGO_MANIFEST_DIR").env_remove("CARGO_MANIFEST_PATH").current_dir(root());
    cargo
}

#[expect(clippy::print_stdout, reason = "a command of the workshop speaks to whoever runs it")]
fn say(text: &str) {
    println!("{text}");
}
