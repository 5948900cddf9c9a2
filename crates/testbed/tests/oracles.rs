//! Kubernetes' own packages answer, in order and in bulk.

use bartizan_testbed::{Keys, Level, PodQuestion, PodSecurityOracle, YamlOracle};
use serde_json::{Value, json};

fn pod(security: &Value) -> Value {
    json!({"metadata": {"name": "a"}, "spec": {"containers": [{"name": "a", "image": "a:1", "securityContext": security}]}})
}

#[test]
fn pod_security_allows_and_forbids_with_the_checks_of_each_version() {
    let oracle = PodSecurityOracle::locate().expect("the oracle");
    let hardened = pod(&json!({"allowPrivilegeEscalation": false, "runAsNonRoot": true, "capabilities": {"drop": ["ALL"]},
                               "seccompProfile": {"type": "RuntimeDefault"}}));
    let privileged = pod(&json!({"privileged": true}));
    let probed = json!({"spec": {"containers": [{"name": "a", "image": "a:1",
                                 "livenessProbe": {"httpGet": {"host": "10.0.0.1", "port": 80}}}]}});
    let ask = |level, version, pod| PodQuestion { level, version, pod };
    let verdicts = oracle
        .ask(&[
            ask(Level::Restricted, "latest", &hardened),
            ask(Level::Restricted, "latest", &privileged),
            ask(Level::Baseline, "v1.20", &privileged),
            ask(Level::Privileged, "latest", &privileged),
            ask(Level::Baseline, "v1.33", &probed),
            ask(Level::Baseline, "v1.34", &probed),
            ask(Level::Baseline, "1.34", &probed),
            ask(Level::Baseline, "latest", &json!({"spec": {"containers": "none"}})),
        ])
        .expect("answers");

    let checks = |index: usize| verdicts[index].as_ref().map(|verdict| (verdict.allowed, verdict.checks.join(" ")));
    assert_eq!(checks(0), Ok((true, String::new())));
    let restricted = "privileged allowPrivilegeEscalation capabilities_restricted runAsNonRoot seccompProfile_restricted";
    assert_eq!(checks(1), Ok((false, restricted.to_owned())));
    assert_eq!(checks(2), Ok((false, "privileged".to_owned())));
    assert_eq!(checks(3), Ok((true, String::new())));
    assert_eq!(checks(4), Ok((true, String::new())));
    assert_eq!(checks(5), Ok((false, "hostProbesAndHostLifecycle".to_owned())));
    assert!(checks(6).expect_err("a version without `v`").contains("version"));
    assert!(checks(7).expect_err("containers that are no list").contains("containers"));

    let privileged = verdicts[2].as_ref().expect("a verdict");
    assert_eq!(privileged.reasons, ["privileged"]);
    assert!(privileged.details[0].contains("must not set securityContext.privileged=true"), "{privileged:?}");
}

#[test]
fn pod_security_answers_tens_of_thousands_in_order() {
    let oracle = PodSecurityOracle::locate().expect("the oracle");
    let pods = [pod(&json!({"privileged": true})), pod(&json!({}))];
    let question = |index: usize| PodQuestion { level: Level::Baseline, version: "latest", pod: &pods[index % 2] };
    let questions: Vec<_> = (0..20_000).map(question).collect();
    let verdicts = oracle.ask(&questions).expect("answers");
    assert_eq!(verdicts.len(), questions.len());
    for (index, verdict) in verdicts.iter().enumerate() {
        assert_eq!(verdict.as_ref().expect("a verdict").allowed, index % 2 == 1, "{index}");
    }
}

#[test]
fn yaml_scalars_are_read_as_kubernetes_reads_them() {
    let oracle = YamlOracle::locate().expect("the oracle");
    let truth = [
        ("yes", json!(true)),
        ("n", json!(false)),
        ("0420", json!(272)),
        ("0o420", json!(272)),
        ("0899", json!(899)),
        ("1_000", json!(1000)),
        ("1:30", json!("1:30")),
        ("2026-11-24", json!("2026-11-24")),
        (".5", json!(0.5)),
        ("y: 1", json!({"true": 1})),
        ("", json!(null)),
    ];
    let documents: Vec<&[u8]> = truth.iter().map(|(text, _)| text.as_bytes()).collect();
    let answers = oracle.convert(&documents, Keys::LastWins).expect("answers");
    for ((text, value), answer) in truth.iter().zip(answers) {
        assert_eq!(answer.as_ref(), Ok(value), "`{text}`");
    }
}

#[test]
fn yaml_that_kubernetes_refuses_is_an_error_of_its_own_document() {
    let oracle = YamlOracle::locate().expect("the oracle");
    let documents: [&[u8]; 4] = [b"a: 1\na: 2\n", b".inf", b"\xff\xfea\x00", b"\xc3\x28"];
    let loose = oracle.convert(&documents, Keys::LastWins).expect("answers");
    assert_eq!(loose[0], Ok(json!({"a": 2})));
    assert!(loose[1].is_err());
    assert_eq!(loose[2], Ok(json!("a")), "UTF-16 with a byte order mark");
    assert!(loose[3].is_err(), "neither UTF-8 nor UTF-16");
    let strict = oracle.convert(&documents[..1], Keys::Unique).expect("answers");
    assert!(strict[0].as_ref().expect_err("a key twice").contains("already set"), "{strict:?}");
}

#[test]
fn a_file_is_split_into_documents_as_kubectl_does() {
    let oracle = YamlOracle::locate().expect("the oracle");
    let texts: [&[u8]; 4] = [b"a: 1\n---\n# nothing\n---\nb: 2\n", b"{\"a\": 1}\n{\"b\": 2}\n", b"a: 1\n---\n[\n---\nb: 2\n", b""];
    let streams = oracle.documents(&texts).expect("answers");
    assert_eq!(streams[0].documents, [json!({"a": 1}), json!({"b": 2})]);
    assert_eq!(streams[1].documents, [json!({"a": 1}), json!({"b": 2})]);
    assert_eq!(streams[2].documents, [json!({"a": 1})]);
    assert!(streams[2].error.is_some(), "reading stops at the broken document");
    assert_eq!((streams[3].documents.len(), &streams[3].error), (0, &None));
}
