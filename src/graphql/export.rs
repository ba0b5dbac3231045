//! Exports: the tables that can be downloaded under `/export`. This names them; the HTTP layer writes them.

use async_graphql::{InputType, InputValueResult, Name, Object, Value};
use domain::access::Right;
use graphql_front::catalogue::Rules;
use strum::VariantArray as _;

use super::caller::Caller;
use super::context::caller;
use super::coverage::CoverageFilter;
use super::declarations::Declarations;
use super::employer::EmployerFilter;
use super::enrollment::EnrollmentFilter;
use super::error::FieldError;
use super::participant::ParticipantFilter;
use crate::store::employer as employers;
use crate::store::enrollment::EnrollmentSelection;
use crate::store::participant as participants;

/// A table that can be downloaded.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray
)]
#[strum(serialize_all = "lowercase")]
pub enum Dataset {
    /// People.
    Participants,
    /// Their enrollments.
    Enrollments,
    /// The contributions due for their enrollments.
    Contributions,
    /// Employers.
    Employers,
    /// Counts of people by province, segment and kind of channel.
    Coverage,
}

/// A condition on the rows of an export, named like the field of the filter of its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Its name.
    pub name: &'static str,
    /// Whether it takes several values.
    pub is_list: bool,
}

const fn one(name: &'static str) -> Condition {
    Condition { name, is_list: false }
}

const fn any_of(name: &'static str) -> Condition {
    Condition { name, is_list: true }
}

const PEOPLE: &[Condition] = &[
    one("associationId"),
    one("channelCode"),
    one("employerId"),
    one("enrolledFrom"),
    one("enrolledUntil"),
    one("name"),
    one("provinceCode"),
    any_of("segment"),
    any_of("status"),
];
const ENROLLMENTS: &[Condition] = &[
    one("associationId"),
    one("channelCode"),
    one("employerId"),
    one("provinceCode"),
    any_of("segment"),
    any_of("status"),
];
const EMPLOYERS: &[Condition] = &[any_of("kind"), one("name"), one("provinceCode")];
const COVERAGE: &[Condition] =
    &[one("asOf"), one("channelCode"), any_of("channelKind"), one("provinceCode"), any_of("segment")];

impl Dataset {
    /// Returns the right that it needs.
    pub const fn right(self) -> Right {
        match self {
            Self::Participants | Self::Enrollments => Right::ReadPeople,
            Self::Contributions => Right::ReadPersonalData,
            Self::Employers => Right::ReadPayers,
            Self::Coverage => Right::ReadCoverage,
        }
    }

    /// Returns the conditions that it takes.
    pub const fn conditions(self) -> &'static [Condition] {
        match self {
            Self::Participants => PEOPLE,
            Self::Enrollments | Self::Contributions => ENROLLMENTS,
            Self::Employers => EMPLOYERS,
            Self::Coverage => COVERAGE,
        }
    }

    /// Returns the names of its columns.
    pub const fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Participants => &[
                "id",
                "cardNumber",
                "nationalId",
                "fullName",
                "birthDate",
                "birthYear",
                "sex",
                "status",
                "provinceCode",
                "channelCode",
                "employerId",
                "associationId",
                "registeredAt",
                // At the end, for readers of the file that count columns.
                "passportNumber",
            ],
            Self::Enrollments => &[
                "id",
                "participantId",
                "cardNumber",
                "segment",
                "status",
                "programmes",
                "payerId",
                "payerName",
                "provinceCode",
                "channelCode",
                "startsOn",
                "endsOn",
                "endReason",
                "paidThrough",
                "monthlyWage",
                "civilServantCategory",
                "serviceNumber",
                "workUnit",
                "grade",
                "flags",
            ],
            Self::Contributions => &[
                "enrollmentId",
                "participantId",
                "cardNumber",
                "payerId",
                "payerName",
                "programme",
                "employer",
                "worker",
                "frequency",
                "rule",
                "paidThrough",
            ],
            Self::Employers => &[
                "id",
                "name",
                "kind",
                "taxNumber",
                "businessNumber",
                "riskClass",
                "provinceCode",
                "declaredHeadcount",
                "closedOn",
                "registeredAt",
            ],
            Self::Coverage => &[
                "by",
                "code",
                "name",
                "total",
                "registered",
                "active",
                "inactive",
                "ended",
                "target",
                "targetYear",
            ],
        }
    }
}

/// The rows of an export.
#[derive(Clone, Debug)]
pub enum Selection {
    /// Of participants.
    Participants(participants::ParticipantFilter),
    /// Of enrollments, and of contributions.
    Enrollments(EnrollmentSelection),
    /// Of employers.
    Employers(employers::EmployerFilter),
    /// Of coverage: the filter as its field takes it.
    Coverage(Value),
}

/// Why the conditions of an export are refused.
#[derive(Clone, Debug)]
pub enum BadCondition {
    /// A value has the wrong form: the name of the condition, and what is wrong.
    Value(&'static str, String),
    /// As the list with this filter would refuse it.
    Filter(FieldError),
}

impl From<FieldError> for BadCondition {
    fn from(error: FieldError) -> Self {
        Self::Filter(error)
    }
}

impl Selection {
    /// Reads conditions as the lists of the API read their filters.
    ///
    /// # Errors
    /// See [`BadCondition`].
    pub fn read(
        caller: &Caller,
        dataset: Dataset,
        conditions: &[(Condition, Value)],
    ) -> Result<Self, BadCondition> {
        Ok(match dataset {
            Dataset::Participants => {
                Self::Participants(parse::<ParticipantFilter>(conditions)?.read(caller)?)
            }
            Dataset::Enrollments | Dataset::Contributions => {
                // A person's list filters by status and segment of the enrollment.
                let (own, others): (Vec<_>, Vec<_>) =
                    conditions.iter().cloned().partition(|(condition, _)| condition.is_list);
                let filter = parse::<EnrollmentFilter>(&own)?.read()?;
                let others = parse::<ParticipantFilter>(&others)?.read(caller)?;
                let participants::ParticipantFilter { province, employer, association, channels, .. } =
                    others;
                Self::Enrollments(EnrollmentSelection { filter, province, employer, association, channels })
            }
            Dataset::Employers => Self::Employers(parse::<EmployerFilter>(conditions)?.read(caller)?),
            Dataset::Coverage => {
                parse::<CoverageFilter>(conditions)?;
                Self::Coverage(object(conditions))
            }
        })
    }
}

/// Reads conditions as an input object of the API.
fn parse<T: InputType>(conditions: &[(Condition, Value)]) -> Result<T, BadCondition> {
    fn read<T: InputType>(conditions: &[(Condition, Value)]) -> InputValueResult<T> {
        T::parse(Some(object(conditions)))
    }
    read::<T>(conditions).map_err(|error| {
        let is_wrong = |one: &&(Condition, Value)| read::<T>(std::slice::from_ref(*one)).is_err();
        let name = conditions.iter().find(is_wrong).map_or("filter", |(condition, _)| condition.name);
        BadCondition::Value(name, error.into_server_error(Default::default()).message)
    })
}

fn object(conditions: &[(Condition, Value)]) -> Value {
    Value::Object(conditions.iter().map(|(c, value)| (Name::new(c.name), value.clone())).collect())
}

/// A table that can be downloaded.
pub struct Export(Dataset);

/// A table that can be downloaded as a file, with the token of the API.
#[Object]
impl Export {
    /// Name of the table.
    fn name(&self) -> &'static str {
        self.0.into()
    }

    /// Path of the file as CSV. Its last row, which begins with `#end`, has the number of rows and the SHA-256 of all
    /// bytes before it: a file without it is cut off.
    fn csv(&self) -> String {
        format!("/export/{}.csv", self.0)
    }

    /// Path of the file as a workbook, at most 1,048,575 rows.
    fn xlsx(&self) -> String {
        format!("/export/{}.xlsx", self.0)
    }

    /// Conditions that the paths take as query parameters, named like those of the lists. Separate several values of a
    /// condition by commas.
    fn filters(&self) -> Vec<&'static str> {
        self.0.conditions().iter().map(|condition| condition.name).collect()
    }

    /// Names of the columns.
    fn columns(&self) -> &'static [&'static str] {
        self.0.columns()
    }

    /// Whether the file is refused without the right to personal data and a purpose (`X-Purpose`). The others are
    /// masked without them.
    fn needs_purpose(&self) -> bool {
        self.0.right() == Right::ReadPersonalData
    }
}

/// Root fields of this module.
#[derive(Default)]
pub struct ExportQuery;

#[Object]
impl ExportQuery {
    /// Lists the tables that your role may download.
    fn exports(&self, ctx: &async_graphql::Context<'_>) -> Vec<Export> {
        let actor = &caller(ctx).actor;
        let all = Dataset::VARIANTS.iter().copied();
        all.filter(|dataset| actor.may(dataset.right())).map(Export).collect()
    }
}

/// The rights and costs of these fields.
pub(super) const DECLARATIONS: Declarations = Declarations {
    rights: &[(Right::ReadOneself, &["Query.exports", "Export"])],
    rules: Rules { lists: &[("Export", 5)], ..Rules::NONE },
};

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_schema;
    use async_graphql::parser::types::{TypeKind, TypeSystemDefinition};

    use super::*;

    /// The fields of an input of the schema, and whether each is a list.
    fn fields_of(input: &str) -> Vec<(String, bool)> {
        let schema = parse_schema(crate::graphql::sdl()).unwrap();
        let fields = schema.definitions.into_iter().find_map(|definition| match definition {
            TypeSystemDefinition::Type(found) if found.node.name.node == input => match found.node.kind {
                TypeKind::InputObject(object) => Some(object.fields),
                _ => None,
            },
            _ => None,
        });
        let field = |field: async_graphql::Positioned<async_graphql::parser::types::InputValueDefinition>| {
            (field.node.name.node.to_string(), field.node.ty.node.to_string().starts_with('['))
        };
        let mut fields: Vec<_> = fields.unwrap().into_iter().map(field).collect();
        fields.sort();
        fields
    }

    #[test]
    fn exports_take_the_filters_of_the_lists() {
        for (dataset, input) in [
            (Dataset::Participants, "ParticipantFilter"),
            (Dataset::Employers, "EmployerFilter"),
            (Dataset::Coverage, "CoverageFilter"),
        ] {
            let conditions = dataset.conditions().iter();
            let conditions: Vec<_> = conditions.map(|c| (c.name.to_owned(), c.is_list)).collect();
            assert_eq!(conditions, fields_of(input), "{dataset}");
        }
        let people = fields_of("ParticipantFilter");
        for (name, is_list) in fields_of("EnrollmentFilter") {
            assert!(ENROLLMENTS.contains(&Condition { name: name.clone().leak(), is_list }), "{name}");
        }
        for condition in ENROLLMENTS {
            assert!(people.contains(&(condition.name.to_owned(), condition.is_list)), "{}", condition.name);
        }
    }
}
