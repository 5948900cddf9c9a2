//! Waivers in comments of manifests: `# bartizan: waive host-pid the agent reads /proc until=2027-01-01 owner=platform`.
//!
//! Behind a field the comment covers its line, on a line of its own the line below, and at the top of a document the whole
//! object. What looks like a comment inside a string (a script in a ConfigMap) is none.

use bartizan_cluster::{ObjectView, Snapshot, Source, Value};

use super::{Fault, Parts, Rejected, Target, Waivers, Written};

const MARK: &str = "bartizan:";

/// What people write who mean `waive`.
const MEANT: [&str; 7] = ["ignore", "skip", "disable", "allow", "suppress", "exempt", "accept"];

pub(super) fn collect(snapshot: &Snapshot, waivers: &mut Waivers) {
    for (source, document) in documents(snapshot, |text| text.contains(MARK)) {
        document.comments(source, |comment, place| document.take(snapshot, source, &comment, place, waivers));
    }
}

/// A YAML document with its objects: several if it is a list.
pub(super) struct Document<'a> {
    range: (u32, u32),
    objects: Vec<ObjectView<'a>>,
}

/// A comment: where it begins, and its text behind the `#`.
pub(super) struct Comment<'t> {
    pub(super) offset: u32,
    pub(super) text: &'t str,
}

/// What a comment belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The whole document: it stands above the first field.
    Document,
    /// The line that begins at this byte.
    LineAt(u32),
}

/// The YAML documents that hold objects, of the sources whose text is `wanted`, in their order.
pub(super) fn documents(snapshot: &Snapshot, wanted: impl Fn(&str) -> bool) -> Vec<(&Source, Document<'_>)> {
    let sources: Vec<Option<&Source>> = snapshot.sources().map(|source| Some(source).filter(|source| source.content().is_some_and(&wanted))).collect();
    let mut documents: Vec<(&Source, Document<'_>)> = Vec::new();
    if sources.iter().all(Option::is_none) {
        return documents;
    }
    for object in snapshot.objects() {
        let origin = object.origin();
        let Some((source, range)) = sources.get(origin.source.0 as usize).copied().flatten().zip(origin.range).filter(|_| !origin.is_json) else { continue };
        match documents.last_mut() {
            Some((of, last)) if std::ptr::eq(*of, source) && last.range == range => last.objects.push(object),
            _ => documents.push((source, Document { range, objects: vec![object] })),
        }
    }
    documents
}

impl<'a> Document<'a> {
    /// The object at byte `offset`, or the first one.
    pub(super) fn object_at(&self, offset: u32) -> Option<ObjectView<'a>> {
        let start = |object: &&ObjectView<'a>| object.root().span().map_or(0, |span| span.start);
        self.objects.iter().filter(|object| start(object) <= offset).max_by_key(start).or(self.objects.first()).copied()
    }

    /// Shows every comment to `each`, with what it belongs to.
    pub(super) fn comments<'t>(&self, source: &'t Source, mut each: impl FnMut(Comment<'t>, Place)) {
        let (start, end) = self.range;
        let Some(text) = source.content().and_then(|text| text.get(start as usize..end as usize)) else { return };
        let mut at_top = true;
        let mut strings: Option<Vec<(u32, u32)>> = None;
        // Comments that wait for the line below.
        let mut waiting: Vec<Comment<'t>> = Vec::new();
        let mut line_start = start;
        for line in text.split_inclusive('\n') {
            let hash = comment_starts(line).find(|&at| {
                let strings = strings.get_or_insert_with(|| self.strings());
                let offset = line_start + at;
                !strings.iter().any(|&(start, end)| (start..end).contains(&offset))
            });
            let before = hash.and_then(|at| line.get(..at as usize)).unwrap_or(line).trim_start_matches('\u{feff}').trim();
            let structural = before.is_empty() || before == "---" || before.starts_with('%');
            let comment = hash.and_then(|at| Some(Comment { offset: line_start + at, text: line.get(at as usize + 1..)?.trim() }));
            if !structural {
                at_top = false;
                waiting.drain(..).for_each(|comment| each(comment, Place::LineAt(line_start)));
            }
            match comment {
                Some(comment) if at_top => each(comment, Place::Document),
                Some(comment) if structural => waiting.push(comment),
                Some(comment) => each(comment, Place::LineAt(line_start)),
                None => {}
            }
            line_start += u32::try_from(line.len()).unwrap_or(u32::MAX - line_start);
        }
        for comment in waiting {
            let own = comment.offset;
            each(comment, Place::LineAt(own));
        }
    }

    /// The bytes that strings and other scalars take.
    fn strings(&self) -> Vec<(u32, u32)> {
        let mut found = Vec::new();
        for object in &self.objects {
            scalars(object.root(), &mut found);
        }
        found
    }

    fn take(&self, snapshot: &Snapshot, source: &Source, comment: &Comment<'_>, place: Place, waivers: &mut Waivers) {
        let Some(instruction) = comment.text.strip_prefix(MARK).map(str::trim_start) else { return };
        let (word, rest) = instruction.split_once(char::is_whitespace).unwrap_or((instruction, ""));
        let object = self.object_at(comment.offset);
        let (check, _) = rest.trim_start().split_once(char::is_whitespace).unwrap_or((rest.trim(), ""));
        let written = Written {
            location: source.location(comment.offset),
            path: format!("comment[waive={check}]"),
            subject: object.map(|object| snapshot.owner_of(object).reference),
            copied: false,
        };
        if word != "waive" {
            // Other remarks about the program are remarks.
            if crate::suggest::nearest(word, ["waive"]).is_some() || MEANT.contains(&word) {
                waivers.rejected.push(Rejected { written, fault: Fault::UnknownInstruction(word.to_owned()) });
            }
            return;
        }
        let target = match place {
            Place::Document => Target::Objects(self.objects.iter().map(|object| object.reference()).collect()),
            Place::LineAt(offset) => Target::Line { file: source.name().to_owned(), line: source.location(offset).map_or(0, |location| location.line) },
        };
        parse(rest).finish(target, written, waivers);
    }
}

/// Takes `check reason… until=… owner=…` apart.
fn parse(text: &str) -> Parts<'_> {
    let mut words = text.split_whitespace();
    let mut parts = Parts { check: words.next().unwrap_or(""), ..Parts::default() };
    let mut reason = Vec::new();
    for word in words {
        match word.split_once('=') {
            Some(("until", value)) => parts.until = Some(value),
            Some(("owner", value)) => parts.owner = Some(value).filter(|owner| !owner.is_empty()),
            Some((name, _)) if crate::suggest::nearest(name, ["until", "owner"]).is_some() => parts.unknown.push(name),
            _ => reason.push(word),
        }
    }
    parts.reason = reason.join(" ");
    parts
}

/// The bytes of those `#` that can begin a comment.
fn comment_starts(line: &str) -> impl Iterator<Item = u32> {
    let free = |at: usize| line.get(..at).is_some_and(|before| before.is_empty() || before.ends_with([' ', '\t', '\u{feff}']));
    line.match_indices('#').map(|(at, _)| at).filter(move |&at| free(at)).filter_map(|at| u32::try_from(at).ok())
}

fn scalars(value: Value<'_>, found: &mut Vec<(u32, u32)>) {
    if value.is_map() || value.is_list() {
        value.items().chain(value.entries().map(|(_, child)| child)).for_each(|child| scalars(child, found));
    } else if let Some(span) = value.span() {
        found.push((span.value, span.end));
    }
}

#[cfg(test)]
mod tests {
    use super::super::apply::tests::{placed, world};
    use super::*;

    const TEXT: &str = "\
# Ours.
# bartizan: waive host-network the whole object needs it until=2027-01-01
apiVersion: v1
kind: Pod
metadata:
  name: a
  labels: {app: \"# bartizan: waive no-comment here\"}
spec:
  hostPID: true # bartizan: waive host-pid reads /proc owner=ops
  # bartizan: waive host-ipc  shares memory

  # with the sidecar
  hostIPC: true
  containers:
    - name: x
      args:
        - |
          # bartizan: waive script a line of a script
          true
  # bartizan: waive last nothing below
--- # bartizan: waive second of the second document
apiVersion: v1
kind: Pod
metadata: {name: b}
";

    #[test]
    fn a_comment_covers_its_line_the_line_below_or_the_object() {
        let waivers = Waivers::of(&world(TEXT));
        assert_eq!(waivers.rejected, []);
        let read: Vec<String> =
            waivers.accepted.iter().map(|waiver| format!("{} {} | {} | {}", placed(&waiver.written), waiver.check, waiver.target, waiver.reason)).collect();
        assert_eq!(
            read,
            [
                "a.yaml:2 host-network | Pod default/a | the whole object needs it",
                "a.yaml:9 host-pid | a.yaml:9 | reads /proc",
                "a.yaml:10 host-ipc | a.yaml:13 | shares memory",
                "a.yaml:20 last | a.yaml:20 | nothing below",
                "a.yaml:21 second | Pod default/b | of the second document",
            ]
        );
        assert_eq!(waivers.accepted[1].owner.as_deref(), Some("ops"));
        assert_eq!(waivers.accepted[0].until, "2027-01-01".parse().ok());
        assert_eq!(waivers.accepted[2].written.subject.as_ref().map(|subject| subject.name.as_str()), Some("a"));
    }

    #[test]
    fn windows_line_ends_and_a_byte_order_mark_change_nothing() {
        let text = format!("\u{feff}{}", TEXT.replace('\n', "\r\n"));
        let lines = |text: &str| Waivers::of(&world(text)).accepted.iter().map(|waiver| (placed(&waiver.written), waiver.reason.clone())).collect::<Vec<_>>();
        assert_eq!(lines(&text), lines(TEXT));
    }

    /// Wherever a text ends, what stands before is read, and no waiver points at a line that is not there.
    #[test]
    fn a_text_that_ends_anywhere_is_read() {
        for end in (0..=TEXT.len()).filter(|&end| TEXT.is_char_boundary(end)) {
            let text = &TEXT[..end];
            let lines = u32::try_from(text.lines().count()).unwrap();
            for waiver in Waivers::of(&world(text)).accepted {
                assert!(waiver.written.location.as_ref().is_some_and(|at| at.line <= lines), "{text}");
                assert!(!matches!(waiver.target, Target::Line { line, .. } if line == 0 || line > lines), "{text}");
            }
        }
    }

    #[test]
    fn a_slip_is_told_and_a_remark_is_not() {
        let text = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a # bartizan: ignore host-pid because\n  # bartizan: wave host-pid because\n  # bartizan: see the handbook\n  # bartizan: waive\n  # bartizan: waive host-pid because untill=2027-01-01\n";
        let waivers = Waivers::of(&world(text));
        assert!(waivers.accepted.is_empty());
        let faults: Vec<Fault> = waivers.rejected.into_iter().map(|rejected| rejected.fault).collect();
        assert_eq!(
            faults,
            [
                Fault::UnknownInstruction("ignore".to_owned()),
                Fault::UnknownInstruction("wave".to_owned()),
                Fault::NoCheck,
                Fault::NoReason(String::new()),
                Fault::UnknownField("untill".to_owned()),
            ]
        );
    }

    #[test]
    fn every_object_of_a_list_is_covered_from_its_top() {
        let waivers = Waivers::of(&world(
            "# bartizan: waive host-pid all\napiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: a}\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: b}\n",
        ));
        assert_eq!(waivers.accepted[0].target.to_string(), "Pod default/a, Pod default/b");
    }
}
