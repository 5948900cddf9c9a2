//! The errors of a program, by the sort of question.

use std::collections::BTreeMap;

use serde_json::Value;

use super::cases::{Case, Recorded};
use crate::{Error, Result};

/// Counts of one sort of question.
#[derive(Debug, Default, Clone, Copy)]
struct Row {
    asked: usize,
    right: usize,
    /// Says yes where the server says no.
    too_much: usize,
    /// Says no where the server says yes.
    too_little: usize,
    /// Answers a review that the server refuses.
    not_refused: usize,
    /// Has no answer where the server has one, be it a refusal.
    unanswered: usize,
    /// Is right and gives a reason that is none of the server's.
    wrong_reason: usize,
}

/// Counts of every sort.
#[derive(Debug, Default)]
pub struct Tally {
    rows: BTreeMap<&'static str, Row>,
}

impl Tally {
    /// Counts the answers of a program, a line each, to the questions of a case.
    pub fn add(&mut self, case: &Case, answers: &str) -> Result<()> {
        let mut lines = answers.lines();
        let questions: Vec<&str> = case.questions.lines().collect();
        let failed = |why: String| Error::Answer { question: case.name.clone(), why };
        if questions.len() != case.answers.len() {
            return Err(failed(format!("{} questions have {} answers", questions.len(), case.answers.len())));
        }
        for (question, recorded) in questions.into_iter().zip(&case.answers) {
            let question: Value = serde_json::from_str(question).map_err(|error| failed(error.to_string()))?;
            let said = lines.next().and_then(|line| serde_json::from_str(line).ok()).unwrap_or(Value::Null);
            self.rows.entry(sort(&question, recorded)).or_default().count(recorded, &said);
        }
        Ok(())
    }

    /// Whether every answer was that of the server, reasons included, and there were any.
    pub fn is_right(&self) -> bool {
        self.asked() > 0 && self.rows.values().all(|row| row.right == row.asked && row.wrong_reason == 0)
    }

    /// How many questions were put.
    pub fn asked(&self) -> usize {
        self.rows.values().map(|row| row.asked).sum()
    }

    /// The counts as a table.
    pub fn table(&self) -> String {
        let mut text = String::from(
            "| questions | asked | right | allows too much | allows too little | answers what is refused | no answer | wrong reason |\n|---|---|---|---|---|---|---|---|\n",
        );
        let mut total = Row::default();
        for (sort, row) in &self.rows {
            text.push_str(&row.line(sort));
            total.add(row);
        }
        text.push_str(&total.line("all"));
        text.trim_end().to_owned()
    }
}

impl Row {
    fn count(&mut self, recorded: &Recorded, said: &Value) {
        self.asked += 1;
        let allowed = said.get("allowed").and_then(Value::as_bool);
        match (recorded.allowed, allowed) {
            (None, None) if said.get("error").is_some() => self.right += 1,
            (None, None) => self.unanswered += 1,
            (None, Some(_)) => self.not_refused += 1,
            (Some(_), None) => self.unanswered += 1,
            (Some(false), Some(true)) => self.too_much += 1,
            (Some(true), Some(false)) => self.too_little += 1,
            (Some(theirs), Some(_)) => {
                self.right += 1;
                let reason = said.get("reason").and_then(Value::as_str).unwrap_or_default();
                // A refusal may list its errors in any order, so only the reasons of what is allowed are compared.
                if theirs && !reason.is_empty() && reason != recorded.reason && !recorded.reasons.iter().any(|one| one == reason) {
                    self.wrong_reason += 1;
                }
            }
        }
    }

    fn add(&mut self, other: &Row) {
        self.asked += other.asked;
        self.right += other.right;
        self.too_much += other.too_much;
        self.too_little += other.too_little;
        self.not_refused += other.not_refused;
        self.unanswered += other.unanswered;
        self.wrong_reason += other.wrong_reason;
    }

    fn line(&self, name: &str) -> String {
        let Row { asked, right, too_much, too_little, not_refused, unanswered, wrong_reason } = self;
        format!("| {name} | {asked} | {right} | {too_much} | {too_little} | {not_refused} | {unanswered} | {wrong_reason} |\n")
    }
}

/// What makes a question hard, the hardest first.
fn sort(question: &Value, recorded: &Recorded) -> &'static str {
    let attributes = question.pointer("/spec/resourceAttributes");
    let has = |key: &str| attributes.and_then(|attributes| attributes.get(key)).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    if recorded.allowed.is_none() {
        "refused by the server"
    } else if question.pointer("/spec/nonResourceAttributes").is_some_and(|attributes| !attributes.is_null()) {
        "paths"
    } else if attributes.is_some_and(|attributes| attributes.get("fieldSelector").is_some() || attributes.get("labelSelector").is_some()) {
        "with selectors"
    } else if has("subresource") {
        "subresources"
    } else if has("name") {
        "named objects"
    } else if !has("namespace") {
        "whole cluster"
    } else {
        "all objects of a namespace"
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_way_to_be_wrong_is_counted_on_its_own() {
        let allowed = Recorded { allowed: Some(true), reason: "a".to_owned(), reasons: vec!["a".to_owned(), "b".to_owned()], error: None };
        let denied = Recorded { allowed: Some(false), ..Recorded::default() };
        let refused = Recorded::default();
        let mut row = Row::default();
        for (recorded, said) in [
            (&allowed, json!({"allowed": true, "reason": "b"})),
            (&allowed, json!({"allowed": true})),
            (&allowed, json!({"allowed": true, "reason": "c"})),
            (&allowed, json!({"allowed": false})),
            (&allowed, json!({"allowed": null})),
            (&denied, json!({"allowed": true})),
            (&denied, json!({"error": "what?"})),
            (&refused, json!({"error": "no"})),
            (&refused, json!({"allowed": false})),
            (&refused, json!(null)),
        ] {
            row.count(recorded, &said);
        }
        assert_eq!(row.line("r"), "| r | 10 | 4 | 1 | 1 | 1 | 3 | 1 |\n");
    }

    #[test]
    fn questions_are_sorted_by_what_makes_them_hard() {
        let answer = Recorded { allowed: Some(false), ..Recorded::default() };
        let of = |spec: Value| sort(&json!({ "spec": spec }), &answer);
        assert_eq!(of(json!({"nonResourceAttributes": {"path": "/"}})), "paths");
        assert_eq!(of(json!({"resourceAttributes": {"subresource": "exec", "name": "a"}})), "subresources");
        assert_eq!(of(json!({"resourceAttributes": {"name": "a"}})), "named objects");
        assert_eq!(of(json!({"resourceAttributes": {"namespace": "a"}})), "all objects of a namespace");
        assert_eq!(of(json!({"resourceAttributes": {"namespace": ""}})), "whole cluster");
        assert_eq!(sort(&json!({}), &Recorded::default()), "refused by the server");
    }
}
