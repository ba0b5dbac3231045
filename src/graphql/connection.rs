//! Connections: pages of lists, with their edges, nodes, page info and size.

use async_graphql::{Context, Result, SimpleObject};
use domain::access::Operation;
use futures_util::future::BoxFuture;
use graphql_front::catalogue::Rules;

use super::context::{caller, request};
use super::error::FieldError;
use super::loaders::{TotalOf, load};
use super::noun::Noun;
use super::scalar::int;
use crate::store::association::{self, AssociationFilter};
use crate::store::audit::{self, EntryFilter};
use crate::store::count::{self, CountsBy};
use crate::store::employer::{self, EmployerFilter};
use crate::store::onboarding::{self, BatchFilter};
use crate::store::participant::{self, ParticipantFilter, PeopleOf};
use domain::page::{Direction, Order, Page};

/// Where a page stands in its list.
#[derive(SimpleObject)]
pub struct PageInfo {
    /// Is there a row behind the last one of this page?
    pub has_next_page: bool,
    /// Is there a row ahead of the first one of this page?
    pub has_previous_page: bool,
    /// Cursor of the first row; null on an empty page.
    pub start_cursor: Option<String>,
    /// Cursor of the last row; null on an empty page. Give it as `after` to go on.
    pub end_cursor: Option<String>,
}

/// The four arguments of a connection.
#[derive(Clone, Debug, Default)]
pub struct PageArguments {
    /// The first so many rows.
    pub first: Option<i32>,
    /// Behind this cursor.
    pub after: Option<String>,
    /// The last so many rows.
    pub last: Option<i32>,
    /// Ahead of this cursor.
    pub before: Option<String>,
}

impl PageArguments {
    /// The page that they ask for, in an order.
    ///
    /// # Errors
    /// `BAD_PAGE` or `BAD_CURSOR`.
    pub fn page(&self, order: Order, direction: Direction) -> Result<Page, FieldError> {
        let (after, before) = (self.after.as_deref(), self.before.as_deref());
        Ok(Page::parse(self.first, after, self.last, before, order, direction)?)
    }

    /// The page that they ask for, newest first.
    ///
    /// # Errors
    /// `BAD_PAGE` or `BAD_CURSOR`.
    pub fn newest_first(&self) -> Result<Page, FieldError> {
        self.page(Order::Id, Direction::Descending)
    }
}

/// The page of people that a list has to read: nothing of it where its size alone is asked for. Who is read is on record
/// as shown, and whoever counts people sees none of them.
pub fn shown(ctx: &Context<'_>, page: Page) -> Page {
    let list = ctx.look_ahead();
    let is_shown = ["nodes", "edges", "pageInfo"].iter().any(|field| list.field(field).exists());
    if is_shown { page } else { Page { size: 0, ..page } }
}

/// How a list is counted, if somebody asks.
#[derive(Clone, Debug)]
pub enum Total {
    /// Known already.
    Known(usize),
    /// With the same list of other parents.
    Nested(TotalOf),
    /// People of the country.
    People(ParticipantFilter),
    /// Employers of the country.
    Employers(EmployerFilter),
    /// Associations of the country.
    Associations(AssociationFilter),
    /// Onboarding batches.
    Batches(BatchFilter),
    /// Audit entries.
    Entries(EntryFilter),
}

impl Total {
    /// Counts.
    ///
    /// # Errors
    /// The database is away.
    pub fn count<'a>(&'a self, ctx: &'a Context<'_>) -> BoxFuture<'a, Result<i32, FieldError>> {
        Box::pin(self.count_now(ctx))
    }

    async fn count_now(&self, ctx: &Context<'_>) -> Result<i32, FieldError> {
        let caller = caller(ctx);
        let (session, actor) = (&caller.session, &caller.actor);
        let total = match self {
            Self::Known(total) => i64::try_from(*total).unwrap_or(i64::MAX),
            Self::Nested(of) => match kept_nested(of).filter(|_| actor.scope.is_everything()) {
                Some(key) => load(&request(ctx).loaders.counts, key).await?.unwrap_or_default().total,
                None => load(&request(ctx).loaders.totals, of.clone()).await?.unwrap_or_default(),
            },
            Self::People(filter) => match kept(filter).filter(|_| actor.scope.is_everything()) {
                Some(Kept::Everybody) => count::of_everybody(session).await?.total,
                Some(Kept::By(by, id)) => {
                    load(&request(ctx).loaders.counts, (by, id)).await?.unwrap_or_default().total
                }
                None => participant::count(session, actor, filter).await?,
            },
            Self::Employers(filter) => employer::count(session, filter).await?,
            Self::Associations(filter) => association::count(session, filter).await?,
            Self::Entries(filter) => audit::count(&caller.database.bulk, filter).await?,
            Self::Batches(filter) => onboarding::count(session, actor, filter).await?,
        };
        Ok(int(total))
    }
}

enum Kept {
    Everybody,
    By(CountsBy, i64),
}

/// The kept count that a filter asks for, where it sets one such condition and nothing else.
fn kept(filter: &ParticipantFilter) -> Option<Kept> {
    let only = |by: &ParticipantFilter| *filter == *by;
    let none = ParticipantFilter::default();
    if only(&none) {
        return Some(Kept::Everybody);
    }
    if let Some(id) = filter.province
        && only(&ParticipantFilter { province: Some(id), ..none.clone() })
    {
        return Some(Kept::By(CountsBy::Province, id.into()));
    }
    if let Some(id) = filter.employer
        && only(&ParticipantFilter { employer: Some(id), ..none.clone() })
    {
        return Some(Kept::By(CountsBy::Employer, id));
    }
    if let Some(id) = filter.association
        && only(&ParticipantFilter { association: Some(id), ..none })
    {
        return Some(Kept::By(CountsBy::Association, id));
    }
    None
}

fn kept_nested(of: &TotalOf) -> Option<(CountsBy, i64)> {
    match of {
        TotalOf::People(of, parent, filter) if *filter == ParticipantFilter::default() => {
            let by = match of {
                PeopleOf::Province => CountsBy::Province,
                PeopleOf::Employer => CountsBy::Employer,
                PeopleOf::Association => CountsBy::Association,
                PeopleOf::Channel => return None,
            };
            Some((by, *parent))
        }
        _ => None,
    }
}

/// Declares the connection and the edge of a node.
macro_rules! connection {
    ($connection:ident, $edge:ident, $node:ty, $many:literal, $one:literal) => {
        #[doc = concat!("A page of ", $many, ".")]
        pub struct $connection {
            rows: Vec<(::domain::page::Position, $node)>,
            order: ::domain::page::Order,
            has_next: bool,
            has_previous: bool,
            total: $crate::graphql::connection::Total,
        }

        #[doc = concat!("One of the ", $many, " of a page, and where it stands.")]
        pub struct $edge<'a> {
            position: &'a ::domain::page::Position,
            order: ::domain::page::Order,
            node: &'a $node,
        }

        impl $connection {
            /// A page, and how its list is counted if somebody asks.
            pub fn new(
                slice: ::domain::page::Slice<(::domain::page::Position, $node)>,
                page: &::domain::page::Page,
                total: $crate::graphql::connection::Total,
            ) -> Self {
                Self {
                    rows: slice.rows,
                    order: page.order,
                    has_next: slice.has_next,
                    has_previous: slice.has_previous,
                    total,
                }
            }
        }

        #[doc = concat!("A page of ", $many, ".")]
        #[async_graphql::Object]
        impl $connection {
            #[doc = concat!("The ", $many, " with their cursors.")]
            async fn edges(&self) -> Vec<$edge<'_>> {
                let edge = |(position, node)| $edge { position, order: self.order, node };
                self.rows.iter().map(|(position, node)| edge((position, node))).collect()
            }

            #[doc = concat!("The ", $many, " without their cursors.")]
            async fn nodes(&self) -> Vec<&$node> {
                self.rows.iter().map(|(_, node)| node).collect()
            }

            /// Where the page stands in the list.
            async fn page_info(&self) -> $crate::graphql::connection::PageInfo {
                let cursor = |row: Option<&(::domain::page::Position, $node)>| {
                    row.map(|(position, _)| position.cursor(self.order))
                };
                $crate::graphql::connection::PageInfo {
                    has_next_page: self.has_next,
                    has_previous_page: self.has_previous,
                    start_cursor: cursor(self.rows.first()),
                    end_cursor: cursor(self.rows.last()),
                }
            }

            #[doc = concat!("How many ", $many, " the whole list has. Counted only when selected.")]
            async fn total_count(
                &self,
                ctx: &async_graphql::Context<'_>,
            ) -> async_graphql::Result<i32, $crate::graphql::error::FieldError> {
                self.total.count(ctx).await
            }
        }

        #[doc = concat!("One of the ", $many, " of a page, and where it stands.")]
        #[async_graphql::Object]
        impl<'a> $edge<'a> {
            /// Give it as `after` or `before` to go on from here.
            async fn cursor(&self) -> String {
                self.position.cursor(self.order)
            }

            #[doc = concat!("The ", $one, ".")]
            async fn node(&self) -> &$node {
                self.node
            }
        }
    };
}

/// The rights and costs of these fields.
pub(super) const NOUN: Noun = Noun { rights: &[(Operation::ReadOneself, &["PageInfo"])], rules: Rules::NONE };
