//! The columns of a roster, and the many names that offices give them.

use domain::onboarding::OnboardingKind;
use strum::{Display, IntoStaticStr, VariantArray};

use super::cell::is_blank;

/// A column of a roster, with the name that most rosters give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[derive(Display, IntoStaticStr, VariantArray)]
pub enum Column {
    /// The identity number.
    #[strum(serialize = "NIK")]
    NationalId,
    /// The passport number of a foreigner without an identity number.
    #[strum(serialize = "NO PASPOR")]
    Passport,
    /// The service number of a civil servant.
    #[strum(serialize = "NIP")]
    ServiceNumber,
    /// The name with its titles.
    #[strum(serialize = "NAMA")]
    FullName,
    /// The place of birth. It is not stored.
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
    /// The kind of civil servant. It is compared with the category of the onboarding, and not stored.
    #[strum(serialize = "STATUS KEPEGAWAIAN")]
    Category,
    /// The month of the row, in a monthly list. It is compared with the month of the list, and not stored.
    #[strum(serialize = "BLTH")]
    Month,
    /// The last day of somebody who leaves, in a monthly list.
    #[strum(serialize = "HARI TERAKHIR")]
    LastDay,
    /// The reason of leaving, in a monthly list.
    #[strum(serialize = "SEBAB KELUAR")]
    LeavingReason,
    /// The province of residence, in a monthly list.
    #[strum(serialize = "PROVINSI")]
    Province,
    /// The running number. It is ignored: rows are counted.
    #[strum(serialize = "NO")]
    Number,
    /// The problems of the row in an earlier report. It is ignored.
    #[strum(serialize = "ERROR")]
    Error,
}

/// Notes after a column's name that say how to fill it in and do not change what it means, written like
/// [`Column::names`]. `MM/DD/YYYY` is missing on purpose: dates are read day first.
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
/// Names of basic wages, which lack the allowances. All of these lists are written like [`Column::names`].
const BASIC_WAGES: &str = "gajipokok gapok upahpokok basicsalary basicwage";
/// Names of allowances that are fixed, and so belong to the amount on which contributions are paid.
const FIXED_ALLOWANCES: &str = "tunjangantetap tunjtetap totaltunjangantetap jumlahtunjangantetap \
                                tunjangantetapperbulan tunjangantetapbulan fixedallowance fixedallowances";
/// Names of basic wage and allowances together.
const TOTALS_OF_WAGES: &str = "totalupah totalgaji upahtotal gajitotal jumlahupah jumlahgaji totalupahsebulan \
                               totalgajisebulan upahpokoktunjangantetap upahpokokdantunjangantetap \
                               gajipokoktunjangantetap gajipokokdantunjangantetap totalwage totalwages totalsalary";
/// Names of totals of something.
const BARE_TOTALS: &str = "total jumlah";
/// Maximum number of notes after one name.
const NOTES_AT_ONCE: usize = 3;

impl Column {
    /// Returns the Indonesian and English names of the column and its name in the API: letters and digits only, in
    /// lower case.
    ///
    /// Only unambiguous names are listed. `TMT CPNS` and `TMT GOLONGAN` are other dates than `TMT`, `NIP LAMA` is
    /// another number than `NIP`, and `KODE SKPD` is not the name of a work unit.
    fn names(self) -> impl Iterator<Item = &'static str> {
        let names = match self {
            Self::NationalId => {
                "nik nonik nomornik ktp noktp nomorktp nikktp niknoktp noindukkependudukan nomorindukkependudukan \
                 noidentitas nomoridentitas identitynumber identitycardnumber nationalidnumber nationalid"
            }
            Self::Passport => {
                "nopaspor paspor nomorpaspor nopassport nomorpassport passport passportno passportnumber"
            }
            Self::ServiceNumber => {
                "nip nonip nomornip nipbaru nippns nipnrp noindukpegawai nomorindukpegawai civilservantnumber \
                 servicenumber"
            }
            Self::FullName => {
                "nama namalengkap namapegawai namapns namapeserta namadangelar namadengangelar namalengkapdangelar \
                 namalengkapdengangelar namalengkappegawai namakaryawan namalengkapkaryawan namapekerja namatenagakerja \
                 namatk name fullname employeename nameofemployee"
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
                "gajipokok gapok upahpokok gaji gajiperbulan gajibulan gajisebulan gajibulanan upah upahperbulan upahbulan \
                 upahsebulan upahbulanan gajiupah upahgaji wage salary basicsalary basicwage monthlysalary \
                 monthlywage allowanceorwage wageorallowance"
            }
            Self::StartsOn => {
                "tmt tmtkepesertaan tanggalkepesertaan tglkepesertaan terhitungmulaitanggal tanggalmulai tglmulai \
                 mulaitanggal startdate startson"
            }
            Self::Phone => {
                "nohp hp nomorhp nohandphone handphone notelp notlp notelepon nomortelepon telepon telp nowa mobile \
                 mobilenumber mobilephone phonenumber phone"
            }
            Self::Category => {
                "statuskepegawaian statuspegawai statusasn jeniskepegawaian jenispegawai jenisasn kategoripegawai \
                 kategoriasn civilservantcategory category employmentstatus"
            }
            Self::Month => {
                "blth bulan bulantahun bulaniuran masaiuran periode month period contributionmonth"
            }
            Self::LastDay => {
                "hariterakhir hariterakhirkerja hariterakhirbekerja tanggalterakhir tanggalterakhirkerja tglterakhirkerja \
                 tanggalterakhirbekerja tanggalkejadian tglkejadian tanggalkeluar tglkeluar tanggalberhenti tglberhenti \
                 lastday lastdayofwork lastworkingday lastdate leavingdate dateofleaving"
            }
            Self::LeavingReason => {
                "sebabkeluar sebabna kodesebabna sebabnonaktif sebabberhenti alasankeluar alasanberhenti alasannonaktif \
                 leavingreason reasonofleaving reasonforleaving reasonleft exitreason"
            }
            Self::Province => {
                "provinsi propinsi namaprovinsi kodeprovinsi provinsidomisili provinsitempattinggal province provincecode \
                 provincename provinceofresidence"
            }
            Self::Number => "no nomor nourut nomorurut number",
            Self::Error => "error",
        };
        names.split(' ')
    }

    /// Returns names that mean the column only if no other column of the header does, in the order in which they count.
    ///
    /// Next to `GAJI POKOK`, `TUNJANGAN` is an allowance that is not read; alone, it is the amount on which contributions
    /// are paid. Next to `TANGGAL KEPESERTAAN`, `TGL AWAL BEKERJA` is not the first day of the enrollment; the agency's
    /// own template for new workers has both, and that for workers with a card has the latter alone. Other days of hiring are not
    /// read: those who have worked for long are enrolled from the day of the roster on.
    const fn fallback_names(self) -> [&'static str; Self::FALLBACKS] {
        match self {
            Self::WorkUnit => ["dinas dinasinstansi unitorganisasi namaunitorganisasi department", ""],
            Self::MonthlyWage => [
                TOTALS_OF_WAGES,
                "penghasilan penghasilanperbulan penghasilanbulan tunjangan tpp tambahanpenghasilan \
                 tambahanpenghasilanpegawai tunjangankinerja allowance income monthlyincome",
            ],
            Self::StartsOn => ["tglawalbekerja tanggalawalbekerja tglawalkerja tanggalawalkerja", ""],
            _ => ["", ""],
        }
    }

    /// The number of lists of fallback names: those of a later list count only if none of an earlier one is there.
    pub(super) const FALLBACKS: usize = 2;

    /// Returns whether a column beside that of the wage belongs to the amount on which contributions are paid, which is
    /// basic wage and fixed allowances: a fixed allowance, or a total of wages. Beside a total nothing is missing. A bare
    /// total may be one of contributions: it counts only beside a wage that is named basic.
    pub(super) fn completes_wage(name: &str, wage: &str) -> bool {
        let is_one_of = |name: &str, names: &'static [&'static str]| {
            let known = |key: &str| {
                let found = names.iter().any(|names| names.split(' ').any(|name| name == key));
                found.then_some(Self::MonthlyWage)
            };
            Self::meant(name, &known).is_some()
        };
        let is_part = is_one_of(name, &[FIXED_ALLOWANCES, TOTALS_OF_WAGES])
            || is_one_of(name, &[BARE_TOTALS]) && is_one_of(wage, &[BASIC_WAGES]);
        is_part && !is_one_of(wage, &[TOTALS_OF_WAGES])
    }

    /// Returns the column that a name means. Case, punctuation, spaces and [`NOTES`] do not matter. Several names in
    /// one cell (`NIK / NO. KTP`, `UNIT KERJA (SKPD)`) have to mean the same column.
    pub(super) fn of(name: &str) -> Option<Self> {
        let known =
            |key: &str| Self::VARIANTS.iter().copied().find(|column| column.names().any(|name| name == key));
        Self::meant(name, &known)
    }

    /// Returns the column that a name means if no other column of the header does, by one of the lists of such names.
    pub(super) fn fallback_of(name: &str, list: usize) -> Option<Self> {
        let is_it =
            |key: &str, column: Self| column.fallback_names()[list].split(' ').any(|name| name == key);
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

    /// Returns the name of the column in the API.
    pub const fn field(self) -> &'static str {
        match self {
            Self::NationalId => "nationalId",
            Self::Passport => "passportNumber",
            Self::ServiceNumber => "serviceNumber",
            Self::FullName => "fullName",
            Self::BirthPlace => "birthPlace",
            Self::BirthDate => "birthDate",
            Self::Sex => "sex",
            Self::WorkUnit => "workUnit",
            Self::Grade => "grade",
            Self::MonthlyWage => "monthlyWage",
            Self::StartsOn => "startsOn",
            Self::Phone => "phone",
            Self::Category => "category",
            Self::Month => "month",
            Self::LastDay => "lastDay",
            Self::LeavingReason => "leavingReason",
            Self::Province => "province",
            Self::Number => "number",
            Self::Error => "error",
        }
    }

    /// Returns whether files of a kind are read for this column. A roster of people who join names nobody who leaves.
    pub(super) const fn is_of(self, kind: OnboardingKind) -> bool {
        match self {
            Self::Month | Self::LastDay | Self::LeavingReason | Self::Province => {
                matches!(kind, OnboardingKind::MonthlyList)
            }
            _ => true,
        }
    }

    /// Returns whether the cells of the column are days.
    pub(super) const fn is_date(self) -> bool {
        matches!(self, Self::BirthDate | Self::StartsOn | Self::Month | Self::LastDay)
    }

    /// Returns whether the column has data of the person.
    pub(super) const fn is_read(self) -> bool {
        !matches!(self, Self::Number | Self::Error)
    }
}

fn without_notes(key: &str, at_once: usize, known: &impl Fn(&str) -> Option<Column>) -> Option<Column> {
    NOTES.iter().find_map(|note| {
        let rest = key.strip_suffix(note)?;
        known(rest).or_else(|| (at_once > 1).then(|| without_notes(rest, at_once - 1, known))?)
    })
}

#[cfg(test)]
mod tests;
