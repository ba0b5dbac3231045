//! The number of SQL statements of a monthly list: as many for each chunk, however many rows it has.

use super::*;
use crate::support::row;
use crate::support::statements::sent;

/// Kinds of rows in a hundred: 3 join, 2 leave, 1 comes and leaves, 5 have another wage, 1 has moved.
fn cells(at: u32) -> &'static str {
    match at % 100 {
        0..3 => "2000000;;;;",
        3..5 => "2000000;;20-09-2014;A1;",
        5 => "2000000;03-09-2014;20-09-2014;A1;",
        6..11 => "2100000;;;;",
        11 => "2000000;;;;15",
        _ => "2000000;;;;",
    }
}

/// Returns whether the person of a row is registered before the list.
fn is_registered(at: u32) -> bool {
    !matches!(at % 100, 0..3 | 5)
}

fn line_of(at: u32, cells: &str) -> String {
    let person = row(at);
    let cell = |field: &str| person[field].as_str().unwrap().to_owned();
    format!("{};Budi Santoso;{};L;{cells}", cell("nationalId"), cell("birthDate"))
}

/// Statements that the time decides: renewing a lease, and reading the clients again.
const BY_TIME: [&str; 2] = ["with held as", "select id, issuer"];

/// Registers the staff, then plans and applies a list of this many rows. Returns the number of statements.
async fn statements(chunk_rows: usize, rows: u32) -> usize {
    let payer = Payer::new(chunk_rows).await;
    let staff: Vec<String> =
        (1..=rows).filter(|&at| is_registered(at)).map(|at| line_of(at, "2000000;;;;")).collect();
    let roster = json!({"planOnly": false, "startsOn": "2014-01-01", "programmes": ["WORK_ACCIDENT", "DEATH", "OLD_AGE"]});
    payer.onboardings.start_and_upload(roster, &list(&staff)).await;
    payer.onboardings.work().await;
    let mut input = Payer::input("2014-09-01");
    input["planOnly"] = json!(false);
    let lines: Vec<String> = (1..=rows).map(|at| line_of(at, cells(at))).collect();
    let batch = payer.onboardings.start_and_upload(input, &list(&lines)).await;
    let ((), statements) = sent(payer.onboardings.work()).await;
    let done = payer.look(&batch).await;
    let share = |of_hundred: u32| i64::from(rows / 100 * of_hundred);
    let expected = [
        ("JOINS", share(4)),
        ("LEAVES", share(2)),
        ("WAGE_CHANGES", share(5)),
        ("MOVED", share(1)),
        ("UNCHANGED", share(88)),
    ];
    assert_eq!((&done["state"], changes(&done)), (&json!("COMPLETED"), expected.to_vec()));
    assert_eq!(payer.app().differing_counters().await, 0);
    let is_by_time = |statement: &&String| BY_TIME.iter().any(|start| statement.contains(start));
    statements.iter().filter(|statement| !is_by_time(statement)).count()
}

#[tokio::test]
async fn the_statements_of_a_list_grow_with_its_chunks_and_not_with_its_rows() {
    let of_small_chunks = [statements(100, 1_000).await, statements(100, 2_000).await];
    let of_one_chunk = [statements(1_000, 1_000).await, statements(10_000, 10_000).await];
    assert_eq!(of_one_chunk[0], of_one_chunk[1], "a thousand rows or ten thousand");
    let of_ten_chunks = of_small_chunks[1] - of_small_chunks[0];
    assert_eq!(of_ten_chunks % 10, 0, "as many for each chunk: {of_small_chunks:?}");
    assert!(
        of_ten_chunks / 10 <= 45,
        "{of_ten_chunks} statements for ten chunks that are planned and applied"
    );
}
