//! What a YAML scalar means to the Kubernetes API server.
//!
//! The server reads YAML as `go.yaml.in/yaml/v2` does and turns it into JSON: YAML 1.1 booleans (`yes`, `on`, `y`), octal
//! numbers with a leading zero, underscores in numbers; but no sexagesimal numbers and no timestamps. The tests compare
//! this table with that library itself.

use std::borrow::Cow;

/// A resolved scalar.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scalar<'a> {
    Null,
    Bool(bool),
    Int(i32),
    /// Canonical JSON text of any other number.
    Number(String),
    String(Cow<'a, str>),
}

/// Why a scalar has no meaning as JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ScalarProblem {
    #[error("`{0}` is no value that JSON, and so Kubernetes, knows")]
    NotJson(String),
    #[error("`{text}` is not a value of the tag `!!{tag}`")]
    WrongTag { text: String, tag: &'static str },
}

/// The meaning of a plain (unquoted, untagged) scalar.
pub(crate) fn plain(text: Cow<'_, str>) -> Result<Scalar<'_>, ScalarProblem> {
    let Some(&first) = text.as_bytes().first() else { return Ok(Scalar::Null) };
    match first {
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~' => Ok(word(&text).unwrap_or(Scalar::String(text))),
        b'.' | b'+' | b'-' | b'0'..=b'9' => {
            if matches!(text.trim_start_matches(['+', '-']), ".inf" | ".Inf" | ".INF") || matches!(&*text, ".nan" | ".NaN" | ".NAN") {
                return Err(ScalarProblem::NotJson(text.into_owned()));
            }
            Ok(number(&text).unwrap_or(Scalar::String(text)))
        }
        _ => Ok(Scalar::String(text)),
    }
}

/// The meaning of a scalar with a tag of the YAML core schema (`int` for `!!int`); any other tag makes a string.
pub(crate) fn tagged<'a>(tag: &str, text: Cow<'a, str>) -> Result<Scalar<'a>, ScalarProblem> {
    let wrong = |tag: &'static str, text: &str| ScalarProblem::WrongTag { text: text.to_owned(), tag };
    match tag {
        "null" => match plain(text)? {
            Scalar::Null => Ok(Scalar::Null),
            other => Err(wrong("null", &other.to_text())),
        },
        "bool" => match plain(text)? {
            found @ Scalar::Bool(_) => Ok(found),
            other => Err(wrong("bool", &other.to_text())),
        },
        "int" => match plain(text)? {
            found @ Scalar::Int(_) => Ok(found),
            Scalar::Number(text) if !text.contains(['.', 'e']) => Ok(Scalar::Number(text)),
            other => Err(wrong("int", &other.to_text())),
        },
        "float" => match plain(text)? {
            found @ (Scalar::Int(_) | Scalar::Number(_)) => Ok(found),
            other => Err(wrong("float", &other.to_text())),
        },
        "binary" => {
            use base64::Engine as _;
            let packed: String = text.split_ascii_whitespace().collect();
            let bytes = base64::engine::general_purpose::STANDARD.decode(packed).map_err(|_| wrong("binary", &text))?;
            Ok(Scalar::String(String::from_utf8_lossy(&bytes).into_owned().into()))
        }
        _ => Ok(Scalar::String(text)),
    }
}

impl Scalar<'_> {
    /// The text of the scalar when it stands as a key; `None` for null, which cannot.
    pub(crate) fn into_key(self) -> Option<String> {
        match self {
            Scalar::Null => None,
            other => Some(other.to_text()),
        }
    }

    fn to_text(&self) -> String {
        match self {
            Scalar::Null => "null".to_owned(),
            Scalar::Bool(value) => value.to_string(),
            Scalar::Int(value) => value.to_string(),
            Scalar::Number(text) => text.clone(),
            Scalar::String(text) => text.clone().into_owned(),
        }
    }
}

fn word(text: &str) -> Option<Scalar<'static>> {
    Some(match text {
        "~" | "null" | "Null" | "NULL" => Scalar::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Scalar::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Scalar::Bool(false),
        _ => return None,
    })
}

fn number(text: &str) -> Option<Scalar<'static>> {
    if text.starts_with('.') {
        // A leading dot goes straight to Go's `ParseFloat`, which takes no underscores here.
        return float(text);
    }
    let packed: String = text.chars().filter(|&letter| letter != '_').collect();
    if let Some(whole) = integer(&packed) {
        return Some(whole);
    }
    if is_decimal(&packed) { float(&packed) } else { None }
}

/// Go's `strconv.ParseInt` and `ParseUint` with base 0.
fn integer(text: &str) -> Option<Scalar<'static>> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    let (radix, digits) = match digits.get(..2) {
        Some("0x" | "0X") => (16, digits.get(2..)?),
        Some("0b" | "0B") => (2, digits.get(2..)?),
        Some("0o" | "0O") => (8, digits.get(2..)?),
        _ if digits.len() > 1 && digits.starts_with('0') => (8, digits.get(1..)?),
        _ => (10, digits),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let size = u64::from_str_radix(digits, radix).ok()?;
    let value = if negative { -i128::from(size) } else { i128::from(size) };
    // An explicit plus sign is accepted by ParseInt alone, which stops at 2^63.
    let fits = if negative || text.starts_with('+') { i64::try_from(value).is_ok() } else { true };
    fits.then(|| whole(value))
}

fn whole(value: i128) -> Scalar<'static> {
    i32::try_from(value).map_or_else(|_| Scalar::Number(value.to_string()), Scalar::Int)
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_decimal(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))),
        None => (text, None),
    };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let mantissa_fits = match mantissa.split_once('.') {
        Some(("", fraction)) => digits(fraction),
        Some((before, fraction)) => digits(before) && (fraction.is_empty() || digits(fraction)),
        None => digits(mantissa),
    };
    mantissa_fits && exponent.is_none_or(digits)
}

fn float(text: &str) -> Option<Scalar<'static>> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'));
    let value: f64 = text.parse().ok().filter(|_| plain)?;
    value.is_finite().then(|| float_value(value))
}

/// A float as Go's `encoding/json` writes it: whole numbers below 10²¹ without a fraction.
pub(crate) fn float_value(value: f64) -> Scalar<'static> {
    if value.fract() == 0.0 && value.abs() < 1e21 {
        // The text of a whole float is exact, so reading it back as an integer is too.
        let text = format!("{value:.0}");
        return match text.parse::<i128>() {
            Ok(0) if value.is_sign_negative() => Scalar::Number("-0".to_owned()),
            Ok(exact) => whole(exact),
            Err(_) => Scalar::Number(text),
        };
    }
    let size = value.abs();
    let text = if (1e-6..1e21).contains(&size) { format!("{value}") } else { exponent_form(value) };
    Scalar::Number(text)
}

/// `1e+21`, `1.5e-07` as Go writes them: a sign, and at least two digits unless JSON shortens `e-07` to `e-7`.
fn exponent_form(value: f64) -> String {
    let text = format!("{value:e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) if !exponent.starts_with('-') => format!("{mantissa}e+{exponent}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(text: &str, expected: Scalar<'static>) {
        assert_eq!(plain(text.into()), Ok(expected), "{text}");
    }

    #[test]
    fn booleans_are_those_of_yaml_1_1() {
        for text in ["y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE"] {
            reads(text, Scalar::Bool(true));
        }
        for text in ["n", "N", "no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE"] {
            reads(text, Scalar::Bool(false));
        }
        for text in ["tRuE", "yEs", "oN", "Y1"] {
            reads(text, Scalar::String(text.into()));
        }
    }

    #[test]
    fn numbers_are_those_of_go() {
        for (text, value) in [("0420", 272), ("0o420", 272), ("0777", 511), ("0x1F", 31), ("0b101", 5), ("1_000", 1000), ("1__0", 10), ("+12", 12), ("-0x10", -16), ("0899", 899), ("1.", 1), ("1E+2", 100), ("0", 0), ("-0", 0), ("1.0", 1)] {
            reads(text, Scalar::Int(value));
        }
        reads("18446744073709551615", Scalar::Number("18446744073709551615".into()));
        reads("18446744073709551616", Scalar::Number("18446744073709552000".into()));
        reads(".5", Scalar::Number("0.5".into()));
        reads("4294967296", Scalar::Number("4294967296".into()));
        reads("1e-7", Scalar::Number("1e-7".into()));
        reads("1e21", Scalar::Number("1e+21".into()));
    }

    #[test]
    fn what_looks_like_a_number_elsewhere_is_a_string_here() {
        for text in ["1:30", "190:20:30", "2001-12-14", "=", "0x", "0o8", "_1", "1e400", "0b", "+", "-", ".", "1.2.3", "12e", "0xG"] {
            reads(text, Scalar::String(text.into()));
        }
    }

    #[test]
    fn infinities_are_refused() {
        for text in [".inf", "-.inf", "+.Inf", ".nan", ".NaN"] {
            assert!(plain(text.into()).is_err(), "{text}");
        }
    }

    #[test]
    fn tags_decide() {
        assert_eq!(tagged("str", "yes".into()), Ok(Scalar::String("yes".into())));
        assert_eq!(tagged("int", "12".into()), Ok(Scalar::Int(12)));
        assert_eq!(tagged("binary", "aGVs bG8=".into()), Ok(Scalar::String("hello".into())));
        assert!(tagged("int", "twelve".into()).is_err());
        assert!(tagged("bool", "maybe".into()).is_err());
    }
}
