//! [`Evidence`]: the packets around a hit, on their way to a file, and the file that they are in.
//!
//! The packets are the indicator, in the clear: only a [`super::Full`] view names the file.

use std::path::PathBuf;
use std::sync::Arc;

use super::Alert;
use crate::marking::Marking;
use crate::packet::FrameMeta;

/// See the module.
#[derive(Clone)]
pub enum Evidence {
    /// Packets of the alert's flow, in the order that they came.
    Packets(Vec<KeptPacket>),
    /// They are in a file that is whole.
    Filed(EvidenceFile),
}

/// A packet that was kept.
#[derive(Clone)]
pub struct KeptPacket {
    /// What the capture says of it.
    pub frame: FrameMeta,
    /// Its bytes, as captured.
    pub data: Arc<[u8]>,
}

/// A file with evidence.
#[derive(Clone)]
pub struct EvidenceFile {
    /// Where it is.
    pub path: PathBuf,
    /// SHA-256 of what is in it, in hexadecimal.
    pub sha256: String,
}

impl Alert {
    /// How everything that shows the indicator is to be handled: as strictly as every source of it asks.
    pub fn handling(&self) -> Marking {
        let sources = self.set().indicators().sources(self.indicator_ix());
        sources.fold(Marking::default(), |all, (context, _)| all.combine(context.marking))
    }
}

crate::bytes::opaque_debug!(Evidence, "Evidence");
crate::bytes::opaque_debug!(KeptPacket, "KeptPacket");
crate::bytes::opaque_debug!(EvidenceFile, "EvidenceFile");
