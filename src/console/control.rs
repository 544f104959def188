//! The control socket: how `picket status`, `picket reload` and `picket stop` reach the sensor on the same machine.
//!
//! A Unix stream socket that only its owner may open (0600), and only root and the sensor's own user are answered. One JSON line asks, one
//! answers, and the connection ends. A request is bounded in bytes and time. The socket is made with its mode, never opened to others and narrowed later; a stale
//! one of a sensor that was killed is replaced, anything else at its path (a file, a symbolic link, the socket of a sensor that runs) is left alone.

mod client;
mod server;
mod socket;

use serde::{Deserialize, Serialize};

pub use client::{AskError, ask};
pub use server::{ControlListener, ControlServer};

use super::{Problem, Snapshot};

/// Where the socket is unless the configuration says otherwise.
pub const DEFAULT_SOCKET: &str = "/run/picket/control.sock";

/// What may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// The numbers.
    Status {},
    /// Feeds, lists, clearance and outputs read again.
    Reload {},
    /// An end in order.
    Stop {},
}

/// What is answered.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// The numbers, and what is wrong by them.
    Status(Box<Status>),
    /// It is done; in words.
    Done(String),
    /// It is not done; why.
    Refused(String),
}

/// See [`Answer::Status`].
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// What is wrong now.
    pub problems: Vec<Problem>,
    /// The numbers.
    #[serde(flatten)]
    pub snapshot: Snapshot,
}

#[cfg(test)]
mod tests;
