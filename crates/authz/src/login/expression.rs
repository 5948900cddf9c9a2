//! CEL expressions: whether they parse, what they select, and whether they can be the boolean that a rule must be.
//!
//! The syntax is that of the language definition with the optional fields that Kubernetes turns on. Types are told only where the
//! expression leaves no choice; functions are not looked up. What is refused here is refused by the API server; what is let through
//! may still not pass its type checker.

mod syntax;

use std::collections::BTreeSet;

/// Names that stand for types and packages, not for variables.
const TYPES: [&str; 16] = [
    "bool",
    "bytes",
    "double",
    "dyn",
    "int",
    "list",
    "map",
    "null_type",
    "string",
    "timestamp",
    "type",
    "uint",
    "duration",
    "optional_type",
    "optional",
    "google",
];

/// Macros that give a name to the items of what they stand behind.
const COMPREHENSIONS: [&str; 5] = ["all", "exists", "exists_one", "filter", "map"];

/// Why an expression is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ExpressionFault {
    /// The byte at which it went wrong.
    pub(super) offset: usize,
    pub(super) message: String,
}

/// An expression that parses.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Expression {
    root: Node,
}

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Name(String),
    Text(String),
    Bool,
    /// A literal that is neither text nor boolean.
    Literal,
    Select(Box<Node>, String),
    /// `has(a.b)`
    Has(Box<Node>),
    Index(Box<Node>, Box<Node>),
    Call(Option<Box<Node>>, String, Vec<Node>),
    /// Operators whose value is a boolean, whatever they work on.
    Test(Vec<Node>),
    /// Operators on numbers, texts and lists.
    Sum(Vec<Node>),
    Choice(Box<[Node; 3]>),
    List(Vec<Node>),
    Map(Vec<Node>),
}

/// What a type can be told to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Boolean,
    Other,
    Unknown,
}

impl Expression {
    /// Parses `text`.
    pub(super) fn parse(text: &str) -> Result<Self, ExpressionFault> {
        Ok(Self { root: syntax::parse(text)? })
    }

    /// Whether `name.field` is selected anywhere, also to ask whether it is there.
    pub(super) fn selects(&self, name: &str, field: &str) -> bool {
        let mut found = false;
        self.root.visit(&mut |node| {
            if let Node::Select(of, selected) = node {
                found |= selected == field && **of == Node::Name(name.to_owned());
            }
        });
        found
    }

    /// Whether a text in it contains `part`.
    pub(super) fn mentions(&self, part: &str) -> bool {
        let mut found = false;
        self.root.visit(&mut |node| found |= matches!(node, Node::Text(text) if text.contains(part)));
        found
    }

    /// Whether it is nothing but a field of `name`, however deep.
    pub(super) fn is_field_of(&self, name: &str) -> bool {
        let mut node = &self.root;
        loop {
            match node {
                Node::Select(of, _) => node = of,
                Node::Index(of, index) if matches!(**index, Node::Text(_)) => node = of,
                Node::Name(found) => return found == name,
                _ => return false,
            }
        }
    }

    /// A name that stands for nothing, where only `variable` stands for something.
    pub(super) fn unknown_name(&self, variable: &str) -> Option<String> {
        self.root.unknown_name(variable, &mut BTreeSet::new())
    }

    /// A field that is selected of `name` and is none of `known`.
    pub(super) fn unknown_field(&self, name: &str, known: &[&str]) -> Option<String> {
        let mut found = None;
        self.root.visit(&mut |node| {
            if let Node::Select(of, field) = node
                && **of == Node::Name(name.to_owned())
                && !known.contains(&field.as_str())
            {
                found.get_or_insert_with(|| field.clone());
            }
        });
        found
    }

    /// Whether it goes through the items of a field of `name` as it is. The type checker takes no field of unknown type for a list.
    pub(super) fn iterates_field_of(&self, name: &str) -> bool {
        let mut found = false;
        self.root.visit(&mut |node| {
            if let Node::Call(Some(range), function, arguments) = node {
                found |= COMPREHENSIONS.contains(&function.as_str()) && arguments.len() > 1 && range.is_field_of(name);
            }
        });
        found
    }

    /// Whether it cannot be a boolean, which the server sees when it checks types.
    pub(super) fn is_surely_no_boolean(&self) -> bool {
        self.root.kind() == Kind::Other
    }
}

impl Node {
    fn children(&self) -> Vec<&Node> {
        match self {
            Node::Name(_) | Node::Text(_) | Node::Bool | Node::Literal => Vec::new(),
            Node::Select(of, _) | Node::Has(of) => vec![of],
            Node::Index(of, index) => vec![of, index],
            Node::Call(target, _, arguments) => target.iter().map(|target| &**target).chain(arguments).collect(),
            Node::Choice(parts) => parts.iter().collect(),
            Node::Test(parts) | Node::Sum(parts) | Node::List(parts) | Node::Map(parts) => parts.iter().collect(),
        }
    }

    fn visit(&self, see: &mut impl FnMut(&Node)) {
        see(self);
        for child in self.children() {
            child.visit(see);
        }
    }

    /// Whether it is a field of `name` as it is, or that with something in place of an absent one.
    fn is_field_of(&self, name: &str) -> bool {
        match self {
            Node::Select(of, _) | Node::Index(of, _) => **of == Node::Name(name.to_owned()),
            Node::Call(Some(of), function, _) => function == "orValue" && of.is_field_of(name),
            _ => false,
        }
    }

    fn unknown_name(&self, variable: &str, scope: &mut BTreeSet<String>) -> Option<String> {
        match self {
            Node::Name(name) => (name != variable && !TYPES.contains(&name.as_str()) && !scope.contains(name)).then(|| name.clone()),
            Node::Call(Some(target), name, arguments) if COMPREHENSIONS.contains(&name.as_str()) && arguments.len() > 1 => {
                if let Some(found) = target.unknown_name(variable, scope) {
                    return Some(found);
                }
                // Some macros name the place of an item too: names in front count, but for the last argument.
                let names = arguments.iter().map_while(|argument| if let Node::Name(name) = argument { Some(name.clone()) } else { None });
                let names: Vec<String> = names.take(arguments.len() - 1).collect();
                let taken = names.len().max(1);
                let new: Vec<String> = names.into_iter().filter(|name| scope.insert(name.clone())).collect();
                let found = arguments.iter().skip(taken).find_map(|argument| argument.unknown_name(variable, scope));
                for name in &new {
                    scope.remove(name);
                }
                found
            }
            _ => self.children().into_iter().find_map(|child| child.unknown_name(variable, scope)),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Node::Bool | Node::Test(_) | Node::Has(_) => Kind::Boolean,
            Node::Text(_) | Node::Literal | Node::List(_) | Node::Map(_) | Node::Sum(_) => Kind::Other,
            // A variable is a map or a structure; a claim can be anything, which is not enough for the type checker.
            Node::Name(_) => Kind::Other,
            Node::Select(of, _) | Node::Index(of, _) if of.kind() == Kind::Other => Kind::Other,
            Node::Select(..) | Node::Index(..) => Kind::Unknown,
            Node::Choice(parts) => {
                let [_, yes, no] = &**parts;
                if yes.kind() == no.kind() { yes.kind() } else { Kind::Unknown }
            }
            Node::Call(Some(_), name, _) => match name.as_str() {
                "all" | "exists" | "exists_one" | "startsWith" | "endsWith" | "contains" | "matches" => Kind::Boolean,
                "orValue" if self.is_field_of("claims") => Kind::Other,
                "map" | "filter" | "split" | "lowerAscii" | "upperAscii" | "trim" | "replace" | "join" | "substring" | "size" => Kind::Other,
                _ => Kind::Unknown,
            },
            Node::Call(None, name, _) => match name.as_str() {
                "bool" => Kind::Boolean,
                "string" | "int" | "uint" | "double" | "size" | "bytes" | "type" => Kind::Other,
                _ => Kind::Unknown,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Expression {
        Expression::parse(text).unwrap_or_else(|fault| panic!("{text}: {fault:?}"))
    }

    #[test]
    fn what_the_language_allows_parses() {
        for text in [
            "claims.sub",
            "claims.?email.orValue('')",
            "claims.`a-b`.c",
            "claims[?'a'].hasValue()",
            "'prefix:' + claims.sub",
            r#"claims.email_verified == true && !("x" in claims.groups)"#,
            "has(claims.realm_access) ? claims.realm_access.roles.map(r, 'kc:' + r) : []",
            "user.groups.all(g, !g.startsWith('system:'))",
            "[1, 2u, 0x1F, 1.5e3, .5, -1,]",
            "{'a': 1, 'b': {}}",
            r"claims.a.b.c[0]['x'] >= 1 ? b'x' : r'\d+'",
            "'''long\ntext''' == \"\\u00e9\\x41\\101\" // remark",
            "type(claims.exp) == int",
            "!!true",
            "--1 == 1",
            "(((true)))",
        ] {
            parse(text);
        }
    }

    #[test]
    fn what_it_does_not_allow_is_told_with_its_place() {
        for (text, offset) in [
            ("", 0),
            ("claims.", 7),
            ("claims.sub ==", 13),
            ("(claims", 7),
            ("claims.sub)", 10),
            ("'open", 0),
            ("a b", 2),
            ("if", 0),
            ("1 = 1", 2),
            ("has(claims)", 11),
            ("claims.in", 7),
            (r"'\q'", 0),
            ("a ? b", 5),
            ("99999999999999999999", 0),
            ("claims.sub == \u{201c}x\u{201d}", 14),
            ("f(1,)", 4),
        ] {
            let fault = Expression::parse(text).expect_err(text);
            assert_eq!(fault.offset, offset, "{text}: {fault:?}");
        }
    }

    #[test]
    fn hostile_texts_end_soon() {
        let texts = ["(", "[", "!", "a.", "-", "a?b:", "a + ", "{1:", "f("].map(|part| part.repeat(10_000));
        for text in texts.into_iter().chain(["x".repeat(1 << 20)]) {
            assert!(Expression::parse(&text).is_err());
        }
        assert!(Expression::parse(&format!("{}true", "!".repeat(60_000))).is_ok());
    }

    #[test]
    fn selections_are_found_wherever_they_are() {
        for text in ["claims.email", "has(claims.email)", "claims.?email.orValue('')", "[{'a': claims.email}]", "claims.x.all(e, claims.email == e)"] {
            assert!(parse(text).selects("claims", "email"), "{text}");
        }
        for text in ["claims.email_verified", "user.email", "'claims.email'", "claims.x.email"] {
            assert!(!parse(text).selects("claims", "email"), "{text}");
        }
    }

    #[test]
    fn names_that_stand_for_nothing_are_found() {
        assert_eq!(parse("math.abs(1)").unknown_name("claims").as_deref(), Some("math"));
        assert_eq!(parse("claims.groups.map(g, g + string(1))").unknown_name("claims"), None);
        assert_eq!(parse("claims.groups.map(g, h)").unknown_name("claims").as_deref(), Some("h"));
        assert_eq!(parse("user.username == ''").unknown_name("claims").as_deref(), Some("user"));
        assert_eq!(parse("type(claims.x) == int").unknown_name("claims"), None);
        assert_eq!(parse("user.name == ''").unknown_field("user", &["username"]).as_deref(), Some("name"));
    }

    #[test]
    fn going_through_a_claim_is_found() {
        for text in ["claims.x.map(y, y)", "claims['x'].all(y, y)", "[claims.?x.orValue([]).filter(y, y)]"] {
            assert!(parse(text).iterates_field_of("claims"), "{text}");
        }
        for text in ["dyn(claims.x).map(y, y)", "claims.x.y.all(z, z)", "claims.all(x, x)", "claims.x.split(',').all(y, y)", "[claims.x].all(y, y)"] {
            assert!(!parse(text).iterates_field_of("claims"), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_a_boolean_is_told() {
        for text in [
            "'x'",
            "1",
            "claims.a + 'x'",
            "[true]",
            "{}",
            "true ? 'a' : 'b'",
            "size(claims.x)",
            "claims.x",
            "claims.x['y'].z",
            "user",
            "claims.?x.orValue(true)",
        ] {
            assert!(parse(text).is_surely_no_boolean(), "{text}");
        }
        for text in ["true", "claims.x == 1", "claims.x.exists(y, y == 1)", "true ? claims.x : false", "some.f()"] {
            assert!(!parse(text).is_surely_no_boolean(), "{text}");
        }
    }
}
