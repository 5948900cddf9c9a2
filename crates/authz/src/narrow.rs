//! Least privilege from use: the roles and bindings of a policy, narrowed to what was used, and the proof that nothing that
//! was used is refused by them.
//!
//! [`narrow`] files each use under the entry of a binding that allowed it (`attribution`), makes the least grants of it
//! (`piece`), adds what no log of requests shows (`silent`), joins them into rules (`rules`), and makes objects of those (`objects`). What comes out is a
//! [`Narrowing`]: objects in the order in which they are applied, and a [`Certificate`]: every use asked again, of an authorizer
//! that was resolved from the changed policy (`certificate`). Nothing is ever granted that was not granted before.
//!
//! What stays as it is: the default policy and everything called `system:…`, entries of bindings that nobody asked about, those
//! of subjects that were never seen, and those of subjects whose rights the server compares when they write roles.

mod attribution;
mod caveat;
mod certificate;
mod objects;
mod piece;
mod render;
mod rules;
mod silent;

use std::collections::BTreeMap;

use bartizan_cluster::ObjectRef;
use bartizan_report::fault::Words;

use crate::usage::{Times, Usage};
use crate::{Authz, Holder};

pub use caveat::caveats;
pub use certificate::{Certificate, Disagreement, Excess, Replayed};
pub use objects::{Change, ChangeKind, Whom};
pub use render::{json, text, yaml};
pub use rules::NarrowRule;

/// What shall be narrowed, and how far.
#[derive(Debug, Clone)]
pub struct NarrowOptions {
    /// Whom to narrow; everybody if empty.
    pub subjects: Vec<Holder<'static>>,
    /// What happens to subjects that were never seen.
    pub unseen: Unseen,
    /// What is used in more namespaces than these stays granted in all of them.
    pub namespaces_max: usize,
    /// What is used under more names than these is not limited to names.
    pub names_max: usize,
    /// How often a name must have been asked for before a rule is limited to it.
    pub name_count_min: u64,
}

impl Default for NarrowOptions {
    fn default() -> Self {
        Self { subjects: Vec::new(), unseen: Unseen::Stays, namespaces_max: 10, names_max: 5, name_count_min: 3 }
    }
}

/// What happens to the grants of a subject that was never seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unseen {
    /// They stay: that somebody did nothing in a window says little.
    #[default]
    Stays,
    /// They go.
    Goes,
}

/// Why an entry of a binding stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stays {
    /// It belongs to the default policy, or to a component.
    Default,
    /// Nobody asked about it.
    NotSelected,
    /// Nobody whom it means was seen.
    Unseen,
    /// The server compares all their rights when they write roles or bindings, and they hold neither `escalate` nor `bind`.
    Writer,
    /// It grants nothing, as its role is not there or it means nobody.
    Idle,
    /// Everything that it grants was used, or cannot be seen.
    Minimal,
}

impl Stays {
    /// The reason, as people read it.
    pub fn words(self) -> Words {
        match self {
            Stays::Default => Words::new("belongs to the default policy", "属于默认策略"),
            Stays::NotSelected => Words::new("not selected", "未被选中"),
            Stays::Unseen => Words::new("never seen in the log", "日志中从未出现"),
            Stays::Writer => Words::new(
                "writes roles or bindings without `escalate` or `bind`: the server compares all of its rights with what it grants",
                "在没有 `escalate` 或 `bind` 的情况下写入角色或绑定：API server 会把它的全部权限与所授予的权限比较",
            ),
            Stays::Idle => Words::new("grants nothing", "未授予任何权限"),
            Stays::Minimal => Words::new("holds nothing that was not used", "没有未使用的权限"),
        }
    }
}

/// An entry of a binding that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The binding.
    pub binding: ObjectRef,
    /// The role to which it refers.
    pub role: ObjectRef,
    /// Whom the entry names.
    pub whom: Whom,
    /// Why it stays; `None` if it was narrowed.
    pub stays: Option<Stays>,
    /// What was granted and not observed, in words of rules.
    pub unobserved: Vec<String>,
    /// What remains of it, by where it holds: the whole cluster (`None`) or a namespace.
    pub remains: BTreeMap<Option<String>, Vec<NarrowRule>>,
}

/// A policy, narrowed.
#[derive(Debug)]
pub struct Narrowing {
    /// The objects to apply, in their order: what gives before what takes.
    pub changes: Vec<Change>,
    /// Every entry of every binding that does not belong to the default policy.
    pub judged: Vec<Judged>,
    /// The proof.
    pub certificate: Certificate,
}

impl Narrowing {
    /// From when to when there was anything to see.
    pub fn window(&self) -> Option<Times> {
        self.certificate.window
    }
}

/// Narrows the policy of `authz` to what `usage` shows.
pub fn narrow(authz: &Authz<'_>, usage: &Usage, options: &NarrowOptions) -> Narrowing {
    let uses = usage.uses();
    let attribution = attribution::attribute(authz, &uses, options);
    let pieces = piece::make(authz, &uses, &attribution, options);
    let plan = objects::plan(authz, &uses, &attribution, &pieces);
    let certificate = certificate::certify(authz, usage, &uses, &attribution, &plan);
    Narrowing { changes: plan.changes, judged: plan.judged, certificate }
}
