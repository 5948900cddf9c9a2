//! The words of the page in both languages: one table, so that a missing translation does not compile.

use crate::check::Severity;
use crate::page::Language;

/// Every word of the page that does not come from a check's own page.
#[derive(Debug)]
pub(super) struct Words {
    /// The value of `<html lang>`.
    pub(super) lang: &'static str,
    pub(super) review: &'static str,
    pub(super) skip: &'static str,
    pub(super) clean: &'static str,
    pub(super) clean_as_read: &'static str,
    pub(super) one_fault: &'static str,
    pub(super) many_faults: &'static str,
    pub(super) on_one: &'static str,
    pub(super) on_many: &'static str,
    pub(super) incomplete: &'static str,
    pub(super) incomplete_more: &'static str,
    pub(super) score: &'static str,
    pub(super) score_note: &'static str,
    pub(super) no_score: &'static str,
    pub(super) by_severity: &'static str,
    pub(super) severities: [&'static str; 4],
    pub(super) severity: &'static str,
    pub(super) passed: &'static str,
    pub(super) unknown: &'static str,
    pub(super) manual: &'static str,
    pub(super) waived: &'static str,
    pub(super) not_applicable: &'static str,
    pub(super) summary: &'static str,
    pub(super) first: &'static str,
    pub(super) first_note: &'static str,
    pub(super) affects_one: &'static str,
    pub(super) affects_many: &'static str,
    pub(super) one_patch: &'static str,
    pub(super) many_patches: &'static str,
    pub(super) explain: &'static str,
    pub(super) read: &'static str,
    pub(super) sources: &'static str,
    pub(super) source_kinds: [(&'static str, &'static str); 3],
    pub(super) observed: &'static str,
    pub(super) kubernetes: &'static str,
    pub(super) benchmark: &'static str,
    pub(super) files: &'static str,
    pub(super) documents: &'static str,
    pub(super) objects: &'static str,
    pub(super) other_documents: &'static str,
    pub(super) skipped: &'static str,
    pub(super) assumptions: &'static str,
    pub(super) tool: &'static str,
    pub(super) unread: &'static str,
    pub(super) unread_nothing: &'static str,
    pub(super) not_judged: &'static str,
    pub(super) problem: &'static str,
    pub(super) place: &'static str,
    pub(super) fact: &'static str,
    pub(super) scope: &'static str,
    pub(super) reason: &'static str,
    pub(super) facts_missing: &'static str,
    pub(super) not_in_source: &'static str,
    pub(super) findings: &'static str,
    pub(super) no_findings: &'static str,
    pub(super) filter: &'static str,
    pub(super) search: &'static str,
    pub(super) search_hint: &'static str,
    pub(super) check: &'static str,
    pub(super) namespace: &'static str,
    pub(super) all_checks: &'static str,
    pub(super) all_namespaces: &'static str,
    pub(super) cluster_wide: &'static str,
    pub(super) whole_cluster: &'static str,
    pub(super) reset: &'static str,
    pub(super) expand: &'static str,
    pub(super) collapse: &'static str,
    pub(super) shown: &'static str,
    pub(super) nothing_shown: &'static str,
    pub(super) one_pod: &'static str,
    pub(super) many_pods: &'static str,
    pub(super) owner_uncertain: &'static str,
    pub(super) container: &'static str,
    pub(super) from_admission: &'static str,
    pub(super) lines_sealed: &'static str,
    pub(super) more_frames: &'static str,
    pub(super) related: &'static str,
    pub(super) controls: &'static str,
    pub(super) change: &'static str,
    pub(super) change_safe: &'static str,
    pub(super) change_unsafe: &'static str,
    pub(super) open_questions: &'static str,
    pub(super) open_questions_note: &'static str,
    pub(super) missing_unsaid: &'static str,
    pub(super) left_open: &'static str,
    pub(super) by_hand: &'static str,
    pub(super) by_hand_note: &'static str,
    pub(super) accepted: &'static str,
    pub(super) accepted_note: &'static str,
    pub(super) subject: &'static str,
    pub(super) until: &'static str,
    pub(super) no_end: &'static str,
    pub(super) answers: &'static str,
    pub(super) written_in: &'static str,
    pub(super) checks: &'static str,
    pub(super) checks_note: &'static str,
    pub(super) why: &'static str,
    pub(super) fix: &'static str,
    pub(super) references: &'static str,
    pub(super) affected: &'static str,
    pub(super) reasons: [(&'static str, &'static str); 9],
}

impl Words {
    /// The table of `language`.
    pub(super) fn of(language: Language) -> &'static Self {
        match language {
            Language::English => &ENGLISH,
            Language::Chinese => &CHINESE,
        }
    }

    /// The name of a severity.
    pub(super) fn severity(&self, severity: Severity) -> &'static str {
        let [critical, high, medium, low] = self.severities;
        match severity {
            Severity::Critical => critical,
            Severity::High => high,
            Severity::Medium => medium,
            Severity::Low => low,
        }
    }

    /// Why a fact is missing, in words; a reason that the table does not know stays as it is.
    pub(super) fn reason<'a>(&self, name: &'a str) -> &'a str {
        looked_up(&self.reasons, name)
    }

    /// What a kind of source is called.
    pub(super) fn source_kind<'a>(&self, name: &'a str) -> &'a str {
        looked_up(&self.source_kinds, name)
    }
}

fn looked_up<'a>(table: &[(&'static str, &'static str)], name: &'a str) -> &'a str {
    table.iter().find(|(key, _)| *key == name).map_or(name, |(_, words)| words)
}

/// `one` for 1, else `many` with the number in its `{n}`.
pub(super) fn counted(count: usize, one: &str, many: &str) -> String {
    let template = if count == 1 { one } else { many };
    template.replace("{n}", &grouped(count))
}

/// A number with its thousands set apart by a thin space.
pub(super) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 2);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) && digits.len() > 4 {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

static ENGLISH: Words = Words {
    lang: "en",
    review: "Kubernetes security review",
    skip: "Skip to the findings",
    clean: "No faults found",
    clean_as_read: "No faults found in what could be read",
    one_fault: "1 fault",
    many_faults: "{n} faults",
    on_one: "in 1 object",
    on_many: "in {n} objects",
    incomplete: "This report is incomplete.",
    incomplete_more: "Something that was asked for could not be read: see what.",
    score: "Score",
    score_note: "of 100: decided judgements that pass, weighted by severity",
    no_score: "Nothing was decided, so there is no score",
    by_severity: "Faults by severity",
    severities: ["Critical", "High", "Medium", "Low"],
    severity: "Severity",
    passed: "passed",
    unknown: "unknown",
    manual: "for a person to decide",
    waived: "waived",
    not_applicable: "not applicable",
    summary: "Summary",
    first: "What to do first",
    first_note: "The gravest faults, and those that most objects share.",
    affects_one: "in 1 object",
    affects_many: "in {n} objects",
    one_patch: "1 ready patch",
    many_patches: "{n} ready patches",
    explain: "Why it matters and how to fix it",
    read: "What was read",
    sources: "Source",
    source_kinds: [("files", "files"), ("live", "live cluster"), ("snapshot", "snapshot")],
    observed: "As of",
    kubernetes: "Kubernetes version",
    benchmark: "Benchmark",
    files: "Files",
    documents: "Documents",
    objects: "Objects",
    other_documents: "Documents that are no Kubernetes objects",
    skipped: "Files and directories left out",
    assumptions: "Assumptions",
    tool: "Written by",
    unread: "What could not be read",
    unread_nothing: "Everything that was asked for could be read.",
    not_judged: "not judged",
    problem: "Problem",
    place: "Place",
    fact: "Fact",
    scope: "Where",
    reason: "Reason",
    facts_missing: "Facts that were asked for and not had",
    not_in_source: "Facts that this kind of source cannot have",
    findings: "Findings",
    no_findings: "There is nothing to fix.",
    filter: "Filter",
    search: "Search",
    search_hint: "name, check, path, text …",
    check: "Check",
    namespace: "Namespace",
    all_checks: "All checks",
    all_namespaces: "All namespaces",
    cluster_wide: "(whole cluster)",
    whole_cluster: "The whole cluster",
    reset: "Clear",
    expand: "Expand all",
    collapse: "Collapse all",
    shown: "{shown} of {all} shown",
    nothing_shown: "Nothing matches this filter.",
    one_pod: "1 pod",
    many_pods: "{n} pods",
    owner_uncertain: "a higher owner may exist that could not be read",
    container: "container",
    from_admission: "set at admission, not in the template",
    lines_sealed: "The lines are not shown: the text holds a Secret.",
    more_frames: "Further places without their lines: {n}",
    related: "Has to do with it",
    controls: "Controls",
    change: "Change (JSON patch)",
    change_safe: "safe to apply",
    change_unsafe: "may change behaviour: try it first",
    open_questions: "Unknown",
    open_questions_note: "A fact was missing, so these could not be decided. They are neither passed nor failed and not part of the score.",
    missing_unsaid: "not said",
    left_open: "Left open",
    by_hand: "To be looked at by a person",
    by_hand_note: "No machine can decide these.",
    accepted: "Waived",
    accepted_note: "The fault is there; somebody accepted it.",
    subject: "Object",
    until: "Until",
    no_end: "no end",
    answers: "Answers for it",
    written_in: "Written in",
    checks: "The checks behind the findings",
    checks_note: "Why each one matters, how to fix it, and every object that it is about.",
    why: "Why it matters",
    fix: "How to fix it",
    references: "References",
    affected: "Objects",
    reasons: [
        ("forbidden", "access was denied"),
        ("not-reachable", "the server could not be reached"),
        ("timed-out", "the server did not answer in time"),
        ("throttled", "the server kept refusing because of its load"),
        ("incomplete", "the list was cut short"),
        ("not-served", "the server does not serve it"),
        ("unreadable", "the answer was no list of it"),
        ("not-gathered", "it was not to be read"),
        ("not-in-source", "this kind of source cannot have it"),
    ],
};

static CHINESE: Words = Words {
    lang: "zh-Hans",
    review: "Kubernetes 安全检查报告",
    skip: "跳到检查结果",
    clean: "未发现问题",
    clean_as_read: "在已读取的内容中未发现问题",
    one_fault: "1 个问题",
    many_faults: "{n} 个问题",
    on_one: "涉及 1 个对象",
    on_many: "涉及 {n} 个对象",
    incomplete: "本报告不完整。",
    incomplete_more: "有些要求检查的内容未能读取，查看详情。",
    score: "得分",
    score_note: "满分 100：已判定项目中的通过比例，按严重程度加权",
    no_score: "没有任何已判定的项目，因此没有得分",
    by_severity: "按严重程度统计的问题",
    severities: ["严重", "高", "中", "低"],
    severity: "严重程度",
    passed: "通过",
    unknown: "未知",
    manual: "待人工确认",
    waived: "已豁免",
    not_applicable: "不适用",
    summary: "概要",
    first: "首先要做的事",
    first_note: "最严重的问题，以及影响对象最多的问题。",
    affects_one: "涉及 1 个对象",
    affects_many: "涉及 {n} 个对象",
    one_patch: "附有 1 个可用的补丁",
    many_patches: "附有 {n} 个可用的补丁",
    explain: "原因与修复方法",
    read: "已读取的内容",
    sources: "来源",
    source_kinds: [("files", "文件"), ("live", "运行中的集群"), ("snapshot", "快照")],
    observed: "数据时间",
    kubernetes: "Kubernetes 版本",
    benchmark: "基准",
    files: "文件",
    documents: "文档",
    objects: "对象",
    other_documents: "非 Kubernetes 对象的文档",
    skipped: "被排除的文件和目录",
    assumptions: "假设",
    tool: "生成工具",
    unread: "未能读取的内容",
    unread_nothing: "要求读取的内容已全部读取。",
    not_judged: "未检查",
    problem: "问题",
    place: "位置",
    fact: "事实",
    scope: "范围",
    reason: "原因",
    facts_missing: "要求获取但未能获取的事实",
    not_in_source: "此类来源不可能包含的事实",
    findings: "检查结果",
    no_findings: "没有需要修复的问题。",
    filter: "筛选",
    search: "搜索",
    search_hint: "名称、检查项、路径、文本……",
    check: "检查项",
    namespace: "命名空间",
    all_checks: "全部检查项",
    all_namespaces: "全部命名空间",
    cluster_wide: "（整个集群）",
    whole_cluster: "整个集群",
    reset: "清除",
    expand: "全部展开",
    collapse: "全部折叠",
    shown: "显示 {shown} 项，共 {all} 项",
    nothing_shown: "没有符合筛选条件的内容。",
    one_pod: "1 个 Pod",
    many_pods: "{n} 个 Pod",
    owner_uncertain: "可能存在未能读取的上级所有者",
    container: "容器",
    from_admission: "由准入阶段设置，模板中没有",
    lines_sealed: "此处文本含有 Secret，因此不显示原文。",
    more_frames: "另有 {n} 处未显示原文",
    related: "相关对象",
    controls: "对应的控制项",
    change: "修改（JSON patch）",
    change_safe: "可安全应用",
    change_unsafe: "可能改变运行行为，请先试用",
    open_questions: "未知",
    open_questions_note: "缺少所需的事实，因此无法判定。它们既不算通过也不算失败，不计入得分。",
    missing_unsaid: "未说明",
    left_open: "未能判定",
    by_hand: "需要人工确认",
    by_hand_note: "这些项目无法由机器判定。",
    accepted: "已豁免",
    accepted_note: "问题存在，但已有人接受。",
    subject: "对象",
    until: "有效期至",
    no_end: "无期限",
    answers: "负责人",
    written_in: "登记于",
    checks: "相关检查项说明",
    checks_note: "每一项的原因、修复方法以及涉及的全部对象。",
    why: "原因",
    fix: "修复方法",
    references: "参考资料",
    affected: "涉及的对象",
    reasons: [
        ("forbidden", "没有访问权限"),
        ("not-reachable", "无法连接服务器"),
        ("timed-out", "服务器未及时响应"),
        ("throttled", "服务器因负载持续拒绝"),
        ("incomplete", "列表不完整"),
        ("not-served", "服务器不提供该资源"),
        ("unreadable", "返回的内容不是该资源的列表"),
        ("not-gathered", "按要求未读取"),
        ("not-in-source", "此类来源不可能包含"),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_counted_and_grouped() {
        assert_eq!(counted(1, "1 pod", "{n} pods"), "1 pod");
        assert_eq!(counted(0, "1 pod", "{n} pods"), "0 pods");
        assert_eq!(counted(5000, "1 pod", "{n} pods"), "5000 pods");
        assert_eq!(grouped(15_435), "15\u{202f}435");
        assert_eq!(grouped(1_234_567), "1\u{202f}234\u{202f}567");
    }

    #[test]
    fn every_reason_has_words_in_both_languages() {
        use bartizan_cluster::Reason;
        let all = [
            Reason::Forbidden,
            Reason::NotReachable,
            Reason::TimedOut,
            Reason::Throttled,
            Reason::Incomplete,
            Reason::NotServed,
            Reason::Unreadable,
            Reason::NotGathered,
            Reason::NotInSource,
        ];
        for words in [&ENGLISH, &CHINESE] {
            assert!(all.iter().all(|reason| words.reasons.iter().any(|(name, _)| *name == reason.name())));
            assert_eq!(words.reason("eaten-by-dog"), "eaten-by-dog");
        }
    }
}
