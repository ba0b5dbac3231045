//! The header `X-Purpose`: why a request reads personal data.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName};

use domain::access::{Purpose, Right};
use domain::actor::Actor;

/// The name of the header.
pub(super) const NAME: &str = "x-purpose";
const PURPOSE: HeaderName = HeaderName::from_static(NAME);

/// Adds the stated [`Purpose`] to what is known of a request. A header that is not a purpose refuses the request.
pub(super) fn read(request: &mut Request) -> Result<(), NoPurpose> {
    if let Some(purpose) = stated(request.headers())? {
        request.extensions_mut().insert(purpose);
    }
    Ok(())
}

/// The header is not a purpose: what is wrong with it, and what is right.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoPurpose(pub(super) String);

/// Returns the purpose that is stated.
pub(super) fn stated(headers: &HeaderMap) -> Result<Option<Purpose>, NoPurpose> {
    let no_purpose = |reason: &str| {
        let rule =
            "Say in 3 to 200 printable characters why personal data is read, without identity numbers.";
        NoPurpose(format!("X-Purpose: {reason} {rule}"))
    };
    let mut values = headers.get_all(PURPOSE).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(no_purpose("The header was sent twice, so it is unclear which one to record."));
    }
    let text = std::str::from_utf8(value.as_bytes()).map_err(|_| no_purpose("This text is not UTF-8."))?;
    Purpose::parse(text).map(Some).map_err(|problem| no_purpose(&problem.message))
}

/// Returns why a stated purpose changes nothing: the actor does not see personal data even with one.
pub(super) fn ignored(purpose: Option<&Purpose>, actor: &Actor) -> Option<String> {
    purpose.filter(|_| !actor.reads_personal_data())?;
    Some(match actor.may(Right::ReadPersonalData) {
        true => "X-Purpose has no effect: this client is not registered with readsPersonalData.".to_owned(),
        false => format!("X-Purpose has no effect: {} may not read personal data.", actor.role),
    })
}
