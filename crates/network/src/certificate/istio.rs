//! What Istio's Gateways refer to: the Secrets whose certificates their servers show, and, where clients are to prove who they are, those with
//! the authorities of clients. The proxies read both in their own namespace.

use std::collections::BTreeSet;

use bartizan_cluster::secret::{Certificate, Content};
use bartizan_cluster::{Fact, Kind, ObjectView, Value, field, selector};
use bartizan_report::fault::{Judgement, Place};

use super::reference::{HTTPS, ShownBy, Wanted, called, is_asked_of, number};
use super::{Ledger, Reference, ReferenceState, faults, is_stored, text};

/// The modes in which a server shows the Secrets that it names; without a mode, what comes is passed on.
const SHOWING: [&str; 3] = ["SIMPLE", "MUTUAL", "OPTIONAL_MUTUAL"];

/// Those in which it asks clients who they are.
const ASKING: [&str; 2] = ["MUTUAL", "OPTIONAL_MUTUAL"];

/// What is behind the name of a Secret in that of the one with the authorities for its clients.
const OF_CLIENTS: &str = "-cacert";

/// The keys under which authorities stand, as they are looked for.
const AUTHORITIES: [&str; 2] = ["cacert", "ca.crt"];

/// How a name begins that says which kind of object it is.
const SECRETS: &str = "kubernetes://";

/// Where authorities are looked for, and what for.
struct Clients<'a> {
    gateway: ObjectView<'a>,
    place: Place,
    namespace: &'a str,
    /// The Secret of their own, and the one that may hold them beside a certificate.
    own: &'a str,
    beside: Option<&'a str>,
    /// Whether the second one is shown as well, so that its absence is told already.
    is_shown: bool,
}

impl<'s> Ledger<'_, 's> {
    pub(super) fn follow_gateways_of_istio(&mut self) {
        for gateway in self.others("networking.istio.io", "Gateway").collect::<Vec<_>>() {
            let Some(spec) = gateway.spec() else { continue };
            let wanted = spec.get(field::SELECTOR);
            let pods = self.workloads.iter().flat_map(|workload| workload.variants.iter().map(|variant| variant.pod));
            let homes: BTreeSet<&str> = pods
                .filter(|pod| wanted.is_some_and(|wanted| !wanted.is_empty() && selector::matches_map(wanted, pod.labels())))
                .map(bartizan_cluster::PodView::namespace)
                .collect();
            for server in spec.entry("servers").into_iter().flat_map(Value::items) {
                if let Some(tls) = server.get(field::TLS).filter(|tls| text(*tls, "mode").is_some_and(|mode| SHOWING.contains(&mode))) {
                    self.follow_server(gateway, server, tls, &homes);
                }
            }
        }
    }

    fn follow_server(&mut self, gateway: ObjectView<'s>, server: Value<'s>, tls: Value<'s>, homes: &BTreeSet<&'s str>) {
        // A host may carry the namespace to which it is shown.
        let hosts = server.strings(field::HOSTS).map(|host| host.rsplit('/').next().unwrap_or(host)).filter(|host| *host != "*").map(str::to_owned);
        let hosts: Vec<String> = hosts.collect();
        let port = server.get(field::PORT).map_or(HTTPS, |port| number(port.get(field::NUMBER)));
        let named = named(tls);
        let names: Vec<&'s str> = named.iter().filter_map(|value| secret_named(*value)).collect();
        if names.len() < named.len() || names.is_empty() {
            // Somebody else hands out what is named otherwise.
            return;
        }
        if homes.is_empty() {
            for (value, name) in named.iter().zip(&names) {
                self.leave_open(gateway, Place::of(self.snapshot, gateway, *value), (hosts.clone(), port), None, name);
            }
            return;
        }
        // Every proxy reads the Secrets of its own namespace.
        for &namespace in homes {
            let leaves: Vec<Option<Certificate>> = names.iter().map(|name| self.first_of(namespace, name, ShownBy::Istio)).collect();
            for (at, (value, name)) in named.iter().zip(&names).enumerate() {
                let hosts = hosts.iter().filter(|host| names.len() == 1 || is_asked_of(at, host, &leaves)).cloned().collect();
                let place = Place::of(self.snapshot, gateway, *value);
                self.follow(Wanted { user: gateway, place, hosts, namespace, name, shown_by: ShownBy::Istio, port });
            }
            if text(tls, "mode").is_some_and(|mode| ASKING.contains(&mode)) {
                self.follow_authorities(gateway, tls, namespace);
            }
        }
    }

    /// Looks for the authorities of clients: those that are named for it, else those of the first Secret that is shown.
    fn follow_authorities(&mut self, gateway: ObjectView<'s>, tls: Value<'s>, namespace: &'s str) {
        let own = tls.entry("caCertCredentialName").filter(|value| value.as_str().is_some_and(|name| !name.is_empty()));
        let Some(value) = own.or_else(|| named(tls).into_iter().next()) else { return };
        let Some(name) = secret_named(value) else { return };
        let place = Place::of(self.snapshot, gateway, value);
        if own.is_some() {
            let beside = name.strip_suffix(OF_CLIENTS);
            return self.follow_clients(&Clients { gateway, place, namespace, own: name, beside, is_shown: false });
        }
        let separate = format!("{name}{OF_CLIENTS}");
        self.follow_clients(&Clients { gateway, place, namespace, own: &separate, beside: Some(name), is_shown: true });
    }

    fn follow_clients(&mut self, clients: &Clients<'_>) {
        let &Clients { namespace, own, beside, is_shown, .. } = clients;
        let is_promised = |ledger: &Self, name: &str| ledger.promised.contains(&(namespace, name));
        let found = match (self.secret(namespace, own), beside) {
            (Fact::Absent, _) if is_promised(self, own) => return self.note_clients(clients, own, ReferenceState::Promised, Vec::new()),
            // The Secret of their own goes before the one beside whose certificate they may stand.
            (Fact::Absent, Some(beside)) => (self.secret(namespace, beside), beside),
            (found, _) => (found, own),
        };
        let (fact, name) = found;
        let missing = || vec![Judgement::new(&faults::CLIENT_AUTHORITIES_MISSING, [("secret", called(namespace, name))])];
        let (state, judgements) = match fact {
            Fact::Known(secret) => {
                let is_filled = |key: &&str| secret.secret().and_then(|facts| facts.entry(key)).is_some_and(|entry| entry.length > 0);
                match AUTHORITIES.into_iter().find(is_filled) {
                    None => (ReferenceState::Found, missing()),
                    Some(key) => (ReferenceState::Found, self.use_authorities(secret, key, clients)),
                }
            }
            Fact::Missing(_) => (ReferenceState::Unknown, Vec::new()),
            Fact::Absent if is_promised(self, name) => (ReferenceState::Promised, Vec::new()),
            Fact::Absent => (ReferenceState::Missing, if is_shown { Vec::new() } else { missing() }),
        };
        self.note_clients(clients, name, state, judgements);
    }

    /// Marks authorities as used, and tells if none of them can be read. A text in a manifest that is no PEM takes the place of what is
    /// written later.
    fn use_authorities(&mut self, secret: ObjectView<'_>, key: &str, clients: &Clients<'_>) -> Vec<Judgement> {
        let suffix = format!(" {key}");
        let numbers = self.by_name.get(&(Kind::Secret, secret.namespace().unwrap_or(""), secret.name())).cloned().unwrap_or_default();
        for number in numbers {
            if let Some(holder) = self.holders.get_mut(number).filter(|holder| holder.name.ends_with(&suffix)) {
                holder.used_by.insert(clients.gateway.reference().to_string());
            }
        }
        let is_readable = secret.secret().and_then(|facts| facts.entry(key)).is_some_and(|entry| match &entry.content {
            Content::Pem { certificates, .. } => !certificates.is_empty(),
            _ => !is_stored(self.snapshot, secret),
        });
        if is_readable { Vec::new() } else { vec![Judgement::new(&faults::CLIENT_AUTHORITIES_MISSING, [("secret", called(clients.namespace, secret.name()))])] }
    }

    fn note_clients(&mut self, clients: &Clients<'_>, name: &str, state: ReferenceState, judgements: Vec<Judgement>) {
        self.references.push(Reference {
            name: clients.gateway.reference().to_string(),
            place: clients.place.clone(),
            hosts: Vec::new(),
            port: 0,
            target: called(clients.namespace, name),
            state,
            judgements,
            secret: Some((clients.namespace.to_owned(), name.to_owned())),
            object: clients.gateway.id(),
            is_published: false,
        });
    }
}

/// Where a server names the Secrets that it shows: several have one certificate for each kind of key.
fn named(tls: Value<'_>) -> Vec<Value<'_>> {
    let listed: Vec<Value<'_>> = tls.entry("credentialNames").into_iter().flat_map(Value::items).collect();
    let single = || tls.entry("credentialName").filter(|value| value.as_str().is_some_and(|name| !name.is_empty()));
    if listed.is_empty() { single().into_iter().collect() } else { listed }
}

/// The Secret that a name means, in the namespace of whoever reads it; none where somebody else hands out what it means.
fn secret_named(value: Value<'_>) -> Option<&str> {
    let name = value.as_str()?;
    let name = name.strip_prefix(SECRETS).unwrap_or(name);
    Some(name).filter(|name| !name.is_empty() && !name.contains('/'))
}
