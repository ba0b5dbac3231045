//! Examples for the demonstration: the tabs of the playground, and the text that `serve --demo` prints.

use std::io::Cursor;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context as _;
use serde_json::json;

use crate::demo::{BRANCH, COMPANY, GOVERNMENT_UNIT, SOUTH_SUMATRA_GOVERNMENT, company_tax_number};
use crate::graphql::node_id::NodeId;
use crate::http::playground::Tab;
use roster::{self, Limits};

/// The 8,000 civil servants of South Sumatra, all invented.
const ROSTER: &[u8] = include_bytes!("../../demo/south-sumatra/roster.csv");

const ONBOARD: &str = include_str!("../../demo/onboard.graphql");

/// Returns the id of the provincial government of South Sumatra in the demonstration.
pub fn south_sumatra_government() -> String {
    NodeId::Employer(SOUTH_SUMATRA_GOVERNMENT).encode().to_string()
}

/// Returns the tabs of the playground.
pub fn tabs() -> Vec<Tab> {
    let tab = |title, query: &str, variables: serde_json::Value| Tab {
        title,
        query: query.to_owned(),
        variables: if variables.is_null() { String::new() } else { format!("{variables:#}") },
    };
    vec![
        tab("Coverage", include_str!("../../demo/coverage.graphql"), json!({"asOf": "2014-10-02"})),
        tab("Live", include_str!("../../demo/live.graphql"), json!(null)),
        tab("Agree", include_str!("../../demo/agree.graphql"), agreement()),
        tab("Agreements", include_str!("../../demo/agreements.graphql"), json!(null)),
        tab("SouthSumatra", include_str!("../../demo/province.graphql"), json!({"code": "16"})),
        tab("People", include_str!("../../demo/people.graphql"), json!({"province": "16", "first": 10})),
        tab(
            "Enroll",
            include_str!("../../demo/enroll.graphql"),
            json!({"input": {
                "idempotencyKey": "playground-enroll-1",
                "nationalId": "1671014208850001",
                "fullName": "Siti Rahayu",
                "birthDate": "1985-08-02",
                "sex": "FEMALE",
                "provinceCode": "16",
                "segment": "SELF_EMPLOYED",
                "programmes": ["WORK_ACCIDENT", "DEATH"],
                "channelCode": "BR-PLG",
                "monthlyWage": 2_000_000,
                "startsOn": "2014-10-02",
                "firstContributionPaid": true
            }}),
        ),
        tab("OnboardFive", ONBOARD, json!({"input": five_rows()})),
        tab("Channels", include_str!("../../demo/channels.graphql"), json!({"province": "16"})),
        tab(
            "Licence",
            include_str!("../../demo/clearance.graphql"),
            json!({"input": {"taxNumber": company_tax_number(), "licenceType": "SIUP"}}),
        ),
        tab("Bill", include_str!("../../demo/bill.graphql"), bill()),
        tab("Pay", include_str!("../../demo/pay.graphql"), payment()),
        tab("Members", include_str!("../../demo/members.graphql"), members()),
        tab("Evidence", include_str!("../../demo/evidence.graphql"), json!(null)),
    ]
}

/// Returns the part of the text of `serve --demo` that lists examples to try.
pub fn things_to_try(address: SocketAddr, request: &Path) -> String {
    let (request, employer) = (request.display(), south_sumatra_government());
    format!(
        "\n  Three things to try:\n    \
         1. Open the playground and run its tabs from left to right; the token is in place.\n    \
         2. Onboard the 8,000 civil servants of South Sumatra with one mutation, in another terminal:\n         \
         curl -s http://{address}/graphql -H 'content-type: application/json' \\\n           \
         -H \"authorization: Bearer $TOKEN\" --data-binary @{request}\n    \
         3. Onboard the same list as a real spreadsheet has it, and see which rows fail and why:\n         \
         registry onboard demo/south-sumatra/roster-raw.csv --employer {employer} \\\n           \
         --channel {GOVERNMENT_UNIT} --province 16 --starts-on 2014-11-01 --first-contribution-paid\n\n"
    )
}

/// Returns the roster of South Sumatra as the body of one request.
pub fn south_sumatra_request() -> anyhow::Result<Vec<u8>> {
    let rows = roster::open(Cursor::new(ROSTER), &Limits::default())
        .and_then(|roster| {
            roster.map(|record| record.map(|record| record.row)).collect::<Result<Vec<_>, _>>()
        })
        .context("the roster that is built into the program cannot be read")?;
    let input = json!({
        "idempotencyKey": "south-sumatra-2014-11",
        "employerId": south_sumatra_government(),
        "channelCode": GOVERNMENT_UNIT,
        "provinceCode": "16",
        "startsOn": "2014-11-01",
        "firstContributionPaid": true,
        "rows": rows,
    });
    Ok(serde_json::to_vec(&json!({"query": ONBOARD, "variables": {"input": input}}))?)
}

/// Returns an agreement after a newspaper article of 2 October 2014: South Sumatra commits 8,000 civil servants. Number
/// and dates are invented.
fn agreement() -> serde_json::Value {
    json!({"input": {
        "idempotencyKey": "playground-agree-1",
        "number": "CONTOH/16/2014",
        "provinceCode": "16",
        "status": "IN_FORCE",
        "signedOn": "2014-10-01",
        "validFrom": "2014-10-01",
        "scopes": ["CIVIL_SERVANTS", "FORMAL_WORKERS", "INFORMAL_WORKERS"],
        "commitments": [{"scope": "CIVIL_SERVANTS", "headcount": 8_000, "dueOn": "2014-12-31"}],
        "source": "The article of 2 October 2014; number and days are invented",
    }})
}

/// Returns the bill of a company for the last month.
fn bill() -> serde_json::Value {
    json!({"payer": {"employerId": NodeId::Employer(COMPANY).encode()}, "month": "2014-09-01"})
}

/// Returns a payment of that company at a branch.
fn payment() -> serde_json::Value {
    json!({"input": {
        "employerId": NodeId::Employer(COMPANY).encode(),
        "month": "2014-10-01",
        "payment": {"channelCode": BRANCH, "reference": "CONTOH-0001", "paidOn": "2014-10-02", "amount": 1_000_000},
    }})
}

/// Returns members of an association: one with an identity number, a foreigner, and one whose date does not exist.
fn members() -> serde_json::Value {
    let member = |number: serde_json::Value, name: &str, birth_date: &str, sex: &str| {
        let mut row = json!({"fullName": name, "birthDate": birth_date, "sex": sex});
        row.as_object_mut()
            .expect("a row is an object")
            .extend(number.as_object().cloned().unwrap_or_default());
        row
    };
    json!({"input": {
        "idempotencyKey": "playground-members-1",
        "associationId": NodeId::Association(1).encode(),
        "channelCode": BRANCH,
        "provinceCode": "16",
        "startsOn": "2014-10-02",
        "rows": [
            member(json!({"nationalId": "1671014303900002"}), "Dewi Contoh", "1990-03-03", "P"),
            member(json!({"passportNumber": "X1234567"}), "Jean Exemple", "1988-05-17", "L"),
            member(json!({"nationalId": "1671010101900003"}), "Rudi Contoh", "1990-02-31", "L"),
        ],
    }})
}

/// Returns rows of a request: a valid row, three invalid ones, and the first one again.
fn five_rows() -> serde_json::Value {
    let row = |national_id: &str,
               service_number: &str,
               name: &str,
               birth_date: &str,
               sex: &str,
               wage: &str| {
        json!({"nationalId": national_id, "serviceNumber": service_number, "fullName": name, "birthDate": birth_date,
               "sex": sex, "workUnit": "Dinas Kesehatan", "grade": "III/a", "monthlyWage": wage})
    };
    json!({
        "idempotencyKey": "playground-onboard-1",
        "employerId": south_sumatra_government(),
        "channelCode": GOVERNMENT_UNIT,
        "provinceCode": "16",
        "programmes": ["WORK_ACCIDENT", "DEATH"],
        "category": "PNS",
        "startsOn": "2014-11-01",
        "firstContributionPaid": true,
        "allOrNothing": false,
        "rows": [
            row("1671205207780001", "197807122007012420", "Fitri Marlina, S.Pd.", "12/07/1978", "P", "4.220.000,00"),
            row("1.67101E+15", "196611202005122684", "Maya Saputra, S.E.", "20/11/1966", "P", "4.050.000,00"),
            row("1673205009600003", "196009102002032972", "Ratna Arifin", "31/02/1960", "P", "dua juta"),
            row("1611201109700004", "197009112003011233", "Budi Siregar", "1970-09-12", "L", "3405000"),
            row("1671205207780001", "197807122007012420", "Fitri Marlina, S.Pd.", "12/07/1978", "P", "4.220.000,00"),
        ],
    })
}
