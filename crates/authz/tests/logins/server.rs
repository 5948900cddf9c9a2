//! The real API server as a judge: its own reader and validator, on every text that is called valid or invalid here, and the server
//! itself on one of each.

use bartizan_testbed::{AuthenticationOracle, ControlPlane, Error, Options};

use crate::configuration::{configuration, invalid, valid};

#[test]
fn the_server_takes_what_is_called_valid_and_refuses_what_is_called_invalid() {
    let oracle = AuthenticationOracle::locate().unwrap();
    let (good, bad) = (valid(), invalid());
    let texts: Vec<&str> = good.iter().chain(bad.iter().map(|(text, _)| text)).map(String::as_str).collect();
    let answers = oracle.ask(&texts, &[]).unwrap();
    for (at, (text, answer)) in texts.iter().zip(&answers).enumerate() {
        assert_eq!(answer.is_ok(), at < good.len(), "{answer:?}\n{text}");
    }
    let refused = oracle.ask(&texts[4..5], &["https://idp.example"]).unwrap();
    assert!(refused[0].is_err(), "an issuer of its own is taken");
}

/// Whether a server starts with the configuration `text`, and the end of its log if not.
fn start(text: &str) -> Result<(), String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let options = Options::default().without_controller_manager().api_server_flag(format!("--authentication-config={}", file.path().display()));
    match ControlPlane::start(&options) {
        Ok(_) => Ok(()),
        Err(Error::Ended { log, .. }) => Err(log),
        Err(error) => panic!("the server was not asked: {error}"),
    }
}

#[test]
fn a_server_starts_with_a_valid_configuration_and_not_with_an_invalid_one() {
    let sound = configuration("anonymous: {enabled: true, conditions: [{path: /livez}, {path: /readyz}]}\n");
    assert_eq!(start(&sound), Ok(()));
    let log = start(&configuration("anonymous: {enabled: false, conditions: [{path: /livez}]}\n")).unwrap_err();
    assert!(log.contains("anonymous.conditions"), "{log}");
}
