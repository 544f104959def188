//! [`Filer`]: writes the packets of alerts to a folder, one pcapng each, and says in the alert which. It waits for the disk, so it is
//! never on the path of packets.
//!
//! A file is named by its alert's `event.id`, readable by its owner alone, and whole once it has its name. What does not fit the folder's
//! quota any more goes, the oldest first.

use std::collections::VecDeque;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};

use super::EvidenceOptions;
use crate::alert::{Alert, Evidence, EvidenceFile, KeptPacket};
use crate::capture::PcapngWriter;
use crate::packet::FrameRef;

/// See the module.
pub(in crate::pipeline) struct Filer {
    folder: PathBuf,
    max_bytes: u64,
    max_files: usize,
    /// Files and their sizes, the oldest first.
    files: VecDeque<(String, u64)>,
    bytes: u64,
    figures: Arc<EvidenceFigures>,
}

/// What became of evidence, for whoever watches while it is written.
#[derive(Debug, Default)]
pub struct EvidenceFigures {
    filed: AtomicU64,
    failed: AtomicU64,
    deleted: AtomicU64,
    folder_bytes: AtomicU64,
}

/// [`EvidenceFigures`] at one time.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct EvidenceCounters {
    /// Files written.
    pub filed: u64,
    /// Alerts whose evidence could not be written: they went out without.
    pub failed: u64,
    /// Files deleted for the quota.
    pub deleted: u64,
    /// Bytes of the files that are there.
    pub folder_bytes: u64,
}

impl EvidenceFigures {
    /// As they are.
    pub fn counters(&self) -> EvidenceCounters {
        let of = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        EvidenceCounters {
            filed: of(&self.filed),
            failed: of(&self.failed),
            deleted: of(&self.deleted),
            folder_bytes: of(&self.folder_bytes),
        }
    }
}

const ENDING: &str = ".pcapng";

/// Ending of a file that is being written.
const UNFINISHED: &str = ".part";

impl Filer {
    /// Opens the folder; files of earlier runs count.
    pub(in crate::pipeline) fn open(options: &EvidenceOptions, figures: Arc<EvidenceFigures>) -> io::Result<Self> {
        let folder = options.folder.clone();
        if !folder.is_dir() {
            DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        }
        let mut found = Vec::new();
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let (name, metadata) = (entry.file_name().to_string_lossy().into_owned(), entry.metadata()?);
            if name.ends_with(UNFINISHED) {
                let _ = fs::remove_file(entry.path());
            } else if name.ends_with(ENDING) && metadata.is_file() {
                found.push((metadata.modified()?, name, metadata.len()));
            }
        }
        found.sort();
        let files: VecDeque<_> = found.into_iter().map(|(_, name, bytes)| (name, bytes)).collect();
        let bytes = files.iter().map(|(_, bytes)| bytes).sum();
        // Whether it can be written at all.
        let probe = folder.join(UNFINISHED);
        create(&probe)?;
        fs::remove_file(probe)?;
        let (max_bytes, max_files) = (options.max_folder_bytes, options.max_files);
        Ok(Self { folder, max_bytes, max_files, files, bytes, figures })
    }

    /// Writes what an alert has collected, and says in it where that is.
    pub(in crate::pipeline) fn file(&mut self, alert: &mut Alert) {
        let Some(Evidence::Packets(packets)) = alert.evidence.take().map(|evidence| *evidence) else { return };
        let filed = self.write(&format!("{}{ENDING}", alert.event_id()), &contents(alert, &packets));
        self.figures.folder_bytes.store(self.bytes, Ordering::Relaxed);
        match filed {
            Ok(file) => {
                self.figures.filed.fetch_add(1, Ordering::Relaxed);
                alert.evidence = Some(Box::new(Evidence::Filed(file)));
            }
            Err(error) => {
                if self.figures.failed.fetch_add(1, Ordering::Relaxed) == 0 {
                    tracing::warn!("evidence cannot be written: {error}; alerts go out without, and are counted");
                }
            }
        }
    }

    fn write(&mut self, name: &str, bytes: &[u8]) -> io::Result<EvidenceFile> {
        let size = bytes.len() as u64;
        if size > self.max_bytes || self.max_files == 0 {
            return Err(io::Error::new(io::ErrorKind::QuotaExceeded, "larger than the folder may be"));
        }
        // The same alert again, of an earlier run: it takes its own place.
        if let Some(at) = self.files.iter().position(|(known, _)| known == name)
            && let Some((_, old)) = self.files.remove(at)
        {
            self.bytes -= old;
        }
        while self.bytes + size > self.max_bytes || self.files.len() >= self.max_files {
            let Some((oldest, old)) = self.files.pop_front() else { break };
            self.bytes -= old;
            // Gone already: somebody else tidies up too.
            let _ = fs::remove_file(self.folder.join(oldest));
            self.figures.deleted.fetch_add(1, Ordering::Relaxed);
        }
        let (part, path) = (self.folder.join(format!("{name}{UNFINISHED}")), self.folder.join(name));
        let _ = fs::remove_file(&part);
        let written = create(&part).and_then(|mut file| file.write_all(bytes)).and_then(|()| fs::rename(&part, &path));
        if let Err(error) = written {
            let _ = fs::remove_file(&part);
            return Err(error);
        }
        self.files.push_back((name.to_owned(), size));
        self.bytes += size;
        let sha256 = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(EvidenceFile { path, sha256 })
    }
}

fn create(path: &Path) -> io::Result<fs::File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// The file: whose it is and how it is to be handled on its header, the alert's id on the packet that completed the hit.
fn contents(alert: &Alert, packets: &[KeptPacket]) -> Vec<u8> {
    let (id, marking) = (alert.event_id(), alert.handling().to_string());
    let handling = if marking.is_empty() { "not marked" } else { &marking };
    let mut writer = PcapngWriter::new(&format!("Handling: {handling}\nEvidence of Picket alert {id}"));
    let is_hit = |frame: &FrameRef| (frame.file, frame.number) == (alert.frame.file, alert.frame.number);
    for KeptPacket { frame, data } in packets {
        let comment = is_hit(&frame.reference()).then(|| format!("Picket alert {id}"));
        writer.packet(frame, data, comment.as_deref());
    }
    writer.finish()
}
