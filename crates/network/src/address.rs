//! IP addresses, CIDRs as the API server reads them, and sets of addresses of both families.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::Model;
use crate::interval::Intervals;

/// Which of the two kinds of address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Family {
    V4,
    V6,
}

impl Family {
    pub(crate) const ALL: [Family; 2] = [Family::V4, Family::V6];

    fn bits(self) -> u8 {
        match self {
            Family::V4 => 32,
            Family::V6 => 128,
        }
    }

    pub(crate) fn last(self) -> u128 {
        match self {
            Family::V4 => u128::from(u32::MAX),
            Family::V6 => u128::MAX,
        }
    }
}

/// One address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Address {
    pub(crate) family: Family,
    pub(crate) number: u128,
}

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Address { family: Family::V4, number: u128::from(u32::from(address)) },
            // An IPv4 address in IPv6 clothes is the IPv4 address.
            IpAddr::V6(address) => match address.to_ipv4_mapped() {
                Some(inner) => IpAddr::V4(inner).into(),
                None => Address { family: Family::V6, number: u128::from(address) },
            },
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.family {
            Family::V4 => write!(out, "{}", Ipv4Addr::from(u32::try_from(self.number).unwrap_or(u32::MAX))),
            Family::V6 => write!(out, "{}", Ipv6Addr::from(self.number)),
        }
    }
}

/// A text that is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no IP address")]
pub(crate) struct NoAddress(String);

impl FromStr for Address {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, NoAddress> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(address.into());
        }
        without_leading_zeros(text)
            .and_then(|text| text.parse::<Ipv4Addr>().ok())
            .map(|address| IpAddr::V4(address).into())
            .ok_or_else(|| NoAddress(text.to_owned()))
    }
}

/// The server still takes `010.0.0.1` in the fields that always took it, and reads the parts as decimal numbers.
fn without_leading_zeros(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.split('.').collect();
    let plain = parts.len() == 4 && parts.iter().all(|part| !part.is_empty() && part.len() <= 16 && part.bytes().all(|byte| byte.is_ascii_digit()));
    let trimmed = |part: &&str| Some(part.trim_start_matches('0')).filter(|rest| !rest.is_empty()).unwrap_or("0").to_owned();
    plain.then(|| parts.iter().map(trimmed).collect::<Vec<_>>().join("."))
}

/// A block of addresses. Host bits are masked away, as the server and every data plane do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Cidr {
    pub(crate) family: Family,
    pub(crate) first: u128,
    pub(crate) prefix: u8,
}

/// A text that is no CIDR.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no CIDR such as `10.0.0.0/8` or `fd00::/8`")]
pub(crate) struct NoCidr(String);

impl FromStr for Cidr {
    type Err = NoCidr;

    fn from_str(text: &str) -> Result<Self, NoCidr> {
        Self::read(text).ok_or_else(|| NoCidr(text.to_owned()))
    }
}

impl Cidr {
    fn read(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/')?;
        let is_number = !prefix.is_empty() && prefix.len() <= 3 && prefix.bytes().all(|byte| byte.is_ascii_digit());
        let prefix: u8 = prefix.parse().ok().filter(|_| is_number)?;
        // A mapped address keeps its 128 bits here: `::ffff:10.0.0.0/104` is a block of IPv6.
        let address = match address.parse::<IpAddr>() {
            Ok(IpAddr::V6(address)) => Address { family: Family::V6, number: u128::from(address) },
            _ => address.parse().ok()?,
        };
        let bits = address.family.bits();
        if prefix > bits {
            return None;
        }
        let mapped = Self::new(address.family, address.number, prefix);
        // Go reads a mapped block of at least 96 bits as the IPv4 block in it.
        let is_mapped = mapped.family == Family::V6 && prefix >= 96 && mapped.first >> 32 == 0xffff;
        Some(if is_mapped { Self::new(Family::V4, mapped.first & u128::from(u32::MAX), prefix - 96) } else { mapped })
    }

    /// What about `text`, which is a CIDR, an API server takes only in objects that are stored already.
    pub(crate) fn strange(text: &str) -> Option<&'static str> {
        let (address, prefix) = text.split_once('/')?;
        let has_zeros = |part: &str| part.len() > 1 && part.starts_with('0');
        let parsed = address.parse::<IpAddr>();
        if has_zeros(prefix) || (parsed.is_err() && address.split('.').any(has_zeros)) {
            return Some("has leading zeros");
        }
        if matches!(parsed, Ok(IpAddr::V6(address)) if address.to_ipv4_mapped().is_some()) {
            return Some("has an IPv4 address in IPv6 clothes");
        }
        let cidr = Self::read(text)?;
        (Address::from(parsed.ok()?).number != cidr.first).then_some("has bits set beyond the prefix")
    }

    fn new(family: Family, number: u128, prefix: u8) -> Self {
        let host = host_mask(family.bits() - prefix);
        Self { family, first: number & !host & family.last(), prefix }
    }

    pub(crate) fn last(self) -> u128 {
        self.first | host_mask(self.family.bits() - self.prefix)
    }

    /// Whether `other` lies inside and is smaller.
    pub(crate) fn strictly_contains(self, other: Cidr) -> bool {
        self.family == other.family && self.prefix < other.prefix && self.first <= other.first && other.first <= self.last()
    }

    /// The fewest blocks that make up the range.
    pub(crate) fn cover(family: Family, first: u128, last: u128) -> Vec<Cidr> {
        let mut blocks = Vec::new();
        let mut from = Some(first);
        while let Some(start) = from.filter(|&start| start <= last) {
            let bits = family.bits();
            let mut prefix = bits;
            while prefix > 0 {
                let wider = Self::new(family, start, prefix - 1);
                if wider.first != start || wider.last() > last {
                    break;
                }
                prefix -= 1;
            }
            let block = Self::new(family, start, prefix);
            blocks.push(block);
            from = block.last().checked_add(1);
        }
        blocks
    }
}

fn host_mask(bits: u8) -> u128 {
    if bits >= 128 { u128::MAX } else { (1u128 << bits) - 1 }
}

impl fmt::Display for Cidr {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", Address { family: self.family, number: self.first }, self.prefix)
    }
}

/// A set of addresses.
#[derive(Debug, Clone, PartialEq, Eq, Default, PartialOrd, Ord, Hash)]
pub(crate) struct AddressSet {
    v4: Intervals<u128>,
    v6: Intervals<u128>,
}

impl AddressSet {
    pub(crate) fn range(family: Family, first: u128, last: u128) -> Self {
        let mut set = Self::default();
        *set.of_mut(family) = Intervals::range(first, last);
        set
    }

    /// The ranges of IPv4 and those of IPv6, in any order.
    pub(crate) fn of_ranges([v4, v6]: [Vec<(u128, u128)>; 2]) -> Self {
        Self { v4: Intervals::of(v4), v6: Intervals::of(v6) }
    }

    /// These addresses.
    pub(crate) fn of_addresses(addresses: &[Address]) -> Self {
        let of = |family: Family| addresses.iter().filter(|address| address.family == family).map(|address| (address.number, address.number)).collect();
        Self::of_ranges([of(Family::V4), of(Family::V6)])
    }

    /// One address.
    pub(crate) fn single(address: Address) -> Self {
        Self::range(address.family, address.number, address.number)
    }

    /// A block of addresses, or a single one, as it is written.
    pub(crate) fn written(text: &str) -> Option<Self> {
        text.parse::<Cidr>().ok().map(Self::block).or_else(|| text.parse().ok().map(Self::single))
    }

    pub(crate) fn block(cidr: Cidr) -> Self {
        Self::range(cidr.family, cidr.first, cidr.last())
    }

    pub(crate) fn of(&self, family: Family) -> &Intervals<u128> {
        match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        }
    }

    fn of_mut(&mut self, family: Family) -> &mut Intervals<u128> {
        match family {
            Family::V4 => &mut self.v4,
            Family::V6 => &mut self.v6,
        }
    }

    pub(crate) fn contains(&self, address: Address) -> bool {
        self.of(address.family).contains(address.number)
    }

    pub(crate) fn union(&self, other: &Self) -> Self {
        Self { v4: self.v4.union(&other.v4), v6: self.v6.union(&other.v6) }
    }

    pub(crate) fn difference(&self, other: &Self) -> Self {
        Self { v4: self.v4.difference(&other.v4), v6: self.v6.difference(&other.v6) }
    }

    pub(crate) fn intersection(&self, other: &Self) -> Self {
        Self { v4: self.v4.intersection(&other.v4), v6: self.v6.intersection(&other.v6) }
    }

    /// Every address of both families.
    pub(crate) fn everything() -> Self {
        Family::ALL.into_iter().fold(Self::default(), |set, family| set.union(&Self::range(family, 0, family.last())))
    }

    pub(crate) fn is_empty(&self) -> bool {
        Family::ALL.into_iter().all(|family| self.of(family).is_empty())
    }

    /// Any address in it.
    pub(crate) fn first(&self) -> Option<Address> {
        Family::ALL.into_iter().find_map(|family| self.of(family).ranges().first().map(|&(number, _)| Address { family, number }))
    }

    /// Whether every address of a family is in it.
    pub(crate) fn is_whole(&self, family: Family) -> bool {
        self.of(family).ranges() == [(0, family.last())]
    }

    /// Its parts as `model` tells them: blocks, or in np-guard's the ranges of IPv4.
    pub(crate) fn texts(&self, model: Model) -> Vec<String> {
        match model {
            Model::Kubernetes => self.blocks().iter().map(ToString::to_string).collect(),
            Model::NpGuard => {
                let address = |number| Address { family: Family::V4, number };
                self.v4.ranges().iter().map(|&(first, last)| format!("{}-{}", address(first), address(last))).collect()
            }
        }
    }

    /// The fewest blocks that make it up, IPv4 first.
    pub(crate) fn blocks(&self) -> Vec<Cidr> {
        Family::ALL.into_iter().flat_map(|family| self.of(family).ranges().iter().flat_map(move |&(first, last)| Cidr::cover(family, first, last))).collect()
    }
}

/// Cuts both address spaces at every boundary of `sets` into ranges that none of them tells apart inside.
pub(crate) fn atoms<'s>(sets: impl Iterator<Item = &'s AddressSet>) -> Vec<(Family, u128, u128)> {
    let mut starts: [Vec<u128>; 2] = [vec![0], vec![0]];
    for set in sets {
        for (family, starts) in Family::ALL.into_iter().zip(&mut starts) {
            for &(first, last) in set.of(family).ranges() {
                starts.push(first);
                starts.extend(last.checked_add(1).filter(|&next| next <= family.last()));
            }
        }
    }
    let mut found = Vec::new();
    for (family, mut starts) in Family::ALL.into_iter().zip(starts) {
        starts.sort_unstable();
        starts.dedup();
        let ends = starts.iter().skip(1).map(|&next| next - 1).chain([family.last()]);
        found.extend(starts.iter().zip(ends).map(|(&first, last)| (family, first, last)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cidr(text: &str) -> Cidr {
        text.parse().unwrap()
    }

    #[test]
    fn host_bits_are_masked() {
        assert_eq!(cidr("10.1.2.3/8").to_string(), "10.0.0.0/8");
        assert_eq!(cidr("fd00::1/8").to_string(), "fd00::/8");
        assert_eq!(cidr("0.0.0.0/0").last(), u128::from(u32::MAX));
        assert_eq!(cidr("::/0").last(), u128::MAX);
    }

    #[test]
    fn what_the_server_reads_is_read() {
        assert_eq!(cidr("010.001.0.0/16").to_string(), "10.1.0.0/16");
        assert_eq!(cidr("::ffff:10.0.0.0/104").to_string(), "10.0.0.0/8");
        for refused in ["10.0.0.0", "10.0.0.0/33", "fd00::/129", "10.0.0/8", "a/8", "10.0.0.0/", "10.0.0.0/+8", "/8", "10.0.0.256/8", ""] {
            assert!(refused.parse::<Cidr>().is_err(), "{refused}");
        }
    }

    #[test]
    fn what_is_taken_from_old_objects_only_is_told() {
        for (text, reason) in
            [("10.1.2.3/8", "bits"), ("fd00::1/8", "bits"), ("010.0.0.0/8", "zeros"), ("10.0.0.0/08", "zeros"), ("::ffff:10.0.0.0/104", "IPv4")]
        {
            assert!(Cidr::strange(text).is_some_and(|strange| strange.contains(reason)), "{text}");
        }
        for plain in ["10.0.0.0/8", "fd00::/8", "0.0.0.0/0", "::/0", "1.2.3.4/32"] {
            assert_eq!(Cidr::strange(plain), None, "{plain}");
        }
    }

    #[test]
    fn a_range_is_covered_by_the_fewest_blocks() {
        let text = |first: &str, last: &str| {
            let (first, last): (Address, Address) = (first.parse().unwrap(), last.parse().unwrap());
            Cidr::cover(first.family, first.number, last.number).iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(text("0.0.0.0", "255.255.255.255"), "0.0.0.0/0");
        assert_eq!(text("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), "::/0");
        assert_eq!(text("0.0.0.0", "9.255.255.255"), "0.0.0.0/5 8.0.0.0/7");
        assert_eq!(text("10.0.0.1", "10.0.0.6"), "10.0.0.1/32 10.0.0.2/31 10.0.0.4/31 10.0.0.6/32");
    }

    #[test]
    fn an_except_must_be_strictly_inside() {
        assert!(cidr("10.0.0.0/8").strictly_contains(cidr("10.1.0.0/16")));
        assert!(!cidr("10.0.0.0/8").strictly_contains(cidr("10.0.0.0/8")));
        assert!(!cidr("10.0.0.0/8").strictly_contains(cidr("11.0.0.0/16")));
        assert!(!cidr("::/0").strictly_contains(cidr("10.0.0.0/8")));
    }

    #[test]
    fn atoms_are_disjoint_and_whole() {
        let sets = [AddressSet::block(cidr("10.0.0.0/8")), AddressSet::block(cidr("10.1.0.0/16")), AddressSet::block(cidr("fd00::/8"))];
        let found = atoms(sets.iter());
        assert_eq!(found.len(), 5 + 3);
        for set in &sets {
            for &(family, first, last) in &found {
                assert_eq!(set.of(family).contains(first), set.of(family).contains(last));
            }
        }
    }
}
