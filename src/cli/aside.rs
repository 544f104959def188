//! What a run may do beside its alerts, over captures or live: sum up repeats, log flows, file evidence.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use crossbeam_channel::Receiver;

use crate::alert::{FlowRecord, SuppressOptions};
use crate::pipeline::{EvidenceCounters, EvidenceOptions, FlowLogOptions, Options, Progress};
use crate::sink::flow::FlowSink;

/// See the module.
#[derive(Args, Clone)]
pub(super) struct AsideArgs {
    /// Sum further alerts of one source host and indicator within so many seconds up in one, and those of one indicator beyond ten a
    /// second; 0 writes every alert. 300 for `watch` if not given, 0 for `replay`.
    #[arg(long, value_name = "SECONDS")]
    repeat_window: Option<u32>,
    /// Write a record of each flow here when it ends, as ECS JSON Lines.
    #[arg(long, value_name = "FILE")]
    flow_log: Option<PathBuf>,
    /// Write the packets around each alert to this folder, a pcapng each; the oldest go when it holds a gigabyte or 10,000 files.
    #[arg(long, value_name = "FOLDER")]
    evidence: Option<PathBuf>,
}

impl AsideArgs {
    /// Asks a run for it. Where repeats are not spoken of, `is_live` says whether they are summed up.
    ///
    /// # Errors
    /// A folder for evidence that cannot be written.
    pub(super) fn ask(&self, options: &mut Options, is_live: bool) -> anyhow::Result<()> {
        options.suppress = match self.repeat_window {
            Some(0) => None,
            Some(seconds) => {
                Some(SuppressOptions { window: Duration::from_secs(seconds.into()), ..SuppressOptions::default() })
            }
            None => is_live.then(SuppressOptions::default),
        };
        options.flow_log = self.flow_log.is_some().then(FlowLogOptions::default);
        options.evidence = self.evidence.clone().map(EvidenceOptions::into_folder);
        if let Some(evidence) = &options.evidence {
            let name = evidence.folder.display();
            evidence.prepare().with_context(|| format!("cannot write evidence to {name}"))?;
        }
        Ok(())
    }

    /// Where flow records go, readable by whoever runs it alone. `is_live` adds to what is there.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub(super) fn flow_sink(&self, is_live: bool) -> anyhow::Result<Option<FlowSink>> {
        let Some(path) = &self.flow_log else { return Ok(None) };
        let file: File = OpenOptions::new()
            .write(true)
            .create(true)
            .append(is_live)
            .truncate(!is_live)
            .mode(0o600)
            .open(path)
            .with_context(|| format!("cannot write the flow log to {}", path.display()))?;
        Ok(Some(FlowSink::new(Box::new(BufWriter::with_capacity(1 << 16, file)))))
    }
}

/// Writes flow records as they come, on a thread of its own: alerts and flows wait for nobody but their own reader.
pub(super) fn write_flows(
    mut sink: FlowSink,
    flows: Receiver<FlowRecord>,
    progress: Arc<Progress>,
) -> JoinHandle<io::Result<()>> {
    std::thread::spawn(move || {
        let written = flows.iter().try_for_each(|record| sink.write(&record)).and_then(|()| sink.finish());
        if written.is_err() {
            progress.stop();
        }
        written
    })
}

/// What became of evidence, if it was not written or is gone again.
pub(super) fn warn_of_evidence(evidence: &EvidenceCounters) {
    if evidence.failed > 0 {
        tracing::warn!("{} alerts went out without evidence: it could not be written", evidence.failed);
    }
    if evidence.deleted > 0 {
        tracing::warn!("{} files with evidence were deleted: the folder was full", evidence.deleted);
    }
}
