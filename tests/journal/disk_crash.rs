//! What a crash may leave on the simulated disk, and what not.

use std::collections::BTreeSet;
use std::io::ErrorKind;

use leveret_broker::disk::Disk;
use leveret_broker::testing::disk::{
    Choices, Fault, FaultClass, OpKind, Seeded, SimDisk, SyncLoss,
};

use crate::disk::read_all;
use crate::disk_faults::disk_with;

/// Images enough to meet everything that can happen to a small disk: the important ones, and chosen ones.
fn images(disk: &SimDisk) -> Vec<SimDisk> {
    let mut images = disk.crash_images(10_000);
    images.extend((0..500).map(|seed| disk.crash_image(&mut Seeded::new(seed))));
    images
}

/// What file `a` holds in each image.
fn outcomes(images: &[SimDisk]) -> BTreeSet<Option<Vec<u8>>> {
    images.iter().map(|image| image.contents("a")).collect()
}

/// Bytes that are neither zero nor alike.
fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|index| (index % 250 + 1) as u8).collect()
}

#[test]
fn a_file_without_a_directory_sync_may_be_lost() {
    let disk = SimDisk::new();
    let mut file = disk.create("a").unwrap();
    file.append(b"x").unwrap();
    file.sync().unwrap();
    assert_eq!(disk.certain("a"), None);
    let both = BTreeSet::from([None, Some(b"x".to_vec())]);
    assert_eq!(outcomes(&disk.crash_images(100)), both);
    assert_eq!(outcomes(&images(&disk)), both);
    disk.sync_directory().unwrap();
    assert_eq!(outcomes(&images(&disk)), BTreeSet::from([Some(b"x".to_vec())]));
}

#[test]
fn a_removed_file_may_be_there_again() {
    let (disk, _) = disk_with(b"old", b"");
    disk.remove("a").unwrap();
    disk.create("a").unwrap();
    let all = BTreeSet::from([None, Some(Vec::new()), Some(b"old".to_vec())]);
    assert_eq!(outcomes(&disk.crash_images(100)), all);
    disk.sync_directory().unwrap();
    assert_eq!(outcomes(&images(&disk)), BTreeSet::from([Some(Vec::new())]));
}

#[test]
fn names_are_lost_and_kept_in_every_combination() {
    let disk = SimDisk::new();
    for name in ["a", "b", "c"] {
        disk.create(name).unwrap();
    }
    let lists: BTreeSet<_> =
        disk.crash_images(100).iter().map(|image| image.list().unwrap()).collect();
    assert_eq!(lists.len(), 8);
}

#[test]
fn synced_bytes_survive_any_crash() {
    for length in [1, 511, 512, 513, 1300] {
        let (disk, mut file) = disk_with(b"", &bytes(length));
        file.sync().unwrap();
        file.append(&bytes(900)).unwrap();
        for image in images(&disk) {
            let found = image.contents("a").unwrap();
            assert!(found.starts_with(&bytes(length)), "{image:?}");
            assert!(found.len() <= length + 900);
        }
    }
}

#[test]
fn unsynced_bytes_may_be_kept_in_part() {
    let (disk, _file) = disk_with(&bytes(100), &bytes(1000));
    let whole = [bytes(100), bytes(1000)].concat();
    let prefixes: BTreeSet<_> = (100..=1100).map(|len| Some(whole[..len].to_vec())).collect();
    assert_eq!(outcomes(&disk.prefix_images("a")), prefixes);
    let important = outcomes(&disk.crash_images(1000));
    for cut in [100, 101, 512, 1024, 1099, 1100] {
        assert!(important.contains(&Some(whole[..cut].to_vec())), "cut at {cut}");
    }
}

#[test]
fn sectors_may_be_missing_before_others_that_are_kept() {
    let (disk, _file) = disk_with(b"", &bytes(2048));
    let found = outcomes(&disk.crash_images(1000));
    let mut hole = bytes(2048);
    hole[512..1024].fill(0);
    assert!(found.contains(&Some(hole)));
    let torn = |found: &Vec<u8>| {
        found.len() == 2048
            && found[512..768] == bytes(2048)[512..768]
            && found[768..1024] != [0; 256]
    };
    let torn = found.iter().flatten().filter(|found| torn(found) && **found != bytes(2048));
    assert!(torn.count() > 0);
}

#[test]
fn a_sector_may_hold_what_a_removed_file_held() {
    let (disk, _) = disk_with(&[7; 512], b"");
    disk.remove("a").unwrap();
    disk.sync_directory().unwrap();
    let mut file = disk.create("a").unwrap();
    disk.sync_directory().unwrap();
    file.append(&bytes(512)).unwrap();
    assert!(outcomes(&images(&disk)).contains(&Some(vec![7; 512])));
}

#[test]
fn a_truncation_without_a_sync_may_be_undone() {
    let (disk, mut file) = disk_with(b"0123456789", b"");
    file.truncate(4).unwrap();
    let both = BTreeSet::from([Some(b"0123".to_vec()), Some(b"0123456789".to_vec())]);
    assert_eq!(outcomes(&images(&disk)), both);
    file.append(b"ab").unwrap();
    let found = outcomes(&disk.crash_images(100));
    for legal in [&b"0123"[..], b"0123ab", b"0123456789", b"0123ab6789", b"0123a"] {
        assert!(found.contains(&Some(legal.to_vec())), "{}", String::from_utf8_lossy(legal));
    }
    assert!(found.iter().flatten().all(|bytes| bytes.starts_with(b"0123")));
    file.sync().unwrap();
    assert_eq!(outcomes(&images(&disk)), BTreeSet::from([Some(b"0123ab".to_vec())]));
}

#[test]
fn a_killed_process_loses_nothing_and_what_was_pending_is_so_still() {
    let (disk, _file) = disk_with(b"old", b"new");
    disk.create("b").unwrap();
    let _lock = disk.lock().unwrap();
    let next = disk.kill_image();
    let _own = next.lock().unwrap();
    assert_eq!(next.list().unwrap(), ["a", "b"]);
    assert_eq!(next.contents("a").unwrap(), b"oldnew");
    assert_eq!((next.certain("a").unwrap(), next.certain("b")), (b"old".to_vec(), None));
    next.open("a").unwrap().sync().unwrap();
    next.sync_directory().unwrap();
    assert_eq!((next.certain("a").unwrap(), next.certain("b")), (b"oldnew".to_vec(), Some(vec![])));
    assert_eq!(disk.certain("b"), None, "an image is a disk of its own");
}

/// Two records in two files, each synced, then the first file goes.
fn workload(disk: &SimDisk) -> std::io::Result<()> {
    for name in ["1", "2"] {
        let mut file = disk.create(name)?;
        disk.sync_directory()?;
        file.append(b"record")?;
        file.sync()?;
        file.append(b"more")?;
    }
    disk.remove("1")?;
    disk.sync_directory()
}

#[test]
fn a_process_can_end_at_every_operation() {
    let disk = SimDisk::new();
    workload(&disk).unwrap();
    let log = disk.log();
    assert!(!disk.has_crashed());
    for n in 1..=disk.operations() {
        let disk = SimDisk::new();
        disk.crash_at(n);
        workload(&disk).unwrap_err();
        assert!(disk.has_crashed());
        assert!(disk.list().is_err() && disk.create("3").is_err(), "nothing works any more");
        assert_eq!(disk.operations(), n);
        let done = &log[..n as usize - 1];
        let synced = done.iter().filter(|op| op.kind == OpKind::Sync).count();
        for image in disk.crash_images(1000) {
            let whole =
                |name| image.contents(name).is_some_and(|found| found.starts_with(b"record"));
            assert!(synced < 1 || whole("1") || whole("2"), "{image:?}");
            assert!(synced < 2 || whole("2"), "{image:?}");
        }
    }
}

#[test]
fn a_process_can_end_within_an_append() {
    let disk = SimDisk::new();
    disk.crash_within(3, 4);
    assert!(workload(&disk).is_err());
    assert_eq!(disk.kill_image().contents("1").unwrap(), b"reco");
    assert_eq!(disk.hits().get(&FaultClass::PartialAppend), None, "it counts as a crash");
}

#[test]
fn the_same_choices_make_the_same_image() {
    let (disk, _file) = disk_with(b"old", &bytes(3000));
    disk.create("b").unwrap();
    let image = |seed| disk.crash_image(&mut Seeded::new(seed));
    for seed in 0..100 {
        let (one, two) = (image(seed), image(seed));
        assert_eq!(one.story(), two.story());
        assert_eq!(outcomes(&[one]), outcomes(&[two]));
    }
    assert!(outcomes(&images(&disk)).len() > 200, "and others make others");
}

#[test]
fn the_important_images_differ_and_keep_to_the_limit() {
    let (disk, _file) = disk_with(b"old", &bytes(3000));
    disk.create("b").unwrap();
    let all = disk.crash_images(usize::MAX);
    let states = |images: &[SimDisk]| -> BTreeSet<_> {
        images.iter().map(|image| (image.contents("a"), image.contents("b"))).collect()
    };
    assert_eq!(states(&all).len(), all.len());
    for limit in [0, 1, 2, 3, 10] {
        let some = disk.crash_images(limit);
        assert!(some.len() <= limit && some.len() >= limit.min(2));
        assert!(states(&some).is_subset(&states(&all)));
    }
    let none = SimDisk::new().crash_images(100);
    assert_eq!(none.len(), 1, "where nothing is pending there is one outcome");
}

#[test]
fn an_image_tells_its_story() {
    let (disk, _file) = disk_with(b"", b"12345");
    let image = &disk.kill_image().crash_images(1)[0];
    assert_eq!(image.story(), "process killed, then power cut; a: 0 of 5 pending bytes");
}

/// Appends, syncs, cuts, makes and removes at random. A file's bytes that are certain must be there in
/// every image; nothing may be there that was never written, apart from spoilt sectors.
#[test]
fn what_is_certain_survives_any_history() {
    for seed in 0..300 {
        let mut choices = Seeded::new(seed);
        let disk = SimDisk::new();
        for _ in 0..choices.below(40) {
            random_operation(&disk, &mut choices);
        }
        let names = disk.list().unwrap();
        let before: Vec<_> = names.iter().map(|name| (name, disk.certain(name))).collect();
        for _ in 0..20 {
            let image = disk.crash_image(&mut choices);
            for (name, certain) in &before {
                let Some(certain) = certain else { continue };
                let found = image.contents(name);
                assert!(found.is_some_and(|found| found.starts_with(certain)), "{seed} {image:?}");
            }
            // What came through a power cut is durable.
            let again = image.crash_image(&mut choices);
            assert_eq!(again.list().unwrap(), image.list().unwrap());
            for name in image.list().unwrap() {
                assert_eq!(again.contents(&name), image.contents(&name));
                assert_eq!(image.certain(&name), image.contents(&name));
            }
        }
    }
}

fn random_operation(disk: &SimDisk, choices: &mut Seeded) {
    let name = ["a", "b", "c"][choices.below(3)];
    let Ok(mut file) = disk.open(name) else {
        disk.create(name).unwrap();
        return;
    };
    match choices.below(10) {
        0 => disk.remove(name).unwrap(),
        1 => disk.sync_directory().unwrap(),
        2 | 3 => file.sync().unwrap(),
        4 => {
            let len = choices.below(file.len().unwrap() as usize + 1);
            file.truncate(len as u64).unwrap();
        }
        5 | 6 => {
            // In a few sectors, so that what is appended lies over zeros and in part over none.
            file.fill(file.len().unwrap() + choices.below(3000) as u64).unwrap();
            file.append(&bytes(choices.below(2000))).unwrap();
        }
        _ => file.append(&bytes(choices.below(2000))).unwrap(),
    }
}

#[test]
fn every_class_of_fault_shows_and_is_counted() {
    let (disk, mut file) = disk_with(&bytes(600), b"");
    for loss in [SyncLoss::Kept, SyncLoss::Seen, SyncLoss::Hidden] {
        disk.inject(Fault::failed_sync(loss));
        assert!(file.sync().is_err());
        disk.clear_faults();
    }
    for fault in [
        Fault::error(ErrorKind::Other).on(OpKind::Append),
        Fault::partial_append(1, ErrorKind::Other).nth(2),
    ] {
        disk.inject(fault);
    }
    assert!(file.append(b"one").is_err() && file.append(b"two").is_err());
    disk.set_capacity(Some(700));
    assert!(file.append(&bytes(200)).is_err());
    disk.set_capacity(None);
    for fault in [Fault::short_read(), Fault::one_byte_reads().nth(2)] {
        disk.inject(fault);
    }
    assert_eq!(read_all(&*file).len(), 700);
    file.truncate(100).unwrap();
    file.append(&bytes(2000)).unwrap();
    disk.flip("a", 0, 7).unwrap();
    disk.overwrite("a", 1, b"..").unwrap();
    disk.cut("a", 2000).unwrap();
    file.fill(9000).unwrap();
    disk.create("b").unwrap();
    disk.sync_directory().unwrap();
    disk.remove("b").unwrap();
    disk.create("c").unwrap();
    let image = disk.kill_image();
    image.crash_at(1);
    assert!(image.list().is_err());
    let taken = images(&disk).len();
    let hits = disk.hits();
    for class in FaultClass::ALL {
        assert!(hits.contains_key(&class), "{class:?} was never seen");
    }
    assert_eq!(hits[&FaultClass::PowerCut], taken as u64);
    assert_eq!(hits[&FaultClass::Crashed], 1);
}
