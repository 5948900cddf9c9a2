//! What a person sees on a terminal.

mod sample;

use bartizan_cluster::{Location, Source};
use bartizan_report::render::text::{Detail, TextStyle, text};
use bartizan_report::{Coverage, Language, Summary};
use sample::{PASSWORD, Sample};

fn shown_as(sample: &Sample, language: Language, style: &TextStyle) -> String {
    let mut bytes = Vec::new();
    text(&sample.rendering(language), style, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn shown(sample: &Sample) -> String {
    shown_as(sample, Language::English, &TextStyle::default())
}

/// The sample with one finding only, that of `check`.
fn only(mut sample: Sample, check: &str) -> Sample {
    sample.report.findings.retain(|finding| finding.check == check);
    sample
}

#[test]
fn a_report_of_files_shows_the_lines() {
    insta::assert_snapshot!(shown(&sample::files()), @"");
}

#[test]
fn a_report_in_chinese_is_chinese_throughout() {
    insta::assert_snapshot!(shown_as(&sample::files(), Language::Chinese, &TextStyle::default()), @"");
}

#[test]
fn a_live_object_is_named_by_its_path() {
    insta::assert_snapshot!(shown(&sample::live()), @"");
}

#[test]
fn a_clean_report_says_little() {
    insta::assert_snapshot!(shown(&sample::clean()), @"");
}

#[test]
fn a_report_without_anything_says_so() {
    let mut sample = sample::clean();
    sample.report.summary = Summary::default();
    sample.report.assumptions.clear();
    sample.report.coverage = Coverage::default();
    insta::assert_snapshot!(shown(&sample), @"");
}

#[test]
fn a_repeated_fault_is_told_once() {
    let seven = sample::large(7);
    insta::assert_snapshot!(shown(&seven), @"");
    let full = shown_as(&seven, Language::English, &TextStyle { detail: Detail::FULL, ..TextStyle::default() });
    assert_eq!(full.matches("[host-pid]:").count(), 7 + 1, "once for each owner, and once among the first");
    assert!(!full.contains("more"));
}

#[test]
fn what_is_told_elsewhere_is_named_where_something_else_is_told() {
    let mut sample = sample::large(3);
    let other = sample::files().report.findings.into_iter().find(|finding| finding.check == "weak-secret").unwrap();
    let mut own = sample.report.findings.first().unwrap().clone();
    (own.check, own.message_key, own.message, own.title) = (other.check, other.message_key, other.message, other.title);
    own.subject.as_mut().unwrap().name = "service-2".into();
    own.subject.as_mut().unwrap().namespace = Some("team-2".into());
    sample.report.findings.push(own);
    let lead = sample.report.findings.iter().filter(|finding| finding.subject.as_ref().unwrap().name == "service-0").count();
    assert_eq!(lead, 5);
    let text = shown(&sample);
    // The owner with one fault more leads; nobody else has anything that is not told there.
    assert!(text.contains("── Deployment team-2/service-2 ──"), "{text}");
    assert!(!text.contains("── Deployment team-0/service-0 ──"), "{text}");
    let mut two = sample;
    let mut second = two.report.findings.last().unwrap().clone();
    second.subject.as_mut().unwrap().name = "service-1".into();
    second.message_key = "another".into();
    two.report.findings.push(second);
    let text = shown(&two);
    assert!(text.contains("Also here, told in full elsewhere: anonymous-access, privileged-container, host-pid"), "{text}");
}

#[test]
fn colours_and_links_stand_around_what_is_harmless() {
    let style = TextStyle { colour: true, links: Some("https://bartizan.dev/checks/{check}".into()), ..TextStyle::default() };
    let text = shown_as(&only(sample::files(), "privileged-container"), Language::English, &style).replace('\u{1b}', "␛");
    insta::assert_snapshot!(text, @"");
}

#[test]
fn ascii_is_enough() {
    let style = TextStyle { unicode: false, ..TextStyle::default() };
    assert!(shown_as(&sample::files(), Language::English, &style).is_ascii());
}

#[test]
fn no_secret_is_shown() {
    for detail in [Detail::BRIEF, Detail::NORMAL, Detail::FULL] {
        for language in [Language::English, Language::Chinese] {
            for width in [20, 80, 400] {
                let text = shown_as(&sample::files(), language, &TextStyle { detail, width, ..TextStyle::default() });
                assert!(!text.contains(PASSWORD), "{text}");
            }
        }
    }
}

/// A text, the check that points at it, and whether its subject is known.
fn pointing(text: &str, places: &[(u32, u32)], check: &str, has_subject: bool) -> Sample {
    let mut sample = only(sample::files(), "host-pid");
    let finding = sample.report.findings.first_mut().unwrap();
    finding.check = check.into();
    let place = finding.places.first().unwrap().clone();
    finding.places = places
        .iter()
        .map(|&(line, column)| {
            let mut place = place.clone();
            place.location = Some(Location { file: "a.yaml".into(), line, column });
            place
        })
        .collect();
    finding.related.clear();
    if !has_subject {
        finding.subject = None;
    }
    sample.report.findings.truncate(1);
    sample.sources = vec![Source::text("a.yaml", text)];
    sample
}

#[test]
fn a_line_between_two_marks_shows_no_secret() {
    let text = "env:\n- name: A\n  value: s3cret-one\n- name: B\n  value: |\n    s3cret: two\n    s3cret-three\n- name: C\n";
    for places in [&[(2, 3), (4, 3)][..], &[(3, 3)], &[(5, 3), (6, 5), (8, 3)], &[(7, 5)], &[(1, 1), (3, 3), (5, 3), (7, 1)]] {
        let sample = pointing(text, places, "secret-in-environment", true);
        assert!(!shown_as(&sample, Language::English, &TextStyle { detail: Detail::FULL, ..TextStyle::default() }).contains("s3cret"), "{places:?}");
    }
    // Another check that looks at the same lines.
    let mut both = pointing(text, &[(3, 3), (5, 3)], "secret-in-environment", true);
    let mut other = both.report.findings.first().unwrap().clone();
    other.check = "host-pid".into();
    for (place, line) in other.places.iter_mut().zip([4, 6]) {
        place.location.as_mut().unwrap().line = line;
    }
    both.report.findings.push(other);
    assert!(!shown(&both).contains("s3cret"));
}

#[test]
fn a_secret_near_an_unknown_object_is_masked() {
    let text = "kind: Pod\n---\napiVersion: v1\nkind: Secret\ndata:\n  key: czNjcmV0\n";
    assert!(!shown(&pointing(text, &[(6, 3)], "duplicate-object", false)).contains("czNjcmV0"));
    assert!(shown(&pointing(text, &[(1, 1)], "duplicate-object", false)).contains("1 | kind: Pod"));
    let json = "{\"kind\":\"List\",\"items\":[{\"kind\":\"Secret\",\"data\":{\"k\":\"czNjcmV0\"}},{\"kind\":\"Pod\",\"spec\":{\"hostPID\":true}}]}";
    let column = u32::try_from(json.find("\"hostPID").unwrap()).unwrap() + 1;
    let text = shown(&pointing(json, &[(1, column)], "host-pid", true));
    assert!(text.contains("1 | ... \"hostPID\":true ...") && !text.contains("czNjcmV0"), "{text}");
}

#[test]
fn long_and_odd_lines_make_small_frames() {
    let text = format!("a: 1\n{{\"x\":\"{}\",\"hostPID\":true,\"y\":\"{}\"}}\n\n\tb: 名\u{202e}字\u{7}\n", "x".repeat(1_000_000), "y".repeat(1_000_000));
    let shown = shown(&pointing(&text, &[(2, 1_000_008), (3, 1), (4, 2)], "host-pid", true));
    assert!(shown.len() < 4_000, "{}", shown.len());
    insta::assert_snapshot!(shown.split("\n\n").find(|part| part.contains("-->")).unwrap(), @"");
}

#[test]
fn a_place_outside_of_its_text_is_still_named() {
    let text = shown(&pointing("a: 1\n", &[(9, 3)], "host-pid", true));
    assert!(text.contains("--> a.yaml:9:3\n  | spec.template.spec.hostPID: pod shares"), "{text}");
    let text = shown(&pointing("a: 1\n", &[(1, 300)], "host-pid", true));
    assert!(text.contains("1 | a: 1\n  | ^^^^ pod shares"), "{text}");
}

#[test]
fn wide_characters_keep_marks_in_their_columns() {
    let text = shown(&pointing("名称: 值\n  说明: {键: 一, hostPID: true}\n", &[(2, 13)], "host-pid", true));
    insta::assert_snapshot!(text.split("\n\n").find(|part| part.contains("-->")).unwrap(), @"");
}
