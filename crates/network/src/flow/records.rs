//! Records that are JSON: Hubble, Calico, Google's logs, and lines of our own.

use serde_json::Value;

use super::{Flow, FlowEnd, LINE_MAX, Packet, Record, Sighting, protocol};
use crate::traffic::Protocol;

/// Reads one record, whatever its dialect.
pub(super) fn read(text: &str) -> Result<Record, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| format!("this is no JSON: {error}"))?;
    let record = value.get("jsonPayload").unwrap_or(&value);
    if let Some(flow) = record.get("flow") {
        return hubble(flow);
    }
    if record.get("verdict").is_some() {
        return hubble(record);
    }
    if record.get("connection").is_some() {
        return google(record);
    }
    if record.get("action").is_some() && (has(record, "dest_port", "destPort") || has(record, "source_namespace", "sourceNamespace")) {
        return calico(record);
    }
    if record.get("from").is_some() && record.get("to").is_some() {
        return own(record);
    }
    // What Hubble says beside flows.
    if ["lost_events", "node_status", "agent_event", "debug_event"].iter().any(|key| record.get(key).is_some()) {
        return Ok(Record::Nothing);
    }
    Err("this is no record of a known flow log".to_owned())
}

fn has(record: &Value, one: &str, other: &str) -> bool {
    record.get(one).or(record.get(other)).is_some()
}

/// The objects of a text that is one value over many lines, with the line on which each begins. What is cut at the end is told.
pub(super) fn objects(text: &str) -> Vec<(usize, Result<&str, String>)> {
    let mut found = Vec::new();
    let (mut depth, mut start, mut line, mut start_line) = (0usize, 0usize, 1usize, 1usize);
    let (mut in_string, mut is_escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        line += usize::from(byte == b'\n');
        if in_string {
            in_string = is_escaped || byte != b'"';
            is_escaped = !is_escaped && byte == b'\\';
            continue;
        }
        match byte {
            b'"' if depth > 0 => in_string = true,
            b'{' => {
                if depth == 0 {
                    (start, start_line) = (at, line);
                }
                depth += 1;
            }
            b'}' if depth > 0 => {
                depth -= 1;
                if depth == 0 {
                    let piece = text.get(start..=at).filter(|piece| piece.len() <= LINE_MAX);
                    found.push((start_line, piece.ok_or_else(|| format!("the record is longer than {LINE_MAX} bytes"))));
                }
            }
            _ => {}
        }
    }
    if depth > 0 {
        found.push((start_line, Err("the record is cut".to_owned())));
    }
    found
}

fn text(value: Option<&Value>) -> Option<String> {
    value?.as_str().filter(|text| !text.is_empty() && *text != "-").map(str::to_owned)
}

/// A port as a number, in letters or not; none is zero.
fn port(value: Option<&Value>) -> Result<u16, String> {
    let Some(value) = value.filter(|value| !value.is_null()) else { return Ok(0) };
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    number.and_then(|number| u16::try_from(number).ok()).ok_or_else(|| format!("`{value}` is no port"))
}

fn protocol_of(value: Option<&Value>) -> Option<Protocol> {
    let value = value?;
    value.as_str().map_or_else(|| protocol(&value.as_u64()?.to_string()), protocol)
}

fn hubble(flow: &Value) -> Result<Record, String> {
    match flow.get("verdict").and_then(Value::as_str) {
        // In audit mode, what would be dropped goes through.
        Some("FORWARDED" | "REDIRECTED" | "AUDIT") => {}
        Some("DROPPED" | "ERROR") => return Ok(Record::Dropped),
        Some(_) => return Ok(Record::Undecided),
        None => return Err("the flow has no `verdict`".to_owned()),
    }
    let reply = flow.get("is_reply").or(flow.get("reply")).and_then(Value::as_bool);
    if reply == Some(true) {
        return Ok(Record::Reply);
    }
    let Some((protocol, layer)) = Protocol::ALL.into_iter().find_map(|protocol| Some((protocol, flow.get("l4")?.get(protocol.name())?))) else {
        return Ok(Record::Undecided);
    };
    let end = |side: &str, address: &str| {
        let side = flow.get(side);
        let inner = |key: &str| text(side.and_then(|side| side.get(key)));
        let workload = side.and_then(|side| side.get("workloads")).and_then(|workloads| workloads.get(0));
        FlowEnd {
            namespace: inner("namespace"),
            pod: inner("pod_name"),
            workload: workload.and_then(|workload| text(workload.get("kind")).zip(text(workload.get("name")))),
            address: text(flow.get("IP").and_then(|addresses| addresses.get(address))),
            word: None,
        }
    };
    let packet = Packet {
        from: end("source", "source"),
        to: end("destination", "destination"),
        from_port: port(layer.get("source_port"))?,
        to_port: port(layer.get("destination_port"))?,
        protocol,
    };
    let time = text(flow.get("time"));
    let flags = |name: &str| layer.get("flags").and_then(|flags| flags.get(name)).and_then(Value::as_bool) == Some(true);
    Ok(match (reply, flags("SYN"), flags("ACK")) {
        (Some(false), ..) | (None, true, false) => packet.begun(1, time),
        (None, true, true) => Record::Reply,
        _ => packet.by_ports(1, time),
    })
}

fn calico(record: &Value) -> Result<Record, String> {
    let either = |one: &str, other: &str| record.get(one).or(record.get(other));
    match record.get("action").and_then(Value::as_str).map(str::to_ascii_lowercase).as_deref() {
        Some("allow") => {}
        Some("deny") => return Ok(Record::Dropped),
        _ => return Ok(Record::Undecided),
    }
    let Some(protocol) = protocol_of(either("proto", "protocol")) else { return Ok(Record::Undecided) };
    let end = |side: &str| {
        let field = |snake: &str, camel: &str| text(either(&format!("{side}_{snake}"), &format!("{side}{camel}")));
        let namespace = field("namespace", "Namespace");
        let named = field("name", "Name").or(field("name_aggr", "NameAggr")).filter(|_| namespace.is_some());
        FlowEnd { pod: named, namespace, workload: None, address: field("ip", "Ip"), word: None }
    };
    // It joins both directions under the one who began.
    let packet = Packet { from: end("source"), to: end("dest"), from_port: 0, to_port: port(either("dest_port", "destPort"))?, protocol };
    let count = record.get("num_flows").and_then(Value::as_u64).unwrap_or(1);
    let time = either("start_time", "startTime").map(|time| time.as_str().map_or_else(|| time.to_string(), str::to_owned));
    Ok(packet.begun(count, time))
}

fn google(record: &Value) -> Result<Record, String> {
    let connection = record.get("connection").unwrap_or(&Value::Null);
    match record.get("disposition").and_then(Value::as_str) {
        Some("deny") => return Ok(Record::Dropped),
        Some("allow") | None => {}
        Some(_) => return Ok(Record::Undecided),
    }
    let Some(protocol) = protocol_of(connection.get("protocol")) else { return Ok(Record::Undecided) };
    let end = |side: &str| {
        let pod = record.get(side);
        let details = record.get(format!("{side}_gke_details")).and_then(|details| details.get("pod"));
        let either =
            |of_policy: &str, of_network: &str| text(pod.and_then(|pod| pod.get(of_policy))).or_else(|| text(details.and_then(|pod| pod.get(of_network))));
        let workload = |key: &str| text(pod.and_then(|pod| pod.get(key)));
        FlowEnd {
            namespace: either("namespace", "pod_namespace").or_else(|| text(pod.and_then(|pod| pod.get("pod_namespace")))),
            pod: either("pod_name", "pod_name"),
            workload: workload("workload_kind").zip(workload("workload_name")),
            address: text(connection.get(format!("{side}_ip"))),
            word: None,
        }
    };
    let packet =
        Packet { from: end("src"), to: end("dest"), from_port: port(connection.get("src_port"))?, to_port: port(connection.get("dest_port"))?, protocol };
    let time = text(record.get("timestamp").or(record.get("start_time")));
    // Logs of policies tell connections, those of networks tell packets of one direction.
    let count = record.get("count").and_then(Value::as_u64).unwrap_or(1);
    Ok(if record.get("disposition").is_some() { packet.begun(count, time) } else { packet.by_ports(1, time) })
}

fn own(record: &Value) -> Result<Record, String> {
    let word = |key: &str| text(record.get(key)).ok_or_else(|| format!("`{key}` is no text"));
    let end = |word: String| FlowEnd { word: Some(word), ..FlowEnd::default() };
    let protocol = match record.get("protocol") {
        None | Some(Value::Null) => Protocol::Tcp,
        Some(written) => protocol_of(Some(written)).ok_or_else(|| format!("`{written}` is none of `TCP`, `UDP`, `SCTP`"))?,
    };
    let port = port(record.get("port"))?;
    if port == 0 {
        return Err("there is no `port`: ports are 1 to 65535".to_owned());
    }
    let count = record.get("count").and_then(Value::as_u64).unwrap_or(1);
    let flow = Flow { from: end(word("from")?), to: end(word("to")?), protocol, port };
    Ok(Record::Seen(Box::new(Sighting { flow, count, by_ports: false, time: text(record.get("time")) })))
}
