//! What must hold of the readers and judges of logins for any bytes at all. The fuzz targets call these functions, and so does
//! `crates/authz/tests/mutations.rs`, which runs everywhere.

use bartizan_authz::login::{Hygiene, Inventory, Surroundings};
use bartizan_cluster::node_file::{FileContent, FileKind, NodeFile, NodeFiles, configuration as read};
use bartizan_report::Language;

/// A credential that is long enough not to stand in other words by chance.
const CREDENTIAL: &str = "hunter2-hunter2-hunter2";

/// Everything that is told about a file of this kind.
fn told(kind: FileKind, bytes: &[u8]) -> String {
    let content = FileContent::of(kind, "fuzz", bytes, &[1; 32]);
    let mut files = NodeFiles::default();
    files.given.push((kind, NodeFile { name: "fuzz".to_owned(), mode: Some(0o600), content }));
    let snapshot = read("empty", "", &[1; 32]);
    let inventory = Inventory::take(&snapshot, &files, &[]);
    let mut out = Vec::new();
    inventory.write_json(&mut out).unwrap();
    inventory.write_text(Language::Chinese, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// A kubeconfig or the configuration of a component: it is judged whatever it says, and twice alike.
pub(crate) fn configuration(bytes: &[u8]) {
    let once = told(FileKind::Configuration, bytes);
    assert_eq!(once, told(FileKind::Configuration, bytes));
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let snapshot = read("fuzz", text, &[1; 32]);
    let mut out = Vec::new();
    Hygiene::of(&snapshot, &Surroundings::default()).write_json(&mut out).unwrap();
    Hygiene::of(&snapshot, &Surroundings::default()).write_text(Language::English, &mut out).unwrap();
    assert!(!out.contains(&0x1b), "a terminal could be driven");
}

/// PEM: every fault has a line of the text, and no line of Base64 is told.
pub(crate) fn pem(bytes: &[u8]) {
    let shown = told(FileKind::Pem, bytes);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let facts = bartizan_cluster::pem::read(text);
    let lines = text.lines().count().max(1);
    for line in
        facts.faults.iter().map(|fault| fault.line).chain(facts.certificates.iter().map(|found| found.line)).chain(facts.keys.iter().map(|found| found.line))
    {
        assert!(line >= 1 && line as usize <= lines, "line {line} of {lines}");
    }
    if text.contains("PRIVATE KEY") {
        for line in text.lines().filter(|line| line.len() == 64) {
            assert!(!shown.contains(line), "a line of a key is told");
        }
    }
}

/// A static token file: users and faults stand in the order of the text, and what stands first on a line is not told.
pub(crate) fn tokens(bytes: &[u8]) {
    let shown = told(FileKind::Tokens, bytes);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let file = bartizan_cluster::token_file::read(text);
    assert!(file.users.windows(2).all(|pair| pair[0].line < pair[1].line));
    assert!(file.faults.windows(2).all(|pair| pair[0].line <= pair[1].line));
    for user in &file.users {
        assert!(user.line as usize <= text.lines().count() && user.token_length > 0);
    }
    // A token that is nobody's name stands on its own line before the first comma.
    for user in file.users.iter().filter(|user| user.token_length == CREDENTIAL.len() && !text.replacen(CREDENTIAL, "", 1).contains(CREDENTIAL)) {
        assert!(
            user.user.contains(CREDENTIAL)
                || user.groups.iter().any(|group| group.contains(CREDENTIAL))
                || user.uid.contains(CREDENTIAL)
                || !shown.contains(CREDENTIAL)
        );
    }
}
