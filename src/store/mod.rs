//! What the registry knows, in PostgreSQL: one file for each noun, free functions, set-based statements.
//!
//! Few verbs: `find_by_x`, `by_ids`, `list`, `count`, `insert`, `insert_many`. Not found is `None`. Nothing here
//! judges an input (see `domain`) or opens a transaction (see `actions`).
//!
//! Every function that touches a person takes the [`Actor`](crate::domain::actor::Actor) and puts its scope into the
//! statement, so that what an actor may not see is absent, and not merely hidden.
//!
//! To add a noun: a migration, a file here with its row and its verbs, the row's enumerations in `pg_enum!` below,
//! then `DATABASE_URL=… cargo check` with `SQLX_OFFLINE_DIR=.sqlx` to record its statements.

pub mod agreement;
pub mod association;
pub mod audit;
pub mod channel;
pub mod clearance;
pub mod client;
pub mod client_book;
mod connections;
pub mod count;
pub mod coverage;
pub mod coverage_watch;
pub mod database;
pub mod employer;
pub mod enrollment;
pub mod error;
pub mod event;
mod follow;
pub mod idempotency;
pub mod identifier;
pub mod keys;
pub mod lapse_run;
pub mod lookup_miss;
pub mod onboarding;
pub mod page;
pub mod participant;
pub mod recount;
pub mod reference;
mod roles;
pub mod rotation;
pub mod session;
pub mod target;

pub use database::Database;
pub use error::StoreError;

/// An array as PostgreSQL reads it, of what needs no quoting: numbers, dates, names of closed lists.
pub(crate) fn array_literal<T: std::fmt::Display>(values: impl IntoIterator<Item = T>) -> String {
    let values: Vec<String> = values.into_iter().map(|value| value.to_string()).collect();
    format!("{{{}}}", values.join(","))
}

/// Lets an enumeration of `domain` stand in statements as the PostgreSQL type of the same names.
macro_rules! pg_enum {
    ($($rust:ty => $name:literal, $array:literal;)+) => {$(
        impl sqlx::Type<sqlx::Postgres> for $rust {
            fn type_info() -> sqlx::postgres::PgTypeInfo {
                sqlx::postgres::PgTypeInfo::with_name($name)
            }
        }

        impl sqlx::postgres::PgHasArrayType for $rust {
            fn array_type_info() -> sqlx::postgres::PgTypeInfo {
                sqlx::postgres::PgTypeInfo::with_name($array)
            }
        }

        impl sqlx::Encode<'_, sqlx::Postgres> for $rust {
            fn encode_by_ref(
                &self,
                buffer: &mut sqlx::postgres::PgArgumentBuffer,
            ) -> Result<sqlx::encode::IsNull, sqlx::error::BoxDynError> {
                <&str as sqlx::Encode<sqlx::Postgres>>::encode_by_ref(&self.as_str(), buffer)
            }
        }

        impl<'r> sqlx::Decode<'r, sqlx::Postgres> for $rust {
            fn decode(value: sqlx::postgres::PgValueRef<'r>) -> Result<Self, sqlx::error::BoxDynError> {
                Ok(value.as_str()?.parse()?)
            }
        }
    )+};
}

pg_enum! {
    crate::domain::actor::Role => "client_role", "_client_role";
    crate::domain::agreement::AgreementScope => "agreement_scope", "_agreement_scope";
    crate::domain::agreement::AgreementStatus => "agreement_status", "_agreement_status";
    crate::domain::audit::AuditOutcome => "audit_outcome", "_audit_outcome";
    crate::domain::channel::ChannelKind => "channel_kind", "_channel_kind";
    crate::domain::clearance::ClearanceGround => "clearance_ground", "_clearance_ground";
    crate::domain::clearance::LicenceDecision => "licence_decision", "_licence_decision";
    crate::domain::employer::EmployerKind => "employer_kind", "_employer_kind";
    crate::domain::enrollment::CivilServantCategory => "civil_servant_category", "_civil_servant_category";
    crate::domain::enrollment::EndReason => "end_reason", "_end_reason";
    crate::domain::enrollment::EnrollmentStatus => "enrollment_status", "_enrollment_status";
    crate::domain::enrollment::Programme => "programme", "_programme";
    crate::domain::enrollment::Segment => "segment", "_segment";
    crate::domain::event::EventKind => "participant_event_kind", "_participant_event_kind";
    crate::domain::onboarding::OnboardingState => "onboarding_state", "_onboarding_state";
    crate::domain::onboarding::RowOutcome => "row_outcome", "_row_outcome";
    crate::domain::participant::ParticipantStatus => "participant_status", "_participant_status";
    crate::domain::participant::Sex => "sex", "_sex";
}
