//! Checks of the family `object`.

use crate::Entry;

/// The checks of this family, sorted by id.
pub(crate) static ALL: &[&Entry] = &[];
