//! Lists, page by page: bytes become a fragment, and are gone.

use std::borrow::Cow;
use std::sync::Arc;

use bartizan_cluster::read::{Fragment, Implied, ReadOptions};
use bartizan_cluster::{Reason, SourceId};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::server::{Failure, JSON, Server};
use crate::{Progress, Step};

/// Objects a page.
const PAGE: usize = 500;

/// How often a list is begun again after its continuation has expired.
const RESTARTS_MAX: u32 = 3;

/// Asks for nothing but metadata.
const METADATA_ONLY: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

/// The only source of a live snapshot.
pub(super) const SOURCE: SourceId = SourceId(0);

/// What to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// `/apis/apps/v1`.
    pub(super) prefix: String,
    /// `deployments`.
    pub(super) plural: String,
    /// What a missing list of it is called.
    pub(super) fact: String,
    pub(super) namespaced: bool,
    /// Whether nothing but metadata is taken in.
    pub(super) metadata_only: bool,
    /// Whether the names of what is listed are of use.
    pub(super) names: bool,
}

impl Target {
    /// The path of the list, in one namespace or everywhere.
    pub(super) fn path(&self, namespace: Option<&str>) -> String {
        match namespace {
            Some(namespace) => format!("{}/namespaces/{namespace}/{}", self.prefix, self.plural),
            None => format!("{}/{}", self.prefix, self.plural),
        }
    }
}

/// What a list brought.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) fragment: Fragment,
    /// Namespaces and names, if they were asked for.
    pub(super) names: Vec<(Option<String>, String)>,
    /// Why it is not whole.
    pub(super) cut: Option<(Reason, String)>,
}

/// Reads a whole list. What came before a failure is kept.
pub(super) async fn list(server: &Server, target: &Target, namespace: Option<&str>, options: ReadOptions, progress: &dyn Progress) -> Listed {
    let mut restarts = 0u32;
    loop {
        let (mut listed, failure) = attempt(server, target, namespace, options, progress).await;
        match failure {
            None => return listed,
            Some(failure) if failure.is(410) && restarts < RESTARTS_MAX => restarts += 1,
            Some(failure) => {
                let reason = if listed.fragment.is_empty() { failure.reason() } else { Reason::Incomplete };
                listed.cut = Some((reason, failure.to_string()));
                return listed;
            }
        }
    }
}

async fn attempt(server: &Server, target: &Target, namespace: Option<&str>, options: ReadOptions, progress: &dyn Progress) -> (Listed, Option<Failure>) {
    let base = target.path(namespace);
    let accept = if target.metadata_only { METADATA_ONLY } else { JSON };
    let mut listed = Listed { fragment: Fragment::new(options), names: Vec::new(), cut: None };
    let mut next = String::new();
    loop {
        let path = if next.is_empty() { format!("{base}?limit={PAGE}") } else { format!("{base}?limit={PAGE}&continue={}", escape(&next)) };
        let text = match server.get(&path, accept).await {
            Ok(text) => text,
            Err(failure) => return (listed, Some(failure)),
        };
        let (metadata_only, with_names) = (target.metadata_only, target.names);
        let taken = tokio::task::spawn_blocking(move || take_page(listed, &text, metadata_only, with_names)).await;
        let page = match taken {
            Ok((after, page)) => {
                listed = after;
                page
            }
            Err(_) => {
                return (
                    Listed { fragment: Fragment::new(options), names: Vec::new(), cut: None },
                    Some(Failure::Garbage("a page could not be taken in".to_owned())),
                );
            }
        };
        match page {
            Ok(meta) => {
                progress.step(&Step::Listing { resource: &target.plural, objects: listed.fragment.len(), remaining: meta.remaining });
                // A token that leads to itself would never end.
                if meta.next.is_empty() || meta.next == next {
                    return (listed, None);
                }
                next = meta.next;
            }
            Err(failure) => return (listed, Some(failure)),
        }
    }
}

/// Reads one object by its path.
pub(super) async fn get(server: &Server, path: &str, options: ReadOptions) -> Result<Fragment, Failure> {
    let text = server.get(path, JSON).await?;
    let mut fragment = Fragment::new(options);
    fragment.take_live(SOURCE, &text, None).map_err(|error| Failure::Garbage(error.to_string()))?;
    Ok(fragment)
}

#[derive(Debug, Default, Deserialize)]
struct PageMeta {
    #[serde(default, rename = "continue")]
    next: String,
    #[serde(default, rename = "remainingItemCount")]
    remaining: Option<u64>,
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow, default)]
    kind: Cow<'a, str>,
    #[serde(borrow, default, rename = "apiVersion")]
    api_version: Cow<'a, str>,
    #[serde(default)]
    metadata: PageMeta,
    /// Go writes a list without items as `null`.
    #[serde(borrow, default)]
    items: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    metadata: Name<'a>,
}

#[derive(Deserialize)]
struct Name<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    namespace: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct MetadataOf<'a> {
    #[serde(borrow)]
    metadata: &'a RawValue,
}

/// Takes in the items of one page.
fn take_page(mut listed: Listed, text: &str, metadata_only: bool, with_names: bool) -> (Listed, Result<PageMeta, Failure>) {
    let garbage = |error: serde_json::Error| Failure::Garbage(format!("the answer is no list: {error}"));
    let page: Page<'_> = match serde_json::from_str(text) {
        Ok(page) => page,
        Err(error) => return (listed, Err(garbage(error))),
    };
    let Some(kind) = page.kind.strip_suffix("List") else {
        return (listed, Err(Failure::Garbage(format!("the answer is no list but `{}`", page.kind))));
    };
    let implied = Arc::new(Implied { api_version: page.api_version.into_owned(), kind: kind.to_owned() });
    for item in page.items.unwrap_or_default() {
        let taken = if metadata_only { take_metadata(&mut listed.fragment, item) } else { listed.fragment.take_live(SOURCE, item.get(), Some(&implied)) };
        if let Err(error) = taken {
            return (listed, Err(garbage(error)));
        }
        if with_names && let Ok(Named { metadata }) = serde_json::from_str(item.get()) {
            listed.names.push((metadata.namespace.map(Cow::into_owned), metadata.name.into_owned()));
        }
    }
    (listed, Ok(page.metadata))
}

/// Takes in a Secret without looking at more than its metadata, whatever the server sent.
fn take_metadata(fragment: &mut Fragment, item: &RawValue) -> Result<(), serde_json::Error> {
    let MetadataOf { metadata } = serde_json::from_str(item.get())?;
    fragment.take_live(SOURCE, &format!(r#"{{"apiVersion":"v1","kind":"Secret","metadata":{}}}"#, metadata.get()), None)
}

/// A text as a value of a query.
fn escape(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}
