//! [`Classification`]: a United States banner or portion line, read into level, release list and controls.

use std::fmt;

use super::Nations;

/// Longest marking text that is read; longer ones are unreadable and kept cut. Real banners are far shorter.
const MAX_MARKING_BYTES: usize = 256;

/// How bad disclosure would be. The order is strictness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// U.
    Unclassified,
    /// CUI, and the older U//FOUO.
    Controlled,
    /// C.
    Confidential,
    /// S.
    Secret,
    /// TS.
    TopSecret,
}

/// A classification marking. Unreadable text is kept and makes it the strictest: top secret, released to nobody.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Classification {
    level: Level,
    /// `None`: no list limits it.
    release: Option<Nations>,
    /// Every other control that a reader must hold (`SI`, `TK`, `SP-CTI`, `OC`, ...), sorted.
    controls: Box<[Box<str>]>,
    /// Texts that could not be read, sorted.
    unreadable: Box<[Box<str>]>,
}

/// A leading-slash marking (`//JOINT S//..`, `//FGI ..`, `//DEU S//..`): another nation's or a joint one, whose rules
/// this lattice does not hold. The entry must not be loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("marking of another nation or a joint one (//JOINT, //FGI, //DEU ..)")]
pub struct ForeignForm;

impl Classification {
    /// Reads a banner or portion: `S//REL TO USA, GBR`, `(TS//SI//NF)`, `UNCLASSIFIED`, `CUI//SP-CTI`, `U//FOUO`.
    /// Classified without a release list, or with NOFORN, is released to the USA alone; `REL` without a list too, because
    /// the banner that holds the list is not here. An unknown control is kept as one that a reader must hold.
    ///
    /// # Errors
    /// [`ForeignForm`].
    pub fn parse(text: &str) -> Result<Self, ForeignForm> {
        let inner = text.trim();
        let inner = inner.strip_prefix('(').and_then(|t| t.strip_suffix(')')).unwrap_or(inner).trim();
        if inner.starts_with("//") {
            return Err(ForeignForm);
        }
        Ok(read(inner).unwrap_or_else(|| Self::unreadable(inner)))
    }

    /// The strictest, holding `text` for who may see it.
    fn unreadable(text: &str) -> Self {
        let end = (0..=text.len().min(MAX_MARKING_BYTES)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        Self {
            level: Level::TopSecret,
            release: Some(Nations::default()),
            controls: Box::default(),
            unreadable: Box::new([text[..end].into()]),
        }
    }

    /// How bad disclosure would be.
    pub fn level(&self) -> Level {
        self.level
    }

    /// The nations it is released to; `None` if no list limits it.
    pub fn release(&self) -> Option<&Nations> {
        self.release.as_ref()
    }

    /// Controls that a reader must hold.
    pub fn controls(&self) -> impl Iterator<Item = &str> {
        self.controls.iter().map(|c| &**c)
    }

    /// Whether every part of it was understood.
    pub fn is_readable(&self) -> bool {
        self.unreadable.is_empty()
    }

    /// Highest level, intersected release lists, every control of either.
    #[must_use]
    pub fn combine(&self, other: &Self) -> Self {
        Self {
            level: self.level.max(other.level),
            release: match (&self.release, &other.release) {
                (Some(a), Some(b)) => Some(a.intersect(b)),
                (one, None) | (None, one) => one.clone(),
            },
            controls: union(&self.controls, &other.controls),
            unreadable: union(&self.unreadable, &other.unreadable),
        }
    }
}

/// The banner form: `SECRET//SI/TK//REL TO USA, FVEY`. Unreadable text is quoted behind what it was treated as.
impl fmt::Display for Classification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.level {
            Level::Unclassified => "UNCLASSIFIED",
            Level::Controlled => "CUI",
            Level::Confidential => "CONFIDENTIAL",
            Level::Secret => "SECRET",
            Level::TopSecret => "TOP SECRET",
        })?;
        for (at, control) in self.controls.iter().enumerate() {
            write!(f, "{}{control}", if at == 0 { "//" } else { "/" })?;
        }
        match &self.release {
            Some(nobody) if nobody.is_empty() => f.write_str("//NOT RELEASABLE")?,
            Some(list) if *list == Nations::usa() => f.write_str("//NOFORN")?,
            Some(list) => write!(f, "//REL TO {list}")?,
            None => {}
        }
        for text in &self.unreadable {
            write!(f, " (unreadable: {text:?})")?;
        }
        Ok(())
    }
}

fn read(text: &str) -> Option<Classification> {
    if text.len() > MAX_MARKING_BYTES {
        return None;
    }
    let mut parts = text.split("//");
    let mut level = level(parts.next()?)?;
    let mut controls: Vec<Box<str>> = Vec::new();
    let (mut noforn, mut list) = (false, None::<Nations>);
    for word in parts.flat_map(|part| part.split('/')) {
        let word = word.split_ascii_whitespace().collect::<Vec<_>>().join(" ").to_ascii_uppercase();
        match word.as_str() {
            "NF" | "NOFORN" => noforn = true,
            "FOUO" | "FOR OFFICIAL USE ONLY" => level = level.max(Level::Controlled),
            "REL" => list = Some(narrowed(list, Nations::usa())),
            _ => match word.strip_prefix("REL TO ").or_else(|| word.strip_prefix("REL ")) {
                Some(nations) => {
                    let nations = Nations::parse(nations).filter(|n| n.contains("USA"))?;
                    list = Some(narrowed(list, nations));
                }
                None if is_control(&word) => controls.push(word.into()),
                None => return None,
            },
        }
    }
    let release = match list {
        _ if noforn => Some(Nations::usa()),
        None if level >= Level::Confidential => Some(Nations::usa()),
        list => list,
    };
    controls.sort_unstable();
    controls.dedup();
    Some(Classification { level, release, controls: controls.into(), unreadable: Box::default() })
}

fn narrowed(list: Option<Nations>, with: Nations) -> Nations {
    match list {
        Some(list) => list.intersect(&with),
        None => with,
    }
}

fn level(word: &str) -> Option<Level> {
    Some(match word.trim().to_ascii_uppercase().as_str() {
        "U" | "UNCLASSIFIED" => Level::Unclassified,
        "CUI" | "CONTROLLED" => Level::Controlled,
        "C" | "CONFIDENTIAL" => Level::Confidential,
        "S" | "SECRET" => Level::Secret,
        "TS" | "TOP SECRET" => Level::TopSecret,
        _ => return None,
    })
}

/// Letters, digits, and what joins sub-controls: `SI-G ABCD`, `HCS-P`, `SP-CTI`, `DISPLAY ONLY AFG`.
fn is_control(word: &str) -> bool {
    !word.is_empty()
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || b" -,.".contains(&b))
        && word.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
}

fn union(a: &[Box<str>], b: &[Box<str>]) -> Box<[Box<str>]> {
    let mut both: Vec<Box<str>> = a.iter().chain(b).cloned().collect();
    both.sort_unstable();
    both.dedup();
    both.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        Classification::parse(text).expect("not foreign").to_string()
    }

    #[test]
    fn banners_and_portions_are_read() {
        for (text, banner) in [
            ("S//REL TO USA, GBR", "SECRET//REL TO USA, GBR"),
            ("(S//REL TO USA, FVEY)", "SECRET//REL TO USA, FVEY"),
            ("(TS//SI//NF)", "TOP SECRET//SI//NOFORN"),
            ("TOP SECRET//SI-G/TK//REL TO USA, GBR/OC", "TOP SECRET//OC/SI-G/TK//REL TO USA, GBR"),
            ("unclassified", "UNCLASSIFIED"),
            ("U//FOUO", "CUI"),
            ("CUI//SP-CTI", "CUI//SP-CTI"),
            ("CUI//SP-CTI//NOFORN", "CUI//SP-CTI//NOFORN"),
            ("S", "SECRET//NOFORN"),
            ("(S//REL)", "SECRET//NOFORN"),
            ("S//REL TO USA, GBR//NF", "SECRET//NOFORN"),
            ("C // REL TO USA,CAN", "CONFIDENTIAL//REL TO USA, CAN"),
        ] {
            assert_eq!(shown(text), banner, "{text}");
            assert_eq!(shown(banner), banner, "a banner reads back as itself");
        }
    }

    #[test]
    fn leading_slash_forms_are_foreign() {
        for text in ["//JOINT S//REL TO USA, GBR", "//FGI GBR S", "(//DEU S)", "//", " (//NATO S)"] {
            assert_eq!(Classification::parse(text), Err(ForeignForm), "{text}");
        }
    }

    #[test]
    fn the_unreadable_is_the_strictest_and_keeps_its_text() {
        let long = "é".repeat(MAX_MARKING_BYTES);
        for text in ["", "X", "SECRET REL", "S//REL TO GBR", "S//REL TO US1", "S//", "S//{x}", &long] {
            let read = Classification::parse(text).expect("not foreign");
            assert!(!read.is_readable(), "{text}");
            assert_eq!(read.level(), Level::TopSecret);
            assert!(read.release().is_some_and(Nations::is_empty));
        }
        assert_eq!(shown("GEHEIM"), "TOP SECRET//NOT RELEASABLE (unreadable: \"GEHEIM\")");
    }

    #[test]
    fn an_unknown_control_must_be_held() {
        let typo = Classification::parse("S//NOFRON").expect("not foreign");
        assert_eq!(typo.controls().collect::<Vec<_>>(), ["NOFRON"]);
        assert_eq!(typo.release(), Some(&Nations::usa()));
    }
}
