//! Hygiene of kubeconfigs: what they hold, whom they trust, what they run, and what in them leads nowhere.
//!
//! Credentials were taken out when the files were read; what is judged here are the facts about them, found by the pointer of the field
//! in which they stood.

mod faults;

use std::collections::{BTreeMap, BTreeSet};

use bartizan_cluster::component_file::Configured;
use bartizan_cluster::node_file::{FileContent, FileKind, NodeFile};
use bartizan_cluster::pem::PemFacts;
use bartizan_cluster::secret::{Content, SecretEntry};
use bartizan_cluster::{Location, ObjectView, Snapshot, Value};
use bartizan_report::Severity;
use jiff::Timestamp;
use serde::Serialize;

use super::Place;
use super::certificate::{MASTERS, describe, judge_client, whole_days};
use super::fault::{Fault, Judgement};
use super::ground::Ground;
use super::token::Token;
use super::{Login, as_map};
pub(super) use faults::FAULTS;

/// A token that is good for longer is one that somebody will still have.
const TOKEN_DAYS_MAX: i64 = 30;

/// Directories in which anybody may put a program.
const PUBLIC_DIRECTORIES: [&str; 4] = ["/tmp/", "/var/tmp/", "/dev/shm/", "/private/tmp/"];

/// Programs that run whatever they are given.
const SHELLS: [&str; 12] = ["sh", "bash", "dash", "zsh", "ash", "ksh", "fish", "cmd", "cmd.exe", "powershell", "powershell.exe", "pwsh"];

/// A field that names a file, and the one that holds what the file would hold, and counts.
struct Named {
    file: &'static str,
    data: &'static str,
    kind: FileKind,
    /// What is wrong with one that holds nothing of the kind.
    fault: &'static Fault,
}

const fn field(file: &'static str, data: &'static str, kind: FileKind, fault: &'static Fault) -> Named {
    Named { file, data, kind, fault }
}

/// The fields of users and of clusters that name files.
static FILES_OF_USERS: [Named; 3] = [
    field("client-certificate", "client-certificate-data", FileKind::Pem, &faults::CERTIFICATE_UNREADABLE),
    field("client-key", "client-key-data", FileKind::Pem, &faults::KEY_UNREADABLE),
    field("tokenFile", "token", FileKind::Credential, &faults::FILE_UNREADABLE),
];
static FILES_OF_CLUSTERS: [Named; 1] = [field("certificate-authority", "certificate-authority-data", FileKind::Pem, &faults::AUTHORITY_UNREADABLE)];

impl Named {
    /// Whether the content of a file is what is expected there.
    fn is_in(&self, content: &FileContent) -> bool {
        match content {
            FileContent::Pem(facts) if self.file == "client-key" => !facts.keys.is_empty(),
            FileContent::Pem(facts) => !facts.certificates.is_empty(),
            _ => self.kind == FileKind::Credential,
        }
    }

    /// Whether what stood in the field itself is what is expected there.
    fn is_told(&self, content: &Content) -> bool {
        match content {
            Content::Pem { keys, .. } if self.file == "client-key" => !keys.is_empty(),
            Content::Pem { certificates, .. } => !certificates.is_empty(),
            _ => self.kind == FileKind::Credential,
        }
    }
}

/// What was looked for besides kubeconfigs themselves.
#[derive(Debug, Default)]
pub struct Surroundings {
    /// The permission bits of the kubeconfigs, by their names.
    pub modes: BTreeMap<String, u32>,
    /// The files that they name, by the paths of [`Hygiene::wanted`].
    pub files: BTreeMap<String, NodeFile>,
}

/// The path of what the kubeconfig `home` calls `path`; none where that is not known.
fn path_from(home: &str, path: &str) -> Option<String> {
    match home.rsplit_once('/') {
        _ if path.starts_with('/') => Some(path.to_owned()),
        _ if home == "-" => None,
        Some((directory, _)) => Some(format!("{directory}/{path}")),
        None => Some(path.to_owned()),
    }
}

/// A fault of the input that kept something from being judged.
#[derive(Debug, Clone, Serialize)]
pub struct InputProblem {
    /// The file.
    pub file: String,
    /// Where in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// What.
    pub message: String,
}

/// One kubeconfig.
#[derive(Debug, Clone, Serialize)]
pub struct KubeconfigReport {
    /// The file.
    pub file: String,
    /// What is known of the file.
    #[serde(serialize_with = "as_map")]
    pub facts: Vec<(&'static str, serde_json::Value)>,
    /// What is wrong with the file as a whole.
    pub judgements: Vec<Judgement>,
    /// Its clusters, users and contexts, in the order of the file.
    pub entries: Vec<Login>,
}

/// Kubeconfigs, judged.
#[derive(Debug, Clone, Serialize)]
pub struct Hygiene {
    /// `bartizan.kubeconfig/1`
    pub schema: &'static str,
    /// When the facts were observed.
    pub observed_at: String,
    /// The kubeconfigs, in the order of the input.
    pub files: Vec<KubeconfigReport>,
    /// What could not be judged.
    pub problems: Vec<InputProblem>,
}

impl Hygiene {
    /// The files that the kubeconfigs of `snapshot` name, and what is expected in each: what is worth reading before they are judged.
    pub fn wanted(snapshot: &Snapshot) -> BTreeMap<String, FileKind> {
        let all = snapshot.configurations().filter(|view| view.kind_name() == "Config").map(|view| Configured { snapshot, view, node: None });
        all.flat_map(|config| named(&config).into_iter().filter_map(move |(path, kind)| Some((path_from(config.name(), &path)?, kind)))).collect()
    }

    /// Judges every kubeconfig of `snapshot`, with what was found around them.
    pub fn of(snapshot: &Snapshot, around: &Surroundings) -> Self {
        let now = snapshot.circumstances().observed_at;
        let mut files = Vec::new();
        let mut judged = BTreeSet::new();
        for view in snapshot.configurations().filter(|view| view.kind_name() == "Config") {
            let name = snapshot.source_of(view).map_or("", |source| source.name());
            judged.insert(name.to_owned());
            let file = |path: &str| around.files.get(&path_from(name, path)?);
            files.push(Reader { snapshot, view, now, file: &file }.report(name, around.modes.get(name).copied()));
        }
        let mut problems: Vec<InputProblem> = snapshot
            .problems()
            .iter()
            .map(|problem| InputProblem { file: problem.source.clone(), location: problem.location.clone(), message: problem.message.clone() })
            .collect();
        let told: BTreeSet<String> = problems.iter().map(|problem| problem.file.clone()).collect();
        for source in &snapshot.circumstances().sources {
            if !judged.contains(source.name()) && !told.contains(source.name()) {
                let message = "there is no kubeconfig in it".to_owned();
                problems.push(InputProblem { file: source.name().to_owned(), location: None, message });
            }
        }
        Self { schema: "bartizan.kubeconfig/1", observed_at: now.to_string(), files, problems }
    }

    /// Everything that is wrong.
    pub fn judgements(&self) -> impl Iterator<Item = &Judgement> {
        self.files.iter().flat_map(|file| file.judgements.iter().chain(file.entries.iter().flat_map(|entry| &entry.judgements)))
    }

    /// Whether something that was asked for could not be judged.
    pub fn is_incomplete(&self) -> bool {
        !self.problems.is_empty()
    }

    /// The gravest fault.
    pub fn worst(&self) -> Option<Severity> {
        self.judgements().map(|judgement| judgement.fault.severity).max()
    }
}

/// Why the way to a cluster is not safe, if it is not.
pub(super) fn is_insecure(cluster: Value<'_>) -> Option<&'static str> {
    let server = cluster.entry("server").and_then(Value::as_str).unwrap_or("");
    if server.len() >= 7 && server.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http://")) {
        return Some("without TLS");
    }
    cluster.entry("insecure-skip-tls-verify").and_then(Value::as_bool).unwrap_or(false).then_some("without verifying its certificate")
}

/// The files that a kubeconfig names, as it calls them.
pub(super) fn named(config: &Configured<'_>) -> Vec<(String, FileKind)> {
    let mut found = Vec::new();
    for (list, inner, fields) in [("users", "user", FILES_OF_USERS.as_slice()), ("clusters", "cluster", &FILES_OF_CLUSTERS)] {
        let entries = config.view.root().entry(list).into_iter().flat_map(Value::items).filter_map(|entry| entry.entry(inner));
        for entry in entries {
            let texts = fields.iter().map(|field| (text(Some(entry), field.file), field.kind));
            found.extend(texts.filter(|(path, _)| !path.is_empty()).map(|(path, kind)| (path.to_owned(), kind)));
        }
    }
    found
}

/// What in a kubeconfig on a node, or among the documents of the input, nobody can log in with: each user and each cluster of which that
/// is so.
pub(super) fn broken<'a>(ground: &Ground<'a>, config: &Configured<'a>) -> Vec<Login> {
    let file = |path: &str| ground.file_beside(config, path).ok();
    let reader = Reader { snapshot: config.snapshot, view: config.view, now: ground.now(), file: &file };
    let users = reader.entries("users", "user").into_iter().map(|entry| (format!("user {}", entry.name), entry, FILES_OF_USERS.as_slice()));
    let clusters = reader.entries("clusters", "cluster").into_iter().map(|entry| (format!("cluster {}", entry.name), entry, FILES_OF_CLUSTERS.as_slice()));
    let judged = users.chain(clusters).map(|(name, entry, fields)| {
        let found = entry.value.map(|value| reader.unreadable(&entry, value, fields)).unwrap_or_default();
        Login::new(name, reader.place(entry.whole)).judged(found)
    });
    judged.filter(|login| !login.judgements.is_empty()).collect()
}

struct Reader<'a, 'f> {
    snapshot: &'a Snapshot,
    view: ObjectView<'a>,
    now: Timestamp,
    /// What a file is, by the path by which the kubeconfig calls it; none where it was not looked for.
    file: &'f dyn Fn(&str) -> Option<&'a NodeFile>,
}

/// An entry of one of the three lists.
struct Entry<'a> {
    name: &'a str,
    whole: Value<'a>,
    value: Option<Value<'a>>,
}

fn text<'a>(value: Option<Value<'a>>, name: &str) -> &'a str {
    value.and_then(|value| value.entry(name)).and_then(Value::as_str).unwrap_or("")
}

impl<'a> Reader<'a, '_> {
    fn entries(&self, list: &str, inner: &str) -> Vec<Entry<'a>> {
        let items = self.view.root().entry(list).into_iter().flat_map(Value::items);
        items.map(|whole| Entry { name: text(Some(whole), "name"), whole, value: whole.entry(inner) }).collect()
    }

    fn place(&self, value: Value<'a>) -> Place {
        Place::of(self.snapshot, self.view, value)
    }

    fn field(&self, value: Value<'a>, name: &str) -> Place {
        // A credential has left an empty field behind, which is still the place where it stands.
        match value.entries().find(|(key, _)| *key == name) {
            Some((_, found)) => self.place(found),
            None => self.place(value),
        }
    }

    /// The facts about the credential that stood in the field `name` of `value`.
    fn taken(&self, value: Value<'a>, name: &str) -> Option<&'a SecretEntry> {
        let (_, found) = value.entries().find(|(key, _)| *key == name)?;
        self.view.secret()?.entry(found.path().pointer()).filter(|entry| entry.length > 0)
    }

    /// Whether a credential stood anywhere in `value`.
    fn has_taken(&self, value: Value<'a>) -> bool {
        let pointer = format!("{}/", value.path().pointer());
        self.view.secret().is_some_and(|facts| facts.entries.iter().any(|entry| entry.key.starts_with(&pointer)))
    }

    /// What of the entry holds nothing of what it should, in its fields or in the files that these name.
    fn unreadable(&self, entry: &Entry<'a>, value: Value<'a>, fields: &[Named]) -> Vec<Judgement> {
        let mut found = Vec::new();
        for named in fields {
            let name = || ("name", entry.name.to_owned());
            if let Some(told) = self.taken(value, named.data) {
                if !named.is_told(&told.content) && named.kind != FileKind::Credential {
                    found.push(Judgement::new(named.fault, [name()]).at(self.field(value, named.data)));
                }
                continue;
            }
            let path = text(Some(value), named.file);
            let Some(file) = Some(path).filter(|path| !path.is_empty()).and_then(self.file) else { continue };
            match &file.content {
                Err(fault) => {
                    let args = [name(), ("file", path.to_owned()), ("reason", fault.to_string())];
                    found.push(Judgement::new(&faults::FILE_UNREADABLE, args).at(self.field(value, named.file)));
                }
                Ok(content) if !named.is_in(content) => found.push(Judgement::new(named.fault, [name()]).at(self.field(value, named.file))),
                Ok(_) => {}
            }
        }
        found
    }

    /// The first certificate of the file that the field `name` of `user` names.
    fn certificate_in(&self, user: Value<'a>, name: &str) -> Option<&'a PemFacts> {
        let path = text(Some(user), name);
        let file = Some(path).filter(|path| !path.is_empty()).and_then(self.file)?;
        if let Ok(FileContent::Pem(facts)) = &file.content { Some(facts) } else { None }
    }

    fn report(&self, name: &str, mode: Option<u32>) -> KubeconfigReport {
        let (clusters, users, contexts) = (self.entries("clusters", "cluster"), self.entries("users", "user"), self.entries("contexts", "context"));
        let current = text(Some(self.view.root()), "current-context");
        let mut entries: Vec<Login> = clusters.iter().map(|entry| self.cluster(entry)).collect();
        entries.extend(users.iter().map(|entry| self.user(entry)));
        entries.extend(contexts.iter().map(|entry| self.context(entry, &clusters, &users)));
        let used = |field: &str| -> BTreeSet<&str> { contexts.iter().map(|context| text(context.value, field)).collect() };
        let unused = unused(&clusters, &used("cluster")).chain(unused(&users, &used("user")));
        let mut found: Vec<Judgement> =
            unused.map(|entry| Judgement::new(&faults::UNUSED, [("name", entry.name.to_owned())]).at(self.place(entry.whole))).collect();
        for (list, all) in [("clusters", &clusters), ("users", &users), ("contexts", &contexts)] {
            let mut names = BTreeSet::new();
            for (entry, at) in all.iter().zip(0usize..).filter(|(entry, _)| entry.name.is_empty()) {
                let is_there = entry.whole.entry("name").is_some_and(|name| name.as_str().is_none());
                let reason = if is_there { "its `name` is no text" } else { "it has no `name`" };
                let judgement = Judgement::new(&faults::INVALID, [("name", format!("{list}[{at}]")), ("reason", reason.to_owned())]);
                found.push(judgement.at(self.field(entry.whole, "name")));
            }
            for entry in all.iter().filter(|entry| !entry.name.is_empty() && !names.insert(entry.name)) {
                found.push(Judgement::new(&faults::DUPLICATE, [("name", entry.name.to_owned()), ("list", list.to_owned())]).at(self.place(entry.whole)));
            }
        }
        if !current.is_empty() && !contexts.iter().any(|context| context.name == current) {
            let judgement = Judgement::new(&faults::DANGLING, [("from", "current-context".to_owned()), ("to", format!("context {current}"))]);
            found.push(judgement.at(self.field(self.view.root(), "current-context")));
        }
        found.extend(mode.and_then(|mode| Self::permissions(name, mode, &users)));
        let mut file = Login::new(name, Place::file(name));
        file = file.fact("currentContext", current).fact("clusters", clusters.len()).fact("users", users.len()).fact("contexts", contexts.len());
        let file = file.fact_if("mode", mode.map(|mode| format!("{:04o}", mode & 0o7777))).judged(found);
        KubeconfigReport { file: name.to_owned(), facts: file.facts, judgements: file.judgements, entries }
    }

    fn permissions(name: &str, mode: u32, users: &[Entry<'a>]) -> Option<Judgement> {
        let args = || [("file", name.to_owned()), ("mode", format!("{:04o}", mode & 0o7777))];
        if mode & 0o022 != 0 {
            return Some(Judgement::new(&faults::WRITABLE, args()));
        }
        let has_credentials = users
            .iter()
            .filter_map(|user| user.value)
            .any(|user| ["token", "password", "client-key-data", "auth-provider"].iter().any(|name| user.entries().any(|(key, _)| key == *name)));
        (has_credentials && mode & 0o044 != 0).then(|| Judgement::new(&faults::READABLE, args()))
    }

    fn cluster(&self, entry: &Entry<'a>) -> Login {
        let login = Login::new(format!("cluster {}", entry.name), self.place(entry.whole));
        let Some(cluster) = entry.value else { return login.judged([invalid(entry, "it has no `cluster`")]) };
        let server = text(Some(cluster), "server");
        let mut found = Vec::new();
        match is_insecure(cluster) {
            Some("without TLS") => found.push(Judgement::new(&faults::PLAIN_HTTP, [("server", server.to_owned())]).at(self.field(cluster, "server"))),
            Some(_) => {
                found.push(Judgement::new(&faults::SKIPS_VERIFICATION, [("server", server.to_owned())]).at(self.field(cluster, "insecure-skip-tls-verify")));
            }
            None => {}
        }
        if server.is_empty() {
            found.push(invalid(entry, "it has no `server`"));
        }
        for name in ["server", "proxy-url"] {
            if self.taken(cluster, name).is_some() {
                found.push(Judgement::new(&faults::ADDRESS_PASSWORD, [("field", name.to_owned())]).at(self.field(cluster, name)));
            }
        }
        let authority = self.taken(cluster, "certificate-authority-data");
        let authority_file = text(Some(cluster), "certificate-authority");
        match authority.map(|entry| &entry.content) {
            Some(Content::Pem { certificates, .. }) if !certificates.is_empty() => {
                let expired = certificates.iter().find(|certificate| certificate.not_after < self.now);
                if let Some(expired) = expired {
                    let args = [("subject", expired.subject.clone()), ("expires", expired.not_after.to_string())];
                    found.push(Judgement::new(&faults::AUTHORITY_EXPIRED, args).at(self.field(cluster, "certificate-authority-data")));
                }
            }
            Some(_) => {}
            None => {
                let facts = self.certificate_in(cluster, "certificate-authority");
                let expired = facts.into_iter().flat_map(|facts| &facts.certificates).find(|certificate| certificate.value.not_after < self.now);
                if let Some(expired) = expired {
                    let args = [("subject", expired.value.subject.clone()), ("expires", expired.value.not_after.to_string())];
                    found.push(Judgement::new(&faults::AUTHORITY_EXPIRED, args).at(self.field(cluster, "certificate-authority")));
                }
            }
        }
        found.extend(self.unreadable(entry, cluster, &FILES_OF_CLUSTERS));
        if authority.is_some() && !authority_file.is_empty() {
            found.push(invalid(entry, "`certificate-authority-data` and `certificate-authority` are both there; the first counts"));
        }
        if authority.is_none() && authority_file.is_empty() && is_insecure(cluster).is_none() && !server.is_empty() {
            found.push(Judgement::new(&faults::SYSTEM_AUTHORITIES, [("server", server.to_owned())]));
        }
        let shown = |name: &str| Some(text(Some(cluster), name)).filter(|text| !text.is_empty());
        login
            .fact("server", server)
            .fact_if("certificateAuthority", if authority.is_some() { Some("embedded") } else { Some(authority_file).filter(|file| !file.is_empty()) })
            .fact("verifiesCertificate", is_insecure(cluster).is_none())
            .fact_if("tlsServerName", shown("tls-server-name"))
            .fact_if("proxyUrl", shown("proxy-url"))
            .judged(found)
    }

    fn context(&self, entry: &Entry<'a>, clusters: &[Entry<'a>], users: &[Entry<'a>]) -> Login {
        let login = Login::new(format!("context {}", entry.name), self.place(entry.whole));
        let Some(context) = entry.value else { return login.judged([invalid(entry, "it has no `context`")]) };
        let (cluster, user) = (text(Some(context), "cluster"), text(Some(context), "user"));
        let mut found = Vec::new();
        for (kind, name, known) in [("cluster", cluster, clusters), ("user", user, users)] {
            if name.is_empty() {
                found.push(invalid(entry, if kind == "cluster" { "it has no `cluster`" } else { "it has no `user`" }));
            } else if !known.iter().any(|other| other.name == name) {
                let judgement = Judgement::new(&faults::DANGLING, [("from", format!("context {}", entry.name)), ("to", format!("{kind} {name}"))]);
                found.push(judgement.at(self.field(context, kind)));
            }
        }
        let namespace = Some(text(Some(context), "namespace")).filter(|namespace| !namespace.is_empty());
        login.fact("cluster", cluster).fact("user", user).fact_if("namespace", namespace).judged(found)
    }

    fn user(&self, entry: &Entry<'a>) -> Login {
        let login = Login::new(format!("user {}", entry.name), self.place(entry.whole));
        let Some(user) = entry.value else { return login.judged([invalid(entry, "it has no `user`")]) };
        let login = self.certificate(login, entry, user);
        let login = self.token(login, user);
        let login = self.password(login, entry, user);
        let login = self.provider(login, entry, user);
        let login = self.exec(login, entry, user);
        self.impersonation(login, entry, user)
    }

    fn certificate(&self, login: Login, entry: &Entry<'a>, user: Value<'a>) -> Login {
        let (data, key) = (self.taken(user, "client-certificate-data"), self.taken(user, "client-key-data"));
        let (data_file, key_file) = (text(Some(user), "client-certificate"), text(Some(user), "client-key"));
        let has_certificate = data.is_some() || !data_file.is_empty();
        let mut found = Vec::new();
        if has_certificate && key.is_none() && key_file.is_empty() {
            found.push(invalid(entry, "it has a certificate and no key"));
        }
        if data.is_some() && !data_file.is_empty() {
            found.push(invalid(entry, "`client-certificate-data` and `client-certificate` are both there; the first counts"));
        }
        if key.is_some() && !key_file.is_empty() {
            found.push(invalid(entry, "`client-key-data` and `client-key` are both there; the first counts"));
        }
        let in_file = |name| self.certificate_in(user, name);
        let certificate = match data.map(|entry| &entry.content) {
            Some(Content::Pem { certificates, .. }) => certificates.first(),
            Some(_) => None,
            None => in_file("client-certificate").and_then(|facts| Some(&facts.certificates.first()?.value)),
        };
        let keys = match key.map(|entry| &entry.content) {
            Some(Content::Pem { keys, .. }) => keys.first(),
            Some(_) => None,
            None => in_file("client-key").and_then(|facts| Some(&facts.keys.first()?.value)),
        };
        found.extend(self.unreadable(entry, user, &FILES_OF_USERS));
        if key.is_some() && keys.is_some() {
            found.push(Judgement::new(&faults::EMBEDDED_KEY, [("name", entry.name.to_owned())]).at(self.field(user, "client-key-data")));
        }
        if let (Some(certificate), Some(public)) = (certificate, keys.and_then(|key| key.public_sha256.as_ref()))
            && certificate.key.sha256 != *public
        {
            let place = self.field(user, if key.is_some() { "client-key-data" } else { "client-key" });
            found.push(Judgement::new(&faults::KEY_MISMATCH, [("name", entry.name.to_owned())]).at(place));
        }
        let login = match certificate {
            Some(certificate) => {
                let place = self.field(user, if data.is_some() { "client-certificate-data" } else { "client-certificate" });
                found.extend(judge_client(certificate, self.now).into_iter().map(|judgement| judgement.at(place.clone())));
                describe(login, certificate)
            }
            None => login,
        };
        let file = |file: &str| Some(file.to_owned()).filter(|file| !file.is_empty());
        login.fact_if("clientCertificate", file(data_file)).fact_if("clientKey", file(key_file)).judged(found)
    }

    fn token(&self, login: Login, user: Value<'a>) -> Login {
        let file = Some(text(Some(user), "tokenFile")).filter(|file| !file.is_empty());
        let login = login.fact_if("tokenFile", file);
        let Some(entry) = self.taken(user, "token") else { return login };
        let place = self.field(user, "token");
        let Some(token) = Token::of(&entry.content) else {
            return login.fact("token", "opaque").judged([Judgement::new(&faults::STATIC_TOKEN, []).at(place)]);
        };
        let expires = token.time("exp");
        let judgement = match expires {
            None => Some(Judgement::new(&faults::TOKEN_NEVER_EXPIRES, [("subject", token.subject().unwrap_or("").to_owned())])),
            Some(expires) if expires < self.now => Some(Judgement::new(&faults::TOKEN_EXPIRED, [("expires", expires.to_string())])),
            Some(expires) => {
                let days = whole_days(expires.duration_since(self.now));
                (days > TOKEN_DAYS_MAX).then(|| Judgement::new(&faults::TOKEN_LONG, [("days", days.to_string()), ("expires", expires.to_string())]))
            }
        };
        let age = token.time("iat").map(|issued| whole_days(self.now.duration_since(issued)));
        let legacy = token.is_legacy().then_some(true);
        token.describe(login.fact("token", "jwt")).fact_if("ageDays", age).fact_if("isLegacy", legacy).judged(judgement.map(|judgement| judgement.at(place)))
    }

    fn password(&self, login: Login, entry: &Entry<'a>, user: Value<'a>) -> Login {
        let username = text(Some(user), "username");
        let has_password = self.taken(user, "password").is_some();
        if username.is_empty() && !has_password {
            return login;
        }
        let mut found =
            vec![Judgement::new(&faults::PASSWORD, [("name", entry.name.to_owned())]).at(self.field(user, if has_password { "password" } else { "username" }))];
        if self.taken(user, "token").is_some() {
            found.push(invalid(entry, "it has a token and a password; kubectl takes one of them and refuses both"));
        }
        login.fact("username", username).judged(found)
    }

    fn provider(&self, login: Login, entry: &Entry<'a>, user: Value<'a>) -> Login {
        let Some(provider) = user.entry("auth-provider") else { return login };
        let name = text(Some(provider), "name");
        let mut found = vec![Judgement::new(&faults::PROVIDER, [("provider", name.to_owned())]).at(self.place(provider))];
        if self.has_taken(provider) {
            found.push(Judgement::new(&faults::PROVIDER_TOKENS, [("provider", name.to_owned())]).at(self.place(provider)));
        }
        if user.entry("exec").is_some() {
            found.push(invalid(entry, "`auth-provider` and `exec` exclude each other"));
        }
        let issuer = Some(text(provider.entry("config"), "idp-issuer-url")).filter(|issuer| !issuer.is_empty());
        login.fact("authProvider", name).fact_if("issuer", issuer).judged(found)
    }

    fn exec(&self, login: Login, entry: &Entry<'a>, user: Value<'a>) -> Login {
        let Some(exec) = user.entry("exec") else { return login };
        let (command, version, mode) = (text(Some(exec), "command"), text(Some(exec), "apiVersion"), text(Some(exec), "interactiveMode"));
        let args: Vec<String> = exec.entry("args").into_iter().flat_map(Value::items).map(|word| word.as_str().unwrap_or("…").to_owned()).collect();
        let mut found = exec_command(command).into_iter().map(|judgement| judgement.at(self.field(exec, "command"))).collect::<Vec<_>>();
        match version {
            "client.authentication.k8s.io/v1" | "client.authentication.k8s.io/v1beta1" => {}
            "" => found.push(invalid(entry, "`exec` has no `apiVersion`")),
            other => found.push(Judgement::new(&faults::EXEC_VERSION, [("version", other.to_owned())]).at(self.field(exec, "apiVersion"))),
        }
        match (version, mode) {
            ("client.authentication.k8s.io/v1", "") => found.push(invalid(entry, "`exec` of version `v1` needs `interactiveMode`")),
            (_, "" | "Never" | "IfAvailable" | "Always") => {}
            _ => found.push(invalid(entry, "`interactiveMode` is none of `Never`, `IfAvailable` and `Always`")),
        }
        let variables: Vec<&str> = exec.entry("env").into_iter().flat_map(Value::items).map(|variable| text(Some(variable), "name")).collect();
        let secrets: Vec<String> = variables.iter().filter(|name| names_a_secret(name)).map(|name| format!("`{name}`")).collect();
        if !secrets.is_empty() {
            found.push(Judgement::new(&faults::EXEC_SECRET, [("variables", secrets.join(", "))]).at(self.field(exec, "env")));
        }
        let variables: Vec<&str> = variables.into_iter().filter(|name| !name.is_empty()).collect();
        login.fact("exec", command).fact("execArgs", args).fact("execEnv", variables).fact("execApiVersion", version).judged(found)
    }

    fn impersonation(&self, login: Login, entry: &Entry<'a>, user: Value<'a>) -> Login {
        let whom = text(Some(user), "as");
        let groups: Vec<&str> = user.entry("as-groups").into_iter().flat_map(Value::items).filter_map(Value::as_str).collect();
        let mut found = Vec::new();
        if groups.contains(&MASTERS) {
            found.push(Judgement::new(&faults::IMPERSONATES_MASTERS, [("name", entry.name.to_owned())]).at(self.field(user, "as-groups")));
        }
        if whom.is_empty() && !groups.is_empty() {
            found.push(invalid(entry, "`as-groups` needs `as`"));
        }
        let login = login.fact_if("impersonates", Some(whom).filter(|whom| !whom.is_empty()));
        login.fact_if("impersonatesGroups", Some(groups).filter(|groups| !groups.is_empty())).judged(found)
    }
}

fn unused<'e, 'a>(all: &'e [Entry<'a>], used: &BTreeSet<&'a str>) -> impl Iterator<Item = &'e Entry<'a>> + use<'e, 'a> {
    let used = used.clone();
    all.iter().filter(move |entry| !used.contains(entry.name))
}

fn invalid(entry: &Entry<'_>, reason: &str) -> Judgement {
    Judgement::new(&faults::INVALID, [("name", entry.name.to_owned()), ("reason", reason.to_owned())])
}

/// Judges the command that is run for a credential.
fn exec_command(command: &str) -> Vec<Judgement> {
    let args = || [("command", command.to_owned())];
    let normal = command.replace('\\', "/");
    let program = normal.rsplit('/').next().unwrap_or("").to_ascii_lowercase();
    let mut found = Vec::new();
    if command.is_empty() {
        found.push(Judgement::new(&faults::EXEC_NOTHING, []));
    }
    if SHELLS.contains(&program.as_str()) {
        found.push(Judgement::new(&faults::EXEC_SHELL, args()));
    }
    if PUBLIC_DIRECTORIES.iter().any(|directory| normal.starts_with(directory)) {
        found.push(Judgement::new(&faults::EXEC_PUBLIC, args()));
    }
    let is_absolute = normal.starts_with('/') || normal.get(1..3) == Some(":/");
    if normal.contains('/') && !is_absolute {
        found.push(Judgement::new(&faults::EXEC_RELATIVE, args()));
    }
    found
}

/// Whether a variable is called like one that holds a secret.
fn names_a_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["token", "secret", "password", "passphrase", "access_key", "api_key", "apikey"].iter().any(|word| name.ends_with(word))
}
