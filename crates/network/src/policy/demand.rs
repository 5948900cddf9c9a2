//! Ends of connections as Calico's rules describe them: everything that is asked of an end must hold of it.

use super::PodMatch;
use crate::verdict::Cause;

/// What is asked of one end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Demand {
    /// It is one of these.
    pub(crate) members: Option<Members>,
    /// It is none of these.
    pub(crate) strangers: Option<Members>,
    /// It has an address in this set, by its number.
    pub(crate) addresses: Option<u32>,
    /// Something else is asked of which nobody can tell whether it holds.
    pub(crate) doubt: Option<Cause>,
}

impl Demand {
    /// Whether nothing is asked.
    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_none() && self.strangers.is_none() && self.addresses.is_none() && self.doubt.is_none()
    }

    /// The sets of addresses that it reads, by number.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = u32> {
        let of_members = [&self.members, &self.strangers].into_iter().flatten().filter_map(|members| members.addresses);
        self.addresses.into_iter().chain(of_members)
    }

    /// The sets of pods that it reads.
    pub(crate) fn pods(&self) -> impl Iterator<Item = PodMatch> {
        [&self.members, &self.strangers].into_iter().flatten().map(|members| members.pods)
    }
}

/// What a selector selects: pods, and addresses that have labels without being pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Members {
    pub(crate) pods: PodMatch,
    /// The addresses, by the number of their set.
    pub(crate) addresses: Option<u32>,
}
