//! "Did you mean": the known word nearest to one that is not known. It never decides anything; it only helps a reader on.

/// Words that need more changes than this share of their length are other words, not slips.
const CHANGES_PER_LETTERS: usize = 3;

/// The known word that takes the fewest slips of the hand to reach, if any is near enough to be meant.
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let allowed = (word.chars().count() / CHANGES_PER_LETTERS).max(1);
    known.into_iter().map(|candidate| (distance(word, candidate), candidate)).filter(|&(changes, _)| changes <= allowed).min().map(|(_, candidate)| candidate)
}

/// How many letters have to be inserted, left out, replaced or swapped with their neighbour; case and the kind of dash are
/// no difference.
fn distance(one: &str, two: &str) -> usize {
    let letters = |word: &str| -> Vec<char> { word.chars().map(|letter| if letter == '_' { '-' } else { letter.to_ascii_lowercase() }).collect() };
    let (one, two) = (letters(one), letters(two));
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=two.len()).collect();
    for (row, from) in one.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, to) in two.iter().enumerate() {
            let cell = |cells: &[usize], at: usize| cells.get(at).copied().unwrap_or(usize::MAX - 1);
            let replaced = cell(&last, column) + usize::from(from != to);
            let mut fewest = replaced.min(cell(&last, column + 1) + 1).min(cell(&current, column) + 1);
            let swapped = row > 0 && column > 0 && one.get(row - 1) == Some(to) && two.get(column - 1) == Some(from);
            if swapped {
                fewest = fewest.min(cell(&before_last, column - 1) + 1);
            }
            current.push(fewest);
        }
        before_last = std::mem::replace(&mut last, current);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_hand_are_near_and_other_words_are_not() {
        let known = ["host-pid", "host-ipc", "privileged-container"];
        assert_eq!(nearest("hots-pid", known), Some("host-pid"));
        assert_eq!(nearest("host_pid", known), Some("host-pid"));
        assert_eq!(nearest("Host-IPC", known), Some("host-ipc"));
        assert_eq!(nearest("privileged-contaner", known), Some("privileged-container"));
        assert_eq!(nearest("latest-tag", known), None);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("ab", "ba"), 1);
    }
}
