//! The HTML page: self-contained, escaped, silent about secrets, whole in both languages and without its script.

mod sample;

use bartizan_report::render::html;
use bartizan_report::{Language, Severity, Verdict};
use sample::{PASSWORD, Sample};

fn page(sample: &Sample, language: Language) -> String {
    let mut out = Vec::new();
    html::write(&sample.rendering(language), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// The page without its style and script: what a reader sees.
fn visible(page: &str) -> String {
    let without = |text: &str, tag: &str| {
        let (before, rest) = text.split_once(&format!("<{tag}>")).unwrap();
        let (_, after) = rest.split_once(&format!("</{tag}>")).unwrap();
        format!("{before}{after}")
    };
    without(&without(page, "style"), "script")
}

/// The opening tags of the page with their attributes.
fn tags(page: &str) -> Vec<String> {
    visible(page).split('<').skip(1).filter_map(|part| part.split_once('>')).map(|(tag, _)| tag.to_owned()).filter(|tag| !tag.starts_with('/')).collect()
}

fn attributes<'t>(tags: &'t [String], name: &str) -> Vec<&'t str> {
    let key = format!(" {name}=\"");
    tags.iter().filter_map(|tag| tag.split_once(key.as_str())).filter_map(|(_, rest)| rest.split_once('"')).map(|(value, _)| value).collect()
}

#[test]
fn screenshots() {
    if let Ok(dir) = std::env::var("OUT") {
        std::fs::write(format!("{dir}/files.html"), page(&sample::files(), Language::English)).unwrap();
        std::fs::write(format!("{dir}/files-zh.html"), page(&sample::files(), Language::Chinese)).unwrap();
        std::fs::write(format!("{dir}/live.html"), page(&sample::live(), Language::English)).unwrap();
        std::fs::write(format!("{dir}/clean.html"), page(&sample::clean(), Language::English)).unwrap();
        std::fs::write(format!("{dir}/large.html"), page(&sample::large(1000), Language::English)).unwrap();
    }
}
