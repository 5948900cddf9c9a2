//! `AuthenticationConfiguration`: whether an API server would take it, and what it configures.
//!
//! The rules are those of the server: it decodes strictly (an unknown field is an error), and then validates. What only its type
//! checker for expressions could refuse may be let through here; nothing is refused that a server of that version takes.

use std::collections::BTreeSet;

use bartizan_cluster::read::ProblemKind;
use bartizan_cluster::{KubernetesVersion, ObjectView, Shape, Snapshot, Value, pem};

use super::Place;
use super::expression::Expression;

/// A server takes at most so many issuers.
const ISSUERS_MAX: usize = 64;

/// What keeps a server from taking a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// The field.
    pub path: String,
    /// Why.
    pub message: String,
    /// Where.
    pub place: Option<Place>,
}

/// What a field may hold.
#[derive(Clone, Copy)]
enum Type {
    Text,
    Bool,
    List(&'static Type),
    Struct(&'static [(&'static str, Type)]),
}

const PREFIXED: Type = Type::Struct(&[("claim", Type::Text), ("prefix", Type::Text), ("expression", Type::Text)]);

const CONFIGURATION: Type = Type::Struct(&[
    ("apiVersion", Type::Text),
    ("kind", Type::Text),
    (
        "jwt",
        Type::List(&Type::Struct(&[
            (
                "issuer",
                Type::Struct(&[
                    ("url", Type::Text),
                    ("discoveryURL", Type::Text),
                    ("certificateAuthority", Type::Text),
                    ("audiences", Type::List(&Type::Text)),
                    ("audienceMatchPolicy", Type::Text),
                    ("egressSelectorType", Type::Text),
                ]),
            ),
            (
                "claimValidationRules",
                Type::List(&Type::Struct(&[("claim", Type::Text), ("requiredValue", Type::Text), ("expression", Type::Text), ("message", Type::Text)])),
            ),
            (
                "claimMappings",
                Type::Struct(&[
                    ("username", PREFIXED),
                    ("groups", PREFIXED),
                    ("uid", Type::Struct(&[("claim", Type::Text), ("expression", Type::Text)])),
                    ("extra", Type::List(&Type::Struct(&[("key", Type::Text), ("valueExpression", Type::Text)]))),
                ]),
            ),
            ("userValidationRules", Type::List(&Type::Struct(&[("expression", Type::Text), ("message", Type::Text)]))),
        ])),
    ),
    ("anonymous", Type::Struct(&[("enabled", Type::Bool), ("conditions", Type::List(&Type::Struct(&[("path", Type::Text)])))])),
]);

/// The versions of the API, and since when a server knows them.
const VERSIONS: [(&str, KubernetesVersion); 3] = [
    ("apiserver.config.k8s.io/v1alpha1", KubernetesVersion::minor(29)),
    ("apiserver.config.k8s.io/v1beta1", KubernetesVersion::minor(30)),
    ("apiserver.config.k8s.io/v1", KubernetesVersion::minor(34)),
];

/// Since when the anonymous block counts without a feature gate, and since when a server knows the selector of an egress.
const ANONYMOUS_SINCE: KubernetesVersion = KubernetesVersion::minor(32);
const EGRESS_SINCE: KubernetesVersion = KubernetesVersion::minor(34);

/// What a user is made of, for rules about users.
const USER_FIELDS: [&str; 4] = ["username", "uid", "groups", "extra"];

/// What keeps a server of version `version` from taking the configuration `view` of `snapshot`; nothing, if it takes it.
/// `own_issuers` are the issuers of the server's service accounts, which no other authenticator may claim.
pub fn validate(snapshot: &Snapshot, view: ObjectView<'_>, version: KubernetesVersion, own_issuers: &[String]) -> Vec<Invalid> {
    let mut check = Check { snapshot, view, version, found: Vec::new() };
    check.version();
    check.types(view.root(), CONFIGURATION);
    check.repeated_keys();
    // What cannot be decoded is not looked into.
    if check.found.is_empty() {
        check.issuers(own_issuers);
        check.anonymous();
    }
    check.found
}

struct Check<'a> {
    snapshot: &'a Snapshot,
    view: ObjectView<'a>,
    version: KubernetesVersion,
    found: Vec<Invalid>,
}

/// The text of a field; absent and empty are one, as for the server.
fn text<'a>(value: Value<'a>, name: &str) -> &'a str {
    value.entry(name).and_then(Value::as_str).unwrap_or("")
}

fn items<'a>(value: Value<'a>, name: &str) -> impl Iterator<Item = Value<'a>> {
    value.entry(name).into_iter().flat_map(Value::items)
}

impl<'a> Check<'a> {
    fn invalid(&mut self, value: Value<'a>, name: &str, message: impl Into<String>) {
        let place = if name.is_empty() { Place::of(self.snapshot, self.view, value) } else { Place::field(self.snapshot, self.view, value, name) };
        self.found.push(Invalid { path: place.path.clone(), message: message.into(), place: Some(place) });
    }

    fn version(&mut self) {
        let root = self.view.root();
        match VERSIONS.iter().find(|(name, _)| *name == self.view.api_version()) {
            None => self.invalid(root, "apiVersion", format!("`{}` is no version of this kind", self.view.api_version())),
            Some((name, since)) if self.version < *since => {
                self.invalid(root, "apiVersion", format!("`{name}` is known from Kubernetes {since} on"));
            }
            Some(_) => {}
        }
    }

    fn types(&mut self, value: Value<'a>, expected: Type) {
        match (expected, value.shape()) {
            (_, Shape::Null) | (Type::Text, Shape::String(_)) | (Type::Bool, Shape::Bool(_)) => {}
            (Type::List(item), Shape::List) => {
                for value in value.items() {
                    self.types(value, *item);
                }
            }
            (Type::Struct(fields), Shape::Map) => {
                for (name, value) in value.entries() {
                    match fields.iter().find(|(field, _)| *field == name) {
                        Some((_, kind)) => self.types(value, *kind),
                        None => self.invalid(value, "", format!("there is no field `{name}`")),
                    }
                }
            }
            (expected, shape) => {
                let noun = match expected {
                    Type::Text => "a string",
                    Type::Bool => "a boolean",
                    Type::List(_) => "a list",
                    Type::Struct(_) => "a map",
                };
                self.invalid(value, "", format!("it is a {}, and {noun} is expected", shape.noun()));
            }
        }
    }

    /// A strict reader refuses a key that stands twice; the tree keeps only the last.
    fn repeated_keys(&mut self) {
        let source = self.snapshot.source_of(self.view).map_or("", |source| source.name());
        let repeated = self.snapshot.problems().iter().filter(|problem| problem.kind == ProblemKind::DuplicateKey && problem.source == source);
        for problem in repeated {
            let place = problem.location.clone().map(|location| Place { file: Some(location.file.clone()), location: Some(location), ..Place::default() });
            self.found.push(Invalid { path: String::new(), message: problem.message.clone(), place });
        }
    }

    fn issuers(&mut self, own_issuers: &[String]) {
        let root = self.view.root();
        let all: Vec<Value<'a>> = items(root, "jwt").collect();
        if all.len() > ISSUERS_MAX {
            self.invalid(root, "jwt", format!("it has {} items, and at most {ISSUERS_MAX} are taken", all.len()));
            return;
        }
        let (mut urls, mut discovery_urls) = (BTreeSet::new(), BTreeSet::new());
        for one in all {
            let issuer = one.entry("issuer").unwrap_or(one);
            let is_given = one.entry("issuer").is_some();
            let (url, discovery) = if is_given { (text(issuer, "url"), text(issuer, "discoveryURL")) } else { ("", "") };
            self.issuer(one, issuer, is_given, own_issuers);
            if !urls.insert(url) {
                self.invalid(issuer, "url", "another issuer has the same URL");
            }
            if !discovery.is_empty() && !discovery_urls.insert(discovery) {
                self.invalid(issuer, "discoveryURL", "another issuer has the same URL for discovery");
            }
            self.rules_and_mappings(one);
        }
    }

    fn issuer(&mut self, one: Value<'a>, issuer: Value<'a>, is_given: bool, own_issuers: &[String]) {
        if !is_given {
            self.invalid(one, "issuer", "`url` and `audiences` are needed");
            return;
        }
        let (url, discovery) = (text(issuer, "url"), text(issuer, "discoveryURL"));
        if url.is_empty() {
            self.invalid(issuer, "url", "it is needed");
        } else {
            if own_issuers.iter().any(|own| own == url) {
                self.invalid(issuer, "url", "it is the issuer of the server's own ServiceAccounts");
            }
            self.url(issuer, "url", url);
        }
        if !discovery.is_empty() {
            if !url.is_empty() && url.trim_end_matches('/') == discovery.trim_end_matches('/') {
                self.invalid(issuer, "discoveryURL", "it must differ from `url`");
            }
            self.url(issuer, "discoveryURL", discovery);
        }
        self.audiences(issuer);
        let authority = text(issuer, "certificateAuthority");
        if !authority.is_empty() {
            let facts = pem::read(authority);
            let is_damaged = facts.faults.iter().any(|fault| fault.message.contains("X.509"));
            if facts.certificates.is_empty() || is_damaged {
                self.invalid(issuer, "certificateAuthority", "it holds no certificates in PEM that can be read");
            }
        }
        let egress = text(issuer, "egressSelectorType");
        if !egress.is_empty() && self.version < EGRESS_SINCE {
            self.invalid(issuer, "egressSelectorType", format!("it is known from Kubernetes {EGRESS_SINCE} on"));
        } else if !matches!(egress, "" | "controlplane" | "cluster") {
            self.invalid(issuer, "egressSelectorType", "`controlplane` or `cluster` is expected");
        }
    }

    fn url(&mut self, issuer: Value<'a>, name: &str, url: &str) {
        for message in url_faults(url) {
            self.invalid(issuer, name, message);
        }
        // The reader has taken them out of the address.
        let pointer = issuer.entry(name).map(|value| value.path().pointer().to_owned()).unwrap_or_default();
        if self.view.secret().is_some_and(|facts| facts.entry(&pointer).is_some()) {
            self.invalid(issuer, name, "it must not carry a user or password");
        }
    }

    fn audiences(&mut self, issuer: Value<'a>) {
        let all: Vec<Value<'a>> = items(issuer, "audiences").collect();
        if all.is_empty() {
            self.invalid(issuer, "audiences", "at least one is needed");
            return;
        }
        let mut seen = BTreeSet::new();
        for &audience in &all {
            let name = audience.as_str().unwrap_or("");
            if name.is_empty() {
                self.invalid(audience, "", "it is empty");
            }
            if !seen.insert(name) {
                self.invalid(audience, "", "it stands twice");
            }
        }
        match (all.len(), text(issuer, "audienceMatchPolicy")) {
            (_, "MatchAny") | (1, "") => {}
            (1, _) => self.invalid(issuer, "audienceMatchPolicy", "`MatchAny` or nothing is expected"),
            _ => self.invalid(issuer, "audienceMatchPolicy", "several audiences need `MatchAny`"),
        }
    }

    fn rules_and_mappings(&mut self, one: Value<'a>) {
        let mut uses_verified = self.claim_rules(one);
        let mappings = one.entry("claimMappings").unwrap_or(one);
        let is_given = one.entry("claimMappings").is_some();
        if !is_given {
            self.invalid(one, "claimMappings", "`username` is needed");
            self.user_rules(one);
            return;
        }
        let username = self.mapping(mappings, "username", true);
        self.mapping(mappings, "groups", false);
        if let Some(uid) = mappings.entry("uid") {
            match (text(uid, "claim"), text(uid, "expression")) {
                (_, "") => {}
                ("", _) => {
                    self.claims_expression(uid, "expression");
                }
                _ => self.invalid(mappings, "uid", "`claim` and `expression` exclude each other"),
            }
        }
        uses_verified |= self.extra(mappings);
        if let Some(username) = username {
            uses_verified |= username.selects("claims", "email_verified");
            if username.selects("claims", "email") && !uses_verified {
                let message = "it uses `claims.email`, and nothing uses `claims.email_verified`";
                let value = mappings.entry("username").unwrap_or(mappings);
                self.invalid(value, "expression", message);
            }
        }
        self.user_rules(one);
    }

    /// The rules about claims; whether one of them asks whether the mail address is verified.
    fn claim_rules(&mut self, one: Value<'a>) -> bool {
        let (mut claims, mut expressions) = (BTreeSet::new(), BTreeSet::new());
        let mut uses_verified = false;
        for rule in items(one, "claimValidationRules") {
            match (text(rule, "claim"), text(rule, "expression")) {
                ("", "") => self.invalid(rule, "", "`claim` or `expression` is needed"),
                (claim, "") => {
                    if !text(rule, "message").is_empty() {
                        self.invalid(rule, "message", "it goes with `expression` only");
                    }
                    if !claims.insert(claim) {
                        self.invalid(rule, "claim", "another rule has the same claim");
                    }
                }
                ("", expression) => {
                    if !text(rule, "requiredValue").is_empty() {
                        self.invalid(rule, "requiredValue", "it goes with `claim` only");
                    }
                    if !expressions.insert(expression) {
                        self.invalid(rule, "expression", "another rule has the same expression");
                        continue;
                    }
                    if let Some(parsed) = self.claims_expression(rule, "expression") {
                        self.boolean(rule, &parsed);
                        uses_verified |= parsed.selects("claims", "email_verified");
                    }
                }
                _ => self.invalid(rule, "", "`claim` and `expression` exclude each other"),
            }
        }
        uses_verified
    }

    fn user_rules(&mut self, one: Value<'a>) {
        let mut expressions = BTreeSet::new();
        for rule in items(one, "userValidationRules") {
            let expression = text(rule, "expression");
            if expression.is_empty() {
                self.invalid(rule, "expression", "it is needed");
            } else if !expressions.insert(expression) {
                self.invalid(rule, "expression", "another rule has the same expression");
            } else if let Some(parsed) = self.expression(rule, "expression", "user") {
                if let Some(field) = parsed.unknown_field("user", &USER_FIELDS) {
                    self.invalid(rule, "expression", format!("a user has no field `{field}`"));
                }
                self.boolean(rule, &parsed);
            }
        }
    }

    fn boolean(&mut self, rule: Value<'a>, parsed: &Expression) {
        if parsed.is_surely_no_boolean() {
            self.invalid(rule, "expression", "its value must be a boolean");
        }
    }

    /// The mapping of a username or of groups; its expression, if it has one that parses.
    fn mapping(&mut self, mappings: Value<'a>, name: &str, is_needed: bool) -> Option<Expression> {
        let Some(mapping) = mappings.entry(name) else {
            if is_needed {
                self.invalid(mappings, name, "`claim` or `expression` is needed");
            }
            return None;
        };
        let has_prefix = mapping.entry("prefix").is_some();
        match (text(mapping, "claim"), text(mapping, "expression")) {
            ("", "") => {
                if is_needed {
                    self.invalid(mappings, name, "`claim` or `expression` is needed");
                }
                None
            }
            (_, "") => {
                if !has_prefix {
                    self.invalid(mapping, "prefix", "it is needed beside `claim`; an empty one means none");
                }
                None
            }
            ("", _) => {
                if has_prefix {
                    self.invalid(mapping, "prefix", "it goes with `claim` only");
                }
                self.claims_expression(mapping, "expression")
            }
            _ => {
                self.invalid(mappings, name, "`claim` and `expression` exclude each other");
                None
            }
        }
    }

    /// The further attributes; whether one of them uses whether the mail address is verified.
    fn extra(&mut self, mappings: Value<'a>) -> bool {
        let mut keys = BTreeSet::new();
        let mut uses_verified = false;
        for extra in items(mappings, "extra") {
            let key = text(extra, "key");
            if !is_domain_prefixed(key) {
                self.invalid(extra, "key", "a path behind a domain is expected, such as `example.org/team`");
            }
            if key != key.to_lowercase() {
                self.invalid(extra, "key", "it must be in lower case");
            }
            let domain = key.split_once('/').map_or("", |(domain, _)| domain);
            if ["k8s.io", "kubernetes.io"].iter().any(|own| domain == *own || domain.ends_with(&format!(".{own}"))) {
                self.invalid(extra, "key", "the domains of Kubernetes are its own");
            }
            if !keys.insert(key) {
                self.invalid(extra, "key", "another attribute has the same key");
                continue;
            }
            if text(extra, "valueExpression").is_empty() {
                self.invalid(extra, "valueExpression", "it is needed");
                continue;
            }
            let parsed = self.claims_expression(extra, "valueExpression");
            uses_verified |= parsed.is_some_and(|parsed| parsed.selects("claims", "email_verified"));
        }
        uses_verified
    }

    fn claims_expression(&mut self, value: Value<'a>, name: &str) -> Option<Expression> {
        self.expression(value, name, "claims")
    }

    fn expression(&mut self, value: Value<'a>, name: &str, variable: &str) -> Option<Expression> {
        let parsed = match Expression::parse(text(value, name)) {
            Ok(parsed) => parsed,
            Err(fault) => {
                self.invalid(value, name, format!("the expression does not parse: at byte {}, {}", fault.offset, fault.message));
                return None;
            }
        };
        if let Some(unknown) = parsed.unknown_name(variable) {
            self.invalid(value, name, format!("`{unknown}` stands for nothing; the variable is `{variable}`"));
            return None;
        }
        if variable == "claims" && parsed.iterates_field_of("claims") {
            self.invalid(value, name, "a claim of its own is no list for the type checker; write `dyn(claims.name)`");
            return None;
        }
        Some(parsed)
    }

    fn anonymous(&mut self) {
        let Some(anonymous) = self.view.root().entry("anonymous") else { return };
        if self.version < ANONYMOUS_SINCE {
            self.invalid(anonymous, "", format!("it counts from Kubernetes {ANONYMOUS_SINCE} on"));
        }
        let is_enabled = anonymous.entry("enabled").and_then(Value::as_bool).unwrap_or(false);
        if !is_enabled && items(anonymous, "conditions").next().is_some() {
            self.invalid(anonymous, "conditions", "conditions need `enabled: true`");
        }
    }
}

/// Why the server would not take `url` for an issuer.
pub(super) fn url_faults(url: &str) -> Vec<&'static str> {
    let mut found = Vec::new();
    if url.chars().any(|letter| letter.is_ascii_control()) {
        return vec!["it is no URL"];
    }
    let (before_fragment, fragment) = url.split_once('#').unwrap_or((url, ""));
    let (address, query) = before_fragment.split_once('?').unwrap_or((before_fragment, ""));
    let scheme = address.split_once(':').map_or("", |(scheme, _)| scheme);
    if !scheme.eq_ignore_ascii_case("https") {
        found.push("the scheme must be `https`");
    }
    let host = address.split_once("://").map_or("", |(_, rest)| rest.split('/').next().unwrap_or(""));
    if host.contains(' ') {
        return vec!["it is no URL"];
    }
    if host.contains('@') {
        found.push("it must not carry a user or password");
    }
    if !query.is_empty() {
        found.push("it must not carry a query");
    }
    if !fragment.is_empty() {
        found.push("it must not carry a fragment");
    }
    found
}

/// `example.org/team`
fn is_domain_prefixed(key: &str) -> bool {
    let Some((domain, path)) = key.split_once('/') else { return false };
    let is_label = |label: &str| {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        label.bytes().next().is_some_and(is_plain) && label.bytes().last().is_some_and(is_plain) && label.bytes().all(|byte| is_plain(byte) || byte == b'-')
    };
    let is_path = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:".contains(&byte);
    domain.len() <= 253 && domain.split('.').all(is_label) && !path.is_empty() && path.bytes().all(is_path)
}
