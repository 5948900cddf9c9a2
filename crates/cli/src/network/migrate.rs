//! `bartizan network migrate`: policies that can be applied go to standard output, what is to be known of them beside.

use std::io::{self, BufWriter, Write};

use anyhow::Result;
use bartizan_network::{Feature, IMPLEMENTATIONS, Migration, Relation, Support, Verified, migrate};
use bartizan_report::{Language, Outcome, render};
use serde_json::{Value, json};

use super::args::{Migrate, MigrateFormat};
use super::{gather, tell_problems, verified};
use crate::args::Global;
use crate::output::Terminal;

pub(super) fn run(options: &Migrate, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let gathered = gather(&options.sources, global, terminal)?;
    let network = bartizan_network::Network::resolve(&gathered.snapshot, bartizan_network::Model::Kubernetes);
    let is_incomplete = tell_problems(&gathered.snapshot, &network, terminal);
    let migration = migrate(&gathered.snapshot);
    let mut out = BufWriter::new(io::stdout().lock());
    match options.output {
        MigrateFormat::Yaml => {
            for document in &migration.documents {
                writeln!(out, "---\n# {}", document.from)?;
                render::manifest(&document.object, &mut out)?;
            }
            for line in lines(&migration, terminal.language) {
                terminal.note(&line);
            }
        }
        MigrateFormat::Json => writeln!(out, "{}", serde_json::to_string_pretty(&as_json(&migration))?)?,
        MigrateFormat::Text => {
            for document in &migration.documents {
                let name = document.object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or("");
                writeln!(out, "{} -> ClusterNetworkPolicy/{name}", document.from)?;
            }
            for line in lines(&migration, terminal.language) {
                writeln!(out, "{line}")?;
            }
        }
    }
    out.flush()?;
    let is_equal = migration.refused.is_empty() && migration.proof.holds();
    Ok(match (is_equal, is_incomplete) {
        (false, _) => Outcome::Findings,
        (true, true) => Outcome::Incomplete,
        (true, false) => Outcome::Clean,
    })
}

/// What is to be known, a line each.
fn lines(migration: &Migration, language: Language) -> Vec<String> {
    let mut lines = Vec::new();
    if migration.documents.is_empty() && migration.refused.is_empty() {
        lines.push(match language {
            Language::English => "there is no AdminNetworkPolicy and no BaselineAdminNetworkPolicy".to_owned(),
            Language::Chinese => "没有 AdminNetworkPolicy 或 BaselineAdminNetworkPolicy".to_owned(),
        });
        return lines;
    }
    for refused in &migration.refused {
        let place = refused.location.as_ref().map_or_else(String::new, |place| format!(" ({}:{})", place.file, place.line));
        let (not_migrated, shown) = match language {
            Language::English => ("not migrated", "the nearest translation differs"),
            Language::Chinese => ("未迁移", "最接近的翻译与之不同"),
        };
        lines.push(format!("{not_migrated}: {}{place}: {}", refused.policy, refused.reason.text(language)));
        lines.extend(refused.witness.iter().map(|witness| format!("  {shown}: {}", verified(witness, language))));
    }
    lines.extend(migration.notes.iter().map(|note| format!("{} {}", note.policy, note.remark.text(language))));
    lines.extend(unenforced(&migration.features, language));
    lines.push(proof(migration, language).to_owned());
    lines.extend(differing(migration).map(|one| format!("  {}", verified(one, language))));
    lines
}

fn differing(migration: &Migration) -> impl Iterator<Item = &Verified> {
    migration.proof.shown.iter().filter(|_| !migration.proof.holds())
}

fn proof(migration: &Migration, language: Language) -> &'static str {
    let proof = &migration.proof;
    match (proof.holds(), proof.rules_are_equal, language) {
        (true, true, Language::English) => "proven: the rules say the same whatever runs in the cluster, and nothing that is allowed in the input changes",
        (true, true, Language::Chinese) => "已证明：无论集群中运行什么，规则含义相同；输入中所允许的连接没有变化",
        (true, false, Language::English) => "proven for the input: nothing that is allowed in it changes",
        (true, false, Language::Chinese) => "已就输入证明：其中所允许的连接没有变化",
        (false, _, Language::English) if proof.relation == Relation::Undecided => "not proven: what is not known does not let anybody tell",
        (false, _, Language::Chinese) if proof.relation == Relation::Undecided => "未能证明：未知的事实使结论无法得出",
        (false, _, Language::English) => "refuted: what is allowed changes",
        (false, _, Language::Chinese) => "已被反驳：所允许的连接有变化",
    }
}

/// What is used and not everybody enforces.
fn unenforced(features: &[Feature], language: Language) -> Vec<String> {
    let mut lines = Vec::new();
    for implementation in IMPLEMENTATIONS {
        let of = |support: Support| {
            features.iter().filter(move |feature| implementation.support(**feature) == support).map(|feature| format!("`{}`", feature.name()))
        };
        for support in [Support::Ignored, Support::Rejected, Support::Unknown] {
            let names: Vec<String> = of(support).collect();
            if names.is_empty() {
                continue;
            }
            let verb = match (support, language) {
                (Support::Ignored, Language::English) => "does not enforce",
                (Support::Ignored, Language::Chinese) => "不执行",
                (Support::Rejected, Language::English) => "rejects",
                (Support::Rejected, Language::Chinese) => "拒绝",
                (_, Language::English) => "may not enforce (not verified)",
                (_, Language::Chinese) => "可能不执行（未验证）",
            };
            lines.push(format!("{} {verb} {} ({})", implementation.name, names.join(", "), implementation.evidence));
        }
    }
    lines
}

fn as_json(migration: &Migration) -> Value {
    let language = Language::English;
    let refused: Vec<Value> = migration
        .refused
        .iter()
        .map(|refused| json!({ "policy": refused.policy, "location": refused.location, "reason": refused.reason.text(language), "witness": refused.witness }))
        .collect();
    let notes: Vec<Value> = migration.notes.iter().map(|note| json!({ "policy": note.policy, "note": note.remark.text(language) })).collect();
    let documents: Vec<Value> = migration.documents.iter().map(|document| json!({ "from": document.from, "object": document.object })).collect();
    let implementations: Vec<Value> = IMPLEMENTATIONS
        .iter()
        .map(|implementation| {
            let support: serde_json::Map<String, Value> =
                migration.features.iter().map(|&feature| (feature.name().to_owned(), json!(implementation.support(feature)))).collect();
            json!({ "name": implementation.name, "since": implementation.since, "support": support, "evidence": implementation.evidence })
        })
        .collect();
    json!({
        "schema": "bartizan.migration/1",
        "documents": documents,
        "refused": refused,
        "notes": notes,
        "proof": { "holds": migration.proof.holds(), "rules_are_equal": migration.proof.rules_are_equal, "relation": migration.proof.relation, "shown": migration.proof.shown },
        "implementations": implementations,
    })
}
