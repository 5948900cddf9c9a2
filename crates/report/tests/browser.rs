//! The HTML page in a real browser: its policy lets its own script run, and filter and search do what they say.
//!
//! It needs Chromium: `apt-get install chromium` on Debian, or `BARTIZAN_CHROMIUM` with the path of another build.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

mod sample;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bartizan_report::Language;
use bartizan_report::render::html;
use sample::Sample;

/// How long one page may take: a browser that starts on a busy machine needs seconds, one that hangs needs an end.
const PATIENCE: Duration = Duration::from_mins(2);

fn chromium() -> PathBuf {
    if let Some(named) = std::env::var_os("BARTIZAN_CHROMIUM") {
        return named.into();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .flat_map(|directory| ["chromium", "chromium-browser", "google-chrome"].map(|name| directory.join(name)))
        .find(|candidate| candidate.is_file())
        .expect("no chromium on the PATH: install the Debian package `chromium` (apt-get install chromium), or set BARTIZAN_CHROMIUM")
}

/// A page on disk.
struct Page {
    directory: tempfile::TempDir,
}

impl Page {
    fn new(sample: &Sample) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut file = std::fs::File::create(directory.path().join("report.html")).unwrap();
        html::write(&sample.rendering(Language::English), &mut file).unwrap();
        Self { directory }
    }

    /// The page as it is after its script ran, opened at `fragment`.
    fn opened_at(&self, fragment: &str) -> String {
        let profile = self.directory.path().join("profile");
        let dump = self.directory.path().join("dump.html");
        let url = format!("file://{}{fragment}", self.directory.path().join("report.html").display());
        let mut browser = Command::new(chromium())
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ])
            .arg(format!("--user-data-dir={}", profile.display()))
            .args(["--dump-dom", &url])
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(&dump).unwrap())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let started = Instant::now();
        let status = loop {
            if let Some(status) = browser.try_wait().unwrap() {
                break status;
            }
            if started.elapsed() > PATIENCE {
                browser.kill().unwrap();
                browser.wait().unwrap();
                panic!("chromium did not finish with {url} in {PATIENCE:?}");
            }
            std::thread::park_timeout(Duration::from_millis(50));
        };
        assert!(status.success(), "chromium ended with {status}");
        read(&dump)
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// The opening tags of the rows that can be seen.
fn shown(dom: &str) -> Vec<&str> {
    dom.split('<').filter_map(|part| part.split_once('>')).map(|(tag, _)| tag).filter(|tag| tag.contains(" data-row=") && !tag.contains(" hidden=")).collect()
}

fn output(dom: &str) -> &str {
    dom.split_once("<output").and_then(|(_, rest)| rest.split_once('>')).and_then(|(_, rest)| rest.split_once('<')).unwrap().0
}

#[test]
fn the_address_filters_and_searches() {
    let page = Page::new(&sample::files());

    let dom = page.opened_at("");
    assert_eq!(output(&dom), "9 of 9 shown", "the policy of the page lets its script run");
    assert_eq!(shown(&dom).len(), 9);
    assert!(dom.contains("<search class=\"filter\" id=\"filter\" role=\"search\" aria-label=\"Filter\">"), "the controls appear with the script");

    let dom = page.opened_at("#q=Redis_Password%20ENV");
    assert_eq!(output(&dom), "1 of 9 shown");
    assert!(shown(&dom)[0].contains("data-check=\"secret-in-environment\""));

    let dom = page.opened_at("#severity=critical,high&namespace=shop");
    assert_eq!(output(&dom), "3 of 9 shown");
    assert!(shown(&dom).iter().all(|tag| tag.contains("data-namespace=\"shop\"") && (tag.contains("\"critical\"") || tag.contains("\"high\""))));

    let dom = page.opened_at("#check=host-pid");
    assert_eq!(output(&dom), "2 of 9 shown", "the failed one and the waived one");

    let dom = page.opened_at("#q=nothing-is-called-so");
    assert_eq!(shown(&dom), Vec::<&str>::new());
    assert!(dom.contains("<p class=\"notice plain\" id=\"nothing\">"));
}

#[test]
fn an_anchor_unfolds_what_it_leads_to_and_a_filter_opens_its_owners() {
    let page = Page::new(&sample::large(60));
    let open = |dom: &str, class: &str| {
        dom.split("<details class=\"").filter(|part| part.starts_with(class) && part.split_once('>').unwrap().0.contains(" open")).count()
    };

    let dom = page.opened_at("#check-host-pid");
    assert_eq!((open(&dom, "guide"), open(&dom, "owner")), (1, 10));

    let dom = page.opened_at("#q=service-42");
    assert_eq!(output(&dom), "5 of 300 shown");
    assert_eq!(open(&dom, "owner"), 1, "the owner of what was found is open, the others are hidden");
    assert_eq!(dom.matches("<details class=\"owner\"").count(), 60);
}
