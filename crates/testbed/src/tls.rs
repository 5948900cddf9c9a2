//! A server on loopback that gets as far as the TLS handshake: what a client says about its certificate is the test.
//!
//! It asks no client for a certificate. Those that trust it get what the test says, or an answer that is no API server's.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::certificates::Identity;
use crate::error::{Error, Result};

/// A client that says nothing for so long is left alone.
const SILENCE: Duration = Duration::from_secs(10);

/// A running server; it stops with its value.
#[derive(Debug)]
pub struct TlsServer {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
    listener: Option<JoinHandle<()>>,
}

impl TlsServer {
    /// Listens on a free port, shows the certificate of `identity`, and has nothing to say.
    pub fn start(identity: &Identity) -> Result<Self> {
        Self::answering(identity, |_, _| None)
    }

    /// The same with something to say: `answers` is given the server's own address and a path, and gives the JSON that is there.
    pub fn answering(identity: &Identity, answers: impl Fn(&str, &str) -> Option<String> + Send + Sync + 'static) -> Result<Self> {
        let failed = |why| Error::Certificate { subject: "the TLS server".to_owned(), why };
        let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).map_err(|_| failed("the certificate is no PEM"))?;
        let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).map_err(|_| failed("the key is no PEM"))?;
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![certificate], key))
            .map_err(|_| failed("the certificate does not go with its key"))?;
        let listening = "listening on loopback";
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Error::io(listening))?;
        let address = socket.local_addr().map_err(Error::io(listening))?;
        let (config, stopped) = (Arc::new(config), Arc::new(AtomicBool::new(false)));
        let stop = Arc::clone(&stopped);
        let answers: Answers = Arc::new(move |path| answers(&format!("https://{address}"), path));
        let listener = std::thread::spawn(move || accept(&socket, &config, &answers, &stop));
        Ok(Self { address, stopped, listener: Some(listener) })
    }

    /// The server's address, `https://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // The listener sees the flag at its next connection: this one.
        let _woken = TcpStream::connect(self.address);
        if let Some(listener) = self.listener.take() {
            // It cannot panic, and there is nobody to tell.
            let _ended = listener.join();
        }
    }
}

/// What there is at a path.
type Answers = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

fn accept(socket: &TcpListener, config: &Arc<ServerConfig>, answers: &Answers, stopped: &AtomicBool) {
    for stream in socket.incoming() {
        if stopped.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let (config, answers) = (Arc::clone(config), Arc::clone(answers));
        // A client that does not trust the certificate ends the handshake, which is what it is here for.
        std::thread::spawn(move || serve(stream, config, &answers));
    }
}

fn serve(stream: TcpStream, config: Arc<ServerConfig>, answers: &Answers) -> io::Result<()> {
    stream.set_read_timeout(Some(SILENCE))?;
    let connection = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    let mut request = [0; 4096];
    let length = stream.read(&mut request)?;
    let line = String::from_utf8_lossy(request.get(..length).unwrap_or_default()).into_owned();
    let answer = match line.split(' ').nth(1).and_then(|path| answers(path)) {
        Some(body) => format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len()),
        None => "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".to_owned(),
    };
    stream.write_all(answer.as_bytes())?;
    stream.conn.send_close_notify();
    stream.flush()
}
