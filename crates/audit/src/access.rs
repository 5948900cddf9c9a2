//! What an event proves about authorization: which questions the server's authorizer was asked, and what it answered.

use std::borrow::Cow;

use bartizan_cluster::access::{Action, Target, User};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::event::{AttributesUnknown, Event, Stage, Word};
use crate::impersonation;

/// A question that the authorizer was asked because of an event.
#[derive(Debug, Clone)]
pub struct Access<'a> {
    /// Who asked.
    pub actor: Actor<'a>,
    /// What for.
    pub action: Action<'a>,
    /// The answer.
    pub answer: Answer,
    /// Whether it is known that it was asked.
    pub certainty: Certainty,
    /// Whether the request is over; a watch that runs has been answered, and is not.
    pub is_complete: bool,
    /// The authorizer's reason, where the server wrote it down: of the request itself, not of what came with it.
    pub reason: &'a str,
}

/// What an authorizer answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Answer {
    /// It allowed the request, whatever became of it afterwards.
    Allowed,
    /// It did not.
    Refused,
    /// The event does not tell.
    Unknown,
}

/// Whether it is known that a question was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Certainty {
    /// It was.
    Certain,
    /// The event looks the same if it was and if it was not.
    Possible,
}

/// A user as an event describes them: JSON that is read when the user is new.
#[derive(Debug, Clone, Copy)]
pub struct Actor<'a> {
    json: &'a RawValue,
}

/// `user` and `impersonatedUser` of an event.
#[derive(Debug, Deserialize)]
pub(crate) struct UserText<'a> {
    #[serde(borrow, default)]
    pub(crate) username: Word<'a>,
    #[serde(borrow, default)]
    pub(crate) uid: Word<'a>,
    #[serde(borrow)]
    pub(crate) groups: Option<Vec<Word<'a>>>,
    #[serde(borrow)]
    pub(crate) extra: Option<std::collections::BTreeMap<Cow<'a, str>, Option<Vec<Word<'a>>>>>,
}

impl<'a> Actor<'a> {
    pub(crate) fn new(json: &'a RawValue) -> Self {
        Self { json }
    }

    /// The user as it stands in the event; equal text is the same user.
    pub fn text(self) -> &'a str {
        self.json.get()
    }

    /// Name, groups and the rest; `None` where they are no user's.
    pub fn user(self) -> Option<User<'a>> {
        let text: UserText<'a> = serde_json::from_str(self.json.get()).ok()?;
        let words = |words: Option<Vec<Word<'a>>>| words.into_iter().flatten().map(|word| word.0).collect();
        Some(User {
            name: text.username.0,
            groups: words(text.groups),
            uid: text.uid.0,
            extra: text.extra.into_iter().flatten().map(|(key, values)| (key, words(values))).collect(),
        })
    }
}

impl Event<'_> {
    /// What the authorizer answered to the request itself.
    ///
    /// The annotation says it, where the server wrote it. Otherwise the status does: whatever comes from behind the authorizer
    /// was allowed, and a 403 is not known to come from it, as admission refuses with the same status.
    pub fn answer(&self) -> Answer {
        match (self.decision(), self.code()) {
            ("allow", _) => Answer::Allowed,
            ("forbid", _) => Answer::Refused,
            (_, Some(100..=399 | 404 | 405 | 406 | 409 | 410 | 412 | 413 | 415 | 422)) => Answer::Allowed,
            (_, Some(401)) => Answer::Refused,
            _ => Answer::Unknown,
        }
    }

    /// Hands out every question of authorization that the event proves, the request itself before what came with it.
    ///
    /// Of the stages, those that come with an answer count: the end of a request, a panic, and the start of a long one, which
    /// is not complete. Nothing is handed out for the others.
    pub fn accesses(&self, mut take: impl FnMut(Access<'_>)) -> Result<(), AttributesUnknown> {
        let is_complete = match self.stage() {
            Some(Stage::ResponseComplete | Stage::Panic) => true,
            Some(Stage::ResponseStarted) => false,
            Some(Stage::RequestReceived) | None => return Ok(()),
        };
        let user = self.user().ok_or(AttributesUnknown::NoUser)?;
        let actor = Actor::new(self.impersonated_user().unwrap_or(user));
        let action = self.action()?;
        let answer = self.answer();
        if self.impersonated_user().is_some() {
            // Whoever acts as somebody else was allowed to, or there would be nobody they act as.
            impersonation::requests(self, &action, |action, certainty| {
                take(Access { actor: Actor::new(user), action, answer: Answer::Allowed, certainty, is_complete, reason: "" });
            });
        }
        if answer == Answer::Allowed {
            self.implied(&action, |action, certainty| take(Access { actor, action, answer, certainty, is_complete, reason: "" }));
        }
        take(Access { actor, action, answer, certainty: Certainty::Certain, is_complete, reason: self.reason() });
        Ok(())
    }

    /// What the server asks the authorizer on the way, beyond the request itself.
    fn implied(&self, action: &Action<'_>, mut take: impl FnMut(Action<'_>, Certainty)) {
        let Target::Resource(resource) = &action.target else { return };
        let also = |verb: &'static str| Action { verb: verb.into(), ..action.clone() };
        match (&*action.verb, self.code()) {
            // A write to what is not there makes it, by its name.
            ("update" | "patch", Some(201)) => take(also("create"), Certainty::Certain),
            // Over a WebSocket these are `get`; from 1.35 on the server asks for `create` as well.
            ("get", _) if resource.group.is_empty() && resource.resource == "pods" && matches!(&*resource.subresource, "exec" | "attach" | "portforward") => {
                take(also("create"), Certainty::Possible);
            }
            _ => {}
        }
    }
}
