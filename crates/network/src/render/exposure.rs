//! Exposure on paper: JSON for machines, text and Markdown for people, CSV for tables.

use std::collections::BTreeMap;
use std::io::{self, Write};

use bartizan_report::Language;
use serde::Serialize;

use super::{quoted, ranges, words_of};
use crate::door::{Door, Way};
use crate::doubt::Doubts;
use crate::exposure::{Exposed, Exposure, Newcomer, Reach};
use crate::policy::Direction;

/// The name of the JSON format.
pub const SCHEMA: &str = "bartizan.exposure/1";

#[derive(Serialize)]
struct WorkloadJson<'e> {
    id: &'e str,
    guarded: GuardedJson,
    reaches: Vec<ReachJson<'e>>,
    doors: Vec<DoorJson<'e>>,
}

#[derive(Serialize)]
struct GuardedJson {
    ingress: bool,
    egress: bool,
}

#[derive(Serialize)]
struct ReachJson<'e> {
    direction: &'static str,
    pod: NewcomerJson<'e>,
    allowed: BTreeMap<&'static str, Vec<[u16; 2]>>,
    unknown: BTreeMap<&'static str, Vec<[u16; 2]>>,
    because: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewcomerJson<'e> {
    namespace: Option<&'e str>,
    namespace_labels: &'e BTreeMap<String, String>,
    labels: &'e BTreeMap<String, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DoorJson<'e> {
    way: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<&'e bartizan_cluster::ObjectRef>,
    protocol: &'static str,
    port: Option<u16>,
    target_port: u16,
    listens_at: &'e [String],
    internal: bool,
    sources: &'e [String],
    admitted: &'e [String],
    unknown: &'e [String],
    because: Vec<String>,
}

impl<'e> DoorJson<'e> {
    fn of(door: &'e Door) -> Self {
        Self {
            way: door.way.name(),
            object: door.object.as_ref(),
            protocol: door.protocol.name(),
            port: door.port,
            target_port: door.target_port,
            listens_at: &door.listens_at,
            internal: door.is_internal,
            sources: &door.sources,
            admitted: &door.admitted,
            unknown: &door.unknown,
            because: door.because.iter().map(ToString::to_string).collect(),
        }
    }
}

impl<'e> ReachJson<'e> {
    fn of(reach: &'e Reach) -> Self {
        let Newcomer { namespace, namespace_labels, labels } = &reach.newcomer;
        Self {
            direction: reach.direction.name(),
            pod: NewcomerJson { namespace: namespace.as_deref(), namespace_labels, labels },
            allowed: ranges(reach.bounds.allowed()),
            unknown: ranges(&reach.bounds.unknown()),
            because: reach.because.iter().map(ToString::to_string).collect(),
        }
    }
}

fn id<'e>(exposure: &'e Exposure<'_, '_>, exposed: &Exposed) -> &'e str {
    exposure.connectivity().peers().get(exposed.workload).map_or("", |peer| peer.id.as_str())
}

/// `bartizan.exposure/1`: one workload a line.
pub fn json(exposure: &Exposure<'_, '_>, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "{{\"schema\":\"{SCHEMA}\",\"workloads\":[")?;
    let mut separator = "\n";
    exposure.walk(|exposed| {
        out.write_all(separator.as_bytes())?;
        separator = ",\n";
        let line = WorkloadJson {
            id: id(exposure, &exposed),
            guarded: GuardedJson { ingress: exposed.guards_ingress, egress: exposed.guards_egress },
            reaches: exposed.reaches.iter().map(ReachJson::of).collect(),
            doors: exposed.doors.iter().map(DoorJson::of).collect(),
        };
        serde_json::to_writer(&mut *out, &line).map_err(io::Error::from)
    })?;
    out.write_all(b"]}\n")
}

/// The words of one language.
struct Words {
    any: &'static str,
    pod: &'static str,
    within: &'static str,
    new_namespace: &'static str,
    existing: &'static str,
    from: &'static str,
    lets_in: &'static str,
    nobody: &'static str,
    perhaps: &'static str,
    internal: &'static str,
    unguarded: [(&'static str, Direction); 2],
    head: &'static str,
}

fn words(language: Language) -> Words {
    match language {
        Language::English => Words {
            any: "any new pod in any new namespace",
            pod: "a new pod",
            within: "in",
            new_namespace: "a new namespace",
            existing: "namespace",
            from: "from",
            lets_in: "policies let in",
            nobody: "nobody",
            perhaps: "perhaps",
            internal: "private network",
            unguarded: [("no policy restricts what reaches it", Direction::Ingress), ("no policy restricts what leaves it", Direction::Egress)],
            head: "| workload | direction | other end | allowed |\n|---|---|---|---|",
        },
        Language::Chinese => Words {
            any: "任意新命名空间中的任意新 Pod",
            pod: "新 Pod",
            within: "位于",
            new_namespace: "新命名空间",
            existing: "命名空间",
            from: "来源",
            lets_in: "策略放行",
            nobody: "无",
            perhaps: "可能",
            internal: "私有网络",
            unguarded: [("没有策略限制其入站流量", Direction::Ingress), ("没有策略限制其出站流量", Direction::Egress)],
            head: "| 工作负载 | 方向 | 对端 | 允许 |\n|---|---|---|---|",
        },
    }
}

fn newcomer(newcomer: &Newcomer, words: &Words) -> String {
    let Newcomer { namespace, namespace_labels, labels } = newcomer;
    if namespace.is_none() && namespace_labels.is_empty() && labels.is_empty() {
        return words.any.to_owned();
    }
    let braces = |labels: &BTreeMap<String, String>| {
        let pairs: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        if pairs.is_empty() { String::new() } else { format!(" {{{}}}", pairs.join(",")) }
    };
    let place = match namespace {
        Some(name) => format!("{} {name}", words.existing),
        None => format!("{}{}", words.new_namespace, braces(namespace_labels)),
    };
    format!("{}{} {} {place}", words.pod, braces(labels), words.within)
}

fn door(door: &Door, words: &Words) -> String {
    let object = door.object.as_ref().map_or_else(String::new, |object| format!(" {object}"));
    let port = match (door.port, door.way) {
        (Some(port), _) => format!("{port} -> "),
        // The cluster chooses it.
        (None, Way::NodePort) => "? -> ".to_owned(),
        (None, _) => String::new(),
    };
    let at = if door.listens_at.is_empty() { String::new() } else { format!(" @ {}", door.listens_at.join(", ")) };
    let internal = if door.is_internal { format!(" ({})", words.internal) } else { String::new() };
    format!("{}{object}{internal}{at} {} {port}{}, {} {}", door.way.name(), door.protocol, door.target_port, words.from, door.sources.join(", "))
}

/// Whom the policies behind a door let in.
fn entering(door: &Door, words: &Words) -> String {
    let admitted = if door.admitted.is_empty() { words.nobody.to_owned() } else { door.admitted.join(", ") };
    let perhaps = if door.unknown.is_empty() { String::new() } else { format!("; {}: {} (?)", words.perhaps, door.unknown.join(", ")) };
    format!("{}: {admitted}{perhaps}", words.lets_in)
}

fn arrow(direction: Direction) -> &'static str {
    if direction == Direction::Ingress { "<-" } else { "->" }
}

/// A paragraph for every workload.
pub fn text(exposure: &Exposure<'_, '_>, language: Language, out: &mut dyn Write) -> io::Result<Doubts> {
    let words = words(language);
    let mut doubts = Doubts::default();
    exposure.walk(|exposed| {
        writeln!(out, "{}", id(exposure, &exposed))?;
        for (sentence, direction) in words.unguarded {
            let is_guarded = if direction == Direction::Ingress { exposed.guards_ingress } else { exposed.guards_egress };
            if !is_guarded {
                writeln!(out, "  !  {sentence}")?;
            }
        }
        for way in &exposed.doors {
            doubts.add(&way.because);
            writeln!(out, "  <- {}; {}", door(way, &words), entering(way, &words))?;
        }
        for reach in &exposed.reaches {
            doubts.add(&reach.because);
            writeln!(out, "  {} {} : {}", arrow(reach.direction), newcomer(&reach.newcomer, &words), words_of(&reach.bounds))?;
        }
        io::Result::Ok(())
    })?;
    Ok(doubts)
}

/// Every way in and out as cells: workload, direction, other end, allowed.
fn rows<E>(exposure: &Exposure<'_, '_>, language: Language, mut tell: impl FnMut([String; 4]) -> Result<(), E>) -> Result<Doubts, E> {
    let words = words(language);
    let mut doubts = Doubts::default();
    exposure.walk(|exposed| {
        let workload = id(exposure, &exposed).to_owned();
        for way in &exposed.doors {
            doubts.add(&way.because);
            tell([workload.clone(), Direction::Ingress.name().to_owned(), door(way, &words), entering(way, &words)])?;
        }
        for reach in &exposed.reaches {
            doubts.add(&reach.because);
            tell([workload.clone(), reach.direction.name().to_owned(), newcomer(&reach.newcomer, &words), words_of(&reach.bounds)])?;
        }
        Ok(())
    })?;
    Ok(doubts)
}

/// Comma-separated values with a head.
pub fn csv(exposure: &Exposure<'_, '_>, out: &mut dyn Write) -> io::Result<Doubts> {
    out.write_all(b"workload,direction,other,allowed\n")?;
    rows(exposure, Language::English, |cells| writeln!(out, "{}", cells.map(|cell| quoted(&cell)).join(",")))
}

/// A Markdown table.
pub fn markdown(exposure: &Exposure<'_, '_>, language: Language, out: &mut dyn Write) -> io::Result<Doubts> {
    writeln!(out, "{}", words(language).head)?;
    rows(exposure, language, |cells| writeln!(out, "| {} |", cells.map(|cell| cell.replace('|', "\\|")).join(" | ")))
}
