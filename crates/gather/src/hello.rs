//! What a server answers to the greeting of a client that speaks TLS, in the bytes that come: its version and suite, and the certificates
//! that it shows where they are not encrypted.
//!
//! Every length is checked, and no more than some records are read. Nothing is sent, nothing is verified, nothing is judged.

use std::io::{self, Read};

use bartizan_cluster::pem;
use bartizan_cluster::secret::Certificate;

/// A server needs some kilobytes for its hello and its chain; more is not read.
pub const ANSWER_MAX: usize = 128 << 10;

/// Nor more records than these, however small.
pub const RECORDS_MAX: usize = 1024;

/// Longer chains are cut.
pub const CHAIN_MAX: usize = 16;

/// The number of the newest version, behind whose hello all is encrypted.
pub(crate) const TLS_1_3: u16 = 0x0304;

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It goes on.
    Hello {
        /// With this version of TLS, by its number.
        version: u16,
        /// With this suite, by its number.
        suite: u16,
        /// It shows these certificates, if they are not encrypted.
        certificates: Vec<Certificate>,
    },
    /// It refuses, with the number of the reason.
    Alert(u8),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// It is HTTP.
    #[error("it answers in plaintext (HTTP)")]
    Http,
    /// It is anything else.
    #[error("it speaks no TLS")]
    NoTls,
    /// More bytes, or records, than are read.
    #[error("its answer is larger than {} KiB", ANSWER_MAX >> 10)]
    TooLarge,
    /// The bytes end too early.
    #[error(transparent)]
    Broken(#[from] io::Error),
}

impl Answer {
    /// Reads records until the server's hello and certificate are there, or it refuses.
    pub fn read(stream: &mut impl Read) -> Result<Self, Unread> {
        let mut handshake = Vec::new();
        let mut total = 0;
        for _ in 0..RECORDS_MAX {
            let mut head = [0; 5];
            if let Err(error) = stream.read_exact(&mut head) {
                return hello_of(&handshake).map(|hello| hello.answer).ok_or(Unread::Broken(error));
            }
            let [kind, major, _, high, low] = head;
            let length = usize::from(u16::from_be_bytes([high, low]));
            if major != 3 || !matches!(kind, 0x14..=0x17) {
                return Err(if head.starts_with(b"HTTP/") { Unread::Http } else { Unread::NoTls });
            }
            total += length;
            if total > ANSWER_MAX {
                return Err(Unread::TooLarge);
            }
            let mut record = vec![0; length];
            if let Err(error) = stream.read_exact(&mut record) {
                return hello_of(&handshake).map(|hello| hello.answer).ok_or(Unread::Broken(error));
            }
            match (kind, record.as_slice()) {
                (0x15, [_, number, ..]) => return Ok(hello_of(&handshake).map_or(Answer::Alert(*number), |hello| hello.answer)),
                (0x16, record) => {
                    handshake.extend_from_slice(record);
                    if let Some(hello) = hello_of(&handshake).filter(|hello| hello.is_whole) {
                        return Ok(hello.answer);
                    }
                }
                // What follows a hello of the newest version is encrypted.
                _ => return hello_of(&handshake).map(|hello| hello.answer).ok_or(Unread::NoTls),
            }
        }
        Err(Unread::TooLarge)
    }
}

/// What can be told from the messages of a server so far.
struct Hello {
    answer: Answer,
    /// Whether more messages would tell nothing new.
    is_whole: bool,
}

fn hello_of(handshake: &[u8]) -> Option<Hello> {
    let mut rest = handshake;
    let (mut hello, mut shown, mut is_whole) = (None, Vec::new(), false);
    while let Some((&[kind, one, two, three], behind)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes([0, one, two, three]) as usize;
        let Some((body, behind)) = behind.split_at_checked(length) else { break };
        rest = behind;
        match kind {
            2 => hello = Some(server_hello(body)?),
            11 => (shown, is_whole) = (certificates(body), true),
            // Nothing comes after it that would tell more.
            14 => is_whole = true,
            _ => {}
        }
    }
    let (version, suite) = hello?;
    Some(Hello { answer: Answer::Hello { version, suite, certificates: shown }, is_whole: is_whole || version == TLS_1_3 })
}

/// Version and suite of a `ServerHello`.
fn server_hello(body: &[u8]) -> Option<(u16, u16)> {
    let mut reader = Reader(body);
    let written = reader.number()?;
    reader.take(32)?;
    let session = reader.take(1)?.first().copied()?;
    reader.take(usize::from(session))?;
    let suite = reader.number()?;
    reader.take(1)?;
    let mut version = written;
    if let Some(length) = reader.number() {
        let mut extensions = Reader(reader.take(usize::from(length))?);
        while let Some(number) = extensions.number() {
            let length = extensions.number()?;
            let content = extensions.take(usize::from(length))?;
            if let (43, [high, low]) = (number, content) {
                version = u16::from_be_bytes([*high, *low]);
            }
        }
    }
    Some((version, suite))
}

/// The certificates of a `Certificate` message before the newest version, as far as they can be read.
fn certificates(body: &[u8]) -> Vec<Certificate> {
    let mut reader = Reader(body);
    let mut found = Vec::new();
    let Some(length) = reader.length() else { return found };
    let mut list = Reader(reader.take(length).unwrap_or_default());
    while found.len() < CHAIN_MAX {
        let Some(der) = list.length().and_then(|length| list.take(length)) else { break };
        found.extend(pem::certificate_of(der));
    }
    found
}

/// The rest of some bytes.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u16> {
        let (bytes, rest) = self.0.split_first_chunk::<2>()?;
        self.0 = rest;
        Some(u16::from_be_bytes(*bytes))
    }

    /// A length of three bytes.
    fn length(&mut self) -> Option<usize> {
        let (&[one, two, three], rest) = self.0.split_first_chunk::<3>()?;
        self.0 = rest;
        Some(u32::from_be_bytes([0, one, two, three]) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hello of TLS 1.2 in one record.
    fn hello() -> Vec<u8> {
        let body = [[0x03, 0x03].as_slice(), &[7; 32], &[0], &[0xc0, 0x2f], &[0]].concat();
        let message = [&[2, 0, 0, u8::try_from(body.len()).unwrap()], body.as_slice()].concat();
        let done = [14, 0, 0, 0];
        let content = [message.as_slice(), &done].concat();
        [&[0x16, 0x03, 0x03, 0, u8::try_from(content.len()).unwrap()], content.as_slice()].concat()
    }

    #[test]
    fn an_answer_that_is_cut_or_changed_anywhere_is_read_without_harm() {
        let whole = hello();
        assert!(matches!(Answer::read(&mut whole.as_slice()), Ok(Answer::Hello { version: 0x0303, suite: 0xc02f, .. })));
        for cut in 0..whole.len() {
            let _read = Answer::read(&mut &whole[..cut]);
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut changed = whole.clone();
                changed[cut] = value;
                let _read = Answer::read(&mut changed.as_slice());
            }
        }
    }

    #[test]
    fn what_is_no_tls_is_said_to_be_none() {
        let reason = |bytes: &[u8]| Answer::read(&mut &*bytes).unwrap_err().to_string();
        assert_eq!(reason(b"HTTP/1.1 400 Bad Request\r\n"), "it answers in plaintext (HTTP)");
        assert_eq!(reason(b"SSH-2.0-OpenSSH_9.9\r\n"), "it speaks no TLS");
        assert!(matches!(Answer::read(&mut &b""[..]), Err(Unread::Broken(error)) if error.kind() == io::ErrorKind::UnexpectedEof));
        let flood = [0x16, 0x03, 0x03, 0xff, 0xff].into_iter().chain(vec![0; 0xffff]).collect::<Vec<u8>>().repeat(8);
        assert_eq!(reason(&flood), "its answer is larger than 128 KiB");
        // Records without content never end by their size.
        assert_eq!(reason(&[0x16, 0x03, 0x03, 0, 0].repeat(RECORDS_MAX + 1)), "its answer is larger than 128 KiB");
    }
}
