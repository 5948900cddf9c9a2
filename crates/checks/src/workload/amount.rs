//! What a container asks for of its node, and the most that it may have: the container says so, or the pod, or the
//! `LimitRange` of the namespace.

use bartizan_cluster::{ContainerView, Kind, Missing, ObjectView, Role, Symbol, Value, field};

use crate::Facts;

/// Which amount of a resource is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Amount {
    /// What is set aside.
    Request,
    /// What is the most.
    Limit,
}

impl Amount {
    fn field(self) -> Symbol {
        match self {
            Amount::Request => field::REQUESTS,
            Amount::Limit => field::LIMITS,
        }
    }

    /// The fields of an item of a `LimitRange` that give a container this amount. The API server fills `default` from `max`, and
    /// `defaultRequest` from `default`, else from `min`.
    fn defaults(self) -> &'static [&'static str] {
        match self {
            Amount::Request => &["defaultRequest", "default", "max", "min"],
            Amount::Limit => &["default", "max"],
        }
    }
}

/// Whether the question makes sense for `container`: an ephemeral one cannot say anything, and what an init container asks
/// for counts only as far as it exceeds what the others do.
pub(super) fn is_asked_of(container: ContainerView<'_>, amount: Amount) -> bool {
    match container.role() {
        Role::Regular => true,
        Role::Init => amount == Amount::Limit || container.is_sidecar(),
        Role::Ephemeral => false,
    }
}

/// Whether the amount of `resource` is decided for `container`.
pub(super) fn is_set(container: ContainerView<'_>, amount: Amount, resource: Symbol, facts: &Facts<'_>) -> Result<bool, Missing> {
    let pod = container.pod();
    if is_in(container.value(), amount, resource) {
        return Ok(true);
    }
    // Older servers drop the pod's own resources; a live object still has them only where the server knows them.
    let pod_counts = facts.version().at_least(34) || !facts.from_files();
    if pod_counts && is_in(pod.spec(), amount, resource) {
        return Ok(true);
    }
    let gives = |range: ObjectView<'_>| {
        range.spec().is_some_and(|spec| {
            let of_containers = spec.list(field::LIMITS).filter(|item| item.str(field::TYPE) == Some("Container"));
            of_containers
                .into_iter()
                .any(|item| amount.defaults().iter().any(|&name| item.entry(name).and_then(|list| list.get(resource)).is_some_and(is_positive)))
        })
    };
    facts.any(Kind::LimitRange, Some(pod.namespace()), gives)
}

/// Whether `resources` of a container or pod decide the amount. A limit is a request as well where none is written.
fn is_in(holder: Value<'_>, amount: Amount, resource: Symbol) -> bool {
    let Some(resources) = holder.get(field::RESOURCES) else { return false };
    let in_list = |list| resources.get(list).and_then(|list| list.get(resource));
    let written = in_list(amount.field());
    let inherited = || if amount == Amount::Request { in_list(field::LIMITS) } else { None };
    written.or_else(inherited).is_some_and(is_positive)
}

/// Whether a quantity is more than nothing: a limit of zero is none.
fn is_positive(quantity: Value<'_>) -> bool {
    quantity.display().chars().take_while(|letter| letter.is_ascii_digit() || *letter == '.').any(|letter| letter.is_ascii_digit() && letter != '0')
}
