//! Questions that come one a line, each answered in its place: a line that is none is told of and hides no other.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;

use anyhow::{Context as _, Result};

/// A line that is longer than this is no question.
const LINE_MAX: usize = 1 << 20;

/// How much is read at once.
const BUFFER: usize = 1 << 16;

/// Whether `--batch FILE` means standard input.
pub(crate) fn is_standard_input(file: &Path) -> bool {
    file.as_os_str() == "-"
}

/// The lines of a file, or of standard input if it is `-`.
pub(crate) fn open(file: &Path) -> Result<Box<dyn BufRead>> {
    if is_standard_input(file) {
        return Ok(Box::new(BufReader::with_capacity(BUFFER, io::stdin().lock())));
    }
    let opened = File::open(file).with_context(|| format!("`{}` could not be read", file.display()))?;
    Ok(Box::new(BufReader::with_capacity(BUFFER, opened)))
}

/// Hands every line that is not blank to `answer`; of one that is too long, why it is no question.
pub(crate) fn each(mut lines: impl BufRead, mut answer: impl FnMut(Result<&[u8], String>) -> Result<()>) -> Result<()> {
    let mut answer = |line: &[u8]| match line {
        _ if line.len() > LINE_MAX => answer(Err(format!("the line is longer than {LINE_MAX} bytes"))),
        _ if line.trim_ascii().is_empty() => Ok(()),
        _ => answer(Ok(line)),
    };
    let mut begun = Vec::new();
    loop {
        let read = match lines.fill_buf() {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        // Nearly every line lies in the buffer as a whole.
        if let Some(end) = memchr::memchr(b'\n', read) {
            answer(read.get(..=end).unwrap_or_default())?;
            lines.consume(end + 1);
            continue;
        }
        begun.clear();
        if lines.by_ref().take(LINE_MAX as u64 + 1).read_until(b'\n', &mut begun)? == 0 {
            return Ok(());
        }
        if begun.len() > LINE_MAX && !begun.ends_with(b"\n") {
            lines.skip_until(b'\n')?;
        }
        answer(&begun)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(text: &[u8]) -> Vec<Option<usize>> {
        let mut found = Vec::new();
        each(text, |line| {
            found.push(line.ok().map(<[u8]>::len));
            Ok(())
        })
        .unwrap();
        found
    }

    #[test]
    fn blank_lines_ask_nothing() {
        assert_eq!(lengths(b"{}\n\n  \r\n{} \n[]"), [Some(3), Some(4), Some(2)]);
        assert_eq!(lengths(b""), []);
    }

    #[test]
    fn a_line_that_is_too_long_is_one_answer_and_hides_no_other() {
        for length in [LINE_MAX - 1, LINE_MAX, LINE_MAX + 1, 3 * LINE_MAX] {
            let text = [b"{}\n".as_slice(), &vec![b'x'; length], b"\n{}\n"].concat();
            let middle = (length < LINE_MAX).then_some(length + 1);
            assert_eq!(lengths(&text), [Some(3), middle, Some(3)], "{length}");
        }
        assert_eq!(lengths(&vec![b'x'; 2 * LINE_MAX]), [None]);
    }
}
