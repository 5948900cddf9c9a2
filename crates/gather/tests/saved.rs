//! A saved snapshot reads back to what was saved, and a damaged one to as much of it as is there.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::io::{Read as _, Write as _};

use bartizan_cluster::read::{Fragment, ReadOptions};
use bartizan_cluster::{Circumstances, Kind, KubernetesVersion, Missing, Provenance, Reason, Snapshot, Source, SourceId};
use bartizan_gather::files::{self, Request};
use bartizan_gather::{Error, Gathered, Note, Road, Silent, saved};
use jiff::Timestamp;
use serde_json::json;

const SECRET: &str = "hunter2-hunter2";

fn live() -> Snapshot {
    let mut fragment = Fragment::new(ReadOptions { secret_key: [7; 32] });
    let objects = [
        json!({"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop","uid":"1","managedFields":[{"manager":"x"}]},"status":{"phase":"Active"}}),
        json!({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"cart","namespace":"shop","uid":"2","creationTimestamp":null,"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{}","a/b":"c"}},
               "spec":{"replicas":3,"template":{"spec":{"containers":[{"name":"app","image":"a:1","resources":{"limits":{"cpu":0.5,"memory":12_345_678_901_u64}}}]}}}}),
        json!({"apiVersion":"v1","kind":"Secret","metadata":{"name":"pay","namespace":"shop","uid":"3"},"type":"Opaque","data":{"password":"aHVudGVyMi1odW50ZXIy","empty":""},"stringData":{"plain":SECRET}}),
        json!({"apiVersion":"example.org/v1","kind":"Widget","metadata":{"name":"one","namespace":"shop"},"spec":{"deep":[[1,[true,null]],{"x":-1.5e10}]}}),
        json!({"apiVersion":"example.org/v1","kind":"Widget","metadata":{"name":"two"}}),
        json!({"apiVersion":"v1","kind":"Pod","metadata":{"namespace":"shop"}}),
        json!({"apiVersion":"v1","kind":"Config","clusters":[{"name":"c","cluster":{"server":"https://a:6443"}}],"contexts":[],
               "users":[{"name":"ann","user":{"token":SECRET}}]}),
    ];
    for object in &objects {
        fragment.take_live(SourceId(0), &object.to_string(), None).unwrap();
    }
    let circumstances = Circumstances {
        provenance: Provenance::Live,
        sources: vec![Source::without_text("https://cluster.example:6443")],
        version: KubernetesVersion::minor(33),
        observed_at: "2026-11-24T01:02:03.456789Z".parse().unwrap(),
        missing: vec![Missing::list(Kind::Node, None, Reason::Forbidden), Missing::elsewhere(Kind::Role, &["shop"], Reason::Forbidden)],
    };
    Snapshot::assemble(vec![fragment], circumstances)
}

fn save(snapshot: &Snapshot) -> Vec<u8> {
    let mut file = Vec::new();
    saved::write(snapshot, "0.1.0", &mut file).unwrap();
    file
}

fn unpack(file: &[u8]) -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    text
}

fn pack(text: &str) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(text.as_bytes()).unwrap();
    packed.finish().unwrap()
}

fn read_with(file: &[u8], change: impl FnOnce(&mut Request)) -> Result<Gathered, Error> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cluster.snapshot");
    std::fs::write(&path, file).unwrap();
    let mut request = Request::new([&path], Timestamp::UNIX_EPOCH);
    change(&mut request);
    files::gather(&request, &mut std::io::empty(), &Silent)
}

fn read(file: &[u8]) -> Gathered {
    read_with(file, |_| {}).unwrap()
}

/// Everything that judges can see of a snapshot.
fn content(snapshot: &Snapshot) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    let known = snapshot.circumstances();
    writeln!(text, "{:?} {} {} {:?}", known.provenance, known.version, known.observed_at, known.missing).unwrap();
    for view in snapshot.objects() {
        let source = snapshot.source_of(view).unwrap().name();
        writeln!(text, "{source} {:?} {} {} {:?}", view.kind(), view.reference(), view.root().to_json(), view.secret()).unwrap();
    }
    for problem in snapshot.problems() {
        writeln!(text, "{problem:?}").unwrap();
    }
    text
}

#[test]
fn what_is_read_back_is_what_was_saved() {
    let before = live();
    let file = save(&before);
    let after = read(&file);
    assert_eq!(content(&after.snapshot), content(&before));
    assert_eq!(after.snapshot.problems().len(), 1);
    assert_eq!(after.road, Road::Saved);
    assert_eq!(after.notes, []);
    assert_eq!(save(&after.snapshot), file, "saving again gives the same bytes");
}

#[test]
fn a_configuration_is_saved_with_the_facts_about_its_credentials() {
    let (before, after) = (live(), read(&save(&live())).snapshot);
    let facts = |snapshot: &Snapshot| {
        let view = snapshot.configurations().next().unwrap();
        (view.kind_name().to_owned(), view.root().to_json(), view.secret().cloned(), snapshot.configurations().count())
    };
    assert_eq!(facts(&before), facts(&after));
    assert!(facts(&after).2.unwrap().entry("/users/0/user/token").is_some());
}

#[test]
fn no_secret_value_is_in_the_file() {
    let text = unpack(&save(&live()));
    assert!(text.contains("\"password\"") && text.contains("hmac"), "{text}");
    for value in [SECRET, "aHVudGVyMi1odW50ZXIy"] {
        assert!(!text.contains(value), "{text}");
    }
    let after = read(&save(&live()));
    let secret = after.snapshot.find(Kind::Secret, Some("shop"), "pay").unwrap().secret().unwrap();
    let lengths: Vec<(&str, usize)> = secret.entries.iter().map(|entry| (entry.key.as_str(), entry.length)).collect();
    assert_eq!(lengths, [("empty", 0), ("password", 15), ("plain", 15)]);
}

#[test]
fn manifests_can_be_saved_too() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("a.yaml"), "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: []}\n").unwrap();
    std::fs::write(directory.path().join("b.yaml"), "kind: [\n").unwrap();
    let before = files::gather(&Request::new([directory.path()], Timestamp::UNIX_EPOCH), &mut std::io::empty(), &Silent).unwrap();
    let after = read(&save(&before.snapshot));
    assert_eq!(after.snapshot.circumstances().provenance, Provenance::Files);
    assert_eq!(after.snapshot.find(Kind::Pod, Some("default"), "a").unwrap().root(), before.snapshot.find(Kind::Pod, Some("default"), "a").unwrap().root());
    let place = after.snapshot.problems()[0].source.clone();
    assert!(place.contains("b.yaml:"), "{place}");
}

#[test]
fn the_time_and_the_version_are_its_own_unless_others_are_insisted_on() {
    let file = save(&live());
    let asked = read_with(&file, |request| {
        request.version = Some(KubernetesVersion::minor(30));
        request.insist_on_now = true;
    });
    let known = asked.unwrap();
    assert_eq!(known.snapshot.version(), KubernetesVersion::minor(30));
    assert_eq!(known.snapshot.circumstances().observed_at, Timestamp::UNIX_EPOCH);
}

#[test]
fn a_snapshot_can_come_from_standard_input() {
    let file = save(&live());
    let after = files::gather(&Request::new(["-"], Timestamp::UNIX_EPOCH), &mut file.as_slice(), &Silent).unwrap();
    assert_eq!(content(&after.snapshot), content(&live()));
}

#[test]
fn of_a_cut_file_everything_before_the_cut_is_kept() {
    let text = unpack(&save(&live()));
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    // The header, two objects, and half of the third.
    let cut = lines[..3].concat() + lines[3].split_at(lines[3].len() / 2).0;
    let after = read(&pack(&cut));
    let names: Vec<&str> = after.snapshot.objects().map(bartizan_cluster::ObjectView::name).collect();
    assert_eq!(names, ["shop", "cart"]);
    let missing: Vec<String> = after.snapshot.circumstances().missing.iter().map(ToString::to_string).collect();
    assert_eq!(
        missing,
        [
            "Widget.example.org (cluster): incomplete",
            "nodes (cluster): forbidden",
            "roles (namespaces-except/shop): forbidden",
            "secrets (cluster): incomplete"
        ]
    );
    assert!(matches!(&after.notes[..], [Note::CutSnapshot { message, .. }] if message == "ends early"), "{:?}", after.notes);
}

#[test]
fn a_file_cut_at_any_byte_is_an_error_or_a_remark_and_never_whole() {
    let file = save(&live());
    let whole = live();
    for end in 0..file.len() {
        match read_with(&file[..end], |_| {}) {
            Err(error) => assert!(matches!(error, Error::NotASnapshot { .. }), "{end}: {error}"),
            Ok(gathered) if gathered.road == Road::Files => assert!(gathered.snapshot.is_empty(), "{end}"),
            Ok(gathered) => {
                assert!(matches!(&gathered.notes[..], [Note::CutSnapshot { .. }]), "{end}");
                let complete = gathered.snapshot.len() == whole.len();
                assert!(complete || gathered.snapshot.circumstances().missing.iter().any(|missing| missing.reason == Reason::Incomplete), "{end}");
            }
        }
    }
}

#[test]
fn a_damaged_byte_is_noticed() {
    let file = save(&live());
    let mut damaged = file.clone();
    let at = file.len() - 6;
    damaged[at] ^= 0x55;
    let after = read(&damaged);
    assert!(matches!(&after.notes[..], [Note::CutSnapshot { message, .. }] if message.contains("damaged")), "{:?}", after.notes);
}

#[test]
fn objects_that_were_taken_out_by_hand_are_missed() {
    let text = unpack(&save(&live()));
    let without: String = text.split_inclusive('\n').filter(|line| !line.contains("\"cart\"")).collect();
    let after = read(&pack(&without));
    assert_eq!(after.snapshot.gap(Kind::Deployment, None).unwrap().reason, Reason::Incomplete);
    assert_eq!(after.snapshot.gap(Kind::Secret, None), None);
}

#[test]
fn a_header_that_is_none_is_refused() {
    for (text, words) in [
        ("{\"schema\":\"bartizan.snapshot/1\"}\n", "header"),
        ("{\"schema\":\"bartizan.snapshot/1\",\n", "header"),
        ("{\"schema\":\"bartizan.snapshot/7\"}\n", "bartizan.snapshot/7"),
    ] {
        let error = read_with(&pack(text), |_| {}).unwrap_err().to_string();
        assert!(error.contains(words) && error.contains("cluster.snapshot"), "{error}");
    }
}
