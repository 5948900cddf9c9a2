//! Real components for tests: etcd, the Kubernetes API server and its controller manager on loopback, oracles built from
//! Kubernetes' own packages, and a reverse proxy that misbehaves on request.
//!
//! Nothing here is shipped. Nothing is skipped either: a part that cannot be had is an error that says what to install.
//! Start at [`ControlPlane::start`]; the parts come from [`Parts::locate`].
//!
//! ```no_run
//! use bartizan_testbed::{ControlPlane, Options};
//!
//! let control_plane = ControlPlane::start(&Options::default())?;
//! let (status, namespace) = control_plane.get("/api/v1/namespaces/default")?;
//! # Ok::<(), bartizan_testbed::Error>(())
//! ```
//!
//! Tests of one binary can share a control plane in a `static LazyLock`: children end with the process that started them, also
//! when it never drops the value, and their directory goes with them.

mod apply;
mod authorization_oracle;
mod builds;
mod certificate_oracle;
mod certificates;
mod client;
mod control_plane;
mod definitions;
mod error;
mod keeper;
pub mod kit;
mod manifests;
mod node_world;
mod oracles;
mod parts;
mod proxy;
mod random;
mod rbac_world;
mod releases;
mod reviews;
mod settlement;
mod tls;

pub use apply::Refusal;
pub use authorization_oracle::{AuthorizationOracle, Grant, Inquiry, Measured, Review};
pub use certificate_oracle::{CertificateOracle, CertificateQuestion, CertificateVerdict};
pub use certificates::{Authority, CertificateRequest, Draft, Identity};
pub use client::{Answer, Client};
pub use control_plane::{ControlPlane, Options};
pub use definitions::Definitions;
pub use error::{Error, Result};
pub use manifests::{manifests, yaml_files};
pub use node_world::NodeWorld;
pub use oracles::{AuthenticationOracle, Keys, LabelOracle, LabelQuestion, Level, PodQuestion, PodSecurityOracle, PodVerdict, Stream, YamlOracle};
pub use parts::{KubernetesVersion, Parts};
pub use proxy::{Fault, Proxy, Rule, Seen};
pub use random::Random;
pub use rbac_world::{Attempt, Change, Estate, Fit, Method, RbacWorld, UPDATERS, WRITERS};
pub use reviews::Reviewed;
pub use tls::TlsServer;
