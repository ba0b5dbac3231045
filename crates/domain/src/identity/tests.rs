use proptest::prelude::*;

use super::*;

fn regions() -> RegionCodes {
    RegionCodes::new(["16", "54", "65", "91"])
}

fn day(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).unwrap()
}

fn national_id(text: &str) -> Parsed<NationalId> {
    NationalId::parse(text, &regions(), "nationalId")
}

fn rules() -> ServiceNumberRules {
    ServiceNumberRules { minimum_age_at_appointment: 18, contract_markers: vec!["21".to_owned()] }
}

/// Parses as of 2 October 2014.
fn service_number_of(on_contract: bool, text: &str) -> Parsed<ServiceNumber> {
    ServiceNumber::parse(text, &rules(), on_contract, day(2014, 10, 2), "serviceNumber")
}

fn service_number(text: &str) -> Parsed<ServiceNumber> {
    service_number_of(false, text)
}

/// Returns the codes of the problems in order, in capitals for errors and in lower case for warnings.
fn codes<T>(parsed: Parsed<T>) -> Vec<String> {
    let problems = match parsed {
        Ok((_, doubts)) => doubts,
        Err(problems) => problems,
    };
    let code = |p: Problem| {
        if p.is_error() { p.code.to_string() } else { p.code.to_string().to_lowercase() }
    };
    problems.into_iter().map(code).collect()
}

const NO_PROBLEM: &[&str] = &[];

#[test]
fn well_formed_national_ids_are_accepted() {
    for (text, sex, birth) in [
        ("1671010208850001", Sex::Male, (2, 8, 85)),
        ("1671014208850001", Sex::Female, (2, 8, 85)),
        ("1671017108850001", Sex::Female, (31, 8, 85)),
        ("1671012902000001", Sex::Male, (29, 2, 0)),
        ("6571010101900001", Sex::Male, (1, 1, 90)),
        ("5471010101900001", Sex::Male, (1, 1, 90)),
    ] {
        let (id, doubts) = national_id(text).unwrap();
        assert_eq!((id.birth_day(), id.birth_month(), id.birth_year_mod_100()), birth, "{text}");
        assert_eq!((id.sex(), id.as_str(), id.province_code()), (sex, text, &text[..2]));
        assert!(doubts.is_empty(), "{text}");
    }
}

#[test]
fn national_ids_that_cannot_exist_are_refused() {
    for (text, code) in [
        ("1671017208850001", "NATIONAL_ID_MALFORMED"), // day 72
        ("1671018108850001", "NATIONAL_ID_MALFORMED"), // day 81, which day % 40 takes for 1
        ("1671014008850001", "NATIONAL_ID_MALFORMED"), // day 40
        ("1671010008850001", "NATIONAL_ID_MALFORMED"), // day 0
        ("1671013202850001", "NATIONAL_ID_MALFORMED"), // day 32
        ("1671010213850001", "NATIONAL_ID_MALFORMED"), // month 13
        ("1671012902010001", "NATIONAL_ID_MALFORMED"), // 29 February in neither 1901 nor 2001
        ("1671010208850000", "IDENTIFIER_DAMAGED_BY_SPREADSHEET"), // serial 0000
        ("9971011708450001", "NATIONAL_ID_UNKNOWN_REGION"),
    ] {
        assert!(national_id(text).is_err());
        assert_eq!(codes(national_id(text)), [code], "{text}");
    }
}

#[test]
fn all_problems_of_a_national_id_are_reported_at_once() {
    assert_eq!(
        codes(national_id("9970003213850000")),
        [
            "NATIONAL_ID_UNKNOWN_REGION",
            "national_id_unknown_region",
            "NATIONAL_ID_MALFORMED",
            "IDENTIFIER_DAMAGED_BY_SPREADSHEET"
        ]
    );
}

#[test]
fn an_impossible_regency_or_district_is_only_a_warning() {
    for text in ["1600010208850001", "1670010208850001", "1671000208850001"] {
        assert!(national_id(text).is_ok());
        assert_eq!(codes(national_id(text)), ["national_id_unknown_region"], "{text}");
    }
}

#[test]
fn a_national_id_is_read_with_separators_around_its_digits() {
    for text in [
        " 1671010208850001 ",
        "167101.020885.0001",
        "167101-020885-0001",
        "'1671010208850001",
        " '1671 0102 0885 0001",
        "\u{a0}\u{200b}1671010208850001\u{feff}\n",
        "１６７１０１０２０８８５０００１",
    ] {
        assert_eq!(national_id(text).unwrap().0.as_str(), "1671010208850001", "{text:?}");
    }
}

#[test]
fn damage_by_a_spreadsheet_is_named() {
    for text in [
        "1.67101E+15",
        "1,67101E+15",
        "1.67101e15",
        "2E+15",
        " '1.67101E+15 ",
        "1671010208850001.0",
        "1671010208850001,0",
    ] {
        assert_eq!(codes(national_id(text)), ["IDENTIFIER_DAMAGED_BY_SPREADSHEET"], "{text}");
        assert_eq!(codes(service_number(text)), ["IDENTIFIER_DAMAGED_BY_SPREADSHEET"], "{text}");
    }
}

#[test]
fn a_number_of_another_length_says_how_many_digits_it_has() {
    for text in ["167101020885000", "16710102088500011"] {
        let problems = national_id(text).unwrap_err();
        assert_eq!(problems.len(), 1);
        let message = &problems[0].message;
        assert!(message.contains("16 digits") && message.contains(&text.len().to_string()), "{message}");
    }
    assert_eq!(codes(national_id(" ' ")), ["REQUIRED"]);
}

#[test]
fn a_letter_that_looks_like_a_digit_is_reported_and_never_corrected() {
    for text in ["1671010208O50001", "l671010208850001", "I671010208850001"] {
        let problem = national_id(text).unwrap_err().remove(0);
        assert_eq!(problem.code, ProblemCode::NationalIdMalformed);
        assert!(problem.hint.unwrap().contains("O for 0"));
    }
    assert_eq!(national_id("NIK 1671010208850001").unwrap_err()[0].hint, None);
}

#[test]
fn a_national_id_that_disagrees_with_its_holder_is_marked_not_refused() {
    let (id, _) = national_id("1671014208850001").unwrap();
    let check = |birth, sex| check_against_person(&id, birth, sex, "birthDate", "sex");
    assert_eq!(check(day(1985, 8, 2), Sex::Female), []);
    let problems = check(day(1985, 8, 3), Sex::Male);
    assert!(!refuses(&problems));
    let codes: Vec<_> = problems.iter().map(|p| (p.code, p.path[0].as_str())).collect();
    assert_eq!(
        codes,
        [(ProblemCode::NationalIdBirthMismatch, "birthDate"), (ProblemCode::NationalIdSexMismatch, "sex")]
    );
    assert!(problems.iter().all(|p| p.hint.as_ref().unwrap().contains("permanent")));
}

#[test]
fn the_century_of_a_national_id_is_open() {
    let (id, _) = national_id("1671010208050001").unwrap();
    for year in [1905, 2005] {
        assert_eq!(check_against_person(&id, day(year, 8, 2), Sex::Male, "birthDate", "sex"), []);
    }
}

#[test]
fn a_well_formed_service_number_is_accepted() {
    let (number, doubts) = service_number("19860926 201305 1 001").unwrap();
    assert_eq!((number.as_str(), number.sex()), ("198609262013051001", Sex::Male));
    assert_eq!(
        (number.birth_date(), masked(number.as_str()).as_str()),
        (day(1986, 9, 26), "****************01")
    );
    assert!(doubts.is_empty());
    assert_eq!(service_number("198609262014102001").unwrap().0.sex(), Sex::Female);
}

#[test]
fn service_numbers_that_cannot_exist_are_refused() {
    for (text, code) in [
        ("198602302013051001", "SERVICE_NUMBER_MALFORMED"), // 30 February
        ("189909262013051001", "SERVICE_NUMBER_MALFORMED"), // born in 1899
        ("201509262015091001", "SERVICE_NUMBER_MALFORMED"), // not yet born
        ("198609262013131001", "SERVICE_NUMBER_MALFORMED"), // month 13
        ("198609262013001001", "SERVICE_NUMBER_MALFORMED"), // month 0
        ("198609262013053001", "SERVICE_NUMBER_MALFORMED"), // sex 3
        ("198609262014111001", "SERVICE_NUMBER_MALFORMED"), // appointed next month
        ("198609262014121001", "SERVICE_NUMBER_MALFORMED"), // appointed in December
        ("198609262013051000", "IDENTIFIER_DAMAGED_BY_SPREADSHEET"), // serial 000
        ("1986092620130510017", "SERVICE_NUMBER_MALFORMED"), // 19 digits
        ("131110468", "SERVICE_NUMBER_OLD_FORMAT"),
        ("", "REQUIRED"),
    ] {
        assert!(service_number(text).is_err(), "{text}");
        assert!(codes(service_number(text)).contains(&code.to_owned()), "{text}");
    }
    assert_eq!(
        codes(service_number("198602302013133000")),
        ["SERVICE_NUMBER_MALFORMED"; 3]
            .into_iter()
            .chain(["IDENTIFIER_DAMAGED_BY_SPREADSHEET"])
            .collect::<Vec<_>>()
    );
}

#[test]
fn an_appointment_below_the_minimum_age_is_a_warning() {
    assert_eq!(codes(service_number("198609262004091001")), NO_PROBLEM);
    assert_eq!(codes(service_number("198609262004081001")), ["service_number_mismatch"]);
    assert_eq!(codes(service_number("198609260000011001")), ["service_number_mismatch"]);
}

#[test]
fn the_number_of_contract_staff_is_recognised() {
    let contract = |text| codes(service_number_of(true, text));
    let problem = service_number("198609262013211001").unwrap_err().remove(0);
    assert_eq!(problem.code, ProblemCode::ServiceNumberMalformed);
    assert!(problem.message.contains("PPPK") && problem.hint.unwrap().contains("PPPK"));
    assert_eq!(contract("198609262013211001"), NO_PROBLEM);
    assert_eq!(contract("198609262014211001"), NO_PROBLEM);
    assert_eq!(contract("198609262015211001"), ["SERVICE_NUMBER_MALFORMED"]);
    assert_eq!(contract("198609262013221001"), ["SERVICE_NUMBER_MALFORMED"]);
    assert_eq!(contract("198609262003211001"), ["service_number_mismatch"]);
}

#[test]
fn a_service_number_that_disagrees_is_marked_not_refused() {
    let (number, _) = service_number("198508022010012003").unwrap();
    let id = national_id("1671014208850001").unwrap().0;
    let check = |birth, sex, id| check_service_number(&number, birth, sex, id, "serviceNumber");
    assert_eq!(check(Some(day(1985, 8, 2)), Some(Sex::Female), Some(&id)), []);
    assert_eq!(check(None, None, None), []);

    let other_id = national_id("1671010208840001").unwrap().0;
    let problems = check(Some(day(1984, 8, 2)), Some(Sex::Male), Some(&other_id));
    assert!(!refuses(&problems));
    assert!(problems.iter().all(|problem| problem.code == ProblemCode::ServiceNumberMismatch));
    assert_eq!(problems.len(), 4);
}

#[test]
fn a_rounded_column_is_recognised() {
    let column = |zeros: usize, all: usize| -> Vec<String> {
        (0..all).map(|row| format!("16710102088500{:02}", if row < zeros { 10 } else { 11 })).collect()
    };
    let rounded =
        |zeros, all| column(zeros, all).iter().map(String::as_str).collect::<NumberColumn>().looks_rounded();
    assert!(
        rounded(20, 20) && rounded(11, 20) && rounded(46, 200) && !rounded(45, 200) && rounded(8_000, 8_000)
    );
    assert!(!rounded(10, 20) && !rounded(800, 8_000) && !rounded(1_600, 8_000));
    assert!(
        !["", "10", "1.67101E+15"].into_iter().cycle().take(100).collect::<NumberColumn>().looks_rounded(),
        "other texts do not count"
    );
}

#[test]
fn the_probability_of_zeros_is_exact_for_short_columns() {
    let column = |zeros: usize, all: usize| {
        let ends = (0..all).map(|row| if row < zeros { "1671010208850010" } else { "1671010208850011" });
        ends.collect::<NumberColumn>()
    };
    for (zeros, all) in [(6, 6), (19, 19), (7, 8), (11, 19)] {
        assert!(column(zeros, all).looks_rounded(), "{zeros} of {all}");
        assert!(!column(zeros, all).is_doubtful(), "{zeros} of {all} are no doubt any more");
    }
    for (zeros, all) in [(2, 2), (3, 3), (5, 5), (3, 5), (6, 7), (10, 19)] {
        assert!(!column(zeros, all).looks_rounded(), "{zeros} of {all}");
        assert!(column(zeros, all).is_doubtful(), "{zeros} of {all}");
    }
    // Correct columns: one zero alone, a tenth of zeros, and slightly more. An ordinary file is never doubtful.
    for (zeros, all) in [(0, 0), (0, 1), (1, 1), (1, 2), (2, 10), (4, 19), (0, 19), (5, 20)] {
        assert!(!column(zeros, all).looks_rounded() && !column(zeros, all).is_doubtful(), "{zeros} of {all}");
    }
}

#[test]
fn numbers_are_redacted_in_logs_and_messages() {
    let (id, number) =
        (national_id("1671010208850041").unwrap().0, service_number("198609262013051001").unwrap().0);
    assert_eq!(format!("{id:?} {number:?}"), "NationalId(redacted) ServiceNumber(redacted)");
    assert_eq!(masked(id.as_str()), "**************41");
}

/// Returns digits with arbitrary separators around and between them.
fn noisy(digits: &'static str) -> impl Strategy<Value = String> {
    let noise = prop::collection::vec("[ .\u{a0}\u{200b}-]{0,2}", digits.len());
    noise.prop_map(|noise| noise.iter().zip(digits.chars()).flat_map(|(n, d)| n.chars().chain([d])).collect())
}

proptest! {
    #[test]
    fn no_text_makes_a_parser_panic(
        text in any::<String>(),
        digits in "[0-9OlEe+., '-]{0,24}",
        shaped in "[0-9]{16,18}",
    ) {
        for text in [text, digits, shaped] {
            let _ = (national_id(&text), service_number(&text), service_number_of(true, &text));
            let _ = (clean_digits(&text), masked(&text), NumberColumn::from_iter([text.as_str()]));
        }
    }

    #[test]
    fn no_noise_hides_a_number(id in noisy("1671010208850001"), number in noisy("198609262013051001")) {
        let (id, number) = (national_id(&id).unwrap().0, service_number(&number).unwrap().0);
        prop_assert_eq!((id.as_str(), number.as_str()), ("1671010208850001", "198609262013051001"));
    }

    #[test]
    fn every_birth_date_comes_back(days in 0_u64..36_500, is_woman: bool, serial in 1..10_000) {
        let birth = day(1915, 1, 1).checked_add_days(chrono::Days::new(days)).unwrap();
        let sex = if is_woman { Sex::Female } else { Sex::Male };
        let text = format!("167101{:02}{}{serial:04}", birth.day() + 40 * u32::from(is_woman), birth.format("%m%y"));
        let (id, doubts) = national_id(&text).unwrap();
        prop_assert!(doubts.is_empty());
        prop_assert_eq!(check_against_person(&id, birth, sex, "birthDate", "sex"), vec![]);
    }

    #[test]
    fn no_message_repeats_a_number(digits in "[0-9]{8,20}") {
        for problem in national_id(&digits).err().into_iter().chain(service_number(&digits).err()).flatten() {
            prop_assert!(!problem.message.contains(&digits) && !problem.hint.unwrap_or_default().contains(&digits));
        }
    }
}
