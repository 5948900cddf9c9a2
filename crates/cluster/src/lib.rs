//! Facts about a Kubernetes cluster: every object parsed into one immutable [`Snapshot`] that knows where each fact was read
//! and what is missing.
//!
//! This crate never touches the world: no files, no network, no clock. It has no opinion either: what is good or bad is said
//! elsewhere. Start with [`read`] (text into objects), [`Snapshot`] (all of them together), [`Value`] (the cursor with which
//! every field is read) and [`PodView`] (the one way to look at a pod).

pub mod access;
pub mod component;
pub mod component_file;
mod configuration;
pub mod cut;
pub mod embedded;
mod extension;
pub mod fact;
pub mod feature;
pub mod field;
pub mod handshake;
pub mod intern;
pub mod issuer;
mod json;
pub mod kind;
mod kubeadm;
pub mod label;
pub mod locator;
pub mod node_file;
pub mod object;
pub mod path;
pub mod pem;
pub mod plain;
pub mod pod;
mod prune;
pub mod read;
mod scalar;
pub mod schema;
pub mod secret;
pub mod selector;
pub mod sharing;
pub mod shelf;
pub mod snapshot;
pub mod source;
pub mod spot;
pub mod token_file;
pub mod tree;
pub mod version;
pub mod workload;
mod yaml;

pub use fact::{CUSTOM_KINDS, Fact, Missing, Reason};
pub use intern::{Interner, Symbol};
pub use kind::{Kind, OWN_GROUPS, group_of};
pub use locator::Locator;
pub use object::{Object, ObjectId, ObjectRef, ObjectView, Origin};
pub use path::FieldPath;
pub use pod::{ContainerView, PodView, Role};
pub use snapshot::{Circumstances, PlacedProblem, Provenance, Snapshot};
pub use source::{Location, Source, SourceId};
pub use spot::Spot;
pub use tree::{Shape, Span, Tree, Value};
pub use version::KubernetesVersion;
pub use workload::{Owner, Variant, Workload};
