//! Part of what is allowed: some workloads or namespaces, one direction, some ports.

use std::collections::BTreeSet;
use std::convert::Infallible;

use bartizan_report::waiver::Glob;

use super::{Connectivity, Peer};
use crate::policy::Direction;
use crate::traffic::Traffic;

/// What is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Focus {
    /// The words for an end of each connection: `shop` for a namespace, `shop/Deployment/web`, `10.0.0.0/8`, where `*` stands for
    /// anything. None: every end.
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
        for word in &focus.peers {
            let pattern = Glob::new(word);
            let meant: Vec<usize> = self.peers.iter().enumerate().filter(|(_, peer)| is_meant(word, &pattern, peer)).map(|(at, _)| at).collect();
            if meant.is_empty() {
                let names = self.peers.iter().flat_map(|peer| [peer.namespace.as_deref(), peer.name.as_deref(), Some(peer.id.as_str())]).flatten();
                let near = bartizan_report::suggest::nearest(word, names).map(str::to_owned);
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

/// Whether a word means a peer: its namespace, its name without the variant, or a pattern.
fn is_meant(word: &str, pattern: &Glob, peer: &Peer) -> bool {
    peer.namespace.as_deref() == Some(word) || pattern.matches(&peer.id) || pattern.matches(&peer.without_variant().id)
}
