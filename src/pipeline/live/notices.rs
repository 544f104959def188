//! What a live run says of itself, in words and fields. Nothing here knows an indicator.

use super::loss::{Change, Gap};
use super::overload::Shedding;
use crate::alert::{Notice, OwnedValue};
use crate::capture::live::Losses;
use crate::indicator::Where;
use crate::time::Timestamp;

/// Field of the interface, or of all of them.
const INTERFACE: Where = Where("observer.ingress.interface.name");
const WORKER: Where = Where("picket.worker");

/// Who speaks.
#[derive(Clone, Copy)]
pub(super) struct Who<'a> {
    pub(super) worker: usize,
    pub(super) interfaces: &'a [String],
}

impl Who<'_> {
    fn fields(self) -> Vec<(Where, OwnedValue)> {
        vec![(INTERFACE, text(&self.interfaces.join(","))), (WORKER, number(self.worker as u64))]
    }
}

/// A loss began or ended on an interface.
pub(super) fn gap(who: Who<'_>, name: &str, change: &Change) -> Notice {
    let (action, gap) = match change {
        Change::Began(gap) => ("visibility-gap-began", gap),
        Change::Ended(gap) => ("visibility-gap-ended", gap),
    };
    let Gap { began, last, lost, first } = *gap;
    let seconds = last.since(began).as_secs_f64();
    let what = words(lost);
    let message = match change {
        Change::Began(_) => format!("packets are being lost on {name} (worker {}): {what}", who.worker),
        Change::Ended(_) => format!(
            "no more packets are lost on {name} (worker {}); in {seconds:.1} s: {what}. What was in them was not seen.",
            who.worker
        ),
    };
    let mut fields = who.fields();
    fields[0].1 = text(name);
    let reasons: Vec<&str> =
        counted(first).into_iter().filter(|(count, ..)| *count > 0).map(|(_, code, _)| code).collect();
    fields.extend([
        (Where("event.start"), text(&began.to_string())),
        (Where("event.reason"), text(&reasons.join(","))),
        (Where("picket.lost.kernel"), number(lost.kernel_dropped)),
        (Where("picket.lost.ring_freezes"), number(lost.ring_freezes)),
        (Where("picket.lost.interface"), number(lost.interface_dropped)),
        (Where("picket.received"), number(lost.received)),
    ]);
    if matches!(change, Change::Ended(_)) {
        fields.push((Where("event.end"), text(&last.to_string())));
    }
    let severity = if matches!(change, Change::Began(_)) { 70 } else { 50 };
    Notice { time: last, action, severity, message, fields }
}

/// What counts as a loss: how much, its code, in words.
fn counted(lost: Losses) -> [(u64, &'static str, &'static str); 3] {
    let Losses { kernel_dropped, ring_freezes, interface_dropped, .. } = lost;
    [
        (kernel_dropped, "kernel_dropped", "dropped by the kernel, because the worker was behind"),
        // A virtual interface counts here what is sent to it while it is down, too.
        (interface_dropped, "interface_dropped", "dropped by the interface before capture"),
        (ring_freezes, "ring_freezes", "times the ring was full"),
    ]
}

fn words(lost: Losses) -> String {
    let counted = counted(lost).into_iter().filter(|(count, ..)| *count > 0);
    let counted: Vec<String> = counted.map(|(count, _, words)| format!("{count} {words}")).collect();
    format!("{}; {} received", counted.join(", "), lost.received)
}

/// Alerts found no room.
pub(super) fn alerts_dropped(who: Who<'_>, time: Timestamp, count: u64) -> Notice {
    let mut fields = who.fields();
    fields.push((Where("picket.alerts_dropped"), number(count)));
    let message = format!("{count} alerts were lost because nobody took them fast enough (worker {})", who.worker);
    Notice { time, action: "alerts-dropped", severity: 80, message, fields }
}

/// A worker was made anew.
pub(super) fn restarted(who: Who<'_>, time: Timestamp, (restarts, frames): (u64, u64)) -> Notice {
    let mut fields = who.fields();
    fields.extend([(Where("picket.restarts"), number(restarts)), (Where("picket.frames_lost"), number(frames))]);
    let message = format!(
        "worker {} met a defect of the sensor and was started anew; {frames} packets were not inspected, its flows are forgotten. \
         Please report where it says that it was (standard error).",
        who.worker
    );
    Notice { time, action: "worker-restarted", severity: 80, message, fields }
}

/// A source ended although nobody asked for it.
pub(super) fn ended(who: Who<'_>, time: Timestamp) -> Notice {
    let message = format!("capture has ended for worker {}: its share of the traffic is not seen any more", who.worker);
    Notice { time, action: "capture-ended", severity: 90, message, fields: who.fields() }
}

/// What is left out has changed.
pub(super) fn shedding(who: Who<'_>, time: Timestamp, shedding: Shedding) -> Notice {
    let mut fields = who.fields();
    fields.push((Where("picket.shedding"), text(shedding.code())));
    let (action, message) = match shedding {
        Shedding::Nothing => ("overload-ended", "everything is inspected again"),
        Shedding::Bulk => {
            ("overload", "there is more traffic than can be inspected: byte signatures are not looked for in bulk")
        }
        Shedding::Long => (
            "overload",
            "there is more traffic than can be inspected: long streams are parsed no further, bulk is not scanned",
        ),
    };
    let message = format!("{message} (worker {})", who.worker);
    Notice { time, action, severity: 60, message, fields }
}

/// An interface went away or came back.
pub(super) fn interface(who: Who<'_>, time: Timestamp, name: &str, is_up: bool) -> Notice {
    let (action, severity, what) = match is_up {
        true => ("interface-up", 30, "is up again"),
        false => ("interface-down", 80, "is down: nothing is seen there"),
    };
    let mut fields = who.fields();
    fields[0].1 = text(name);
    Notice { time, action, severity, message: format!("interface {name} {what}"), fields }
}

pub(in crate::pipeline) fn text(text: &str) -> OwnedValue {
    OwnedValue::Text(text.to_owned())
}

pub(in crate::pipeline) fn number(number: u64) -> OwnedValue {
    OwnedValue::Number(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_says_who_lost_how_many_and_when() {
        let lost = Losses { received: 90, kernel_dropped: 7, ring_freezes: 1, interface_dropped: 2 };
        let [began, last] = [10, 13].map(|secs| Timestamp::from_parts(secs, 0));
        let interfaces = ["eth1".to_owned(), "eth2".to_owned()];
        let first = Losses { interface_dropped: 1, ring_freezes: 1, ..Losses::default() };
        let ended = Change::Ended(Gap { began, last, lost, first });
        let notice = gap(Who { worker: 3, interfaces: &interfaces }, "eth2", &ended);
        assert_eq!((notice.action, notice.time), ("visibility-gap-ended", last));
        for words in
            ["on eth2 (worker 3)", "3.0 s", "7 dropped by the kernel", "2 dropped by the interface", "90 received"]
        {
            assert!(notice.message.contains(words), "{words}: {}", notice.message);
        }
        let field = |path: &str| notice.fields.iter().find(|(at, _)| at.0 == path).map(|(_, value)| value.clone());
        assert!(matches!(field("picket.lost.kernel"), Some(OwnedValue::Number(7))));
        let is_text = |path: &str, wanted: &str| matches!(field(path), Some(OwnedValue::Text(text)) if text == wanted);
        assert!(is_text("observer.ingress.interface.name", "eth2"));
        assert!(is_text("event.reason", "interface_dropped,ring_freezes"), "by what it began");
        assert!(
            matches!(field("event.start"), Some(OwnedValue::Text(text)) if text.starts_with("1970-01-01T00:00:10"))
        );
    }
}
