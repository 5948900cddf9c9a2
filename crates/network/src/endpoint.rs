//! The words with which questions name what sends and receives: `namespace/pod`, `namespace/Kind/name`, `Node/name` or an address.

use std::collections::BTreeSet;

use bartizan_cluster::{ObjectView, Value};

use crate::address::Address;
use crate::inventory::{HostPort, Owner};
use crate::label::Matcher;
use crate::service::{Backend, Service, ServicePort, TargetPort, cluster_addresses};
use crate::traffic::Protocol;
use crate::verdict::Cause;
use crate::{Network, QuestionError};

/// One sender or receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    Pod(u32),
    Node(u32),
    Outside(Address),
    /// Outside, at an address that is not known.
    Somewhere,
}

/// What a name in a question stands for.
#[derive(Debug)]
pub(crate) enum Named<'n, 's> {
    /// These, all of which the name means.
    Ends(Vec<End>),
    /// A Service, to be translated.
    Service(&'n Service<'s>),
}

/// A port as a question names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortName {
    /// By its number.
    Number(u16),
    /// By the name that its container or Service gives it.
    Name(String),
}

/// Where a question leads after translation: an end, and the port there. A port that the end does not have is `None`.
pub(crate) type Target = (End, Option<u16>);

impl<'s> Network<'s> {
    /// What `word` names.
    pub(crate) fn named(&self, word: &str) -> Result<Named<'_, 's>, QuestionError> {
        if let Ok(address) = word.parse::<Address>() {
            return Ok(self.at_address(address));
        }
        let parts: Vec<&str> = word.split('/').collect();
        match parts.as_slice() {
            ["Node", name] => self.inventory.node(name).map(|node| Named::Ends(vec![End::Node(node)])).ok_or_else(|| QuestionError::NoNode((*name).to_owned())),
            [namespace, name] if !namespace.is_empty() && !name.is_empty() => {
                let pod = self.inventory.namespace(namespace).and_then(|namespace| self.inventory.pod(namespace, name));
                pod.map(|pod| Named::Ends(vec![End::Pod(pod)])).ok_or_else(|| self.unknown(namespace, "Pod", name))
            }
            [namespace, kind, name] if parts.iter().all(|part| !part.is_empty()) => self.object(namespace, kind, name),
            _ => Err(QuestionError::NoEndpoint(word.to_owned())),
        }
    }

    fn at_address(&self, address: Address) -> Named<'_, 's> {
        if let Some(service) = self.services.at(address) {
            return Named::Service(service);
        }
        Named::Ends(vec![self.end_at(address)])
    }

    /// Whoever has an address.
    fn end_at(&self, address: Address) -> End {
        match (self.inventory.pod_at(address), self.inventory.node_at(address)) {
            (Some(pod), _) => End::Pod(pod),
            (None, Some(node)) => End::Node(node),
            (None, None) => End::Outside(address),
        }
    }

    fn object(&self, namespace: &str, kind: &str, name: &str) -> Result<Named<'_, 's>, QuestionError> {
        let unknown = || self.unknown(namespace, kind, name);
        let number = self.inventory.namespace(namespace).ok_or_else(unknown)?;
        if kind.eq_ignore_ascii_case("Service") {
            return self.services.find(number, name).map(Named::Service).ok_or_else(unknown);
        }
        if kind.eq_ignore_ascii_case("Pod")
            && let Some(pod) = self.inventory.pod(number, name)
        {
            return Ok(Named::Ends(vec![End::Pod(pod)]));
        }
        let exact = self.inventory.below(number, kind, name);
        let below = exact.or_else(|| self.inventory.kind_called(kind).and_then(|kind| self.inventory.below(number, kind, name)));
        let below = below.ok_or_else(unknown)?;
        let counting = self.counting(below);
        if counting.is_empty() { Err(unknown()) } else { Ok(Named::Ends(counting.into_iter().map(End::Pod).collect())) }
    }

    /// Of the pods below an owner, those that count: the living ones, else its template, else the finished ones.
    fn counting(&self, below: &[u32]) -> Vec<u32> {
        let pods = || below.iter().filter_map(|&number| Some((number, self.inventory.pods.get(number as usize)?)));
        let living: Vec<u32> = pods().filter(|(_, pod)| !pod.is_template && !pod.is_finished).map(|(number, _)| number).collect();
        if !living.is_empty() {
            return living;
        }
        // The owner's own template comes first: others are what is left of earlier ones.
        let template = pods().filter(|(_, pod)| pod.is_template);
        let own = |number: u32, pod: &crate::inventory::Pod<'_>| {
            let owner: Option<&Owner<'_>> = self.inventory.owners.get(pod.owner as usize);
            owner.is_some_and(|owner| owner.pods().contains(&number))
        };
        let template = template.min_by_key(|(number, pod)| !own(*number, pod)).map(|(number, _)| number);
        template.map_or_else(|| pods().map(|(number, _)| number).collect(), |template| vec![template])
    }

    fn unknown(&self, namespace: &str, kind: &str, name: &str) -> QuestionError {
        let known =
            self.inventory.owners_by_name().into_iter().filter(|owner| self.inventory.namespace_name(owner.namespace) == namespace).map(|owner| owner.name);
        let near = bartizan_report::suggest::nearest(name, known.filter(|known| *known != name)).map(str::to_owned);
        QuestionError::NoObject { namespace: namespace.to_owned(), kind: kind.to_owned(), name: name.to_owned(), near }
    }

    /// Where a connection to `named` ends.
    pub(crate) fn targets(&self, named: &Named<'_, 's>, protocol: Protocol, port: &PortName) -> Result<Translation, QuestionError> {
        match named {
            Named::Ends(ends) => {
                let targets: Vec<Target> = ends.iter().map(|&end| Ok((end, self.port_at(end, protocol, port)?))).collect::<Result<_, QuestionError>>()?;
                match port {
                    PortName::Name(name) if targets.iter().all(|(_, port)| port.is_none()) => Err(QuestionError::NoPort(name.clone())),
                    _ => Ok(Translation::To(targets)),
                }
            }
            Named::Service(service) => self.translated(service, protocol, port),
        }
    }

    /// What a port of a node leads to, if `named` is a node and the port one that a Service with pods behind it has on all nodes, or that a
    /// pod has on its own.
    pub(crate) fn behind_node(&self, named: &Named<'_, 's>, protocol: Protocol, port: &PortName) -> Option<BehindNode> {
        let (Named::Ends(ends), PortName::Number(port)) = (named, port) else { return None };
        let [End::Node(node)] = *ends.as_slice() else { return None };
        let Some((service, written)) = self.services.at_node_port(protocol, *port) else {
            let targets = self.at_host_port(node, protocol, *port);
            return (!targets.is_empty()).then_some(BehindNode { node, port: *port, targets, keeps_source: true });
        };
        if !matches!(service.backend, Backend::Pods(_)) {
            return None;
        }
        let keeps_source = keeps_source(service.object);
        let mut targets = self.endpoints(service, written);
        // Such a node leads to its own pods and to no others.
        targets.retain(|(end, _)| !keeps_source || self.node_of(*end).is_none_or(|other| other == node));
        Some(BehindNode { node, port: *port, targets, keeps_source })
    }

    /// The pods of a node that have one of its ports.
    fn at_host_port(&self, node: u32, protocol: Protocol, number: u16) -> Vec<Target> {
        let pods = self.inventory.pods.numbered().filter(|(_, pod)| pod.node == Some(node) && !pod.host_network && !pod.is_finished);
        let is_asked = |host: &HostPort<'_>| host.port.protocol == protocol && host.number == number;
        pods.filter_map(|(pod, view)| Some((End::Pod(pod), Some(view.host_ports().find(is_asked)?.port.port)))).collect()
    }

    fn port_at(&self, end: End, protocol: Protocol, port: &PortName) -> Result<Option<u16>, QuestionError> {
        match (port, end) {
            (PortName::Number(number), _) => Ok(Some(*number)),
            (PortName::Name(name), End::Pod(pod)) => Ok(self.declared(pod, protocol, name)),
            (PortName::Name(name), _) => Err(QuestionError::NamedPortOutside(name.clone())),
        }
    }

    /// The number of the port that a pod calls `name`.
    pub(crate) fn declared(&self, pod: u32, protocol: Protocol, name: &str) -> Option<u16> {
        let mut ports = self.inventory.pods.get(pod as usize)?.ports();
        ports.find(|port| port.name == name && port.protocol == protocol).map(|port| port.port)
    }

    fn translated(&self, service: &Service<'s>, protocol: Protocol, port: &PortName) -> Result<Translation, QuestionError> {
        let mut service = service;
        for _ in 0..crate::service::ALIASES_MAX {
            match &service.backend {
                Backend::Alias(namespace, name) => {
                    let next = self.inventory.namespace(namespace).and_then(|namespace| self.services.find(namespace, name));
                    match next {
                        Some(next) => service = next,
                        None => return Ok(Translation::Nowhere(format!("Service {} stands for {namespace}/{name}, which does not exist", label(service)))),
                    }
                }
                Backend::Domain => return outside(port),
                _ => break,
            }
        }
        // Clients of a Service without an address find its pods by name and connect to the port that they know, whatever `targetPort` says.
        if let PortName::Number(number) = port
            && is_name_of_pods(service)
        {
            let ends: BTreeSet<End> = match &service.backend {
                Backend::Pods(_) => self.pods_behind(service).into_iter().map(End::Pod).collect(),
                Backend::Written(groups) => groups.iter().flat_map(|group| &group.addresses).map(|&address| self.end_at(address)).collect(),
                _ => return Ok(Translation::Unknown(Cause::EndpointsUnknown)),
            };
            return Ok(reached(service, ends.into_iter().map(|end| (end, Some(*number))).collect()));
        }
        let Some(written) = service.port(protocol, port) else {
            return match port {
                PortName::Name(name) => Err(QuestionError::NoPort(name.clone())),
                PortName::Number(number) => Ok(Translation::Nowhere(format!("Service {} has no port {protocol} {number}", label(service)))),
            };
        };
        Ok(self.behind_port(service, written))
    }

    /// Where a port of a Service leads, by what `targetPort` or its written endpoints say.
    pub(crate) fn behind_port(&self, service: &Service<'s>, written: &ServicePort<'_>) -> Translation {
        match &service.backend {
            Backend::Written(endpoints) => {
                let mut targets: Vec<Target> = Vec::new();
                for group in endpoints {
                    for (_, _, port) in group.ports.iter().filter(|(name, found, _)| *name == written.name && *found == written.protocol) {
                        targets.extend(group.addresses.iter().map(|&address| (self.end_at(address), Some(*port))));
                    }
                }
                reached(service, targets)
            }
            Backend::Pods(_) => reached(service, self.endpoints(service, written)),
            Backend::Unknown | Backend::Alias(..) | Backend::Domain => Translation::Unknown(Cause::EndpointsUnknown),
        }
    }

    /// The pods behind a Service with a selector, and the port of each.
    pub(crate) fn endpoints(&self, service: &Service<'s>, port: &ServicePort<'_>) -> Vec<Target> {
        self.pods_behind(service)
            .into_iter()
            .filter_map(|pod| {
                let number = match port.target {
                    TargetPort::Number(number) => number,
                    // A pod that does not have the name is no endpoint of this port.
                    TargetPort::Name(name) => self.declared(pod, port.protocol, name)?,
                };
                Some((End::Pod(pod), Some(number)))
            })
            .collect()
    }

    /// Whether the selector of a Service selects a pod. What profiles of Calico give to pods is seen by policies alone.
    fn is_served_by(&self, pod: u32, selector: &Matcher) -> bool {
        let strings = self.snapshot.strings();
        if self.policies.given.is_empty() {
            return selector.matches(self.labels_of(pod), strings);
        }
        let mut own: Vec<_> = self.inventory.pods.get(pod as usize).into_iter().flat_map(|pod| pod.label_symbols(strings)).collect();
        own.sort_by_key(|(key, _)| *key);
        selector.matches(&own, strings)
    }

    /// The pods that a Service selects: living ones, and templates of owners that have none.
    pub(crate) fn pods_behind(&self, service: &Service<'s>) -> Vec<u32> {
        let Backend::Pods(selector) = &service.backend else { return Vec::new() };
        let pods = self.inventory.namespaces.get(service.namespace as usize).map_or(&[][..], |namespace| namespace.pods.as_slice());
        let is_selected = |&number: &u32| {
            let owner = self.inventory.pods.get(number as usize).and_then(|pod| self.inventory.owners.get(pod.owner as usize));
            self.is_served_by(number, selector) && owner.is_some_and(|owner| owner.pods().contains(&number))
        };
        pods.iter().copied().filter(is_selected).collect()
    }
}

/// The pods behind a port of a node.
#[derive(Debug)]
pub(crate) struct BehindNode {
    pub(crate) node: u32,
    pub(crate) port: u16,
    pub(crate) targets: Vec<Target>,
    /// Whether the pods see who comes, and never the node.
    pub(crate) keeps_source: bool,
}

/// Whether what comes to a node stays there, with the address that it came with.
pub(crate) fn keeps_source(service: ObjectView<'_>) -> bool {
    service.spec().and_then(|spec| spec.entry("externalTrafficPolicy")).and_then(Value::as_str) == Some("Local")
}

/// Where a connection ends after translation.
#[derive(Debug)]
pub(crate) enum Translation {
    To(Vec<Target>),
    /// At nothing, for this reason.
    Nowhere(String),
    Unknown(Cause),
}

/// Whether a Service has no address, and its name is that of its pods.
pub(crate) fn is_name_of_pods(service: &Service<'_>) -> bool {
    cluster_addresses(service.object).is_none()
}

fn label(service: &Service<'_>) -> String {
    format!("{}/{}", service.object.namespace().unwrap_or(""), service.object.name())
}

fn reached(service: &Service<'_>, targets: Vec<Target>) -> Translation {
    if targets.is_empty() { Translation::Nowhere(format!("Service {} has no endpoints", label(service))) } else { Translation::To(targets) }
}

fn outside(port: &PortName) -> Result<Translation, QuestionError> {
    match port {
        PortName::Number(number) => Ok(Translation::To(vec![(End::Somewhere, Some(*number))])),
        PortName::Name(name) => Err(QuestionError::NamedPortOutside(name.clone())),
    }
}
