//! Certificates, requests and authorities.

use bartizan_authz::login::{Mechanism, State};
use bartizan_cluster::KubernetesVersion;
use bartizan_cluster::node_file::FileKind;
use bartizan_testbed::{Authority, Draft};

use crate::world::{World, api_server, base64, fact};

const X509: Mechanism = Mechanism::ClientCertificates;

fn faults_of(draft: &Draft) -> Vec<&'static str> {
    let authority = Authority::new("clients").unwrap();
    World::of("").given("client.crt", FileKind::Pem, &authority.sign(draft).unwrap().certificate).faults(X509)
}

#[test]
fn every_fault_of_a_client_certificate_is_found_and_a_sound_one_has_none() {
    let sound = || Draft::new("ann", &["dev"]).valid("260901000000Z", "270901000000Z");
    assert_eq!(faults_of(&sound()), Vec::<&str>::new());
    for (draft, expected) in [
        (Draft::new("root", &["system:masters"]).valid("260901000000Z", "270901000000Z"), vec!["certificate-system-masters"]),
        (sound().valid("250101000000Z", "251231000000Z"), vec!["certificate-expired"]),
        (sound().valid("261201000000Z", "271201000000Z"), vec!["certificate-not-yet-valid"]),
        (sound().valid("260101000000Z", "261210000000Z"), vec!["certificate-expires-soon"]),
        (sound().valid("260101000000Z", "360101000000Z"), vec!["certificate-long-lived"]),
        (sound().rsa(1024), vec!["certificate-weak-key"]),
        (sound().rsa(2048), vec![]),
        (sound().sha1(), vec!["certificate-weak-signature"]),
        (sound().for_servers().rsa(1024), vec![]),
        (Draft::new("system:serviceaccount:kube-system:admin", &[]).valid("260901000000Z", "270901000000Z"), vec!["certificate-service-account"]),
        (Draft::new("", &["dev"]).valid("260901000000Z", "270901000000Z"), vec!["certificate-no-user"]),
        // An administrator's certificate that has expired is no administrator's.
        (Draft::new("root", &["system:masters"]).valid("250101000000Z", "251231000000Z"), vec!["certificate-expired"]),
    ] {
        assert_eq!(faults_of(&draft), expected, "{draft:?}");
    }
}

#[test]
fn what_the_server_takes_from_a_certificate_is_shown() {
    let authority = Authority::new("clients").unwrap();
    let certificate = authority.sign(&Draft::new("ann", &["dev", "ops"]).uid("42")).unwrap().certificate;
    let read = |version| World::of_version("", version).given("a.crt", FileKind::Pem, &format!("\n{certificate}")).section(X509);
    let section = read(KubernetesVersion::NEWEST);
    let login = &section.logins[0];
    assert_eq!((fact(login, "user"), fact(login, "groups"), fact(login, "uid")), ("ann".into(), vec!["dev", "ops"].into(), "42".into()));
    assert_eq!(login.place.to_string(), "a.crt:2:1");
    assert_eq!(fact(login, "uidIsRead"), serde_json::Value::Null);
    assert_eq!(fact(&read(KubernetesVersion::minor(32)).logins[0], "uidIsRead"), false);
}

fn request(name: &str, draft: &Draft, signer: &str, status: &str) -> String {
    let request = base64(draft.request().unwrap().as_bytes());
    format!(
        "---\napiVersion: certificates.k8s.io/v1\nkind: CertificateSigningRequest\nmetadata: {{name: {name}}}\nspec: {{request: {request}, signerName: {signer}, expirationSeconds: 3600, username: ann, usages: [client auth]}}\nstatus: {status}\n"
    )
}

#[test]
fn requests_are_judged_by_what_they_ask_for_and_their_state() {
    const CLIENT: &str = "kubernetes.io/kube-apiserver-client";
    const NODE: &str = "kubernetes.io/kube-apiserver-client-kubelet";
    let approved = "{conditions: [{type: Approved, status: 'True'}]}";
    let denied = "{conditions: [{type: Denied, status: 'True'}]}";
    let masters = Draft::new("root", &["system:masters"]);
    for (draft, signer, status, expected) in [
        (Draft::new("ann", &["dev"]), CLIENT, "{}", vec![]),
        (masters.clone(), CLIENT, approved, vec!["csr-system-masters"]),
        (masters.clone(), CLIENT, denied, vec![]),
        (masters, "example.org/own", approved, vec![]),
        (Draft::new("system:kube-controller-manager", &[]), CLIENT, approved, vec!["csr-component-identity"]),
        (Draft::new("system:node:one", &["system:nodes"]), NODE, approved, vec![]),
        (Draft::new("ann", &[]).rsa(1024), CLIENT, "{}", vec!["csr-weak-key"]),
    ] {
        assert_eq!(World::of(&request("one", &draft, signer, status)).faults(X509), expected, "{draft:?} {signer} {status}");
    }
}

#[test]
fn an_issued_certificate_is_judged_beside_its_request() {
    let authority = Authority::new("clients").unwrap();
    let draft = Draft::new("root", &["system:masters"]).valid("260101000000Z", "360101000000Z");
    let issued = base64(authority.sign(&draft).unwrap().certificate.as_bytes());
    let world = World::of(&request("one", &draft, "kubernetes.io/kube-apiserver-client", &format!("{{certificate: {issued}}}")));
    assert_eq!(world.faults(X509), ["certificate-long-lived", "certificate-system-masters", "csr-system-masters"]);
    let section = world.section(X509);
    let request = section.logins.iter().find(|login| login.name == "request one").unwrap();
    assert_eq!((fact(request, "state"), fact(request, "expirationSeconds"), fact(request, "requestedBy")), ("issued".into(), 3600.into(), "ann".into()));
    assert_eq!(request.place.to_string(), "world.yaml:5:8  CertificateSigningRequest one  spec.request");
}

#[test]
fn a_request_of_garbage_is_told() {
    for text in ["", "aHVudGVyMg==", &base64(b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n")] {
        let world = World::of(&format!(
            "apiVersion: certificates.k8s.io/v1\nkind: CertificateSigningRequest\nmetadata: {{name: one}}\nspec: {{request: {text:?}, signerName: a/b, usages: []}}\n"
        ));
        assert_eq!(world.faults(X509), ["csr-unreadable"], "{text}");
    }
}

#[test]
fn authorities_are_read_from_the_node_or_from_what_the_server_publishes() {
    let authority = Authority::new("clients").unwrap();
    let expired = authority.sign(&Draft::new("old", &[]).authority().valid("200101000000Z", "210101000000Z")).unwrap().certificate;
    let leaf = authority.client("ann", &[]).unwrap().certificate;
    let bundle = format!("{}{expired}{leaf}", authority.identity().certificate);
    let flags = api_server(&["--client-ca-file=/pki/ca.crt"]);
    let expected = ["client-ca-expired", "client-ca-not-an-authority"];
    let on_node = World::of(&flags).with("/pki/ca.crt", FileKind::Pem, &bundle);
    assert_eq!((on_node.faults(X509), on_node.section(X509).state), (expected.to_vec(), State::On));
    let indented = bundle.replace('\n', "\n    ");
    let published = World::of(&format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: extension-apiserver-authentication, namespace: kube-system}}\ndata:\n  client-ca-file: |\n    {indented}\n"
    ));
    assert_eq!((published.faults(X509), published.section(X509).state), (expected.to_vec(), State::On));
    // Without the file, it is said that it was not seen.
    let unseen = World::of(&flags).section(X509).unseen;
    assert!(unseen.iter().any(|unseen| unseen.fact == "/pki/ca.crt" && unseen.reason == "not-in-source" && !unseen.is_loss), "{unseen:?}");
    let lost = World::of(&flags).with("/other", FileKind::Pem, "").inventory();
    assert!(lost.is_incomplete());
    assert_eq!(World::of(&api_server(&[])).section(X509).state, State::Off);
    assert_eq!(World::of("").section(X509).state, State::Unknown);
}

#[test]
fn a_cut_bundle_makes_the_answer_incomplete() {
    let authority = Authority::new("clients").unwrap();
    let whole = &authority.identity().certificate;
    let world = World::of("").given("a.pem", FileKind::Pem, &format!("{}\n{whole}", &whole[..200]));
    let inventory = world.inventory();
    assert!(inventory.is_incomplete());
    assert!(world.section(X509).unseen.iter().any(|unseen| unseen.fact == "a.pem:1" && unseen.is_loss));
}

#[test]
fn a_client_certificate_in_a_secret_counts_if_an_authority_of_the_cluster_signed_it() {
    let authority = Authority::new("clients").unwrap();
    let identity = authority.sign(&Draft::new("root", &["system:masters"]).valid("260901000000Z", "270901000000Z")).unwrap();
    let secret = format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: admin, namespace: ops}}\ntype: kubernetes.io/tls\ndata: {{tls.crt: {}, tls.key: {}}}\n",
        base64(identity.certificate.as_bytes()),
        base64(identity.key.as_bytes())
    );
    let world = |authority: &Authority| {
        World::of(&format!("{}{secret}", api_server(&["--client-ca-file=/pki/ca.crt"]))).with("/pki/ca.crt", FileKind::Pem, &authority.identity().certificate)
    };
    assert_eq!(world(&authority).faults(X509), ["certificate-system-masters"]);
    assert_eq!(world(&Authority::new("others").unwrap()).faults(X509), Vec::<&str>::new());
}
