//! Measures how fast and in how much memory a roster is read. Without arguments, it reads a CSV file of a million rows
//! and a workbook of a hundred thousand. With file names, it reads those files.
//!
//! `cargo bench --bench roster [-- FILE…]`

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use domain::identity::NumberColumn;
use roster::{Limits, open};

const NAMES: [&str; 12] = [
    "NO",
    "NIP",
    "NIK",
    "NAMA",
    "TEMPAT LAHIR",
    "TANGGAL LAHIR",
    "JENIS KELAMIN",
    "UNIT KERJA",
    "GOLONGAN",
    "GAJI POKOK",
    "TMT",
    "NO HP",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files: Vec<PathBuf> =
        std::env::args().skip(1).filter(|name| !name.starts_with("--")).map(PathBuf::from).collect();
    if files.is_empty() {
        let folder = std::env::temp_dir();
        let (csv, workbook) = (folder.join("registry-bench.csv"), folder.join("registry-bench.xlsx"));
        write_csv(&csv, 1_000_000)?;
        write_workbook(&workbook, 100_000)?;
        let measured = [&csv, &workbook].map(|path| measure(path));
        std::fs::remove_file(csv)?;
        std::fs::remove_file(workbook)?;
        return measured.into_iter().collect();
    }
    files.iter().try_for_each(|path| measure(path))
}

fn cells(row: u32) -> [String; 12] {
    let day = 1 + row % 28;
    let of = str::to_owned;
    [
        row.to_string(),
        format!("197807{day:02}2007012{:03}", row % 1_000),
        format!("167108{day:02}0778{:04}", 1 + row % 9_999),
        format!("Fitri Ismail Marlina {row}, S.Pd."),
        of("Palembang"),
        format!("{day:02}/07/1978"),
        of("L"),
        of("Dinas Kesehatan"),
        of("IV/c"),
        of("4.220.000,00"),
        of("01/11/2014"),
        format!("0895{row:08}"),
    ]
}

fn write_csv(path: &Path, rows: u32) -> std::io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    writeln!(file, "{}", NAMES.join(";"))?;
    (1..=rows).try_for_each(|row| writeln!(file, "{}", cells(row).join(";")))?;
    file.flush()
}

fn write_workbook(path: &Path, rows: u32) -> Result<(), rust_xlsxwriter::XlsxError> {
    let mut workbook = rust_xlsxwriter::Workbook::new();
    let sheet = workbook.add_worksheet();
    sheet.write_row(0, 0, NAMES)?;
    for row in 1..=rows {
        sheet.write_row(row, 0, cells(row))?;
    }
    workbook.save(path)
}

fn measure(path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let started = Instant::now();
    let file = File::open(path)?;
    let bytes = file.metadata()?.len();
    let (mut rows, mut column) = (0_u32, NumberColumn::default());
    let outcome = open(file, &Limits::default()).and_then(|roster| {
        roster.into_iter().try_for_each(|record| {
            let record = record?;
            rows += 1;
            column.add(&record.row.national_id);
            Ok(())
        })
    });
    let seconds = started.elapsed().as_secs_f64();
    let outcome = outcome.map_or_else(|error| error.to_string(), |()| "read to its end".to_owned());
    writeln!(
        std::io::stdout(),
        "{}: {:.1} MB, {rows} rows in {seconds:.2} s, {:.0} rows/s, peak {}: {outcome}",
        path.display(),
        bytes as f64 / 1e6,
        f64::from(rows) / seconds,
        peak().unwrap_or_else(|| "of memory unknown".to_owned()),
    )?;
    Ok(())
}

/// Returns the peak memory of this process. For generated files it includes their writing, so measure existing files by
/// their names.
fn peak() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    Some(status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().to_owned())
}
