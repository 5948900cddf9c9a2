//! Pods in the order of their addresses, so that those inside of a block are found without a look at the others.

use std::sync::Arc;

use crate::address::{Address, AddressSet, Family};

/// So many new addresses are looked at one by one before they are put among the others.
const MOST_BESIDE: usize = 1_024;

/// Pods by their addresses. Those that are gone are still among them.
#[derive(Debug, Clone, Default)]
pub(super) struct PodsByAddress {
    /// Sorted.
    known: Arc<Vec<(Address, u32)>>,
    /// What came later, in no order.
    beside: Vec<(Address, u32)>,
}

impl PodsByAddress {
    /// Those of these pods.
    pub(super) fn of(pods: impl Iterator<Item = (Address, u32)>) -> Self {
        let mut known: Vec<(Address, u32)> = pods.collect();
        known.sort_unstable();
        Self { known: Arc::new(known), beside: Vec::new() }
    }

    /// Adds the addresses of a pod.
    pub(super) fn add(&mut self, pod: impl Iterator<Item = (Address, u32)>) {
        self.beside.extend(pod);
        if self.beside.len() > MOST_BESIDE {
            let all = self.known.iter().copied().chain(self.beside.drain(..));
            *self = Self::of(all.collect::<Vec<_>>().into_iter());
        }
    }

    /// The pods with an address in a block, each as often as it has one there.
    pub(super) fn inside<'b>(&'b self, block: &'b AddressSet) -> impl Iterator<Item = u32> + 'b {
        let ranges = Family::ALL.into_iter().flat_map(|family| block.of(family).ranges().iter().map(move |&(first, last)| (family, first, last)));
        let known = ranges.flat_map(|(family, first, last)| {
            let start = self.known.partition_point(|(address, _)| (address.family, address.number) < (family, first));
            let inside = self.known.get(start..).unwrap_or_default().iter();
            inside.take_while(move |(address, _)| (address.family, address.number) <= (family, last))
        });
        let beside = self.beside.iter().filter(|(address, _)| block.contains(*address));
        known.chain(beside).map(|(_, pod)| *pod)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_inside_of_blocks_are_found_whenever_they_came() {
        let address = |text: &str| text.parse::<Address>().unwrap();
        let mut pods = PodsByAddress::of([(address("10.0.0.9"), 1), (address("fd00::1"), 1), (address("10.0.1.1"), 0), (address("10.0.0.1"), 4)].into_iter());
        pods.add([(address("10.0.0.2"), 7)].into_iter());
        let inside = |pods: &PodsByAddress, text: &str| {
            let block = AddressSet::block(text.parse().unwrap());
            let mut found: Vec<u32> = pods.inside(&block).collect();
            found.sort_unstable();
            found
        };
        assert_eq!(inside(&pods, "10.0.0.0/24"), [1, 4, 7]);
        assert_eq!(["10.0.0.0/29", "fd00::/8", "10.0.1.0/24", "11.0.0.0/8"].map(|text| inside(&pods, text)), [vec![4, 7], vec![1], vec![0], vec![]]);
        pods.add((0..2_000).map(|number| (Address { family: Family::V4, number }, 10_000)));
        assert_eq!(inside(&pods, "10.0.0.0/24"), [1, 4, 7]);
        assert_eq!(inside(&pods, "0.0.0.0/24").len(), 256);
    }
}
