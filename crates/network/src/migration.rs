//! From AdminNetworkPolicy and BaselineAdminNetworkPolicy (`v1alpha1`) to ClusterNetworkPolicy (`v1alpha2`), with the proof that both
//! allow the same.
//!
//! The proof has two parts. Rule by rule, what is written must say the same to the engine as what was there, whatever pods there
//! are; and what is allowed between everything in the input must not differ. A policy that has no equal is left as it is, with a
//! connection that its nearest translation would treat in another way.

mod implementation;
mod placement;
mod proof;
mod translation;

use bartizan_cluster::read::{Fragment, ReadOptions, split};
use bartizan_cluster::snapshot::Delta;
use bartizan_cluster::{Kind, Location, ObjectRef, ObjectView, Snapshot, Source, Spot};
use bartizan_report::Language;
use serde::Serialize;
use serde_json::Value as Json;

use crate::policy::admin::{self, Dialect};
use crate::{Model, Network, Relation, Verified, relation};
use placement::{Placed, Placement};
use translation::{Loss, Translation};

pub use implementation::{Feature, IMPLEMENTATIONS, Implementation, Support};

/// What became of the policies of the older version.
#[derive(Debug)]
pub struct Migration {
    /// The policies of the newer version, in the order in which they are asked.
    pub documents: Vec<Document>,
    /// What has no equal and stays as it is.
    pub refused: Vec<Refused>,
    /// What somebody should know of what was written.
    pub notes: Vec<Note>,
    /// Whether both say the same.
    pub proof: Proof,
    /// What is used that not everybody enforces.
    pub features: Vec<Feature>,
}

/// A policy that was written.
#[derive(Debug, Clone)]
pub struct Document {
    /// The policy that it comes from.
    pub from: ObjectRef,
    /// The object.
    pub object: Json,
}

/// A policy that has no equal.
#[derive(Debug, Clone)]
pub struct Refused {
    /// The policy.
    pub policy: ObjectRef,
    /// Where it is written.
    pub location: Option<Location>,
    /// Why.
    pub reason: Reason,
    /// A connection that the nearest translation would treat in another way, if there is one in the input.
    pub witness: Option<Verified>,
}

/// Why a policy has no equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The API server does not take it.
    Invalid(String),
    /// A peer is meant by comparing labels with those of the subject, which no rule of the newer version does.
    RelativeNamespaces(String),
    /// A rule that does not allow has a peer that nobody knows, and therefore denies everything.
    UnknownPeer(String),
    /// There are not enough priorities for its parts.
    NoPriority,
}

/// Something to know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// The policy.
    pub policy: String,
    /// What it is about.
    pub remark: Remark,
}

/// What is to be known of a policy that was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remark {
    /// It has more rules than one object may hold, and stands in so many.
    Split(usize),
    /// A rule has more peers or ports than a rule may hold, and stands in so many.
    RuleSplit(String, usize),
    /// It has another priority.
    Renumbered(i64, i64),
    /// It has another name.
    Renamed(String),
    /// Which of the policies of one priority is asked first is undefined, before and after.
    Tie(i64),
    /// A rule that allows has a peer that nobody knows; it matched nothing and is gone.
    Dropped(String),
    /// The field is only in the experimental channel of the newer version.
    Experimental(&'static str),
    /// A field that nobody knows is gone.
    UnknownField(String),
}

/// What was proven.
#[derive(Debug, Clone, Serialize)]
pub struct Proof {
    /// Whether the rules say the same, whatever pods, nodes and addresses there are.
    pub rules_are_equal: bool,
    /// How what is allowed in the input lies to what was allowed.
    pub relation: Relation,
    /// Connections in which it differs, or what is not known.
    pub shown: Vec<Verified>,
}

impl Proof {
    /// Whether nothing changes.
    pub fn holds(&self) -> bool {
        self.relation == Relation::Equal || (self.rules_are_equal && self.relation == Relation::Undecided)
    }
}

/// Translates every policy of the older version in `snapshot`.
pub fn migrate(snapshot: &Snapshot) -> Migration {
    let before = Network::resolve(snapshot, Model::Kubernetes);
    let mut refused = Vec::new();
    let mut translations = Vec::new();
    for object in snapshot.of_kind(Kind::Other).filter(|object| is_old(*object) && admin::is_current(snapshot, *object)) {
        let refuse = |reason, nearest: Option<&Translation>| Refused {
            policy: object.reference(),
            location: object.spec().and_then(|spec| snapshot.location(object, &Spot::from(spec))),
            witness: nearest.and_then(|nearest| witness(snapshot, &before, object, nearest)),
            reason,
        };
        if let Some(message) = before.refusal_of(object) {
            refused.push(refuse(Reason::Invalid(message), None));
            continue;
        }
        let translation = translation::translate(object);
        match translation.loss.clone() {
            Some(Loss::RelativeNamespaces(path)) => refused.push(refuse(Reason::RelativeNamespaces(path), Some(&translation))),
            Some(Loss::UnknownPeer(path)) => refused.push(refuse(Reason::UnknownPeer(path), Some(&translation))),
            None => translations.push(translation),
        }
    }
    let Placement { placed, crowded, mut notes } = placement::place(snapshot, translations);
    refused.extend(crowded.into_iter().map(|policy| Refused { policy, location: None, reason: Reason::NoPriority, witness: None }));
    let documents: Vec<Document> = placed.iter().flat_map(Placed::documents).collect();
    let features = Feature::all_in(&documents);
    for placed in &placed {
        notes.extend(placed.translation.remarks.iter().map(|remark| Note { policy: placed.translation.from.to_string(), remark: remark.clone() }));
    }
    notes.sort();
    notes.dedup();
    let after = snapshot.with(delta(snapshot, &documents));
    let after_network = Network::resolve(&after, Model::Kubernetes);
    let rules_are_equal = proof::says_the_same(&before, &after_network, &documents);
    let compared = relation(&after_network, &before);
    let proof = Proof { rules_are_equal, relation: compared.relation, shown: compared.shown };
    refused.sort_by(|one, two| one.policy.cmp(&two.policy));
    Migration { documents, refused, notes, proof, features }
}

fn is_old(object: ObjectView<'_>) -> bool {
    matches!(Dialect::of(object), Some(Dialect::Admin | Dialect::BaselineAdmin))
}

/// A connection that a translation treats in another way than the policy does.
fn witness(snapshot: &Snapshot, before: &Network<'_>, object: ObjectView<'_>, nearest: &Translation) -> Option<Verified> {
    let placed = placement::alone(nearest.clone());
    let documents: Vec<Document> = placed.documents().collect();
    let mut delta = delta(snapshot, &documents);
    delta.removed = vec![object.reference()];
    let after = snapshot.with(delta);
    relation(&Network::resolve(&after, Model::Kubernetes), before).shown.into_iter().next()
}

/// The change by which documents take the place of the policies from which they come.
fn delta(snapshot: &Snapshot, documents: &[Document]) -> Delta {
    let mut removed: Vec<ObjectRef> = documents.iter().map(|document| document.from.clone()).collect();
    removed.dedup();
    let mut fragment = Fragment::new(ReadOptions { secret_key: [0; 32] });
    let text = documents.iter().map(|document| document.object.to_string()).collect::<Vec<_>>().join("\n---\n");
    for document in split(&text).0 {
        fragment.read(snapshot.next_source(), &text, &document);
    }
    Delta { removed, added: vec![fragment], sources: vec![Source::text("migrated", &text)] }
}

impl Network<'_> {
    /// Why the API server does not take an object, if it does not.
    fn refusal_of(&self, object: ObjectView<'_>) -> Option<String> {
        self.policies
            .faults
            .numbered()
            .map(|(_, fault)| fault)
            .find(|fault| fault.refused_by.is_some() && fault.object.id() == object.id())
            .map(|fault| fault.message.clone())
    }
}

impl Reason {
    /// The reason in words.
    pub fn text(&self, language: Language) -> String {
        match (self, language) {
            (Reason::Invalid(message), Language::English) => format!("the API server does not take it: {message}"),
            (Reason::Invalid(message), Language::Chinese) => format!("API 服务器不接受它：{message}"),
            (Reason::RelativeNamespaces(path), Language::English) => {
                format!("`{path}` compares labels of the peer with those of the subject; ClusterNetworkPolicy has no such peer")
            }
            (Reason::RelativeNamespaces(path), Language::Chinese) => format!("`{path}` 将对端的标签与主体的标签比较；ClusterNetworkPolicy 没有这样的对端"),
            (Reason::UnknownPeer(path), Language::English) => {
                format!("`{path}` is a peer that is not known, so the rule denies everything; no rule of ClusterNetworkPolicy says that")
            }
            (Reason::UnknownPeer(path), Language::Chinese) => format!("`{path}` 是未知的对端，因此该规则拒绝一切；ClusterNetworkPolicy 无法表达"),
            (Reason::NoPriority, Language::English) => "there are not enough free priorities for its parts".to_owned(),
            (Reason::NoPriority, Language::Chinese) => "没有足够的空闲优先级容纳其各部分".to_owned(),
        }
    }
}

impl Remark {
    /// The remark in words.
    pub fn text(&self, language: Language) -> String {
        match (self, language) {
            (Remark::Split(parts), Language::English) => format!("has more than {MOST} rules in a direction and stands in {parts} policies"),
            (Remark::Split(parts), Language::Chinese) => format!("某一方向的规则超过 {MOST} 条，分为 {parts} 个策略"),
            (Remark::RuleSplit(path, parts), Language::English) => format!("`{path}` has more than {MOST} peers or ports and stands in {parts} rules"),
            (Remark::RuleSplit(path, parts), Language::Chinese) => format!("`{path}` 的对端或端口超过 {MOST} 个，分为 {parts} 条规则"),
            (Remark::Renumbered(from, to), Language::English) => format!("has priority {to} in the place of {from}, so that the order stays"),
            (Remark::Renumbered(from, to), Language::Chinese) => format!("优先级由 {from} 改为 {to}，以保持次序"),
            (Remark::Renamed(name), Language::English) => format!("is called `{name}`, because its name is taken"),
            (Remark::Renamed(name), Language::Chinese) => format!("因名称已被占用，改名为 `{name}`"),
            (Remark::Tie(priority), Language::English) => format!("shares priority {priority} with another policy; which is asked first is undefined"),
            (Remark::Tie(priority), Language::Chinese) => format!("与另一策略同为优先级 {priority}；先后次序未定义"),
            (Remark::Dropped(path), Language::English) => format!("`{path}` allows a peer that is not known; it matched nothing and is left out"),
            (Remark::Dropped(path), Language::Chinese) => format!("`{path}` 允许的对端未知；它不匹配任何连接，已省略"),
            (Remark::Experimental(field), Language::English) => format!("uses `{field}`, which only the experimental channel of the API has"),
            (Remark::Experimental(field), Language::Chinese) => format!("使用了 `{field}`，仅实验通道的 API 提供"),
            (Remark::UnknownField(path), Language::English) => format!("`{path}` is not known and is left out"),
            (Remark::UnknownField(path), Language::Chinese) => format!("`{path}` 未知，已省略"),
        }
    }
}

/// So many rules of a direction, peers of a rule and ports of a rule may stand in one object.
const MOST: usize = 25;
