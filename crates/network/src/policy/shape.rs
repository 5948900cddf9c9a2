//! What the definitions of other projects demand of their custom resources beyond what is read for its meaning: the API server refuses
//! what does not fit. What newer releases refuse and older ones took is told, and counts; `tests/real/definitions` names the releases.

use bartizan_cluster::label::is_dns_subdomain;
use bartizan_cluster::{ObjectView, Value};

use crate::address::Address;
use crate::label::Refusal;

/// How something must be written. What is not written is not looked at.
#[derive(Debug)]
pub(crate) enum Shape {
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A text for which this holds, and what it is called.
    Form(fn(&str) -> bool, &'static str),
    /// Any items, from so many to so many.
    List(&'static Shape, usize, usize),
    /// Some fields, and those that must be there.
    Object(&'static [(&'static str, Shape)], &'static [&'static str]),
    /// One of the fields must be there.
    AnyOf(&'static [&'static str]),
    /// A number of a type of ICMP, or its name.
    Icmp,
    Anything,
}

use Shape::{AnyOf, Anything, Form, Icmp, List, Object, Text, Word};

const MANY: usize = usize::MAX;

/// A policy of Cilium's.
pub(crate) const CILIUM: [Shape; 1] = [Object(
    &[
        ("description", Text),
        ("labels", List(&Object(&[], &["key"]), 0, MANY)),
        ("ingress", List(&CILIUM_RULE, 0, MANY)),
        ("ingressDeny", List(&CILIUM_RULE, 0, MANY)),
        ("egress", List(&CILIUM_RULE, 0, MANY)),
        ("egressDeny", List(&CILIUM_RULE, 0, MANY)),
    ],
    &[],
)];

const CILIUM_RULE: Shape = Object(
    &[
        ("fromCIDRSet", CIDR_SETS),
        ("toCIDRSet", CIDR_SETS),
        ("toFQDNs", List(&DNS_NAME, 0, MANY)),
        ("toServices", List(&Object(&[("k8sServiceSelector", Object(&[], &["selector"]))], &[]), 0, MANY)),
        ("icmps", List(&Object(&[("fields", List(&Object(&[("family", Word(&["IPv4", "IPv6"])), ("type", Icmp)], &["type"]), 0, 40))], &[]), 0, MANY)),
        ("toPorts", List(&PORTS, 0, MANY)),
    ],
    &[],
);

const CIDR_SETS: Shape = List(&Object(&[("cidrGroupRef", Form(is_dns_subdomain, "name of an object"))], &[]), 0, MANY);

/// What the newest definition of Cilium's demands and older ones did not.
pub(crate) const CILIUM_NEWEST: [Shape; 2] = [
    AnyOf(&["ingress", "ingressDeny", "egress", "egressDeny"]),
    Object(&[("ingress", NEWEST_RULES), ("ingressDeny", NEWEST_RULES), ("egress", NEWEST_RULES), ("egressDeny", NEWEST_RULES)], &[]),
];

const NEWEST_RULES: Shape = List(
    &Object(
        &[
            ("fromRequires", List(&Anything, 0, 0)),
            ("toRequires", List(&Anything, 0, 0)),
            ("fromCIDR", CIDRS),
            ("toCIDR", CIDRS),
            ("fromCIDRSet", BLOCKS),
            ("toCIDRSet", BLOCKS),
            ("toPorts", List(&Object(&[("ports", List(&Object(&[("protocol", Word(&PROTOCOLS))], &[]), 0, MANY))], &[]), 0, MANY)),
        ],
        &[],
    ),
    0,
    MANY,
);

const CIDRS: Shape = List(&Form(is_cidr, "block of addresses"), 0, MANY);

const BLOCKS: Shape = List(&Object(&[("cidr", Form(is_cidr, "block of addresses"))], &[]), 0, MANY);

const PORTS: Shape = Object(
    &[
        ("serverNames", List(&Anything, 1, MANY)),
        ("terminatingTLS", Object(&[], &["secret"])),
        ("originatingTLS", Object(&[], &["secret"])),
        ("listener", Object(&[], &["envoyConfig", "name"])),
        ("rules", Object(&[("dns", List(&DNS_NAME, 0, MANY))], &[])),
    ],
    &[],
);

const PROTOCOLS: [&str; 11] = ["TCP", "UDP", "SCTP", "VRRP", "IGMP", "GRE", "IPIP", "IPV6", "ESP", "AH", "ANY"];

const DNS_NAME: Shape = Object(&[("matchName", Form(is_dns_name, "name of a host")), ("matchPattern", Form(is_dns_pattern, "pattern of names"))], &[]);

/// A policy of Calico's.
pub(crate) const CALICO: [Shape; 1] =
    [Object(&[("performanceHints", List(&Anything, 0, MANY)), ("ingress", List(&CALICO_RULE, 0, MANY)), ("egress", List(&CALICO_RULE, 0, MANY))], &[])];

const CALICO_RULE: Shape = Object(
    &[
        ("source", CALICO_END),
        ("destination", CALICO_END),
        ("http", Object(&[("methods", List(&Text, 0, MANY)), ("paths", List(&Object(&[], &[]), 0, MANY))], &[])),
    ],
    &[],
);

const CALICO_END: Shape = Object(&[("serviceAccounts", Object(&[], &[])), ("services", Object(&[], &[]))], &[]);

/// An `AuthorizationPolicy` of Istio's.
pub(crate) const AUTHORIZATION: [Shape; 1] = [Object(
    &[
        ("targetRef", TARGET),
        ("targetRefs", List(&TARGET, 0, 16)),
        ("selector", SELECTOR),
        (
            "rules",
            List(
                &Object(
                    &[(
                        "to",
                        List(
                            &Object(
                                &[(
                                    "operation",
                                    Object(
                                        &[
                                            ("hosts", TEXTS),
                                            ("notHosts", TEXTS),
                                            ("methods", TEXTS),
                                            ("notMethods", TEXTS),
                                            ("paths", TEXTS),
                                            ("notPaths", TEXTS),
                                        ],
                                        &[],
                                    ),
                                )],
                                &[],
                            ),
                            0,
                            MANY,
                        ),
                    )],
                    &[],
                ),
                0,
                512,
            ),
        ),
    ],
    &[],
)];

const TEXTS: Shape = List(&Text, 0, MANY);

const TARGET: Shape = Object(&[("namespace", Word(&[""]))], &["kind", "name"]);

const SELECTOR: Shape = Object(&[], &[]);

/// A `PeerAuthentication` of Istio's.
pub(crate) const PEERS: [Shape; 1] = [Object(&[("mtls", MTLS), ("selector", SELECTOR), ("portLevelMtls", Object(&[], &[]))], &[])];

const MTLS: Shape = Object(&[("mode", Word(&["UNSET", "DISABLE", "PERMISSIVE", "STRICT"]))], &[]);

/// The setting of a port of a [`PEERS`].
pub(crate) const PORT_MTLS: [Shape; 1] = [MTLS];

/// What of `value`, a part of `object`, does not fit and is not told by `told`. What is stored already stays and counts: the server is asked
/// when somebody writes.
pub(crate) fn misfits<'s>(object: ObjectView<'s>, value: Option<Value<'s>>, shapes: &[Shape], told: &[Refusal<'s>]) -> Vec<Refusal<'s>> {
    let mut found = Vec::new();
    let value = value.filter(|value| value.is_map() && object.uid().is_none());
    for (value, shape) in value.into_iter().flat_map(|value| shapes.iter().map(move |shape| (value, shape))) {
        look(value, shape, &mut found);
    }
    found.retain(|(place, _)| told.iter().all(|(other, _)| other.position() != place.position()));
    found
}

/// What is said of something that stays where it is stored, and that nobody can write anew.
pub(crate) fn of_creation(message: &str) -> String {
    format!("the API server takes this from nobody who creates it: {message}")
}

fn look<'s>(value: Value<'s>, shape: &Shape, found: &mut Vec<Refusal<'s>>) {
    let mut refuse = |message: String| found.push((value, message));
    match shape {
        Anything => {}
        Text if value.as_str().is_some() => {}
        Text => refuse(format!("`{}` is no text", value.display())),
        Word(words) if value.as_str().is_some_and(|text| words.contains(&text)) => {}
        Word([""]) => refuse(format!("`{}` must be empty", value.key())),
        Word(words) => refuse(format!("`{}` is none of `{}`", value.display(), words.join("`, `"))),
        Form(holds, _) if value.as_str().is_some_and(holds) => {}
        Form(_, called) => refuse(format!("`{}` is no {called}", value.display())),
        Icmp if is_icmp(value) => {}
        Icmp => refuse(format!("`{}` is no type of ICMP", value.display())),
        AnyOf(names) => {
            if value.is_map() && !names.iter().any(|name| value.entry(name).is_some()) {
                refuse(format!("one of `{}` must be there", names.join("`, `")));
            }
        }
        List(of, least, most) => {
            let count = value.len();
            if !value.is_list() {
                refuse(format!("`{}` is no list", value.key()));
            } else if count < *least {
                refuse(format!("`{}` is empty", value.key()));
            } else if count > *most {
                refuse(if *most == 0 {
                    format!("`{}` is given up and must be empty", value.key())
                } else {
                    format!("`{}` has more than {most} items", value.key())
                });
            } else {
                value.items().filter(|item| !item.is_null()).for_each(|item| look(item, of, found));
            }
        }
        Object(fields, needed) => {
            if !value.is_map() {
                refuse(format!("`{}` is no object", value.display()));
                return;
            }
            for name in needed.iter().filter(|name| value.entry(name).is_none_or(Value::is_null)) {
                refuse(format!("`{name}` must be there"));
            }
            for (inner, shape) in fields.iter().filter_map(|(name, shape)| Some((value.entry(name).filter(|inner| !inner.is_null())?, shape))) {
                look(inner, shape, found);
            }
        }
    }
}

/// A block as Go's parser of the API server takes it: a mapped address is one of IPv6, and lengths may have any number of zeros before them.
fn is_cidr(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else { return false };
    let width = if address.contains(':') { 128 } else { 32 };
    address.parse::<Address>().is_ok()
        && !length.is_empty()
        && length.bytes().all(|byte| byte.is_ascii_digit())
        && length.parse::<u8>().is_ok_and(|length| length <= width)
}

/// Labels with dots behind them, of letters, digits, `-`, `_` and what `is_more` allows.
fn is_dotted(text: &str, is_more: impl Fn(u8) -> bool) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') || is_more(byte);
    !text.is_empty() && text.bytes().all(|byte| byte == b'.' || is_letter(byte)) && !text.starts_with('.') && !text.contains("..")
}

fn is_dns_name(text: &str) -> bool {
    text.len() <= 255 && is_dotted(text, |_| false)
}

fn is_dns_pattern(text: &str) -> bool {
    text.len() <= 255 && is_dotted(text, |byte| byte == b'*')
}

fn is_icmp(value: Value<'_>) -> bool {
    const NAMES: [&str; 33] = [
        "EchoReply",
        "DestinationUnreachable",
        "Redirect",
        "Echo",
        "EchoRequest",
        "RouterAdvertisement",
        "RouterSelection",
        "TimeExceeded",
        "ParameterProblem",
        "Timestamp",
        "TimestampReply",
        "Photuris",
        "ExtendedEchoRequest",
        "ExtendedEcho Reply",
        "PacketTooBig",
        "MulticastListenerQuery",
        "MulticastListenerReport",
        "MulticastListenerDone",
        "RouterSolicitation",
        "NeighborSolicitation",
        "NeighborAdvertisement",
        "RedirectMessage",
        "RouterRenumbering",
        "ICMPNodeInformationQuery",
        "ICMPNodeInformationResponse",
        "InverseNeighborDiscoverySolicitation",
        "InverseNeighborDiscoveryAdvertisement",
        "HomeAgentAddressDiscoveryRequest",
        "HomeAgentAddressDiscoveryReply",
        "MobilePrefixSolicitation",
        "MobilePrefixAdvertisement",
        "DuplicateAddressRequestCodeSuffix",
        "DuplicateAddressConfirmationCodeSuffix",
    ];
    let Some(text) = value.as_str() else { return value.as_i64().is_some() };
    NAMES.contains(&text) || text.parse::<u8>().is_ok_and(|number| number.to_string() == text)
}
