//! The HTML page: self-contained, escaped, silent about secrets, whole in both languages and without its script.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

mod sample;

use std::collections::{BTreeMap, BTreeSet};

use bartizan_report::render::html;
use bartizan_report::render::{Pages, Rendering};
use bartizan_report::report::Narrowing;
use bartizan_report::{Language, WaiverNote};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use sample::{PASSWORD, Sample};
use sha2::{Digest, Sha256};

fn page(sample: &Sample, language: Language) -> String {
    written(&sample.rendering(language))
}

fn written(rendering: &Rendering<'_>) -> String {
    let mut out = Vec::new();
    html::write(rendering, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// The content of the only element `tag`, and the page without it.
fn apart<'p>(page: &'p str, tag: &str) -> (&'p str, String) {
    let (before, rest) = page.split_once(&format!("<{tag}>")).unwrap();
    let (content, after) = rest.split_once(&format!("</{tag}>")).unwrap();
    (content, format!("{before}{after}"))
}

/// The page without its style and script: what a reader sees.
fn body(page: &str) -> String {
    apart(&apart(page, "style").1, "script").1
}

/// One tag of the page: its name, and its attributes.
struct Tag {
    name: String,
    attributes: BTreeMap<String, String>,
}

/// Reads the page as strictly as no browser would: every tag closed in order, every attribute quoted, no bare `<`.
fn tags(page: &str) -> Vec<Tag> {
    const VOID: [&str; 5] = ["meta", "br", "input", "rect", "circle"];
    let page = body(page);
    let (mut open, mut tags): (Vec<String>, Vec<Tag>) = (Vec::new(), Vec::new());
    let mut rest = page.strip_prefix("<!DOCTYPE html>").unwrap();
    while let Some((_, after)) = rest.split_once('<') {
        let (tag, after) = after.split_once('>').expect("a tag ends");
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "closed out of order before {}", &rest.chars().take(80).collect::<String>());
            continue;
        }
        let tag = tag.trim_end_matches('/');
        let (name, mut attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        assert!(!name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric()), "`<{tag}>` is no tag");
        let mut found = BTreeMap::new();
        while !attributes.trim_start().is_empty() {
            let (key, tail) = attributes.trim_start().split_at(attributes.trim_start().find(['=', ' ']).unwrap_or(attributes.trim_start().len()));
            let (value, tail) = match tail.strip_prefix("=\"") {
                Some(tail) => tail.split_once('"').expect("a value ends"),
                None => ("", tail),
            };
            assert!(key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "`{key}` of `<{tag}>` is no attribute");
            found.insert(key.to_owned(), value.to_owned());
            attributes = tail;
        }
        if !VOID.contains(&name) && name != "path" {
            open.push(name.to_owned());
        }
        tags.push(Tag { name: name.to_owned(), attributes: found });
    }
    assert_eq!(open, Vec::<String>::new(), "left open");
    tags
}

fn values<'t>(tags: &'t [Tag], attribute: &str) -> Vec<&'t str> {
    tags.iter().filter_map(|tag| tag.attributes.get(attribute)).map(String::as_str).collect()
}

#[test]
fn the_file_needs_nothing_but_itself() {
    let page = page(&sample::files(), Language::English);
    let tags = tags(&page);
    let (style, _) = apart(&page, "style");
    let (script, _) = apart(&page, "script");
    for loading in ["src", "srcset", "data", "background", "style", "onclick", "onload", "action"] {
        assert_eq!(values(&tags, loading), Vec::<&str>::new(), "`{loading}`");
    }
    assert!(tags.iter().all(|tag| !["link", "img", "iframe", "object", "embed", "base", "form", "video", "font"].contains(&tag.name.as_str())));
    assert!(values(&tags, "href").iter().all(|href| href.starts_with('#') || href.starts_with("https://")));
    assert!(!style.contains("url(") && !style.contains("@import"));
    for reaching in ["fetch", "XMLHttpRequest", "WebSocket", "import(", "eval", "innerHTML", "document.write", "sendBeacon"] {
        assert!(!script.contains(reaching), "`{reaching}`");
    }
    let hash = |text: &str| format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(text.as_bytes())));
    let policy = format!("default-src 'none'; style-src {}; script-src {}; base-uri 'none'; form-action 'none'", hash(style), hash(script));
    let meta = tags.iter().find(|tag| tag.attributes.get("http-equiv").is_some_and(|name| name == "Content-Security-Policy")).unwrap();
    assert_eq!(meta.attributes.get("content").unwrap().replace("&#39;", "'"), policy);
}

#[test]
fn foreign_text_is_text_wherever_it_stands() {
    const HOSTILE: &str = "\"'><img src=x onerror=alert(1)></script><!--\u{202e}";
    let mut sample = sample::files();
    let hostile = || HOSTILE.to_owned();
    sample.report.source.names = vec![hostile()];
    sample.report.assumptions.push(hostile());
    sample.report.coverage.not_in_source.push(hostile());
    for problem in &mut sample.report.coverage.problems {
        (problem.message, problem.kind, problem.source, problem.location) = (hostile(), hostile(), hostile(), None);
    }
    for missing in &mut sample.report.coverage.missing {
        (missing.fact, missing.scope, missing.reason) = (hostile(), hostile(), hostile());
    }
    for finding in &mut sample.report.findings {
        (finding.check, finding.message, finding.title, finding.fingerprint) = (hostile(), hostile(), hostile(), hostile());
        finding.controls.push(hostile());
        for object in finding.subject.iter_mut().chain(finding.related.iter_mut().map(|related| &mut related.object)) {
            (object.kind, object.name, object.namespace) = (hostile(), hostile(), Some(hostile()));
        }
        for related in &mut finding.related {
            related.note = hostile();
        }
        for place in &mut finding.places {
            (place.path, place.container) = (hostile(), Some(hostile()));
        }
        if let Some(waiver) = &mut finding.waiver {
            *waiver = WaiverNote { reason: hostile(), until: Some(hostile()), owner: Some(hostile()), source: hostile() };
        }
    }
    for language in [Language::English, Language::Chinese] {
        let page = page(&sample, language);
        // The reader of tags refuses anything that is not well formed, so an escape that is missing shows as a tag.
        let tags = tags(&page);
        assert!(tags.iter().all(|tag| tag.name != "img" && !tag.attributes.contains_key("onerror")));
        assert_eq!(page.matches("<script>").count(), 1);
        assert!(page.matches("\\u{202e}").count() > 20 && !page.contains('\u{202e}'));
    }
}

#[test]
fn no_secret_reaches_the_page() {
    let sample = sample::files();
    assert!(sample.sources.iter().all(|source| source.content().unwrap().contains(PASSWORD)));
    for language in [Language::English, Language::Chinese] {
        assert!(!page(&sample, language).contains(PASSWORD));
    }
    let page = page(&sample, Language::English);
    assert!(page.contains("REDIS_PASSWORD"), "the name of the variable is no secret");
    assert!(page.contains("<mark>value: ***</mark>"), "the masked line is shown and marked");
    assert!(page.contains("The lines are not shown: the text holds a Secret."));
    assert!(!page.contains("stringData:"), "no line of a Secret is shown");
}

#[test]
fn a_finding_shows_the_lines_around_its_place() {
    let page = page(&sample::files(), Language::English);
    let frame = "<span class=\"l\" data-n=\"17\">    spec:\n</span><span class=\"l hit\" data-n=\"18\">      <mark>hostPID: true</mark> # for the &lt;profiler&gt; &amp; friends\n</span>";
    assert!(page.contains(frame));
    assert!(page.contains("<b class=\"at\">shop/cart.yaml:18:7</b> <code>spec.template.spec.hostPID</code>"));
    assert!(page.contains("- op: remove\n  path: /spec/template/spec/hostPID\n"));
    assert!(page.contains("<code>cis-1.12/5.2.3</code>"));
    assert!(page.contains("set at admission, not in the template"));
}

#[test]
fn each_language_has_all_its_words() {
    let sample = sample::files();
    let (english, chinese) = (page(&sample, Language::English), page(&sample, Language::Chinese));
    assert!(english.contains("<html lang=\"en\">") && chinese.contains("<html lang=\"zh-Hans\">"));
    assert!(english.contains("What to do first") && english.contains("Why it matters") && english.contains("6 faults"));
    for words in ["首先要做的事", "Pod 共享宿主机的进程命名空间", "容器 <code>cart</code> 以特权模式运行", "6 个问题", "无权读取", "已豁免"]
    {
        assert!(chinese.contains(words), "{words}");
    }
    for words in ["What", "Why it", "faults", "Findings", "Controls", "privileged container has", "forbidden"] {
        assert!(!body(&chinese).contains(words), "`{words}` in the Chinese page");
    }
}

#[test]
fn every_anchor_leads_somewhere_and_every_heading_is_one() {
    for sample in [sample::files(), sample::live(), sample::clean(), sample::large(20)] {
        let page = page(&sample, Language::English);
        let tags = tags(&page);
        let ids = values(&tags, "id");
        let unique: BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(ids.len(), unique.len(), "an id is given twice");
        for target in values(&tags, "href").into_iter().filter_map(|href| href.strip_prefix('#')).chain(values(&tags, "aria-labelledby")) {
            assert!(unique.contains(target), "nothing is called `{target}`");
        }
        assert!(tags.iter().filter(|tag| tag.name == "th").all(|tag| tag.attributes.get("scope").is_some_and(|scope| scope == "col")));
        assert!(tags.iter().filter(|tag| tag.name == "section").all(|tag| tag.attributes.contains_key("aria-labelledby")));
        for (landmark, count) in [("header", 1), ("main", 1), ("h1", 1)] {
            assert_eq!(tags.iter().filter(|tag| tag.name == landmark).count(), count, "{landmark}");
        }
        for tag in tags.iter().filter(|tag| ["input", "select"].contains(&tag.name.as_str())) {
            let id = tag.attributes.get("id").unwrap();
            assert!(values(&tags, "for").contains(&id.as_str()), "`{id}` has no label");
        }
    }
}

#[test]
fn the_page_is_whole_without_its_script() {
    let page = page(&sample::files(), Language::English);
    let hidden: Vec<String> =
        tags(&page).iter().filter(|tag| tag.attributes.contains_key("hidden")).filter_map(|tag| tag.attributes.get("class").cloned()).collect();
    // The controls, the note that nothing matches, and the slots for copies of what the guides say.
    assert!(hidden.iter().all(|class| ["filter", "notice plain", "words-here"].contains(&class.as_str())), "{hidden:?}");
    for shown in [
        "With <code>hostPID: true</code> a process",
        "<strong>one-line way</strong>",
        "Set <code>privileged: false</code>",
        "https://attack.mitre.org/techniques/T1611/",
    ] {
        assert!(page.contains(shown), "{shown}");
    }
}

#[test]
fn what_was_not_read_is_said_and_a_clean_report_is_short() {
    let files = page(&sample::files(), Language::English);
    for words in [
        "This report is incomplete.",
        "tab in indentation",
        "shop/broken.yaml:3:7",
        "not judged",
        "reading is forbidden",
        "<code>bartizan scan --preflight</code>",
        "component-flags",
        "reads &lt;cgroups&gt;",
        "2027-01-01",
    ] {
        assert!(files.contains(words), "{words}");
    }
    let clean = page(&sample::clean(), Language::English);
    assert!(clean.contains("No faults found") && clean.contains("Everything that was asked for could be read."));
    for words in ["This report is incomplete.", "What to do first", "id=\"filter\"", "id=\"checks\""] {
        assert!(!body(&clean).contains(words), "{words}");
    }
}

#[test]
fn what_was_left_out_on_purpose_is_said() {
    let mut sample = sample::clean();
    let narrowing = Narrowing { without: vec!["host-pid".into()], namespaces: vec!["shop".into(), "pay".into()], ..Narrowing::default() };
    sample.report.narrowing = Some(narrowing);
    let page = page(&sample, Language::English);
    for row in ["<dt>Checks up to stage</dt><dd>default</dd>", "<dt>Without the checks</dt><dd>host-pid</dd>", "<dt>Namespace</dt><dd>shop, pay</dd>"] {
        assert!(page.contains(row), "{row}");
    }
}

#[test]
fn a_live_report_shows_paths_and_a_report_without_pages_its_own_words() {
    let sample = sample::live();
    let page = page(&sample, Language::English);
    assert!(page.contains("<code>spec.template.spec.hostPID</code>") && !page.contains("class=\"frame\""));
    assert!(page.contains("Pod shop/cart-7d4b9") && page.contains("a higher owner may exist") && page.contains("The whole cluster"));

    let none = Pages::default();
    let page = written(&Rendering { pages: &none, ..sample.rendering(Language::Chinese) });
    assert!(page.contains("pod shares the host&#39;s process namespace"));
    tags(&page);
}

#[test]
fn five_thousand_findings_are_folded() {
    let sample = sample::large(1000);
    let page = page(&sample, Language::English);
    assert_eq!(sample.report.findings.len(), 5000);
    assert_eq!(page.matches("class=\"finding ").count(), 5000);
    assert_eq!(page.matches("A privileged container has every capability").count(), 1, "an explanation is written once");
    let open = tags(&page).iter().filter(|tag| tag.name == "details" && tag.attributes.contains_key("open")).count();
    assert_eq!(open, 13, "ten owners and three findings");
    assert!(page.len() < 8_000_000, "{} bytes", page.len());
    assert!(page.contains("content-visibility: auto"));
}

#[test]
fn the_same_report_gives_the_same_bytes() {
    assert_eq!(page(&sample::files(), Language::English), page(&sample::files(), Language::English));
}

/// The colours of the three palettes: light, dark, paper. What a palette leaves out it takes from the first.
fn palettes(style: &str) -> Vec<BTreeMap<String, [f64; 3]>> {
    let mut palettes: Vec<BTreeMap<String, [f64; 3]>> = Vec::new();
    for block in style.split(":root {").skip(1) {
        let mut palette = palettes.first().cloned().unwrap_or_default();
        for (name, value) in block.split_once('}').unwrap().0.split(';').filter_map(|declaration| declaration.trim().split_once(": #")) {
            let channel = |at: usize| f64::from(u8::from_str_radix(value.get(at..at + 2).unwrap(), 16).unwrap()) / 255.0;
            palette.insert(name.trim_start_matches("--").to_owned(), [channel(0), channel(2), channel(4)]);
        }
        palettes.push(palette);
    }
    palettes
}

/// The contrast of two colours as WCAG 2 computes it.
fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
    let luminance = |colour: [f64; 3]| {
        let [red, green, blue] = colour.map(|channel| if channel <= 0.04045 { channel / 12.92 } else { ((channel + 0.055) / 1.055).powf(2.4) });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    };
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn every_text_has_the_contrast_of_level_aa_in_every_palette() {
    let page = page(&sample::clean(), Language::English);
    let palettes = palettes(apart(&page, "style").0);
    assert_eq!(palettes.len(), 3);
    let grounds = ["ground", "card", "sunk"];
    let mut pairs: Vec<(&str, &str)> = ["ink", "soft", "link", "good"].iter().flat_map(|ink| grounds.iter().map(|ground| (*ink, *ground))).collect();
    for severity in ["critical", "high", "medium", "low"] {
        pairs.extend([("on-severity", severity), (severity, "card")]);
    }
    pairs.extend([("ink", "hit"), ("ink", "mark"), ("soft", "hit"), ("ink", "notice"), ("high", "card")]);
    for (number, palette) in palettes.iter().enumerate() {
        for (ink, ground) in &pairs {
            let found = contrast(palette[*ink], palette[*ground]);
            assert!(found >= 4.5, "palette {number}: {ink} on {ground} has {found:.2}");
        }
    }
}
