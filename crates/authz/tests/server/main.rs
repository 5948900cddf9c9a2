//! A real API server, asked what it lets somebody do, and the engine held against its answers: access reviews, writes of roles and
//! bindings by limited users, impersonation, and what admission refuses to kubelets, to requests for certificates and to those who
//! name owners.
//!
//! The server is the pinned release, or that of `$KUBEBUILDER_ASSETS`; the engine takes its version for a fact. `cargo xtask matrix`
//! runs these tests against other releases, with more questions, and collects the figures that they tell.

mod default_policy;
mod figures;
mod impersonation;
#[path = "../objects/mod.rs"]
mod objects;
mod owners;
mod refusals;
mod restrictions;
mod reviews;
mod writes;

use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use bartizan_cluster::KubernetesVersion;
use bartizan_testbed::{ControlPlane, Options as Setup};

/// How many differences a failing test shows.
const SHOWN: usize = 12;

/// One control plane, whose world belongs to one test at a time.
fn control_plane() -> MutexGuard<'static, ControlPlane> {
    static SHARED: LazyLock<Mutex<ControlPlane>> = LazyLock::new(|| {
        let flags = ["--max-requests-inflight=3000", "--enable-admission-plugins=NodeRestriction,OwnerReferencesPermissionEnforcement"];
        let setup = flags.into_iter().fold(Setup::default(), Setup::api_server_flag);
        Mutex::new(ControlPlane::start(&setup).expect("a control plane"))
    });
    SHARED.lock().unwrap_or_else(PoisonError::into_inner)
}

fn version(control_plane: &ControlPlane) -> KubernetesVersion {
    let version = control_plane.version();
    format!("1.{}", version.minor).parse().expect("a known version")
}

/// Fails with the differences that were found.
fn assert_none(found: &[String], asked: usize) {
    assert!(found.is_empty(), "{} of {asked} differ:\n{}", found.len(), found[..SHOWN.min(found.len())].join("\n"));
}
