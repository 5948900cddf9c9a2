//! Kubernetes versions.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A Kubernetes minor version of the 1.x line; patch releases do not change what the code judges by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KubernetesVersion {
    minor: u16,
}

/// A text that is no Kubernetes version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a Kubernetes version such as `1.37`")]
pub struct NotAVersion(String);

impl KubernetesVersion {
    /// The newest version whose rules are known.
    pub const NEWEST: Self = Self { minor: 37 };

    /// Version 1.`minor`.
    pub const fn minor(minor: u16) -> Self {
        Self { minor }
    }

    /// Whether this version is at least 1.`minor`.
    pub fn at_least(self, minor: u16) -> bool {
        self.minor >= minor
    }

    /// The number after `1.`.
    pub fn minor_number(self) -> u16 {
        self.minor
    }
}

/// The newest known version: what manifests are judged for unless somebody says otherwise.
impl Default for KubernetesVersion {
    fn default() -> Self {
        Self::NEWEST
    }
}

impl std::fmt::Display for KubernetesVersion {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "1.{}", self.minor)
    }
}

impl FromStr for KubernetesVersion {
    type Err = NotAVersion;

    /// Reads `1.37`, `v1.37`, `1.37.2`, `v1.37.2-gke.100` and `latest`.
    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let wrong = || NotAVersion(text.to_owned());
        if text == "latest" {
            return Ok(Self::NEWEST);
        }
        let rest = text.strip_prefix('v').unwrap_or(text).strip_prefix("1.").ok_or_else(wrong)?;
        let digits = rest.find(|letter: char| !letter.is_ascii_digit()).map_or(rest, |end| rest.get(..end).unwrap_or(""));
        let tail = rest.get(digits.len()..).unwrap_or("");
        if !(tail.is_empty() || tail.starts_with(['.', '-', '+'])) {
            return Err(wrong());
        }
        digits.parse().map(Self::minor).map_err(|_| wrong())
    }
}

impl TryFrom<String> for KubernetesVersion {
    type Error = NotAVersion;

    fn try_from(text: String) -> Result<Self, NotAVersion> {
        text.parse()
    }
}

impl From<KubernetesVersion> for String {
    fn from(version: KubernetesVersion) -> String {
        version.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_people_write_them() {
        for text in ["1.30", "v1.30", "1.30.4", "v1.30.4-gke.1200", "1.30+"] {
            assert_eq!(text.parse(), Ok(KubernetesVersion::minor(30)), "{text}");
        }
        assert_eq!("latest".parse(), Ok(KubernetesVersion::NEWEST));
        for text in ["", "1", "1.", "2.1", "v", "1.x", "1.30x", "30"] {
            assert!(text.parse::<KubernetesVersion>().is_err(), "{text}");
        }
    }
}
