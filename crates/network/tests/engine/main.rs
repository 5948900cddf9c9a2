//! The engine against small worlds: what rules mean, and the same verdicts as an evaluator that knows nothing but packets.

mod admin;
mod api_server;
mod change;
mod difference;
mod enforcement;
mod exposure;
mod nca;
mod packets;
mod planes;
mod random;
mod rules;
mod verification;
mod world;
