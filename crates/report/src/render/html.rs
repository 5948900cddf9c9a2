//! A report as one HTML file: for the browser, for paper, and for whoever it is sent to.
//!
//! The file needs nothing else: no script, style, font or picture from anywhere, and its content security policy forbids
//! them. It is whole without its script, which only filters, searches and unfolds. Nothing foreign reaches the page
//! unescaped, and the lines of manifests are shown without what is secret in them.
//!
//! Start with [`write()`]; the arrangement of a report is `View`, its template `templates/report.html`.

mod excerpt;
pub(crate) mod prose;
mod view;
mod words;

use std::io;

use askama::Template;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use sha2::{Digest, Sha256};

use self::view::View;
use super::Rendering;

const STYLE: &str = include_str!("../../templates/report.css");
const SCRIPT: &str = include_str!("../../templates/report.js");

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    view: View<'a>,
    policy: String,
    style: &'static str,
    script: &'static str,
}

/// Writes the page.
pub fn write(rendering: &Rendering<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    let page = Page { view: View::new(rendering), policy: policy(), style: STYLE, script: SCRIPT };
    out.write_all(page.render().map_err(io::Error::other)?.as_bytes())
}

/// The content security policy: this style, this script, and nothing else.
fn policy() -> String {
    format!("default-src 'none'; style-src {}; script-src {}; base-uri 'none'; form-action 'none'", source_hash(STYLE), source_hash(SCRIPT))
}

fn source_hash(text: &str) -> String {
    format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(text.as_bytes())))
}
