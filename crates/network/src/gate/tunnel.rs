//! What travels between the proxies of an ambient mesh, and towards the proxies for requests: policies of the network see the tunnel
//! and not what is in it.

use crate::Network;
use crate::endpoint::{End, Target};
use crate::mesh::Proxy;
use crate::policy::Direction;
use crate::service::Service;
use crate::traffic::{Bounds, Protocol, Traffic};
use crate::verdict::{Cause, Ground, Match, Party, Presence, Step, Trace};

/// Where the tunnels of an ambient mesh end.
const TUNNEL: u16 = 15_008;

/// The traffic in which policies of the network see what goes in a tunnel.
pub(crate) fn tunnel() -> Traffic {
    Traffic::ports(Protocol::Tcp, TUNNEL, TUNNEL)
}

impl<'s> Network<'s> {
    /// Whether what one party begins towards another goes through a tunnel. Sidecars may know tunnels or not.
    pub(crate) fn is_tunnelled(&self, source: &Party<'_>, target: &Party<'_>) -> Match {
        let proxy = |party: &Party<'_>| {
            let Presence::Real = party.presence else { return Proxy::None };
            party.member.and_then(|member| self.grouping.bearing(member.bearing)).map_or(Proxy::None, |bearing| bearing.proxy)
        };
        match (proxy(source), proxy(target)) {
            (Proxy::Ambient, Proxy::Ambient) => Match::Yes,
            (Proxy::Ambient, Proxy::Sidecar) | (Proxy::Sidecar, Proxy::Ambient) => Match::Maybe,
            _ => Match::No,
        }
    }

    /// Of `asked`, what policies of the network let through that goes in a tunnel: everything over TCP, or nothing of it.
    pub(crate) fn in_tunnel(&self, source: &Party<'_>, target: &Party<'_>, asked: &Traffic, trace: &mut Trace) -> Bounds {
        let tunnel = tunnel();
        for direction in [Direction::Egress, Direction::Ingress] {
            trace.note(|| Step { direction, ground: Ground::Tunnel, traffic: Bounds::known(asked.clone()) });
        }
        let leaves = self.one_way(Direction::Egress, source, target, &tunnel, trace);
        match leaves.intersection(&self.one_way(Direction::Ingress, target, source, &tunnel, trace)).holds(Protocol::Tcp, TUNNEL) {
            Some(true) => Bounds::known(asked.clone()),
            Some(false) => Bounds::none(),
            None => Bounds::maybe(asked.clone()),
        }
    }

    /// Whether what these send to a Service goes by way of a proxy for requests, which decides by what it sees of them.
    pub(crate) fn goes_by_waypoint(&self, sources: &[End], service: &Service<'s>, targets: &[Target]) -> bool {
        let Some(gates) = self.gates() else { return false };
        let has_proxy = |end: End, wanted: &[Proxy]| {
            let End::Pod(pod) = end else { return false };
            let bearing = self.pod_party(pod).member.and_then(|member| self.grouping.bearing(member.bearing));
            bearing.is_some_and(|bearing| wanted.contains(&bearing.proxy))
        };
        targets.iter().any(|(end, _)| has_proxy(*end, &[Proxy::Ambient]))
            && sources.iter().any(|end| has_proxy(*end, &[Proxy::Ambient, Proxy::Sidecar]))
            && gates.mesh.has_waypoint_for(service.object)
    }

    /// Whether nobody stands in the way of what a proxy for requests sends on: no policy of the mesh for its namespace or for all, and
    /// none of the network for either end.
    pub(crate) fn is_unguarded(&self, sources: &[End], service: &Service<'s>, targets: &[Target]) -> bool {
        let is_over = |namespaces| self.is_in_namespaces(namespaces, service.namespace);
        let guards = |end: End, direction| {
            let End::Pod(pod) = end else { return false };
            self.pod_party(pod).member.is_some_and(|member| self.guards(member, direction))
        };
        !self.policies.guards.over(service.namespace).any(|(_, guard)| is_over(guard.subject.namespaces))
            && !sources.iter().any(|end| guards(*end, Direction::Egress))
            && !targets.iter().any(|(end, _)| guards(*end, Direction::Ingress))
    }
}

/// What is said of what goes by way of a proxy for requests.
pub(crate) fn by_waypoint() -> Cause {
    Cause::NotModelled("AuthorizationPolicy at waypoints (security.istio.io)".to_owned())
}
