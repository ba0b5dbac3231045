//! Posting lists: which entries name a person, in a few bytes each.
//!
//! Pairs of person and entry, in order, are cut into blocks that fit a row of the database. A block holds all pairs of a
//! person in its segment, so a lookup reads one block. It is a sequence of variable-length numbers (LEB128): the lowest
//! entry of the block; then for each person the distance from the person before, the number of entries, and the distance
//! of each entry from the one before. Equal pairs have equal blocks, so a verification compares bytes.

use std::cell::Cell;

use itertools::Itertools as _;

/// A person and an entry that names it, by internal ids.
pub(super) type Posting = (i64, i64);

/// A block ends with the person that reaches this size. A row of this size is stored in line.
const BLOCK_BYTES: usize = 1_700;

/// The pairs of some people, encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// The first of these people.
    pub first_subject: i64,
    /// The pairs.
    pub bytes: Vec<u8>,
}

/// Encodes pairs in order. Each pair is stored once.
pub(super) fn encode(postings: impl IntoIterator<Item = Posting>) -> Vec<Block> {
    let (mut blocks, mut block, mut size) = (Vec::new(), Vec::new(), 0);
    for posting in postings {
        match block.last() {
            Some(&last) if last == posting => continue,
            Some(&(person, _)) if person == posting.0 => size += 2,
            // The size is estimated: distances are small numbers.
            Some(_) if size >= BLOCK_BYTES => {
                blocks.push(write_block(&block));
                block.clear();
                size = 4;
            }
            _ => size += 4,
        }
        block.push(posting);
    }
    if !block.is_empty() {
        blocks.push(write_block(&block));
    }
    blocks
}

/// Sorts pairs.
pub(super) fn sort(postings: &mut [Posting]) {
    // One number instead of two halves the time: which of two is less is then found without a branch.
    postings
        .sort_unstable_by_key(|&(person, entry)| u128::from(person as u64) << 64 | u128::from(entry as u64));
}

/// Merges the blocks of segments. `None` if those of one are damaged or not in order.
///
/// It holds one block of each segment at a time as pairs, where sorting would need a list of all pairs.
pub(super) fn merge(segments: &[Vec<Block>]) -> Option<Vec<Block>> {
    let is_damaged = &Cell::new(false);
    let pairs = |blocks| {
        let mut last = None;
        pairs_of(blocks, is_damaged).inspect(move |&pair| {
            if last.replace(pair) >= Some(pair) {
                is_damaged.set(true);
            }
        })
    };
    let merged = encode(segments.iter().map(Vec::as_slice).map(pairs).kmerge());
    (!is_damaged.get()).then_some(merged)
}

/// Decodes blocks one after the other. A damaged one has no pairs.
fn pairs_of<'a>(blocks: &'a [Block], is_damaged: &'a Cell<bool>) -> impl Iterator<Item = Posting> + 'a {
    blocks.iter().flat_map(|block| {
        decode(block).unwrap_or_else(|| {
            is_damaged.set(true);
            Vec::new()
        })
    })
}

fn write_block(postings: &[Posting]) -> Block {
    let mut bytes = Vec::with_capacity(BLOCK_BYTES * 2);
    let lowest = postings.iter().map(|&(_, entry)| entry).min().unwrap_or_default();
    write_number(&mut bytes, lowest.abs_diff(0));
    let first_subject = postings[0].0;
    let mut subject_before = first_subject;
    for entries in postings.chunk_by(|a, b| a.0 == b.0) {
        let subject = entries[0].0;
        write_number(&mut bytes, subject.abs_diff(subject_before));
        subject_before = subject;
        write_number(&mut bytes, entries.len() as u64);
        let mut before = lowest;
        for &(_, entry) in entries {
            write_number(&mut bytes, entry.abs_diff(before));
            before = entry;
        }
    }
    Block { first_subject, bytes }
}

/// Decodes the pairs of a block. `None` if it was damaged.
pub(super) fn decode(block: &Block) -> Option<Vec<Posting>> {
    let mut postings = Vec::new();
    walk(block, |subject, entry| postings.push((subject, entry)))?;
    Some(postings)
}

/// Returns the entries of a block that name a person. `None` if it was damaged.
pub(super) fn entries_about(block: &Block, person: i64) -> Option<Vec<i64>> {
    let mut entries = Vec::new();
    walk(block, |subject, entry| {
        if subject == person {
            entries.push(entry);
        }
    })?;
    Some(entries)
}

fn walk(block: &Block, mut visit: impl FnMut(i64, i64)) -> Option<()> {
    let mut bytes = block.bytes.as_slice();
    let lowest = i64::try_from(read_number(&mut bytes)?).ok()?;
    let mut subject = block.first_subject;
    while !bytes.is_empty() {
        subject = subject.checked_add_unsigned(read_number(&mut bytes)?)?;
        let mut entry = lowest;
        for _ in 0..read_number(&mut bytes)? {
            entry = entry.checked_add_unsigned(read_number(&mut bytes)?)?;
            visit(subject, entry);
        }
    }
    Some(())
}

fn write_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn read_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pairs as of pages of fifty people each.
    fn pages(entries: i64) -> Vec<Posting> {
        let person = |entry: i64, n: i64| (entry * 7_919 + n * 104_729) % 200_000 + 1;
        (0..entries)
            .flat_map(|entry| (0..50).map(move |n| (person(entry, n), 5_000_000_000 + entry)))
            .collect()
    }

    /// Sorts pairs and encodes them.
    fn encoded(mut postings: Vec<Posting>) -> Vec<Block> {
        sort(&mut postings);
        encode(postings)
    }

    #[test]
    fn merged_segments_are_as_if_their_pairs_were_sorted_together() {
        let all = pages(400);
        // With pairs that two of them have.
        let parts = [&all[..9_000], &all[8_000..8_200], &[], &all[9_000..]];
        let segments = parts.map(|part| encoded(part.to_vec()));
        assert_eq!(merge(&segments), Some(encoded(all)));
        assert_eq!(merge(&segments[1..2]).as_ref(), Some(&segments[1]));
        assert_eq!(merge(&[]), Some(Vec::new()));
        let mut damaged = segments.clone();
        damaged[1][0].bytes.pop();
        assert_eq!(merge(&damaged), None);
        let mut overlapping = segments;
        overlapping[0][0].first_subject += 300;
        assert_eq!(merge(&overlapping), None);
    }

    #[test]
    fn blocks_are_those_of_earlier_versions() {
        let block = Block { first_subject: 3, bytes: vec![5, 0, 1, 4, 4, 2, 0, 0x80, 2] };
        assert_eq!(encode([(3, 9), (7, 5), (7, 261)]), [block]);
        let blocks = encode((1..=1_000).map(|person| (person, 1)));
        let begins: Vec<i64> = blocks.iter().map(|block| block.first_subject).collect();
        assert_eq!(begins, [1, 426, 851]);
    }

    #[test]
    fn decoded_pairs_are_the_encoded_ones() {
        let mut expected = pages(500);
        let blocks = encoded(expected.clone());
        expected.sort_unstable();
        expected.dedup();
        assert!(blocks.len() > 10);
        let decoded: Vec<Posting> = blocks.iter().flat_map(|block| decode(block).unwrap()).collect();
        assert_eq!(decoded, expected);
        let bytes: usize = blocks.iter().map(|block| block.bytes.len()).sum();
        assert!(bytes < expected.len() * 6, "{bytes} bytes for {} pairs", expected.len());
    }

    #[test]
    fn a_person_is_in_one_block_whatever_the_number_of_entries() {
        let often = (0..5_000).map(|entry| (7, entry + 1));
        let blocks = encoded(often.chain([(3, 9), (8, 2)]).collect());
        let about = |person| -> Vec<Vec<i64>> {
            let found = blocks.iter().map(|block| entries_about(block, person).unwrap());
            found.filter(|entries| !entries.is_empty()).collect()
        };
        assert_eq!(about(7), [(1..=5_000).collect::<Vec<i64>>()]);
        assert_eq!((about(3), about(8)), (vec![vec![9]], vec![vec![2]]));
        assert_eq!(about(4), Vec::<Vec<i64>>::new());
    }

    #[test]
    fn each_pair_is_stored_once_and_the_extremes_fit() {
        let extremes = vec![(i64::MAX, i64::MAX), (1, 1), (1, i64::MAX), (1, 1)];
        let decoded: Vec<Posting> =
            encoded(extremes).iter().flat_map(|block| decode(block).unwrap()).collect();
        assert_eq!(decoded, [(1, 1), (1, i64::MAX), (i64::MAX, i64::MAX)]);
        assert_eq!(encoded(Vec::new()), []);
    }

    #[test]
    fn a_damaged_block_is_noticed() {
        let mut block = encoded(pages(3)).remove(0);
        block.bytes.pop();
        assert_eq!(decode(&block), None);
        block.bytes = vec![0xff; 20];
        assert_eq!(entries_about(&block, 1), None);
    }
}
