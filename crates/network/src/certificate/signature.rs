//! Whether a certificate was signed with a key: RSA, ECDSA over P-256 and P-384, Ed25519. What cannot be verified here is neither proven
//! nor refuted.
//!
//! Start at [`Verifier`], which verifies each signature under each key once, and no more of them than it was allowed.

use std::collections::{BTreeMap, BTreeSet};

use bartizan_cluster::secret::{Certificate, Hash, PublicKey, SignatureAlgorithm};
use ring::signature as by;

/// What is known of a signature under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Proof {
    /// The key made it.
    Verified,
    /// The key did not.
    Refuted,
    /// That could not be told.
    Open(Obstacle),
}

/// Why something could not be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Obstacle {
    /// The signature was not kept, in what was saved without it.
    NotKept,
    /// It was made in a way that is not verified here.
    Algorithm,
    /// The key is of a kind or size that is not verified with here.
    Key,
    /// It has a critical extension that is not known here.
    Extension,
    /// It limits names of a kind that is not compared here.
    Names,
    /// There were more ways than are tried.
    TooMany,
}

impl Obstacle {
    /// The name in reports.
    pub(super) fn name(self) -> &'static str {
        match self {
            Obstacle::NotKept => "not-kept",
            Obstacle::Algorithm => "unsupported-algorithm",
            Obstacle::Key => "unsupported-key",
            Obstacle::Extension => "unsupported-extension",
            Obstacle::Names => "unsupported-names",
            Obstacle::TooMany => "too-many-candidates",
        }
    }
}

/// So many signatures are verified whatever there is, and more for each certificate: some seconds at the worst.
const CHECKS_BASE: usize = 20_000;

/// So many more for each certificate.
const CHECKS_EACH: usize = 8;

/// Verifies signatures.
#[derive(Debug)]
pub(super) struct Verifier {
    /// What is known, by the hashes of the certificate and of the key.
    known: BTreeMap<(String, String), Proof>,
    left: usize,
    /// What could not be told of what.
    open: BTreeSet<(String, Obstacle)>,
}

impl Default for Verifier {
    fn default() -> Self {
        Self { known: BTreeMap::new(), left: CHECKS_BASE, open: BTreeSet::new() }
    }
}

impl Verifier {
    /// Lets more be verified for so many certificates.
    pub(super) fn allow(&mut self, certificates: usize) {
        self.left = self.left.saturating_add(certificates.saturating_mul(CHECKS_EACH));
    }

    /// Whether `certificate` was signed with `key`.
    pub(super) fn ask(&mut self, certificate: &Certificate, key: &PublicKey) -> Proof {
        let question = (certificate.sha256.clone(), key.sha256.clone());
        if let Some(&proof) = self.known.get(&question) {
            return proof;
        }
        let Some(left) = self.left.checked_sub(1) else { return Proof::Open(Obstacle::TooMany) };
        self.left = left;
        let proof = verify(certificate, key);
        self.known.insert(question, proof);
        proof
    }

    /// Whether `certificate` vouches for itself: by what it says, unless its signature tells otherwise.
    pub(super) fn is_self_signed(&mut self, certificate: &Certificate) -> bool {
        certificate.is_self_issued() && self.ask(certificate, &certificate.key) != Proof::Refuted
    }

    /// Keeps in mind that something could not be told of `what`.
    pub(super) fn leave_open(&mut self, what: String, obstacle: Obstacle) {
        self.open.insert((what, obstacle));
    }

    /// What could not be told.
    pub(super) fn take_open(&mut self) -> BTreeSet<(String, Obstacle)> {
        std::mem::take(&mut self.open)
    }
}

fn verify(certificate: &Certificate, key: &PublicKey) -> Proof {
    let Some((signature, encoded)) = certificate.proof.as_ref().zip(key.encoded.as_ref()) else { return Proof::Open(Obstacle::NotKept) };
    let method: Result<&dyn by::VerificationAlgorithm, Obstacle> = match (signature.algorithm, key.kind.as_str()) {
        (SignatureAlgorithm::Other, _) => Err(Obstacle::Algorithm),
        (SignatureAlgorithm::Rsa(hash), "RSA") => rsa(hash, key),
        (SignatureAlgorithm::RsaPss(hash), "RSA") => pss(hash, key),
        (SignatureAlgorithm::Ecdsa(hash), "EC") => ecdsa(hash, key, encoded.as_ref()),
        (SignatureAlgorithm::Ed25519, "Ed25519") => Ok(&by::ED25519),
        // A key of another kind cannot have made it.
        (_, "RSA" | "EC" | "DSA" | "Ed25519" | "Ed448" | "X25519") => return Proof::Refuted,
        _ => Err(Obstacle::Key),
    };
    match method {
        Ok(method) => match by::UnparsedPublicKey::new(method, encoded.as_ref()).verify(signature.content.as_ref(), signature.value.as_ref()) {
            Ok(()) => Proof::Verified,
            Err(ring::error::Unspecified) => Proof::Refuted,
        },
        Err(obstacle) => Proof::Open(obstacle),
    }
}

fn rsa(hash: Hash, key: &PublicKey) -> Result<&'static dyn by::VerificationAlgorithm, Obstacle> {
    // Keys that are too short are faults of their own; whether they signed can be told all the same.
    let (method, least): (&dyn by::VerificationAlgorithm, u32) = match hash {
        Hash::Sha1 => (&by::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY, 1024),
        Hash::Sha256 => (&by::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, 1024),
        Hash::Sha384 => (&by::RSA_PKCS1_2048_8192_SHA384, 2048),
        Hash::Sha512 => (&by::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY, 1024),
    };
    is_usual_rsa(key, least).then_some(method).ok_or(Obstacle::Key)
}

fn pss(hash: Hash, key: &PublicKey) -> Result<&'static dyn by::VerificationAlgorithm, Obstacle> {
    let method: &dyn by::VerificationAlgorithm = match hash {
        Hash::Sha1 => return Err(Obstacle::Algorithm),
        Hash::Sha256 => &by::RSA_PSS_2048_8192_SHA256,
        Hash::Sha384 => &by::RSA_PSS_2048_8192_SHA384,
        Hash::Sha512 => &by::RSA_PSS_2048_8192_SHA512,
    };
    is_usual_rsa(key, 2048).then_some(method).ok_or(Obstacle::Key)
}

/// Whether an RSA key has a size, in whole bytes, and an exponent with which is verified here.
fn is_usual_rsa(key: &PublicKey, least: u32) -> bool {
    const MOST: u32 = 8192;
    const EXPONENT_MAX: u64 = (1 << 33) - 1;
    let has_usual_size = key.bits.is_some_and(|bits| bits <= MOST && bits.next_multiple_of(8) >= least);
    has_usual_size && key.exponent.is_some_and(|exponent| (3..=EXPONENT_MAX).contains(&exponent) && exponent % 2 == 1)
}

fn ecdsa(hash: Hash, key: &PublicKey, point: &[u8]) -> Result<&'static dyn by::VerificationAlgorithm, Obstacle> {
    const UNCOMPRESSED: u8 = 4;
    let method: &dyn by::VerificationAlgorithm = match (key.curve.as_deref(), hash) {
        (Some("P-256"), Hash::Sha256) => &by::ECDSA_P256_SHA256_ASN1,
        (Some("P-256"), Hash::Sha384) => &by::ECDSA_P256_SHA384_ASN1,
        (Some("P-384"), Hash::Sha256) => &by::ECDSA_P384_SHA256_ASN1,
        (Some("P-384"), Hash::Sha384) => &by::ECDSA_P384_SHA384_ASN1,
        (Some("P-256" | "P-384"), _) => return Err(Obstacle::Algorithm),
        _ => return Err(Obstacle::Key),
    };
    if point.first() == Some(&UNCOMPRESSED) { Ok(method) } else { Err(Obstacle::Key) }
}
