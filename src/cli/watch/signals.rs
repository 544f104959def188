//! Signals: SIGINT and SIGTERM end the run in order, a second one ends it; SIGHUP has the feeds loaded
//! anew and files of outputs opened again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator;

use crate::pipeline::live::Control;
use crate::pipeline::reload::Request;

/// What a shell shows for a command that a signal ended.
const ENDED_BY_SIGNAL: i32 = 130;

/// The signals, taken from the moment on that this is made.
pub(super) struct Signals(iterator::Signals);

impl Signals {
    /// Takes them: from now on none of them ends the process by itself.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn take() -> anyhow::Result<Self> {
        Ok(Self(iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])?))
    }

    /// Acts on them for the run, on a thread of its own. What it gives says that SIGHUP came.
    pub(super) fn serve(self, control: Arc<Control>) -> Arc<AtomicBool> {
        let Self(mut signals) = self;
        let hung_up = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&hung_up);
        thread::spawn(move || {
            for signal in signals.forever() {
                if signal == SIGHUP {
                    told.store(true, Ordering::Relaxed);
                    let _ = control.reload(Request::Asked);
                } else if control.is_stopped() {
                    std::process::exit(ENDED_BY_SIGNAL);
                } else {
                    control.stop();
                }
            }
        });
        hung_up
    }
}
