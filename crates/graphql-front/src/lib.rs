//! GraphQL over HTTP, WebSocket and server-sent events, for any schema of async-graphql: media types, limits, costs,
//! admission, persisted documents.
//!
//! # What it is for
//!
//! A server that strangers may send queries to needs more than a handler that parses and executes. An [`Endpoint`] follows
//! the specification "GraphQL over HTTP", refuses what would exhaust the parser, the validator or the database before it
//! reaches them, limits what one client may spend and how much runs at once, lets mutations outlive their clients, and
//! answers with a closed list of error [codes](code) in two languages. Each transport leads through the same
//! [`Endpoint::start`]: single responses, [event streams](media::EventStream), and [WebSockets](websocket::WebSockets).
//!
//! # What it never does
//!
//! It knows no schema, no database and no user: an [`Application`] hands in its fields, its error codes, and how an
//! operation is executed; a layer before the endpoint puts the [`ClientId`](request_id::ClientId) of an authenticated
//! client into the request's extensions. It never formats an internal error for a client, and never repeats what a client
//! sent.
//!
//! # How to use it
//!
//! Implement [`Application`], with a [`Catalogue`] made from the schema's text and from [`Rules`](catalogue::Rules) beside
//! its types; then serve the route:
//!
//! ```ignore
//! let endpoint = Endpoint::new(Arc::new(application), Settings::default());
//! let router = Router::new()
//!     .route("/graphql", endpoint.clone().into_route())
//!     .route_layer(from_fn_with_state(endpoint, async |State(endpoint), request, next| {
//!         let Ok(_permit) = endpoint.approach(request.method()) else { return overloaded() };
//!         next.run(authenticate(request)).await
//!     }));
//! ```
//!
//! A request then meets, in this order: [`Endpoint::approach`], the application's authentication, [`parameters`] (body
//! and JSON), [`guard`] (text), the parser, [`analysis`] (size, operation), the transport's rules, [`cost`], [`admission`],
//! the application, and [`answer`].

pub mod admission;
pub mod analysis;
pub mod answer;
pub mod application;
mod arguments;
pub mod catalogue;
mod charge;
pub mod code;
mod conflicts;
pub mod cost;
pub mod documents;
pub mod endpoint;
pub mod guard;
mod input_values;
pub mod language;
pub mod media;
mod numbers;
pub mod origin;
pub mod parameters;
pub mod parsed;
pub mod recent;
mod repeated;
mod request_data;
pub mod request_id;
pub mod settings;
mod sse;
pub mod streams;
mod subscription;
mod typename;
pub mod websocket;
pub mod writes;

pub use application::Application;
pub use catalogue::Catalogue;
pub use endpoint::Endpoint;
pub use settings::Settings;
