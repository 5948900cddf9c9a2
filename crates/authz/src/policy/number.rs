//! Numbers of roles and bindings: they are compared in the order in which these are listed, and stay while others come and go.

use std::sync::Arc;

/// A number: first where it stands among the others, then where the thing is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Number {
    /// Numbers that stand next to each other leave room for others between them.
    pub(super) order: u32,
    pub(super) slot: u32,
}

impl Number {
    /// Where the thing is kept.
    pub(crate) fn slot(self) -> usize {
        self.slot as usize
    }
}

/// Numbers in their order.
#[derive(Debug, Clone, Default)]
pub(super) struct Listed(Arc<Vec<Number>>);

/// What became of the other numbers when one came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Others {
    /// They have stayed.
    Kept,
    /// There was no room between two of them, and all of them have new places in the order.
    Moved,
}

impl Listed {
    /// As many numbers as there are `slots`, in their order.
    pub(super) fn of(slots: impl ExactSizeIterator<Item = u32>) -> Self {
        let step = u32::MAX / u32::try_from(slots.len()).unwrap_or(u32::MAX).saturating_add(1);
        Self(Arc::new(slots.zip(1u32..).map(|(slot, place)| Number { order: place.saturating_mul(step), slot }).collect()))
    }

    pub(super) fn all(&self) -> &[Number] {
        &self.0
    }

    /// Puts the thing in `slot` before the number that stands at `place` until now.
    pub(super) fn insert(&mut self, place: usize, slot: u32) -> Others {
        let order = |place: Option<usize>| place.and_then(|place| self.0.get(place)).map(|number| number.order);
        let (before, behind) = (order(place.checked_sub(1)).unwrap_or(0), order(Some(place)).unwrap_or(u32::MAX));
        let middle = before + behind.saturating_sub(before) / 2;
        let list = Arc::make_mut(&mut self.0);
        list.insert(place.min(list.len()), Number { order: middle, slot });
        if middle > before && middle < behind {
            return Others::Kept;
        }
        *self = Self::of(list.iter().map(|number| number.slot).collect::<Vec<_>>().into_iter());
        Others::Moved
    }

    /// Takes out the number at `place`.
    pub(super) fn remove(&mut self, place: usize) {
        if place < self.0.len() {
            Arc::make_mut(&mut self.0).remove(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_in_order_however_many_come_into_one_place() {
        for place in [0, 1, 500, 1_000] {
            let mut listed = Listed::of(0..1_000);
            let mut expected: Vec<u32> = (0..1_000).collect();
            let mut moved = 0;
            for slot in 1_000..1_200 {
                let at = place + if slot % 2 == 0 { 0 } else { (slot as usize - 1_000) / 2 };
                moved += u32::from(listed.insert(at, slot) == Others::Moved);
                expected.insert(at, slot);
                assert!(listed.all().is_sorted_by(|one, next| one < next));
            }
            assert!(listed.all().iter().map(|number| number.slot).eq(expected));
            assert!((1..40).contains(&moved), "{moved}");
        }
    }

    #[test]
    fn what_is_taken_out_moves_nobody() {
        let mut listed = Listed::of(0..3);
        let before = listed.clone();
        listed.remove(1);
        listed.remove(9);
        assert_eq!(listed.all(), [before.all()[0], before.all()[2]]);
        assert_eq!(listed.insert(1, 1), Others::Kept);
        assert!(Listed::of(0..0).all().is_empty());
    }
}
