//! What was made of needs, on paper: the summary that people read beside the policies, and everything as JSON.

use std::collections::BTreeMap;
use std::io::{self, Write};

use bartizan_report::Language;
use serde::Serialize;
use serde_json::{Value as Json, json};

use super::ranges;
use crate::synthesis::{Advice, Extra, Figures, Gap, Need, Surplus, Synthesis};

/// The name of the JSON format.
pub const SCHEMA: &str = "bartizan.network-generate/1";

/// More lines of one kind than this are counted, not told.
const LINES_MAX: usize = 40;

#[derive(Serialize)]
struct NeedJson<'n> {
    from: &'n str,
    to: &'n str,
    allowed: BTreeMap<&'static str, Vec<[u16; 2]>>,
    seen: Vec<String>,
}

impl<'n> NeedJson<'n> {
    fn of(need: &'n Need) -> Self {
        Self { from: &need.from, to: &need.to, allowed: ranges(&need.traffic), seen: need.evidence.iter().map(ToString::to_string).collect() }
    }
}

fn surplus_json(surplus: &Surplus) -> Json {
    json!({"from": surplus.from, "to": surplus.to, "allowed": ranges(&surplus.traffic), "because": surplus.because.map(Extra::name)})
}

fn figures_json(figures: Figures) -> Json {
    json!({
        "workloads": figures.workloads,
        "pairs": figures.pairs,
        "connections": figures.connections,
        "reachedFromInternet": figures.reached,
        "reachInternet": figures.reaching,
    })
}

/// `bartizan.network-generate/1`
pub fn json(synthesis: &Synthesis, out: &mut dyn Write) -> io::Result<()> {
    let gap = |gap: &Gap| json!({"kind": gap.name(), "unmet": gap.is_unmet(), "message": gap_text(gap, Language::English)});
    let told = json!({
        "schema": SCHEMA,
        "proven": synthesis.is_proven(),
        "policies": synthesis.policies,
        "needs": synthesis.needs.iter().map(NeedJson::of).collect::<Vec<_>>(),
        "surplus": synthesis.surplus.iter().map(surplus_json).collect::<Vec<_>>(),
        "gaps": synthesis.gaps.iter().map(gap).collect::<Vec<_>>(),
        "replaced": synthesis.replaced,
        "advice": synthesis.advice.iter().map(|advice| json!({"service": advice.service, "sourceRanges": advice.ranges})).collect::<Vec<_>>(),
        "before": figures_json(synthesis.before),
        "after": figures_json(synthesis.after),
        "faults": {
            "denied": synthesis.denied,
            "unexplained": synthesis.unexplained.iter().map(surplus_json).collect::<Vec<_>>(),
            "violated": synthesis.violated,
            "undecided": synthesis.undecided,
        },
    });
    serde_json::to_writer_pretty(&mut *out, &told)?;
    out.write_all(b"\n")
}

/// The summary: what it changes, what is missing, and what is open without being needed.
pub fn summary(synthesis: &Synthesis, language: Language) -> Vec<String> {
    let mut lines = Vec::new();
    if synthesis.is_proven() {
        lines.extend(figures(synthesis, language));
    } else {
        faults(synthesis, language, &mut lines);
    }
    let (unmet, notes): (Vec<&Gap>, Vec<&Gap>) = synthesis.gaps.iter().partition(|gap| gap.is_unmet());
    let (needed, note, open, rest) = match language {
        Language::English => ("needed, not open", "note", "open, not needed", "more"),
        Language::Chinese => ("需要但未开放", "提示", "开放但并非需要", "更多"),
    };
    listed(&mut lines, needed, unmet.iter().map(|gap| gap_text(gap, language)), rest);
    listed(&mut lines, note, notes.iter().map(|gap| gap_text(gap, language)), rest);
    listed(&mut lines, open, synthesis.surplus.iter().map(|surplus| surplus_text(surplus, language)), rest);
    if let Some(command) = removal(synthesis) {
        lines.push(match language {
            Language::English => format!("policies that are replaced; while one stays, more is open than was proven:\n{command}"),
            Language::Chinese => format!("以下策略被取代；只要其中一条还在，开放的就比所证明的多：\n{command}"),
        });
    }
    lines.extend(synthesis.advice.iter().map(|advice| advice_text(advice, language)));
    lines
}

fn listed(lines: &mut Vec<String>, word: &str, texts: impl ExactSizeIterator<Item = String>, rest: &str) {
    let count = texts.len();
    lines.extend(texts.take(LINES_MAX).map(|text| format!("{word}: {text}")));
    if count > LINES_MAX {
        lines.push(format!("{word}: {rest} ({})", count - LINES_MAX));
    }
}

fn figures(synthesis: &Synthesis, language: Language) -> Vec<String> {
    let (before, after) = (synthesis.before, synthesis.after);
    let rows = match language {
        Language::English => [
            ("workloads", before.workloads as u64, after.workloads as u64),
            ("pairs that may talk", before.pairs as u64, after.pairs as u64),
            ("connections (pair, protocol, port)", before.connections, after.connections),
            ("reached from the internet", before.reached as u64, after.reached as u64),
            ("reach the internet", before.reaching as u64, after.reaching as u64),
        ],
        Language::Chinese => [
            ("工作负载", before.workloads as u64, after.workloads as u64),
            ("可以通信的组合", before.pairs as u64, after.pairs as u64),
            ("连接（组合、协议、端口）", before.connections, after.connections),
            ("可从互联网到达", before.reached as u64, after.reached as u64),
            ("可到达互联网", before.reaching as u64, after.reaching as u64),
        ],
    };
    let head = match language {
        Language::English => format!("proven: {} needs are allowed, everything else is closed or told below (before -> after)", synthesis.needs.len()),
        Language::Chinese => format!("已证明：{} 项需要均被允许，其余均已关闭或列于下方（之前 -> 之后）", synthesis.needs.len()),
    };
    std::iter::once(head).chain(rows.into_iter().map(|(name, before, after)| format!("  {name}: {before} -> {after}"))).collect()
}

fn faults(synthesis: &Synthesis, language: Language, lines: &mut Vec<String>) {
    let (denied, unexplained, violated, undecided, rest) = match language {
        Language::English => ("not proven: a need is denied", "not proven: open without a reason", "not proven: an intent is violated", "not proven", "more"),
        Language::Chinese => ("未能证明：需要被拒绝", "未能证明：无理由地开放", "未能证明：违反意图", "未能证明", "更多"),
    };
    listed(lines, denied, synthesis.denied.iter().cloned(), rest);
    listed(lines, unexplained, synthesis.unexplained.iter().map(|surplus| surplus_text(surplus, language)), rest);
    let shown = |one: &crate::Verified| {
        let witness = one.witness.as_ref().map_or_else(String::new, |flow| format!(": {} -> {} {} {}", flow.from, flow.to, flow.protocol, flow.port));
        format!("{}{witness}", one.subject)
    };
    listed(lines, violated, synthesis.violated.iter().map(shown), rest);
    let causes: Vec<String> = synthesis.undecided.iter().cloned().collect();
    listed(lines, undecided, causes.into_iter(), rest);
}

fn surplus_text(surplus: &Surplus, language: Language) -> String {
    let because = match (surplus.because, language) {
        (None, Language::English) => "no reason",
        (None, Language::Chinese) => "无理由",
        (Some(Extra::Twins), Language::English) => "labels do not tell it from a workload that needs it",
        (Some(Extra::Twins), Language::Chinese) => "标签无法把它与需要此连接的工作负载区分开",
        (Some(Extra::AnyPod), Language::English) => "the rule lets any pod in",
        (Some(Extra::AnyPod), Language::Chinese) => "该规则允许任何 Pod 进入",
        (Some(Extra::Addresses), Language::English) => "the addresses of a rule are those of pods as well",
        (Some(Extra::Addresses), Language::Chinese) => "规则中的地址也是 Pod 的地址",
        (Some(Extra::Kept), Language::English) => "policies that stay allow it",
        (Some(Extra::Kept), Language::Chinese) => "保留的策略允许它",
        (Some(Extra::Wordless), Language::English) => "policies of this kind have no words for sources outside of the cluster",
        (Some(Extra::Wordless), Language::Chinese) => "此类策略无法描述集群外的来源",
        (Some(Extra::Nodes), Language::English) => "the kind of policy means all nodes together",
        (Some(Extra::Nodes), Language::Chinese) => "此类策略只能指全部节点",
        (Some(Extra::Tunnel), Language::English) => {
            "policies of the network see the tunnel of the ambient mesh and not what is in it; an AuthorizationPolicy tells ports apart"
        }
        (Some(Extra::Tunnel), Language::Chinese) => "网络策略只看到 ambient 网格的隧道而看不到其中的内容；端口由 AuthorizationPolicy 区分",
    };
    format!("{} -> {} {}: {because}", surplus.from, surplus.to, surplus.traffic)
}

/// The commands that take the replaced policies away.
fn removal(synthesis: &Synthesis) -> Option<String> {
    let mut by_namespace: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let is_written = |namespace: &str, name: &str| {
        synthesis
            .policies
            .iter()
            .any(|policy| policy.pointer("/metadata/name") == Some(&json!(name)) && policy.pointer("/metadata/namespace") == Some(&json!(namespace)))
    };
    for policy in &synthesis.replaced {
        let namespace = policy.namespace.as_deref().unwrap_or("default");
        // What has the same name is overwritten.
        if !is_written(namespace, &policy.name) {
            by_namespace.entry(namespace).or_default().push(&policy.name);
        }
    }
    let lines: Vec<String> =
        by_namespace.into_iter().map(|(namespace, names)| format!("  kubectl delete networkpolicy -n {namespace} {}", names.join(" "))).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

fn advice_text(advice: &Advice, language: Language) -> String {
    let service = &advice.service;
    let namespace = service.namespace.as_deref().unwrap_or("default");
    let ranges: Vec<String> = advice.ranges.iter().map(|range| format!("\"{range}\"")).collect();
    let (open, seen) = match language {
        Language::English => ("is open to the world; name who may come", "where clients come from"),
        Language::Chinese => ("对全世界开放；请写明谁可以访问", "客户端的来源网段"),
    };
    let ranges = if ranges.is_empty() { format!("<{seen}>") } else { ranges.join(",") };
    let patch = format!("{{\"spec\":{{\"loadBalancerSourceRanges\":[{ranges}]}}}}");
    format!("{service} {open}:\n  kubectl patch service -n {namespace} {} --type merge -p '{patch}'", service.name)
}

/// A gap in words.
fn gap_text(gap: &Gap, language: Language) -> String {
    match language {
        Language::English => english(gap),
        Language::Chinese => chinese(gap),
    }
}

fn english(gap: &Gap) -> String {
    match gap {
        Gap::ApiServer(workload) => format!("{workload} uses the API server, whose addresses are not known; name them with --api-server"),
        Gap::Nodes { workload, traffic } => format!("{workload} and nodes, {traffic}: the addresses of nodes are not known; name them with --nodes"),
        Gap::NoPort { workload, host } => format!("{workload} names {host}, and no port; add an intent"),
        Gap::Closed { workload, host, traffic } => format!("{workload} -> {host} {traffic}: a host outside; name its addresses with --address {host}=CIDR"),
        Gap::NoService { workload, service, reason } => format!("{workload} names {service}, which {reason}"),
        Gap::DoorClosed { door, workload } => format!("the {door} leads to {workload}, whose policies let nobody in from outside; that stays so"),
        Gap::Overruled { need, rule } => format!("{need}: other policies decide it: {rule}"),
        Gap::Stranger(flow) => format!("observed, with an end that is nothing of the input: {flow}"),
        Gap::Controller(routes) => {
            format!("which pods serve {} is not known, so that any pod may come to what they lead to; name them with --ingress-controller", routes.join(", "))
        }
        Gap::Caller { workload, object } => {
            format!("the API server calls {workload} ({object}), and its addresses are not known: any address may come; name them with --api-server")
        }
        Gap::AnyHost { workload, host, traffic } => {
            format!(
                "{workload} -> {host} {traffic}: a NetworkPolicy has no names of hosts, so that every public address is open; name its addresses with --address {host}=CIDR"
            )
        }
        Gap::Rewritten(door) => format!(
            "who comes through the {door} may arrive with the address of a node and be refused; set `externalTrafficPolicy: Local` or name the nodes with --nodes"
        ),
        Gap::Twins(one, two) => format!("the labels of {one} select {two} as well; give one of them a label of its own"),
        Gap::HostNetwork(workload) => format!("{workload} has the network of its node: no policy applies to it, and it reaches every pod of that node"),
        Gap::Named { rule, connections, example } => {
            format!("{rule} names connections that nothing else asks for, and they become closed ({connections}): {example}; --policies counts them as needed")
        }
        Gap::Secret { workload, secret } => format!("{workload} reads Secret {secret}: what it names there is not known"),
        Gap::Occasional(workload) => format!("{workload} runs now and then, and nothing of it was observed"),
        Gap::Silent(workload) => format!("nothing is known that {workload} needs or that needs it: it may ask for names and nothing else"),
    }
}

fn chinese(gap: &Gap) -> String {
    match gap {
        Gap::ApiServer(workload) => format!("{workload} 使用 API 服务器，但其地址未知；请用 --api-server 指定"),
        Gap::Nodes { workload, traffic } => format!("{workload} 与节点之间的 {traffic}：节点地址未知；请用 --nodes 指定"),
        Gap::NoPort { workload, host } => format!("{workload} 提到 {host}，但没有端口；请补充意图"),
        Gap::Closed { workload, host, traffic } => format!("{workload} -> {host} {traffic}：集群外的主机；请用 --address {host}=CIDR 指定其地址"),
        Gap::NoService { workload, service, reason } => {
            let reason = match *reason {
                "is not in the input" => "它不在输入中",
                "has no such port" => "它没有这个端口",
                "has no ports" => "它没有端口",
                "has no endpoints in the input" => "它在输入中没有端点",
                _ => "它所代表的 Service 不在输入中",
            };
            format!("{workload} 提到 {service}，但{reason}")
        }
        Gap::DoorClosed { door, workload } => format!("{door} 通向 {workload}，而现有策略不允许任何外部来源进入；保持不变"),
        Gap::Overruled { need, rule } => format!("{need}：由其他策略决定：{rule}"),
        Gap::Stranger(flow) => format!("观测到的连接有一端不在输入中：{flow}"),
        Gap::Controller(routes) => format!("不知道哪些 Pod 为 {} 提供服务，因此任何 Pod 都可访问其后端；请用 --ingress-controller 指定", routes.join("、")),
        Gap::Caller { workload, object } => format!("API 服务器会调用 {workload}（{object}），但其地址未知：任何地址都可进入；请用 --api-server 指定"),
        Gap::AnyHost { workload, host, traffic } => {
            format!("{workload} -> {host} {traffic}：NetworkPolicy 不能写主机名，因此所有公网地址都被开放；请用 --address {host}=CIDR 指定其地址")
        }
        Gap::Rewritten(door) => format!("经 {door} 到达的客户端可能带有节点地址而被拒绝；请设置 `externalTrafficPolicy: Local`，或用 --nodes 指定节点"),
        Gap::Twins(one, two) => format!("{one} 的标签也会选中 {two}；请为其中之一加上独有的标签"),
        Gap::HostNetwork(workload) => format!("{workload} 使用节点网络：策略对它无效，它可以到达该节点上的所有 Pod"),
        Gap::Named { rule, connections, example } => {
            format!("{rule} 指明的连接没有其他来源提到，将被关闭（{connections}）：{example}；用 --policies 将其视为需要")
        }
        Gap::Secret { workload, secret } => format!("{workload} 读取 Secret {secret}：其中提到的地址未知"),
        Gap::Occasional(workload) => format!("{workload} 只是偶尔运行，没有观测到它的连接"),
        Gap::Silent(workload) => format!("不知道 {workload} 需要什么，也不知道谁需要它：它只能解析名称"),
    }
}
