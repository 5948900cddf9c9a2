//! `dangling-configuration`: a pod needs a ConfigMap, Secret or volume claim that is not there.

use bartizan_cluster::{ContainerView, Kind, ObjectView, PodView, Symbol, Value, field};
use bartizan_report::{Check, Severity, Stage};

use crate::sink::Msg;
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "dangling-configuration",
        severity: Severity::Medium,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("dangling_configuration.md"),
    },
    reads: &[Kind::ConfigMap, Kind::Secret, Kind::PersistentVolumeClaim],
    judge: Judge::Pod(judge),
};

/// A controller puts it into every namespace.
const ROOT_CERTIFICATE: &str = "kube-root-ca.crt";

fn judge<'a>(pod: PodView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    let needs: Vec<Need<'a>> = needs_of(pod);
    if needs.is_empty() {
        return out.not_applicable();
    }
    // A Secret that cannot be looked up must not hide a ConfigMap that is known not to be there.
    let mut unknown = None;
    for need in needs {
        match facts.get(need.kind, Some(pod.namespace()), need.name).read() {
            Ok(Some(object)) => need.check_keys(object, out),
            Ok(None) => need.report_absent(out),
            Err(missing) => unknown = unknown.or(Some(missing)),
        }
    }
    unknown.map_or_else(|| out.done(), Err)
}

/// One object without which a pod does not start.
struct Need<'a> {
    kind: Kind,
    name: &'a str,
    /// Where it is named.
    place: Value<'a>,
    /// The entries that must be in it.
    keys: Vec<Value<'a>>,
    container: Option<ContainerView<'a>>,
}

impl<'a> Need<'a> {
    fn report_absent(&self, out: &mut Sink<'a>) {
        let message = match self.kind {
            Kind::ConfigMap => msg!("config-map", name = self.name),
            Kind::Secret => msg!("secret", name = self.name),
            _ => msg!("claim", name = self.name),
        };
        self.report(self.place, message, out);
    }

    fn check_keys(&self, object: ObjectView<'a>, out: &mut Sink<'a>) {
        for &key in &self.keys {
            if key.as_str().is_some_and(|name| lacks(object, name)) {
                let message = match self.kind {
                    Kind::ConfigMap => msg!("config-map-key", name = self.name, key = key.display()),
                    _ => msg!("secret-key", name = self.name, key = key.display()),
                };
                self.report(key, message, out);
            }
        }
    }

    fn report(&self, place: Value<'a>, message: Msg, out: &mut Sink<'a>) {
        let raised = out.fail(place, message);
        if let Some(container) = self.container {
            raised.container(container);
        }
    }
}

/// Whether `object` is known to have no entry `key`.
fn lacks(object: ObjectView<'_>, key: &str) -> bool {
    if object.kind() == Kind::Secret {
        // Without a type only the metadata was read; and the controller of tokens fills its Secrets later.
        let is_filled_later = object.root().str(field::TYPE) == Some("kubernetes.io/service-account-token");
        let is_read = object.root().get(field::DATA).is_some() || object.root().get(field::STRING_DATA).is_some();
        return is_read && !is_filled_later && object.secret().is_some_and(|facts| facts.entries.iter().all(|entry| entry.key != key));
    }
    [field::DATA, field::BINARY_DATA].into_iter().all(|part| object.root().get(part).is_none_or(|part| part.entry(key).is_none()))
}

fn needs_of(pod: PodView<'_>) -> Vec<Need<'_>> {
    let of_containers = pod.containers().flat_map(|container| {
        let variables = container.value().list(field::ENV).filter_map(|variable| variable.get(field::VALUE_FROM));
        let by_key = variables.flat_map(|source| {
            [(field::CONFIG_MAP_KEY_REF, Kind::ConfigMap), (field::SECRET_KEY_REF, Kind::Secret)]
                .into_iter()
                .filter_map(move |(name, kind)| Some((kind, source.get(name)?)))
                .map(|(kind, reference)| (kind, reference, reference.get(field::KEY).into_iter().collect::<Vec<_>>()))
        });
        let whole = container.value().list(field::ENV_FROM).flat_map(|source| {
            [(field::CONFIG_MAP_REF, Kind::ConfigMap), (field::SECRET_REF, Kind::Secret)]
                .into_iter()
                .filter_map(move |(name, kind)| Some((kind, source.get(name)?, Vec::new())))
        });
        by_key.chain(whole).filter_map(move |(kind, reference, keys)| need(kind, reference, field::NAME, keys, Some(container)))
    });
    let of_volumes = pod.volumes().flat_map(|volume| {
        let projected = volume.get(field::PROJECTED).into_iter().flat_map(|projected| projected.list(field::SOURCES));
        let parts = projected.flat_map(|source| volume_need(source, field::NAME));
        let claim = volume.get(field::PERSISTENT_VOLUME_CLAIM).and_then(|claim| need(Kind::PersistentVolumeClaim, claim, field::CLAIM_NAME, Vec::new(), None));
        volume_need(volume, field::SECRET_NAME).into_iter().chain(parts).chain(claim)
    });
    of_containers.chain(of_volumes).collect()
}

/// The ConfigMap and the Secret that a volume, or a part of a projected one, is made of.
fn volume_need(source: Value<'_>, secret_name: Symbol) -> Vec<Need<'_>> {
    let map = source.get(field::CONFIG_MAP).and_then(|map| need(Kind::ConfigMap, map, field::NAME, keys_of_items(map), None));
    let secret = source.get(field::SECRET).and_then(|secret| need(Kind::Secret, secret, secret_name, keys_of_items(secret), None));
    map.into_iter().chain(secret).collect()
}

fn keys_of_items(source: Value<'_>) -> Vec<Value<'_>> {
    source.list(field::ITEMS).filter_map(|item| item.get(field::KEY)).collect()
}

fn need<'a>(kind: Kind, reference: Value<'a>, name: Symbol, keys: Vec<Value<'a>>, container: Option<ContainerView<'a>>) -> Option<Need<'a>> {
    let place = reference.get(name)?;
    let name = place.as_str().filter(|name| !name.is_empty())?;
    let is_given = kind == Kind::ConfigMap && name == ROOT_CERTIFICATE;
    (reference.bool(field::OPTIONAL) != Some(true) && !is_given).then_some(Need { kind, name, place, keys, container })
}
