//! Checks of what objects say about each other: references that lead nowhere, selectors that match nothing.

mod dangling_autoscaler_target;
mod dangling_configuration;
mod dangling_ingress_backend;
mod dangling_role;
mod dangling_service;
mod dangling_subject;
mod idle_disruption_budget;
mod idle_network_policy;
mod service_port_mismatch;
mod slip;

use bartizan_cluster::{ObjectView, Value, field};

use slip::Slip;

use crate::sink::Msg;
use crate::{Entry, msg};

/// The checks of this family, sorted by id.
pub(crate) static ALL: &[&Entry] = &[
    &dangling_autoscaler_target::ENTRY,
    &dangling_configuration::ENTRY,
    &dangling_ingress_backend::ENTRY,
    &dangling_role::ENTRY,
    &dangling_service::ENTRY,
    &dangling_subject::ENTRY,
    &idle_disruption_budget::ENTRY,
    &idle_network_policy::ENTRY,
    &service_port_mismatch::ENTRY,
];

/// The selector with which a Service finds its pods; none for one whose addresses somebody else keeps, or that is only a name.
fn pod_selector(service: ObjectView<'_>) -> Option<Value<'_>> {
    let spec = service.spec().filter(|spec| spec.str(field::TYPE) != Some("ExternalName"))?;
    spec.get(field::SELECTOR).filter(|selector| !selector.is_empty())
}

/// Whether a `LabelSelector` has no condition.
fn selects_all(selector: Value<'_>) -> bool {
    [field::MATCH_LABELS, field::MATCH_EXPRESSIONS].into_iter().all(|part| selector.get(part).is_none_or(Value::is_empty))
}

impl Slip<'_> {
    /// What a selector should have said.
    fn message(&self) -> Msg {
        match self {
            Slip::Value { written, meant } => msg!("misspelled", key = written.key(), value = written.display(), meant = meant),
            Slip::Key { written, meant, .. } => msg!("moved", key = written.key(), value = written.display(), meant = meant),
        }
    }
}
