//! The page of a certificate, to be shown at a counter: what it says, and what it does not say. It is complete without
//! scripts; a script adds the QR code of its address.

use chrono::{DateTime, Datelike as _, FixedOffset, Timelike as _, Utc};

use crate::http::pages::CERTIFICATE;
use crate::store::clearance::Certificate;
use domain::language::Language;

/// The texts of the page in a language.
struct Texts {
    title: &'static str,
    valid: &'static str,
    invalid: &'static str,
    why: &'static str,
    licence: &'static str,
    number: &'static str,
    from: &'static str,
    until: &'static str,
    code: &'static str,
    limits: &'static str,
    unsaid: [&'static str; 4],
    months: [&'static str; 12],
    /// Stands between hours and minutes.
    colon: char,
}

const ENGLISH: Texts = Texts {
    title: "Licence clearance",
    valid: "This certificate is valid.",
    invalid: "This certificate is not valid.",
    why: "It is unknown, it has expired, or the licence was refused.",
    licence: "Licence",
    number: "Certificate",
    from: "Valid from",
    until: "Valid until",
    code: "QR code of the address of this page",
    limits: "What this certificate does not say",
    unsaid: [
        "It is not the licence. The licensing desk gives that.",
        "It says nothing about a single worker, and not how many workers the company has.",
        "It says what the registry knew when it was given. What changed later is not in it.",
        "After its last moment it says nothing. The licensing desk then asks again.",
    ],
    months: [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
    colon: ':',
};

const INDONESIAN: Texts = Texts {
    title: "Keterangan kepesertaan untuk perizinan",
    valid: "Keterangan ini berlaku.",
    invalid: "Keterangan ini tidak berlaku.",
    why: "Nomornya tidak dikenal, masa berlakunya sudah habis, atau keterangannya tidak diberikan.",
    licence: "Izin",
    number: "Nomor",
    from: "Berlaku sejak",
    until: "Berlaku sampai",
    code: "Kode QR alamat halaman ini",
    limits: "Yang tidak dinyatakan keterangan ini",
    unsaid: [
        "Ini bukan izinnya. Izin diberikan oleh loket perizinan.",
        "Tidak menyebut seorang pekerja pun, dan tidak menyebut berapa pekerja perusahaan ini.",
        "Menyatakan apa yang diketahui registri saat diberikan. Perubahan sesudahnya tidak termasuk.",
        "Sesudah masa berlakunya, keterangan ini tidak menyatakan apa-apa. Loket perizinan lalu bertanya lagi.",
    ],
    months: [
        "Januari",
        "Februari",
        "Maret",
        "April",
        "Mei",
        "Juni",
        "Juli",
        "Agustus",
        "September",
        "Oktober",
        "November",
        "Desember",
    ],
    colon: '.',
};

/// A certificate that is valid, with what is shown beside it.
pub(super) struct Shown<'a> {
    /// The number as it is printed.
    pub(super) number: String,
    /// What it says.
    pub(super) certificate: &'a Certificate,
    /// The title of the licence, if the registry still knows it.
    pub(super) licence: Option<String>,
}

/// Writes the page. Without a certificate it says that there is no valid one.
pub(super) fn page(language: Language, shown: Option<&Shown<'_>>) -> String {
    let texts = match language {
        Language::English => &ENGLISH,
        Language::Indonesian => &INDONESIAN,
    };
    let body = match shown {
        Some(shown) => valid(texts, shown),
        None => format!(
            "<main>\n<h1>{}</h1>\n<p class=\"verdict\">{}</p>\n<p>{}</p>\n</main>",
            texts.title, texts.invalid, texts.why
        ),
    };
    // The body last, because a company may have a name of any form.
    CERTIFICATE
        .replace("{{language}}", language.into())
        .replace("{{title}}", texts.title)
        .replace("{{body}}", &body)
}

fn valid(texts: &Texts, shown: &Shown<'_>) -> String {
    let Certificate { company, licence_type, answered_at, valid_until, .. } = shown.certificate;
    let licence = match &shown.licence {
        Some(title) => format!("{} – {}", escaped(licence_type), escaped(title)),
        None => escaped(licence_type),
    };
    let facts = [
        (texts.licence, licence),
        (texts.from, moment(texts, *answered_at)),
        (texts.until, moment(texts, *valid_until)),
        (texts.number, escaped(&shown.number)),
    ];
    let facts: String =
        facts.iter().map(|(name, value)| format!("<dt>{name}</dt><dd>{value}</dd>\n")).collect();
    let unsaid: String = texts.unsaid.iter().map(|text| format!("<li>{text}</li>\n")).collect();
    format!(
        "<main class=\"valid\">\n<h1>{}</h1>\n<p class=\"verdict\">{}</p>\n<p class=\"company\">{}</p>\n\
         <div class=\"facts\">\n<dl>\n{facts}</dl>\n<div id=\"code\" role=\"img\" aria-label=\"{}\"></div>\n</div>\n\
         <section class=\"limits\">\n<h2>{}</h2>\n<ul>\n{unsaid}</ul>\n</section>\n</main>",
        texts.title,
        texts.valid,
        escaped(company),
        texts.code,
        texts.limits
    )
}

/// Writes a moment in Jakarta's time, which has no summer time.
fn moment(texts: &Texts, moment: DateTime<Utc>) -> String {
    let jakarta = FixedOffset::east_opt(7 * 3_600).expect("it is within a day");
    let moment = moment.with_timezone(&jakarta);
    let (month, colon) = (texts.months[moment.month0() as usize], texts.colon);
    let (hour, minute) = (moment.hour(), moment.minute());
    format!("{} {month} {}, {hour:02}{colon}{minute:02} WIB", moment.day(), moment.year())
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_and_replace_nothing_else() {
        let name = escaped("<script>alert('1')</script> & \"Co\" {{title}}");
        assert_eq!(name, "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; &quot;Co&quot; {{title}}");
    }

    #[test]
    fn the_page_of_no_certificate_is_complete_in_both_languages() {
        for (language, lang) in [(Language::English, "en"), (Language::Indonesian, "id")] {
            let page = page(language, None);
            assert!(page.contains(&format!("<html lang=\"{lang}\">")) && !page.contains("{{"), "{page}");
        }
    }

    #[test]
    fn moments_are_those_of_jakarta() {
        let last: DateTime<Utc> = "2014-12-31T17:30:00Z".parse().unwrap();
        assert_eq!(moment(&INDONESIAN, last), "1 Januari 2015, 00.30 WIB");
        assert_eq!(moment(&ENGLISH, last), "1 January 2015, 00:30 WIB");
    }
}
