#![no_main]

#[path = "../claims/gather.rs"]
#[expect(dead_code, reason = "each target calls one of the claims")]
mod claims;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| claims::hello(bytes));
