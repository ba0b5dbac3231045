//! The export of coverage: the answer of the field `coverage` as a table. Its rights, its steps of five and its moment are
//! those of the field.

use std::sync::{Arc, LazyLock};

use async_graphql::{Request, ServerError, Value, Variables};
use axum::body::Body;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use graphql_front::answer::log_cause;
use graphql_front::code::Code;
use roster::Cell;
use serde_json::{Value as Json, json};

use super::sheet::Sheet;
use super::{
    Format, ROWS, Refused, Service, failed_export, finish_workbook, in_background, name_file, workbook,
};
use crate::graphql::caller::Caller;
use crate::graphql::code::RegistryCode;
use crate::graphql::context::RequestContext;
use crate::graphql::export::Dataset;
use crate::graphql::{self, Registry};
use crate::http::onboarding::FileRequest;
use crate::http::position::AtStandby;
use crate::store::audit::About;

static SCHEMA: LazyLock<Registry> = LazyLock::new(graphql::schema);

const QUERY: &str = "query Export($filter: CoverageFilter) {
    coverage(filterBy: $filter) {
        counts { ...counts } target { active year }
        byProvince { province { code name } counts { ...counts } target { active year } }
        bySegment { segment counts { ...counts } }
        byChannelKind { kind counts { ...counts } }
    }
}
fragment counts on ParticipantCounts { total registered active inactive ended }";

/// Answers with the table.
pub(super) async fn export(
    service: &Arc<Service>,
    context: &FileRequest,
    (caller, at): (Caller, Option<AtStandby>),
    filter: Value,
    format: Format,
) -> Result<Response, Refused> {
    let filter = filter.into_json().unwrap_or_default();
    let answer = match at {
        Some(at) => match read_at(&at, context, &caller, &filter).await {
            Some(answer) => answer,
            None => read(context, caller, &filter).await,
        },
        None => read(context, caller, &filter).await,
    };
    if let Some(error) = answer.errors.first() {
        return Err(refuse(context, error));
    }
    let coverage = answer.data.into_json().unwrap_or_default();
    let rows = rows_of(&coverage["coverage"]);
    context.pay(service.rate_limiter.as_deref(), rows.len() as u64)?;
    let (count, spool) = (rows.len(), service.spool.clone());
    let written = async {
        let folder = spool.clone();
        let sheet = in_background(move || {
            let mut sheet = match format {
                Format::Csv => Sheet::csv(Dataset::Coverage)?,
                Format::Xlsx => Sheet::workbook(Dataset::Coverage, &folder)?,
            };
            rows.iter().try_for_each(|row| sheet.write(row))?;
            Ok(sheet)
        });
        Ok(match sheet.await? {
            Sheet::Csv(csv) => Body::from(csv.end()?).into_response(),
            sheet => workbook(finish_workbook(sheet, spool).await?, context.recipient()),
        })
    };
    let mut response = written.await.map_err(|error| failed_export(context, &error))?;
    response.headers_mut().insert(ROWS, count.into());
    name_file(&mut response, Dataset::Coverage, format);
    Ok(response)
}

/// Asks as the caller.
async fn read(context: &FileRequest, caller: Caller, filter: &Json) -> async_graphql::Response {
    let about = About {
        operation: "export".to_owned(),
        purpose: caller.purpose.clone(),
        request_id: context.id.uuid(),
    };
    let request = Request::new(QUERY).variables(Variables::from_json(json!({ "filter": filter })));
    SCHEMA.execute(request.data(RequestContext::new(caller, about))).await
}

/// Asks at a standby. `None`: it failed.
async fn read_at(
    at: &AtStandby,
    context: &FileRequest,
    caller: &Caller,
    filter: &Json,
) -> Option<async_graphql::Response> {
    let caller = caller.clone().at(&at.standby);
    let session = caller.session.clone();
    let answer = tokio::select! {
        answer = read(context, caller, filter) => answer,
        () = at.standby.is_lost() => return None,
    };
    if session.has_failed() {
        at.standby.suspect();
        return None;
    }
    at.answered();
    Some(answer)
}

/// Refuses as the field does.
fn refuse(context: &FileRequest, error: &ServerError) -> Refused {
    let code = error.extensions.as_ref().and_then(|extensions| extensions.get("code"));
    let code = code.and_then(|code| match code {
        Value::String(name) => RegistryCode::find(name),
        _ => None,
    });
    Box::new(match code {
        Some(code) => context.refuse_with(StatusCode::BAD_REQUEST, code, error.message.clone()),
        None => {
            log_cause(error, context.id);
            tracing::warn!(request_id = %context.id, error = error.message, "coverage could not be exported");
            context.refuse(StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable)
        }
    })
}

fn rows_of(coverage: &Json) -> Vec<Vec<Cell<'static>>> {
    let list = |name: &str| coverage[name].as_array().cloned().unwrap_or_default();
    let all = row(("ALL", &Json::Null, &Json::Null), coverage);
    let provinces = list("byProvince");
    let provinces = provinces.iter().map(|part| {
        let province = &part["province"];
        row(("PROVINCE", &province["code"], &province["name"]), part)
    });
    let (segments, kinds) = (list("bySegment"), list("byChannelKind"));
    let segments = segments.iter().map(|part| row(("SEGMENT", &part["segment"], &Json::Null), part));
    let kinds = kinds.iter().map(|part| row(("CHANNEL_KIND", &part["kind"], &Json::Null), part));
    std::iter::once(all).chain(provinces).chain(segments).chain(kinds).collect()
}

fn row((by, code, name): (&'static str, &Json, &Json), part: &Json) -> Vec<Cell<'static>> {
    let text = |value: &Json| value.as_str().map_or(Cell::Empty, |text| text.to_owned().into());
    let number = |value: &Json| value.as_i64().map_or(Cell::Empty, Cell::Number);
    let (counts, target) = (&part["counts"], &part["target"]);
    vec![
        by.into(),
        text(code),
        text(name),
        number(&counts["total"]),
        number(&counts["registered"]),
        number(&counts["active"]),
        number(&counts["inactive"]),
        number(&counts["ended"]),
        number(&target["active"]),
        number(&target["year"]),
    ]
}
