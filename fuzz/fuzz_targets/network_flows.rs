#![no_main]

#[path = "../claims/flow.rs"]
mod claims;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| claims::flows(bytes));
