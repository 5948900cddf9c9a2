//! `runtime-socket`: the container can command the container runtime of its node.

use bartizan_cluster::ContainerView;
use bartizan_report::{Check, Severity, Stage};

use super::host_mount::host_mounts;
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "runtime-socket",
        severity: Severity::Critical,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("runtime_socket.md"),
    },
    reads: &[],
    judge: Judge::Container(judge),
};

/// Where container runtimes listen, with `/run` for `/var/run`, which is a link to it.
const SOCKETS: [&str; 14] = [
    "/run/containerd/containerd.sock",
    "/run/cri-dockerd.sock",
    "/run/crio/crio.sock",
    "/run/docker.sock",
    "/run/docker/containerd/containerd.sock",
    "/run/dockershim.sock",
    "/run/host-containerd/containerd.sock",
    "/run/k0s/containerd.sock",
    "/run/k0s/docker.sock",
    "/run/k3s/containerd/containerd.sock",
    "/run/podman/podman.sock",
    "/var/lib/kubelet/cri-dockerd.sock",
    "/var/lib/rancher/k3s/agent/containerd/containerd.sock",
    "/var/snap/microk8s/common/run/containerd.sock",
];

fn judge<'a>(container: ContainerView<'a>, _: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    let mut has_mounts = false;
    for mount in host_mounts(container) {
        has_mounts = true;
        // A socket answers through a read-only mount as well.
        let directory = if mount.path == "/" { None } else { socket_below(&mount.path) };
        if SOCKETS.contains(&mount.path.as_str()) {
            out.fail(mount.value, msg!("socket", container = container.name(), path = mount.written));
        } else if let Some(socket) = directory {
            out.fail(mount.value, msg!("directory", container = container.name(), path = mount.written, socket = socket));
        }
    }
    if has_mounts { out.done() } else { out.not_applicable() }
}

/// A socket in the directory `path` or below. `/var/lib/kubelet` and what is above it hold far more than a socket and are
/// another check's matter.
fn socket_below(path: &str) -> Option<&'static str> {
    let wide = ["/var", "/var/lib", "/var/lib/kubelet", "/var/lib/rancher"];
    let is_below = |socket: &&&str| socket.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
    SOCKETS.iter().find(is_below).copied().filter(|_| !wide.contains(&path))
}
