//! `bartizan authz can-i`

use std::io::{self, BufRead, BufWriter, Write};
use std::path::PathBuf;

use anyhow::{Result, bail};
use bartizan_authz::question::{self, Place};
use bartizan_authz::review::{Answered, Batch};
use bartizan_authz::{Authz, Decision, GrantView, Lack, NearMiss};
use bartizan_cluster::access::Request;
use bartizan_report::render::one_line;
use bartizan_report::{Language, Outcome};
use clap::Args;
use serde_json::json;

use super::args::Cluster;
use super::{called, grant_json, place, subject, tell};
use crate::args::{Global, ListFormat};
use crate::lines;
use crate::output::{self, Terminal};

pub(super) const EXAMPLES: &str = "\
Examples:
  bartizan authz can-i get secrets db -n shop --as system:serviceaccount:shop:cart -f deploy/
  bartizan authz can-i create deployments.apps/scale -n shop --as alice --as-group dev
  bartizan authz can-i get /metrics --as Group/monitoring -f cluster.json
  bartizan authz can-i --batch reviews.jsonl -f cluster.json

A line of a batch: {\"spec\": {\"user\": \"alice\", \"groups\": [\"dev\"], \"resourceAttributes\": {\"verb\": \"get\", \"resource\": \"pods\"}}}";

/// Bytes of answers that are written at once.
const ANSWERS: usize = 1 << 16;

/// Near misses that are told of.
const MOST_MISSES: usize = 10;

/// `bartizan authz can-i`
#[derive(Debug, Args)]
pub(crate) struct CanI {
    /// What is done: `get`, `create`, `impersonate`, `*`, ….
    #[arg(required_unless_present = "batch", requires = "what")]
    verb: Option<String>,
    /// To what: `pods`, `deploy.apps/scale`, `/healthz`.
    what: Option<String>,
    /// The name of the object.
    name: Option<String>,
    /// Who: `alice`, `Group/dev`, `ServiceAccount/shop/cart`; with the groups that the API server adds.
    #[arg(long = "as", value_name = "SUBJECT", required_unless_present_any = ["batch", "as_group"])]
    who: Option<String>,
    /// A further group; repeatable.
    #[arg(long = "as-group", value_name = "GROUP")]
    as_group: Vec<String>,
    /// In this namespace; default `default`.
    #[arg(short = 'n', long, value_name = "NAMESPACE", conflicts_with = "all_namespaces")]
    namespace: Option<String>,
    /// In all namespaces together.
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Questions, one SubjectAccessReview a line; `-` is standard input.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["verb", "what", "name", "who", "as_group", "namespace", "all_namespaces"])]
    batch: Option<PathBuf>,
    /// Format.
    #[arg(short, long, value_enum, default_value_t = ListFormat::Text, help_heading = "Output")]
    output: ListFormat,
    #[command(flatten)]
    cluster: Cluster,
}

pub(super) fn run(can_i: &CanI, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let from_standard_input = can_i.batch.as_deref().is_some_and(lines::is_standard_input);
    if from_standard_input && can_i.cluster.sources.read_standard_input() {
        bail!("`--batch -` and `-f -` both read standard input");
    }
    let gathered = can_i.cluster.gather(global, terminal)?;
    let authz = Authz::resolve(&gathered.snapshot, &can_i.cluster.options()?);
    let outcome = tell(&authz, terminal);
    if let Some(file) = &can_i.batch {
        let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
        let has_unknown = batch(&authz, lines::open(file)?, &mut out)?;
        out.flush()?;
        return Ok(if has_unknown { Outcome::Incomplete } else { outcome });
    }
    let (Some(verb), Some(what)) = (&can_i.verb, &can_i.what) else { bail!("VERB and RESOURCE are needed") };
    let asked_in = match &can_i.namespace {
        _ if can_i.all_namespaces => Place::Everywhere,
        Some(namespace) => Place::Namespace(namespace),
        None => Place::Unsaid,
    };
    let question = question::read(&gathered.snapshot, verb, what, can_i.name.as_deref(), asked_in);
    if !question.is_known {
        terminal.note(&match terminal.language {
            Language::English => format!("note: `{what}` is no resource that is known; it is taken as it is written"),
            Language::Chinese => format!("提示：`{what}` 不是已知的资源；按原样使用"),
        });
    }
    let user = match &can_i.who {
        Some(who) => subject::read(who)?.logged_in(&can_i.as_group),
        None => bartizan_cluster::access::User::new("", can_i.as_group.clone()),
    };
    let request = Request { user, action: question.action };
    let decision = authz.decide(&request);
    let mut out = output::result();
    match can_i.output {
        ListFormat::Text => text(&authz, &request, &decision, terminal.language, &mut out)?,
        ListFormat::Json => in_json(&authz, &request, &decision, &mut out)?,
    }
    out.flush()?;
    Ok(match decision.is_allowed() {
        Some(true) => Outcome::Clean,
        // What was lost may be what allows it.
        Some(false) if outcome == Outcome::Incomplete => Outcome::Incomplete,
        Some(false) => Outcome::Findings,
        None => Outcome::Incomplete,
    })
}

/// Answers one review a line, in their order; whether some answer is not known.
fn batch(authz: &Authz<'_>, lines: impl BufRead, out: &mut impl Write) -> Result<bool> {
    let mut batch = Batch::new(authz);
    let mut answers = Vec::with_capacity(2 * ANSWERS);
    let mut has_unknown = false;
    let read = lines::each(lines, |line| {
        match line {
            Ok(line) => has_unknown |= batch.answer(line, &mut answers) == Answered::Unknown,
            Err(error) => writeln!(answers, "{}", json!({ "error": error }))?,
        }
        if answers.len() >= ANSWERS {
            out.write_all(&answers)?;
            answers.clear();
        }
        Ok(())
    });
    // What was answered before the reading failed was answered.
    out.write_all(&answers)?;
    read?;
    Ok(has_unknown)
}

fn text(authz: &Authz<'_>, request: &Request<'_>, decision: &Decision, language: Language, out: &mut impl Write) -> Result<()> {
    let word = match (decision.is_allowed(), language) {
        (Some(true), Language::English) => "yes",
        (Some(false), Language::English) => "no",
        (None, Language::English) => "unknown",
        (Some(true), Language::Chinese) => "允许",
        (Some(false), Language::Chinese) => "拒绝",
        (None, Language::Chinese) => "未知",
    };
    let reason = authz.reason(request, decision);
    writeln!(out, "{word}{}{reason}", if reason.is_empty() { "" } else { ": " })?;
    if let Some(grant) = decision.grant().and_then(|grant| authz.grant(grant)) {
        return Ok(write_grant(&grant, language, out)?);
    }
    if decision.is_allowed() == Some(false) {
        for miss in authz.near_misses(request, MOST_MISSES) {
            let grant = &miss.grant;
            let binding = called(grant.binding.kind(), grant.binding.namespace(), grant.binding.name());
            let text = format!("  {}: {} ({binding}) {}", lack(&miss, request, language), grant.rule, place(grant.rule.location().as_ref()));
            writeln!(out, "{}", one_line(&text))?;
        }
    }
    Ok(())
}

fn write_grant(grant: &GrantView<'_>, language: Language, out: &mut impl Write) -> io::Result<()> {
    let (binding, role) = (grant.binding, grant.rule.role());
    let [of_binding, of_role, of_rule] = match language {
        Language::English => ["binding ", "role    ", "rule    "],
        Language::Chinese => ["绑定", "角色", "规则"],
    };
    let mut line = |what: &str, name: String, place: String| writeln!(out, "  {what} {name}  {place}");
    line(of_binding, called(binding.kind(), binding.namespace(), binding.name()), place(binding.location().as_ref()))?;
    line(of_role, called(role.kind(), role.namespace(), role.name()), place(role.location().as_ref()))?;
    line(of_rule, one_line(&grant.rule.to_string()).into_owned(), place(grant.rule.location().as_ref()))
}

/// What a rule that comes near lacks.
fn lack(miss: &NearMiss<'_>, request: &Request<'_>, language: Language) -> String {
    let name = request.action.resource().map_or("", |resource| &resource.name);
    let namespace = request.action.namespace();
    match (miss.lack, language) {
        (Lack::Verb, Language::English) => "another verb".to_owned(),
        (Lack::Verb, Language::Chinese) => "动词不同".to_owned(),
        (Lack::Group, Language::English) => "another API group".to_owned(),
        (Lack::Group, Language::Chinese) => "API 组不同".to_owned(),
        (Lack::Subresource, Language::English) => "another subresource".to_owned(),
        (Lack::Subresource, Language::Chinese) => "子资源不同".to_owned(),
        (Lack::Name, Language::English) if name.is_empty() => "limited to names, and the request has none".to_owned(),
        (Lack::Name, Language::Chinese) if name.is_empty() => "限于指定名称，而请求没有名称".to_owned(),
        (Lack::Name, Language::English) => format!("limited to names other than `{name}`"),
        (Lack::Name, Language::Chinese) => format!("限于 `{name}` 以外的名称"),
        (Lack::Namespace, Language::English) if namespace.is_empty() => "only in one namespace".to_owned(),
        (Lack::Namespace, Language::Chinese) if namespace.is_empty() => "仅在一个命名空间内".to_owned(),
        (Lack::Namespace, Language::English) => format!("in another namespace than `{namespace}`"),
        (Lack::Namespace, Language::Chinese) => format!("在 `{namespace}` 以外的命名空间"),
    }
}

fn in_json(authz: &Authz<'_>, request: &Request<'_>, decision: &Decision, out: &mut impl Write) -> Result<()> {
    let misses = if decision.is_allowed() == Some(false) { authz.near_misses(request, MOST_MISSES) } else { Vec::new() };
    let misses: Vec<_> = misses.iter().map(|miss| json!({ "lack": miss.lack.name(), "grant": grant_json(&miss.grant) })).collect();
    let answer = json!({
        "question": request.action.to_string(),
        "user": request.user.name,
        "groups": request.user.groups,
        "allowed": decision.is_allowed(),
        "reason": authz.reason(request, decision),
        "grant": decision.grant().and_then(|grant| authz.grant(grant)).map(|grant| grant_json(&grant)),
        "nearMisses": misses,
        "assumptions": authz.assumptions(),
    });
    Ok(writeln!(out, "{}", serde_json::to_string_pretty(&answer)?)?)
}
