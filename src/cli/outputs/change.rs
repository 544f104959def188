//! [`Change`]: other outputs for a run that goes on. Whoever reads the configuration prepares it on its own thread; the thread that writes
//! alerts applies it between two of them ([`Outputs::look`]), wholly or not at all.
//!
//! An output that goes is given the time to deliver that it has at the end of a run, on a thread of its own. Only where its
//! successor needs the same file or folder is that waited for.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use anyhow::{Context, bail};
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use super::{Outputs, Readers, Terms, Way, limit, output};
use crate::alert::{Notice, OwnedValue};
use crate::cli::run::now;
use crate::indicator::Where;
use crate::sink::{Output, OutputOptions};

/// See the module.
pub(in crate::cli) struct Change {
    /// Every output as it is to be, in order.
    pub(in crate::cli) next: Vec<Next>,
    /// Who reads them.
    pub(in crate::cli) terms: Terms,
    answer: Sender<Result<(), String>>,
}

/// An output as it is to be.
pub(in crate::cli) enum Next {
    /// The one of this name, as it is.
    Kept(String),
    /// One that is open.
    Opened(Output),
    /// One to be opened when those are closed that have its places open. Whether it goes on with the queue of the one of its name as it is.
    Late(Box<OutputOptions>, bool),
}

/// How changes come to the outputs and what was closed is told.
pub(super) struct Changes {
    to_outputs: Sender<Change>,
    changes: Receiver<Change>,
    to_told: Sender<Closed>,
    told: Receiver<Closed>,
    closing: Vec<Closing>,
}

/// An output that is being closed.
struct Closing {
    /// What it may have open until then.
    places: Vec<PathBuf>,
    thread: JoinHandle<()>,
}

/// An output that was closed.
struct Closed {
    name: String,
    /// Records that wait in its folder.
    waiting: u64,
    /// Records that did not arrive and are nowhere.
    lost: u64,
}

impl Change {
    /// A change, and where its outcome is told.
    pub(in crate::cli) fn new(next: Vec<Next>, terms: Terms) -> (Self, Receiver<Result<(), String>>) {
        let (answer, outcome) = bounded(1);
        (Self { next, terms, answer }, outcome)
    }
}

impl Changes {
    pub(super) fn new() -> Self {
        let (to_outputs, changes) = unbounded();
        let (to_told, told) = unbounded();
        Self { to_outputs, changes, to_told, told, closing: Vec::new() }
    }
}

impl Outputs {
    /// The way to have other outputs.
    pub(in crate::cli) fn changes(&self) -> Sender<Change> {
        self.changes.to_outputs.clone()
    }

    /// Applies the changes that have come; gives what there is to say of outputs that were closed.
    pub(in crate::cli) fn look(&mut self) -> Vec<Notice> {
        while let Ok(change) = self.changes.changes.try_recv() {
            let Change { next, terms, answer } = change;
            let outcome = self.apply(next, terms).map_err(|error| format!("{error:#}"));
            // Nobody waits any more: that it was applied shows in the status.
            let _ = answer.send(outcome);
        }
        self.changes.closing.retain(|closing| !closing.thread.is_finished());
        self.changes.told.try_iter().filter_map(|closed| closed.notice()).collect()
    }

    /// Waits for those that are being closed; gives what there is to say of them.
    pub(super) fn closed(&mut self) -> Vec<Notice> {
        self.changes.closing.drain(..).for_each(|closing| drop(closing.thread.join()));
        // Nobody applies them any more, and whoever waits is to know.
        self.changes.changes.try_iter().for_each(drop);
        self.changes.told.try_iter().filter_map(|closed| closed.notice()).collect()
    }

    fn apply(&mut self, next: Vec<Next>, terms: Terms) -> anyhow::Result<()> {
        self.take_announced();
        // Whoever prepared this may not know what became of an earlier change: no output is to go because of it.
        let is_there = |name: &String| self.sinks.iter().any(|way| way.is_called(name));
        if let Some(name) = next.iter().filter_map(Next::kept).find(|name| !is_there(name)) {
            bail!("the output {name} is to stay and is not there any more: restart");
        }
        // Alerts of every set that is still in use go to the new outputs, too.
        let sets = self.readers.iter().filter_map(|readers| readers.set.upgrade());
        let readers = sets.map(|set| terms.readers(&set)).collect::<anyhow::Result<Vec<Readers>>>()?;
        let (late, closed) = self.open_late(&next)?;
        let mut late = late.into_iter();
        let mut old: Vec<Option<Way>> = self.sinks.drain(..).map(Some).collect();
        closed.into_iter().for_each(|at| drop(old[at].take()));
        let by_name = |old: &mut Vec<Option<Way>>, name: &str| {
            old.iter_mut().find(|way| way.as_ref().is_some_and(|way| way.is_called(name))).and_then(Option::take)
        };
        for next in next {
            let way = match next {
                Next::Kept(name) => by_name(&mut old, &name),
                Next::Opened(output) => Some(way(output)),
                Next::Late(..) => late.next().map(way),
            };
            self.sinks.extend(way);
        }
        self.close(old.into_iter().flatten());
        (self.terms, self.readers) = (terms, readers);
        Ok(())
    }

    /// Opens those that wait for others to be closed, and closes these: gives both, the latter by their places. If one cannot be opened,
    /// what was closed is opened again.
    fn open_late(&mut self, next: &[Next]) -> anyhow::Result<(Vec<Output>, Vec<usize>)> {
        let late: Vec<(&OutputOptions, bool)> = next.iter().filter_map(Next::late).collect();
        let wanted: Vec<PathBuf> = late.iter().flat_map(|(options, _)| options.places()).collect();
        let is_wanted = |closing: &mut Closing| closing.places.iter().any(|place| wanted.contains(place));
        self.changes.closing.extract_if(.., is_wanted).for_each(|closing| drop(closing.thread.join()));
        let is_kept =
            |output: &Output| next.iter().any(|next| matches!(next, Next::Kept(name) if *name == output.name()));
        let is_in_the_way =
            |output: &Output| !is_kept(output) && output.options().places().iter().any(|place| wanted.contains(place));
        let mut closed = Vec::new();
        for (at, way) in self.sinks.iter().enumerate() {
            if let Way::Output(output, _) = way
                && is_in_the_way(output)
            {
                let goes_on = late.iter().any(|(options, goes_on)| *goes_on && options.name == output.name());
                let lost = output.status().dropped;
                let after = if goes_on { output.hand_over() } else { output.stop() };
                let is_taken_on = output.options().spool.folder.as_ref().is_some_and(|folder| wanted.contains(folder));
                let waiting = if is_taken_on { 0 } else { waiting(output, after.queue_records) };
                let name = output.name().to_owned();
                closed.push((at, Closed { name, waiting, lost: after.dropped.saturating_sub(lost) }));
            }
        }
        let opened = late.iter().map(|(options, _)| {
            Output::open((*options).clone()).with_context(|| format!("cannot open the output {}", options.name))
        });
        match opened.collect::<anyhow::Result<Vec<Output>>>() {
            Ok(opened) => {
                let told = closed.into_iter().map(|(at, closed)| {
                    let _ = self.changes.to_told.send(closed);
                    at
                });
                Ok((opened, told.collect()))
            }
            Err(error) => {
                for (at, closed) in closed {
                    let Way::Output(was, _) = &self.sinks[at] else { continue };
                    match output(was.options()) {
                        Ok(again) => self.sinks[at] = again,
                        Err(_) => bail!("{error:#}; and {}, closed for it, cannot be opened again", closed.name),
                    }
                }
                Err(error)
            }
        }
    }

    /// Closes outputs, each on a thread of its own, so that nothing waits for what is behind them.
    fn close(&mut self, ways: impl Iterator<Item = Way>) {
        for way in ways {
            let Way::Output(output, _) = way else { continue };
            let (told, places) = (self.changes.to_told.clone(), output.options().places());
            let output = Arc::new(output);
            let mine = Arc::clone(&output);
            let closing = thread::Builder::new().name("sink-closing".to_owned()).spawn(move || {
                let before = mine.status();
                let after = mine.stop();
                let lost = after.dropped.saturating_sub(before.dropped);
                let waiting = waiting(&mine, after.queue_records);
                let _ = told.send(Closed { name: before.name, waiting, lost });
            });
            // Without a thread it is closed here, when it is dropped.
            self.changes.closing.extend(closing.ok().map(|thread| Closing { places, thread }));
        }
    }
}

impl Next {
    fn kept(&self) -> Option<&String> {
        match self {
            Self::Kept(name) => Some(name),
            Self::Opened(_) | Self::Late(..) => None,
        }
    }

    fn late(&self) -> Option<(&OutputOptions, bool)> {
        match self {
            Self::Late(options, goes_on) => Some((options, *goes_on)),
            Self::Kept(_) | Self::Opened(_) => None,
        }
    }
}

impl Way {
    fn is_called(&self, name: &str) -> bool {
        matches!(self, Self::Output(output, _) if output.name() == name)
    }
}

impl Closed {
    /// Nothing to say if everything has arrived.
    fn notice(self) -> Option<Notice> {
        let Self { name, waiting, lost } = self;
        if waiting + lost == 0 {
            return None;
        }
        let mut message = format!("the output {name} was closed by a reload;");
        if waiting > 0 {
            message += &format!(" {waiting} alerts wait in its spool, until an output has this spool again;");
        }
        if lost > 0 {
            message += &format!(" {lost} alerts were lost, because its destination did not take them in time;");
        }
        message.pop();
        Some(Notice {
            time: now(),
            action: "output-closed",
            severity: if lost > 0 { 70 } else { 50 },
            message,
            fields: vec![
                (Where("picket.output"), OwnedValue::Text(name)),
                (Where("picket.waiting"), OwnedValue::Number(waiting)),
                (Where("picket.dropped"), OwnedValue::Number(lost)),
            ],
        })
    }
}

/// Of records that did not leave, those that are on disk; the others are counted as lost.
fn waiting(output: &Output, left: u64) -> u64 {
    output.options().spool.folder.as_ref().map_or(0, |_| left)
}

fn way(output: Output) -> Way {
    let limit = limit(output.options());
    Way::Output(output, limit)
}

#[cfg(test)]
mod tests;
