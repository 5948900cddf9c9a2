//! Claims about reading text: places, odd spellings, several documents, and input that means harm.

#![expect(clippy::unwrap_used, clippy::string_slice, clippy::format_collect, reason = "a test stops at the first surprise")]

use std::fmt::Write as _;

use bartizan_cluster::read::{Fragment, Problem, ProblemKind, ReadOptions, decode, split};
use bartizan_cluster::{Circumstances, KubernetesVersion, PodView, Provenance, Snapshot, Source, SourceId, Value};
use serde_json::json;

const HEAD: &str = "apiVersion: bartizan.dev/v1\nkind: Probe\nmetadata: {name: probe}\n";

fn fragment(text: &str) -> Fragment {
    let mut fragment = Fragment::new(ReadOptions { secret_key: [0; 32] });
    let (documents, fault) = split(text);
    if let Some((offset, message)) = fault {
        fragment.note(Problem { kind: ProblemKind::Parse, source: SourceId(0), offset: Some(offset), message });
    }
    for document in documents {
        fragment.read(SourceId(0), text, &document);
    }
    fragment
}

fn snapshot(text: &str) -> Snapshot {
    let circumstances = Circumstances {
        provenance: Provenance::Files,
        sources: vec![Source::text("f", text)],
        version: KubernetesVersion::NEWEST,
        observed_at: "2026-01-01T00:00:00Z".parse().unwrap(),
        missing: Vec::new(),
    };
    Snapshot::assemble(vec![fragment(text)], circumstances)
}

/// The names of the objects, and kind, place and message of each problem.
fn outcome(text: &str) -> (Vec<String>, Vec<(ProblemKind, String, String)>) {
    let snapshot = snapshot(text);
    let names = snapshot.objects().map(|object| object.name().to_owned()).collect();
    let place =
        |problem: &bartizan_cluster::PlacedProblem| problem.location.as_ref().map_or_else(String::new, |place| format!("{}:{}", place.line, place.column));
    (names, snapshot.problems().iter().map(|problem| (problem.kind, place(problem), problem.message.clone())).collect())
}

fn probe(rest: &str) -> serde_json::Value {
    let snapshot = snapshot(&format!("{HEAD}{rest}"));
    assert_eq!(snapshot.problems(), [], "{rest}");
    let object = snapshot.objects().next().unwrap();
    object.root().entry("value").unwrap().to_json()
}

fn refusal(rest: &str) -> (String, String) {
    let text = format!("{HEAD}{rest}");
    let (names, problems) = outcome(&text);
    assert_eq!((names.len(), problems.len()), (0, 1), "{text}\n{problems:?}");
    let (kind, place, message) = problems.into_iter().next().unwrap();
    assert_eq!(kind, ProblemKind::Parse);
    (place, message)
}

fn step<'a>(value: Value<'a>, step: &&str) -> Value<'a> {
    step.parse::<usize>().map_or_else(|_| value.entry(step), |at| value.items().nth(at)).unwrap()
}

/// Line, column and text of the key and of the value at `steps`, a number being a position in a list.
fn place(text: &str, steps: &[&str]) -> (String, String) {
    let snapshot = snapshot(text);
    assert_eq!(snapshot.problems(), []);
    let object = snapshot.objects().next().unwrap();
    let found = steps.iter().fold(object.root(), step);
    let span = found.span().unwrap();
    let location = snapshot.location(object, &found.into()).unwrap();
    (format!("{}:{}", location.line, location.column), text[span.value as usize..span.end as usize].trim_end().to_owned())
}

#[test]
fn a_place_is_the_key_of_a_field_and_the_first_character_of_an_item() {
    let text = format!("{HEAD}spec:\n  list:\n  - name: a\n    deep: {{x: [1, two]}}\n  - 'quoted'\n  text: |\n    block\n");
    assert_eq!(place(&text, &["spec"]).0, "4:1");
    assert_eq!(place(&text, &["spec", "list", "0", "name"]), ("6:5".to_owned(), "a".to_owned()));
    assert_eq!(place(&text, &["spec", "list", "0", "deep", "x", "1"]), ("7:19".to_owned(), "two".to_owned()));
    assert_eq!(place(&text, &["spec", "list", "1"]), ("8:5".to_owned(), "'quoted'".to_owned()));
    assert_eq!(place(&text, &["spec", "text"]).0, "9:3");
}

#[test]
fn a_place_survives_line_endings_marks_and_wide_letters() {
    let plain = format!("{HEAD}名前: {{é: 値, key: x}}\nlast: z\n");
    for text in [plain.clone(), plain.replace('\n', "\r\n"), format!("\u{feff}{plain}"), format!("\u{feff}{}", plain.replace('\n', "\r\n"))] {
        assert_eq!(place(&text, &["apiVersion"]).0, "1:1");
        assert_eq!(place(&text, &["名前", "key"]), ("4:12".to_owned(), "x".to_owned()));
        assert_eq!(place(&text, &["last"]), ("5:1".to_owned(), "z".to_owned()));
    }
}

#[test]
fn places_count_from_the_start_of_the_file_in_every_document() {
    let text = format!("# why\n---\n{HEAD}a: 1\n---\n\n{}b: 2\n", HEAD.replace("probe}", "second}"));
    let snapshot = snapshot(&text);
    let second = snapshot.objects().nth(1).unwrap();
    assert_eq!(second.name(), "second");
    let place = snapshot.location(second, &second.root().entry("b").unwrap().into()).unwrap();
    assert_eq!((place.line, place.column), (12, 1));
}

#[test]
fn the_last_of_equal_keys_counts_and_is_told_once() {
    let text = format!("{HEAD}value:\n  k: 1\n  l: {{m: 1, m: 2}}\n  k: 2\n  k: 3\n");
    let (names, problems) = outcome(&text);
    assert_eq!(names, ["probe"]);
    let told: Vec<_> = problems.iter().map(|(kind, place, message)| (*kind, place.as_str(), message.as_str())).collect();
    assert_eq!(
        told,
        [
            (ProblemKind::DuplicateKey, "6:13", "the key `m` stands twice in this map; the last one counts"),
            (ProblemKind::DuplicateKey, "8:3", "the key `k` stands 3 times in this map; the last one counts"),
        ]
    );
    let snapshot = snapshot(&text);
    let object = snapshot.objects().next().unwrap();
    assert_eq!(object.root().entry("value").unwrap().to_json(), json!({"l": {"m": 2}, "k": 3}));
    assert_eq!(snapshot.location(object, &object.root().entry("value").unwrap().entry("k").unwrap().into()).unwrap().line, 8);
}

#[test]
fn equal_keys_of_json_are_told_too() {
    let (names, problems) = outcome(r#"{"apiVersion":"bartizan.dev/v1","kind":"Probe","metadata":{"name":"a"},"x":{"k":1,"k":2},"y":{"k":1,"k":2}}"#);
    assert_eq!((names.len(), problems.len()), (1, 1));
    assert_eq!((problems[0].0, problems[0].2.as_str()), (ProblemKind::DuplicateKey, "the key `k` stands several times in one map; the last one counts"));
}

#[test]
fn a_merge_counts_at_its_place_and_is_no_repetition() {
    assert_eq!(probe("a: &a {k: 1, l: 1}\nvalue: {k: 2, <<: *a, l: 3}\n"), json!({"k": 1, "l": 3}));
    assert_eq!(probe("a: &a {k: 1}\nb: &b {k: 2, l: 2}\nvalue: {<<: [*a, *b, {l: 9, m: 3}]}\n"), json!({"k": 1, "l": 2, "m": 3}));
    assert_eq!(probe("a: &a {<<: {k: 1}, l: 2}\nvalue:\n  <<: *a\n"), json!({"k": 1, "l": 2}));
    for bad in ["<<: 1", "<<: [1]", "<<: [[a]]", "<<: ~", "<<: text"] {
        assert_eq!(refusal(&format!("value: {{{bad}}}\n")).1, "`<<` merges a map or a list of maps; its value is something else", "{bad}");
    }
}

#[test]
fn an_alias_is_a_copy_that_stands_where_it_is_written() {
    let text = format!("{HEAD}a: &a {{k: x}}\nvalue: *a\n");
    assert_eq!(place(&text, &["value"]), ("5:1".to_owned(), "*a".to_owned()));
    assert_eq!(place(&text, &["value", "k"]), ("4:8".to_owned(), "x".to_owned()));
    assert_eq!(probe("a: &a [1, {k: &k yes}]\nvalue: {x: *a, *k : 2, z: *k}\n"), json!({"x": [1, {"k": true}], "true": 2, "z": true}));
    assert_eq!(probe("a: &a 1\nb: &a 2\nvalue: *a\n"), json!(2));
    assert_eq!(refusal("value: *nobody\n").0, "4:8");
    assert_eq!(refusal("value: &a [*a]\n").1, "an anchor contains an alias to itself");
    assert_eq!(refusal("value: &a {<<: *a}\n").1, "an anchor contains an alias to itself");
}

#[test]
fn aliases_that_multiply_are_refused() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..9 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        let _ = writeln!(bomb, "a{level}: &a{level} [{aliases}]");
    }
    assert_eq!(refusal(&bomb).1, "aliases multiply this document beyond what the API server accepts");
    let merges = bomb.replace("[x, x, x, x, x, x, x, x, x, x]", "{k: v}").replace('[', "{k: [").replace("]\n", "]}\n");
    assert_eq!(refusal(&merges).1, "aliases multiply this document beyond what the API server accepts");
}

#[test]
fn aliases_do_not_nest_deeper_than_text_may() {
    let mut tower = format!("a0: &a0 {}x{}\n", "[".repeat(200), "]".repeat(200));
    for level in 1..4 {
        let _ = writeln!(tower, "a{level}: &a{level} {}*a{}{}", "[".repeat(200), level - 1, "]".repeat(200));
    }
    assert_eq!(refusal(&tower).1, "the document nests deeper than 512 levels");
}

#[test]
fn deep_nesting_is_an_error_and_no_crash() {
    for deep in [
        format!("value: {}", "[".repeat(100_000)),
        format!("value: {}{}", "[".repeat(100_000), "]".repeat(100_000)),
        format!("value: {}", "{a: ".repeat(100_000)),
    ] {
        refusal(&deep);
    }
    refusal(&format!("value:\n  {}x\n", "- ".repeat(100_000)));
    let block: String = (0..5000).map(|depth| format!("{}k:\n", " ".repeat(depth))).collect();
    refusal(&block);
    for json in [
        format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)),
        format!(r#"{{"a":{}1{}}}"#, r#"{"a":"#.repeat(100_000), "}".repeat(100_000)),
        "[".repeat(100_000),
        r#"{"a":"#.repeat(100_000),
    ] {
        let (names, problems) = outcome(&json);
        assert_eq!((names.len(), problems.is_empty()), (0, false));
    }
}

#[test]
fn json_that_nests_too_deep_is_told_with_its_place() {
    let nested = |levels: usize| {
        let head = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"deep":"#;
        (
            head.len(),
            format!("{head}{}{}}}\n{{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{{\"name\":\"b\"}}}}\n", "[".repeat(levels), "]".repeat(levels)),
        )
    };
    assert_eq!(outcome(&nested(126).1).0.len(), 2);
    let (before, text) = nested(127);
    let snapshot = snapshot(&text);
    let [problem] = snapshot.problems() else { panic!("{:?}", snapshot.problems()) };
    assert_eq!(problem.message, "the object nests deeper than 127 levels of maps and lists; no object of Kubernetes does");
    assert_eq!(problem.location.as_ref().map(|place| (place.line, place.column as usize)), Some((1, before + 127)));
    assert_eq!(snapshot.objects().count(), 1, "the next object is read");
}

/// Everything that walks a tree by recursion, on the deepest document that is read.
#[test]
fn the_deepest_document_fits_a_small_stack() {
    let depth = 508;
    let lists = format!("{HEAD}value: {}x{}\n", "[".repeat(depth), "]".repeat(depth));
    let maps = format!("{HEAD}value: {}x{}\n", "{template: ".repeat(depth), "}".repeat(depth));
    let pod = format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: a}}\nspec: {{containers: [], extra: {}x{}}}\n", "{k: ".repeat(depth), "}".repeat(depth));
    let schema = format!(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: a}}\nspec: {{versions: [{{schema: {{openAPIV3Schema: {}{{}}{}}}}}]}}\n",
        "{not: ".repeat(depth - 5),
        "}".repeat(depth - 5)
    );
    let walk = move || {
        for text in [lists, maps, pod, schema] {
            let snapshot = snapshot(&text);
            assert_eq!(snapshot.problems(), []);
            let object = snapshot.objects().next().unwrap();
            assert!(object.root().to_json().to_string().len() > depth);
            assert!(!format!("{:?}", object.root()).is_empty());
            assert_eq!(object.root(), object.root());
            PodView::of(object);
            snapshot.workloads();
            bartizan_cluster::schema::unknown_fields(object);
            let mut deepest = object.root();
            while let Some(child) = deepest.entries().map(|(_, child)| child).chain(deepest.items()).last() {
                deepest = child;
            }
            assert!(deepest.path().as_str().len() > depth);
            object.root().fingerprint(&[]);
        }
    };
    std::thread::Builder::new().stack_size(1 << 20).spawn(walk).unwrap().join().unwrap();
}

#[test]
fn tabs_control_characters_and_other_versions_are_refused_at_their_place() {
    assert_eq!(refusal("value:\n\tk: 1\n").0, "5:2");
    for text in ["value:\n  k: []\n  \tl: 2\n", "value:\n \tk: 1\n"] {
        assert!(refusal(text).1.contains("tab"), "{text}");
    }
    let (place, message) = refusal("value: a\u{7}b # x\n");
    assert_eq!((place.as_str(), message.as_str()), ("4:9", "the control character U+0007 is not allowed in YAML; write it as an escape in a quoted string"));
    for letter in ['\0', '\u{b}', '\u{7f}', '\u{80}', '\u{feff}', '\u{ffff}'] {
        assert_eq!(refusal(&format!("value: 'a{letter}'\n")).0, "4:10", "{letter:?}");
    }
    assert_eq!(probe("value: \"a\\u0007\\tb\"\n"), json!("a\u{7}\tb"));
    let (names, problems) = outcome(&format!("%YAML 1.2\n---\n{HEAD}"));
    assert_eq!((names.len(), problems[0].2.as_str()), (0, "the API server reads YAML 1.1 and refuses `%YAML 1.2`; remove the directive"));
    assert_eq!(outcome(&format!("%YAML 1.1\n---\n{HEAD}")).0, ["probe"]);
}

#[test]
fn a_next_line_character_breaks_the_line() {
    assert_eq!(probe("value:\u{85}  k: 1\u{85}  l: 2\n"), json!({"k": 1, "l": 2}));
    assert_eq!(place(&format!("{HEAD}value:\u{85}  k: x\n"), &["value", "k"]).1, "x");
}

#[test]
fn text_is_decoded_as_the_server_decodes_it() {
    let text = "kind: 値 𝄞\n";
    assert_eq!(decode(text.as_bytes()).unwrap(), text);
    let units: Vec<u16> = std::iter::once(0xfeff).chain(text.encode_utf16()).collect();
    let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
    assert_eq!((decode(&little).unwrap(), decode(&big).unwrap()), (text.into(), text.into()));
    assert_eq!(decode(b"\xef\xbb\xbfa").unwrap(), "\u{feff}a");
    let refused = |bytes: &[u8]| decode(bytes).map_err(|error| (error.offset, error.to_string())).unwrap_err();
    assert_eq!(refused(b"kind: \xff\n"), (6, "the file is not UTF-8; convert it to UTF-8".to_owned()));
    assert_eq!(refused(&little[..5]), (4, "the file ends in the middle of a UTF-16 character".to_owned()));
    assert_eq!(refused(b"\xff\xfe\x00\xd8a\x00").0, 2);
    assert_eq!(refused(b"\x7fELF\x02\x01\x01\x00\x00\xff").1, "the file is not text");
    let unmarked: Vec<u8> = "kind: 值é".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(refused(&unmarked).1, "the file looks like UTF-16 without a byte order mark; convert it to UTF-8");
}

#[test]
fn documents_split_at_markers_and_nowhere_else() {
    let second = HEAD.replace("name: probe", "name: second");
    for (text, expected) in [
        (format!("{HEAD}value: |\n  ---\n  text\n---\n{second}"), vec!["probe", "second"]),
        (format!("--- # why\n{HEAD}---\n\n---\n# nothing\n--- \n{second}...\n"), vec!["probe", "second"]),
        (format!("{HEAD}value: ---x\n"), vec!["probe"]),
        (format!("{HEAD}...\n{second}"), vec!["probe", "second"]),
        ("# only\n# comments\n---\n\n".to_owned(), vec![]),
        (String::new(), vec![]),
        ("\u{feff}".to_owned(), vec![]),
        (format!("{HEAD}---\r\n{second}").replace('\n', "\r\n").replace("\r\r", "\r"), vec!["probe", "second"]),
    ] {
        let (names, problems) = outcome(&text);
        assert_eq!((names, problems.len()), (expected.into_iter().map(str::to_owned).collect(), 0), "{text:?}");
    }
}

#[test]
fn a_bad_document_never_hides_the_others() {
    let good = |name: &str| HEAD.replace("name: probe", &format!("name: {name}"));
    for bad in ["{", "a: [", "\"open", "a: b: c", "\tx: 1", "*x", "%bad directive", "a: &", "? [a]\n: b", "k: !!int x"] {
        let (names, problems) = outcome(&format!("{}---\n{bad}\n---\n{}", good("first"), good("last")));
        assert_eq!(names, ["first", "last"], "{bad}");
        assert_eq!(problems.len(), 1, "{bad}: {problems:?}");
        assert!(problems[0].1.starts_with(['5', '6', '7']), "{bad}: {problems:?}");
    }
}

fn json(name: &str) -> String {
    format!(r#"{{"apiVersion":"bartizan.dev/v1","kind":"Probe","metadata":{{"name":"{name}"}}}}"#)
}

#[test]
fn a_bad_line_of_json_never_hides_the_others() {
    for bad in ["{\"kind\": ", "{\"kind\": \"Probe\"", "garbage", "{]}", "{\"a\":1}}", "[1,", "\"open", "{\"a\":tru}"] {
        let (names, problems) = outcome(&format!("{}\n{bad}\n{}\n{}\n", json("first"), json("second"), json("last")));
        assert_eq!(names, ["first", "second", "last"], "{bad}");
        assert_eq!(problems.len(), 1, "{bad}: {problems:?}");
        assert!(problems[0].1.starts_with(['2', '3']), "{bad}: {problems:?}");
        let (names, _) = outcome(&format!("{bad}\n{}\n{}", json("second"), json("last")));
        if bad.starts_with(['{', '[']) {
            assert_eq!(names, ["second", "last"], "{bad} first");
        }
    }
    let (names, problems) = outcome(&format!("{} x\n", json("first")));
    assert_eq!((names.len(), problems.len(), problems[0].1.clone()), (1, 1, format!("1:{}", json("first").len() + 2)));
}

#[test]
fn json_that_keeps_failing_late_is_read_in_linear_time() {
    let text = "{\"a\":\n".repeat(200_000);
    let start = std::time::Instant::now();
    let (names, problems) = outcome(&format!("{text}{}", json("last")));
    assert!(names.is_empty() && !problems.is_empty());
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}

#[test]
fn lists_hold_objects_in_yaml_and_in_json() {
    let items = format!("{},{}", json("a"), json("b"));
    let yaml = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: bartizan.dev/v1, kind: Probe, metadata: {name: a}}\n- {apiVersion: bartizan.dev/v1, kind: Probe, metadata: {name: b}}\n";
    for text in [
        format!(r#"{{"apiVersion":"v1","kind":"List","items":[{items}]}}"#),
        format!(r#"{{"kind":"List","items":[{{"kind":"List","items":[{items}]}}]}}"#),
        format!("[{items}]"),
        yaml.to_owned(),
        format!("{{apiVersion: v1, kind: List, items: [{items}]}}"),
    ] {
        assert_eq!(outcome(&text), (vec!["a".to_owned(), "b".to_owned()], vec![]), "{text}");
    }
    let typed = "apiVersion: v1\nkind: ConfigMapList\nitems:\n- metadata: {name: a}\n- metadata: {name: b}\n";
    let snapshot = snapshot(typed);
    assert!(snapshot.objects().all(|object| object.kind() == bartizan_cluster::Kind::ConfigMap && object.api_version() == "v1"));
    assert_eq!(snapshot.len(), 2);
}

#[test]
fn a_nested_tower_of_lists_is_taken_apart_in_linear_time() {
    let inner: Vec<String> = (0..2000).map(|number| json(&format!("n{number}"))).collect();
    let text = format!("{}{}{}", "{kind: List, items: [".repeat(200), inner.join(","), "]}".repeat(200));
    assert_eq!(outcome(&text).0.len(), 2000);
}

#[test]
fn templates_are_named_and_point_to_a_remedy() {
    let helm = "apiVersion: v1\nkind: Service\nmetadata:\n  name: {{ .Release.Name }}\n";
    for text in [helm, "{{- if .Values.on }}\nkind: Service\n{{- end }}\n", "apiVersion: v1\nkind: Service\nmetadata:\n  name: \"{{ .Release.Name }}\"\n"] {
        let (names, problems) = outcome(text);
        assert_eq!((names.len(), problems[0].0), (0, ProblemKind::Template), "{text}");
        assert!(problems[0].2.contains("helm template"), "{text}");
    }
    let (names, problems) = outcome("apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: \"{{.Port}}\"}]}\n");
    assert_eq!((names.len(), problems.len(), problems[0].0), (0, 1, ProblemKind::Template));
    let (_, problems) = outcome("kind: Service\n{% if on %}\nname: {{ name }}\n{% endif %}\n");
    assert!(problems[0].0 == ProblemKind::Template && problems[0].2.contains("Jinja"));
    let (names, problems) = outcome("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: alerts}\ndata:\n  text: \"{{ $labels.pod }} is down\"\n");
    assert_eq!((names.len(), problems.len()), (1, 0));
}

#[test]
fn large_input_is_read_in_linear_time_and_memory() {
    let start = std::time::Instant::now();
    let line = format!("{HEAD}value: \"{}\"\n", "x".repeat(20_000_000));
    assert_eq!(snapshot(&line).objects().next().unwrap().root().entry("value").unwrap().as_str().unwrap().len(), 20_000_000);
    let items: String = (0..300_000).fold(String::new(), |mut items, number| {
        let _ = write!(items, "{number}, ");
        items
    });
    assert_eq!(probe(&format!("value: [{items}]\n")).as_array().unwrap().len(), 300_000);
    let mut repeated = format!("{HEAD}value:\n");
    for number in 0..300_000 {
        let _ = writeln!(repeated, "  k{}: {number}", number % 3);
    }
    let (_, problems) = outcome(&repeated);
    assert_eq!((problems.len(), problems[0].2.as_str()), (3, "the key `k0` stands 100000 times in this map; the last one counts"));
    let repeated: String = (0..300_000).map(|number| format!(r#""k{}":{number},"#, number % 3)).collect();
    let json = format!(r#"{{"apiVersion":"bartizan.dev/v1","kind":"Probe","metadata":{{"name":"a"}},"x":{{{repeated}"z":1}}}}"#);
    assert_eq!(outcome(&json).0, ["a"]);
    let annotations: String = (0..300_000).map(|number| format!("    a{number}: b\n")).collect();
    let pruned = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  managedFields: [{items}]\n  annotations:\n    kubectl.kubernetes.io/last-applied-configuration: x\n{annotations}"
    );
    let snapshot = snapshot(&pruned);
    assert_eq!(snapshot.objects().next().unwrap().annotations().unwrap().len(), 300_000);
    assert!(snapshot.objects().next().unwrap().metadata().unwrap().entry("managedFields").is_none());
    assert!(start.elapsed().as_secs() < 120, "{:?}", start.elapsed());
}

#[test]
fn many_repeated_keys_are_told_up_to_a_bound() {
    let keys: String = (0..1000).map(|number| format!("  k{number}: 1\n  k{number}: 2\n")).collect();
    assert_eq!(outcome(&format!("{HEAD}value:\n{keys}")).1.len(), 100);
}

#[test]
fn an_object_needs_a_type_and_a_name() {
    assert_eq!(outcome("a: 1\n---\n- x\n---\ntext\n---\nkind: Service\n"), (vec![], vec![]));
    assert_eq!(snapshot("a: 1\n---\nkind: Service\n").untyped(), 2);
    let (_, problems) = outcome("apiVersion: v1\nkind: Service\nmetadata: {}\n");
    assert_eq!((problems[0].0, problems[0].1.as_str()), (ProblemKind::Nameless, "1:1"));
    for (name, expected) in [("n", ProblemKind::Type), ("12", ProblemKind::Type), ("null", ProblemKind::Nameless)] {
        let (_, problems) = outcome(&format!("apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\n"));
        let place = if expected == ProblemKind::Type { "3:12" } else { "1:1" };
        assert_eq!((problems.len(), problems[0].0, problems[0].1.as_str()), (1, expected, place), "{name}");
    }
    assert_eq!(outcome("apiVersion: v1\nkind: Pod\nmetadata: {generateName: job-}\n").0, ["job-*"]);
}

#[test]
fn what_is_never_stored_needs_no_name() {
    for (api_version, kind, rest) in [
        ("kubelet.config.k8s.io/v1beta1", "KubeletConfiguration", "authentication: {anonymous: {enabled: false}}"),
        ("apiserver.config.k8s.io/v1", "EncryptionConfiguration", "resources: []"),
        ("kind.x-k8s.io/v1alpha4", "Cluster", "nodes: [{role: worker}]"),
        ("v1", "Config", "clusters: []"),
        ("v1", "APIResourceList", "groupVersion: v1"),
        ("authorization.k8s.io/v1", "SubjectAccessReview", "metadata: {}\nspec: {user: jane}"),
    ] {
        let text = format!("apiVersion: {api_version}\nkind: {kind}\n{rest}\n");
        assert_eq!(outcome(&text), (vec![], vec![]), "{text}");
        let snapshot = snapshot(&text);
        assert_eq!(snapshot.untyped() + snapshot.configurations().count(), 1, "{text}");
    }
    // An object is one of a kind that has metadata, or has some.
    for text in ["apiVersion: v1\nkind: Pod\n", "apiVersion: shop.example/v1\nkind: Cart\nmetadata: {namespace: shop}\n"] {
        assert_eq!(outcome(text).1[0].0, ProblemKind::Nameless, "{text}");
    }
}

#[test]
fn kinds_of_two_groups_may_share_their_name() {
    let gateway = |group: &str| format!("apiVersion: {group}/v1\nkind: Gateway\nmetadata: {{name: edge, namespace: web}}\n---\n");
    assert_eq!(snapshot(&format!("{}{}", gateway("networking.istio.io"), gateway("gateway.networking.k8s.io"))).duplicates().count(), 0);
    assert_eq!(snapshot(&format!("{}{}", gateway("networking.istio.io"), gateway("networking.istio.io"))).duplicates().count(), 1);
}
