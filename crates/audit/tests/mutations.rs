//! The claims of the fuzz targets on seeds that were mutilated at random: a short run for every machine.

#[path = "../../../fuzz/claims/audit.rs"]
mod claims;

use std::fs;
use std::path::Path;

use proptest::prelude::*;

/// Bytes that mean something to one of the readers.
const TOKENS: [&[u8]; 20] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"\"",
    b"\\",
    b"\n",
    b"\r\n",
    b"\xff",
    b"%2F",
    b"/",
    b"?",
    b"namespaces/",
    b"null",
    b"{\"verb\":\"get\",\"stage\":",
    b"7 {",
    b"=",
    b"watch/",
];

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target);
    let mut files: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|file| fs::read(file).unwrap()).collect()
}

/// A seed in which pieces were taken out, doubled, or replaced by tokens.
fn mutilated(target: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let wound = (any::<prop::sample::Index>(), 0usize..40, 0usize..TOKENS.len(), 0u8..3);
    (prop::sample::select(seeds(target)), prop::collection::vec(wound, 0..6)).prop_map(|(mut bytes, wounds)| {
        for (place, length, token, kind) in wounds {
            let start = place.index(bytes.len() + 1);
            let end = (start + length).min(bytes.len());
            let piece = bytes[start..end].to_vec();
            match kind {
                0 => drop(bytes.splice(start..end, [])),
                1 => drop(bytes.splice(start..start, piece)),
                _ => drop(bytes.splice(start..(start + 1).min(bytes.len()), TOKENS[token].iter().copied())),
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn any_log_is_read_to_its_end(bytes in mutilated("audit_log")) {
        claims::log(&bytes);
    }

    #[test]
    fn any_address_is_taken_apart(bytes in mutilated("audit_address")) {
        claims::address(&bytes);
    }
}
