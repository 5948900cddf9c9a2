//! The selectors of a review: which the server refuses, and what the others limit a request to.

use bartizan_cluster::access::{Requirement, Text};
use bartizan_cluster::label::{is_label_key, is_label_value};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{Fields, Maybe, Texts, skip, text};

/// A selector as it is written.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Written<'a> {
    raw: Text<'a>,
    requirements: Vec<WrittenRequirement<'a>>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct WrittenRequirement<'a> {
    key: Text<'a>,
    operator: Text<'a>,
    values: Vec<Text<'a>>,
}

/// What a selector selects by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    Fields,
    Labels,
}

impl<'de> Fields<'de> for Written<'de> {
    const NOUN: &'static str = "a selector";

    fn field<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "rawSelector" => self.raw = text(map)?,
            "requirements" => self.requirements = map.next_value::<Requirements<'de>>()?.0,
            _ => skip(map)?,
        }
        Ok(())
    }
}

impl<'de> Fields<'de> for WrittenRequirement<'de> {
    const NOUN: &'static str = "a requirement";

    fn field<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "key" => self.key = text(map)?,
            "operator" => self.operator = text(map)?,
            "values" => self.values = map.next_value::<Texts<'de>>()?.0,
            _ => skip(map)?,
        }
        Ok(())
    }
}

struct Requirements<'a>(Vec<WrittenRequirement<'a>>);

impl<'de> Deserialize<'de> for Requirements<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Requirements<'de>;

            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str("a list of requirements")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut all = Vec::new();
                while let Some(Maybe(requirement)) = list.next_element::<Maybe<WrittenRequirement<'de>>>()? {
                    all.push(requirement.unwrap_or_default());
                }
                Ok(Requirements(all))
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Requirements(Vec::new()))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl<'a> Written<'a> {
    /// Adds what the server finds wrong with it.
    pub(super) fn check(&self, path: &str, of: Of, faults: &mut Vec<String>) {
        match (self.raw.is_empty(), self.requirements.is_empty()) {
            (false, false) => faults.push(format!("{path}.rawSelector: may not specified at the same time as requirements")),
            (true, true) => faults.push(format!("{path}.requirements: when {path} is specified, requirements or rawSelector is required")),
            _ => {}
        }
        for (requirement, place) in self.requirements.iter().zip(0..) {
            requirement.check(&format!("{path}.requirements[{place}]"), of, faults);
        }
    }

    /// What it limits a request to. The parts that the server cannot read are passed over, which only makes the request wider.
    pub(super) fn requirements(self) -> Vec<Requirement<'a>> {
        if self.requirements.is_empty() {
            return parse(&self.raw).unwrap_or_default();
        }
        let known = self.requirements.into_iter().filter_map(|requirement| {
            let is_in = match &*requirement.operator {
                "In" => true,
                "NotIn" => false,
                _ => return None,
            };
            (requirement.values.len() == 1).then_some(Requirement { key: requirement.key, is_in, values: requirement.values })
        });
        known.collect()
    }
}

impl WrittenRequirement<'_> {
    fn check(&self, path: &str, of: Of, faults: &mut Vec<String>) {
        if of == Of::Fields && self.key.is_empty() {
            faults.push(format!("{path}.key: must be specified"));
        }
        match &*self.operator {
            "In" | "NotIn" if self.values.is_empty() => faults.push(format!("{path}.values: must be specified when `operator` is 'In' or 'NotIn'")),
            "Exists" | "DoesNotExist" if !self.values.is_empty() => {
                faults.push(format!("{path}.values: may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
            }
            _ => {}
        }
        if of == Of::Labels {
            if !is_label_key(&self.key) {
                faults.push(format!("{path}.key: `{}` is not a label key", self.key));
            }
            for (value, place) in self.values.iter().zip(0..).filter(|(value, _)| !is_label_value(value)) {
                faults.push(format!("{path}.values[{place}]: `{value}` is not a label value"));
            }
        }
    }
}

/// The requirements of `a=b,c!=d`, as the server parses field selectors; `None` where it cannot.
fn parse(raw: &str) -> Option<Vec<Requirement<'static>>> {
    let mut requirements = Vec::new();
    for term in terms(raw).into_iter().filter(|term| !term.is_empty()) {
        let at = term.find(['=', '!'].as_slice());
        let (key, is_in, value) = split(term, at)?;
        requirements.push(Requirement { key: key.to_owned().into(), is_in, values: vec![unescape(value)?.into()] });
    }
    Some(requirements)
}

/// What stands before, between and after the operator that stands nearest to the beginning.
fn split(term: &str, mut at: Option<usize>) -> Option<(&str, bool, &str)> {
    loop {
        let (key, rest) = term.split_at_checked(at?)?;
        for (operator, is_in) in [("!=", false), ("==", true), ("=", true)] {
            if let Some(value) = rest.strip_prefix(operator) {
                return Some((key, is_in, value));
            }
        }
        // A `!` without `=` is a letter of the key.
        at = rest.char_indices().skip(1).find(|(_, letter)| matches!(letter, '=' | '!')).map(|(next, _)| key.len() + next);
    }
}

/// The parts between commas that no backslash escapes.
fn terms(raw: &str) -> Vec<&str> {
    let mut is_escaped = false;
    raw.split(|letter: char| {
        let is_break = letter == ',' && !is_escaped;
        is_escaped = letter == '\\' && !is_escaped;
        is_break
    })
    .collect()
}

fn unescape(value: &str) -> Option<String> {
    let mut text = String::with_capacity(value.len());
    let mut letters = value.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => text.push(letters.next().filter(|letter| matches!(letter, '\\' | ',' | '='))?),
            ',' | '=' => return None,
            other => text.push(other),
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(raw: &str) -> Option<Vec<(String, bool, String)>> {
        let flat = |requirement: Requirement<'_>| (requirement.key.to_string(), requirement.is_in, requirement.values[0].to_string());
        parse(raw).map(|all| all.into_iter().map(flat).collect())
    }

    #[test]
    fn field_selectors_are_parsed_as_the_server_parses_them() {
        let one = |key: &str, is_in, value: &str| Some(vec![(key.to_owned(), is_in, value.to_owned())]);
        assert_eq!(parsed("spec.nodeName=n1"), one("spec.nodeName", true, "n1"));
        assert_eq!(parsed("spec.nodeName==n1"), one("spec.nodeName", true, "n1"));
        assert_eq!(parsed(",a!=b,"), one("a", false, "b"));
        assert_eq!(parsed(r"a=b\,c\=d\\"), one("a", true, r"b,c=d\"));
        assert_eq!(parsed("a!b=c"), one("a!b", true, "c"));
        assert_eq!(parsed("a=b,c=d").map(|all| all.len()), Some(2));
        for wrong in ["a", "a=b=c", r"a=b\x", r"a=b\", "!"] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn label_keys_and_values_are_names() {
        for key in ["app", "a.b_c-D", "example.com/app", "0"] {
            assert!(is_label_key(key), "{key}");
        }
        for key in ["", "-a", "a-", "a/", "/a", "A.com/a", "a/b/c", &"a".repeat(64)] {
            assert!(!is_label_key(key), "{key}");
        }
    }
}
