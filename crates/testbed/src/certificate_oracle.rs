//! Go's verifier of certificates as an oracle: with it the API server checks the servers that it calls. The program
//! `tests/real/control-plane/certificates` never sees our code.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::builds;
use crate::error::Result;
use crate::oracles::{converse, line, read};

/// A server's certificate and who is trusted.
#[derive(Clone, Debug, Serialize)]
pub struct CertificateQuestion {
    /// The certificates that the server shows, its own first, PEM.
    pub shown: String,
    /// The authorities, PEM.
    pub trusted: String,
    /// The host that is asked for.
    pub host: String,
    /// When, as RFC 3339 writes it.
    pub time: String,
}

/// What Go's verifier says.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct CertificateVerdict {
    /// Whether the certificate leads to an authority.
    pub trusted: bool,
    /// Whether it is for the host.
    pub covers: bool,
    /// What speaks against it.
    #[serde(default)]
    pub why: String,
}

/// The verifier of the Go that builds the pinned API server.
#[derive(Debug)]
pub struct CertificateOracle {
    program: PathBuf,
}

impl CertificateOracle {
    /// Finds the program, or builds it.
    pub fn locate() -> Result<Self> {
        Ok(Self { program: builds::CERTIFICATES.have()? })
    }

    /// One verdict for each question, in order. The inner error is about certificates that Go does not read.
    pub fn ask(&self, questions: &[CertificateQuestion]) -> Result<Vec<std::result::Result<CertificateVerdict, String>>> {
        let answers = converse(&self.program, questions.iter().map(line).collect::<Result<Vec<_>>>()?)?;
        answers.iter().map(|answer| read(answer, |value| serde_json::from_value(value).ok())).collect()
    }
}
