//! What configures the programs of a workload, as text: variables with what they refer to, arguments, and entries of ConfigMaps
//! that are mounted. What stands in Secrets is not read, and told.

use std::collections::BTreeMap;

use bartizan_cluster::{ContainerView, Kind, Location, ObjectView, PodView, Value, field};

use super::manifest::Reader;
use super::need::Gap;
use super::{mention, place};
use crate::service::Service;

/// More settings than this are no configuration of one workload.
const SETTINGS_MAX: usize = 4096;

/// How often a variable may refer to another.
const EXPANSIONS_MAX: usize = 8;

/// A longer value of a variable starts no program.
const EXPANDED_MAX: usize = 1 << 20;

/// Something that configures a program.
pub(super) struct Setting {
    /// The name of the variable, or of the file; none for arguments.
    pub(super) key: Option<String>,
    pub(super) value: String,
    /// What it is, in words.
    pub(super) text: String,
    pub(super) place: Option<Location>,
}

impl<'s> Reader<'_, 's> {
    /// Everything that configures a workload: variables, arguments, and the files of its ConfigMaps.
    pub(super) fn settings(&mut self, owner: u32, pod: PodView<'s>) -> Vec<Setting> {
        let object = pod.object();
        let mut settings = Vec::new();
        for container in pod.containers() {
            let variables = self.variables(owner, pod, container);
            let values: BTreeMap<&str, &str> = variables.iter().filter_map(|setting| Some((setting.key.as_deref()?, setting.value.as_str()))).collect();
            let arguments: Vec<Value<'_>> = [field::COMMAND, field::ARGS].into_iter().filter_map(|name| container.value().get(name)).collect();
            for list in arguments {
                let words: Vec<String> = list.items().filter_map(Value::as_str).map(|word| self.expanded(pod, word, &values)).collect();
                let text = format!("{} of container {}", if list.key() == "args" { "args" } else { "command" }, container.name());
                settings.push(Setting { key: None, value: words.join("\u{0}"), text, place: place(self.network, object, list) });
            }
            let expanded: Vec<String> = variables.iter().map(|setting| self.expanded(pod, &setting.value, &values)).collect();
            settings.extend(variables.into_iter().zip(expanded).map(|(setting, value)| Setting { value, ..setting }));
        }
        for volume in pod.volumes() {
            self.mounted(owner, pod, volume, &mut settings);
        }
        settings.truncate(SETTINGS_MAX);
        settings
    }

    /// The variables of a container: those of whole ConfigMaps, then its own, which take their place.
    fn variables(&mut self, owner: u32, pod: PodView<'s>, container: ContainerView<'s>) -> Vec<Setting> {
        let mut found: Vec<Setting> = Vec::new();
        for source in container.value().list(field::ENV_FROM) {
            let prefix = source.entry("prefix").and_then(Value::as_str).unwrap_or("");
            if let Some(reference) = source.get(field::CONFIG_MAP_REF).and_then(|reference| reference.str(field::NAME)) {
                found.extend(self.config_map(pod, reference, |key| Some(format!("{prefix}{key}"))));
            }
            if let Some(secret) = source.get(field::SECRET_REF).and_then(|reference| reference.str(field::NAME)) {
                self.hidden(owner, pod, secret, None);
            }
        }
        for variable in container.value().list(field::ENV) {
            let Some(name) = variable.str(field::NAME) else { continue };
            found.retain(|setting| setting.key.as_deref() != Some(name));
            if let Some(value) = variable.str(field::VALUE) {
                let place = place(self.network, pod.object(), variable);
                found.push(Setting { key: Some(name.to_owned()), value: value.to_owned(), text: format!("env {name}"), place });
                continue;
            }
            let Some(from) = variable.get(field::VALUE_FROM) else { continue };
            if let Some((map, key)) = from.get(field::CONFIG_MAP_KEY_REF).and_then(|from| from.str(field::NAME).zip(from.str(field::KEY))) {
                found.extend(self.config_map(pod, map, |known| (known == key).then(|| name.to_owned())));
            }
            if let Some((secret, key)) = from.get(field::SECRET_KEY_REF).and_then(|from| from.str(field::NAME).zip(from.str(field::KEY)))
                && (mention::announces(name) || mention::announces(key))
            {
                self.hidden(owner, pod, secret, Some(&format!("env {name}")));
            }
        }
        found
    }

    /// The entries of a ConfigMap under the names that `named` gives them.
    fn config_map(&self, pod: PodView<'s>, name: &str, named: impl Fn(&str) -> Option<String>) -> Vec<Setting> {
        let Some(map) = self.network.snapshot.find(Kind::ConfigMap, Some(pod.namespace()), name) else { return Vec::new() };
        let entries = map.root().get(field::DATA).into_iter().flat_map(Value::entries);
        entries
            .filter_map(|(key, value)| {
                let text = format!("ConfigMap {name} {key}");
                Some(Setting { key: Some(named(key)?), value: value.as_str()?.to_owned(), text, place: place(self.network, map, value) })
            })
            .collect()
    }

    fn mounted(&mut self, owner: u32, pod: PodView<'s>, volume: Value<'s>, settings: &mut Vec<Setting>) {
        let projected = volume.get(field::PROJECTED).into_iter().flat_map(|projected| projected.list(field::SOURCES));
        for source in std::iter::once(volume).chain(projected) {
            if let Some((map, name)) = source.get(field::CONFIG_MAP).and_then(|map| Some((map, map.str(field::NAME)?))) {
                let items: Vec<&str> = map.list(field::ITEMS).filter_map(|item| item.str(field::KEY)).collect();
                settings.extend(self.config_map(pod, name, |key| (items.is_empty() || items.contains(&key)).then(|| key.to_owned())));
            }
            let secret = source.get(field::SECRET);
            if let Some(name) = secret.and_then(|secret| secret.str(field::SECRET_NAME).or_else(|| secret.str(field::NAME))) {
                self.hidden(owner, pod, name, None);
            }
        }
    }

    /// Notes a Secret that may hold addresses. Of whole Secrets, those with an entry that looks like a file of settings.
    fn hidden(&mut self, owner: u32, pod: PodView<'s>, name: &str, variable: Option<&str>) {
        let looks = |key: &str| {
            let ending = key.rsplit_once('.').map(|(_, ending)| ending);
            mention::announces(key)
                || matches!(ending, Some("conf" | "cfg" | "config" | "env" | "ini" | "json" | "properties" | "toml" | "xml" | "yaml" | "yml"))
        };
        let keys = || {
            let facts = self.network.snapshot.find(Kind::Secret, Some(pod.namespace()), name).and_then(ObjectView::secret);
            let keys: Vec<&str> = facts.into_iter().flat_map(|facts| &facts.entries).map(|entry| entry.key.as_str()).filter(|key| looks(key)).collect();
            (!keys.is_empty()).then(|| keys.join(", "))
        };
        let what = variable.map(str::to_owned).or_else(keys);
        if let Some(what) = what {
            let workload = self.network.owner_name(owner);
            self.needs.gaps.insert(Gap::Secret { workload, secret: format!("{}/{name} ({what})", pod.namespace()) });
        }
    }

    /// Puts the values of variables where `$(NAME)` stands.
    fn expanded(&self, pod: PodView<'s>, text: &str, values: &BTreeMap<&str, &str>) -> String {
        let mut text = text.to_owned();
        for _ in 0..EXPANSIONS_MAX {
            let mut parts = text.split("$(");
            let mut next = parts.next().unwrap_or("").to_owned();
            for part in parts {
                let variable = part.split_once(')');
                let known = variable.and_then(|(name, _)| values.get(name).map(|value| (*value).to_owned()).or_else(|| self.link(pod, name)));
                match (variable, known) {
                    (Some((_, after)), Some(value)) => next.extend([value.as_str(), after]),
                    _ => next.extend(["$(", part]),
                }
            }
            if next == text || next.len() > EXPANDED_MAX {
                break;
            }
            text = next;
        }
        text
    }

    /// What the kubelet puts into `NAME_SERVICE_HOST` and `NAME_SERVICE_PORT`: here, the name and the port of the Service.
    fn link(&self, pod: PodView<'s>, variable: &str) -> Option<String> {
        let (name, is_host) =
            variable.strip_suffix("_SERVICE_HOST").map(|name| (name, true)).or(variable.strip_suffix("_SERVICE_PORT").map(|name| (name, false)))?;
        let namespace = self.network.inventory.namespace(pod.namespace())?;
        let is_meant = |service: &&Service<'_>| service.namespace == namespace && service.object.name().to_ascii_uppercase().replace('-', "_") == name;
        let service = self.network.services.all().find(is_meant)?;
        if is_host { Some(service.object.name().to_owned()) } else { Some(service.ports.first()?.port.to_string()) }
    }
}

/// The numbers in variables whose names end in `PORT`.
pub(super) fn ports_told(settings: &[Setting]) -> BTreeMap<String, u16> {
    let is_port = |setting: &&Setting| setting.key.as_deref().is_some_and(|key| key.to_ascii_uppercase().ends_with("PORT"));
    let told = settings.iter().filter(is_port).filter_map(|setting| Some((setting.key.as_deref()?.to_ascii_uppercase(), setting.value.trim().parse().ok()?)));
    told.filter(|(_, port)| *port != 0).collect()
}

/// The variable that holds the port of the host in `key`: `PGPORT` of `PGHOST`.
pub(super) fn port_key(key: &str) -> Option<String> {
    let key = key.to_ascii_uppercase();
    ["HOSTNAME", "HOST", "ADDRESS", "ADDR", "SERVER", "ENDPOINT"].iter().find_map(|ending| key.strip_suffix(ending)).map(|head| format!("{head}PORT"))
}
