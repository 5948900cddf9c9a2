//! The static token file of an API server (`--token-auth-file`): lines of `token,user,uid,"group,group"`.
//!
//! It is read as the server reads it: with the quotes of CSV, without comments, the fourth column is a comma-separated list. The token itself never leaves this module; its length does, and whether another line has the same.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::pem::Fault;

/// More lines are not read.
const ROWS_MAX: usize = 100_000;

/// So many faults of one file are told.
const FAULTS_MAX: usize = 64;

/// One user of a token file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenUser {
    /// The line, from 1.
    pub line: u32,
    /// The name of the user.
    pub user: String,
    /// The user's identifier.
    pub uid: String,
    /// The groups.
    pub groups: Vec<String>,
    /// How many bytes the token has.
    pub token_length: usize,
    /// The earlier line with the same token, which then logs in as the user of this line.
    pub repeats: Option<u32>,
}

/// What a token file holds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TokenFile {
    /// The users, in the order of the text.
    pub users: Vec<TokenUser>,
    /// What cannot be read. The server does not start with a file that has one.
    pub faults: Vec<Fault>,
}

/// Reads a token file.
pub fn read(text: &str) -> TokenFile {
    let mut file = TokenFile::default();
    let mut tokens: BTreeMap<String, u32> = BTreeMap::new();
    let mut rest = text;
    let mut line = 1u32;
    while !rest.is_empty() {
        if file.users.len() >= ROWS_MAX {
            fault(&mut file.faults, line, "the file has more lines than are read");
            break;
        }
        let (record, after) = record(rest);
        let here = line;
        let read = rest.len() - after.len();
        line = line.saturating_add(u32::try_from(rest.get(..read).unwrap_or("").matches('\n').count()).unwrap_or(u32::MAX));
        rest = after;
        let fields = match record {
            Ok(fields) => fields,
            Err(message) => {
                fault(&mut file.faults, here, message);
                continue;
            }
        };
        let [token, user, uid, more @ ..] = fields.as_slice() else {
            if !fields.is_empty() {
                fault(&mut file.faults, here, "a line needs a token, a user and an identifier, separated by commas");
            }
            continue;
        };
        if token.is_empty() {
            // The server skips such a line, with a warning.
            fault(&mut file.faults, here, "the token is empty; the server passes over the line");
            continue;
        }
        let groups = more.first().map_or_else(Vec::new, |groups| if groups.is_empty() { Vec::new() } else { groups.split(',').map(str::to_owned).collect() });
        let repeats = tokens.insert(token.clone(), here);
        file.users.push(TokenUser { line: here, user: user.clone(), uid: uid.clone(), groups, token_length: token.len(), repeats });
    }
    file
}

fn fault(faults: &mut Vec<Fault>, line: u32, message: &str) {
    if faults.len() < FAULTS_MAX {
        faults.push(Fault { line, message: message.to_owned() });
    }
}

/// The fields of the first record of `text`, none for an empty line, and the text behind it. Quotes work as in Go's
/// reader of CSV: a field is quoted from its first character or not at all, `""` is a quote inside.
fn record(text: &str) -> (Result<Vec<String>, &'static str>, &str) {
    let first_line_end = text.find('\n').map_or(text.len(), |at| at + 1);
    let (first_line, behind_line) = text.split_at_checked(first_line_end).unwrap_or((text, ""));
    let first_line = first_line.trim_end_matches(['\n', '\r']);
    if first_line.is_empty() {
        return (Ok(Vec::new()), behind_line);
    }
    let mut fields = Vec::new();
    let mut rest = text;
    loop {
        if let Some(inside) = rest.strip_prefix('"') {
            let Some((field, after)) = quoted(inside) else { return (Err("a quote is not closed"), behind_line) };
            fields.push(field);
            let ends_line = after.is_empty() || after.starts_with('\n') || after.starts_with("\r\n");
            if let Some(next) = after.strip_prefix(',') {
                rest = next;
            } else if ends_line {
                let behind = after.strip_prefix('\r').unwrap_or(after);
                return (Ok(fields), behind.strip_prefix('\n').unwrap_or(behind));
            } else {
                return (Err("something stands behind a closing quote"), behind_line);
            }
        } else {
            let end = rest.find([',', '\n']).unwrap_or(rest.len());
            let (field, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
            let field = if after.starts_with(',') { field } else { field.strip_suffix('\r').unwrap_or(field) };
            if field.contains('"') {
                return (Err("a quote stands inside a field that is not quoted"), behind_line);
            }
            fields.push(field.to_owned());
            match after.strip_prefix(',') {
                Some(next) => rest = next,
                None => return (Ok(fields), after.strip_prefix('\n').unwrap_or(after)),
            }
        }
    }
}

/// The content of a quoted field, and the text behind its closing quote.
fn quoted(inside: &str) -> Option<(String, &str)> {
    let mut field = String::new();
    let mut rest = inside;
    loop {
        let (before, after) = rest.split_once('"')?;
        field.push_str(before);
        match after.strip_prefix('"') {
            Some(next) => {
                field.push('"');
                rest = next;
            }
            None => return Some((field, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(text: &str) -> Vec<(u32, String, String, Vec<String>)> {
        read(text).users.into_iter().map(|user| (user.line, user.user, user.uid, user.groups)).collect()
    }

    fn faults(text: &str) -> Vec<(u32, String)> {
        read(text).faults.into_iter().map(|fault| (fault.line, fault.message)).collect()
    }

    #[test]
    fn users_are_read_with_their_groups() {
        let text = "\nt0ken,ann,1,\"dev,system:masters\"\r\n\nother,\"b \"\"x\"\" b\",2\n";
        assert_eq!(
            users(text),
            [
                (2, "ann".to_owned(), "1".to_owned(), vec!["dev".to_owned(), "system:masters".to_owned()]),
                (4, "b \"x\" b".to_owned(), "2".to_owned(), Vec::new())
            ]
        );
        assert_eq!(read(text).users[0].token_length, 5);
        assert!(read(text).faults.is_empty());
    }

    #[test]
    fn a_line_that_cannot_be_read_hides_no_other() {
        for (line, message) in [
            ("only,two", "a line needs a token, a user and an identifier, separated by commas"),
            ("a,b\"c,1", "a quote stands inside a field that is not quoted"),
            ("a,\"b\"c,1", "something stands behind a closing quote"),
            ("# users", "a line needs a token, a user and an identifier, separated by commas"),
            (",ann,1", "the token is empty; the server passes over the line"),
        ] {
            let text = format!("{line}\ngood,bob,2\n");
            assert_eq!(faults(&text), [(1, message.to_owned())]);
            assert_eq!(users(&text).len(), 1, "{line}");
        }
        assert_eq!(
            faults("a,\"b,1\nx"),
            [(1, "a quote is not closed".to_owned()), (2, "a line needs a token, a user and an identifier, separated by commas".to_owned())]
        );
    }

    #[test]
    fn a_quoted_field_may_span_lines() {
        assert_eq!(users("t,\"a\nb\",1\nu,c,2\n"), [(1, "a\nb".to_owned(), "1".to_owned(), vec![]), (3, "c".to_owned(), "2".to_owned(), vec![])]);
    }

    #[test]
    fn a_token_that_stands_twice_is_told_without_being_shown() {
        let file = read("hunter2,ann,1\nhunter2,bob,2\n");
        assert_eq!(file.users[1].repeats, Some(1));
        assert!(!format!("{file:?}").contains("hunter2"));
    }

    #[test]
    fn faults_are_bounded_and_reading_is_linear() {
        assert_eq!(read(&"\"\n".repeat(200_001)).faults.len(), FAULTS_MAX);
        assert_eq!(read(&"x\n".repeat(10_000)).faults.len(), FAULTS_MAX);
    }
}
