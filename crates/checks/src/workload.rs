//! Checks of pods and containers beyond the Pod Security Standards: identity, images, resources, secrets, mounts.

mod amount;
mod automounted_token;
mod cached_mutable_image;
mod default_account;
mod host_mount;
mod image_without_digest;
mod low_user_id;
mod missing_cpu_request;
mod missing_liveness_probe;
mod missing_memory_limit;
mod missing_memory_request;
mod missing_readiness_probe;
mod mutable_image;
mod runtime_socket;
mod secret_environment_reference;
mod secret_in_environment;
mod sensitive_host_path;
mod shared_process_namespace;
mod single_replica;
mod ssh_port;
mod writable_root_filesystem;

use bartizan_cluster::{ContainerView, Kind, Role, field};

use crate::Entry;
use crate::image::ImageReference;

/// The checks of this family, sorted by id.
pub(crate) static ALL: &[&Entry] = &[
    &automounted_token::ENTRY,
    &cached_mutable_image::ENTRY,
    &default_account::ENTRY,
    &image_without_digest::ENTRY,
    &low_user_id::ENTRY,
    &missing_cpu_request::ENTRY,
    &missing_liveness_probe::ENTRY,
    &missing_memory_limit::ENTRY,
    &missing_memory_request::ENTRY,
    &missing_readiness_probe::ENTRY,
    &mutable_image::ENTRY,
    &runtime_socket::ENTRY,
    &secret_environment_reference::ENTRY,
    &secret_in_environment::ENTRY,
    &sensitive_host_path::ENTRY,
    &shared_process_namespace::ENTRY,
    &single_replica::ENTRY,
    &ssh_port::ENTRY,
    &writable_root_filesystem::ENTRY,
];

/// The image that a manifest names. None for ephemeral containers, which nobody can change any more, and for containers
/// whose image a controller puts in.
fn written_image(container: ContainerView<'_>) -> Option<ImageReference<'_>> {
    if container.role() == Role::Ephemeral {
        return None;
    }
    ImageReference::parse(container.image())
}

/// Whether a container is meant to run until it is told to stop: the only kind that probes are for.
fn keeps_running(container: ContainerView<'_>) -> bool {
    let pod = container.pod();
    let is_restarted = pod.spec().str(field::RESTART_POLICY).is_none_or(|policy| policy == "Always");
    let ends = matches!(pod.object().kind(), Kind::Job | Kind::CronJob) || !is_restarted;
    !ends && (container.role() == Role::Regular || container.is_sidecar())
}
