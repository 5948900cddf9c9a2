//! The catalogue: several hundred small judgements over the facts of a cluster.
//!
//! Nothing here reads the world: a judge sees a [`Facts`] and answers. Start with [`Entry`] (what a check is), any file of a
//! family such as `pod_security/host_pid.rs` (what one looks like), and [`judge`] (how all of them are run).

pub mod benchmark;
pub mod compose;
pub mod entry;
pub mod facts;
pub mod patch;
pub mod pod_security;
pub mod run;
pub mod sink;

mod cluster;
mod credential;
mod grant;
mod identity;
mod image;
mod login;
mod namespace;
mod network;
mod object;
mod relation;
mod right;
mod token;
mod workload;

use std::collections::HashMap;
use std::sync::LazyLock;

use bartizan_cluster::Kind;
use bartizan_report::Page;

pub use compose::{Reading, compose};
pub use entry::{Entry, Judge, Judged, Logins};
pub use facts::Facts;
pub use right::{Exceptions, Grants, Named, Right};
pub use run::{Focus, Judgement, Selection, judge, judge_with, selected};

/// Every check, family by family, each family sorted by id.
pub static CATALOGUE: &[&[&Entry]] = &[cluster::ALL, identity::ALL, namespace::ALL, network::ALL, object::ALL, pod_security::ALL, relation::ALL, workload::ALL];

/// Every check.
pub fn all() -> impl Iterator<Item = &'static Entry> {
    CATALOGUE.iter().flat_map(|family| family.iter().copied())
}

/// The check called `id`, or formerly called so.
pub fn find(id: &str) -> Option<&'static Entry> {
    all().find(|entry| entry.check.id == id || entry.check.aliases.contains(&id))
}

/// The page of an entry, taken apart once.
pub fn page_of(entry: &'static Entry) -> &'static Page {
    static PAGES: LazyLock<HashMap<&'static str, Page>> = LazyLock::new(|| all().map(|entry| (entry.check.id, entry.check.page())).collect());
    static EMPTY: LazyLock<Page> = LazyLock::new(Page::default);
    PAGES.get(entry.check.id).unwrap_or(&EMPTY)
}

/// The kinds that a gatherer has to fetch for these entries: what they judge and what they read.
pub fn wanted_kinds(entries: &[&'static Entry]) -> Vec<Kind> {
    let mut kinds = std::collections::BTreeSet::new();
    for entry in entries {
        kinds.extend(entry.reads.iter().copied());
        match entry.judge {
            Judge::Object(judged, _) => kinds.extend(judged.iter().copied()),
            Judge::Grant(_) => kinds.extend(grant::BINDINGS),
            // What kubeadm was told stands in one.
            Judge::Component(..) => {
                kinds.insert(Kind::ConfigMap);
            }
            Judge::Namespace(_) => {
                kinds.insert(Kind::Namespace);
            }
            Judge::TrafficPolicy(_) => {
                kinds.insert(Kind::NetworkPolicy);
            }
            _ => {}
        }
    }
    kinds.extend(facts::WORKLOAD_KINDS);
    kinds.into_iter().collect()
}
