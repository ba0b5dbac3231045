use proptest::prelude::*;

use super::*;

fn name(text: &str) -> FullName {
    FullName::parse(text, "fullName").unwrap()
}

fn name_fault(text: &str) -> ProblemCode {
    FullName::parse(text, "fullName").unwrap_err().code
}

#[test]
fn a_name_changes_only_in_its_white_space() {
    assert_eq!(name("  Nur \"Ayu\"\r\n Siti\u{a0}Rahayu; alm. ").as_str(), "Nur \"Ayu\" Siti Rahayu; alm.");
    assert_eq!(name("Drs. H. Ma'ruf,\tS.E.").as_str(), "Drs. H. Ma'ruf, S.E.");
    assert_eq!(name("X").as_str(), "X");
}

#[test]
fn a_name_needs_letters_and_has_a_limit() {
    assert_eq!(name_fault(" \n "), ProblemCode::Required);
    assert_eq!(name_fault("-"), ProblemCode::InvalidFormat);
    assert_eq!(name_fault("12345"), ProblemCode::InvalidFormat);
    assert_eq!(name(&"é".repeat(100)).as_str().chars().count(), 100);
    assert_eq!(name_fault(&"a".repeat(101)), ProblemCode::OutOfRange);
}

#[test]
fn invisible_characters_are_removed_from_a_name_and_control_characters_refused() {
    for text in ["A\u{200b}ni", "\u{202e}Ani", "\u{feff}Ani", "A\u{ad}ni", "Ani\u{200e}"] {
        assert_eq!(name(text).as_str(), "Ani", "{text:?}");
    }
    for text in ["Ani\0", "Ani\u{7}"] {
        assert_eq!(name_fault(text), ProblemCode::InvalidFormat, "{text:?}");
    }
    assert_eq!(name_fault("\u{200b}"), ProblemCode::Required);
}

#[test]
fn a_name_is_found_in_either_form() {
    let (composed, decomposed) = ("Drs. Renélina Muñtari, S.E.", "Drs. Rene\u{301}lina Mun\u{303}tari, S.E.");
    assert_eq!(name(decomposed), name(composed));
    assert_eq!(name(composed).key(), "renélina muñtari");
    for search in ["Renélina Muñtari", "rene\u{301}lina mun\u{303}tari", "RENE\u{301}LINA, mu\u{200b}ñtari"]
    {
        assert_eq!(search_words(search), ["renélina", "muñtari"], "{search:?}");
    }
}

#[test]
fn the_key_of_a_name_has_no_titles_and_no_punctuation() {
    for (text, key) in [
        ("Drs. H. Ma'ruf Amin, S.E., M.Si", "maruf amin"),
        ("Prof. Dr. Ir. Hj. Siti Nurhayati, S. Pd., M. Pd.", "siti nurhayati"),
        ("dr. Budi Utama, Sp.PD-KGEH", "budi utama"),
        ("DRS.H.AHMAD YUSUF", "ahmad yusuf"),
        ("Dewi Sari SKM", "dewi sari"),
        ("Dewi Sari S.E. M.M.", "dewi sari"),
        ("Dewi Sari, SE MM", "dewi sari"),
        ("Ayu Lestari, A.Md.; alm.", "ayu lestari"),
        ("M. Yusuf", "m yusuf"),
        ("Nur \"Ayu\" Siti", "nur ayu siti"),
        ("Sari, Dewi", "sari dewi"),
        ("Lina Ma", "lina ma"),
        ("H.", "h"),
        ("Dr. H.", "h"),
        ("Ir", "ir"),
        (", S.E.", "s e"),
        ("Abdul-Hakim (Ujang)", "abdul hakim ujang"),
    ] {
        let key = key.to_owned();
        assert_eq!(name(text).key(), key, "{text}");
    }
}

#[test]
fn two_names_of_one_person_share_words() {
    assert!(shares_words("siti nurhayati", "nurhayati", 1));
    assert!(!shares_words("siti nurhayati", "nurhayati", 2));
    assert!(shares_words("siti nurhayati", "nurhayati siti", 2));
    assert!(shares_words("h", "h", 1) && shares_words("sukarno", "sukarno", 2), "equal names are one");
    assert!(!shares_words("m yusuf", "m arifin", 1), "an initial is no word");
    assert!(!shares_words("siti siti", "siti rahayu", 2), "one word counts once");
    assert!(!shares_words("ani", "yani", 1));
}

#[test]
fn a_telephone_number_has_one_form() {
    for text in [
        "081234567890",
        "0812-3456-7890",
        "+62 812 3456 7890",
        "6281234567890",
        "+62 (0)812 3456 7890",
        "81234567890",
    ] {
        assert_eq!(PhoneNumber::parse(text, "phone").unwrap().as_str(), "+6281234567890", "{text}");
    }
    assert_eq!(PhoneNumber::parse("(0711) 352 388", "phone").unwrap().as_str(), "+62711352388");
}

#[test]
fn a_telephone_number_from_elsewhere_or_too_short_is_refused() {
    for text in ["+6591234567", "08123", "0812345678901234", "0812345678x0", "00812345678", "-+62", "112"] {
        assert_eq!(PhoneNumber::parse(text, "phone").unwrap_err().code, ProblemCode::InvalidFormat, "{text}");
    }
    assert_eq!(PhoneNumber::parse(" ", "phone").unwrap_err().code, ProblemCode::Required);
}

#[test]
fn names_and_telephone_numbers_are_redacted_in_a_log() {
    let shown =
        format!("{:?} {:?}", name("Ani Lestari"), PhoneNumber::parse("081234567890", "phone").unwrap());
    assert_eq!(shown, "FullName(redacted) PhoneNumber(redacted)");
}

#[test]
fn a_card_number_has_eleven_digits_and_a_check_digit() {
    assert_eq!(damm(b"572"), 4);
    assert_eq!(CardNumber::from_key(572).to_string(), "00000005724");
    assert_eq!(CardNumber::parse("0000 000 572-4").map(CardNumber::key), Some(572));
    assert_eq!(CardNumber::from_key(9_999_999_999).to_string().len(), 11);
    for text in [
        "",
        "00000000000",
        "00000005725",
        "0000005724",
        "000000057240",
        "0000000572A",
        "00000005724.1",
        "ééééééééééé",
    ] {
        assert_eq!(CardNumber::parse(text), None, "{text}");
    }
}

#[test]
#[should_panic(expected = "at most ten digits")]
fn a_key_of_eleven_digits_panics() {
    CardNumber::from_key(10_000_000_000);
}

proptest! {
    #[test]
    fn every_card_number_comes_back(key in 1..=CardNumber::MAX_KEY) {
        let card = CardNumber::from_key(key);
        prop_assert_eq!(CardNumber::parse(&card.to_string()), Some(card));
    }

    #[test]
    fn a_mistyped_card_number_is_found(key in 1..=CardNumber::MAX_KEY, at in 0_usize..11, to in b'0'..=b'9') {
        let good = CardNumber::from_key(key).to_string().into_bytes();
        let mut mistyped = good.clone();
        mistyped[at] = to;
        let mut swapped = good.clone();
        swapped.swap(at, (at + 1).min(10));
        for bad in [mistyped, swapped].into_iter().filter(|bad| *bad != good) {
            prop_assert_eq!(CardNumber::parse(std::str::from_utf8(&bad).unwrap()), None);
        }
    }

    #[test]
    fn no_text_makes_a_parser_panic_and_no_key_is_empty(
        text in any::<String>(),
        titled in "[A-Za-z]{0,3}[.,; ]{0,2}[A-Z'.]{1,4}[.,; \u{345}]{0,3}[a-z]{0,4}",
        digits in "[-+ ()0-9é]{0,18}",
    ) {
        for text in [text, titled, digits] {
            let _ = (PhoneNumber::parse(&text, "phone"), CardNumber::parse(&text));
            if let Ok(name) = FullName::parse(&text, "fullName") {
                let key = name.key();
                prop_assert!(!key.is_empty());
                prop_assert!(shares_words(&key, &key, 3));
            }
        }
    }

    #[test]
    fn a_name_read_twice_is_the_same(text in any::<String>()) {
        if let Ok(name) = FullName::parse(&text, "fullName") {
            prop_assert_eq!(FullName::parse(name.as_str(), "fullName"), Ok(name));
        }
    }

    #[test]
    fn every_form_of_a_name_has_one_key_by_which_it_is_found(
        text in "[A-Za-zÀ-ɏ \u{300}-\u{330}\u{200b}\u{ad}',.-]{1,40}",
    ) {
        use unicode_normalization::UnicodeNormalization as _;
        if let Ok(name) = FullName::parse(&text, "fullName") {
            let decomposed: String = text.nfd().collect();
            let same = FullName::parse(&decomposed, "fullName").unwrap();
            prop_assert_eq!(&same, &name);
            prop_assert!(name.as_str().nfc().eq(name.as_str().chars()));
            let key = name.key();
            let words: HashSet<&str> = key.split(' ').collect();
            // A search for the key finds the name, whatever form it is typed in.
            for search in [key.nfc().collect::<String>(), key.nfd().collect()] {
                prop_assert!(search_words(&search).iter().all(|word| words.contains(word.as_str())));
            }
        }
    }
}
