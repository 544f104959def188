//! Which files a list of paths names, and in which order.

use std::os::unix::fs::symlink;

use super::build::{Pcap, Random, samples};
use super::*;

fn names(files: &Files, root: &Path) -> Vec<String> {
    files.files().iter().map(|f| f.path.strip_prefix(root).expect("below it").display().to_string()).collect()
}

#[test]
fn directories_are_read_in_name_order_and_links_do_not_loop() {
    let directory = temporary();
    let root = directory.path();
    for name in ["b", "b/z", "a", "a/deep", "empty"] {
        fs::create_dir_all(root.join(name)).expect("made");
    }
    for name in ["b/2", "b/10", "b/z/x", "a/deep/y", "c", "A"] {
        fs::write(root.join(name), b"").expect("written");
    }
    symlink(root, root.join("b/z/loop")).expect("linked");
    symlink(root.join("a"), root.join("d")).expect("linked");
    symlink("nowhere", root.join("broken")).expect("linked");
    let files = Files::open(&[root.join("c"), root.to_owned()]).expect("there");
    let expected = ["c", "A", "a/deep/y", "b/10", "b/2", "b/z/x", "c", "d/deep/y"];
    assert_eq!(names(&files, root), expected);
    let troubles: Vec<_> =
        files.troubles().iter().map(|t| (t.path.strip_prefix(root).expect("below"), t.code)).collect();
    let expected = [("b/z/loop", "symlink_loop"), ("broken", "open_failed"), ("empty", "empty_directory")];
    assert_eq!(troubles, expected.map(|(path, code)| (Path::new(path), code)));
}

#[test]
fn a_tree_is_followed_only_so_deep() {
    let directory = temporary();
    let mut path = directory.path().to_owned();
    for _ in 0..40 {
        path.push("d");
    }
    fs::create_dir_all(&path).expect("made");
    let files = Files::open(&[directory.path().to_owned()]).expect("there");
    assert_eq!(files.troubles().iter().map(|t| t.code).collect::<Vec<_>>(), ["too_deep"]);
}

#[test]
fn what_cannot_be_opened_is_named() {
    let error = |paths: &[&str]| {
        let paths: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
        Files::open(&paths).err().expect("refused").to_string()
    };
    assert!(error(&["/no/such/capture.pcap"]).starts_with("/no/such/capture.pcap: No such file"));
    assert!(error(&[]).contains("no capture was given"));
    assert!(error(&["-", "-"]).contains("more than once"));
}

#[test]
fn files_are_one_timeline_and_progress_is_in_stored_bytes() {
    let directory = temporary();
    let paths = ["2", "1"].map(|name| directory.path().join(name));
    let mut total = 0;
    for (seed, path) in (10..).zip(&paths) {
        let file = Pcap::default().build(&samples(&mut Random(seed), 600, 1500));
        total += file.len() as u64;
        fs::write(path, file).expect("written");
    }
    for access in [Access::Read, Access::Map] {
        let mut files = Files::open_with(&paths, access).expect("there");
        let mut batch = Batch::default();
        let (mut last, mut seen) = (0, Vec::new());
        assert_eq!(files.progress(), Progress { bytes_done: 0, bytes_total: Some(total) });
        while files.poll(&mut batch) {
            let progress = files.progress();
            assert!(last <= progress.bytes_done && progress.bytes_done <= total);
            last = progress.bytes_done;
            seen.extend(batch.frames.iter().map(|f| (f.file, f.number)));
        }
        assert_eq!(last, total);
        assert!(seen.is_sorted() && seen.len() == 1200);
    }
}

#[test]
fn files_are_read_again_from_their_beginning_and_packed_ones_are_told() {
    let directory = temporary();
    let path = directory.path().join("a.pcap");
    fs::write(&path, Pcap::default().build(&samples(&mut Random(3), 600, 300))).expect("written");
    let mut files = Files::open(std::slice::from_ref(&path)).expect("opens");
    let mut again = files.again();
    assert!(files.are_plain());
    let frames = |files: &mut Files| {
        let (mut batch, mut count) = (Batch::default(), 0);
        while files.poll(&mut batch) {
            count += batch.frames.len();
        }
        count
    };
    assert_eq!((frames(&mut files), frames(&mut again)), (600, 600));
    let packed = directory.path().join("b.pcap.gz");
    fs::write(&packed, [0x1f, 0x8b, 8, 0]).expect("written");
    assert!(!Files::open(&[path, packed]).expect("opens").are_plain());
}
