//! S7: files, alone and beside requests.

use std::time::Duration;

use serde_json::json;

use crate::Cli;
use crate::client::request;
use crate::load::{Load, cycle};
use crate::reading::PAGE;
use crate::register::Register;
use crate::report::{Report, Row, Target, ms};
use crate::server::Server;
use crate::writing::Onboarding;

/// The first number for people in files.
const FIRST: u64 = 7_000_000;
/// Requests beside a file, each second.
const PER_SECOND: u32 = 60;

/// Measures a file, from its first byte to the outcome of its last row, and the peak memory; and another one while requests
/// come at a steady rate.
pub async fn measure(
    cli: &Cli,
    register: &Register,
    server: &Server,
    report: &mut Report,
) -> anyhow::Result<()> {
    let mut onboarding = Onboarding::new(register, server, FIRST).await?;
    let rows = cli.file_rows;
    let row = |what: &str, [received, applied]: [Duration; 2], copied: Duration, target| {
        let all = (received + applied).as_secs_f64();
        Row {
            part: "S7",
            participants: register.participants,
            what: format!("{rows} in a file{what}"),
            registry: format!(
                "{:.0} rows/s (received in {:.1} s, applied in {:.1} s), peak {} MiB",
                rows as f64 / all,
                received.as_secs_f64(),
                applied.as_secs_f64(),
                server.process().peak_memory().unwrap_or_default() >> 20,
            ),
            compared_with: format!("COPY: {:.0} rows/s", rows as f64 / copied.as_secs_f64()),
            value: copied.as_secs_f64() / all,
            target: Target::AtLeast(target),
        }
    };
    let roster = onboarding.roster(rows);
    let (batch, times) = onboarding.file(&roster, rows).await?;
    let copied = onboarding.copy_again(batch).await?;
    report.add(row("", times, copied, 0.7));

    let page = [request(&register.token, PAGE, &json!({"province": "16"}))];
    let (load, pages) = (Load::to(server.address), cycle(&page));
    let resting = async {
        tokio::time::sleep(cli.plan().measure).await;
        Ok(())
    };
    // Written before, because the load is sent by the same thread.
    let roster = onboarding.roster(rows);
    let ((), quiet) = load.beside(PER_SECOND, &pages, resting).await?;
    let ((batch, times), busy) = load.beside(PER_SECOND, &pages, onboarding.file(&roster, rows)).await?;
    let copied = onboarding.copy_again(batch).await?;
    report.add(row(&format!(" beside {PER_SECOND} pages/s"), times, copied, 0.6));
    report.add(Row {
        part: "S7",
        participants: register.participants,
        what: format!("these {} pages", busy.answers),
        registry: format!("p50 {}, p99 {}", ms(busy.p50), ms(busy.p99)),
        compared_with: format!("without a file: p50 {}, p99 {}; p99 in ms", ms(quiet.p50), ms(quiet.p99)),
        value: busy.p99.as_secs_f64() * 1e3,
        target: Target::AtMost(2.0 * quiet.p99.as_secs_f64() * 1e3 + 5.0),
    });
    Ok(())
}
