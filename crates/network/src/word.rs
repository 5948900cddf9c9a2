//! What people call ends of connections: a namespace, a workload, a node, a block of addresses, or a pattern.

use bartizan_report::waiver::Glob;

use crate::address::{Address, AddressSet, Cidr};
use crate::connectivity::{Peer, PeerKind};

/// A word for ends of connections.
#[derive(Debug)]
pub(crate) struct Word<'w> {
    pub(crate) text: &'w str,
    pattern: Glob,
    /// The addresses, if it is a word for some.
    block: Option<AddressSet>,
}

/// Every address.
const EVERY_ADDRESS: &str = "*/0";

impl<'w> Word<'w> {
    pub(crate) fn new(text: &'w str) -> Self {
        let block = if text == EVERY_ADDRESS {
            Some(AddressSet::everything())
        } else if let Ok(block) = text.parse::<Cidr>() {
            Some(AddressSet::block(block))
        } else {
            text.parse::<Address>().ok().map(|address| AddressSet::of_addresses(&[address]))
        };
        Self { text, pattern: Glob::new(text), block }
    }

    /// The addresses that it means, if it is a word for some.
    pub(crate) fn block(&self) -> Option<&AddressSet> {
        self.block.as_ref()
    }

    /// Whether it means a workload: by its namespace, its namespace and name, or by both with its kind between them.
    pub(crate) fn means_owner(&self, namespace: &str, kind: &str, name: &str) -> bool {
        self.block.is_none()
            && (self.text == namespace || self.pattern.matches(&format!("{namespace}/{name}")) || self.pattern.matches(&format!("{namespace}/{kind}/{name}")))
    }

    /// Whether it means a peer by the names of that.
    pub(crate) fn means(&self, peer: &Peer) -> bool {
        match (&self.block, peer.kind) {
            (Some(block), PeerKind::Cidr) if self.text != peer.id => {
                peer.cidr.as_deref().and_then(|cidr| cidr.parse::<Cidr>().ok()).is_some_and(|cidr| AddressSet::block(cidr).difference(block).is_empty())
            }
            (Some(_), _) => self.text == peer.id,
            (None, PeerKind::PodOwner) => {
                let [namespace, kind, name] = [&peer.namespace, &peer.owner_kind, &peer.name].map(|part| part.as_deref().unwrap_or(""));
                self.pattern.matches(&peer.id) || self.means_owner(namespace, kind, name)
            }
            (None, PeerKind::Node) => peer.name.as_deref() == Some(self.text) || self.pattern.matches(&peer.id),
            (None, PeerKind::Cidr | PeerKind::IngressController) => self.pattern.matches(&peer.id),
        }
    }
}
