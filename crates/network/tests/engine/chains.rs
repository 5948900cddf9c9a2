//! Whether certificates lead to authorities, held against two other verifiers: Go's, which is the API server's, and OpenSSL's. The
//! certificates are made by OpenSSL, with keys of every kind.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use bartizan_network::certificate::Certificates;
use bartizan_testbed::{Authority, CertificateOracle, CertificateQuestion, Draft, Random};
use jiff::{SignedDuration, Timestamp};

use crate::certificates::{indented, ingress, secret, webhook};
use crate::world::at;

const HOST: &str = "guard.shop.svc";

/// Sections of extensions of authorities.
const AUTHORITIES: [(&str, &str); 12] = [
    ("good", "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign"),
    ("bare", "basicConstraints=CA:TRUE"),
    ("short", "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=keyCertSign"),
    ("one", "basicConstraints=critical,CA:TRUE,pathlen:1\nkeyUsage=keyCertSign"),
    ("no", "basicConstraints=CA:FALSE"),
    ("silent", "keyUsage=keyCertSign"),
    ("unused", "basicConstraints=critical,CA:TRUE\nkeyUsage=digitalSignature"),
    ("clients", "basicConstraints=critical,CA:TRUE\nextendedKeyUsage=clientAuth"),
    ("servers", "basicConstraints=critical,CA:TRUE\nextendedKeyUsage=serverAuth,clientAuth"),
    ("inside", "basicConstraints=critical,CA:TRUE\nnameConstraints=critical,permitted;DNS:shop.svc"),
    ("outside", "basicConstraints=critical,CA:TRUE\nnameConstraints=critical,permitted;DNS:pay.svc"),
    ("without", "basicConstraints=critical,CA:TRUE\nnameConstraints=critical,excluded;DNS:guard.shop.svc,excluded;IP:10.0.0.0/255.0.0.0"),
];

/// Sections of extensions of servers.
const SERVERS: [(&str, &str); 5] = [
    ("plain", "subjectAltName=DNS:guard.shop.svc"),
    ("used", "subjectAltName=DNS:guard.shop.svc\nextendedKeyUsage=serverAuth\nkeyUsage=digitalSignature"),
    ("wild", "subjectAltName=DNS:guard.shop.svc,DNS:*.shop.svc"),
    ("addressed", "subjectAltName=DNS:guard.shop.svc,IP:10.1.2.3"),
    ("more", "subjectAltName=DNS:guard.shop.svc,DNS:guard.pay.svc"),
];

/// OpenSSL in a directory of its own.
struct OpenSsl {
    directory: tempfile::TempDir,
    keys: RefCell<BTreeMap<String, PathBuf>>,
    made: RefCell<usize>,
}

/// A certificate, and where its key is.
#[derive(Clone, Debug)]
struct Made {
    name: String,
    text: String,
    file: PathBuf,
    key: PathBuf,
}

impl OpenSsl {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = "[req]\ndistinguished_name=subject\nprompt=no\n[subject]\nCN=nobody\n".to_owned();
        for (name, extensions) in AUTHORITIES.iter().chain(&SERVERS) {
            write!(config, "[{name}]\n{extensions}\n").unwrap();
        }
        std::fs::write(directory.path().join("config"), config).unwrap();
        Self { directory, keys: RefCell::default(), made: RefCell::default() }
    }

    fn run(&self, arguments: &[&str]) -> (bool, String) {
        let output = Command::new("openssl").current_dir(self.directory.path()).args(arguments).output().expect("Debian's `openssl` is needed");
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr))
    }

    fn must(&self, arguments: &[&str]) {
        let (is_done, said) = self.run(arguments);
        assert!(is_done, "openssl {arguments:?}: {said}");
    }

    /// A key of a kind, `RSA 2048`, made when it is first asked for.
    fn key(&self, kind: &str, number: usize) -> PathBuf {
        let name = format!("{kind} {number}").replace(' ', "-");
        if let Some(file) = self.keys.borrow().get(&name) {
            return file.clone();
        }
        let file = self.directory.path().join(&name);
        let path = file.to_str().unwrap();
        match kind.split_once(' ') {
            Some(("RSA", bits)) => self.must(&["genpkey", "-algorithm", "RSA", "-pkeyopt", &format!("rsa_keygen_bits:{bits}"), "-out", path]),
            Some(("EC", curve)) => {
                self.must(&[
                    "genpkey",
                    "-algorithm",
                    "EC",
                    "-pkeyopt",
                    &format!("ec_paramgen_curve:{curve}"),
                    "-pkeyopt",
                    "ec_param_enc:named_curve",
                    "-out",
                    path,
                ]);
            }
            _ => self.must(&["genpkey", "-algorithm", kind, "-out", path]),
        }
        self.keys.borrow_mut().insert(name, file.clone());
        file
    }

    /// A certificate of `name`, whose key is `key`, with the extensions of a section; signed by itself or by somebody.
    fn certificate(&self, name: &str, key: &Path, section: &str, days: &str, signer: Option<&Made>, how: &[&str]) -> Made {
        let number = {
            let mut made = self.made.borrow_mut();
            *made += 1;
            *made
        };
        let (request, file) = (self.directory.path().join(format!("{number}.csr")), self.directory.path().join(format!("{number}.crt")));
        let (request, path, key_path) = (request.to_str().unwrap(), file.to_str().unwrap(), key.to_str().unwrap());
        self.must(&["req", "-new", "-config", "config", "-subj", &format!("/CN={name}"), "-key", key_path, "-out", request]);
        let serial = number.to_string();
        let mut arguments =
            vec!["x509", "-req", "-in", request, "-out", path, "-days", days, "-set_serial", &serial, "-extfile", "config", "-extensions", section];
        match signer {
            Some(signer) => arguments.extend(["-CA", signer.file.to_str().unwrap(), "-CAkey", signer.key.to_str().unwrap()]),
            None => arguments.extend(["-signkey", key_path]),
        }
        arguments.extend(how);
        self.must(&arguments);
        Made { name: name.to_owned(), text: std::fs::read_to_string(&file).unwrap(), file: file.clone(), key: key.to_owned() }
    }

    /// What `openssl verify` says, without its own floor for the strength of keys.
    fn verifies(&self, shown: &[Made], trusted: &[Made], time: Timestamp) -> (bool, String) {
        let write = |name: &str, several: &[Made]| {
            let text: String = several.iter().map(|made| made.text.as_str()).collect();
            std::fs::write(self.directory.path().join(name), text).unwrap();
        };
        write("shown", &shown[..1]);
        write("between", &shown[1..]);
        write("trusted", trusted);
        let time = time.as_second().to_string();
        let mut arguments = vec!["verify", "-partial_chain", "-auth_level", "0", "-purpose", "sslserver", "-attime", &time, "-no-CApath", "-CAfile", "trusted"];
        if shown.len() > 1 {
            arguments.extend(["-untrusted", "between"]);
        }
        arguments.push("shown");
        self.run(&arguments)
    }
}

/// A time at which everything that is made now is valid.
fn soon() -> Timestamp {
    Timestamp::now() + SignedDuration::from_hours(1)
}

fn text(several: &[Made]) -> String {
    several.iter().map(|made| made.text.as_str()).collect()
}

/// What the inventory says of a webhook whose server shows these and whose bundle holds those: whether the server leads to the bundle, and what
/// is wrong or could not be told.
fn ours(shown: &[Made], trusted: &[Made], time: Timestamp) -> (Option<bool>, String) {
    let key = std::fs::read_to_string(&shown[0].key).unwrap();
    let snapshot = at(&(webhook(&text(trusted)) + &secret("guard", &text(shown), &key)), &time.to_string());
    assert_eq!(snapshot.problems(), []);
    let taken = Certificates::take(&snapshot);
    let holding = taken.holdings.iter().find(|holding| holding.name.contains("Webhook")).unwrap();
    let refusals = ["ca-bundle-does-not-sign", "ca-bundle-other-key", "ca-bundle-signer-not-valid", "authority-expired"];
    let limits = ["authority-may-not-sign", "authority-path-too-long", "authority-forbids-name"];
    let found: Vec<&str> = holding.judgements.iter().map(|judgement| judgement.fault.id).filter(|id| refusals.contains(id) || limits.contains(id)).collect();
    let open: Vec<String> = taken.unseen.iter().filter(|unseen| unseen.scope.contains("->")).map(|unseen| unseen.reason.clone()).collect();
    let led = match (found.is_empty(), open.is_empty()) {
        (true, true) => Some(true),
        (false, _) => Some(false),
        (true, false) => None,
    };
    (led, format!("{found:?} {open:?}"))
}

#[test]
fn a_chain_of_any_keys_leads_where_go_and_openssl_say_it_does() {
    let openssl = OpenSsl::new();
    let mut random = Random::of(7);
    // Two days after everything was made, when what is valid for one is over.
    let time = Timestamp::now() + SignedDuration::from_hours(48);
    let kinds = ["RSA 1024", "RSA 2048", "RSA 3072", "EC P-256", "EC P-384", "ED25519", "EC P-521"];
    let mut cases: Vec<(Vec<Made>, Vec<Made>)> = Vec::new();
    for _ in 0..110 {
        let draw_key = |random: &mut Random| {
            // Curves that are not verified here are rare, so that most answers are known.
            let kind = if random.percent(4) { "EC P-521" } else { kinds[random.below(6)] };
            openssl.key(kind, random.below(2))
        };
        let draw_section =
            |random: &mut Random| if random.percent(70) { AUTHORITIES[random.below(2)].0 } else { AUTHORITIES[random.below(AUTHORITIES.len())].0 };
        let name = |random: &mut Random| format!("authority-{}", random.below(4));
        let days = |random: &mut Random| if random.percent(4) { "1" } else { "3650" };
        let how = |signer: &Path| if signer.to_str().unwrap().contains("ED25519") { vec![] } else { vec!["-sha256"] };
        let mut row: Vec<Made> = Vec::new();
        for _ in 0..=random.below(4) {
            let (name, key, section, days) = (name(&mut random), draw_key(&mut random), draw_section(&mut random), days(&mut random));
            let mut how = how(row.last().map_or(key.as_path(), |signer| &signer.key));
            let is_rsa = row.last().map_or(key.as_path(), |signer| &signer.key).to_str().unwrap().contains("RSA-2048");
            if is_rsa && random.percent(30) {
                how.extend(["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"]);
            }
            let made = openssl.certificate(&name, &key, section, days, row.last(), &how);
            row.push(made);
        }
        let signer = row.last().unwrap();
        let leaf_key = draw_key(&mut random);
        let leaf = openssl.certificate("guard", &leaf_key, SERVERS[random.below(SERVERS.len())].0, "3650", Some(signer), &how(&signer.key));
        // Somebody of the same name as one of the row, with another key.
        let twin = row[random.below(row.len())].name.clone();
        let twin = openssl.certificate(&twin, &openssl.key("EC P-256", 9), "good", "3650", None, &["-sha256"]);
        let mut trusted = if random.percent(75) { vec![row[0].clone()] } else { vec![row[random.below(row.len())].clone()] };
        match random.below(10) {
            0 => trusted = vec![twin.clone()],
            1 | 2 => trusted.insert(random.below(2), twin.clone()),
            3 => trusted = vec![leaf.clone()],
            _ => {}
        }
        let mut shown = vec![leaf];
        shown.extend(row.iter().skip(1).rev().cloned());
        match random.below(8) {
            0 => shown.truncate(1),
            1 => shown.push(twin),
            2 if shown.len() > 2 => {
                shown.remove(1);
            }
            3 if shown.len() > 2 => shown.swap(1, 2),
            _ => {}
        }
        cases.push((shown, trusted));
    }
    let question = |(shown, trusted): &(Vec<Made>, Vec<Made>)| CertificateQuestion {
        shown: text(shown),
        trusted: text(trusted),
        host: HOST.to_owned(),
        time: time.to_string(),
    };
    let said = CertificateOracle::locate().unwrap().ask(&cases.iter().map(question).collect::<Vec<_>>()).unwrap();
    let (mut led, mut refused, mut open, mut apart_count, mut different) = (0, 0, 0, 0, Vec::new());
    for ((shown, trusted), go) in cases.iter().zip(said) {
        let go = go.unwrap();
        assert!(go.covers, "every server is for the host");
        let (ours, why) = ours(shown, trusted, time);
        let (openssl, openssl_says) = openssl.verifies(shown, trusted, time);
        match ours {
            Some(true) => led += 1,
            Some(false) => refused += 1,
            None => open += 1,
        }
        // OpenSSL lets an authority that is trusted say by its key usage alone that it is one, and tries no other way where the one that it
        // took ends before somebody trusted, or at somebody who may not sign (errors 19, 20, 26, 79).
        let is_own_way = match openssl {
            true => go.why.contains("parent certificate cannot sign"),
            false => ["error 19 ", "error 20 ", "error 26 ", "error 79 "].iter().any(|error| openssl_says.contains(error)),
        };
        let apart = ours.is_some_and(|ours| ours != openssl);
        apart_count += usize::from(apart);
        if ours.is_some_and(|ours| ours != go.trusted) || apart && !is_own_way {
            different.push(format!("ours {ours:?} {why}; Go: {} {}; OpenSSL: {openssl} {openssl_says}", go.trusted, go.why));
        }
    }
    assert!(different.is_empty(), "{} of {}:\n{}", different.len(), cases.len(), different.join("\n"));
    assert!(apart_count < 10, "OpenSSL goes its own way in {apart_count}");
    assert!(led > 30 && refused > 30 && open < 25, "{led} lead to the bundle, {refused} do not, {open} are open");
}

#[test]
fn what_signed_is_told_for_every_algorithm_and_what_is_not_verified_is_open() {
    let openssl = OpenSsl::new();
    let time = soon();
    let pss: &[&str] = &["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"];
    for (kind, how, pss, expected) in [
        ("RSA 1024", "-sha256", &[][..], Some(true)),
        ("RSA 1024", "-sha384", &[], None),
        ("RSA 1024", "-sha512", &[], Some(true)),
        ("RSA 2048", "-sha256", &[], Some(true)),
        ("RSA 2048", "-sha384", &[], Some(true)),
        ("RSA 2048", "-sha512", &[], Some(true)),
        ("RSA 2048", "-sha224", &[], None),
        ("RSA 2048", "-sha256", pss, Some(true)),
        ("RSA 2048", "-sha384", pss, Some(true)),
        ("RSA 2048", "-sha512", pss, Some(true)),
        ("RSA 2048", "-sha256", &["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:20"], None),
        ("RSA 4096", "-sha256", &[], Some(true)),
        ("EC P-256", "-sha256", &[], Some(true)),
        ("EC P-256", "-sha384", &[], Some(true)),
        ("EC P-256", "-sha512", &[], None),
        ("EC P-384", "-sha256", &[], Some(true)),
        ("EC P-384", "-sha384", &[], Some(true)),
        ("EC P-521", "-sha512", &[], None),
        ("EC secp256k1", "-sha256", &[], None),
        ("ED25519", "", &[], Some(true)),
        ("ED448", "", &[], None),
    ] {
        let how: Vec<&str> = [how].into_iter().filter(|how| !how.is_empty()).chain(pss.iter().copied()).collect();
        let root = openssl.certificate("root", &openssl.key(kind, 0), "good", "30", None, &how);
        let leaf = openssl.certificate("guard", &openssl.key("EC P-256", 0), "plain", "30", Some(&root), &how);
        let twin = openssl.certificate("root", &openssl.key(kind, 1), "good", "30", None, &how);
        let told = |trusted: &Made| ours(std::slice::from_ref(&leaf), std::slice::from_ref(trusted), time);
        assert_eq!(told(&root).0, expected, "{kind} {how:?}: {}", told(&root).1);
        let (refused, why) = told(&twin);
        assert_eq!(refused, expected.map(|_| false), "{kind} {how:?} by another key: {why}");
        assert!(expected.is_none() || why.contains("ca-bundle-other-key"), "{kind} {how:?}: {why}");
        assert!(expected.is_some() || why.contains("unsupported"), "{kind} {how:?}: {why}");
    }
    // A key of another kind cannot have signed.
    let root = openssl.certificate("root", &openssl.key("ED448", 0), "good", "30", None, &[]);
    let leaf = openssl.certificate(
        "guard",
        &openssl.key("EC P-256", 0),
        "plain",
        "30",
        Some(&openssl.certificate("root", &openssl.key("ED25519", 0), "good", "30", None, &[])),
        &[],
    );
    assert_eq!(ours(&[leaf], &[root], time).0, Some(false));
}

/// The ids of everything that is wrong.
fn wrong(text: &str, time: Timestamp) -> Vec<&'static str> {
    let mut found: Vec<&str> = Certificates::take(&at(text, &time.to_string())).judgements().map(|judgement| judgement.fault.id).collect();
    found.sort_unstable();
    found
}

#[test]
fn what_an_ingress_shows_is_verified_link_by_link() {
    let openssl = OpenSsl::new();
    let time = soon();
    let key = |number| openssl.key("EC P-256", number);
    let make = |name: &str, number, section: &str, signer: Option<&Made>| {
        openssl.certificate(name, &key(number), section, if section == "plain" { "200" } else { "300" }, signer, &["-sha256"])
    };
    let root = make("root", 0, "good", None);
    let (middle, twin) = (make("middle", 1, "good", Some(&root)), make("middle", 2, "good", Some(&root)));
    let (short, no) = (make("short", 3, "short", Some(&root)), make("no", 4, "no", Some(&root)));
    let leaf = |signer: &Made, section| make("shop", 5, section, Some(signer));
    let judged = |shown: &[&Made]| {
        let shown: Vec<Made> = shown.iter().map(|&made| made.clone()).collect();
        let key = std::fs::read_to_string(&shown[0].key).unwrap();
        wrong(&(secret("web", &text(&shown), &key) + &ingress("web", "web", HOST)), time)
    };
    let good = leaf(&middle, "plain");
    assert_eq!(judged(&[&good, &middle, &root]), Vec::<&str>::new());
    // The issuer was made anew under its old name.
    assert_eq!(judged(&[&good, &twin, &root]), ["chain-signature-wrong"]);
    assert_eq!(judged(&[&good, &twin, &middle, &root]), ["chain-out-of-order"]);
    assert_eq!(judged(&[&leaf(&no, "plain"), &no, &root]), ["authority-may-not-sign"]);
    let below = make("below", 6, "good", Some(&short));
    assert_eq!(judged(&[&leaf(&below, "plain"), &below, &short, &root]), ["authority-path-too-long"]);
    assert_eq!(judged(&[&leaf(&short, "plain"), &short, &root]), Vec::<&str>::new());
    let outside = make("outside", 7, "outside", Some(&root));
    assert_eq!(judged(&[&leaf(&outside, "plain"), &outside]), ["authority-forbids-name"]);
    // Whoever has the name of his issuer did not therefore sign himself.
    let alike = make("root", 5, "plain", Some(&root));
    assert_eq!(judged(&[&alike, &root]), Vec::<&str>::new());
    assert_eq!(judged(&[&make("root", 5, "plain", None)]), ["certificate-self-signed"]);
    // One byte of a signature, and of what is signed.
    for at in [good.text.len() / 2, good.text.len() - 60] {
        let mut changed = good.clone();
        let letter = if changed.text.as_bytes()[at] == b'A' { "B" } else { "A" };
        changed.text.replace_range(at..=at, letter);
        let found = judged(&[&changed, &middle, &root]);
        assert!(
            found.iter().any(|id| ["chain-signature-wrong", "chain-broken", "key-mismatch", "secret-incomplete", "certificate-unsupported-curve"].contains(id))
                || found.contains(&"chain-out-of-order"),
            "at {at}: {found:?}"
        );
    }
    // The authority that lies beside.
    let beside = |authority: &Made| {
        let key = std::fs::read_to_string(&good.key).unwrap();
        let with = secret("web", &text(&[good.clone(), middle.clone()]), &key) + &format!("  ca.crt: |\n{}", indented(&authority.text));
        wrong(&(with + &ingress("web", "web", HOST)), time)
    };
    assert_eq!(beside(&root), Vec::<&str>::new());
    assert_eq!(beside(&make("root", 8, "good", None)), ["authority-beside-did-not-sign"]);
    assert_eq!(beside(&make("clients", 8, "good", None)), Vec::<&str>::new());
}

#[test]
fn rings_crowds_and_giants_end_soon() {
    let openssl = OpenSsl::new();
    let time = soon();
    let key = |number| openssl.key("EC P-256", number);
    let root = |name: &str, number| openssl.certificate(name, &key(number), "good", "300", None, &["-sha256"]);
    let by = |name: &str, number, signer: &Made| openssl.certificate(name, &key(number), "good", "300", Some(signer), &["-sha256"]);
    // Two authorities that signed each other, and nobody above.
    let (one, two) = (root("one", 0), root("two", 1));
    let (one_by_two, two_by_one) = (by("one", 0, &two), by("two", 1, &one));
    let leaf = openssl.certificate("guard", &key(5), "plain", "300", Some(&one), &["-sha256"]);
    let shown = [leaf.clone(), one_by_two.clone(), two_by_one.clone()];
    assert_eq!(ours(&shown, &[root("elsewhere", 2)], time).0, Some(false));
    assert_eq!(ours(&shown, &[two], time).0, Some(true));
    // A crowd of one name, none of which signed; of five hundred not all are tried.
    let crowd: Vec<Made> = (0..9).map(|number| by("one", 10 + number, &one)).collect();
    let shown = |times: usize| [leaf.clone()].into_iter().chain(std::iter::repeat_n(&crowd, times).flatten().cloned()).collect::<Vec<_>>();
    assert_eq!(ours(&shown(1), &[root("elsewhere", 2)], time).0, Some(false));
    assert_eq!(ours(&shown(55), &[root("elsewhere", 2)], time).0, None);
    // Ten thousand certificates of one name.
    let started = Instant::now();
    let file = std::fs::read_to_string(&leaf.key).unwrap();
    let mut world = String::new();
    for number in 0..10_000 {
        let made = if number % 2 == 0 { &crowd[number % 9] } else { &leaf };
        let name = format!("web-{number}");
        world += &secret(&name, &made.text, &file);
        world += &ingress(&name, &name, HOST);
    }
    let found = Certificates::take(&at(&world, &time.to_string()));
    assert_eq!(found.holdings.len(), 10_000);
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
    // Each of these signed all others: more ways than are tried.
    let clique: Vec<Made> = (0..12).map(|_| by("one", 0, &one)).collect();
    assert_eq!(ours(&[std::slice::from_ref(&leaf), clique.as_slice()].concat(), &[root("elsewhere", 2)], time).0, None);
    // A key of 16,384 bits is not verified with.
    let giant = Authority::new("giant").unwrap();
    let below = giant.sign(&Draft::new("guard", &[]).for_servers().hosts(&[HOST]).sha1()).unwrap();
    let huge = Authority::new("nobody").unwrap().sign(&Draft::new("giant", &[]).authority().rsa(16_384)).unwrap();
    let world = webhook(&huge.certificate) + &secret("guard", &below.certificate, &below.key);
    let taken = Certificates::take(&at(&world, &time.to_string()));
    assert!(taken.unseen.iter().any(|unseen| unseen.reason == "unsupported-key"), "{:?}", taken.unseen);
    // Cut PEM.
    let whole = webhook(&text(&[one])) + &secret("guard", &text(&[leaf]), &file);
    for cut in (0..whole.len()).step_by(211) {
        let _taken = Certificates::take(&crate::world::snapshot(&whole[..cut]));
    }
}
