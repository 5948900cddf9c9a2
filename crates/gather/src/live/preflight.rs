//! What the server would allow, asked before anything is read, and the role that would allow it all.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use bartizan_cluster::Kind;
use futures::StreamExt as _;
use serde::Deserialize;
use serde_json::json;

use super::access::{self, ServerVersion};
use super::discovery;
use super::gathering::{custom, kinds};
use super::server::Server;
use super::{Request, Secrets};
use crate::{Error, Progress, Step};

/// Questions at a time.
const QUESTIONS_MAX: usize = 8;

/// What the server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowed {
    /// Yes.
    Yes,
    /// No.
    No,
    /// It could not be asked, because.
    Unknown(String),
}

/// One permission that a scan uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    /// The API group; empty for the core group.
    pub group: String,
    /// The plural.
    pub resource: String,
    /// The namespace it was asked for; none for the whole cluster.
    pub namespace: Option<String>,
    /// `list`.
    pub verb: &'static str,
    /// What the server answers.
    pub allowed: Allowed,
}

/// What a scan may read, and what it would have to be allowed to read everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preflight {
    /// The address of the server.
    pub server: String,
    /// Its version, if it told.
    pub version: Option<String>,
    /// The permissions, by group and resource; for a namespaced resource that may not be listed everywhere, the namespaces
    /// that were asked for follow.
    pub permissions: Vec<Permission>,
    /// A role with every permission, as a manifest.
    pub cluster_role: String,
    /// The same without Secrets.
    pub cluster_role_without_secrets: String,
}

impl Preflight {
    /// Whether everything that was asked for may be read.
    pub fn is_complete(&self) -> bool {
        self.permissions.iter().filter(|permission| permission.namespace.is_none()).all(|permission| permission.allowed == Allowed::Yes)
    }
}

/// Group, plural, and whether it lives in namespaces.
type Resource = (String, String, bool);

pub(super) async fn preflight(request: &Request, progress: &dyn Progress) -> Result<Preflight, Error> {
    let (server, version) = access::connect(&request.access, request.timeout, request.request_timeout).await?;
    let version = match version {
        ServerVersion::Known(_, text) => Some(text),
        ServerVersion::Unknown(_) => None,
    };
    progress.step(&Step::Connected { server: server.address(), version: version.as_deref().unwrap_or("") });
    let resources = resources(request, &server).await;
    let asked: Vec<&Resource> = resources.iter().filter(|resource| request.secrets == Secrets::Facts || !is_secrets(resource)).collect();
    let answers = futures::stream::iter(asked).map(|resource| permissions(request, &server, resource)).buffered(QUESTIONS_MAX);
    let permissions = answers.collect::<Vec<_>>().await.into_iter().flatten().collect();
    let without: Vec<Resource> = resources.iter().filter(|resource| !is_secrets(resource)).cloned().collect();
    Ok(Preflight {
        server: server.address().to_owned(),
        version,
        permissions,
        cluster_role: cluster_role("bartizan-scan", &resources),
        cluster_role_without_secrets: cluster_role("bartizan-scan-without-secrets", &without),
    })
}

fn is_secrets((group, plural, _): &Resource) -> bool {
    group.is_empty() && plural == "secrets"
}

async fn resources(request: &Request, server: &Server) -> Vec<Resource> {
    let mut all: Vec<Resource> = kinds(request)
        .into_iter()
        .filter_map(Kind::resource)
        .map(|resource| (resource.group.to_owned(), resource.plural.to_owned(), resource.namespaced))
        .collect();
    // A server that does not say what it serves has no custom kinds that could be asked for.
    let offered = discovery::discover(server).await.unwrap_or_default();
    all.extend(custom(server, &offered, request.all_resources).await.into_iter().map(|served| (served.group, served.plural, served.namespaced)));
    all.sort();
    all.dedup();
    all
}

async fn permissions(request: &Request, server: &Server, (group, resource, namespaced): &Resource) -> Vec<Permission> {
    let ask = async |namespace: Option<&str>| Permission {
        group: group.clone(),
        resource: resource.clone(),
        namespace: namespace.map(str::to_owned),
        verb: "list",
        allowed: ask(server, group, resource, namespace).await,
    };
    let mut answers = vec![ask(None).await];
    let everywhere = answers.iter().all(|answer| answer.allowed == Allowed::Yes);
    if *namespaced && !everywhere {
        for namespace in &request.namespaces {
            answers.push(ask(Some(namespace)).await);
        }
    }
    answers
}

async fn ask(server: &Server, group: &str, resource: &str, namespace: Option<&str>) -> Allowed {
    #[derive(Deserialize)]
    struct Review {
        status: Status,
    }
    #[derive(Deserialize)]
    struct Status {
        allowed: bool,
    }
    let question = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"group": group, "resource": resource, "verb": "list", "namespace": namespace.unwrap_or("")}},
    });
    match server.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", question.to_string()).await {
        Ok(text) => match serde_json::from_str::<Review>(&text) {
            Ok(review) if review.status.allowed => Allowed::Yes,
            Ok(_) => Allowed::No,
            Err(error) => Allowed::Unknown(format!("the answer is no review: {error}")),
        },
        Err(failure) => Allowed::Unknown(failure.to_string()),
    }
}

/// A role that may list `resources` and nothing else.
fn cluster_role(name: &str, resources: &[Resource]) -> String {
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (group, plural, _) in resources {
        groups.entry(group).or_default().push(plural);
    }
    let mut text = format!("apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  name: {name}\nrules:\n");
    for (group, plurals) in groups {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "- apiGroups: [{group:?}]\n  resources: [{}]\n  verbs: [list]", plurals.join(", "));
    }
    text
}
