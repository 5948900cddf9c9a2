//! A report that has one of everything: what the tests of the renderers render.

use bartizan_cluster::{Location, ObjectRef, Source};
use bartizan_report::render::{Pages, Rendering};
use bartizan_report::{
    Check, Coverage, Finding, Fix, Language, Message, MissingFact, PatchOperation, Place, PlaceOrigin, ReadCounts, Related, Report, ReportProblem, SCHEMA,
    Safety, Scope, Severity, SourceNote, Stage, Tally, Tool, Verdict, WaiverNote,
};

// Every test uses its own part of the sample; here all of it is used.
const _: [fn() -> Sample; 3] = [files, live, clean];
const _: fn(usize) -> Sample = large;
const _: fn(&Sample, Language) -> Rendering<'_> = Sample::rendering;
const _: &str = PASSWORD;

/// The value that no renderer may ever show.
pub(crate) const PASSWORD: &str = "hunter2-never-shown";

const CART: &str = "\
apiVersion: v1
kind: Secret
metadata:
  name: redis-client
  namespace: shop
stringData:
  password: hunter2-never-shown
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: cart
  namespace: shop
spec:
  replicas: 3
  template:
    spec:
      hostPID: true # for the <profiler> & friends
      containers:
        - name: cart
          image: registry.example.com/shop/cart:latest
          env:
            - name: REDIS_PASSWORD
              value: hunter2-never-shown
          securityContext:
            privileged: true
        - name: proxy
          image: registry.example.com/edge/envoy:1.31
          securityContext:
            allowPrivilegeEscalation: true
";

const CONFIG: &str = "\
apiVersion: v1
kind: ConfigMap
metadata:
  name: payment
  namespace: pay
data:
  application.properties: |
    timeout=30
    password=hunter2-never-shown
  region: eu
";

const HOST_PID: &str = "\
# pod shares the host's process namespace

The pod sees every process of its node.

## Messages
- `shared`: pod shares the host's process namespace

## Why it matters
With `hostPID: true` a process in the pod sees the command line of every process on the node.

Together with a privileged container it is a **one-line way** to a root shell.

## Fix
Remove the field. A node agent that measures processes usually gets what it needs from the kubelet; one that
really must see them belongs into a namespace of its own.

```yaml patch
- op: remove
  path: /spec/hostPID
```

## References
- https://kubernetes.io/docs/concepts/security/pod-security-standards/
- [Escape to host](https://attack.mitre.org/techniques/T1611/)

## 中文
### 标题
Pod 共享宿主机的进程命名空间
### 消息
- `shared`：Pod 共享宿主机的进程命名空间
### 原因
设置 `hostPID: true` 后，Pod 内的进程能看到节点上所有进程的命令行。
### 修复
删除该字段。监控进程的节点代理通常可以从 kubelet 获得所需数据。
";

const PRIVILEGED: &str = "\
# container is privileged

A privileged container is root on its node.

## Messages
- `privileged`: container `{container}` is privileged

## Why it matters
A privileged container has every capability and every device of its node.

## Fix
Set `privileged: false` and add the one capability that is needed.

## References
- https://kubernetes.io/docs/concepts/security/pod-security-standards/

## 中文
### 标题
容器以特权模式运行
### 消息
- `privileged`：容器 `{container}` 以特权模式运行
### 原因
特权容器拥有节点的全部权能和设备。
### 修复
设置 `privileged: false`，只添加确实需要的权能。
";

const ESCALATION: &str = "\
# container may gain privileges

A process may get more rights than its parent.

## Messages
- `allowed`: container `{container}` may gain privileges

## Why it matters
A setuid binary turns any user into root.

## Fix
Set `allowPrivilegeEscalation: false`.

## References
- https://kubernetes.io/docs/tasks/configure-pod-container/security-context/

## 中文
### 标题
容器可以提升权限
### 消息
- `allowed`：容器 `{container}` 可以提升权限
### 原因
setuid 程序可以让任何用户成为 root。
### 修复
设置 `allowPrivilegeEscalation: false`。
";

const SECRET_ENV: &str = "\
# secret in an environment variable

A password stands in the manifest.

## Messages
- `literal`: variable `{variable}` of container `{container}` holds a secret in clear text

## Why it matters
Everybody who may read the workload may read the password.

## Fix
Use a `secretKeyRef`.

## 中文
### 标题
环境变量中含有明文机密
### 消息
- `literal`：容器 `{container}` 的变量 `{variable}` 含有明文机密
### 原因
任何能读取该工作负载的人都能读取密码。
### 修复
使用 `secretKeyRef`。
";

const PLAIN: &str = "# something else\n\nA line.\n\n## Messages\n- `m`: something is wrong\n\n## Why it matters\nIt does.\n\n## Fix\nMend it.\n\n## 中文\n### 标题\n其他问题\n### 消息\n- `m`：有问题\n### 原因\n如此。\n### 修复\n修复它。\n";

const fn check(id: &'static str, severity: Severity, page: &'static str) -> Check {
    Check { id, severity, stage: Stage::Default, since: "0.1.0", aliases: &[], page }
}

static CHECKS: [Check; 8] = [
    check("host-pid", Severity::High, HOST_PID),
    check("privileged-container", Severity::Critical, PRIVILEGED),
    check("privilege-escalation", Severity::Medium, ESCALATION),
    check("secret-in-environment", Severity::High, SECRET_ENV),
    check("secret-in-configmap", Severity::High, PLAIN),
    check("weak-secret", Severity::Medium, PLAIN),
    check("dangling-reference", Severity::Low, PLAIN),
    check("anonymous-access", Severity::Critical, PLAIN),
];

/// A report, the pages of its checks, and the texts that it points into.
pub(crate) struct Sample {
    pub(crate) report: Report,
    pub(crate) pages: Pages,
    pub(crate) sources: Vec<Source>,
}

impl Sample {
    pub(crate) fn rendering(&self, language: Language) -> Rendering<'_> {
        Rendering { report: &self.report, pages: &self.pages, sources: &self.sources, language }
    }
}

pub(crate) fn object(api_version: &str, kind: &str, namespace: Option<&str>, name: &str) -> ObjectRef {
    ObjectRef { api_version: api_version.into(), kind: kind.into(), namespace: namespace.map(Into::into), name: name.into() }
}

/// The place in `text` where `needle` begins.
fn at(file: &str, text: &str, needle: &str) -> Location {
    let source = Source::text(file, text);
    let offset = text.find(needle).unwrap_or_else(|| panic!("`{needle}` is not in {file}"));
    source.location(u32::try_from(offset).unwrap()).unwrap()
}

fn place(path: &str, container: Option<&str>, location: Option<Location>) -> Place {
    Place { container: container.map(Into::into), path: path.into(), location, origin: PlaceOrigin::Source, object: None, message: None }
}

fn finding(check: &str, verdict: Verdict, subject: Option<ObjectRef>, key: &str, args: &[(&str, &str)], places: Vec<Place>) -> Finding {
    let header = CHECKS.iter().find(|header| header.id == check).unwrap();
    let page = header.page();
    let args = args.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    let message = bartizan_report::page::fill(page.message(key, Language::English).unwrap(), &args);
    Finding {
        fingerprint: Finding::fingerprint_of(check, subject.as_ref(), &places),
        check: check.into(),
        title: page.title.into(),
        severity: header.severity,
        verdict,
        scope: if subject.is_some() { Scope::Object } else { Scope::Cluster },
        subject,
        owner_chain: None,
        replicas: None,
        message,
        message_key: key.into(),
        args,
        places,
        related: vec![],
        controls: vec![],
        missing: None,
        fix: None,
        waiver: None,
    }
}

fn report(kind: &str, names: &[&str], mut findings: Vec<Finding>, coverage: Coverage) -> Report {
    findings.sort_by(|one, other| one.order().cmp(&other.order()));
    let mut tally = Tally::default();
    for finding in &findings {
        tally.count(finding.severity, finding.verdict);
    }
    for _ in 0..40 {
        tally.count(Severity::High, Verdict::Pass);
    }
    Report {
        schema: SCHEMA.into(),
        tool: Tool { name: "bartizan".into(), version: "0.1.0".into() },
        source: SourceNote { kind: kind.into(), names: names.iter().map(|&name| name.to_owned()).collect() },
        observed_at: "2026-11-24T00:00:00Z".into(),
        kubernetes_version: "1.37".into(),
        assumptions: vec!["authorization chain Node,RBAC".into()],
        benchmark: None,
        narrowing: None,
        coverage,
        summary: tally.summary(),
        findings,
    }
}

/// One of everything, from files.
pub(crate) fn files() -> Sample {
    let cart = object("apps/v1", "Deployment", Some("shop"), "cart");
    let container = |name: &str, field: &str| format!("spec.template.spec.containers[name={name}].{field}");
    let here = |needle| Some(at("shop/cart.yaml", CART, needle));

    let mut host_pid = finding("host-pid", Verdict::Fail, Some(cart.clone()), "shared", &[], vec![place("spec.template.spec.hostPID", None, here("hostPID"))]);
    host_pid.replicas = Some(3);
    host_pid.controls = vec!["cis-1.12/5.2.3".into(), "pss-baseline/host-namespaces".into()];
    host_pid.fix = Some(Fix { safety: Safety::Safe, patch: vec![PatchOperation::Remove { path: "/spec/template/spec/hostPID".into() }] });
    host_pid.related = vec![Related {
        object: object("v1", "Namespace", None, "shop"),
        location: Some(Location { file: "shop/namespace.yaml".into(), line: 1, column: 1 }),
        note: "enforces nothing".into(),
    }];

    let mut privileged = finding(
        "privileged-container",
        Verdict::Fail,
        Some(cart.clone()),
        "privileged",
        &[("container", "cart")],
        vec![place(&container("cart", "securityContext.privileged"), Some("cart"), here("privileged: true"))],
    );
    let value = serde_json::Value::Bool(false);
    privileged.fix = Some(Fix {
        safety: Safety::Unsafe,
        patch: vec![PatchOperation::Replace { path: "/spec/template/spec/containers/0/securityContext/privileged".into(), value }],
    });

    let mut second = place(&container("proxy", "securityContext.allowPrivilegeEscalation"), Some("proxy"), here("allowPrivilegeEscalation"));
    second.message = Some(Message {
        key: "allowed".into(),
        args: [("container".to_owned(), "proxy".to_owned())].into(),
        text: "container `proxy` may gain privileges".into(),
    });
    second.origin = PlaceOrigin::Admission;
    let escalation = finding(
        "privilege-escalation",
        Verdict::Fail,
        Some(cart.clone()),
        "allowed",
        &[("container", "cart")],
        vec![place(&container("cart", "securityContext"), Some("cart"), here("privileged: true")), second],
    );

    let secret_env = finding(
        "secret-in-environment",
        Verdict::Fail,
        Some(cart),
        "literal",
        &[("container", "cart"), ("variable", "REDIS_PASSWORD")],
        vec![place(&container("cart", "env[name=REDIS_PASSWORD].value"), Some("cart"), here("value: "))],
    );
    let config = finding(
        "secret-in-configmap",
        Verdict::Fail,
        Some(object("v1", "ConfigMap", Some("pay"), "payment")),
        "m",
        &[],
        vec![place("data.application.properties", None, Some(at("pay/config.yaml", CONFIG, "application.properties")))],
    );
    let weak = finding(
        "weak-secret",
        Verdict::Fail,
        Some(object("v1", "Secret", Some("shop"), "redis-client")),
        "m",
        &[],
        vec![place("stringData.password", None, here("password: "))],
    );
    let mut unknown = finding("dangling-reference", Verdict::Unknown, Some(object("v1", "Service", Some("shop"), "cart")), "m", &[], vec![]);
    unknown.missing = Some(MissingFact { fact: "secrets".into(), scope: "namespace/pay".into(), reason: "forbidden".into() });
    let manual = finding("anonymous-access", Verdict::Manual, None, "m", &[], vec![]);
    let mut waived = finding(
        "host-pid",
        Verdict::Waived,
        Some(object("apps/v1", "DaemonSet", Some("monitoring"), "node-exporter")),
        "shared",
        &[],
        vec![place("spec.template.spec.hostPID", None, None)],
    );
    waived.waiver =
        Some(WaiverNote { reason: "reads <cgroups>".into(), until: Some("2027-01-01".into()), owner: Some("sre".into()), source: "bartizan.toml:12".into() });

    let coverage = Coverage {
        read: ReadCounts { files: 3, documents: 5, objects: 4, other_documents: 0, skipped: 1 },
        problems: vec![ReportProblem {
            kind: "parse".into(),
            source: "shop/broken.yaml".into(),
            location: Some(Location { file: "shop/broken.yaml".into(), line: 3, column: 7 }),
            message: "tab in indentation".into(),
            lost: true,
        }],
        missing: vec![MissingFact { fact: "secrets".into(), scope: "namespace/pay".into(), reason: "forbidden".into() }],
        not_in_source: vec!["node-files".into(), "component-flags".into()],
    };
    Sample {
        report: report("files", &["examples/shop"], vec![host_pid, privileged, escalation, secret_env, config, weak, unknown, manual, waived], coverage),
        pages: Pages::new(&CHECKS),
        sources: vec![Source::text("shop/cart.yaml", CART), Source::text("pay/config.yaml", CONFIG)],
    }
}

/// One failed finding of a live cluster: no text, no places in it.
pub(crate) fn live() -> Sample {
    let cart = object("apps/v1", "Deployment", Some("shop"), "cart");
    let mut other = place("spec.hostPID", None, None);
    other.object = Some(object("v1", "Pod", Some("shop"), "cart-7d4b9"));
    other.origin = PlaceOrigin::Admission;
    let mut host_pid = finding("host-pid", Verdict::Fail, Some(cart), "shared", &[], vec![place("spec.template.spec.hostPID", None, None), other]);
    host_pid.owner_chain = Some("broken".into());
    let cluster = finding("anonymous-access", Verdict::Fail, None, "m", &[], vec![]);
    let coverage = Coverage { read: ReadCounts { objects: 80, ..ReadCounts::default() }, ..Coverage::default() };
    Sample {
        report: report("live", &["https://10.0.0.1:6443"], vec![host_pid, cluster], coverage),
        pages: Pages::new(&CHECKS),
        sources: vec![Source::without_text("https://10.0.0.1:6443")],
    }
}

/// Nothing found, everything read.
pub(crate) fn clean() -> Sample {
    Sample { report: report("files", &["examples/shop-hardened"], vec![], Coverage::default()), pages: Pages::new(&CHECKS), sources: vec![] }
}

/// `owners` deployments with five faults each, in ten namespaces.
pub(crate) fn large(owners: usize) -> Sample {
    let mut findings = Vec::new();
    let mut text = String::new();
    for number in 0..owners {
        let (namespace, name) = (format!("team-{}", number % 10), format!("service-{number}"));
        let line = u32::try_from(text.lines().count() + 1).unwrap();
        let manifest = format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\n  namespace: {namespace}\nspec:\n  template:\n    spec:\n      hostPID: true\n      containers:\n      - name: app\n        securityContext:\n          privileged: true\n---\n"
        );
        text.push_str(&manifest);
        let subject = object("apps/v1", "Deployment", Some(&namespace), &name);
        let at = |path: &str, offset: u32| place(path, None, Some(Location { file: "all.yaml".into(), line: line + offset, column: 7 }));
        findings.push(finding("host-pid", Verdict::Fail, Some(subject.clone()), "shared", &[], vec![at("spec.template.spec.hostPID", 8)]));
        for (check, key) in [("privileged-container", "privileged"), ("privilege-escalation", "allowed")] {
            let path = format!("spec.template.spec.containers[name=app].{check}");
            findings.push(finding(check, Verdict::Fail, Some(subject.clone()), key, &[("container", "app")], vec![at(&path, 12)]));
        }
        for check in ["dangling-reference", "anonymous-access"] {
            findings.push(finding(check, Verdict::Fail, Some(subject.clone()), "m", &[], vec![at("spec.template.spec.containers[name=app].name", 10)]));
        }
    }
    Sample { report: report("files", &["manifests"], findings, Coverage::default()), pages: Pages::new(&CHECKS), sources: vec![Source::text("all.yaml", text)] }
}
