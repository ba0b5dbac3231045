//! The file with the rows that failed.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::Stop;
use super::sheet::Sheet;
use super::verdict::{Failing, explained};
use domain::problem::{Problem, ProblemCode};
use roster::ReportWriter;

/// A report under way. Under its own name it appears only when it is complete, so that nothing is lost if it never is.
pub(super) struct ReportFile {
    path: PathBuf,
    part: PathBuf,
    file: File,
}

impl ReportFile {
    /// Makes sure, before anybody is enrolled, that the report can be written.
    pub(super) fn create(path: &Path, roster: &Path) -> Result<Self, Stop> {
        let refuse = |reason: String| {
            let message = format!("The report cannot be written to {}: {reason}.", path.display());
            Stop::Refused(vec![Problem::error(ProblemCode::InvalidFormat, "report", message)])
        };
        if path.is_dir() {
            return Err(refuse("it is a folder".to_owned()));
        }
        if fs::canonicalize(path)
            .is_ok_and(|path| fs::canonicalize(roster).is_ok_and(|roster| path == roster))
        {
            return Err(refuse("it is the roster itself".to_owned()));
        }
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        // What an interrupted run left behind may be readable to others: a new file is not.
        let _ = fs::remove_file(&part);
        let file = options.open(&part).map_err(|error| refuse(error.to_string()))?;
        Ok(Self { path: path.to_owned(), part: part.into(), file })
    }

    /// Writes the rows that failed, and puts the report in its place.
    pub(super) fn keep(self, sheet: &Sheet, failing: &[Failing]) -> io::Result<()> {
        let out = io::BufWriter::new(&self.file);
        let mut report = ReportWriter::new(out, &sheet.columns, sheet.separator)?;
        for row in failing.iter().filter(|row| row.is_refused) {
            let Some(original) = sheet.originals.get(row.row) else { continue };
            report.write(original, &row.problems.iter().map(explained).collect::<Vec<_>>().join(" | "))?;
        }
        io::Write::flush(&mut report.finish()?)?;
        fs::rename(&self.part, &self.path)
    }
}

impl ReportFile {
    /// Writes a report that comes in pieces, and puts it in its place.
    pub(super) async fn keep_pieces(
        self,
        mut pieces: tokio::sync::mpsc::Receiver<io::Result<axum::body::Bytes>>,
    ) -> io::Result<()> {
        while let Some(piece) = pieces.recv().await {
            io::Write::write_all(&mut &self.file, &piece?)?;
        }
        fs::rename(&self.part, &self.path)
    }
}

impl Drop for ReportFile {
    fn drop(&mut self) {
        // Gone already, if it was kept.
        let _ = fs::remove_file(&self.part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_replaces_no_roster_and_leaves_nothing_behind_unless_it_is_complete() {
        let folder = std::env::temp_dir().join(uuid::Uuid::now_v7().to_string());
        fs::create_dir(&folder).unwrap();
        let (roster, report) = (folder.join("roster.csv"), folder.join("report.csv"));
        let text = "NIK,NIP,NAMA,TANGGAL LAHIR,JENIS KELAMIN\n1,2,Ani,x,P\n";
        fs::write(&roster, text).unwrap();
        assert!(matches!(
            ReportFile::create(&folder.join(".").join("roster.csv"), &roster),
            Err(Stop::Refused(_))
        ));
        assert!(matches!(ReportFile::create(&folder, &roster), Err(Stop::Refused(_))));

        let create = || ReportFile::create(&report, &roster).unwrap_or_else(|_| panic!("it can be written"));
        drop(create());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        create().keep(&Sheet::of_text(text), &[]).unwrap();
        assert_eq!(
            fs::read_to_string(&report).unwrap(),
            "\u{feff}NIK,NIP,NAMA,TANGGAL LAHIR,JENIS KELAMIN,error\n"
        );
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
        fs::remove_dir_all(&folder).unwrap();
    }
}
