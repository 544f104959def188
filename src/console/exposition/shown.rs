//! [`Shown`]: which labels are told apart, when there can be more than a reader of metrics can bear.

use hashbrown::HashSet;

/// First come, first told apart; what is not remains with the rest for good, so that no series jumps.
#[derive(Default)]
pub(super) struct Shown {
    labels: HashSet<String>,
}

impl Shown {
    /// Whether `label` is told apart, among at most `cap`.
    pub(super) fn is_told_apart(&mut self, label: &str, cap: usize) -> bool {
        if self.labels.contains(label) {
            return true;
        }
        let has_room = self.labels.len() < cap;
        if has_room {
            self.labels.insert(label.to_owned());
        }
        has_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_first_stays() {
        let mut shown = Shown::default();
        assert!(shown.is_told_apart("b", 2) && shown.is_told_apart("c", 2));
        assert!(!shown.is_told_apart("a", 2));
        assert!(shown.is_told_apart("b", 2) && shown.is_told_apart("c", 2));
    }
}
