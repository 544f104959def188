//! `picket status`, `picket reload`, `picket stop`: what a sensor on this machine is asked over its control socket.

mod table;

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail};
use clap::Args;

use crate::config::Plan;
use crate::console::control::{self, Answer, AskError, DEFAULT_SOCKET, Request};

/// How often it is looked whether a sensor has ended.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Where to ask, and how to answer.
#[derive(Debug, Args)]
struct Asking {
    /// The sensor's control socket
    #[arg(long, value_name = "PATH", default_value = DEFAULT_SOCKET)]
    socket: PathBuf,
    /// The sensor's configuration, which says where its socket is
    #[arg(long, value_name = "FILE", conflicts_with = "socket")]
    config: Option<PathBuf>,
    /// Answer in JSON, as is done wherever standard output is no terminal
    #[arg(long)]
    json: bool,
}

/// Arguments of `picket status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    #[command(flatten)]
    asking: Asking,
}

/// Arguments of `picket reload`.
#[derive(Debug, Args)]
pub struct ReloadArgs {
    #[command(flatten)]
    asking: Asking,
}

/// Arguments of `picket stop`.
#[derive(Debug, Args)]
pub struct StopArgs {
    #[command(flatten)]
    asking: Asking,
    /// Wait so many seconds for its end; 0 not at all
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    wait: u64,
}

/// Says how the sensor is: 1 if it sees or says nothing, or if there is none.
///
/// # Errors
/// Without an answer: why, and what to do.
pub fn status(args: &StatusArgs) -> anyhow::Result<ExitCode> {
    let answer = args.asking.ask(Request::Status {})?;
    let Answer::Status(status) = &answer else { return args.asking.say(&answer) };
    let mut out = io::stdout().lock();
    let written = if args.asking.wants_json() {
        serde_json::to_writer_pretty(&mut out, status).map_err(io::Error::from).and_then(|()| writeln!(out))
    } else {
        table::print(status, &mut out)
    };
    ignore_broken_pipe(written)?;
    let is_down = status.problems.iter().any(|problem| problem.is_fatal);
    Ok(if is_down { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Has feeds, lists, clearance and outputs read again: 1 if the old ones stay.
///
/// # Errors
/// Without an answer: why, and what to do.
pub fn reload(args: &ReloadArgs) -> anyhow::Result<ExitCode> {
    args.asking.say(&args.asking.ask(Request::Reload {})?)
}

/// Ends the sensor in order and waits for it: 1 if it has not ended by then.
///
/// # Errors
/// Without an answer: why, and what to do.
pub fn stop(args: &StopArgs) -> anyhow::Result<ExitCode> {
    let answer = args.asking.ask(Request::Stop {})?;
    let done = args.asking.say(&answer)?;
    if args.wait == 0 || !matches!(answer, Answer::Done(_)) {
        return Ok(done);
    }
    let deadline = Instant::now() + Duration::from_secs(args.wait);
    let socket = args.asking.socket()?;
    while !has_ended(&socket) {
        if Instant::now() >= deadline {
            bail!(
                "the sensor still runs after {} s: it may be writing what it holds; `picket status` says what waits",
                args.wait
            );
        }
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(done)
}

/// The socket goes at the end, after the last alert is written.
fn has_ended(socket: &Path) -> bool {
    std::os::unix::net::UnixStream::connect(socket).is_err()
}

impl Asking {
    fn wants_json(&self) -> bool {
        self.json || !io::stdout().is_terminal()
    }

    fn socket(&self) -> anyhow::Result<PathBuf> {
        Ok(match &self.config {
            Some(file) => Plan::read(file)?.control.socket,
            None => self.socket.clone(),
        })
    }

    fn ask(&self, request: Request) -> anyhow::Result<Answer> {
        let socket = self.socket()?;
        control::ask(&socket, request).map_err(|error| {
            let advice = match &error {
                AskError::NoSensor => {
                    "start it (`systemctl start picket`, `picket watch`), or say with --socket where its socket is"
                }
                AskError::NotAllowed => {
                    "ask as root, or as the user that the sensor runs as (`sudo -u picket picket status`)"
                }
                AskError::NoAnswer => "it may be stopping, or hang: its log says more (`journalctl -u picket`)",
                AskError::NotUnderstood => "ask with the picket of the version that runs",
                AskError::Io(_) => "see whether the path is the socket of a sensor",
            };
            anyhow!("{}: {error}: {advice}", socket.display())
        })
    }

    /// What there is to say of an answer in words.
    fn say(&self, answer: &Answer) -> anyhow::Result<ExitCode> {
        if self.wants_json() {
            ignore_broken_pipe(writeln!(io::stdout(), "{}", serde_json::to_string(answer)?))?;
            return Ok(if matches!(answer, Answer::Refused(_)) { ExitCode::FAILURE } else { ExitCode::SUCCESS });
        }
        match answer {
            Answer::Done(words) => ignore_broken_pipe(writeln!(io::stdout(), "{words}"))?,
            Answer::Refused(words) => bail!("refused: {words}"),
            Answer::Status(_) => bail!("another answer came than was asked for"),
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn ignore_broken_pipe(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}
