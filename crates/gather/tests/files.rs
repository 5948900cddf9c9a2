//! The rules by which files are found and read, each on a directory of its own.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use bartizan_cluster::read::ProblemKind;
use bartizan_cluster::{Kind, KubernetesVersion, Spot, field};
use bartizan_gather::files::{self, Request};
use bartizan_gather::{Error, Gathered, Note, Road, Silent, Skipped};
use jiff::Timestamp;

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// A file with a ConfigMap called `object`.
    fn manifest(&self, name: &str, object: &str) -> PathBuf {
        self.write(name, config_map(object))
    }

    /// A program that can be run.
    fn script(&self, name: &str, body: &str) -> PathBuf {
        let path = self.write(name, format!("#!/bin/sh\n{body}\n"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn name(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn gather(&self) -> Gathered {
        gather(&request([self.0.path()]))
    }
}

fn config_map(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n")
}

fn request(arguments: impl IntoIterator<Item = impl Into<PathBuf>>) -> Request {
    Request::new(arguments, Timestamp::UNIX_EPOCH)
}

fn gather(request: &Request) -> Gathered {
    files::gather(request, &mut std::io::empty(), &Silent).unwrap()
}

fn names(gathered: &Gathered) -> Vec<&str> {
    gathered.snapshot.objects().map(bartizan_cluster::ObjectView::name).collect()
}

fn problems(gathered: &Gathered) -> Vec<(ProblemKind, &str)> {
    gathered.snapshot.problems().iter().map(|problem| (problem.kind, problem.message.as_str())).collect()
}

/// The places at which objects stand, in the order of the report.
fn places(gathered: &Gathered) -> Vec<String> {
    let place = |view| gathered.snapshot.location(view, &Spot::from(view.root())).unwrap();
    gathered.snapshot.objects().map(|view| place(view).to_string()).collect()
}

#[test]
fn manifests_are_told_by_their_names_and_read_in_the_order_of_their_paths() {
    let place = Place::new();
    place.manifest("b.yaml", "b");
    place.manifest("a/z.yml", "a-z");
    place.write("c.json", r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"}}"#);
    place.write("d.jsonl", "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"d1\"}}\n{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"d2\"}}\n");
    place.write("e.ndjson", r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"e"}}"#);
    place.manifest("README.md", "not-read");
    place.manifest("b.yaml.bak", "not-read-either");
    let gathered = place.gather();
    assert_eq!(names(&gathered), ["a-z", "b", "c", "d1", "d2", "e"]);
    assert_eq!(gathered.files, 5);
    assert_eq!(gathered.skipped, Skipped { other_names: 2, ..Skipped::default() });
    assert_eq!(gathered.road, Road::Files);
    assert_eq!(gathered.notes, []);
    assert_eq!(gathered.snapshot.version(), KubernetesVersion::NEWEST);
    assert_eq!(gathered.snapshot.circumstances().observed_at, Timestamp::UNIX_EPOCH);
}

#[test]
fn a_file_that_is_named_is_read_whatever_it_is_called() {
    let place = Place::new();
    let named = place.manifest("deploy.txt", "named");
    place.write(".bartizanignore", "*.txt\n");
    let mut request = request([named]);
    request.excludes = vec!["*.txt".to_owned()];
    assert_eq!(names(&gather(&request)), ["named"]);
}

#[test]
fn places_name_the_path_as_reached_from_the_argument() {
    let place = Place::new();
    place.manifest("sub/a.yaml", "a");
    assert_eq!(places(&place.gather()), [format!("{}:1:1", place.name("sub/a.yaml"))]);
    let crooked = place.path("sub/../sub/./a.yaml");
    assert_eq!(places(&gather(&request([crooked]))), [format!("{}:1:1", place.name("sub/../sub/a.yaml"))]);
}

#[test]
fn the_entries_of_the_current_directory_have_no_prefix() {
    // Tests run in the directory of their package.
    let gathered = gather(&request(["./src/../Cargo.toml"]));
    assert_eq!(gathered.names, ["./src/../Cargo.toml"]);
    let mut everything = request(["."]);
    everything.excludes = vec!["*".to_owned()];
    assert_eq!(gather(&everything).notes, [Note::EmptyDirectory { directory: ".".to_owned() }]);
}

#[test]
fn links_are_followed_once_and_loops_end() {
    let place = Place::new();
    place.manifest("real/a.yaml", "a");
    let outside = Place::new();
    outside.manifest("b.yaml", "b");
    symlink(place.path("real"), place.path("alias")).unwrap();
    symlink(place.0.path(), place.path("real/loop")).unwrap();
    symlink("self.yaml", place.path("self.yaml")).unwrap();
    symlink(place.path("real/a.yaml"), place.path("again.yaml")).unwrap();
    symlink(outside.0.path(), place.path("zz-outside")).unwrap();
    let gathered = place.gather();
    assert_eq!(names(&gathered), ["a", "b"]);
    assert_eq!(places(&gathered), [format!("{}:1:1", place.name("real/a.yaml")), format!("{}:1:1", place.name("zz-outside/b.yaml"))]);
    assert_eq!(gathered.skipped.repeated, 1);
    let found = problems(&gathered);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].0 == ProblemKind::Unreadable && found[0].1.contains("self.yaml"), "{found:?}");
}

#[test]
fn many_links_to_each_other_are_not_a_maze() {
    let place = Place::new();
    for level in 0..40 {
        let here = place.path(&format!("level-{level:02}"));
        fs::create_dir(&here).unwrap();
        for way in ["one", "two"] {
            symlink(place.path(&format!("level-{:02}", level + 1)), here.join(way)).unwrap();
        }
    }
    place.manifest("level-40/a.yaml", "end");
    let started = Instant::now();
    assert_eq!(names(&gather(&request([place.path("level-00")]))), ["end"]);
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_file_given_twice_is_read_once() {
    let place = Place::new();
    let file = place.manifest("a.yaml", "a");
    fs::hard_link(&file, place.path("hard.yaml")).unwrap();
    let gathered = gather(&request([file.clone(), file, place.0.path().to_owned()]));
    assert_eq!(names(&gathered), ["a"]);
    assert_eq!(gathered.skipped.repeated, 3);
}

#[test]
fn patterns_leave_files_and_directories_out() {
    let place = Place::new();
    for name in ["keep.yaml", "drop.yaml", "dev/a.yaml", "deep/dev/b.yaml", "deep/keep.yaml", ".git/config.yaml"] {
        place.manifest(name, &name.replace(['/', '.'], "-"));
    }
    let excluding = |globs: &[&str]| {
        let mut request = request([place.0.path()]);
        request.excludes = globs.iter().map(|&glob| glob.to_owned()).collect();
        gather(&request)
    };
    assert_eq!(names(&excluding(&["drop.yaml", "dev/"])), ["deep-keep-yaml", "keep-yaml"]);
    assert_eq!(excluding(&["drop.yaml", "dev/"]).skipped.excluded, 4);
    assert_eq!(names(&excluding(&["/dev"])), ["deep-dev-b-yaml", "deep-keep-yaml", "drop-yaml", "keep-yaml"]);
    assert_eq!(names(&excluding(&["**/dev/**", "k*.yaml"])), ["drop-yaml"]);
    let wrong = Request { excludes: vec!["{a".to_owned()], ..request([place.0.path()]) };
    let error = files::gather(&wrong, &mut std::io::empty(), &Silent).unwrap_err();
    assert!(error.is_usage() && error.to_string().contains("`{a`"), "{error}");
}

#[test]
fn ignore_files_hold_below_where_they_stand_and_can_be_overruled_deeper() {
    let place = Place::new();
    for name in ["a/drop.yaml", "a/keep.yaml", "b/drop.yaml", "b/only/drop.yaml", "c/drop.yaml"] {
        place.manifest(name, &name.replace(['/', '.'], "-"));
    }
    place.write(".bartizanignore", "# what nobody deploys\ndrop.yaml\n/c\n");
    place.write("b/.bartizanignore", "!drop.yaml\n/only\n");
    place.write(".gitignore", "keep.yaml\n");
    let gathered = place.gather();
    assert_eq!(names(&gathered), ["a-keep-yaml", "b-drop-yaml"]);
    assert_eq!(gathered.skipped.excluded, 3);
}

#[test]
fn a_bad_line_of_an_ignore_file_is_said_and_left_alone() {
    let place = Place::new();
    place.manifest("a.yaml", "a");
    place.manifest("b.yaml", "b");
    place.write(".bartizanignore", "b.yaml\n{c\n");
    let gathered = place.gather();
    assert_eq!(names(&gathered), ["a"]);
    assert!(matches!(&gathered.notes[..], [Note::IgnoreFile { file, .. }] if file.ends_with(".bartizanignore")), "{:?}", gathered.notes);
}

#[test]
fn what_does_not_exist_is_named_and_nothing_is_read() {
    let place = Place::new();
    let (one, two) = (place.path("one"), place.path("two/three"));
    let error = files::gather(&request([place.0.path().to_owned(), one, two]), &mut std::io::empty(), &Silent).unwrap_err();
    assert!(error.is_usage());
    assert_eq!(error.to_string(), format!("no such file or directory: `{}`, `{}`", place.name("one"), place.name("two/three")));
}

#[test]
fn what_cannot_be_read_does_not_hide_the_rest() {
    let place = Place::new();
    place.manifest("a.yaml", "a");
    symlink(place.path("nowhere"), place.path("dangling.yaml")).unwrap();
    symlink(place.path("nowhere"), place.path("dangling")).unwrap();
    place.write("image.yaml", b"\x89PNG\r\n\x1a\n\0\0\0\xff");
    place.write("latin.yaml", b"kind: caf\xe9\n");
    place.write("broken.yaml", "kind: [\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: after}\n");
    let gathered = place.gather();
    assert_eq!(names(&gathered), ["a", "after"]);
    let found = problems(&gathered);
    let kinds: Vec<ProblemKind> = found.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, [ProblemKind::Parse, ProblemKind::Unreadable, ProblemKind::Unreadable, ProblemKind::Unreadable], "{found:?}");
    for (at, words) in [(1, ["dangling.yaml", "link to nothing"]), (2, ["image.yaml", "not text"]), (3, ["latin.yaml", "UTF-8"])] {
        assert!(words.iter().all(|word| found[at].1.contains(word)), "{found:?}");
    }
}

#[test]
fn a_byte_order_mark_tells_the_encoding() {
    let place = Place::new();
    let wide: Vec<u8> = format!("\u{feff}{}", config_map("wide")).encode_utf16().flat_map(u16::to_le_bytes).collect();
    place.write("a.yaml", wide);
    place.write("b.yaml", format!("\u{feff}{}", config_map("marked")));
    let gathered = place.gather();
    assert_eq!(names(&gathered), ["wide", "marked"]);
    assert!(places(&gathered).iter().all(|at| at.ends_with(":1:1")), "{:?}", places(&gathered));
}

#[test]
fn an_argument_that_is_a_link_to_nothing_is_a_problem_and_no_usage_error() {
    let place = Place::new();
    symlink("nowhere", place.path("link")).unwrap();
    let gathered = gather(&request([place.path("link")]));
    assert!(gathered.snapshot.is_empty());
    assert!(problems(&gathered)[0].1.contains("link"));
}

#[test]
fn files_of_more_than_two_gibibytes_are_refused() {
    let place = Place::new();
    place.manifest("a.yaml", "a");
    let large = fs::File::create(place.path("large.yaml")).unwrap();
    large.set_len((2 << 30) + 1).unwrap();
    let gathered = place.gather();
    assert_eq!(names(&gathered), ["a"]);
    let found = problems(&gathered);
    assert!(matches!(found[..], [(ProblemKind::Unreadable, message)] if message.contains("large.yaml") && message.contains("2 GiB")), "{found:?}");
}

#[test]
fn pipes_and_sockets_are_left_alone_but_a_named_pipe_is_read() {
    let place = Place::new();
    place.manifest("a.yaml", "a");
    let socket = std::os::unix::net::UnixListener::bind(place.path("socket.yaml")).unwrap();
    assert!(Command::new("mkfifo").arg(place.path("pipe.yaml")).status().unwrap().success());
    let gathered = place.gather();
    assert_eq!(names(&gathered), ["a"]);
    assert_eq!(gathered.skipped, Skipped { special: 2, ..Skipped::default() });
    drop(socket);
    let pipe = place.path("pipe.yaml");
    let writer = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::OpenOptions::new().write(true).open(pipe).unwrap().write_all(config_map("piped").as_bytes()).unwrap()
    });
    assert_eq!(names(&gather(&request([pipe]))), ["piped"]);
    writer.join().unwrap();
}

#[test]
fn standard_input_is_read_once() {
    let text = config_map("from-stdin");
    let gathered = files::gather(&request(["-", "-"]), &mut text.as_bytes(), &Silent).unwrap();
    assert_eq!(names(&gathered), ["from-stdin"]);
    assert_eq!(gathered.files, 1);
    assert_eq!(places(&gathered), ["-:1:1"]);
}

#[test]
fn an_empty_directory_is_a_remark() {
    let place = Place::new();
    let gathered = place.gather();
    assert!(gathered.snapshot.is_empty());
    assert_eq!(gathered.notes, [Note::EmptyDirectory { directory: place.name("").trim_end_matches('/').to_owned() }]);
}

#[test]
fn a_chart_below_the_argument_is_said_once_and_its_templates_are_left_out() {
    let place = Place::new();
    place.manifest("a.yaml", "a");
    place.write("charts/shop/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n");
    place.write("charts/shop/values.yaml", "replicas: 1\n");
    place.write("charts/shop/templates/one.yaml", "kind: {{ .Values.kind }}\n");
    place.write("charts/shop/templates/deep/two.yaml", "kind: {{ .Values.kind }}\n");
    place.manifest("charts/shop/crds/c.yaml", "c");
    place.write("charts/shop/charts/sub/Chart.yaml", "apiVersion: v2\nname: sub\n");
    let gathered = place.gather();
    assert_eq!(names(&gathered), ["a", "c"]);
    assert_eq!(
        problems(&gathered),
        [(ProblemKind::Render, format!("a Helm chart below the argument is not rendered; run `bartizan scan {}`", place.name("charts/shop")).as_str())]
    );
    assert_eq!(gathered.skipped, Skipped { unrendered: 5, ..Skipped::default() });
}

#[test]
fn an_overlay_below_the_argument_is_said_once_and_its_patches_are_left_out() {
    let place = Place::new();
    place.write(
        "overlay/kustomization.yaml",
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [own.yaml]\npatches:\n- path: ./patch.yaml\n",
    );
    place.manifest("overlay/own.yaml", "own");
    place.manifest("overlay/patch.yaml", "patched");
    let gathered = place.gather();
    assert_eq!(names(&gathered), ["own"]);
    assert_eq!(problems(&gathered).len(), 1);
    assert!(problems(&gathered)[0].1.ends_with(&format!("run `bartizan scan {}`", place.name("overlay"))));
    assert_eq!(gathered.skipped.unrendered, 2);
}

fn chart(place: &Place) -> PathBuf {
    place.write("shop/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n");
    place.write("shop/templates/a.yaml", "kind: {{ .Values.kind }}\n");
    place.path("shop")
}

#[test]
fn a_chart_is_rendered_by_helm_with_the_values_given() {
    let place = Place::new();
    let mut request = request([chart(&place)]);
    request.version = Some(KubernetesVersion::minor(31));
    request.rendering.values = vec!["prod.yaml".into()];
    request.rendering.set = vec!["replicas=3".to_owned(), "image.tag=v1".to_owned()];
    let rendered = "---\n# Source: shop/templates/a.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: rendered\n";
    request.rendering.programs.helm = place.script("helm", &format!("echo \"$@\" > '{}'\ncat <<'END'\n{rendered}END", place.name("arguments")));
    let gathered = gather(&request);
    assert_eq!(names(&gathered), ["rendered"]);
    assert_eq!(places(&gathered), [format!("helm:{}:3:1", place.name("shop/templates/a.yaml"))]);
    let arguments = fs::read_to_string(place.path("arguments")).unwrap();
    let expected =
        format!("template shop {} --include-crds --kube-version 1.31.0 --values prod.yaml --set replicas=3 --set image.tag=v1\n", place.name("shop"));
    assert_eq!(arguments, expected);
}

#[test]
fn a_packed_chart_is_known_by_its_content() {
    let place = Place::new();
    chart(&place);
    let packed = place.path("packed");
    let status = Command::new("tar").arg("-czf").arg(&packed).arg("-C").arg(place.0.path()).arg("shop").status().unwrap();
    assert!(status.success());
    let mut request = request([packed.clone()]);
    request.rendering.programs.helm = place.script("helm", "test -f \"$3\" && printf 'apiVersion: v1\\nkind: ConfigMap\\nmetadata: {name: unpacked}\\n'");
    assert_eq!(names(&gather(&request)), ["unpacked"]);
}

#[test]
fn a_missing_or_failing_program_is_named_and_hides_nothing() {
    let place = Place::new();
    let other = place.manifest("a.yaml", "a");
    let mut request = request([chart(&place), other]);
    request.rendering.programs.helm = place.path("no-helm");
    let gathered = gather(&request);
    assert_eq!(names(&gathered), ["a"]);
    let found = problems(&gathered);
    assert!(matches!(found[..], [(ProblemKind::Render, message)] if message.contains("`helm`") && message.contains("https://helm.sh")), "{found:?}");

    request.rendering.programs.helm = place.script("helm", "echo 'Error: values do not fit' >&2; exit 1");
    let gathered = gather(&request);
    assert_eq!(names(&gathered), ["a"]);
    assert_eq!(problems(&gathered), [(ProblemKind::Render, format!("`helm` cannot render `{}`: Error: values do not fit", place.name("shop")).as_str())]);

    request.rendering.programs.helm = place.script("helm", "exec sleep 60");
    request.rendering.timeout = Some(Duration::from_millis(100));
    let started = Instant::now();
    assert!(problems(&gather(&request))[0].1.contains("did not render"));
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn an_overlay_is_built_by_kustomize_or_else_by_kubectl() {
    let place = Place::new();
    place.write("overlay/kustomization.yaml", "resources: [a.yaml]\n");
    let mut request = request([place.path("overlay")]);
    let echo = |how: &str| format!("test \"$1\" = {how} && printf 'apiVersion: v1\\nkind: ConfigMap\\nmetadata: {{name: {how}}}\\n'");
    request.rendering.programs.kubectl = place.script("kubectl", &echo("kustomize"));
    request.rendering.programs.kustomize = place.script("kustomize", &echo("build"));
    let gathered = gather(&request);
    assert_eq!(names(&gathered), ["build"]);
    assert_eq!(places(&gathered), [format!("kustomize:{}:1:1", place.name("overlay"))]);
    request.rendering.programs.kustomize = place.path("no-kustomize");
    assert_eq!(names(&gather(&request)), ["kustomize"]);
    request.rendering.programs.kubectl = place.path("no-kubectl");
    let gathered = gather(&request);
    assert!(problems(&gathered)[0].1.contains("`no-kustomize` or `no-kubectl`"), "{:?}", problems(&gathered));
}

#[test]
fn something_else_that_is_compressed_is_refused_with_the_remedy() {
    let place = Place::new();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(config_map("packed").as_bytes()).unwrap();
    let file = place.write("a.yaml.gz", packed.finish().unwrap());
    let gathered = gather(&request([file]));
    assert!(matches!(problems(&gathered)[..], [(ProblemKind::Unreadable, message)] if message.contains("decompress")), "{:?}", problems(&gathered));
}

#[test]
fn threads_change_nothing() {
    let place = Place::new();
    for number in 0..300 {
        place.write(
            &format!("{}/{number}.yaml", number % 7),
            format!("{}---\nkind: [\n---\n{}", config_map(&format!("one-{number}")), config_map(&format!("two-{number}"))),
        );
    }
    let items: Vec<String> =
        (0..5000).map(|number| format!(r#"{{"metadata":{{"name":"pod-{number}","labels":{{"filler":"{}"}}}}}}"#, "x".repeat(60))).collect();
    place.write("pods.json", format!(r#"{{"apiVersion":"v1","kind":"PodList","items":[{}]}}"#, items.join(",\n")));
    let told = |jobs| {
        let gathered = gather(&Request { jobs, ..request([place.0.path()]) });
        assert_eq!(gathered.snapshot.of_kind(Kind::Pod).count(), 5000);
        assert_eq!(gathered.snapshot.problems().len(), 300);
        let names: Vec<String> = gathered.snapshot.objects().map(|view| view.reference().to_string()).collect();
        (names, places(&gathered), gathered.snapshot.problems().to_vec())
    };
    let alone = told(1);
    for jobs in [2, 3, 8] {
        assert_eq!(told(jobs), alone, "{jobs} threads");
    }
}

/// A list of some 10 MB, on lines, with letters of several bytes, an object that says a key twice, and one that nests too deep.
fn large_list() -> String {
    let pod = |number: usize| {
        let filler = "é中".repeat(1000 + number % 500);
        let spec = r#"{"hostPID":true,"containers":[{"name":"app"}]}"#;
        format!(
            r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"pod-{number}","managedFields":[{{"f:a":{{}}}}],"annotations":{{"filler":"{filler}"}}}},"spec":{spec}}}"#
        )
    };
    let mut items: Vec<String> = (0..1700).map(pod).collect();
    items[7] = pod(7).replace(r#""hostPID":true"#, r#""hostPID":false,"hostPID":true"#);
    items[9] = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let list = |items: &[String]| format!(r#"{{"apiVersion":"v1","items":[{}],"kind":"List"}}"#, items.join(",\n"));
    // One document is larger than any piece.
    let large = format!(r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"large"}},"data":{{"k":"{}"}}}}"#, "x".repeat(3 << 20));
    format!("{}\n{large}\n{}", list(&items[..900]), list(&items[900..]))
}

fn host_pids(gathered: &Gathered) -> Vec<Option<String>> {
    let snapshot = &gathered.snapshot;
    let place = |view: bartizan_cluster::ObjectView<'_>| {
        let spot = view.root().spot(&[field::SPEC, field::HOST_PID]);
        snapshot.location(view, &spot).map(|place| format!("{}:{}", place.line, place.column))
    };
    snapshot.objects().map(place).collect()
}

#[test]
fn a_file_that_is_read_piece_by_piece_says_what_it_says_whole() {
    let place = Place::new();
    let text = large_list();
    let cut_short = &text[..text.len() - 2];
    let latin = [&text.as_bytes()[..text.len() - 3], b"\xe9}", &text.as_bytes()[text.len() - 3..]].concat();
    for (text, is_kept) in [(text.as_bytes(), false), (cut_short.as_bytes(), true), (&latin, true)] {
        let file = place.write("list.json", text);
        let pieces = gather(&request([file]));
        // What comes from standard input is always kept.
        let whole = files::gather(&request(["-"]), &mut &*text, &Silent).unwrap();
        assert_eq!(names(&pieces), names(&whole));
        let told =
            |gathered: &Gathered| problems(gathered).iter().map(|(kind, message)| (*kind, message.replace(&place.name("list.json"), "-"))).collect::<Vec<_>>();
        assert_eq!(told(&pieces), told(&whole));
        assert_eq!(host_pids(&pieces), host_pids(&whole));
        assert_eq!((pieces.snapshot.documents(), pieces.snapshot.untyped()), (whole.snapshot.documents(), whole.snapshot.untyped()));
        let sources = &pieces.snapshot.circumstances().sources;
        assert_eq!(sources.iter().any(|source| source.content().is_some()), is_kept && !names(&pieces).is_empty());
    }
}

#[test]
fn a_large_file_that_changes_gives_no_wrong_places() {
    let place = Place::new();
    let file = place.write("list.json", large_list());
    let gathered = gather(&request([file.clone()]));
    assert_eq!(host_pids(&gathered)[3].as_deref(), host_pids(&gathered)[3].as_deref().filter(|place| place.starts_with("4:")));
    assert!(!gathered.snapshot.circumstances().sources[0].is_lost());
    // Taking the name away takes nothing from the text; writing to it does.
    fs::rename(&file, place.path("moved.json")).unwrap();
    assert!(host_pids(&gathered)[3].is_some());
    fs::OpenOptions::new().append(true).open(place.path("moved.json")).unwrap().write_all(b" ").unwrap();
    assert!(host_pids(&gathered).iter().all(Option::is_none));
    assert!(gathered.snapshot.circumstances().sources[0].is_lost());
}

#[test]
fn a_snapshot_of_another_format_or_among_other_sources_is_refused() {
    let place = Place::new();
    let pack = |text: &str| {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packed.write_all(text.as_bytes()).unwrap();
        packed.finish().unwrap()
    };
    let newer = place.write("newer", pack("{\"schema\":\"bartizan.snapshot/2\"}\n"));
    let error = files::gather(&request([newer.clone()]), &mut std::io::empty(), &Silent).unwrap_err();
    assert!(matches!(&error, Error::SnapshotFormat { found, .. } if found == "bartizan.snapshot/2"), "{error}");
    let other = place.manifest("a.yaml", "a");
    let error = files::gather(&request([other, newer]), &mut std::io::empty(), &Silent).unwrap_err();
    assert!(error.is_usage() && error.to_string().contains("newer"), "{error}");
}

#[test]
fn the_example_of_many_small_files_is_read_quickly() {
    let place = Place::new();
    let text = config_map("a") + "data:\n  key: value\n---\n" + &config_map("b");
    for number in 0..772 {
        place.write(&format!("d{}/{number}.yaml", number % 40), &text);
    }
    let started = Instant::now();
    let gathered = place.gather();
    assert_eq!(gathered.files, 772);
    // Two orders of magnitude above what it takes: the machine may be busy.
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert!(Path::new(gathered.names[0].as_str()).is_dir());
}
