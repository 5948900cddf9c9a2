//! Label selectors of a command line against Kubernetes' own reader of them.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

#[path = "../../../fuzz/claims/mutation.rs"]
#[expect(dead_code, reason = "texts are generated here, not seeds mutilated")]
mod mutation;

use std::collections::BTreeMap;

use bartizan_cluster::selector::LabelSelector;
use bartizan_testbed::{LabelOracle, LabelQuestion};
use mutation::Dice;

/// What a selector is made of, and a few things that it is not.
const PIECES: [&str; 34] = [
    "a",
    "b",
    "app",
    "example.com/app",
    "in",
    "notin",
    "exists",
    "web",
    "7",
    "8",
    "-3",
    "+5",
    "x-",
    "_",
    "A.b",
    "a/b/c",
    "UP.io/a",
    "\u{e4}",
    "=",
    "==",
    "!=",
    "!",
    ">",
    "<",
    "(",
    ")",
    ",",
    " ",
    "\t",
    "\n",
    "\r",
    ", ",
    " in (",
    " notin (",
];

const KEYS: [&str; 5] = ["a", "b", "app", "example.com/app", "in"];
const VALUES: [&str; 7] = ["", "a", "b", "web", "7", "in", "09"];

/// A selector that is right in most cases.
fn sensible(dice: &mut Dice) -> String {
    let part = |dice: &mut Dice| {
        let key = KEYS[dice.below(KEYS.len())];
        let value = VALUES[dice.below(VALUES.len())];
        let other = VALUES[dice.below(VALUES.len())];
        match dice.below(9) {
            0 => key.to_owned(),
            1 => format!("!{key}"),
            2 => format!("{key}={value}"),
            3 => format!("{key} != {value}"),
            4 => format!("{key} in ({value},{other})"),
            5 => format!("{key} notin ({value}, {other} )"),
            6 => format!("{key}>{value}"),
            7 => format!("{key} < 8"),
            _ => format!("{key}=={value}"),
        }
    };
    (0..=dice.below(3)).map(|_| part(dice)).collect::<Vec<_>>().join(",")
}

fn pieces(dice: &mut Dice) -> String {
    (0..dice.below(9)).map(|_| PIECES[dice.below(PIECES.len())]).collect()
}

#[test]
fn a_selector_means_what_kubectl_makes_of_it() {
    const QUESTIONS: usize = 40_000;
    let mut dice = Dice(0x5e1ec);
    let questions: Vec<LabelQuestion> = (0..QUESTIONS)
        .map(|at| {
            let selector = if at % 2 == 0 { sensible(&mut dice) } else { pieces(&mut dice) };
            let mut labels = BTreeMap::new();
            for key in KEYS {
                if dice.below(2) == 0 {
                    labels.insert(key.to_owned(), VALUES[dice.below(VALUES.len())].to_owned());
                }
            }
            LabelQuestion { selector, labels }
        })
        .collect();
    let answers = LabelOracle::locate().unwrap().ask(&questions).unwrap();
    let (mut matched, mut refused) = (0, 0);
    for (LabelQuestion { selector, labels }, server) in questions.iter().zip(answers) {
        let ours = selector.parse::<LabelSelector>().map(|ours| matches(&ours, labels));
        assert_eq!(ours.as_ref().ok(), server.as_ref().ok(), "{selector:?} of {labels:?}: {ours:?}, the server: {server:?}");
        matched += usize::from(ours == Ok(true));
        refused += usize::from(ours.is_err());
    }
    assert!(matched > QUESTIONS / 20 && refused > QUESTIONS / 20, "{matched} matched, {refused} refused");
}

fn matches(selector: &LabelSelector, labels: &BTreeMap<String, String>) -> bool {
    selector.matches(|key| labels.get(key).map(String::as_str))
}
