//! Feature gates of components, as `--feature-gates` and configurations switch them. What a gate is for is said elsewhere.

use std::collections::BTreeMap;

use crate::component::is_on;

/// The gate that switches every alpha feature that is not named itself.
const ALL_ALPHA: &str = "AllAlpha";
/// The gate that switches every beta feature that is not named itself.
const ALL_BETA: &str = "AllBeta";

/// How far a feature is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// `AllAlpha` switches it too.
    Alpha,
    /// `AllBeta` switches it too.
    Beta,
    /// It is switched by its own name only: stable, or on its way out.
    Other,
}

/// What was switched, by name: the word that stands last counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FeatureGates {
    set: BTreeMap<String, bool>,
}

impl FeatureGates {
    /// Takes the value of a flag: `One=true,Other=false`. The flag can be given several times.
    pub fn take(&mut self, value: &str) {
        for (name, is_on) in pairs(value) {
            self.set(name, is_on);
        }
    }

    /// Takes one gate.
    pub fn set(&mut self, name: &str, is_on: bool) {
        self.set.insert(name.to_owned(), is_on);
    }

    /// Whether the feature `name` is switched on or off, by its own name or with all of its stage; `None` where it is left at
    /// its default.
    pub fn switched(&self, name: &str, stage: Stage) -> Option<bool> {
        let all = match stage {
            Stage::Alpha => Some(ALL_ALPHA),
            Stage::Beta => Some(ALL_BETA),
            Stage::Other => None,
        };
        self.set.get(name).or_else(|| self.set.get(all?)).copied()
    }
}

/// The gates of a flag's value that are those of Kubernetes itself: `One=true,kube:Other=false`.
pub fn pairs(value: &str) -> impl Iterator<Item = (&str, bool)> {
    value.split(',').filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let name = match name.trim().split_once(':') {
            None => name.trim(),
            Some(("kube", name)) => name.trim(),
            Some(_) => return None,
        };
        Some((name, is_on(value.trim())))
    })
}

/// Whether the values of a flag, which is given so often, switch the feature `name` on or off; and the flag that stands last of those that
/// have to do with it.
pub fn switched_by<T>(given: impl IntoIterator<Item = (T, impl AsRef<str>)>, name: &str, stage: Stage) -> Option<(bool, T)> {
    let mut gates = FeatureGates::default();
    let mut last = None;
    for (flag, value) in given {
        let value = value.as_ref();
        gates.take(value);
        if pairs(value).any(|(gate, _)| concerns(gate, name, stage)) {
            last = Some(flag);
        }
    }
    gates.switched(name, stage).zip(last)
}

/// Whether a gate of a flag's value switches the feature `name` of stage `stage`, by its own name or with others.
pub fn concerns(gate: &str, name: &str, stage: Stage) -> bool {
    gate == name || matches!((gate, stage), (ALL_ALPHA, Stage::Alpha) | (ALL_BETA, Stage::Beta))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_is_switched_by_its_own_name_before_those_of_its_stage() {
        let switched = |values: &[&str], stage| {
            let mut gates = FeatureGates::default();
            for value in values {
                gates.take(value);
            }
            gates.switched("One", stage)
        };
        assert_eq!(switched(&[], Stage::Beta), None);
        assert_eq!(switched(&["Other=true, One = false"], Stage::Beta), Some(false));
        assert_eq!(switched(&["One=true", "One=false"], Stage::Beta), Some(false));
        assert_eq!(switched(&["One=false,AllBeta=true"], Stage::Beta), Some(false));
        assert_eq!(switched(&["AllBeta=false"], Stage::Beta), Some(false));
        assert_eq!(switched(&["AllBeta=true"], Stage::Alpha), None);
        assert_eq!(switched(&["AllAlpha=T"], Stage::Alpha), Some(true));
        assert_eq!(switched(&["AllAlpha=true,AllBeta=true"], Stage::Other), None);
        assert_eq!(switched(&["kube:One=true"], Stage::Alpha), Some(true));
        assert_eq!(switched(&["wardle:One=true,One,=,,x="], Stage::Alpha), None);
    }
}
