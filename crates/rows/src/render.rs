//! Rendering: the JSON of rows by their plan.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context as Task, Poll};

use async_graphql::{Context, ContextSelectionSet, Error, InputType, ServerError, ServerResult};
use futures_util::FutureExt as _;

use crate::join::all_or_error;
use crate::json;
use crate::merge::merged;
use crate::plan::{Plan, Planned, Rendered, Row, Way};

/// Writes a row whose fields wait for nothing.
pub(crate) fn object<T: Row>(
    row: &T,
    ctx: &ContextSelectionSet<'_>,
    plan: &Plan<'_>,
    json: &mut Vec<u8>,
) -> ServerResult<()> {
    json.push(b'{');
    for planned in &plan.fields {
        let begin = json.len();
        json::key(json, &planned.field.node.response_key().node);
        at_once(row, ctx, planned, json)?;
        if planned.is_repeated {
            json.truncate(begin);
        }
    }
    json.push(b'}');
    Ok(())
}

/// Writes the value of a field that waits for nothing.
fn at_once<T: Row>(
    row: &T,
    ctx: &ContextSelectionSet<'_>,
    planned: &Planned<'_>,
    json: &mut Vec<u8>,
) -> ServerResult<()> {
    match &planned.way {
        Way::TypeName => json::name(json, &T::type_name()),
        Way::AtOnce(index, below) => row.at_once(*index, &ctx.with_field(planned.field), below, json)?,
        Way::InTime(..) | Way::Ordinary => unreachable!("such a field waits"),
    }
    Ok(())
}

/// Writes the rows of a list whose fields wait for nothing.
pub(crate) fn list<'r, T: Row + 'r>(
    rows: impl Iterator<Item = &'r T>,
    ctx: &ContextSelectionSet<'_>,
    plan: &Plan<'_>,
    json: &mut Vec<u8>,
) -> ServerResult<()> {
    json.reserve(rows.size_hint().0 * plan.fields.len() * USUAL_FIELD);
    json::array(json, rows.enumerate(), |json, (index, row)| {
        let ctx = ctx.with_index(index);
        object(row, &ctx, plan, json).map_err(|error| ctx.set_error_path(error))
    })
}

/// Bytes that a field takes with its name, usually.
const USUAL_FIELD: usize = 32;

/// Writes a row some of whose fields wait.
pub(crate) async fn object_in_time<T: Row>(
    row: &T,
    ctx: &ContextSelectionSet<'_>,
    plan: &Plan<'_>,
) -> ServerResult<Vec<u8>> {
    let mut pieces = Pieces::default();
    pieces.json.push(b'{');
    for planned in &plan.fields {
        let begin = pieces.json.len();
        json::key(&mut pieces.json, &planned.field.node.response_key().node);
        match &planned.way {
            Way::InTime(index, below) => {
                pieces.begin(row.in_time(*index, ctx.with_field(planned.field), below)).await?;
            }
            Way::Ordinary => pieces.begin(ordinary(row, ctx.with_field(planned.field))).await?,
            Way::TypeName | Way::AtOnce(..) => at_once(row, ctx, planned, &mut pieces.json)?,
        }
        if planned.is_repeated {
            pieces.json.truncate(begin);
        }
    }
    pieces.json.push(b'}');
    let object = pieces.finish().await?;
    Ok(if plan.merges { merged(&object) } else { object })
}

/// Writes the rows of a list some of whose fields wait.
pub(crate) async fn list_in_time<'r, T: Row + 'r>(
    rows: impl ExactSizeIterator<Item = &'r T>,
    ctx: &ContextSelectionSet<'_>,
    plan: &Plan<'_>,
) -> ServerResult<Vec<u8>> {
    let mut pieces = Pieces::default();
    pieces.json.push(b'[');
    for (index, row) in rows.enumerate() {
        if index > 0 {
            pieces.json.push(b',');
        }
        let rendered = async move {
            let ctx = ctx.with_index(index);
            object_in_time(row, &ctx, plan).await.map_err(|error| ctx.set_error_path(error))
        };
        pieces.begin(rendered.boxed()).await?;
    }
    pieces.json.push(b']');
    pieces.finish().await
}

fn ordinary<'a, T: Row>(row: &'a T, ctx: Context<'a>) -> Rendered<'a> {
    async move {
        let mut json = Vec::new();
        json::value(&mut json, &row.resolve_field(&ctx).await?.unwrap_or_default());
        Ok(json)
    }
    .boxed()
}

/// The JSON of fields or rows, with gaps for those that are still to come.
#[derive(Default)]
struct Pieces<'a> {
    json: Vec<u8>,
    /// From the first to the last.
    waiting: Vec<Piece<'a>>,
}

/// What is still to come, and its offset in the JSON.
struct Piece<'a> {
    offset: usize,
    rendered: Rendered<'a>,
}

impl Future for Piece<'_> {
    type Output = ServerResult<(usize, Vec<u8>)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Self::Output> {
        let offset = self.offset;
        self.rendered.as_mut().poll(cx).map_ok(|json| (offset, json))
    }
}

impl<'a> Pieces<'a> {
    /// Adds a value. Most are ready at the first poll, because their relation was prefetched.
    async fn begin(&mut self, mut rendered: Rendered<'a>) -> ServerResult<()> {
        match poll_fn(|cx| Poll::Ready(rendered.as_mut().poll(cx))).await {
            Poll::Ready(json) => self.json.extend_from_slice(&json?),
            Poll::Pending => self.waiting.push(Piece { offset: self.json.len(), rendered }),
        }
        Ok(())
    }

    /// Waits for all values.
    async fn finish(self) -> ServerResult<Vec<u8>> {
        if self.waiting.is_empty() {
            return Ok(self.json);
        }
        // Each has been polled once and wakes this task. Polled again at once, some would be early: async-graphql polls
        // all fields of all rows before it polls one again.
        let mut is_woken = false;
        poll_fn(|_| if std::mem::replace(&mut is_woken, true) { Poll::Ready(()) } else { Poll::Pending })
            .await;
        let late = all_or_error(self.waiting).await?;
        let length: usize = late.iter().map(|(_, json)| json.len()).sum();
        let (mut whole, mut begin) = (Vec::with_capacity(self.json.len() + length), 0);
        for (offset, json) in late {
            whole.extend_from_slice(&self.json[begin..offset]);
            whole.extend_from_slice(&json);
            begin = offset;
        }
        whole.extend_from_slice(&self.json[begin..]);
        Ok(whole)
    }
}

/// Reads an argument of a field.
///
/// # Errors
/// Its value is not of its type.
pub fn argument<T: InputType>(ctx: &Context<'_>, name: &str) -> ServerResult<T> {
    ctx.param_value(name, None).map(|(_, value)| value).map_err(|error| ctx.set_error_path(error))
}

/// Writes null for a nullable field that failed, in place of what was written of it, and reports its error.
///
/// # Errors
/// Never fails; returns `Result` so that generated code can chain it with `?`.
pub fn nullable(
    ctx: &Context<'_>,
    (json, begin): (&mut Vec<u8>, usize),
    written: ServerResult<()>,
) -> ServerResult<()> {
    if let Err(error) = written {
        ctx.add_error(error);
        json.truncate(begin);
        json::null(json);
    }
    Ok(())
}

/// Returns the error of a field whose function failed.
pub fn failed(ctx: &Context<'_>, error: impl Into<Error>) -> ServerError {
    ctx.set_error_path(error.into().into_server_error(ctx.item.pos))
}

/// Gives the error of a field its path. What is below an `async` field keeps its own: so does async-graphql.
///
/// # Errors
/// The error of the field.
pub fn within(ctx: &Context<'_>, written: ServerResult<()>) -> ServerResult<()> {
    written.map_err(|error| ctx.set_error_path(error))
}

/// Returns the result of an `async` function that waits for nothing.
pub fn ready<T>(value: impl Future<Output = T>) -> T {
    value.now_or_never().expect("it has no `await`")
}
