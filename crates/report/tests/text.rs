//! What a person sees on a terminal.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

mod sample;

use bartizan_cluster::{Location, Source};
use bartizan_report::render::text::{Detail, TextStyle, text};
use bartizan_report::{Coverage, Language, Summary, Verdict};
use sample::{PASSWORD, Sample};

fn shown_as(sample: &Sample, language: Language, style: &TextStyle) -> String {
    let mut bytes = Vec::new();
    text(&sample.rendering(language), style, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn shown(sample: &Sample) -> String {
    shown_as(sample, Language::English, &TextStyle::default())
}

/// The sample with one finding only, that of `check`.
fn only(mut sample: Sample, check: &str) -> Sample {
    sample.report.findings.retain(|finding| finding.check == check);
    sample
}

#[test]
fn a_report_of_files_shows_the_lines() {
    insta::assert_snapshot!(shown(&sample::files()), @r#"
Read 3 files, 5 documents, 4 objects from examples/shop, for Kubernetes 1.37.
1 path was left out. Assumed: authorization chain Node,RBAC. This kind of source never has
node-files, component-flags.

Not fully read:
  shop/broken.yaml:3:7: tab in indentation (not judged)
  secrets in namespace pay: reading is forbidden; allow it to list them: `bartizan scan --preflight` prints the role

6 failures: 1 critical, 3 high, 2 medium; 40 passed, 1 unknown, 1 manual, 1 waived, score 87.3.

Do first:
  1. critical container is privileged [privileged-container]: Deployment shop/cart
  2. high pod shares the host's process namespace [host-pid]: Deployment shop/cart
  3. high something else [secret-in-configmap]: ConfigMap pay/payment
  4. high secret in an environment variable [secret-in-environment]: Deployment shop/cart
  5. medium container may gain privileges [privilege-escalation]: Deployment shop/cart

── Deployment shop/cart (3 replicas) ── 1 critical, 2 high, 1 medium

critical[privileged-container]: container is privileged
  --> shop/cart.yaml:26:13
   |
26 |             privileged: true
   |             ^^^^^^^^^^^^^^^^ container `cart` is privileged
   |
   = why: A privileged container has every capability and every device of its node.
   = fix: Set `privileged: false` and add the one capability that is needed.

high[host-pid]: pod shares the host's process namespace
  --> shop/cart.yaml:18:7
   |
18 |       hostPID: true # for the <profiler> & friends
   |       ^^^^^^^^^^^^^ pod shares the host's process namespace
   |
   = see: Namespace shop (shop/namespace.yaml:1:1): enforces nothing
   = why: With `hostPID: true` a process in the pod sees the command line of every process on the
          node.
   = fix: Remove the field. A node agent that measures processes usually gets what it needs from the
          kubelet; one that really must see them belongs into a namespace of its own.

high[secret-in-environment]: secret in an environment variable
  --> shop/cart.yaml:24:15
   |
24 |               value: ***
   |               ^^^^^^^^^^
   |
   = what: variable `REDIS_PASSWORD` of container `cart` holds a secret in clear text
   = why: Everybody who may read the workload may read the password.
   = fix: Use a `secretKeyRef`.

medium[privilege-escalation]: container may gain privileges
  --> shop/cart.yaml:26:13
   |
26 |             privileged: true
   |             ^^^^^^^^^^^^^^^^ container `cart` may gain privileges
...
30 |             allowPrivilegeEscalation: true
   |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ container `proxy` may gain privileges; set by admission, not by the template
   |
   = why: A setuid binary turns any user into root.
   = fix: Set `allowPrivilegeEscalation: false`.

── ConfigMap pay/payment ── 1 high

high[secret-in-configmap]: something else
 --> pay/config.yaml:7:3
  |
7 |   application.properties: ***
  |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^ something is wrong
  |
  = why: It does.
  = fix: Mend it.

── Secret shop/redis-client ── 1 medium

medium[weak-secret]: something else
 --> shop/cart.yaml:7:3
  | stringData.password: something is wrong
  = why: It does.
  = fix: Mend it.

1 judgement is for a person:
  something else [anonymous-access]: the whole cluster

1 judgement stayed open, because a fact is missing:
  secrets in namespace pay: reading is forbidden; leaves open dangling-reference

6 failures: 1 critical, 3 high, 2 medium; 40 passed, 1 unknown, 1 manual, 1 waived, score 87.3.
"#);
}

#[test]
fn a_report_in_chinese_is_chinese_throughout() {
    insta::assert_snapshot!(shown_as(&sample::files(), Language::Chinese, &TextStyle::default()), @r#"
从 examples/shop 读取了 3 个文件、5 个文档、4 个对象，按 Kubernetes 1.37 判断。
略过 1 个路径。假定：授权链 Node,RBAC。此类来源不含 node-files、component-flags。

未能如常读取：
  shop/broken.yaml:3:7：tab in indentation（未判断）
  命名空间 pay 中的 secrets：无权读取；请授予 list 权限：`bartizan scan --preflight` 会打印所需角色

6 项未通过：1 严重、3 高、2 中；40 通过、1 未知、1 人工、1 已豁免、得分 87.3。

先做：
  1. 严重 容器以特权模式运行 [privileged-container]：Deployment shop/cart
  2. 高 Pod 共享宿主机的进程命名空间 [host-pid]：Deployment shop/cart
  3. 高 其他问题 [secret-in-configmap]：ConfigMap pay/payment
  4. 高 环境变量中含有明文机密 [secret-in-environment]：Deployment shop/cart
  5. 中 容器可以提升权限 [privilege-escalation]：Deployment shop/cart

── Deployment shop/cart（3 个副本） ── 1 严重、2 高、1 中

严重[privileged-container]：容器以特权模式运行
  --> shop/cart.yaml:26:13
   |
26 |             privileged: true
   |             ^^^^^^^^^^^^^^^^ 容器 `cart` 以特权模式运行
   |
   = 原因：特权容器拥有节点的全部权能和设备。
   = 修复：设置 `privileged: false`，只添加确实需要的权能。

高[host-pid]：Pod 共享宿主机的进程命名空间
  --> shop/cart.yaml:18:7
   |
18 |       hostPID: true # for the <profiler> & friends
   |       ^^^^^^^^^^^^^ Pod 共享宿主机的进程命名空间
   |
   = 参见：Namespace shop (shop/namespace.yaml:1:1)：enforces nothing
   = 原因：设置 `hostPID: true` 后，Pod 内的进程能看到节点上所有进程的命令行。
   = 修复：删除该字段。监控进程的节点代理通常可以从 kubelet 获得所需数据。

高[secret-in-environment]：环境变量中含有明文机密
  --> shop/cart.yaml:24:15
   |
24 |               value: ***
   |               ^^^^^^^^^^ 容器 `cart` 的变量 `REDIS_PASSWORD` 含有明文机密
   |
   = 原因：任何能读取该工作负载的人都能读取密码。
   = 修复：使用 `secretKeyRef`。

中[privilege-escalation]：容器可以提升权限
  --> shop/cart.yaml:26:13
   |
26 |             privileged: true
   |             ^^^^^^^^^^^^^^^^ 容器 `cart` 可以提升权限
...
30 |             allowPrivilegeEscalation: true
   |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ 容器 `proxy` 可以提升权限；由准入控制写入，不在模板中
   |
   = 原因：setuid 程序可以让任何用户成为 root。
   = 修复：设置 `allowPrivilegeEscalation: false`。

── ConfigMap pay/payment ── 1 高

高[secret-in-configmap]：其他问题
 --> pay/config.yaml:7:3
  |
7 |   application.properties: ***
  |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^ 有问题
  |
  = 原因：如此。
  = 修复：修复它。

── Secret shop/redis-client ── 1 中

中[weak-secret]：其他问题
 --> shop/cart.yaml:7:3
  | stringData.password：有问题
  = 原因：如此。
  = 修复：修复它。

1 项需要人工判断：
  其他问题 [anonymous-access]：整个集群

1 项因缺少事实而未定：
  命名空间 pay 中的 secrets：无权读取；未定：dangling-reference

6 项未通过：1 严重、3 高、2 中；40 通过、1 未知、1 人工、1 已豁免、得分 87.3。
"#);
}

#[test]
fn a_live_object_is_named_by_its_path() {
    insta::assert_snapshot!(shown(&sample::live()), @r#"
Read 80 objects from https://10.0.0.1:6443, for Kubernetes 1.37.
Assumed: authorization chain Node,RBAC.
2 failures: 1 critical, 1 high; 40 passed, 0 unknown, score 93.

── the whole cluster ── 1 critical

critical[anonymous-access]: something else
  = what: something is wrong
  = why: It does.
  = fix: Mend it.

── Deployment shop/cart ── 1 high

high[host-pid]: pod shares the host's process namespace
 --> Deployment shop/cart
  | spec.template.spec.hostPID: pod shares the host's process namespace
 ::: Pod shop/cart-7d4b9
  | spec.hostPID: set by admission, not by the template
  = note: a controller above it could not be read
  = why: With `hostPID: true` a process in the pod sees the command line of every process on the
         node.
  = fix: Remove the field. A node agent that measures processes usually gets what it needs from the
         kubelet; one that really must see them belongs into a namespace of its own.
"#);
}

#[test]
fn a_clean_report_says_little() {
    insta::assert_snapshot!(shown(&sample::clean()), @r#"
Read 0 objects from examples/shop-hardened, for Kubernetes 1.37.
Assumed: authorization chain Node,RBAC.
Nothing failed; 40 passed, 0 unknown, score 100.
"#);
}

#[test]
fn a_report_without_anything_says_so() {
    let mut sample = sample::clean();
    sample.report.summary = Summary::default();
    sample.report.assumptions.clear();
    sample.report.coverage = Coverage::default();
    insta::assert_snapshot!(shown(&sample), @r#"
Read 0 objects from examples/shop-hardened, for Kubernetes 1.37.
There was nothing to judge.
"#);
}

#[test]
fn a_repeated_fault_is_told_once() {
    let seven = sample::large(7);
    let text = shown(&seven);
    insta::assert_snapshot!(text.split("\n\n").skip(2).take(2).collect::<Vec<_>>().join("\n\n"), @r#"
── Deployment team-0/service-0 ── 2 critical, 1 high, 1 medium, 1 low

critical[anonymous-access]: something else
  --> all.yaml:11:7
   |
11 |       - name: app
   |       ^^^^^^^^^^^ something is wrong
   |
   = why: It does.
   = fix: Mend it.
   = also: 6 more
         Deployment team-1/service-1 (all.yaml:25:7)
         Deployment team-2/service-2 (all.yaml:39:7)
         Deployment team-3/service-3 (all.yaml:53:7)
         Deployment team-4/service-4 (all.yaml:67:7)
         Deployment team-5/service-5 (all.yaml:81:7)
         Deployment team-6/service-6 (all.yaml:95:7)
"#);
    let full = shown_as(&seven, Language::English, &TextStyle { detail: Detail::FULL, ..TextStyle::default() });
    assert_eq!(full.matches("[host-pid]:").count(), 7 + 1, "once for each owner, and once among the first");
    assert!(!full.contains("= also"));
}

#[test]
fn what_is_told_elsewhere_is_named_where_something_else_is_told() {
    let mut sample = sample::large(3);
    let other = sample::files().report.findings.into_iter().find(|finding| finding.check == "weak-secret").unwrap();
    let mut own = sample.report.findings.first().unwrap().clone();
    (own.check, own.message_key, own.message, own.title) = (other.check, other.message_key, other.message, other.title);
    own.subject.as_mut().unwrap().name = "service-2".into();
    own.subject.as_mut().unwrap().namespace = Some("team-2".into());
    sample.report.findings.push(own);
    let lead = sample.report.findings.iter().filter(|finding| finding.subject.as_ref().unwrap().name == "service-0").count();
    assert_eq!(lead, 5);
    let text = shown(&sample);
    // The owner with one fault more leads; nobody else has anything that is not told there.
    assert!(text.contains("── Deployment team-2/service-2 ──"), "{text}");
    assert!(!text.contains("── Deployment team-0/service-0 ──"), "{text}");
    let mut two = sample;
    let mut second = two.report.findings.last().unwrap().clone();
    second.subject.as_mut().unwrap().name = "service-1".into();
    second.subject.as_mut().unwrap().namespace = Some("team-1".into());
    second.message_key = "another".into();
    two.report.findings.push(second);
    let text = shown(&two);
    assert!(text.contains("Also here, told in full elsewhere: anonymous-access, privileged-container, host-pid"), "{text}");
}

#[test]
fn colours_and_links_stand_around_what_is_harmless() {
    let style = TextStyle { colour: true, links: Some("https://bartizan.dev/checks/{check}".into()), ..TextStyle::default() };
    let text = shown_as(&only(sample::files(), "privileged-container"), Language::English, &style).replace('\u{1b}', "␛");
    insta::assert_snapshot!(text, @r#"
Read 3 files, 5 documents, 4 objects from examples/shop, for Kubernetes 1.37.
1 path was left out. Assumed: authorization chain Node,RBAC. This kind of source never has
node-files, component-flags.

␛[1mNot fully read:␛[0m
  ␛[1mshop/broken.yaml:3:7␛[0m: tab in indentation (not judged)
  secrets in namespace pay: reading is forbidden; allow it to list them: `bartizan scan --preflight` prints the role

␛[1m6 failures␛[0m: ␛[1m␛[95m1 critical␛[0m, ␛[1m␛[91m3 high␛[0m, ␛[1m␛[33m2 medium␛[0m; 40 passed, 1 unknown, 1 manual, 1 waived, score 87.3.

␛[2m──␛[0m ␛[1mDeployment shop/cart␛[0m ␛[2m──␛[0m ␛[1m␛[95m1 critical␛[0m

␛[1m␛[95mcritical␛[0m[␛]8;;https://bartizan.dev/checks/privileged-container␛\privileged-container␛]8;;␛\]: ␛[1mcontainer is privileged␛[0m
  ␛[1m␛[94m-->␛[0m shop/cart.yaml:26:13
   ␛[1m␛[94m|␛[0m
␛[1m␛[94m26␛[0m ␛[1m␛[94m|␛[0m             privileged: true
   ␛[1m␛[94m|␛[0m             ␛[1m␛[95m^^^^^^^^^^^^^^^^␛[0m ␛[1m␛[95mcontainer `cart` is privileged␛[0m
   ␛[1m␛[94m|␛[0m
   ␛[1m␛[94m=␛[0m ␛[1mwhy: ␛[0mA privileged container has every capability and every device of its node.
   ␛[1m␛[94m=␛[0m ␛[1mfix: ␛[0mSet `privileged: false` and add the one capability that is needed.
"#);
}

#[test]
fn ascii_is_enough() {
    let style = TextStyle { unicode: false, ..TextStyle::default() };
    assert!(shown_as(&sample::files(), Language::English, &style).is_ascii());
}

#[test]
fn no_secret_is_shown() {
    for detail in [Detail::BRIEF, Detail::NORMAL, Detail::FULL] {
        for language in [Language::English, Language::Chinese] {
            for width in [20, 80, 400] {
                let text = shown_as(&sample::files(), language, &TextStyle { detail, width, ..TextStyle::default() });
                assert!(!text.contains(PASSWORD), "{text}");
            }
        }
    }
}

/// A text, the check that points at it, and whether its subject is known.
fn pointing(text: &str, places: &[(u32, u32)], check: &str, has_subject: bool) -> Sample {
    let mut sample = only(sample::files(), "host-pid");
    sample.report.findings.retain(|finding| finding.verdict == Verdict::Fail);
    let finding = sample.report.findings.first_mut().unwrap();
    finding.check = check.into();
    let place = finding.places.first().unwrap().clone();
    finding.places = places
        .iter()
        .map(|&(line, column)| {
            let mut place = place.clone();
            place.location = Some(Location { file: "a.yaml".into(), line, column });
            place
        })
        .collect();
    finding.related.clear();
    if !has_subject {
        finding.subject = None;
    }
    sample.sources = vec![Source::text("a.yaml", text)];
    sample
}

#[test]
fn a_line_between_two_marks_shows_no_secret() {
    let text = "env:\n- name: A\n  value: s3cret-one\n- name: B\n  value: |\n    s3cret: two\n    s3cret-three\n- name: C\n";
    for places in [&[(2, 3), (4, 3)][..], &[(3, 3)], &[(5, 3), (6, 5), (8, 3)], &[(7, 5)], &[(1, 1), (3, 3), (5, 3), (7, 1)]] {
        let sample = pointing(text, places, "secret-in-environment", true);
        assert!(!shown_as(&sample, Language::English, &TextStyle { detail: Detail::FULL, ..TextStyle::default() }).contains("s3cret"), "{places:?}");
    }
    // Another check that looks at the same lines.
    let mut both = pointing(text, &[(3, 3), (5, 3)], "secret-in-environment", true);
    let mut other = both.report.findings.first().unwrap().clone();
    other.check = "host-pid".into();
    for (place, line) in other.places.iter_mut().zip([4, 6]) {
        place.location.as_mut().unwrap().line = line;
    }
    both.report.findings.push(other);
    assert!(!shown(&both).contains("s3cret"));
}

#[test]
fn a_secret_near_an_unknown_object_is_masked() {
    let text = "kind: Pod\n---\napiVersion: v1\nkind: Secret\ndata:\n  key: czNjcmV0\n";
    assert!(!shown(&pointing(text, &[(6, 3)], "duplicate-object", false)).contains("czNjcmV0"));
    assert!(shown(&pointing(text, &[(1, 1)], "duplicate-object", false)).contains("1 | kind: Pod"));
    let json = "{\"kind\":\"List\",\"items\":[{\"kind\":\"Secret\",\"data\":{\"k\":\"czNjcmV0\"}},{\"kind\":\"Pod\",\"spec\":{\"hostPID\":true}}]}";
    let column = u32::try_from(json.find("\"hostPID").unwrap()).unwrap() + 1;
    let text = shown(&pointing(json, &[(1, column)], "host-pid", true));
    assert!(text.contains("1 | ... \"hostPID\":true ...") && !text.contains("czNjcmV0"), "{text}");
}

#[test]
fn long_and_odd_lines_make_small_frames() {
    let text = format!("a: 1\n{{\"x\":\"{}\",\"hostPID\":true,\"y\":\"{}\"}}\n\n\tb: 名\u{202e}字\u{7}\n", "x".repeat(1_000_000), "y".repeat(1_000_000));
    let shown = shown(&pointing(&text, &[(2, 1_000_009), (3, 1), (4, 2)], "host-pid", true));
    assert!(shown.len() < 4_000, "{}", shown.len());
    insta::assert_snapshot!(shown.split("\n\n").find(|part| part.contains("-->")).unwrap(), @r#"
high[host-pid]: pod shares the host's process namespace
 --> a.yaml:2:1000009
  |
2 | ... "hostPID":true ...
  |     ^^^^^^^^^^^^^^ pod shares the host's process namespace
3 |
  | ^
4 |     b: 名\u{202e}字\u{7}
  |     ^^^^^^^^^^^^^^^^^^^^
  |
  = why: With `hostPID: true` a process in the pod sees the command line of every process on the
         node.
  = fix: Remove the field. A node agent that measures processes usually gets what it needs from the
         kubelet; one that really must see them belongs into a namespace of its own.
"#);
}

#[test]
fn a_place_outside_of_its_text_is_still_named() {
    let text = shown(&pointing("a: 1\n", &[(9, 3)], "host-pid", true));
    assert!(text.contains("--> a.yaml:9:3\n  | spec.template.spec.hostPID: pod shares"), "{text}");
    let text = shown(&pointing("a: 1\n", &[(1, 300)], "host-pid", true));
    assert!(text.contains("1 | a: 1\n  | ^^^^ pod shares"), "{text}");
}

#[test]
fn wide_characters_keep_marks_in_their_columns() {
    let text = shown(&pointing("名称: 值\n  说明: {键: 一, hostPID: true}\n", &[(2, 13)], "host-pid", true));
    insta::assert_snapshot!(text.split("\n\n").find(|part| part.contains("-->")).unwrap(), @r#"
high[host-pid]: pod shares the host's process namespace
 --> a.yaml:2:13
  |
2 |   说明: {键: 一, hostPID: true}
  |                  ^^^^^^^^^^^^^ pod shares the host's process namespace
  |
  = why: With `hostPID: true` a process in the pod sees the command line of every process on the
         node.
  = fix: Remove the field. A node agent that measures processes usually gets what it needs from the
         kubelet; one that really must see them belongs into a namespace of its own.
"#);
}
