//! Where a judge says what it found.

use bartizan_authz::login::Place;
use bartizan_cluster::component_file::Configured;
use bartizan_cluster::{ContainerView, ObjectView, Spot, Value};
use bartizan_report::{PatchOperation, Safety};

use crate::entry::Judged;

/// A message: the key of a template on the check's page, and the values of its slots. Made by [`msg!`](crate::msg).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Msg {
    /// The key.
    pub key: &'static str,
    /// Slot names and values.
    pub args: Vec<(&'static str, String)>,
}

/// `msg!("key", slot = value, …)`: a [`Msg`]; values are anything that displays.
#[macro_export]
macro_rules! msg {
    ($key:literal $(, $slot:ident = $value:expr)* $(,)?) => {
        $crate::sink::Msg { key: $key, args: vec![$((stringify!($slot), $value.to_string())),*] }
    };
}

/// One place at which a fault was seen.
#[derive(Debug)]
pub struct Raised<'a> {
    pub(crate) spot: Option<Spot<'a>>,
    /// The place, where it was found by somebody who keeps no cursor.
    pub(crate) place: Option<Place>,
    pub(crate) object: Option<ObjectView<'a>>,
    pub(crate) container: Option<String>,
    pub(crate) message: Msg,
    pub(crate) fix: Option<(Safety, Vec<PatchOperation>)>,
    pub(crate) related: Vec<(ObjectView<'a>, String)>,
}

impl<'a> Raised<'a> {
    /// Proposes a change that removes the fault; pointers count from the root of the object.
    pub fn fix(&mut self, safety: Safety, patch: impl IntoIterator<Item = PatchOperation>) -> &mut Self {
        self.fix = Some((safety, patch.into_iter().collect()));
        self
    }

    /// Names another object that has to do with the fault.
    pub fn related(&mut self, object: ObjectView<'a>, note: impl Into<String>) -> &mut Self {
        self.related.push((object, note.into()));
        self
    }

    /// Names the container in which the fault is, for judges of whole pods.
    pub fn container(&mut self, container: ContainerView<'a>) -> &mut Self {
        self.container = Some(container.name().to_owned());
        self
    }

    /// Names the object in which the spot lies, for judges of workloads, components and the cluster.
    pub fn object(&mut self, object: ObjectView<'a>) -> &mut Self {
        self.object = Some(object);
        self
    }
}

/// Takes what one judge says about one subject.
#[derive(Debug, Default)]
pub struct Sink<'a> {
    pub(crate) raised: Vec<Raised<'a>>,
    pub(crate) not_applicable: bool,
    pub(crate) manual: Option<Msg>,
    /// The container that is being judged.
    pub(crate) container: Option<String>,
    /// The object that is being judged.
    pub(crate) object: Option<ObjectView<'a>>,
}

impl<'a> Sink<'a> {
    /// The fault is at `spot`.
    pub fn fail(&mut self, spot: impl Into<Spot<'a>>, message: Msg) -> &mut Raised<'a> {
        self.raise(Some(spot.into()), message)
    }

    /// The fault is at `spot` of a configuration beside the objects that are judged.
    pub fn fail_beside(&mut self, configured: Configured<'a>, spot: Value<'a>, message: Msg) -> &mut Raised<'a> {
        let place = Place::of(configured.snapshot, configured.view, spot);
        let raised = self.raise(None, message);
        raised.object = None;
        raised.place = Some(place);
        raised
    }

    /// The fault is in the cluster as a whole, at no field of any object.
    pub fn fail_cluster(&mut self, message: Msg) -> &mut Raised<'a> {
        self.raise(None, message)
    }

    #[expect(clippy::indexing_slicing, reason = "the element was pushed the line before")]
    fn raise(&mut self, spot: Option<Spot<'a>>, message: Msg) -> &mut Raised<'a> {
        self.raised.push(Raised { spot, place: None, object: self.object, container: self.container.clone(), message, fix: None, related: Vec::new() });
        let last = self.raised.len() - 1;
        &mut self.raised[last]
    }

    /// Whether a fault was told.
    pub fn has_failed(&self) -> bool {
        !self.raised.is_empty()
    }

    /// The check has nothing to say about this subject.
    pub fn not_applicable(&mut self) -> Judged {
        self.not_applicable = true;
        Ok(())
    }

    /// A person must look, for the reason of the message.
    pub fn manual(&mut self, message: Msg) -> Judged {
        self.manual = Some(message);
        Ok(())
    }

    /// The judgement is complete.
    pub fn done(&self) -> Judged {
        Ok(())
    }
}

/// The operation that sets the field at `spot`, with the maps around it where they are absent.
pub fn set(spot: &Spot<'_>, value: serde_json::Value) -> PatchOperation {
    let (pointer, absent) = spot.pointer_and_absent();
    if absent.is_empty() {
        return PatchOperation::Replace { path: pointer, value };
    }
    if spot.nearest().is_null() {
        // Nothing can be added to a written `null`; the maps take its place.
        let value = absent.into_iter().rev().fold(value, |value, step| serde_json::json!({ step: value }));
        return PatchOperation::Replace { path: pointer, value };
    }
    let mut steps = absent.into_iter();
    let first = steps.next().unwrap_or_default();
    let inner = steps.rev().fold(value, |value, step| serde_json::json!({ step: value }));
    PatchOperation::Add { path: format!("{pointer}/{}", first.replace('~', "~0").replace('/', "~1")), value: inner }
}

/// The operation that removes the field at `spot`, which must be there.
pub fn remove(spot: &Spot<'_>) -> PatchOperation {
    PatchOperation::Remove { path: spot.pointer_and_absent().0 }
}
