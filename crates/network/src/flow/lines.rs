//! Records that are lines of words: conntrack lists and the flow logs of Amazon's networks.

use super::{FlowEnd, Packet, Record, protocol};

/// The columns of version 2 of Amazon's logs, where no head line says others.
const COLUMNS: [&str; 14] = [
    "version",
    "account-id",
    "interface-id",
    "srcaddr",
    "dstaddr",
    "srcport",
    "dstport",
    "protocol",
    "packets",
    "bytes",
    "start",
    "end",
    "action",
    "log-status",
];

/// More columns than this has no log.
const COLUMNS_MAX: usize = 128;

/// The bits of the flags of TCP that say who began.
const SYN: u16 = 2;
const ACK: u16 = 16;

/// Reads lines; a head line says what the following ones hold.
#[derive(Debug, Default)]
pub(super) struct Reader {
    columns: Option<Vec<String>>,
}

impl Reader {
    pub(super) fn read(&mut self, line: &str) -> Result<Record, String> {
        let words: Vec<&str> = line.split_whitespace().take(COLUMNS_MAX + 1).collect();
        if words.iter().any(|word| word.starts_with("src=")) {
            return conntrack(&words);
        }
        // What conntrack says of itself.
        if words.first() == Some(&"conntrack") {
            return Ok(Record::Nothing);
        }
        // Copied from a template, columns stand as `${srcaddr}`.
        let bare = |word: &&str| word.trim_start_matches("${").trim_end_matches('}').replace('_', "-");
        if words.iter().any(|word| bare(word) == "srcaddr") {
            self.columns = Some(words.iter().map(bare).collect());
            return Ok(Record::Nothing);
        }
        self.amazon(&words)
    }

    fn amazon(&self, words: &[&str]) -> Result<Record, String> {
        let is_plain = self.columns.is_none() && words.len() == COLUMNS.len() && words.first() == Some(&"2");
        let is_custom = self.columns.as_ref().is_some_and(|columns| columns.len() == words.len());
        if !is_plain && !is_custom {
            return Err("this is no record of a known flow log".to_owned());
        }
        let at = |name: &str| {
            let place = match &self.columns {
                Some(columns) => columns.iter().position(|column| column == name),
                None => COLUMNS.iter().position(|column| *column == name),
            };
            words.get(place?).copied().filter(|word| *word != "-")
        };
        if matches!(at("log-status"), Some("NODATA" | "SKIPDATA")) {
            return Ok(Record::Nothing);
        }
        if at("action") == Some("REJECT") {
            return Ok(Record::Dropped);
        }
        let (Some(from), Some(to)) = (at("pkt-srcaddr").or(at("srcaddr")), at("pkt-dstaddr").or(at("dstaddr"))) else {
            return Err("the addresses are missing".to_owned());
        };
        let Some(protocol) = at("protocol").and_then(protocol) else { return Ok(Record::Undecided) };
        let port = |name: &str| at(name).map_or(Ok(0), str::parse::<u16>).map_err(|_| format!("`{name}` is no port"));
        let end = |address: &str| FlowEnd { address: Some(address.to_owned()), ..FlowEnd::default() };
        let packet = Packet { from: end(from), to: end(to), from_port: port("srcport")?, to_port: port("dstport")?, protocol };
        let time = at("start").map(str::to_owned);
        // In a window that holds the beginning, the flags say who began.
        let flags = at("tcp-flags").and_then(|flags| flags.parse::<u16>().ok()).unwrap_or(0);
        Ok(match (flags & SYN != 0, flags & ACK != 0) {
            (true, false) => packet.begun(1, time),
            (true, true) => Record::Reply,
            (false, _) => packet.by_ports(1, time),
        })
    }
}

/// The two tuples of a connection: as it was begun, and as answers come back. The second says what an address was translated to.
fn conntrack(words: &[&str]) -> Result<Record, String> {
    let all = |key: &str| words.iter().filter_map(|word| word.strip_prefix(key)).collect::<Vec<_>>();
    let is_name = |word: &&&str| word.bytes().all(|byte| byte.is_ascii_alphabetic());
    let Some(protocol) = words.iter().take(4).filter(is_name).find_map(|word| protocol(word)) else { return Ok(Record::Undecided) };
    if words.contains(&"[UNREPLIED]") {
        return Ok(Record::Dropped);
    }
    let (sources, source_ports) = (all("src="), all("sport="));
    let ([from, to, ..], [from_port, to_port, ..]) = (sources.as_slice(), source_ports.as_slice()) else { return Err("the line is cut".to_owned()) };
    let port = |text: &str| text.parse::<u16>().map_err(|_| format!("`{text}` is no port"));
    let end = |address: &str| FlowEnd { address: Some(address.to_owned()), ..FlowEnd::default() };
    let packet = Packet { from: end(from), to: end(to), from_port: port(from_port)?, to_port: port(to_port)?, protocol };
    Ok(packet.begun(1, None))
}
