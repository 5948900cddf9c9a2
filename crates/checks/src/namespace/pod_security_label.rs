//! `pod-security-label`: a label that was meant for Pod Security admission and does not say what its author thinks.

use bartizan_cluster::{KubernetesVersion, ObjectView, Value};
use bartizan_report::{Check, PatchOperation, Safety, Severity, Stage, suggest};

use super::{POD_SECURITY, set_label};
use crate::pod_security::Level;
use crate::sink::{Sink, remove};
use crate::{Entry, Facts, Judge, Judged, msg};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "pod-security-label",
        severity: Severity::Medium,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("pod_security_label.md"),
    },
    reads: &[],
    judge: Judge::Namespace(judge),
};

/// What follows the prefix in the labels that are read.
const NAMES: [&str; 6] = ["enforce", "enforce-version", "audit", "audit-version", "warn", "warn-version"];

fn judge<'a>(namespace: ObjectView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    let mut concerned = false;
    for (key, value) in namespace.labels().into_iter().flat_map(Value::entries) {
        match key.strip_prefix(POD_SECURITY) {
            Some(name) if NAMES.contains(&name) => {
                concerned = true;
                judge_value(namespace, name, value, facts.version(), out);
            }
            known_prefix => {
                let meant = meant(key);
                if known_prefix.is_some() || meant.is_some() {
                    concerned = true;
                    judge_key(namespace, key, value, meant, out);
                }
            }
        }
    }
    for (key, value) in namespace.annotations().into_iter().flat_map(Value::entries) {
        let Some(name) = key.strip_prefix(POD_SECURITY).filter(|name| NAMES.contains(name)) else { continue };
        concerned = true;
        let change = moved(namespace, name, value);
        out.fail(value, msg!("annotation", key = key)).fix(safety(name), change);
    }
    if concerned { out.done() } else { out.not_applicable() }
}

/// A key that nothing reads.
fn judge_key<'a>(namespace: ObjectView<'a>, key: &str, value: Value<'a>, meant: Option<&'static str>, out: &mut Sink<'a>) {
    match meant {
        Some(name) => {
            let change = moved(namespace, name, value);
            out.fail(value, msg!("near", key = key, meant = format!("{POD_SECURITY}{name}"))).fix(safety(name), change);
        }
        None => {
            out.fail(value, msg!("unknown", key = key)).fix(Safety::Safe, [remove(&value.into())]);
        }
    }
}

/// The value of a key that is read.
fn judge_value<'a>(namespace: ObjectView<'a>, name: &str, value: Value<'a>, version: KubernetesVersion, out: &mut Sink<'a>) {
    let (key, text) = (format!("{POD_SECURITY}{name}"), value.as_str().map_or_else(|| value.display(), str::to_owned));
    let replaced = |value: &str| [set_label(namespace, &key, value)];
    let Some(mode) = name.strip_suffix("-version") else {
        if Level::named(&text).is_none() {
            let meant = suggest::nearest(&text, Level::ALL.map(Level::name));
            let raised = out.fail(value, msg!("level", key = key, value = text));
            if let Some(level) = meant {
                raised.fix(safety(name), replaced(level));
            }
        }
        return;
    };
    if !is_set(namespace, mode) {
        out.fail(value, msg!("alone", key = key, mode = mode)).fix(Safety::Safe, [remove(&value.into())]);
        return;
    }
    match policy_version(&text) {
        Some(minor) if minor <= u32::from(version.minor_number()) => {}
        Some(_) => {
            out.fail(value, msg!("ahead", key = key, value = text, version = version)).fix(safety(name), replaced("latest"));
        }
        None if text == "latest" => {}
        None => {
            let meant = text.parse::<KubernetesVersion>().map_or_else(|_| "latest".to_owned(), |version| format!("v{version}"));
            out.fail(value, msg!("version", key = key, value = text)).fix(safety(name), replaced(&meant));
        }
    }
}

/// Whether a version of `mode` has a level to belong to. What is enforced is also warned of.
fn is_set(namespace: ObjectView<'_>, mode: &str) -> bool {
    let has = |mode: &str| namespace.labels().is_some_and(|labels| labels.entry(&format!("{POD_SECURITY}{mode}")).is_some());
    has(mode) || (mode == "warn" && has("enforce"))
}

/// The minor version that a label names: `v1.30`, and nothing shorter, longer or padded.
fn policy_version(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("v1.")?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    digits.parse().ok().filter(|_| plain)
}

/// The label that somebody wanted to write, where a key is near enough to one.
fn meant(key: &str) -> Option<&'static str> {
    // Whatever stands between the letters is what people get wrong.
    let squeezed: String = key.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect();
    if !squeezed.starts_with("podsec") {
        return None;
    }
    match key.rsplit_once('/') {
        Some((_, name)) => suggest::nearest(name, NAMES),
        None => NAMES.into_iter().filter(|name| key.ends_with(name)).max_by_key(|name| name.len()),
    }
}

/// The change that writes what was meant, as a label, and takes the useless entry away.
fn moved(namespace: ObjectView<'_>, name: &str, value: Value<'_>) -> Vec<PatchOperation> {
    let there = namespace.labels().is_some_and(|labels| labels.entry(&format!("{POD_SECURITY}{name}")).is_some());
    let mut change = vec![remove(&value.into())];
    if !there {
        change.insert(0, set_label(namespace, &format!("{POD_SECURITY}{name}"), &value.display()));
    }
    change
}

/// What is enforced may stop pods; audit and warnings do not.
fn safety(name: &str) -> Safety {
    if name.starts_with("enforce") { Safety::Unsafe } else { Safety::Safe }
}
