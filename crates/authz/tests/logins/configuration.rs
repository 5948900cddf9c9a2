//! `AuthenticationConfiguration`: what the server takes and what it refuses. `server.rs` asks the server itself about the same texts.

use bartizan_authz::login::{Mechanism, validate};
use bartizan_cluster::KubernetesVersion;
use bartizan_testbed::Authority;

use crate::world::World;

/// A configuration with this body.
pub(crate) fn configuration(body: &str) -> String {
    format!("apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\n{body}")
}

/// One issuer: `issuer` beside a URL and an audience, and the rest of the authenticator.
fn issuer(issuer: &str, rest: &str) -> String {
    configuration(&format!("jwt:\n- issuer:\n    url: https://idp.example\n    audiences: [a]\n{issuer}{rest}"))
}

const NAMED: &str = "  claimMappings:\n    username: {claim: sub, prefix: 'oidc:'}\n";

/// Texts that a server takes.
pub(crate) fn valid() -> Vec<String> {
    let authority = Authority::new("idp").unwrap().identity().certificate.replace('\n', "\n      ");
    vec![
        configuration(""),
        configuration("jwt: []\n"),
        configuration("anonymous: {enabled: true, conditions: [{path: /livez}]}\n"),
        configuration("anonymous: {enabled: false}\n"),
        issuer("", NAMED),
        issuer("    discoveryURL: https://inside.example/.well-known/openid-configuration\n", NAMED),
        issuer("    audienceMatchPolicy: MatchAny\n", NAMED),
        issuer("    egressSelectorType: cluster\n", NAMED),
        issuer(&format!("    certificateAuthority: |\n      {authority}\n"), NAMED),
        issuer("", "  claimMappings: {username: {claim: sub, prefix: ''}, groups: {claim: groups, prefix: ''}}\n"),
        issuer("", "  claimMappings: {username: {expression: \"'oidc:' + claims.sub\"}, groups: {expression: 'dyn(claims.groups).map(g, \"o:\" + g)'}}\n"),
        issuer(
            "",
            "  claimMappings: {username: {expression: 'claims.email'}, extra: [{key: example.org/v, valueExpression: 'string(claims.email_verified)'}]}\n",
        ),
        issuer("", "  claimMappings: {username: {expression: 'claims.email_verified ? claims.email : \"\"'}}\n"),
        issuer(
            "",
            "  claimValidationRules: [{expression: 'claims.?email_verified.orValue(true) == true', message: never}]\n  claimMappings: {username: {expression: 'claims.email'}}\n",
        ),
        issuer("", &format!("  claimValidationRules: [{{claim: hd, requiredValue: shop}}]\n{NAMED}")),
        issuer(
            "",
            &format!(
                "  userValidationRules: [{{expression: \"!user.username.startsWith('system:')\"}}, {{expression: \"user.groups.all(g, !g.startsWith('system:'))\", message: never}}]\n{NAMED}"
            ),
        ),
        issuer(
            "",
            &format!(
                "  claimValidationRules: [{{expression: 'claims.realm.roles.exists(r, r == \"a\")'}}, {{expression: 'claims.`a-b` == \"x\"'}}, {{expression: 'claims.all(k, k != \"\")'}}]\n{NAMED}"
            ),
        ),
        issuer("", "  claimMappings: {username: {claim: sub, prefix: ''}, uid: {claim: sub}}\n"),
        issuer("", "  claimMappings: {username: {claim: sub, prefix: ''}, uid: {expression: 'claims.sub'}}\n"),
    ]
}

/// Texts that a server refuses, with the field that is at fault.
pub(crate) fn invalid() -> Vec<(String, &'static str)> {
    let rules = |rules: &str| issuer("", &format!("  claimValidationRules: {rules}\n{NAMED}"));
    let users = |rules: &str| issuer("", &format!("  userValidationRules: {rules}\n{NAMED}"));
    let mapped = |mappings: &str| issuer("", &format!("  claimMappings: {mappings}\n"));
    let url = |url: &str| configuration(&format!("jwt:\n- issuer: {{url: '{url}', audiences: [a]}}\n{NAMED}"));
    let audiences = |rest: &str| configuration(&format!("jwt:\n- issuer: {{url: 'https://idp.example', {rest}}}\n{NAMED}"));
    vec![
        (configuration("jtw: []\n"), "jtw"),
        (configuration("jwt: {}\n"), "jwt"),
        (configuration("anonymous: {enabled: 'yes'}\n"), "anonymous.enabled"),
        (configuration("anonymous: {enabled: false, conditions: [{path: /livez}]}\n"), "anonymous.conditions"),
        (configuration("metadata: {name: a}\n"), "metadata"),
        (configuration("jwt: [{claimMappings: {username: {claim: sub, prefix: ''}}}]\n"), "jwt[0].issuer"),
        (url("http://idp.example"), "jwt[0].issuer.url"),
        (url("https://ann:secret@idp.example"), "jwt[0].issuer.url"),
        (url("https://idp.example?a=b"), "jwt[0].issuer.url"),
        (url("https://idp.example#a"), "jwt[0].issuer.url"),
        (url(""), "jwt[0].issuer.url"),
        (audiences("audiences: []"), "jwt[0].issuer.audiences"),
        (audiences("audiences: ['']"), "jwt[0].issuer.audiences[0]"),
        (audiences("audiences: [a, a], audienceMatchPolicy: MatchAny"), "jwt[0].issuer.audiences[1]"),
        (audiences("audiences: [a, b]"), "jwt[0].issuer.audienceMatchPolicy"),
        (audiences("audiences: [a], audienceMatchPolicy: MatchAll"), "jwt[0].issuer.audienceMatchPolicy"),
        (audiences("audiences: [a], egressSelectorType: etcd"), "jwt[0].issuer.egressSelectorType"),
        (audiences("audiences: [a], certificateAuthority: garbage"), "jwt[0].issuer.certificateAuthority"),
        (audiences("audiences: [a], discoveryURL: 'https://idp.example/'"), "jwt[0].issuer.discoveryURL"),
        (audiences("audiences: [a], discoveryURL: 'http://idp.example/x'"), "jwt[0].issuer.discoveryURL"),
        (issuer("", ""), "jwt[0].claimMappings"),
        (mapped("{username: {}}"), "jwt[0].claimMappings.username"),
        (mapped("{username: {claim: sub}}"), "jwt[0].claimMappings.username.prefix"),
        (mapped("{username: {claim: sub, prefix: '', expression: 'claims.sub'}}"), "jwt[0].claimMappings.username"),
        (mapped("{username: {expression: 'claims.sub', prefix: ''}}"), "jwt[0].claimMappings.username.prefix"),
        (mapped("{username: {expression: 'claims.'}}"), "jwt[0].claimMappings.username.expression"),
        (mapped("{username: {expression: 'user.username'}}"), "jwt[0].claimMappings.username.expression"),
        (mapped("{username: {expression: 'claims.email'}}"), "jwt[0].claimMappings.username.expression"),
        (mapped("{username: {claim: sub, prefix: ''}, groups: {claim: groups}}"), "jwt[0].claimMappings.groups.prefix"),
        (mapped("{username: {claim: sub, prefix: ''}, uid: {claim: a, expression: 'claims.b'}}"), "jwt[0].claimMappings.uid"),
        (mapped("{username: {claim: sub, prefix: ''}, extra: [{key: team, valueExpression: 'claims.team'}]}"), "jwt[0].claimMappings.extra[0].key"),
        (mapped("{username: {claim: sub, prefix: ''}, extra: [{key: example.org/Team, valueExpression: 'claims.team'}]}"), "jwt[0].claimMappings.extra[0].key"),
        (mapped("{username: {claim: sub, prefix: ''}, extra: [{key: a.k8s.io/team, valueExpression: 'claims.team'}]}"), "jwt[0].claimMappings.extra[0].key"),
        (mapped("{username: {claim: sub, prefix: ''}, extra: [{key: example.org/team}]}"), "jwt[0].claimMappings.extra[0].valueExpression"),
        (rules("[{}]"), "jwt[0].claimValidationRules[0]"),
        (rules("[{claim: hd, expression: 'true'}]"), "jwt[0].claimValidationRules[0]"),
        (rules("[{claim: hd, message: x}]"), "jwt[0].claimValidationRules[0].message"),
        (rules("[{claim: hd}, {claim: hd}]"), "jwt[0].claimValidationRules[1].claim"),
        (rules("[{expression: 'true', requiredValue: x}]"), "jwt[0].claimValidationRules[0].requiredValue"),
        (rules("[{expression: 'claims.sub'}]"), "jwt[0].claimValidationRules[0].expression"),
        (rules("[{expression: '\"text\"'}]"), "jwt[0].claimValidationRules[0].expression"),
        (rules("[{expression: 'claims.roles.exists(r, r == \"a\")'}]"), "jwt[0].claimValidationRules[0].expression"),
        (rules("[{expression: 'claims.?roles.orValue([]).exists(r, r == \"a\")'}]"), "jwt[0].claimValidationRules[0].expression"),
        (rules("[{expression: 'claims.?a.orValue(true)'}]"), "jwt[0].claimValidationRules[0].expression"),
        (rules("[{expression: 'math.greatest(1, 2) == 2'}]"), "jwt[0].claimValidationRules[0].expression"),
        (rules("[{expression: 'true'}, {expression: 'true'}]"), "jwt[0].claimValidationRules[1].expression"),
        (users("[{}]"), "jwt[0].userValidationRules[0].expression"),
        (users("[{expression: 'user.username'}]"), "jwt[0].userValidationRules[0].expression"),
        (users("[{expression: 'user.name == \"x\"'}]"), "jwt[0].userValidationRules[0].expression"),
        (users("[{expression: 'claims.sub == \"x\"'}]"), "jwt[0].userValidationRules[0].expression"),
        (configuration("jwt: []\njwt: []\n"), ""),
    ]
}

fn faults(text: &str, version: KubernetesVersion) -> Vec<String> {
    let world = World::of_version(text, version);
    let view = world.snapshot.configurations().next().unwrap_or_else(|| panic!("{:?}", world.snapshot.problems()));
    validate(&world.snapshot, view, version, &[]).into_iter().map(|invalid| invalid.path).collect()
}

#[test]
fn what_a_server_takes_is_valid() {
    for text in valid() {
        assert_eq!(faults(&text, KubernetesVersion::NEWEST), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn what_a_server_refuses_is_told_with_its_field() {
    for (text, path) in invalid() {
        assert_eq!(faults(&text, KubernetesVersion::NEWEST), [path], "{text}");
    }
}

#[test]
fn versions_of_the_api_have_their_time() {
    let text = |version: &str| configuration("").replace("k8s.io/v1", &format!("k8s.io/{version}"));
    for (version, minor, expected) in
        [("v1", 33, 1), ("v1", 34, 0), ("v1beta1", 29, 1), ("v1beta1", 30, 0), ("v1alpha1", 29, 0), ("v1alpha1", 37, 0), ("v2", 37, 1)]
    {
        assert_eq!(faults(&text(version), KubernetesVersion::minor(minor)).len(), expected, "{version} 1.{minor}");
    }
    let anonymous = configuration("anonymous: {enabled: true}\n").replace("k8s.io/v1", "k8s.io/v1beta1");
    assert_eq!(faults(&anonymous, KubernetesVersion::minor(31)), ["anonymous"]);
    assert_eq!(faults(&anonymous, KubernetesVersion::minor(32)), Vec::<String>::new());
}

#[test]
fn an_issuer_of_the_servers_own_accounts_is_refused() {
    let world = World::of(&issuer("", NAMED));
    let view = world.snapshot.configurations().next().unwrap();
    let found = validate(&world.snapshot, view, KubernetesVersion::NEWEST, &["https://idp.example".to_owned()]);
    assert_eq!((found.len(), found[0].path.as_str()), (1, "jwt[0].issuer.url"));
}

#[test]
fn what_an_issuer_may_do_with_its_claims_is_judged() {
    let faults = |rest: &str| World::of(&issuer("", rest)).faults(Mechanism::Oidc);
    assert_eq!(faults(NAMED), Vec::<&str>::new());
    let open = "  claimMappings: {username: {claim: sub, prefix: ''}, groups: {claim: groups, prefix: ''}}\n";
    assert_eq!(faults(open), ["oidc-groups-unprefixed", "oidc-username-unprefixed"]);
    let guard =
        "  userValidationRules: [{expression: \"!user.username.startsWith('system:')\"}, {expression: \"user.groups.all(g, !g.startsWith('system:'))\"}]\n";
    assert_eq!(faults(&format!("{guard}{open}")), Vec::<&str>::new());
    assert_eq!(
        faults("  claimMappings: {username: {expression: 'claims.sub'}, groups: {expression: 'claims.groups'}}\n"),
        ["oidc-groups-unprefixed", "oidc-username-unprefixed"]
    );
    assert_eq!(faults("  claimMappings: {username: {expression: \"'o:' + claims.sub\"}}\n"), Vec::<&str>::new());
    let many = configuration(&format!("jwt:\n- issuer: {{url: 'https://idp.example', audiences: [a, b], audienceMatchPolicy: MatchAny}}\n{NAMED}"));
    assert_eq!(World::of(&many).faults(Mechanism::Oidc), ["oidc-many-audiences"]);
}

#[test]
fn a_place_names_the_line() {
    let section = World::of(&issuer("", "  claimMappings: {username: {claim: sub}}\n")).section(Mechanism::Oidc);
    let place =
        section.logins.iter().flat_map(|login| &login.judgements).find(|judgement| judgement.fault.id == "authentication-configuration-invalid").unwrap();
    assert_eq!(place.place.as_ref().unwrap().to_string(), "world.yaml:7:19  jwt[0].claimMappings.username.prefix");
}
