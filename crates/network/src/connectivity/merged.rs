//! The walk as people want it told: addresses outside that are treated alike by one workload are one line for each block that it
//! takes to write them, however many rules of others cut them into pieces.

use std::collections::BTreeMap;

use super::{Connection, Connectivity, Side};
use crate::address::{AddressSet, Cidr};
use crate::doubt::Doubts;
use crate::traffic::Bounds;

/// What is allowed from one end to another, by the words for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Who begins.
    pub from: String,
    /// Who is meant.
    pub to: String,
    /// What is allowed, and what may be.
    pub bounds: Bounds,
}

/// Addresses by what is allowed with them.
type Groups = Vec<(Bounds, AddressSet)>;

#[derive(Default)]
struct Waiting {
    /// What leaves this peer for addresses outside.
    leaving: Option<(usize, Groups)>,
    /// What enters each peer from addresses outside.
    entering: BTreeMap<usize, Groups>,
}

impl Connectivity<'_, '_> {
    /// Tells what [`Connectivity::walk`] tells, with the addresses outside put together, and in the end what leaves connections open.
    pub fn lines<E>(&self, mut tell: impl FnMut(Line) -> Result<(), E>) -> Result<Doubts, E> {
        let mut waiting = Waiting::default();
        let mut doubts = Doubts::default();
        self.walk(|Connection { from, to, bounds, because }| {
            doubts.add(&because);
            match (self.block_of(from), self.block_of(to)) {
                (Some(block), _) => {
                    waiting.leave(self, &mut tell)?;
                    add(waiting.entering.entry(to).or_default(), bounds, block);
                    return Ok(());
                }
                (None, Some(block)) => {
                    waiting.enter(self, &mut tell)?;
                    if waiting.leaving.as_ref().is_some_and(|(before, _)| *before != from) {
                        waiting.leave(self, &mut tell)?;
                    }
                    let (_, groups) = waiting.leaving.get_or_insert_with(|| (from, Groups::new()));
                    add(groups, bounds, block);
                    return Ok(());
                }
                (None, None) => {}
            }
            waiting.leave(self, &mut tell)?;
            waiting.enter(self, &mut tell)?;
            tell(Line { from: self.word(from), to: self.word(to), bounds })
        })?;
        waiting.leave(self, &mut tell)?;
        waiting.enter(self, &mut tell)?;
        Ok(doubts)
    }

    fn word(&self, peer: usize) -> String {
        self.peers.get(peer).map_or_else(String::new, |peer| peer.id.clone())
    }

    /// The addresses of a peer outside, if those of both ends of its connections are told by the same blocks.
    fn block_of(&self, peer: usize) -> Option<AddressSet> {
        let Side::Outside(..) = self.sides.get(peer)? else { return None };
        let block: Cidr = self.peers.get(peer)?.cidr.as_deref()?.parse().ok()?;
        Some(AddressSet::block(block))
    }
}

fn add(groups: &mut Groups, bounds: Bounds, block: AddressSet) {
    match groups.iter_mut().find(|(known, _)| *known == bounds) {
        Some((_, addresses)) => *addresses = addresses.union(&block),
        None => groups.push((bounds, block)),
    }
}

/// The blocks of each group, in their order.
fn blocks(groups: Groups) -> impl Iterator<Item = (Cidr, Bounds)> {
    let mut blocks: Vec<(Cidr, Bounds)> =
        groups.into_iter().flat_map(|(bounds, addresses)| addresses.blocks().into_iter().map(move |block| (block, bounds.clone()))).collect();
    blocks.sort_by_key(|(block, _)| *block);
    blocks.into_iter()
}

impl Waiting {
    fn leave<E>(&mut self, connectivity: &Connectivity<'_, '_>, tell: &mut impl FnMut(Line) -> Result<(), E>) -> Result<(), E> {
        let Some((from, groups)) = self.leaving.take() else { return Ok(()) };
        for (block, bounds) in blocks(groups) {
            tell(Line { from: connectivity.word(from), to: block.to_string(), bounds })?;
        }
        Ok(())
    }

    fn enter<E>(&mut self, connectivity: &Connectivity<'_, '_>, tell: &mut impl FnMut(Line) -> Result<(), E>) -> Result<(), E> {
        let entering = std::mem::take(&mut self.entering);
        let mut lines: Vec<(Cidr, usize, Bounds)> =
            entering.into_iter().flat_map(|(to, groups)| blocks(groups).map(move |(block, bounds)| (block, to, bounds))).collect();
        lines.sort_by_key(|(block, to, _)| (*block, *to));
        for (block, to, bounds) in lines {
            tell(Line { from: block.to_string(), to: connectivity.word(to), bounds })?;
        }
        Ok(())
    }
}
