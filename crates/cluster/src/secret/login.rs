//! Logins without their passwords: registries, kubeconfigs and signed tokens.

use base64::Engine as _;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::Content;
use crate::field;
use crate::intern::Interner;
use crate::yaml;

/// A login at a container registry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RegistryLogin {
    /// The registry as written, without a user in it.
    pub registry: String,
    /// The name of the user, if it is told.
    pub user: Option<String>,
}

/// The registries of a `.dockerconfigjson` or the older `.dockercfg`.
pub(super) fn registries(text: &str) -> Option<Content> {
    let config: Json = serde_json::from_str(text).ok()?;
    let auths = config.get("auths").unwrap_or(&config).as_object()?;
    let login = |(registry, login): (&String, &Json)| RegistryLogin { registry: without_user(registry), user: user(login) };
    let mut logins: Vec<RegistryLogin> = auths.iter().filter(|(_, login)| login.is_object()).map(login).collect();
    logins.sort();
    Some(Content::RegistryLogins { logins })
}

fn user(login: &Json) -> Option<String> {
    let named = login.get("username").and_then(Json::as_str).filter(|name| !name.is_empty());
    named.map(str::to_owned).or_else(|| {
        let pair = crate::scalar::base64_as_go(login.get("auth")?.as_str()?)?;
        let (name, _) = std::str::from_utf8(&pair).ok()?.split_once(':')?;
        Some(name.to_owned())
    })
}

/// An address without the user and password that may stand before its host.
pub fn without_user(address: &str) -> String {
    let (scheme, rest) = address.split_once("://").map_or(("", address), |(scheme, rest)| (scheme, rest));
    let host_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, path) = rest.split_at_checked(host_end).unwrap_or((rest, ""));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    if scheme.is_empty() { format!("{host}{path}") } else { format!("{scheme}://{host}{path}") }
}

/// A signed JSON web token: three parts in base64, the first of which names an algorithm.
pub(super) fn token(text: &str) -> Option<Content> {
    let mut parts = text.trim().split('.');
    let (header, claims, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || !header.starts_with("ey") {
        return None;
    }
    let read = |part: &str| -> Option<Json> {
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok()?;
        serde_json::from_slice(&bytes).ok().filter(Json::is_object)
    };
    let (header, claims) = (read(header)?, read(claims)?);
    header.get("alg").is_some_and(Json::is_string).then_some(Content::Token { header, claims })
}

/// The clusters and users of a kubeconfig.
pub(super) fn kubeconfig(text: &str) -> Option<Content> {
    if !text.contains("clusters") || !text.contains("Config") {
        return None;
    }
    // The values of this scratch interner go with it.
    let mut strings = Interner::new();
    let read = yaml::read(text, 0, &mut strings);
    let root = read.trees.first()?.root(&strings);
    if root.str(field::KIND) != Some("Config") {
        return None;
    }
    let named = |list: &str| root.entry(list).into_iter().flat_map(crate::Value::items).collect::<Vec<_>>();
    let server = |cluster: &crate::Value<'_>| cluster.entry("cluster")?.entry("server")?.as_str().map(without_user);
    let servers = named("clusters").iter().filter_map(server).collect();
    let users = named("users").iter().filter_map(|user| user.str(field::NAME)).map(str::to_owned).collect();
    Some(Content::Kubeconfig { servers, users })
}
