//! Checks of who may do what, all grants taken together: what subjects hold, and what that makes of them.

mod account_escalation;
mod foreign_account_binding;
mod masters_binding;
mod open_ended_rule;
mod unused_account_grant;

use crate::Entry;

/// The checks of this family, sorted by id.
pub(crate) static ALL: &[&Entry] =
    &[&account_escalation::ENTRY, &foreign_account_binding::ENTRY, &masters_binding::ENTRY, &open_ended_rule::ENTRY, &unused_account_grant::ENTRY];
