//! `/onboarding/template.csv` and `.xlsx`: an empty roster to fill in, of the people whom `segment` and `category` name, or an
//! empty monthly list with `kind=MONTHLY_LIST`. It contains no data, so it needs no token.

use std::collections::HashMap;
use std::sync::LazyLock;

use axum::Router;
use axum::extract::Query;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde::Deserialize;
use strum::VariantArray as _;

use domain::enrollment::{CivilServantCategory, Segment};
use domain::onboarding::{OnboardingKind, RosterKind};
use roster::template;

/// A format of templates.
#[derive(Clone, Copy)]
enum Format {
    Csv,
    Workbook,
}

/// The kind of a template, in the words of the API. Without any it is a roster of civil servants.
#[derive(Deserialize)]
struct KindQuery {
    #[serde(default)]
    kind: OnboardingKind,
    segment: Option<Segment>,
    category: Option<CivilServantCategory>,
}

/// The routes of both formats.
pub fn routes() -> Router {
    Router::new()
        .route("/onboarding/template.csv", get(async |kind| answer(Format::Csv, kind)))
        .route("/onboarding/template.xlsx", get(async |kind| answer(Format::Workbook, kind)))
}

fn answer(
    format: Format,
    kind: Result<Query<KindQuery>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let kind = kind.ok().and_then(|Query(KindQuery { kind, segment, category })| {
        Some((kind, RosterKind::of_template(segment, category)?))
    });
    match kind.and_then(|kind| TEMPLATES.get(&kind)) {
        Some(template) => template.of(format),
        None => (StatusCode::BAD_REQUEST, unknown_kind()).into_response(),
    }
}

fn unknown_kind() -> String {
    let segments: Vec<&str> = Segment::VARIANTS.iter().map(Into::into).collect();
    let categories: Vec<&str> = CivilServantCategory::VARIANTS.iter().map(Into::into).collect();
    format!(
        "kind is ROSTER or MONTHLY_LIST; segment is one of {}; category is one of {}, and only wage earners of a government have \
         one.\n",
        segments.join(", "),
        categories.join(", ")
    )
}

/// The bytes of a template in both formats.
struct Template {
    name: &'static str,
    csv: Vec<u8>,
    workbook: Vec<u8>,
}

/// The templates of all kinds: anybody may ask for them, so none is made twice.
static TEMPLATES: LazyLock<HashMap<(OnboardingKind, RosterKind), Template>> = LazyLock::new(|| {
    let segments = Segment::VARIANTS.iter().map(|&segment| (Some(segment), None));
    let categories = CivilServantCategory::VARIANTS.iter().map(|&category| (None, Some(category)));
    let kinds = segments.chain(categories);
    let kinds = kinds.filter_map(|(segment, category)| RosterKind::of_template(segment, category));
    let both = |kind| [OnboardingKind::Roster, OnboardingKind::MonthlyList].map(|file| (file, kind));
    kinds.flat_map(both).map(|(file, kind)| ((file, kind), Template::new(file, kind))).collect()
});

impl Template {
    fn new(file: OnboardingKind, kind: RosterKind) -> Self {
        let name = match file {
            OnboardingKind::Roster => "roster-template",
            OnboardingKind::MonthlyList => "monthly-list-template",
        };
        Self { name, csv: template::csv(file, kind), workbook: template::workbook(file, kind) }
    }

    fn of(&'static self, format: Format) -> Response {
        let (kind, extension, bytes) = match format {
            Format::Csv => ("text/csv; charset=utf-8", "csv", &self.csv),
            Format::Workbook => {
                ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx", &self.workbook)
            }
        };
        let headers: [(HeaderName, String); 4] = [
            (header::CONTENT_TYPE, kind.to_owned()),
            (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}.{extension}\"", self.name)),
            (header::CACHE_CONTROL, "public, max-age=3600".to_owned()),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        ];
        (headers, bytes.as_slice()).into_response()
    }
}
