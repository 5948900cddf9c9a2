//! A control plane on loopback: etcd, kube-apiserver and, unless told otherwise, kube-controller-manager.
//!
//! It has a directory of its own, its own certificate authority and ports that were free; it stops with its value, or with
//! the process. It has no nodes: pods are stored and never run.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::apply::Applier;
use crate::certificates::{Authority, Identity, random_token};
use crate::client::Client;
use crate::error::{Error, Result};
use crate::keeper::{Janitor, Kept};
use crate::parts::{KubernetesVersion, Parts, kubernetes_version};

/// Five seconds are usual on two free cores; a busy machine that builds at the same time takes many times that.
const READY_WITHIN: Duration = Duration::from_mins(2);

/// Between two looks at something that is about to happen.
const PAUSE: Duration = Duration::from_millis(50);

/// A free port is found by asking for one and letting it go, so another process can take it in between.
const ATTEMPTS: usize = 3;

/// Addresses of Services; the first is the API server's.
const SERVICE_RANGE: &str = "10.96.0.0/16";

/// Ready is what the API server calls itself; what it makes for itself can still take a moment longer.
const BORN_WITH: [&str; 6] = [
    "/readyz",
    "/api/v1/namespaces/default",
    "/api/v1/namespaces/kube-system",
    "/api/v1/namespaces/kube-public",
    "/api/v1/namespaces/kube-node-lease",
    "/api/v1/namespaces/default/services/kubernetes",
];

/// Sources of the aggregated cluster roles. The controller needs several rounds, because aggregated roles are sources too:
/// each of these has to be contained in the other.
const AGGREGATED: [(&str, &str); 5] =
    [("system:aggregate-to-view", "view"), ("system:aggregate-to-edit", "edit"), ("system:aggregate-to-admin", "admin"), ("view", "edit"), ("edit", "admin")];

/// How a control plane is started.
#[derive(Clone, Debug)]
pub struct Options {
    parts: Option<Parts>,
    controller_manager: bool,
    api_server_flags: Vec<String>,
    without_api_server_flags: Vec<String>,
    controller_manager_flags: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { parts: None, controller_manager: true, api_server_flags: Vec::new(), without_api_server_flags: Vec::new(), controller_manager_flags: Vec::new() }
    }
}

impl Options {
    /// These parts instead of what [`Parts::locate`] finds.
    #[must_use]
    pub fn parts(mut self, parts: Parts) -> Self {
        self.parts = Some(parts);
        self
    }

    /// No controllers: starts in half the time. Default service accounts are then made by [`ControlPlane::apply`] and
    /// [`ControlPlane::ensure_namespace`]; aggregated cluster roles stay empty and nothing is garbage-collected.
    #[must_use]
    pub fn without_controller_manager(mut self) -> Self {
        self.controller_manager = false;
        self
    }

    /// A flag of the API server, such as `--max-requests-inflight=3000`; it replaces the testbed's own of that name.
    #[must_use]
    pub fn api_server_flag(mut self, flag: impl Into<String>) -> Self {
        self.api_server_flags.push(flag.into());
        self
    }

    /// Leaves out a flag that the testbed sets itself, such as `--authorization-mode` beside an `--authorization-config`.
    #[must_use]
    pub fn without_api_server_flag(mut self, name: impl Into<String>) -> Self {
        self.without_api_server_flags.push(name.into());
        self
    }

    /// A flag of the controller manager; it replaces the testbed's own of that name.
    #[must_use]
    pub fn controller_manager_flag(mut self, flag: impl Into<String>) -> Self {
        self.controller_manager_flags.push(flag.into());
        self
    }
}

/// A running control plane.
#[derive(Debug)]
pub struct ControlPlane {
    // Fields are dropped in this order: clients of a component stop before it, and the directory goes last.
    controller_manager: Option<Kept>,
    api_server: Kept,
    etcd: Kept,
    files: Files,
    client: Client,
    url: String,
    etcd_url: String,
    version: KubernetesVersion,
    flags: Vec<String>,
    _janitor: Janitor,
}

impl ControlPlane {
    /// Starts the components and waits until they are of use: the API server is ready and has made its own namespaces and
    /// Service, and with a controller manager the `default` ServiceAccount exists and the aggregated cluster roles are filled.
    pub fn start(options: &Options) -> Result<Self> {
        let parts = match &options.parts {
            Some(parts) => parts.clone(),
            None => Parts::locate()?,
        };
        let mut attempt = 1;
        loop {
            match Self::start_once(options, &parts) {
                Err(Error::Ended { log, .. }) if attempt < ATTEMPTS && log.contains("address already in use") => {
                    attempt += 1;
                }
                done => return done,
            }
        }
    }

    fn start_once(options: &Options, parts: &Parts) -> Result<Self> {
        let files = Files::create()?;
        let janitor = Janitor::of(files.directory.path())?;
        let [etcd_port, port] = free_ports()?;
        let etcd_url = format!("http://127.0.0.1:{etcd_port}");
        let url = format!("https://127.0.0.1:{port}");

        let etcd = Kept::start("etcd", parts.etcd(), etcd_flags(&files, &etcd_url), files.path("etcd.log"))?;
        let flags = override_flags(api_server_flags(&files, &etcd_url, port), &options.api_server_flags);
        let flags = leave_out(flags, &options.without_api_server_flags);
        let api_server = Kept::start("kube-apiserver", parts.api_server(), &flags, files.path("kube-apiserver.log"))?;

        let client = Client::with_token(&url, &files.authority.identity().certificate, &files.token)?;
        let version = parts.version();
        let mut control_plane = Self { controller_manager: None, api_server, etcd, client, url, etcd_url, version, flags, files, _janitor: janitor };
        control_plane.files.write_kubeconfig("admin.kubeconfig", &control_plane.url, &control_plane.files.admin_login())?;
        control_plane.until_ready("kube-apiserver", |client| BORN_WITH.iter().all(|path| is_there(client, path)))?;
        if options.controller_manager {
            control_plane.start_controller_manager(parts, &options.controller_manager_flags)?;
        } else {
            control_plane.make_default_accounts()?;
        }
        Ok(control_plane)
    }

    fn start_controller_manager(&mut self, parts: &Parts, extra: &[String]) -> Result<()> {
        let mut flags = controller_manager_flags(&self.files);
        if kubernetes_version(parts.controller_manager())?.minor != self.version.minor {
            // A newer controller manager behaves as one of the API server's release.
            flags.push(format!("--emulated-version=1.{}", self.version.minor));
        }
        let flags = override_flags(flags, extra);
        let log = self.files.path("kube-controller-manager.log");
        self.controller_manager = Some(Kept::start("kube-controller-manager", parts.controller_manager(), flags, log)?);
        self.until_ready("kube-controller-manager", |client| {
            is_there(client, "/api/v1/namespaces/default/serviceaccounts/default")
                && AGGREGATED.iter().all(|(source, role)| contains_rules(client, role, source))
        })
    }

    /// Waits until `ready`, as long as every component runs.
    fn until_ready(&mut self, part: &str, ready: impl Fn(&Client) -> bool) -> Result<()> {
        let started = Instant::now();
        while !ready(&self.client) {
            for kept in self.components() {
                kept.check()?;
            }
            if started.elapsed() > READY_WITHIN {
                return Err(self.not_ready(part, started.elapsed()));
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    fn components(&mut self) -> impl Iterator<Item = &mut Kept> {
        [&mut self.etcd, &mut self.api_server].into_iter().chain(self.controller_manager.as_mut())
    }

    fn not_ready(&mut self, part: &str, waited: Duration) -> Error {
        let last = match self.client.get("/readyz?verbose") {
            Ok((status, body)) => format!("{status} {}", body.as_str().unwrap_or_default()),
            Err(error) => error.to_string(),
        };
        let log = self.components().find(|kept| kept.part() == part).map(|kept| kept.log_tail());
        Error::NotReady { part: part.to_owned(), waited, last, log: log.unwrap_or_default() }
    }

    /// What a controller manager would do for the namespaces that exist from the start.
    fn make_default_accounts(&self) -> Result<()> {
        let (_, list) = self.client.get("/api/v1/namespaces")?;
        let namespaces = list.get("items").and_then(Value::as_array).into_iter().flatten().map(|namespace| {
            json!({"apiVersion": "v1", "kind": "ServiceAccount",
                   "metadata": {"name": "default", "namespace": namespace.pointer("/metadata/name")}})
        });
        self.apply(&namespaces.collect::<Vec<_>>())
    }

    /// The API server's address, `https://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// etcd's address, `http://127.0.0.1:PORT`, without credentials.
    pub fn etcd_url(&self) -> &str {
        &self.etcd_url
    }

    /// The certificate of the authority that signed the API server's certificate and everybody's client certificate.
    pub fn ca_pem(&self) -> &str {
        &self.files.authority.identity().certificate
    }

    /// The authority itself, for certificates that the helpers here do not make.
    pub fn authority(&self) -> &Authority {
        &self.files.authority
    }

    /// A bearer token of `admin` in `system:masters`.
    pub fn admin_token(&self) -> &str {
        &self.files.token
    }

    /// The release of the API server.
    pub fn version(&self) -> KubernetesVersion {
        self.version
    }

    /// The API server as a manifest of a static pod would show it: a container with the flags that it runs with.
    pub fn api_server_pod(&self) -> Value {
        let command: Vec<&str> = std::iter::once("kube-apiserver").chain(self.flags.iter().map(String::as_str)).collect();
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "kube-apiserver", "namespace": "kube-system"},
               "spec": {"containers": [{"name": "kube-apiserver", "image": "kube-apiserver", "command": command}]}})
    }

    /// The directory of this control plane: its logs and keys. It is removed with the value.
    pub fn directory(&self) -> &Path {
        self.files.directory.path()
    }

    /// A kubeconfig with the administrator's token.
    pub fn kubeconfig_path(&self) -> PathBuf {
        self.files.path("admin.kubeconfig")
    }

    /// A kubeconfig with a client certificate of this user in these groups.
    pub fn kubeconfig_for(&self, user: &str, groups: &[&str]) -> Result<PathBuf> {
        let identity = self.files.authority.client(user, groups)?;
        self.files.write_new_kubeconfig(&self.url, &certificate_login(&identity))
    }

    /// A kubeconfig with a client certificate of this user that expired years ago.
    pub fn expired_kubeconfig_for(&self, user: &str, groups: &[&str]) -> Result<PathBuf> {
        let identity = self.files.authority.expired_client(user, groups)?;
        self.files.write_new_kubeconfig(&self.url, &certificate_login(&identity))
    }

    /// A kubeconfig that reaches the cluster at another address, such as a [`Proxy`](crate::Proxy)'s, with a token.
    pub fn kubeconfig_at(&self, url: &str, token: &str) -> Result<PathBuf> {
        self.files.write_new_kubeconfig(url, &json!({ "token": token }))
    }

    /// A token of a ServiceAccount, as its pods would get it, for an hour.
    pub fn service_account_token(&self, namespace: &str, name: &str) -> Result<String> {
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token");
        let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
        let (status, answer) = self.client.post(&path, &request)?;
        match answer.pointer("/status/token").and_then(Value::as_str) {
            Some(token) => Ok(token.to_owned()),
            None => Err(Error::Answer { question: path, why: format!("{status} {answer}") }),
        }
    }

    /// The administrator's client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// A client that shows a certificate of this user in these groups.
    pub fn client_for(&self, user: &str, groups: &[&str]) -> Result<Client> {
        Client::with_certificate(&self.url, self.ca_pem(), &self.files.authority.client(user, groups)?)
    }

    /// Another client of the administrator, which shares no connection with any other.
    pub fn new_connection(&self) -> Result<Client> {
        Client::with_token(&self.url, self.ca_pem(), &self.files.token)
    }

    /// A client of the administrator who acts as somebody else.
    pub fn impersonating(&self, user: &str, groups: &[&str]) -> Result<Client> {
        Ok(self.new_connection()?.acting_as(user, groups))
    }

    /// Reads a path as the administrator.
    pub fn get(&self, path: &str) -> Result<(u16, Value)> {
        self.client.get(path)
    }

    /// Creates an object in a collection as the administrator.
    pub fn post(&self, path: &str, body: &Value) -> Result<(u16, Value)> {
        self.client.post(path, body)
    }

    /// Replaces an object as the administrator.
    pub fn put(&self, path: &str, body: &Value) -> Result<(u16, Value)> {
        self.client.put(path, body)
    }

    /// Merges a patch into an object as the administrator.
    pub fn patch(&self, path: &str, body: &Value) -> Result<(u16, Value)> {
        self.client.patch(path, body)
    }

    /// Deletes an object as the administrator; `body` holds the options, or null for none.
    pub fn delete(&self, path: &str, body: &Value) -> Result<(u16, Value)> {
        self.client.delete(path, body)
    }

    /// Puts manifests into the cluster: namespaces first, then definitions, what others need, the rest, and last what would
    /// judge the others. Lists are flattened, fields that a server fills in (`uid`, `resourceVersion`, …) are left out, an
    /// object that exists is applied over. A pod waits for its namespace's ServiceAccount, a custom object for its
    /// definition. Everything is tried; [`Error::NotApplied`] then names each refusal.
    pub fn apply(&self, manifests: &[Value]) -> Result<()> {
        Applier::new(&self.client, self.controller_manager.is_none()).apply(manifests)
    }

    /// Makes a namespace with its default ServiceAccount and waits for both.
    pub fn ensure_namespace(&self, name: &str) -> Result<()> {
        self.apply(&[json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})])?;
        let account = format!("/api/v1/namespaces/{name}/serviceaccounts/default");
        self.wait_for(&account, |account| account.get("kind").is_some(), READY_WITHIN).map(drop)
    }

    /// Saves what etcd holds, as `etcdctl snapshot save` does.
    pub fn save_etcd(&self, file: &Path) -> Result<()> {
        let output = Command::new(Parts::etcdctl()?)
            .args(["--endpoints", &self.etcd_url, "snapshot", "save"])
            .arg(file)
            .output()
            .map_err(Error::io("running `etcdctl`"))?;
        if output.status.success() {
            return Ok(());
        }
        let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(Error::Answer { question: "etcdctl snapshot save".to_owned(), why })
    }

    /// Reads a path until the predicate holds for the body of a 200, and returns that body.
    pub fn wait_for(&self, path: &str, predicate: impl Fn(&Value) -> bool, deadline: Duration) -> Result<Value> {
        let started = Instant::now();
        loop {
            let (status, body) = self.client.get(path)?;
            if status == 200 && predicate(&body) {
                return Ok(body);
            }
            if started.elapsed() >= deadline {
                return Err(Error::TimedOut { path: path.to_owned(), waited: deadline, last: format!("{status} {body}") });
            }
            std::thread::sleep(PAUSE);
        }
    }
}

/// Whether a path answers with 200.
fn is_there(client: &Client, path: &str) -> bool {
    client.get(path).is_ok_and(|(status, _)| status == 200)
}

/// Whether a cluster role holds every rule of another one, and any at all.
fn contains_rules(client: &Client, role: &str, source: &str) -> bool {
    let rules = |name: &str| {
        let (_, role) = client.get(&format!("/apis/rbac.authorization.k8s.io/v1/clusterroles/{name}")).ok()?;
        role.get("rules")?.as_array().cloned()
    };
    let (Some(own), Some(wanted)) = (rules(role), rules(source)) else {
        return false;
    };
    !own.is_empty() && wanted.iter().all(|rule| own.contains(rule))
}

/// The directory of a control plane and the secrets in it.
#[derive(Debug)]
struct Files {
    directory: TempDir,
    authority: Authority,
    token: String,
}

impl Files {
    fn create() -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("bartizan-testbed-").tempdir().map_err(Error::io("creating a temporary directory"))?;
        let authority = Authority::new("bartizan-testbed")?;
        let serving = authority.server(
            "kube-apiserver",
            &["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"],
            &[Ipv4Addr::LOCALHOST, Ipv4Addr::new(10, 96, 0, 1)],
        )?;
        // The tokens of ServiceAccounts are signed by a key that signs nothing else.
        let accounts = Authority::new("service-accounts")?;
        let token = random_token("admin")?;

        let files = Self { directory, authority, token };
        files.write_identity("ca", files.authority.identity())?;
        files.write_identity("kube-apiserver", &serving)?;
        files.write_identity("service-accounts", accounts.identity())?;
        files.write("service-accounts.pub", &accounts.identity().public_key)?;
        files.write("tokens.csv", &format!("{},admin,admin,system:masters\n", files.token))?;
        Ok(files)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, content: &str) -> Result<PathBuf> {
        let path = self.path(name);
        std::fs::write(&path, content).map_err(Error::io(format!("writing `{}`", path.display())))?;
        Ok(path)
    }

    fn write_identity(&self, name: &str, identity: &Identity) -> Result<()> {
        self.write(&format!("{name}.crt"), &identity.certificate)?;
        self.write(&format!("{name}.key"), &identity.key).map(drop)
    }

    fn admin_login(&self) -> Value {
        json!({ "token": self.token })
    }

    /// A kubeconfig under a name that no other has.
    fn write_new_kubeconfig(&self, url: &str, login: &Value) -> Result<PathBuf> {
        let (_, path) = tempfile::Builder::new()
            .prefix("user-")
            .suffix(".kubeconfig")
            .tempfile_in(self.directory.path())
            .map_err(Error::io("creating a kubeconfig"))?
            .keep()
            .map_err(|error| Error::Io { doing: "keeping a kubeconfig".to_owned(), source: error.error })?;
        self.write_kubeconfig(&path.to_string_lossy(), url, login)
    }

    /// Writes a kubeconfig; JSON is YAML too.
    fn write_kubeconfig(&self, name: &str, url: &str, login: &Value) -> Result<PathBuf> {
        let cluster = if url.starts_with("https:") {
            json!({"server": url, "certificate-authority-data": STANDARD.encode(&self.authority.identity().certificate)})
        } else {
            json!({ "server": url })
        };
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "testbed",
            "contexts": [{"name": "testbed", "context": {"cluster": "testbed", "user": "testbed"}}],
            "clusters": [{"name": "testbed", "cluster": cluster}],
            "users": [{"name": "testbed", "user": login}],
        });
        self.write(name, &format!("{config:#}\n"))
    }
}

/// The login of a kubeconfig that shows a client certificate.
fn certificate_login(identity: &Identity) -> Value {
    json!({"client-certificate-data": STANDARD.encode(&identity.certificate), "client-key-data": STANDARD.encode(&identity.key)})
}

/// Two ports of loopback that nobody listens on.
fn free_ports() -> Result<[u16; 2]> {
    // Both are held until both are known, so that they differ.
    let listen = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Error::io("looking for a free port"));
    let port = |listener: &TcpListener| listener.local_addr().map(|address| address.port()).map_err(Error::io("looking for a free port"));
    let (first, second) = (listen()?, listen()?);
    Ok([port(&first)?, port(&second)?])
}

fn etcd_flags(files: &Files, url: &str) -> Vec<String> {
    vec![
        format!("--data-dir={}", files.path("etcd").display()),
        format!("--listen-client-urls={url}"),
        format!("--advertise-client-urls={url}"),
        // It has no peers; any port will do.
        "--listen-peer-urls=http://127.0.0.1:0".to_owned(),
        "--log-level=warn".to_owned(),
        // The data is thrown away with the directory.
        "--unsafe-no-fsync".to_owned(),
    ]
}

fn api_server_flags(files: &Files, etcd_url: &str, port: u16) -> Vec<String> {
    let file = |name: &str| files.path(name).display().to_string();
    vec![
        format!("--etcd-servers={etcd_url}"),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--secure-port={port}"),
        format!("--cert-dir={}", file("kube-apiserver")),
        format!("--tls-cert-file={}", file("kube-apiserver.crt")),
        format!("--tls-private-key-file={}", file("kube-apiserver.key")),
        format!("--client-ca-file={}", file("ca.crt")),
        format!("--token-auth-file={}", file("tokens.csv")),
        format!("--service-account-key-file={}", file("service-accounts.pub")),
        format!("--service-account-signing-key-file={}", file("service-accounts.key")),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        "--authorization-mode=Node,RBAC".to_owned(),
        format!("--service-cluster-ip-range={SERVICE_RANGE}"),
        // Without it every privileged pod is refused; clusters that people run have it.
        "--allow-privileged=true".to_owned(),
        // The usual reconciler refuses a loopback address and complains for ever.
        "--endpoint-reconciler-type=none".to_owned(),
    ]
}

fn controller_manager_flags(files: &Files) -> Vec<String> {
    let file = |name: &str| files.path(name).display().to_string();
    vec![
        format!("--kubeconfig={}", file("admin.kubeconfig")),
        // It serves nothing, so it needs no port.
        "--secure-port=0".to_owned(),
        "--leader-elect=false".to_owned(),
        "--use-service-account-credentials=true".to_owned(),
        format!("--service-account-private-key-file={}", file("service-accounts.key")),
        format!("--root-ca-file={}", file("ca.crt")),
        format!("--cluster-signing-cert-file={}", file("ca.crt")),
        format!("--cluster-signing-key-file={}", file("ca.key")),
        "--controllers=*,bootstrap-signer-controller,token-cleaner-controller".to_owned(),
        "--kube-api-qps=200".to_owned(),
        "--kube-api-burst=400".to_owned(),
    ]
}

/// The name of a flag: `--name=value` or `name`.
fn flag_name(flag: &str) -> &str {
    flag.trim_start_matches('-').split('=').next().unwrap_or_default()
}

/// Adds flags, each instead of the one of its name: given twice, flags that hold lists would add up.
fn override_flags(flags: Vec<String>, extra: &[String]) -> Vec<String> {
    let mut flags = leave_out(flags, extra);
    flags.extend_from_slice(extra);
    flags
}

fn leave_out(mut flags: Vec<String>, names: &[String]) -> Vec<String> {
    flags.retain(|flag| names.iter().all(|name| flag_name(name) != flag_name(flag)));
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extra_flag_replaces_the_testbeds_own() {
        let own = vec!["--authorization-mode=Node,RBAC".to_owned(), "--secure-port=1".to_owned()];
        let extra = ["--authorization-mode=ABAC".to_owned(), "--max-requests-inflight=3000".to_owned()];
        let flags = override_flags(own, &extra);
        assert_eq!(flags, ["--secure-port=1", "--authorization-mode=ABAC", "--max-requests-inflight=3000"]);
        assert_eq!(leave_out(flags, &["--authorization-mode".to_owned()]), ["--secure-port=1", "--max-requests-inflight=3000"]);
    }
}
