//! Faults of logins stand beside the code that finds them, in the vocabulary of reports.

pub use bartizan_report::fault::{Fault, Judgement, Words};

pub(in crate::login) use bartizan_report::fault;
