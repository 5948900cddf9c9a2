//! What `cargo xtask matrix` asks of the tests, and what they tell it.

use std::fs::File;
use std::io::Write as _;

use bartizan_testbed::ControlPlane;

/// How many reviews each world is asked: `$BARTIZAN_MATRIX_QUESTIONS`, or else `usual`.
pub(crate) fn questions(usual: usize) -> usize {
    match std::env::var("BARTIZAN_MATRIX_QUESTIONS") {
        Ok(wanted) => wanted.parse().expect("`$BARTIZAN_MATRIX_QUESTIONS` is a number"),
        Err(_) => usual,
    }
}

/// Adds a line to the file `$BARTIZAN_MATRIX_FIGURES`, if somebody wants the figures: how many of `what` were held against the
/// server, every one of them alike.
pub(crate) fn tell(control_plane: &ControlPlane, what: &str, compared: usize) {
    let Some(path) = std::env::var_os("BARTIZAN_MATRIX_FIGURES") else { return };
    let line = serde_json::json!({"server": control_plane.version().to_string(), "what": what, "compared": compared});
    let mut file = File::options().append(true).create(true).open(path).expect("the file of figures");
    writeln!(file, "{line}").expect("a line of figures");
}
