//! Parts built with Go, once per machine: what is built from which module, and the cache that keeps it.
//!
//! A part's directory in the cache is named by its version and a hash over everything that pins its source, so a build is
//! never stale and two checkouts share it. A file lock makes parallel tests build once.

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::error::{Error, Result};
use crate::keeper::tail;

/// One program and where its source comes from.
#[derive(Debug)]
pub(crate) struct Build {
    /// The program's file name.
    pub(crate) part: &'static str,
    /// The directory of its module below `tests/real`.
    module: &'static str,
    /// What `go build` is given.
    package: &'static str,
    /// The Go module whose required version is the part's version.
    pinned_by: &'static str,
    /// The directory of the module that holds the program's own source, where it is ours.
    source: Option<&'static str>,
    /// Whether the version is linked in, as Kubernetes' own release builds do.
    stamped: bool,
    /// How long a build takes on two cores with an empty Go cache, for the line that says so.
    about: &'static str,
}

/// The directory with the Go package that our own programs share.
const LINES: &str = "lines";

/// The API server.
pub(crate) const API_SERVER: Build = kubernetes("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver", "6 minutes");
/// The controller manager.
pub(crate) const CONTROLLER_MANAGER: Build = kubernetes("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager", "2 minutes");
/// The client.
pub(crate) const KUBECTL: Build = Build {
    part: "kubectl",
    module: "kubectl",
    package: "k8s.io/kubernetes/cmd/kubectl",
    pinned_by: "k8s.io/kubernetes",
    source: None,
    stamped: true,
    about: "2 minutes",
};
/// The Pod Security oracle.
pub(crate) const POD_SECURITY: Build = oracle("psa", "./psa", "k8s.io/pod-security-admission");
/// The YAML oracle.
pub(crate) const YAML: Build = oracle("scalars", "./scalars", "sigs.k8s.io/yaml");
/// The oracle for label selectors.
pub(crate) const LABELS: Build = oracle("labels", "./labels", "k8s.io/kubernetes");
/// The authorization oracle.
pub(crate) const AUTHORIZATION: Build = oracle("rbac", "./rbac", "k8s.io/kubernetes");
/// The oracle for configurations of authentication.
pub(crate) const AUTHENTICATION: Build = oracle("authentication", "./authentication", "k8s.io/kubernetes");
/// The oracle for certificates.
pub(crate) const CERTIFICATES: Build = oracle("certificates", "./certificates", "k8s.io/kubernetes");
/// The etcd server.
pub(crate) const ETCD: Build = etcd("etcd", "go.etcd.io/etcd/server/v3");
/// The etcd client.
pub(crate) const ETCDCTL: Build = etcd("etcdctl", "go.etcd.io/etcd/etcdctl/v3");
/// The tool for etcd's files.
pub(crate) const ETCDUTL: Build = etcd("etcdutl", "go.etcd.io/etcd/etcdutl/v3");
/// Helm.
pub(crate) const HELM: Build = chart("helm", "helm.sh/helm/v4/cmd/helm", "helm.sh/helm/v4", "4 minutes");
/// Kustomize.
pub(crate) const KUSTOMIZE: Build = chart("kustomize", "sigs.k8s.io/kustomize/kustomize/v5", "sigs.k8s.io/kustomize/kustomize/v5", "1 minute");

const fn kubernetes(part: &'static str, package: &'static str, about: &'static str) -> Build {
    Build { part, module: "control-plane", package, pinned_by: "k8s.io/kubernetes", source: None, stamped: true, about }
}

const fn oracle(part: &'static str, package: &'static str, pinned_by: &'static str) -> Build {
    Build { part, module: "control-plane", package, pinned_by, source: Some(part), stamped: false, about: "1 minute" }
}

const fn etcd(part: &'static str, package: &'static str) -> Build {
    Build { part, module: "etcd", package, pinned_by: package, source: None, stamped: false, about: "1 minute" }
}

const fn chart(part: &'static str, package: &'static str, pinned_by: &'static str, about: &'static str) -> Build {
    Build { part, module: "charts", package, pinned_by, source: None, stamped: false, about }
}

impl Build {
    /// The program's path in the cache, built now if it is not there yet.
    pub(crate) fn have(&self) -> Result<PathBuf> {
        let root = cache_directory()?;
        let version = self.version()?;
        let home = root.join(format!("{}-{version}-{}", self.part, self.fingerprint()?));
        let program = home.join(self.part);
        if program.is_file() {
            return Ok(program);
        }
        fs::create_dir_all(&root).map_err(Error::io(format!("creating `{}`", root.display())))?;
        let _lock = lock(&root, self.part)?;
        if !program.is_file() {
            self.build(&root, &home, &version)?;
        }
        Ok(program)
    }

    /// The version that the module pins, without its `v`.
    pub(crate) fn version(&self) -> Result<String> {
        let file = self.directory().join("go.mod");
        let text = fs::read_to_string(&file).map_err(Error::io(format!("reading `{}`", file.display())))?;
        let replaced = text.lines().find_map(|line| line.trim().strip_prefix(self.pinned_by)?.trim().strip_prefix("=>"));
        let required = text.lines().find_map(|line| {
            let rest = line.trim().trim_start_matches("require ").strip_prefix(self.pinned_by)?;
            rest.trim_start().starts_with('v').then_some(rest)
        });
        let version = replaced.or(required).and_then(|rest| rest.split_whitespace().find_map(|word| word.strip_prefix('v')));
        version.map(str::to_owned).ok_or_else(|| Error::NotPinned { file, module: self.pinned_by.to_owned() })
    }

    fn directory(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/real").join(self.module)
    }

    /// Sixteen hexadecimal digits over `go.sum`, which pins every dependency, and over our own source.
    fn fingerprint(&self) -> Result<String> {
        let mut files = vec![self.directory().join("go.sum")];
        // Our own programs share how they converse.
        for source in self.source.into_iter().flat_map(|source| [source, LINES]) {
            let directory = self.directory().join(source);
            let reading = || format!("reading `{}`", directory.display());
            let mut sources = Vec::new();
            for entry in fs::read_dir(&directory).map_err(Error::io(reading()))? {
                sources.push(entry.map_err(Error::io(reading()))?.path());
            }
            sources.sort();
            files.extend(sources);
        }
        let mut hash = Sha256::new();
        for file in files {
            hash.update(fs::read(&file).map_err(Error::io(format!("reading `{}`", file.display())))?);
        }
        let digest = hash.finalize();
        Ok(digest.iter().take(8).fold(String::new(), |hex, byte| hex + &format!("{byte:02x}")))
    }

    fn build(&self, root: &Path, home: &Path, version: &str) -> Result<()> {
        let unfinished = unfinished(root)?;
        compile(self.part, version, &self.directory(), self.package, self.about, self.stamped, &unfinished.path().join(self.part))?;
        fs::rename(unfinished.keep(), home).map_err(Error::io(format!("moving the build to `{}`", home.display())))
    }
}

/// A directory for a build, which is moved when it is finished.
pub(crate) fn unfinished(root: &Path) -> Result<TempDir> {
    tempfile::Builder::new().prefix(".building-").tempdir_in(root).map_err(Error::io(format!("creating a directory in `{}`", root.display())))
}

/// Builds `package` of the Go module in the directory `module`, which takes `about` that long.
pub(crate) fn compile(part: &str, version: &str, module: &Path, package: &str, about: &str, stamped: bool, program: &Path) -> Result<()> {
    say(&format!("building {part} {version} (about {about}, once per machine)"));
    let started = Instant::now();
    let output = Command::new("go")
        .current_dir(module)
        .env("CGO_ENABLED", "0")
        .env("GOWORK", "off")
        .args(["build", "-trimpath", "-buildvcs=false", "-ldflags", &linker_flags(version, stamped), "-o"])
        .arg(program)
        .arg(package)
        .output()
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound => Error::NoGo { part: part.to_owned(), wanted: go_version(module) },
            _ => Error::Io { doing: "running `go build`".to_owned(), source: error },
        })?;
    if !output.status.success() {
        let log = tail(&String::from_utf8_lossy(&output.stderr));
        return Err(Error::Build { part: part.to_owned(), module: module.to_owned(), log });
    }
    say(&format!("built {part} {version} in {} s", started.elapsed().as_secs()));
    Ok(())
}

fn linker_flags(version: &str, stamped: bool) -> String {
    let mut flags = "-s -w".to_owned();
    if stamped {
        let mut numbers = version.split('.');
        let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
        for (name, value) in [("gitVersion", format!("v{version}").as_str()), ("gitMajor", major), ("gitMinor", minor)] {
            flags = format!("{flags} -X k8s.io/component-base/version.{name}={value}");
        }
    }
    flags
}

/// `$BARTIZAN_CACHE`, else a directory of the user's cache; parts are below `real`.
pub(crate) fn cache_directory() -> Result<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let own = variable("BARTIZAN_CACHE")
        .or_else(|| variable("XDG_CACHE_HOME").map(|cache| cache.join("bartizan")))
        .or_else(|| variable("HOME").map(|home| home.join(".cache/bartizan")));
    own.map(|directory| directory.join("real")).ok_or(Error::NoCache)
}

/// One build at a time on a machine: each uses every core.
pub(crate) fn lock(root: &Path, part: &str) -> Result<File> {
    let path = root.join("lock");
    let locking = || format!("locking `{}`", path.display());
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(Error::io(locking()))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            say(&format!("waiting for another build before {part}"));
            file.lock().map_err(Error::io(locking()))?;
        }
        Err(TryLockError::Error(source)) => {
            return Err(Error::Io { doing: locking(), source });
        }
    }
    Ok(file)
}

/// The Go release that a module asks for.
pub(crate) fn go_version(module: &Path) -> String {
    let text = fs::read_to_string(module.join("go.mod")).unwrap_or_default();
    text.lines().find_map(|line| line.strip_prefix("go ")).unwrap_or("of this year").to_owned()
}

/// A line of progress, so that minutes of silence have a reason.
fn say(what: &str) {
    // Whoever closed standard error does not want to know.
    let _unheard = writeln!(std::io::stderr(), "testbed: {what}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_pinned_to_a_release() {
        for (build, version) in [
            (&API_SERVER, "1.37."),
            (&CONTROLLER_MANAGER, "1.37."),
            (&POD_SECURITY, "0.37."),
            (&YAML, "1."),
            (&AUTHORIZATION, "1.37."),
            (&ETCD, "3.7."),
            (&ETCDCTL, "3.7."),
            (&ETCDUTL, "3.7."),
            (&HELM, "4."),
            (&KUSTOMIZE, "5."),
        ] {
            let pinned = build.version().expect("pinned");
            assert!(pinned.starts_with(version), "`{}` is at {pinned}", build.part);
        }
    }

    #[test]
    fn the_release_is_linked_into_kubernetes_components_only() {
        assert_eq!(
            linker_flags("1.37.2", API_SERVER.stamped),
            "-s -w -X k8s.io/component-base/version.gitVersion=v1.37.2 \
             -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=37"
        );
        assert_eq!(linker_flags("3.7.3", ETCD.stamped), "-s -w");
    }

    #[test]
    fn our_own_programs_are_rebuilt_when_their_source_changes() {
        let server = API_SERVER.fingerprint().expect("go.sum is there");
        let oracle = POD_SECURITY.fingerprint().expect("source is there");
        assert_eq!(server, CONTROLLER_MANAGER.fingerprint().expect("go.sum is there"));
        assert_ne!(server, oracle);
        assert_eq!(server.len(), 16);
    }
}
