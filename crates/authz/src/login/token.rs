//! JSON web tokens: what their claims say. Nothing is verified; a claim is what somebody wrote.

use bartizan_cluster::secret::Content;
use jiff::Timestamp;
use serde_json::Value as Json;

use super::Login;

/// What a token says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token<'a> {
    header: &'a Json,
    claims: &'a Json,
}

impl<'a> Token<'a> {
    /// The token that a value is, if it is one.
    pub(super) fn of(content: &'a Content) -> Option<Self> {
        match content {
            Content::Token { header, claims } => Some(Self { header, claims }),
            _ => None,
        }
    }

    fn text(self, claim: &str) -> Option<&'a str> {
        self.claims.get(claim)?.as_str()
    }

    pub(super) fn issuer(self) -> Option<&'a str> {
        self.text("iss")
    }

    pub(super) fn subject(self) -> Option<&'a str> {
        self.text("sub")
    }

    /// The audiences: a text or a list of texts.
    pub(super) fn audiences(self) -> Vec<&'a str> {
        match self.claims.get("aud") {
            Some(Json::String(one)) => vec![one],
            Some(Json::Array(many)) => many.iter().filter_map(Json::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// A time that a claim gives in seconds, whole or not.
    pub(super) fn time(self, claim: &str) -> Option<Timestamp> {
        let seconds = self.claims.get(claim)?.as_f64()?;
        #[expect(clippy::cast_possible_truncation, reason = "a cast of a float saturates, and what is out of range is no time")]
        Timestamp::from_second(seconds as i64).ok()
    }

    /// Whether this is a token of a ServiceAccount of the old kind, which the server never lets expire.
    pub(super) fn is_legacy(self) -> bool {
        self.issuer() == Some("kubernetes/serviceaccount")
    }

    /// The ServiceAccount, if the token says that it is one's.
    pub(super) fn service_account(self) -> Option<(&'a str, &'a str)> {
        self.subject()?.strip_prefix("system:serviceaccount:")?.split_once(':')
    }

    /// What the token is bound to: `pod web-0`.
    fn bound_to(self) -> Option<String> {
        let claims = self.claims.get("kubernetes.io")?;
        ["pod", "node", "secret"].iter().find_map(|kind| {
            let name = claims.get(kind)?.get("name")?.as_str()?;
            Some(format!("{kind} {name}"))
        })
    }

    /// Adds what the token says to `login`.
    pub(super) fn describe(self, login: Login) -> Login {
        login
            .fact_if("issuer", self.issuer())
            .fact_if("subject", self.subject())
            .fact("audiences", self.audiences())
            .fact_if("issuedAt", self.time("iat").map(|time| time.to_string()))
            .fact_if("expires", self.time("exp").map(|time| time.to_string()))
            .fact_if("algorithm", self.header.get("alg").and_then(Json::as_str))
            .fact_if("boundTo", self.bound_to())
    }
}
