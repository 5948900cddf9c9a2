//! kube-apiserver of releases that the repository does not pin, for the matrix: built once per machine, like the pinned ones.
//!
//! A release never changes, and the checksum database of Go says so; its version is therefore enough of a name. The module that
//! builds it is made of the release's own `go.mod`: whatever is a directory of its tree there is replaced by the module of the
//! same release. Nothing of it is committed.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::builds::{self, ETCD};
use crate::error::{Error, Result};
use crate::parts::KubernetesVersion;

const PROGRAM: &str = "kube-apiserver";
const PACKAGE: &str = "k8s.io/kubernetes/cmd/kube-apiserver";

/// A directory with `kube-apiserver` of this release and the pinned `etcd`, as `$KUBEBUILDER_ASSETS` names one.
pub(crate) fn assets(version: KubernetesVersion) -> Result<PathBuf> {
    let root = builds::cache_directory()?;
    let home = root.join(format!("{PROGRAM}-{version}-release"));
    if !home.join(PROGRAM).is_file() {
        fs::create_dir_all(&root).map_err(Error::io(format!("creating `{}`", root.display())))?;
        let _lock = builds::lock(&root, PROGRAM)?;
        if !home.join(PROGRAM).is_file() {
            build(&root, &home, version)?;
        }
    }
    link(&ETCD.have()?, &home.join("etcd"))?;
    Ok(home)
}

fn build(root: &Path, home: &Path, version: KubernetesVersion) -> Result<()> {
    let unfinished = builds::unfinished(root)?;
    let module = unfinished.path();
    let write = |name: &str, text: String| fs::write(module.join(name), text).map_err(Error::io(format!("writing `{name}`")));
    write("go.mod", "module bartizan.test/release\n\ngo 1.24.0\n".to_owned())?;
    let own = go(module, &["mod", "download", "-json", &format!("k8s.io/kubernetes@v{version}")])?;
    let own: serde_json::Value = serde_json::from_str(&own).unwrap_or_default();
    let Some(manifest) = own.get("GoMod").and_then(serde_json::Value::as_str) else {
        return Err(Error::Answer { question: "go mod download".to_owned(), why: format!("it names no `go.mod` of Kubernetes {version}") });
    };
    let manifest = fs::read_to_string(manifest).map_err(Error::io(format!("reading `{manifest}`")))?;
    write("go.mod", go_mod(&manifest, version))?;
    go(module, &["get", "-tool", &format!("{PACKAGE}@v{version}")])?;
    builds::compile(PROGRAM, &version.to_string(), module, PACKAGE, "8 minutes", true, &module.join(PROGRAM))?;
    fs::rename(unfinished.keep(), home).map_err(Error::io(format!("moving the build to `{}`", home.display())))
}

/// A module that stands on a release of Kubernetes; `manifest` is the release's own `go.mod`.
fn go_mod(manifest: &str, version: KubernetesVersion) -> String {
    let staging = manifest.lines().filter_map(|line| line.trim().trim_start_matches("require ").strip_suffix(" v0.0.0"));
    let mut text = "module bartizan.test/release\n\ngo 1.24.0\n\nreplace (\n".to_owned();
    for name in staging.filter(|name| name.starts_with("k8s.io/")) {
        text.push_str(&format!("\t{name} => {name} v0.{}.{}\n", version.minor, version.patch));
    }
    text.push_str(")\n");
    text
}

fn go(module: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new("go")
        .current_dir(module)
        .env("GOWORK", "off")
        .args(arguments)
        .output()
        .map_err(Error::io(format!("running `go {}`", arguments.join(" "))))?;
    if !output.status.success() {
        let log = crate::keeper::tail(&String::from_utf8_lossy(&output.stderr));
        return Err(Error::Build { part: PROGRAM.to_owned(), module: module.to_owned(), log });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Makes `link` point to `target`, which may have moved since the last time.
fn link(target: &Path, link: &Path) -> Result<()> {
    if fs::read_link(link).is_ok_and(|there| there == target) {
        return Ok(());
    }
    let linking = || format!("linking `{}`", link.display());
    if fs::symlink_metadata(link).is_ok() {
        fs::remove_file(link).map_err(Error::io(linking()))?;
    }
    symlink(target, link).map_err(Error::io(linking()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_of_the_release_become_modules_of_the_same_release() {
        let manifest =
            "module k8s.io/kubernetes\n\nrequire (\n\tk8s.io/api v0.0.0\n\tk8s.io/utils v0.0.0-20260210185600-b8788abfbbc2\n)\n\nrequire k8s.io/kms v0.0.0\n";
        let text = go_mod(manifest, KubernetesVersion { minor: 35, patch: 4 });
        assert!(text.contains("\tk8s.io/api => k8s.io/api v0.35.4\n\tk8s.io/kms => k8s.io/kms v0.35.4\n)"), "{text}");
        assert!(!text.contains("utils"), "{text}");
    }
}
