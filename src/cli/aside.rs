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

use super::watch::plan;
use crate::alert::{FlowRecord, SuppressOptions};
use crate::config::{Bytes, Period, Plan};
use crate::pipeline::{EvidenceCounters, EvidenceOptions, FlowLogOptions, Options, Progress, Reach};
use crate::sink::destination::Destination;
use crate::sink::flow::{self, FlowSink};
use crate::sink::{Output, OutputOptions};

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
    /// In place of the above, by a configuration file.
    #[arg(skip)]
    configured: Option<Box<Configured>>,
}

/// What a configuration file asks for.
#[derive(Clone)]
struct Configured {
    suppress: Option<SuppressOptions>,
    flow_log: Option<FlowLogOptions>,
    evidence: Option<EvidenceOptions>,
    log_file: Option<OutputOptions>,
}

impl AsideArgs {
    /// Asks a run for it. Where repeats are not spoken of, `is_live` says whether they are summed up.
    ///
    /// # Errors
    /// A folder for evidence that cannot be written.
    pub(super) fn ask(&self, options: &mut Options, is_live: bool) -> anyhow::Result<()> {
        if let Some(configured) = &self.configured {
            let Configured { suppress, flow_log, evidence, .. } = (**configured).clone();
            (options.suppress, options.flow_log, options.evidence) = (suppress, flow_log, evidence);
            return prepare(options.evidence.as_ref());
        }
        options.suppress = match self.repeat_window {
            Some(0) => None,
            Some(seconds) => {
                Some(SuppressOptions { window: Duration::from_secs(seconds.into()), ..SuppressOptions::default() })
            }
            None => is_live.then(SuppressOptions::default),
        };
        options.flow_log = self.flow_log.is_some().then(FlowLogOptions::default);
        options.evidence = self.evidence.clone().map(EvidenceOptions::into_folder);
        prepare(options.evidence.as_ref())
    }

    /// The file and the folder that arguments name.
    pub(super) fn writes(&self) -> (Option<&PathBuf>, Option<&PathBuf>) {
        (self.flow_log.as_ref(), self.evidence.as_ref())
    }

    /// What a configuration file asks for.
    pub(super) fn of(plan: &Plan) -> Self {
        let (suppression, evidence, log) = (&plan.suppression, &plan.evidence, &plan.flow_log);
        let suppress = suppression.is_enabled.then_some(SuppressOptions {
            window: suppression.window.0,
            alerts_per_second: suppression.alerts_per_second,
            burst: suppression.burst,
            max_pairs: suppression.max_pairs,
            max_indicators: suppression.max_indicators,
        });
        let reach = |packets, bytes: Bytes, time: Period| Reach { packets, bytes: bytes.as_usize(), time: time.0 };
        let filed = evidence.is_enabled.then(|| EvidenceOptions {
            folder: evidence.directory.clone(),
            max_folder_bytes: evidence.max_bytes.0,
            max_files: evidence.max_files,
            ring_bytes: evidence.ring_bytes.as_usize(),
            before: reach(evidence.packets_before, evidence.bytes_before, evidence.time_before),
            after: reach(evidence.packets_after, evidence.bytes_after, evidence.time_after),
        });
        let logged = log.is_enabled.then(|| FlowLogOptions { max_note_bytes: log.note_bytes.as_usize() });
        Self {
            repeat_window: None,
            flow_log: None,
            evidence: None,
            configured: Some(Box::new(Configured {
                suppress,
                flow_log: logged,
                evidence: filed,
                log_file: log.is_enabled.then(|| OutputOptions {
                    name: "flows".to_owned(),
                    destination: Destination::File(plan::file(&log.file)),
                    ..OutputOptions::default()
                }),
            })),
        }
    }

    /// The flow log of a live run; without one it takes everything and writes nothing.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub(super) fn flow_file(&self) -> anyhow::Result<FlowFile<'_>> {
        let log_file = self.configured.as_ref().and_then(|configured| configured.log_file.clone());
        let output = log_file.map(Output::open).transpose().context("cannot write the flow log")?;
        Ok(FlowFile { args: self, sink: self.flow_sink(true)?, output })
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

fn prepare(evidence: Option<&EvidenceOptions>) -> anyhow::Result<()> {
    let Some(evidence) = evidence else { return Ok(()) };
    evidence.prepare().with_context(|| format!("cannot write evidence to {}", evidence.folder.display()))
}

/// See [`AsideArgs::flow_file`].
pub(super) struct FlowFile<'a> {
    args: &'a AsideArgs,
    sink: Option<FlowSink>,
    /// By a configuration: the file rotates.
    output: Option<Output>,
}

impl FlowFile<'_> {
    pub(super) fn write(&mut self, record: &FlowRecord) -> io::Result<()> {
        if let Some(output) = &self.output {
            output.put(flow::record(record)?);
        }
        self.sink.as_mut().map_or(Ok(()), |sink| sink.write(record))
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.sink.as_mut().map_or(Ok(()), FlowSink::finish)
    }

    /// For whoever has moved the file away. One that cannot be opened again goes on into the old one.
    pub(super) fn reopen(&mut self) {
        let _ = self.flush();
        if let Some(output) = &self.output {
            return output.reopen();
        }
        match self.args.flow_sink(true) {
            Ok(sink) => self.sink = sink,
            Err(error) => tracing::error!("{error:#}"),
        }
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
