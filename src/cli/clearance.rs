//! What the commands share of a clearance file: who reads, and what is made of it for them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use clap::Args;

use crate::alert::{HomeNetworks, Policy, ReferenceKey};
use crate::indicator::{ContextRef, IndicatorSet};
use crate::marking::{Clearance, Clearances};

/// A clearance file, and whose part of it counts.
#[derive(Debug, Clone, Args)]
pub struct ReaderArgs {
    /// Clearance file: what this machine may hold and each reader may see. Without one, everything.
    #[arg(long, value_name = "FILE")]
    pub clearance: Option<PathBuf>,
    /// Whose section of the clearance file counts, [sink.NAME]; a name without one is the public
    #[arg(
        long,
        value_name = "NAME",
        requires = "clearance",
        default_value_if("clearance", clap::builder::ArgPredicate::IsPresent, DEFAULT_SINK)
    )]
    pub sink_clearance: Option<String>,
}

/// The section that counts where none is named.
pub(super) const DEFAULT_SINK: &str = "alerts";

/// Stands for a source that is not to be named.
const UNNAMED: &str = "withheld";

impl ReaderArgs {
    /// The file, if there is one.
    ///
    /// # Errors
    /// A file that cannot be read or says what it must not.
    pub(super) fn read(&self) -> anyhow::Result<Option<Clearances>> {
        Ok(self.clearance.as_deref().map(Clearances::read).transpose()?)
    }

    /// What the machine may hold, by the file.
    ///
    /// # Errors
    /// A file that cannot be read or says what it must not.
    pub(super) fn sensor(&self) -> anyhow::Result<Option<Arc<Clearance>>> {
        super::sensor(self.clearance.as_deref())
    }

    /// The name of the section that counts.
    pub(super) fn sink(&self) -> &str {
        self.sink_clearance.as_deref().unwrap_or(DEFAULT_SINK)
    }

    /// Loads feeds for this reader: what the machine may not hold or the reader may not see is not in the set, so that no answer can
    /// tell whether it was in a feed.
    ///
    /// # Errors
    /// A clearance file or feed that cannot be read.
    pub(super) fn load(&self, feeds: &[PathBuf], force: bool) -> anyhow::Result<IndicatorSet> {
        let clearances = self.read()?;
        let sensor = clearances.as_ref().map(|clearances| Arc::clone(&clearances.sensor));
        let mut set = IndicatorSet::default();
        crate::feed::load(feeds, &crate::feed::Options { force, clearance: sensor }, &mut set)?;
        Ok(match &clearances {
            None => set,
            Some(clearances) => {
                let reader = clearances.of_sink(self.sink());
                set.released(|context| shown(reader, context))
            }
        })
    }
}

/// Loads allow-lists, for a sensor that may hold what is in them. They may name what a feed may not: they only ever take alerts away.
///
/// # Errors
/// A path that cannot be read.
pub(super) fn load_allow(paths: &[PathBuf], clearance: Option<Arc<Clearance>>) -> anyhow::Result<IndicatorSet> {
    let mut allow = IndicatorSet::default();
    crate::feed::load_allow_lists(paths, clearance, &mut allow)?;
    Ok(allow)
}

/// A context as the reader may know it.
pub(super) fn shown<'c>(reader: &Clearance, context: ContextRef<'c>) -> Option<ContextRef<'c>> {
    if !reader.may_see(context.marking).allowed {
        return None;
    }
    if reader.may_name_source(context.marking).allowed {
        return Some(context);
    }
    Some(ContextRef { feed: UNNAMED, provider: None, reference: None, description: None, ..context })
}

/// What the readers of `sink` may see, and what their customer records are made with. Files that it names are looked for beside `file`.
///
/// # Errors
/// A home network that is none, a key file that cannot be read or is too short.
pub(super) fn policy(file: &Path, clearances: &Clearances, sink: &str) -> anyhow::Result<Policy> {
    let at = || format!("{}: [sink.{sink}.record]", file.display());
    let terms = clearances.record_of(sink);
    let home = match &terms.home_networks {
        Some(networks) => HomeNetworks::parse(networks).with_context(at)?,
        None => HomeNetworks::default(),
    };
    let key = match &terms.key_file {
        Some(path) => {
            let path = file.parent().unwrap_or(Path::new("")).join(path);
            let key = fs::read(&path)
                .with_context(|| format!("{}: cannot read the reference key {}", at(), path.display()))?;
            let customer = terms.customer.as_deref().unwrap_or(sink);
            Some(ReferenceKey::new(&decoded(&key), customer).with_context(at)?)
        }
        None => None,
    };
    Ok(Policy { clearances: vec![clearances.of_sink(sink).clone()], home, key, handling: terms.handling.clone() })
}

/// Fails where customer records would be written without references.
///
/// # Errors
/// What to set.
pub(super) fn needs_key(file: &Path, sink: &str) -> anyhow::Result<()> {
    bail!(
        "{}: what is loaded is in part above the sink {sink}, so its readers get customer records, and these need a key: set key_file \
         in [sink.{sink}.record] to a file with 32 or more bytes of randomness, as they are or in base64",
        file.display()
    )
}

/// The bytes that a key file holds: of base64 what it stands for, if that is long enough to be a key, else the text as it is.
fn decoded(file: &[u8]) -> Vec<u8> {
    let text = file.trim_ascii();
    let decoded = base64::engine::general_purpose::STANDARD.decode(text).ok();
    decoded.filter(|key| key.len() >= ReferenceKey::MIN_BYTES).unwrap_or_else(|| text.to_vec())
}
