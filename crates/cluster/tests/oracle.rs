//! Compares the reading of YAML with Kubernetes' own: the library and the version that the API server is built with.
//!
//! Both must make the same JSON of a document, or both must refuse it. A difference in meaning is never allowed. Texts that only
//! one of the two refuses exist because the parser follows YAML 1.2; [`ACCEPTED_HERE_ONLY`] and [`REFUSED_HERE_ONLY`] are the
//! closed lists of them, and count for mutilated documents alone.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::cast_possible_truncation,
    clippy::format_push_string,
    clippy::similar_names,
    reason = "a test stops at the first surprise"
)]

#[path = "../../../fuzz/claims/mutation.rs"]
#[expect(dead_code, reason = "texts are generated here, not seeds mutilated")]
mod mutation;

use bartizan_cluster::read::{Fragment, ReadOptions, split};
use bartizan_cluster::{Circumstances, KubernetesVersion, Provenance, Snapshot, Source, SourceId};
use bartizan_testbed::{Keys, YamlOracle};
use mutation::Dice;
use serde_json::Value;

const HEAD: &str = "apiVersion: bartizan.dev/v1\nkind: Probe\nmetadata: {name: probe}\n";

/// What the reader makes of a document that holds one object.
fn ours(text: &str) -> Result<Value, String> {
    let mut fragment = Fragment::new(ReadOptions { secret_key: [0; 32] });
    for document in split(text).0 {
        fragment.read(SourceId(0), text, &document);
    }
    let circumstances = Circumstances {
        provenance: Provenance::Files,
        sources: vec![Source::text("probe.yaml", text)],
        version: KubernetesVersion::NEWEST,
        observed_at: "2026-01-01T00:00:00Z".parse().unwrap(),
        missing: Vec::new(),
    };
    let snapshot = Snapshot::assemble(vec![fragment], circumstances);
    if let Some(problem) = snapshot.problems().iter().find(|problem| problem.kind.is_loss()) {
        return Err(problem.message.clone());
    }
    snapshot.objects().next().map(|object| object.root().to_json()).ok_or_else(|| "no object".to_owned())
}

/// Why the server refuses what is read here: a tag in braces with nothing behind it, a tab that begins a block of text, and a tab
/// before a comment.
const ACCEPTED_HERE_ONLY: [&str; 3] = [
    "did not find expected whitespace or line break",
    "found a tab character where an indentation space is expected",
    "found character that cannot start any token",
];

/// Why something is refused here that the server reads.
const REFUSED_HERE_ONLY: [&str; 5] = [
    "in brackets and braces YAML 1.1 and 1.2 read this tag differently",
    "comments must be separated from other tokens by whitespace",
    "in brackets and braces YAML 1.1 and 1.2 read `?` and a colon without a blank after it differently",
    "plain scalar cannot start with '-' followed by ,[]{}",
    "found unknown escape character",
];

/// How close the two must be.
#[derive(Clone, Copy, PartialEq)]
enum Agreement {
    Full,
    /// But for the closed lists.
    OnMeaning,
}

fn compare(texts: &[String], agreement: Agreement) {
    let tolerated = |list: &[&str], reason: &str| agreement == Agreement::OnMeaning && list.iter().any(|known| reason.contains(known));
    let oracle = YamlOracle::locate().unwrap();
    let bytes: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
    let answers = oracle.convert(&bytes, Keys::LastWins).unwrap();
    let (mut same, mut refused, mut differences) = (0, 0, Vec::new());
    for (text, server) in texts.iter().zip(answers) {
        match (ours(text), server) {
            (Ok(here), Ok(there)) if here == there => same += 1,
            (Err(_), Err(_)) => refused += 1,
            (Ok(_), Err(reason)) if tolerated(&ACCEPTED_HERE_ONLY, &reason) => refused += 1,
            (Err(reason), Ok(_)) if tolerated(&REFUSED_HERE_ONLY, &reason) => refused += 1,
            (here, there) => differences.push(format!("{text}\nhere:   {here:?}\nserver: {there:?}\n")),
        }
    }
    let some: Vec<&str> = differences.iter().take(12).map(String::as_str).collect();
    assert!(differences.is_empty(), "{} of {} differ ({same} equal, {refused} refused), among them\n{}", differences.len(), texts.len(), some.join("\n"));
    assert!(same * 4 > texts.len(), "only {same} of {} documents say anything", texts.len());
}

/// Texts that look like a number, a boolean or nothing, and their neighbours.
fn scalars() -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    for word in ["y", "yes", "true", "on", "n", "no", "false", "off", "null", "nil", "none", ".nan", ".inf", "+.inf", "-.inf"] {
        let capital = word.chars().enumerate().map(|(at, letter)| if at == 0 { letter.to_ascii_uppercase() } else { letter }).collect();
        let odd = word.chars().enumerate().map(|(at, letter)| if at % 2 == 1 { letter.to_ascii_uppercase() } else { letter }).collect();
        texts.extend([word.to_owned(), word.to_uppercase(), capital, odd, format!("{word}x"), format!("{word}_")]);
    }
    let edges = [
        "2147483647",
        "2147483648",
        "-2147483648",
        "-2147483649",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "-9223372036854775809",
        "18446744073709551615",
        "18446744073709551616",
        "+9223372036854775807",
        "+9223372036854775808",
        "0x7fffffffffffffff",
        "0xffffffffffffffff",
        "0x10000000000000000",
        "1e308",
        "1e309",
        "1e-400",
        "4.9e-324",
        "123456789012345678901234567890",
        "0.1",
        "1e21",
        "1e20",
        "1e-6",
        "1e-7",
        "123456.7",
        "1234567.8",
        "16777217.0",
        "2001-12-14",
        "2001-12-14T21:59:43Z",
        "1:30",
        "190:20:30",
        "=",
        "<<",
        "~",
        "~x",
        "-",
        "--",
        "0",
        "00",
        "-0",
        "+0",
        "-0.0",
        "0.0",
        "0_0",
        "0b-101",
        "0b+101",
        "-0b101",
        "-0b-1",
        "0B-1",
        "0b_1_0",
        "0x_F",
        "1__0",
        "_1",
        "1_",
        ".5",
        ".5_0",
        "._5",
        ".5_",
        "-.5_0",
        "5._0",
        "1_0.5_0e1_0",
        "0899",
        "0o17",
        "0O17",
        "0o8",
        "08.5",
        "1e+5",
        "1e+",
        "1.e5",
        "+.5e-3",
        "0x1p4",
        "0x1.8",
        "infinity",
        "Infinity",
        "nan",
        "1E5",
        "1d",
    ];
    texts.extend(edges.map(str::to_owned));
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let letters: Vec<char> = "0123456789012345678901234567____..eEeExXoObB+-+-abcdefyYnNtT~:/=<".chars().collect();
    for first in letters.iter().collect::<std::collections::BTreeSet<_>>() {
        for _ in 0..160 {
            let tail: String = (0..dice.below(7)).map(|_| letters[dice.below(letters.len())]).collect();
            texts.push(format!("{first}{tail}"));
        }
    }
    // A colon at the end makes a key, a lone dash an item.
    texts.retain(|text| !text.ends_with(':') && text != "-");
    texts
}

#[test]
fn plain_scalars_are_what_the_server_reads() {
    let texts: Vec<String> = scalars().iter().map(|scalar| format!("{HEAD}value: {scalar}\n")).collect();
    assert!(texts.len() > 4000);
    compare(&texts, Agreement::Full);
}

#[test]
fn plain_keys_are_what_the_server_reads() {
    let texts: Vec<String> =
        scalars().iter().filter(|scalar| !scalar.contains(':') && *scalar != "<<").map(|scalar| format!("{HEAD}value:\n  {scalar}: 1\n")).collect();
    compare(&texts, Agreement::Full);
}

#[test]
fn tagged_scalars_are_what_the_server_reads() {
    let mut texts = Vec::new();
    let values = [
        "",
        "~",
        "null",
        "yes",
        "12",
        "0x1F",
        "1.5",
        "12.0",
        ".inf",
        "text",
        "\"12\"",
        "'yes'",
        "\"\"",
        "aGVsbG8=",
        "aGVs bG8=",
        "//4=",
        "aGV=",
        "2001-12-14",
        "2001-1-4",
        "2001-12-14T21:59:43.10Z",
        "2001-12-14 21:59:43",
        "2001-12-14t21:59:43-05:00",
        "2001-13-14",
        "18446744073709551615",
        "9007199254740993",
    ];
    for tag in [
        "!!str",
        "!!int",
        "!!float",
        "!!bool",
        "!!null",
        "!!binary",
        "!!timestamp",
        "!!merge",
        "!!map",
        "!!seq",
        "!!set",
        "!foo",
        "!",
        "!<tag:yaml.org,2002:int>",
        "!<x>",
    ] {
        for value in values {
            texts.push(format!("{HEAD}value: {tag} {value}\n"));
            texts.push(format!("{HEAD}value:\n  {tag} {value}: 1\n"));
        }
        for value in ["[1, 2]", "{a: 1}"] {
            texts.push(format!("{HEAD}value: {tag} {value}\n"));
        }
    }
    compare(&texts, Agreement::Full);
}

/// A random value in block or flow style, at `indent`.
fn value(dice: &mut Dice, indent: usize, depth: usize, text: &mut String) {
    if dice.below(5) == 0 {
        text.push_str(&format!(" &{}", dice.pick(&["a", "b", "c"])));
    }
    let pad = " ".repeat(indent);
    match dice.below(if depth == 0 { 6 } else { 11 }) {
        0 => text.push_str(&format!(" {}\n", dice.pick(&["1", "yes", "0420", "text", "1.50", "two words", "a:b", "x#y", "~", "-1"]))),
        1 => text.push_str(&format!(" {}\n", dice.pick(&["\"a\\tb\"", "'it''s'", "\"\\u00e9\\x41\"", "''", "\"no\"", "\"folded\n   line\"", "'a: b'"]))),
        2 => text.push_str(&format!(" {} # why\n", dice.pick(&["12", "word", "\"q\"", "[]", "{}"]))),
        3 => {
            // An alias takes no anchor.
            if let Some(at) = text.rfind(" &").filter(|&at| !text[at + 2..].contains(['\n', ' '])) {
                text.truncate(at);
            }
            text.push_str(&format!(" *{}\n", dice.pick(&["a", "b", "c"])));
        }
        4 => text.push_str(&format!(" {}\n", dice.pick(&["[1, a, \"b\"]", "{x: 1, y: [2, {z: 3}]}", "{x: 1, x: 2}", "[*a]", "{<<: *a, k: v}", "[{<<: *b}]"]))),
        5 => text.push_str(&format!(" {}\n{pad}  one\n{pad}  two\n\n", dice.pick(&["|", "|-", "|+", ">", ">-"]))),
        6 | 7 => {
            text.push('\n');
            for _ in 0..=dice.below(3) {
                text.push_str(&format!("{pad}-"));
                value(dice, indent + 2, depth - 1, text);
            }
        }
        _ => {
            text.push('\n');
            for _ in 0..=dice.below(4) {
                let key = dice.pick(&["k", "l", "m", "n1", "yes", "0x10", "\"q\"", "<<", "<<"]);
                text.push_str(&format!("{pad}{key}:"));
                value(dice, indent + 2, depth - 1, text);
            }
        }
    }
}

#[test]
fn random_documents_are_what_the_server_reads() {
    let mut dice = Dice(0x4444_f42d_4c95_7f2d);
    let texts: Vec<String> = (0..12_000)
        .map(|_| {
            let mut text = HEAD.to_owned();
            // Anchors to begin with, so that most aliases have a target.
            text.push_str(dice.pick(&[
                "a0: &a {k: 1, l: 2}\nb0: &b {l: 3, yes: 4}\nc0: &c [1, 2]\n",
                "a0: &a {k: 1}\nb0: &b\n  <<: *a\n  m: {k: 5}\nc0: &c word\n",
                "",
            ]));
            text.push_str("value:");
            value(&mut dice, 2, 3, &mut text);
            if dice.below(3) == 0 {
                text.push_str("value:");
                value(&mut dice, 2, 2, &mut text);
            }
            match dice.below(12) {
                0 => text.replace('\n', "\r\n"),
                1 => text.replace('\n', "\u{85}"),
                2 => format!("\u{feff}{text}"),
                _ => text,
            }
        })
        .collect();
    compare(&texts, Agreement::Full);
}

#[test]
fn broken_documents_are_refused_as_the_server_refuses_them() {
    let base = format!(
        "{HEAD}value:\n  list: [a, {{b: 1}}]\n  text: |\n    one\n    two\n  quoted: \"x\\ny\"\n  anchor: &x {{k: 1}}\n  merged:\n    <<: *x\n    other: 'it''s'\n  - not\n"
    );
    let base = base.replace("  - not\n", "  last: 1\n");
    let mut dice = Dice(0x7777_1234_5678_9abc);
    let noise: Vec<char> = "{}[]:,-?#&*!|>'\"%@` \n\tx0~<".chars().collect();
    let texts: Vec<String> = (0..10_000)
        .map(|_| {
            let mut letters: Vec<char> = base.chars().collect();
            // The head stays: a text without a kind is no object here.
            for _ in 0..=dice.below(2) {
                let at = HEAD.len() + dice.below(letters.len() - HEAD.len());
                match dice.below(3) {
                    0 => letters[at] = noise[dice.below(noise.len())],
                    1 => letters.insert(at, noise[dice.below(noise.len())]),
                    _ => drop(letters.remove(at)),
                }
            }
            letters.into_iter().collect()
        })
        .collect();
    compare(&texts, Agreement::OnMeaning);
}
