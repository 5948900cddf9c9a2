//! `cargo xtask ci`: the test command.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::{conformance, generate, root, say, tidy};

/// Debian packages that tests need, and a program of each by which its presence is known.
const PACKAGES: [(&str, &str); 5] = [("chromium", "chromium"), ("iproute2", "ip"), ("nftables", "nft"), ("openssl", "openssl"), ("python3-pip", "pip3")];

pub(crate) fn run(rest: &[String]) -> Result<()> {
    if !rest.is_empty() {
        bail!("`ci` takes no arguments");
    }
    let mut clock = Clock { steps: Vec::new() };
    clock.step("packages", packages)?;
    clock.step("format", || cargo(&["fmt", "--all", "--check"]))?;
    clock.step("tidy", tidy::run)?;
    clock.step("lints", || cargo(&["clippy", "--workspace", "--lib", "--bins", "--", "-D", "warnings"]))?;
    clock.step("lints of tests", lints_of_tests)?;
    clock.step("tests", || cargo(&["test", "--workspace", "--no-fail-fast"]))?;
    clock.step("docs", docs)?;
    clock.step("binary", || cargo(&["build", "--release", "--package", "bartizan"]))?;
    clock.step("generated files", || generate::run(true))?;
    clock.step("conformance", || conformance::run(&[]))?;
    for (name, seconds) in &clock.steps {
        say(&format!("{seconds:>7.1} s  {name}"));
    }
    Ok(())
}

struct Clock {
    steps: Vec<(&'static str, f64)>,
}

impl Clock {
    fn step(&mut self, name: &'static str, run: impl FnOnce() -> Result<()>) -> Result<()> {
        say(&format!("── {name}"));
        let start = Instant::now();
        run().with_context(|| format!("step `{name}`"))?;
        self.steps.push((name, start.elapsed().as_secs_f64()));
        Ok(())
    }
}

fn cargo(arguments: &[&str]) -> Result<()> {
    command(crate::cargo().args(arguments))
}

/// Tests may panic, which is how they speak, and are held to what is wrong rather than to what could be more elegant.
fn lints_of_tests() -> Result<()> {
    let allowed = ["unwrap_used", "expect_used", "indexing_slicing", "string_slice", "panic", "print_stdout", "print_stderr", "pedantic"]
        .map(|lint| format!("-Aclippy::{lint}"));
    // An expectation of a lint that is allowed here is not fulfilled here.
    command(crate::cargo().args(["clippy", "--workspace", "--tests", "--examples", "--", "-D", "warnings", "-Aunfulfilled_lint_expectations"]).args(allowed))
}

fn docs() -> Result<()> {
    command(crate::cargo().args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))
}

/// Installs what tests need and is missing; without the right to, says what to install.
fn packages() -> Result<()> {
    let missing: Vec<&str> = PACKAGES.iter().filter(|(_, program)| !on_path(program)).map(|&(package, _)| package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let install = format!("apt-get install -y {}", missing.join(" "));
    say(&format!("installing what tests need: {install}"));
    let updated = command(Command::new("apt-get").args(["update", "-qq"]));
    let installed = updated.and_then(|()| {
        command(Command::new("apt-get").args(["install", "-y", "-qq", "--no-install-recommends"]).args(&missing).env("DEBIAN_FRONTEND", "noninteractive"))
    });
    installed.with_context(|| format!("tests need Debian packages; install them with `{install}`"))
}

fn on_path(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|directory| directory.join(program).is_file()))
}

fn command(command: &mut Command) -> Result<()> {
    let status = command.current_dir(root()).status().with_context(|| format!("{command:?}"))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}
