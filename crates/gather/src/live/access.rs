//! From a kubeconfig, or the service account of the pod it runs in, to a server that has answered.

use std::path::PathBuf;
use std::time::Duration;

use bartizan_cluster::KubernetesVersion;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde::Deserialize;

use super::server::{Failure, JSON, Server, chain};
use crate::Error;

/// How long a connection may take to be made.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// Which cluster, and as whom.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Access {
    /// The kubeconfig; else `KUBECONFIG`, else `~/.kube/config`, else the service account of the pod.
    pub kubeconfig: Option<PathBuf>,
    /// The context; else the current one.
    pub context: Option<String>,
}

/// What the server says of its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ServerVersion {
    Known(KubernetesVersion, String),
    Unknown(String),
}

/// Finds the cluster and hears its version, which shows that it is there and lets us in.
pub(super) async fn connect(access: &Access, time: Option<Duration>, patience: Duration) -> Result<(Server, ServerVersion), Error> {
    let mut config = configuration(access).await?;
    config.connect_timeout = Some(CONNECT_MAX.min(patience));
    // Requests carry their own limits, and know best what to try again.
    config.read_timeout = None;
    config.write_timeout = None;
    config.default_retry = false;
    let address = config.cluster_url.to_string().trim_end_matches('/').to_owned();
    let client = kube::Client::try_from(config).map_err(|error| match error {
        kube::Error::Auth(error) => Error::NoCredentials { server: address.clone(), reason: credentials_reason(&error) },
        error => Error::NoCluster { reason: chain(&error) },
    })?;
    let server = Server::new(client, address, time, patience);
    let version = version_of(&server, patience).await?;
    Ok((server, version))
}

async fn configuration(access: &Access) -> Result<kube::Config, Error> {
    let options = KubeConfigOptions { context: access.context.clone(), cluster: None, user: None };
    let none = |error: &(dyn std::error::Error + 'static)| Error::NoCluster { reason: chain(error) };
    if let Some(path) = &access.kubeconfig {
        let file = Kubeconfig::read_from(path).map_err(|error| none(&error))?;
        return kube::Config::from_custom_kubeconfig(file, &options).await.map_err(|error| none(&error));
    }
    match kube::Config::from_kubeconfig(&options).await {
        Ok(config) => Ok(config),
        // A context that was asked for is nowhere else.
        Err(error) if access.context.is_some() => Err(none(&error)),
        Err(error) => kube::Config::incluster().map_err(|_| none(&error)),
    }
}

/// Why credentials could not be had, with the last words of a plug-in that failed.
fn credentials_reason(error: &kube::client::AuthError) -> String {
    match error {
        kube::client::AuthError::AuthExecRun { cmd, out } => {
            let words = String::from_utf8_lossy(&out.stderr);
            let last = words.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it says nothing");
            format!("the command `{cmd}` ended with {}: {last}", out.status)
        }
        error => chain(error),
    }
}

async fn version_of(server: &Server, patience: Duration) -> Result<ServerVersion, Error> {
    #[derive(Deserialize)]
    struct Version {
        #[serde(rename = "gitVersion")]
        git_version: String,
    }
    let address = || server.address().to_owned();
    match server.once("GET", "/version", JSON, None, patience).await {
        Ok(text) => Ok(match serde_json::from_str::<Version>(&text) {
            Ok(version) => match version.git_version.parse() {
                Ok(known) => ServerVersion::Known(known, version.git_version),
                Err(error) => ServerVersion::Unknown(error.to_string()),
            },
            Err(_) => ServerVersion::Unknown("it answers with something else".to_owned()),
        }),
        Err(Failure::Lost(reason)) => Err(Error::Unreachable { server: address(), reason: explained(&reason) }),
        Err(Failure::TimedOut) => Err(Error::NoAnswer { server: address(), after: patience }),
        Err(failure) if failure.is(401) => Err(Error::Credentials { server: address(), reason: failure.to_string() }),
        Err(failure) => Ok(ServerVersion::Unknown(failure.to_string())),
    }
}

/// The failures of connections that people meet, in words that tell what to do.
fn explained(reason: &str) -> String {
    let remedy = [
        ("received fatal alert: CertificateExpired", "the client certificate of the kubeconfig has expired; renew it"),
        ("received fatal alert", "the server does not accept the client certificate of the kubeconfig"),
        ("expired", "the server's certificate has expired; renew it on the control plane"),
        ("UnknownIssuer", "the certificate is not signed by the authority that the kubeconfig trusts"),
        ("not valid for name", "the certificate is for another name; `tls-server-name` in the kubeconfig tells which to expect"),
        ("Connection refused", "nothing listens there"),
        ("CorruptMessage", "what listens there does not speak TLS; `http://` in the kubeconfig may be meant"),
    ];
    match remedy.iter().find(|(sign, _)| reason.contains(sign)) {
        Some((_, remedy)) => format!("{remedy} ({reason})"),
        None => reason.to_owned(),
    }
}
