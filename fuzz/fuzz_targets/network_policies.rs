#![no_main]

#[path = "../claims/network.rs"]
#[expect(dead_code, reason = "each target calls one of the claims")]
mod claims;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| claims::policies(bytes));
