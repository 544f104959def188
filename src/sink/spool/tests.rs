//! What a spool keeps, in which order, and what a crash or a full disk does to it.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::prelude::*;

use super::*;
use crate::time::Timestamp;

fn record(number: u64, length: usize) -> Record {
    let bytes = number.to_string().bytes().cycle().take(length.max(1)).collect();
    Record { id: format!("{number:032x}"), time: Timestamp::from_ns(number), severity: (number % 101) as u8, bytes }
}

fn options(folder: &Path) -> SpoolOptions {
    SpoolOptions { folder: Some(folder.to_owned()), sync: Sync::Never, ..SpoolOptions::default() }
}

fn open(folder: &Path) -> Spool {
    Spool::open(options(folder)).expect("opens")
}

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().expect("folder")
}

/// Everything that waits, the oldest first.
fn drain(spool: &mut Spool) -> Vec<Record> {
    let mut all = Vec::new();
    loop {
        let taken = spool.take(7, 4096).expect("reads");
        if taken.is_empty() {
            return all;
        }
        spool.done(&taken);
        all.extend(taken.into_iter().map(|entry| entry.record));
    }
}

fn segments(folder: &Path) -> Vec<PathBuf> {
    let names = fs::read_dir(folder).expect("readable").map(|entry| entry.expect("entry").path());
    let mut paths: Vec<PathBuf> = names.filter(|path| path.extension().is_some_and(|end| end == "seg")).collect();
    paths.sort();
    paths
}

#[derive(Debug, Clone)]
enum Step {
    Push(usize),
    Deliver(usize),
    /// Taken, and the process ends before it is done.
    Crash(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0usize..6000).prop_map(Step::Push),
        2 => (1usize..5).prop_map(Step::Deliver),
        1 => (0usize..5).prop_map(Step::Crash),
    ];
    proptest::collection::vec(step, 1..80)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// A spool is a queue that outlives its process: the obvious one stands beside it.
    #[test]
    fn what_goes_in_comes_out_in_order(steps in steps()) {
        let folder = scratch();
        let small = SpoolOptions { max_bytes: MIN_SEGMENT_BYTES * SEGMENTS * 4, ..options(folder.path()) };
        let mut spool = Spool::open(small.clone()).expect("opens");
        let mut twin = VecDeque::new();
        for (number, step) in (0..).zip(steps) {
            match step {
                Step::Push(length) => {
                    twin.push_back(record(number, length));
                    prop_assert!(spool.push(record(number, length)));
                }
                Step::Deliver(most) => {
                    let taken = spool.take(most, usize::MAX).expect("reads");
                    prop_assert_eq!(taken.len(), most.min(twin.len()));
                    for entry in &taken {
                        prop_assert_eq!(Some(entry.record.clone()), twin.pop_front());
                    }
                    spool.done(&taken);
                }
                Step::Crash(most) => {
                    spool.take(most, usize::MAX).expect("reads");
                    drop(spool);
                    spool = Spool::open(small.clone()).expect("opens");
                    prop_assert_eq!(spool.found().damaged_bytes, 0);
                }
            }
            prop_assert_eq!(spool.counts().waiting, twin.len() as u64);
        }
        prop_assert_eq!(drain(&mut spool), Vec::from(twin));
    }
}

/// Cut anywhere in its last file, a spool gives every record that is whole and nothing else, and goes on.
#[test]
fn a_tail_that_was_cut_anywhere_loses_only_its_own_record() {
    let folder = scratch();
    let mut spool = open(folder.path());
    let all: Vec<Record> = (0..6).map(|number| record(number, 5 + 9 * number as usize)).collect();
    all.iter().for_each(|one| assert!(spool.push(one.clone())));
    drop(spool);
    let [path] = &segments(folder.path())[..] else { panic!("one file") };
    let whole = fs::read(path).expect("readable");
    let mut ends = vec![segment::START];
    ends.extend(all.iter().scan(segment::START, |at, one| {
        *at += segment::encoded_bytes(one);
        Some(*at)
    }));
    assert_eq!(ends.last(), Some(&(whole.len() as u64)));
    for cut in 0..=whole.len() {
        let crashed = scratch();
        fs::write(crashed.path().join(path.file_name().expect("a name")), &whole[..cut]).expect("written");
        let mut spool = open(crashed.path());
        let kept = ends.iter().filter(|end| **end <= cut as u64).count().saturating_sub(1);
        let is_torn = cut > 0 && !ends.contains(&(cut as u64));
        assert_eq!((spool.counts().waiting, spool.found().damaged_bytes > 0), (kept as u64, is_torn), "cut at {cut}");
        assert!(spool.push(record(99, 40)));
        drop(spool);
        let mut expected = all[..kept].to_vec();
        expected.push(record(99, 40));
        assert_eq!(drain(&mut open(crashed.path())), expected, "cut at {cut}");
    }
}

/// Damage is never taken for a record, wherever it is.
#[test]
fn a_changed_byte_is_never_a_record() {
    let folder = scratch();
    let mut spool = open(folder.path());
    let all: Vec<Record> = (0..4).map(|number| record(number, 30)).collect();
    all.iter().for_each(|one| assert!(spool.push(one.clone())));
    drop(spool);
    let path = &segments(folder.path())[0];
    let whole = fs::read(path).expect("readable");
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 0x41;
        fs::write(path, &changed).expect("written");
        let mut spool = open(folder.path());
        let taken = spool.take(10, usize::MAX).expect("reads");
        let got: Vec<Record> = taken.into_iter().map(|entry| entry.record).collect();
        assert_eq!(got, all[..got.len()], "byte {at}");
        assert!(got.len() < all.len() && spool.found().damaged_bytes > 0, "byte {at}");
        drop(spool);
        fs::write(path, &whole).expect("written");
    }
}

#[test]
fn a_full_spool_drops_what_it_is_told_to_and_counts_it() {
    for (when_full, is_newest_kept) in [(WhenFull::DropOldest, true), (WhenFull::DropNewest, false)] {
        let folder = scratch();
        let max_bytes = MIN_SEGMENT_BYTES * 4;
        let mut spool = Spool::open(SpoolOptions { max_bytes, when_full, ..options(folder.path()) }).expect("opens");
        // The first are being delivered all the time: they are not what gives way.
        spool.push(record(0, 500));
        let taken = spool.take(1, 1).expect("reads");
        for number in 1..1000 {
            let is_kept = spool.push(record(number, 500));
            assert!(is_kept || !is_newest_kept);
            assert!(spool.bytes() <= max_bytes);
        }
        spool.done(&taken);
        let counts = spool.counts();
        assert!(counts.dropped > 800 && counts.dropped < 980, "{counts:?}");
        assert_eq!(counts.waiting + counts.dropped + 1, 1000);
        let left = drain(&mut spool);
        assert_eq!(left.len() as u64 + counts.dropped + 1, 1000);
        assert!(left.windows(2).all(|pair| pair[0].time < pair[1].time), "in order");
        assert_eq!(left.last() == Some(&record(999, 500)), is_newest_kept);
    }
}

#[test]
fn a_queue_in_memory_is_bounded_too_and_says_what_it_loses_at_its_end() {
    for when_full in [WhenFull::DropOldest, WhenFull::DropNewest] {
        let options = SpoolOptions { memory_bytes: 8192, when_full, ..SpoolOptions::default() };
        let mut spool = Spool::open(options).expect("opens");
        for number in 0..100 {
            spool.push(record(number, 200));
            assert!(spool.bytes() <= 8192);
        }
        let counts = spool.counts();
        assert!(counts.waiting > 10 && counts.dropped > 50 && counts.waiting + counts.dropped == 100, "{counts:?}");
        let taken = spool.take(3, usize::MAX).expect("reads");
        spool.done(&taken);
        assert_eq!(spool.close().dropped, 97);
    }
}

#[test]
fn only_its_owner_reads_it_and_only_one_process_has_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = scratch();
    let folder = folder.path().join("spool");
    let mut spool = open(&folder);
    spool.push(record(1, 10));
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for entry in fs::read_dir(&folder).expect("readable") {
        assert_eq!(mode(&entry.expect("entry").path()), 0o600);
    }
    assert_eq!(Spool::open(options(&folder)).err().map(|error| error.kind()), Some(io::ErrorKind::ResourceBusy));
}

#[test]
fn what_is_delivered_leaves_the_disk() {
    let folder = scratch();
    let mut spool = open(folder.path());
    for number in 0..200 {
        spool.push(record(number, 9000));
    }
    let before = spool.bytes();
    drain(&mut spool);
    assert!(spool.bytes() < MIN_SEGMENT_BYTES.max(256 << 10) && before > 1_700_000, "{before} {}", spool.bytes());
    drop(spool);
    assert_eq!(open(folder.path()).counts().waiting, 0);
    assert!(segments(folder.path()).is_empty());
}

#[test]
fn a_record_too_long_to_be_kept_is_counted() {
    let folder = scratch();
    let mut spool = open(folder.path());
    assert!(!spool.push(record(1, segment::MAX_BODY_BYTES)));
    assert!(spool.push(record(2, 10)));
    assert_eq!((spool.counts().dropped, drain(&mut spool).len()), (1, 1));
}

/// A file system of its own, as small as that.
struct Small(tempfile::TempDir);

impl Small {
    /// `None` where this process may not mount one.
    fn mount(bytes: u64) -> Option<Self> {
        let folder = scratch();
        let size = format!("size={bytes}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).output();
        mounted.is_ok_and(|output| output.status.success()).then(|| Self(folder))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_is_outlived() {
    let Some(small) = Small::mount(128 << 10) else {
        eprintln!("skipped: no file system can be mounted here");
        return;
    };
    let folder = small.0.path().join("spool");
    let mut spool = open(&folder);
    let filler = small.0.path().join("filler");
    (0..20).for_each(|number| assert!(spool.push(record(number, 900))));
    assert!(fs::write(&filler, vec![0; 128 << 10]).is_err(), "the disk is full");
    (20..60).for_each(|number| assert!(spool.push(record(number, 900))));
    let counts = spool.counts();
    assert!(counts.spilled > 30 && counts.dropped == 0, "{counts:?}");
    assert_eq!(counts.trouble, Some(io::ErrorKind::StorageFull));
    fs::remove_file(&filler).expect("removed");
    assert!(spool.push(record(60, 900)));
    assert_eq!(spool.counts().trouble, None, "it recovers by itself");
    drop(spool);
    let mut spool = open(&folder);
    assert_eq!((spool.counts().waiting, spool.found().damaged_bytes), (61, 0));
    assert_eq!(drain(&mut spool), (0..61).map(|number| record(number, 900)).collect::<Vec<_>>());
}
