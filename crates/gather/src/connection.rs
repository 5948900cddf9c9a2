//! Connections that end in time, however slowly the other side answers.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};

/// The port of `https`.
const HTTPS: u16 = 443;

/// The host and the port of `host`, `host:port` or `[address]:port`.
pub(crate) fn host_and_port(host: &str) -> Option<(&str, u16)> {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => Some((name, port.parse().ok()?)).filter(|(name, _)| !name.is_empty()),
        _ => Some((host, HTTPS)).filter(|(name, _)| !name.is_empty()),
    }
}

/// Connects to the first address that answers.
pub(crate) fn connect(name: &str, port: u16, deadline: Instant) -> Result<TcpStream, String> {
    let addresses = (name, port).to_socket_addrs().map_err(|error| told(&error))?;
    let mut last = "it has no address".to_owned();
    for address in addresses {
        match TcpStream::connect_timeout(&address, left(deadline).map_err(|error| told(&error))?) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = told(&error),
        }
    }
    Err(last)
}

/// What went wrong, in words.
pub(crate) fn told(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "it did not answer in time".to_owned(),
        _ => error.to_string(),
    }
}

/// The time that is left, if any.
fn left(deadline: Instant) -> io::Result<Duration> {
    deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()).ok_or_else(|| io::ErrorKind::TimedOut.into())
}

/// A connection on which no read or write lasts beyond the deadline, however slowly the bytes drip.
pub(crate) struct Timed {
    pub(crate) stream: TcpStream,
    pub(crate) deadline: Instant,
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(left(self.deadline)?))?;
        self.stream.read(buffer)
    }
}

impl Write for Timed {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(left(self.deadline)?))?;
        self.stream.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}
