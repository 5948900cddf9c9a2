//! `cargo xtask tidy`: laws of the tree that the compiler does not hold.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{root, say};

/// A longer file is a question about its walls.
const LINES_MAX: usize = 1_000;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 8] = ["utils", "util", "common", "helpers", "helper", "types", "core", "misc"];

/// The files that may allow unsafe code, each with the reason in it.
const UNSAFE_ALLOWED: [&str; 0] = [];

pub(crate) fn run() -> Result<()> {
    let files = tracked()?;
    let mut faults = Vec::new();
    arrows(&mut faults)?;
    for file in &files {
        names(file, &mut faults);
        if let Ok(text) = fs::read_to_string(root().join(file)) {
            contents(file, &text, &mut faults);
        }
    }
    mentioned_paths(&files, &mut faults);
    faults.sort();
    for fault in &faults {
        say(fault);
    }
    if faults.is_empty() {
        say(&format!("{} files, tidy", files.len()));
        Ok(())
    } else {
        bail!("{} faults", faults.len())
    }
}

fn tracked() -> Result<Vec<PathBuf>> {
    let output =
        Command::new("git").args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(root()).output().context("git ls-files")?;
    if !output.status.success() {
        bail!("git ls-files ended with {}", output.status);
    }
    let names = String::from_utf8(output.stdout)?;
    Ok(names.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from).filter(|file| root().join(file).is_file()).collect())
}

#[derive(serde::Deserialize)]
struct Manifest {
    #[serde(default)]
    dependencies: BTreeMap<String, toml::Value>,
}

/// The arrows between crates: what `ARCHITECTURE.md` draws is what the manifests say.
fn arrows(faults: &mut Vec<String>) -> Result<()> {
    let drawn = drawn_arrows()?;
    let mut real: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for entry in fs::read_dir(root().join("crates"))? {
        let directory = entry?.path();
        let Some(name) = directory.file_name().and_then(|name| name.to_str()) else { continue };
        let Ok(text) = fs::read_to_string(directory.join("Cargo.toml")) else { continue };
        let manifest: Manifest = toml::from_str(&text).with_context(|| format!("crates/{name}/Cargo.toml"))?;
        let imports = manifest.dependencies.keys().filter_map(|dependency| dependency.strip_prefix("bartizan-")).map(str::to_owned).collect();
        real.insert(name.to_owned(), imports);
    }
    for (name, imports) in &real {
        match drawn.get(name) {
            None => faults.push(format!("ARCHITECTURE.md: the table of crates lacks `{name}`")),
            Some(allowed) => {
                for import in imports.difference(allowed) {
                    faults.push(format!("crates/{name}/Cargo.toml: imports `{import}`, which the table in ARCHITECTURE.md does not allow"));
                }
            }
        }
    }
    for name in drawn.keys().filter(|name| !real.contains_key(*name) && *name != "xtask") {
        faults.push(format!("ARCHITECTURE.md: the table names the crate `{name}`, which does not exist"));
    }
    Ok(())
}

/// Reads the table `| crate | in one line | may import | never |`.
fn drawn_arrows() -> Result<BTreeMap<String, BTreeSet<String>>> {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).context("ARCHITECTURE.md")?;
    let mut drawn = BTreeMap::new();
    let rows = text.lines().skip_while(|line| !line.starts_with("| crate |")).skip(2).take_while(|line| line.starts_with('|'));
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [_, name, _, imports, ..] = cells.as_slice() else { continue };
        let imports =
            imports.split(',').map(str::trim).filter(|import| !import.is_empty() && *import != "–").map(|import| import.trim_matches('`').to_owned()).collect();
        drawn.insert(name.trim_matches('`').to_owned(), imports);
    }
    if drawn.is_empty() {
        bail!("ARCHITECTURE.md has no table of crates");
    }
    Ok(drawn)
}

fn names(file: &Path, faults: &mut Vec<String>) {
    let Some(stem) = file.file_stem().and_then(|stem| stem.to_str()) else { return };
    if file.extension().is_some_and(|extension| extension == "rs") && EMPTY_NAMES.contains(&stem) {
        faults.push(format!("{}: the name says nothing about what is inside", file.display()));
    }
    if stem == "mod" && !file.components().any(|part| part.as_os_str() == "tests") {
        faults.push(format!("{}: modules are `name.rs` beside `name/`", file.display()));
    }
}

fn contents(file: &Path, text: &str, faults: &mut Vec<String>) {
    let name = file.display();
    let is_rust = file.extension().is_some_and(|extension| extension == "rs");
    let lines = text.lines().count();
    if is_rust && lines > LINES_MAX {
        faults.push(format!("{name}: {lines} lines; more than {LINES_MAX} ask for a wall"));
    }
    if is_rust && !text.starts_with("//!") && !text.starts_with("#!") {
        faults.push(format!("{name}: does not say what it is (`//!`)"));
    }
    for (line, number) in text.lines().zip(1..) {
        // Split, so that this file does not accuse itself.
        if [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("todo", "!("), concat!("unimplemented", "!(")].iter().any(|word| line.contains(word)) && is_rust
        {
            faults.push(format!("{name}:{number}: unfinished by its own words"));
        }
        if is_rust && line.contains(concat!("#[ign", "ore")) {
            faults.push(format!("{name}:{number}: a test that is not run"));
        }
        if is_rust && line.contains(concat!("unsafe", " {")) && !UNSAFE_ALLOWED.contains(&&*name.to_string()) {
            faults.push(format!("{name}:{number}: unsafe code outside the list"));
        }
    }
}

/// Paths that the hand-written documents name exist.
fn mentioned_paths(files: &[PathBuf], faults: &mut Vec<String>) {
    let documents = ["README.md", "README.zh-CN.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "tests/real/README.md"];
    let known: BTreeSet<String> = files.iter().flat_map(|file| file.ancestors().map(|part| part.display().to_string()).collect::<Vec<_>>()).collect();
    let roots: BTreeSet<&str> = ["crates", "xtask", "examples", "tests", "benchmarks", "schemas", "fuzz", "docs"].into();
    for document in documents {
        let Ok(text) = fs::read_to_string(root().join(document)) else {
            faults.push(format!("{document}: is missing"));
            continue;
        };
        for quoted in text.split('`').skip(1).step_by(2) {
            let path = quoted.trim_end_matches('/');
            let looks_like_one =
                path.split('/').next().is_some_and(|first| roots.contains(first)) && path.contains('/') && !path.contains(['*', '<', ' ', '{', '…']);
            if looks_like_one && !known.contains(path) {
                faults.push(format!("{document}: names `{quoted}`, which does not exist"));
            }
        }
    }
}
