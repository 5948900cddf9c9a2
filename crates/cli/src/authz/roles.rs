//! `bartizan authz roles`

use std::io::Write;

use anyhow::Result;
use bartizan_authz::{Authz, RoleFact, RoleView};
use bartizan_report::{Language, Outcome};
use clap::Args;
use serde_json::{Value, json};

use super::args::Cluster;
use super::{called, named, place, table, tell};
use crate::args::{Global, ListFormat};
use crate::output::{self, Terminal};

/// `bartizan authz roles`
#[derive(Debug, Args)]
pub(crate) struct Roles {
    /// Those of the default policy as well.
    #[arg(short, long)]
    all: bool,
    /// Format.
    #[arg(short, long, value_enum, default_value_t = ListFormat::Text, help_heading = "Output")]
    output: ListFormat,
    #[command(flatten)]
    cluster: Cluster,
}

pub(super) fn run(roles: &Roles, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let gathered = roles.cluster.gather(global, terminal)?;
    let authz = Authz::resolve(&gathered.snapshot, &roles.cluster.options()?);
    let outcome = tell(&authz, terminal);
    let listed: Vec<_> = authz.role_inventory().into_iter().filter(|(_, facts)| roles.all || !facts.contains(&RoleFact::Default)).collect();
    let mut out = output::result();
    match roles.output {
        ListFormat::Text => {
            let head = match terminal.language {
                Language::English => ["ROLE", "RULES", "BINDINGS", "NOTE", "PLACE"],
                Language::Chinese => ["角色", "规则", "绑定", "备注", "位置"],
            };
            let rows: Vec<Vec<String>> = listed
                .iter()
                .map(|(role, facts)| {
                    let notes: Vec<String> = facts.iter().map(|fact| note(fact, terminal.language)).collect();
                    vec![
                        called(role.kind(), role.namespace(), role.name()),
                        role.rules().len().to_string(),
                        authz.bindings_of(*role).to_string(),
                        notes.join("; "),
                        place(role.location().as_ref()),
                    ]
                })
                .collect();
            table::write(&head, &rows, &mut out)?;
            for binding in authz.dangling() {
                let target = called(binding.role_kind(), if binding.role_kind() == "Role" { binding.namespace() } else { None }, binding.role_name());
                let text = match terminal.language {
                    Language::English => format!("{target} does not exist"),
                    Language::Chinese => format!("{target} 不存在"),
                };
                writeln!(out, "{}: {text}  {}", called(binding.kind(), binding.namespace(), binding.name()), place(binding.location().as_ref()))?;
            }
        }
        ListFormat::Json => {
            let role_json = |role: RoleView<'_>| named(role.kind(), role.namespace(), role.name(), role.location().as_ref());
            let rows: Vec<Value> = listed
                .iter()
                .map(|(role, facts)| {
                    let mut row = role_json(*role);
                    let facts: Vec<Value> = facts.iter().map(|fact| fact_json(fact, &role_json)).collect();
                    if let Some(map) = row.as_object_mut() {
                        map.insert("rules".to_owned(), json!(role.rules().len()));
                        map.insert("bindings".to_owned(), json!(authz.bindings_of(*role)));
                        map.insert("facts".to_owned(), json!(facts));
                    }
                    row
                })
                .collect();
            let dangling: Vec<Value> = authz
                .dangling()
                .map(|binding| {
                    let mut row = named(binding.kind(), binding.namespace(), binding.name(), binding.location().as_ref());
                    if let Some(map) = row.as_object_mut() {
                        map.insert("role".to_owned(), json!({ "kind": binding.role_kind(), "name": binding.role_name() }));
                    }
                    row
                })
                .collect();
            let answer = json!({ "roles": rows, "dangling": dangling, "assumptions": authz.assumptions() });
            writeln!(out, "{}", serde_json::to_string_pretty(&answer)?)?;
        }
    }
    out.flush()?;
    Ok(outcome)
}

fn note(fact: &RoleFact<'_>, language: Language) -> String {
    let one = |role: &RoleView<'_>| called(role.kind(), role.namespace(), role.name());
    match (fact, language) {
        (RoleFact::Unused, Language::English) => "unused".to_owned(),
        (RoleFact::Unused, Language::Chinese) => "未使用".to_owned(),
        (RoleFact::Empty, Language::English) => "no rules".to_owned(),
        (RoleFact::Empty, Language::Chinese) => "没有规则".to_owned(),
        (RoleFact::Aggregated, Language::English) => "aggregated".to_owned(),
        (RoleFact::Aggregated, Language::Chinese) => "聚合".to_owned(),
        (RoleFact::Overwritten, Language::English) => "its own rules are overwritten by aggregation".to_owned(),
        (RoleFact::Overwritten, Language::Chinese) => "自身规则会被聚合覆盖".to_owned(),
        (RoleFact::Drifted, Language::English) => "stored rules differ from what its selectors make".to_owned(),
        (RoleFact::Drifted, Language::Chinese) => "存储的规则与选择器的聚合结果不同".to_owned(),
        (RoleFact::Circular(with), Language::English) => format!("takes in the rules of {}, which takes in its own", one(with)),
        (RoleFact::Circular(with), Language::Chinese) => format!("与 {} 互相聚合", one(with)),
        (RoleFact::UnknownVerb(verb), Language::English) => format!("no request has the verb `{verb}`"),
        (RoleFact::UnknownVerb(verb), Language::Chinese) => format!("没有请求使用动词 `{verb}`"),
        (RoleFact::Duplicate(of), Language::English) => format!("same rules as {}", one(of)),
        (RoleFact::Duplicate(of), Language::Chinese) => format!("与 {} 规则相同", one(of)),
        (RoleFact::Contained(by), Language::English) => format!("all of it is in {}", one(by)),
        (RoleFact::Contained(by), Language::Chinese) => format!("完全包含于 {}", one(by)),
        (RoleFact::Default, Language::English) => "default".to_owned(),
        (RoleFact::Default, Language::Chinese) => "默认".to_owned(),
        (RoleFact::ModifiedDefault, Language::English) => "a default role that was changed".to_owned(),
        (RoleFact::ModifiedDefault, Language::Chinese) => "被修改过的默认角色".to_owned(),
    }
}

fn fact_json(fact: &RoleFact<'_>, role_json: &dyn Fn(RoleView<'_>) -> Value) -> Value {
    match fact {
        RoleFact::Duplicate(of) => json!({ "fact": fact.name(), "role": role_json(*of) }),
        RoleFact::Contained(by) | RoleFact::Circular(by) => json!({ "fact": fact.name(), "role": role_json(*by) }),
        RoleFact::UnknownVerb(verb) => json!({ "fact": fact.name(), "verb": verb }),
        _ => json!({ "fact": fact.name() }),
    }
}
