//! From the address of a request to what the API server's authorizer is asked, as the server itself takes addresses apart.

use std::borrow::Cow;

use bartizan_cluster::access::{Resource, Target};

/// Words before the resource that are verbs.
const PREFIX_VERBS: [&str; 2] = ["proxy", "watch"];

/// What may follow the name of a namespace without being a resource inside it.
const NAMESPACE_SUBRESOURCES: [&str; 2] = ["status", "finalize"];

/// The parameter that limits a list by fields.
const FIELD_SELECTOR: &str = "fieldSelector";

/// The address of a request: path and query, decoded as far as they are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address<'a> {
    /// The path, decoded.
    path: Cow<'a, str>,
    /// The query as it was sent.
    query: &'a str,
}

impl<'a> Address<'a> {
    /// Takes a request URI apart; one that names scheme and host loses them.
    pub fn parse(uri: &'a str) -> Self {
        let uri = uri.split_once('#').map_or(uri, |(before, _)| before);
        let uri = match uri.split_once("://") {
            Some((scheme, rest)) if !scheme.contains('/') => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"),
            _ => uri,
        };
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        Self { path: decoded(path, Plus::Stays), query }
    }

    /// What the authorizer is asked about for a request of this verb.
    pub fn target(self, verb: &str) -> Target<'a> {
        let found = match &self.path {
            Cow::Borrowed(path) => Named::parse(path),
            Cow::Owned(path) => Named::parse(path).map(Named::into_owned),
        };
        let Some(Named { mut resource, is_prefixed }) = found else { return Target::Path(self.path) };
        if resource.name.is_empty()
            && !is_prefixed
            && matches!(verb, "list" | "watch")
            && let Some(name) = self.selected_name()
        {
            resource.name = name;
        }
        Target::Resource(resource)
    }

    /// The name that a field selector limits a list to.
    fn selected_name(&self) -> Option<Cow<'a, str>> {
        let name = match self.parameter(FIELD_SELECTOR)? {
            Cow::Borrowed(selector) => required_name(selector)?,
            Cow::Owned(selector) => Cow::Owned(required_name(&selector)?.into_owned()),
        };
        is_path_segment(&name).then_some(name)
    }

    /// The value of the parameter `wanted`, the one that stands before others of its name.
    fn parameter(&self, wanted: &str) -> Option<Cow<'a, str>> {
        self.query
            .split('&')
            // As for Go, a semicolon spoils its pair.
            .filter(|pair| !pair.contains(';'))
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .find(|(key, _)| *key == wanted || decoded(key, Plus::IsBlank) == wanted)
            .map(|(_, value)| decoded(value, Plus::IsBlank))
    }
}

/// What a path names.
struct Named<'a> {
    resource: Resource<'a>,
    /// Whether the verb stands in the path, before the resource.
    is_prefixed: bool,
}

impl<'a> Named<'a> {
    /// `/api/VERSION/…` and `/apis/GROUP/VERSION/…`, then a resource, or a namespace and a resource in it.
    fn parse(path: &'a str) -> Option<Self> {
        let mut parts = path.trim_matches('/').split('/');
        let group = match parts.next()? {
            "api" => "",
            "apis" => parts.next()?,
            _ => return None,
        };
        let (version, mut first) = (parts.next()?, parts.next()?);
        let mut takes_subresource = true;
        let mut is_prefixed = false;
        if PREFIX_VERBS.contains(&first)
            && let Some(next) = parts.clone().next()
        {
            (is_prefixed, takes_subresource) = (true, first != "proxy");
            parts.next();
            first = next;
        }
        let (mut second, mut third) = (parts.next(), parts.next());
        let mut namespace = "";
        if first == "namespaces"
            && let Some(name) = second
        {
            namespace = name;
            if let Some(inside) = third.filter(|word| !NAMESPACE_SUBRESOURCES.contains(word)) {
                first = inside;
                (second, third) = (parts.next(), parts.next());
            }
        }
        let resource = Resource {
            group: group.into(),
            version: version.into(),
            resource: first.into(),
            subresource: third.filter(|_| takes_subresource).unwrap_or_default().into(),
            namespace: namespace.into(),
            name: second.unwrap_or_default().into(),
            fields: Vec::new(),
        };
        Some(Self { resource, is_prefixed })
    }

    fn into_owned<'b>(self) -> Named<'b> {
        Named { resource: self.resource.into_owned(), is_prefixed: self.is_prefixed }
    }
}

/// The value that a field selector demands of `metadata.name`.
fn required_name(selector: &str) -> Option<Cow<'_, str>> {
    let mut found = None;
    for term in terms(selector) {
        if term.is_empty() {
            continue;
        }
        let (key, is_equal, value) = requirement(term)?;
        if key == "metadata.name" && is_equal && found.is_none() {
            found = Some(unescaped(value)?);
        }
    }
    found
}

/// The terms of a selector: commas part them, unless a backslash stands before.
fn terms(selector: &str) -> impl Iterator<Item = &str> {
    let mut is_escaped = false;
    selector.split(move |character| {
        let parts = character == ',' && !is_escaped;
        is_escaped = character == '\\' && !is_escaped;
        parts
    })
}

/// `key=value`, `key==value` or `key!=value`; whether the two shall be equal.
fn requirement(term: &str) -> Option<(&str, bool, &str)> {
    term.match_indices(['=', '!']).find_map(|(at, _)| {
        let (key, rest) = term.split_at_checked(at)?;
        match rest.strip_prefix("!=") {
            Some(value) => Some((key, false, value)),
            None => rest.strip_prefix("==").or_else(|| rest.strip_prefix('=')).map(|value| (key, true, value)),
        }
    })
}

/// The value of a term, without its backslashes; `None` if the server would refuse it.
fn unescaped(value: &str) -> Option<Cow<'_, str>> {
    if !value.contains(['\\', ',', '=']) {
        return Some(Cow::Borrowed(value));
    }
    let mut out = String::with_capacity(value.len());
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => out.push(characters.next().filter(|next| matches!(next, '\\' | ',' | '='))?),
            ',' | '=' => return None,
            other => out.push(other),
        }
    }
    Some(Cow::Owned(out))
}

/// Whether a name can be a segment of a path.
fn is_path_segment(name: &str) -> bool {
    !matches!(name, "." | "..") && !name.contains(['/', '%'])
}

/// What a plus sign means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plus {
    Stays,
    IsBlank,
}

/// Text without percent signs. What is no escape stays as it is.
fn decoded(text: &str, plus: Plus) -> Cow<'_, str> {
    if !text.bytes().any(|byte| byte == b'%' || byte == b'+' && plus == Plus::IsBlank) {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut left = text.as_bytes();
    while let Some((&byte, rest)) = left.split_first() {
        left = rest;
        match (byte, rest) {
            (b'%', &[high, low, ref after @ ..]) => match digit(high).zip(digit(low)) {
                Some((high, low)) => {
                    out.push((high << 4) | low);
                    left = after;
                }
                None => out.push(byte),
            },
            (b'+', _) if plus == Plus::IsBlank => out.push(b' '),
            _ => out.push(byte),
        }
    }
    Cow::Owned(String::from_utf8(out).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(verb: &str, uri: &str) -> String {
        match Address::parse(uri).target(verb) {
            Target::Path(path) => format!("path {path}"),
            Target::Resource(one) => {
                format!("{}|{}|{}|{}|{}|{}", one.group, one.version, one.namespace, one.resource, one.name, one.subresource)
            }
        }
    }

    #[test]
    fn an_address_is_taken_apart_as_the_server_does() {
        for (verb, uri, expected) in [
            ("list", "/api/v1/namespaces", "|v1||namespaces||"),
            ("get", "/api/v1/namespaces/other", "|v1|other|namespaces|other|"),
            ("list", "/api/v1/namespaces/other/pods", "|v1|other|pods||"),
            ("get", "/api/v1/namespaces/other/pods/foo", "|v1|other|pods|foo|"),
            ("update", "/api/v1/namespaces/other/finalize", "|v1|other|namespaces|other|finalize"),
            ("patch", "/api/v1/namespaces/other/status", "|v1|other|namespaces|other|status"),
            ("list", "/api/v1/pods", "|v1||pods||"),
            ("get", "/apis/apps/v1/namespaces/a/deployments/b/scale", "apps|v1|a|deployments|b|scale"),
            ("get", "/apis/a.b/v1/things/x/y/z/deeper", "a.b|v1||things|x|y"),
            ("watch", "/api/v1/watch/namespaces/other/pods", "|v1|other|pods||"),
            ("watch", "/api/v1/watch/pods?fieldSelector=metadata.name%3Da", "|v1||pods||"),
            ("proxy", "/api/v1/proxy/namespaces/other/pods/foo/bar", "|v1|other|pods|foo|"),
            ("get", "/api/v1/namespaces/m/services/https:prom:9090/proxy/metrics", "|v1|m|services|https:prom:9090|proxy"),
            ("get", "/api/v1/nodes/n1/proxy/stats", "|v1||nodes|n1|proxy"),
            ("get", "/api/v1/", "path /api/v1/"),
            ("get", "/apis/apps/v1", "path /apis/apps/v1"),
            ("get", "/apis", "path /apis"),
            ("get", "/", "path /"),
            ("post", "/healthz/a%20b?x=1", "path /healthz/a b"),
            ("get", "/openapi/v3/apis/apps/v1?hash=x", "path /openapi/v3/apis/apps/v1"),
            ("get", "/api/v1/namespaces/other/configmaps/a%3Ab/", "|v1|other|configmaps|a:b|"),
        ] {
            assert_eq!(shown(verb, uri), expected, "{verb} {uri}");
        }
    }

    #[test]
    fn a_list_of_one_name_has_that_name() {
        for (query, name) in [
            ("fieldSelector=metadata.name%3Dfoo", "foo"),
            ("watch=true&fieldSelector=metadata.name==foo&limit=5", "foo"),
            ("fieldSelector=status.phase%3DRunning%2Cmetadata.name%3Dfoo", "foo"),
            ("fieldSelector=metadata.name%3Da%2Cmetadata.name%3Db", "a"),
            ("fieldSelector=metadata.name!=foo", ""),
            ("fieldSelector=metadata.name%3D..", ""),
            ("fieldSelector=metadata.name%3Da%2Fb", ""),
            ("fieldSelector=metadata.name%3Dfoo%2Cbroken", ""),
            ("fieldSelector=metadata.name%3Da%5C%2Cb", "a,b"),
            ("fieldSelector=metadata.namespace%3Da", ""),
            ("fieldSelector=x;&fieldSelector=metadata.name%3Dfoo", "foo"),
            ("fieldSelector=a%3Db&fieldSelector=metadata.name%3Dfoo", ""),
            ("labelSelector=metadata.name%3Dfoo", ""),
        ] {
            assert_eq!(shown("list", &format!("/api/v1/namespaces/n/pods?{query}")), format!("|v1|n|pods|{name}|"), "{query}");
            let collection = shown("deletecollection", &format!("/api/v1/namespaces/n/pods?{query}"));
            assert_eq!(collection, "|v1|n|pods||", "a selector gives a deletion no name: {query}");
        }
    }

    #[test]
    fn nothing_is_copied_where_nothing_is_escaped() {
        let target = Address::parse("/api/v1/namespaces/a/pods?fieldSelector=metadata.name=b").target("list");
        let Target::Resource(resource) = target else { panic!("{target:?}") };
        for text in [&resource.version, &resource.namespace, &resource.resource, &resource.name] {
            assert!(matches!(text, Cow::Borrowed(_)), "{text}");
        }
    }
}
