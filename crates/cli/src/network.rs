//! `bartizan network`: questions and lists go in, answers come out; what decides is in the crate of that name.

pub(crate) mod args;
mod certificates;
mod encryption;
mod generate;
mod migrate;

use std::io::{self, BufRead, BufWriter, Write};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use bartizan_cluster::{Kind, KubernetesVersion, Snapshot};
use bartizan_gather::{Gathered, files};
use bartizan_network::render::{self, np_guard};
use bartizan_network::{
    ChangeKind, Claim, Compared, Direction, Doubts, Explanation, Focus, Intents, Model, Network, Plane, Protocol, Query, Question, QuestionError, Relation,
    Traffic, Verified, WrittenPort, attached_networks, difference, relation,
};
use bartizan_report::{Language, Outcome, suggest};
use jiff::Timestamp;
use serde_json::json;

use crate::args::{Global, ListFormat, Sources};
use crate::clock::Clock;
use crate::output::{self, Terminal, loss_word, tell_reading};
use crate::{lines, progress, source};
use args::{
    Carrier, Compat, Connectivity, ConnectivityFormat, Diff, Enforcer, Eval, Exposure, FocusDirection, FocusOptions, Network as Command, TableFormat, Verify,
    Wanted, Why,
};

/// What a cluster is asked for, beside everything that runs pods.
const WANTED: [Kind; 9] =
    [Kind::Namespace, Kind::Node, Kind::Pod, Kind::Service, Kind::Endpoints, Kind::EndpointSlice, Kind::Ingress, Kind::NetworkPolicy, Kind::ReplicaSet];

pub(crate) fn run(command: &Command, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    match command {
        Command::Eval(eval) => self::eval(eval, global, terminal),
        Command::Explain(why) => explain(why, global, terminal),
        Command::Connectivity(connectivity) => self::connectivity(connectivity, global, terminal),
        Command::Exposure(exposure) => self::exposure(exposure, global, terminal),
        Command::Diff(diff) => self::diff(diff, terminal),
        Command::Verify(verify) => self::verify(verify, global, terminal),
        Command::Certificates(options) => certificates::run(options, global, terminal),
        Command::Encryption(options) => encryption::run(options, global, terminal),
        Command::Generate(generate) => generate::run(generate, global, terminal),
        Command::Migrate(options) => migrate::run(options, global, terminal),
    }
}

fn gather(sources: &Sources, global: &Global, terminal: &Terminal) -> Result<Gathered> {
    gather_kinds(sources, &WANTED, global, terminal)
}

fn gather_kinds(sources: &Sources, wanted: &[Kind], global: &Global, terminal: &Terminal) -> Result<Gathered> {
    let mut sources = sources.clone();
    // Policies of kinds that the server may or may not serve change the answers.
    sources.live.all_resources = true;
    sources.live.no_secrets = true;
    source::gather(&sources, &[], &[], wanted, global, terminal)
}

/// Says what was odd about the input; whether something was lost by it.
fn tell_problems(snapshot: &Snapshot, network: &Network<'_>, terminal: &Terminal) -> bool {
    let is_lost = tell_reading(snapshot, terminal);
    for problem in network.problems() {
        terminal.note(&format!("{}: {problem}", loss_word(problem.is_loss, terminal.language)));
    }
    is_lost || network.problems().iter().any(|problem| problem.is_loss)
}

/// What concerns the network that is asked about. That there are others is said, where what is told is not about them.
fn on_network<'s>(snapshot: &'s Snapshot, model: Model, enforcer: &Enforcer, carrier: &Carrier, terminal: &Terminal) -> Result<Network<'s>> {
    let attached = attached_networks(snapshot);
    let Some(wanted) = &carrier.network else {
        if !attached.is_empty() && model == Model::Kubernetes {
            let names: Vec<&str> = attached.iter().map(String::as_str).collect();
            terminal.note(&said_of_others(&names.join(", "), terminal.language));
        }
        return Ok(Network::resolve_under(snapshot, model, enforcer.cni));
    };
    if !attached.contains(wanted) {
        let near = suggest::nearest(wanted, attached.iter().map(String::as_str)).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        bail!("there is no attached network `{wanted}`{near}");
    }
    Ok(Network::resolve_on(snapshot, model, Plane::Attached(wanted)))
}

fn said_of_others(names: &str, language: Language) -> String {
    match language {
        Language::English => {
            format!("note: this is about the network of the cluster; pods are attached to others as well, which `--network` asks about: {names}")
        }
        Language::Chinese => format!("提示：此处只涉及集群网络；Pod 还接入了其他网络，可用 `--network` 询问：{names}"),
    }
}

fn outcome(is_incomplete: bool) -> Outcome {
    if is_incomplete { Outcome::Incomplete } else { Outcome::Clean }
}

fn eval(eval: &Eval, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let from_standard_input = eval.batch.as_deref().is_some_and(lines::is_standard_input);
    if from_standard_input && eval.sources.read_standard_input() {
        bail!("`--batch -` and `-f -` both read standard input");
    }
    let mut clock = Clock::start(eval.timings);
    let gathered = gather(&eval.sources.to_sources(), global, terminal)?;
    clock.stage("read", terminal);
    let network = on_network(&gathered.snapshot, Model::Kubernetes, &eval.enforcer, &eval.carrier, terminal)?;
    clock.stage("resolve", terminal);
    let is_incomplete = tell_problems(&gathered.snapshot, &network, terminal);
    if let Some(file) = &eval.batch {
        let mut out = BufWriter::new(io::stdout().lock());
        batch(&network, lines::open(file)?, &mut out)?;
        out.flush()?;
        clock.stage("answer", terminal);
        return Ok(outcome(is_incomplete));
    }
    let mut out = output::result();
    let (Some(from), Some(to), Some(port)) = (&eval.from, &eval.to, &eval.port) else { bail!("FROM, TO and PORT are needed") };
    let query = Query { from: from.clone(), to: to.clone(), port: WrittenPort::Text(port.clone()), protocol: Some(eval.protocol.clone()) };
    let is_answered = answer(&network, query.try_into(), &mut out)?;
    out.flush()?;
    Ok(if is_answered { outcome(is_incomplete) } else { Outcome::NoReport })
}

/// Answers one question a line, in their order.
fn batch(network: &Network<'_>, lines: impl BufRead, out: &mut impl Write) -> Result<()> {
    lines::each(lines, |line| answer(network, line.map_err(QuestionError::Syntax).and_then(Question::read), out).map(|_| ()))
}

/// Writes the answer, or why there is none; whether there was one.
fn answer(network: &Network<'_>, question: Result<Question, QuestionError>, out: &mut impl Write) -> Result<bool> {
    let found = question.and_then(|question| network.ask(&question));
    let is_answered = found.is_ok();
    match found {
        Ok(answer) => serde_json::to_writer(&mut *out, &answer)?,
        Err(error) => serde_json::to_writer(&mut *out, &json!({ "error": error.to_string() }))?,
    }
    out.write_all(b"\n")?;
    Ok(is_answered)
}

fn explain(why: &Why, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let gathered = gather(&why.sources.to_sources(), global, terminal)?;
    let network = on_network(&gathered.snapshot, Model::Kubernetes, &why.enforcer, &why.carrier, terminal)?;
    let is_incomplete = tell_problems(&gathered.snapshot, &network, terminal);
    let query = Query { from: why.from.clone(), to: why.to.clone(), port: WrittenPort::Text(why.port.clone()), protocol: Some(why.protocol.clone()) };
    let explanation = Question::try_from(query).and_then(|question| network.explain(&question))?;
    let mut out = output::result();
    match why.output {
        ListFormat::Json => writeln!(out, "{}", serde_json::to_string_pretty(&explanation)?)?,
        ListFormat::Text => write_explanation(&explanation, terminal.language, &mut out)?,
    }
    out.flush()?;
    Ok(outcome(is_incomplete))
}

fn write_explanation(explanation: &Explanation, language: Language, out: &mut impl Write) -> io::Result<()> {
    let word = |allowed: Option<bool>| match (allowed, language) {
        (Some(true), Language::English) => "allowed",
        (Some(false), Language::English) => "denied",
        (None, Language::English) => "unknown",
        (Some(true), Language::Chinese) => "允许",
        (Some(false), Language::Chinese) => "拒绝",
        (None, Language::Chinese) => "未知",
    };
    writeln!(out, "{}: {}", word(explanation.answer.allowed), explanation.answer.reason)?;
    for pair in &explanation.pairs {
        let port = pair.port.map_or_else(String::new, |port| format!(" : {port}"));
        writeln!(out, "\n{} -> {}{port}  {}", pair.from, pair.to, word(pair.allowed))?;
        for say in &pair.says {
            let place = say.location.as_ref().map_or_else(String::new, |place| format!("  {}:{}", place.file, place.line));
            writeln!(out, "  {:7} {:5}  {}{place}", say.direction, say.verdict, say.text)?;
        }
    }
    Ok(())
}

fn connectivity(options: &Connectivity, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let gathered = gather(&options.sources, global, terminal)?;
    let network = on_network(&gathered.snapshot, model(options.compat), &options.enforcer, &options.carrier, terminal)?;
    let mut is_incomplete = tell_problems(&gathered.snapshot, &network, terminal);
    let connectivity = network.connectivity().focus(&focus(&options.focus)?)?;
    let mut out = output::result();
    let doubts = match (options.compat, options.output) {
        (None, ConnectivityFormat::Text) => render::text(&connectivity, &mut out)?,
        (None, ConnectivityFormat::Json) => render::json(&connectivity, &mut out).map(|()| Doubts::default())?,
        (None, ConnectivityFormat::Csv) => render::csv(&connectivity, &mut out)?,
        (None, ConnectivityFormat::Markdown) => render::markdown(&connectivity, &mut out)?,
        (None, ConnectivityFormat::Dot) => render::dot(&connectivity, &mut out)?,
        (None, ConnectivityFormat::Svg) => render::svg::svg(&connectivity, &mut out)?,
        (Some(Compat::NpGuard), format) => {
            let undecided = np_guard::connections(&connectivity, np_guard_format(format)?, &mut out)?;
            is_incomplete |= tell_undecided(&undecided, terminal);
            Doubts::default()
        }
    };
    out.flush()?;
    tell_doubts(&doubts, terminal);
    Ok(outcome(is_incomplete))
}

/// What of the list is looked at.
fn focus(options: &FocusOptions) -> Result<Focus> {
    let protocol = options.protocol.as_deref().map(|word| word.to_ascii_uppercase().parse::<Protocol>()).transpose()?;
    let ports = |protocol| options.port.map_or_else(|| Traffic::of_protocol(protocol), |port| Traffic::ports(protocol, port, port));
    let wanted = Protocol::ALL.into_iter().filter(|one| protocol.is_none_or(|protocol| protocol == *one));
    let direction = options.direction.map(|direction| match direction {
        FocusDirection::Ingress => Direction::Ingress,
        FocusDirection::Egress => Direction::Egress,
    });
    Ok(Focus { peers: options.focus.clone(), direction, traffic: wanted.map(ports).fold(Traffic::none(), |sum, one| sum.union(&one)) })
}

fn exposure(options: &Exposure, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let gathered = gather(&options.sources, global, terminal)?;
    let network = Network::resolve_under(&gathered.snapshot, model(options.compat), options.enforcer.cni);
    let mut is_incomplete = tell_problems(&gathered.snapshot, &network, terminal);
    let mut out = output::result();
    if options.compat == Some(Compat::NpGuard) {
        let undecided = np_guard::exposure(&network, np_guard_table(options.output, &[TableFormat::Text, TableFormat::Json])?, &mut out)?;
        is_incomplete |= tell_undecided(&undecided, terminal);
    } else {
        let exposure = network.exposure();
        let doubts = match options.output {
            TableFormat::Text => render::exposure::text(&exposure, terminal.language, &mut out)?,
            TableFormat::Json => render::exposure::json(&exposure, &mut out).map(|()| Doubts::default())?,
            TableFormat::Csv => render::exposure::csv(&exposure, &mut out)?,
            TableFormat::Markdown => render::exposure::markdown(&exposure, terminal.language, &mut out)?,
        };
        out.flush()?;
        tell_doubts(&doubts, terminal);
    }
    out.flush()?;
    Ok(outcome(is_incomplete))
}

fn diff(options: &Diff, terminal: &Terminal) -> Result<Outcome> {
    let [before, after] = [read_side(&options.before, options, terminal)?, read_side(&options.after, options, terminal)?];
    let networks = [&before, &after].map(|gathered| Network::resolve_under(&gathered.snapshot, model(options.compat), options.enforcer.cni));
    let mut is_incomplete = false;
    for (gathered, network) in [&before, &after].into_iter().zip(&networks) {
        is_incomplete |= tell_problems(&gathered.snapshot, network, terminal);
    }
    let [before, after] = &networks;
    let mut out = output::result();
    if options.compat == Some(Compat::NpGuard) {
        let format = np_guard_table(options.output, &[TableFormat::Text, TableFormat::Csv, TableFormat::Markdown])?;
        let undecided = np_guard::diff(before, after, format, &mut out)?;
        out.flush()?;
        return Ok(outcome(is_incomplete | tell_undecided(&undecided, terminal)));
    }
    let changes = difference(before, after);
    match options.output {
        TableFormat::Text => render::difference::text(&changes, terminal.language, &mut out)?,
        TableFormat::Json => render::difference::json(&changes, &mut out)?,
        TableFormat::Csv => render::difference::csv(&changes, &mut out)?,
        TableFormat::Markdown => render::difference::markdown(&changes, terminal.language, &mut out)?,
    }
    out.flush()?;
    if options.output != TableFormat::Json {
        tell_doubts(&Doubts::of(&changes), terminal);
    }
    let has = |kinds: &[ChangeKind]| changes.iter().any(|change| kinds.contains(&change.kind()));
    Ok(match (has(&[ChangeKind::Opened, ChangeKind::Changed]), is_incomplete || has(&[ChangeKind::Unclear])) {
        (true, _) => Outcome::Findings,
        (false, true) => Outcome::Incomplete,
        (false, false) => Outcome::Clean,
    })
}

/// With intents those are verified, else what policies do by themselves.
fn verify(options: &Verify, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let intents = options.intents.as_deref().map(read_intents).transpose()?;
    let gathered = gather(&options.sources, global, terminal)?;
    let network = Network::resolve_under(&gathered.snapshot, Model::Kubernetes, options.enforcer.cni);
    let is_incomplete = tell_problems(&gathered.snapshot, &network, terminal);
    if let Some(path) = &options.against {
        return against(options, &network, path, is_incomplete, terminal);
    }
    let found = match &intents {
        Some(intents) => network.verify_intents(intents)?,
        None => network.verify(),
    };
    let mut out = output::result();
    match options.output {
        ListFormat::Json => writeln!(out, "{}", serde_json::to_string_pretty(&found)?)?,
        ListFormat::Text => {
            for one in &found {
                writeln!(out, "{}", verified(one, terminal.language))?;
            }
        }
    }
    out.flush()?;
    Ok(verdict(&found, is_incomplete))
}

/// Compares what two sources allow, and tells the connections that refute what was to be proven.
fn against(options: &Verify, network: &Network<'_>, path: &Path, is_incomplete: bool, terminal: &Terminal) -> Result<Outcome> {
    let other = read_files(path, options.sources.now, options.sources.kubernetes_version, terminal)?;
    let other_network = Network::resolve_under(&other.snapshot, Model::Kubernetes, options.enforcer.cni);
    let is_incomplete = is_incomplete | tell_problems(&other.snapshot, &other_network, terminal);
    let Compared { relation, mut shown } = relation(network, &other_network);
    shown.retain(|one| match options.relation {
        Wanted::Equal => true,
        Wanted::Within => one.claim != Claim::AllowsLess,
        Wanted::Beyond => one.claim != Claim::AllowsMore,
    });
    let mut out = output::result();
    match options.output {
        ListFormat::Json => writeln!(out, "{}", serde_json::to_string_pretty(&json!({ "relation": relation, "shown": shown }))?)?,
        ListFormat::Text => {
            writeln!(out, "{}", relation_words(relation, terminal.language))?;
            for one in &shown {
                writeln!(out, "{}", verified(one, terminal.language))?;
            }
        }
    }
    out.flush()?;
    Ok(verdict(&shown, is_incomplete))
}

fn relation_words(relation: Relation, language: Language) -> &'static str {
    match (relation, language) {
        (Relation::Equal, Language::English) => "equal: both sides allow the same connections",
        (Relation::Equal, Language::Chinese) => "相等：两侧允许的连接相同",
        (Relation::Within, Language::English) => "within: nothing is allowed that the other side does not allow",
        (Relation::Within, Language::Chinese) => "包含于：所允许的连接，另一侧全部允许",
        (Relation::Beyond, Language::English) => "beyond: all is allowed that the other side allows, and more",
        (Relation::Beyond, Language::Chinese) => "包含：另一侧允许的连接全部允许，且更多",
        (Relation::Apart, Language::English) => "apart: each side allows connections that the other does not",
        (Relation::Apart, Language::Chinese) => "互不包含：两侧各自允许对方不允许的连接",
        (Relation::Undecided, Language::English) => "undecided: what is not known does not let anybody tell",
        (Relation::Undecided, Language::Chinese) => "无法判定：未知的事实使结论无法得出",
    }
}

/// What was certainly found is a finding; what is not known is incomplete.
fn verdict(found: &[Verified], is_incomplete: bool) -> Outcome {
    let is_violated = found.iter().any(|one| one.claim != Claim::Undecided);
    match (is_violated, is_incomplete || !found.is_empty()) {
        (true, _) => Outcome::Findings,
        (false, true) => Outcome::Incomplete,
        (false, false) => Outcome::Clean,
    }
}

fn read_intents(file: &Path) -> Result<Intents> {
    let text = std::fs::read_to_string(file).with_context(|| format!("`{}` could not be read", file.display()))?;
    Ok(Intents::read(&file.display().to_string(), &text)?)
}

/// One finding as a line.
fn verified(one: &Verified, language: Language) -> String {
    let (claim, shown_by) = match language {
        Language::English => (one.claim.name(), "shown by"),
        Language::Chinese => (chinese(one.claim), "例证"),
    };
    let place = one.location.as_ref().map_or_else(String::new, |place| format!(" ({}:{})", place.file, place.line));
    let policy = one.policy.as_ref().map_or_else(String::new, |policy| format!(" {policy}"));
    let subject = if one.subject.is_empty() { String::new() } else { format!(" {}", one.subject) };
    let because = one.because.as_ref().map_or_else(String::new, |because| format!("; {because}"));
    let witness = one.witness.as_ref().map_or_else(String::new, |flow| format!("; {shown_by} {} -> {} {} {}", flow.from, flow.to, flow.protocol, flow.port));
    format!("{claim}:{policy}{subject}{place}{because}{witness}")
}

fn chinese(claim: Claim) -> &'static str {
    match claim {
        Claim::NotPermitted => "未被允许",
        Claim::NotForbidden => "未被禁止",
        Claim::NotCaptured => "未受任何策略约束",
        Claim::AllowsMore => "允许更多",
        Claim::AllowsLess => "允许更少",
        Claim::Vacuous => "毫无作用的策略",
        Claim::Overruled => "被集群策略否决",
        Claim::PriorityTie => "优先级相同且相互矛盾",
        Claim::Shadowed => "被前面的规则遮蔽",
        Claim::Redundant => "多余的规则",
        Claim::MatchesNobody => "不匹配任何对象的规则",
        Claim::SelectsNothing => "不作用于任何 Pod 的策略",
        Claim::Undecided => "无法判定",
    }
}

fn read_side(path: &Path, options: &Diff, terminal: &Terminal) -> Result<Gathered> {
    read_files(path, options.now, options.kubernetes_version, terminal)
}

fn read_files(path: &Path, now: Option<Timestamp>, version: Option<KubernetesVersion>, terminal: &Terminal) -> Result<Gathered> {
    let mut request = files::Request::new([path], now.unwrap_or_else(Timestamp::now));
    request.version = version;
    request.insist_on_now = now.is_some();
    let gathered = files::gather(&request, &mut io::empty(), &progress::Line::new(terminal.draws_progress()))?;
    for note in &gathered.notes {
        terminal.note(&format!("note: {note}"));
    }
    Ok(gathered)
}

fn model(compat: Option<Compat>) -> Model {
    match compat {
        None => Model::Kubernetes,
        Some(Compat::NpGuard) => Model::NpGuard,
    }
}

fn np_guard_format(format: ConnectivityFormat) -> Result<np_guard::Format> {
    Ok(match format {
        ConnectivityFormat::Text => np_guard::Format::Text,
        ConnectivityFormat::Json => np_guard::Format::Json,
        ConnectivityFormat::Csv => np_guard::Format::Csv,
        ConnectivityFormat::Markdown => np_guard::Format::Markdown,
        ConnectivityFormat::Dot | ConnectivityFormat::Svg => bail!("`--compat np-guard` has the formats `text`, `json`, `csv` and `markdown`"),
    })
}

fn np_guard_table(format: TableFormat, known: &[TableFormat]) -> Result<np_guard::Format> {
    let (format, word) = match format {
        TableFormat::Text => (known.contains(&format).then_some(np_guard::Format::Text), "text"),
        TableFormat::Json => (known.contains(&format).then_some(np_guard::Format::Json), "json"),
        TableFormat::Csv => (known.contains(&format).then_some(np_guard::Format::Csv), "csv"),
        TableFormat::Markdown => (known.contains(&format).then_some(np_guard::Format::Markdown), "markdown"),
    };
    format.with_context(|| format!("`--compat np-guard` has no format `{word}` for this"))
}

/// Says once for a list why there are question marks in it.
fn tell_doubts(doubts: &Doubts, terminal: &Terminal) {
    for (cause, count) in doubts.causes() {
        terminal.note(&match terminal.language {
            Language::English => format!("not known (?) {count} times: {cause}"),
            Language::Chinese => format!("有 {count} 处无法判定（?）：{cause}"),
        });
    }
}

/// A format without a word for *unknown* leaves it out; that is said beside it.
fn tell_undecided(undecided: &np_guard::Undecided, terminal: &Terminal) -> bool {
    let word = match terminal.language {
        Language::English => "unknown",
        Language::Chinese => "未知",
    };
    for line in undecided {
        terminal.note(&format!("{word}: {line}"));
    }
    !undecided.is_empty()
}
