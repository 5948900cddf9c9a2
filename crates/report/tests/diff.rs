//! The difference of two reports, as people and machines see it.

use std::path::Path;

use bartizan_report::render::Pages;
use bartizan_report::render::diff::{DiffRendering, json, markdown, schema, text};
use bartizan_report::render::json::read;
use bartizan_report::render::text::TextStyle;
use bartizan_report::{Check, Diff, Language, Severity, Stage};

static HOST_PID: Check = Check {
    id: "host-pid",
    severity: Severity::High,
    stage: Stage::Default,
    since: "0.1.0",
    aliases: &[],
    page: "# pod shares the host's process namespace\n\nx\n\n## Messages\n- `shared`: pod shares the host's process namespace\n\n## 中文\n### 标题\nPod 共享进程命名空间\n### 消息\n- `shared`：Pod 共享宿主机的进程命名空间\n",
};

/// A finding as JSON; `more` is put over it.
fn finding(check: &str, name: &str, more: serde_json::Value) -> serde_json::Value {
    let mut finding = serde_json::json!({
        "check": check, "title": check, "severity": "high", "verdict": "fail", "scope": "object",
        "subject": {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "shop", "name": name},
        "replicas": null, "message": format!("{check} fails"), "message_key": "shared", "args": {},
        "places": [{"container": null, "path": "spec.template.spec.hostPID", "location": {"file": "shop/cart.yaml", "line": 17, "column": 7}, "origin": "source"}],
        "related": [], "controls": [], "missing": null, "fix": null, "fingerprint": ""
    });
    for (key, value) in more.as_object().unwrap() {
        finding[key] = value.clone();
    }
    finding
}

fn report(findings: &[serde_json::Value], missing: serde_json::Value, score: f64) -> bartizan_report::Report {
    let report = serde_json::json!({
        "schema": "bartizan.report/1", "tool": {"name": "bartizan", "version": "0.1.0"}, "source": {"kind": "files", "names": ["shop"]},
        "observed_at": "2026-11-24T00:00:00Z", "kubernetes_version": "1.37", "assumptions": [],
        "coverage": {"read": {"files": 1, "documents": 1, "objects": 1, "other_documents": 0, "skipped": 0}, "problems": [], "missing": missing, "not_in_source": []},
        "summary": {"fail": {"critical": 0, "high": findings.len(), "medium": 0, "low": 0}, "pass": 1, "unknown": 0, "not_applicable": 0, "manual": 0, "waived": 0, "score": score},
        "findings": findings
    });
    read(&report.to_string()).unwrap()
}

/// One of everything.
fn difference() -> Diff {
    let none = || serde_json::json!({});
    let stateful = serde_json::json!({"subject": {"apiVersion": "apps/v1", "kind": "StatefulSet", "namespace": "shop", "name": "db\u{1b}[31m"}});
    let before = report(
        &[
            finding("host-pid", "pay", none()),
            finding("host-ipc", "cart", none()),
            finding("host-network", "cart", none()),
            finding("host-port", "db", stateful),
        ],
        serde_json::json!([]),
        40.0,
    );
    let waived = serde_json::json!({"verdict": "waived", "severity": "critical", "waiver": {"reason": "the agent | needs it", "until": null, "owner": null, "source": "annotation"}});
    let missing = serde_json::json!([{"fact": "statefulsets", "scope": "cluster", "reason": "forbidden"}]);
    let after = report(&[finding("host-ipc", "cart", waived), finding("host-network", "cart", none()), finding("host-pid", "cart", none())], missing, 55.5);
    Diff::between(&before, &after, &|_| Some(Stage::Default)).unwrap()
}

fn written(language: Language, write: impl Fn(&DiffRendering<'_>, &mut Vec<u8>)) -> String {
    let (diff, pages) = (difference(), Pages::new([&HOST_PID]));
    let mut out = Vec::new();
    write(&DiffRendering { diff: &diff, pages: &pages, language }, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn a_terminal_shows_what_opened_closed_changed_and_cannot_be_told() {
    let plain = written(Language::English, |rendering, out| text(rendering, &TextStyle::default(), out).unwrap());
    insta::assert_snapshot!(plain, @"
    before: shop, 2026-11-24T00:00:00Z: 4 failed, 0 unknown, score 40
    after: shop, 2026-11-24T00:00:00Z: 3 failed, 0 unknown, score 55.5
    1 opened, 1 closed, 1 changed, 1 not to be told, 1 unchanged

    Opened
    + high host-pid Deployment shop/cart
        host-pid fails
        shop/cart.yaml:17:7 spec.template.spec.hostPID

    Closed
    - high host-pid Deployment shop/pay
        host-pid fails
        shop/cart.yaml:17:7 spec.template.spec.hostPID

    Changed
    ~ critical host-ipc Deployment shop/cart
        host-ipc fails
        severity: high → critical
        verdict: failed → waived; the agent | needs it

    Not to be told: the later report did not look
    ? high host-port StatefulSet shop/db\\u{1b}[31m
        host-port fails
        shop/cart.yaml:17:7 spec.template.spec.hostPID
        statefulsets in the whole cluster: reading is forbidden
    ");
    let coloured = written(Language::English, |rendering, out| text(rendering, &TextStyle { colour: true, ..TextStyle::default() }, out).unwrap());
    assert!(coloured.contains("\u{1b}[1m") && !coloured.contains("db\u{1b}[31m"));
}

#[test]
fn chinese_readers_read_chinese() {
    let plain = written(Language::Chinese, |rendering, out| text(rendering, &TextStyle { unicode: false, ..TextStyle::default() }, out).unwrap());
    for expected in [
        "之前：shop，",
        "新增 1，消除 1，变化 1，无法判断 1，未变 1",
        "Pod 共享宿主机的进程命名空间",
        "级别：高 -> 严重",
        "结论：未通过 -> 已豁免；the agent | needs it",
    ] {
        assert!(plain.contains(expected), "{expected}\n{plain}");
    }
}

#[test]
fn markdown_shows_the_same_and_nothing_of_the_input_acts() {
    let text = written(Language::English, |rendering, out| markdown(rendering, out).unwrap());
    for expected in [
        "# What changed\n",
        "## Opened\n\n- **high** `host-pid` Deployment shop/cart",
        "  - `shop/cart.yaml:17:7 spec.template.spec.hostPID`\n",
        "## Changed\n",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn the_json_follows_its_schema() {
    let text = written(Language::English, |rendering, out| json(rendering.diff, out).unwrap());
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["schema"], "bartizan.diff/1");
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let faults: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
    assert!(faults.is_empty(), "{faults:?}");
    assert_eq!(serde_json::from_value::<Diff>(value).unwrap(), difference());
}

/// The schema in the repository is the one that the code makes; with `UPDATE=1` it is written.
#[test]
fn the_committed_schema_is_what_the_code_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/bartizan.diff.1.json");
    let generated = format!("{:#}\n", schema());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &generated).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == generated, "schemas/bartizan.diff.1.json is not what the code says; run the test again with UPDATE=1");
}
