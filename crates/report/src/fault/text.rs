//! Faults on paper, for people.

use std::io::{self, Write};

use super::{Judgement, Words};
use crate::check::Severity;
use crate::page::Language;

/// Text from the input cannot drive a terminal.
pub fn plain(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { char::REPLACEMENT_CHARACTER } else { letter }).collect()
}

/// So many words of a list are shown to people.
const FEW: usize = 12;

/// The words of a list, of a long one the first, and how many more there are.
pub fn few<'w>(words: impl ExactSizeIterator<Item = &'w str>, between: &str) -> String {
    let more = words.len().saturating_sub(FEW);
    let mut text = words.take(FEW).collect::<Vec<_>>().join(between);
    if more > 0 {
        text.push_str(&format!("{between}… (+{more})"));
    }
    text
}

/// The word for a severity.
pub fn severity(severity: Severity, language: Language) -> &'static str {
    let word = match severity {
        Severity::Critical => Words::new("critical", "严重"),
        Severity::High => Words::new("high", "高"),
        Severity::Medium => Words::new("medium", "中"),
        Severity::Low => Words::new("low", "低"),
    };
    word.of(language)
}

/// Writes what is wrong, why that matters and what to do, below the thing that it is about.
pub fn judgement(judgement: &Judgement, language: Language, out: &mut impl Write) -> io::Result<()> {
    let place = judgement.place.as_ref().map_or_else(String::new, |place| format!("  [{}]", plain(&place.to_string())));
    writeln!(out, "    {}: {}  ({}){place}", severity(judgement.fault.severity, language), plain(&judgement.problem(language)), judgement.fault.id)?;
    writeln!(out, "      {}", judgement.fault.why.of(language))?;
    writeln!(out, "      {}: {}", Words::new("fix", "修复").of(language), plain(&judgement.remedy(language)))
}

/// Writes how many faults of each severity there are.
pub fn total<'a>(judgements: impl Iterator<Item = &'a Judgement>, language: Language, out: &mut impl Write) -> io::Result<()> {
    let found: Vec<Severity> = judgements.map(|judgement| judgement.fault.severity).collect();
    let counted = Severity::ALL.map(|grade| format!("{} {}", found.iter().filter(|found| **found == grade).count(), severity(grade, language)));
    writeln!(out, "{}", counted.join(", "))
}

#[cfg(test)]
mod tests {
    use super::few;

    #[test]
    fn of_many_words_a_few_are_shown_and_the_others_counted() {
        let words: Vec<String> = (0..14).map(|number| number.to_string()).collect();
        let shown = |count: usize| few(words.iter().take(count).map(String::as_str), ",");
        assert_eq!((shown(0).as_str(), shown(2).as_str()), ("", "0,1"));
        assert_eq!(shown(12), "0,1,2,3,4,5,6,7,8,9,10,11");
        assert_eq!(shown(14), "0,1,2,3,4,5,6,7,8,9,10,11,… (+2)");
    }
}
