//! Whether a server's certificate can be traced to authorities that somebody trusts, as Go's verifier traces it: every signature on the
//! way is verified.

use bartizan_cluster::secret::Certificate;
use jiff::Timestamp;

use super::permission::{Objection, Refusal, objection};
use super::signature::{Obstacle, Proof, Verifier};

/// More certificates are not put in a row.
const LENGTH_MAX: usize = 10;

/// More signatures are not looked at for one certificate; Go's verifier gives up at the same number.
const STEPS_MAX: usize = 100;

/// What became of tracing a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It leads to somebody trusted.
    Trusted,
    /// It does not, and this came nearest.
    Refused(Dead),
    /// That could not be told.
    Unknown(Obstacle),
}

/// Where a way ended, the nearer the later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Dead {
    /// Nobody has the name of the issuer.
    NoIssuer,
    /// Somebody has the name of the issuer of this, and another key.
    OtherKey {
        /// The issuer's name.
        issuer: String,
    },
    /// The authority is not valid now.
    Over {
        /// The authority.
        authority: Box<Certificate>,
    },
    /// The authority may not sign what it signed.
    Forbidden {
        /// The authority.
        authority: Box<Certificate>,
        /// Why.
        refusal: Refusal,
    },
}

impl Dead {
    fn rank(&self) -> u8 {
        match self {
            Dead::NoIssuer => 0,
            Dead::OtherKey { .. } => 1,
            Dead::Over { .. } => 2,
            Dead::Forbidden { .. } => 3,
        }
    }
}

/// Traces `leaf` over `between` to one of `trusted` at the time `now`. Whether the leaf itself is valid now is not looked at.
pub(super) fn trace(leaf: &Certificate, between: &[Certificate], trusted: &[Certificate], now: Timestamp, verifier: &mut Verifier) -> Outcome {
    if !leaf.authorization.unknown_critical.is_empty() {
        return Outcome::Unknown(Obstacle::Extension);
    }
    if trusted.iter().any(|authority| authority.sha256 == leaf.sha256) {
        return Outcome::Trusted;
    }
    let mut search = Search { between, trusted, now, verifier, left: STEPS_MAX, nearest: Dead::NoIssuer, obstacle: None };
    if search.from(&mut vec![leaf]) {
        return Outcome::Trusted;
    }
    match search.obstacle {
        Some(obstacle) => Outcome::Unknown(obstacle),
        None => Outcome::Refused(search.nearest),
    }
}

struct Search<'a> {
    between: &'a [Certificate],
    trusted: &'a [Certificate],
    now: Timestamp,
    verifier: &'a mut Verifier,
    left: usize,
    nearest: Dead,
    obstacle: Option<Obstacle>,
}

impl<'a> Search<'a> {
    /// Whether the last of `row` leads to somebody trusted.
    fn from(&mut self, row: &mut Vec<&'a Certificate>) -> bool {
        let Some(&last) = row.last() else { return false };
        let (trusted, between) = (self.trusted, self.between);
        let candidates = trusted.iter().map(|one| (one, true)).chain(between.iter().map(|one| (one, false)));
        for (candidate, is_trusted) in candidates.filter(|(candidate, _)| last.issuer == candidate.subject) {
            if row.iter().any(|one| one.sha256 == candidate.sha256) {
                continue;
            }
            let Some(left) = self.left.checked_sub(1).filter(|_| row.len() < LENGTH_MAX) else {
                self.obstacle = self.obstacle.or(Some(Obstacle::TooMany));
                return false;
            };
            self.left = left;
            match self.verifier.ask(last, &candidate.key) {
                Proof::Verified => {}
                Proof::Refuted => {
                    self.note(Dead::OtherKey { issuer: last.issuer.clone() });
                    continue;
                }
                Proof::Open(obstacle) => {
                    self.obstacle = self.obstacle.or(Some(obstacle));
                    continue;
                }
            }
            if candidate.not_before > self.now || candidate.not_after < self.now {
                self.note(Dead::Over { authority: Box::new(candidate.clone()) });
                continue;
            }
            match objection(candidate, row, is_trusted) {
                Some(Objection::Refused(refusal)) => {
                    self.note(Dead::Forbidden { authority: Box::new(candidate.clone()), refusal });
                    continue;
                }
                Some(Objection::Open(obstacle)) => {
                    self.obstacle = self.obstacle.or(Some(obstacle));
                    continue;
                }
                None if is_trusted => return true,
                None => {}
            }
            row.push(candidate);
            if self.from(row) {
                return true;
            }
            row.pop();
        }
        false
    }

    fn note(&mut self, dead: Dead) {
        if dead.rank() > self.nearest.rank() {
            self.nearest = dead;
        }
    }
}
