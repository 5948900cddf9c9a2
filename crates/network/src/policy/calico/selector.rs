//! Calico's language of selectors: `app == 'shop' && tier in {'web', 'api'} || !has(legacy)`.
//!
//! It is read as Calico's own parser reads it: white space is blanks and tabs, strings know no escapes, `!` binds closer than `&&`,
//! and that closer than `||`. What a key means is not known here: that depends on where the selector stands.

use crate::label::Test;

/// The deepest nesting of parentheses that is read.
const DEPTH_MAX: usize = 100;

/// A selector, read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Expression<'s> {
    /// Everything: `all()`, and the empty selector.
    All,
    /// What is in no namespace: `global()`.
    Global,
    /// What the value of one key must be like.
    Label(&'s str, Test<'s>),
    Not(Box<Expression<'s>>),
    And(Vec<Expression<'s>>),
    Or(Vec<Expression<'s>>),
}

/// Why a text is no selector, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} at character {}", .at + 1)]
pub(crate) struct NoSelector {
    /// The number of characters before the place.
    pub(crate) at: usize,
    message: String,
}

/// A word of the language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'s> {
    Label(&'s str),
    Text(&'s str),
    Has(&'s str),
    All,
    Global,
    Equal,
    Unequal,
    In,
    NotIn,
    Contains,
    StartsWith,
    EndsWith,
    Not,
    And,
    Or,
    Open,
    Close,
    OpenBrace,
    CloseBrace,
    Comma,
    End,
}

impl Token<'_> {
    /// As people write it.
    fn word(self) -> String {
        let fixed = match self {
            Token::Label(name) => return format!("`{name}`"),
            Token::Text(text) => return format!("the string `{text}`"),
            Token::Has(name) => return format!("`has({name})`"),
            Token::End => return "the end".to_owned(),
            Token::All => "all()",
            Token::Global => "global()",
            Token::Equal => "==",
            Token::Unequal => "!=",
            Token::In => "in",
            Token::NotIn => "not in",
            Token::Contains => "contains",
            Token::StartsWith => "starts with",
            Token::EndsWith => "ends with",
            Token::Not => "!",
            Token::And => "&&",
            Token::Or => "||",
            Token::Open => "(",
            Token::Close => ")",
            Token::OpenBrace => "{",
            Token::CloseBrace => "}",
            Token::Comma => ",",
        };
        format!("`{fixed}`")
    }
}

/// Reads a selector.
pub(crate) fn parse(text: &str) -> Result<Expression<'_>, NoSelector> {
    let mut reader = Reader { text, rest: text, next: Token::End, at: 0, depth: 0 };
    reader.advance()?;
    if reader.next == Token::End {
        return Ok(Expression::All);
    }
    let read = reader.any()?;
    if reader.next == Token::End { Ok(read) } else { Err(reader.unexpected("`&&`, `||` or the end")) }
}

struct Reader<'s> {
    text: &'s str,
    /// What comes after the next token.
    rest: &'s str,
    next: Token<'s>,
    /// Where the next token begins.
    at: usize,
    depth: usize,
}

impl<'s> Reader<'s> {
    fn fail<T>(&self, rest: &str, message: String) -> Result<T, NoSelector> {
        let bytes = self.text.len() - rest.len();
        let at = self.text.get(..bytes).map_or(0, |before| before.chars().count());
        Err(NoSelector { at, message })
    }

    fn unexpected(&self, wanted: &str) -> NoSelector {
        let at = self.text.get(..self.at).map_or(0, |before| before.chars().count());
        NoSelector { at, message: format!("{wanted} was expected, and not {}", self.next.word()) }
    }

    /// Terms with `||` between.
    fn any(&mut self) -> Result<Expression<'s>, NoSelector> {
        let mut terms = vec![self.every()?];
        while self.next == Token::Or {
            self.advance()?;
            terms.push(self.every()?);
        }
        Ok(one_or(terms, Expression::Or))
    }

    /// Terms with `&&` between.
    fn every(&mut self) -> Result<Expression<'s>, NoSelector> {
        let mut terms = vec![self.term()?];
        while self.next == Token::And {
            self.advance()?;
            terms.push(self.term()?);
        }
        Ok(one_or(terms, Expression::And))
    }

    fn term(&mut self) -> Result<Expression<'s>, NoSelector> {
        let mut is_negated = false;
        while self.next == Token::Not {
            is_negated = !is_negated;
            self.advance()?;
        }
        let found = match self.next {
            Token::Has(name) => self.then(Expression::Label(name, Test::Exists))?,
            Token::All => self.then(Expression::All)?,
            Token::Global => self.then(Expression::Global)?,
            Token::Label(name) => {
                self.advance()?;
                Expression::Label(name, self.test()?)
            }
            Token::Open => self.nested()?,
            _ => return Err(self.unexpected("a label, `has(…)`, `all()` or `(`")),
        };
        Ok(if is_negated { Expression::Not(Box::new(found)) } else { found })
    }

    fn nested(&mut self) -> Result<Expression<'s>, NoSelector> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return self.fail(self.rest, format!("parentheses are nested deeper than {DEPTH_MAX}"));
        }
        self.advance()?;
        let inner = self.any()?;
        if self.next != Token::Close {
            return Err(self.unexpected("`)`"));
        }
        self.depth -= 1;
        self.then(inner)
    }

    /// What comes after a label.
    fn test(&mut self) -> Result<Test<'s>, NoSelector> {
        let operator = self.next;
        match operator {
            Token::In | Token::NotIn => {
                self.advance()?;
                let values = self.values()?;
                Ok(if operator == Token::In { Test::In(values) } else { Test::NotIn(values) })
            }
            Token::Equal | Token::Unequal | Token::Contains | Token::StartsWith | Token::EndsWith => {
                self.advance()?;
                let Token::Text(text) = self.next else { return Err(self.unexpected("a string in quotes")) };
                self.advance()?;
                Ok(match operator {
                    Token::Equal => Test::In(vec![text]),
                    Token::Unequal => Test::NotIn(vec![text]),
                    Token::Contains => Test::Contains(text),
                    Token::StartsWith => Test::StartsWith(text),
                    _ => Test::EndsWith(text),
                })
            }
            _ => Err(self.unexpected("`==`, `!=`, `in` or another operator")),
        }
    }

    /// `{'a', 'b'}`; a comma may stand behind the last one.
    fn values(&mut self) -> Result<Vec<&'s str>, NoSelector> {
        if self.next != Token::OpenBrace {
            return Err(self.unexpected("a set such as `{'a', 'b'}`"));
        }
        self.advance()?;
        let mut values = Vec::new();
        while let Token::Text(text) = self.next {
            values.push(text);
            self.advance()?;
            if self.next != Token::Comma {
                break;
            }
            self.advance()?;
        }
        if self.next != Token::CloseBrace {
            return Err(self.unexpected("`}`"));
        }
        self.advance()?;
        values.sort_unstable();
        values.dedup();
        Ok(values)
    }

    fn then(&mut self, found: Expression<'s>) -> Result<Expression<'s>, NoSelector> {
        self.advance()?;
        Ok(found)
    }

    /// Goes to the next token.
    fn advance(&mut self) -> Result<(), NoSelector> {
        let after_label = matches!(self.next, Token::Label(_));
        let rest = skip(self.rest);
        self.at = self.text.len() - rest.len();
        (self.next, self.rest) = self.token(rest, after_label)?;
        Ok(())
    }

    fn token(&self, rest: &'s str, after_label: bool) -> Result<(Token<'s>, &'s str), NoSelector> {
        const SIGNS: [(&str, Token<'_>); 10] = [
            ("==", Token::Equal),
            ("!=", Token::Unequal),
            ("!", Token::Not),
            ("&&", Token::And),
            ("||", Token::Or),
            ("(", Token::Open),
            (")", Token::Close),
            ("{", Token::OpenBrace),
            ("}", Token::CloseBrace),
            (",", Token::Comma),
        ];
        if rest.is_empty() {
            return Ok((Token::End, rest));
        }
        if let Some((token, after)) = SIGNS.iter().find_map(|(sign, token)| Some((*token, rest.strip_prefix(sign)?))) {
            return Ok((token, after));
        }
        if let Some(quote) = rest.chars().next().filter(|first| matches!(first, '\'' | '"')) {
            let inner = rest.get(1..).unwrap_or("");
            return match inner.split_once(quote) {
                Some((text, after)) => Ok((Token::Text(text), after)),
                None => self.fail(rest, "the string has no end".to_owned()),
            };
        }
        if after_label {
            return self.operator(rest);
        }
        if let Some(inner) = rest.strip_prefix("has(") {
            let (name, after) = identifier(skip(inner));
            if name.is_empty() {
                return self.fail(inner, "`has(` needs the name of a label".to_owned());
            }
            return match skip(after).strip_prefix(')') {
                Some(after) => Ok((Token::Has(name), after)),
                None => self.fail(after, "`)` was expected behind the label of `has(`".to_owned()),
            };
        }
        for (word, token) in [("all(", Token::All), ("global(", Token::Global)] {
            let Some(inner) = rest.strip_prefix(word) else { continue };
            return match skip(inner).strip_prefix(')') {
                Some(after) => Ok((token, after)),
                None => self.fail(inner, format!("`)` was expected behind `{word}`")),
            };
        }
        match identifier(rest) {
            ("", _) => self.fail(rest, format!("`{}` begins nothing of a selector", rest.chars().next().unwrap_or(' '))),
            (name, after) => Ok((Token::Label(name), after)),
        }
    }

    /// A word that stands behind a label.
    fn operator(&self, rest: &'s str) -> Result<(Token<'s>, &'s str), NoSelector> {
        const WORDS: [(&str, &str, Token<'_>); 5] = [
            ("contains", "", Token::Contains),
            ("starts", "with", Token::StartsWith),
            ("ends", "with", Token::EndsWith),
            ("not", "in", Token::NotIn),
            ("in", "", Token::In),
        ];
        let found = WORDS.iter().find_map(|(first, second, token)| {
            let after = rest.strip_prefix(first)?;
            let after = if second.is_empty() { after } else { skip(after).strip_prefix(second)? };
            Some((*token, after))
        });
        match found {
            Some(found) => Ok(found),
            None => self.fail(rest, "an operator was expected behind the label".to_owned()),
        }
    }
}

fn skip(text: &str) -> &str {
    text.trim_start_matches([' ', '\t'])
}

/// The longest name of a label at the beginning, and what comes after.
fn identifier(text: &str) -> (&str, &str) {
    let is_inside = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '.' | '/' | '-');
    let end = text.find(|character| !is_inside(character)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

fn one_or<'s>(mut terms: Vec<Expression<'s>>, many: fn(Vec<Expression<'s>>) -> Expression<'s>) -> Expression<'s> {
    match (terms.len(), terms.pop()) {
        (1, Some(only)) => only,
        (_, Some(last)) => {
            terms.push(last);
            many(terms)
        }
        (_, None) => Expression::All,
    }
}

/// As Calico writes selectors.
impl std::fmt::Display for Expression<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let quoted = |text: &str| if text.contains('"') { format!("'{text}'") } else { format!("\"{text}\"") };
        let set = |values: &[&str]| format!("{{{}}}", values.iter().map(|value| quoted(value)).collect::<Vec<_>>().join(", "));
        let list = |terms: &[Expression<'_>], sign: &str| format!("({})", terms.iter().map(ToString::to_string).collect::<Vec<_>>().join(sign));
        match self {
            Expression::All => out.write_str("all()"),
            Expression::Global => out.write_str("global()"),
            Expression::Label(key, test) => match test {
                Test::Exists => write!(out, "has({key})"),
                Test::Absent => write!(out, "!has({key})"),
                Test::In(values) => match values.as_slice() {
                    [value] => write!(out, "{key} == {}", quoted(value)),
                    values => write!(out, "{key} in {}", set(values)),
                },
                Test::NotIn(values) => match values.as_slice() {
                    [value] => write!(out, "{key} != {}", quoted(value)),
                    values => write!(out, "{key} not in {}", set(values)),
                },
                Test::Contains(text) => write!(out, "{key} contains {}", quoted(text)),
                Test::StartsWith(text) => write!(out, "{key} starts with {}", quoted(text)),
                Test::EndsWith(text) => write!(out, "{key} ends with {}", quoted(text)),
            },
            Expression::Not(inner) => write!(out, "!{inner}"),
            Expression::And(terms) => out.write_str(&list(terms, " && ")),
            Expression::Or(terms) => out.write_str(&list(terms, " || ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn selectors_are_read_as_calico_reads_them() {
        for (text, meaning) in [
            ("", "all()"),
            (" \t", "all()"),
            ("all( )", "all()"),
            ("has( a/b.c-d_e )", "has(a/b.c-d_e)"),
            ("a=='x'&&b!=\"y\"||c in{'z','z',}", "((a == \"x\" && b != \"y\") || c == \"z\")"),
            ("!!a == 'x'", "a == \"x\""),
            ("!a == 'x'", "!a == \"x\""),
            ("! ( a == 'x' || has(b) ) && c not  in {}", "(!(a == \"x\" || has(b)) && c not in {})"),
            ("a notin {'x', 'y'}", "a not in {\"x\", \"y\"}"),
            ("a starts with 'x' && a ends\twith 'y' && a contains ' '", "(a starts with \"x\" && a ends with \"y\" && a contains \" \")"),
            ("a == 'it is \"quoted\"'", "a == 'it is \"quoted\"'"),
            ("all == 'x'", "all == \"x\""),
            ("in in {'in'}", "in == \"in\""),
            ("global()", "global()"),
            ("((((a == 'x'))))", "a == \"x\""),
        ] {
            assert_eq!(parse(text).map(|read| read.to_string()).as_deref(), Ok(meaning), "{text}");
        }
    }

    #[test]
    fn what_is_no_selector_is_told_with_its_place() {
        for (text, at, message) in [
            ("a = 'x'", 2, "an operator was expected behind the label"),
            ("a == x", 5, "a string in quotes was expected, and not `x`"),
            ("a == 'x", 5, "the string has no end"),
            ("a == 'x' b == 'y'", 9, "`&&`, `||` or the end was expected, and not `b`"),
            ("a == 'x' &&", 11, "a label, `has(…)`, `all()` or `(` was expected, and not the end"),
            ("(a == 'x'", 9, "`)` was expected, and not the end"),
            ("a in ('x')", 5, "a set such as `{'a', 'b'}` was expected, and not `(`"),
            ("a in {'x' 'y'}", 10, "`}` was expected, and not the string `y`"),
            ("has()", 4, "`has(` needs the name of a label"),
            ("has(a b)", 5, "`)` was expected behind the label of `has(`"),
            ("a & b", 2, "an operator was expected behind the label"),
            ("ä == 'x'", 0, "`ä` begins nothing of a selector"),
            ("a == 'ä' ü", 9, "`ü` begins nothing of a selector"),
            ("a == 'x'\n", 8, "`\n` begins nothing of a selector"),
            ("a starts 'x'", 2, "an operator was expected behind the label"),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!((error.at, error.message.as_str()), (at, message), "{text}");
        }
        let deep = format!("{}a == 'x'{}", "(".repeat(DEPTH_MAX + 1), ")".repeat(DEPTH_MAX + 1));
        assert!(parse(&deep).is_err());
    }

    fn expression() -> impl Strategy<Value = Expression<'static>> {
        let key = proptest::sample::select(&["a", "b/c", "pcns.d"][..]);
        let value = proptest::sample::select(&["x", "y z", "", "'"][..]);
        let values = proptest::collection::vec(value.clone(), 0..3).prop_map(|mut values| {
            values.sort_unstable();
            values.dedup();
            values
        });
        let test = prop_oneof![
            values.clone().prop_map(Test::In),
            values.prop_map(Test::NotIn),
            Just(Test::Exists),
            value.clone().prop_map(Test::Contains),
            value.clone().prop_map(Test::StartsWith),
            value.prop_map(Test::EndsWith),
        ];
        let leaf = prop_oneof![Just(Expression::All), Just(Expression::Global), (key, test).prop_map(|(key, test)| Expression::Label(key, test))];
        leaf.prop_recursive(4, 24, 3, |inner| {
            prop_oneof![
                // Two exclamation marks are none.
                inner.clone().prop_filter("negated once", |inner| !matches!(inner, Expression::Not(_))).prop_map(|inner| Expression::Not(Box::new(inner))),
                proptest::collection::vec(inner.clone(), 2..4).prop_map(Expression::And),
                proptest::collection::vec(inner, 2..4).prop_map(Expression::Or),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_selector_that_is_written_is_read_as_the_same(expression in expression()) {
            let text = expression.to_string();
            prop_assert_eq!(parse(&text).map_err(|error| error.to_string()), Ok(expression.clone()), "{}", text);
        }

        #[test]
        fn any_text_is_read_or_refused_inside_of_it(text in "[ab=!&|(){},'\" \tinhasloc]{0,40}") {
            match parse(&text) {
                Ok(read) => {
                    let written = read.to_string();
                    let again = parse(&written).map(|read| read.to_string());
                    prop_assert_eq!(again.as_deref(), Ok(written.as_str()));
                }
                Err(error) => prop_assert!(error.at <= text.chars().count(), "{error}"),
            }
        }
    }
}
