//! What systemd is told of a service with `Type=notify`: ready, still alive, reloading, stopping. Nothing is told, and nothing fails,
//! where it was not started by systemd.

use std::time::Duration;

use sd_notify::NotifyState;

/// Packets are captured and alerts have somewhere to go.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// One line for `systemctl status`. Never a value of an indicator.
pub fn status(line: &str) {
    tell(&[NotifyState::Status(line)]);
}

/// New feeds are being read; [`ready`] says that they are in use. Since version 253 systemd wants to know when it was.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// It is ending in order, and may take so long.
pub fn stopping(at_most: Duration) {
    let usec = u32::try_from(at_most.as_micros()).unwrap_or(u32::MAX);
    tell(&[NotifyState::Stopping, NotifyState::ExtendTimeoutUsec(usec)]);
}

/// It is alive. To be called only while packets are taken and outputs move, for a hung sensor is to be started again.
pub fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// How often [`alive`] is to be called: half of `WatchdogSec`. `None`: nobody waits for it.
pub fn alive_every() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|limit| limit / 2)
}

fn tell(states: &[NotifyState<'_>]) {
    // A manager that does not listen is no reason to stop.
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!("systemd was not told: {error}");
    }
}
