//! Directories and files of the node that a container sees: `hostPath` volumes, mount by mount.

use bartizan_cluster::{ContainerView, Value, field};

/// A mount of something of the node.
#[derive(Debug)]
pub(super) struct HostMount<'a> {
    /// The item of `volumeMounts`.
    pub(super) value: Value<'a>,
    /// What of the node is seen there, normalised: no `..`, no double or trailing slash, `/run` for `/var/run`.
    pub(super) path: String,
    /// The same as written, for messages.
    pub(super) written: String,
}

/// The mounts of `container` that show something of the node. Volumes that it does not mount are not its own.
pub(super) fn host_mounts(container: ContainerView<'_>) -> impl Iterator<Item = HostMount<'_>> {
    let volumes = container.pod().spec();
    container.value().list(field::VOLUME_MOUNTS).filter_map(move |value| {
        let name = value.str(field::NAME)?;
        let volume = volumes.list(field::VOLUMES).find(|volume| volume.str(field::NAME) == Some(name))?;
        let base = volume.walk(&[field::HOST_PATH, field::PATH])?.as_str()?;
        // An expression (`$(POD_UID)`) stays as it is: whatever it becomes lies below the volume's path.
        let below = value.str(field::SUB_PATH).or_else(|| value.entry("subPathExpr").and_then(Value::as_str)).unwrap_or("");
        let written = if below.is_empty() { base.to_owned() } else { format!("{}/{below}", base.trim_end_matches('/')) };
        Some(HostMount { value, path: normalised(&written)?, written })
    })
}

/// The path as the kernel of a Linux node would walk it; `None` for a path of Windows.
fn normalised(path: &str) -> Option<String> {
    if !path.starts_with('/') {
        return None;
    }
    let mut steps: Vec<&str> = Vec::new();
    for step in path.split('/') {
        match step {
            "" | "." => {}
            ".." => {
                steps.pop();
            }
            step => steps.push(step),
        }
    }
    if matches!(steps.as_slice(), ["var", "run", ..]) {
        steps.remove(0);
    }
    Some(format!("/{}", steps.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_walked() {
        for (path, walked) in [
            ("/", "/"),
            ("//", "/"),
            ("/etc/", "/etc"),
            ("/etc/..", "/"),
            ("/data/../etc/./cron.d//", "/etc/cron.d"),
            ("/var/run/docker.sock", "/run/docker.sock"),
            ("/var/runs", "/var/runs"),
            ("/../..", "/"),
        ] {
            assert_eq!(normalised(path).as_deref(), Some(walked), "{path}");
        }
        assert_eq!(normalised(r"C:\data"), None);
    }
}
