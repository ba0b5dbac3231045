//! Whom a group's payment names, and for how many months.

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::store::enrollment::EnrollmentKey;

/// The members and the number of months of a group's payment.
#[derive(Clone, Debug, Serialize)]
pub struct GroupTerms {
    /// Months, from the first one on.
    pub months: i32,
    /// Those who pay.
    pub members: Members,
}

/// The members who pay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Members {
    /// All with a month to pay.
    All,
    /// These.
    Only(Vec<EnrollmentKey>),
    /// All with a month to pay, without these.
    AllBut(Vec<EnrollmentKey>),
}

impl Members {
    /// The enrollments that are named, and the field that names them.
    pub(super) fn named(&self) -> (&[EnrollmentKey], &'static str) {
        match self {
            Self::All => (&[], "months"),
            Self::Only(named) => (named, "enrollmentIds"),
            Self::AllBut(named) => (named, "leavingOut"),
        }
    }

    /// The field that names members, or the number of months.
    pub(super) fn field(&self) -> &'static str {
        self.named().1
    }

    /// The enrollments that are looked at, unless it is all.
    pub(super) fn only(&self) -> Option<&[EnrollmentKey]> {
        match self {
            Self::Only(named) => Some(named),
            Self::All | Self::AllBut(_) => None,
        }
    }

    /// Returns the digest by which the same members are known again, in whatever order they are named.
    pub(super) fn digest(&self) -> Vec<u8> {
        let (named, field) = self.named();
        let mut named = named.to_vec();
        named.sort_unstable();
        let mut digest = Sha256::new_with_prefix(field);
        for (participant, enrollment) in named {
            digest.update(participant.to_be_bytes());
            digest.update(enrollment.to_be_bytes());
        }
        digest.finalize().to_vec()
    }
}
