//! What is intended: connections that must be possible, connections that must not, and workloads that policies must restrict, read
//! from a small YAML of `permits`, `forbids` and `captured`. Whether they hold is said by [`crate::Network::verify_intents`].

use bartizan_cluster::plain::{Plain, PlainFault};
use bartizan_cluster::{Location, Value};
use bartizan_report::suggest;
use serde::Serialize;

use crate::policy::Direction;
use crate::traffic::{Protocol, Traffic};

/// Intents of one file: a file is a few lines that people write.
const INTENTS_MAX: usize = 100_000;

/// What a file may hold.
const LISTS: [&str; 3] = ["permits", "forbids", "captured"];

/// What is intended.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Intents {
    /// Each of these must be possible, between all that the words mean.
    pub permits: Vec<Intent>,
    /// None of these may be possible.
    pub forbids: Vec<Intent>,
    /// Some policy must restrict each of these workloads.
    pub captured: Vec<Captured>,
}

/// Workloads that policies must restrict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Captured {
    /// Which: `shop/*`, `data/StatefulSet/redis`.
    pub workloads: String,
    /// In which direction; in both if it is not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<CapturedDirection>,
    /// Where it is written.
    #[serde(skip)]
    pub location: Location,
}

/// One of the two directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CapturedDirection {
    /// What reaches a workload.
    Ingress,
    /// What leaves it.
    Egress,
}

/// Connections by the words for both ends, where `*` stands for anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Intent {
    /// Who begins: `shop/Deployment/web`, `shop/*`, `Node/*`, `10.0.0.0/8`.
    pub from: String,
    /// Who is meant.
    pub to: String,
    /// The port; all of them if it is not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// All of them if neither it nor a port is said, else TCP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
    /// Where it is written.
    #[serde(skip)]
    pub location: Location,
}

impl Intents {
    /// Reads the text of a file that people know as `name`.
    pub fn read(name: &str, text: &str) -> Result<Self, PlainFault> {
        let nothing = |location| PlainFault { location, message: "there are neither `permits` nor `forbids` nor `captured`".to_owned() };
        let Some(plain) = Plain::read(name, text)? else { return Err(nothing(Location { file: name.to_owned(), line: 1, column: 1 })) };
        let root = plain.root();
        if !root.is_map() || root.is_empty() {
            return Err(nothing(plain.location(root)));
        }
        let mut intents = Self::default();
        for (key, value) in root.entries() {
            if !LISTS.contains(&key) {
                return Err(plain.fault(value, unknown(key, &LISTS)));
            }
            if !value.is_list() && !value.is_null() {
                return Err(plain.fault(value, format!("`{key}` is a {}; a list is expected", value.shape().noun())));
            }
            if value.items().count() > INTENTS_MAX {
                return Err(plain.fault(value, format!("there are more than {INTENTS_MAX} intents")));
            }
            match key {
                "permits" => intents.permits = value.items().map(|item| Intent::of(&plain, item)).collect::<Result<_, _>>()?,
                "forbids" => intents.forbids = value.items().map(|item| Intent::of(&plain, item)).collect::<Result<_, _>>()?,
                _ => intents.captured = value.items().map(|item| Captured::of(&plain, item)).collect::<Result<_, _>>()?,
            }
        }
        Ok(intents)
    }
}

impl Intent {
    fn of(plain: &Plain, item: Value<'_>) -> Result<Self, PlainFault> {
        let (mut from, mut to, mut port, mut protocol) = (None, None, None, None);
        if !item.is_map() {
            return Err(plain.fault(item, format!("a {} stands where a connection with `from` and `to` is expected", item.shape().noun())));
        }
        for (key, value) in item.entries() {
            match key {
                "from" => from = Some(words(plain, value)?),
                "to" => to = Some(words(plain, value)?),
                "port" => port = port_of(plain, value)?,
                "protocol" => protocol = protocol_of(plain, value)?,
                _ => return Err(plain.fault(value, unknown(key, &["from", "to", "port", "protocol"]))),
            }
        }
        let lacking = |what: &str| plain.fault(item, format!("the connection has no `{what}`"));
        Ok(Self { from: from.ok_or_else(|| lacking("from"))?, to: to.ok_or_else(|| lacking("to"))?, port, protocol, location: plain.location(item) })
    }

    pub(crate) fn traffic(&self) -> Traffic {
        match (self.protocol, self.port) {
            (protocol, Some(port)) => Traffic::ports(protocol.unwrap_or(Protocol::Tcp), port, port),
            (Some(protocol), None) => Traffic::of_protocol(protocol),
            (None, None) => Traffic::all(),
        }
    }

    /// The intent as one line.
    pub(crate) fn words(&self) -> String {
        let port = self.port.map_or_else(String::new, |port| format!(" {port}"));
        let protocol = self.protocol.map_or_else(String::new, |protocol| format!(" {protocol}"));
        format!("{} -> {}{protocol}{port}", self.from, self.to)
    }
}

impl Captured {
    fn of(plain: &Plain, item: Value<'_>) -> Result<Self, PlainFault> {
        let (mut workloads, mut direction) = (None, None);
        if !item.is_map() {
            return Err(plain.fault(item, format!("a {} stands where a map with `workloads` is expected", item.shape().noun())));
        }
        for (key, value) in item.entries() {
            match key {
                "workloads" => workloads = Some(words(plain, value)?),
                "direction" => direction = direction_of(plain, value)?,
                _ => return Err(plain.fault(value, unknown(key, &["workloads", "direction"]))),
            }
        }
        let workloads = workloads.ok_or_else(|| plain.fault(item, "there are no `workloads`"))?;
        Ok(Self { workloads, direction, location: plain.location(item) })
    }

    pub(crate) fn directions(&self) -> &'static [Direction] {
        match self.direction {
            None => &[Direction::Ingress, Direction::Egress],
            Some(CapturedDirection::Ingress) => &[Direction::Ingress],
            Some(CapturedDirection::Egress) => &[Direction::Egress],
        }
    }
}

fn words(plain: &Plain, value: Value<'_>) -> Result<String, PlainFault> {
    match value.as_str() {
        Some(words) if !words.is_empty() => Ok(words.to_owned()),
        _ => {
            Err(plain
                .fault(value, format!("`{}` is a {}; a name such as `shop/Deployment/web`, `shop/*` or `10.0.0.0/8` is expected", value.key(), said(value))))
        }
    }
}

fn port_of(plain: &Plain, value: Value<'_>) -> Result<Option<u16>, PlainFault> {
    if value.is_null() {
        return Ok(None);
    }
    match value.as_i64().and_then(|port| u16::try_from(port).ok()).filter(|&port| port != 0) {
        Some(port) => Ok(Some(port)),
        None => Err(plain.fault(value, format!("`{}` is no port; a number from 1 to 65535 is expected", value.display()))),
    }
}

fn protocol_of(plain: &Plain, value: Value<'_>) -> Result<Option<Protocol>, PlainFault> {
    if value.is_null() {
        return Ok(None);
    }
    let word = value.display();
    word.parse().map(Some).map_err(|error: crate::traffic::NoSuchProtocol| plain.fault(value, error.to_string()))
}

fn direction_of(plain: &Plain, value: Value<'_>) -> Result<Option<CapturedDirection>, PlainFault> {
    match value.as_str() {
        Some("ingress") => Ok(Some(CapturedDirection::Ingress)),
        Some("egress") => Ok(Some(CapturedDirection::Egress)),
        None if value.is_null() => Ok(None),
        _ => Err(plain.fault(value, format!("`{}` is no direction; `ingress` or `egress` is expected", value.display()))),
    }
}

fn said(value: Value<'_>) -> &'static str {
    if value.as_str() == Some("") { "text without letters" } else { value.shape().noun() }
}

fn unknown(key: &str, known: &[&str]) -> String {
    let near = suggest::nearest(key, known.iter().copied());
    let remedy = near.map_or_else(|| format!("known are `{}`", known.join("`, `")), |near| format!("did you mean `{near}`?"));
    format!("there is no `{key}` in a file of intents; {remedy}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Intents, String> {
        Intents::read("intents.yaml", text).map_err(|fault| fault.to_string())
    }

    #[test]
    fn intents_are_lists_of_connections() {
        let intents =
            read("---\npermits:\n- from: shop/*\n  to: data/StatefulSet/redis\n  port: 6379\nforbids: [{from: '*', to: data/*, protocol: UDP}]\n").unwrap();
        assert_eq!((intents.permits.len(), intents.forbids.len()), (1, 1));
        let [permit, forbid] = [&intents.permits[0], &intents.forbids[0]];
        assert_eq!(
            (permit.from.as_str(), permit.port, permit.protocol, permit.location.to_string().as_str()),
            ("shop/*", Some(6379), None, "intents.yaml:3:3")
        );
        assert_eq!((forbid.words().as_str(), forbid.location.line), ("* -> data/* UDP", 6));
        assert_eq!(read(r#"{"permits": [{"from": "a", "to": "b", "port": null}]}"#).unwrap().permits[0].traffic(), Traffic::all());
    }

    #[test]
    fn every_fault_has_its_place_and_says_what_is_expected() {
        for (text, expected) in [
            ("", "intents.yaml:1:1: there are neither `permits` nor `forbids` nor `captured`"),
            ("{}\n", "intents.yaml:1:1: there are neither `permits` nor `forbids` nor `captured`"),
            ("- a\n", "intents.yaml:1:1: there are neither `permits` nor `forbids` nor `captured`"),
            ("permit: []\n", "intents.yaml:1:1: there is no `permit` in a file of intents; did you mean `permits`?"),
            ("forbids: {}\n", "intents.yaml:1:1: `forbids` is a map; a list is expected"),
            ("captured:\n- {direction: ingress}\n", "intents.yaml:2:3: there are no `workloads`"),
            ("captured:\n- {workloads: a, direction: up}\n", "intents.yaml:2:18: `up` is no direction; `ingress` or `egress` is expected"),
            ("permits:\n- a\n", "intents.yaml:2:3: a string stands where a connection with `from` and `to` is expected"),
            ("permits:\n- {from: a}\n", "intents.yaml:2:3: the connection has no `to`"),
            (
                "permits:\n- {from: 1, to: b}\n",
                "intents.yaml:2:4: `from` is a number; a name such as `shop/Deployment/web`, `shop/*` or `10.0.0.0/8` is expected",
            ),
            ("permits:\n- from: a\n  to: b\n  ports: 1\n", "intents.yaml:4:3: there is no `ports` in a file of intents; did you mean `port`?"),
            ("permits:\n- {from: a, to: b, port: 65536}\n", "intents.yaml:2:20: `65536` is no port; a number from 1 to 65535 is expected"),
            ("permits:\n- {from: a, to: b, port: http}\n", "intents.yaml:2:20: `http` is no port; a number from 1 to 65535 is expected"),
        ] {
            assert_eq!(read(text).unwrap_err(), expected, "{text}");
        }
        let protocol = read("permits: [{from: a, to: b, protocol: ICMP}]\n").unwrap_err();
        assert!(protocol.starts_with("intents.yaml:1:28: ") && protocol.contains("ICMP"), "{protocol}");
    }
}
