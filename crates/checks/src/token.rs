//! Which pods hold a token for the API server.

use bartizan_cluster::{Missing, PodView, Role, Value, field};

use crate::Facts;

/// Where admission mounts the token.
const TOKEN_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Whether admission puts the token into some container: the pod decides, else the account, else it does.
pub(crate) fn is_mounted(pod: PodView<'_>, facts: &Facts<'_>) -> Result<bool, Missing> {
    let covers = |container: Value<'_>| container.list(field::VOLUME_MOUNTS).any(|mount| mount.str(field::MOUNT_PATH) == Some(TOKEN_PATH));
    // Admission leaves a container alone that has something else in that place, and never sees ephemeral ones.
    let mut served = pod.containers().filter(|container| container.role() != Role::Ephemeral);
    if served.all(|container| covers(container.value()) && !is_injected(container.value())) {
        return Ok(false);
    }
    if let Some(decided) = pod.spec().bool(field::AUTOMOUNT_SERVICE_ACCOUNT_TOKEN) {
        return Ok(decided);
    }
    let account = facts.service_account(pod).read()?;
    Ok(account.and_then(|account| account.root().bool(field::AUTOMOUNT_SERVICE_ACCOUNT_TOKEN)).unwrap_or(true))
}

/// Whether the mount is the one that admission itself made.
fn is_injected(container: Value<'_>) -> bool {
    container
        .list(field::VOLUME_MOUNTS)
        .any(|mount| mount.str(field::MOUNT_PATH) == Some(TOKEN_PATH) && mount.str(field::NAME).is_some_and(|name| name.starts_with("kube-api-access-")))
}
