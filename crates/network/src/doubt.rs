//! What leaves answers open. A list for people marks each connection that is not known with a question mark; beside the list every cause is
//! said once, with the number of lines that it leaves open.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::difference::Change;
use crate::verdict::Cause;

/// Causes, each with the number of connections that it leaves open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Doubts(BTreeMap<Cause, usize>);

impl Doubts {
    /// Those of a difference.
    pub fn of(changes: &[Change]) -> Self {
        let mut doubts = Self::default();
        for change in changes {
            doubts.add(&change.because);
        }
        doubts
    }

    /// Counts what leaves one connection open.
    pub(crate) fn add(&mut self, because: &[Cause]) {
        for cause in because {
            *self.0.entry(cause.clone()).or_default() += 1;
        }
    }

    /// The causes: what leaves most open comes first.
    pub fn causes(&self) -> Vec<(&Cause, usize)> {
        let mut causes: Vec<_> = self.0.iter().map(|(cause, count)| (cause, *count)).collect();
        causes.sort_by_key(|(_, count)| Reverse(*count));
        causes
    }
}
