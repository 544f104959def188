//! [`Filter`]: which records an output is for. It asks what may be seen of an alert and nothing else: whether a record was let through must not tell
//! its readers what the record does not.

use crate::alert::{Notice, Release, View};

/// See the module. The default lets everything through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Least severity, 0 to 100; notices have one too.
    pub min_severity: u8,
    /// Providers of which one must name the indicator; all if empty.
    pub providers: Vec<String>,
    /// Kinds of indicators (`domain-name`); all if empty.
    pub kinds: Vec<String>,
    /// Ids of indicators; all if empty.
    pub ids: Vec<String>,
    /// Whether the sensor's notices are let through.
    pub has_notices: bool,
}

impl Default for Filter {
    fn default() -> Self {
        Self { min_severity: 0, providers: Vec::new(), kinds: Vec::new(), ids: Vec::new(), has_notices: true }
    }
}

impl Filter {
    /// Whether a view is for this output. A customer record is only if nothing is asked of the indicator: it says nothing of that.
    pub fn accepts(&self, view: &View<'_>) -> bool {
        match view {
            View::Full(full) => self.accepts_indicator(&full.release),
            View::Partial(release, _) => self.accepts_indicator(release),
            View::Customer(record) => {
                let asks = [&self.providers, &self.kinds, &self.ids];
                record.severity >= self.min_severity && asks.iter().all(|list| list.is_empty())
            }
            View::Nothing => false,
        }
    }

    /// Whether a notice is.
    pub fn accepts_notice(&self, notice: &Notice) -> bool {
        self.has_notices && notice.severity >= self.min_severity
    }

    fn accepts_indicator(&self, release: &Release<'_>) -> bool {
        let holds = |list: &[String], text: &str| list.iter().any(|one| one == text);
        release.severity() >= self.min_severity
            && (self.kinds.is_empty() || holds(&self.kinds, release.indicator.kind.name))
            && (self.ids.is_empty() || holds(&self.ids, &release.indicator.id()))
            && (self.providers.is_empty()
                || release
                    .sources
                    .iter()
                    .filter_map(|source| source.provider())
                    .any(|name| holds(&self.providers, name)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{HOSTILE_ID, HOSTILE_PROVIDER, Reader, Scene, notice};
    use super::*;

    #[test]
    fn a_filter_asks_what_is_seen_and_nothing_else() {
        let all = Filter::default;
        let cases = [
            (all(), [true, true, true]),
            (Filter { min_severity: 90, ..all() }, [true, true, true]),
            (Filter { min_severity: 91, ..all() }, [false, false, false]),
            (Filter { kinds: vec!["url".into(), "domain-name".into()], ..all() }, [true, true, false]),
            (Filter { kinds: vec!["url".into()], ..all() }, [false, false, false]),
            (Filter { ids: vec![HOSTILE_ID.into()], ..all() }, [true, true, false]),
            (Filter { providers: vec![HOSTILE_PROVIDER.into()], ..all() }, [true, true, false]),
            (Filter { providers: vec!["another".into()], ..all() }, [false, false, false]),
        ];
        let scene = Scene::hostile();
        for (number, (filter, expected)) in cases.iter().enumerate() {
            let readers = [Reader::All, Reader::Partial, Reader::Customer];
            let got = readers.map(|reader| scene.with_view(reader, |view| filter.accepts(view)));
            assert_eq!(got, *expected, "case {number}");
        }
        assert!(!all().accepts(&View::Nothing));
        assert!(all().accepts_notice(&notice()));
        assert!(!Filter { has_notices: false, ..all() }.accepts_notice(&notice()));
    }
}
