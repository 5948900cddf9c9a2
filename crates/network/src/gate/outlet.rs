//! What the proxy in front of a pod sends on of what leaves it, where it is told to send on nothing but what is registered. Whoever goes
//! past the proxy is not held back by it, so that the rest is not known to be refused.

use std::collections::BTreeSet;
use std::sync::Arc;

use bartizan_cluster::snapshot::Changes;
use bartizan_cluster::{ObjectId, ObjectView, PodView, Snapshot};

use super::{Bearing, Gates, listed};
use crate::Network;
use crate::address::AddressSet;
use crate::endpoint::End;
use crate::mesh::outlet::{self, Outlets};
use crate::service::{Service, Services};
use crate::traffic::{Bounds, Protocol, Traffic};
use crate::verdict::{Addresses, Cause, Member, Party, Trace};

/// What the proxy of a pod sends on alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Outlet {
    /// What limits it: nothing where it sends on everything.
    limits: Vec<ObjectId>,
    /// What goes past it on the way out.
    exempt: Traffic,
}

impl<'s> Gates<'s> {
    /// What the sidecar of a pod sends on alone.
    pub(super) fn outlet_of(&self, pod: PodView<'_>) -> Outlet {
        let Some(outlets) = &self.outlets else { return Outlet::default() };
        let limits = outlets.limiting(pod);
        let past = if limits.is_empty() { Vec::new() } else { listed(pod, "traffic.sidecar.istio.io/excludeOutboundPorts") };
        let exempt = past.into_iter().fold(Traffic::none(), |sum, port| sum.union(&Traffic::ports(Protocol::Tcp, port, port)));
        Outlet { limits, exempt }
    }

    /// Takes over what a change makes of what proxies send on; the namespaces of which pods may send or receive otherwise. None where
    /// everybody may.
    pub(super) fn change_outlets(&mut self, snapshot: &'s Snapshot, changes: &Changes<'s>, services: &Services<'s>) -> Option<BTreeSet<&'s str>> {
        let is_there = self.outlets.is_some();
        let is_read = |object: &ObjectView<'_>| outlet::may_limit(*object) || (is_there && (outlet::is_about_outlets(*object) || Services::reads(*object)));
        let concerned: Vec<ObjectView<'s>> = changes.removed.iter().chain(&changes.added).copied().filter(is_read).collect();
        if concerned.is_empty() {
            return Some(BTreeSet::new());
        }
        let later = Outlets::read(snapshot, &self.mesh, services);
        let (before, after) = match (self.outlets.as_deref(), later) {
            (None, None) => return Some(BTreeSet::new()),
            (Some(before), Some(after)) => (before, after),
            _ => return None,
        };
        if !before.blocks().eq(after.blocks()) || concerned.iter().any(|object| after.is_for_all(*object)) {
            return None;
        }
        self.outlets = Some(Arc::new(after));
        Some(concerned.into_iter().filter_map(ObjectView::namespace).collect())
    }

    /// The sets of addresses that matter for what proxies send on.
    pub(crate) fn registered_blocks(&self) -> impl Iterator<Item = &AddressSet> {
        self.outlets.iter().flat_map(|outlets| outlets.blocks())
    }
}

impl<'s> Network<'s> {
    /// Of what passes otherwise, what the proxy of the source sends on for certain.
    pub(crate) fn past_outlet(&self, source: &Party<'_>, target: &Party<'_>, passing: Bounds, trace: &mut Trace) -> Bounds {
        let Some((outlets, (member, bearing))) = self.gates().and_then(|gates| gates.outlets.as_ref()).zip(self.limited(source)) else { return passing };
        let held = Traffic::of_protocol(Protocol::Tcp).difference(&bearing.outlet.exempt);
        let asked = passing.sure.intersection(&held);
        if asked.is_empty() {
            return passing;
        }
        let namespace = self.inventory.namespace_name(member.namespace);
        let limits = &bearing.outlet.limits;
        let of_member =
            || target.member.and_then(|member| self.grouping.bearing(member.bearing)).map(|bearing| outlets.known(limits, namespace, &bearing.leads));
        let of_guest = || {
            let pod = self.inventory.pods.get(target.guest? as usize)?;
            Some(outlets.known(limits, namespace, &outlets.leads_to(pod)))
        };
        let of_addresses = match target.addresses {
            Addresses::Known(addresses) => outlets.known_at(limits, namespace, addresses),
            Addresses::Unknown | Addresses::None => Traffic::none(),
        };
        let known = of_member().or_else(of_guest).unwrap_or_default().union(&of_addresses);
        let open = asked.difference(&known);
        if open.is_empty() {
            return passing;
        }
        trace.causes.extend(limits.iter().map(|limit| if bearing.is_guess { Cause::ProxyUnknown } else { Cause::ProxyLimits(outlets.name(*limit)) }));
        Bounds { sure: passing.sure.difference(&open), possible: passing.possible }
    }

    /// Why it is not known whether what one of these sends to a port of a Service is sent on by its proxy.
    pub(crate) fn held_from(&self, sources: &[End], service: &Service<'s>, port: u16) -> Option<Cause> {
        let outlets = self.gates()?.outlets.as_ref()?;
        let held = |end: &End| {
            let End::Pod(pod) = *end else { return None };
            let party = self.pod_party(pod);
            let (member, bearing) = self.limited(&party)?;
            let limits = &bearing.outlet.limits;
            let is_past = Traffic::ports(Protocol::Tcp, port, port).difference(&bearing.outlet.exempt).is_empty()
                || outlets.know(limits, self.inventory.namespace_name(member.namespace), (service.object.id(), port));
            limits.first().filter(|_| !is_past).map(|limit| Cause::ProxyLimits(outlets.name(*limit)))
        };
        sources.iter().find_map(held)
    }

    /// A pod whose proxy sends on nothing but what is registered.
    fn limited(&self, party: &Party<'_>) -> Option<(Member, &Bearing<'s>)> {
        let member = party.member?;
        self.grouping.bearing(member.bearing).filter(|bearing| !bearing.outlet.limits.is_empty()).map(|bearing| (member, bearing))
    }
}
