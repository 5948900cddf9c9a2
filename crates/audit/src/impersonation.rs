//! What somebody had to be allowed in order to act as somebody else, worked out from whom they became.
//!
//! The event names the result, not the headers that asked for it. The server adds groups of its own, so a group that it would
//! have added may have been asked for as well: such a question is possible, not certain.

use std::borrow::Cow;

use bartizan_cluster::access::{self, AUTHENTICATED, Action, NODE_PREFIX, Resource, SERVICE_ACCOUNTS, Target, UNAUTHENTICATED};

use crate::access::{Certainty, UserText};
use crate::event::Event;

/// The group of the API in which constrained impersonation, user extras and uids stand.
const AUTHENTICATION: &str = "authentication.k8s.io";

/// So many groups or extras at once, and constrained impersonation asks for all of them together, by this name, before it asks
/// for each. Which of the two was allowed, the event does not tell.
const MANY: usize = 4;
const ALL: &str = "*";

/// Hands out the questions that the authorizer was asked about the user who logged in.
pub(crate) fn requests(event: &Event<'_>, action: &Action<'_>, mut take: impl FnMut(Action<'_>, Certainty)) {
    let Some(text) = event.impersonated_user() else { return };
    let Ok(wanted) = serde_json::from_str::<UserText<'_>>(text.get()) else { return };
    let constraint = event.impersonation_constraint();
    let mode = constraint.strip_prefix("impersonate:");
    let (verb, group) = if mode.is_some() { (constraint, AUTHENTICATION) } else { ("impersonate", "") };
    if let Some(mode) = mode {
        take(Action { verb: format!("impersonate-on:{mode}:{}", action.verb).into(), ..action.clone() }, Certainty::Certain);
    }
    let mut ask = |resource: Resource<'_>, certainty| take(Action { verb: Cow::Borrowed(verb), target: Target::Resource(resource) }, certainty);

    let user = &*wanted.username.0;
    let name = match (mode, user.strip_prefix(NODE_PREFIX), access::service_account_of(user)) {
        // The associated node is asked for as any node.
        (Some("associated-node"), Some(_), _) => Resource::new(group, "nodes").named(ALL),
        (Some(_), Some(node), _) => Resource::new(group, "nodes").named(node),
        (_, _, Some((namespace, account))) => Resource::new(group, "serviceaccounts").within(namespace).named(account),
        _ => Resource::new(group, "users").named(user),
    };
    ask(name, Certainty::Certain);
    if !wanted.uid.0.is_empty() {
        ask(Resource::new(AUTHENTICATION, "uids").named(&*wanted.uid.0), Certainty::Certain);
    }
    let groups: Vec<&str> = wanted.groups.iter().flatten().map(|group| &*group.0).collect();
    let asked = asked_groups(user, mode, &groups);
    let together = mode.is_some() && asked.len() >= MANY;
    if together {
        ask(Resource::new(group, "groups").named(ALL), Certainty::Possible);
    }
    for (name, certainty) in asked {
        ask(Resource::new(group, "groups").named(name), if together { Certainty::Possible } else { certainty });
    }
    let extras = wanted.extra.iter().flatten();
    let values = extras.clone().map(|(_, values)| values.as_ref().map_or(0, Vec::len)).sum::<usize>();
    let together = mode.is_some() && (values >= MANY || extras.clone().count() >= MANY);
    if together {
        let all = Resource { subresource: ALL.into(), ..Resource::new(AUTHENTICATION, "userextras") };
        ask(all.named(ALL), Certainty::Possible);
    }
    for (key, values) in extras {
        for value in values.iter().flatten() {
            let extra = Resource { subresource: Cow::Borrowed(key), ..Resource::new(AUTHENTICATION, "userextras") };
            ask(extra.named(&*value.0), if together { Certainty::Possible } else { Certainty::Certain });
        }
    }
}

/// Which of the groups that somebody ended up in they had asked for.
fn asked_groups<'g>(user: &str, mode: Option<&str>, groups: &[&'g str]) -> Vec<(&'g str, Certainty)> {
    if mode.is_some_and(|mode| mode != "user-info") {
        // Nodes and ServiceAccounts have fixed groups there.
        return Vec::new();
    }
    // What the server added is the end of the list: everybody's group, if it was not asked for.
    let everybody = if user == access::ANONYMOUS { UNAUTHENTICATED } else { AUTHENTICATED };
    let (given, added) = match groups.split_last() {
        Some((&last, given)) if last == everybody => (given, Some(last)),
        _ => (groups, None),
    };
    let is_fixed = access::service_account_of(user).is_some_and(|(namespace, _)| match given {
        [all, own] => *all == SERVICE_ACCOUNTS && own.strip_prefix(SERVICE_ACCOUNTS).and_then(|own| own.strip_prefix(':')) == Some(namespace),
        _ => false,
    });
    let certainty = if is_fixed { Certainty::Possible } else { Certainty::Certain };
    given.iter().map(|&group| (group, certainty)).chain(added.map(|group| (group, Certainty::Possible))).collect()
}
