//! Files of intents: a small YAML of `permits` and `forbids`, read as manifests are.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use bartizan_cluster::read::{Fragment, ReadOptions, split};
use bartizan_cluster::{Circumstances, KubernetesVersion, Provenance, Snapshot, Source, SourceId};
use bartizan_network::Intents;
use jiff::Timestamp;

/// What makes an object of the lists.
const HEAD: &str = "apiVersion: bartizan.dev/v1\nkind: NetworkIntents\nmetadata: {name: intents}\nspec:\n";

/// Reads the intents of a file.
pub(crate) fn read(path: &Path) -> Result<Intents> {
    let written = std::fs::read_to_string(path).with_context(|| format!("`{}` could not be read", path.display()))?;
    parse(&written).with_context(|| format!("`{}` is no file of intents", path.display()))
}

fn parse(written: &str) -> Result<Intents> {
    let indented: Vec<String> = written.lines().filter(|line| line.trim_end() != "---").map(|line| format!("  {line}")).collect();
    let text = format!("{HEAD}{}\n", indented.join("\n"));
    let mut fragment = Fragment::new(ReadOptions { secret_key: [0; 32] });
    for document in split(&text).0 {
        fragment.read(SourceId(0), &text, &document);
    }
    let circumstances = Circumstances {
        provenance: Provenance::Files,
        sources: vec![Source::text("intents", &text)],
        version: KubernetesVersion::NEWEST,
        observed_at: Timestamp::UNIX_EPOCH,
        missing: Vec::new(),
    };
    let snapshot = Snapshot::assemble(vec![fragment], circumstances);
    if let Some(problem) = snapshot.problems().first() {
        bail!("{}", problem.message);
    }
    let spec = snapshot.objects().next().and_then(bartizan_cluster::ObjectView::spec).context("there are neither `permits` nor `forbids`")?;
    Ok(serde_json::from_value(spec.to_json())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intents_are_lists_of_connections() {
        let intents = parse("---\npermits:\n- from: shop/*\n  to: data/StatefulSet/redis\n  port: 6379\nforbids: [{from: '*', to: data/*}]\n").unwrap();
        assert_eq!((intents.permits.len(), intents.forbids.len()), (1, 1));
        assert_eq!((intents.permits[0].from.as_str(), intents.permits[0].port), ("shop/*", Some(6379)));
    }

    #[test]
    fn what_nobody_knows_is_an_error() {
        for text in ["permit: []", "permits: [{from: a}]", "forbids: {}", "permits: [{from: a, to: b, ports: 1}]", ""] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
