//! Who can log in: worlds of our own for every mechanism, hostile input, and the real API server as a judge.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

mod configuration;
mod kubeconfig;
mod laws;
mod mechanisms;
mod server;
mod world;
mod x509;
