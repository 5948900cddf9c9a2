//! Charts and overlays through the real Helm and Kustomize.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use bartizan_cluster::read::ProblemKind;
use bartizan_cluster::{Kind, KubernetesVersion, Value};
use bartizan_gather::files::{self, Request};
use bartizan_gather::{Gathered, Silent};
use bartizan_testbed::Parts;
use tempfile::TempDir;

/// A chart with helpers, a condition, a loop, a hook, a definition of a custom resource and a chart inside.
const CHART: [(&str, &str); 8] = [
    ("Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.2.3\ndependencies: [{name: queue, version: 0.1.0, condition: queue.enabled}]\n"),
    ("values.yaml", "image: {tag: \"1.0\"}\nreplicas: 1\nhostPID: false\nports: [80, 443]\nqueue: {enabled: true}\n"),
    ("templates/_helpers.tpl", "{{- define \"shop.labels\" -}}\napp: {{ .Chart.Name }}\nrelease: {{ .Release.Name }}\n{{- end }}\n"),
    (
        "templates/cart.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {{ .Release.Name }}-cart\n  labels: {{- include \"shop.labels\" . | nindent 4 }}\n  annotations: {kube: {{ .Capabilities.KubeVersion.Version | quote }}}\nspec:\n  replicas: {{ .Values.replicas }}\n  selector: {matchLabels: {app: shop}}\n  template:\n    metadata: {labels: {app: shop}}\n    spec:\n      {{- if .Values.hostPID }}\n      hostPID: true\n      {{- end }}\n      containers:\n      - name: cart\n        image: registry.example.com/cart:{{ .Values.image.tag }}\n",
    ),
    (
        "templates/services.yaml",
        "{{- range .Values.ports }}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: cart-{{ . }}}\nspec: {ports: [{port: {{ . }}}], selector: {app: shop}}\n{{- end }}\n",
    ),
    (
        "crds/tills.yaml",
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: tills.shop.example}\nspec: {group: shop.example, names: {kind: Till, plural: tills}, scope: Namespaced, versions: []}\n",
    ),
    ("charts/queue/Chart.yaml", "apiVersion: v2\nname: queue\nversion: 0.1.0\n"),
    ("charts/queue/templates/queue.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: queue}\nspec: {containers: [{name: queue, image: queue}]}\n"),
];

fn write(directory: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = directory.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

fn place(below: &str, files: &[(&str, &str)]) -> (TempDir, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join(below);
    write(&directory, files);
    (place, directory)
}

/// A request that has no other program than the real one.
fn request(argument: &Path) -> Request {
    let mut request = Request::new([argument.to_owned()], "2026-11-24T00:00:00Z".parse().unwrap());
    request.rendering.programs.helm = Parts::helm().unwrap();
    request.rendering.programs.kustomize = Parts::kustomize().unwrap();
    request.rendering.programs.kubectl = "/nonexistent/kubectl".into();
    request
}

fn read(request: &Request) -> Gathered {
    files::gather(request, &mut std::io::empty(), &Silent).unwrap()
}

/// Kinds and names, in their order.
fn objects(gathered: &Gathered) -> Vec<String> {
    let mut objects: Vec<String> = gathered.snapshot.objects().map(|object| format!("{} {}", object.kind_name(), object.name())).collect();
    objects.sort();
    objects
}

fn field<'a>(gathered: &'a Gathered, kind: Kind, path: &[&str]) -> Option<Value<'a>> {
    let root = gathered.snapshot.of_kind(kind).next()?.root();
    path.iter().try_fold(root, |value, step| match step.parse::<usize>() {
        Ok(index) => value.items().nth(index),
        Err(_) => value.entry(step),
    })
}

const ALL: [&str; 5] = ["CustomResourceDefinition tills.shop.example", "Deployment shop-cart", "Pod queue", "Service cart-443", "Service cart-80"];

#[test]
fn a_chart_is_read_as_helm_renders_it() {
    let (_place, chart) = place("shop", &CHART);
    let gathered = read(&request(&chart));
    assert_eq!(gathered.snapshot.problems(), []);
    assert_eq!(objects(&gathered), ALL);
    let deployment = gathered.snapshot.of_kind(Kind::Deployment).next().unwrap();
    let location = gathered.snapshot.location(deployment, &deployment.root().into()).unwrap();
    assert_eq!(location.file, format!("helm:{}/templates/cart.yaml", chart.display()));
    assert_eq!(deployment.label("release"), Some("shop"));
    assert_eq!(deployment.annotation("kube"), Some("v1.37.0"));
}

#[test]
fn values_and_the_version_reach_the_templates() {
    let (_place, chart) = place("shop", &CHART);
    write(&chart, &[("prod.yaml", "replicas: 5\nhostPID: true\nports: []\n")]);
    let mut request = request(&chart);
    request.version = Some(KubernetesVersion::minor(31));
    request.rendering.values = vec![chart.join("prod.yaml")];
    request.rendering.set = vec!["image.tag=v9".to_owned(), "queue.enabled=false".to_owned()];
    let gathered = read(&request);
    assert_eq!(objects(&gathered), [ALL[0], ALL[1]]);
    let value = |path: &[&str]| field(&gathered, Kind::Deployment, path).unwrap().display();
    assert_eq!(value(&["metadata", "annotations", "kube"]), "v1.31.0");
    assert_eq!(value(&["spec", "replicas"]), "5");
    assert_eq!(value(&["spec", "template", "spec", "hostPID"]), "true");
    assert_eq!(value(&["spec", "template", "spec", "containers", "0", "image"]), "registry.example.com/cart:v9");
}

#[test]
fn a_chart_that_helm_has_packed_is_the_same_chart() {
    let (place, chart) = place("shop", &CHART);
    let packed = Command::new(Parts::helm().unwrap()).arg("package").arg(&chart).arg("--destination").arg(place.path()).output().unwrap();
    assert!(packed.status.success(), "{}", String::from_utf8_lossy(&packed.stderr));
    assert_eq!(objects(&read(&request(&place.path().join("shop-1.2.3.tgz")))).len(), ALL.len());
}

#[test]
fn what_helm_says_against_a_chart_is_told() {
    let (_place, chart) = place("shop", &CHART);
    write(&chart, &[("templates/broken.yaml", "a: {{ .Values.none.such }}\n")]);
    let gathered = read(&request(&chart));
    let problems = gathered.snapshot.problems();
    assert_eq!(problems.iter().map(|problem| problem.kind).collect::<Vec<_>>(), [ProblemKind::Render]);
    assert!(problems[0].message.contains("templates/broken.yaml"), "{}", problems[0].message);
}

/// A request that has no other program for overlays than the Kustomize inside the real kubectl.
fn with_kubectl(argument: &Path) -> Request {
    let mut request = request(argument);
    request.rendering.programs.kustomize = "/nonexistent/kustomize".into();
    request.rendering.programs.kubectl = Parts::kubectl().unwrap();
    request
}

/// A base, and an overlay that changes everything about it.
fn overlay() -> (TempDir, PathBuf) {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: cart}\nspec: {containers: [{name: cart, image: cart:1}]}\n";
    let (place, _) = place("base", &[("kustomization.yaml", "resources: [pod.yaml]\n"), ("pod.yaml", pod)]);
    let overlay = place.path().join("overlay");
    write(
        &overlay,
        &[
            (
                "kustomization.yaml",
                "resources: [../base]\nnamePrefix: prod-\nnamespace: shop\nimages: [{name: cart, newTag: \"9\"}]\npatches: [{path: patch.yaml}]\nconfigMapGenerator: [{name: settings, literals: [a=b], options: {disableNameSuffixHash: true}}]\n",
            ),
            ("patch.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: cart}\nspec: {hostNetwork: true}\n"),
        ],
    );
    (place, overlay)
}

/// What must be read of [`overlay`], and what is told of it when a patch fits nothing.
fn is_read(request: fn(&Path) -> Request) {
    let (_place, overlay) = overlay();
    let gathered = read(&request(&overlay));
    assert_eq!(gathered.snapshot.problems(), []);
    assert_eq!(objects(&gathered), ["ConfigMap prod-settings", "Pod prod-cart"]);
    assert_eq!(field(&gathered, Kind::Pod, &["spec", "hostNetwork"]).unwrap().as_bool(), Some(true));
    assert_eq!(field(&gathered, Kind::Pod, &["spec", "containers", "0", "image"]).unwrap().display(), "cart:9");
    assert_eq!(gathered.snapshot.of_kind(Kind::Pod).next().unwrap().namespace(), Some("shop"));

    fs::write(overlay.join("patch.yaml"), "apiVersion: v1\nkind: Pod\nmetadata: {name: nobody}\nspec: {}\n").unwrap();
    let gathered = read(&request(&overlay));
    let problem = &gathered.snapshot.problems()[0];
    assert!(problem.kind == ProblemKind::Render && problem.message.contains("nobody"), "{problem:?}");
}

#[test]
fn an_overlay_is_read_as_kustomize_builds_it() {
    is_read(request);
}

#[test]
fn without_kustomize_an_overlay_is_read_as_kubectl_builds_it() {
    is_read(with_kubectl);
}

#[test]
fn kustomize_and_kubectl_build_the_same_overlay() {
    let (_place, overlay) = overlay();
    let [one, two] = [request, with_kubectl].map(|request| read(&request(&overlay)));
    let all = |gathered: &Gathered| gathered.snapshot.objects().map(|object| object.root().to_json()).collect::<Vec<_>>();
    assert_eq!(all(&one), all(&two));
    assert_eq!(one.snapshot.sources().map(|source| source.name().to_owned()).collect::<Vec<_>>(), [format!("kustomize:{}", overlay.display())]);
}
