//! `/onboarding/template.csv` and `.xlsx`: an empty roster to fill in. It contains no data, so it needs no token.

use std::sync::LazyLock;

use axum::Router;
use axum::http::{HeaderName, header};
use axum::routing::get;

use roster::template;

const CSV: &str = "text/csv; charset=utf-8";
const WORKBOOK: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// The routes of both formats.
pub fn routes() -> Router {
    static CSV_BYTES: LazyLock<Vec<u8>> = LazyLock::new(template::csv);
    static WORKBOOK_BYTES: LazyLock<Vec<u8>> = LazyLock::new(template::workbook);
    Router::new()
        .route("/onboarding/template.csv", get(async || file(CSV, "csv", &CSV_BYTES)))
        .route("/onboarding/template.xlsx", get(async || file(WORKBOOK, "xlsx", &WORKBOOK_BYTES)))
}

fn file(
    kind: &'static str,
    extension: &str,
    bytes: &'static [u8],
) -> ([(HeaderName, String); 4], &'static [u8]) {
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"roster-template.{extension}\"")),
        (header::CACHE_CONTROL, "public, max-age=3600".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    (headers, bytes)
}
