//! Custom resources that other projects define, as they publish them in their Go modules: `tests/real/definitions` pins these, and Go
//! fetches them once per machine. Nothing of them is built, and nothing of them is copied here.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::builds::go_version;
use crate::error::{Error, Result};
use crate::keeper::tail;
use crate::oracles::YamlOracle;

/// Who defines custom resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Definitions {
    /// Cilium's policies.
    Cilium,
    /// Calico's policies, as they are stored.
    Calico,
    /// Istio's security and networking.
    Istio,
    /// The policies of administrators, with every field.
    NetworkPolicyApi,
}

impl Definitions {
    /// The module, and where in it the definitions are.
    fn source(self) -> (&'static str, &'static str) {
        match self {
            Definitions::Cilium => ("github.com/cilium/cilium", "pkg/k8s/apis/cilium.io/client/crds/v2"),
            Definitions::Calico => ("github.com/projectcalico/calico", "libcalico-go/config/crd"),
            Definitions::Istio => ("istio.io/api", "kubernetes"),
            Definitions::NetworkPolicyApi => ("sigs.k8s.io/network-policy-api", "config/crd/experimental"),
        }
    }

    /// The `CustomResourceDefinition` of each of these kinds, in their order.
    pub fn of(self, kinds: &[&str]) -> Result<Vec<Value>> {
        let (module, inner) = self.source();
        let directory = fetched(module)?.join(inner);
        let reading = || format!("reading `{}`", directory.display());
        let mut texts = Vec::new();
        for entry in std::fs::read_dir(&directory).map_err(Error::io(reading()))? {
            let path = entry.map_err(Error::io(reading()))?.path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                texts.push(std::fs::read(&path).map_err(Error::io(format!("reading `{}`", path.display())))?);
            }
        }
        let slices: Vec<&[u8]> = texts.iter().map(Vec::as_slice).collect();
        let read = YamlOracle::locate()?.documents(&slices)?;
        let all: Vec<Value> = read.into_iter().flat_map(|stream| stream.documents).collect();
        let one = |kind: &&str| {
            let found = all.iter().find(|definition| definition.pointer("/spec/names/kind").and_then(Value::as_str) == Some(kind));
            found.cloned().ok_or_else(|| Error::Answer { question: directory.display().to_string(), why: format!("nothing there defines `{kind}`") })
        };
        kinds.iter().map(one).collect()
    }
}

/// Where Go keeps `module` in the version that is pinned, fetched now if it is not there yet and held against the pinned hash.
fn fetched(module: &str) -> Result<PathBuf> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/real/definitions");
    let file = home.join("go.mod");
    let text = std::fs::read_to_string(&file).map_err(Error::io(format!("reading `{}`", file.display())))?;
    let pinned = text.lines().find_map(|line| line.trim().strip_prefix(module)?.split_whitespace().next());
    let version = pinned.ok_or_else(|| Error::NotPinned { file, module: module.to_owned() })?;
    let output =
        Command::new("go").current_dir(&home).env("GOWORK", "off").args(["mod", "download", "-json", &format!("{module}@{version}")]).output().map_err(
            |error| match error.kind() {
                ErrorKind::NotFound => Error::NoGo { part: module.to_owned(), wanted: go_version(&home) },
                _ => Error::Io { doing: "running `go mod download`".to_owned(), source: error },
            },
        )?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let answer: Value = serde_json::from_str(&said).unwrap_or_default();
    match answer.get("Dir").and_then(Value::as_str).filter(|_| output.status.success()) {
        Some(directory) => Ok(directory.into()),
        None => Err(Error::Build { part: module.to_owned(), module: home, log: tail(&(said + &String::from_utf8_lossy(&output.stderr))) }),
    }
}
