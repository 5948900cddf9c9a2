//! What is encrypted, on paper.

use std::io::{self, Write};

use bartizan_report::Language;
use bartizan_report::fault::Words;
use bartizan_report::fault::text::{self, plain};

use super::{Encryption, Path, State};

impl State {
    fn shown(self, language: Language) -> &'static str {
        match self {
            State::Encrypted => Words::new("encrypted", "已加密").of(language),
            State::Unknown => Words::new("unknown", "未知").of(language),
            State::Plaintext => Words::new("plaintext", "明文").of(language),
        }
    }
}

impl Encryption {
    /// Writes it as JSON ([`super::SCHEMA`]).
    pub fn write_json(&self, out: &mut impl Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, self)?;
        out.write_all(b"\n")
    }

    /// Writes it for people.
    pub fn write_text(&self, language: Language, out: &mut impl Write) -> io::Result<()> {
        for port in &self.ports {
            let mesh = match (self.mesh, port.mode) {
                (false, _) => String::new(),
                (true, Some(mode)) => format!("  {} {}", port.proxy.name(), mode.name()),
                (true, None) => format!("  {}", port.proxy.name()),
            };
            let by = port.decided_by.as_ref().map_or_else(String::new, |place| format!("  [{}]", plain(&place.to_string())));
            writeln!(out, "{}:{}{mesh}{by}", plain(&port.workload), port.port)?;
            for path in &port.paths {
                write_path(path, language, out)?;
            }
            for judgement in &port.judgements {
                text::judgement(judgement, language, out)?;
            }
        }
        for rule in &self.client_rules {
            let port = rule.port.map_or_else(String::new, |port| format!(":{port}"));
            writeln!(out, "{} -> {}{port}  {}: {}", plain(&rule.name), plain(&rule.host), plain(&rule.mode), rule.effect.name())?;
            for judgement in &rule.judgements {
                text::judgement(judgement, language, out)?;
            }
        }
        text::total(self.judgements(), language, out)
    }
}

fn write_path(path: &Path, language: Language, out: &mut impl Write) -> io::Result<()> {
    let from = match &path.way {
        Some(way) => {
            let from =
                if path.from == "nodes" { Words::new("whoever reaches the nodes", "能到达节点的人") } else { Words::new("the internet", "互联网") };
            format!("{} ({})", from.of(language), plain(way))
        }
        None => Words::new("any pod", "任何 Pod").of(language).to_owned(),
    };
    writeln!(out, "  <- {from}: {}; {}", path.state.shown(language), path.reason.words().of(language))
}
