//! The conditions of an export, from the query of its address: `?provinceCode=16&status=ACTIVE,REGISTERED`.

use async_graphql::Value;
use axum::http::Uri;

use crate::graphql::export::{Condition, Dataset};

/// Reads the conditions of an address.
///
/// # Errors
/// Says which parameter is wrong, and how it is written.
pub(super) fn read(dataset: Dataset, uri: &Uri) -> Result<Vec<(Condition, Value)>, String> {
    let parameters: Vec<(String, String)> = axum::extract::Query::try_from_uri(uri)
        .map(|axum::extract::Query(parameters)| parameters)
        .map_err(|_| {
            "The parameters of the address cannot be read: write them as name=value&name=value.".to_owned()
        })?;
    let mut conditions: Vec<(Condition, Value)> = Vec::new();
    for (name, value) in parameters {
        let Some(&condition) = dataset.conditions().iter().find(|condition| condition.name == name) else {
            return Err(unknown(dataset, &name));
        };
        if value.is_empty() {
            return Err(format!("The filter `{name}` has no value. Leave it out to match everything."));
        }
        let values = || value.split(',').map(|value| Value::String(value.trim().to_owned()));
        match conditions.iter_mut().find(|(known, _)| *known == condition) {
            Some((_, Value::List(list))) => list.extend(values()),
            Some(_) => return Err(format!("The filter `{name}` takes one value.")),
            None if condition.is_list => conditions.push((condition, Value::List(values().collect()))),
            None => conditions.push((condition, Value::String(value))),
        }
    }
    Ok(conditions)
}

fn unknown(dataset: Dataset, name: &str) -> String {
    let known: Vec<&str> = dataset.conditions().iter().map(|condition| condition.name).collect();
    let name: String = name.chars().filter(|c| !c.is_control()).take(40).collect();
    format!("`{name}` is not a filter of {dataset}. Filters: {}.", known.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_from(dataset: Dataset, query: &str) -> Result<String, String> {
        let uri: Uri = format!("/export/x.csv?{query}").parse().unwrap();
        let conditions = read(dataset, &uri)?;
        let one = |(condition, value): &(Condition, Value)| format!("{}: {value}", condition.name);
        Ok(conditions.iter().map(one).collect::<Vec<_>>().join(", "))
    }

    #[test]
    fn conditions_have_one_value_or_several() {
        let read = |query| read_from(Dataset::Participants, query);
        assert_eq!(read(""), Ok(String::new()));
        assert_eq!(
            read("status=ACTIVE,ENDED&name=siti%20rah&provinceCode=16&status=REGISTERED"),
            Ok("status: [\"ACTIVE\", \"ENDED\", \"REGISTERED\"], name: \"siti rah\", provinceCode: \"16\""
                .into())
        );
        // A comma belongs to a name.
        assert_eq!(read("name=rahayu,+siti"), Ok("name: \"rahayu, siti\"".into()));
    }

    #[test]
    fn a_wrong_parameter_is_named() {
        let refused = |dataset, query| read_from(dataset, query).unwrap_err();
        assert_eq!(
            refused(Dataset::Employers, "provinceCod=16"),
            "`provinceCod` is not a filter of employers. Filters: kind, name, provinceCode."
        );
        let twice = refused(Dataset::Participants, "provinceCode=16&provinceCode=31");
        assert_eq!(twice, "The filter `provinceCode` takes one value.");
        assert!(refused(Dataset::Coverage, "asOf=").contains("`asOf` has no value"));
        assert!(refused(Dataset::Coverage, "=1").starts_with("`` is not a filter"));
    }
}
