//! [`steps`]: a parser's way through the bytes on offer, one step after the other, as the mail protocols all go it.

use crate::proto::tls::Tls;
use crate::proto::{Hint, Parser, Probe, Progress};

/// What one look at the bytes led to.
pub(in crate::proto) enum Step {
    /// So many bytes are done with; 0 when only the parser's phase changed.
    Past(usize),
    /// So many are to be stepped over, maybe more than there are.
    Skip(u64),
    /// More bytes are needed than there are.
    Need,
    /// That is all of these bytes. A [`Progress::Reprobe`] counts from where the step began.
    End(Progress),
}

/// Takes `step` over `data` until it needs more or has seen all of it. A step is offered what is left, which is not empty, and may
/// say what it could not read.
pub(in crate::proto) fn steps(data: &[u8], mut step: impl FnMut(&[u8], &mut Option<&'static str>) -> Step) -> Progress {
    let (mut at, mut unread) = (0, None);
    let need = loop {
        let rest = data.get(at..).unwrap_or(&[]);
        if rest.is_empty() {
            break 0;
        }
        match step(rest, &mut unread) {
            Step::Past(bytes) => at += bytes,
            // A reason that there is to say comes first; then the same is stepped over.
            Step::Skip(_) if unread.is_some() => break 0,
            Step::Skip(bytes) => return Progress::Skip(bytes.saturating_add(at as u64)),
            Step::Need => break rest.len() + 1,
            Step::End(Progress::Reprobe(_)) => return Progress::Reprobe(at),
            Step::End(progress) => return progress,
        }
    };
    match unread {
        Some(reason) => Progress::Damaged { bytes: at, need, reason },
        None => Progress::Consumed { bytes: at, need },
    }
}

/// Where a line should begin there is none: TLS begins, whatever was said of it, or the parser stops for this reason.
pub(in crate::proto) fn not_text(rest: &[u8], hint: &Hint, reason: &'static str) -> Option<Step> {
    let is_text = rest.first().is_none_or(|byte| *byte >= b' ' || b"\t\r\n".contains(byte));
    match is_text {
        true => None,
        false if Tls::probe(rest, hint) != Probe::No => Some(Step::End(Progress::Reprobe(0))),
        false => Some(Step::End(Progress::Stopped(reason))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steps_say_is_put_together() {
        let mut left = vec![Step::Need, Step::Past(0), Step::Past(3)];
        let progress = steps(b"abcdef", |_, _| left.pop().expect("asked three times"));
        assert_eq!(progress, Progress::Consumed { bytes: 3, need: 4 });
        let skip = |reason: Option<&'static str>| {
            let mut is_first = true;
            steps(b"abcdef", move |_, unread| {
                *unread = reason;
                if std::mem::take(&mut is_first) { Step::Past(2) } else { Step::Skip(9) }
            })
        };
        assert_eq!(skip(None), Progress::Skip(11));
        assert_eq!(skip(Some("why")), Progress::Damaged { bytes: 2, need: 0, reason: "why" });
        assert_eq!(steps(b"ab", |_, _| Step::End(Progress::Reprobe(0))), Progress::Reprobe(0));
        assert_eq!(steps(b"", |_, _| Step::Need), Progress::Consumed { bytes: 0, need: 0 });
    }
}
