//! What only some entries have: an id, a validity window, limits. [`Extra`] is it as read, [`Detail`] as kept.

use super::NONE;
use crate::indicator::rule::{Body, Rule, Scope};
use crate::indicator::{Condition, Draft, Pattern, Refusal, Wants, Window};

/// See the module.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Extra<'a> {
    pub(super) id: Option<&'a str>,
    pub(super) window: Window,
    pub(super) pattern: Pattern,
    pub(super) when: Option<&'a Condition>,
    pub(super) rule: Option<&'a Rule>,
}

impl<'a> Extra<'a> {
    pub(super) const NONE: Self =
        Self { id: None, window: Window::ALWAYS, pattern: Pattern::NONE, when: None, rule: None };

    pub(super) fn of(draft: &Draft<'a>) -> Self {
        let Draft { id, window, pattern, when, rule, .. } = *draft;
        Self { id, window, pattern, when, rule }
    }
}

/// The extras of a set.
#[derive(Default)]
pub(super) struct Extras {
    details: Vec<Detail>,
    /// Neighbours that have the same share it.
    windows: Vec<Window>,
    ids: String,
    limits: Vec<Limits>,
}

#[derive(Clone, Copy)]
struct Detail {
    /// In [`Extras::windows`].
    window: u32,
    id_at: u32,
    /// [`NONE`] for no id.
    id_bytes: u32,
    /// In [`Extras::limits`]; [`NONE`] for none.
    limits: u32,
}

struct Limits {
    pattern: Pattern,
    when: Option<Box<Condition>>,
    rule: Option<Box<Rule>>,
}

impl Extras {
    /// Keeps an extra, and takes note of what it makes worth looking for. Its number: [`NONE`] for none.
    ///
    /// # Errors
    /// [`Refusal::Full`].
    pub(super) fn keep(&mut self, extra: &Extra<'_>, wants: &mut Wants) -> Result<u32, Refusal> {
        if *extra == Extra::NONE {
            return Ok(NONE);
        }
        let number = |count: usize| u32::try_from(count).ok().filter(|number| *number != NONE).ok_or(Refusal::Full);
        let id_at = number(self.ids.len())?;
        let id_bytes = extra.id.map_or(Ok(NONE), |id| number(id.len()))?;
        let Extra { window, pattern, when, rule, .. } = *extra;
        let mut limits = NONE;
        if Extra::NONE != (Extra { id: None, window: Window::ALWAYS, ..*extra }) {
            limits = number(self.limits.len())?;
            wants.content |= reads_content(rule);
            let (when, rule) = (when.cloned().map(Box::new), rule.cloned().map(Box::new));
            self.limits.push(Limits { pattern, when, rule });
        }
        if self.windows.last() != Some(&window) {
            self.windows.push(window);
        }
        let window = number(self.windows.len() - 1)?;
        self.ids.push_str(extra.id.unwrap_or_default());
        self.details.push(Detail { window, id_at, id_bytes, limits });
        number(self.details.len() - 1)
    }

    /// What was kept under this number.
    #[inline]
    pub(super) fn get(&self, number: u32) -> Extra<'_> {
        if number == NONE {
            return Extra::NONE;
        }
        let detail = &self.details[number as usize];
        let has_id = detail.id_bytes != NONE;
        let limits = (detail.limits != NONE).then(|| &self.limits[detail.limits as usize]);
        Extra {
            id: has_id.then(|| &self.ids[detail.id_at as usize..][..detail.id_bytes as usize]),
            window: self.windows[detail.window as usize],
            pattern: limits.map_or(Pattern::NONE, |limits| limits.pattern),
            when: limits.and_then(|limits| limits.when.as_deref()),
            rule: limits.and_then(|limits| limits.rule.as_deref()),
        }
    }

    /// Frees what no further one needs.
    pub(super) fn seal(&mut self) {
        self.details.shrink_to_fit();
        self.windows.shrink_to_fit();
        self.ids.shrink_to_fit();
        self.limits.shrink_to_fit();
    }

    /// Bytes on the heap, without what conditions and rules point to.
    pub(super) fn memory_bytes(&self) -> usize {
        self.details.capacity() * size_of::<Detail>()
            + self.windows.capacity() * size_of::<Window>()
            + self.ids.capacity()
            + self.limits.capacity() * size_of::<Limits>()
    }
}

/// Whether it is a rule over the content of files.
fn reads_content(rule: Option<&Rule>) -> bool {
    rule.is_some_and(|rule| matches!(rule.body, Body::Bytes { scope: Scope::Content, .. }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    #[test]
    fn what_is_kept_is_what_was_read() {
        assert_eq!(size_of::<Detail>(), 16);
        let when = Condition { port: Some(502), ..Condition::default() };
        let window = Window { from: Timestamp::from_parts(1, 0), until: Timestamp::MAX };
        let pattern = Pattern { depth: Some(3), ..Pattern::NONE };
        let (mut extras, mut wants) = (Extras::default(), Wants::default());
        let all = [
            Extra::NONE,
            Extra { id: Some("a"), ..Extra::NONE },
            Extra { id: Some(""), ..Extra::NONE },
            Extra { window, ..Extra::NONE },
            Extra { pattern, ..Extra::NONE },
            Extra { id: Some("bc"), when: Some(&when), window, pattern, rule: None },
        ];
        let numbers: Vec<u32> = all.iter().map(|extra| extras.keep(extra, &mut wants).expect("room")).collect();
        assert_eq!(numbers, [NONE, 0, 1, 2, 3, 4]);
        assert!(all.iter().zip(numbers).all(|(extra, number)| extras.get(number) == *extra));
        assert_eq!(extras.limits.len(), 2, "an id alone costs no limits");
    }
}
