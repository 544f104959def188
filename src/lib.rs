//! Picket matches marked threat indicators on network traffic: captures go in, every observable in them is looked up in a
//! compiled feed, and what matches comes out of a channel as alerts, in capture order.
//!
//! ```text
//!  feeds ──feed──► IndicatorSet ──matcher──► MatchSet (immutable, shared)
//!                                               │
//!  captures ─capture─► batches of frames        │
//!                         │ packet              │
//!                         ▼                     │
//!                      headers, hash            │       16 shards, spread over 1 to 16 workers
//!                         │ flow                │
//!                         ▼                     ▼
//!                      flow ──stream──► proto ──observables──► matcher ──hits──► alert
//!                                                                                  │ pipeline: put in order
//!                                                                                  ▼
//!                                                                        channel ──► sink (ecs, table, csv)
//! ```
//!
//! The whole of it as a library, [`pipeline::replay`] (`examples/embed.rs` is this as a program):
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use picket::capture::Files;
//! use picket::feed;
//! use picket::indicator::IndicatorSet;
//! use picket::matcher::MatchSet;
//! use picket::pipeline::{self, Options};
//!
//! let mut indicators = IndicatorSet::default();
//! let report = feed::load(&["feeds/".into()], &feed::Options::default(), &mut indicators)?;
//! assert_eq!(report.totals.broken_files, 0);
//! let set = Arc::new(MatchSet::compile(indicators, IndicatorSet::default()));
//!
//! let replay = pipeline::replay(Files::open(&["day.pcapng.zst".into()])?, set, &Options::default());
//! for alert in &replay.alerts {
//!     println!("{} in {}, frame {}", alert.indicator().id(), alert.field.0, alert.frame.number);
//! }
//! let outcome = replay.finish();
//! for line in outcome.counters.uninspected() {
//!     println!("not inspected: {} {} ({})", line.count, line.unit, line.reason);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Modules by floor; one imports only from lower floors (`tests/floors.rs`), so that each can be read knowing only those below it:
//!
//! | Floor | Modules |
//! |---|---|
//! | F0 | [`bytes`] [`time`] [`metrics`] [`marking`] [`memory`] [`prefetch`]: bounded reading, packet time, counters, handling rules, hints to the machine |
//! | F1 | [`packet`] headers, [`indicator`] the vocabulary |
//! | F2 | [`capture`] files to frames, [`flow`] packets to streams, [`feed`] files to indicators, [`matcher`] values to indicators |
//! | F3 | [`proto`] streams to observables, [`alert`] what was found |
//! | F4 | [`sink`] alerts to bytes |
//! | F5 | [`pipeline`] the only threads and channels |
//! | F6 | [`config`] what a live run is told, [`fetch`] feeds from servers, [`privilege`] what the process gives up |
//! | F7 | [`console`] what a running sensor says of itself |
//! | F8 | [`cli`] the only clock and terminal |
//!
//! `ARCHITECTURE.md` says how a packet lives and how to add a protocol, a kind, a format.

pub mod alert;
pub mod bytes;
pub mod capture;
pub mod cli;
pub mod config;
pub mod console;
pub mod feed;
pub mod fetch;
pub mod flow;
pub mod indicator;
pub mod marking;
pub mod matcher;
pub mod memory;
pub mod metrics;
pub mod packet;
pub mod pipeline;
pub mod prefetch;
#[cfg(target_os = "linux")]
pub mod privilege;
pub mod proto;
pub mod sink;
pub mod time;
