//! Checks of the family `relation`.

use crate::Entry;

/// The checks of this family, sorted by id.
pub(crate) static ALL: &[&Entry] = &[];
