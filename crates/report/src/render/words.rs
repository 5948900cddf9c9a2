//! The fixed texts of every renderer for people, in English and in Chinese, as one typed table.
//!
//! A renderer asks for a field, so a text that lacks a language does not compile. `{name}` slots are filled by
//! [`crate::page::fill`]'s rules; a `|` parts the form for exactly one from the form for any other number, see [`counted`].
//! What the pages of the checks say does not stand here.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::check::Severity;
use crate::finding::{MissingFact, Verdict};
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
    comma: ", ", "、";
    semicolon: "; ", "；";
    stop: ".", "。";
    between_sentences: " ", "";

    what: "what", "问题";
    also: "also", "另有";
    see: "see", "参见";
    note: "note", "注意";
    controls: "controls", "控制项";
    and_more: "{some} and {n} more", "{some} 等另 {n} 个";
    replicas: " ({n} replica)| ({n} replicas)", "（{n} 个副本）";
    by_admission: "set by admission, not by the template", "由准入控制写入，不在模板中";
    owner_unknown: "a controller above it could not be read", "其上层控制器无法读取";
    more_places: "{n} more place|{n} more places", "还有 {n} 处";
    more_owners: "{n} more|{n} more", "还有 {n} 个";
    and_more_owners: "and {n} more", "以及另外 {n} 个";
    told_elsewhere: "Also here, told in full elsewhere: {checks}", "此处还有（详情见别处）：{checks}";

    // The summary.
    read_line: "Read {counts} from {names}, for Kubernetes {version}", "从 {names} 读取了 {counts}，按 Kubernetes {version} 判断";
    judged_by: "judged by {benchmark}", "依据基准 {benchmark}";
    left_out: "{n} path was left out|{n} paths were left out", "略过 {n} 个路径";
    not_kubernetes: "{n} document is no Kubernetes object|{n} documents are no Kubernetes objects", "{n} 个文档不是 Kubernetes 对象";
    assumed: "Assumed: {assumptions}", "假定：{assumptions}";
    not_in_source: "This kind of source never has {facts}", "此类来源不含 {facts}";
    not_read_heading: "Not fully read:", "未能如常读取：";
    not_judged: " (not judged)", "（未判断）";
    more_problems: "{n} more problem|{n} more problems", "另有 {n} 个问题";
    failures: "{n} failure|{n} failures", "{n} 项未通过";
    nothing_failed: "Nothing failed", "没有未通过的项";
    nothing_judged: "There was nothing to judge.", "没有可判断的内容。";
    first_heading: "Do first:", "先做：";
    manual_heading: "{n} judgement is for a person:|{n} judgements are for a person:", "{n} 项需要人工判断：";
    unknown_heading: "{n} judgement stayed open, because a fact is missing:|{n} judgements stayed open, because facts are missing:", "{n} 项因缺少事实而未定：";
    leaves_open: "{fact}; leaves open {checks}", "{fact}；未定：{checks}";
    some_fact: "a fact that the report does not name", "报告未写明的事实";
    all_places: "Every place on a line of its own: `--output concise`.", "每处一行：`--output concise`。";

    // One line a place.
    not_judged_level: "not judged", "未判断";
    missing_level: "missing", "缺失";

    // Markdown.
    report_heading: "Bartizan report", "Bartizan 报告";
    severity_heading: "{severity} ({n})", "{severity}（{n}）";
    problems_heading: "Not fully read", "未能如常读取";
    open_heading: "Stayed open", "未定";
    manual_title: "For a person to judge", "需要人工判断";
    more_in_details: "+{n}", "+{n}";
    fact: "fact", "事实";

    // Facts that are missing: where, why, and what helps.
    in_cluster: "{fact} in the whole cluster", "整个集群的 {fact}";
    in_namespace: "{fact} in namespace {namespace}", "命名空间 {namespace} 中的 {fact}";
    forbidden: "reading is forbidden", "无权读取";
    not_reachable: "the server could not be reached", "无法连接服务器";
    timed_out: "the server did not answer in time", "服务器未及时回应";
    throttled: "the server was too busy", "服务器过于繁忙";
    incomplete: "the list was cut short", "列表不完整";
    not_served: "the server does not serve them", "服务器不提供此类对象";
    unreadable: "the answer was not what it should be", "服务器的回应不可读";
    not_gathered: "it was asked not to read them", "按要求未读取";
    never_in_source: "this kind of source does not have them", "此类来源不含";
    allow_reading: "allow it to list them: `bartizan scan --preflight` prints the role", "请授予 list 权限：`bartizan scan --preflight` 会打印所需角色";
    check_connection: "check the address and the network, then scan again", "请检查地址和网络后重新扫描";
    give_time: "scan again, or give it longer with `--timeout`", "请重新扫描，或用 `--timeout` 给更长时间";
    scan_later: "scan again when the server is less busy", "请在服务器空闲时重新扫描";
    scan_again: "scan again", "请重新扫描";

    // What was read.
    documents: "{n} document|{n} documents", "{n} 个文档";
    objects: "{n} object|{n} objects", "{n} 个对象";
    files: "{n} file|{n} files", "{n} 个文件";
}

/// What reports assume, in both languages; what is more special stands first.
const ASSUMPTIONS: [(&str, &str); 14] = [
    ("Kubernetes {version}, the newest known version", "Kubernetes {version}（已知的最新版本）"),
    ("Kubernetes {version}, by the image of the API server at {place}", "Kubernetes {version}（依据 {place} 处 API server 的镜像）"),
    ("Kubernetes {version}, by `kubernetesVersion` at {place}", "Kubernetes {version}（依据 {place} 处的 `kubernetesVersion`）"),
    ("objects without a namespace go to `default`", "未写命名空间的对象归入 `default`"),
    ("default policy {version} added", "已加入 {version} 的默认策略"),
    ("the rules of some aggregated roles were left out: there are too many", "部分聚合角色的规则过多，未全部计入"),
    (
        "authorization chain {chain} by the flags of {server}; the API servers differ, and this is the one of {one}",
        "授权链 {chain}（取自 {server} 的参数；各 API server 不一致，此为 {one} 的授权链）",
    ),
    ("authorization chain {chain} by the flags of {server}", "授权链 {chain}（取自 {server} 的参数）"),
    (
        "authorization chain {chain} by AuthorizationConfiguration; the API servers differ, and this is the one of {one}",
        "授权链 {chain}（取自 AuthorizationConfiguration；各 API server 不一致，此为 {one} 的授权链）",
    ),
    ("authorization chain {chain} by AuthorizationConfiguration", "授权链 {chain}（取自 AuthorizationConfiguration）"),
    ("authorization chain {chain}, since `{file}` of {server} is not in the input", "授权链 {chain}（输入中没有 {server} 的 `{file}`）"),
    (
        "authorization chain {chain}, since `{file}` of {server} is one of several in the input",
        "授权链 {chain}（{server} 的 `{file}` 是输入中若干文档之一，无法确定是哪一个）",
    ),
    ("authorization chain {chain}, since `{file}` of {server} could not be read ({reason})", "授权链 {chain}（{server} 的 `{file}` 无法读取：{reason}）"),
    ("authorization chain {chain}", "授权链 {chain}"),
];

/// An assumption of a report, whose texts are English, as people read it.
pub fn assumption(language: Language, text: &str) -> Cow<'_, str> {
    if language == Language::English {
        return Cow::Borrowed(text);
    }
    let known = ASSUMPTIONS.iter().find_map(|(english, chinese)| Some(fill(chinese, &slots(english, text)?)));
    known.map_or(Cow::Borrowed(text), Cow::Owned)
}

/// What stands in `text` where `template` has slots; nothing if it says something else.
fn slots(template: &str, text: &str) -> Option<BTreeMap<String, String>> {
    let mut parts = template.split(['{', '}']);
    let mut rest = text.strip_prefix(parts.next()?)?;
    let mut slots = BTreeMap::new();
    while let (Some(name), Some(behind)) = (parts.next(), parts.next()) {
        let (slot, after) = if behind.is_empty() { (rest, "") } else { rest.split_once(behind)? };
        slots.insert(name.to_owned(), slot.to_owned());
        rest = after;
    }
    rest.is_empty().then_some(slots)
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

/// A missing fact in words: what, where and why. What the fact is called comes from the input.
pub(crate) fn missing_fact(words: &'static Words, missing: &MissingFact) -> String {
    let place = match missing.scope.strip_prefix("namespace/") {
        Some(namespace) => filled(words.in_namespace, &[("fact", &missing.fact), ("namespace", namespace)]),
        None => filled(words.in_cluster, &[("fact", &missing.fact)]),
    };
    format!("{place}{}{}", words.colon, reason(words, &missing.reason))
}

/// Why a fact is missing; a reason that the table does not know stays as it is.
pub(crate) fn reason<'t>(words: &'static Words, reason: &'t str) -> &'t str {
    match reason {
        "forbidden" => words.forbidden,
        "not-reachable" => words.not_reachable,
        "timed-out" => words.timed_out,
        "throttled" => words.throttled,
        "incomplete" => words.incomplete,
        "not-served" => words.not_served,
        "unreadable" => words.unreadable,
        "not-gathered" => words.not_gathered,
        "not-in-source" => words.never_in_source,
        other => other,
    }
}

/// What helps to have a missing fact next time; none where nothing does.
pub(crate) fn remedy(words: &'static Words, missing: &MissingFact) -> Option<&'static str> {
    match missing.reason.as_str() {
        "forbidden" => Some(words.allow_reading),
        "not-reachable" => Some(words.check_connection),
        "timed-out" => Some(words.give_time),
        "throttled" => Some(words.scan_later),
        "incomplete" | "unreadable" => Some(words.scan_again),
        _ => None,
    }
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

    #[test]
    fn what_was_assumed_is_said_in_both_languages() {
        for text in [
            "Kubernetes 1.37, the newest known version",
            "Kubernetes 1.34, by `kubernetesVersion` at a.yaml:3:1",
            "Kubernetes 1.34, by the image of the API server at a.yaml:3:1",
            "objects without a namespace go to `default`",
        ] {
            assert_eq!(assumption(Language::English, text), text);
            assert!(!assumption(Language::Chinese, text).contains("the "), "{text}");
        }
        let chinese = |text| assumption(Language::Chinese, text).into_owned();
        assert_eq!(chinese("Kubernetes 1.37, the newest known version"), "Kubernetes 1.37（已知的最新版本）");
        assert_eq!(chinese("authorization chain Node,RBAC"), "授权链 Node,RBAC");
        assert_eq!(chinese("authorization chain Node by the flags of {chain}"), "授权链 Node（取自 {chain} 的参数）");
        let missing = "authorization chain Node,RBAC, since `/etc/a.yaml` of kube-apiserver-a is not in the input";
        assert_eq!(chinese(missing), "授权链 Node,RBAC（输入中没有 kube-apiserver-a 的 `/etc/a.yaml`）");
        assert_eq!(chinese("something else"), "something else");
    }
}
