//! Damage that spreadsheets do to rosters: damaged values enroll nobody, and problems name the line.

use crate::support::onboarding::{HEADER, Onboardings, line, roster, sums};
use crate::support::{Value, json};

const ROWS: &str =
    "query ($id: ID!) { onboardingBatch(id: $id) { state counts { enrolled rejected flagged } ignoredColumns
    problems { code severity path message }
    byProblem { code rows } rows { nodes { line outcome problems { code severity path message hint } } } } }";

async fn rows(onboardings: &Onboardings, batch: &str) -> Value {
    onboardings.app.ask_as(&onboardings.sender, ROWS, json!({"id": batch})).await["onboardingBatch"].take()
}

/// Returns a line whose identity number is rounded to 15 digits.
fn rounded(n: u32) -> String {
    let mut cells: Vec<String> = line(n * 10).split(';').map(str::to_owned).collect();
    cells[2] = format!("{}0", &cells[2][..15]);
    cells.join(";")
}

#[tokio::test]
async fn many_rounded_numbers_stop_a_file_and_a_few_are_flagged() {
    let onboardings = Onboardings::new(4).await;
    for rows in [6, 19] {
        let batch = onboardings.start(json!({"planOnly": false})).await;
        let reply = onboardings.upload(&batch, roster((1..=rows).map(rounded))).await;
        assert_eq!(reply.status, 422, "{rows}: {}", reply.body);
        assert_eq!(reply.body["errors"][0]["code"], "IDENTIFIER_DAMAGED_BY_SPREADSHEET");
    }
    assert_eq!(onboardings.app.count("select count(*) from participant").await, 0);
    // Two or three such numbers may be a coincidence: they are enrolled and flagged.
    let batch = onboardings.start_and_upload(json!({"planOnly": false}), &roster((1..=3).map(rounded))).await;
    onboardings.work().await;
    let found = rows(&onboardings, &batch).await;
    assert_eq!(found["counts"], json!({"enrolled": 3, "rejected": 0, "flagged": 3}), "{found}");
    assert_eq!(found["byProblem"], json!([{"code": "IDENTIFIER_DAMAGED_BY_SPREADSHEET", "rows": 3}]));
    assert_eq!(found["rows"]["nodes"][0]["problems"][0]["path"], json!(["rows", "0", "nationalId"]));
    let flagged = "select count(*) from enrollment where flags = '{IDENTIFIER_DAMAGED_BY_SPREADSHEET}'";
    assert_eq!(onboardings.app.count(flagged).await, 3);
    let honest = onboardings
        .start_and_upload(json!({"planOnly": false}), &roster([rounded(4), line(5), line(6)]))
        .await;
    onboardings.work().await;
    assert_eq!(rows(&onboardings, &honest).await["counts"]["flagged"], 0);
}

#[tokio::test]
async fn formula_errors_are_not_accepted_as_names_or_work_units() {
    let onboardings = Onboardings::new(10).await;
    let file = roster([
        line(1),
        line(2).replace("Budi Santoso", "#REF!"),
        line(3).replace("Dinas Kesehatan", "#N/A"),
        line(4).replace("4.250.000,00", "#VALUE!"),
        line(5).replace("4.250.000,00", "empat juta"),
        line(6).replace("4.250.000,00", "-1"),
    ]);
    let batch = onboardings.start_and_upload(json!({"planOnly": false}), &file).await;
    onboardings.work().await;
    let found = rows(&onboardings, &batch).await;
    assert_eq!(found["counts"], json!({"enrolled": 2, "rejected": 4, "flagged": 1}), "{found}");
    let expected = [
        ("fullName", "INVALID_FORMAT", "instead of a value."),
        ("workUnit", "INVALID_FORMAT", "instead of a value. It is left out."),
        ("monthlyWage", "INVALID_FORMAT", "instead of a value."),
        ("monthlyWage", "INVALID_FORMAT", "This is not an amount of rupiah."),
        ("monthlyWage", "OUT_OF_RANGE", "000."),
    ];
    let rows = found["rows"]["nodes"].as_array().unwrap();
    for ((row, (field, code, message)), index) in rows[1..].iter().zip(expected).zip(1..) {
        assert_eq!(row["problems"].as_array().unwrap().len(), 1, "{row}");
        let problem = &row["problems"][0];
        assert_eq!(
            (&problem["code"], &problem["path"]),
            (&json!(code), &json!(["rows", index.to_string(), field]))
        );
        assert!(problem["message"].as_str().unwrap().ends_with(message), "{row}");
    }
    let stored = "select count(*) from enrollment where monthly_wage is null or work_unit is null";
    assert_eq!(onboardings.app.count(stored).await, 1);
}

#[tokio::test]
async fn a_repeated_number_names_the_line_of_its_first_use() {
    let onboardings = Onboardings::new(2).await;
    // Two titles and an empty line, so that line numbers differ from row numbers.
    let file = format!("DAFTAR PNS\n\n{}", roster([line(1), line(2), String::new(), line(3), line(2)]));
    let batch = onboardings.start_and_upload(json!({"planOnly": false}), &file).await;
    onboardings.work().await;
    let found = rows(&onboardings, &batch).await;
    let twin = &found["rows"]["nodes"][3];
    assert_eq!((&twin["line"], &twin["outcome"]), (&json!(8), &json!("REJECTED")), "{found}");
    assert_eq!(twin["problems"][0]["message"], "Line 5 of the file has the same number.");
}

#[tokio::test]
async fn ignored_columns_are_named_in_the_upload_answer_and_in_the_plan() {
    let onboardings = Onboardings::new(10).await;
    let header = format!("{};ESELON;Kode SKPD", HEADER.replace("GAJI POKOK", "BESARAN"));
    let batch = onboardings.start(json!({})).await;
    let reply = onboardings.upload(&batch, format!("{header}\n{};IV;01\n", line(1))).await;
    let ignored = json!(["BESARAN", "ESELON", "Kode SKPD"]);
    assert_eq!((reply.status.as_u16(), &reply.body["ignoredColumns"]), (200, &ignored), "{}", reply.body);
    onboardings.work().await;
    let plan = rows(&onboardings, &batch).await;
    assert_eq!((&plan["state"], &plan["ignoredColumns"]), (&json!("AWAITING_APPROVAL"), &ignored));

    // Other names of the wage and work unit columns are recognised.
    let header = HEADER.replace("GAJI POKOK", "PENGHASILAN").replace("UNIT KERJA", "Unit Kerja / SKPD");
    let batch =
        onboardings.start_and_upload(json!({"planOnly": false}), &format!("{header}\n{}\n", line(1))).await;
    onboardings.work().await;
    let found = onboardings.fetch(&batch).await;
    assert_eq!(found["byWorkUnit"][0]["workUnit"], "Dinas Kesehatan");
    assert_eq!(rows(&onboardings, &batch).await["ignoredColumns"], json!([]));
    assert_eq!(
        onboardings.app.count("select count(*) from enrollment where monthly_wage = 4250000").await,
        1
    );
}

#[tokio::test]
async fn a_row_of_another_category_than_its_batch_is_refused() {
    let onboardings = Onboardings::new(10).await;
    let rows_of =
        [("PNS", 1), ("CPNS", 2), ("", 3), ("Aktif", 4)].map(|(word, n)| format!("{};{word}", line(n)));
    let file = format!("{HEADER};STATUS KEPEGAWAIAN\n{}\n", rows_of.join("\n"));
    let batch = onboardings.start_and_upload(json!({"planOnly": false}), &file).await;
    onboardings.work().await;
    let found = rows(&onboardings, &batch).await;
    assert_eq!(found["counts"], json!({"enrolled": 3, "rejected": 1, "flagged": 1}), "{found}");
    let problem = &found["rows"]["nodes"][1]["problems"][0];
    assert_eq!(
        (&problem["code"], &problem["path"]),
        (&json!("NOT_ELIGIBLE"), &json!(["rows", "1", "category"]))
    );
    assert_eq!(sums(&onboardings.fetch(&batch).await["counts"]), [4, 0, 3, 0, 1]);
}

#[tokio::test]
async fn lines_without_people_are_skipped_and_reported() {
    let onboardings = Onboardings::new(10).await;
    let file = roster([
        "(1);(2);(3);(4);(5);(6);(7);(8)".to_owned(),
        line(1),
        line(2),
        "JUMLAH;;;;;;;8.500.000,00".to_owned(),
        ";;;;;;Palembang, 1 Oktober 2014;".to_owned(),
    ]);
    let batch = onboardings.start(json!({"allOrNothing": true})).await;
    let reply = onboardings.upload(&batch, file).await;
    let warning = &reply.body["warnings"][0];
    let message = "Lines that are not people were left out (3): 2, 5, 6.";
    assert_eq!((&reply.body["rows"], &warning["message"]), (&json!(2), &json!(message)), "{}", reply.body);
    onboardings.work().await;
    let plan = rows(&onboardings, &batch).await;
    assert_eq!((&plan["state"], &plan["counts"]["rejected"]), (&json!("AWAITING_APPROVAL"), &json!(0)));
    let answer =
        json!([{"code": "INVALID_FORMAT", "severity": "WARNING", "path": ["file"], "message": message}]);
    assert_eq!(plan["problems"], answer);
    // A line without a number may still be a person, so it counts as a row and stops an all-or-nothing file.
    let batch = onboardings
        .start_and_upload(json!({"allOrNothing": true}), &roster([line(1), "2;;;Budi;;;;".to_owned()]))
        .await;
    onboardings.work().await;
    assert_eq!(rows(&onboardings, &batch).await["state"], "FAILED");
}

#[tokio::test]
async fn enrolled_rows_carry_no_rejecting_problems_and_implausible_wages_are_flagged() {
    let onboardings = Onboardings::new(10).await;
    let file = roster([
        line(1).replace("4.250.000,00", "4.250"),
        line(2).replace(";L;", ";P;").replace("Budi", "081234567890"),
    ]);
    let batch = onboardings.start_and_upload(json!({"planOnly": false}), &file).await;
    onboardings.work().await;
    let found = rows(&onboardings, &batch).await;
    assert_eq!(found["counts"], json!({"enrolled": 1, "rejected": 1, "flagged": 1}), "{found}");
    let wage = &found["rows"]["nodes"][0]["problems"][0];
    assert_eq!((&wage["code"], &wage["severity"]), (&json!("OUT_OF_RANGE"), &json!("WARNING")));
    assert!(!found["rows"]["nodes"][1].to_string().contains("enrolled all the same"), "{found}");
}

/// Onboards a file of `crates/roster/tests/field` and returns its outcome and the names of the people, in order.
async fn onboarded(onboardings: &Onboardings, name: &str) -> (Value, Vec<String>) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/crates/roster/tests/field");
    let batch = onboardings.start(json!({"planOnly": false})).await;
    let reply = onboardings.upload(&batch, std::fs::read(format!("{folder}/{name}")).unwrap()).await;
    assert_eq!(reply.status, 200, "{name}: {}", reply.body);
    onboardings.work().await;
    let sql = "select full_name from participant order by full_name";
    let names = sqlx::query_scalar(sql).fetch_all(&onboardings.app.sql).await.unwrap();
    (rows(onboardings, &batch).await, names)
}

#[tokio::test]
async fn dates_with_the_names_of_months_are_read_and_ambiguous_ones_are_refused() {
    let onboardings = Onboardings::new(10).await;
    let (found, names) = onboarded(&onboardings, "months.csv").await;
    assert_eq!(found["counts"], json!({"enrolled": 4, "rejected": 2, "flagged": 0}), "{found}");
    assert_eq!(names.len(), 4);
    let born = "select string_agg(birth_date::text, ' ' order by birth_date) from participant";
    let born: String = sqlx::query_scalar(born).fetch_one(&onboardings.app.sql).await.unwrap();
    assert_eq!(born, "1985-05-20 1985-06-21 1985-07-22 1985-08-23");
    let refused: Vec<&Value> = found["rows"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["outcome"] == "REJECTED")
        .collect();
    assert_eq!(refused.iter().map(|row| row["line"].as_i64().unwrap()).collect::<Vec<_>>(), [6, 7]);
}

#[tokio::test]
async fn an_invalid_telephone_number_does_not_refuse_a_row() {
    let onboardings = Onboardings::new(10).await;
    let (found, names) = onboarded(&onboardings, "phones.csv").await;
    assert_eq!(
        (&found["counts"]["enrolled"], &found["counts"]["rejected"]),
        (&json!(6), &json!(0)),
        "{found}"
    );
    assert_eq!(names.len(), 6);
    // "Tidak ada" means "none". The last number has lost its digits, and that is reported.
    let last = &found["rows"]["nodes"][5]["problems"][0];
    assert_eq!(
        (&last["severity"], &last["path"]),
        (&json!("WARNING"), &json!(["rows", "5", "phone"])),
        "{found}"
    );
}

#[tokio::test]
async fn invisible_characters_are_not_part_of_a_name() {
    let onboardings = Onboardings::new(10).await;
    let (found, names) = onboarded(&onboardings, "unseen.csv").await;
    assert_eq!(
        (&found["counts"]["enrolled"], &found["counts"]["rejected"]),
        (&json!(5), &json!(0)),
        "{found}"
    );
    let expected = [
        "Bagaskara Contohadi",
        "Cakrajaya Ujipraja",
        "Intansari Cobawati",
        "Melatisari Sampelia",
        "Tegarwan Tesmana",
    ];
    assert_eq!(names, expected);
}

#[tokio::test]
async fn people_are_enrolled_as_the_sheet_shows_them() {
    let onboardings = Onboardings::new(10).await;
    let (found, names) = onboarded(&onboardings, "two-columns.csv").await;
    assert_eq!(names, ["Cakrajaya Fiktifan", "Wulandayu Rekayani"]);
    let warning = "NAMA has a second column without a name. Its cells were joined to the names (2): 2, 3.";
    assert_eq!(found["problems"][0]["message"], warning, "{found}");
    for (name, people) in
        [("merged.xlsx", 4), ("date1904-x15.xlsx", 3), ("a-empty-v.xlsx", 2), ("a-dot-slash.xlsx", 2)]
    {
        let (found, _) = onboarded(&onboardings, name).await;
        assert_eq!(
            (&found["counts"]["enrolled"], &found["problems"]),
            (&json!(people), &json!([])),
            "{name}: {found}"
        );
    }
    let late = "select count(*) from enrollment where starts_on = '2014-12-01'";
    assert_eq!(onboardings.app.count(late).await, 4, "all four have the merged first day");
}
