/// The limits of a file. A file beyond a limit is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the file (default 512 MiB).
    pub bytes: u64,
    /// People in the file (default one million, as many as fit in a sheet).
    pub rows: u64,
    /// Bytes of one row (default 64 KiB). An ordinary row has 150; a longer one is usually a quotation mark that was
    /// never closed. The reader holds this much in memory, whatever the size of the file.
    pub row_bytes: usize,
    /// Bytes of one cell (default 4 KiB). A row with a longer cell is refused, and the other rows are read.
    pub field_bytes: usize,
    /// Columns of the table (default 200).
    pub columns: usize,
    /// Bytes of each part of a workbook after decompression (default 512 MiB). They are counted while they are
    /// unpacked: the size that the archive declares is not trusted.
    pub unpacked_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 512 << 20,
            rows: 1_000_000,
            row_bytes: 64 << 10,
            field_bytes: 4 << 10,
            columns: 200,
            unpacked_bytes: 512 << 20,
        }
    }
}
