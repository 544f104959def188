//! [`At`]: a place in the tree of the paths that Picket reads. A key, nested or dotted, goes one or several steps down; what leaves
//! the tree is told at once, so that the rest of a document costs no comparison of paths.

use std::sync::LazyLock;

use super::{ABOUT, CONDITIONS, FIELDS, Field, SCHEMES, Scheme};

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct At(u16);

/// What a text at a place is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Means {
    /// Nothing that is read.
    Nothing,
    Field(Field),
    /// Part of a condition; `None` for one that is unknown.
    Condition(Option<Field>),
    About(&'static str),
    /// A marking that is an object, whole.
    Marking(Scheme),
    /// What is below one.
    PartOfMarking,
}

/// Where a document begins.
pub(super) const ROOT: At = At(0);
const UNKNOWN: At = At(1);
const UNKNOWN_CONDITION: At = At(2);
const PART_OF_MARKING: At = At(3);

struct Place {
    means: Means,
    /// Where keys that are not among the next ones lead to.
    other: At,
    /// The next keys: few, and the most usual first.
    next: Vec<(&'static str, At)>,
}

static PLACES: LazyLock<Vec<Place>> = LazyLock::new(|| {
    let place = |means, other| Place { means, other, next: Vec::new() };
    let mut places = vec![
        place(Means::Nothing, UNKNOWN),
        place(Means::Nothing, UNKNOWN),
        place(Means::Condition(None), UNKNOWN_CONDITION),
        place(Means::PartOfMarking, PART_OF_MARKING),
    ];
    let mut grow = |path: &'static str, means: Means, other: At| {
        let end = path.split('.').fold(ROOT, |at, key| {
            let known = places[usize::from(at.0)].next.iter().find(|(name, _)| *name == key);
            known.map(|(_, next)| *next).unwrap_or_else(|| {
                let new = At(places.len() as u16);
                places[usize::from(at.0)].next.push((key, new));
                places.push(Place { means: Means::Nothing, other: UNKNOWN, next: Vec::new() });
                new
            })
        });
        let place = &mut places[usize::from(end.0)];
        (place.means, place.other) = (means, other);
    };
    grow(CONDITIONS, Means::Condition(None), UNKNOWN_CONDITION);
    for (at, path) in FIELDS.iter().enumerate() {
        match path.strip_prefix(CONDITIONS).is_some_and(|rest| rest.starts_with('.')) {
            true => grow(path, Means::Condition(Some(Field(at))), UNKNOWN_CONDITION),
            false => grow(path, Means::Field(Field(at)), UNKNOWN),
        }
    }
    ABOUT.iter().for_each(|path| grow(path, Means::About(path), UNKNOWN));
    SCHEMES.iter().for_each(|(path, scheme)| grow(path, Means::Marking(*scheme), PART_OF_MARKING));
    places
});

impl At {
    /// Where `key` leads to from here; a dotted one is several.
    #[inline]
    pub(super) fn below(self, key: &str) -> Self {
        match self.step(key) {
            Some(next) => next,
            None if key.contains('.') => {
                key.split('.').fold(self, |at, key| at.step(key).unwrap_or_else(|| at.place().other))
            }
            None => self.place().other,
        }
    }

    pub(super) fn means(self) -> Means {
        self.place().means
    }

    /// Whether no path goes on from here.
    pub(super) fn is_leaf(self) -> bool {
        self.place().next.is_empty()
    }

    fn step(self, key: &str) -> Option<Self> {
        self.place().next.iter().find(|(name, _)| *name == key).map(|(_, next)| *next)
    }

    fn place(self) -> &'static Place {
        &PLACES[usize::from(self.0)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_leads_to_what_it_means_however_it_is_cut() {
        for (at, path) in FIELDS.iter().enumerate() {
            let means = ROOT.below(path).means();
            assert!(matches!(means, Means::Field(Field(n)) | Means::Condition(Some(Field(n))) if n == at), "{path}");
            assert!(ROOT.below(path).is_leaf(), "{path} is part of another path");
            for (dot, _) in path.match_indices('.') {
                assert_eq!(ROOT.below(&path[..dot]).below(&path[dot + 1..]), ROOT.below(path), "{path}");
            }
        }
        for path in ABOUT {
            assert_eq!(ROOT.below(path).means(), Means::About(path));
        }
        for (path, means) in [
            ("picket.acs", Means::Marking(Scheme::Acs)),
            ("picket.acs.identifier", Means::PartOfMarking),
            ("picket.cui.a.b", Means::PartOfMarking),
            ("picket.when", Means::Condition(None)),
            ("picket.when.colour.x", Means::Condition(None)),
            ("picket.when.port.low", Means::Condition(None)),
            ("picket.whenever", Means::Nothing),
            ("threat.indicator.type.x", Means::Nothing),
            ("threat", Means::Nothing),
            ("", Means::Nothing),
            (".threat.indicator.type", Means::Nothing),
            ("event.kind", Means::Nothing),
        ] {
            assert_eq!(ROOT.below(path).means(), means, "{path}");
        }
    }
}
