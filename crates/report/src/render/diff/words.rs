//! The fixed texts of comparisons, in English and in Chinese, as one typed table.

use crate::page::Language;

macro_rules! words {
    ($($name:ident: $english:literal, $chinese:literal;)*) => {
        /// Every fixed text in one language.
        #[derive(Debug)]
        pub(super) struct Words {
            $(pub(super) $name: &'static str,)*
        }

        static ENGLISH: Words = Words { $($name: $english,)* };
        static CHINESE: Words = Words { $($name: $chinese,)* };
    };
}

words! {
    comma: ", ", "，";
    heading: "What changed", "变化";
    before: "before", "之前";
    after: "after", "之后";
    side: "{names}, {time}: {failed} failed, {unknown} unknown, score {score}", "{names}，{time}：未通过 {failed}，未知 {unknown}，得分 {score}";
    n_opened: "{n} opened", "新增 {n}";
    n_closed: "{n} closed", "消除 {n}";
    n_changed: "{n} changed", "变化 {n}";
    n_unconfirmed: "{n} not to be told", "无法判断 {n}";
    n_unchanged: "{n} unchanged", "未变 {n}";
    opened: "Opened", "新增";
    closed: "Closed", "消除";
    changed: "Changed", "变化";
    unconfirmed: "Not to be told: the later report did not look", "无法判断：之后的报告没有检查";
    grown: "the fault was there before, at other places", "该问题之前已在其他位置存在";
    needs_a_person: "a person must look", "需要人工检查";
    seen_first: "it may have been there before: {why}", "之前可能已经存在：{why}";
    severity: "severity", "级别";
    verdict: "verdict", "结论";
    not_read: "`{source}` could not be read", "无法读取 `{source}`";
    not_asked: "`{source}` is outside of what was read", "`{source}` 不在读取范围内";
    not_run: "the check was not run", "没有运行该检查";
    not_judged: "the subject was not judged", "没有检查该对象";
}

impl Words {
    pub(super) fn of(language: Language) -> &'static Words {
        match language {
            Language::English => &ENGLISH,
            Language::Chinese => &CHINESE,
        }
    }
}
