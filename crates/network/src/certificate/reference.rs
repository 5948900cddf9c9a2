//! Who refers to certificates from outside of them: Ingresses, and Gateways of the Gateway API with their sets of listeners; and what must
//! be covered. Those of Istio are followed in `istio`.

use std::collections::BTreeSet;

use bartizan_cluster::secret::{Certificate, Content};
use bartizan_cluster::{Fact, Kind, ObjectView, Snapshot, Value, field};
use bartizan_report::fault::{Judgement, Place};

use super::holder::{CERTIFICATE, Holder, KEY};
use super::name::{covers, names_text};
use super::{Ledger, Reference, ReferenceState, Unseen, faults, is_stored, text};
use crate::attachment;
use crate::grant::{self, GATEWAY_GROUP as GATEWAY, LISTENER_SETS};

const TLS_SECRET: &str = "kubernetes.io/tls";

/// Annotations by which cert-manager is told to make the Secrets that an object names.
const ISSUED: [&str; 3] = ["cert-manager.io/cluster-issuer", "cert-manager.io/issuer", "kubernetes.io/tls-acme"];

/// Secrets that objects of the input say they will make, by namespace and name.
pub(super) fn promised(snapshot: &Snapshot) -> BTreeSet<(&str, &str)> {
    let mut found = BTreeSet::new();
    for object in snapshot.of_kind(Kind::Other) {
        let Some((namespace, spec)) = object.namespace().zip(object.spec()) else { continue };
        let target = |names: [&str; 2]| text(spec.entry(names[0])?, names[1]);
        let name = match (object.group(), object.kind_name()) {
            ("cert-manager.io", "Certificate") => text(spec, "secretName"),
            ("bitnami.com", "SealedSecret") => Some(object.name()),
            ("external-secrets.io", "ExternalSecret") => target(["target", "name"]).or(Some(object.name())),
            ("secrets.hashicorp.com", _) => target(["destination", "name"]),
            ("secrets-store.csi.x-k8s.io", "SecretProviderClass") => {
                found.extend(spec.entry("secretObjects").into_iter().flat_map(Value::items).filter_map(|made| Some((namespace, text(made, "secretName")?))));
                None
            }
            _ => None,
        };
        found.extend(name.map(|name| (namespace, name)));
    }
    found
}

/// A Secret that somebody means to show to clients.
pub(super) struct Wanted<'a> {
    pub(super) user: ObjectView<'a>,
    pub(super) place: Place,
    pub(super) hosts: Vec<String>,
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
    pub(super) shown_by: ShownBy,
    pub(super) port: u16,
}

/// Who shows a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ShownBy {
    Ingress,
    /// Takes one type of Secret.
    Gateway,
    /// Proxies of Istio, which know other names for certificate and key as well.
    Istio,
}

impl ShownBy {
    /// The keys of certificate and private key that are read from a Secret.
    pub(super) fn keys(self, secret: ObjectView<'_>) -> [&'static str; 2] {
        const OTHERS: [&str; 2] = ["cert", "key"];
        let is_filled = |key: &str| secret.secret().and_then(|facts| facts.entry(key)).is_some_and(|entry| entry.length > 0);
        if self == ShownBy::Istio && OTHERS.into_iter().all(is_filled) { OTHERS } else { [CERTIFICATE, KEY] }
    }
}

/// Where hosts answer by TLS if nothing else is written.
pub(super) const HTTPS: u16 = 443;

impl<'s> Ledger<'_, 's> {
    pub(super) fn follow_ingresses(&mut self) {
        for ingress in self.snapshot.of_kind(Kind::Ingress) {
            let Some(spec) = ingress.spec() else { continue };
            let of_rules = || spec.list(field::RULES).filter_map(|rule| rule.str(field::HOST)).map(str::to_owned).collect::<Vec<_>>();
            for entry in spec.list(field::TLS) {
                // Without a name the controller shows a certificate of its own.
                let Some(name) = entry.str(field::SECRET_NAME).filter(|name| !name.is_empty()) else { continue };
                let listed: Vec<String> = entry.strings(field::HOSTS).map(str::to_owned).collect();
                let hosts = if listed.is_empty() { of_rules() } else { listed };
                let place = Place::field(self.snapshot, ingress, entry, "secretName");
                self.follow(Wanted {
                    user: ingress,
                    place,
                    hosts,
                    namespace: ingress.namespace().unwrap_or(""),
                    name,
                    shown_by: ShownBy::Ingress,
                    port: HTTPS,
                });
            }
        }
    }

    pub(super) fn follow_gateways(&mut self) {
        for gateway in self.others(GATEWAY, "Gateway").chain(LISTENER_SETS.into_iter().flat_map(|(group, kind)| self.others(group, kind))).collect::<Vec<_>>() {
            if self.is_kept_out(gateway) {
                continue;
            }
            let routes = self.routes_of(gateway);
            let listeners = gateway.spec().and_then(|spec| spec.entry("listeners"));
            for listener in listeners.into_iter().flat_map(Value::items) {
                let Some(tls) = listener.get(field::TLS).filter(|tls| text(*tls, "mode") != Some("Passthrough")) else { continue };
                let references: Vec<Value<'s>> = tls.entry("certificateRefs").into_iter().flat_map(Value::items).collect();
                let leaves: Vec<Option<Certificate>> = references.iter().map(|reference| self.leaf_of(gateway, *reference)).collect();
                let hosts = hosts_of(self.snapshot, gateway, listener, &routes);
                for (number, reference) in references.into_iter().enumerate() {
                    let hosts = hosts.iter().filter(|host| is_asked_of(number, host, &leaves)).cloned().collect();
                    self.follow_listener(gateway, reference, hosts, port_of(listener));
                }
            }
        }
        self.follow_gateways_of_istio();
    }

    /// Whether this is a set of listeners whose Gateway is there and lets it not in, which is told.
    fn is_kept_out(&mut self, set: ObjectView<'s>) -> bool {
        let Some((parent, gateway)) = grant::parent_of_listeners(self.snapshot, set) else { return false };
        if grant::lets_listeners_in(self.snapshot, gateway, set) || self.snapshot.gap(Kind::Namespace, None).is_some() {
            return false;
        }
        let (home, gateway) = (set.namespace().unwrap_or("").to_owned(), format!("{}/{}", gateway.namespace().unwrap_or(""), gateway.name()));
        let judgement = Judgement::new(&faults::LISTENERS_NOT_ALLOWED, [("gateway", gateway.clone()), ("namespace", home)]);
        let place = Place::of(self.snapshot, set, parent);
        self.note(set, place, (Vec::new(), HTTPS), format!("Gateway {gateway}"), ReferenceState::Found, vec![judgement]);
        true
    }

    /// The certificate that a listener refers to, if it is there.
    fn leaf_of(&self, gateway: ObjectView<'s>, reference: Value<'s>) -> Option<Certificate> {
        self.first_of(reference.str(field::NAMESPACE).or(gateway.namespace())?, reference.str(field::NAME)?, ShownBy::Gateway)
    }

    /// The certificate in a Secret, if it is there.
    pub(super) fn first_of(&self, namespace: &str, name: &str, shown_by: ShownBy) -> Option<Certificate> {
        let secret = self.snapshot.find(Kind::Secret, Some(namespace), name)?;
        let [key, _] = shown_by.keys(secret);
        let Content::Pem { certificates, .. } = &secret.secret()?.entry(key)?.content else { return None };
        certificates.first().cloned()
    }

    fn follow_listener(&mut self, gateway: ObjectView<'s>, reference: Value<'s>, hosts: Vec<String>, port: u16) {
        let (group, kind) = (reference.str(field::GROUP).unwrap_or(""), reference.str(field::KIND).unwrap_or("Secret"));
        let Some(name) = reference.str(field::NAME).filter(|_| group.is_empty() && kind == "Secret") else { return };
        let own = gateway.namespace().unwrap_or("");
        let namespace = reference.str(field::NAMESPACE).unwrap_or(own);
        let place = Place::of(self.snapshot, gateway, reference);
        if namespace != own && !grant::is_granted(self.snapshot, namespace, ("Secret", name), gateway) {
            if let Some(missing) = self.snapshot.gap_of_other(GATEWAY, "referencegrants", Some(namespace)) {
                self.unseen.insert(Unseen::from(&missing));
                return self.leave_open(gateway, place, (hosts, port), Some((namespace, name)), name);
            }
            let args = [("secret", called(namespace, name)), ("namespace", own.to_owned())];
            let judgements = vec![Judgement::new(&faults::NOT_GRANTED, args)];
            self.note(gateway, place, (hosts, port), called(namespace, name), ReferenceState::Missing, judgements);
            return;
        }
        self.follow(Wanted { user: gateway, place, hosts, namespace, name, shown_by: ShownBy::Gateway, port });
    }

    /// Notes that it is not known whether what is referred to is there.
    pub(super) fn leave_open(&mut self, user: ObjectView<'s>, place: Place, served: (Vec<String>, u16), secret: Option<(&str, &str)>, name: &str) {
        let target = secret.map_or_else(|| format!("Secret {name}"), |(namespace, name)| called(namespace, name));
        self.note(user, place, served, target, ReferenceState::Unknown, Vec::new());
        if let Some(reference) = self.references.last_mut() {
            reference.secret = secret.map(|(namespace, name)| (namespace.to_owned(), name.to_owned()));
        }
    }

    /// The routes that name a Gateway of the Gateway API or a set of listeners, with how they do.
    fn routes_of(&self, gateway: ObjectView<'s>) -> Vec<(ObjectView<'s>, Value<'s>)> {
        let routes = ["HTTPRoute", "GRPCRoute", "TLSRoute"].into_iter().flat_map(|kind| self.others(GATEWAY, kind));
        let named = routes.flat_map(|route| attachment::parents(route).map(move |parent| (route, parent)));
        named.filter(|(route, parent)| attachment::is_parent(*parent, *route, gateway)).collect()
    }

    /// Looks for the Secret and judges whether it serves.
    pub(super) fn follow(&mut self, wanted: Wanted<'s>) {
        let target = called(wanted.namespace, wanted.name);
        let mut judgements = Vec::new();
        let state = match self.secret(wanted.namespace, wanted.name) {
            Fact::Known(secret) => {
                let keys = wanted.shown_by.keys(secret);
                judgements = judge_form(secret, &target, keys, wanted.shown_by == ShownBy::Gateway, is_stored(self.snapshot, secret));
                if let Some(leaf) = self.serve(wanted.namespace, wanted.name, keys, wanted.user) {
                    judgements.extend(uncovered(&leaf, &wanted.hosts, &target));
                }
                ReferenceState::Found
            }
            Fact::Missing(_) => ReferenceState::Unknown,
            Fact::Absent if self.is_promised(&wanted) => ReferenceState::Promised,
            Fact::Absent => {
                judgements.push(Judgement::new(&faults::SECRET_MISSING, [("secret", target.clone())]));
                ReferenceState::Missing
            }
        };
        self.note(wanted.user, wanted.place, (wanted.hosts, wanted.port), target, state, judgements);
        if let Some(reference) = self.references.last_mut() {
            reference.secret = Some((wanted.namespace.to_owned(), wanted.name.to_owned()));
        }
    }

    fn is_promised(&self, wanted: &Wanted<'_>) -> bool {
        let is_asked_for = ISSUED.iter().any(|name| wanted.user.annotation(name).is_some());
        is_asked_for || self.promised.contains(&(wanted.namespace, wanted.name))
    }

    /// Marks the certificate of a Secret as shown to clients by `user`, and gives it.
    fn serve(&mut self, namespace: &str, name: &str, [certificate, _]: [&str; 2], user: ObjectView<'_>) -> Option<Certificate> {
        let secret = self.snapshot.find(Kind::Secret, Some(namespace), name)?;
        let numbers = self.by_name.get(&(Kind::Secret, secret.namespace()?, secret.name()))?.clone();
        let suffix = format!(" {certificate}");
        let number = numbers.into_iter().find(|&number| self.holders.get(number).is_some_and(|holder| holder.name.ends_with(&suffix)))?;
        let holder = self.holders.get_mut(number)?;
        holder.serves = true;
        holder.used_by.insert(user.reference().to_string());
        holder.leaf().cloned()
    }

    fn note(
        &mut self,
        user: ObjectView<'s>,
        place: Place,
        (hosts, port): (Vec<String>, u16),
        target: String,
        state: ReferenceState,
        judgements: Vec<Judgement>,
    ) {
        self.references.push(Reference {
            name: user.reference().to_string(),
            place,
            hosts,
            port,
            target,
            state,
            judgements,
            secret: None,
            object: user.id(),
            is_published: true,
        });
    }

    /// Notes that `user` shows the certificate that it carries itself.
    pub(super) fn refer(&mut self, user: ObjectView<'s>, place: Place, hosts: Vec<String>, holder: &Holder<'s>) {
        let judgements = holder.leaf().map(|leaf| uncovered(leaf, &hosts, &holder.name)).unwrap_or_default();
        self.note(user, place, (hosts, HTTPS), holder.name.clone(), ReferenceState::Found, judgements);
    }
}

fn port_of(listener: Value<'_>) -> u16 {
    number(listener.get(field::PORT))
}

pub(super) fn number(port: Option<Value<'_>>) -> u16 {
    port.and_then(Value::as_i64).and_then(|port| u16::try_from(port).ok()).unwrap_or(HTTPS)
}

/// Whether a host is to be covered by the certificate with this number. Each host needs one of them: the one that covers it, or the only
/// one there is; what none covers is asked of the first if all are known.
pub(super) fn is_asked_of(number: usize, host: &str, leaves: &[Option<Certificate>]) -> bool {
    let covered = |leaf: &Option<Certificate>| leaf.as_ref().is_some_and(|leaf| covers(leaf, host));
    match leaves.iter().position(covered) {
        Some(_) => leaves.get(number).is_some_and(covered),
        None => leaves.len() == 1 || number == 0 && leaves.iter().all(Option::is_some),
    }
}

pub(super) fn called(namespace: &str, name: &str) -> String {
    format!("Secret {namespace}/{name}")
}

/// What is wrong with the form of a Secret for servers. A text in a manifest that is no PEM takes the place of what is written
/// later; in a stored object it is what is there.
fn judge_form(secret: ObjectView<'_>, target: &str, keys: [&'static str; 2], is_gateway: bool, is_stored: bool) -> Vec<Judgement> {
    let mut found = Vec::new();
    let kind = secret.root().str(field::TYPE).unwrap_or("Opaque");
    if is_gateway && kind != TLS_SECRET {
        found.push(Judgement::new(&faults::SECRET_OF_WRONG_TYPE, [("secret", target.to_owned()), ("kind", kind.to_owned())]));
    }
    for (key, is_certificate) in keys.into_iter().zip([true, false]) {
        let entry = secret.secret().and_then(|facts| facts.entry(key)).filter(|entry| entry.length > 0);
        let serves = entry.is_some_and(|entry| match &entry.content {
            Content::Pem { certificates, keys } => {
                if is_certificate {
                    !certificates.is_empty()
                } else {
                    !keys.is_empty()
                }
            }
            _ => !is_stored,
        });
        if !serves {
            found.push(Judgement::new(&faults::SECRET_INCOMPLETE, [("secret", target.to_owned()), ("key", key.to_owned())]));
        }
    }
    found
}

/// The hosts for which a certificate is not.
pub(super) fn uncovered(leaf: &Certificate, hosts: &[String], target: &str) -> Vec<Judgement> {
    let missed = hosts.iter().filter(|host| !covers(leaf, host));
    let judgement = |host: &String| {
        let args = [("secret", target.to_owned()), ("host", host.clone()), ("names", names_text(leaf))];
        Judgement::new(&faults::HOST_NOT_COVERED, args)
    };
    missed.map(judgement).collect()
}

/// The hosts that a listener serves: those of the routes that it takes, as far as they are its own, else its own. Each route comes with how
/// it names the Gateway.
fn hosts_of<'s>(snapshot: &Snapshot, gateway: ObjectView<'_>, listener: Value<'_>, routes: &[(ObjectView<'s>, Value<'s>)]) -> Vec<String> {
    let own = attachment::host_of(listener);
    let attached = routes.iter().filter(|(route, parent)| attachment::takes(snapshot, gateway, listener, *route, *parent));
    let mut hosts: Vec<String> = attached.flat_map(|(route, _)| attachment::hosts_of(*route).filter_map(|host| attachment::shared(own, host))).collect();
    if hosts.is_empty() {
        hosts.extend(own.map(str::to_owned));
    }
    hosts.sort();
    hosts.dedup();
    hosts
}
