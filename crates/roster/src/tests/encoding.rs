//! Encodings of text files, and files that are not text.

use super::*;

#[test]
fn a_byte_order_mark_is_not_part_of_the_first_name() {
    assert_eq!(names(&roster(&format!("\u{feff}{NEEDED}\n1,2,Ani,x,P\n"))), ["Ani"]);
    assert_eq!(names(&roster(&format!("\u{feff}\"NIK\"{}\n1,2,Ani,x,P", &NEEDED[3..]))), ["Ani"]);
}

#[test]
fn letters_and_line_ends_across_chunks_are_read() {
    // The border between two pieces of 64 KiB goes through each byte of a letter and of a line end.
    for at in 65_520..65_545_usize {
        let row = "1,2,Ani,x,P\r\n";
        let mut text = format!("{NEEDED}\r\n{}", row.repeat(5_400));
        let padding = at - text.len() % row.len() - row.len();
        text.truncate(text.len() - row.len() * ((text.len() - padding).div_ceil(row.len())));
        let pad = "i".repeat(at - text.len() - 6);
        text.push_str(&format!("1,2,An{pad}é,x,P\r\n3,4,Budi,x,L\r\n"));
        for encoding in 0..5 {
            let roster = read(encoded(&text, encoding)).unwrap();
            let last: Vec<&str> = names(&roster).into_iter().rev().take(2).collect();
            assert_eq!(last, ["Budi", &format!("An{pad}é")], "{at} {encoding}");
            assert_eq!(roster.lines.last(), Some(&i32::try_from(text.lines().count()).unwrap()));
        }
    }
}

#[test]
fn the_first_letter_beyond_ascii_decides_the_encoding_however_late_it_comes() {
    let text = format!("{NEEDED}\n{}1,2,Renée,x,P\n", "1,2,Ani,x,P\n".repeat(20_000));
    for encoding in 0..5 {
        assert_eq!(read(encoded(&text, encoding)).unwrap().rows[20_000].full_name, "Renée", "{encoding}");
    }
}

#[test]
fn malformed_text_is_refused_with_its_line() {
    for end in ["\n", "\r\n", "\r"] {
        let text = [NEEDED, "1,2,Renée,x,P", ""].join(end);
        let error = refused([text.as_bytes(), b"3,4,Jos\xE9,x,L\n"].concat());
        assert!(matches!(error, RosterError::Encoding { line: 3, encoding: "UTF-8" }), "{error}");
        let error = refused([&utf_16(&text)[..], &[0, 0xDC], &utf_16("x")[2..]].concat());
        assert!(matches!(error, RosterError::Encoding { line: 3, encoding: "UTF-16LE" }), "{error}");
    }
}

#[test]
fn utf_8_in_a_windows_1252_file_is_refused_with_its_line() {
    let windows = [NEEDED.as_bytes(), b"\n1,2,Jos\xE9,x,L\n"].concat();
    assert_eq!(
        names(&read([&windows[..], b"3,4,Ren\xE9e D\x92Arc \xC3,x,L\n"].concat()).unwrap())[1],
        "Renée D’Arc Ã"
    );
    for letter in ["é", "’", "😀"] {
        let error = refused([&windows[..], format!("3,4,{letter},x,L\n").as_bytes()].concat());
        assert!(matches!(error, RosterError::Encoding { line: 3, encoding: "windows-1252" }), "{error}");
        // On both sides of a border between two pieces of the file.
        for at in 65_530..65_540 {
            let padding = "1,2,Ani,x,P\n".repeat(5_000);
            let begin = [&windows[..], padding.as_bytes(), b"3,4,"].concat();
            let pad = "i".repeat(at - begin.len());
            let error = refused([&begin[..], pad.as_bytes(), letter.as_bytes(), b",x,L\n"].concat());
            assert!(matches!(error, RosterError::Encoding { line: 5_003, .. }), "{at}: {error}");
        }
    }
}

#[test]
fn a_nul_character_is_refused_with_its_line() {
    assert!(matches!(
        refused(format!("{NEEDED}\n1,2,Ani,x,P\n3,4,Bu\0di,x,L\n")),
        RosterError::Nul { line: 3 }
    ));
}

#[test]
fn files_of_other_formats_are_named() {
    for (bytes, what) in [
        (&b"PK\x03\x04\x14\0"[..], "workbook"),
        (b"\xD0\xCF\x11\xE0\xA1\xB1", "XLS"),
        (b"\x1F\x8B\x08", "gzip"),
        (b"\0\0", "not text"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "PNG"),
        (b"\xFF\xD8\xFF\xE0", "JPEG"),
        (b"%PDF-1.4", "PDF"),
        (b"<html>", "HTML"),
    ] {
        let problem = refused(bytes).problem();
        assert!(problem.message.contains(what), "{problem:?}");
        assert!(problem.hint.is_some());
    }
}

#[test]
fn utf_16_with_tabs_is_read_with_and_without_its_mark() {
    // The “Unicode text” of Excel, and variants that other programs write.
    let text = format!("{}\r\n1\t2\tRenée\tx\tP\r\n", NEEDED.replace(',', "\t"));
    let (little, big): (Vec<u8>, Vec<u8>) = (
        text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
    );
    for bytes in [&b"\xFF\xFE"[..], b""].map(|mark| [mark, &little].concat()).into_iter().chain([big]) {
        assert_eq!(names(&read(bytes).unwrap()), ["Renée"]);
    }
}
