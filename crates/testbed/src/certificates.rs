//! A certificate authority for one test: P-256 keys, X.509 certificates of servers and of users with any number of groups.
//!
//! The encoding is written here because the usual crates keep one value per attribute of a subject, and Kubernetes reads
//! every group from an `O` of its own. It never reads a certificate and has no place outside tests.

use std::net::Ipv4Addr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};

use crate::error::{Error, Result};

/// A certificate and its private key, both PEM.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate, PEM.
    pub certificate: String,
    /// The private key, PKCS #8 in PEM.
    pub key: String,
    /// The public key alone, PEM.
    pub public_key: String,
}

/// A certificate authority that lives as long as one control plane.
#[derive(Debug)]
pub struct Authority {
    name: Vec<u8>,
    keys: Keys,
    identity: Identity,
}

/// What a certificate is for.
enum Purpose<'a> {
    Authority,
    Server { names: &'a [&'a str], addresses: &'a [Ipv4Addr] },
    Client,
}

/// From when until when a certificate is valid: two values of ASN.1's UTC time.
type Validity = [&'static str; 2];

/// Valid since before any test and until after all of them.
const VALID: Validity = ["200101000000Z", "491231235959Z"];

/// Over before any test.
const EXPIRED: Validity = ["200101000000Z", "200102000000Z"];

const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const ORGANIZATION: &[u8] = &[0x55, 0x04, 0x0a];
/// `1.3.6.1.4.1.57683.2`, which Kubernetes reads as the identifier of a user.
const USER_ID: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x83, 0xc2, 0x53, 0x02];
const RSA_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const SHA1_WITH_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];
const SERVER_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];
const CLIENT_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02];
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const ECDSA_WITH_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];

impl Authority {
    /// A new authority with its own key.
    pub fn new(common_name: &str) -> Result<Self> {
        let keys = Keys::generate(common_name)?;
        let name = distinguished_name(common_name, &[]);
        let certificate = certificate(common_name, &name, &name, &keys, &keys, &Purpose::Authority, VALID)?;
        let identity = keys.identity(&certificate);
        Ok(Self { name, keys, identity })
    }

    /// The authority's own certificate and key.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// An authority whose certificate this one signs.
    pub fn subordinate(&self, common_name: &str) -> Result<Self> {
        let keys = Keys::generate(common_name)?;
        let name = distinguished_name(common_name, &[]);
        let certificate = certificate(common_name, &name, &self.name, &keys, &self.keys, &Purpose::Authority, VALID)?;
        let identity = keys.identity(&certificate);
        Ok(Self { name, keys, identity })
    }

    /// A serving certificate for these names and addresses.
    pub fn server(&self, common_name: &str, names: &[&str], addresses: &[Ipv4Addr]) -> Result<Identity> {
        self.issue(common_name, &[], &Purpose::Server { names, addresses }, VALID)
    }

    /// A serving certificate like that of [`Authority::server`], years past its end.
    pub fn expired_server(&self, common_name: &str, names: &[&str], addresses: &[Ipv4Addr]) -> Result<Identity> {
        self.issue(common_name, &[], &Purpose::Server { names, addresses }, EXPIRED)
    }

    /// A client certificate: the common name is the user, every organization is a group.
    pub fn client(&self, user: &str, groups: &[&str]) -> Result<Identity> {
        self.issue(user, groups, &Purpose::Client, VALID)
    }

    /// A client certificate like that of [`Authority::client`], years past its end.
    pub fn expired_client(&self, user: &str, groups: &[&str]) -> Result<Identity> {
        self.issue(user, groups, &Purpose::Client, EXPIRED)
    }

    /// The certificate that `draft` describes, signed by this authority.
    pub fn sign(&self, draft: &Draft) -> Result<Identity> {
        let keys = Keys::generate(&draft.user)?;
        let mut extensions = Vec::new();
        if draft.is_authority {
            extensions.push(extension(BASIC_CONSTRAINTS, true, &sequence(&[element(0x01, &[0xff])])));
        }
        if !draft.usages.is_empty() {
            let usages: Vec<Vec<u8>> = draft.usages.iter().map(|usage| object_id(usage)).collect();
            extensions.push(extension(EXTENDED_KEY_USAGE, false, &sequence(&usages)));
        }
        if !draft.hosts.is_empty() {
            let names: Vec<Vec<u8>> = draft.hosts.iter().map(|host| element(0x82, host.as_bytes())).collect();
            extensions.push(extension(ALTERNATIVE_NAMES, false, &sequence(&names)));
        }
        let algorithm = sequence(&[object_id(draft.signature)]);
        let to_be_signed = sequence(&[
            element(0xa0, &element(0x02, &[2])),
            element(0x02, &[0x41, 0x42, 0x43]),
            algorithm.clone(),
            self.name.clone(),
            sequence(&[element(0x17, draft.valid[0].as_bytes()), element(0x17, draft.valid[1].as_bytes())]),
            draft.subject(),
            draft.key_info(&keys),
            element(0xa3, &sequence(&extensions)),
        ]);
        let signature = self.keys.sign(&draft.user, &to_be_signed)?;
        Ok(keys.identity(&sequence(&[to_be_signed, algorithm, bit_string(&signature)])))
    }

    fn issue(&self, common_name: &str, groups: &[&str], purpose: &Purpose<'_>, validity: Validity) -> Result<Identity> {
        let keys = Keys::generate(common_name)?;
        let subject = distinguished_name(common_name, groups);
        let certificate = certificate(common_name, &subject, &self.name, &keys, &self.keys, purpose, validity)?;
        Ok(keys.identity(&certificate))
    }
}

/// A request for a client certificate that somebody else is to sign.
#[derive(Clone, Debug)]
pub struct CertificateRequest {
    /// The request, PEM.
    pub request: String,
    /// The private key, PKCS #8 in PEM.
    pub key: String,
}

impl CertificateRequest {
    /// A request with a new key: the common name is the user, every organization is a group.
    pub fn new(user: &str, groups: &[&str]) -> Result<Self> {
        let failed = |why| Error::Certificate { subject: user.to_owned(), why };
        let keys = Keys::generate(user)?;
        // Version 1, and no attributes.
        let to_be_signed = sequence(&[element(0x02, &[0]), distinguished_name(user, groups), keys.public_key_info(), element(0xa0, &[])]);
        let signature = keys.pair.sign(&SystemRandom::new(), &to_be_signed).map_err(|_| failed("it could not be signed"))?;
        let request = sequence(&[to_be_signed, sequence(&[object_id(ECDSA_WITH_SHA256)]), bit_string(signature.as_ref())]);
        Ok(Self { request: pem("CERTIFICATE REQUEST", &request), key: pem("PRIVATE KEY", &keys.pkcs8) })
    }

    /// The request as a field of bytes in an object.
    pub fn base64(&self) -> String {
        STANDARD.encode(&self.request)
    }

    /// The identity that this becomes once somebody signed it as `certificate` (PEM).
    pub fn signed(&self, certificate: &str) -> Identity {
        Identity { certificate: certificate.to_owned(), key: self.key.clone(), public_key: String::new() }
    }
}

/// A certificate that is put together piece by piece: for readers of certificates, which must cope with what no authority would sign.
#[derive(Clone, Debug)]
pub struct Draft {
    user: String,
    groups: Vec<String>,
    uid: Option<String>,
    valid: [String; 2],
    usages: Vec<&'static [u8]>,
    is_authority: bool,
    hosts: Vec<String>,
    /// The size of an RSA modulus that nobody has the private half of.
    rsa_bits: Option<usize>,
    signature: &'static [u8],
}

impl Draft {
    /// A client certificate of `user` in `groups`, valid as those of [`Authority::client`].
    pub fn new(user: &str, groups: &[&str]) -> Self {
        Self {
            user: user.to_owned(),
            groups: groups.iter().map(|&group| group.to_owned()).collect(),
            uid: None,
            valid: VALID.map(str::to_owned),
            usages: vec![CLIENT_AUTH],
            is_authority: false,
            hosts: Vec::new(),
            rsa_bits: None,
            signature: ECDSA_WITH_SHA256,
        }
    }

    /// Valid from and until these times, each a value of ASN.1's UTC time (`260101000000Z`).
    #[must_use]
    pub fn valid(mut self, from: &str, until: &str) -> Self {
        self.valid = [from.to_owned(), until.to_owned()];
        self
    }

    /// With the identifier of the user that Kubernetes reads.
    #[must_use]
    pub fn uid(mut self, uid: &str) -> Self {
        self.uid = Some(uid.to_owned());
        self
    }

    /// For these names of hosts.
    #[must_use]
    pub fn hosts(mut self, hosts: &[&str]) -> Self {
        self.hosts = hosts.iter().map(|&host| host.to_owned()).collect();
        self
    }

    /// For servers only.
    #[must_use]
    pub fn for_servers(mut self) -> Self {
        self.usages = vec![SERVER_AUTH];
        self
    }

    /// An authority.
    #[must_use]
    pub fn authority(mut self) -> Self {
        (self.is_authority, self.usages) = (true, Vec::new());
        self
    }

    /// Over an RSA key of this size, which is made up.
    #[must_use]
    pub fn rsa(mut self, bits: usize) -> Self {
        self.rsa_bits = Some(bits);
        self
    }

    /// Says that it is signed with SHA-1, which it is not.
    #[must_use]
    pub fn sha1(mut self) -> Self {
        self.signature = SHA1_WITH_RSA;
        self
    }

    fn subject(&self) -> Vec<u8> {
        let attribute = |id: &[u8], value: &str| element(0x31, &sequence(&[object_id(id), element(0x0c, value.as_bytes())]));
        let mut parts: Vec<Vec<u8>> = self.groups.iter().map(|group| attribute(ORGANIZATION, group)).collect();
        if !self.user.is_empty() {
            parts.push(attribute(COMMON_NAME, &self.user));
        }
        parts.extend(self.uid.as_deref().map(|uid| attribute(USER_ID, uid)));
        sequence(&parts)
    }

    fn key_info(&self, keys: &Keys) -> Vec<u8> {
        let Some(bits) = self.rsa_bits else { return keys.public_key_info() };
        // An odd number with its highest bit set.
        let mut modulus = vec![0xc5; bits / 8];
        modulus.insert(0, 0);
        let key = sequence(&[element(0x02, &modulus), element(0x02, &[1, 0, 1])]);
        sequence(&[sequence(&[object_id(RSA_KEY), element(0x05, &[])]), bit_string(&key)])
    }

    /// The certificate request for it, PEM.
    pub fn request(&self) -> Result<String> {
        let keys = Keys::generate(&self.user)?;
        let information = sequence(&[element(0x02, &[0]), self.subject(), self.key_info(&keys), element(0xa0, &[])]);
        let signed = keys.sign(&self.user, &information)?;
        Ok(pem("CERTIFICATE REQUEST", &sequence(&[information, sequence(&[object_id(self.signature)]), bit_string(&signed)])))
    }
}

/// A bearer token that nobody can guess, 32 hexadecimal digits.
pub(crate) fn random_token(subject: &str) -> Result<String> {
    let mut bytes = [0_u8; 16];
    let failed = |_| Error::Certificate { subject: subject.to_owned(), why: "no token could be drawn" };
    SystemRandom::new().fill(&mut bytes).map_err(failed)?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

struct Keys {
    pkcs8: Vec<u8>,
    pair: EcdsaKeyPair,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

impl Keys {
    fn generate(subject: &str) -> Result<Self> {
        let failed = |why| Error::Certificate { subject: subject.to_owned(), why };
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).map_err(|_| failed("no key could be drawn"))?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref(), &random).map_err(|_| failed("the drawn key is not accepted"))?;
        Ok(Self { pkcs8: pkcs8.as_ref().to_vec(), pair })
    }

    fn public_key_info(&self) -> Vec<u8> {
        let algorithm = sequence(&[object_id(EC_PUBLIC_KEY), object_id(P256)]);
        sequence(&[algorithm, bit_string(self.pair.public_key().as_ref())])
    }

    fn sign(&self, subject: &str, content: &[u8]) -> Result<Vec<u8>> {
        let signed = self.pair.sign(&SystemRandom::new(), content);
        Ok(signed.map_err(|_| Error::Certificate { subject: subject.to_owned(), why: "it could not be signed" })?.as_ref().to_vec())
    }

    fn identity(&self, certificate: &[u8]) -> Identity {
        Identity { certificate: pem("CERTIFICATE", certificate), key: pem("PRIVATE KEY", &self.pkcs8), public_key: pem("PUBLIC KEY", &self.public_key_info()) }
    }
}

fn certificate(common_name: &str, subject: &[u8], issuer: &[u8], holder: &Keys, signer: &Keys, purpose: &Purpose<'_>, validity: Validity) -> Result<Vec<u8>> {
    let failed = |why| Error::Certificate { subject: common_name.to_owned(), why };
    let random = SystemRandom::new();
    let mut serial = [0_u8; 16];
    random.fill(&mut serial).map_err(|_| failed("no serial number could be drawn"))?;
    // A leading byte in 64..128 keeps the number positive and free of leading zeros.
    serial[0] = (serial[0] & 0x3f) | 0x40;

    let algorithm = sequence(&[object_id(ECDSA_WITH_SHA256)]);
    let to_be_signed = sequence(&[
        element(0xa0, &element(0x02, &[2])),
        element(0x02, &serial),
        algorithm.clone(),
        issuer.to_vec(),
        sequence(&validity.map(|time| element(0x17, time.as_bytes()))),
        subject.to_vec(),
        holder.public_key_info(),
        element(0xa3, &sequence(&extensions(purpose))),
    ]);
    let signature = signer.pair.sign(&random, &to_be_signed).map_err(|_| failed("it could not be signed"))?;
    Ok(sequence(&[to_be_signed, algorithm, bit_string(signature.as_ref())]))
}

fn extensions(purpose: &Purpose<'_>) -> Vec<Vec<u8>> {
    // The first byte of a key usage counts the unused bits of the second.
    let digital_signature = [0x07, 0x80];
    let certificate_and_list_signing = [0x01, 0x86];
    match purpose {
        Purpose::Authority => vec![
            extension(BASIC_CONSTRAINTS, true, &sequence(&[element(0x01, &[0xff])])),
            extension(KEY_USAGE, true, &element(0x03, &certificate_and_list_signing)),
        ],
        Purpose::Server { names, addresses } => {
            let names = names.iter().map(|name| element(0x82, name.as_bytes()));
            let addresses = addresses.iter().map(|address| element(0x87, &address.octets()));
            vec![
                extension(KEY_USAGE, true, &element(0x03, &digital_signature)),
                extension(EXTENDED_KEY_USAGE, false, &sequence(&[object_id(SERVER_AUTH)])),
                extension(ALTERNATIVE_NAMES, false, &sequence(&names.chain(addresses).collect::<Vec<_>>())),
            ]
        }
        Purpose::Client => {
            vec![extension(KEY_USAGE, true, &element(0x03, &digital_signature)), extension(EXTENDED_KEY_USAGE, false, &sequence(&[object_id(CLIENT_AUTH)]))]
        }
    }
}

fn extension(id: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let mut parts = vec![object_id(id)];
    if critical {
        parts.push(element(0x01, &[0xff]));
    }
    parts.push(element(0x04, value));
    sequence(&parts)
}

fn distinguished_name(common_name: &str, organizations: &[&str]) -> Vec<u8> {
    let attribute = |id: &[u8], value: &str| element(0x31, &sequence(&[object_id(id), element(0x0c, value.as_bytes())]));
    let organizations = organizations.iter().map(|name| attribute(ORGANIZATION, name));
    sequence(&organizations.chain([attribute(COMMON_NAME, common_name)]).collect::<Vec<_>>())
}

fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    element(0x30, &parts.concat())
}

fn object_id(id: &[u8]) -> Vec<u8> {
    element(0x06, id)
}

fn bit_string(bits: &[u8]) -> Vec<u8> {
    element(0x03, &[&[0], bits].concat())
}

/// One DER element: tag, length in the shortest form, content.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let big_endian = content.len().to_be_bytes();
    let significant: Vec<u8> = big_endian.into_iter().skip_while(|byte| *byte == 0).collect();
    match significant.as_slice() {
        [] => out.push(0),
        [short] if *short < 0x80 => out.push(*short),
        long => {
            // A length has at most eight bytes, so the count fits beside the flag.
            out.push(0x80 | u8::try_from(long.len()).unwrap_or(8));
            out.extend_from_slice(long);
        }
    }
    out.extend_from_slice(content);
    out
}

fn pem(label: &str, der: &[u8]) -> String {
    let mut out = format!("-----BEGIN {label}-----\n");
    let mut rest = STANDARD.encode(der);
    while !rest.is_empty() {
        let tail = rest.split_off(rest.len().min(64));
        out.push_str(&rest);
        out.push('\n');
        rest = tail;
    }
    format!("{out}-----END {label}-----\n")
}
