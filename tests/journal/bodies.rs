//! Bodies read back by their position.

use leveret_broker::journal::{JournalError, Position, read_body};

use crate::support::{Faults, Shelf, declared, enqueued};

#[test]
fn a_body_is_read_back_by_its_position_and_checked() {
    let shelf = Shelf::default();
    let (mut journal, _) = shelf.open().unwrap();
    let bodies = [Vec::new(), b"hello".to_vec(), vec![7; 300_000]];
    let mut places = Vec::new();
    for (id, body) in bodies.iter().enumerate() {
        assert_eq!(journal.append(&declared("q")).unwrap().body, None);
        places.push(journal.append(&enqueued(id as u64, body)).unwrap().body.unwrap());
        journal.flush().unwrap();
    }
    for (place, body) in places.iter().zip(&bodies) {
        assert_eq!(journal.read_body(*place).unwrap(), body);
    }
    drop(journal);

    let (journal, recovered) = shelf.open().unwrap();
    let found: Vec<Position> = recovered.records.iter().filter_map(|found| found.body).collect();
    assert_eq!(found, places, "recovery knows the same places");
    shelf.set(Faults { read_max: 7, ..Faults::default() });
    assert_eq!(journal.read_body(places[1]).unwrap(), bodies[1]);

    let at = places[1];
    let wrong = [
        Position { offset: at.offset + 1, ..at },
        Position { offset: 3, ..at },
        Position { offset: u64::MAX, ..at },
        Position { len: u32::MAX, ..at },
        Position { len: at.len - 1, ..at },
    ];
    for at in wrong {
        let error = journal.read_body(at).unwrap_err();
        assert!(matches!(error, JournalError::NoBody { .. }), "{at:?}: {error}");
    }
    let mut files = shelf.files();
    files.first_entry().unwrap().get_mut()[at.offset as usize] ^= 1;
    let error = read_body(&Shelf::with(&files), at).unwrap_err();
    assert!(matches!(error, JournalError::NoBody { .. }), "{error}");
}
