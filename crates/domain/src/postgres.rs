//! The PostgreSQL types of the enumerations. Each has the same names as its enumeration.
//!
//! The implementations are in this crate because of Rust's orphan rule. To store another enumeration, add a line at the
//! end of this file.

/// Implements the traits that sqlx needs to bind and decode an enumeration as the PostgreSQL type with the same names.
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
                <&str as sqlx::Encode<sqlx::Postgres>>::encode_by_ref(&self.into(), buffer)
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
    crate::vocabulary::Role => "client_role", "_client_role";
    crate::agreement::AgreementScope => "agreement_scope", "_agreement_scope";
    crate::agreement::AgreementStatus => "agreement_status", "_agreement_status";
    crate::audit::AuditOutcome => "audit_outcome", "_audit_outcome";
    crate::vocabulary::ChannelKind => "channel_kind", "_channel_kind";
    crate::vocabulary::ClearanceGround => "clearance_ground", "_clearance_ground";
    crate::clearance::LicenceDecision => "licence_decision", "_licence_decision";
    crate::vocabulary::EmployerKind => "employer_kind", "_employer_kind";
    crate::vocabulary::EmployerSize => "employer_size", "_employer_size";
    crate::vocabulary::CivilServantCategory => "civil_servant_category", "_civil_servant_category";
    crate::vocabulary::EndReason => "end_reason", "_end_reason";
    crate::vocabulary::EnrollmentStatus => "enrollment_status", "_enrollment_status";
    crate::retraction::RetractionState => "retraction_state", "_retraction_state";
    crate::vocabulary::Programme => "programme", "_programme";
    crate::vocabulary::Segment => "segment", "_segment";
    crate::event::EventKind => "participant_event_kind", "_participant_event_kind";
    crate::monthly_list::ListChange => "list_change", "_list_change";
    crate::onboarding::OnboardingKind => "onboarding_kind", "_onboarding_kind";
    crate::onboarding::OnboardingState => "onboarding_state", "_onboarding_state";
    crate::onboarding::RowOutcome => "row_outcome", "_row_outcome";
    crate::vocabulary::ParticipantStatus => "participant_status", "_participant_status";
    crate::vocabulary::Sex => "sex", "_sex";
}
