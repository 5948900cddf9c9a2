//! Least privilege from use: what narrowing leaves, held against a second authorizer.

mod cases;
mod laws;
mod slow;
mod world;
