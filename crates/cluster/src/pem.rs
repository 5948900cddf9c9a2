//! PEM text: its blocks with their lines, and what is wrong with those that cannot be read.
//!
//! As Go's reader does, this goes on behind a block that is damaged. Nothing is verified, and no private key leaves this module but as
//! public facts about it.

use serde::{Deserialize, Serialize};

use crate::scalar;
use crate::secret::{Certificate, CertificateRequest, PrivateKey, certificate, certificate_request, private_key};

/// More blocks of one text are not read: a bundle of all public authorities has about 150.
pub const BLOCKS_MAX: usize = 512;

/// So many faults of one text are told.
const FAULTS_MAX: usize = 64;

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// One block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block<'a> {
    /// What it says it is.
    pub(crate) label: &'a str,
    /// The line on which it begins, from 1.
    pub(crate) line: u32,
    /// Whether it has a header that says that it is encrypted.
    pub(crate) is_encrypted: bool,
    /// What it holds.
    pub(crate) content: Vec<u8>,
}

/// A piece of PEM text that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The line on which it begins, from 1.
    pub line: u32,
    /// Why; never a piece of the text.
    pub message: String,
}

/// Something with the line on which it begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lined<T> {
    /// The line, from 1.
    pub line: u32,
    /// What stands there.
    pub value: T,
}

/// What a PEM text holds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PemFacts {
    /// The certificates, in the order of the text.
    pub certificates: Vec<Lined<Certificate>>,
    /// The certificate requests.
    pub requests: Vec<Lined<CertificateRequest>>,
    /// The private keys.
    pub keys: Vec<Lined<PrivateKey>>,
    /// How many public keys and other blocks there are.
    pub others: usize,
    /// What cannot be read.
    pub faults: Vec<Fault>,
}

/// The certificate that is encoded in `der`.
pub fn certificate_of(der: &[u8]) -> Option<Certificate> {
    certificate(der)
}

/// Reads PEM text. Text that holds no block at all is a fault, too.
pub fn read(text: &str) -> PemFacts {
    let (blocks, faults) = blocks(text);
    let mut facts = PemFacts { faults, ..PemFacts::default() };
    for block in &blocks {
        let line = block.line;
        match block.label {
            "CERTIFICATE" | "TRUSTED CERTIFICATE" | "X509 CERTIFICATE" => match certificate(&block.content) {
                Some(value) => facts.certificates.push(Lined { line, value }),
                None => fault(&mut facts.faults, line, "the certificate is no X.509 that can be read"),
            },
            "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => match certificate_request(&block.content) {
                Some(value) => facts.requests.push(Lined { line, value }),
                None => fault(&mut facts.faults, line, "the certificate request is no PKCS #10 that can be read"),
            },
            label => match private_key(label, &block.content, block.is_encrypted) {
                Some(value) => facts.keys.push(Lined { line, value }),
                None if label.ends_with("PRIVATE KEY") => fault(&mut facts.faults, line, "the private key cannot be read"),
                None => facts.others += 1,
            },
        }
    }
    if blocks.is_empty() && facts.faults.is_empty() {
        fault(&mut facts.faults, 1, "there is no PEM block in it");
    }
    facts.faults.sort_by_key(|fault| fault.line);
    facts
}

/// The text that `digits` are the Base64 of, as a field of bytes in an object is written.
pub fn from_base64(digits: &str) -> Option<String> {
    String::from_utf8(scalar::base64_as_go(digits)?).ok()
}

fn fault(faults: &mut Vec<Fault>, line: u32, message: &str) {
    if faults.len() < FAULTS_MAX {
        faults.push(Fault { line, message: message.to_owned() });
    }
}

/// A block that has begun and not ended.
struct Open<'a> {
    label: &'a str,
    line: u32,
    is_encrypted: bool,
    digits: String,
}

/// The blocks of `text`, and what is wrong with the others.
pub(crate) fn blocks(text: &str) -> (Vec<Block<'_>>, Vec<Fault>) {
    let (mut blocks, mut faults) = (Vec::new(), Vec::new());
    let mut open: Option<Open<'_>> = None;
    for (line, number) in text.lines().zip(1u32..) {
        let line = line.trim();
        if let Some(label) = line.strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(DASHES)) {
            if let Some(cut) = open.replace(Open { label, line: number, is_encrypted: false, digits: String::new() }) {
                fault(&mut faults, cut.line, "the block has no end");
            }
            continue;
        }
        let Some(block) = &mut open else { continue };
        if let Some(label) = line.strip_prefix(END).and_then(|rest| rest.strip_suffix(DASHES)) {
            let block = open.take();
            let Some(Open { label: begun, line, is_encrypted, digits }) = block else { continue };
            match scalar::base64_as_go(&digits) {
                _ if label != begun => fault(&mut faults, line, "the block ends under another name than it begins"),
                _ if blocks.len() >= BLOCKS_MAX => {
                    fault(&mut faults, line, "the text has more blocks than are read");
                    return (blocks, faults);
                }
                Some(content) if !content.is_empty() => blocks.push(Block { label: begun, line, is_encrypted, content }),
                _ => fault(&mut faults, line, "the content of the block is no Base64"),
            }
        } else if line.contains(':') {
            // A header; Base64 has no colon.
            block.is_encrypted |= line.starts_with("Proc-Type:") && line.contains("ENCRYPTED");
        } else {
            block.digits.push_str(line);
        }
    }
    if let Some(cut) = open {
        fault(&mut faults, cut.line, "the block has no end");
    }
    (blocks, faults)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CERTIFICATE: &str = include_str!("secret/testdata/ec.crt");
    const KEY: &str = include_str!("secret/testdata/ec.sec1.pem");

    fn messages(facts: &PemFacts) -> Vec<(u32, &str)> {
        facts.faults.iter().map(|fault| (fault.line, fault.message.as_str())).collect()
    }

    #[test]
    fn a_file_is_read_with_the_lines_of_its_blocks() {
        let facts = read(&format!("# a remark\n{CERTIFICATE}{KEY}"));
        let first = &facts.certificates[0];
        assert_eq!(
            (first.line, first.value.common_name.as_str(), first.value.organizations.as_slice()),
            (2, "api.shop.example", ["shop".to_owned()].as_slice())
        );
        assert_eq!(facts.keys[0].value.public_sha256.as_deref(), Some(first.value.key.sha256.as_str()));
        assert!(facts.faults.is_empty());
    }

    #[test]
    fn a_damaged_block_hides_no_other() {
        let half = &CERTIFICATE[..CERTIFICATE.len() / 2];
        let facts = read(&format!("{half}\n{CERTIFICATE}"));
        assert_eq!(facts.certificates.len(), 1);
        assert_eq!(messages(&facts), [(1, "the block has no end")]);
        let facts = read(&format!("-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n{CERTIFICATE}"));
        assert_eq!((facts.certificates.len(), messages(&facts)), (1, vec![(1, "the content of the block is no Base64")]));
        let facts = read("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        assert_eq!(messages(&facts), [(1, "the certificate is no X.509 that can be read")]);
        let facts = read("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CRL-----\n");
        assert_eq!(messages(&facts), [(1, "the block ends under another name than it begins")]);
    }

    #[test]
    fn garbage_is_one_fault() {
        for text in ["", "hunter2", &"x".repeat(1 << 20), &"hunter2:\n".repeat(100_000)] {
            let facts = read(text);
            assert_eq!(messages(&facts), [(1, "there is no PEM block in it")]);
        }
        let facts = read(&format!("-----BEGIN CERTIFICATE-----\n{}", "hunter2\n".repeat(1 << 17)));
        assert_eq!(messages(&facts), [(1, "the block has no end")]);
    }

    #[test]
    fn the_number_of_blocks_and_faults_is_bounded() {
        let facts = read(&CERTIFICATE.repeat(BLOCKS_MAX + 10));
        assert_eq!((facts.certificates.len(), facts.faults.len()), (BLOCKS_MAX, 1));
        assert_eq!(read(&"-----BEGIN X-----\n".repeat(10_000)).faults.len(), FAULTS_MAX);
    }

    #[test]
    fn no_fault_repeats_what_stands_in_the_text() {
        let facts = read("-----BEGIN RSA PRIVATE KEY-----\nhunter2!\n-----END RSA PRIVATE KEY-----\n");
        assert!(!format!("{facts:?}").contains("hunter2"));
    }
}
