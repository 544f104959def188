//! [`Names`]: the last names that flows of a worker showed, to be looked up again when another set takes over. It never grows:
//! the oldest goes when another one comes.

use crate::flow::Identity;
use crate::indicator::kind::DOMAIN;
use crate::indicator::{Kind, MAX_NAME_TEXT_BYTES, Observable, Value, Where};
use crate::packet::FrameRef;

/// See the module.
pub(in crate::pipeline) struct Names {
    ring: Vec<Name>,
    capacity: usize,
    /// Where the next one goes once the ring is full.
    next: usize,
}

/// A name, as traffic showed it.
#[derive(Clone, Copy)]
pub(in crate::pipeline) struct Name {
    pub(super) identity: Identity,
    pub(super) frame: FrameRef,
    at: Where,
    kind: &'static Kind,
    bytes: u8,
    text: [u8; MAX_TEXT_BYTES],
}

impl Names {
    /// Keeps so many.
    pub(super) fn new(capacity: usize) -> Self {
        Self { ring: Vec::with_capacity(capacity), capacity, next: 0 }
    }

    /// Keeps what was seen, if it is a name and short enough.
    #[inline]
    pub(in crate::pipeline) fn note(&mut self, identity: &Identity, observable: &Observable<'_>, frame: FrameRef) {
        if observable.kind == &DOMAIN {
            self.keep(identity, observable, frame);
        }
    }

    #[inline(never)]
    fn keep(&mut self, identity: &Identity, observable: &Observable<'_>, frame: FrameRef) {
        let mut buffer = [0; MAX_NAME_TEXT_BYTES];
        let seen = match observable.value {
            Value::Text(text) => text,
            Value::Name(name) => name.text(&mut buffer),
            _ => return,
        };
        if seen.len() > MAX_TEXT_BYTES {
            return;
        }
        let mut text = [0; MAX_TEXT_BYTES];
        text[..seen.len()].copy_from_slice(seen);
        let (at, kind, bytes) = (observable.at, observable.kind, seen.len() as u8);
        let name = Name { identity: *identity, frame, at, kind, bytes, text };
        if self.ring.len() < self.capacity {
            return self.ring.push(name);
        }
        if let Some(oldest) = self.ring.get_mut(self.next) {
            *oldest = name;
            self.next = (self.next + 1) % self.capacity;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.ring.len()
    }

    pub(super) fn get(&self, at: usize) -> Option<&Name> {
        self.ring.get(at)
    }
}

impl Name {
    /// What was seen.
    pub(super) fn observable(&self) -> Observable<'_> {
        let text = self.text.get(..usize::from(self.bytes)).unwrap_or(&[]);
        Observable { kind: self.kind, value: Value::Text(text), at: self.at, with: &[] }
    }
}

/// Nearly every name that is looked up. Longer ones are not kept.
const MAX_TEXT_BYTES: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::indicator::kind::IPV4;

    #[test]
    fn the_latest_are_kept_and_only_names() {
        let mut names = Names::new(3);
        let mut note = |kind, text: &str| {
            let observable = Observable { kind, value: Value::Text(text.as_bytes()), at: Where("x"), with: &[] };
            names.note(&Identity::default(), &observable, FrameRef::default());
        };
        for name in ["a.test", "b.test", "c.test", "d.test", &"x".repeat(MAX_TEXT_BYTES + 1)] {
            note(&DOMAIN, name);
        }
        note(&IPV4, "192.0.2.1");
        let kept = |names: &Names| -> Vec<String> {
            let all = (0..names.len()).filter_map(|at| names.get(at)).map(Name::observable);
            all.map(|seen| match seen.value {
                Value::Text(text) => String::from_utf8_lossy(text).into_owned(),
                _ => String::new(),
            })
            .collect()
        };
        assert_eq!(kept(&names), ["d.test", "b.test", "c.test"]);
    }
}
