//! The file of an export while it is written: CSV in pieces, or a workbook on the disk.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::path::Path;

use axum::body::Bytes;
use roster::{Cell, CsvTable, WorkbookTable};
use sha2::{Digest as _, Sha256};

use crate::graphql::export::Dataset;
use crate::http::file_body::Buffer;
use crate::http::onboarding::spool::unnamed_file;

/// A file that takes rows.
pub(super) enum Sheet {
    Csv(Box<CsvSheet>),
    Workbook(Box<WorkbookTable>),
}

impl Sheet {
    pub(super) fn csv(dataset: Dataset) -> io::Result<Self> {
        Ok(Self::Csv(Box::new(CsvSheet::new(dataset.columns())?)))
    }

    pub(super) fn workbook(dataset: Dataset, spool: &Path) -> io::Result<Self> {
        let table = WorkbookTable::new(spool, dataset.into(), dataset.columns())?;
        Ok(Self::Workbook(Box::new(table)))
    }

    pub(super) fn write(&mut self, row: &[Cell]) -> io::Result<()> {
        match self {
            Self::Csv(sheet) => {
                sheet.rows += 1;
                sheet.table.write(row)
            }
            Self::Workbook(table) => table.write(row),
        }
    }
}

/// A CSV that is sent in pieces.
pub(super) struct CsvSheet {
    table: CsvTable<Buffer>,
    buffer: Buffer,
    digest: Sha256,
    rows: u64,
}

impl CsvSheet {
    fn new(columns: &[&str]) -> io::Result<Self> {
        let buffer = Buffer::default();
        Ok(Self { table: CsvTable::new(buffer.clone(), columns)?, buffer, digest: Sha256::new(), rows: 0 })
    }

    /// Takes what was written since the last time.
    pub(super) fn take(&mut self) -> io::Result<Bytes> {
        self.table.flush()?;
        let piece = self.buffer.take();
        self.digest.update(&piece);
        Ok(piece)
    }

    /// Ends the file with the number of rows and the digest of all bytes before them, and returns what is left of it.
    pub(super) fn end(mut self) -> io::Result<Bytes> {
        let rest = self.take()?;
        let Self { table, buffer, digest, rows } = self;
        let digest = format!("sha256={}", hex::encode(digest.finalize()));
        table.end(&["#end", &format!("rows={rows}"), &digest])?;
        Ok([rest, buffer.take()].concat().into())
    }
}

/// A workbook on the disk, at its beginning.
pub(super) struct SavedWorkbook {
    pub(super) file: File,
    pub(super) bytes: u64,
    pub(super) sha256: Vec<u8>,
}

/// Saves a workbook in a file without a name.
pub(super) fn save(table: WorkbookTable, spool: &Path) -> io::Result<SavedWorkbook> {
    let mut file = unnamed_file(spool)?;
    table.save(io::BufWriter::new(&file))?;
    let bytes = file.stream_position()?.max(file.metadata()?.len());
    file.rewind()?;
    let (mut digest, mut piece) = (Sha256::new(), vec![0; 64 << 10]);
    loop {
        match file.read(&mut piece)? {
            0 => break,
            read => digest.update(&piece[..read]),
        }
    }
    file.rewind()?;
    Ok(SavedWorkbook { file, bytes, sha256: digest.finalize().to_vec() })
}
