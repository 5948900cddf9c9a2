//! The types of the fields of Kubernetes' own kinds: what the API server refuses because a field has the wrong type, and which
//! fields it does not know.
//!
//! The table is generated from the description that a real server gives of itself (`xtask/src/schema.rs`). A kind or version that
//! is not in it is not checked but for its `metadata`, which all kinds share. Types only: what a server refuses later, by
//! validation, is not said here.

use std::sync::LazyLock;

use foldhash::{HashMap, HashMapExt as _};

use crate::field;
use crate::intern::Interner;
use crate::object::{Object, ObjectView};
use crate::scalar;
use crate::tree::{Shape, Value};

/// The table of the newest version; fields are rarely taken away, so that it serves the older ones as well.
const TABLE: &str = include_str!("schema/kubernetes-1.37.txt");

/// So many faults of one object are told; it is not judged in any case.
const FAULTS_MAX: usize = 16;

/// So many unknown fields of one object are told.
const UNKNOWN_MAX: usize = 64;

/// A field of the wrong type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TypeFault {
    pub(crate) offset: Option<u32>,
    pub(crate) message: String,
    /// Whether an expression of a template stands there.
    pub(crate) is_template: bool,
}

/// A field that the API server does not know: it drops it, and warns at best.
#[derive(Debug, Clone, Copy)]
pub struct UnknownField<'a> {
    /// The field; its key is the unknown name.
    pub value: Value<'a>,
    /// The known field with the most similar name, if one is close.
    pub suggestion: Option<&'static str>,
    /// Whether the suggested field stands beside it.
    pub is_taken: bool,
}

/// The fields of `object` that have a type which the API server refuses.
pub(crate) fn type_faults(object: &Object, strings: &Interner) -> Vec<TypeFault> {
    let mut visit = TypeCheck { faults: Vec::new() };
    walk_object(object.tree.root(strings), &mut visit);
    visit.faults
}

/// The fields of an object that the API server does not know; none for kinds of which the fields are not known here.
pub fn unknown_fields(object: ObjectView<'_>) -> Vec<UnknownField<'_>> {
    let mut visit = UnknownCheck { found: Vec::new() };
    walk_object(object.root(), &mut visit);
    visit.found
}

/// Whether the fields of this version of the object's kind are known here, beyond the `metadata` that all kinds share.
pub fn is_described(object: ObjectView<'_>) -> bool {
    describes(object.api_version(), object.kind_name())
}

/// Whether the fields of this kind are in the table: only of kinds whose objects the API server knows.
pub(crate) fn describes(api_version: &str, kind: &str) -> bool {
    SCHEMA.kinds.contains_key(&(api_version, kind))
}

/// The kinds of `api_version` whose fields are known here, in no order.
pub fn kinds(api_version: &str) -> impl Iterator<Item = &'static str> {
    SCHEMA.kinds.keys().filter(move |(version, _)| *version == api_version).map(|(_, kind)| *kind)
}

/// What is done with each value that has a known type. The walk goes into a list or map only where the type fits.
trait Visit<'a> {
    fn mismatch(&mut self, value: Value<'a>, expected: &'static str, found: Option<&'static str>);
    fn unknown(&mut self, map: Value<'a>, value: Value<'a>, fields: &'static [(&'static str, Type)]);
    fn is_full(&self) -> bool;
}

struct TypeCheck {
    faults: Vec<TypeFault>,
}

impl<'a> Visit<'a> for TypeCheck {
    fn mismatch(&mut self, value: Value<'a>, expected: &'static str, found: Option<&'static str>) {
        let path = value.path();
        // The text of a value never appears: it may be a secret.
        let found = found.unwrap_or_else(|| value.shape().noun());
        let message = format!("`{path}` is a {found}, and the API server expects {expected}");
        let is_template = value.as_str().is_some_and(|text| text.contains("{{"));
        self.faults.push(TypeFault { offset: value.span().map(|span| span.start), message, is_template });
    }

    fn unknown(&mut self, _: Value<'a>, _: Value<'a>, _: &'static [(&'static str, Type)]) {}

    fn is_full(&self) -> bool {
        self.faults.len() >= FAULTS_MAX
    }
}

struct UnknownCheck<'a> {
    found: Vec<UnknownField<'a>>,
}

impl<'a> Visit<'a> for UnknownCheck<'a> {
    fn mismatch(&mut self, _: Value<'a>, _: &'static str, _: Option<&'static str>) {}

    fn unknown(&mut self, map: Value<'a>, value: Value<'a>, fields: &'static [(&'static str, Type)]) {
        let suggestion = nearest(value.key(), fields);
        let is_taken = suggestion.is_some_and(|meant| map.entries().any(|(name, _)| name == meant));
        self.found.push(UnknownField { value, suggestion, is_taken });
    }

    fn is_full(&self) -> bool {
        self.found.len() >= UNKNOWN_MAX
    }
}

fn walk_object<'a>(root: Value<'a>, visit: &mut impl Visit<'a>) {
    let table = &*SCHEMA;
    let (Some(api_version), Some(kind)) = (root.str(field::API_VERSION), root.str(field::KIND)) else { return };
    match table.kinds.get(&(api_version, kind)) {
        Some(&number) => table.walk_struct(root, number, visit),
        None => {
            if let Some(metadata) = root.get(field::METADATA) {
                table.walk(metadata, table.metadata, visit);
            }
        }
    }
}

/// A type, as small as it can be: lists and maps name the type of their content by its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    String,
    Bool,
    /// `int32`
    Int,
    /// `int64`
    Long,
    Float,
    IntOrString,
    Quantity,
    Time,
    /// Base64.
    Bytes,
    Any,
    Struct(u16),
    List(u16),
    Map(u16),
}

struct Schema {
    kinds: HashMap<(&'static str, &'static str), u16>,
    structs: Vec<Vec<(&'static str, Type)>>,
    /// Every field of every struct: looking a name up costs the same in a struct of two fields and of fifty.
    fields: HashMap<(u16, &'static str), Type>,
    contents: Vec<Type>,
    /// `ObjectMeta`.
    metadata: Type,
}

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| Schema::read(TABLE));

impl Schema {
    fn read(table: &'static str) -> Self {
        let mut schema = Schema { kinds: HashMap::new(), structs: Vec::new(), fields: HashMap::new(), contents: Vec::new(), metadata: Type::Any };
        for line in table.lines().filter(|line| !line.starts_with('#')) {
            if let Some(line) = line.strip_prefix('=') {
                let mut words = line.split(' ');
                if let (Some(api_version), Some(kind), Some(Ok(number))) = (words.next(), words.next(), words.next().map(str::parse)) {
                    schema.kinds.insert((api_version, kind), number);
                }
                continue;
            }
            let number = u16::try_from(schema.structs.len()).unwrap_or(u16::MAX);
            let mut fields = Vec::new();
            // A colon never stands in a type, but a name could hold one.
            for (name, code) in line.split(' ').filter_map(|field| field.rsplit_once(':')) {
                let found = schema.type_of(code);
                schema.fields.insert((number, name), found);
                fields.push((name, found));
            }
            schema.structs.push(fields);
        }
        let pod = schema.kinds.get(&("v1", "Pod")).copied();
        schema.metadata = pod.and_then(|pod| schema.fields.get(&(pod, "metadata"))).copied().unwrap_or(Type::Any);
        schema
    }

    fn type_of(&mut self, code: &'static str) -> Type {
        if let Some(inner) = code.strip_prefix('[') {
            return Type::List(self.content(inner));
        }
        if let Some(inner) = code.strip_prefix('{') {
            return Type::Map(self.content(inner));
        }
        match code {
            "s" => Type::String,
            "b" => Type::Bool,
            "i" => Type::Int,
            "l" => Type::Long,
            "n" => Type::Float,
            "o" => Type::IntOrString,
            "q" => Type::Quantity,
            "t" => Type::Time,
            "y" => Type::Bytes,
            _ => code.parse().map_or(Type::Any, Type::Struct),
        }
    }

    fn content(&mut self, code: &'static str) -> u16 {
        let found = self.type_of(code);
        let at = self.contents.iter().position(|&known| known == found).unwrap_or_else(|| {
            self.contents.push(found);
            self.contents.len() - 1
        });
        u16::try_from(at).unwrap_or(u16::MAX)
    }

    fn content_at(&self, at: u16) -> Type {
        self.contents.get(usize::from(at)).copied().unwrap_or(Type::Any)
    }

    fn walk<'a>(&'static self, value: Value<'a>, expected: Type, visit: &mut impl Visit<'a>) {
        // The server reads `null` as nothing, whatever the type.
        if value.is_null() || visit.is_full() {
            return;
        }
        match expected {
            Type::Struct(number) if value.is_map() => self.walk_struct(value, number, visit),
            Type::List(content) if value.is_list() => value.items().for_each(|item| self.walk(item, self.content_at(content), visit)),
            Type::Map(content) if value.is_map() => value.entries().for_each(|(_, entry)| self.walk(entry, self.content_at(content), visit)),
            expected => {
                if let Err(Mismatch { expected, found }) = fits(value, expected) {
                    visit.mismatch(value, expected, found);
                }
            }
        }
    }

    fn walk_struct<'a>(&'static self, map: Value<'a>, number: u16, visit: &mut impl Visit<'a>) {
        for (name, value) in map.entries() {
            match self.fields.get(&(number, name)) {
                Some(&expected) => self.walk(value, expected, visit),
                None if !visit.is_full() => visit.unknown(map, value, self.structs.get(usize::from(number)).map_or(&[], Vec::as_slice)),
                None => {}
            }
        }
    }
}

/// What was expected, and what stands there if its shape alone does not tell.
struct Mismatch {
    expected: &'static str,
    found: Option<&'static str>,
}

/// Whether a scalar, or a container where none is expected, can be read as `expected`.
fn fits(value: Value<'_>, expected: Type) -> Result<(), Mismatch> {
    let shape = value.shape();
    let (does_fit, name, found) = match (expected, shape) {
        (Type::Any, _) => (true, "anything", None),
        (Type::String, _) => (matches!(shape, Shape::String(_)), "a string", None),
        (Type::Bool, _) => (matches!(shape, Shape::Bool(_)), "a boolean", None),
        (Type::Int, Shape::Int(_)) | (Type::Float, Shape::Int(_) | Shape::Number(_)) => (true, "a number", None),
        (Type::Int | Type::IntOrString, Shape::Number(text)) => (false, "a whole number of 32 bits", Some(kind_of_number(text))),
        (Type::Int, _) => (false, "a whole number", None),
        (Type::Long, Shape::Number(text)) => (text.parse::<i64>().is_ok(), "a whole number of 64 bits", Some(kind_of_number(text))),
        (Type::Long, _) => (matches!(shape, Shape::Int(_)), "a whole number", None),
        (Type::Float, _) => (false, "a number", None),
        (Type::IntOrString, _) => (matches!(shape, Shape::Int(_) | Shape::String(_)), "a whole number or a string", None),
        (Type::Quantity, Shape::String(text)) => (is_quantity(text), "a quantity such as `500m` or `1Gi`", Some("string that is no quantity")),
        (Type::Quantity, _) => (matches!(shape, Shape::Int(_) | Shape::Number(_)), "a quantity such as `500m` or `1Gi`", None),
        (Type::Time, _) => (matches!(shape, Shape::String(_)), "a time such as `2026-01-31T12:00:00Z`", None),
        (Type::Bytes, Shape::String(text)) => (scalar::base64_as_go(text).is_some(), "base64", Some("string that is no base64")),
        // The server takes a list of numbers for bytes as well.
        (Type::Bytes, _) => (matches!(shape, Shape::List), "base64", None),
        (Type::List(_), _) => (false, "a list", None),
        (Type::Struct(_) | Type::Map(_), _) => (false, "a map", None),
    };
    if does_fit { Ok(()) } else { Err(Mismatch { expected: name, found }) }
}

fn kind_of_number(text: &str) -> &'static str {
    if text.contains(['.', 'e']) { "number with a fraction" } else { "number beyond its range" }
}

/// Whether the server reads `text` as a quantity: a decimal number with a suffix of its list, or an exponent.
fn is_quantity(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let end = unsigned.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(unsigned.len());
    let Some((number, suffix)) = unsigned.split_at_checked(end) else { return false };
    let is_number = number.bytes().any(|byte| byte.is_ascii_digit()) && number.matches('.').count() <= 1;
    let is_exponent = |suffix: &str| suffix.strip_prefix(['e', 'E']).is_some_and(|digits| digits.parse::<i64>().is_ok());
    let is_known = matches!(suffix, "" | "n" | "u" | "m" | "k" | "M" | "G" | "T" | "P" | "E" | "Ki" | "Mi" | "Gi" | "Ti" | "Pi" | "Ei");
    is_number && (is_known || is_exponent(suffix))
}

/// The field whose name is most similar to `name`, if one is close enough to be meant.
fn nearest(name: &str, fields: &'static [(&'static str, Type)]) -> Option<&'static str> {
    let allowed = (name.len() / 4).clamp(1, 3);
    let distance = |known: &str| if known.eq_ignore_ascii_case(name) { 0 } else { edits(name, known) };
    let near = fields.iter().map(|&(known, _)| (distance(known), known)).filter(|&(edits, _)| edits <= allowed);
    near.min().map(|(_, known)| known)
}

/// No name of a field is longer; a longer key is a misspelling of nothing.
const NAME_MAX: usize = 64;

/// How many letters must be changed, added, dropped or swapped with their neighbour to make one name from the other.
fn edits(one: &str, two: &str) -> usize {
    if one.len() > NAME_MAX || two.len() > NAME_MAX {
        return usize::MAX;
    }
    let (one, two) = (one.as_bytes(), two.as_bytes());
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=two.len()).collect();
    for (row, &letter) in one.iter().enumerate() {
        let mut line = vec![row + 1];
        for (column, &other) in two.iter().enumerate() {
            let at = |line: &[usize], column: usize| line.get(column).copied().unwrap_or(usize::MAX - 1);
            let mut best = (at(&last, column) + usize::from(letter != other)).min(at(&last, column + 1) + 1).min(at(&line, column) + 1);
            let swapped = row > 0 && column > 0 && one.get(row - 1) == Some(&other) && two.get(column - 1) == Some(&letter);
            if swapped {
                best = best.min(at(&before_last, column - 1) + 1);
            }
            line.push(best);
        }
        before_last = std::mem::replace(&mut last, line);
    }
    last.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Snapshot;
    use crate::read::ProblemKind;

    fn snapshot(text: &str) -> Snapshot {
        Snapshot::of_text("a.yaml", text)
    }

    fn faults(text: &str) -> Vec<String> {
        let snapshot = snapshot(text);
        let problems = snapshot.problems();
        assert!(problems.iter().all(|problem| problem.kind == ProblemKind::Type), "{problems:?}");
        assert_eq!(snapshot.is_empty(), !problems.is_empty(), "an object with a fault is not judged");
        problems.iter().map(|problem| problem.message.clone()).collect()
    }

    const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - name: app\n    image: shop\n";

    fn pod_fault(spec: &str) -> String {
        let mut faults = faults(&format!("{POD}{spec}"));
        assert_eq!(faults.len(), 1, "{spec}: {faults:?}");
        faults.remove(0)
    }

    #[test]
    fn the_table_knows_the_kinds_and_is_whole() {
        assert!(SCHEMA.structs.len() > 400 && SCHEMA.kinds.len() > 60);
        assert!(matches!(SCHEMA.metadata, Type::Struct(_)));
        let count = SCHEMA.structs.len();
        // Who has no name is told by this: every kind that is described is one of objects.
        assert!(SCHEMA.kinds.values().all(|&number| SCHEMA.fields.get(&(number, "metadata")) == Some(&SCHEMA.metadata)));
        let in_range = |found: Type| match found {
            Type::Struct(number) => usize::from(number) < count,
            Type::List(at) | Type::Map(at) => usize::from(at) < SCHEMA.contents.len(),
            _ => true,
        };
        assert!(SCHEMA.structs.iter().flatten().all(|&(_, found)| in_range(found)) && SCHEMA.contents.iter().all(|&found| in_range(found)));
        for &kind in crate::Kind::ALL {
            let resource = kind.resource().unwrap();
            let api_version = if resource.group.is_empty() { resource.version.to_owned() } else { format!("{}/{}", resource.group, resource.version) };
            assert!(SCHEMA.kinds.contains_key(&(api_version.as_str(), kind.name())), "{kind:?}");
        }
    }

    #[test]
    fn a_wrong_type_is_told_with_its_path() {
        assert_eq!(pod_fault("  hostPID: \"true\"\n"), "`spec.hostPID` is a string, and the API server expects a boolean");
        assert_eq!(pod_fault("    ports: {}\n"), "`spec.containers[name=app].ports` is a map, and the API server expects a list");
        assert_eq!(
            pod_fault("    env: [{name: A, value: 1}]\n"),
            "`spec.containers[name=app].env[name=A].value` is a number, and the API server expects a string"
        );
        assert_eq!(pod_fault("  priority: 1.5\n"), "`spec.priority` is a number with a fraction, and the API server expects a whole number of 32 bits");
        assert_eq!(pod_fault("  priority: 3000000000\n"), "`spec.priority` is a number beyond its range, and the API server expects a whole number of 32 bits");
        assert_eq!(
            pod_fault("    resources: {limits: {memory: 128 MB}}\n"),
            "`spec.containers[name=app].resources.limits.memory` is a string that is no quantity, and the API server expects a quantity such as `500m` or `1Gi`"
        );
        assert_eq!(
            pod_fault("    livenessProbe: {httpGet: {port: true}}\n"),
            "`spec.containers[name=app].livenessProbe.httpGet.port` is a boolean, and the API server expects a whole number or a string"
        );
        let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a, labels: {version: 1}}\nspec: {replicas: \"3\"}\n";
        assert_eq!(
            faults(deployment),
            [
                "`metadata.labels.version` is a number, and the API server expects a string",
                "`spec.replicas` is a string, and the API server expects a whole number"
            ]
        );
    }

    #[test]
    fn the_place_of_a_fault_is_its_key() {
        let snapshot = snapshot(&format!("{POD}  hostPID: \"true\"\n"));
        assert_eq!(snapshot.problems()[0].location.as_ref().unwrap().to_string(), "a.yaml:8:3");
    }

    #[test]
    fn what_the_server_accepts_is_no_fault() {
        for spec in [
            "  hostPID: null\n",
            "    ports:\n",
            "    ports: [null]\n",
            "  priority: 1.0\n",
            "  terminationGracePeriodSeconds: 30000000000\n",
            "    resources: {limits: {cpu: 1, memory: 1e9, x: 1.5, y: \"+.5Gi\", z: 12E6, w: \"5.\"}}\n",
            "    livenessProbe: {httpGet: {port: 80}}\n    readinessProbe: {httpGet: {port: web}}\n",
            "    unknownField: {deep: [1]}\n",
        ] {
            assert_eq!(faults(&format!("{POD}{spec}")), [""; 0], "{spec}");
        }
    }

    #[test]
    fn base64_is_checked_and_never_shown() {
        let secret = |value: &str| format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: a}}\ndata: {{k: {value}}}\n");
        assert_eq!(faults(&secret("hunter2!")), ["`data.k` is a string that is no base64, and the API server expects base64"]);
        assert_eq!(faults(&secret("aHVudGVyMg==")), [""; 0]);
    }

    #[test]
    fn only_metadata_is_checked_of_a_kind_that_is_not_known() {
        let custom = |rest: &str| format!("apiVersion: shop.example/v1\nkind: Cart\n{rest}\n");
        assert_eq!(faults(&custom("metadata: {name: a}\nspec: [1]")), [""; 0]);
        assert_eq!(faults(&custom("metadata: {name: a, labels: [x]}")), ["`metadata.labels` is a list, and the API server expects a map"]);
    }

    #[test]
    fn many_faults_are_cut_short() {
        let labels: String = (0..10_000).map(|number| format!("    l{number}: 1\n")).collect();
        assert_eq!(faults(&format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  labels:\n{labels}")).len(), FAULTS_MAX);
    }

    #[test]
    fn quantities_are_those_of_the_server() {
        for text in ["0", "1", "-1", "+1", "1.5", ".5", "5.", "500m", "100n", "1u", "1k", "1Ki", "1E", "1Ei", "1e3", "1E3", "1e-3", "1e+3", "1.5Gi"] {
            assert!(is_quantity(text), "{text}");
        }
        for text in ["", ".", "-", "m", "1.2.3", "1GB", "1 Gi", "1K", "1mi", "1e", "1e1.5", "one", "1Gi ", "0x10", "1_000"] {
            assert!(!is_quantity(text), "{text}");
        }
    }

    #[test]
    fn an_unknown_field_is_found_and_the_right_one_suggested() {
        let text = format!("{POD}    imagePullPolice: Always\n    securitycontext: {{}}\n    zzz: 1\n  hostPid: true\n  nodeSelecter: {{}}\n");
        let snapshot = snapshot(&text);
        let object = snapshot.objects().next().unwrap();
        let found: Vec<_> = unknown_fields(object).into_iter().map(|field| (field.value.path().to_string(), field.suggestion)).collect();
        let expected = [
            ("spec.containers[name=app].imagePullPolice", Some("imagePullPolicy")),
            ("spec.containers[name=app].securitycontext", Some("securityContext")),
            ("spec.containers[name=app].zzz", None),
            ("spec.hostPid", Some("hostPID")),
            ("spec.nodeSelecter", Some("nodeSelector")),
        ];
        assert_eq!(found, expected.map(|(path, suggestion)| (path.to_owned(), suggestion)));
    }

    #[test]
    fn free_maps_have_no_unknown_fields() {
        let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {x: z}}\ndata: {anything: goes}\n";
        assert_eq!(unknown_fields(snapshot(text).objects().next().unwrap()).len(), 0);
        let custom = "apiVersion: shop.example/v1\nkind: Cart\nmetadata: {name: a}\nspec: {anything: goes}\n";
        assert_eq!(unknown_fields(snapshot(custom).objects().next().unwrap()).len(), 0);
    }

    #[test]
    fn edits_count_a_swap_once() {
        assert_eq!((edits("", "abc"), edits("abc", "abc"), edits("abc", "acb"), edits("abc", "xbc"), edits("kitten", "sitting")), (3, 0, 1, 1, 3));
        assert_eq!(edits(&"x".repeat(1000), "x"), usize::MAX);
    }
}
