//! The header of a roster: which column means what.

use strum::{Display, IntoStaticStr, VariantArray};

use super::{Limits, RosterError};
use domain::onboarding::Row;
use domain::problem::{Problem, ProblemCode};

/// What a column can mean, by the name that rosters give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[derive(Display, IntoStaticStr, VariantArray)]
pub enum Column {
    /// The identity number.
    #[strum(serialize = "NIK")]
    NationalId,
    /// The service number of a civil servant.
    #[strum(serialize = "NIP")]
    ServiceNumber,
    /// The name with its titles.
    #[strum(serialize = "NAMA")]
    FullName,
    /// The place of birth. Nothing is kept of it.
    #[strum(serialize = "TEMPAT LAHIR")]
    BirthPlace,
    /// The date of birth.
    #[strum(serialize = "TANGGAL LAHIR")]
    BirthDate,
    /// The sex, `L` or `P`.
    #[strum(serialize = "JENIS KELAMIN")]
    Sex,
    /// The work unit (SKPD, OPD).
    #[strum(serialize = "UNIT KERJA")]
    WorkUnit,
    /// The grade of a civil servant.
    #[strum(serialize = "GOLONGAN")]
    Grade,
    /// The monthly wage in rupiah.
    #[strum(serialize = "GAJI POKOK")]
    MonthlyWage,
    /// The first day of the enrollment.
    #[strum(serialize = "TMT")]
    StartsOn,
    /// The telephone number.
    #[strum(serialize = "NO HP")]
    Phone,
    /// What kind of civil servant the row says that the person is. Nothing is kept of it.
    #[strum(serialize = "STATUS KEPEGAWAIAN")]
    Category,
    /// The running number. Read over: rows are counted.
    #[strum(serialize = "NO")]
    Number,
    /// What was wrong with the row when it was sent before. Read over.
    #[strum(serialize = "ERROR")]
    Error,
}

/// Without these there is no telling who is meant.
const NEEDED: [Column; 5] =
    [Column::NationalId, Column::ServiceNumber, Column::FullName, Column::BirthDate, Column::Sex];

/// Names of a header that are repeated to a person, at most.
const NAMES_SHOWN: usize = 20;
const NAME_LENGTH_SHOWN: usize = 40;
/// Notes behind the name of a column that say how it is filled in and change nothing of what it means: letters and digits
/// only, as in [`Column::names`]. `MM/DD/YYYY` is none of them, because dates are read day first.
const NOTES: [&str; 34] = [
    "lp",
    "pl",
    "lakilakiperempuan",
    "priawanita",
    "mf",
    "malefemale",
    "ddmmyyyy",
    "ddmmyy",
    "yyyymmdd",
    "hhbbtttt",
    "ddmmtttt",
    "tglblnthn",
    "tglbulantahun",
    "tanggalbulantahun",
    "haribulantahun",
    "16digit",
    "18digit",
    "16digits",
    "18digits",
    "16angka",
    "18angka",
    "rp",
    "idr",
    "rupiah",
    "dalamrupiah",
    "wajib",
    "wajibdiisi",
    "required",
    "opsional",
    "optional",
    "sesuaiktp",
    "teks",
    "text",
    "formatteks",
];
/// Notes behind one name, at most.
const NOTES_AT_ONCE: usize = 3;

/// A column that a header has more than once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoubledColumn {
    /// What they all mean.
    pub column: Column,
    /// How the header names them.
    pub names: Vec<String>,
}

impl Column {
    /// The names of the column in Indonesian and in English, and last its name in the API: letters and digits only,
    /// in lower case.
    ///
    /// A name stands here if it can mean nothing else. `TMT CPNS` and `TMT GOLONGAN` are other dates than `TMT`,
    /// `NIP LAMA` is another number than `NIP`, `KODE SKPD` is no name of a work unit.
    fn names(self) -> impl Iterator<Item = &'static str> {
        let names = match self {
            Self::NationalId => {
                "nik nonik nomornik ktp noktp nomorktp nikktp niknoktp noindukkependudukan nomorindukkependudukan \
                 identitynumber identitycardnumber nationalidnumber nationalid"
            }
            Self::ServiceNumber => {
                "nip nonip nomornip nipbaru nippns nipnrp noindukpegawai nomorindukpegawai civilservantnumber \
                 servicenumber"
            }
            Self::FullName => {
                "nama namalengkap namapegawai namapns namapeserta namadangelar namadengangelar namalengkapdangelar \
                 namalengkapdengangelar namalengkappegawai name fullname employeename nameofemployee"
            }
            Self::BirthPlace => "tempatlahir tmptlahir tmplahir tptlahir kotalahir placeofbirth birthplace",
            Self::BirthDate => "tanggallahir tgllahir tglahir tgllhr dateofbirth dob birthday birthdate",
            Self::Sex => "jeniskelamin jnskelamin jeniskel jnskel kelamin jk lp gender sex",
            Self::WorkUnit => {
                "unitkerja namaunitkerja unit namaunit unor satuankerja satker namasatker skpd namaskpd skpdname opd \
                 namaopd opdname perangkatdaerah namaperangkatdaerah instansi namainstansi workunit unitname workunitname"
            }
            Self::Grade => {
                "golongan gol golonganruang golruang golru pangkatgolongan pangkatgol pangkatgolonganruang \
                 pangkatgolruang rank grade"
            }
            Self::MonthlyWage => {
                "gajipokok gapok gaji gajiperbulan gajibulan gajisebulan gajibulanan upah upahperbulan upahbulan \
                 upahsebulan upahbulanan gajiupah upahgaji wage salary basicsalary monthlysalary monthlywage \
                 allowanceorwage wageorallowance"
            }
            Self::StartsOn => {
                "tmt tmtkepesertaan terhitungmulaitanggal tanggalmulai tglmulai mulaitanggal startdate startson"
            }
            Self::Phone => {
                "nohp hp nomorhp nohandphone handphone notelp notlp notelepon nomortelepon telepon telp nowa mobile \
                 mobilenumber mobilephone phonenumber phone"
            }
            Self::Category => {
                "statuskepegawaian statuspegawai statusasn jeniskepegawaian jenispegawai jenisasn kategoripegawai \
                 kategoriasn civilservantcategory category employmentstatus"
            }
            Self::Number => "no nomor nourut nomorurut number",
            Self::Error => "error",
        };
        names.split(' ')
    }

    /// Names that mean the column where the header has no other one for it: who writes `GAJI POKOK` and `TUNJANGAN` has a
    /// wage and something else, who writes `TUNJANGAN` alone has nothing else to pay contributions on.
    fn second_names(self) -> &'static str {
        match self {
            Self::WorkUnit => "dinas dinasinstansi unitorganisasi namaunitorganisasi department",
            Self::MonthlyWage => {
                "penghasilan penghasilanperbulan penghasilanbulan tunjangan tpp tambahanpenghasilan \
                 tambahanpenghasilanpegawai tunjangankinerja allowance income monthlyincome"
            }
            _ => "",
        }
    }

    /// The column of a name: case, dots, spaces, underscores and the like do not matter, and neither do [`NOTES`]. Several
    /// names in one (`NIK / NO. KTP`, `UNIT KERJA (SKPD)`) have to mean the same.
    pub(super) fn of(name: &str) -> Option<Self> {
        let known =
            |key: &str| Self::VARIANTS.iter().copied().find(|column| column.names().any(|name| name == key));
        Self::meant(name, &known)
    }

    /// The column of a name that is the second choice.
    fn second(name: &str) -> Option<Self> {
        let is_it = |key: &str, column: Self| column.second_names().split(' ').any(|name| name == key);
        let known =
            |key: &str| Self::VARIANTS.iter().copied().find(|&column| !key.is_empty() && is_it(key, column));
        Self::meant(name, &known)
    }

    fn meant(name: &str, known: &impl Fn(&str) -> Option<Self>) -> Option<Self> {
        let alone = |name: &str| {
            let key: String =
                name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
            known(&key).or_else(|| without_notes(&key, NOTES_AT_ONCE, known))
        };
        let together = |marks: &[char]| {
            let mut names = name.split(marks).filter(|name| !is_blank(name)).map(alone);
            let first = names.next()??;
            names.all(|other| other == Some(first)).then_some(first)
        };
        alone(name).or_else(|| together(&['(', ')', '[', ']'])).or_else(|| together(&['/']))
    }

    /// Is there something of a person in it?
    const fn is_read(self) -> bool {
        !matches!(self, Self::Number | Self::Error)
    }
}

fn without_notes(key: &str, at_once: usize, known: &impl Fn(&str) -> Option<Column>) -> Option<Column> {
    NOTES.iter().find_map(|note| {
        let rest = key.strip_suffix(note)?;
        known(rest).or_else(|| (at_once > 1).then(|| without_notes(rest, at_once - 1, known))?)
    })
}

/// The row of a roster that names its columns, understood.
#[derive(Clone, Debug)]
pub(super) struct Header {
    pub(super) names: Vec<String>,
    /// What each of `names` means, if anything.
    columns: Vec<Option<Column>>,
    /// The names of columns that mean nothing here, for people.
    pub(super) ignored: Vec<String>,
}

impl Header {
    pub(super) fn of(names: Vec<String>) -> Self {
        let mut columns: Vec<_> = names.iter().map(|name| Column::of(name)).collect();
        let seconds: Vec<_> = names.iter().map(|name| Column::second(name)).collect();
        let is_free = |second: Option<Column>| second.filter(|_| !columns.contains(&second));
        let seconds: Vec<_> = seconds.into_iter().map(is_free).collect();
        columns.iter_mut().zip(seconds).for_each(|(column, second)| *column = column.or(second));
        let unknown = names.iter().zip(&columns).filter(|(name, column)| column.is_none() && !is_blank(name));
        let ignored = unknown.map(|(name, _)| shown(name)).collect();
        Self { names, columns, ignored }
    }

    /// What stands in a column, if it is known.
    pub(super) fn column(&self, at: usize) -> Option<Column> {
        self.columns.get(at).copied().flatten()
    }

    /// How many columns have a known name.
    pub(super) fn known(&self) -> usize {
        self.columns.iter().flatten().count()
    }

    /// Refuses a header by which rows cannot be read; says all that is wrong with it.
    pub(super) fn judge(&self) -> Result<(), RosterError> {
        let missing: Vec<Column> =
            NEEDED.into_iter().filter(|&column| self.names_of(column).next().is_none()).collect();
        let doubled: Vec<DoubledColumn> = Column::VARIANTS
            .iter()
            .filter(|column| column.is_read())
            .map(|&column| DoubledColumn { column, names: self.names_of(column).map(shown).collect() })
            .filter(|doubled| doubled.names.len() > 1)
            .collect();
        if missing.is_empty() && doubled.is_empty() {
            return Ok(());
        }
        let found = self.names.iter().filter(|name| !is_blank(name)).take(NAMES_SHOWN);
        Err(RosterError::Columns { missing, doubled, found: found.map(|name| shown(name)).collect() })
    }

    /// Is there nothing in it but, perhaps, a running number?
    pub(super) fn is_empty_row(&self, cells: &[String]) -> bool {
        cells.iter().enumerate().all(|(at, cell)| is_blank(cell) || self.column(at) == Some(Column::Number))
    }

    /// Is it no person for certain? Right below the header, the numbers of the columns; anywhere, a total, and a line in which
    /// there is nothing but a work unit or what is not read.
    pub(super) fn is_no_person(&self, cells: &[String], is_first: bool) -> bool {
        let is_wide = cells.iter().skip(self.columns.len()).any(|cell| !is_blank(cell));
        !is_wide && ((is_first && numbers_columns(cells)) || self.is_total(cells) || self.is_title(cells))
    }

    fn is_total(&self, cells: &[String]) -> bool {
        let Some(at) = cells.iter().position(|cell| !is_blank(cell)) else { return false };
        let words = cells[at].split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        let words: Vec<String> = words.map(str::to_uppercase).collect();
        let is_total = match words.first().map(String::as_str) {
            Some("JUMLAH" | "JML" | "TOTAL" | "SUBTOTAL") => true,
            Some("SUB" | "GRAND") => words.get(1).is_some_and(|word| word == "TOTAL"),
            _ => false,
        };
        // A name has nothing behind the word: there are people with any name.
        let is_name = self.column(at) == Some(Column::FullName) && words.len() > 2;
        let is_somebodys = |(place, cell): (usize, &String)| {
            place != at
                && !is_blank(cell)
                && self.column(place).is_some_and(|column| NEEDED.contains(&column))
        };
        is_total && !is_name && !cells.iter().enumerate().any(is_somebodys)
    }

    fn is_title(&self, cells: &[String]) -> bool {
        cells.iter().enumerate().all(|(at, cell)| match self.column(at) {
            None | Some(Column::WorkUnit | Column::Error) => true,
            Some(Column::Number) => !cell.contains(|c: char| c.is_ascii_digit()),
            Some(_) => is_blank(cell),
        })
    }

    /// How many columns it has up to its last name.
    pub(super) fn width(&self) -> usize {
        self.columns.len() - self.names.iter().rev().take_while(|name| is_blank(name)).count()
    }

    /// Has a quotation mark that is not closed in its own row made the next row part of a cell? Such a cell has a line
    /// break and, around it, as many separators as a row.
    pub(super) fn swallowed_a_row(&self, cells: &[String], separator: u8) -> bool {
        let separators = |cell: &str| cell.bytes().filter(|&byte| byte == separator).count();
        let width = self.width();
        cells.iter().any(|cell| cell.contains(['\n', '\r']) && separators(cell) + 1 >= width)
    }

    /// Why a row cannot be read: of a formula in a column that is read nobody knows what it comes to.
    pub(super) fn uncomputed(&self, cells: &[usize]) -> Option<Problem> {
        let is_read = |&&at: &&usize| self.column(at).is_some_and(Column::is_read);
        let names: Vec<String> = cells.iter().filter(is_read).map(|&at| shown(&self.names[at])).collect();
        if names.is_empty() {
            return None;
        }
        let message =
            format!("The formula under {} was never computed: there is no value.", names.join(", "));
        let hint =
            "Open the workbook in the spreadsheet program and save it again, or export it as “CSV UTF-8”.";
        Some(Problem::error(ProblemCode::InvalidFormat, "row", message).hint(hint))
    }

    /// Reads a row.
    pub(super) fn row(&self, cells: &[String], limits: &Limits) -> Result<Row, Problem> {
        let (named, found) = (self.columns.len(), cells.len());
        if cells.iter().skip(named).any(|cell| !is_blank(cell)) {
            let message =
                format!("The row has {found} cells under a header of {named}: which is which, nobody knows.");
            let hint =
                "Put a cell with a separator in it, as in a name with its titles, between quotation marks.";
            return Err(Problem::error(ProblemCode::InvalidFormat, "row", message).hint(hint));
        }
        let is_too_long = |&(cell, _): &(&String, _)| cell.len() > limits.field_bytes;
        if let Some((_, name)) = cells.iter().zip(&self.names).find(is_too_long) {
            let message =
                format!("The cell under {} is longer than {} bytes.", shown(name), limits.field_bytes);
            let hint = "Look for a quotation mark or a paste that went wrong there.";
            return Err(Problem::error(ProblemCode::OutOfRange, "row", message).hint(hint));
        }
        let mut row = Row::default();
        for (cell, column) in cells.iter().zip(&self.columns) {
            let Some(column) = column else { continue };
            let text = as_typed(cell).to_owned();
            match column {
                Column::NationalId => row.national_id = text,
                Column::ServiceNumber => row.service_number = text,
                Column::FullName => row.full_name = text,
                Column::BirthDate => row.birth_date = text,
                Column::Sex => row.sex = text,
                Column::BirthPlace => row.birth_place = unless_blank(text),
                Column::WorkUnit => row.work_unit = unless_blank(text),
                Column::Grade => row.grade = unless_blank(text),
                Column::MonthlyWage => row.monthly_wage = unless_blank(text),
                Column::StartsOn => row.starts_on = unless_blank(text),
                Column::Phone => row.phone = unless_blank(text),
                Column::Category => row.category = unless_blank(text),
                Column::Number | Column::Error => {}
            }
        }
        Ok(row)
    }

    fn names_of(&self, column: Column) -> impl Iterator<Item = &str> {
        let meant = self.names.iter().zip(&self.columns).filter(move |(_, means)| **means == Some(column));
        meant.map(|(name, _)| name.as_str())
    }
}

/// The name that a header has for a field of the API.
pub fn named<'a>(header: &'a [String], field: &str) -> Option<&'a str> {
    let column = Column::of(field)?;
    header.iter().map(String::as_str).find(|name| Column::of(name) == Some(column))
}

/// What is wrong with a header, for people.
pub(super) fn complaint(missing: &[Column], doubled: &[DoubledColumn]) -> String {
    let mut sentences = Vec::new();
    if !missing.is_empty() {
        let names: Vec<&str> = missing.iter().map(Into::into).collect();
        sentences.push(format!("The header lacks {}.", names.join(", ")));
    }
    for DoubledColumn { column, names } in doubled {
        sentences.push(format!("It has {column} more than once: {}.", names.join(", ")));
    }
    sentences.join(" ")
}

/// What to do about a header.
pub(super) fn advice(found: &[String]) -> String {
    format!(
        "The first line has to name each column once. It was read as: {}.",
        if found.is_empty() { "nothing".to_owned() } else { found.join(", ") }
    )
}

/// Do the cells count the columns, `1 2 3` or `(1) (2) (3)`, as below the headers of offices?
fn numbers_columns(cells: &[String]) -> bool {
    let number = |cell: &String| {
        let bare = cell.trim_matches(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '[' | ']' | '.'));
        bare.parse::<u16>().ok()
    };
    let numbers: Option<Vec<u16>> = cells.iter().filter(|cell| !is_blank(cell)).map(number).collect();
    numbers.is_some_and(|numbers| {
        numbers.len() >= NEEDED.len() && numbers[0] <= 1 && numbers.windows(2).all(|two| two[1] == two[0] + 1)
    })
}

/// Takes off the apostrophe by which a [report](super::ReportWriter) keeps a cell from being a formula, and the `="…"` by
/// which people keep a number from being a quantity.
fn as_typed(cell: &str) -> &str {
    let cell = cell.strip_prefix('\'').filter(|rest| super::report::is_formula(rest)).unwrap_or(cell);
    let guarded = cell.trim().strip_prefix("=\"").and_then(|rest| rest.strip_suffix('"'));
    guarded.filter(|text| !text.contains('"')).unwrap_or(cell)
}

/// What is in a cell that may be empty: a dash says that it is.
fn unless_blank(text: String) -> Option<String> {
    let is_dash = |c: char| matches!(c, '-' | '–' | '—') || is_unseen(c);
    Some(text).filter(|text| !text.chars().all(is_dash))
}

pub(super) fn is_blank(text: &str) -> bool {
    text.chars().all(is_unseen)
}

fn is_unseen(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}')
}

/// A name from a file, fit for a person's terminal.
pub(super) fn shown(name: &str) -> String {
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    name.trim().chars().take(NAME_LENGTH_SHOWN).map(printable).collect()
}

#[cfg(test)]
mod tests;
