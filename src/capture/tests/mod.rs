//! Tests of the whole room: captures as files, against what was put in and against libpcap.

mod build;
mod damage;
mod formats;
mod hostile;
mod listing;
mod oracle;
mod streams;

use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::packet::LinkType;

/// A frame as handed out, with its bytes instead of their offset.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Got {
    ns: u64,
    wire: u32,
    link: LinkType,
    number: u64,
    file: u32,
    bytes: Vec<u8>,
}

/// Everything that came of some files.
#[derive(Debug, PartialEq, Eq)]
struct Run {
    frames: Vec<Got>,
    troubles: Vec<Trouble>,
    files: Vec<FileInfo>,
}

impl Run {
    /// Code and offset of each trouble.
    fn codes(&self) -> Vec<(&'static str, u64)> {
        self.troubles.iter().map(|trouble| (trouble.code, trouble.offset)).collect()
    }
}

/// Reads the files to their end, checking what every batch promises.
fn run(paths: &[PathBuf], access: Access) -> Run {
    let mut files = Files::open_with(paths, access).expect("the paths exist");
    let mut batch = Batch::default();
    let mut frames = Vec::new();
    while files.poll(&mut batch) {
        assert!((1..=BATCH_FRAMES).contains(&batch.frames.len()), "{} frames in a batch", batch.frames.len());
        for meta in &batch.frames {
            assert_eq!(meta.file, batch.frames[0].file, "one file a batch");
            frames.push(Got {
                ns: meta.time.as_ns(),
                wire: meta.wire_bytes,
                link: meta.link,
                number: meta.number,
                file: meta.file,
                bytes: batch.data[meta.offset..][..meta.captured_bytes as usize].to_vec(),
            });
        }
    }
    assert!(!files.poll(&mut batch) && batch.frames.is_empty(), "the end stays the end");
    let progress = files.progress();
    assert_eq!(progress.bytes_done, progress.bytes_total.unwrap_or(progress.bytes_done), "all of it is done");
    assert_eq!(files.files().iter().map(|file| file.frames).sum::<u64>(), frames.len() as u64);
    Run { frames, troubles: files.troubles().to_vec(), files: files.files().to_vec() }
}

/// Reads one file both ways, which must make no difference.
fn run_file(directory: &Path, name: &str, content: &[u8]) -> Run {
    let path = directory.join(name);
    fs::write(&path, content).expect("a temporary file can be written");
    let run_read = run(std::slice::from_ref(&path), Access::Read);
    assert_eq!(run_read, run(&[path], Access::Map));
    run_read
}

fn temporary() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory can be made")
}
