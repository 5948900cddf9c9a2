//! Observed connections, read from what other programs write: Hubble, Calico, GKE and VPC flow logs of Google and Amazon,
//! conntrack lists, and lines of our own.
//!
//! [`read`] tells the dialect of each record by itself. What was dropped, what answers, and what could not be read is counted
//! or told with its line, and nothing of it hides the rest. Where a dialect does not say who began, the ports do: programs listen
//! below the ports that kernels give to those who call.
//!
//! A line of our own is `{"from": "shop/Deployment/web", "to": "10.0.0.7", "port": 8080, "protocol": "TCP", "count": 3,
//! "time": "2026-11-24T00:00:00Z"}`; `protocol` is TCP where it is missing, `count` one, and the ends are words of questions.

mod lines;
mod records;

use std::collections::BTreeMap;

use crate::traffic::Protocol;

/// More different connections than this are not collected.
const FLOWS_MAX: usize = 1 << 20;

/// More problems than this are counted, not told.
const PROBLEMS_MAX: usize = 100;

/// A longer line is no record.
const LINE_MAX: usize = 1 << 20;

/// The first port that kernels give to those who call: lower ones are where programs listen.
const EPHEMERAL_MIN: u16 = 32_768;

/// One end of an observed connection: everything that the record says about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct FlowEnd {
    /// The namespace of the pod.
    pub namespace: Option<String>,
    /// The name of the pod; a star at its end stands for what differs between replicas.
    pub pod: Option<String>,
    /// Kind and name of the workload.
    pub workload: Option<(String, String)>,
    /// The address.
    pub address: Option<String>,
    /// A word of questions.
    pub word: Option<String>,
}

impl std::fmt::Display for FlowEnd {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let namespace = self.namespace.as_deref().unwrap_or("");
        match (&self.word, &self.pod, &self.workload, &self.address) {
            (Some(word), ..) => out.write_str(word),
            (None, Some(pod), ..) => write!(out, "{namespace}/{pod}"),
            (None, None, Some((kind, name)), _) => write!(out, "{namespace}/{kind}/{name}"),
            (None, None, None, Some(address)) => out.write_str(address),
            (None, None, None, None) => out.write_str("?"),
        }
    }
}

/// A connection that was observed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flow {
    /// Who began.
    pub from: FlowEnd,
    /// Who was meant.
    pub to: FlowEnd,
    /// The transport.
    pub protocol: Protocol,
    /// The port.
    pub port: u16,
}

/// How often a connection was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The line of the record that told of it, from 1.
    pub line: usize,
    /// How many records, or what they count.
    pub count: u64,
    /// Whether the ports say who began, because no record does.
    pub by_ports: bool,
}

/// A record that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FlowProblem {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

/// What a file of observed connections holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Flows {
    /// Each connection, once.
    pub flows: BTreeMap<Flow, Seen>,
    /// What could not be read, in the order of its lines.
    pub problems: Vec<FlowProblem>,
    /// How many more could not be read.
    pub more_problems: usize,
    /// Records that were understood.
    pub records: usize,
    /// Records of what was dropped.
    pub dropped: usize,
    /// Records of answers.
    pub replies: usize,
    /// Records without a port, or of which nobody can tell who began.
    pub undecided: usize,
    /// The earliest and the latest time, as they are written.
    pub window: Option<(String, String)>,
}

/// One record of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sighting {
    flow: Flow,
    count: u64,
    by_ports: bool,
    time: Option<String>,
}

/// What one record says.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Record {
    Seen(Box<Sighting>),
    Dropped,
    Reply,
    /// No connection, or none that can be told.
    Undecided,
    /// No record at all: an empty log, a head line.
    Nothing,
}

/// Reads observed connections.
pub fn read(text: &str) -> Flows {
    let mut flows = Flows::default();
    let mut reader = lines::Reader::default();
    if is_one_value(text) {
        for (line, piece) in records::objects(text) {
            flows.note(line, piece.and_then(records::read));
        }
        return flows;
    }
    for (line, number) in text.lines().zip(1..) {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        let record = match line {
            _ if line.len() > LINE_MAX => Err(format!("the line is longer than {LINE_MAX} bytes")),
            _ if line.starts_with('{') => records::read(line),
            _ => reader.read(line),
        };
        flows.note(number, record);
    }
    flows
}

/// Whether the text is one JSON value over many lines, and not one a line.
fn is_one_value(text: &str) -> bool {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty());
    first.is_some_and(|line| line.starts_with('[') || line == "{")
}

impl Flows {
    fn note(&mut self, line: usize, record: Result<Record, String>) {
        match record {
            Ok(Record::Nothing) => return,
            Ok(Record::Dropped) => self.dropped += 1,
            Ok(Record::Reply) => self.replies += 1,
            Ok(Record::Undecided) => self.undecided += 1,
            Ok(Record::Seen(sighting)) => {
                let Sighting { flow, count, by_ports, time } = *sighting;
                self.widen(time);
                if self.flows.len() >= FLOWS_MAX && !self.flows.contains_key(&flow) {
                    self.problem(line, format!("there are more than {FLOWS_MAX} different connections"));
                    return;
                }
                let seen = self.flows.entry(flow).or_insert(Seen { line, count: 0, by_ports });
                seen.count = seen.count.saturating_add(count.max(1));
                seen.by_ports &= by_ports;
            }
            Err(message) => {
                self.problem(line, message);
                return;
            }
        }
        self.records += 1;
    }

    fn problem(&mut self, line: usize, message: String) {
        if self.problems.len() < PROBLEMS_MAX { self.problems.push(FlowProblem { line, message }) } else { self.more_problems += 1 }
    }

    fn widen(&mut self, time: Option<String>) {
        let Some(time) = time else { return };
        self.window = Some(match self.window.take() {
            None => (time.clone(), time),
            Some((first, last)) => (first.min(time.clone()), last.max(time)),
        });
    }
}

/// Two ends with their ports as a packet has them, and what is known about who began.
struct Packet {
    from: FlowEnd,
    to: FlowEnd,
    from_port: u16,
    to_port: u16,
    protocol: Protocol,
}

impl Packet {
    /// The connection, if the one who sent began it.
    fn begun(self, count: u64, time: Option<String>) -> Record {
        if self.to_port == 0 {
            return Record::Undecided;
        }
        let Packet { from, to, to_port: port, protocol, .. } = self;
        Record::Seen(Box::new(Sighting { flow: Flow { from, to, protocol, port }, count, by_ports: false, time }))
    }

    /// The connection as the ports tell it.
    fn by_ports(self, count: u64, time: Option<String>) -> Record {
        let is_high = |port: u16| port >= EPHEMERAL_MIN;
        match (self.from_port, self.to_port) {
            (0, _) | (_, 0) => Record::Undecided,
            (from, to) if is_high(from) && is_high(to) || from == to => Record::Undecided,
            (from, to) if (is_high(to) && !is_high(from)) || (!is_high(to) && from < to) => Record::Reply,
            _ => match self.begun(count, time) {
                Record::Seen(sighting) => Record::Seen(Box::new(Sighting { by_ports: true, ..*sighting })),
                other => other,
            },
        }
    }
}

/// A protocol by its name or its number.
fn protocol(word: &str) -> Option<Protocol> {
    match word {
        "6" => Some(Protocol::Tcp),
        "17" => Some(Protocol::Udp),
        "132" => Some(Protocol::Sctp),
        word => word.to_ascii_uppercase().parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(flows: &Flows) -> Vec<String> {
        let one = |(flow, seen): (&Flow, &Seen)| {
            format!("{} -> {} {} {} x{}{}", flow.from, flow.to, flow.protocol, flow.port, seen.count, if seen.by_ports { " by ports" } else { "" })
        };
        flows.flows.iter().map(one).collect()
    }

    fn counts(flows: &Flows) -> (usize, usize, usize, usize) {
        (flows.records, flows.dropped, flows.replies, flows.undecided)
    }

    #[test]
    fn lines_of_our_own_are_read() {
        let flows = read(
            "{\"from\":\"shop/web-0\",\"to\":\"shop/Service/db\",\"port\":5432,\"count\":3,\"time\":\"2026-11-24T00:00:00Z\"}\n\n{\"from\":\"shop/web-0\",\"to\":\"shop/Service/db\",\"port\":\"5432\",\"protocol\":\"tcp\"}\n{\"from\":\"fd00::1\",\"to\":\"a/b\",\"port\":53,\"protocol\":\"UDP\"}\n",
        );
        assert_eq!(told(&flows), ["fd00::1 -> a/b UDP 53 x1", "shop/web-0 -> shop/Service/db TCP 5432 x4"]);
        assert_eq!(flows.window, Some(("2026-11-24T00:00:00Z".to_owned(), "2026-11-24T00:00:00Z".to_owned())));
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_line() {
        let flows = read(
            "{\"from\":\"a/b\",\"to\":\"c/d\",\"port\":80}\n{\"from\":\"a/b\",\"to\"\nnonsense\n{}\n{\"from\":\"a/b\",\"to\":\"c/d\",\"port\":0}\n{\"from\":\"a/b\",\"to\":\"c/d\",\"port\":70000}\n{\"from\":\"a/b\",\"to\":\"c/d\",\"port\":1,\"protocol\":\"ICMP\"}\n{\"from\":\"a/b\",\"to\":\"c/d\",\"port\":81}",
        );
        assert_eq!(told(&flows), ["a/b -> c/d TCP 80 x1", "a/b -> c/d TCP 81 x1"]);
        assert_eq!(flows.problems.iter().map(|problem| problem.line).collect::<Vec<_>>(), [2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn hubble_says_who_began() {
        let flow = |verdict: &str, reply: &str, from: u16, to: u16| {
            format!(
                "{{\"time\":\"2026-11-24T00:00:00Z\",\"verdict\":\"{verdict}\",\"IP\":{{\"source\":\"10.0.0.1\",\"destination\":\"10.0.0.2\"}},\"l4\":{{\"TCP\":{{\"source_port\":{from},\"destination_port\":{to}}}}},\"source\":{{\"namespace\":\"shop\",\"pod_name\":\"web-7d9f-x\",\"workloads\":[{{\"name\":\"web\",\"kind\":\"Deployment\"}}]}},\"destination\":{{\"namespace\":\"data\",\"pod_name\":\"db-0\"}},\"is_reply\":{reply}}}"
            )
        };
        let text = [
            format!("{{\"flow\":{},\"node_name\":\"n\"}}", flow("FORWARDED", "false", 40000, 5432)),
            flow("FORWARDED", "true", 5432, 40000),
            flow("DROPPED", "null", 40000, 22),
            flow("FORWARDED", "null", 40000, 8080),
            "{\"flow\":{\"verdict\":\"FORWARDED\",\"IP\":{\"source\":\"10.0.0.1\",\"destination\":\"10.0.0.2\"},\"l4\":{\"ICMPv4\":{\"type\":8}},\"is_reply\":false}}".to_owned(),
            "{\"lost_events\":{\"source\":\"HUBBLE_RING_BUFFER\"}}".to_owned(),
        ]
        .join("\n");
        let flows = read(&text);
        assert_eq!(told(&flows), ["shop/web-7d9f-x -> data/db-0 TCP 5432 x1", "shop/web-7d9f-x -> data/db-0 TCP 8080 x1 by ports"]);
        assert_eq!(counts(&flows), (5, 1, 1, 1));
        assert_eq!(flows.flows.keys().next().unwrap().from.workload, Some(("Deployment".to_owned(), "web".to_owned())));
    }

    #[test]
    fn calico_is_read_in_both_of_its_forms() {
        let text = "{\"start_time\":1,\"end_time\":2,\"action\":\"allow\",\"reporter\":\"src\",\"source_name\":\"-\",\"source_name_aggr\":\"web-7d9f-*\",\"source_namespace\":\"shop\",\"source_ip\":null,\"source_type\":\"wep\",\"dest_name\":\"-\",\"dest_name_aggr\":\"pvt\",\"dest_namespace\":\"-\",\"dest_ip\":\"10.9.0.1\",\"dest_type\":\"net\",\"dest_port\":443,\"proto\":\"tcp\",\"num_flows\":4}\n{\"action\":\"deny\",\"source_namespace\":\"a\",\"dest_namespace\":\"b\",\"dest_port\":1,\"proto\":\"tcp\"}\n{\"startTime\":\"2026-11-24T00:00:00Z\",\"action\":\"Allow\",\"sourceName\":\"web-7d9f-*\",\"sourceNamespace\":\"shop\",\"destName\":\"db-*\",\"destNamespace\":\"data\",\"destPort\":\"5432\",\"protocol\":\"tcp\",\"reporter\":\"Dst\"}";
        let flows = read(text);
        assert_eq!(told(&flows), ["shop/web-7d9f-* -> 10.9.0.1 TCP 443 x4", "shop/web-7d9f-* -> data/db-* TCP 5432 x1"]);
        assert_eq!(counts(&flows), (3, 1, 0, 0));
    }

    #[test]
    fn google_tells_policies_and_networks() {
        let text = "[\n {\"jsonPayload\":{\"connection\":{\"src_ip\":\"10.84.0.1\",\"dest_ip\":\"10.84.0.2\",\"src_port\":52648,\"dest_port\":8080,\"protocol\":\"tcp\",\"direction\":\"egress\"},\"disposition\":\"allow\",\"src\":{\"pod_name\":\"web-1\",\"namespace\":\"shop\",\"workload_kind\":\"Deployment\",\"workload_name\":\"web\"},\"dest\":{\"pod_name\":\"db-0\",\"namespace\":\"data\"},\"count\":2}},\n {\"jsonPayload\":{\"connection\":{\"src_ip\":\"10.84.0.1\",\"dest_ip\":\"10.84.0.3\",\"src_port\":1,\"dest_port\":22,\"protocol\":\"tcp\"},\"disposition\":\"deny\"}},\n {\"jsonPayload\":{\"connection\":{\"src_ip\":\"10.84.0.2\",\"dest_ip\":\"10.84.0.1\",\"src_port\":5432,\"dest_port\":40000,\"protocol\":6},\"reporter\":\"SRC\"}},\n {\"jsonPayload\":{\"connection\":{\"src_ip\":\"10.84.0.1\",\"dest_ip\":\"10.84.0.2\",\"src_port\":40000,\"dest_port\":5432,\"protocol\":6},\"src_gke_details\":{\"pod\":{\"pod_name\":\"web-1\",\"pod_namespace\":\"shop\"}},\"reporter\":\"SRC\"}},\n {\"jsonPay";
        let flows = read(text);
        assert_eq!(told(&flows), ["shop/web-1 -> 10.84.0.2 TCP 5432 x1 by ports", "shop/web-1 -> data/db-0 TCP 8080 x2"]);
        assert_eq!(counts(&flows), (4, 1, 1, 0));
        assert_eq!(flows.problems.len(), 1, "the end is cut");
    }

    #[test]
    fn amazon_writes_columns() {
        let plain = "2 123456789010 eni-1 10.0.0.1 10.0.0.2 40000 443 6 20 4249 1418530010 1418530070 ACCEPT OK\n2 1 eni-1 10.0.0.2 10.0.0.1 443 40000 6 20 4249 1 2 ACCEPT OK\n2 1 eni-1 10.0.0.9 10.0.0.2 40000 22 6 20 4249 1 2 REJECT OK\n2 1 eni-1 - - - - - - - 1 2 - NODATA\n";
        let flows = read(plain);
        assert_eq!((told(&flows), counts(&flows)), (vec!["10.0.0.1 -> 10.0.0.2 TCP 443 x1 by ports".to_owned()], (3, 1, 1, 0)));
        let custom = "srcaddr dstaddr srcport dstport protocol action tcp-flags pkt-srcaddr pkt-dstaddr\n10.0.0.1 10.0.0.2 9000 9001 6 ACCEPT 2 10.0.0.1 10.0.5.5\n10.0.0.2 10.0.0.1 9001 9000 6 ACCEPT 18 10.0.5.5 10.0.0.1\n";
        let flows = read(custom);
        assert_eq!((told(&flows), counts(&flows)), (vec!["10.0.0.1 -> 10.0.5.5 TCP 9001 x1".to_owned()], (2, 0, 1, 0)));
    }

    #[test]
    fn conntrack_knows_what_an_address_was_translated_to() {
        let text = "tcp      6 431999 ESTABLISHED src=10.0.0.1 dst=10.96.0.10 sport=40000 dport=80 src=10.0.0.2 dst=10.0.0.1 sport=8080 dport=40000 [ASSURED] mark=0 use=1\nudp      17 29 src=10.0.0.1 dst=10.0.0.53 sport=40000 dport=53 [UNREPLIED] src=10.0.0.53 dst=10.0.0.1 sport=53 dport=40000 mark=0 use=1\nipv6     10 udp      17 29 src=fd00::1 dst=fd00::53 sport=40000 dport=53 src=fd00::53 dst=fd00::1 sport=53 dport=40000 mark=0 use=1\nicmp     1 29 src=10.0.0.1 dst=10.0.0.2 type=8 code=0 id=1 src=10.0.0.2 dst=10.0.0.1 type=0 code=0 id=1 mark=0 use=1\nconntrack v1.4.8 (conntrack-tools): 4 flow entries have been shown.\n";
        let flows = read(text);
        assert_eq!(told(&flows), ["10.0.0.1 -> 10.0.0.2 TCP 8080 x1", "fd00::1 -> fd00::53 UDP 53 x1"]);
        assert_eq!((counts(&flows), flows.problems.len()), ((4, 1, 0, 1), 0));
    }

    #[test]
    fn ports_tell_who_began_or_nobody_does() {
        let packet = |from: u16, to: u16| Packet { from: FlowEnd::default(), to: FlowEnd::default(), from_port: from, to_port: to, protocol: Protocol::Tcp };
        for (from, to, expected) in
            [(40000, 80, "seen"), (80, 40000, "reply"), (8081, 443, "seen"), (443, 8081, "reply"), (40000, 50000, "?"), (53, 53, "?"), (0, 80, "?")]
        {
            let told = match packet(from, to).by_ports(1, None) {
                Record::Seen(sighting) if sighting.by_ports => "seen",
                Record::Reply => "reply",
                Record::Undecided => "?",
                other => panic!("{other:?}"),
            };
            assert_eq!(told, expected, "{from} {to}");
        }
    }
}
