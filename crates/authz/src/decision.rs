//! Decisions: what the API server would answer, by whom, and in which words.

use bartizan_cluster::Missing;
use bartizan_cluster::access::{PRIVILEGED_GROUP, Request, User};

use crate::chain::AuthorizerKind;
use crate::policy::{BindingId, BindingView, Holding, Principal, RuleView, SubjectView};
use crate::{Authz, node, reason};

/// What the API server would answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Yes.
    Allow(Ground),
    /// No, whatever others would say.
    Deny(Ground),
    /// Nobody said yes, so the answer is no.
    NoOpinion,
    /// Yes, if the request fulfils conditions that are looked at when it is admitted. No authorizer that is modelled says so.
    Conditional(Ground),
    /// It depends on what is not known.
    Unknown(Vec<Unknown>),
}

impl Decision {
    /// Whether the request goes through; `None` where that is not known.
    pub fn is_allowed(&self) -> Option<bool> {
        match self {
            Decision::Allow(_) => Some(true),
            Decision::Deny(_) | Decision::NoOpinion => Some(false),
            Decision::Conditional(_) | Decision::Unknown(_) => None,
        }
    }

    /// The binding and the rule that allow it, if RBAC does.
    pub fn grant(&self) -> Option<Grant> {
        match self {
            Decision::Allow(Ground::Rbac(grant)) => Some(*grant),
            _ => None,
        }
    }
}

/// Who decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// Membership in `system:masters`, which is asked before everything else.
    PrivilegedGroup,
    /// A rule of RBAC.
    Rbac(Grant),
    /// The Node authorizer.
    Node,
    /// A line of an ABAC policy file, by its number from zero.
    Abac(usize),
    /// An authorizer that allows everything.
    AlwaysAllow,
}

/// One rule that somebody holds by a binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// The binding.
    pub binding: BindingId,
    /// The place of the subject among those of the binding.
    pub subject: u32,
    /// The place of the rule among those of the role.
    pub rule: u32,
}

/// A grant, with the things it is made of.
#[derive(Debug, Clone, Copy)]
pub struct GrantView<'a> {
    /// The binding.
    pub binding: BindingView<'a>,
    /// The entry that names the user or one of their groups.
    pub subject: SubjectView<'a>,
    /// The rule.
    pub rule: RuleView<'a>,
}

impl GrantView<'_> {
    /// What the API server says when this grant allows a request.
    pub fn reason(&self) -> String {
        format!("RBAC: allowed by {}", reason::source(self.binding, self.subject))
    }
}

/// What a decision depends on and nobody knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unknown {
    /// A list that could not be read.
    Missing(Missing),
    /// A webhook, by its name.
    Webhook(String),
    /// The policies of ABAC, which the input does not hold.
    PolicyFile,
    /// Whether an admission plugin runs that is off by default, by its name.
    Plugin(&'static str),
    /// Whether a feature is on that is off by default, by its name.
    Feature(&'static str),
    /// Whether the server serves a kind, by its `apiVersion` and name.
    Kind(String),
    /// For which audiences the driver of a volume asks for tokens.
    VolumeDriver,
}

impl std::fmt::Display for Unknown {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unknown::Missing(missing) => write!(out, "not read: {missing}"),
            Unknown::Webhook(name) => write!(out, "the webhook authorizer `{name}` would be asked"),
            Unknown::PolicyFile => write!(out, "the file of ABAC policies is not in the input"),
            Unknown::Plugin(name) => write!(out, "whether the admission plugin `{name}` runs is not in the input"),
            Unknown::Feature(name) => write!(out, "whether the feature gate `{name}` is on is not in the input"),
            Unknown::Kind(kind) => write!(out, "whether the server serves `{kind}` is not in the input"),
            Unknown::VolumeDriver => write!(out, "which tokens the drivers of the pod's volumes ask for is not looked at"),
        }
    }
}

impl Authz<'_> {
    /// What the API server would answer to `request`.
    pub fn decide(&self, request: &Request<'_>) -> Decision {
        self.decide_among(request, &self.policy.principals_of(&request.user))
    }

    /// The same, where it is known which principals the user of `request` is.
    pub(crate) fn decide_among<'p>(&'p self, request: &Request<'_>, principals: &(impl Iterator<Item = &'p Principal> + Clone)) -> Decision {
        if request.user.is_in(PRIVILEGED_GROUP) {
            return Decision::Allow(Ground::PrivilegedGroup);
        }
        let mut unknown = Vec::new();
        for authorizer in self.chain.authorizers() {
            match authorizer.kind {
                AuthorizerKind::Rbac => match self.first_grant(request, principals.clone()) {
                    Some(grant) => return decided(Decision::Allow(Ground::Rbac(grant)), unknown),
                    None => unknown.extend(self.unread_bindings(&request.user, request.action.namespace())),
                },
                AuthorizerKind::Node => match self.nodes.decide(request) {
                    node::Answer::Allow => return decided(Decision::Allow(Ground::Node), unknown),
                    node::Answer::NoOpinion(_) => {}
                    node::Answer::Unknown(missing) => unknown.push(Unknown::Missing(missing)),
                },
                AuthorizerKind::AlwaysAllow => return decided(Decision::Allow(Ground::AlwaysAllow), unknown),
                AuthorizerKind::AlwaysDeny | AuthorizerKind::Other(_) => {}
                AuthorizerKind::Abac => match &self.policies {
                    Some(policies) => {
                        if let Some(line) = policies.allows(request) {
                            return decided(Decision::Allow(Ground::Abac(line)), unknown);
                        }
                    }
                    None => unknown.push(Unknown::PolicyFile),
                },
                AuthorizerKind::Webhook => unknown.push(Unknown::Webhook(authorizer.name.clone())),
            }
        }
        if unknown.is_empty() { Decision::NoOpinion } else { Decision::Unknown(unknown) }
    }

    /// The grant of RBAC that stands before all others, and the subject that stands first in its binding.
    fn first_grant<'p>(&'p self, request: &Request<'_>, principals: impl Iterator<Item = &'p Principal>) -> Option<Grant> {
        let wanted = self.policy.book.wanted(&request.action);
        let mut best: Option<Grant> = None;
        for reach in self.policy.reaches(principals, request.action.namespace()).flatten() {
            let Some((holding, rule)) = reach.first(&self.policy.book, wanted, best.map(|best| best.binding)) else { continue };
            match &mut best {
                Some(best) if best.binding == holding.binding => best.subject = best.subject.min(holding.subject),
                _ => best = Some(Grant { binding: holding.binding, subject: holding.subject, rule }),
            }
        }
        best
    }

    /// Every grant of RBAC that allows `request`, in the order in which bindings are asked: one a binding, by the rule and the
    /// subject that stand first there.
    pub fn grants<'a>(&'a self, request: &'a Request<'a>) -> impl Iterator<Item = GrantView<'a>> {
        let wanted = self.policy.book.wanted(&request.action);
        self.held(&request.user, request.action.namespace()).into_iter().filter_map(move |holding| {
            let rule = self.policy.book.first_match(holding.set?, wanted)?;
            self.grant(Grant { binding: holding.binding, subject: holding.subject, rule })
        })
    }

    /// What `user` holds in `namespace` (in the whole cluster, if that is empty), in the order in which bindings are asked, each
    /// binding once.
    pub(crate) fn held(&self, user: &User<'_>, namespace: &str) -> Vec<Holding> {
        let mut held: Vec<Holding> = self.policy.holdings(user, namespace).flat_map(|(cluster, local)| cluster.iter().chain(local)).copied().collect();
        held.sort_unstable_by_key(|holding| (holding.binding, holding.subject));
        held.dedup_by_key(|holding| holding.binding);
        held
    }

    /// The things that a grant is made of.
    pub fn grant(&self, grant: Grant) -> Option<GrantView<'_>> {
        let binding = self.policy.binding(grant.binding);
        Some(GrantView { binding, subject: binding.subject(grant.subject)?, rule: binding.role()?.rule(grant.rule)? })
    }

    /// The text that the API server gives with `decision` on `request`; for what is not known, ours.
    pub fn reason(&self, request: &Request<'_>, decision: &Decision) -> String {
        self.reason_among(request, decision, &self.policy.principals_of(&request.user))
    }

    /// The same, where it is known which principals the user of `request` is.
    pub(crate) fn reason_among<'p>(&'p self, request: &Request<'_>, decision: &Decision, principals: &(impl Iterator<Item = &'p Principal> + Clone)) -> String {
        match decision {
            Decision::Allow(Ground::Rbac(grant)) => self.grant(*grant).map_or_else(String::new, |grant| grant.reason()),
            // The other authorizers allow without a word.
            Decision::Allow(_) | Decision::Deny(_) | Decision::Conditional(_) => String::new(),
            Decision::NoOpinion => self.refusal(request, || principals.clone().any(|principal| principal.has_dangling)),
            Decision::Unknown(unknown) => {
                let causes: Vec<String> = unknown.iter().map(ToString::to_string).collect();
                format!("unknown: {}", causes.join("; "))
            }
        }
    }

    /// What each authorizer says that has no opinion, a line each.
    fn refusal(&self, request: &Request<'_>, has_dangling: impl Fn() -> bool) -> String {
        let mut lines = Vec::new();
        for authorizer in self.chain.authorizers() {
            let text = match authorizer.kind {
                AuthorizerKind::Rbac if has_dangling() => self.rbac_errors(request),
                AuthorizerKind::Node => match self.nodes.decide(request) {
                    node::Answer::NoOpinion(text) => text,
                    node::Answer::Allow | node::Answer::Unknown(_) => String::new(),
                },
                AuthorizerKind::AlwaysDeny => "Everything is forbidden.".to_owned(),
                AuthorizerKind::Abac => "No policy matched.".to_owned(),
                AuthorizerKind::Rbac | AuthorizerKind::AlwaysAllow | AuthorizerKind::Webhook | AuthorizerKind::Other(_) => String::new(),
            };
            if text.is_empty() {
                continue;
            }
            // Since 1.37 each line says who speaks.
            lines.push(if self.version().at_least(37) { format!("{}: {text}", authorizer.name) } else { text });
        }
        lines.join("\n")
    }

    /// The errors that RBAC met on its way: bindings whose roles are not there.
    fn rbac_errors(&self, request: &Request<'_>) -> String {
        let held = self.held(&request.user, request.action.namespace());
        let errors: Vec<String> =
            held.iter().filter(|holding| holding.set.is_none()).map(|holding| reason::dangling(self.policy.binding(holding.binding))).collect();
        if errors.is_empty() { String::new() } else { format!("RBAC: {}", reason::aggregate(errors)) }
    }
}

/// `decision`, unless a webhook that is asked before could have denied.
fn decided(decision: Decision, unknown: Vec<Unknown>) -> Decision {
    // Only a webhook can deny; what else is not known could at most have allowed.
    let webhooks: Vec<Unknown> = unknown.into_iter().filter(|unknown| matches!(unknown, Unknown::Webhook(_))).collect();
    if webhooks.is_empty() { decision } else { Decision::Unknown(webhooks) }
}
