//! What a YAML scalar means to the Kubernetes API server.
//!
//! The server reads YAML as `go.yaml.in/yaml/v2` does and turns it into JSON: YAML 1.1 booleans (`yes`, `on`, `y`), octal
//! numbers with a leading zero, underscores in numbers; but no sexagesimal numbers and no timestamps. `tests/oracle.rs`
//! compares this table with that library itself.
//!
//! Problems never repeat the text of a value: it may be a secret.

use std::borrow::Cow;

use crate::intern::Interner;
use crate::tree::Tag;

/// A resolved scalar.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scalar<'a> {
    Null,
    Bool(bool),
    Int(i64),
    /// A whole number above `i64::MAX`.
    Large(u64),
    Float(f64),
    String(Cow<'a, str>),
}

/// Why a scalar has no meaning to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ScalarProblem {
    #[error("infinity and not-a-number are no values of JSON, and so of Kubernetes")]
    NotJson,
    #[error("the value is none of its tag `!!{0}`")]
    WrongTag(&'static str),
    #[error("a key is `null`; keys of Kubernetes objects are strings")]
    NullKey,
    #[error("a key is a number above 2^63; quote it")]
    LargeKey,
}

/// The meaning of a plain (unquoted, untagged) scalar.
pub(crate) fn plain(text: Cow<'_, str>) -> Scalar<'_> {
    let Some(&first) = text.as_bytes().first() else { return Scalar::Null };
    match first {
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~' => word(&text).unwrap_or(Scalar::String(text)),
        b'.' | b'+' | b'-' | b'0'..=b'9' => number(&text).unwrap_or(Scalar::String(text)),
        _ => Scalar::String(text),
    }
}

/// The meaning of a scalar with the tag `tag:yaml.org,2002:` + `tag`; a tag without a meaning of its own makes a string.
pub(crate) fn tagged<'a>(tag: &str, text: Cow<'a, str>) -> Result<Scalar<'a>, ScalarProblem> {
    match (tag, plain(text.clone())) {
        ("null", Scalar::Null) => Ok(Scalar::Null),
        ("null", _) => Err(ScalarProblem::WrongTag("null")),
        ("bool", found @ Scalar::Bool(_)) | ("int", found @ (Scalar::Int(_) | Scalar::Large(_))) | ("float", found @ Scalar::Float(_)) => Ok(found),
        ("bool", _) => Err(ScalarProblem::WrongTag("bool")),
        ("int", _) => Err(ScalarProblem::WrongTag("int")),
        #[expect(clippy::cast_precision_loss, reason = "the tag asks for a float, and the server rounds as well")]
        ("float", Scalar::Int(value)) => Ok(Scalar::Float(value as f64)),
        ("float", _) => Err(ScalarProblem::WrongTag("float")),
        ("timestamp", _) if is_timestamp(&text) => Ok(Scalar::String(text)),
        ("timestamp", _) => Err(ScalarProblem::WrongTag("timestamp")),
        ("binary", _) => {
            let bytes = base64_as_go(&text).ok_or(ScalarProblem::WrongTag("binary"))?;
            Ok(Scalar::String(text_as_go(&bytes).into()))
        }
        _ => Ok(Scalar::String(text)),
    }
}

impl<'a> Scalar<'a> {
    /// The text of the scalar when it stands as a key.
    pub(crate) fn into_key(self) -> Result<Cow<'a, str>, ScalarProblem> {
        match self {
            Scalar::Null => Err(ScalarProblem::NullKey),
            Scalar::Large(_) => Err(ScalarProblem::LargeKey),
            Scalar::Bool(value) => Ok(if value { "true".into() } else { "false".into() }),
            Scalar::Int(value) => Ok(value.to_string().into()),
            Scalar::Float(value) => Ok(float_key(value).into()),
            Scalar::String(text) => Ok(text),
        }
    }

    /// The node that holds the scalar.
    pub(crate) fn store(&self, strings: &mut Interner) -> Result<(Tag, u32), ScalarProblem> {
        Ok(match self {
            Scalar::Null => (Tag::Null, 0),
            Scalar::Bool(true) => (Tag::True, 0),
            Scalar::Bool(false) => (Tag::False, 0),
            Scalar::Int(value) => match i32::try_from(*value) {
                Ok(small) => (Tag::Int, small.cast_unsigned()),
                Err(_) => (Tag::Number, strings.intern(&value.to_string()).0),
            },
            Scalar::Large(value) => (Tag::Number, strings.intern(&value.to_string()).0),
            Scalar::Float(value) => return store_float(*value, strings),
            Scalar::String(text) => (Tag::String, strings.intern(text).0),
        })
    }
}

/// A float as Go's `encoding/json` writes it: without an exponent between 10⁻⁶ and 10²¹, whole numbers without a fraction.
fn store_float(value: f64, strings: &mut Interner) -> Result<(Tag, u32), ScalarProblem> {
    if !value.is_finite() {
        return Err(ScalarProblem::NotJson);
    }
    let size = value.abs();
    let text = if value == 0.0 || (1e-6..1e21).contains(&size) { format!("{value}") } else { with_exponent(&format!("{value:e}"), 1) };
    Ok(match text.parse::<i32>() {
        // A negative zero is a number of its own.
        Ok(whole) if text != "-0" => (Tag::Int, whole.cast_unsigned()),
        _ => (Tag::Number, strings.intern(&text).0),
    })
}

/// A float as a key: in single precision and with an exponent from 10⁶ on, as the server's YAML library writes it.
fn float_key(value: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "the server writes keys in single precision")]
    let single = value as f32;
    if single.is_nan() {
        return ".nan".to_owned();
    }
    if single.is_infinite() {
        return if single > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let scientific = format!("{single:e}");
    let exponent: i32 = scientific.split_once('e').and_then(|(_, exponent)| exponent.parse().ok()).unwrap_or(0);
    if (-4..SHORTEST_EXPONENT).contains(&exponent) { format!("{single}") } else { with_exponent(&scientific, 2) }
}

/// From this exponent on Go's shortest form (`%g`) of a float is written with an exponent, however many digits it has.
const SHORTEST_EXPONENT: i32 = 6;

/// Rust's `1e21` and `1e-7` as Go writes them: with a sign, and at least `digits` digits.
fn with_exponent(text: &str, digits: usize) -> String {
    let Some((mantissa, exponent)) = text.split_once('e') else { return text.to_owned() };
    let (sign, size) = exponent.strip_prefix('-').map_or(('+', exponent), |size| ('-', size));
    format!("{mantissa}e{sign}{size:0>digits$}")
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
    match text {
        ".nan" | ".NaN" | ".NAN" => return Some(Scalar::Float(f64::NAN)),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Some(Scalar::Float(f64::INFINITY)),
        "-.inf" | "-.Inf" | "-.INF" => return Some(Scalar::Float(f64::NEG_INFINITY)),
        _ => {}
    }
    if text.starts_with('.') {
        // A leading dot goes straight to Go's `ParseFloat`, with its own rule for underscores: between digits.
        return underscores_part_digits(text).then(|| text.replace('_', "")).and_then(|text| float(&text));
    }
    let packed: Cow<'_, str> = if text.contains('_') { text.replace('_', "").into() } else { text.into() };
    integer(&packed).or_else(|| float(&packed)).or_else(|| signed_binary(&packed))
}

fn underscores_part_digits(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    bytes.iter().enumerate().all(|(at, &byte)| byte != b'_' || (digit(at.checked_sub(1)) && digit(at.checked_add(1))))
}

/// Go's `strconv.ParseInt` and `ParseUint` with base 0.
fn integer(text: &str) -> Option<Scalar<'static>> {
    let (sign, digits) = match text.as_bytes().first()? {
        sign @ (b'-' | b'+') => (Some(*sign), text.get(1..)?),
        _ => (None, text),
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
    let value = if sign == Some(b'-') { -i128::from(size) } else { i128::from(size) };
    match i64::try_from(value) {
        Ok(value) => Some(Scalar::Int(value)),
        // A sign is accepted by ParseInt alone, which stops at 2^63.
        Err(_) => sign.is_none().then_some(Scalar::Large(size)),
    }
}

/// `0b-101`, which no standard knows, but the library reads: the digits after `0b` may have a sign of their own.
fn signed_binary(text: &str) -> Option<Scalar<'static>> {
    let digits = text.strip_prefix("0b").filter(|digits| digits.starts_with(['-', '+']))?;
    i64::from_str_radix(digits, 2).ok().map(Scalar::Int)
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

/// A decimal float; one that is too large for 64 bits is none.
fn float(text: &str) -> Option<Scalar<'static>> {
    if !is_decimal(text) {
        return None;
    }
    text.parse().ok().filter(|value: &f64| value.is_finite()).map(Scalar::Float)
}

/// `2001-12-14`, `2001-12-14 21:59:43.10` or `2001-12-14T21:59:43.10Z`: what the tag `!!timestamp` accepts.
fn is_timestamp(text: &str) -> bool {
    let (date, rest) = match text.split_once(['T', 't', ' ']) {
        Some((date, rest)) => (date, Some(rest)),
        None => (text, None),
    };
    let number = |text: &str, width: std::ops::RangeInclusive<usize>| {
        let fits = width.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        fits.then(|| text.parse::<i16>().ok()).flatten()
    };
    let short = |text: &str| number(text, 1..=2).and_then(|value| i8::try_from(value).ok());
    let parts: Vec<&str> = date.split('-').collect();
    let &[year, month, day] = parts.as_slice() else { return false };
    let is_date = number(year, 4..=4).zip(short(month)).zip(short(day)).is_some_and(|((year, month), day)| jiff::civil::Date::new(year, month, day).is_ok());
    let Some(rest) = rest else { return is_date };
    let time = if text.contains(' ') {
        rest
    } else if let Some(time) = rest.strip_suffix('Z') {
        time
    } else {
        let Some((time, zone)) = rest.rsplit_once(['+', '-']) else { return false };
        if zone.split_once(':').is_none_or(|(hours, minutes)| number(hours, 2..=2).is_none() || number(minutes, 2..=2).is_none()) {
            return false;
        }
        time
    };
    let (whole, fraction) = time.split_once('.').map_or((time, "0"), |(whole, fraction)| (whole, fraction));
    let parts: Vec<&str> = whole.split(':').collect();
    let &[hour, minute, second] = parts.as_slice() else { return false };
    let is_time =
        short(hour).zip(short(minute)).zip(short(second)).is_some_and(|((hour, minute), second)| jiff::civil::Time::new(hour, minute, second, 0).is_ok());
    is_date && is_time && !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit())
}

/// Base64 as Go's standard decoder reads it: line breaks are skipped, padding is required, left-over bits may be anything.
pub(crate) fn base64_as_go(text: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
    const READER: GeneralPurpose = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true).with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
    );
    if text.contains(['\r', '\n']) { READER.decode(text.replace(['\r', '\n'], "")) } else { READER.decode(text) }.ok()
}

/// Bytes as Go's `encoding/json` writes them into a string: one replacement character for each byte that is no UTF-8.
fn text_as_go(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(text: &str, expected: Scalar<'static>) {
        assert_eq!(plain(text.into()), expected, "{text}");
    }

    /// The JSON text of a plain scalar.
    fn json(text: &str) -> String {
        let mut strings = Interner::new();
        let (tag, payload) = plain(text.into()).store(&mut strings).unwrap();
        match tag {
            Tag::Int => payload.cast_signed().to_string(),
            _ => strings.text(crate::Symbol(payload)).to_owned(),
        }
    }

    fn key(text: &str) -> String {
        plain(text.into()).into_key().unwrap().into_owned()
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
    fn whole_numbers_are_those_of_go() {
        let cases = [
            ("0420", 272),
            ("0o420", 272),
            ("0777", 511),
            ("0x1F", 31),
            ("0b101", 5),
            ("1_000", 1000),
            ("1__0", 10),
            ("+12", 12),
            ("-0x10", -16),
            ("0", 0),
            ("-0", 0),
            ("0b-101", -5),
        ];
        for (text, value) in cases {
            reads(text, Scalar::Int(value));
        }
        reads("4294967296", Scalar::Int(4_294_967_296));
        reads("18446744073709551615", Scalar::Large(u64::MAX));
    }

    #[test]
    fn floats_are_written_as_go_writes_them() {
        for (text, written) in [
            ("1.0", "1"),
            ("0899", "899"),
            ("1.", "1"),
            ("1E+2", "100"),
            ("18446744073709551616", "18446744073709552000"),
            (".5", "0.5"),
            (".5_0", "0.5"),
            ("1e-7", "1e-7"),
            ("1e21", "1e+21"),
            ("-0.0", "-0"),
            ("1.5e300", "1.5e+300"),
        ] {
            assert_eq!(json(text), written, "{text}");
        }
    }

    #[test]
    fn what_looks_like_a_number_elsewhere_is_a_string_here() {
        for text in ["1:30", "190:20:30", "2001-12-14", "=", "0x", "0o8", "_1", "1e400", "0b", "+", "-", ".", "1.2.3", "12e", "0xG", "._5", ".5_", "0B-1"] {
            reads(text, Scalar::String(text.into()));
        }
    }

    #[test]
    fn infinities_are_keys_but_no_values() {
        for (text, name) in [(".inf", ".inf"), ("-.inf", "-.inf"), ("+.Inf", ".inf"), (".nan", ".nan"), (".NaN", ".nan")] {
            assert_eq!(plain(text.into()).store(&mut Interner::new()), Err(ScalarProblem::NotJson), "{text}");
            assert_eq!(key(text), name);
        }
    }

    #[test]
    fn a_key_is_the_text_of_its_value() {
        for (text, name) in [("yes", "true"), ("0420", "272"), ("1.50", "1.5"), ("0.1", "0.1"), ("1e30", "1e+30"), ("1e-9", "1e-09"), ("app", "app")] {
            assert_eq!(key(text), name, "{text}");
        }
        assert_eq!(plain("~".into()).into_key(), Err(ScalarProblem::NullKey));
        assert_eq!(plain("18446744073709551615".into()).into_key(), Err(ScalarProblem::LargeKey));
    }

    #[test]
    fn tags_decide() {
        assert_eq!(tagged("str", "yes".into()), Ok(Scalar::String("yes".into())));
        assert_eq!(tagged("int", "12".into()), Ok(Scalar::Int(12)));
        assert_eq!(tagged("float", "12".into()), Ok(Scalar::Float(12.0)));
        assert_eq!(tagged("binary", "aGVs\nbG8=".into()), Ok(Scalar::String("hello".into())));
        assert_eq!(tagged("binary", "//4=".into()), Ok(Scalar::String("\u{fffd}\u{fffd}".into())));
        for (tag, text) in [("int", "twelve"), ("bool", "maybe"), ("float", "x"), ("null", "nil"), ("binary", "aGVs bG8="), ("timestamp", "2001-13-01")] {
            let problem = tagged(tag, text.into()).unwrap_err();
            assert!(!problem.to_string().contains(text), "a problem repeats the value {text}");
        }
        assert_eq!(tagged("timestamp", "2001-12-14T21:59:43.1Z".into()), Ok(Scalar::String("2001-12-14T21:59:43.1Z".into())));
    }
}
