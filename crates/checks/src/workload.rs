//! Checks of pods and containers beyond the Pod Security Standards: identity, images, resources, secrets, mounts.

use crate::Entry;

/// The checks of this family, sorted by id.
pub(crate) static ALL: &[&Entry] = &[];
