//! `bartizan scan` as a user meets it: sources, outputs, exit codes and bad input.

mod program;

use std::fs;

use program::{Ran, bartizan, run};
use tempfile::TempDir;

const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: debug\n  namespace: ops\nspec:\n  hostPID: true\n  containers:\n    - name: shell\n      image: registry.example.com/shell:1.0\n";
const CLEAN: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\n  namespace: ops\ndata:\n  level: info\n";

fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let file = directory.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    directory
}

fn scan(files: &[(&str, &str)], options: &[&str]) -> Ran {
    let directory = directory(files);
    run(directory.path(), &[&["scan", "."], options].concat(), "", &[])
}

#[test]
fn exit_codes_are_those_of_the_manual() {
    assert_eq!(scan(&[("a.yaml", CLEAN)], &[]).code, 0);
    assert_eq!(scan(&[("a.yaml", POD)], &[]).code, 1);
    assert_eq!(scan(&[("a.yaml", POD)], &["--fail-on", "critical"]).code, 0);
    assert_eq!(scan(&[("a.yaml", POD)], &["--fail-on", "never"]).code, 0);
    assert_eq!(scan(&[("a.yaml", CLEAN), ("b.yaml", "a: [1")], &[]).code, 3);
    assert_eq!(scan(&[("a.yaml", POD), ("b.yaml", "a: [1")], &[]).code, 1);
    assert_eq!(scan(&[("a.yaml", POD)], &["--fail-on", "sometimes"]).code, 2);
    assert_eq!(bartizan(&["scan", "no/such/directory"]).code, 2);
    assert_eq!(bartizan(&["--help"]).code, 0);
    assert_eq!(bartizan(&["scna"]).code, 2);
}

#[test]
fn a_broken_document_is_reported_at_its_place_and_hides_nothing() {
    let text = format!("{CLEAN}---\nkind: Pod\n  bad: indentation\n---\n{POD}");
    let report = scan(&[("a.yaml", &text)], &["-o", "json"]).report();
    let problems = report["coverage"]["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert_eq!(problems[0]["kind"], "parse");
    assert_eq!(problems[0]["location"]["line"], 10);
    assert_eq!(report["coverage"]["read"]["objects"], 2);
    assert!(report["findings"].as_array().unwrap().iter().any(|finding| finding["check"] == "host-pid"));
}

#[test]
fn a_template_is_called_one_with_the_command_to_run() {
    let template =
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {{ .Values.name }}\n---\napiVersion: v1\nkind: Service\nmetadata:\n  name: {{ .Values.name }}\n";
    let ran = scan(&[("templates.yaml", template)], &["-o", "json"]);
    let report = ran.report();
    let problems = report["coverage"]["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 1, "one remark a file: {problems:#?}");
    assert_eq!(problems[0]["kind"], "template");
    assert!(problems[0]["message"].as_str().unwrap().contains("helm template"));
    assert_eq!(ran.code, 3);
}

#[test]
fn standard_input_is_a_source() {
    let here = tempfile::tempdir().unwrap();
    let ran = run(here.path(), &["scan", "-", "-o", "concise"], POD, &[]);
    assert_eq!(ran.code, 1);
    assert!(ran.stdout.contains("-:7:3: high[host-pid]"), "{}", ran.stdout);
}

#[test]
fn json_and_yaml_give_the_same_findings_at_their_own_places() {
    let json = r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "debug", "namespace": "ops"},
 "spec": {"hostPID": true, "containers": [{"name": "shell", "image": "registry.example.com/shell:1.0"}]}}"#;
    let from = |name: &str, text: &str| scan(&[(name, text)], &["-o", "json"]).report()["findings"].clone();
    let strip = |mut findings: serde_json::Value| {
        for finding in findings.as_array_mut().unwrap() {
            for place in finding["places"].as_array_mut().unwrap() {
                place["location"] = serde_json::Value::Null;
            }
        }
        findings
    };
    let (yaml, json) = (from("pod.yaml", POD), from("pod.json", json));
    let at = |findings: &serde_json::Value| {
        findings.as_array().unwrap().iter().find(|finding| finding["check"] == "host-pid").unwrap()["places"][0]["location"].clone()
    };
    assert_eq!(at(&json), serde_json::json!({"file": "pod.json", "line": 2, "column": 11}));
    assert_eq!(at(&yaml), serde_json::json!({"file": "pod.yaml", "line": 7, "column": 3}));
    assert_eq!(strip(yaml), strip(json));
}

#[test]
fn wrong_types_are_refused_as_the_server_would() {
    let report = scan(&[("a.yaml", &POD.replace("hostPID: true", "hostPID: \"true\""))], &["-o", "json"]).report();
    assert_eq!(report["coverage"]["problems"][0]["kind"], "type", "{report:#}");
    assert_eq!(report["coverage"]["problems"][0]["location"]["line"], 7);
}

#[test]
fn several_outputs_at_once() {
    let place = directory(&[("a.yaml", POD)]);
    let ran =
        run(place.path(), &["scan", "a.yaml", "-o", "sarif", "--output-file", "r.sarif", "-o", "html", "--output-file", "r.html", "-o", "concise"], "", &[]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stdout.contains("high[host-pid]"));
    let sarif: serde_json::Value = serde_json::from_str(&fs::read_to_string(place.path().join("r.sarif")).unwrap()).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    assert!(
        fs::read_to_string(place.path().join("r.html")).unwrap().contains("<!DOCTYPE html>")
            || fs::read_to_string(place.path().join("r.html")).unwrap().contains("<!doctype html>")
    );
    let twice = run(place.path(), &["scan", "a.yaml", "-o", "json", "-o", "sarif"], "", &[]);
    assert_eq!(twice.code, 2);
    assert!(twice.stderr.contains("--output-file"), "{}", twice.stderr);
}

#[test]
fn every_format_is_written_for_every_kind_of_result() {
    for format in ["text", "concise", "json", "jsonl", "yaml", "sarif", "junit", "github", "markdown", "html"] {
        for (text, code) in [(POD, 1), (CLEAN, 0), ("a: [1", 3)] {
            for language in ["en", "zh"] {
                let ran = scan(&[("a.yaml", text)], &["-o", format, "--lang", language]);
                assert_eq!(ran.code, code, "{format} {language}: {}", ran.stderr);
                assert!(!ran.stdout.is_empty() || matches!(format, "concise" | "github"), "{format} says nothing");
                assert!(!ran.stdout.contains('\u{1b}'), "{format} colours a pipe");
            }
        }
    }
}

#[test]
fn narrowing_judges_less_and_knows_as_much() {
    let other = POD.replace("namespace: ops", "namespace: shop");
    let files = [("a.yaml", POD), ("b.yaml", other.as_str())];
    let of = |options: &[&str]| {
        let report = scan(&files, &[options, &["-o", "json"]].concat()).report();
        let findings = report["findings"].as_array().unwrap().iter().filter(|finding| finding["check"] == "host-pid").count();
        (findings, report["coverage"]["read"]["objects"].clone())
    };
    assert_eq!(of(&[]), (2, 2.into()));
    assert_eq!(of(&["-n", "shop"]), (1, 2.into()));
    assert_eq!(of(&["--object", "pod/debug"]), (2, 2.into()));
    assert_eq!(of(&["--object", "pod/other"]), (0, 2.into()));
}

#[test]
fn labels_are_selected_as_kubectl_selects_them() {
    let front = POD.replace("namespace: ops", "namespace: shop\n  labels: {app: web, tier: front}");
    let files = [("a.yaml", POD), ("b.yaml", front.as_str())];
    let of = |selector: &str| {
        let report = scan(&files, &["-l", selector, "--check", "host-pid", "-o", "json"]).report();
        report["findings"].as_array().unwrap().iter().map(|finding| finding["subject"]["namespace"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(of("app=web,tier in (front, back)"), ["shop"]);
    assert_eq!(of("!app"), ["ops"]);
    assert_eq!(of("tier notin (back)"), ["ops", "shop"]);
    assert_eq!(of("app,tier!=front"), Vec::<String>::new());
    let wrong = scan(&files, &["-l", "app in web"]);
    assert_eq!((wrong.code, wrong.stderr.as_str()), (2, "error: in --select: character 8: found `web`, expected `(`\n"));
}

#[test]
fn benchmarks_judge_by_the_version_that_is_named() {
    let sysctl = POD.replace("hostPID: true", "securityContext: {sysctls: [{name: net.ipv4.ip_local_reserved_ports, value: \"1\"}]}");
    let files = [("a.yaml", sysctl.as_str())];
    assert_eq!(scan(&files, &["--benchmark", "pss-baseline", "--kubernetes-version", "1.26"]).code, 1);
    assert_eq!(scan(&files, &["--benchmark", "pss-baseline", "--kubernetes-version", "1.27"]).code, 0);
    assert_eq!(scan(&files, &["--benchmark", "pss-basline"]).code, 2);
}

#[test]
fn unknown_names_are_answered_with_the_nearest_ones() {
    let ran = bartizan(&["explain", "host-pdi"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("did you mean `host-pid`"), "{}", ran.stderr);
}

#[test]
fn pages_speak_both_languages() {
    assert!(bartizan(&["explain", "host-pid"]).stdout.contains("shares the host's process namespace"));
    assert!(bartizan(&["explain", "host-pid", "--lang", "zh"]).stdout.contains("进程命名空间"));
    assert!(bartizan(&["scan", "--help", "--lang", "zh"]).stdout.contains("退出码") || bartizan(&["--help", "--lang", "zh"]).stdout.contains("退出码"));
}

#[cfg(unix)]
#[test]
fn a_broken_pipe_is_success() {
    use std::process::{Command, Stdio};
    let mut child = Command::new(env!("CARGO_BIN_EXE_bartizan"))
        .args(["scan", "examples/shop", "-o", "yaml", "--stage", "auditor"])
        .current_dir(program::root())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_faulty_waiver_is_a_fault_of_its_file_and_not_of_the_cluster() {
    let configuration = "[[waive]]\ncheck = \"host-pid\"\nsubject = \"Pod ops/gone\"\nreason = \"it was needed once\"\n";
    let files = [("a.yaml", CLEAN), ("bartizan.toml", configuration)];
    for (format, expected) in [("concise", "bartizan.toml:1:1: low[unused-waiver]"), ("text", "── bartizan.toml ──"), ("markdown", "| bartizan.toml |")]
    {
        let ran = scan(&files, &["-o", format]);
        assert!(ran.stdout.contains(expected) && !ran.stdout.contains("the whole cluster"), "{format}: {}", ran.stdout);
    }
    let junit = scan(&files, &["-o", "junit"]).stdout;
    assert!(junit.contains("<testsuite name=\"bartizan.toml\""), "{junit}");
    assert_eq!(scan(&files, &["-o", "json"]).report()["findings"][0]["subject"], serde_json::Value::Null, "machines see no object");
}

/// More than is kept in memory, beside a pod with a fault and a Secret.
fn large_list() -> serde_json::Value {
    let filler = |number: u32| serde_json::json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("f{number}"), "namespace": "ops"}, "data": {"k": "x".repeat(1 << 20)}});
    let mut items: Vec<serde_json::Value> = (0..9).map(filler).collect();
    items.push(
        serde_json::json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "ops"}, "data": {"password": "aHVudGVyMi1odW50ZXIy"}}),
    );
    items.push(serde_json::json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "debug", "namespace": "ops"}, "spec": {"hostPID": true, "containers": [{"name": "shell", "image": "shell:1.0"}]}}));
    serde_json::json!({"apiVersion": "v1", "kind": "List", "items": items})
}

#[test]
fn a_large_json_file_shows_the_lines_that_are_meant_and_no_others() {
    let list = large_list();
    let lines = serde_json::to_string_pretty(&list).unwrap();
    let number = lines.lines().position(|line| line.contains("hostPID")).unwrap() + 1;
    let shown = |text: &str, format: &str| scan(&[("all.json", text)], &["--check", "host-pid", "-o", format]).stdout;
    let text = shown(&lines, "text");
    assert!(text.contains(&format!("\n{number} |")) && text.contains("\"hostPID\": true"), "{text}");
    let page = shown(&lines, "html");
    assert!(page.contains("&quot;hostPID&quot;: true"), "the page has no such line");
    // A whole list on one line is no evidence to read.
    let flat = shown(&list.to_string(), "text");
    assert!(flat.contains("all.json:1:") && flat.contains("spec.hostPID") && !flat.contains("\"hostPID\""), "{flat}");
    for told in [&text, &page, &flat] {
        assert!(!told.contains("aHVudGVyMi1odW50ZXIy") && !told.contains(&"x".repeat(300)));
    }
}

#[test]
fn narrowing_to_what_is_not_there_is_told() {
    let notes = |options: &[&str]| scan(&[("a.yaml", POD)], options).stderr;
    assert_eq!(notes(&["-n", "opps"]), "note: nothing was read from namespace `opps`; did you mean `ops`?\n");
    assert_eq!(notes(&["--object", "Pod/debgu"]), "note: nothing that was read is `Pod/debgu`; did you mean `Pod/debug`?\n");
    assert_eq!(notes(&["-n", "shop", "--lang", "zh"]), "提示：没有从命名空间 `shop` 读到任何内容\n");
    assert_eq!(notes(&["-n", "ops", "--object", "pod/debug"]), "");
}

/// What decides about access without standing in the input is said with the answer, as `bartizan authz` says it.
#[test]
fn a_report_about_access_says_what_it_takes_for_granted() {
    let assumed = |arguments: &[&str]| bartizan(&[&["scan", "examples/shop", "--fail-on", "never"], arguments].concat());
    let report = assumed(&["-o", "json"]).report();
    let assumptions: Vec<&str> = report["assumptions"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    assert_eq!(assumptions, ["Kubernetes 1.37, the newest known version", "authorization chain Node,RBAC", "default policy 1.37 added"]);
    let chinese = assumed(&["--lang", "zh"]).stdout;
    assert!(chinese.contains("授权链 Node,RBAC") && chinese.contains("已加入 1.37 的默认策略"), "{chinese}");
}
