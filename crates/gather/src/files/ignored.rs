//! Ignore files: one pattern a line, in the syntax of `.gitignore`. A line that is no pattern is told of and hides no other.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use ignore::gitignore::{Gitignore, GitignoreBuilder};

/// What is longer is no list that anybody wrote.
const FILE_MAX: u64 = 1 << 20;

/// No path is longer.
const LINE_MAX: usize = 4096;

/// Reads the ignore file at `path`: its patterns, and what is wrong with other lines.
pub(super) fn read(path: &Path) -> io::Result<(Gitignore, Vec<String>)> {
    // Opening a pipe waits for somebody who writes.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_MAX + 1).read_to_end(&mut bytes)?;
    let mut cut = None;
    if bytes.len() as u64 > FILE_MAX {
        let whole_lines = bytes.iter().rposition(|&byte| byte == b'\n').unwrap_or(0);
        bytes.truncate(whole_lines);
        cut = Some(format!("the file is larger than {} MiB; what stands behind that is not heeded", FILE_MAX >> 20));
    }
    let (patterns, mut faults) = parse(&bytes);
    faults.extend(cut);
    Ok((patterns, faults))
}

fn parse(bytes: &[u8]) -> (Gitignore, Vec<String>) {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut faults = Vec::new();
    let mut lines: Vec<(usize, &str)> = Vec::new();
    for (line, number) in bytes.split(|&byte| byte == b'\n').zip(1..) {
        match std::str::from_utf8(line.strip_suffix(b"\r").unwrap_or(line)) {
            Ok(line) if line.len() > LINE_MAX => faults.push((number, format!("a pattern of more than {LINE_MAX} bytes"))),
            Ok(line) => lines.push((number, line)),
            Err(_) => faults.push((number, "not UTF-8".to_owned())),
        }
    }
    let mut builder = GitignoreBuilder::new("");
    lines.retain(|&(number, line)| match builder.add_line(None, line) {
        Ok(_) => true,
        Err(error) => {
            faults.push((number, reason_of(&error)));
            false
        }
    });
    let patterns = builder.build().unwrap_or_else(|_| {
        // A pattern can be well-formed and too large to match by; it is found by building each alone.
        let mut builder = GitignoreBuilder::new("");
        for (number, line) in lines {
            match alone(line) {
                Ok(()) => drop(builder.add_line(None, line)),
                Err(error) => faults.push((number, reason_of(&error))),
            }
        }
        builder.build().unwrap_or_else(|error| {
            faults.push((1, format!("the patterns together: {}", reason_of(&error))));
            Gitignore::empty()
        })
    });
    faults.sort();
    (patterns, faults.into_iter().map(|(number, reason)| format!("line {number} is passed over: {reason}")).collect())
}

fn alone(line: &str) -> Result<(), ignore::Error> {
    let mut builder = GitignoreBuilder::new("");
    builder.add_line(None, line)?;
    builder.build().map(|_| ())
}

/// What is wrong with a pattern, without where it stands.
pub(super) fn reason_of(error: &ignore::Error) -> String {
    match error {
        ignore::Error::Glob { err, .. } => err.clone(),
        ignore::Error::WithPath { err, .. } | ignore::Error::WithLineNumber { err, .. } | ignore::Error::WithDepth { err, .. } => reason_of(err),
        ignore::Error::Partial(errors) => errors.iter().map(reason_of).collect::<Vec<_>>().join("; "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ignores(patterns: &Gitignore, path: &str) -> bool {
        patterns.matched(path, false).is_ignore()
    }

    #[test]
    fn lines_are_patterns_and_a_bad_one_hides_no_other() {
        let (patterns, faults) = parse(b"\xef\xbb\xbfold/\r\n# a remark\n\xff\xfe\n[z-a]\n*.tmp.yaml\n!keep.tmp.yaml\n");
        assert!(patterns.matched("old", true).is_ignore());
        assert!(ignores(&patterns, "a/b.tmp.yaml") && !ignores(&patterns, "keep.tmp.yaml") && !ignores(&patterns, "a remark"));
        assert_eq!(faults.len(), 2, "{faults:?}");
        assert_eq!(faults[0], "line 3 is passed over: not UTF-8");
        assert!(faults[1].starts_with("line 4 is passed over: "), "{faults:?}");
    }

    #[test]
    fn a_pattern_without_measure_is_passed_over() {
        let long = format!("{}\n", "a".repeat(LINE_MAX + 1));
        let wide = format!("a{}.yaml\n", "{b,c?*[d-z]}".repeat(300));
        let (patterns, faults) = parse(format!("{long}{wide}c.yaml\n").as_bytes());
        assert!(ignores(&patterns, "c.yaml"));
        assert!(faults[0].starts_with("line 1 is passed over: a pattern of more"), "{faults:?}");
    }
}
