//! Part of what is allowed: some workloads or namespaces, one direction, some ports. Addresses outside are divided by the blocks that words
//! name, so that a word means what it says however rules cut the addresses.

use std::collections::BTreeSet;
use std::convert::Infallible;

use super::{Connectivity, Ends, Peer, Side};
use crate::Model;
use crate::address::{Address, AddressSet, Cidr, atoms};
use crate::policy::Direction;
use crate::traffic::Traffic;
use crate::word::Word;

/// What is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Focus {
    /// The words for an end of each connection: `shop` for a namespace, `shop/web` or `shop/Deployment/web`, `Node/worker-1`,
    /// `10.0.0.0/8`, where `*` stands for anything. None: every end.
    pub peers: Vec<String>,
    /// Whether these ends are those that are meant (ingress) or those that begin (egress); either if it is `None`.
    pub direction: Option<Direction>,
    /// The ports that are looked at.
    pub traffic: Traffic,
}

/// Words for which there is nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("nothing in the input is called `{word}`{}", near.as_ref().map_or_else(String::new, |near| format!("; did you mean `{near}`?")))]
pub struct NoFocus {
    /// The words.
    pub word: String,
    /// What is there and looks similar.
    pub near: Option<String>,
}

/// A focus with the peers that its words mean.
#[derive(Debug)]
pub(super) struct Focused {
    peers: Option<BTreeSet<usize>>,
    direction: Option<Direction>,
    pub(super) traffic: Traffic,
}

impl Focused {
    /// Whether connections from `from` to `to` are looked at.
    pub(super) fn holds(&self, from: usize, to: usize) -> bool {
        let Some(peers) = &self.peers else { return true };
        let (begins, is_meant) = (peers.contains(&from), peers.contains(&to));
        match self.direction {
            None => begins || is_meant,
            Some(Direction::Ingress) => is_meant,
            Some(Direction::Egress) => begins,
        }
    }
}

impl Connectivity<'_, '_> {
    /// Looks at part of what is allowed from now on.
    pub fn focus(mut self, focus: &Focus) -> Result<Self, NoFocus> {
        let mut found = BTreeSet::new();
        let words: Vec<Word<'_>> = focus.peers.iter().map(|word| Word::new(word)).collect();
        self.divide(&words);
        for (word, meant) in focus.peers.iter().zip(words.iter().map(|word| self.meant_by(word))) {
            if meant.is_empty() {
                let near = self.near(word);
                return Err(NoFocus { word: word.clone(), near });
            }
            found.extend(meant);
        }
        let peers = (!focus.peers.is_empty()).then_some(found);
        if peers.is_none() && focus.traffic.is_all() {
            return Ok(self);
        }
        self.focus = Some(Focused { peers, direction: focus.direction, traffic: focus.traffic.clone() });
        Ok(self)
    }

    /// The name of something that is there and looks like `word`.
    fn near(&self, word: &str) -> Option<String> {
        let short: Vec<String> = self.peers.iter().filter_map(|peer| Some(format!("{}/{}", peer.namespace.as_deref()?, peer.name.as_deref()?))).collect();
        let names = self.peers.iter().flat_map(|peer| [peer.namespace.as_deref(), Some(peer.id.as_str())]).flatten();
        bartizan_report::suggest::nearest(word, names.chain(short.iter().map(String::as_str))).map(str::to_owned)
    }

    /// The positions of the peers that a list of them should name: all, or those that the focus means or that a connection has
    /// at an end.
    pub(crate) fn shown(&self) -> Vec<usize> {
        let Some(focus) = &self.focus else { return (0..self.peers.len()).collect() };
        let mut shown = focus.peers.clone().unwrap_or_default();
        let walked: Result<(), Infallible> = self.walk(|connection| {
            shown.extend([connection.from, connection.to]);
            Ok(())
        });
        let Ok(()) = walked;
        shown.into_iter().collect()
    }
}

/// One thing in the cluster.
#[derive(Debug, Clone, Copy)]
enum Inside {
    /// A pod, by its number.
    Pod(u32),
    /// A node, by its number.
    Node(u32),
}

impl Inside {
    /// Whether it is behind a peer.
    fn is(self, side: &Side, pods: &[u32]) -> bool {
        match self {
            Inside::Pod(pod) => pods.contains(&pod),
            Inside::Node(node) => matches!(side, Side::Node(number) if *number == node),
        }
    }
}

impl Connectivity<'_, '_> {
    /// The positions of the peers that a word means. The addresses must have been divided by it.
    pub(crate) fn meant_by(&self, word: &Word<'_>) -> Vec<usize> {
        let owned = self.owned_by(word);
        let is_meant = |at: &usize| match &owned {
            Some(owner) => self.sides.get(*at).is_some_and(|side| owner.is(side, self.pods_of(*at))),
            None => self.peers.get(*at).is_some_and(|peer| word.means(peer)),
        };
        (0..self.peers.len()).filter(is_meant).collect()
    }

    /// What a word means by the name of a pod, or by an address that something in the cluster has.
    fn owned_by(&self, word: &Word<'_>) -> Option<Inside> {
        let inventory = &self.network.inventory;
        if let Ok(address) = word.text.parse::<Address>() {
            return inventory.pod_at(address).map(Inside::Pod).or_else(|| inventory.node_at(address).map(Inside::Node));
        }
        let (namespace, name) = word.text.split_once('/')?;
        let pod = inventory.pod(inventory.namespace(namespace)?, name)?;
        inventory.pods.get(pod as usize).filter(|pod| !pod.is_template).map(|_| Inside::Pod(pod))
    }

    /// Cuts addresses outside where the blocks of words begin and end.
    pub(crate) fn divide(&mut self, words: &[Word<'_>]) {
        let mut named = words.iter().filter_map(Word::block).peekable();
        // np-guard tells ranges, each at one end of connections.
        if named.peek().is_none() || self.network.model == Model::NpGuard {
            return;
        }
        let is_outside = |side: &Side| matches!(side, Side::Outside(..));
        let told: Vec<AddressSet> = self.peers.iter().filter_map(|peer| peer.cidr.as_deref()?.parse().ok()).map(AddressSet::block).collect();
        let pieces = atoms(told.iter().chain(named));
        let mut blocks: Vec<Cidr> = pieces.into_iter().flat_map(|(family, first, last)| Cidr::cover(family, first, last)).collect();
        blocks.sort_unstable();
        let Some(begin) = self.sides.iter().position(is_outside) else { return };
        let end = self.sides.iter().rposition(is_outside).map_or(begin, |last| last + 1);
        let count = blocks.len();
        self.sides.splice(begin..end, blocks.iter().map(|block| Side::Outside(Address { family: block.family, number: block.first }, Ends::Both)));
        self.peers.splice(begin..end, blocks.iter().map(|block| Peer::addresses(block.to_string())));
        self.pods.splice(begin..end, std::iter::repeat_with(Vec::new).take(count));
    }
}
