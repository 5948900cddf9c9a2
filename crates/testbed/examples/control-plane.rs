//! Starts a control plane for trying things by hand, fills it with manifests, and stops it when standard input ends.
//!
//! `cargo run -p bartizan-testbed --example control-plane [FILE.json…]`; each file holds one manifest or a list.

use std::io::{Read as _, Write as _};

use bartizan_testbed::{ControlPlane, Options};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let control_plane = ControlPlane::start(&Options::default())?;
    for file in std::env::args_os().skip(1) {
        control_plane.apply(&[serde_json::from_slice(&std::fs::read(file)?)?])?;
    }
    let mut out = std::io::stdout();
    writeln!(out, "Kubernetes {} at {}", control_plane.version(), control_plane.url())?;
    writeln!(out, "export KUBECONFIG={}", control_plane.kubeconfig_path().display())?;
    writeln!(out, "it stops when standard input ends")?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
