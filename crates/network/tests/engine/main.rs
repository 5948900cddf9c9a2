//! The engine against small worlds: what rules mean, and the same verdicts as an evaluator that knows nothing but packets.

mod admin;
mod api_server;
mod calico;
mod certificates;
mod change;
mod cilium;
mod cilium_packets;
mod difference;
mod drawing;
mod encryption;
mod enforcement;
mod exposure;
mod generate;
mod istio;
mod istio_packets;
mod migration;
mod nca;
mod needs;
mod packets;
mod pitfalls;
mod planes;
mod random;
mod rules;
mod standing;
mod verification;
mod world;
