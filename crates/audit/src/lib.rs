//! What happened: the audit log of an API server, event by event, and what each event proves about authorization.
//!
//! [`read`] finds the events of a log in whatever wrapping it was exported, hands each out as an [`Event`] that borrows the
//! line it stands in, and says what could not be read. [`Event::accesses`] turns an event into the questions that the server's
//! authorizer must have been asked, with the answer. Bodies are never parsed here: they stay the text that they are.
//!
//! This crate opens no file and no socket, has no clock, and judges nothing.

mod access;
mod actors;
mod document;
mod event;
mod impersonation;
mod problem;
mod request_uri;
mod wrapping;

pub use access::{Access, Actor, Answer, Certainty};
pub use actors::Actors;
pub use document::{Tally, read};
pub use event::{AttributesUnknown, Event, Stage};
pub use problem::{Problem, Trouble};
pub use request_uri::Address;
