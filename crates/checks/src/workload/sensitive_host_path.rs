//! `sensitive-host-path`: the container can change files that its node lives by.

use bartizan_cluster::{ContainerView, field};
use bartizan_report::{Check, Safety, Severity, Stage};
use serde_json::json;

use super::host_mount::host_mounts;
use crate::sink::{Sink, set};
use crate::{Entry, Facts, Judge, Judged, msg};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "sensitive-host-path",
        severity: Severity::High,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("sensitive_host_path.md"),
    },
    reads: &[],
    judge: Judge::Container(judge),
};

/// Directories in which every file matters: programs and settings of the node, the state of its kubelet and runtime, the
/// kernel's switches.
const TREES: [&str; 25] = [
    "/bin",
    "/boot",
    "/etc",
    "/lib",
    "/lib64",
    "/opt/cni",
    "/proc",
    "/root",
    "/run/systemd",
    "/sbin",
    "/sys",
    "/usr",
    "/var/lib/cloud",
    "/var/lib/containerd",
    "/var/lib/containers",
    "/var/lib/docker",
    "/var/lib/etcd",
    "/var/lib/k0s",
    "/var/lib/kube-proxy",
    "/var/lib/kubelet",
    "/var/lib/rancher",
    "/var/log/containers",
    "/var/log/pods",
    "/var/spool/cron",
    "/var/lib/systemd",
];

/// Directories that are dangerous as a whole, while single entries of them are not: devices are guarded by the container's
/// device rules, a program's own directory of logs is its own.
const DIRECTORIES: [&str; 3] = ["/dev", "/home", "/var/log"];

/// Files that images expect under names of their own and that decide nothing.
const HARMLESS: [&str; 2] = ["/etc/localtime", "/etc/timezone"];

fn judge<'a>(container: ContainerView<'a>, _: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    // A static pod is part of its node: etcd has to write where its data is.
    if container.pod().is_mirror() {
        return out.not_applicable();
    }
    let mut has_mounts = false;
    for mount in host_mounts(container) {
        has_mounts = true;
        if mount.value.bool(field::READ_ONLY) == Some(true) || !is_sensitive(&mount.path) {
            continue;
        }
        let spot = mount.value.spot(&[field::READ_ONLY]);
        let patch = set(&spot, json!(true));
        out.fail(spot, msg!("writable", container = container.name(), path = mount.written)).fix(Safety::Unsafe, [patch]);
    }
    if has_mounts { out.done() } else { out.not_applicable() }
}

fn is_sensitive(path: &str) -> bool {
    let holds = |outer: &str, inner: &str| outer == "/" || inner == outer || inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'));
    !HARMLESS.contains(&path) && (TREES.iter().any(|tree| holds(tree, path) || holds(path, tree)) || DIRECTORIES.iter().any(|directory| holds(path, directory)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_inside_and_what_is_around_counts() {
        for path in
            ["/", "/etc", "/etc/cron.d", "/var", "/var/lib", "/var/lib/kubelet/pods", "/var/log", "/var/log/pods", "/dev", "/opt", "/proc/sys", "/home", "/run"]
        {
            assert!(is_sensitive(path), "{path}");
        }
        for path in [
            "/data",
            "/etcetera",
            "/mnt/disk",
            "/var/log/shop",
            "/dev/fuse",
            "/home/shop/data",
            "/etc/localtime",
            "/opt/shop",
            "/run/shop",
            "/tmp",
            "/var/lib/shop",
        ] {
            assert!(!is_sensitive(path), "{path}");
        }
    }
}
