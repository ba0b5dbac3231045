//! The API: one file for each noun, with its type, filter, root fields and payloads.
//!
//! Relations go through the loaders of the request (`loaders`), which lists feed ahead of time (`prefetch`). Nothing
//! here judges an input or writes SQL: that is `actions`, `domain` and `store`.
//!
//! To add a field: a method in the noun's `#[Object]` with a sentence for its user, its right in the noun's `DECLARATIONS` where it
//! differs from the type's, then `cargo run -- schema > schema.graphql`. A nullable field that can fail is `Option<Result<T>>`, never `Result<Option<T>>`: so an error
//! makes that field null, and not everything above it.

#[macro_use]
mod connection;

pub mod agreement;
mod argument;
pub mod association;
pub mod at_primary;
pub mod audit;
pub mod bill;
pub mod caller;
pub mod channel;
pub mod clearance;
pub mod client;
pub mod code;
pub mod context;
pub mod contribution;
pub mod count;
pub mod coverage;
mod declarations;
pub mod employer;
pub mod enrollment;
pub mod error;
pub mod event;
pub mod export;
mod input;
pub mod loaders;
pub mod node;
pub mod node_id;
pub mod onboarding;
pub mod participant;
pub mod payment;
mod prefetch;
pub mod problem;
pub mod province;
pub mod retraction;
pub mod rights;
pub mod scalar;
pub mod target;
pub mod viewer;
mod withholding;

use async_graphql::{MergedObject, MergedSubscription, SDLExportOptions, Schema, SchemaBuilder};
use graphql_front::parsed::Trusting;

/// Everything that can be asked.
// What is asked most often comes last: the library asks the last one first for a field, and each that does not have it has
// made a future in vain.
#[derive(MergedObject, Default)]
pub struct Query(
    export::ExportQuery,
    clearance::ClearanceQuery,
    payment::PaymentQuery,
    bill::BillQuery,
    audit::AuditQuery,
    client::ClientQuery,
    onboarding::OnboardingQuery,
    association::AssociationQuery,
    channel::ChannelQuery,
    province::ProvinceQuery,
    coverage::CoverageQuery,
    employer::EmployerQuery,
    viewer::ViewerQuery,
    node::NodeQuery,
    participant::ParticipantQuery,
);

/// Everything that can be changed.
// What is changed most often comes last, as in `Query`.
#[derive(MergedObject, Default)]
pub struct Mutation(
    client::ClientMutation,
    target::TargetMutation,
    agreement::AgreementMutation,
    channel::ChannelMutation,
    association::AssociationMutation,
    retraction::RetractionMutation,
    employer::EmployerMutation,
    onboarding::OnboardingMutation,
    onboarding::ReversalMutation,
    onboarding::InlineOnboardingMutation,
    participant::ParticipantMutation,
    participant::MoveMutation,
    participant::ContactMutation,
    payment::PaymentMutation,
    contribution::ContributionMutation,
    enrollment::WageMutation,
    enrollment::EnrollmentChangeMutation,
    enrollment::EnrollmentMutation,
);

/// Everything that can be followed.
#[derive(MergedSubscription, Default)]
pub struct Subscription(onboarding::OnboardingSubscription, coverage::CoverageSubscription);

/// The schema of the API. It checks no rights: run operations through an endpoint.
pub type Registry = Schema<Query, Mutation, Subscription>;

/// Builds the schema. It has no extension, and its errors suggest no names.
pub fn schema() -> Registry {
    builder(false).finish()
}

/// Builds the schema with errors that suggest the names of fields and arguments ("Did you mean ...?").
pub fn schema_with_suggestions() -> Registry {
    builder(true).finish()
}

/// Builds the schema for documents that were validated before.
///
/// Its extension makes each field that async-graphql resolves half as slow again. That costs less than the validator, which looks
/// at each selection: few fields are resolved, because lists and objects are rendered (`crates/rows`).
///
/// Federation is on, because async-graphql otherwise looks through all types for entities at each root field. Nobody sees
/// it: documents are validated by a schema without it, which also answers introspection.
pub fn trusting_schema() -> Registry {
    builder(false).extension(Trusting).enable_federation().finish()
}

/// Builds the schema that withholds what the caller may not read (`withholding.rs`).
pub fn schema_that_withholds(suggests: bool) -> Registry {
    builder(suggests).extension(withholding::Withholding).finish()
}

fn builder(suggests: bool) -> SchemaBuilder<Query, Mutation, Subscription> {
    let builder = Schema::build(Query::default(), Mutation::default(), Subscription::default());
    if suggests { builder } else { builder.disable_suggestions() }
}

/// Returns the schema as text, as `schema.graphql` has it.
pub fn sdl() -> String {
    schema().sdl_with_options(
        SDLExportOptions::new().include_specified_by().sorted_fields().sorted_arguments().sorted_enum_items(),
    )
}
