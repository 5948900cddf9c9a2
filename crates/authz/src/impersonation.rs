//! Impersonation: whether the API server lets somebody act as somebody else for one request, and as whom they then go on.
//!
//! The classic way asks for the verb `impersonate` on everything that is wanted: the user or ServiceAccount, each group, the uid, each
//! extra value. Constrained impersonation (KEP-5284, feature `ConstrainedImpersonation`) asks for `impersonate:MODE` on the same
//! things in the group `authentication.k8s.io`, and for `impersonate-on:MODE:VERB` on the request itself; the mode follows from who
//! is wanted and who asks. The server tries every mode that fits and the classic way last
//! (`k8s.io/apiserver/pkg/endpoints/filters/impersonation`); one that lets the request through is enough. What the impersonated user may
//! do is another question. Start at [`Authz::impersonate`].

use std::borrow::Cow;

use bartizan_cluster::access::{
    ANONYMOUS, AUTHENTICATED, Action, NODE_PREFIX, NODES, PRIVILEGED_GROUP, Request, Resource, SERVICE_ACCOUNTS, Target, Text, UNAUTHENTICATED, User,
    service_account_of,
};
use bartizan_cluster::label::is_dns_subdomain;

use crate::Authz;
use crate::decision::{Decision, Unknown};
use crate::feature::CONSTRAINED_IMPERSONATION;

const AUTHENTICATION: &str = "authentication.k8s.io";

/// The property by which a ServiceAccount's token says on which node its pod runs.
const NODE_NAME: &str = "authentication.kubernetes.io/node-name";

/// From so many groups or extra values on, constrained modes ask for all of them, called `*`, before they ask for each.
const MANY: usize = 4;

/// The way by which somebody impersonates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mode {
    /// A ServiceAccount of a pod as the node on which the pod runs.
    AssociatedNode,
    /// Any node.
    ArbitraryNode,
    /// A ServiceAccount.
    ServiceAccount,
    /// Any other user, with groups, uid and extra values.
    UserInfo,
    /// By the verb `impersonate`, whoever is wanted and whatever is asked.
    Classic,
}

impl Mode {
    /// The name in verbs; `legacy` for the classic one, as in the server's metrics.
    pub fn name(self) -> &'static str {
        match self {
            Mode::AssociatedNode => "associated-node",
            Mode::ArbitraryNode => "arbitrary-node",
            Mode::ServiceAccount => "serviceaccount",
            Mode::UserInfo => "user-info",
            Mode::Classic => "legacy",
        }
    }

    /// The verb that is asked for on what is wanted.
    fn verb(self) -> String {
        if self == Mode::Classic { "impersonate".to_owned() } else { format!("impersonate:{}", self.name()) }
    }
}

/// What keeps a mode from letting the request through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// This is not allowed to whoever asks.
    NotAllowed(Action<'static>),
    /// Constrained modes never give out `system:masters`.
    PrivilegedGroup,
    /// Constrained modes take no group, extra key or value that is empty, and no key that is not a path behind a domain in lower
    /// case.
    Malformed(String),
}

/// Whether the server lets somebody act as somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Impersonation {
    /// By one of these modes, as this user, in the order in which they are tried. The server remembers by which mode somebody came
    /// through the last time, and tries that before the others; whom one becomes differs for nodes only, which constrained modes put
    /// into `system:nodes`.
    Allowed(Vec<(Mode, User<'static>)>),
    /// By no mode that fits: what each lacks.
    Refused(Vec<(Mode, Obstacle)>),
    /// It depends on what is not known.
    Unknown(Vec<Unknown>),
    /// Groups, uid or extra values are wanted without the name of a user: a bad request.
    Nameless,
}

/// An answer to some of the questions that a mode asks.
enum Said {
    Yes,
    No(Obstacle),
    Open(Vec<Unknown>),
}

impl Said {
    /// Both must be yes; a no is a no, whatever is open.
    fn and(self, other: impl FnOnce() -> Self) -> Self {
        match self {
            Said::Yes => other(),
            Said::No(_) => self,
            Said::Open(mut causes) => match other() {
                Said::Yes => Said::Open(causes),
                Said::No(obstacle) => Said::No(obstacle),
                Said::Open(more) => {
                    causes.extend(more);
                    Said::Open(causes)
                }
            },
        }
    }

    /// One yes is enough.
    fn or(self, other: impl FnOnce() -> Self) -> Self {
        match (self, other) {
            (Said::Yes, _) => Said::Yes,
            (Said::No(_), other) => other(),
            (Said::Open(causes), other) => match other() {
                Said::Yes => Said::Yes,
                _ => Said::Open(causes),
            },
        }
    }
}

impl Authz<'_> {
    /// Whether the server lets `requestor` do `action` as `wanted`, and as whom it then goes on: groups that are not wanted are
    /// those that the name brings along.
    pub fn impersonate(&self, requestor: &User<'_>, wanted: &User<'_>, action: &Action<'_>) -> Impersonation {
        if wanted.name.is_empty() {
            return Impersonation::Nameless;
        }
        let is_constrained = self.server.features.known(CONSTRAINED_IMPERSONATION);
        let (mut allowed, mut refused, mut open) = (Vec::new(), Vec::new(), Vec::new());
        for mode in self.modes(requestor, wanted) {
            let asked = Asked { authz: self, requestor, mode };
            match asked.on(action).and(|| asked.of(wanted)) {
                // The verbs may be granted where the server does not know them.
                Said::Yes if mode != Mode::Classic && is_constrained.is_none() => open.push(Unknown::Feature(CONSTRAINED_IMPERSONATION.name)),
                Said::Yes => allowed.push((mode, becomes(wanted, mode))),
                Said::No(obstacle) => refused.push((mode, obstacle)),
                Said::Open(causes) => open.extend(causes),
            }
        }
        if !allowed.is_empty() {
            Impersonation::Allowed(allowed)
        } else if open.is_empty() {
            Impersonation::Refused(refused)
        } else {
            Impersonation::Unknown(open)
        }
    }

    /// The modes that fit, in the order in which they are tried.
    fn modes(&self, requestor: &User<'_>, wanted: &User<'_>) -> Vec<Mode> {
        let mut modes = Vec::new();
        if self.server.features.known(CONSTRAINED_IMPERSONATION) != Some(false) {
            let is_name_only = wanted.uid.is_empty() && wanted.groups.is_empty() && wanted.extra.is_empty();
            match (node_of(&wanted.name), account_of(&wanted.name)) {
                (Some(node), _) if is_name_only => {
                    modes.extend(is_on_node(requestor, node).then_some(Mode::AssociatedNode));
                    modes.push(Mode::ArbitraryNode);
                }
                (_, Some(_)) if is_name_only => modes.push(Mode::ServiceAccount),
                (None, None) => modes.push(Mode::UserInfo),
                _ => {}
            }
        }
        modes.push(Mode::Classic);
        modes
    }
}

/// The questions of one mode.
struct Asked<'a> {
    authz: &'a Authz<'a>,
    requestor: &'a User<'a>,
    mode: Mode,
}

impl Asked<'_> {
    /// Whether the request itself may be made by this mode.
    fn on(&self, action: &Action<'_>) -> Said {
        if self.mode == Mode::Classic {
            return Said::Yes;
        }
        let verb = format!("impersonate-on:{}:{}", self.mode.name(), action.verb);
        self.ask(Action { verb: verb.into(), target: action.target.clone() })
    }

    /// Whether everything that is wanted may be taken on.
    fn of(&self, wanted: &User<'_>) -> Said {
        self.user(&wanted.name).and(|| self.uid(&wanted.uid)).and(|| self.groups(&wanted.groups)).and(|| self.extras(&wanted.extra))
    }

    fn user(&self, name: &str) -> Said {
        let group = self.group_of_users();
        let target = match (node_of(name), account_of(name)) {
            // The server remembers the answer for every node, and so asks about every node.
            (Some(_), _) if self.mode == Mode::AssociatedNode => Resource::new(group, "nodes").named("*"),
            (Some(node), _) if self.mode != Mode::Classic => Resource::new(group, "nodes").named(node),
            (_, Some((namespace, account))) => Resource::new(group, "serviceaccounts").within(namespace).named(account),
            _ => Resource::new(group, "users").named(name),
        };
        self.take(target)
    }

    fn uid(&self, uid: &str) -> Said {
        if uid.is_empty() { Said::Yes } else { self.take(Resource::new(AUTHENTICATION, "uids").named(uid)) }
    }

    fn groups(&self, groups: &[Text<'_>]) -> Said {
        let take = |name: &str| self.take(Resource::new(self.group_of_users(), "groups").named(name));
        let each = || groups.iter().fold(Said::Yes, |said, group| said.and(|| take(group)));
        if self.mode == Mode::Classic || groups.is_empty() {
            return each();
        }
        if groups.iter().any(|group| group.is_empty()) {
            return Said::No(Obstacle::Malformed("an empty group".to_owned()));
        }
        if groups.iter().any(|group| group == PRIVILEGED_GROUP) {
            return Said::No(Obstacle::PrivilegedGroup);
        }
        if groups.len() >= MANY { take("*").or(each) } else { each() }
    }

    fn extras(&self, extra: &[(Text<'_>, Vec<Text<'_>>)]) -> Said {
        let take = |key: &str, value: &str| {
            self.take(Resource { subresource: key.to_owned().into(), ..Resource::new(AUTHENTICATION, "userextras").named(value.to_owned()) })
        };
        let values = || extra.iter().flat_map(|(key, values)| values.iter().map(move |value| (key, value)));
        let each = || values().fold(Said::Yes, |said, (key, value)| said.and(|| take(key, value)));
        if self.mode == Mode::Classic || extra.is_empty() {
            return each();
        }
        if let Some(fault) = extra.iter().find_map(|(key, values)| fault_of(key, values)) {
            return Said::No(Obstacle::Malformed(fault));
        }
        if extra.len() >= MANY || values().count() >= MANY { take("*", "*").or(each) } else { each() }
    }

    /// The API group of what is wanted.
    fn group_of_users(&self) -> &'static str {
        if self.mode == Mode::Classic { "" } else { AUTHENTICATION }
    }

    fn take(&self, target: Resource<'_>) -> Said {
        self.ask(Action { verb: self.mode.verb().into(), target: Target::Resource(Resource { version: "v1".into(), ..target }) })
    }

    fn ask(&self, action: Action<'_>) -> Said {
        let request = Request { user: self.requestor.clone(), action };
        match self.authz.decide(&request) {
            Decision::Allow(_) => Said::Yes,
            Decision::Unknown(causes) => Said::Open(causes),
            Decision::Deny(_) | Decision::NoOpinion | Decision::Conditional(_) => Said::No(Obstacle::NotAllowed(request.action.into_owned())),
        }
    }
}

/// Who somebody is after they have become `wanted`.
fn becomes(wanted: &User<'_>, mode: Mode) -> User<'static> {
    let mut user = wanted.clone().into_owned();
    if user.groups.is_empty() {
        user.groups = match (node_of(&wanted.name), account_of(&wanted.name)) {
            (Some(_), _) if mode != Mode::Classic => vec![Cow::Borrowed(NODES)],
            (_, Some((namespace, _))) => vec![Cow::Borrowed(SERVICE_ACCOUNTS), Cow::Owned(format!("{SERVICE_ACCOUNTS}:{namespace}"))],
            _ => Vec::new(),
        };
    }
    let implied = if user.name == ANONYMOUS { UNAUTHENTICATED } else { AUTHENTICATED };
    if !user.is_in(implied) && !user.is_in(UNAUTHENTICATED) {
        user.groups.push(Cow::Borrowed(implied));
    }
    user
}

/// The node whose kubelet is called `name`, if that is the name of a node.
fn node_of(name: &str) -> Option<&str> {
    name.strip_prefix(NODE_PREFIX).filter(|node| is_dns_subdomain(node))
}

/// Namespace and name of the ServiceAccount that is called `name`, if both are names that the server takes.
fn account_of(name: &str) -> Option<(&str, &str)> {
    service_account_of(name)
        .filter(|(namespace, account)| namespace.len() <= 63 && !namespace.contains('.') && is_dns_subdomain(namespace) && is_dns_subdomain(account))
}

/// Whether `requestor` is a ServiceAccount whose token says that its pod runs on `node`.
fn is_on_node(requestor: &User<'_>, node: &str) -> bool {
    let values = requestor.extra.iter().find(|(key, _)| key == NODE_NAME).map(|(_, values)| values.as_slice());
    account_of(&requestor.name).is_some() && matches!(values, Some([one]) if one == node)
}

/// What a constrained mode finds wrong with an extra key and its values.
fn fault_of(key: &str, values: &[Text<'_>]) -> Option<String> {
    let is_path = |path: &str| !path.is_empty() && path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:".contains(&byte));
    let is_prefixed = key.split_once('/').is_some_and(|(domain, path)| is_dns_subdomain(domain) && is_path(path));
    if !is_prefixed || key.to_lowercase() != key {
        return Some(format!("the extra key `{key}`"));
    }
    (values.is_empty() || values.iter().any(|value| value.is_empty())).then(|| format!("an empty value of the extra key `{key}`"))
}
