//! `unknown-field`: a field that the API server does not know, and drops.

use bartizan_cluster::{Kind, KubernetesVersion, ObjectView, Value, schema};
use bartizan_report::{Check, PatchOperation, Safety, Severity, Stage};

use crate::sink::remove;
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "unknown-field",
        severity: Severity::Medium,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("unknown_field.md"),
    },
    reads: &[],
    judge: Judge::AnyObject(judge),
};

fn judge<'a>(object: ObjectView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    // What a server stores holds no field that the server does not know, but it may be newer than the table of fields.
    let is_stored = !facts.from_files() || object.uid().is_some();
    if is_stored || facts.version() > KubernetesVersion::NEWEST {
        return out.not_applicable();
    }
    let unknown = schema::unknown_fields(object);
    if unknown.is_empty() && !schema::is_described(object) {
        return out.not_applicable();
    }
    for field in unknown {
        let (value, name) = (field.value, field.value.key());
        let Some(meant) = field.suggestion else {
            out.fail(value, msg!("unknown", field = name));
            continue;
        };
        let raised = out.fail(value, msg!("near", field = name, meant = meant));
        // Where both names stand, one of them is wrong; and of a Secret no value is there that could be moved.
        if !field.is_taken && object.kind() != Kind::Secret {
            raised.fix(Safety::Unsafe, renamed(value, meant));
        }
    }
    out.done()
}

/// The change that gives a field the name that was meant.
fn renamed(value: Value<'_>, meant: &str) -> Vec<PatchOperation> {
    let path = value.path();
    let (map, _) = path.pointer().rsplit_once('/').unwrap_or_default();
    vec![PatchOperation::Add { path: format!("{map}/{meant}"), value: value.to_json() }, remove(&value.into())]
}
