//! Findings: one judgement of one check on one owner, with every place that shows it.

use std::collections::BTreeMap;

use bartizan_cluster::{Location, ObjectRef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::check::Severity;

/// What a judge decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The fault is there.
    Fail,
    /// A fact was missing; see [`Finding::missing`].
    Unknown,
    /// A person must look.
    Manual,
    /// The fault is there and accepted; see [`Finding::waiver`].
    Waived,
    /// The fault is not there. Counted, never listed.
    Pass,
    /// The check has nothing to say about this subject. Counted, never listed.
    NotApplicable,
}

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// One object, or everything that one owner runs.
    Object,
    /// A namespace.
    Namespace,
    /// The whole cluster.
    Cluster,
}

/// How an object's text came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PlaceOrigin {
    /// It was written: in a manifest, or in the template of a stored controller.
    Source,
    /// It is in a pod and not in its template: admission, or a hand, put it there.
    Admission,
}

/// One place that shows the fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// The container, where the fault is in one.
    pub container: Option<String>,
    /// The path from the root of the object: `spec.template.spec.containers[name=app].image`.
    pub path: String,
    /// The place in the text; none for live objects.
    #[schemars(with = "Option<LocationShape>")]
    pub location: Option<Location>,
    /// How it came to be.
    pub origin: PlaceOrigin,
    /// The object, where it is not the subject: a pod of the owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<ObjectRefShape>")]
    pub object: Option<ObjectRef>,
    /// What is wrong here, where it differs from the message of the finding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Message>,
}

/// A message as data: the key of a template on the check's page, and the values of its slots.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Message {
    /// The key of the template.
    pub key: String,
    /// The values of its slots.
    pub args: BTreeMap<String, String>,
    /// The text in English.
    pub text: String,
}

/// Another object that has to do with the fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Related {
    /// The object.
    #[schemars(with = "ObjectRefShape")]
    pub object: ObjectRef,
    /// Its place, where it has one.
    #[schemars(with = "Option<LocationShape>")]
    pub location: Option<Location>,
    /// What it has to do with the fault.
    pub note: String,
}

/// How safe it is to apply a fix without thinking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Safety {
    /// It changes nothing that a sound workload relies on.
    Safe,
    /// It may change how the workload behaves; try it first.
    Unsafe,
}

/// One operation of a JSON patch (RFC 6902).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum PatchOperation {
    /// Adds, or replaces where it is there.
    Add {
        /// A JSON pointer from the root of the object.
        path: String,
        /// What to put there.
        value: serde_json::Value,
    },
    /// Replaces.
    Replace {
        /// A JSON pointer from the root of the object.
        path: String,
        /// What to put there.
        value: serde_json::Value,
    },
    /// Removes.
    Remove {
        /// A JSON pointer from the root of the object.
        path: String,
    },
}

/// A change that removes the fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fix {
    /// How safe it is.
    pub safety: Safety,
    /// The change to the subject.
    pub patch: Vec<PatchOperation>,
}

/// The fact whose absence made a verdict unknown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct MissingFact {
    /// `secrets`, `node-files`, ….
    pub fact: String,
    /// `cluster` or `namespace/NAME`.
    pub scope: String,
    /// `forbidden`, `timed-out`, ….
    pub reason: String,
}

impl From<&bartizan_cluster::Missing> for MissingFact {
    fn from(missing: &bartizan_cluster::Missing) -> Self {
        Self { fact: missing.fact.clone(), scope: missing.scope.clone(), reason: missing.reason.name().to_owned() }
    }
}

/// Why a fault is accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WaiverNote {
    /// The reason that somebody gave.
    pub reason: String,
    /// The last day on which it holds, `YYYY-MM-DD`.
    pub until: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Where it is written: `bartizan.toml:12`, `annotation`, `cart.yaml:17`.
    pub source: String,
}

/// One judgement that is worth listing: failed, unknown, manual or waived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The id of the check.
    pub check: String,
    /// The title of the check, in English.
    pub title: String,
    /// How grave it is.
    pub severity: Severity,
    /// What was decided.
    pub verdict: Verdict,
    /// What it is about.
    pub scope: Scope,
    /// The owner; none for the whole cluster.
    #[schemars(with = "Option<ObjectRefShape>")]
    pub subject: Option<ObjectRef>,
    /// `broken` where a higher owner may exist that could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_chain: Option<String>,
    /// How many pods the subject runs.
    pub replicas: Option<u32>,
    /// What is wrong, in English.
    pub message: String,
    /// The key of the message on the check's page.
    pub message_key: String,
    /// The values of the message's slots.
    pub args: BTreeMap<String, String>,
    /// Every place that shows it.
    pub places: Vec<Place>,
    /// Other objects that have to do with it.
    pub related: Vec<Related>,
    /// The controls of benchmarks that ask for it: `cis-1.12/5.2.3`.
    pub controls: Vec<String>,
    /// The fact that was missing, for `unknown`.
    pub missing: Option<MissingFact>,
    /// A change that removes the fault, where one is known.
    pub fix: Option<Fix>,
    /// Why it is accepted, for `waived`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiver: Option<WaiverNote>,
    /// Equal for the same fault in two reports, whatever moved around it.
    pub fingerprint: String,
}

/// Raised when what a fingerprint is made of changes, so that old baselines are told apart.
const FINGERPRINT_SCHEMA: &str = "1";

/// Whom or what a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject<'a> {
    /// The whole cluster.
    Cluster,
    /// A file that is no object, such as one with waivers.
    File(&'a str),
    /// An object.
    Object(&'a ObjectRef),
}

impl<'a> Subject<'a> {
    /// The object, if it is one.
    pub fn object(self) -> Option<&'a ObjectRef> {
        match self {
            Subject::Object(object) => Some(object),
            Subject::Cluster | Subject::File(_) => None,
        }
    }

    /// What a reader calls it, where `cluster` is what the whole cluster is called.
    pub(crate) fn name(self, cluster: &str) -> String {
        match self {
            Subject::Cluster => cluster.to_owned(),
            Subject::File(file) => file.to_owned(),
            Subject::Object(object) => object.to_string(),
        }
    }
}

impl Finding {
    /// Whom or what the finding is about.
    pub fn about(&self) -> Subject<'_> {
        if let Some(subject) = &self.subject {
            return Subject::Object(subject);
        }
        // A fault of the cluster is seen in its objects; what stands in no object stands in a file of its own.
        let file = self.places.iter().filter(|place| place.object.is_none()).find_map(|place| place.location.as_ref());
        file.map_or(Subject::Cluster, |location| Subject::File(&location.file))
    }

    /// The fingerprint of a fault: check, subject and the paths that show it, by key and not by position.
    pub fn fingerprint_of(check: &str, subject: Option<&ObjectRef>, places: &[Place]) -> String {
        use std::fmt::Write as _;
        let mut state = Sha256::new();
        let mut part = |text: &str| {
            state.update(text.as_bytes());
            state.update([0]);
        };
        part(FINGERPRINT_SCHEMA);
        part(check);
        if let Some(subject) = subject {
            // The version of the API may change without the object changing.
            part(bartizan_cluster::group_of(&subject.api_version));
            part(&subject.kind);
            part(subject.namespace.as_deref().unwrap_or(""));
            part(&subject.name);
        }
        let mut paths: Vec<&str> = places.iter().map(|place| place.path.as_str()).collect();
        paths.sort_unstable();
        paths.dedup();
        for path in paths {
            part(path);
        }
        state.finalize().iter().take(16).fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// Leaves out the places that `keep` does not want, and hands them back. The message becomes that of the first place that
    /// stays; the fingerprint is not touched.
    pub(crate) fn keep_places(&mut self, keep: impl Fn(&Place) -> bool) -> Vec<Place> {
        let (mut kept, gone): (Vec<Place>, Vec<Place>) = self.places.drain(..).partition(keep);
        if let Some(message) = kept.first_mut().and_then(|first| first.message.take()) {
            let old = Message { key: std::mem::take(&mut self.message_key), args: std::mem::take(&mut self.args), text: std::mem::take(&mut self.message) };
            for place in kept.iter_mut().skip(1) {
                place.message = match place.message.take() {
                    None => Some(old.clone()),
                    own => own.filter(|own| *own != message),
                };
            }
            (self.message_key, self.args, self.message) = (message.key, message.args, message.text);
        }
        self.places = kept;
        gone
    }

    /// The key by which findings stand in a report: severity, check, namespace, kind, name.
    pub fn order(&self) -> impl Ord + '_ {
        let subject = self.subject.as_ref();
        (
            std::cmp::Reverse(self.severity),
            self.check.as_str(),
            subject.and_then(|subject| subject.namespace.as_deref()).unwrap_or(""),
            subject.map_or("", |subject| subject.kind.as_str()),
            subject.map_or("", |subject| subject.name.as_str()),
            self.fingerprint.as_str(),
        )
    }
}

/// The JSON shape of [`Location`].
#[derive(JsonSchema)]
#[schemars(rename = "Location")]
#[expect(dead_code, reason = "it is only a description for the schema")]
pub(crate) struct LocationShape {
    /// The path as reached from the argument, with `/`.
    file: String,
    /// The line, from 1.
    line: u32,
    /// The column in characters, from 1.
    column: u32,
}

/// The JSON shape of [`ObjectRef`].
#[derive(JsonSchema)]
#[schemars(rename = "ObjectRef", rename_all = "camelCase")]
#[expect(dead_code, reason = "it is only a description for the schema")]
pub(crate) struct ObjectRefShape {
    /// `apps/v1`.
    api_version: String,
    /// `Deployment`.
    kind: String,
    /// The namespace, for objects that live in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    /// The name.
    name: String,
}
