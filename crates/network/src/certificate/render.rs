//! The inventory on paper.

use std::io::{self, Write};

use bartizan_report::Language;
use bartizan_report::fault::text::{self, plain};
use bartizan_report::fault::{Place, Words};

use super::{CertificateNote, Certificates, Endpoint, Holding, HoldingContent, Reference, ReferenceState};

const fn words(english: &'static str, chinese: &'static str) -> Words {
    Words::new(english, chinese)
}

impl HoldingContent {
    fn title(self, language: Language) -> &'static str {
        match self {
            HoldingContent::Chain => words("certificate", "证书").of(language),
            HoldingContent::Authorities => words("authorities", "CA").of(language),
        }
    }
}

impl ReferenceState {
    fn shown(self, language: Language) -> &'static str {
        let state = match self {
            ReferenceState::Found => words("found", "已找到"),
            ReferenceState::Missing => words("missing", "不存在"),
            ReferenceState::Promised => words("will be made by another object", "将由其他对象生成"),
            ReferenceState::Unknown => words("unknown", "未知"),
        };
        state.of(language)
    }
}

impl Certificates {
    /// Writes it as JSON ([`super::SCHEMA`]).
    pub fn write_json(&self, out: &mut impl Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, self)?;
        out.write_all(b"\n")
    }

    /// Writes it for people.
    pub fn write_text(&self, language: Language, out: &mut impl Write) -> io::Result<()> {
        for holding in &self.holdings {
            write_holding(holding, language, out)?;
        }
        for reference in &self.references {
            write_reference(reference, language, out)?;
        }
        for endpoint in &self.endpoints {
            write_endpoint(endpoint, language, out)?;
        }
        for unseen in &self.unseen {
            let reason = match unseen.reason.as_str() {
                "not-in-source" => words("not in this kind of source", "此类来源中没有").of(language),
                other => other,
            };
            writeln!(out, "{}: {} {} ({})", words("not seen", "未见").of(language), plain(&unseen.fact), plain(&unseen.scope), plain(reason))?;
        }
        text::total(self.judgements(), language, out)
    }
}

fn located(place: &Place) -> String {
    place.location.as_ref().map_or_else(String::new, |location| format!("  [{}]", plain(&location.to_string())))
}

fn write_holding(holding: &Holding, language: Language, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{} ({}){}", plain(&holding.name), holding.content.title(language), located(&holding.place))?;
    if !holding.also_in.is_empty() {
        writeln!(out, "  {}: {}", words("also in namespaces", "同样存在于命名空间").of(language), plain(&holding.also_in.join(", ")))?;
    }
    for certificate in &holding.certificates {
        write_certificate(certificate, language, out)?;
    }
    if !holding.used_by.is_empty() {
        writeln!(out, "  {}: {}", words("used by", "使用者").of(language), plain(&holding.used_by.join(", ")))?;
    }
    for judgement in &holding.judgements {
        text::judgement(judgement, language, out)?;
    }
    writeln!(out)
}

fn write_certificate(certificate: &CertificateNote, language: Language, out: &mut impl Write) -> io::Result<()> {
    let subject = if certificate.subject.is_empty() { "-" } else { certificate.subject.as_str() };
    let names: Vec<&str> = certificate.names.iter().map(String::as_str).collect();
    let names = if names.is_empty() { String::new() } else { format!("  {}", names.join(", ")) };
    let authority = if certificate.authority { "  CA:TRUE" } else { "" };
    writeln!(out, "  {}{}{authority}", plain(subject), plain(&names))?;
    let left = match (certificate.days_left < 0, language) {
        (true, Language::English) => "expired".to_owned(),
        (true, Language::Chinese) => "已过期".to_owned(),
        (false, Language::English) => format!("{} days", certificate.days_left),
        (false, Language::Chinese) => format!("{} 天", certificate.days_left),
    };
    let until = words("until", "有效期至").of(language);
    writeln!(out, "      {until} {} ({left}), {}, {}", certificate.not_after, plain(&certificate.key), plain(&certificate.signature))
}

fn write_endpoint(endpoint: &Endpoint, language: Language, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}", plain(&endpoint.facts.endpoint))?;
    if let Some(failure) = &endpoint.facts.failure {
        writeln!(out, "  {}: {}", words("not answered", "未应答").of(language), plain(failure))?;
    }
    for version in &endpoint.facts.versions {
        let said = match version.offered {
            Some(true) => words("yes", "支持").of(language),
            Some(false) => words("no", "不支持").of(language),
            None => words("unknown", "未知").of(language),
        };
        let more = version.suite.as_ref().or(version.reason.as_ref()).map_or_else(String::new, |more| format!(" ({})", plain(more)));
        writeln!(out, "  TLS {}: {said}{more}", version.version)?;
    }
    for certificate in &endpoint.certificates {
        write_certificate(certificate, language, out)?;
    }
    for judgement in &endpoint.judgements {
        text::judgement(judgement, language, out)?;
    }
    writeln!(out)
}

fn write_reference(reference: &Reference, language: Language, out: &mut impl Write) -> io::Result<()> {
    let hosts = if reference.hosts.is_empty() { String::new() } else { format!(" ({})", reference.hosts.join(", ")) };
    let state = reference.state.shown(language);
    writeln!(out, "{}{} -> {}: {state}{}", plain(&reference.name), plain(&hosts), plain(&reference.target), located(&reference.place))?;
    for judgement in &reference.judgements {
        text::judgement(judgement, language, out)?;
    }
    Ok(())
}
