//! A small generator of numbers (xorshift), the same on every machine: whoever names a seed names everything drawn from it.
//!
//! It is no source of secrets.

/// A stream of numbers.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The stream of a seed.
    pub fn of(seed: u64) -> Self {
        // Neighbouring seeds shall not begin alike, and a state of zero would stay zero.
        let mut random = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        random.draw();
        random
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `bound`, which is not zero.
    pub fn below(&mut self, bound: usize) -> usize {
        // The low bits of a xorshift are its weakest.
        let number = (self.draw() >> 11) % (bound as u64);
        usize::try_from(number).unwrap_or(0)
    }

    /// Whether a chance of `percent` in a hundred came up.
    pub fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of several.
    #[expect(clippy::indexing_slicing, reason = "the index is below the length, and whoever draws from nothing is told so")]
    pub fn one_of<'a, T: ?Sized>(&mut self, several: &[&'a T]) -> &'a T {
        several[self.below(several.len())]
    }

    /// Between `least` and `most` of several, in any order and possibly one twice.
    pub fn some_of<'a, T: ?Sized>(&mut self, several: &[&'a T], least: usize, most: usize) -> Vec<&'a T> {
        let count = least + self.below(most - least + 1);
        (0..count).map(|_| self.one_of(several)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_names_its_numbers() {
        let draw = |seed| {
            let mut random = Random::of(seed);
            (0..8).map(|_| random.below(1000)).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        assert_ne!(draw(0), draw(1));
    }

    #[test]
    fn chances_come_up_about_as_often_as_they_say() {
        let mut random = Random::of(3);
        let hits = (0..100_000).filter(|_| random.percent(20)).count();
        assert!((19_000..21_000).contains(&hits), "{hits}");
    }
}
