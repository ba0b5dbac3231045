//! Round trips: text files of every form are read as they were written.

use proptest::prelude::*;

use super::*;

fn any_end() -> impl Strategy<Value = csv::Terminator> {
    prop_oneof![
        Just(csv::Terminator::CRLF),
        Just(csv::Terminator::Any(b'\n')),
        Just(csv::Terminator::Any(b'\r'))
    ]
}

fn any_quotes() -> impl Strategy<Value = csv::QuoteStyle> {
    prop_oneof![
        Just(csv::QuoteStyle::Always),
        Just(csv::QuoteStyle::Necessary),
        Just(csv::QuoteStyle::NonNumeric)
    ]
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused_without_a_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        noise in "[\"';,\t\r\n a0=é]{0,80}",
    ) {
        let below_a_header = [NEEDED.as_bytes(), b"\r", &bytes].concat();
        let text_below_a_header = format!("{NEEDED}\n{noise}");
        for bytes in [&bytes[..], &below_a_header, noise.as_bytes(), text_below_a_header.as_bytes()] {
            if let Ok(roster) = read(bytes) {
                prop_assert_eq!(roster.rows.len(), roster.lines.len());
                prop_assert_eq!(roster.rows.len(), roster.originals.len());
            }
        }
    }

    #[test]
    fn rows_are_read_as_they_were_written(
        cells in proptest::collection::vec(proptest::collection::vec("[a-c\"éÜ ,;\t\r\n]{0,10}", 12), 1..8),
        separator in proptest::sample::select(&SEPARATORS[..]),
        end in any_end(),
        quotes in any_quotes(),
        encoding in 0..5_usize,
    ) {
        let mut bytes = Vec::new();
        let mut lines = Vec::new();
        let mut line = 2;
        {
            let mut writer = csv::WriterBuilder::new();
            let writer = writer.delimiter(separator).terminator(end).quote_style(quotes);
            let mut writer = writer.from_writer(&mut bytes);
            writer.write_record(HEADER.split(',')).unwrap();
            for row in &cells {
                // So that no row is empty.
                writer.write_field("x").unwrap();
                writer.write_record(&row[1..]).unwrap();
                lines.push(line);
                let breaks = |cell: &String| cell.replace("\r\n", "\n").matches(['\r', '\n']).count();
                line += 1 + i32::try_from(row[1..].iter().map(breaks).sum::<usize>()).unwrap();
            }
            writer.flush().unwrap();
        }
        // The running number alone would be an empty row.
        let is_row = |row: &&Vec<String>| row[1..].iter().any(|cell| !cell.trim().is_empty());
        let expected: Vec<&Vec<String>> = cells.iter().filter(is_row).collect();
        let lines: Vec<i32> =
            lines.into_iter().zip(&cells).filter(|(_, row)| is_row(row)).map(|(line, _)| line).collect();
        match read(encoded(str::from_utf8(&bytes).unwrap(), encoding)) {
            Err(error) => prop_assert!(expected.is_empty(), "{error}"),
            Ok(roster) => {
                prop_assert_eq!(roster.lines, lines);
                prop_assert_eq!(roster.empty_rows, (cells.len() - expected.len()) as u64);
                for (row, cells) in roster.rows.iter().zip(&expected) {
                    let texts = [&row.service_number, &row.national_id, &row.full_name, &row.birth_date, &row.sex];
                    prop_assert_eq!(texts, [&cells[1], &cells[2], &cells[3], &cells[5], &cells[6]]);
                    let phone = Some(&cells[11]).filter(|text| !text.trim().is_empty());
                    prop_assert_eq!(row.phone.as_ref(), phone);
                }
                prop_assert_eq!(roster.rows.len(), expected.len());
            }
        }
    }
}
