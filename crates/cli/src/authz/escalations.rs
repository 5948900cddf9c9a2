//! `bartizan authz escalations`: who can become whom, with the bindings and rules behind it.

use std::io::{self, Write};

use anyhow::Result;
use bartizan_authz::{Authz, Certainty, ESCALATION_READS, Escalation, Escalations, GrantView, Holder, Provision, Scope};
use bartizan_cluster::Kind;
use bartizan_cluster::access::service_account_of;
use bartizan_report::fault::text::{few, severity};
use bartizan_report::render::one_line;
use bartizan_report::{Language, Outcome};
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::{Value, json};

use super::args::Escalations as Command;
use super::{gather, options, subject, table, tell_reading};
use crate::args::{Global, ListFormat};
use crate::output::{self, Terminal};

/// The schema of the JSON form.
const SCHEMA: &str = "bartizan.escalations/1";

pub(super) fn run(command: &Command, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let wanted: Vec<Kind> = super::WANTED.iter().chain(ESCALATION_READS).copied().collect();
    let gathered = gather(&command.sources, &wanted, global, terminal)?;
    let authz = Authz::resolve(&gathered.snapshot, &options(&command.policy)?);
    let mut is_incomplete = tell_reading(&gathered.snapshot, terminal);
    let mut escalations = match &command.subject {
        Some(text) => authz.escalations_of(&subject::read(text)?.holder()),
        None => authz.escalations(),
    };
    if !command.all {
        escalations.found.retain(|one| one.provision == Provision::Own && !one.is_implied);
    }
    for unknown in &escalations.unknown {
        terminal.note(&format!("{}: {unknown}", if terminal.language == Language::English { "unknown" } else { "未知" }));
        is_incomplete = true;
    }
    let mut out = output::result();
    match command.output {
        ListFormat::Json => {
            serde_json::to_writer_pretty(&mut out, &Document { authz: &authz, escalations: &escalations })?;
            writeln!(out)?;
        }
        ListFormat::Text => write_text(&escalations, terminal.language, &mut out)?,
    }
    out.flush()?;
    Ok(if is_incomplete { Outcome::Incomplete } else { Outcome::Clean })
}

/// The longest word for a severity.
const SEVERITY_WIDTH: usize = 8;

fn write_text(escalations: &Escalations<'_>, language: Language, out: &mut impl Write) -> io::Result<()> {
    let mut last: Option<&Holder<'_>> = None;
    let mut found: Vec<&Escalation<'_>> = escalations.found.iter().collect();
    // The gravest first, for each subject; what is equally grave keeps its order.
    found.sort_by(|one, two| (&one.subject, two.primitive.severity).cmp(&(&two.subject, one.primitive.severity)));
    for one in found {
        if last != Some(&one.subject) {
            writeln!(out, "{}{}", if last.is_some() { "\n" } else { "" }, one.subject.said(language))?;
            last = Some(&one.subject);
        }
        let primitive = one.primitive;
        let grave = severity(primitive.severity, language);
        writeln!(
            out,
            "  {grave}{:blank$} {} ({})",
            "",
            primitive.title.text(language),
            primitive.id,
            blank = SEVERITY_WIDTH.saturating_sub(table::width(grave))
        )?;
        writeln!(out, "           {}: {}; {}", gained(language), gain(one, language), scope(one, language))?;
        for grant in &one.evidence {
            writeln!(out, "           {}", evidence(grant))?;
        }
        if let Certainty::Possible(doubts) = &one.certainty {
            for doubt in doubts {
                writeln!(out, "           {}: {}", possible(language), doubt.text(language))?;
            }
        }
        if one.provision != Provision::Own {
            writeln!(out, "           {}", granted_by(one.provision, language))?;
        }
        writeln!(out, "           {}: {}", remedy(language), primitive.remedy.text(language))?;
    }
    if escalations.found.is_empty() {
        writeln!(out, "{}", nothing(language))?;
    }
    Ok(())
}

fn gained(language: Language) -> &'static str {
    match language {
        Language::English => "gains",
        Language::Chinese => "获得",
    }
}

fn possible(language: Language) -> &'static str {
    match language {
        Language::English => "possible",
        Language::Chinese => "可能成立",
    }
}

fn remedy(language: Language) -> &'static str {
    match language {
        Language::English => "remedy",
        Language::Chinese => "修复",
    }
}

fn nothing(language: Language) -> &'static str {
    match language {
        Language::English => "nobody can become anybody else by what is granted here",
        Language::Chinese => "此处的授权不会让任何人成为其他身份",
    }
}

fn granted_by(provision: Provision, language: Language) -> String {
    match (provision, language) {
        (Provision::Vendor(vendor), Language::English) => format!("granted by {vendor}"),
        (Provision::Vendor(vendor), Language::Chinese) => format!("由 {vendor} 授予"),
        (_, Language::English) => "granted by Kubernetes itself".to_owned(),
        (_, Language::Chinese) => "由 Kubernetes 自身授予".to_owned(),
    }
}

fn gain(one: &Escalation<'_>, language: Language) -> String {
    let what = one.gain.title().text(language);
    match &one.names {
        None => what.to_owned(),
        Some(names) => format!("{what} {}", few(names.iter().map(AsRef::as_ref), ", ")),
    }
}

fn scope(one: &Escalation<'_>, language: Language) -> String {
    match (one.scope, language) {
        (Scope::Namespace(namespace), Language::English) => format!("in namespace {namespace}"),
        (Scope::Namespace(namespace), Language::Chinese) => format!("在命名空间 {namespace} 中"),
        (_, Language::English) => "in the whole cluster".to_owned(),
        (_, Language::Chinese) => "在整个集群中".to_owned(),
    }
}

fn evidence(grant: &GrantView<'_>) -> String {
    let binding = grant.binding;
    let home = binding.namespace().map_or_else(String::new, |namespace| format!("{namespace}/"));
    let place = grant.rule.location().map_or_else(String::new, |place| format!("  {}:{}", place.file, place.line));
    let text = format!("{} {home}{} -> {} {}: {}{place}", binding.kind(), binding.name(), binding.role_kind(), binding.role_name(), grant.rule);
    one_line(&text).into_owned()
}

/// The document, one way after the other: it is never in memory as a whole.
struct Document<'d> {
    authz: &'d Authz<'d>,
    escalations: &'d Escalations<'d>,
}

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let unknown: Vec<String> = self.escalations.unknown.iter().map(ToString::to_string).collect();
        let mut document = to.serialize_map(None)?;
        document.serialize_entry("schema", SCHEMA)?;
        document.serialize_entry("kubernetes_version", &self.authz.version().to_string())?;
        document.serialize_entry("assumptions", self.authz.assumptions())?;
        document.serialize_entry("escalations", &Ways(&self.escalations.found))?;
        document.serialize_entry("unknown", &unknown)?;
        document.end()
    }
}

/// Ways, each made when it is written.
struct Ways<'d>(&'d [Escalation<'d>]);

impl Serialize for Ways<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.0.iter().map(one))
    }
}

fn one(one: &Escalation<'_>) -> Value {
    let primitive = one.primitive;
    let doubts = match &one.certainty {
        Certainty::Confirmed => Vec::new(),
        Certainty::Possible(doubts) => doubts.iter().map(|doubt| json!({"kind": doubt.name(), "text": doubt.text(Language::English)})).collect(),
    };
    let evidence: Vec<Value> = one
        .evidence
        .iter()
        .map(|grant| {
            json!({
                "binding": grant.binding.reference(),
                "role": {"kind": grant.binding.role_kind(), "name": grant.binding.role_name()},
                "subject": {"kind": grant.subject.kind_name(), "namespace": grant.subject.namespace(), "name": grant.subject.name()},
                "rule": grant.rule.to_json(),
                "location": grant.rule.location(),
            })
        })
        .collect();
    json!({
        "subject": holder(&one.subject),
        "primitive": primitive.id,
        "title": primitive.title.text(Language::English),
        "severity": primitive.severity,
        "effect": primitive.effect.name(),
        "technique": primitive.technique,
        "namespace": match one.scope { Scope::Namespace(namespace) => Some(namespace), _ => None },
        "gain": one.gain.name(),
        "names": one.names.as_deref(),
        "certainty": if doubts.is_empty() { "confirmed" } else { "possible" },
        "doubts": doubts,
        "granted_by": one.provision.name(),
        "implied": one.is_implied,
        "evidence": evidence,
        "remedy": primitive.remedy.text(Language::English),
    })
}

fn holder(holder: &Holder<'_>) -> Value {
    match service_account_of(&holder.name).filter(|_| !holder.is_group) {
        Some((namespace, name)) => json!({"kind": "ServiceAccount", "namespace": namespace, "name": name}),
        None => json!({"kind": if holder.is_group { "Group" } else { "User" }, "name": holder.name}),
    }
}
