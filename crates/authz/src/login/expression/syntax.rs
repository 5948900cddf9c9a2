//! The syntax of CEL: from text to nodes, with a bound on length and depth.

use super::{ExpressionFault, Node};

/// The server's own limit is lower for most fields; nobody writes more.
const LENGTH_MAX: usize = 64 << 10;

/// Deeper expressions are refused, as the server's parser does at 250.
const DEPTH_MAX: usize = 96;

/// Words that cannot name anything.
const RESERVED: [&str; 21] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "var",
    "void",
    "while",
];

/// Parses `text`.
pub(super) fn parse(text: &str) -> Parsed {
    if text.len() > LENGTH_MAX {
        return Err(ExpressionFault { offset: 0, message: format!("it is longer than {LENGTH_MAX} bytes") });
    }
    let mut parser = Parser { tokens: lex(text)?, at: 0, end: text.len(), depth: 0 };
    let root = parser.expression()?;
    match parser.tokens.get(parser.at) {
        Some((offset, token)) => Err(ExpressionFault { offset: *offset, message: format!("{} is not expected here", token.shown()) }),
        None => Ok(root),
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Name(String),
    /// The name of a field between backticks.
    Field(String),
    Text(String),
    Number,
    Bytes,
    Mark(&'static str),
}

impl Token {
    fn shown(&self) -> String {
        match self {
            Token::Name(name) | Token::Field(name) => format!("`{name}`"),
            Token::Text(_) => "a text".to_owned(),
            Token::Number => "a number".to_owned(),
            Token::Bytes => "bytes".to_owned(),
            Token::Mark(mark) => format!("`{mark}`"),
        }
    }
}

/// Longer marks stand before those that they begin with.
const MARKS: [&str; 27] =
    ["&&", "||", "<=", ">=", "==", "!=", ".?", "[?", "<", ">", "!", "-", "+", "*", "/", "%", "?", ":", ".", ",", "(", ")", "[", "]", "{", "}", "="];

fn lex(text: &str) -> Result<Vec<(usize, Token)>, ExpressionFault> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..) {
        let Some(first) = rest.chars().next() else { break };
        if matches!(first, ' ' | '\t' | '\n' | '\r' | '\u{c}') {
            at += 1;
        } else if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
        } else if let Some((prefix, quoted)) = quoted_from(rest) {
            let read = text_literal(quoted, prefix.contains(['r', 'R']));
            let (content, length) = read.map_err(|message| ExpressionFault { offset: at, message: message.to_owned() })?;
            tokens.push((at, if prefix.contains(['b', 'B']) { Token::Bytes } else { Token::Text(content) }));
            at += prefix.len() + length;
        } else if let Some(name) = rest.strip_prefix('`').and_then(|rest| rest.split_once('`')).map(|(name, _)| name) {
            let is_name = !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '-' | '/' | ' '));
            if !is_name {
                return Err(ExpressionFault { offset: at, message: "the name between backticks is none".to_owned() });
            }
            tokens.push((at, Token::Field(name.to_owned())));
            at += name.len() + 2;
        } else if first.is_ascii_alphabetic() || first == '_' {
            let length = rest.find(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_')).unwrap_or(rest.len());
            tokens.push((at, Token::Name(rest.get(..length).unwrap_or("").to_owned())));
            at += length;
        } else if first.is_ascii_digit() || (first == '.' && rest.chars().nth(1).is_some_and(|next| next.is_ascii_digit())) {
            let length = number_length(rest).ok_or_else(|| ExpressionFault { offset: at, message: "the number cannot be read".to_owned() })?;
            tokens.push((at, Token::Number));
            at += length;
        } else if let Some(mark) = MARKS.into_iter().find(|mark| rest.starts_with(mark)) {
            tokens.push((at, Token::Mark(mark)));
            at += mark.len();
        } else {
            return Err(ExpressionFault { offset: at, message: format!("the character U+{:04X} is not expected here", u32::from(first)) });
        }
    }
    Ok(tokens)
}

/// The prefix of a quoted literal (`r`, `b`, both or none), and the text from its quote on.
fn quoted_from(rest: &str) -> Option<(&str, &str)> {
    let length = rest.char_indices().take(3).find(|(_, letter)| matches!(letter, '"' | '\'')).map(|(at, _)| at)?;
    let (prefix, quoted) = rest.split_at_checked(length)?;
    matches!(prefix.to_ascii_lowercase().as_str(), "" | "r" | "b" | "rb" | "br").then_some((prefix, quoted))
}

/// The content of a quoted literal, and how many bytes it takes with its quotes.
fn text_literal(quoted: &str, is_raw: bool) -> Result<(String, usize), &'static str> {
    let quote = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quote| quoted.starts_with(quote)).unwrap_or("\"");
    let is_long = quote.len() == 3;
    let mut content = String::new();
    let mut at = quote.len();
    loop {
        let rest = quoted.get(at..).unwrap_or("");
        if rest.starts_with(quote) {
            return Ok((content, at + quote.len()));
        }
        let Some(letter) = rest.chars().next() else { return Err("a text is not closed") };
        if !is_long && matches!(letter, '\n' | '\r') {
            return Err("a text is not closed on its line");
        }
        if letter == '\\' && !is_raw {
            let (decoded, length) = escape(rest.get(1..).unwrap_or("")).ok_or("an escape in a text is none")?;
            content.push(decoded);
            at += 1 + length;
        } else {
            content.push(letter);
            at += letter.len_utf8();
        }
    }
}

/// The character that an escape stands for, and how many bytes it takes behind its backslash.
fn escape(rest: &str) -> Option<(char, usize)> {
    let first = rest.chars().next()?;
    let digits = |from: usize, length: usize, radix: u32| {
        let code = u32::from_str_radix(rest.get(from..from + length)?, radix).ok()?;
        Some((char::from_u32(code)?, from + length))
    };
    match first {
        'a' => Some(('\u{7}', 1)),
        'b' => Some(('\u{8}', 1)),
        'f' => Some(('\u{c}', 1)),
        'n' => Some(('\n', 1)),
        'r' => Some(('\r', 1)),
        't' => Some(('\t', 1)),
        'v' => Some(('\u{b}', 1)),
        '\\' | '\'' | '"' | '`' | '?' => Some((first, 1)),
        'x' | 'X' => digits(1, 2, 16),
        'u' => digits(1, 4, 16),
        'U' => digits(1, 8, 16),
        '0'..='3' => digits(0, 3, 8),
        _ => None,
    }
}

/// How many bytes a number takes.
fn number_length(rest: &str) -> Option<usize> {
    let digits = |text: &str, is_digit: fn(&char) -> bool| text.chars().take_while(is_digit).count();
    if let Some(hex) = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X")) {
        let length = digits(hex, char::is_ascii_hexdigit);
        let is_unsigned = hex.get(length..)?.starts_with(['u', 'U']);
        return (length > 0 && length <= 16).then_some(2 + length + usize::from(is_unsigned));
    }
    let mut length = digits(rest, char::is_ascii_digit);
    let mut is_whole = true;
    if let Some(fraction) = rest.get(length..)?.strip_prefix('.') {
        let places = digits(fraction, char::is_ascii_digit);
        if places > 0 {
            is_whole = false;
            length += 1 + places;
        }
    }
    if let Some(exponent) = rest.get(length..)?.strip_prefix(['e', 'E']) {
        let sign = usize::from(exponent.starts_with(['+', '-']));
        let places = digits(exponent.get(sign..)?, char::is_ascii_digit);
        if places > 0 {
            is_whole = false;
            length += 1 + sign + places;
        }
    }
    if is_whole {
        let value = rest.get(..length)?;
        if rest.get(length..)?.starts_with(['u', 'U']) {
            return value.parse::<u64>().is_ok().then_some(length + 1);
        }
        // The sign stands outside, so one more than the greatest is the least.
        return value.parse::<u64>().is_ok_and(|value| value <= 1 << 63).then_some(length);
    }
    Some(length)
}

struct Parser {
    tokens: Vec<(usize, Token)>,
    at: usize,
    end: usize,
    depth: usize,
}

type Parsed = Result<Node, ExpressionFault>;

impl Parser {
    fn fault<T>(&self, message: &str) -> Result<T, ExpressionFault> {
        let offset = self.tokens.get(self.at).map_or(self.end, |(offset, _)| *offset);
        Err(ExpressionFault { offset, message: message.to_owned() })
    }

    fn is_next(&self, mark: &str) -> bool {
        matches!(self.tokens.get(self.at), Some((_, Token::Mark(found))) if *found == mark)
    }

    fn take(&mut self, mark: &str) -> bool {
        let is_next = self.is_next(mark);
        self.at += usize::from(is_next);
        is_next
    }

    fn need(&mut self, mark: &str) -> Result<(), ExpressionFault> {
        if self.take(mark) { Ok(()) } else { self.fault(&format!("`{mark}` is expected here")) }
    }

    fn expression(&mut self) -> Parsed {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return self.fault("it nests too deeply");
        }
        let condition = self.either()?;
        let node = if self.take("?") {
            let yes = self.either()?;
            self.need(":")?;
            let no = self.expression()?;
            Node::Choice(Box::new([condition, yes, no]))
        } else {
            condition
        };
        self.depth -= 1;
        Ok(node)
    }

    /// Operands between `marks`; one alone is itself.
    fn chain(&mut self, marks: &[&str], operand: fn(&mut Self) -> Parsed, node: fn(Vec<Node>) -> Node) -> Parsed {
        let first = operand(self)?;
        let mut more = Vec::new();
        while marks.iter().any(|mark| self.take(mark)) {
            more.push(operand(self)?);
        }
        if more.is_empty() {
            return Ok(first);
        }
        more.insert(0, first);
        Ok(node(more))
    }

    fn either(&mut self) -> Parsed {
        self.chain(&["||"], Self::both, Node::Test)
    }

    fn both(&mut self) -> Parsed {
        self.chain(&["&&"], Self::relation, Node::Test)
    }

    fn relation(&mut self) -> Parsed {
        let first = self.sum()?;
        let mut more = Vec::new();
        while ["<=", ">=", "==", "!=", "<", ">"].iter().any(|mark| self.take(mark)) || self.take_word("in") {
            more.push(self.sum()?);
        }
        if more.is_empty() {
            return Ok(first);
        }
        more.insert(0, first);
        Ok(Node::Test(more))
    }

    fn take_word(&mut self, word: &str) -> bool {
        let is_next = matches!(self.tokens.get(self.at), Some((_, Token::Name(name))) if name == word);
        self.at += usize::from(is_next);
        is_next
    }

    fn sum(&mut self) -> Parsed {
        self.chain(&["+", "-"], Self::product, Node::Sum)
    }

    fn product(&mut self) -> Parsed {
        self.chain(&["*", "/", "%"], Self::unary, Node::Sum)
    }

    fn unary(&mut self) -> Parsed {
        if self.is_next("!") {
            while self.take("!") {}
            return Ok(Node::Test(vec![self.member()?]));
        }
        if self.is_next("-") {
            while self.take("-") {}
            return Ok(Node::Sum(vec![self.member()?]));
        }
        self.member()
    }

    fn member(&mut self) -> Parsed {
        let mut node = self.primary()?;
        let mut length = 0;
        loop {
            // A chain of members nests as deeply as it is long.
            length += 1;
            if length > DEPTH_MAX {
                return self.fault("it nests too deeply");
            }
            if self.take(".?") {
                node = Node::Select(Box::new(node), self.selector()?);
            } else if self.take(".") {
                let name = self.selector()?;
                node = if self.take("(") { Node::Call(Some(Box::new(node)), name, self.list(")")?) } else { Node::Select(Box::new(node), name) };
            } else if self.take("[") || self.take("[?") {
                let index = self.expression()?;
                self.need("]")?;
                node = Node::Index(Box::new(node), Box::new(index));
            } else if self.is_next("{") && matches!(node, Node::Name(_) | Node::Select(..)) {
                self.at += 1;
                node = Node::Map(self.fields()?);
            } else {
                return Ok(node);
            }
        }
    }

    fn selector(&mut self) -> Result<String, ExpressionFault> {
        match self.tokens.get(self.at) {
            Some((_, Token::Name(name))) if !matches!(name.as_str(), "in" | "true" | "false" | "null") => {
                let name = name.clone();
                self.at += 1;
                Ok(name)
            }
            Some((_, Token::Field(name))) => {
                let name = name.clone();
                self.at += 1;
                Ok(name)
            }
            _ => self.fault("the name of a field is expected here"),
        }
    }

    /// Expressions between commas up to `end`; a comma may stand behind the last one of a list.
    fn list(&mut self, end: &str) -> Result<Vec<Node>, ExpressionFault> {
        let mut items = Vec::new();
        while !self.take(end) {
            if !items.is_empty() {
                self.need(",")?;
                if end == "]" && self.take(end) {
                    break;
                }
            }
            self.take("?");
            items.push(self.expression()?);
        }
        Ok(items)
    }

    /// `key: value` pairs up to the closing brace.
    fn fields(&mut self) -> Result<Vec<Node>, ExpressionFault> {
        let mut parts = Vec::new();
        let mut is_first = true;
        while !self.take("}") {
            if !std::mem::take(&mut is_first) {
                self.need(",")?;
                if self.take("}") {
                    break;
                }
            }
            self.take("?");
            // The name of a structure's field is no variable; before the colon of a map stands an expression.
            let key = self.expression()?;
            self.need(":")?;
            if !matches!(key, Node::Name(_)) {
                parts.push(key);
            }
            parts.push(self.expression()?);
        }
        Ok(parts)
    }

    fn primary(&mut self) -> Parsed {
        if self.take("(") {
            let inside = self.expression()?;
            self.need(")")?;
            return Ok(inside);
        }
        if self.take("[") {
            return Ok(Node::List(self.list("]")?));
        }
        if self.take("{") {
            return Ok(Node::Map(self.fields()?));
        }
        let is_absolute = self.take(".");
        let Some((_, token)) = self.tokens.get(self.at).cloned() else { return self.fault("something is missing") };
        self.at += 1;
        match token {
            Token::Name(name) if matches!(name.as_str(), "true" | "false") && !is_absolute => Ok(Node::Bool),
            Token::Name(name) if name == "null" && !is_absolute => Ok(Node::Literal),
            Token::Name(name) if RESERVED.contains(&name.as_str()) => {
                self.at -= 1;
                self.fault(&format!("`{name}` is a reserved word"))
            }
            Token::Name(name) if self.take("(") => self.call(name),
            Token::Name(name) => Ok(Node::Name(name)),
            Token::Text(text) if !is_absolute => Ok(Node::Text(text)),
            Token::Number | Token::Bytes if !is_absolute => Ok(Node::Literal),
            _ => {
                self.at -= 1;
                self.fault("a value is expected here")
            }
        }
    }

    fn call(&mut self, name: String) -> Parsed {
        let mut arguments = self.list(")")?;
        if name != "has" {
            return Ok(Node::Call(None, name, arguments));
        }
        match (arguments.pop(), arguments.is_empty()) {
            (Some(field @ Node::Select(..)), true) => Ok(Node::Has(Box::new(field))),
            _ => self.fault("`has` takes one field: `has(claims.name)`"),
        }
    }
}
