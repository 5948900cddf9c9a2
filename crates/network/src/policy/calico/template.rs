//! Templates by which Calico makes host endpoints of nodes (`KubeControllersConfiguration`): of the addresses of a node that lie in given
//! blocks, and of each interface whose name is like a pattern.
//!
//! Which interfaces a node has is not known: an endpoint of a pattern may be the interface that faces everybody else, or another one.

use std::collections::BTreeMap;

use bartizan_cluster::{ObjectId, ObjectView, Value};

use super::host::Facing;
use super::meaning::{Meaning, Place};
use super::selector;
use super::set::Labelled;
use crate::address::{Address, AddressSet, Cidr};
use crate::inventory::Inventory;
use crate::policy::Policies;

/// What is known of a node.
pub(super) struct Known<'n> {
    pub(super) name: &'n str,
    pub(super) object: ObjectId,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) addresses: Vec<Address>,
}

/// An endpoint that Calico makes.
pub(super) struct Made {
    /// Which interface it is, where its addresses do not tell.
    pub(super) facing: Option<Facing>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) addresses: Vec<Address>,
    /// How the names of those begin that are made of a pattern.
    pub(super) pattern: Option<String>,
}

/// One template.
pub(super) struct Template<'s> {
    name: &'s str,
    nodes: Meaning<'s>,
    blocks: Vec<Option<Cidr>>,
    /// Whether it asks for names of interfaces.
    has_pattern: bool,
    labels: Vec<(&'s str, &'s str)>,
}

/// The templates of a configuration. Calico stops at one whose selector it cannot read.
pub(super) fn read<'s>(object: ObjectView<'s>, settings: Value<'s>, policies: &mut Policies<'s>) -> Vec<Template<'s>> {
    let mut templates = Vec::new();
    for item in settings.entry("templates").into_iter().flat_map(Value::items).filter(|item| item.is_map()) {
        let text = |name: &str| item.entry(name).and_then(Value::as_str).unwrap_or("");
        let nodes = match text("nodeSelector") {
            "" => Meaning::everything(),
            written => match selector::parse(written) {
                Ok(read) => Meaning::of(read, Place::Own),
                Err(error) => {
                    let message = format!("this is no selector, and Calico makes no endpoint of this template or of those behind it: {error}");
                    policies.remark(object, item.entry("nodeSelector").unwrap_or(item), message);
                    break;
                }
            },
        };
        templates.push(Template {
            name: text("generateName"),
            nodes,
            blocks: item.entry("interfaceCIDRs").into_iter().flat_map(Value::items).map(|block| block.as_str()?.parse().ok()).collect(),
            has_pattern: !text("interfacePattern").is_empty(),
            labels: item.entry("labels").into_iter().flat_map(Value::entries).filter_map(|(key, value)| Some((key, value.as_str()?))).collect(),
        });
    }
    templates
}

impl Template<'_> {
    fn selects(&self, node: &Known<'_>, inventory: &Inventory<'_>) -> bool {
        let labelled = Labelled { object: node.object, labels: node.labels.clone(), namespace: None, addresses: AddressSet::default() };
        labelled.is_like(&self.nodes, None, inventory)
    }

    /// Whether Calico gives up on a node here: it has no name for what a pattern finds.
    pub(super) fn ends(&self, node: &Known<'_>, inventory: &Inventory<'_>) -> bool {
        self.has_pattern && self.name.is_empty() && self.selects(node, inventory)
    }

    /// The endpoint that is made of a node, with its name, if one is.
    pub(super) fn endpoint(&self, node: &Known<'_>, inventory: &Inventory<'_>) -> Option<(String, Made)> {
        if !self.selects(node, inventory) {
            return None;
        }
        let addresses = self.matching(&node.addresses);
        let mut labels = node.labels.clone();
        labels.extend(self.labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        let (of_node, suffix) = (node.name, super::host::MADE_SUFFIX);
        if self.has_pattern {
            let start = format!("{of_node}-{}-", self.name);
            return Some((format!("{start}{suffix}"), Made { facing: Some(Facing::Perhaps), labels, addresses, pattern: Some(start) }));
        }
        // Where no address of the node is known, one may lie there.
        if addresses.is_empty() && !node.addresses.is_empty() || self.blocks.is_empty() {
            return None;
        }
        let facing = node.addresses.is_empty().then_some(Facing::Perhaps);
        let name = if self.name.is_empty() { format!("{of_node}{suffix}") } else { format!("{of_node}-{}{suffix}", self.name) };
        Some((name, Made { facing, labels, addresses, pattern: None }))
    }

    /// Those of these addresses that lie in the blocks; none where one is met that is no block.
    fn matching(&self, addresses: &[Address]) -> Vec<Address> {
        let mut found = Vec::new();
        for &address in addresses {
            for block in &self.blocks {
                let Some(block) = block else { return Vec::new() };
                if AddressSet::block(*block).contains(address) {
                    found.push(address);
                    break;
                }
            }
        }
        found
    }
}
