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

    /// The pods with an address in any of these blocks, sorted.
    pub(super) fn inside<'b>(&self, blocks: impl Iterator<Item = &'b AddressSet>) -> Vec<u32> {
        let mut found = Vec::new();
        for block in blocks {
            for family in Family::ALL {
                for &(first, last) in block.of(family).ranges() {
                    let start = self.known.partition_point(|(address, _)| (address.family, address.number) < (family, first));
                    let inside = self.known.iter().skip(start).take_while(|(address, _)| (address.family, address.number) <= (family, last));
                    found.extend(inside.map(|(_, pod)| *pod));
                }
            }
            found.extend(self.beside.iter().filter(|(address, _)| block.contains(*address)).map(|(_, pod)| *pod));
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_inside_of_blocks_are_found_whenever_they_came() {
        let address = |text: &str| text.parse::<Address>().unwrap();
        let block = |text: &str| AddressSet::block(text.parse().unwrap());
        let mut pods = PodsByAddress::of([(address("10.0.0.9"), 1), (address("fd00::1"), 1), (address("10.0.1.1"), 0), (address("10.0.0.1"), 4)].into_iter());
        pods.add([(address("10.0.0.2"), 7)].into_iter());
        assert_eq!(pods.inside([&block("10.0.0.0/24")].into_iter()), [1, 4, 7]);
        assert_eq!(pods.inside([&block("10.0.0.0/29"), &block("fd00::/8"), &block("10.0.1.0/24")].into_iter()), [0, 1, 4, 7]);
        pods.add((0..2_000).map(|number| (Address { family: Family::V4, number }, 10_000)));
        assert_eq!(pods.inside([&block("10.0.0.0/24"), &block("0.0.0.0/8")].into_iter()), [1, 4, 7, 10_000]);
        assert!(pods.inside([&block("11.0.0.0/8")].into_iter()).is_empty());
    }
}
