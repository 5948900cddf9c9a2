//! One event as the API server wrote it: what is looked at always is parsed, everything else stays text.

use std::borrow::Cow;
use std::fmt;

use bartizan_cluster::access::{Action, Resource, Target};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};
use serde_json::value::RawValue;

use crate::problem::Trouble;
use crate::request_uri::Address;

/// The versions of events whose fields are known.
const VERSIONS: [&str; 2] = ["audit.k8s.io/v1", "audit.k8s.io/v1beta1"];

/// What the versions of events begin with.
const GROUP: &str = "audit.k8s.io/";

/// When in the life of a request an event was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// The request came in; nothing has been decided.
    RequestReceived,
    /// The answer of a long request (a watch, an exec) has begun.
    ResponseStarted,
    /// The request is over.
    ResponseComplete,
    /// The server failed in the middle of it.
    Panic,
}

/// An event of an audit log. It borrows the text in which it stands.
#[derive(Debug, Deserialize)]
pub struct Event<'a> {
    #[serde(borrow, default, rename = "apiVersion")]
    api_version: Word<'a>,
    #[serde(borrow, default)]
    kind: Word<'a>,
    #[serde(borrow, default, rename = "auditID")]
    audit_id: Word<'a>,
    #[serde(borrow, default)]
    stage: Word<'a>,
    #[serde(borrow, default)]
    verb: Word<'a>,
    #[serde(borrow, default, rename = "requestURI")]
    request_uri: Word<'a>,
    #[serde(borrow, default, rename = "userAgent")]
    user_agent: Word<'a>,
    #[serde(borrow)]
    user: Option<&'a RawValue>,
    #[serde(borrow, rename = "impersonatedUser")]
    impersonated: Option<&'a RawValue>,
    #[serde(borrow, rename = "authenticationMetadata")]
    authentication: Option<AuthenticationText<'a>>,
    #[serde(borrow, rename = "objectRef")]
    object: Option<ObjectText<'a>>,
    #[serde(rename = "responseStatus")]
    status: Option<StatusText>,
    #[serde(borrow, default, rename = "requestReceivedTimestamp")]
    received: Word<'a>,
    #[serde(borrow, default, rename = "stageTimestamp")]
    written: Word<'a>,
    #[serde(borrow, rename = "sourceIPs")]
    source_ips: Option<&'a RawValue>,
    #[serde(borrow)]
    annotations: Option<AnnotationsText<'a>>,
    #[serde(borrow, rename = "requestObject")]
    request_object: Option<&'a RawValue>,
    #[serde(borrow, rename = "responseObject")]
    response_object: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct AuthenticationText<'a> {
    #[serde(borrow, default, rename = "impersonationConstraint")]
    constraint: Word<'a>,
}

/// The object of a request, as the event names it.
#[derive(Debug, Deserialize)]
struct ObjectText<'a> {
    #[serde(borrow, default)]
    resource: Word<'a>,
    #[serde(borrow, default)]
    namespace: Word<'a>,
    #[serde(borrow, default)]
    name: Word<'a>,
    #[serde(borrow, default, rename = "apiGroup")]
    group: Word<'a>,
    #[serde(borrow, default, rename = "apiVersion")]
    version: Word<'a>,
    #[serde(borrow, default)]
    subresource: Word<'a>,
}

#[derive(Debug, Deserialize)]
struct StatusText {
    code: Option<u16>,
}

#[derive(Debug, Deserialize)]
struct AnnotationsText<'a> {
    #[serde(borrow, default, rename = "authorization.k8s.io/decision")]
    decision: Word<'a>,
    #[serde(borrow, default, rename = "authorization.k8s.io/reason")]
    reason: Word<'a>,
}

/// Text of JSON; `null` is empty text, as for the server.
#[derive(Debug, Default)]
pub(crate) struct Word<'a>(pub(crate) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Word<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WordVisitor).map(Word)
    }
}

struct WordVisitor;

impl<'de> Visitor<'de> for WordVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("text")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(""))
    }
}

/// Why it is not known what a request was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
pub enum AttributesUnknown {
    /// Nothing says what was asked for.
    #[error("the event names neither the address of the request nor an object")]
    NoTarget,
    /// Nothing says what was to be done.
    #[error("the event has no verb")]
    NoVerb,
    /// Nobody asked.
    #[error("the event names no user")]
    NoUser,
}

impl<'a> Event<'a> {
    /// Whether it has what every event has. What lacks it is something else, or wraps an event.
    pub(crate) fn is_event(&self) -> bool {
        let is_typed = &*self.kind.0 == "Event" && self.api_version.0.starts_with(GROUP);
        !self.verb.0.is_empty() && (is_typed || !self.stage.0.is_empty() && self.kind.0.is_empty())
    }

    /// Whether its version is one whose fields are known; an event without one is taken for such.
    pub(crate) fn check_version(&self) -> Result<(), Trouble> {
        let version = &*self.api_version.0;
        if version.is_empty() || VERSIONS.contains(&version) { Ok(()) } else { Err(Trouble::Version(version.to_owned())) }
    }

    /// The request, the same in all of its stages.
    pub fn audit_id(&self) -> &str {
        &self.audit_id.0
    }

    /// The stage, if it is a known one.
    pub fn stage(&self) -> Option<Stage> {
        match &*self.stage.0 {
            "RequestReceived" => Some(Stage::RequestReceived),
            "ResponseStarted" => Some(Stage::ResponseStarted),
            "ResponseComplete" => Some(Stage::ResponseComplete),
            "Panic" => Some(Stage::Panic),
            _ => None,
        }
    }

    /// `get`, `watch`, …; for a path the HTTP method in lower case.
    pub fn verb(&self) -> &str {
        &self.verb.0
    }

    /// What the client asked for, as it was sent.
    pub fn request_uri(&self) -> &str {
        &self.request_uri.0
    }

    /// The client's program, as the client called it.
    pub fn user_agent(&self) -> &str {
        &self.user_agent.0
    }

    /// The addresses through which the request came, as JSON.
    pub fn source_ips(&self) -> Option<&'a RawValue> {
        self.source_ips
    }

    /// The status of the answer, if there is one.
    pub fn code(&self) -> Option<u16> {
        self.status.as_ref()?.code
    }

    /// Who logged in, as JSON.
    pub fn user(&self) -> Option<&'a RawValue> {
        self.user
    }

    /// As whom they acted, as JSON.
    pub fn impersonated_user(&self) -> Option<&'a RawValue> {
        self.impersonated
    }

    /// The verb by which a constrained impersonation was allowed; empty for a classic one.
    pub fn impersonation_constraint(&self) -> &str {
        self.authentication.as_ref().map_or("", |metadata| &metadata.constraint.0)
    }

    /// The decision of the authorizer, `allow` or `forbid`, where the server wrote it down.
    pub fn decision(&self) -> &str {
        self.annotations.as_ref().map_or("", |annotations| &annotations.decision.0)
    }

    /// The reason of the authorizer, where the server wrote it down.
    pub fn reason(&self) -> &str {
        self.annotations.as_ref().map_or("", |annotations| &annotations.reason.0)
    }

    /// The body of the request, as JSON.
    pub fn request_object(&self) -> Option<&'a RawValue> {
        self.request_object
    }

    /// The body of the answer, as JSON.
    pub fn response_object(&self) -> Option<&'a RawValue> {
        self.response_object
    }

    /// When the request came in, or else when the event was written.
    pub fn time(&self) -> Option<Timestamp> {
        let time = if self.received.0.is_empty() { &self.written.0 } else { &self.received.0 };
        time.parse().ok()
    }

    /// What the authorizer was asked about.
    ///
    /// The object that an event names is that of the request only where no body completes it: the server fills in name and
    /// namespace from the body of what is written. For those verbs the address alone says what was asked.
    pub fn action(&self) -> Result<Action<'_>, AttributesUnknown> {
        if self.verb.0.is_empty() {
            return Err(AttributesUnknown::NoVerb);
        }
        let verb = Cow::Borrowed(self.verb());
        let has_body = matches!(self.verb(), "create" | "update" | "patch");
        match &self.object {
            Some(object) if !has_body && !object.resource.0.is_empty() => Ok(Action { verb, target: Target::Resource(object.as_it_stands()) }),
            object if self.request_uri.0.is_empty() => {
                let object = object.as_ref().filter(|object| !object.resource.0.is_empty()).ok_or(AttributesUnknown::NoTarget)?;
                let mut resource = object.as_it_stands();
                if self.verb() == "create" && resource.subresource.is_empty() {
                    resource.name = Cow::Borrowed("");
                }
                Ok(Action { verb, target: Target::Resource(resource) })
            }
            _ => Ok(Action { target: Address::parse(self.request_uri()).target(self.verb()), verb }),
        }
    }
}

impl ObjectText<'_> {
    fn as_it_stands(&self) -> Resource<'_> {
        Resource {
            group: Cow::Borrowed(&self.group.0),
            version: Cow::Borrowed(&self.version.0),
            resource: Cow::Borrowed(&self.resource.0),
            subresource: Cow::Borrowed(&self.subresource.0),
            namespace: Cow::Borrowed(&self.namespace.0),
            name: Cow::Borrowed(&self.name.0),
            fields: Vec::new(),
        }
    }
}
