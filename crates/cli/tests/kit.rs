//! The conformance kit for authorizers, put to the binary by the kit's own runner: every answer is the server's, reasons included.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::Path;
use std::time::Duration;

use bartizan_testbed::kit::{Measure, Tally, cases};

/// What the kit's page writes on the command line.
const ARGUMENTS: [&str; 7] = ["--quiet", "authz", "can-i", "-f", "WORLD", "--batch", "QUESTIONS"];

#[test]
fn forty_thousand_answers_of_a_real_server_are_ours_by_stored_and_by_written_worlds() {
    let arguments = ARGUMENTS.map(str::to_owned);
    let cases = cases(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../kit/authz")).unwrap();
    for written in [false, true] {
        let measure = Measure { program: env!("CARGO_BIN_EXE_bartizan"), arguments: &arguments, written, limit: Duration::from_mins(5) };
        let mut tally = Tally::default();
        for case in &cases {
            assert!(measure.case(case, &mut tally).unwrap().is_some(), "{}: no answer in time", case.name);
        }
        assert!(tally.is_right() && tally.asked() == 40_000, "{}", tally.table());
    }
}
