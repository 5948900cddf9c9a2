//! The primitives, a file for each thing that they are about.
//!
//! What a real API server does differently from what is written about it stands beside the row; the tests of this crate try the
//! rows on one.

pub(super) mod access;
mod admission;
mod certificates;
mod identities;
mod network;
pub(super) mod nodes;
mod operators;
mod pods;
mod secrets;

use super::primitive::{On, Primitive};

/// Every primitive, group by group.
pub(super) static GROUPS: &[&[Primitive]] =
    &[access::ALL, identities::ALL, secrets::ALL, pods::ALL, nodes::ALL, certificates::ALL, admission::ALL, network::ALL, operators::ALL];

const AUTHENTICATION: &str = "authentication.k8s.io";
const CERTIFICATES: &str = "certificates.k8s.io";
const ADMISSION: &str = "admissionregistration.k8s.io";

const CHANGE: &[&str] = &["update", "patch"];
const READ: &[&str] = &["get", "list", "watch"];

const SECRETS: &[On] = &[On::Resource("", "secrets")];
const CONFIG_MAPS: &[On] = &[On::Resource("", "configmaps")];
const PODS: &[On] = &[On::Resource("", "pods")];
const ACCOUNTS: &[On] = &[On::Resource("", "serviceaccounts")];
const TOKENS: &[On] = &[On::Resource("", "serviceaccounts/token")];
const NODES: &[On] = &[On::Resource("", "nodes")];
/// Pods, and everything that makes pods from a template.
const RUNNERS: &[On] = &[
    On::Resource("", "pods"),
    On::Resource("apps", "deployments"),
    On::Resource("apps", "daemonsets"),
    On::Resource("apps", "statefulsets"),
    On::Resource("apps", "replicasets"),
    On::Resource("batch", "jobs"),
    On::Resource("batch", "cronjobs"),
    On::Resource("", "replicationcontrollers"),
];
/// Everything that makes pods from a template.
const WORKLOADS: &[On] = match RUNNERS {
    [_pods, workloads @ ..] => workloads,
    [] => &[],
};
