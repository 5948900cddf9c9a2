//! What a certificate's signature is made of, and what its extensions let it sign: enough to verify it elsewhere. Nothing is verified here.

use serde::{Deserialize, Serialize};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, GeneralSubtree};
use x509_parser::prelude::ParsedExtension;
use x509_parser::signature_algorithm::RsaSsaPssParams;
use x509_parser::x509::AlgorithmIdentifier;

use super::credential::alternative_name;
use super::octets::Octets;

/// A signature with what it was made over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// How it was made.
    pub algorithm: SignatureAlgorithm,
    /// What was signed.
    pub content: Octets,
    /// The signature.
    pub value: Octets,
}

/// How a signature was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", content = "hash", rename_all = "kebab-case")]
pub enum SignatureAlgorithm {
    /// RSA, PKCS #1 version 1.5.
    Rsa(Hash),
    /// RSA-PSS over one hash, with a salt of its length.
    RsaPss(Hash),
    /// ECDSA.
    Ecdsa(Hash),
    /// Ed25519.
    Ed25519,
    /// Any other way, or one that is named twice and differently.
    Other,
}

/// The hash that was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hash {
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// What the extensions of a certificate let its key sign.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Authorization {
    /// Whether it says at all whether it is an authority; certificates of version 1 and 2 cannot.
    pub is_stated: bool,
    /// The version of its form, 1 to 3; 0 where that was not kept.
    pub version: u32,
    /// How many authorities may stand between it and a certificate that is none, where it limits that.
    pub path_length: Option<u32>,
    /// Whether its key may sign certificates; none where its uses are not said.
    pub signs_certificates: Option<bool>,
    /// The names that may be certified below it, as in [`super::Certificate::alternative_names`]: `DNS:shop.example`, `IP:10.0.0.0/8`; of each
    /// kind that is not listed, all.
    pub permitted: Vec<String>,
    /// The names that may not.
    pub excluded: Vec<String>,
    /// Critical extensions that are not known here, by their identifiers: whoever does not know them either must refuse it.
    pub unknown_critical: Vec<String>,
}

impl Authorization {
    pub(super) fn of(certificate: &X509Certificate<'_>) -> Self {
        let mut found = Self { version: certificate.version().0.saturating_add(1), ..Self::default() };
        for extension in certificate.extensions() {
            match extension.parsed_extension() {
                ParsedExtension::BasicConstraints(constraints) => {
                    found.is_stated = true;
                    found.path_length = constraints.path_len_constraint.filter(|_| constraints.ca);
                }
                ParsedExtension::KeyUsage(usage) => found.signs_certificates = Some(usage.key_cert_sign()),
                ParsedExtension::NameConstraints(constraints) => {
                    found.permitted.extend(constraints.permitted_subtrees.iter().flatten().map(subtree));
                    found.excluded.extend(constraints.excluded_subtrees.iter().flatten().map(subtree));
                }
                ParsedExtension::UnsupportedExtension { .. } | ParsedExtension::ParseError { .. } | ParsedExtension::Unparsed if extension.critical => {
                    found.unknown_critical.push(extension.oid.to_id_string());
                }
                _ => {}
            }
        }
        found
    }
}

/// A part of the names that there are. What is neither names of hosts, addresses, `URI:` nor `email:` is `other`.
fn subtree(subtree: &GeneralSubtree<'_>) -> String {
    let range = |address: std::net::IpAddr, mask: u128, bits: u32| {
        // An address that is as wide as its type, whose mask stands at the left end of 128 bits.
        let ones = mask.leading_ones();
        (mask.checked_shl(ones).unwrap_or(0) == 0 && ones <= bits).then(|| format!("IP:{address}/{ones}"))
    };
    let other = || "other".to_owned();
    match &subtree.base {
        GeneralName::IPAddress(bytes) => {
            let four = || {
                let (address, mask) = bytes.split_first_chunk::<4>()?;
                range((*address).into(), u128::from(u32::from_be_bytes(<[u8; 4]>::try_from(mask).ok()?)) << 96, 32)
            };
            let sixteen = || {
                let (address, mask) = bytes.split_first_chunk::<16>()?;
                range((*address).into(), u128::from_be_bytes(<[u8; 16]>::try_from(mask).ok()?), 128)
            };
            four().or_else(sixteen).unwrap_or_else(other)
        }
        name => alternative_name(name).unwrap_or_else(other),
    }
}

impl Signature {
    pub(super) fn of(certificate: &X509Certificate<'_>) -> Self {
        let outer = &certificate.signature_algorithm;
        let is_one = *outer == certificate.tbs_certificate.signature;
        Self {
            algorithm: if is_one { SignatureAlgorithm::of(outer) } else { SignatureAlgorithm::Other },
            content: certificate.tbs_certificate.as_ref().into(),
            value: certificate.signature_value.data.as_ref().into(),
        }
    }
}

impl SignatureAlgorithm {
    fn of(algorithm: &AlgorithmIdentifier<'_>) -> Self {
        match algorithm.algorithm.as_bytes() {
            [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, kind] => match kind {
                0x05 => Self::Rsa(Hash::Sha1),
                0x0a => {
                    algorithm.parameters.as_ref().and_then(|parameters| pss(&RsaSsaPssParams::try_from(parameters).ok()?)).map_or(Self::Other, Self::RsaPss)
                }
                0x0b => Self::Rsa(Hash::Sha256),
                0x0c => Self::Rsa(Hash::Sha384),
                0x0d => Self::Rsa(Hash::Sha512),
                _ => Self::Other,
            },
            [0x2b, 0x0e, 0x03, 0x02, 0x1d] => Self::Rsa(Hash::Sha1),
            [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01] => Self::Ecdsa(Hash::Sha1),
            [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, kind] => match kind {
                0x02 => Self::Ecdsa(Hash::Sha256),
                0x03 => Self::Ecdsa(Hash::Sha384),
                0x04 => Self::Ecdsa(Hash::Sha512),
                _ => Self::Other,
            },
            [0x2b, 0x65, 0x70] => Self::Ed25519,
            _ => Self::Other,
        }
    }
}

/// The hash of RSA-PSS where both of its hashes are the same and the salt is as long as they are.
fn pss(parameters: &RsaSsaPssParams<'_>) -> Option<Hash> {
    const MGF1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08];
    let (hash, length) = hash(parameters.hash_algorithm_oid().as_bytes())?;
    let mask = parameters.mask_gen_algorithm().ok()?;
    let is_usual = mask.mgf.as_bytes() == MGF1
        && mask.hash.as_bytes() == parameters.hash_algorithm_oid().as_bytes()
        && parameters.salt_length() == length
        && parameters.trailer_field() == 1;
    is_usual.then_some(hash)
}

/// The hash that an identifier stands for, and its length in bytes.
fn hash(identifier: &[u8]) -> Option<(Hash, u32)> {
    let [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, kind] = identifier else { return None };
    match kind {
        0x01 => Some((Hash::Sha256, 32)),
        0x02 => Some((Hash::Sha384, 48)),
        0x03 => Some((Hash::Sha512, 64)),
        _ => None,
    }
}
