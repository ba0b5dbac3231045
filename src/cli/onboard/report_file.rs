//! Files that the command writes: the refused rows of a file, and the differences of a monthly list.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::Failure;
use super::args::Request;
use super::loaded_roster::LoadedRoster;
use super::summary::ProblemRow;
use crate::http::onboarding::error_of;
use domain::language::Language;
use domain::problem::{Problem, ProblemCode};
use roster::ReportWriter;

/// The files that a command writes, if they are asked for.
pub(super) struct Reports {
    /// The refused rows.
    pub(super) refused: Option<ReportFile>,
    /// What a monthly list changes.
    pub(super) differences: Option<Differing>,
}

/// The differences of a monthly list, in a form.
pub(super) struct Differing {
    pub(super) file: ReportFile,
    pub(super) is_workbook: bool,
}

impl Reports {
    /// Creates the files, or refuses a path at which one cannot be written.
    pub(super) fn create(args: &Request) -> Result<Self, Failure> {
        let refused = args.report.as_deref().map(|path| ReportFile::create("report", path, &args.file));
        let differences = args.differences.as_deref().map(|path| Differing::create(path, &args.file));
        Ok(Self { refused: refused.transpose()?, differences: differences.transpose()? })
    }
}

impl Differing {
    fn create(path: &Path, list: &Path) -> Result<Self, Failure> {
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        let is_workbook = match extension.as_deref() {
            Some("csv") => false,
            Some("xlsx") => true,
            _ => {
                let message = "Name the file of differences .csv or .xlsx.";
                let problem = Problem::error(ProblemCode::InvalidFormat, "differences", message);
                return Err(Failure::Refused(vec![problem]));
            }
        };
        Ok(Self { file: ReportFile::create("differences", path, list)?, is_workbook })
    }

    /// Returns the folder in which the file is.
    pub(super) fn folder(&self) -> PathBuf {
        let folder = self.file.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        folder.unwrap_or(Path::new(".")).to_owned()
    }
}

/// A report that is being written. It gets its name only when it is complete, so that half a report never replaces an
/// older file.
pub(super) struct ReportFile {
    path: PathBuf,
    part: PathBuf,
    file: File,
}

impl ReportFile {
    /// Creates the report that an option names, or refuses a path at which it cannot be written.
    fn create(option: &str, path: &Path, roster: &Path) -> Result<Self, Failure> {
        let refuse = |reason: String| {
            let message = format!("The {option} cannot be written to {}: {reason}.", path.display());
            Failure::Refused(vec![Problem::error(ProblemCode::InvalidFormat, option, message)])
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
        // Other accounts may be able to read a part that an interrupted run left behind. They cannot read a new file.
        let _ = fs::remove_file(&part);
        let file = options.open(&part).map_err(|error| refuse(error.to_string()))?;
        Ok(Self { path: path.to_owned(), part: part.into(), file })
    }

    /// Writes the refused rows, and gives the report its name.
    pub(super) fn write(self, roster: &LoadedRoster, rows: &[ProblemRow]) -> io::Result<()> {
        let out = io::BufWriter::new(&self.file);
        let mut report = ReportWriter::new(out, &roster.columns, roster.separator)?;
        for row in rows.iter().filter(|row| row.is_refused) {
            let Some(original) = roster.originals.get(row.row) else { continue };
            report.write(original, &error_of(&row.problems, &roster.columns, Language::English))?;
        }
        io::Write::flush(&mut report.finish()?)?;
        fs::rename(&self.part, &self.path)
    }
}

impl ReportFile {
    /// Writes a report that arrives in pieces, and gives it its name.
    pub(super) async fn write_pieces(
        self,
        mut pieces: tokio::sync::mpsc::Receiver<io::Result<axum::body::Bytes>>,
    ) -> io::Result<()> {
        while let Some(piece) = pieces.recv().await {
            io::Write::write_all(&mut &self.file, &piece?)?;
        }
        fs::rename(&self.part, &self.path)
    }
}

impl ReportFile {
    /// Copies a finished file, and gives it its name.
    pub(super) fn copy(self, mut finished: File) -> io::Result<()> {
        io::copy(&mut finished, &mut &self.file)?;
        fs::rename(&self.part, &self.path)
    }
}

impl Drop for ReportFile {
    fn drop(&mut self) {
        // A complete report has been renamed.
        let _ = fs::remove_file(&self.part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_never_replaces_the_roster_and_leaves_no_part_behind() {
        let folder = std::env::temp_dir().join(uuid::Uuid::now_v7().to_string());
        fs::create_dir(&folder).unwrap();
        let (roster, report) = (folder.join("roster.csv"), folder.join("report.csv"));
        let text = "NIK,NIP,NAMA,TANGGAL LAHIR,JENIS KELAMIN\n1,2,Ani,x,P\n";
        fs::write(&roster, text).unwrap();
        assert!(matches!(
            ReportFile::create("report", &folder.join(".").join("roster.csv"), &roster),
            Err(Failure::Refused(_))
        ));
        assert!(matches!(ReportFile::create("report", &folder, &roster), Err(Failure::Refused(_))));
        assert!(matches!(Differing::create(&folder.join("list.ods"), &roster), Err(Failure::Refused(_))));

        let create =
            || ReportFile::create("report", &report, &roster).unwrap_or_else(|_| panic!("it can be written"));
        drop(create());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        create().write(&LoadedRoster::of_text(text), &[]).unwrap();
        assert_eq!(
            fs::read_to_string(&report).unwrap(),
            "\u{feff}NIK,NIP,NAMA,TANGGAL LAHIR,JENIS KELAMIN,error\n"
        );
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
        fs::remove_dir_all(&folder).unwrap();
    }
}
