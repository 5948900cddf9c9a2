//! Reports for machines and for other places than a terminal, and reports read back.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

mod sample;

use std::path::PathBuf;

use bartizan_report::render::concise::concise;
use bartizan_report::render::github::github;
use bartizan_report::render::json::{ReadError, json, jsonl, read, schema, yaml};
use bartizan_report::render::markdown::markdown;
use bartizan_report::render::text::{Detail, TextStyle, text};
use bartizan_report::{Coverage, Finding, Language, Message, Report, Severity, Summary, Verdict};
use sample::{PASSWORD, Sample};

fn written(write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> String {
    let mut bytes = Vec::new();
    write(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn empty() -> Sample {
    let mut sample = sample::clean();
    sample.report.summary = Summary::default();
    sample.report.coverage = Coverage::default();
    sample
}

/// A sample in which everything that comes from the input tries to break out.
fn hostile() -> Sample {
    const EVIL: &str = "x\u{1b}[31m\r\n::error::pwned\u{9b}2J|`</code><b>@team ##[add-mask]\u{202e}\u{2028}\u{e0041},%0A]]>";
    let mut sample = sample::files();
    let spoil = |text: &mut String| text.push_str(EVIL);
    let report = &mut sample.report;
    report.source.names.iter_mut().for_each(spoil);
    report.assumptions.iter_mut().for_each(spoil);
    spoil(&mut report.kubernetes_version);
    for problem in &mut report.coverage.problems {
        problem.message = EVIL.into();
        problem.location.as_mut().unwrap().file.insert_str(0, EVIL);
    }
    for missing in &mut report.coverage.missing {
        (missing.fact, missing.scope, missing.reason) = (EVIL.into(), format!("namespace/{EVIL}"), EVIL.into());
    }
    for finding in &mut report.findings {
        [&mut finding.title, &mut finding.message].into_iter().for_each(spoil);
        finding.args.values_mut().for_each(spoil);
        finding.controls.iter_mut().for_each(spoil);
        if let Some(subject) = &mut finding.subject {
            [&mut subject.kind, &mut subject.name].into_iter().for_each(spoil);
            subject.namespace.iter_mut().for_each(spoil);
        }
        for place in &mut finding.places {
            spoil(&mut place.path);
            place.container.iter_mut().for_each(spoil);
            place.message = Some(Message { key: "shared".into(), args: finding.args.clone(), text: EVIL.into() });
            if let Some(location) = &mut place.location {
                location.file.insert_str(0, EVIL);
            }
        }
        for related in &mut finding.related {
            spoil(&mut related.note);
            spoil(&mut related.object.name);
        }
        if let Some(waiver) = &mut finding.waiver {
            spoil(&mut waiver.reason);
        }
        if let Some(missing) = &mut finding.missing {
            missing.fact = EVIL.into();
        }
    }
    sample
}

/// What acts on a terminal or turns the text, and is no line break.
fn acting(text: &str) -> Option<char> {
    text.chars().find(|&letter| {
        (letter.is_control() && letter != '\n')
            || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' | '\u{e0000}'..='\u{e007f}')
    })
}

#[test]
fn concise_is_one_line_a_place() {
    let sample = sample::files();
    insta::assert_snapshot!(written(|out| concise(&sample.rendering(Language::English), out)), @r#"
shop/broken.yaml:3:7: not judged[parse] tab in indentation
namespace/pay: missing[secrets] secrets in namespace pay: reading is forbidden
the whole cluster: manual[anonymous-access] something is wrong
shop/cart.yaml:26:13: critical[privileged-container] container `cart` is privileged (Deployment shop/cart)
shop/cart.yaml:18:7: high[host-pid] pod shares the host's process namespace (Deployment shop/cart)
pay/config.yaml:7:3: high[secret-in-configmap] something is wrong (ConfigMap pay/payment)
shop/cart.yaml:24:15: high[secret-in-environment] variable `REDIS_PASSWORD` of container `cart` holds a secret in clear text (Deployment shop/cart)
shop/cart.yaml:26:13: medium[privilege-escalation] container `cart` may gain privileges (Deployment shop/cart)
shop/cart.yaml:30:13: medium[privilege-escalation] container `proxy` may gain privileges (Deployment shop/cart)
shop/cart.yaml:7:3: medium[weak-secret] something is wrong (Secret shop/redis-client)
Service shop/cart: unknown[dangling-reference] secrets in namespace pay: reading is forbidden
"#);
    insta::assert_snapshot!(written(|out| concise(&sample::live().rendering(Language::Chinese), out)), @r#"
整个集群: 严重[anonymous-access] 有问题
Deployment shop/cart spec.template.spec.hostPID: 高[host-pid] Pod 共享宿主机的进程命名空间
Pod shop/cart-7d4b9 spec.hostPID: 高[host-pid] Pod 共享宿主机的进程命名空间
"#);
    assert_eq!(written(|out| concise(&empty().rendering(Language::English), out)), "");
}

#[test]
fn github_gets_workflow_commands() {
    insta::assert_snapshot!(written(|out| github(&sample::files().report, out)), @r#"
::warning file=shop/broken.yaml,line=3,col=7,title=input%3A parse::shop/broken.yaml: tab in indentation
::warning title=missing fact::secrets (namespace/pay): forbidden
::error file=shop/cart.yaml,line=26,col=13,title=critical [privileged-container] container is privileged::Deployment shop/cart spec.template.spec.containers[name=cart].securityContext.privileged: container `cart` is privileged
::error file=shop/cart.yaml,line=18,col=7,title=high [host-pid] pod shares the host's process namespace::Deployment shop/cart spec.template.spec.hostPID: pod shares the host's process namespace
::error file=pay/config.yaml,line=7,col=3,title=high [secret-in-configmap] something else::ConfigMap pay/payment data.application.properties: something is wrong
::error file=shop/cart.yaml,line=24,col=15,title=high [secret-in-environment] secret in an environment variable::Deployment shop/cart spec.template.spec.containers[name=cart].env[name=REDIS_PASSWORD].value: variable `REDIS_PASSWORD` of container `cart` holds a secret in clear text
::warning file=shop/cart.yaml,line=26,col=13,title=medium [privilege-escalation] container may gain privileges::Deployment shop/cart spec.template.spec.containers[name=cart].securityContext: container `cart` may gain privileges
::warning file=shop/cart.yaml,line=30,col=13,title=medium [privilege-escalation] container may gain privileges::Deployment shop/cart spec.template.spec.containers[name=proxy].securityContext.allowPrivilegeEscalation: container `proxy` may gain privileges
::warning file=shop/cart.yaml,line=7,col=3,title=medium [weak-secret] something else::Secret shop/redis-client stringData.password: something is wrong
"#);
    insta::assert_snapshot!(written(|out| github(&sample::live().report, out)), @r#"
::notice title=critical [anonymous-access] something else::cluster: something is wrong
::notice title=high [host-pid] pod shares the host's process namespace::Deployment shop/cart spec.template.spec.hostPID: pod shares the host's process namespace
::notice title=high [host-pid] pod shares the host's process namespace::Pod shop/cart-7d4b9 spec.hostPID: pod shares the host's process namespace
"#);
    assert_eq!(written(|out| github(&empty().report, out)), "");
}

#[test]
fn markdown_has_tables_and_details() {
    insta::assert_snapshot!(written(|out| markdown(&sample::files().rendering(Language::English), out)), @r#"
# Bartizan report

Read 4 objects from `examples/shop`, for Kubernetes 1.37.

| critical | high | medium | low | passed | unknown | manual | waived | score |
| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
| 1 | 3 | 2 | 0 | 40 | 1 | 1 | 1 | 87.3 |

## Not fully read

- `shop/broken.yaml:3:7`: tab in indentation (not judged)
- secrets in namespace pay: reading is forbidden; allow it to list them: `bartizan scan --preflight` prints the role

## critical (1)

| check | subject | place | message |
| --- | --- | --- | --- |
| `privileged-container` | Deployment shop/cart | `shop/cart.yaml:26:13` | container `cart` is privileged |

<details><summary><code>privileged-container</code>: container is privileged</summary>

**why**: A privileged container has every capability and every device of its node.

**fix**: Set `privileged: false` and add the one capability that is needed.

- `shop/cart.yaml:26:13` (Deployment shop/cart, `cart`): container `cart` is privileged

</details>

## high (3)

| check | subject | place | message |
| --- | --- | --- | --- |
| `host-pid` | Deployment shop/cart | `shop/cart.yaml:18:7` | pod shares the host's process namespace |
| `secret-in-configmap` | ConfigMap pay/payment | `pay/config.yaml:7:3` | something is wrong |
| `secret-in-environment` | Deployment shop/cart | `shop/cart.yaml:24:15` | variable `REDIS_PASSWORD` of container `cart` holds a secret in clear text |

<details><summary><code>host-pid</code>: pod shares the host's process namespace</summary>

**why**: With `hostPID: true` a process in the pod sees the command line of every process on the node.

Together with a privileged container it is a **one-line way** to a root shell.

**fix**: Remove the field. A node agent that measures processes usually gets what it needs from the kubelet; one that
really must see them belongs into a namespace of its own.

- `shop/cart.yaml:18:7` (Deployment shop/cart): pod shares the host's process namespace

</details>

<details><summary><code>secret-in-configmap</code>: something else</summary>

**why**: It does.

**fix**: Mend it.

- `pay/config.yaml:7:3` (ConfigMap pay/payment): something is wrong

</details>

<details><summary><code>secret-in-environment</code>: secret in an environment variable</summary>

**why**: Everybody who may read the workload may read the password.

**fix**: Use a `secretKeyRef`.

- `shop/cart.yaml:24:15` (Deployment shop/cart, `cart`): variable `REDIS_PASSWORD` of container `cart` holds a secret in clear text

</details>

## medium (2)

| check | subject | place | message |
| --- | --- | --- | --- |
| `privilege-escalation` | Deployment shop/cart | `shop/cart.yaml:26:13` +1 | container `cart` may gain privileges |
| `weak-secret` | Secret shop/redis-client | `shop/cart.yaml:7:3` | something is wrong |

<details><summary><code>privilege-escalation</code>: container may gain privileges</summary>

**why**: A setuid binary turns any user into root.

**fix**: Set `allowPrivilegeEscalation: false`.

- `shop/cart.yaml:26:13` (Deployment shop/cart, `cart`): container `cart` may gain privileges
- `shop/cart.yaml:30:13` (Deployment shop/cart, `proxy`): container `proxy` may gain privileges

</details>

<details><summary><code>weak-secret</code>: something else</summary>

**why**: It does.

**fix**: Mend it.

- `shop/cart.yaml:7:3` (Secret shop/redis-client): something is wrong

</details>

## Stayed open

| fact | check | subject |
| --- | --- | --- |
| secrets in namespace pay: reading is forbidden | `dangling-reference` | Service shop/cart |

## For a person to judge

| check | subject | message |
| --- | --- | --- |
| `anonymous-access` | the whole cluster | something is wrong |

<details><summary>waived (1)</summary>

- `host-pid` DaemonSet monitoring/node-exporter: reads &lt;cgroups&gt; (2027-01-01)

</details>
"#);
}

#[test]
fn markdown_is_there_in_chinese() {
    insta::assert_snapshot!(written(|out| markdown(&sample::live().rendering(Language::Chinese), out)), @r#"
# Bartizan 报告

从 `https://10.0.0.1:6443` 读取了 80 个对象，按 Kubernetes 1.37 判断。

| 严重 | 高 | 中 | 低 | 通过 | 未知 | 人工 | 已豁免 | 得分 |
| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
| 1 | 1 | 0 | 0 | 40 | 0 | 0 | 0 | 93 |

## 严重（1）

| 检查 | 对象 | 位置 | 说明 |
| --- | --- | --- | --- |
| `anonymous-access` | 整个集群 |  | 有问题 |

<details><summary><code>anonymous-access</code>：其他问题</summary>

**原因**：如此。

**修复**：修复它。

- 整个集群：有问题

</details>

## 高（1）

| 检查 | 对象 | 位置 | 说明 |
| --- | --- | --- | --- |
| `host-pid` | Deployment shop/cart | `spec.template.spec.hostPID` +1 | Pod 共享宿主机的进程命名空间 |

<details><summary><code>host-pid</code>：Pod 共享宿主机的进程命名空间</summary>

**原因**：设置 `hostPID: true` 后，Pod 内的进程能看到节点上所有进程的命令行。

**修复**：删除该字段。监控进程的节点代理通常可以从 kubelet 获得所需数据。

- `spec.template.spec.hostPID` (Deployment shop/cart)：Pod 共享宿主机的进程命名空间
- `spec.hostPID` (Pod shop/cart-7d4b9)：Pod 共享宿主机的进程命名空间

</details>
"#);
}

#[test]
fn markdown_of_little_is_little() {
    insta::assert_snapshot!(written(|out| markdown(&sample::clean().rendering(Language::English), out)), @r#"
# Bartizan report

Read 0 objects from `examples/shop-hardened`, for Kubernetes 1.37.

| critical | high | medium | low | passed | unknown | manual | waived | score |
| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
| 0 | 0 | 0 | 0 | 40 | 0 | 0 | 0 | 100 |

Nothing failed.
"#);
    let text = written(|out| markdown(&empty().rendering(Language::English), out));
    assert!(text.ends_with("There was nothing to judge.\n"), "{text}");
}

#[test]
fn hostile_text_does_not_reach_the_terminal() {
    let sample = hostile();
    for language in [Language::English, Language::Chinese] {
        let rendering = sample.rendering(language);
        let style = TextStyle { detail: Detail::FULL, ..TextStyle::default() };
        let outputs = [
            written(|out| text(&rendering, &TextStyle::default(), out)),
            written(|out| text(&rendering, &style, out)),
            written(|out| concise(&rendering, out)),
            written(|out| markdown(&rendering, out)),
            written(|out| github(&sample.report, out)),
            written(|out| json(&sample.report, out)),
            written(|out| jsonl(&sample.report, out)),
            written(|out| yaml(&sample.report, out)),
        ];
        for output in outputs {
            assert_eq!(acting(&output), None, "{output}");
            assert!(!output.contains(PASSWORD), "{output}");
        }
        for output in [written(|out| text(&rendering, &style, out)), written(|out| concise(&rendering, out)), written(|out| markdown(&rendering, out))] {
            assert!(!output.lines().any(|line| line.trim_start().starts_with("::") && !line.trim_start().starts_with("::: ")), "{output}");
            assert!(!output.contains("##["), "{output}");
        }
    }
}

#[test]
fn hostile_text_does_not_break_markdown() {
    let text = written(|out| markdown(&hostile().rendering(Language::English), out));
    let bare = |line: &str| line.split('`').step_by(2).any(|part| part.contains("<b>"));
    assert!(text.lines().filter(|line| !line.contains("``")).all(|line| !bare(line)), "{text}");
    for table in text.split("\n\n").filter(|block| block.starts_with('|')) {
        let cells = |line: &str| line.replace("\\\\", "").replace("\\|", "").matches('|').count();
        let widths: Vec<usize> = table.lines().map(cells).collect();
        assert!(widths.iter().all(|width| Some(width) == widths.first()), "{widths:?}\n{table}");
    }
}

#[test]
fn hostile_text_does_not_break_workflow_commands() {
    let sample = hostile();
    let text = written(|out| github(&sample.report, out));
    for line in text.lines() {
        let (head, _) = line.strip_prefix("::").and_then(|line| line.split_once("::")).unwrap_or_else(|| panic!("`{line}` is no command"));
        let (level, properties) = head.split_once(' ').unwrap();
        assert!(matches!(level, "error" | "warning" | "notice"), "{level}");
        let names: Vec<&str> = properties.split(',').map(|property| property.split_once('=').unwrap().0).collect();
        assert!(names == ["title"] || names == ["file", "line", "col", "title"], "{names:?}");
    }
    let places: usize = sample.report.findings.iter().filter(|finding| finding.verdict == Verdict::Fail).map(|finding| finding.places.len().max(1)).sum();
    assert_eq!(text.lines().count(), places + 2);
}

#[test]
fn a_report_of_many_findings_is_written_in_their_order() {
    let mut report = sample::live().report;
    report.findings = report.findings.iter().cycle().take(1000).cloned().collect();
    for (finding, number) in report.findings.iter_mut().zip(0..) {
        finding.fingerprint = format!("{number:032}");
    }
    for kept in [0, 1, 2, 64, 65, 1000] {
        let report = Report { findings: report.findings[..kept].to_vec(), ..report.clone() };
        let at_once = serde_json::to_string_pretty(&report).unwrap() + "\n";
        assert_eq!(written(|out| json(&report, out)), at_once, "{kept} findings");
    }
}

#[test]
fn json_lines_begin_with_a_header() {
    let report = sample::live().report;
    let text = written(|out| jsonl(&report, out));
    assert_eq!(text.lines().count(), 1 + report.findings.len());
    assert!(text.starts_with("{\"schema\":\"bartizan.report/1\",\"type\":\"header\",\"tool\":"), "{text}");
    assert!(!text.lines().next().unwrap().contains("findings"));
    assert!(text.lines().skip(1).all(|line| line.starts_with("{\"type\":\"finding\",\"check\":")), "{text}");
}

#[test]
fn what_is_written_can_be_read_back() {
    for sample in [sample::files(), sample::live(), sample::clean(), empty(), hostile(), sample::large(3)] {
        let report = &sample.report;
        assert_eq!(&read(&written(|out| json(report, out))).unwrap(), report);
        assert_eq!(&read(&written(|out| jsonl(report, out))).unwrap(), report);
        assert_eq!(&read(&written(|out| yaml(report, out))).unwrap(), report);
        assert_eq!(written(|out| json(report, out)), written(|out| json(&report.clone(), out)));
    }
    let text = written(|out| json(&sample::clean().report, out));
    assert!(read(&format!("\u{feff}{text}")).is_ok());
}

#[test]
fn what_is_no_report_is_refused() {
    let said = |text: &str| read(text).unwrap_err().to_string();
    assert_eq!(said("{\"schema\":\"bartizan.report/9\"}"), "the input calls itself `bartizan.report/9`; this version reads `bartizan.report/1`");
    assert_eq!(said("kind: Pod\n"), "not a report: it has no `schema`");
    assert!(matches!(read("{"), Err(ReadError::Json(_))));
    assert!(matches!(read("a: [\n"), Err(ReadError::Yaml { .. })));
    let lines = written(|out| jsonl(&sample::live().report, out));
    let cut: String = lines.chars().take(lines.chars().count() - 9).collect();
    assert!(matches!(read(&cut), Err(ReadError::Line { line: 3, .. })), "{:?}", read(&cut));
    assert!(read(&format!("{lines}{{\"type\":\"something-new\"}}\n\n")).is_ok());
}

#[test]
fn the_committed_schema_is_the_one_of_the_code() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../schemas/bartizan.report.1.json");
    let generated = format!("{}\n", serde_json::to_string_pretty(&schema()).unwrap());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &generated).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == generated, "schemas/bartizan.report.1.json is not what the code says; run the test again with UPDATE=1");
}

#[test]
fn reports_are_what_the_schema_says() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    for sample in [sample::files(), sample::live(), sample::clean(), empty(), hostile(), sample::large(3)] {
        let value: serde_json::Value = serde_json::from_str(&written(|out| json(&sample.report, out))).unwrap();
        let errors: Vec<String> = validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{errors:?}");
    }
}

#[test]
fn the_schema_asks_for_what_is_always_there_and_leaves_room() {
    let schema = schema();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let whole = serde_json::to_value(&sample::files().report).unwrap();
    let at = sample::files().report.findings.iter().position(|finding| finding.subject.is_some() && !finding.places.is_empty()).unwrap();
    let without = |pointer: &str, field: &str| {
        let pointer = &pointer.replace("{at}", &at.to_string());
        let mut value = whole.clone();
        value.pointer_mut(pointer).unwrap().as_object_mut().unwrap().remove(field).unwrap_or_else(|| panic!("no {pointer}/{field}"));
        validator.is_valid(&value)
    };
    for (pointer, field) in [
        ("", "findings"),
        ("/summary", "score"),
        ("/findings/{at}", "subject"),
        ("/findings/{at}", "missing"),
        ("/findings/{at}/places/0", "location"),
        ("/coverage/read", "objects"),
    ] {
        assert!(!without(pointer, field), "{pointer}/{field} is always there");
    }
    assert!(without("/findings/{at}/subject", "namespace"), "an object of the cluster has no namespace");
    let mut more = whole.clone();
    more["findings"][0]["later"] = true.into();
    more["later"] = serde_json::json!({});
    assert!(validator.is_valid(&more));
    let mut other = whole;
    other["schema"] = "bartizan.report/2".into();
    assert!(!validator.is_valid(&other));
}

#[test]
fn equal_reports_are_equal_bytes() {
    let (one, two) = (sample::files(), sample::files());
    for write in [json, jsonl, yaml, github] as [fn(&Report, &mut dyn std::io::Write) -> std::io::Result<()>; 4] {
        assert_eq!(written(|out| write(&one.report, out)), written(|out| write(&two.report, out)));
    }
}

#[test]
fn github_levels_follow_severity() {
    let mut sample = sample::files();
    let finding: Finding = sample.report.findings.iter().find(|finding| finding.check == "host-pid" && finding.verdict == Verdict::Fail).unwrap().clone();
    sample.report.coverage = Coverage::default();
    sample.report.findings = Severity::ALL.map(|severity| Finding { severity, ..finding.clone() }).into();
    let text = written(|out| github(&sample.report, out));
    let levels: Vec<&str> = text.lines().map(|line| line.trim_start_matches(':').split(' ').next().unwrap()).collect();
    assert_eq!(levels, ["error", "error", "warning", "notice"]);
}
