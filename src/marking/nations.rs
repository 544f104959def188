//! [`Nations`]: a release list, as trigraphs and tetragraphs (`USA`, `GBR`, `NATO`).

use std::fmt;

/// A sorted set of country trigraphs and of tetragraphs that are not expanded. FVEY, ACGU and TEYE are expanded, because
/// their members are fixed and named; other tetragraphs (NATO, ...) stay opaque, which releases less, never more.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Nations(Box<[Code]>);

/// Three or four upper-case letters; a trigraph ends in a space.
type Code = [u8; 4];

impl Nations {
    /// The United States alone: what NOFORN means, and what classified material without a release list gets.
    pub fn usa() -> Self {
        Self(Box::new([*b"USA "]))
    }

    /// Reads `USA, GBR` (commas or spaces, any case). `None` if a code is not three or four letters, or there is none.
    pub fn parse(list: &str) -> Option<Self> {
        let mut codes = Vec::new();
        for word in list.split([',', ' ']).filter(|w| !w.is_empty()) {
            match word.to_ascii_uppercase().as_str() {
                "FVEY" => codes.extend(FVEY),
                "ACGU" => codes.extend(FVEY.iter().filter(|c| *c != b"NZL ")),
                "TEYE" => codes.extend([*b"AUS ", *b"GBR ", *b"USA "]),
                word => codes.push(code(word)?),
            }
        }
        if codes.is_empty() {
            return None;
        }
        codes.sort_unstable();
        codes.dedup();
        Some(Self(codes.into()))
    }

    /// Whether `nation` (a trigraph or unexpanded tetragraph, any case) is on the list.
    pub fn contains(&self, nation: &str) -> bool {
        code(&nation.to_ascii_uppercase()).is_some_and(|c| self.0.contains(&c))
    }

    /// Whether nobody is on the list.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those on both lists.
    pub(super) fn intersect(&self, other: &Self) -> Self {
        Self(self.0.iter().filter(|c| other.0.contains(c)).copied().collect())
    }
}

/// USA first, then trigraphs, then tetragraphs, each in order; the five eyes written `FVEY`.
impl fmt::Display for Nations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let five = FVEY.iter().all(|c| self.0.contains(c));
        let usa = self.0.iter().filter(|c| *c == b"USA ");
        let trigraphs = self.0.iter().filter(|c| c[3] == b' ' && *c != b"USA " && !(five && FVEY.contains(c)));
        let tetragraphs = self.0.iter().filter(|c| c[3] != b' ');
        let mut gap = "";
        for code in usa.chain(trigraphs).chain(five.then_some(b"FVEY")).chain(tetragraphs) {
            write!(f, "{gap}{}", code.escape_ascii().to_string().trim_end())?;
            gap = ", ";
        }
        Ok(())
    }
}

const FVEY: [Code; 5] = [*b"AUS ", *b"CAN ", *b"GBR ", *b"NZL ", *b"USA "];

fn code(word: &str) -> Option<Code> {
    let bytes = word.as_bytes();
    if !bytes.iter().all(u8::is_ascii_uppercase) {
        return None;
    }
    match *bytes {
        [a, b, c] => Some([a, b, c, b' ']),
        [a, b, c, d] => Some([a, b, c, d]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_expanded_and_written_in_the_register_s_order() {
        let list = Nations::parse("usa, nato, GBR DEU").expect("a list");
        assert_eq!(list.to_string(), "USA, DEU, GBR, NATO");
        assert!(list.contains("gbr") && list.contains("NATO") && !list.contains("FRA"));
        let five = Nations::parse("USA, JPN, FVEY").expect("a list");
        assert!(five.contains("NZL"));
        assert_eq!(five.to_string(), "USA, JPN, FVEY");
        assert_eq!(five.intersect(&list).to_string(), "USA, GBR");
        assert!(Nations::parse("USA, X1").is_none() && Nations::parse(" , ").is_none());
        assert!(Nations::parse("GBR").expect("one").intersect(&Nations::usa()).is_empty());
    }
}
