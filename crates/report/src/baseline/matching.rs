//! Which findings, and which of their places, are the same in two reports.

use std::collections::BTreeMap;

use bartizan_cluster::group_of;

use super::text_at;
use crate::finding::{Finding, Place};

/// What makes two findings one: the check and the subject, whatever version of the API it is written in.
pub(super) type Key<'f> = (&'f str, Option<(&'f str, &'f str, &'f str, &'f str)>);

pub(super) fn key_of(finding: &Finding) -> Key<'_> {
    let subject = finding
        .subject
        .as_ref()
        .map(|subject| (subject.namespace.as_deref().unwrap_or(""), group_of(&subject.api_version), subject.kind.as_str(), subject.name.as_str()));
    (&finding.check, subject)
}

/// Every check and subject with its finding in each report, in the order of the later report, then of the earlier one.
pub(super) fn pairs<'f>(before: &'f [Finding], after: &'f [Finding]) -> Vec<(Key<'f>, Option<&'f Finding>, Option<&'f Finding>)> {
    // The same object may stand twice in the input and be judged twice; each is matched once.
    let mut earlier: BTreeMap<Key<'f>, std::collections::VecDeque<&'f Finding>> = BTreeMap::new();
    for finding in before {
        earlier.entry(key_of(finding)).or_default().push_back(finding);
    }
    let mut pairs: Vec<_> = after
        .iter()
        .map(|finding| (key_of(finding), earlier.get_mut(&key_of(finding)).and_then(std::collections::VecDeque::pop_front), Some(finding)))
        .collect();
    let mut rest: Vec<&Finding> = earlier.into_values().flatten().collect();
    rest.sort_by(|one, two| one.order().cmp(&two.order()));
    pairs.extend(rest.into_iter().map(|finding| (key_of(finding), Some(finding), None)));
    pairs
}

/// The places of two findings, matched.
#[derive(Debug, Default)]
pub(super) struct Matched<'f> {
    /// The same places.
    pub(super) same: Vec<(&'f Place, &'f Place)>,
    /// Places of the later finding only.
    pub(super) opened: Vec<&'f Place>,
    /// Places of the earlier finding only.
    pub(super) closed: Vec<&'f Place>,
}

/// Matches places: first those whose path and message are the same, then those that differ only in their position in a list,
/// then those whose path is the same.
pub(super) fn match_places<'f>(before: &'f Finding, after: &'f Finding) -> Matched<'f> {
    let mut matched = Matched { same: Vec::new(), opened: after.places.iter().collect(), closed: before.places.iter().collect() };
    let path_and_text = |finding: &'f Finding, place: &'f Place| (place.path.clone(), text_at(finding, Some(place)));
    let shape_and_text = |finding: &'f Finding, place: &'f Place| (without_positions(&place.path), text_at(finding, Some(place)));
    let path = |_: &'f Finding, place: &'f Place| (place.path.clone(), "");
    matched.take_equal(before, after, path_and_text);
    matched.take_equal(before, after, shape_and_text);
    matched.take_equal(before, after, path);
    matched
}

impl<'f> Matched<'f> {
    /// Takes out the places that `key` makes equal, each once.
    fn take_equal(&mut self, before: &'f Finding, after: &'f Finding, key: impl Fn(&'f Finding, &'f Place) -> (String, &'f str)) {
        let mut earlier: BTreeMap<(String, &'f str), Vec<&'f Place>> = BTreeMap::new();
        for place in self.closed.drain(..).rev() {
            earlier.entry(key(before, place)).or_default().push(place);
        }
        let later = std::mem::take(&mut self.opened);
        for place in later {
            match earlier.get_mut(&key(after, place)).and_then(Vec::pop) {
                Some(same) => self.same.push((same, place)),
                None => self.opened.push(place),
            }
        }
        let left: Vec<&Place> = earlier.into_values().flatten().collect();
        // Back into the order of the report.
        self.closed = before.places.iter().filter(|place| left.iter().any(|left| std::ptr::eq(*left, *place))).collect();
    }
}

/// A path without the positions of list items that have no name: `rules[3].verbs` becomes `rules[].verbs`.
fn without_positions(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('[') {
        text.push_str(before);
        text.push('[');
        match after.split_once(']') {
            Some((inside, tail)) => {
                if !inside.bytes().all(|byte| byte.is_ascii_digit()) {
                    text.push_str(inside);
                }
                text.push(']');
                rest = tail;
            }
            None => rest = after,
        }
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod unit {
    use super::without_positions;

    #[test]
    fn positions_go_and_names_stay() {
        assert_eq!(without_positions("rules[3].verbs[0]"), "rules[].verbs[]");
        assert_eq!(without_positions("spec.containers[name=a1].env[12].value"), "spec.containers[name=a1].env[].value");
        assert_eq!(without_positions("metadata.annotations[\"a.b/c\"]"), "metadata.annotations[\"a.b/c\"]");
        assert_eq!(without_positions("a[1"), "a[1");
    }
}
