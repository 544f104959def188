//! [`Written`]: what a writer of feeds could say in its format and what it could not. Never a value.

use std::collections::BTreeMap;

use serde::Serialize;

/// What became of the indicators that were to be written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Written {
    /// Entries written: one for each source of an indicator.
    pub entries: u64,
    /// Entries left out, by what the format cannot say of them: without it they would match, or be handled, otherwise.
    pub left_out: BTreeMap<&'static str, u64>,
    /// Entries written without a remark that the format has no place for, by the remark.
    pub without: BTreeMap<&'static str, u64>,
}

impl Written {
    pub(super) fn leave_out(&mut self, why: &'static str) {
        *self.left_out.entry(why).or_default() += 1;
    }

    pub(super) fn lose(&mut self, what: &'static str) {
        *self.without.entry(what).or_default() += 1;
    }
}
