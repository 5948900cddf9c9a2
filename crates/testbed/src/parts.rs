//! Where the real components are: `$KUBEBUILDER_ASSETS` first, then the cache, then a build. Never a download of binaries.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::builds;
use crate::error::{Error, Result};
use crate::releases;

/// The minor releases of Kubernetes 1 that tests may run against.
const SUPPORTED: std::ops::RangeInclusive<u32> = 34..=37;

/// The oldest minor release of etcd 3 that those API servers work with.
const OLDEST_ETCD: u32 = 5;

/// A release of Kubernetes 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KubernetesVersion {
    /// The minor release, as 37 in 1.37.2.
    pub minor: u32,
    /// The patch release, as 2 in 1.37.2.
    pub patch: u32,
}

impl fmt::Display for KubernetesVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1.{}.{}", self.minor, self.patch)
    }
}

impl KubernetesVersion {
    /// Reads `v1.37.2`, with or without the `v` and whatever a distribution appends.
    pub fn parse(text: &str) -> Option<Self> {
        let [1, minor, patch] = numbers(text)? else {
            return None;
        };
        Some(Self { minor, patch })
    }
}

/// The first three numbers of `v1.37.2-rc.1+k3s1` or `3.7.3`.
fn numbers(text: &str) -> Option<[u32; 3]> {
    let text = text.trim().trim_start_matches('v');
    let mut numbers = text.split(['.', '-', '+']).map(|number| number.parse().ok());
    Some([numbers.next()??, numbers.next()??, numbers.next()??])
}

/// The programs that make a control plane.
#[derive(Clone, Debug)]
pub struct Parts {
    etcd: PathBuf,
    api_server: PathBuf,
    controller_manager: PathBuf,
    version: KubernetesVersion,
}

impl Parts {
    /// Finds the parts, and builds what is missing (minutes, once per machine; progress goes to standard error).
    ///
    /// `$KUBEBUILDER_ASSETS` is taken at its word: a directory that lacks kube-apiserver or etcd, or holds an unsupported
    /// release, is an error and not passed over. Only kube-controller-manager, which the usual bundles lack, is built then.
    pub fn locate() -> Result<Self> {
        match std::env::var_os("KUBEBUILDER_ASSETS").filter(|value| !value.is_empty()) {
            Some(directory) => Self::from_assets(Path::new(&directory)),
            None => Self::pinned(),
        }
    }

    /// The releases that this repository pins, from the cache or built now.
    pub fn pinned() -> Result<Self> {
        let version = builds::API_SERVER.version()?;
        Ok(Self {
            version: KubernetesVersion::parse(&version).ok_or_else(|| answer("the pinned release of kube-apiserver", &version))?,
            etcd: builds::ETCD.have()?,
            api_server: builds::API_SERVER.have()?,
            controller_manager: builds::CONTROLLER_MANAGER.have()?,
        })
    }

    /// The parts in a directory such as `setup-envtest` fills.
    pub fn from_assets(directory: &Path) -> Result<Self> {
        let refuse = |why: String| Error::Assets { directory: directory.to_owned(), why };
        let part = |name: &str| {
            let path = directory.join(name);
            path.is_file().then_some(path)
        };
        let api_server = part("kube-apiserver").ok_or_else(|| refuse("which holds no kube-apiserver".to_owned()))?;
        let etcd = part("etcd").ok_or_else(|| refuse("which holds no etcd".to_owned()))?;

        let version = kubernetes_version(&api_server)?;
        if !SUPPORTED.contains(&version.minor) {
            let (oldest, newest) = (SUPPORTED.start(), SUPPORTED.end());
            return Err(refuse(format!("where kube-apiserver is {version}: supported are 1.{oldest} to 1.{newest}")));
        }
        match etcd_version(&etcd)? {
            [3, minor, _] if minor >= OLDEST_ETCD => {}
            [major, minor, patch] => {
                return Err(refuse(format!("where etcd is {major}.{minor}.{patch}: 3.{OLDEST_ETCD} or newer is needed")));
            }
        }
        let controller_manager = match part("kube-controller-manager") {
            None => builds::CONTROLLER_MANAGER.have()?,
            Some(path) => {
                let own = kubernetes_version(&path)?;
                if own.minor != version.minor {
                    return Err(refuse(format!("where kube-controller-manager is {own} and kube-apiserver is {version}")));
                }
                path
            }
        };
        Ok(Self { etcd, api_server, controller_manager, version })
    }

    /// A directory with the API server of a release that is not pinned, and etcd: what `$KUBEBUILDER_ASSETS` may name. The
    /// server is built when it is first asked for.
    pub fn assets_of(version: KubernetesVersion) -> Result<PathBuf> {
        releases::assets(version)
    }

    /// The release of the API server.
    pub fn version(&self) -> KubernetesVersion {
        self.version
    }

    /// The etcd server.
    pub fn etcd(&self) -> &Path {
        &self.etcd
    }

    /// The API server.
    pub fn api_server(&self) -> &Path {
        &self.api_server
    }

    /// The controller manager.
    pub fn controller_manager(&self) -> &Path {
        &self.controller_manager
    }

    /// The `etcdctl` of the pinned release, built when first asked for.
    pub fn etcdctl() -> Result<PathBuf> {
        builds::ETCDCTL.have()
    }

    /// The `etcdutl` of the pinned release, built when first asked for.
    pub fn etcdutl() -> Result<PathBuf> {
        builds::ETCDUTL.have()
    }

    /// The `helm` of the pinned release, built when first asked for.
    pub fn helm() -> Result<PathBuf> {
        builds::HELM.have()
    }

    /// The `kustomize` of the pinned release, built when first asked for.
    pub fn kustomize() -> Result<PathBuf> {
        builds::KUSTOMIZE.have()
    }

    /// The `kubectl` of the pinned release, built when first asked for.
    pub fn kubectl() -> Result<PathBuf> {
        builds::KUBECTL.have()
    }
}

/// What a Kubernetes component says of itself: `Kubernetes v1.37.2`.
pub(crate) fn kubernetes_version(program: &Path) -> Result<KubernetesVersion> {
    let said = ask_version(program)?;
    let version = said.trim().strip_prefix("Kubernetes ").and_then(KubernetesVersion::parse);
    version.ok_or_else(|| answer(&format!("{} --version", program.display()), &said))
}

/// What etcd says of itself: `etcd Version: 3.7.3` and lines on its build.
fn etcd_version(program: &Path) -> Result<[u32; 3]> {
    let said = ask_version(program)?;
    let version = said.lines().find_map(|line| numbers(line.strip_prefix("etcd Version:")?));
    version.ok_or_else(|| answer(&format!("{} --version", program.display()), &said))
}

fn ask_version(program: &Path) -> Result<String> {
    let running = format!("running `{} --version`", program.display());
    let output = Command::new(program).arg("--version").output().map_err(Error::io(running))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn answer(question: &str, said: &str) -> Error {
    Error::Answer { question: question.to_owned(), why: format!("`{}` names no release", said.trim()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_read_with_every_distributions_suffix() {
        let version = KubernetesVersion { minor: 37, patch: 2 };
        for text in ["v1.37.2", "1.37.2", "v1.37.2+k3s1", "v1.37.2-gke.1200", "v1.37.2-rc.1"] {
            assert_eq!(KubernetesVersion::parse(text), Some(version), "{text}");
        }
        for text in ["", "v2.0.1", "v1.37", "one"] {
            assert_eq!(KubernetesVersion::parse(text), None, "{text}");
        }
    }
}
