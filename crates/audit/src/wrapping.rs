//! What log collectors and clouds put around events: one level of it is taken off.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::event::Word;
use crate::problem::Trouble;

/// A JSON object that is no event itself.
#[derive(Debug, Deserialize)]
pub(crate) struct Wrapping<'a> {
    #[serde(borrow, default)]
    kind: Word<'a>,
    /// Of an `EventList`.
    #[serde(borrow)]
    items: Option<Vec<&'a RawValue>>,
    /// Of an answer of `CloudWatch`.
    #[serde(borrow)]
    events: Option<Vec<&'a RawValue>>,
    /// Of a subscription of `CloudWatch`.
    #[serde(borrow, rename = "logEvents")]
    log_events: Option<Vec<&'a RawValue>>,
    /// Of Azure's diagnostic logs.
    #[serde(borrow)]
    records: Option<Vec<&'a RawValue>>,
    /// Of one entry of `CloudWatch`; text or an object.
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    /// The same of a query.
    #[serde(borrow, rename = "@message")]
    queried: Option<&'a RawValue>,
    /// Of a collector that reads files of containers.
    #[serde(borrow)]
    log: Option<&'a RawValue>,
    /// Of one entry of Azure's diagnostic logs.
    #[serde(borrow)]
    properties: Option<Properties<'a>>,
    /// Of an entry of Google Cloud.
    #[serde(borrow, rename = "protoPayload")]
    google: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Properties<'a> {
    #[serde(borrow)]
    log: Option<&'a RawValue>,
}

/// What was inside.
#[derive(Debug)]
pub(crate) enum Inside<'a> {
    /// Several things, each an event or one more wrapping.
    Several(Vec<&'a RawValue>),
    /// One thing.
    One(Cow<'a, str>),
}

impl<'a> Wrapping<'a> {
    /// Takes it off.
    pub(crate) fn open(self) -> Result<Inside<'a>, Trouble> {
        if self.google.is_some() {
            return Err(Trouble::GoogleCloud);
        }
        if &*self.kind.0 == "EventList" {
            return Ok(Inside::Several(self.items.unwrap_or_default()));
        }
        if let Some(several) = self.events.or(self.log_events).or(self.records).or(self.items) {
            return Ok(Inside::Several(several));
        }
        let one = self.message.or(self.queried).or(self.log).or_else(|| self.properties?.log);
        text(one.ok_or(Trouble::Foreign)?).map(Inside::One)
    }
}

/// JSON as it is, or the text of a JSON string, which holds JSON.
fn text(value: &RawValue) -> Result<Cow<'_, str>, Trouble> {
    let json = value.get();
    if json.starts_with('{') {
        return Ok(Cow::Borrowed(json));
    }
    serde_json::from_str::<String>(json).map(Cow::Owned).map_err(|_| Trouble::Foreign)
}
