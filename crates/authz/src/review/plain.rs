//! Reviews as programs write them, read without a detour: known fields whose texts have no escapes.
//!
//! Whatever else a line holds is left to the reader of all JSON in [`super`], which also says what is wrong with it. What is read
//! here is read there in the same way: `lines_are_read_as_the_reader_of_all_json_reads_them` holds the two together.

use bartizan_cluster::access::Text;

use super::{PathAttributes, ResourceAttributes, Spec};

/// The spec of a line that is plain.
pub(super) fn spec(line: &[u8]) -> Option<Spec<'_>> {
    let mut cursor = Cursor { text: std::str::from_utf8(line).ok()?, at: 0 };
    let mut spec = None;
    cursor.object(|cursor, name| {
        match name.as_bytes() {
            b"spec" => spec = Some(cursor.spec()?),
            _ => _ = cursor.string()?,
        }
        Some(())
    })?;
    cursor.space();
    if cursor.at == line.len() { spec } else { None }
}

/// A place in a line.
struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn spec(&mut self) -> Option<Spec<'a>> {
        let mut spec = Spec::default();
        self.object(|cursor, name| {
            match name.as_bytes() {
                b"resourceAttributes" => spec.resource = Some(cursor.resource()?),
                b"nonResourceAttributes" => spec.path = Some(cursor.path()?),
                b"user" => spec.user.name = cursor.string()?,
                b"uid" => spec.user.uid = cursor.string()?,
                b"groups" => spec.user.groups = cursor.strings()?,
                _ => return None,
            }
            Some(())
        })?;
        Some(spec)
    }

    fn resource(&mut self) -> Option<ResourceAttributes<'a>> {
        let mut attributes = ResourceAttributes::default();
        self.object(|cursor, name| {
            let resource = &mut attributes.resource;
            let field = match name.as_bytes() {
                b"verb" => &mut attributes.verb,
                b"namespace" => &mut resource.namespace,
                b"group" => &mut resource.group,
                b"version" => &mut resource.version,
                b"resource" => &mut resource.resource,
                b"subresource" => &mut resource.subresource,
                b"name" => &mut resource.name,
                _ => return None,
            };
            *field = cursor.string()?;
            Some(())
        })?;
        Some(attributes)
    }

    fn path(&mut self) -> Option<PathAttributes<'a>> {
        let mut attributes = PathAttributes::default();
        self.object(|cursor, name| {
            let field = match name.as_bytes() {
                b"path" => &mut attributes.path,
                b"verb" => &mut attributes.verb,
                _ => return None,
            };
            *field = cursor.string()?;
            Some(())
        })?;
        Some(attributes)
    }

    /// Hands the name of each field to `field`, which reads its value.
    fn object(&mut self, mut field: impl FnMut(&mut Self, &'a str) -> Option<()>) -> Option<()> {
        self.expect(b'{')?;
        if self.takes(b'}') {
            return Some(());
        }
        loop {
            let name = self.plain()?;
            self.expect(b':')?;
            field(self, name)?;
            if !self.takes(b',') {
                return self.expect(b'}');
            }
        }
    }

    fn strings(&mut self) -> Option<Vec<Text<'a>>> {
        self.expect(b'[')?;
        if self.takes(b']') {
            return Some(Vec::new());
        }
        // As many as the groups of a ServiceAccount.
        let mut strings = Vec::with_capacity(4);
        loop {
            strings.push(self.string()?);
            if !self.takes(b',') {
                self.expect(b']')?;
                return Some(strings);
            }
        }
    }

    fn string(&mut self) -> Option<Text<'a>> {
        self.plain().map(Text::Borrowed)
    }

    /// A string without escapes.
    fn plain(&mut self) -> Option<&'a str> {
        self.expect(b'"')?;
        let start = self.at;
        self.at += plain_bytes(self.text.as_bytes().get(start..)?);
        let text = self.text.get(start..self.at);
        if self.text.as_bytes().get(self.at) != Some(&b'"') {
            return None;
        }
        self.at += 1;
        text
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.takes(byte).then_some(())
    }

    /// Steps over `byte` and the space before it, if it comes next.
    fn takes(&mut self, byte: u8) -> bool {
        self.space();
        let is_next = self.text.as_bytes().get(self.at) == Some(&byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.text.as_bytes().get(self.at) {
            self.at += 1;
        }
    }
}

/// How many bytes stand before the first quotation mark, backslash or control character, eight at a time.
fn plain_bytes(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // The lowest bit that is set is that of the first byte that is zero.
    let zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    let mut eights = bytes.chunks_exact(8);
    for (eight, place) in eights.by_ref().zip((0..).step_by(8)) {
        let word = eight.try_into().map_or(0, u64::from_le_bytes);
        let control = word.wrapping_sub(ONES * u64::from(b' ')) & !word & HIGH;
        let found = zero(word ^ (ONES * u64::from(b'"'))) | zero(word ^ (ONES * u64::from(b'\\'))) | control;
        if found != 0 {
            return place + (found.trailing_zeros() / 8) as usize;
        }
    }
    let rest = eights.remainder();
    let plain = rest.iter().position(|&byte| matches!(byte, b'"' | b'\\' | 0..b' ')).unwrap_or(rest.len());
    bytes.len() - rest.len() + plain
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Review, Spec};
    use super::{plain_bytes, spec};

    fn by_all_json(line: &[u8]) -> Option<Spec<'_>> {
        serde_json::from_slice::<Review<'_>>(line).ok()?.spec
    }

    const PLAIN: &str = r#"{"kind": "SubjectAccessReview", "spec":{ "user":"ann","uid":"7","groups":["dev","Ämter"],"groups":[],
        "resourceAttributes":{"namespace":"shop","verb":"get","group":"apps","version":"v1","resource":"deployments","subresource":"scale","name":"cart"},
        "nonResourceAttributes":{"path":"/healthz","verb":"get"} } } "#;

    #[test]
    fn what_programs_write_is_plain() {
        let line = PLAIN.as_bytes();
        assert_eq!(spec(line), by_all_json(line));
        assert_eq!(spec(line).unwrap().user.name, "ann");
        for other in [
            r#"{"spec":{"user":"\u0061"}}"#,
            r#"{"spec":{"user":null}}"#,
            r#"{"spec":{"extra":{}}}"#,
            r#"{"spec":{}} x"#,
            r#"{"spec":{},}"#,
            "{}",
            "[]",
            "",
            "{\"spec\":{\"user\":\"\t\"}}",
        ] {
            assert_eq!(spec(other.as_bytes()), None, "{other}");
        }
        assert_eq!(spec(b"{\"spec\":{\"user\":\"\xff\"}}"), None);
    }

    #[test]
    fn every_byte_ends_plain_text_or_does_not_wherever_it_stands() {
        for byte in 0..=u8::MAX {
            for place in 0..24 {
                let mut bytes = [b'a'; 24];
                bytes[place] = byte;
                let expected = if matches!(byte, b'"' | b'\\' | 0..b' ') { place } else { 24 };
                assert_eq!(plain_bytes(&bytes), expected, "{byte:#x} at {place}");
            }
        }
    }

    /// Pieces of which reviews are made, and others that do not fit.
    fn piece() -> impl Strategy<Value = &'static str> {
        proptest::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            " ",
            "\n",
            "\"",
            "\\",
            "\\u0061",
            "null",
            "1",
            "\"spec\":{",
            "\"user\":\"ann\"",
            "\"groups\":[\"a\",\"b\"]",
            "\"uid\":\"\"",
            "\"resourceAttributes\":{",
            "\"nonResourceAttributes\":{",
            "\"verb\":\"get\"",
            "\"path\":\"/x\"",
            "\"name\":\"ä\"",
            "\"extra\":{}",
            "\"kind\":\"x\"",
            "\u{1}",
        ])
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn lines_are_read_as_the_reader_of_all_json_reads_them(pieces in proptest::collection::vec(piece(), 0..14)) {
            let line = format!("{{\"spec\":{{{}", pieces.concat());
            if let Some(read) = spec(line.as_bytes()) {
                prop_assert_eq!(Some(read), by_all_json(line.as_bytes()));
            }
        }

        #[test]
        fn a_mutilated_line_is_never_read_otherwise(at in 0..PLAIN.len(), byte: u8, cut in 0..3_usize) {
            let mut line = PLAIN.as_bytes().to_vec();
            match cut {
                0 => line[at] = byte,
                1 => line.truncate(at),
                _ => _ = line.remove(at),
            }
            if let Some(read) = spec(&line) {
                prop_assert_eq!(Some(read), by_all_json(&line));
            }
        }
    }
}
