//! What must hold of the readers of `bartizan-audit` for any bytes at all. The fuzz targets call these functions, and so does
//! `crates/audit/tests/mutations.rs`, which runs everywhere.

use bartizan_audit::{Address, read};
use bartizan_cluster::access::Target;

/// An event that is certainly one.
const EVENT: &str = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"the-last","stage":"ResponseComplete","requestURI":"/api/v1/pods","verb":"list","user":{"username":"a"},"responseStatus":{"code":200}}"#;

/// A log: it is read to its end, problems have a line of it, and an event in a line of its own is read whatever stands before.
pub(crate) fn log(bytes: &[u8]) {
    let mut whole = bytes.to_vec();
    whole.push(b'\n');
    whole.extend_from_slice(EVENT.as_bytes());
    let mut last = String::new();
    let tally = read(whole.as_slice(), |event| {
        event.audit_id().clone_into(&mut last);
        let _ = event.time();
        let _ = event.accesses(|access| {
            access.actor.user();
            let _ = (access.action.to_string(), access.answer);
        });
    })
    .unwrap();
    assert_eq!(last, "the-last", "{:?}", tally.problems);
    assert_eq!(tally.bytes, whole.len() as u64);
    assert_eq!(tally.lines, whole.split(|&byte| byte == b'\n').count() as u64);
    assert!(tally.problems.iter().all(|problem| (1..=tally.lines).contains(&problem.line)), "{:?}", tally.problems);
    assert!(tally.problem_count >= tally.problems.len() as u64);
}

/// An address: escaping every byte of its path changes nothing but what the bytes mean to a path.
pub(crate) fn address(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for verb in ["get", "list", "create", "deletecollection"] {
        if let Target::Resource(resource) = Address::parse(text).target(verb) {
            assert!(!resource.subresource.is_empty() || !resource.resource.contains('/') || text.contains('%'), "{resource:?}");
        }
    }
    let path: String = text.chars().filter(|letter| !matches!(letter, '?' | '#' | '%' | '+')).collect();
    if path.contains("://") {
        return;
    }
    let escaped: String = path.bytes().map(|byte| if byte == b'/' { "/".to_owned() } else { format!("%{byte:02X}") }).collect();
    assert_eq!(Address::parse(&path).target("get"), Address::parse(&escaped).target("get"), "{path:?}");
}
