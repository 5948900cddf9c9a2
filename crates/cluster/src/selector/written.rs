//! Label selectors as people write them on a command line: `app=web,tier in (front, back),!legacy`.
//!
//! The grammar is that of `labels.Parse` in apimachinery, which kubectl's `-l` uses, oddities included: `in` and `notin` may be keys
//! and values, a value may be missing (`a=`), and lists may have empty elements.

use std::fmt;
use std::str::FromStr;

use crate::label::{is_label_key, is_label_value};

/// A label selector; all of its requirements must hold. Without any it selects everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelSelector {
    requirements: Vec<Requirement>,
}

/// What one key must be like.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    Exists,
    Absent,
    Equal(String),
    NotEqual(String),
    In(Vec<String>),
    NotIn(Vec<String>),
    Above(i64),
    Below(i64),
}

/// Why a text is no label selector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    /// Something else must stand there.
    #[error("character {column}: found {found}, expected {expected}")]
    Unexpected {
        /// Where, in characters from 1.
        column: usize,
        /// What stands there.
        found: String,
        /// What could stand there.
        expected: &'static str,
    },
    /// A key that no label can have.
    #[error("character {column}: `{key}` is not a label key")]
    Key {
        /// Where, in characters from 1.
        column: usize,
        /// The key.
        key: String,
    },
    /// A value that no label can have.
    #[error("character {column}: `{value}` is not a label value")]
    Value {
        /// Where its requirement begins, in characters from 1.
        column: usize,
        /// The value.
        value: String,
    },
    /// `<` and `>` compare numbers.
    #[error("character {column}: `{value}` is not a whole number")]
    Number {
        /// Where its requirement begins, in characters from 1.
        column: usize,
        /// The value.
        value: String,
    },
}

impl LabelSelector {
    /// Whether it selects everything.
    pub fn is_everything(&self) -> bool {
        self.requirements.is_empty()
    }

    /// Whether it selects something with these labels.
    pub fn matches<'l>(&self, label: impl Fn(&str) -> Option<&'l str>) -> bool {
        self.requirements.iter().all(|requirement| requirement.test.holds(label(&requirement.key)))
    }

    /// Its requirements, each in the words of [`LabelSelector::from_str`].
    pub fn parts(&self) -> impl Iterator<Item = String> {
        self.requirements.iter().map(ToString::to_string)
    }
}

impl Test {
    fn holds(&self, value: Option<&str>) -> bool {
        let number = || value.and_then(|value| value.parse::<i64>().ok());
        match self {
            Test::Exists => value.is_some(),
            Test::Absent => value.is_none(),
            Test::Equal(wanted) => value == Some(wanted),
            Test::NotEqual(unwanted) => value != Some(unwanted),
            Test::In(wanted) => value.is_some_and(|value| wanted.iter().any(|wanted| wanted == value)),
            Test::NotIn(unwanted) => value.is_none_or(|value| unwanted.iter().all(|unwanted| unwanted != value)),
            Test::Above(bound) => number().is_some_and(|number| number > *bound),
            Test::Below(bound) => number().is_some_and(|number| number < *bound),
        }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.key;
        match &self.test {
            Test::Exists => out.write_str(key),
            Test::Absent => write!(out, "!{key}"),
            Test::Equal(value) => write!(out, "{key}={value}"),
            Test::NotEqual(value) => write!(out, "{key}!={value}"),
            Test::In(values) => write!(out, "{key} in ({})", values.join(",")),
            Test::NotIn(values) => write!(out, "{key} notin ({})", values.join(",")),
            Test::Above(bound) => write!(out, "{key}>{bound}"),
            Test::Below(bound) => write!(out, "{key}<{bound}"),
        }
    }
}

impl fmt::Display for LabelSelector {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.parts().collect::<Vec<_>>().join(","))
    }
}

impl FromStr for LabelSelector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        let mut reader = Reader { tokens: tokens(text), at: 0 };
        let mut requirements = Vec::new();
        if reader.peek().token == Token::End {
            return Ok(Self { requirements });
        }
        loop {
            requirements.push(reader.requirement()?);
            match reader.next() {
                Placed { token: Token::End, .. } => return Ok(Self { requirements }),
                Placed { token: Token::Comma, .. } => {}
                other => return Err(other.unexpected("`,` or the end")),
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'t> {
    Word(&'t str),
    Not,
    Equal,
    DoubleEqual,
    NotEqual,
    Above,
    Below,
    Open,
    Close,
    Comma,
    End,
}

/// A token and the character, from 1, at which it begins.
#[derive(Debug, Clone, Copy)]
struct Placed<'t> {
    token: Token<'t>,
    column: usize,
}

impl Placed<'_> {
    fn unexpected(self, expected: &'static str) -> SelectorError {
        let found = match self.token {
            Token::Word(word) => format!("`{word}`"),
            Token::Not => "`!`".to_owned(),
            Token::Equal => "`=`".to_owned(),
            Token::DoubleEqual => "`==`".to_owned(),
            Token::NotEqual => "`!=`".to_owned(),
            Token::Above => "`>`".to_owned(),
            Token::Below => "`<`".to_owned(),
            Token::Open => "`(`".to_owned(),
            Token::Close => "`)`".to_owned(),
            Token::Comma => "`,`".to_owned(),
            Token::End => "the end".to_owned(),
        };
        SelectorError::Unexpected { column: self.column, found, expected }
    }
}

/// The signs, the longer of two that begin alike first.
const SIGNS: [(&str, Token<'static>); 9] = [
    ("!=", Token::NotEqual),
    ("==", Token::DoubleEqual),
    ("=", Token::Equal),
    ("!", Token::Not),
    (">", Token::Above),
    ("<", Token::Below),
    ("(", Token::Open),
    (")", Token::Close),
    (",", Token::Comma),
];

fn is_blank(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\r' | '\n')
}

fn is_sign(letter: char) -> bool {
    matches!(letter, '=' | '!' | '(' | ')' | ',' | '>' | '<')
}

fn tokens(text: &str) -> Vec<Placed<'_>> {
    let (mut tokens, mut rest, mut column) = (Vec::new(), text, 1);
    loop {
        let trimmed = rest.trim_start_matches(is_blank);
        // Blanks are one byte each.
        column += rest.len() - trimmed.len();
        rest = trimmed;
        if rest.is_empty() {
            tokens.push(Placed { token: Token::End, column });
            return tokens;
        }
        if let Some((sign, token)) = SIGNS.into_iter().find(|(sign, _)| rest.starts_with(sign)) {
            tokens.push(Placed { token, column });
            rest = rest.strip_prefix(sign).unwrap_or_default();
            column += sign.len();
        } else {
            let end = rest.find(|letter| is_blank(letter) || is_sign(letter)).unwrap_or(rest.len());
            let (word, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
            tokens.push(Placed { token: Token::Word(word), column });
            rest = after;
            column += word.chars().count();
        }
    }
}

struct Reader<'t> {
    tokens: Vec<Placed<'t>>,
    at: usize,
}

impl<'t> Reader<'t> {
    fn peek(&self) -> Placed<'t> {
        // The last token is the end, which stays.
        self.tokens.get(self.at).or(self.tokens.last()).copied().unwrap_or(Placed { token: Token::End, column: 1 })
    }

    fn next(&mut self) -> Placed<'t> {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn requirement(&mut self) -> Result<Requirement, SelectorError> {
        let is_negated = self.peek().token == Token::Not;
        if is_negated {
            self.next();
        }
        let place = self.next();
        let column = place.column;
        let Token::Word(key) = place.token else { return Err(place.unexpected("a label key")) };
        if !is_label_key(key) {
            return Err(SelectorError::Key { column, key: key.to_owned() });
        }
        let test = if is_negated {
            Test::Absent
        } else if matches!(self.peek().token, Token::End | Token::Comma) {
            Test::Exists
        } else {
            self.test(column)?
        };
        Ok(Requirement { key: key.to_owned(), test })
    }

    fn test(&mut self, column: usize) -> Result<Test, SelectorError> {
        let operator = self.next();
        Ok(match operator.token {
            Token::Equal | Token::DoubleEqual => Test::Equal(self.value(column)?),
            Token::NotEqual => Test::NotEqual(self.value(column)?),
            Token::Word("in") => Test::In(self.values(column)?),
            Token::Word("notin") => Test::NotIn(self.values(column)?),
            Token::Above => Test::Above(self.number(column)?),
            Token::Below => Test::Below(self.number(column)?),
            _ => return Err(operator.unexpected("`=`, `!=`, `in`, `notin`, `<`, `>`, `,` or the end")),
        })
    }

    /// One value; none at all is the empty one.
    fn exact(&mut self) -> Result<&'t str, SelectorError> {
        if matches!(self.peek().token, Token::End | Token::Comma) {
            return Ok("");
        }
        match self.next() {
            Placed { token: Token::Word(value), .. } => Ok(value),
            other => Err(other.unexpected("a value")),
        }
    }

    fn value(&mut self, column: usize) -> Result<String, SelectorError> {
        let value = self.exact()?;
        if is_label_value(value) { Ok(value.to_owned()) } else { Err(SelectorError::Value { column, value: value.to_owned() }) }
    }

    fn number(&mut self, column: usize) -> Result<i64, SelectorError> {
        let value = self.value(column)?;
        value.parse().map_err(|_| SelectorError::Number { column, value })
    }

    /// A list in parentheses: an element may be missing before, between and behind commas.
    fn values(&mut self, column: usize) -> Result<Vec<String>, SelectorError> {
        let open = self.next();
        if open.token != Token::Open {
            return Err(open.unexpected("`(`"));
        }
        let mut values = Vec::new();
        let mut is_missing = true;
        loop {
            let place = self.next();
            match place.token {
                Token::Word(value) if is_missing => {
                    if !is_label_value(value) {
                        return Err(SelectorError::Value { column, value: value.to_owned() });
                    }
                    values.push(value.to_owned());
                    is_missing = false;
                }
                Token::Comma | Token::Close => {
                    if is_missing {
                        values.push(String::new());
                    }
                    is_missing = true;
                    if place.token == Token::Close {
                        break;
                    }
                }
                _ => return Err(place.unexpected("`,` or `)`")),
            }
        }
        values.sort_unstable();
        values.dedup();
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<LabelSelector, SelectorError> {
        text.parse()
    }

    #[test]
    fn every_form_selects_what_it_says() {
        let labels = |key: &str| match key {
            "app" => Some("web"),
            "level" => Some("7"),
            "empty" => Some(""),
            _ => None,
        };
        for (text, selects) in [
            ("", true),
            ("app", true),
            ("!app", false),
            ("! other", true),
            ("app=web", true),
            ("app == web", true),
            ("app!=web", false),
            ("other!=web", true),
            ("app in (web, api)", true),
            ("app notin (web)", false),
            ("other notin (web)", true),
            ("level>6,level<8", true),
            ("level>7", false),
            ("app>1", false),
            ("empty=", true),
            ("empty in ()", true),
            ("app=web,!other", true),
            ("app=web,other", false),
        ] {
            assert_eq!(read(text).unwrap().matches(labels), selects, "{text}");
        }
    }

    #[test]
    fn a_fault_has_its_place() {
        for (text, message) in [
            ("app=web,", "character 9: found the end, expected a label key"),
            ("app web", "character 5: found `web`, expected `=`, `!=`, `in`, `notin`, `<`, `>`, `,` or the end"),
            ("app in web", "character 8: found `web`, expected `(`"),
            ("ä!=1", "character 1: `ä` is not a label key"),
            ("a=b, b=-x", "character 6: `-x` is not a label value"),
            ("a>b", "character 1: `b` is not a whole number"),
            ("!a=b", "character 3: found `=`, expected `,` or the end"),
        ] {
            assert_eq!(read(text).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn what_was_read_is_written_again() {
        assert_eq!(read(" a , !b,c==d,e!= f,g in (y,x,,y),h notin (z),i>1,j<2").unwrap().to_string(), "a,!b,c=d,e!=f,g in (,x,y),h notin (z),i>1,j<2");
    }
}
