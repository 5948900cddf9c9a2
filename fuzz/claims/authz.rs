//! What must hold of the readers of questions and policies of `bartizan-authz` for any bytes at all. The fuzz targets call these
//! functions, and so does `crates/authz/tests/mutations.rs`, which runs everywhere.

#[path = "assemble.rs"]
mod assemble;

use assemble::assemble;
use bartizan_authz::abac::{Policies, PolicyFileError};
use bartizan_authz::review::{Answered, Batch, read};
use bartizan_authz::{Authz, Options};
use bartizan_cluster::KubernetesVersion;
use bartizan_cluster::access::Target;
use bartizan_cluster::read::split;
use serde_json::json;

const WORLD: &str = "\
apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: r, namespace: shop}\nrules: [{apiGroups: [''], resources: [pods], verbs: [get, list]}]
---\napiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: b, namespace: shop}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: r}\nsubjects: [{kind: User, apiGroup: rbac.authorization.k8s.io, name: alice}]
";

thread_local! {
    /// Resolving brings in the default policy of a version, which takes longer than a thousand questions.
    static AUTHZ: &'static Authz<'static> = {
        let snapshot: &'static _ = Box::leak(Box::new(assemble(WORLD, &split(WORLD).0)));
        Box::leak(Box::new(Authz::resolve(snapshot, &Options::default())))
    };
}

/// A line of a batch of reviews: it means what its JSON means however that is written, and is answered with one line of JSON.
pub(crate) fn review(bytes: &[u8]) {
    let question = read(bytes, KubernetesVersion::NEWEST);
    if let Ok(value) = serde_json::from_slice::<serde_json::Value>(bytes) {
        let written = value.to_string();
        let again = read(written.as_bytes(), KubernetesVersion::NEWEST);
        assert_eq!(question.is_ok(), again.is_ok(), "{written}");
        if let (Ok(question), Ok(again)) = (&question, &again) {
            assert_eq!(question, again, "{written}");
        }
    }
    let mut line = Vec::new();
    let answered = AUTHZ.with(|authz| Batch::new(authz).answer(bytes, &mut line));
    let answer: serde_json::Value = serde_json::from_slice(&line).unwrap();
    assert!(line.ends_with(b"\n") && line.iter().filter(|&&byte| byte == b'\n').count() == 1);
    assert_eq!(answered == Answered::Error, answer.get("error").is_some());
    assert_eq!(question.is_err(), answered == Answered::Error);
}

/// A raw field selector: what a request is limited to by it, it is limited to by the same requirements written one by one.
pub(crate) fn selector(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let spec = |selector: serde_json::Value| {
        json!({ "spec": { "user": "alice", "resourceAttributes": { "verb": "list", "resource": "pods", "fieldSelector": selector } } }).to_string()
    };
    let raw = spec(json!({ "rawSelector": text }));
    let Ok(request) = read(raw.as_bytes(), KubernetesVersion::NEWEST) else { return assert!(text.is_empty()) };
    let Target::Resource(resource) = &request.action.target else { panic!("{request:?}") };
    // The server refuses a requirement without a key, but not such a term of a raw selector.
    if resource.fields.is_empty() || resource.fields.iter().any(|field| field.key.is_empty()) {
        return;
    }
    let operator = |is_in: bool| if is_in { "In" } else { "NotIn" };
    let requirements: Vec<_> =
        resource.fields.iter().map(|field| json!({ "key": field.key, "operator": operator(field.is_in), "values": field.values })).collect();
    let written = spec(json!({ "requirements": requirements }));
    let again = read(written.as_bytes(), KubernetesVersion::NEWEST).unwrap();
    assert_eq!(again, request);
}

/// A file of ABAC policies: it is refused at the line that is refused alone, and at no other.
pub(crate) fn abac(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let alone: Vec<bool> = text.lines().map(|line| Policies::read(line).is_ok()).collect();
    match Policies::read(text) {
        Ok(_) => assert!(alone.iter().all(|&is_read| is_read)),
        Err(PolicyFileError::Line { line, message }) => {
            assert_eq!(alone.iter().position(|&is_read| !is_read), Some(line - 1), "{message}");
            assert!(!message.is_empty());
        }
        Err(PolicyFileError::TooLong) => panic!("{} lines", alone.len()),
    }
}
