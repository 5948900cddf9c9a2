//! `unrestricted-network`: pods of a namespace take connections from everybody.

use bartizan_cluster::{Kind, ObjectView, PodView, Value, field, selector};
use bartizan_report::{Check, Severity, Stage};

use super::{is_of_the_platform, name_of};
use crate::sink::Sink;
use crate::{Entry, Facts, Judge, Judged, msg};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "unrestricted-network",
        severity: Severity::Medium,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("unrestricted_network.md"),
    },
    reads: &[Kind::Pod, Kind::NetworkPolicy],
    judge: Judge::Namespace(judge),
};

fn judge<'a>(namespace: ObjectView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    let name = namespace.name();
    if is_of_the_platform(namespace) {
        return out.not_applicable();
    }
    // A policy that was not read may close a pod as well as open it, so nothing is said without all of them.
    let policies: Vec<Inbound<'a>> = match facts.list(Kind::NetworkPolicy, Some(name)).read()? {
        Some(policies) => policies.into_iter().filter_map(Inbound::of).collect(),
        None => Vec::new(),
    };
    let workloads = facts.workloads(Some(name));
    let is_subject = |pod: PodView<'a>| pod.spec().bool(field::HOST_NETWORK) != Some(true);
    let subjects: Vec<_> = workloads.iter().filter(|workload| workload.variants.iter().any(|variant| is_subject(variant.pod))).collect();
    let open: Vec<_> = subjects
        .iter()
        .filter_map(|workload| workload.variants.iter().map(|variant| variant.pod).find(|&pod| is_subject(pod) && !is_closed(pod, &policies)))
        .collect();
    if open.is_empty() {
        facts.pods_complete(Some(name))?;
        return if subjects.is_empty() { out.not_applicable() } else { out.done() };
    }
    if let Some(kind) = foreign_policy(namespace, facts) {
        return out.manual(msg!("foreign", kind = kind));
    }
    let raised = out.fail(name_of(namespace), msg!("open", open = open.len(), workloads = subjects.len()));
    for pod in open {
        raised.related(pod.object(), "no NetworkPolicy limits who may connect to it");
    }
    out.done()
}

/// What a `NetworkPolicy` says about connections to pods.
struct Inbound<'a> {
    pods: Option<Value<'a>>,
    opens_everything: bool,
}

impl<'a> Inbound<'a> {
    fn of(policy: ObjectView<'a>) -> Option<Self> {
        let spec = policy.spec()?;
        // Without `policyTypes` every policy is about connections to its pods.
        let concerns =
            spec.get(field::POLICY_TYPES).filter(|types| !types.is_empty()).is_none_or(|types| types.items().any(|of| of.as_str() == Some("Ingress")));
        let none = |rule: Value<'_>, name| rule.get(name).is_none_or(Value::is_empty);
        let opens_everything = spec.list(field::INGRESS).any(|rule| none(rule, field::FROM) && none(rule, field::PORTS));
        concerns.then(|| Self { pods: spec.get(field::POD_SELECTOR), opens_everything })
    }

    fn selects(&self, pod: PodView<'_>) -> bool {
        self.pods.is_none_or(|pods| selector::matches(pods, pod.labels()))
    }
}

/// Whether some policy closes the pod, and none opens it to everybody again: what policies allow adds up.
fn is_closed(pod: PodView<'_>, policies: &[Inbound<'_>]) -> bool {
    let mut about = policies.iter().filter(|policy| policy.selects(pod)).peekable();
    about.peek().is_some() && !about.any(|policy| policy.opens_everything)
}

/// A policy of a network plug-in or of the cluster's administrator that may close the namespace: these are not evaluated.
fn foreign_policy<'a>(namespace: ObjectView<'a>, facts: &Facts<'a>) -> Option<&'a str> {
    const EVERYWHERE: [&str; 5] =
        ["AdminNetworkPolicy", "BaselineAdminNetworkPolicy", "CiliumClusterwideNetworkPolicy", "ClusterNetworkPolicy", "GlobalNetworkPolicy"];
    let others = facts.snapshot().of_kind(Kind::Other).filter(|object| match object.kind_name() {
        "CiliumNetworkPolicy" | "NetworkPolicy" => object.namespace() == Some(namespace.name()),
        kind => EVERYWHERE.contains(&kind),
    });
    others.map(ObjectView::kind_name).min()
}
