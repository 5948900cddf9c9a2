//! One connection as a proxy sees it: what it proves, and what policies make of it.

use super::{Bearing, GateGround, Gates, Identity, Overlooked, tunnel};
use crate::Network;
use crate::mesh::{MtlsMode, Proxy};
use crate::policy::Direction;
use crate::policy::istio::{GuardRule, Test, Trait, Verb};
use crate::traffic::{Bounds, Traffic};
use crate::verdict::{Addresses, Cause, Ground, Host, Match, Party, Step, Trace};

/// One connection as a proxy sees it.
pub(super) struct Arrival<'n, 's> {
    pub(super) network: &'n Network<'s>,
    pub(super) gates: &'n Gates<'s>,
    pub(super) source: &'n Party<'n>,
    pub(super) target: &'n Party<'n>,
    pub(super) identity: Identity<'n>,
    pub(super) overlooked: Option<Overlooked>,
}

impl Arrival<'_, '_> {
    /// Of what arrives, what proves as much as is demanded.
    pub(super) fn proven(&self, asked: Bounds, mode: Option<MtlsMode>, trace: &mut Trace) -> Bounds {
        let is_certain = match mode {
            Some(MtlsMode::Permissive | MtlsMode::Disable) => return asked,
            Some(MtlsMode::Strict) => true,
            None => false,
        };
        match self.identity {
            Identity::Of(..) => asked,
            Identity::None if is_certain => {
                note(trace, GateGround::Plaintext, asked);
                Bounds::none()
            }
            Identity::None | Identity::Perhaps(_) => {
                trace.causes.insert(Cause::IdentityUnknown);
                Bounds::maybe(asked.possible)
            }
        }
    }

    /// Of that, what policies let through.
    pub(super) fn authorized(&self, guards: &[u32], bearing: &Bearing<'_>, asked: Bounds, trace: &mut Trace) -> Bounds {
        let mut open = asked;
        let mut doubtful = Traffic::none();
        let mut allowed: Option<Bounds> = None;
        let counts = |number: &&u32| self.overlooked != Some(Overlooked::Guard(**number));
        let numbered = || guards.iter().filter(counts).filter_map(|&number| Some((number, self.network.policies.guards.get(number)?)));
        if !guards.is_empty() && self.gates.has_waypoint(bearing) {
            trace.causes.insert(tunnel::by_waypoint());
            return Bounds::maybe(open.possible);
        }
        for verb in [Verb::Custom, Verb::Deny, Verb::Allow] {
            for (number, guard) in numbered().filter(|(_, guard)| guard.verb == verb) {
                if guard.is_for_gateways {
                    trace.causes.insert(Cause::NotModelled("AuthorizationPolicy with `targetRefs` (security.istio.io)".to_owned()));
                    doubtful = doubtful.union(&open.possible);
                    continue;
                }
                if verb == Verb::Allow {
                    allowed.get_or_insert_default();
                }
                for (rule, at) in guard.rules.iter().zip(0u32..).filter(|(_, at)| self.overlooked != Some(Overlooked::Rule(number, *at))) {
                    let is_blind = bearing.proxy == Proxy::Ambient && verb != Verb::Custom;
                    // The proxy of a node leaves out rules that allow by what it does not see, and refuses without looking at it.
                    if is_blind && verb == Verb::Allow && rule.is_beyond_nodes() {
                        continue;
                    }
                    // What a rule matches for certain it decides for certain, whatever came before.
                    let hit = self.hit(rule, is_blind, &Bounds::known(open.possible.clone()), trace);
                    if hit.is_empty() {
                        continue;
                    }
                    note(trace, GateGround::Rule(number, at), hit.clone());
                    match verb {
                        Verb::Custom => {
                            trace.causes.insert(Cause::NotModelled("AuthorizationPolicy with action `CUSTOM` (security.istio.io)".to_owned()));
                            doubtful = doubtful.union(&hit.possible);
                        }
                        Verb::Deny => open = open.difference(&hit),
                        Verb::Allow => allowed = allowed.map(|allowed| allowed.union(&hit)),
                    }
                }
            }
        }
        let passed = match allowed {
            None => open,
            Some(allowed) => {
                let refused = open.difference(&allowed);
                if !refused.is_empty() {
                    note(trace, GateGround::Unallowed, refused);
                }
                open.intersection(&allowed)
            }
        };
        Bounds { sure: passed.sure.difference(&doubtful), possible: passed.possible }
    }

    /// Of what arrives, what a rule matches.
    pub(super) fn hit(&self, rule: &GuardRule<'_>, is_blind: bool, open: &Bounds, trace: &mut Trace) -> Bounds {
        let is_seen = |test: &&Test<'_>| !(is_blind && matches!(test.of, Trait::Request(_) | Trait::Remote(_)));
        let mut causes = Vec::new();
        let mut traffic = open.clone();
        let mut found = Match::Yes;
        if !rule.from.is_empty() {
            let mut best = Match::No;
            for tests in &rule.from {
                let worst = tests.iter().filter(is_seen).map(|test| self.holds(test, &mut causes)).min().unwrap_or(Match::Yes);
                best = best.max(worst);
            }
            found = best;
        }
        if !rule.to.is_empty() {
            let mut together = Bounds::none();
            for operation in &rule.to {
                let ports = match operation.asks {
                    _ if is_blind => Bounds::known(operation.traffic.clone()),
                    None => Bounds::known(operation.traffic.clone()),
                    Some(what) => {
                        causes.push(Cause::SomeRequests(format!("`{what}`")));
                        Bounds::maybe(operation.traffic.clone())
                    }
                };
                together = together.union(&ports);
            }
            traffic = traffic.intersection(&together);
        }
        for test in &rule.when {
            if !is_seen(&test) || (is_blind && matches!(test.of, Trait::Account(_))) {
                continue;
            }
            if let Trait::Ports(ports) = &test.of {
                let ports = Bounds::known(ports.clone());
                traffic = if test.is_negative { traffic.difference(&ports) } else { traffic.intersection(&ports) };
            } else {
                found = found.min(self.holds(test, &mut causes));
            }
        }
        match found {
            Match::No => Bounds::none(),
            _ if traffic.is_empty() => Bounds::none(),
            Match::Yes if traffic.unknown().is_empty() => traffic,
            Match::Yes => {
                trace.causes.extend(causes);
                traffic
            }
            Match::Maybe => {
                trace.causes.extend(causes);
                Bounds::maybe(traffic.possible)
            }
        }
    }

    fn holds(&self, test: &Test<'_>, causes: &mut Vec<Cause>) -> Match {
        let found = self.has(&test.of, causes);
        if test.is_negative { opposite(found) } else { found }
    }

    /// Whether who connects, or where, is what a test looks for.
    pub(super) fn has(&self, of: &Trait<'_>, causes: &mut Vec<Cause>) -> Match {
        match of {
            Trait::Principal(patterns) => self.of_identity(causes, |namespace, account| {
                let names = self.gates.principals(namespace, account);
                patterns.iter().any(|pattern| names.iter().any(|name| Pattern::of(pattern).holds(name)))
            }),
            Trait::Namespace(patterns) => self.of_identity(causes, |namespace, _| patterns.iter().any(|pattern| Pattern::of(pattern).holds(namespace))),
            Trait::Account(accounts) => self.of_identity(causes, |namespace, account| accounts.contains(&(namespace, account))),
            Trait::Address(block) => self.is_at(*block, self.source, causes),
            Trait::Destination(block) => self.is_at(*block, self.target, causes),
            Trait::Remote(block) => match self.is_at(*block, self.source, causes) {
                // Somebody else may have sent it on.
                found if self.source.member.is_some() => found,
                _ => {
                    causes.push(Cause::SourceRewritten);
                    Match::Maybe
                }
            },
            Trait::Ports(_) => Match::Yes,
            Trait::Request(what) => {
                causes.push(Cause::SomeRequests(format!("`{what}`")));
                Match::Maybe
            }
        }
    }

    fn of_identity(&self, causes: &mut Vec<Cause>, is_meant: impl Fn(&str, &str) -> bool) -> Match {
        match self.identity {
            Identity::Of(namespace, account) if is_meant(namespace, account) => Match::Yes,
            Identity::Of(..) | Identity::None => Match::No,
            Identity::Perhaps(Some((namespace, account))) if !is_meant(namespace, account) => Match::No,
            Identity::Perhaps(_) => {
                causes.push(Cause::IdentityUnknown);
                Match::Maybe
            }
        }
    }

    /// Whether a party has an address of a block, as its peer sees it.
    fn is_at(&self, block: u32, party: &Party<'_>, causes: &mut Vec<Cause>) -> Match {
        let Some(set) = self.network.policies.blocks.get(block) else { return Match::No };
        match party.addresses {
            Addresses::Known(addresses) => {
                let inside = addresses.iter().filter(|&&address| set.contains(address)).count();
                if inside == addresses.len() {
                    return Match::Yes;
                }
                if inside == 0 {
                    return Match::No;
                }
                causes.push(Cause::FamilyUnknown);
                Match::Maybe
            }
            Addresses::Unknown | Addresses::None => {
                if party.host == Host::No && crate::address::Family::ALL.into_iter().all(|family| set.is_whole(family)) {
                    return Match::Yes;
                }
                causes.push(Cause::AddressUnknown);
                Match::Maybe
            }
        }
    }
}

fn note(trace: &mut Trace, ground: GateGround, traffic: Bounds) {
    trace.note(|| Step { direction: Direction::Ingress, ground: Ground::Gate(ground), traffic });
}

/// What a pattern means: a text, or a beginning or end of one beside a star.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pattern<'p> {
    Is(&'p str),
    /// Of a star alone, anything but nothing.
    Starts(&'p str),
    Ends(&'p str),
}

impl<'p> Pattern<'p> {
    pub(crate) fn of(text: &'p str) -> Self {
        match (text.strip_suffix('*'), text.strip_prefix('*')) {
            (Some(start), _) => Pattern::Starts(start),
            (None, Some(end)) => Pattern::Ends(end),
            (None, None) => Pattern::Is(text),
        }
    }

    pub(crate) fn holds(self, text: &str) -> bool {
        match self {
            Pattern::Is(wanted) => text == wanted,
            Pattern::Starts(start) => !text.is_empty() && text.starts_with(start),
            Pattern::Ends(end) => text.ends_with(end),
        }
    }
}

fn opposite(found: Match) -> Match {
    match found {
        Match::No => Match::Yes,
        Match::Maybe => Match::Maybe,
        Match::Yes => Match::No,
    }
}
