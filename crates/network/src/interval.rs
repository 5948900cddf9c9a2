//! Sets of whole numbers as sorted, disjoint, never touching intervals. Ports and addresses are such sets; nothing here knows
//! which of the two it holds.

/// A number that has neighbours.
pub(crate) trait Bound: Copy + Ord {
    /// The number after this one, if there is one.
    fn after(self) -> Option<Self>;
    /// The number before this one, if there is one.
    fn before(self) -> Option<Self>;
}

macro_rules! bounds {
    ($($number:ty),*) => {$(
        impl Bound for $number {
            fn after(self) -> Option<Self> {
                self.checked_add(1)
            }
            fn before(self) -> Option<Self> {
                self.checked_sub(1)
            }
        }
    )*};
}
bounds!(u16, u128);

/// A set of numbers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Intervals<T> {
    ranges: Vec<(T, T)>,
}

impl<T> Default for Intervals<T> {
    fn default() -> Self {
        Self { ranges: Vec::new() }
    }
}

impl<T: Bound> Intervals<T> {
    /// The numbers from `first` to `last`, both included; none if they are the wrong way round.
    pub(crate) fn range(first: T, last: T) -> Self {
        Self { ranges: if first <= last { vec![(first, last)] } else { Vec::new() } }
    }

    /// The union of ranges in any order.
    pub(crate) fn of(mut ranges: Vec<(T, T)>) -> Self {
        ranges.retain(|(first, last)| first <= last);
        ranges.sort_unstable();
        let mut merged: Vec<(T, T)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match merged.last_mut() {
                Some((_, end)) if *end >= first || end.after() == Some(first) => *end = (*end).max(last),
                _ => merged.push((first, last)),
            }
        }
        Self { ranges: merged }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    pub(crate) fn ranges(&self) -> &[(T, T)] {
        &self.ranges
    }

    pub(crate) fn contains(&self, number: T) -> bool {
        let at = self.ranges.partition_point(|&(_, last)| last < number);
        self.ranges.get(at).is_some_and(|&(first, _)| first <= number)
    }

    pub(crate) fn union(&self, other: &Self) -> Self {
        if self.is_empty() {
            return other.clone();
        }
        if other.is_empty() || self == other {
            return self.clone();
        }
        Self::of(self.ranges.iter().chain(&other.ranges).copied().collect())
    }

    pub(crate) fn intersection(&self, other: &Self) -> Self {
        let (mut mine, mut theirs) = (self.ranges.iter().peekable(), other.ranges.iter().peekable());
        let mut ranges = Vec::new();
        while let (Some(&&(first, last)), Some(&&(other_first, other_last))) = (mine.peek(), theirs.peek()) {
            let (start, end) = (first.max(other_first), last.min(other_last));
            if start <= end {
                ranges.push((start, end));
            }
            if last < other_last {
                mine.next();
            } else {
                theirs.next();
            }
        }
        Self { ranges }
    }

    pub(crate) fn difference(&self, other: &Self) -> Self {
        let mut ranges = Vec::new();
        let mut removed = other.ranges.iter().peekable();
        for &(first, last) in &self.ranges {
            let mut start = Some(first);
            while let (Some(from), Some(&&(gone_first, gone_last))) = (start, removed.peek()) {
                if gone_last < from {
                    removed.next();
                    continue;
                }
                if gone_first > last {
                    break;
                }
                if let Some(end) = gone_first.before().filter(|&end| end >= from) {
                    ranges.push((from, end));
                }
                start = gone_last.after().filter(|&next| next <= last);
                if start.is_some() {
                    removed.next();
                }
            }
            if let Some(from) = start {
                ranges.push((from, last));
            }
        }
        Self { ranges }
    }

    pub(crate) fn is_subset(&self, other: &Self) -> bool {
        self.difference(other).is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn numbers(set: &Intervals<u16>) -> Vec<u16> {
        (0..40).filter(|&number| set.contains(number)).collect()
    }

    fn sets() -> impl Strategy<Value = Intervals<u16>> {
        proptest::collection::vec((0u16..30, 0u16..8), 0..5)
            .prop_map(|ranges| Intervals::of(ranges.into_iter().map(|(first, len)| (first, first + len)).collect()))
    }

    proptest! {
        #[test]
        fn operations_are_those_of_sets(one in sets(), two in sets()) {
            let both = |keep: fn(bool, bool) -> bool| (0u16..40).filter(|&number| keep(one.contains(number), two.contains(number))).collect::<Vec<_>>();
            prop_assert_eq!(numbers(&one.union(&two)), both(|a, b| a || b));
            prop_assert_eq!(numbers(&one.intersection(&two)), both(|a, b| a && b));
            prop_assert_eq!(numbers(&one.difference(&two)), both(|a, b| a && !b));
            prop_assert_eq!(one.is_subset(&two), both(|a, b| a && !b).is_empty());
        }

        #[test]
        fn equal_sets_have_equal_ranges(one in sets(), two in sets()) {
            let made = one.union(&two);
            let again = Intervals::of(numbers(&made).into_iter().map(|number| (number, number)).collect());
            prop_assert_eq!(&made, &again);
            prop_assert_eq!(one.difference(&two).union(&one.intersection(&two)), one);
        }
    }

    #[test]
    fn the_ends_of_the_numbers_are_no_ends_of_the_arithmetic() {
        let all = Intervals::range(0u16, u16::MAX);
        assert_eq!(all.difference(&Intervals::range(0, 0)).ranges(), [(1, u16::MAX)]);
        assert_eq!(all.difference(&Intervals::range(u16::MAX, u16::MAX)).ranges(), [(0, u16::MAX - 1)]);
        assert!(all.difference(&all).is_empty());
    }
}
