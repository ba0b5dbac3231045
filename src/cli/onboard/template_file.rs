//! `registry onboard --template FILE`: writes an empty roster or monthly list to fill in.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use super::REFUSED;
use super::progress::tell;
use domain::enrollment::{CivilServantCategory, Segment};
use domain::onboarding::{OnboardingKind, RosterKind};
use roster::template;

/// Writes the template. It never overwrites a file, which may have been filled in.
pub(super) fn write(
    path: &Path,
    file: OnboardingKind,
    (segment, category): (Option<Segment>, Option<CivilServantCategory>),
) -> ExitCode {
    let Some(kind) = RosterKind::of_template(segment, category) else {
        tell("error: only wage earners of a government have a category: leave --category out");
        return ExitCode::from(REFUSED);
    };
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    let bytes = match extension.as_deref() {
        Some("csv") => template::csv(file, kind),
        Some("xlsx") => template::workbook(file, kind),
        _ => {
            tell("error: name the template .csv or .xlsx");
            return ExitCode::from(REFUSED);
        }
    };
    let opened = OpenOptions::new().write(true).create_new(true).open(path);
    match opened.and_then(|mut file| file.write_all(&bytes)) {
        Ok(()) => {
            let what = match file {
                OnboardingKind::Roster => "roster",
                OnboardingKind::MonthlyList => "monthly list",
            };
            tell(&format!("Wrote an empty {what} to {}.", path.display()));
            ExitCode::SUCCESS
        }
        Err(error) => {
            tell(&format!("error: the template cannot be written to {}: {error}", path.display()));
            ExitCode::from(REFUSED)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;
    use roster::{self, Limits};

    const ROSTER: OnboardingKind = OnboardingKind::Roster;

    #[test]
    fn the_extension_chooses_the_format_and_no_file_is_overwritten() {
        let folder = std::env::temp_dir().join(uuid::Uuid::now_v7().to_string());
        fs::create_dir(&folder).unwrap();
        for name in ["template.csv", "Template.XLSX"] {
            let path = folder.join(name);
            assert_eq!(write(&path, ROSTER, (None, None)), ExitCode::SUCCESS);
            let roster = roster::open(File::open(&path).unwrap(), &Limits::default()).unwrap();
            assert_eq!(roster.columns()[0], "NIK");
            fs::write(&path, "filled in").unwrap();
            assert_eq!(write(&path, ROSTER, (None, None)), ExitCode::from(REFUSED));
            assert_eq!(fs::read_to_string(&path).unwrap(), "filled in");
        }
        assert_eq!(write(&folder.join("template.ods"), ROSTER, (None, None)), ExitCode::from(REFUSED));
        let members = Some(Segment::SelfEmployed);
        let path = folder.join("members.csv");
        assert_eq!(write(&path, ROSTER, (members, None)), ExitCode::SUCCESS);
        let header = fs::read_to_string(&path).unwrap();
        assert!(header.contains("PENGHASILAN") && !header.contains("SEBAB KELUAR"));
        let staff = Some(CivilServantCategory::Pns);
        assert_eq!(write(&folder.join("staff.csv"), ROSTER, (members, staff)), ExitCode::from(REFUSED));
        let path = folder.join("list.xlsx");
        assert_eq!(write(&path, OnboardingKind::MonthlyList, (members, None)), ExitCode::SUCCESS);
        let kind = RosterKind::of_template(members, None).unwrap();
        let list = roster::open_monthly_list(kind, File::open(&path).unwrap(), &Limits::default()).unwrap();
        assert!(list.columns().contains(&"SEBAB KELUAR".to_owned()));
        fs::remove_dir_all(&folder).unwrap();
    }
}
