//! Connections: pages of lists with edges, nodes, page info and total count.

use async_graphql::{Context, Result, SimpleObject};
use domain::access::Right;
use futures_util::future::BoxFuture;
use graphql_front::catalogue::Rules;
use rows::Written;

use super::context::{caller, request};
use super::declarations::Declarations;
use super::error::FieldError;
use super::loaders::{TotalOf, load};
use super::scalar::int;
use crate::store::association::{self, AssociationFilter};
use crate::store::audit::{self, EntryFilter};
use crate::store::count::{self, CountsBy};
use crate::store::employer::{self, EmployerFilter};
use crate::store::onboarding::{self, BatchFilter};
use crate::store::participant::{self, ParticipantFilter, PeopleOf};
use crate::store::payment::{self, PaymentFilter};
use domain::page::{Direction, Order, Page};

/// Position of a page in its list.
#[derive(SimpleObject, rows::Row)]
pub struct PageInfo {
    /// Whether there are items after this page.
    pub has_next_page: bool,
    /// Whether there are items before this page.
    pub has_previous_page: bool,
    /// Cursor of the first item. Null on an empty page.
    pub start_cursor: Option<String>,
    /// Cursor of the last item. Null on an empty page. Pass it as `after` to get the next page.
    pub end_cursor: Option<String>,
}

/// The page arguments of a connection.
#[derive(Clone, Debug, Default)]
pub struct PageArguments {
    /// Number of items from the start.
    pub first: Option<i32>,
    /// Cursor after which the page starts.
    pub after: Option<String>,
    /// Number of items from the end.
    pub last: Option<i32>,
    /// Cursor before which the page ends.
    pub before: Option<String>,
}

impl PageArguments {
    /// Returns the page in an order.
    ///
    /// # Errors
    /// `BAD_PAGE` or `BAD_CURSOR`.
    pub fn page(&self, order: Order, direction: Direction) -> Result<Page, FieldError> {
        let (after, before) = (self.after.as_deref(), self.before.as_deref());
        Ok(Page::parse(self.first, after, self.last, before, order, direction)?)
    }

    /// Returns the page, newest item first.
    ///
    /// # Errors
    /// `BAD_PAGE` or `BAD_CURSOR`.
    pub fn newest_first(&self) -> Result<Page, FieldError> {
        self.page(Order::Id, Direction::Descending)
    }
}

/// Returns the page of people to read: an empty one if the query selects only the count, because the audit trail
/// records everyone who is read, and one without a further row if nobody asks whether there is one.
///
/// A document that selects the list twice under one name asks for it twice, and both have to get the same rows: such a document
/// is not [`Written`].
pub fn shown(ctx: &Context<'_>, page: Page) -> Page {
    let list = ctx.look_ahead();
    let info = list.field("pageInfo");
    let is_shown = info.exists() || ["nodes", "edges"].iter().any(|field| list.field(field).exists());
    let extra_row = ctx.data_opt::<Written>().is_none()
        || ["hasNextPage", "hasPreviousPage"].iter().any(|field| info.field(field).exists());
    if is_shown { Page { extra_row, ..page } } else { Page { size: 0, extra_row: false, ..page } }
}

/// Loads a page and, if the query selects it, the count of its list at the same time.
///
/// # Errors
/// The page cannot be loaded. An error of the count is that of the field `totalCount`.
pub async fn load_counted<T>(
    ctx: &Context<'_>,
    page: impl Future<Output = Result<T, FieldError>>,
    total: Total,
) -> Result<(T, Total), FieldError> {
    if !ctx.look_ahead().field("totalCount").exists() {
        return Ok((page.await?, total));
    }
    let (page, count) = tokio::join!(page, total.count(ctx));
    Ok((page?, Total::Counted(count)))
}

/// How a list is counted, if the query selects the count.
#[derive(Clone, Debug)]
pub enum Total {
    /// A known count.
    Known(usize),
    /// Counted while the page was loaded.
    Counted(Result<i32, FieldError>),
    /// Together with the same list of other parents.
    Nested(TotalOf),
    /// People of the country.
    People(ParticipantFilter),
    /// Employers of the country.
    Employers(EmployerFilter),
    /// Associations of the country.
    Associations(AssociationFilter),
    /// Onboarding batches.
    Batches(BatchFilter),
    /// Payments.
    Payments(PaymentFilter),
    /// Audit entries.
    Entries(EntryFilter),
}

impl Total {
    /// Returns the count.
    ///
    /// # Errors
    /// The database is unavailable.
    pub fn count<'a>(&'a self, ctx: &'a Context<'_>) -> BoxFuture<'a, Result<i32, FieldError>> {
        Box::pin(self.count_now(ctx))
    }

    async fn count_now(&self, ctx: &Context<'_>) -> Result<i32, FieldError> {
        let caller = caller(ctx);
        let (session, actor) = (&caller.session, &caller.actor);
        let total = match self {
            Self::Known(total) => i64::try_from(*total).unwrap_or(i64::MAX),
            Self::Counted(count) => return count.clone(),
            Self::Nested(of) => match nested_counter_of(of).filter(|_| actor.scope.is_everything()) {
                Some(key) => load(&request(ctx).loaders.counts, key).await?.unwrap_or_default().total,
                None => load(&request(ctx).loaders.totals, of.clone()).await?.unwrap_or_default(),
            },
            Self::People(filter) => match counter_of(filter).filter(|_| actor.scope.is_everything()) {
                Some(Counter::Everyone) => count::of_everybody(session).await?.total,
                Some(Counter::By(by, id)) => {
                    load(&request(ctx).loaders.counts, (by, id)).await?.unwrap_or_default().total
                }
                None => participant::count(session, actor, filter).await?,
            },
            Self::Employers(filter) => employer::count(session, filter).await?,
            Self::Associations(filter) => association::count(session, filter).await?,
            Self::Entries(filter) => audit::count(&caller.database.bulk, filter).await?,
            Self::Batches(filter) => onboarding::count(session, actor, filter).await?,
            Self::Payments(filter) => payment::count(session, actor, filter).await?,
        };
        Ok(int(total))
    }
}

enum Counter {
    Everyone,
    By(CountsBy, i64),
}

/// Returns the maintained counter that answers a filter, if there is one.
fn counter_of(filter: &ParticipantFilter) -> Option<Counter> {
    let only = |by: &ParticipantFilter| *filter == *by;
    let none = ParticipantFilter::default();
    if only(&none) {
        return Some(Counter::Everyone);
    }
    if let Some(id) = filter.province
        && only(&ParticipantFilter { province: Some(id), ..none.clone() })
    {
        return Some(Counter::By(CountsBy::Province, id.into()));
    }
    if let Some(id) = filter.employer
        && only(&ParticipantFilter { employer: Some(id), ..none.clone() })
    {
        return Some(Counter::By(CountsBy::Employer, id));
    }
    if let Some(id) = filter.association
        && only(&ParticipantFilter { association: Some(id), ..none })
    {
        return Some(Counter::By(CountsBy::Association, id));
    }
    None
}

fn nested_counter_of(of: &TotalOf) -> Option<(CountsBy, i64)> {
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

        #[doc = concat!("One of the ", $many, " of a page, with its cursor.")]
        pub struct $edge<'a> {
            position: &'a ::domain::page::Position,
            order: ::domain::page::Order,
            node: &'a $node,
        }

        impl $connection {
            /// Returns a page whose list can be counted.
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
        #[rows::row]
        #[async_graphql::Object]
        impl $connection {
            #[doc = concat!("The ", $many, " with their cursors.")]
            fn edges(&self) -> ::rows::Rows<$edge<'_>> {
                let edge = |(position, node)| $edge { position, order: self.order, node };
                self.rows.iter().map(|(position, node)| edge((position, node))).collect()
            }

            #[doc = concat!("The ", $many, " without their cursors.")]
            fn nodes(&self) -> ::rows::Rows<&$node> {
                self.rows.iter().map(|(_, node)| node).collect()
            }

            /// Position of the page in the list.
            fn page_info(&self) -> $crate::graphql::connection::PageInfo {
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

            #[doc = concat!("Number of ", $many, " in the whole list. Counted only if selected.")]
            async fn total_count(
                &self,
                ctx: &async_graphql::Context<'_>,
            ) -> async_graphql::Result<i32, $crate::graphql::error::FieldError> {
                self.total.count(ctx).await
            }
        }

        #[doc = concat!("One of the ", $many, " of a page, with its cursor.")]
        #[rows::row]
        #[async_graphql::Object]
        impl<'a> $edge<'a> {
            /// Cursor of this item. Pass it as `after` or `before` to continue from here.
            fn cursor(&self) -> String {
                self.position.cursor(self.order)
            }

            #[doc = concat!("The ", $one, ".")]
            fn node(&self) -> &$node {
                self.node
            }
        }
    };
}

/// The rights and costs of these fields.
pub(super) const DECLARATIONS: Declarations =
    Declarations { rights: &[(Right::ReadOneself, &["PageInfo"])], rules: Rules::NONE };
