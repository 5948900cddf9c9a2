//! What must hold of the reader of observed connections for any bytes at all. The fuzz target calls this function, and so does
//! `crates/network/tests/mutations.rs`, which runs everywhere.

use bartizan_network::Protocol;
use bartizan_network::flow::{Flow, FlowEnd, read};

/// A record that is read wherever it stands in a line of its own.
const OWN: &str = "{\"from\":\"fuzz/one\",\"to\":\"fuzz/two\",\"port\":4711,\"protocol\":\"SCTP\"}";

/// A file of observed connections: it is read to its end and twice alike, problems and connections have a line, ports are ports, and
/// what stands before a record in a line of its own does not hide it.
pub(crate) fn flows(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let flows = read(&text);
    assert_eq!(flows, read(&text));
    let lines = text.lines().count();
    let is_line = |line: usize| (1..=lines).contains(&line);
    assert!(flows.problems.iter().all(|problem| is_line(problem.line)) && flows.problems.is_sorted_by_key(|problem| problem.line));
    assert!(flows.flows.iter().all(|(flow, seen)| is_line(seen.line) && flow.port != 0 && seen.count > 0));
    assert!(flows.records >= flows.flows.len() + flows.dropped + flows.replies + flows.undecided);
    let first = text.lines().map(str::trim).find(|line| !line.is_empty());
    if first.is_some_and(|line| line.starts_with('[') || line == "{") {
        return;
    }
    let word = |word: &str| FlowEnd { word: Some(word.to_owned()), ..FlowEnd::default() };
    let own = Flow { from: word("fuzz/one"), to: word("fuzz/two"), protocol: Protocol::Sctp, port: 4711 };
    let more = read(&format!("{text}\n{OWN}\n"));
    assert!(more.flows.contains_key(&own), "what stands before hides a record");
    assert_eq!(more.records, flows.records + 1);
}
