//! The Pod Security Standards: one check for each control, exact for every version of the policy.

mod host_pid;

use crate::Entry;

/// The checks of this family, sorted by id.
pub(crate) static ALL: &[&Entry] = &[&host_pid::ENTRY];
