//! Knows enough of a kustomization to tell which files beside it are patches and not manifests.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use granit_parser::{Event, Parser};

/// What the file is called.
pub(super) const FILES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// The top-level fields that name files which mean something only to Kustomize.
const PART_FIELDS: [&str; 8] =
    ["patches", "patchesStrategicMerge", "patchesJson6902", "replacements", "transformers", "generators", "validators", "configurations"];

/// So much of a kustomization is looked at.
const FILE_MAX: u64 = 1 << 20;

/// The files that the kustomization at `path` names as patches and the like; none if it cannot be read.
pub(super) fn parts(path: &Path) -> Vec<String> {
    beginning(path).map_or_else(|_| Vec::new(), |bytes| parts_of(&String::from_utf8_lossy(&bytes)))
}

fn beginning(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn parts_of(text: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut depth = 0usize;
    let mut is_key = true;
    let mut names_parts = false;
    for event in Parser::new_from_str(text) {
        let Ok((event, _)) = event else { break };
        match event {
            Event::MappingStart(..) | Event::SequenceStart(..) => depth += 1,
            Event::MappingEnd | Event::SequenceEnd => {
                depth = depth.saturating_sub(1);
                is_key |= depth == 1;
            }
            Event::Scalar(value, ..) if depth == 1 => {
                if is_key {
                    names_parts = PART_FIELDS.contains(&value.as_ref());
                }
                is_key = !is_key;
            }
            Event::Scalar(value, ..) if names_parts => parts.push(value.into_owned()),
            _ => {}
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_are_told_from_resources() {
        let text = "kind: Kustomization\nresources: [a.yaml, b.yaml]\npatches:\n- path: p.yaml\n  target: {kind: Deployment}\nnamespace: x\npatchesStrategicMerge:\n- q.yaml\nimages:\n- name: r.yaml\n";
        let parts = parts_of(text);
        for (name, is_part) in [("p.yaml", true), ("q.yaml", true), ("a.yaml", false), ("r.yaml", false)] {
            assert_eq!(parts.iter().any(|part| part == name), is_part, "{name}");
        }
    }

    #[test]
    fn a_broken_kustomization_names_what_stands_before_the_fault() {
        assert_eq!(parts_of("patches:\n- path: p.yaml\nresources: [a"), ["path", "p.yaml"]);
    }
}
