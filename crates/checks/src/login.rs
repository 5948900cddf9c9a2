//! How checks of logins are judged: from the inventory of the authorization engine, which reads every mechanism.
//!
//! A fault is said where it was found, under its own name. That nothing is wrong is said once, for the cluster, and only where
//! everything was seen that could show it.

use std::collections::BTreeMap;

use bartizan_authz::login::{Judgement, Login, Section, State};
use bartizan_cluster::{Missing, ObjectRef, Reason, Snapshot};

use crate::entry::Logins;
use crate::facts::Facts;
use crate::sink::{Msg, Raised};

/// What was found of one check.
pub(crate) enum Found<'a> {
    /// Faults, by what they are faults of.
    Faults(BTreeMap<ObjectRef, Vec<Raised<'a>>>),
    /// Nothing is wrong.
    Nothing,
    /// There is nothing to judge in this input.
    NoSubject(Option<Missing>),
    /// What would tell was asked for and not had.
    Lost(Missing),
}

/// Looks for the faults of `wanted`.
pub(crate) fn look<'a>(wanted: &'static Logins, facts: &Facts<'a>, snapshot: &'a Snapshot) -> Found<'a> {
    let inventory = facts.logins(wanted.mechanisms);
    let sections: Vec<&Section> = wanted.mechanisms.iter().filter_map(|&mechanism| inventory.section(mechanism)).collect();
    let mut faults: BTreeMap<ObjectRef, Vec<Raised<'a>>> = BTreeMap::new();
    for login in sections.iter().flat_map(|section| &section.logins) {
        for judgement in &login.judgements {
            let Some(&key) = wanted.faults.iter().find(|&&fault| fault == judgement.fault.id) else { continue };
            let Some(subject) = login.place.subject().cloned().or_else(|| login.place.file.as_deref().map(file)) else { continue };
            faults.entry(subject).or_default().push(raised(key, login, judgement, facts, snapshot));
        }
    }
    if !faults.is_empty() {
        return Found::Faults(faults);
    }
    if let Some(missing) = facts.lost() {
        return Found::Lost(missing);
    }
    let unseen = sections.iter().flat_map(|section| &section.unseen).next();
    let unseen = unseen.map(|unseen| Missing { fact: unseen.fact.clone(), scope: "cluster".to_owned(), reason: Reason::NotInSource });
    let is_judged = sections.iter().all(|section| !section.logins.is_empty() || section.state == State::Off);
    if is_judged { Found::Nothing } else { Found::NoSubject(unseen) }
}

/// A file of a node, as the subject of a finding.
fn file(name: &str) -> ObjectRef {
    ObjectRef { api_version: String::new(), kind: "File".to_owned(), namespace: None, name: name.to_owned() }
}

fn raised<'a>(key: &'static str, login: &Login, judgement: &Judgement, facts: &Facts<'a>, snapshot: &'a Snapshot) -> Raised<'a> {
    let mut place = judgement.place.clone().unwrap_or_else(|| login.place.clone());
    // A configuration that stands in a ConfigMap may have lines of its own, which are in no file.
    place.location = place.location.filter(|location| !facts.is_text_of_map(&location.file));
    let object = login.place.object.as_ref().and_then(|object| snapshot.find_reference(object));
    Raised { spot: None, place: Some(place), object, container: None, message: Msg { key, args: judgement.args.clone() }, fix: None, related: Vec::new() }
}
