//! The peers that are run beside: which are there, which version, and how each scans a directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::say;

/// Another program that scans manifests.
#[derive(Debug)]
pub(super) struct Peer {
    /// Name and version.
    pub(super) name: String,
    program: PathBuf,
    arguments: &'static [&'static str],
    after: &'static [&'static str],
}

impl Peer {
    /// The command that scans `directory`.
    pub(super) fn command(&self, directory: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.args(self.arguments).arg(directory).args(self.after);
        command
    }

    /// The command as a person would type it.
    pub(super) fn describe(&self) -> String {
        format!("{}: {}", self.name, [self.arguments, &["DIR"], self.after].concat().join(" "))
    }
}

/// What a peer is called, how it tells its version, and how it scans.
struct Known {
    program: &'static str,
    version: &'static [&'static str],
    arguments: &'static [&'static str],
    after: &'static [&'static str],
}

const KNOWN: [Known; 5] = [
    Known { program: "sync-ctl", version: &["--version"], arguments: &["--disable-telemetry", "-q", "validate"], after: &["--types", "kubernetes"] },
    Known { program: "kube-linter", version: &["version"], arguments: &["lint"], after: &[] },
    Known { program: "polaris", version: &["version"], arguments: &["audit", "--audit-path"], after: &[] },
    Known { program: "checkov", version: &["--version"], arguments: &["--framework", "kubernetes", "--quiet", "--compact", "-d"], after: &[] },
    Known { program: "trivy", version: &["--version"], arguments: &["config", "--skip-check-update", "--quiet"], after: &[] },
];

/// The peers that can be run here.
pub(super) fn found(install: bool, trivy: bool) -> Result<Vec<Peer>> {
    let cache = cache()?;
    if install {
        install_checkov(&cache)?;
        install_syncable(&cache)?;
    }
    if trivy {
        build_trivy(&cache)?;
    }
    let mut peers = Vec::new();
    for known in &KNOWN {
        match locate(known.program, &cache) {
            Some(program) => peers.push(Peer {
                name: format!("{} {}", known.program, version(&program, known.version)),
                program,
                arguments: known.arguments,
                after: known.after,
            }),
            None => say(&format!("peer: {} is not installed", known.program)),
        }
    }
    Ok(peers)
}

pub(super) fn cache() -> Result<PathBuf> {
    let base = std::env::var_os("BARTIZAN_CACHE").map(PathBuf::from);
    let base = base.or_else(|| std::env::var_os("XDG_CACHE_HOME").map(|home| PathBuf::from(home).join("bartizan")));
    base.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/bartizan")))
        .map(|base| base.join("peers"))
        .context("no cache directory: set $BARTIZAN_CACHE")
}

/// A program on the path, or among those that were installed into the cache.
pub(super) fn locate(program: &str, cache: &Path) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain([cache.join("bin"), cache.join("checkov/bin")]);
    directories.map(|directory| directory.join(program)).find(|file| file.is_file())
}

/// The Python of an environment that has kubectl-rbac-guard; none where it is not installed.
pub(super) fn rbac_guard(install: bool) -> Result<Option<PathBuf>> {
    let place = cache()?.join("kubectl-rbac-guard");
    let python = place.join("bin/python");
    let runs = |program: &Path, line: &str| Command::new(program).args(["-c", line]).output().is_ok_and(|output| output.status.success());
    if install && !runs(&python, "import rbac_guard") {
        let recent = "import sys; sys.exit(sys.version_info < (3, 12))";
        let found = pythons().into_iter().find(|program| runs(program, recent));
        done(Command::new(found.context("kubectl-rbac-guard needs Python 3.12 or newer, on the path or in ~/.pyenv")?).args(["-m", "venv"]).arg(&place))?;
        done(Command::new(&python).args(["-m", "pip", "install", "--quiet", "kubectl-rbac-guard==0.1.1"]))?;
    }
    Ok(runs(&python, "import rbac_guard").then_some(python))
}

/// Programs that may be a Python: those on the path, and those that pyenv keeps beside it.
fn pythons() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = ["python3", "python3.14", "python3.13", "python3.12"].map(PathBuf::from).into();
    let pyenv = std::env::var_os("PYENV_ROOT").map(PathBuf::from).or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".pyenv")));
    let versions = pyenv.and_then(|pyenv| fs::read_dir(pyenv.join("versions")).ok());
    let mut kept: Vec<PathBuf> = versions.into_iter().flatten().flatten().map(|entry| entry.path().join("bin/python3")).collect();
    kept.sort();
    found.extend(kept);
    found
}

fn version(program: &Path, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let word = output.split_whitespace().find(|word| word.chars().any(|letter| letter.is_ascii_digit()));
    word.unwrap_or("of unknown version").trim_start_matches('v').to_owned()
}

fn install_checkov(cache: &Path) -> Result<()> {
    let place = cache.join("checkov");
    if place.join("bin/checkov").is_file() {
        return Ok(());
    }
    done(Command::new("python3").args(["-m", "venv"]).arg(&place))?;
    done(Command::new(place.join("bin/pip")).args(["install", "--quiet", "checkov==3.3.30"]))
}

fn install_syncable(cache: &Path) -> Result<()> {
    if cache.join("bin/sync-ctl").is_file() {
        return Ok(());
    }
    done(crate::cargo().args(["install", "--quiet", "--locked", "--version", "0.37.1", "syncable-cli", "--root"]).arg(cache))
}

/// As a tool of a module of its own: trivy's `go.mod` replaces modules, which `go install` refuses.
fn build_trivy(cache: &Path) -> Result<()> {
    const PACKAGE: &str = "github.com/aquasecurity/trivy/cmd/trivy";
    const VERSION: &str = "0.74.0";
    let program = cache.join("bin/trivy");
    if program.is_file() {
        return Ok(());
    }
    let module = cache.join("trivy");
    fs::create_dir_all(&module)?;
    let go = |words: &[&str]| {
        let mut command = Command::new("go");
        command.args(words).current_dir(&module).env("GOEXPERIMENT", "jsonv2").env("CGO_ENABLED", "0");
        command
    };
    if !module.join("go.mod").is_file() {
        done(&mut go(&["mod", "init", "bartizan.dev/peers"]))?;
    }
    done(&mut go(&["get", "-tool", &format!("{PACKAGE}@v{VERSION}")]))?;
    // Its own release builds link the version in the same way.
    let flags = format!("-ldflags=-s -w -X=github.com/aquasecurity/trivy/pkg/version/app.ver={VERSION}");
    done(go(&["build", "-trimpath", &flags, "-o"]).arg(&program).arg(PACKAGE))
}

fn done(command: &mut Command) -> Result<()> {
    say(&format!("{command:?}"));
    let status = command.status().with_context(|| format!("{command:?}"))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}
