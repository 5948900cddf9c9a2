//! Needs that manifests tell: what variables, arguments and mounted files name, who finds whom by which Service, what is measured.

use std::collections::BTreeSet;

use bartizan_cluster::{Kind, field};

use super::mention::{self, Mention};
use super::need::{Block, Evidence, Gap, Needs, Side};
use super::setting::{Setting, port_key, ports_told};
use super::{Request, place};
use crate::endpoint::{End, Named, PortName, Translation, is_name_of_pods};
use crate::service::{ALIASES_MAX, Backend, Service, ServicePort};
use crate::traffic::{Protocol, Traffic};
use crate::{Network, address::Address};

/// The port of kubelets.
const KUBELET_PORT: u16 = 10250;

/// What a host in a text is.
enum Host<'n, 's> {
    /// Nobody else: the pod itself, or no address of anything.
    Own,
    ApiServer,
    /// A Service; `direct` if the name leads to pods and is not translated.
    Service {
        service: &'n Service<'s>,
        direct: bool,
        is_short: bool,
    },
    Address(Address),
    /// A Service of the cluster that is not in the input.
    Missing,
    Outside,
    /// A word like any other.
    Word,
}

pub(super) struct Reader<'n, 's> {
    pub(super) network: &'n Network<'s>,
    pub(super) request: &'n Request<'n>,
    pub(super) needs: &'n mut Needs,
}

impl<'n, 's> Reader<'n, 's> {
    /// Reads what configures every workload.
    pub(super) fn read(&mut self) {
        let network = self.network;
        let scrapers = self.read_settings();
        for owner in scrapers {
            self.measured(owner);
        }
        for owner in 0..network.owner_count() {
            self.members(owner);
        }
    }

    /// Reads the settings of every workload; tells which of them find what they measure by asking the API server.
    fn read_settings(&mut self) -> Vec<u32> {
        let network = self.network;
        let mut scrapers = Vec::new();
        for owner in 0..network.owner_count() {
            let Some(pod) = network.speaking_pod(owner) else { continue };
            let settings = self.settings(owner, pod);
            let ports = ports_told(&settings);
            if settings.iter().any(|setting| setting.value.contains("kubernetes_sd_configs")) {
                scrapers.push(owner);
            }
            for setting in &settings {
                let found = match &setting.key {
                    Some(key) => mention::in_value(key, &setting.value),
                    None => mention::in_arguments(setting.value.split('\u{0}')),
                };
                for mention in found {
                    let told = setting.key.as_deref().and_then(|key| ports.get(&port_key(key)?)).copied();
                    self.mentioned(owner, setting, &mention, told);
                }
            }
        }
        scrapers
    }

    /// A host that a setting of `owner` names.
    fn mentioned(&mut self, owner: u32, setting: &Setting, mention: &Mention, told: Option<u16>) {
        let network = self.network;
        let Some(namespace) = network.inventory.owners.get(owner as usize).map(|owner| owner.namespace) else { return };
        if mention.scheme.as_deref().is_some_and(|scheme| !mention::leads_to_host(scheme)) {
            return;
        }
        let line = if mention.line > 1 { format!(", line {}", mention.line) } else { String::new() };
        let evidence = Evidence { text: format!("{}{line}: {}", setting.text, mention.host), place: setting.place.clone() };
        let default = mention.scheme.as_deref().and_then(mention::default_port);
        let port = mention.port.or(told).or(default);
        match self.host(namespace, mention) {
            Host::Own | Host::Word => {}
            Host::ApiServer => self.api_server(owner, &evidence),
            Host::Missing => self.gap_service(owner, &mention.host, "is not in the input"),
            Host::Address(address) => self.at_address(owner, address, mention, port, &evidence),
            Host::Outside => self.outside(owner, &mention.host, port, evidence),
            Host::Service { service, direct, is_short } => self.service(owner, service, direct, is_short, mention, port, evidence),
        }
    }

    /// What a host means to a pod of `namespace`.
    fn host(&self, namespace: u32, mention: &Mention) -> Host<'n, 's> {
        let network = self.network;
        let host = mention.host.as_str();
        if let Ok(address) = host.parse::<std::net::IpAddr>() {
            let is_own = address.is_loopback() || address.is_unspecified() || address.is_multicast();
            return if is_own { Host::Own } else { Host::Address(address.into()) };
        }
        let labels: Vec<&str> = host.split('.').collect();
        if labels.last() == Some(&"localhost") {
            return Host::Own;
        }
        let find = |namespace: &str, name: &str| network.inventory.namespace(namespace).and_then(|namespace| network.services.find(namespace, name));
        let here = network.inventory.namespace_name(namespace);
        let inside = labels.iter().position(|label| *label == "svc").filter(|&at| at >= 2);
        let head = inside.and_then(|at| labels.get(..at)).unwrap_or(&labels);
        if matches!(head, ["kubernetes", "default"]) || (host == "kubernetes" && here == "default") {
            return Host::ApiServer;
        }
        if inside.is_some() {
            let [.., name, namespace] = head else { return Host::Word };
            return match find(namespace, name) {
                Some(service) => Host::Service { service, direct: head.len() > 2, is_short: false },
                None => Host::Missing,
            };
        }
        let short = match head {
            [name] => find(here, name).map(|service| (service, false)),
            [first, second] => {
                find(second, first).map(|service| (service, false)).or_else(|| is_member(first).then(|| find(here, second).map(|service| (service, true)))?)
            }
            [first, second, third] => is_member(first).then(|| find(third, second).map(|service| (service, true))).flatten(),
            _ => None,
        };
        if let Some((service, direct)) = short {
            return Host::Service { service, direct, is_short: true };
        }
        let is_domain = labels.len() > 1 && labels.last().is_some_and(|top| top.len() > 1 && top.bytes().all(|byte| byte.is_ascii_alphabetic()));
        let is_meant = mention.scheme.is_some() || mention.is_announced || mention.port.is_some();
        if is_domain && is_meant { Host::Outside } else { Host::Word }
    }

    #[expect(clippy::too_many_arguments, reason = "everything that was told about one host")]
    fn service(&mut self, owner: u32, service: &Service<'s>, direct: bool, is_short: bool, mention: &Mention, port: Option<u16>, evidence: Evidence) {
        let network = self.network;
        let mut service = service;
        if is_short && !mention.is_announced && mention.scheme.is_none() && mention.port.is_none() {
            return;
        }
        for _ in 0..ALIASES_MAX {
            match &service.backend {
                Backend::Alias(namespace, name) => match network.inventory.namespace(namespace).and_then(|namespace| network.services.find(namespace, name)) {
                    Some(next) => service = next,
                    None => return self.gap_service(owner, &mention.host, "stands for a Service that is not in the input"),
                },
                Backend::Domain => {
                    let host = service.object.spec().and_then(|spec| spec.str(field::EXTERNAL_NAME)).unwrap_or("").trim_end_matches('.').to_ascii_lowercase();
                    return self.outside(owner, &host, port, evidence);
                }
                _ => break,
            }
        }
        let direct = direct || is_name_of_pods(service);
        let scheme_protocol = match mention.scheme.as_deref() {
            Some("udp") => Some(Protocol::Udp),
            Some(_) => Some(Protocol::Tcp),
            None => None,
        };
        let is_asked = |written: &&ServicePort<'_>| {
            port.is_none_or(|port| written.port == port || (direct && self.is_target(service, written, port)))
                && scheme_protocol.is_none_or(|protocol| protocol == written.protocol)
        };
        let ports: Vec<ServicePort<'_>> = service.ports.iter().filter(is_asked).copied().collect();
        // A short word with a port is a Service if that is a port of it, or if something else says so too.
        let is_sure = !is_short || mention.is_announced || mention.scheme.is_some() || !ports.is_empty();
        if !is_sure {
            return;
        }
        match (port.filter(|_| direct), ports.is_empty()) {
            // Without translation the port that is named is that of the pod.
            (Some(port), _) => {
                let protocols: BTreeSet<Protocol> = ports.iter().map(|written| written.protocol).collect();
                let traffic = protocols.iter().fold(Traffic::none(), |sum, &protocol| sum.union(&Traffic::ports(protocol, port, port)));
                let traffic = if traffic.is_empty() { Traffic::ports(scheme_protocol.unwrap_or(Protocol::Tcp), port, port) } else { traffic };
                let pods = network.pods_behind(service);
                if pods.is_empty() {
                    return self.reach_written(owner, service, &ports, mention, &evidence);
                }
                for pod in pods {
                    self.reach(owner, End::Pod(pod), &traffic, &evidence);
                }
            }
            (None, true) => self.gap_service(owner, &mention.host, if port.is_some() { "has no such port" } else { "has no ports" }),
            (None, false) => self.reach_written(owner, service, &ports, mention, &evidence),
        }
    }

    fn is_target(&self, service: &Service<'s>, written: &ServicePort<'s>, port: u16) -> bool {
        self.network.endpoints(service, written).iter().any(|(_, number)| *number == Some(port))
    }

    /// Reaches the endpoints of ports of a Service after translation.
    fn reach_written(&mut self, owner: u32, service: &Service<'s>, ports: &[ServicePort<'_>], mention: &Mention, evidence: &Evidence) {
        let mut is_reached = false;
        for written in ports {
            // Who names no port of a Service without an address means the one on which its pods listen.
            let found = if is_name_of_pods(service) {
                Ok(self.network.behind_port(service, written))
            } else {
                self.network.targets(&Named::Service(service), written.protocol, &PortName::Number(written.port))
            };
            let Ok(Translation::To(targets)) = found else { continue };
            for (end, number) in targets {
                let Some(number) = number else { continue };
                is_reached = true;
                self.reach(owner, end, &Traffic::ports(written.protocol, number, number), evidence);
            }
        }
        if !is_reached {
            self.gap_service(owner, &mention.host, "has no endpoints in the input");
        }
    }

    fn reach(&mut self, owner: u32, end: End, traffic: &Traffic, evidence: &Evidence) {
        if let Some(to) = self.side_of(owner, end, traffic) {
            self.needs.add(Side::Workload(owner), to, traffic.clone(), evidence.clone());
        }
    }

    /// What policies call an end; for one that they have no words for, notes the gap.
    pub(super) fn side_of(&mut self, owner: u32, end: End, traffic: &Traffic) -> Option<Side> {
        let side = self.network.side(end, &self.request.nodes);
        if side.is_none() {
            self.needs.gaps.insert(Gap::Nodes { workload: self.network.owner_name(owner), traffic: traffic.to_string() });
        }
        side
    }

    fn at_address(&mut self, owner: u32, address: Address, mention: &Mention, port: Option<u16>, evidence: &Evidence) {
        if mention.scheme.is_none() && !mention.is_announced && mention.port.is_none() {
            return;
        }
        let Some(port) = port else {
            let host = mention.host.clone();
            self.needs.gaps.insert(Gap::NoPort { workload: self.network.owner_name(owner), host });
            return;
        };
        let protocol = if mention.scheme.as_deref() == Some("udp") { Protocol::Udp } else { Protocol::Tcp };
        let named = self.network.named(&address.to_string());
        let Ok(named) = named else { return };
        if let Ok(Translation::To(targets)) = self.network.targets(&named, protocol, &PortName::Number(port)) {
            for (end, number) in targets {
                let number = number.unwrap_or(port);
                self.reach(owner, end, &Traffic::ports(protocol, number, number), evidence);
            }
        }
    }

    fn outside(&mut self, owner: u32, host: &str, port: Option<u16>, evidence: Evidence) {
        let Some(port) = port else {
            self.needs.gaps.insert(Gap::NoPort { workload: self.network.owner_name(owner), host: host.to_owned() });
            return;
        };
        let traffic = Traffic::ports(Protocol::Tcp, port, port);
        let blocks: Vec<Block> = self.request.hosts.iter().filter(|(name, _)| name == host).map(|(_, cidr)| Block::of(cidr.0)).collect();
        let to = if blocks.is_empty() { Side::Domain(host.to_owned()) } else { Side::Blocks(blocks) };
        self.needs.add(Side::Workload(owner), to, traffic, evidence);
    }

    fn gap_service(&mut self, owner: u32, service: &str, reason: &'static str) {
        self.needs.gaps.insert(Gap::NoService { workload: self.network.owner_name(owner), service: service.to_owned(), reason });
    }

    pub(super) fn api_server(&mut self, owner: u32, evidence: &Evidence) {
        let targets = super::api_server_sides(self.network, self.request);
        if targets.is_empty() {
            self.needs.gaps.insert(Gap::ApiServer(self.network.owner_name(owner)));
        }
        for (side, traffic) in targets {
            self.needs.add(Side::Workload(owner), side, traffic, evidence.clone());
        }
    }

    /// The replicas of a `StatefulSet` find each other by the Service that governs it.
    fn members(&mut self, owner: u32) {
        let network = self.network;
        let Some(pod) = network.speaking_pod(owner) else { return };
        let Some(object) = network.own_object(owner, pod).filter(|object| object.kind() == Kind::StatefulSet) else { return };
        let Some(spec) = object.spec().filter(|spec| spec.int(field::REPLICAS).unwrap_or(1) > 1) else { return };
        let name = spec.str(field::SERVICE_NAME).unwrap_or("");
        let service =
            object.namespace().and_then(|namespace| network.inventory.namespace(namespace)).and_then(|namespace| network.services.find(namespace, name));
        let Some(service) = service.filter(|service| is_name_of_pods(service)) else { return };
        let evidence = Evidence { text: format!("replicas meet by Service {name}"), place: place(network, object, spec) };
        for written in &service.ports {
            for (end, number) in network.endpoints(service, written) {
                let (End::Pod(pod), Some(number)) = (end, number) else { continue };
                if network.inventory.pods.get(pod as usize).is_some_and(|pod| pod.owner == owner) {
                    self.reach(owner, end, &Traffic::ports(written.protocol, number, number), &evidence);
                }
            }
        }
    }

    /// Pods that ask to be measured are, and so are the kubelets where the configuration says so.
    fn measured(&mut self, scraper: u32) {
        let network = self.network;
        for owner in 0..network.owner_count() {
            let Some(pod) = network.speaking_pod(owner).filter(|_| owner != scraper) else { continue };
            let scrape = pod.annotations().and_then(|annotations| annotations.entry("prometheus.io/scrape"));
            let Some(scrape) = scrape.filter(|scrape| scrape.as_str() == Some("true")) else { continue };
            let written = pod.annotation("prometheus.io/port").and_then(|port| port.parse::<u16>().ok());
            let Some(number) = network.pod_number(owner) else { continue };
            let declared: Vec<_> = network.inventory.pods.get(number as usize).into_iter().flat_map(crate::inventory::Pod::ports).collect();
            let is_named = |name: &str| name.contains("metrics") || name.starts_with("prom");
            let of_name: Vec<u16> = declared.iter().filter(|port| is_named(port.name) && port.protocol == Protocol::Tcp).map(|port| port.port).collect();
            let all: Vec<u16> = declared.iter().filter(|port| port.protocol == Protocol::Tcp).map(|port| port.port).collect();
            let ports = written.map_or(if of_name.is_empty() { all } else { of_name }, |port| vec![port]);
            let evidence = Evidence { text: "annotation prometheus.io/scrape".to_owned(), place: place(network, pod.object(), scrape) };
            for port in ports.into_iter().filter(|&port| port != 0) {
                let traffic = Traffic::ports(Protocol::Tcp, port, port);
                if let Some(to) = self.side_of(scraper, End::Pod(number), &traffic) {
                    self.needs.add(Side::Workload(scraper), to, traffic, evidence.clone());
                }
            }
        }
        self.kubelets(scraper);
    }

    fn kubelets(&mut self, scraper: u32) {
        let Some(pod) = self.network.speaking_pod(scraper) else { return };
        let settings = self.settings(scraper, pod);
        let Some(setting) = settings.iter().find(|setting| setting.value.lines().any(|line| line.trim().trim_start_matches("- ") == "role: node")) else {
            return;
        };
        let traffic = Traffic::ports(Protocol::Tcp, KUBELET_PORT, KUBELET_PORT);
        let evidence = Evidence { text: format!("{}: role: node", setting.text), place: setting.place.clone() };
        match super::node_blocks(self.network, &self.request.nodes) {
            Some(blocks) => self.needs.add(Side::Workload(scraper), Side::Blocks(blocks), traffic, evidence),
            None => _ = self.needs.gaps.insert(Gap::Nodes { workload: self.network.owner_name(scraper), traffic: traffic.to_string() }),
        }
    }
}

/// The name of one pod of a `StatefulSet`: `redis-0`.
fn is_member(label: &str) -> bool {
    label.rsplit_once('-').is_some_and(|(_, ordinal)| !ordinal.is_empty() && ordinal.bytes().all(|byte| byte.is_ascii_digit()))
}
