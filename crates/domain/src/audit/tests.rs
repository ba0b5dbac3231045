//! Tests of seals and of the chain.

use super::*;

fn entry(id: i64) -> Entry {
    Entry {
        transaction: 700,
        id,
        at: DateTime::from_timestamp(1_412_218_800, 0).unwrap(),
        client: "Desk".into(),
        role: Role::Officer,
        outcome: AuditOutcome::Read,
        operation: "participants".into(),
        purpose: None,
        subjects: vec![1, 2],
        request_id: Uuid::nil(),
    }
}

fn leaves(ids: &[i64]) -> Vec<Leaf> {
    ids.iter().map(|&id| entry(id).leaf()).collect()
}

#[test]
fn every_part_of_an_entry_is_in_its_digest() {
    let intact = entry(1);
    let changed = [
        Entry { transaction: 701, ..intact.clone() },
        Entry { id: 2, ..intact.clone() },
        Entry { at: intact.at + chrono::Duration::microseconds(1), ..intact.clone() },
        Entry { client: "desk".into(), ..intact.clone() },
        Entry { role: Role::Partner, ..intact.clone() },
        Entry { outcome: AuditOutcome::Written, ..intact.clone() },
        Entry { operation: "participant".into(), ..intact.clone() },
        Entry { purpose: Some(String::new()), ..intact.clone() },
        Entry { subjects: vec![1], ..intact.clone() },
        Entry { subjects: vec![2, 1], ..intact.clone() },
        Entry { request_id: Uuid::max(), ..intact.clone() },
        // The same letters, divided differently between two fields.
        Entry { client: "Deskp".into(), operation: "articipants".into(), ..intact.clone() },
    ];
    for other in changed {
        assert_ne!(intact.leaf().digest, other.leaf().digest, "{other:?}");
    }
    assert_eq!(intact.leaf(), intact.clone().leaf());
}

#[test]
fn the_first_difference_is_named() {
    let sealed = leaves(&[1, 2, 3]);
    let mut edited = sealed.clone();
    edited[1].digest[0] ^= 1;
    for (found, expected) in [
        (sealed.clone(), None),
        (edited, Some(Tampering::Edited(2))),
        (leaves(&[1, 3]), Some(Tampering::Deleted(2))),
        (leaves(&[1, 2]), Some(Tampering::Deleted(3))),
        (vec![], Some(Tampering::Deleted(1))),
        (leaves(&[1, 9, 2, 3]), Some(Tampering::Inserted(9))),
        (leaves(&[1, 2, 3, 9]), Some(Tampering::Inserted(9))),
        (leaves(&[1, 3, 2]), Some(Tampering::Moved(2))),
    ] {
        assert_eq!(Tampering::between(&sealed, &found), expected);
    }
}

#[test]
fn leaves_survive_a_round_trip() {
    let written = Leaf::write_all(&leaves(&[1, -2, i64::MAX]));
    assert_eq!(Leaf::read_all(&written), Some(leaves(&[1, -2, i64::MAX])));
    assert_eq!(Leaf::read_all(&written[..written.len() - 1]), None);
}

/// Returns a chain of seals without signatures.
fn chain(count: i64) -> Vec<Seal> {
    let mut seals: Vec<Seal> = Vec::new();
    for number in 1..=count {
        let previous = seals.last().map_or([0; 32], |seal| seal.statement.hash());
        let statement = Statement {
            number,
            sealed_at: DateTime::from_timestamp(number, 0).unwrap(),
            last: (700, number),
            leaves: Leaf::write_all(&leaves(&[number])),
            previous,
        };
        seals.push(Seal { hash: statement.hash().to_vec(), statement, key_id: vec![], signature: vec![] });
    }
    seals
}

fn check(seals: &[Seal]) -> Result<ChainCheck, Tampering> {
    let mut check = ChainCheck::default();
    for seal in seals {
        check.next(seal, |_| true)?;
    }
    Ok(check)
}

#[test]
fn a_chain_is_intact_or_its_first_bad_seal_is_named() {
    let intact = chain(3);
    assert!(check(&intact).is_ok());
    assert_eq!(check(&intact[1..]).unwrap_err(), Tampering::SealMissing(1));
    assert_eq!(check(&[intact[0].clone(), intact[2].clone()]).unwrap_err(), Tampering::SealMissing(2));
    for change in [
        (|seal: &mut Seal| seal.statement.leaves[9] ^= 1) as fn(&mut Seal),
        |seal| seal.statement.last.1 = 9,
        |seal| seal.statement.sealed_at += chrono::Duration::seconds(1),
        |seal| seal.hash[0] ^= 1,
        |seal| seal.statement.previous[0] ^= 1,
        // Consistent in itself, but it does not continue the previous seal.
        |seal| {
            seal.statement.previous = [7; 32];
            seal.hash = seal.statement.hash().to_vec();
        },
    ] {
        let mut changed = intact.clone();
        change(&mut changed[1]);
        assert_eq!(check(&changed).unwrap_err(), Tampering::SealChanged(2));
    }
    let forged = ChainCheck::default().next(&intact[0], |_| false);
    assert_eq!(forged, Err(Tampering::SealForged(1)));
}

#[test]
fn a_hash_from_outside_the_database_reveals_removed_seals() {
    let intact = chain(3);
    let head = intact[2].statement.hash();
    assert_eq!(check(&intact).unwrap().require(&head), Ok(()));
    assert_eq!(check(&intact[..2]).unwrap().require(&head), Err(Tampering::Truncated(2)));
}
