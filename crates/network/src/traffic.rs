//! What a connection can be: a protocol and a destination port, and sets of them.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::interval::Intervals;

/// The transport protocols that policies speak about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Protocol {
    /// SCTP
    Sctp,
    /// TCP
    Tcp,
    /// UDP
    Udp,
}

impl Protocol {
    /// All of them, in the order of their names.
    pub const ALL: [Protocol; 3] = [Protocol::Sctp, Protocol::Tcp, Protocol::Udp];

    /// The name as manifests write it.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Sctp => "SCTP",
            Protocol::Tcp => "TCP",
            Protocol::Udp => "UDP",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// A word that names no protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("protocol `{0}` is none of `TCP`, `UDP`, `SCTP`")]
pub struct NoSuchProtocol(String);

impl FromStr for Protocol {
    type Err = NoSuchProtocol;

    fn from_str(word: &str) -> Result<Self, NoSuchProtocol> {
        Protocol::ALL.into_iter().find(|protocol| protocol.name() == word).ok_or_else(|| NoSuchProtocol(word.to_owned()))
    }
}

/// The lowest port that a connection can go to.
const PORT_MIN: u16 = 1;

/// A set of pairs of protocol and port.
#[derive(Debug, Clone, PartialEq, Eq, Default, PartialOrd, Ord, Hash)]
pub struct Traffic {
    sctp: Intervals<u16>,
    tcp: Intervals<u16>,
    udp: Intervals<u16>,
}

impl Traffic {
    /// Every port of every protocol.
    pub fn all() -> Self {
        let every = Intervals::range(PORT_MIN, u16::MAX);
        Self { sctp: every.clone(), tcp: every.clone(), udp: every }
    }

    /// No connection at all.
    pub fn none() -> Self {
        Self::default()
    }

    /// The ports from `first` to `last` of one protocol.
    pub fn ports(protocol: Protocol, first: u16, last: u16) -> Self {
        let mut traffic = Self::none();
        *traffic.of_mut(protocol) = Intervals::range(first.max(PORT_MIN), last);
        traffic
    }

    /// Every port of one protocol.
    pub fn of_protocol(protocol: Protocol) -> Self {
        Self::ports(protocol, PORT_MIN, u16::MAX)
    }

    fn of(&self, protocol: Protocol) -> &Intervals<u16> {
        match protocol {
            Protocol::Sctp => &self.sctp,
            Protocol::Tcp => &self.tcp,
            Protocol::Udp => &self.udp,
        }
    }

    fn of_mut(&mut self, protocol: Protocol) -> &mut Intervals<u16> {
        match protocol {
            Protocol::Sctp => &mut self.sctp,
            Protocol::Tcp => &mut self.tcp,
            Protocol::Udp => &mut self.udp,
        }
    }

    fn each(&self, other: &Self, combine: impl Fn(&Intervals<u16>, &Intervals<u16>) -> Intervals<u16>) -> Self {
        Self { sctp: combine(&self.sctp, &other.sctp), tcp: combine(&self.tcp, &other.tcp), udp: combine(&self.udp, &other.udp) }
    }

    /// The ranges of ports of `protocol`, sorted and merged.
    pub fn ranges(&self, protocol: Protocol) -> &[(u16, u16)] {
        self.of(protocol).ranges()
    }

    /// Whether a connection to `port` is among them.
    pub fn contains(&self, protocol: Protocol, port: u16) -> bool {
        self.of(protocol).contains(port)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.sctp.is_empty() && self.tcp.is_empty() && self.udp.is_empty()
    }

    /// Whether nothing is missing.
    pub fn is_all(&self) -> bool {
        let every = |ranges: &[(u16, u16)]| matches!(ranges, [(PORT_MIN, u16::MAX)]);
        Protocol::ALL.into_iter().all(|protocol| every(self.ranges(protocol)))
    }

    /// What is in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        self.each(other, Intervals::union)
    }

    /// What is in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.each(other, Intervals::intersection)
    }

    /// What is here and not in `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.each(other, Intervals::difference)
    }

    /// Whether nothing is here that is not in `other`.
    pub fn is_subset(&self, other: &Self) -> bool {
        Protocol::ALL.into_iter().all(|protocol| self.of(protocol).is_subset(other.of(protocol)))
    }

    /// Any member, the lowest of the first protocol that has one: a witness.
    pub fn first(&self) -> Option<(Protocol, u16)> {
        [Protocol::Tcp, Protocol::Udp, Protocol::Sctp].into_iter().find_map(|protocol| self.ranges(protocol).first().map(|&(first, _)| (protocol, first)))
    }
}

/// `all`, `none`, or `TCP 80,443,UDP 53`.
impl fmt::Display for Traffic {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_all() {
            return out.write_str("all");
        }
        if self.is_empty() {
            return out.write_str("none");
        }
        let mut separator = "";
        for protocol in Protocol::ALL {
            let ranges = self.ranges(protocol);
            if ranges.is_empty() {
                continue;
            }
            write!(out, "{separator}{protocol} ")?;
            separator = "";
            for (first, last) in ranges {
                if first == last {
                    write!(out, "{separator}{first}")?;
                } else {
                    write!(out, "{separator}{first}-{last}")?;
                }
                separator = ",";
            }
            separator = ",";
        }
        Ok(())
    }
}

/// What is known about a set of connections: what is in it for certain, and what may be in it.
///
/// INVARIANT: `sure` is a subset of `possible`; the arithmetic keeps it, held by `bounds_hold_every_way_the_unknown_can_turn_out`.
#[derive(Debug, Clone, PartialEq, Eq, Default, PartialOrd, Ord, Hash)]
pub struct Bounds {
    pub(crate) sure: Traffic,
    pub(crate) possible: Traffic,
}

impl Bounds {
    /// Whether there is nothing that is not known.
    pub(crate) fn is_known(&self) -> bool {
        self.sure == self.possible
    }

    /// Everything that may be, as something to ask about.
    pub(crate) fn asked(&self) -> Cow<'_, Self> {
        if self.is_known() { Cow::Borrowed(self) } else { Cow::Owned(Self::known(self.possible.clone())) }
    }

    pub(crate) fn known(traffic: Traffic) -> Self {
        Self { sure: traffic.clone(), possible: traffic }
    }

    pub(crate) fn none() -> Self {
        Self::default()
    }

    pub(crate) fn maybe(traffic: Traffic) -> Self {
        Self { sure: Traffic::none(), possible: traffic }
    }

    pub(crate) fn union(&self, other: &Self) -> Self {
        Self { sure: self.sure.union(&other.sure), possible: self.possible.union(&other.possible) }
    }

    pub(crate) fn intersection(&self, other: &Self) -> Self {
        Self { sure: self.sure.intersection(&other.sure), possible: self.possible.intersection(&other.possible) }
    }

    pub(crate) fn difference(&self, other: &Self) -> Self {
        Self { sure: self.sure.difference(&other.possible), possible: self.possible.difference(&other.sure) }
    }

    /// What holds whichever of the two is the case.
    pub(crate) fn either(&self, other: &Self) -> Self {
        Self { sure: self.sure.intersection(&other.sure), possible: self.possible.union(&other.possible) }
    }

    /// What is allowed for certain.
    pub fn allowed(&self) -> &Traffic {
        &self.sure
    }

    /// What may be allowed or not.
    pub fn unknown(&self) -> Traffic {
        self.possible.difference(&self.sure)
    }

    /// Whether nothing can be in it.
    pub fn is_empty(&self) -> bool {
        self.possible.is_empty()
    }

    /// Whether a connection is in it; `None` if that is not known.
    pub fn holds(&self, protocol: Protocol, port: u16) -> Option<bool> {
        match (self.sure.contains(protocol, port), self.possible.contains(protocol, port)) {
            (true, _) => Some(true),
            (false, false) => Some(false),
            (false, true) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_is_sorted_by_protocol_and_merged() {
        let traffic = Traffic::ports(Protocol::Udp, 53, 53).union(&Traffic::ports(Protocol::Tcp, 80, 80)).union(&Traffic::ports(Protocol::Tcp, 81, 95));
        assert_eq!(traffic.to_string(), "TCP 80-95,UDP 53");
        assert_eq!(traffic.union(&Traffic::ports(Protocol::Tcp, 443, 443)).to_string(), "TCP 80-95,443,UDP 53");
        assert_eq!(Traffic::all().to_string(), "all");
        assert_eq!(Traffic::none().to_string(), "none");
        assert_eq!(Traffic::all().difference(&Traffic::of_protocol(Protocol::Udp)).to_string(), "SCTP 1-65535,TCP 1-65535");
    }

    #[test]
    fn port_zero_is_no_port() {
        assert!(Traffic::all().is_all());
        assert_eq!(Traffic::ports(Protocol::Tcp, 0, 65_535), Traffic::of_protocol(Protocol::Tcp));
    }

    fn small() -> impl Strategy<Value = Traffic> {
        (1u16..6, 1u16..6).prop_map(|(first, last)| Traffic::ports(Protocol::Tcp, first, last))
    }

    fn bounds() -> impl Strategy<Value = Bounds> {
        (small(), small()).prop_map(|(sure, more)| Bounds { possible: sure.union(&more), sure })
    }

    fn lies_within(traffic: &Traffic, bounds: &Bounds) -> bool {
        bounds.sure.is_subset(traffic) && traffic.is_subset(&bounds.possible)
    }

    proptest! {
        #[test]
        fn bounds_hold_every_way_the_unknown_can_turn_out(one in bounds(), two in bounds()) {
            for truth_one in [&one.sure, &one.possible] {
                for truth_two in [&two.sure, &two.possible] {
                    prop_assert!(lies_within(&truth_one.union(truth_two), &one.union(&two)));
                    prop_assert!(lies_within(&truth_one.intersection(truth_two), &one.intersection(&two)));
                    prop_assert!(lies_within(&truth_one.difference(truth_two), &one.difference(&two)));
                    prop_assert!(lies_within(truth_one, &one.either(&two)));
                }
            }
        }
    }
}
