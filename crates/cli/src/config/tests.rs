//! Claims about the layers of the configuration.

use std::collections::BTreeMap;

use bartizan_report::Language;
use bartizan_report::waiver::Waivers;

use super::*;

static HOST_PID: Check = Check { id: "host-pid", severity: Severity::High, stage: Stage::Default, since: "0.1.0", aliases: &["shares-pid"], page: "" };
static HOST_IPC: Check = Check { id: "host-ipc", severity: Severity::High, stage: Stage::Default, since: "0.1.0", aliases: &[], page: "" };
static CHECKS: &[&Check] = &[&HOST_IPC, &HOST_PID];

/// A directory with a configuration file of this text.
fn directory(text: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join(".git")).unwrap();
    std::fs::write(directory.path().join("bartizan.toml"), text).unwrap();
    directory
}

fn load(text: &str, environment: &[(&str, &str)], flags: &Flags) -> Result<Config, ConfigError> {
    let environment: BTreeMap<&str, &str> = environment.iter().copied().collect();
    let directory = directory(text);
    Config::load(None, directory.path(), &|name| environment.get(name).map(|&value| value.to_owned()), flags, CHECKS)
}

fn error(text: &str) -> String {
    load(text, &[], &Flags::default()).unwrap_err().to_string()
}

const FILE: &str = "kubernetes-version = \"1.34\"\nstage = \"strict\"\nfail-on = [\"high\", \"unknown\"]\nlang = \"zh\"\noutput = \"json\"\nexclude = [\"vendor/\"]\njobs = 2\ntimeout = 1_0\n\n[checks]\ndisable = [\"shares-pid\"]\nonly = [\"host-ipc\"]\n\n[[waive]]\nnonsense = true\n";

#[test]
fn without_a_file_everything_is_built_in() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join(".git")).unwrap();
    let config = Config::load(None, directory.path(), &|_| None, &Flags::default(), CHECKS).unwrap();
    assert_eq!((config.file, config.stage.value, config.timeout.value, config.jobs.value), (None, Stage::Default, 300, 0));
    assert_eq!((config.fail_on.value, config.output.value), (vec![FailOn::Severity(Severity::Low)], vec![Format::Text]));
    assert_eq!(config.stage.origin, Origin::Default);
}

#[test]
fn a_file_is_read_with_its_lines() {
    let config = load(FILE, &[], &Flags::default()).unwrap();
    let shown = show(&config, Language::English);
    assert_eq!(
        shown,
        "kubernetes-version = \"1.34\"               # bartizan.toml:1\n\
         stage              = \"strict\"             # bartizan.toml:2\n\
         fail-on            = [\"high\", \"unknown\"]  # bartizan.toml:3\n\
         lang               = \"zh\"                 # bartizan.toml:4\n\
         output             = [\"json\"]             # bartizan.toml:5\n\
         exclude            = [\"vendor/\"]          # bartizan.toml:6\n\
         jobs               = 2                    # bartizan.toml:7\n\
         timeout            = 10                   # bartizan.toml:8\n\
         checks.disable     = [\"host-pid\"]         # bartizan.toml:11\n\
         checks.only        = [\"host-ipc\"]         # bartizan.toml:12\n"
    );
    // A faulty waiver is a finding, and keeps nothing else from being read.
    let mut waivers = Waivers::default();
    config.file.unwrap().add_waivers(&mut waivers).unwrap();
    assert!(!waivers.rejected.is_empty());
}

#[test]
fn the_environment_covers_the_file_and_flags_cover_both() {
    let environment = [
        ("BARTIZAN_STAGE", "auditor"),
        ("BARTIZAN_FAIL_ON", "new, never"),
        ("BARTIZAN_CHECKS_DISABLE", "host-ipc"),
        ("BARTIZAN_JOBS", ""),
        ("BARTIZAN_TIMEOUT", "7"),
    ];
    let flags = Flags { fail_on: vec![FailOn::New], timeout: Some(9), ..Flags::default() };
    let config = load(FILE, &environment, &flags).unwrap();
    assert_eq!(config.stage, Setting { value: Stage::Auditor, origin: Origin::Environment("BARTIZAN_STAGE".to_owned()) });
    assert_eq!(config.fail_on, Setting { value: vec![FailOn::New], origin: Origin::Flag("--fail-on") });
    assert_eq!(config.timeout, Setting { value: 9, origin: Origin::Flag("--timeout") });
    assert_eq!(config.disable.value, ["host-ipc"]);
    // A variable without a value is not set.
    assert_eq!(config.jobs, Setting { value: 2, origin: Origin::File { name: "bartizan.toml".to_owned(), line: 7 } });
    let shown = show(&config, Language::Chinese);
    assert!(shown.contains("# 环境变量 BARTIZAN_STAGE\n") && shown.contains("# 命令行 --timeout\n"), "{shown}");
    assert_eq!(load("", &environment, &Flags::default()).unwrap().fail_on.value, [FailOn::New, FailOn::Never]);
}

#[test]
fn an_unknown_key_is_an_error_with_its_line() {
    assert_eq!(error("\nstagee = \"strict\"\n"), "bartizan.toml:2: there is no setting `stagee`; did you mean `stage`?");
    assert_eq!(error("fail_on = \"low\"\n"), "bartizan.toml:1: there is no setting `fail_on`; did you mean `fail-on`?");
    assert_eq!(error("[checks]\ndisabled = []\n"), "bartizan.toml:2: there is no setting `checks.disabled`; did you mean `checks.disable`?");
    assert_eq!(error("colour = true\n"), "bartizan.toml:1: there is no setting `colour`");
    assert_eq!(error("[waiver]\n"), "bartizan.toml:1: there is no setting `waiver`; did you mean `waive`?");
}

#[test]
fn a_value_that_cannot_be_is_an_error_with_its_line() {
    let cases = [
        ("stage = \"strikt\"", "bartizan.toml:1: `stage`: `strikt` is unknown; did you mean `strict`?"),
        ("stage = [\"strict\"]", "bartizan.toml:1: `stage`: a string is expected, not an array"),
        ("stage = 1", "bartizan.toml:1: `stage`: a string is expected, not an integer"),
        (
            "output = [\"xml\"]",
            "bartizan.toml:1: `output`: `xml` is none of `text`, `concise`, `json`, `jsonl`, `yaml`, `sarif`, `junit`, `github`, `markdown`, `html`",
        ),
        ("exclude = [1]", "bartizan.toml:1: `exclude`: a list of strings is expected, not an array"),
        ("jobs = -1", "bartizan.toml:1: `jobs`: `-1` is no whole number that is not negative"),
        ("jobs = \"2\"", "bartizan.toml:1: `jobs`: a number is expected, not a string"),
        ("jobs = 1_0I", "bartizan.toml:1: `jobs`: `10I` is no number"),
        ("jobs = 0x10", "bartizan.toml:1: `jobs`: a number is expected, not an integer"),
        ("checks = 1", "bartizan.toml:1: `checks`: a table is expected, written `[checks]`"),
        ("[checks]\nonly = \"hots-pid\"", "bartizan.toml:2: `checks.only`: there is no check `hots-pid`; did you mean `host-pid`?"),
        ("kubernetes-version = \"2\"", "bartizan.toml:1: `kubernetes-version`: `2` is not a Kubernetes version such as `1.37`"),
    ];
    for (text, expected) in cases {
        assert_eq!(error(text), expected);
    }
    assert!(error("a = = 1").starts_with("bartizan.toml:1:"));
    let environment = load("", &[("BARTIZAN_STAGE", "loud")], &Flags::default()).unwrap_err().to_string();
    assert_eq!(environment, "BARTIZAN_STAGE: `stage`: `loud` is none of `default`, `strict`, `auditor`");
}

#[test]
fn a_file_is_found_above_and_not_beyond_the_repository() {
    let outer = directory("stage = \"strict\"\n");
    let deep = outer.path().join("apps/cart");
    std::fs::create_dir_all(&deep).unwrap();
    let config = Config::load(None, &deep, &|_| None, &Flags::default(), CHECKS).unwrap();
    assert_eq!(config.stage.origin.to_string(), "../../bartizan.toml:1");
    std::fs::create_dir(outer.path().join("apps/.git")).unwrap();
    assert_eq!(find(&deep), None);
}

#[test]
fn a_file_that_is_named_is_read_or_told() {
    let directory = directory("stage = \"strict\"\n");
    let other = directory.path().join("other.toml");
    let missing = Config::load(Some(&other), directory.path(), &|_| None, &Flags::default(), CHECKS).unwrap_err();
    assert!(missing.to_string().ends_with("other.toml` could not be read"), "{missing}");
    std::fs::write(&other, "jobs = 3\n").unwrap();
    let config = Config::load(Some(&other), directory.path(), &|_| None, &Flags::default(), CHECKS).unwrap();
    assert_eq!((config.jobs.value, config.stage.value), (3, Stage::Default));
}

/// Both templates say nothing as they are, and what they comment out is what is built in.
#[test]
fn the_templates_show_what_is_built_in() {
    let built_in = load("", &[], &Flags::default()).unwrap();
    let values = |config: &Config| {
        KEYS.iter()
            .map(|key| show(config, Language::English).lines().find(|line| line.starts_with(key.name)).unwrap().split("  #").next().unwrap().trim().to_owned())
            .collect::<Vec<_>>()
    };
    let keys = |text: &str| {
        text.lines().filter(|line| !line.starts_with("# ")).filter(|line| line.contains([' ', '[']) || line.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    for language in [Language::English, Language::Chinese] {
        let text = template(language);
        assert_eq!(load(text, &[], &Flags::default()).unwrap().stage, built_in.stage);
        let shown = text.replace("\n#", "\n").lines().filter(|line| !line.starts_with([' ', '#'])).collect::<Vec<_>>().join("\n");
        let config = load(&shown, &[], &Flags::default()).unwrap();
        // Two settings have no built-in value that could be written.
        let written =
            |values: Vec<String>| values.into_iter().filter(|value| !value.starts_with("kubernetes-version") && !value.starts_with("lang")).collect::<Vec<_>>();
        assert_eq!(written(values(&config)), written(values(&built_in)));
        assert!(KEYS.iter().all(|key| shown.lines().any(|line| line.starts_with(key.name.trim_start_matches("checks.")))), "{shown}");
        let mut waivers = Waivers::default();
        config.file.unwrap().add_waivers(&mut waivers).unwrap();
        assert_eq!((waivers.accepted.len(), waivers.rejected.len()), (1, 0));
    }
    let without_reason = |text: &str| keys(text).into_iter().filter(|line| !line.starts_with("#reason")).collect::<Vec<_>>();
    assert_eq!(without_reason(template(Language::English)), without_reason(template(Language::Chinese)));
}

#[test]
fn the_schema_has_every_setting_and_no_other() {
    let schema = schema();
    let mut names: Vec<String> = Vec::new();
    for (name, of) in schema["properties"].as_object().unwrap() {
        match of.get("properties") {
            Some(inner) => names.extend(inner.as_object().unwrap().keys().map(|inner| format!("{name}.{inner}"))),
            None => names.push(name.clone()),
        }
    }
    let mut expected: Vec<String> = KEYS.iter().map(|key| key.name.to_owned()).chain(["waive".to_owned()]).collect();
    names.sort();
    expected.sort();
    assert_eq!(names, expected);
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["properties"]["output"]["oneOf"][1]["items"]["enum"][0], "text");
}
