//! The fixed texts of every renderer for people, in English and in Chinese, as one typed table.
//!
//! A renderer asks for a field, so a text that lacks a language does not compile. `{name}` slots are filled by
//! [`crate::page::fill`]'s rules; a `|` parts the form for exactly one from the form for any other number, see [`counted`].
//! What the pages of the checks say does not stand here.

use std::collections::BTreeMap;

use crate::check::Severity;
use crate::finding::Verdict;
use crate::page::{Language, fill};

macro_rules! words {
    ($($(#[$note:meta])* $name:ident: $english:literal, $chinese:literal;)*) => {
        /// Every fixed text in one language.
        #[derive(Debug)]
        pub(crate) struct Words {
            $($(#[$note])* pub(crate) $name: &'static str,)*
        }

        static ENGLISH: Words = Words { $($name: $english,)* };
        static CHINESE: Words = Words { $($name: $chinese,)* };
    };
}

words! {
    // Names of things, used by all renderers.
    critical: "critical", "严重";
    high: "high", "高";
    medium: "medium", "中";
    low: "low", "低";
    failed: "failed", "未通过";
    passed: "passed", "通过";
    unknown: "unknown", "未知";
    manual: "manual", "人工";
    waived: "waived", "已豁免";
    not_applicable: "not applicable", "不适用";
    score: "score", "得分";
    check: "check", "检查";
    subject: "subject", "对象";
    place: "place", "位置";
    message: "message", "说明";
    why: "why", "原因";
    fix: "fix", "修复";
    whole_cluster: "the whole cluster", "整个集群";
    container: "container `{name}`", "容器 `{name}`";

    // Punctuation between the parts of a line.
    colon: ": ", "：";
    comma: ", ", "，";
    semicolon: "; ", "；";
    stop: ".", "。";

    // What was read.
    documents: "{n} document|{n} documents", "{n} 个文档";
    objects: "{n} object|{n} objects", "{n} 个对象";
    files: "{n} file|{n} files", "{n} 个文件";
}

impl Words {
    /// The texts of `language`.
    pub(crate) fn of(language: Language) -> &'static Words {
        match language {
            Language::English => &ENGLISH,
            Language::Chinese => &CHINESE,
        }
    }

    /// The name of a severity.
    pub(crate) fn severity(&self, severity: Severity) -> &'static str {
        match severity {
            Severity::Critical => self.critical,
            Severity::High => self.high,
            Severity::Medium => self.medium,
            Severity::Low => self.low,
        }
    }

    /// The name of a verdict.
    pub(crate) fn verdict(&self, verdict: Verdict) -> &'static str {
        match verdict {
            Verdict::Fail => self.failed,
            Verdict::Pass => self.passed,
            Verdict::Unknown => self.unknown,
            Verdict::Manual => self.manual,
            Verdict::Waived => self.waived,
            Verdict::NotApplicable => self.not_applicable,
        }
    }
}

/// `template` with its slots filled.
pub(crate) fn filled(template: &str, slots: &[(&str, &str)]) -> String {
    fill(template, &slots.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect::<BTreeMap<_, _>>())
}

/// The form of `template` for the number `n`, which fills the slot `{n}`.
pub(crate) fn counted(template: &str, n: u64) -> String {
    let form = match template.split_once('|') {
        Some((one, _)) if n == 1 => one,
        Some((_, other)) => other,
        None => template,
    };
    filled(form, &[("n", &n.to_string())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_takes_the_form_of_its_number() {
        let words = Words::of(Language::English);
        assert_eq!(counted(words.documents, 1), "1 document");
        assert_eq!(counted(words.documents, 0), "0 documents");
        assert_eq!(counted(Words::of(Language::Chinese).documents, 1), "1 个文档");
    }
}
