//! What the server serves: aggregated discovery where it is spoken, one document a group and version where it is not.

use serde::Deserialize;

use super::server::{Failure, JSON, Server};

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

/// A kind that the server serves and that can be listed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Served {
    /// The API group; empty for the core group.
    pub(super) group: String,
    /// The plural.
    pub(super) plural: String,
    pub(super) version: String,
    pub(super) kind: String,
    pub(super) namespaced: bool,
}

impl Served {
    /// Where its group and version begin: `/apis/apps/v1`.
    pub(super) fn prefix(&self) -> String {
        prefix(&self.group, &self.version)
    }
}

/// Where a group and version begin.
pub(super) fn prefix(group: &str, version: &str) -> String {
    if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") }
}

/// Everything that can be listed, the server's preferred version of a group first.
pub(super) async fn discover(server: &Server) -> Result<Vec<Served>, Failure> {
    let mut all = root(server, "/api").await?;
    all.extend(root(server, "/apis").await?);
    Ok(all)
}

async fn root(server: &Server, path: &str) -> Result<Vec<Served>, Failure> {
    let text = server.get(path, AGGREGATED).await?;
    let root: Root = serde_json::from_str(&text).map_err(|error| Failure::Garbage(format!("`{path}` is no discovery document: {error}")))?;
    let versions: Vec<(String, String)> = match root.kind.as_str() {
        "APIGroupDiscoveryList" => return Ok(root.items.into_iter().flat_map(AggregatedGroup::served).collect()),
        "APIVersions" => root.versions.into_iter().map(|version| (String::new(), version)).collect(),
        _ => root.groups.into_iter().flat_map(Group::versions).collect(),
    };
    let mut all = Vec::new();
    for (group, version) in versions {
        // One aggregated API whose server is down hides nothing but itself.
        if let Ok(text) = server.get(&prefix(&group, &version), JSON).await
            && let Ok(list) = serde_json::from_str::<ResourceList>(&text)
        {
            all.extend(list.resources.into_iter().filter_map(|resource| resource.served(&group, &version)));
        }
    }
    Ok(all)
}

#[derive(Deserialize)]
struct Root {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    items: Vec<AggregatedGroup>,
    #[serde(default)]
    groups: Vec<Group>,
    #[serde(default)]
    versions: Vec<String>,
}

#[derive(Deserialize)]
struct AggregatedGroup {
    #[serde(default)]
    metadata: GroupName,
    #[serde(default)]
    versions: Vec<AggregatedVersion>,
}

#[derive(Deserialize, Default)]
struct GroupName {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct AggregatedVersion {
    version: String,
    #[serde(default)]
    resources: Vec<AggregatedResource>,
}

#[derive(Deserialize)]
struct AggregatedResource {
    resource: String,
    #[serde(default, rename = "responseKind")]
    response_kind: Option<ResponseKind>,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    verbs: Vec<String>,
}

#[derive(Deserialize)]
struct ResponseKind {
    #[serde(default)]
    kind: String,
}

impl AggregatedGroup {
    fn served(self) -> Vec<Served> {
        let group = self.metadata.name;
        let of_version = |AggregatedVersion { version, resources }: AggregatedVersion| {
            let group = group.clone();
            resources.into_iter().filter(|resource| resource.verbs.iter().any(|verb| verb == "list")).map(move |resource| Served {
                group: group.clone(),
                version: version.clone(),
                plural: resource.resource,
                kind: resource.response_kind.map(|kind| kind.kind).unwrap_or_default(),
                namespaced: resource.scope == "Namespaced",
            })
        };
        self.versions.into_iter().flat_map(of_version).collect()
    }
}

#[derive(Deserialize)]
struct Group {
    name: String,
    #[serde(default)]
    versions: Vec<GroupVersion>,
    #[serde(default, rename = "preferredVersion")]
    preferred: Option<GroupVersion>,
}

#[derive(Deserialize, PartialEq)]
struct GroupVersion {
    version: String,
}

impl Group {
    /// Its versions, the preferred one first.
    fn versions(self) -> Vec<(String, String)> {
        let mut versions = self.versions;
        if let Some(at) = versions.iter().position(|version| Some(version) == self.preferred.as_ref()) {
            versions.get_mut(..=at).unwrap_or_default().rotate_right(1);
        }
        versions.into_iter().map(|version| (self.name.clone(), version.version)).collect()
    }
}

#[derive(Deserialize)]
struct ResourceList {
    #[serde(default)]
    resources: Vec<Resource>,
}

#[derive(Deserialize)]
struct Resource {
    name: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    namespaced: bool,
    #[serde(default)]
    verbs: Vec<String>,
}

impl Resource {
    fn served(self, group: &str, version: &str) -> Option<Served> {
        let is_list = !self.name.contains('/') && self.verbs.iter().any(|verb| verb == "list");
        is_list.then(|| Served { group: group.to_owned(), version: version.to_owned(), plural: self.name, kind: self.kind, namespaced: self.namespaced })
    }
}
