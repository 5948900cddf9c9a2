//! The configuration of a mesh: that of the control plane in a ConfigMap, or what an operator is asked to make of it.

use bartizan_cluster::{Kind, ObjectView, Snapshot, Value, field};

use super::MESH_ROOT;

/// What proxies do with what is sent to hosts of which they know nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outbound {
    Everything,
    RegisteredAlone,
}

impl Outbound {
    /// That of a mode: what is none of those that send on everything is the other one.
    pub(crate) fn of(mode: Option<&str>) -> Self {
        if matches!(mode, Some("ALLOW_ANY" | "ALLOW_ANY_DYNAMIC_DNS")) { Outbound::Everything } else { Outbound::RegisteredAlone }
    }
}

/// One configuration.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Configuration<'s> {
    /// What holds it.
    pub(crate) object: ObjectView<'s>,
    said: Said<'s>,
}

#[derive(Debug, Clone, Copy)]
enum Said<'s> {
    /// A document in a string.
    Text(&'s str),
    Tree(Value<'s>),
}

/// Every configuration in the input: those of control planes, then those that operators are asked for.
pub(crate) fn configurations(snapshot: &Snapshot) -> impl Iterator<Item = Configuration<'_>> {
    let maps = snapshot.of_kind(Kind::ConfigMap).filter(|map| is_map(*map));
    let written = maps.filter_map(|object| Some((object, Said::Text(object.root().get(field::DATA)?.entry("mesh")?.as_str()?))));
    let wished = snapshot.of_kind(Kind::Other).filter_map(|object| Some((object, Said::Tree(wish(object)?))));
    written.chain(wished).map(|(object, said)| Configuration { object, said })
}

/// Whether an object may hold the configuration of a mesh.
pub(crate) fn is_configuration(object: ObjectView<'_>) -> bool {
    is_map(object) || wish(object).is_some()
}

fn is_map(object: ObjectView<'_>) -> bool {
    object.kind() == Kind::ConfigMap && (object.name() == "istio" || object.name().starts_with("istio-"))
}

/// What an operator is asked to tell proxies.
fn wish(object: ObjectView<'_>) -> Option<Value<'_>> {
    match (object.group(), object.kind_name()) {
        ("install.istio.io", "IstioOperator") => object.spec()?.entry("meshConfig").or_else(|| object.spec()?.entry("values")?.entry("meshConfig")),
        ("sailoperator.io", "Istio" | "IstioRevision") => object.spec()?.entry("values")?.entry("meshConfig"),
        _ => None,
    }
    .filter(|value| value.is_map())
}

impl<'s> Configuration<'s> {
    /// What it says of one of its own keys.
    pub(crate) fn word(self, key: &str) -> Option<&'s str> {
        let found = match self.said {
            Said::Text(text) => word_at(text.lines().find_map(|line| under(line, key))?),
            Said::Tree(tree) => tree.entry(key)?.as_str()?,
        };
        Some(found).filter(|word| !word.is_empty())
    }

    /// Whether it says anything of one of its own keys.
    pub(crate) fn mentions(self, key: &str) -> bool {
        match self.said {
            Said::Text(text) => text.lines().any(|line| under(line, key).is_some()),
            Said::Tree(tree) => tree.entry(key).is_some_and(|value| !value.is_null()),
        }
    }

    /// What proxies do that are not told otherwise; none if it does not say. A setting without a mode counts as `REGISTRY_ONLY`.
    pub(crate) fn outbound(self) -> Option<Outbound> {
        match self.said {
            Said::Text(text) => outbound_of(text),
            Said::Tree(tree) => Some(Outbound::of(tree.entry(OUTBOUND).filter(|value| !value.is_null())?.entry("mode").and_then(Value::as_str))),
        }
    }

    /// The namespace whose policies hold for the whole mesh.
    pub(crate) fn root(self) -> &'s str {
        let of_plane = || match self.said {
            Said::Text(_) => self.object.namespace(),
            Said::Tree(_) => self.object.spec()?.entry("namespace")?.as_str(),
        };
        self.word("rootNamespace").or_else(of_plane).unwrap_or(MESH_ROOT)
    }
}

/// The setting of what proxies do with what they do not know.
const OUTBOUND: &str = "outboundTrafficPolicy";

fn outbound_of(text: &str) -> Option<Outbound> {
    let mut lines = text.lines().skip_while(|line| under(line, OUTBOUND).is_none());
    let first = under(lines.next()?, OUTBOUND)?.trim_start();
    let inner = lines.take_while(|line| line.starts_with([' ', '\t']) || line.trim().is_empty());
    let of_part = |part: &str| Some(Outbound::of(Some(word_at(under(part.trim_start(), "mode")?))));
    match (word_at(first), first.strip_prefix('{')) {
        ("null" | "~", _) => None,
        (_, Some(flow)) => Some(flow.split(',').find_map(of_part).unwrap_or(Outbound::RegisteredAlone)),
        _ => Some(inner.into_iter().find_map(of_part).unwrap_or(Outbound::RegisteredAlone)),
    }
}

/// What stands behind a key at the beginning of a line.
fn under<'t>(line: &'t str, key: &str) -> Option<&'t str> {
    let quoted = |quote: char| line.strip_prefix(quote)?.strip_prefix(key)?.strip_prefix(quote);
    line.strip_prefix(key).or_else(|| quoted('"')).or_else(|| quoted('\''))?.trim_start().strip_prefix(':')
}

/// The word that a value is, without its quotes and what is remarked behind it.
fn word_at(value: &str) -> &str {
    let value = value.trim_start();
    match value.chars().next().filter(|first| matches!(first, '"' | '\'')) {
        Some(quote) => value.get(1..).and_then(|rest| rest.split(quote).next()).unwrap_or(""),
        None => value.split([' ', '\t', '#', ',', '}']).next().unwrap_or(""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_of_a_mesh_is_read_in_any_way_of_writing_it() {
        let open = Some(Outbound::Everything);
        let closed = Some(Outbound::RegisteredAlone);
        for (text, expected) in [
            ("trustDomain: a", None),
            ("outboundTrafficPolicy:\n  mode: REGISTRY_ONLY", closed),
            ("outboundTrafficPolicy:\n  mode: REGISTRY_ONLY # not ALLOW_ANY", closed),
            ("outboundTrafficPolicy:\n\n  # mode: REGISTRY_ONLY\n  mode: \"ALLOW_ANY\"\nmode: REGISTRY_ONLY", open),
            ("outboundTrafficPolicy: {mode: ALLOW_ANY}", open),
            ("outboundTrafficPolicy: { mode: 'REGISTRY_ONLY' }", closed),
            ("outboundTrafficPolicy:\n  mode: ALLOW_ANY_DYNAMIC_DNS\n  tls: {mode: SIMPLE}", open),
            ("outboundTrafficPolicy: {}", closed),
            ("outboundTrafficPolicy: null", None),
            ("x:\n  outboundTrafficPolicy:\n    mode: REGISTRY_ONLY", None),
        ] {
            assert_eq!(outbound_of(text), expected, "{text}");
        }
    }
}
