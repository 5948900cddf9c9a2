//! What the input shows of the API server itself: its flags, the features that they switch, and its admission plugins.
//!
//! Flags are seen in the pods that run the server, and in the configurations that set it up. Of several servers the flag that stands last counts; that they differ in their
//! authorizers is said elsewhere.

use std::borrow::Cow;

use bartizan_cluster::KubernetesVersion;
use bartizan_cluster::component::{ComponentView, is_on};
use foldhash::{HashMap, HashMapExt as _};

use crate::feature::Features;

/// The API server, as far as it is seen.
#[derive(Debug)]
pub(crate) struct Server {
    /// Whether flags of it are seen at all.
    pub(crate) is_seen: bool,
    pub(crate) features: Features,
    flags: HashMap<String, String>,
}

impl Server {
    pub(crate) fn read<'s>(instances: impl IntoIterator<Item = ComponentView<'s>>, version: KubernetesVersion) -> Self {
        let mut server = Self { is_seen: false, features: Features::of(version), flags: HashMap::new() };
        for given in instances.into_iter().flat_map(|instance| {
            server.is_seen = true;
            instance.given()
        }) {
            let value = given.value.or(given.next.filter(|next| !next.starts_with('-'))).unwrap_or(Cow::Borrowed("true"));
            match given.name.as_str() {
                "feature-gates" => server.features.take_flag(&value),
                "emulated-version" => server.features.emulate(&value),
                _ => {}
            }
            server.flags.insert(given.name.clone(), value.into_owned());
        }
        if server.is_seen {
            server.features.see();
        }
        server
    }

    /// Whether `flag` is given.
    pub(crate) fn has(&self, flag: &str) -> bool {
        self.flags.contains_key(flag)
    }

    /// Whether the switch `flag` is given and on.
    pub(crate) fn is_on(&self, flag: &str) -> bool {
        self.flags.get(flag).is_some_and(|value| is_on(value))
    }

    /// Whether `word` stands in the list that `flag` gives.
    pub(crate) fn lists(&self, flag: &str, word: &str) -> bool {
        self.flags.get(flag).is_some_and(|value| value.split(',').any(|one| one.trim() == word))
    }

    /// Whether an admission plugin that is on by default runs: it does unless it is seen to be switched off.
    pub(crate) fn runs_default_plugin(&self, plugin: &str) -> bool {
        !self.lists("disable-admission-plugins", plugin)
    }

    /// Whether an admission plugin that is off by default runs; `None` where no flags are seen.
    pub(crate) fn runs_plugin(&self, plugin: &str) -> Option<bool> {
        self.is_seen.then(|| self.lists("enable-admission-plugins", plugin))
    }
}
