//! From the bytes of a log to its events: lines, documents over several lines, lists, and one level of wrapping.

use std::io::{self, BufRead};

use memchr::memchr;
use serde_json::value::RawValue;

use crate::event::Event;
use crate::problem::{Problem, Trouble};
use crate::wrapping::{Inside, Wrapping};

/// The largest document that is held: an event with the list of all pods of a large cluster fits, and so does an `EventList`
/// as the server sends it.
const DOCUMENT_MAX: usize = 64 << 20;

/// So many problems are kept with their lines; the others are counted.
const PROBLEMS_MAX: usize = 1000;

/// A wrapping in a list of wrappings: as deep as anything exports.
const WRAPPINGS_MAX: usize = 3;

/// A line may begin with the time at which a collector saw it, its stream and its tag, before the event.
const PREFIX_MAX: usize = 64;

/// What was read, and what was not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// How many bytes were read.
    pub bytes: u64,
    /// How many lines.
    pub lines: u64,
    /// How many events.
    pub events: u64,
    /// What was not counted, in the order of the lines; the first thousand.
    pub problems: Vec<Problem>,
    /// How many there were.
    pub problem_count: u64,
}

impl Tally {
    fn trouble(&mut self, line: u64, trouble: Trouble) {
        self.problem_count += 1;
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(Problem { line, trouble });
        }
    }
}

/// Reads a log to its end and hands out each event in its order.
///
/// An event or a list of events may stand in one line or in several; lines may be the elements of an array. What cannot be
/// read is a problem with its line, and the rest is read: a brace at the start of a line begins a new document. Memory is
/// bounded by the largest document that is accepted.
pub fn read(mut input: impl BufRead, mut take: impl FnMut(&Event<'_>)) -> io::Result<Tally> {
    let mut reader = Reader { tally: Tally::default(), take: &mut take };
    let mut pending = Pending::default();
    let mut line = Vec::new();
    loop {
        let end = match next_line(&mut input, &mut line) {
            Ok(end) => end,
            // What came out of a compressed file before it breaks off counts.
            Err(error) if is_damage(&error) => {
                reader.tally.trouble(reader.tally.lines + 1, Trouble::Damaged(error.to_string()));
                break;
            }
            Err(error) => return Err(error),
        };
        if line.is_empty() && end == LineEnd::EndOfInput {
            break;
        }
        reader.tally.lines += 1;
        if end == LineEnd::TooFar {
            reader.tally.bytes += skip_line(&mut input)?;
        }
        reader.tally.bytes += line.len() as u64;
        // Without its line feed, a line that ends in a string is one that was cut.
        reader.line(line.strip_suffix(b"\n").unwrap_or(&line), line.len() > DOCUMENT_MAX, &mut pending);
    }
    if let Some(line) = pending.give_up() {
        reader.tally.trouble(line, Trouble::Cut);
    }
    Ok(reader.tally)
}

/// Whether it is the content that cannot be read, and not the file.
fn is_damage(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LineEnd {
    /// A line feed.
    Feed,
    /// Nothing follows.
    EndOfInput,
    /// The line is longer than anything that is held.
    TooFar,
}

/// Reads one line, with its line feed, into `line`.
fn next_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<LineEnd> {
    line.clear();
    loop {
        let available = match input.fill_buf() {
            Ok(available) => available,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if available.is_empty() {
            return Ok(LineEnd::EndOfInput);
        }
        let end = memchr(b'\n', available);
        let taken = end.map_or(available.len(), |at| at + 1);
        line.extend_from_slice(available.get(..taken).unwrap_or_default());
        input.consume(taken);
        if end.is_some() {
            return Ok(LineEnd::Feed);
        }
        if line.len() > DOCUMENT_MAX {
            return Ok(LineEnd::TooFar);
        }
    }
}

/// Over the rest of a line that is too long; how many bytes that was.
fn skip_line(input: &mut impl BufRead) -> io::Result<u64> {
    let mut skipped = 0;
    loop {
        let available = match input.fill_buf() {
            Ok(available) => available,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if available.is_empty() {
            return Ok(skipped);
        }
        let end = memchr(b'\n', available);
        let taken = end.map_or(available.len(), |at| at + 1);
        input.consume(taken);
        skipped += taken as u64;
        if end.is_some() {
            return Ok(skipped);
        }
    }
}

/// A document that began in an earlier line and is not complete.
#[derive(Debug, Default)]
struct Pending {
    text: Vec<u8>,
    first_line: u64,
    braces: Braces,
}

impl Pending {
    fn begin(&mut self, text: &[u8], line: u64, braces: Braces) {
        self.text.clear();
        self.text.extend_from_slice(text);
        self.first_line = line;
        self.braces = braces;
    }

    fn is_there(&self) -> bool {
        self.first_line != 0
    }

    /// Forgets it; the line in which it began.
    fn give_up(&mut self) -> Option<u64> {
        let line = std::mem::take(&mut self.first_line);
        self.text.clear();
        (line != 0).then_some(line)
    }
}

/// How far a text is from being a complete JSON object or array.
#[derive(Debug, Clone, Copy, Default)]
struct Braces {
    depth: u32,
    in_string: bool,
    is_escaped: bool,
}

impl Braces {
    /// Goes on with `bytes`; where the outermost brace closes, if it does.
    fn go_on(&mut self, bytes: &[u8]) -> Option<usize> {
        for (at, &byte) in bytes.iter().enumerate() {
            if self.in_string {
                match byte {
                    _ if self.is_escaped => self.is_escaped = false,
                    b'\\' => self.is_escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth = self.depth.saturating_add(1),
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(at + 1);
                    }
                }
                _ => {}
            }
        }
        None
    }
}

/// What stands between the documents of a log: blanks, and the commas and brackets of an array of them.
fn is_separator(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b',' | b'[' | b']')
}

struct Reader<'t, F> {
    tally: Tally,
    take: &'t mut F,
}

impl<F: FnMut(&Event<'_>)> Reader<'_, F> {
    fn line(&mut self, line: &[u8], is_too_long: bool, pending: &mut Pending) {
        let number = self.tally.lines;
        if pending.is_there() {
            if prefix(line).is_none() && !is_too_long && pending.text.len() + line.len() <= DOCUMENT_MAX {
                self.go_on(line, number, pending);
                return;
            }
            let trouble = if prefix(line).is_some() { Trouble::Cut } else { Trouble::TooLong { limit: DOCUMENT_MAX } };
            let first = pending.give_up().unwrap_or(number);
            self.tally.trouble(first, trouble);
        }
        if is_too_long {
            self.tally.trouble(number, Trouble::TooLong { limit: DOCUMENT_MAX });
        } else {
            self.documents(line, number, pending);
        }
    }

    fn go_on(&mut self, line: &[u8], number: u64, pending: &mut Pending) {
        let end = pending.braces.go_on(line);
        let (inside, after) = line.split_at_checked(end.unwrap_or(line.len())).unwrap_or_default();
        pending.text.extend_from_slice(inside);
        if end.is_none() {
            return;
        }
        let first = pending.first_line;
        let text = std::mem::take(&mut pending.text);
        pending.give_up();
        match serde_json::from_slice::<&RawValue>(&text) {
            Ok(json) => self.document(json.get().as_bytes(), first, 0),
            Err(error) => self.tally.trouble(first, Trouble::Syntax(error.to_string())),
        }
        self.documents(after, number, pending);
    }

    /// The documents of one line.
    fn documents(&mut self, line: &[u8], number: u64, pending: &mut Pending) {
        let mut left = line;
        loop {
            while let Some((&byte, rest)) = left.split_first()
                && is_separator(byte)
            {
                left = rest;
            }
            if left.is_empty() {
                return;
            }
            let Some(start) = prefix(left) else {
                self.tally.trouble(number, Trouble::Foreign);
                return;
            };
            left = left.get(start..).unwrap_or_default();
            let mut values = serde_json::Deserializer::from_slice(left).into_iter::<Event<'_>>();
            match values.next() {
                Some(Ok(event)) => {
                    let end = values.byte_offset();
                    let (inside, after) = left.split_at_checked(end).unwrap_or_default();
                    if event.is_event() {
                        self.event(&event, number);
                    } else {
                        self.unwrap(inside, number, 0);
                    }
                    left = after;
                }
                Some(Err(error)) if error.is_eof() => {
                    let mut braces = Braces::default();
                    braces.go_on(left);
                    if braces.in_string {
                        // No line ends inside a string.
                        self.tally.trouble(number, Trouble::Cut);
                    } else {
                        pending.begin(left, number, braces);
                    }
                    return;
                }
                Some(Err(error)) => {
                    // Something that is JSON but no event may wrap one.
                    let mut values = serde_json::Deserializer::from_slice(left).into_iter::<&RawValue>();
                    let Some(Ok(_)) = values.next() else {
                        self.tally.trouble(number, Trouble::Syntax(plain(&error)));
                        return;
                    };
                    let (inside, after) = left.split_at_checked(values.byte_offset()).unwrap_or_default();
                    self.unwrap(inside, number, 0);
                    left = after;
                }
                None => return,
            }
        }
    }

    /// One complete JSON object.
    fn document(&mut self, json: &[u8], line: u64, depth: usize) {
        match serde_json::from_slice::<Event<'_>>(json) {
            Ok(event) if event.is_event() => self.event(&event, line),
            _ => self.unwrap(json, line, depth),
        }
    }

    fn event(&mut self, event: &Event<'_>, line: u64) {
        match event.check_version() {
            Ok(()) => {
                self.tally.events += 1;
                (self.take)(event);
            }
            Err(trouble) => self.tally.trouble(line, trouble),
        }
    }

    fn unwrap(&mut self, json: &[u8], line: u64, depth: usize) {
        if depth >= WRAPPINGS_MAX {
            self.tally.trouble(line, Trouble::Nested);
            return;
        }
        let opened = match serde_json::from_slice::<Wrapping<'_>>(json) {
            Ok(wrapping) => wrapping.open(),
            Err(error) => Err(Trouble::Syntax(plain(&error))),
        };
        match opened {
            Ok(Inside::Several(several)) => {
                for one in several {
                    self.document(one.get().as_bytes(), line, depth + 1);
                }
            }
            Ok(Inside::One(one)) => match prefix(one.as_bytes()).and_then(|start| one.get(start..)) {
                Some(json) => self.inner(json.trim_end(), line, depth + 1),
                None => self.tally.trouble(line, Trouble::Foreign),
            },
            Err(trouble) => self.tally.trouble(line, trouble),
        }
    }

    /// The text of a wrapping, which a cloud may have cut.
    fn inner(&mut self, json: &str, line: u64, depth: usize) {
        match serde_json::from_str::<&RawValue>(json) {
            Ok(_) => self.document(json.as_bytes(), line, depth),
            Err(error) if error.is_eof() => self.tally.trouble(line, Trouble::Cut),
            Err(error) => self.tally.trouble(line, Trouble::Syntax(plain(&error))),
        }
    }
}

/// Where the brace of a document stands: at once, or behind the time at which a collector saw the line.
fn prefix(text: &[u8]) -> Option<usize> {
    match text.first()? {
        b'{' => Some(0),
        b'0'..=b'9' => memchr(b'{', text.get(..text.len().min(PREFIX_MAX)).unwrap_or_default()),
        _ => None,
    }
}

/// The message without its place: in a line of a log the line is what helps.
fn plain(error: &serde_json::Error) -> String {
    let message = error.to_string();
    message.rsplit_once(" at line ").map_or(message.clone(), |(what, _)| what.to_owned())
}
