//! Certificates and private keys in PEM: what they are, never what they hide.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::extensions::GeneralName;
use x509_parser::oid_registry::Oid;
use x509_parser::prelude::{FromDer, ParsedExtension, X509Certificate};
use x509_parser::public_key::PublicKey as Parsed;
use x509_parser::x509::{AttributeTypeAndValue, SubjectPublicKeyInfo, X509Name};

use crate::pem;

use super::octets::Octets;
use super::signature::{Authorization, Signature};
use super::{Content, hex, sha256};

/// The public facts of a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The subject, as `CN=app, O=shop`.
    pub subject: String,
    /// The common name: the user that an API server sees. Of several the last counts, as for the server.
    #[serde(default)]
    pub common_name: String,
    /// The organizations: the groups that an API server sees.
    #[serde(default)]
    pub organizations: Vec<String>,
    /// The identifier of the user that the subject carries for an API server.
    #[serde(default)]
    pub uid: Option<String>,
    /// The issuer.
    pub issuer: String,
    /// The serial number, in hexadecimal.
    pub serial: String,
    /// The alternative names: `DNS:shop.example`, `IP:10.0.0.1`, `URI:spiffe://…`, `email:…`.
    pub alternative_names: Vec<String>,
    /// The time from which it counts.
    pub not_before: Timestamp,
    /// The time until which it counts.
    pub not_after: Timestamp,
    /// The key that it certifies.
    pub key: PublicKey,
    /// How it is signed: `sha256WithRSAEncryption`, `ecdsa-with-SHA256`, or the identifier of an algorithm without a known name.
    pub signature: String,
    /// What the key may be used for: `server-auth`, `client-auth`, … or the identifier of a use without a known name; empty where nothing
    /// is said.
    pub usages: Vec<String>,
    /// Whether it may sign other certificates.
    pub is_authority: bool,
    /// The identifier of its key, in hexadecimal, where it states one.
    #[serde(default)]
    pub key_id: Option<String>,
    /// The identifier of the key that signed it, in hexadecimal, where it states one.
    #[serde(default)]
    pub issuer_key_id: Option<String>,
    /// Its signature; none in what was saved without it.
    #[serde(default)]
    pub proof: Option<Signature>,
    /// What its extensions let it sign.
    #[serde(default)]
    pub authorization: Authorization,
    /// SHA-256 of the certificate, in hexadecimal.
    pub sha256: String,
}

impl Certificate {
    /// Whether it says that it was signed with its own key.
    pub fn is_self_issued(&self) -> bool {
        self.subject == self.issuer && self.issuer_key_id.as_ref().zip(self.key_id.as_ref()).is_none_or(|(signer, own)| signer == own)
    }

    /// Whether it says that `authority` signed it: by name, and by the identifier of the key where both state one. Its signature
    /// ([`Certificate::proof`]) is not verified here.
    pub fn names_as_issuer(&self, authority: &Certificate) -> bool {
        self.issuer == authority.subject && self.issuer_key_id.as_ref().zip(authority.key_id.as_ref()).is_none_or(|(signer, key)| signer == key)
    }

    /// Whether its signature rests on a hash for which collisions can be made: MD2, MD5 or SHA-1.
    pub fn has_broken_hash(&self) -> bool {
        let signature = self.signature.to_ascii_lowercase();
        ["md2", "md5", "sha1"].iter().any(|hash| signature.contains(hash))
    }
}

impl PublicKey {
    /// Whether it is shorter than what public authorities may certify (RSA 2048, EC 256), or of a kind that nobody uses any more.
    pub fn is_short(&self) -> bool {
        match (self.kind.as_str(), self.bits) {
            ("RSA", Some(bits)) => bits < RSA_BITS_MIN,
            ("EC", Some(bits)) => bits < EC_BITS_MIN,
            ("DSA", _) => true,
            _ => false,
        }
    }
}

impl std::fmt::Display for PublicKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.bits {
            Some(bits) => write!(out, "{} {bits}", self.kind),
            None => out.write_str(&self.kind),
        }
    }
}

const RSA_BITS_MIN: u32 = 2048;
const EC_BITS_MIN: u32 = 256;

/// The public facts of a certificate request (PKCS #10).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateRequest {
    /// The subject, as `CN=app, O=shop`.
    pub subject: String,
    /// The common name: the user that an API server would see.
    pub common_name: String,
    /// The organizations: the groups that an API server would see.
    pub organizations: Vec<String>,
    /// The identifier of the user that the subject carries for an API server.
    pub uid: Option<String>,
    /// The alternative names that are asked for.
    pub alternative_names: Vec<String>,
    /// The key to be certified.
    pub key: PublicKey,
    /// How the request is signed.
    pub signature: String,
}

/// The public facts of a public key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKey {
    /// `RSA`, `EC`, `Ed25519`, …
    pub kind: String,
    /// Its size in bits, where the kind has sizes.
    pub bits: Option<u32>,
    /// The curve of an EC key: `P-256`, or its identifier if it has no common name.
    #[serde(default)]
    pub curve: Option<String>,
    /// The public exponent of an RSA key, where it has at most 64 bits.
    #[serde(default)]
    pub exponent: Option<u64>,
    /// The key itself, as its kind is written in a certificate; none in what was saved without it.
    #[serde(default)]
    pub encoded: Option<Octets>,
    /// SHA-256 of its `SubjectPublicKeyInfo`, in hexadecimal: equal for a certificate and the private key that belongs to it.
    pub sha256: String,
}

/// The public facts of a private key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrivateKey {
    /// `RSA`, `EC`, `Ed25519`, `ssh-rsa`, …; empty for a key that is encrypted as a whole.
    pub kind: String,
    /// Its size in bits, where it can be told.
    pub bits: Option<u32>,
    /// How it is written.
    pub format: KeyFormat,
    /// Whether a passphrase protects it.
    pub is_encrypted: bool,
    /// SHA-256 of the public half, in hexadecimal, where it can be had: as [`PublicKey::sha256`], or for SSH keys as `ssh-keygen`
    /// computes it.
    pub public_sha256: Option<String>,
}

/// How a private key is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyFormat {
    /// The traditional form of its kind: PKCS #1 or SEC 1.
    Traditional,
    /// PKCS #8.
    Pkcs8,
    /// OpenSSH.
    OpenSsh,
}

/// The certificates and keys of PEM text; `None` if there is neither.
pub(super) fn read(text: &str) -> Option<Content> {
    if !text.contains("-----BEGIN ") {
        return None;
    }
    let (mut certificates, mut keys) = (Vec::new(), Vec::new());
    for block in pem::blocks(text).0 {
        match block.label {
            "CERTIFICATE" | "TRUSTED CERTIFICATE" | "X509 CERTIFICATE" => certificates.extend(certificate(&block.content)),
            label => keys.extend(private_key(label, &block.content, block.is_encrypted)),
        }
    }
    (!certificates.is_empty() || !keys.is_empty()).then_some(Content::Pem { certificates, keys })
}

/// The private key in a PEM block called `label`; `None` if the label is not that of a private key.
pub(crate) fn private_key(label: &str, der: &[u8], is_encrypted: bool) -> Option<PrivateKey> {
    match label {
        "OPENSSH PRIVATE KEY" => ssh_key(der),
        "ENCRYPTED PRIVATE KEY" => Some(PrivateKey { kind: String::new(), bits: None, format: KeyFormat::Pkcs8, is_encrypted: true, public_sha256: None }),
        "PRIVATE KEY" => Some(pkcs8_key(der)),
        label => label.strip_suffix(" PRIVATE KEY").map(|kind| traditional_key(kind, der, is_encrypted)),
    }
}

/// The certificate that `der` holds.
pub(crate) fn certificate(der: &[u8]) -> Option<Certificate> {
    let (_, read) = X509Certificate::from_der(der).ok()?;
    let mut alternative_names = Vec::new();
    let mut usages = Vec::new();
    let (mut key_id, mut issuer_key_id) = (None, None);
    for extension in read.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::SubjectAlternativeName(names) => alternative_names.extend(names.general_names.iter().filter_map(alternative_name)),
            ParsedExtension::ExtendedKeyUsage(usage) => {
                let known = [
                    (usage.any, "any"),
                    (usage.server_auth, "server-auth"),
                    (usage.client_auth, "client-auth"),
                    (usage.code_signing, "code-signing"),
                    (usage.email_protection, "email-protection"),
                    (usage.time_stamping, "time-stamping"),
                    (usage.ocsp_signing, "ocsp-signing"),
                ];
                usages.extend(known.into_iter().filter(|&(is_set, _)| is_set).map(|(_, name)| name.to_owned()));
                usages.extend(usage.other.iter().map(Oid::to_id_string));
            }
            ParsedExtension::SubjectKeyIdentifier(id) => key_id = Some(hex(id.0)),
            ParsedExtension::AuthorityKeyIdentifier(id) => issuer_key_id = id.key_identifier.as_ref().map(|id| hex(id.0)),
            _ => {}
        }
    }
    let time = |time: x509_parser::time::ASN1Time| Timestamp::from_second(time.timestamp()).ok();
    let subject = Subject::of(read.subject());
    Some(Certificate {
        subject: read.subject().to_string(),
        common_name: subject.common_name,
        organizations: subject.organizations,
        uid: subject.uid,
        issuer: read.issuer().to_string(),
        serial: hex(read.raw_serial()),
        alternative_names,
        not_before: time(read.validity().not_before)?,
        not_after: time(read.validity().not_after)?,
        key: public_key(read.public_key()),
        signature: algorithm_name(&read.signature_algorithm.algorithm),
        usages,
        is_authority: read.is_ca(),
        key_id,
        issuer_key_id,
        proof: Some(Signature::of(&read)),
        authorization: Authorization::of(&read),
        sha256: sha256(der),
    })
}

/// The certificate request that `der` holds. Its signature is not verified.
pub(crate) fn certificate_request(der: &[u8]) -> Option<CertificateRequest> {
    let (_, read) = X509CertificationRequest::from_der(der).ok()?;
    let info = &read.certification_request_info;
    let mut alternative_names = Vec::new();
    for extension in read.requested_extensions().into_iter().flatten() {
        if let ParsedExtension::SubjectAlternativeName(names) = extension {
            alternative_names.extend(names.general_names.iter().filter_map(alternative_name));
        }
    }
    let subject = Subject::of(&info.subject);
    Some(CertificateRequest {
        subject: info.subject.to_string(),
        common_name: subject.common_name,
        organizations: subject.organizations,
        uid: subject.uid,
        alternative_names,
        key: public_key(&info.subject_pki),
        signature: algorithm_name(&read.signature_algorithm.algorithm),
    })
}

/// What an API server takes from the subject of a certificate.
#[derive(Default)]
struct Subject {
    common_name: String,
    organizations: Vec<String>,
    uid: Option<String>,
}

impl Subject {
    fn of(name: &X509Name<'_>) -> Self {
        let mut subject = Self::default();
        for attribute in name.iter_attributes() {
            let Some(text) = attribute_text(attribute) else { continue };
            match attribute.attr_type().as_bytes() {
                COMMON_NAME => subject.common_name = text,
                ORGANIZATION => subject.organizations.push(text),
                USER_ID => subject.uid = Some(text),
                _ => {}
            }
        }
        subject
    }
}

const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const ORGANIZATION: &[u8] = &[0x55, 0x04, 0x0a];
/// `1.3.6.1.4.1.57683.2`, the identifier of a user in certificates for an API server.
const USER_ID: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x83, 0xc2, 0x53, 0x02];

/// The text of an attribute, in the encodings that Go reads as strings.
fn attribute_text(attribute: &AttributeTypeAndValue<'_>) -> Option<String> {
    const WIDE: u32 = 30;
    const TELETEX: u32 = 20;
    let value = attribute.attr_value();
    match value.header.tag().0 {
        WIDE => {
            let (units, rest) = value.data.as_chunks::<2>();
            let letters = char::decode_utf16(units.iter().map(|&unit| u16::from_be_bytes(unit)));
            rest.is_empty().then(|| letters.map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
        }
        TELETEX => Some(String::from_utf8_lossy(value.data).into_owned()),
        _ => attribute.as_str().ok().map(str::to_owned),
    }
}

pub(super) fn alternative_name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(format!("DNS:{name}")),
        GeneralName::RFC822Name(name) => Some(format!("email:{name}")),
        GeneralName::URI(name) => Some(format!("URI:{name}")),
        GeneralName::IPAddress(bytes) => {
            let address = <[u8; 4]>::try_from(*bytes).map(std::net::IpAddr::from).or_else(|_| <[u8; 16]>::try_from(*bytes).map(std::net::IpAddr::from));
            address.ok().map(|address| format!("IP:{address}"))
        }
        _ => None,
    }
}

fn algorithm_name(oid: &Oid<'_>) -> String {
    x509_parser::objects::oid2sn(oid, x509_parser::objects::oid_registry()).map_or_else(|_| oid.to_id_string(), str::to_owned)
}

fn public_key(info: &SubjectPublicKeyInfo<'_>) -> PublicKey {
    let (kind, bits) = match info.parsed() {
        Ok(Parsed::RSA(key)) => ("RSA".to_owned(), Some(bit_length(key.modulus))),
        Ok(Parsed::EC(_)) => ("EC".to_owned(), info.algorithm.parameters.as_ref().and_then(|curve| curve_bits(curve.data))),
        Ok(Parsed::DSA(_)) => ("DSA".to_owned(), None),
        _ => (kind_of_algorithm(info.algorithm.algorithm.as_bytes()).map_or_else(|| algorithm_name(&info.algorithm.algorithm), str::to_owned), None),
    };
    let curve = matches!(info.parsed(), Ok(Parsed::EC(_))).then_some(info.algorithm.parameters.as_ref()).flatten().and_then(|curve| {
        let named = curve_name(curve.data).map(str::to_owned);
        named.or_else(|| curve.as_oid().ok().map(|oid| oid.to_id_string()))
    });
    let exponent = match info.parsed() {
        Ok(Parsed::RSA(key)) => key.try_exponent().ok(),
        _ => None,
    };
    PublicKey { kind, bits, curve, exponent, encoded: Some(info.subject_public_key.data.as_ref().into()), sha256: sha256(info.raw) }
}

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];

/// The kind of key that an object identifier (its encoded content) stands for.
fn kind_of_algorithm(oid: &[u8]) -> Option<&'static str> {
    match oid {
        RSA => Some("RSA"),
        EC => Some("EC"),
        [0x2b, 0x65, 0x6e] => Some("X25519"),
        [0x2b, 0x65, 0x70] => Some("Ed25519"),
        [0x2b, 0x65, 0x71] => Some("Ed448"),
        _ => None,
    }
}

/// The size of the named curve with this object identifier.
fn curve_bits(oid: &[u8]) -> Option<u32> {
    match oid {
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07] | [0x2b, 0x81, 0x04, 0x00, 0x0a] => Some(256),
        [0x2b, 0x81, 0x04, 0x00, 0x21] => Some(224),
        [0x2b, 0x81, 0x04, 0x00, 0x22] => Some(384),
        [0x2b, 0x81, 0x04, 0x00, 0x23] => Some(521),
        _ => None,
    }
}

/// What people call the named curve with this object identifier.
fn curve_name(oid: &[u8]) -> Option<&'static str> {
    match oid {
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07] => Some("P-256"),
        [0x2b, 0x81, 0x04, 0x00, 0x0a] => Some("secp256k1"),
        [0x2b, 0x81, 0x04, 0x00, 0x21] => Some("P-224"),
        [0x2b, 0x81, 0x04, 0x00, 0x22] => Some("P-384"),
        [0x2b, 0x81, 0x04, 0x00, 0x23] => Some("P-521"),
        _ => None,
    }
}

fn pkcs8_key(der: &[u8]) -> PrivateKey {
    let unknown = PrivateKey { kind: "unknown".to_owned(), bits: None, format: KeyFormat::Pkcs8, is_encrypted: false, public_sha256: None };
    let read = || {
        let mut outer = Der(Der(der).take(SEQUENCE)?);
        outer.take(INTEGER)?;
        let mut algorithm = Der(outer.take(SEQUENCE)?);
        let oid = algorithm.take(OBJECT)?;
        Some((oid, algorithm.take(OBJECT), outer.take(OCTETS)?))
    };
    match read() {
        Some((RSA, _, inner)) => PrivateKey { format: KeyFormat::Pkcs8, ..rsa_key(inner) },
        Some((EC, curve, inner)) => PrivateKey { format: KeyFormat::Pkcs8, ..ec_key(inner, curve) },
        Some((oid, _, _)) => PrivateKey { kind: kind_of_algorithm(oid).unwrap_or("unknown").to_owned(), ..unknown },
        None => unknown,
    }
}

fn traditional_key(kind: &str, der: &[u8], is_encrypted: bool) -> PrivateKey {
    match kind {
        _ if is_encrypted => PrivateKey { kind: kind.to_owned(), bits: None, format: KeyFormat::Traditional, is_encrypted, public_sha256: None },
        "RSA" => rsa_key(der),
        "EC" => ec_key(der, None),
        _ => PrivateKey { kind: kind.to_owned(), bits: None, format: KeyFormat::Traditional, is_encrypted, public_sha256: None },
    }
}

fn rsa_key(der: &[u8]) -> PrivateKey {
    let read = || {
        let mut fields = Der(Der(der).take(SEQUENCE)?);
        fields.take(INTEGER)?;
        Some((fields.take(INTEGER)?, fields.take(INTEGER)?))
    };
    let public = read().map(|(modulus, exponent)| {
        let key = write(SEQUENCE, &[&write(INTEGER, &[modulus]), &write(INTEGER, &[exponent])]);
        let algorithm = write(SEQUENCE, &[&write(OBJECT, &[RSA]), &[0x05, 0x00]]);
        (bit_length(modulus), write(SEQUENCE, &[&algorithm, &write(BITS, &[&[0], &key])]))
    });
    let (bits, info) = public.unzip();
    PrivateKey { kind: "RSA".to_owned(), bits, format: KeyFormat::Traditional, is_encrypted: false, public_sha256: info.map(|info| sha256(&info)) }
}

/// An EC key; in PKCS #8 its curve stands outside.
fn ec_key(der: &[u8], outer_curve: Option<&[u8]>) -> PrivateKey {
    let read = || {
        let mut fields = Der(Der(der).take(SEQUENCE)?);
        fields.take(INTEGER)?;
        fields.take(OCTETS)?;
        let curve = fields.take(0xa0).and_then(|curve| Der(curve).take(OBJECT));
        Some((curve, fields.take(0xa1).and_then(|point| Der(point).take(BITS))))
    };
    let (curve, point) = read().unwrap_or_default();
    let curve = outer_curve.or(curve);
    let info = curve.zip(point).map(|(curve, point)| {
        let algorithm = write(SEQUENCE, &[&write(OBJECT, &[EC]), &write(OBJECT, &[curve])]);
        write(SEQUENCE, &[&algorithm, &write(BITS, &[point])])
    });
    PrivateKey {
        kind: "EC".to_owned(),
        bits: curve.and_then(curve_bits),
        format: KeyFormat::Traditional,
        is_encrypted: false,
        public_sha256: info.map(|info| sha256(&info)),
    }
}

/// A key as OpenSSH writes it: the public half stands in clear before the private one.
fn ssh_key(bytes: &[u8]) -> Option<PrivateKey> {
    let mut rest = bytes.strip_prefix(b"openssh-key-v1\0")?;
    let cipher = ssh_string(&mut rest)?;
    ssh_string(&mut rest)?;
    ssh_string(&mut rest)?;
    rest = rest.get(4..)?;
    let public = ssh_string(&mut rest)?;
    let mut inside = public;
    let kind = std::str::from_utf8(ssh_string(&mut inside)?).ok()?.to_owned();
    let bits = match kind.as_str() {
        "ssh-rsa" => ssh_string(&mut inside).and_then(|_| ssh_string(&mut inside)).map(bit_length),
        "ecdsa-sha2-nistp256" => Some(256),
        "ecdsa-sha2-nistp384" => Some(384),
        "ecdsa-sha2-nistp521" => Some(521),
        _ => None,
    };
    Some(PrivateKey { kind, bits, format: KeyFormat::OpenSsh, is_encrypted: cipher != b"none", public_sha256: Some(sha256(public)) })
}

fn ssh_string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    let (found, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    *rest = after;
    Some(found)
}

/// The length of an unsigned number without its leading zeros.
fn bit_length(number: &[u8]) -> u32 {
    let significant = number.iter().skip_while(|&&byte| byte == 0);
    let first = significant.clone().next().map_or(8, |byte| byte.leading_zeros());
    u32::try_from(significant.count() * 8).unwrap_or(u32::MAX).saturating_sub(first)
}

const INTEGER: u8 = 0x02;
const BITS: u8 = 0x03;
const OCTETS: u8 = 0x04;
const OBJECT: u8 = 0x06;
const SEQUENCE: u8 = 0x30;

/// The rest of a run of DER elements.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The content of the next element if it has this tag; otherwise nothing is taken.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (&[found, first], rest) = self.0.split_first_chunk::<2>()?;
        if found != tag {
            return None;
        }
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x84 => {
                let (digits, rest) = rest.split_at_checked(usize::from(first - 0x80))?;
                (digits.iter().fold(0usize, |length, &digit| length << 8 | usize::from(digit)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(content)
    }
}

/// One DER element.
fn write(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut element = vec![tag];
    if let Ok(short @ 0..=0x7f) = u8::try_from(length) {
        element.push(short);
    } else {
        let digits: Vec<u8> = length.to_be_bytes().into_iter().skip_while(|&digit| digit == 0).collect();
        element.push(0x80 | u8::try_from(digits.len()).unwrap_or(0));
        element.extend(digits);
    }
    for part in parts {
        element.extend_from_slice(part);
    }
    element
}
