//! Users that were seen before are recognised by their text, so that most events cost no parsing of users.

use bartizan_cluster::access::User;
use foldhash::{HashMap, HashMapExt as _};

use crate::access::Actor;

/// So many texts are remembered. Tokens that are renewed change the text of a user, so texts outnumber users; what is
/// forgotten is parsed again.
const TEXTS_MAX: usize = 1 << 16;

/// Numbers of users, by the text in which events describe them. The numbers are the caller's.
#[derive(Debug, Default)]
pub struct Actors {
    known: HashMap<Box<str>, u32>,
}

impl Actors {
    /// Nobody is known.
    pub fn new() -> Self {
        Self { known: HashMap::new() }
    }

    /// The number of `actor`; `number` gives it to somebody whose text is new. `None` if the text describes no user.
    pub fn number<'a>(&mut self, actor: Actor<'a>, number: impl FnOnce(User<'a>) -> u32) -> Option<u32> {
        if let Some(&known) = self.known.get(actor.text()) {
            return Some(known);
        }
        let id = number(actor.user()?);
        if self.known.len() >= TEXTS_MAX {
            self.known.clear();
        }
        self.known.insert(actor.text().into(), id);
        Some(id)
    }
}
