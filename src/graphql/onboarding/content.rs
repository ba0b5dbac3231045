//! The content of a row as it was sent, as far as it is visible.

use async_graphql::SimpleObject;

use crate::graphql::caller::Caller;
use domain::onboarding::{Row, StagedRow};
use roster::visible_field;

/// Content of a row, as text as it was sent. Unless you may read personal data and state a purpose (`X-Purpose`), numbers are
/// masked except for their last two digits, birth date, birth place, wage, first and last day, reason of leaving, province and
/// telephone number are null, and so is what does not look like the field that it stands in.
#[derive(Clone, Debug, SimpleObject, rows::Row)]
pub struct OnboardingRowContent {
    /// Identity number (NIK).
    national_id: Option<String>,
    /// Passport number of a foreigner.
    passport_number: Option<String>,
    /// Service number (NIP).
    service_number: Option<String>,
    /// Full name with titles (NAMA).
    full_name: Option<String>,
    /// Place of birth (TEMPAT LAHIR).
    birth_place: Option<String>,
    /// Date of birth.
    birth_date: Option<String>,
    /// Sex.
    sex: Option<String>,
    /// Work unit (UNIT KERJA).
    work_unit: Option<String>,
    /// Grade (GOLONGAN).
    grade: Option<String>,
    /// Monthly wage or income.
    monthly_wage: Option<String>,
    /// First day of coverage (TMT). Null if it is that of the batch.
    starts_on: Option<String>,
    /// Telephone number (NO HP).
    phone: Option<String>,
    /// Last day of somebody who leaves, in a monthly list.
    last_day: Option<String>,
    /// Reason of leaving, in a monthly list: a code of the agency or words.
    leaving_reason: Option<String>,
    /// Province of residence, in a monthly list: its code or name.
    province: Option<String>,
}

impl OnboardingRowContent {
    /// Returns what of a row is visible to the caller. A row that could not be read shows nothing: its cells may stand in the
    /// wrong columns.
    pub(super) fn visible(caller: &Caller, row: &StagedRow) -> Option<Self> {
        if row.is_unreadable() {
            return None;
        }
        let in_full = caller.reads_personal_data();
        let text = |field: &str, text: Option<String>| {
            let text = text.filter(|text| !text.is_empty())?;
            let visible = if in_full { text } else { visible_field(field, &text) };
            Some(visible).filter(|visible| !visible.is_empty())
        };
        let Row {
            national_id,
            passport_number,
            service_number,
            full_name,
            birth_place,
            birth_date,
            sex,
            work_unit,
            grade,
            monthly_wage,
            starts_on,
            phone,
            last_day,
            leaving_reason,
            province,
            ..
        } = row.row();
        Some(Self {
            national_id: text("nationalId", Some(national_id)),
            passport_number: text("passportNumber", passport_number),
            service_number: text("serviceNumber", Some(service_number)),
            full_name: text("fullName", Some(full_name)),
            birth_place: text("birthPlace", birth_place),
            birth_date: text("birthDate", Some(birth_date)),
            sex: text("sex", Some(sex)),
            work_unit: text("workUnit", work_unit),
            grade: text("grade", grade),
            monthly_wage: text("monthlyWage", monthly_wage),
            starts_on: text("startsOn", starts_on),
            phone: text("phone", phone),
            last_day: text("lastDay", last_day),
            leaving_reason: text("leavingReason", leaving_reason),
            province: text("province", province),
        })
    }
}
