//! Benchmarks: tables that map the control numbers of a published standard to checks. A check never knows its numbers.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use bartizan_cluster::KubernetesVersion;
use serde::Deserialize;

/// A published standard.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Benchmark {
    /// The value of `--benchmark`, and the prefix in `controls`; set from the file's name.
    #[serde(skip)]
    pub id: &'static str,
    /// What the standard is called.
    pub title: String,
    /// 标题
    pub title_zh: String,
    /// Where it is published.
    pub reference: String,
    /// Whether every control gets a verdict: *unknown* where the input shows nothing that it is about.
    #[serde(default)]
    pub every_control: bool,
    /// Its controls.
    #[serde(rename = "control")]
    pub controls: Vec<Control>,
}

/// One control of a standard.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// Its number or name.
    pub id: String,
    /// What it asks for, in our words.
    pub title: String,
    /// The checks that decide it.
    pub checks: Vec<String>,
    /// The input can show that it is not met, and never that it is: without a fault it is unknown.
    #[serde(default)]
    pub only_refuted: bool,
    /// It counts from this version on.
    #[serde(default)]
    pub since: Option<KubernetesVersion>,
    /// It counts before this version: from then on another control overrides it.
    #[serde(default)]
    pub before: Option<KubernetesVersion>,
}

impl Control {
    /// Whether the control counts for `version`.
    pub fn applies_to(&self, version: KubernetesVersion) -> bool {
        self.since.is_none_or(|since| version >= since) && self.before.is_none_or(|before| version < before)
    }
}

impl Benchmark {
    /// The checks that decide the benchmark for `version`.
    pub fn checks(&self, version: KubernetesVersion) -> impl Iterator<Item = &str> {
        self.controls.iter().filter(move |control| control.applies_to(version)).flat_map(|control| control.checks.iter().map(String::as_str))
    }
}

macro_rules! benchmarks {
    ($($id:literal),* $(,)?) => {
        &[$(($id, include_str!(concat!("../../../benchmarks/", $id, ".toml")))),*]
    };
}

const TEXTS: &[(&str, &str)] = benchmarks!["cis-1.12", "nsa-1.2", "pss-baseline", "pss-restricted"];

/// Every benchmark, by id.
pub static ALL: LazyLock<BTreeMap<&'static str, Benchmark>> = LazyLock::new(|| {
    TEXTS
        .iter()
        .filter_map(|&(id, text)| {
            // The tests read every table, so none is left out here.
            let mut benchmark: Benchmark = toml::from_str(text).ok()?;
            benchmark.id = id;
            Some((id, benchmark))
        })
        .collect()
});

/// The controls that ask for `check`: `pss-baseline/hostNamespaces`.
pub fn controls_of(check: &str) -> &'static [String] {
    static INDEX: LazyLock<BTreeMap<String, Vec<String>>> = LazyLock::new(|| {
        let mut index: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (id, benchmark) in ALL.iter() {
            for control in &benchmark.controls {
                for check in &control.checks {
                    index.entry(check.clone()).or_default().push(format!("{id}/{}", control.id));
                }
            }
        }
        for controls in index.values_mut() {
            controls.sort();
            controls.dedup();
        }
        index
    });
    INDEX.get(check).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_reads_and_names_checks_that_exist() {
        assert_eq!(ALL.len(), TEXTS.len());
        for (id, text) in TEXTS {
            let benchmark: Benchmark = toml::from_str(text).unwrap_or_else(|error| panic!("{id}: {error}"));
            for control in &benchmark.controls {
                assert!(!control.checks.is_empty(), "{id}/{}", control.id);
                for check in &control.checks {
                    assert!(crate::find(check).is_some(), "{id}/{}: no check `{check}`", control.id);
                }
            }
        }
    }
}
