//! The checks about waivers themselves. They are judged by [`super::apply`], and stand in the catalogue with all others.

use crate::check::{Check, Severity, Stage};

/// A waiver that accepts nothing.
pub static UNUSED: Check = own("unused-waiver", include_str!("unused_waiver.md"));
/// A waiver whose last day is over.
pub static EXPIRED: Check = own("expired-waiver", include_str!("expired_waiver.md"));
/// A waiver that cannot be read.
pub static MALFORMED: Check = own("malformed-waiver", include_str!("malformed_waiver.md"));

/// The checks of this crate, sorted by id.
pub static OWN_CHECKS: &[&Check] = &[&EXPIRED, &MALFORMED, &UNUSED];

const fn own(id: &'static str, page: &'static str) -> Check {
    Check { id, severity: Severity::Low, stage: Stage::Default, since: "0.1.0", aliases: &[], page }
}
