//! [`Classification`]: a United States banner or portion line, read into level, release list and controls.

use std::fmt;

use super::{Nations, register, union};

/// Longest marking text that is read; longer ones are unreadable and kept cut. Real banners are far shorter.
const MAX_MARKING_BYTES: usize = 256;

/// How bad disclosure would be. The order is strictness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Level {
    /// U.
    #[default]
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
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Classification {
    level: Level,
    /// `None`: no list limits it.
    release: Option<Nations>,
    /// Every other control that a reader must hold (`SI`, `TK`, `SP-CTI`, `ORCON`, ...), by its banner name, in the
    /// register's order.
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

    /// One made of its parts. Classified and without a release list is released to the USA alone.
    pub(super) fn new(level: Level, release: Option<Nations>, controls: Vec<Box<str>>) -> Self {
        let release = release.or_else(|| (level >= Level::Confidential).then(Nations::usa));
        Self { level, release, controls: in_order(controls), unreadable: Box::default() }
    }

    /// The strictest, holding `text` for who may see it.
    pub(super) fn unreadable(text: &str) -> Self {
        Self {
            level: Level::TopSecret,
            release: Some(Nations::default()),
            controls: Box::default(),
            unreadable: Box::new([super::cut(text, MAX_MARKING_BYTES).into()]),
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

    /// The texts that could not be read.
    pub fn unreadable_texts(&self) -> impl Iterator<Item = &str> {
        self.unreadable.iter().map(|text| &**text)
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
            controls: in_order(self.controls.iter().chain(&other.controls).cloned().collect()),
            unreadable: union(&self.unreadable, &other.unreadable),
        }
    }
}

/// The banner form: `SECRET//SI/TK//REL TO USA, FVEY`. Unreadable text is quoted behind what it was treated as.
impl fmt::Display for Classification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.level.banner())?;
        self.blocks(f, |control| control)?;
        for text in &self.unreadable {
            write!(f, " (unreadable: {text:?})")?;
        }
        Ok(())
    }
}

/// The portion form: `(S//SI/TK//REL TO USA, FVEY)`.
pub struct Portion<'a>(&'a Classification);

impl fmt::Display for Portion<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}", self.0.level.portion())?;
        self.0.blocks(f, register::portion_name)?;
        f.write_str(")")
    }
}

impl Classification {
    /// Prints as a portion mark does.
    pub fn portion(&self) -> Portion<'_> {
        Portion(self)
    }

    /// Everything behind the level, in the register's order, each control as `name` writes it.
    fn blocks(&self, f: &mut fmt::Formatter<'_>, name: fn(&str) -> &str) -> fmt::Result {
        let release = self.release.as_ref().map(|list| match list {
            nobody if nobody.is_empty() => (register::NOFORN, NOT_RELEASABLE.to_string()),
            list if *list == Nations::usa() => (register::NOFORN, name(register::NOFORN).to_string()),
            list => (register::REL_TO, format!("REL TO {list}")),
        });
        let mut all: Vec<(&str, &str)> = self.controls.iter().map(|control| (&**control, name(control))).collect();
        all.extend(release.as_ref().map(|(place, text)| (*place, text.as_str())));
        all.sort_by(|(a, _), (b, _)| register::compare(a, b));
        let mut before = None;
        for (place, text) in all {
            let block = register::block(place);
            write!(f, "{}{text}", if before == Some(block) { "/" } else { "//" })?;
            before = Some(block);
        }
        Ok(())
    }
}

impl Level {
    /// Reads `S`, `SECRET`, `CUI`, .. in any case; `None` for what is no level.
    pub fn parse(word: &str) -> Option<Self> {
        let word = word.trim().to_ascii_uppercase();
        let is = |level: &Self| word == level.banner() || word == level.portion();
        match word.as_str() {
            "CONTROLLED" => Some(Self::Controlled),
            _ => [Self::Unclassified, Self::Controlled, Self::Confidential, Self::Secret, Self::TopSecret]
                .into_iter()
                .find(is),
        }
    }

    fn banner(self) -> &'static str {
        match self {
            Self::Unclassified => "UNCLASSIFIED",
            Self::Controlled => "CUI",
            Self::Confidential => "CONFIDENTIAL",
            Self::Secret => "SECRET",
            Self::TopSecret => "TOP SECRET",
        }
    }

    fn portion(self) -> &'static str {
        match self {
            Self::Unclassified => "U",
            Self::Controlled => "CUI",
            Self::Confidential => "C",
            Self::Secret => "S",
            Self::TopSecret => "TS",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.banner())
    }
}

fn read(text: &str) -> Option<Classification> {
    if text.len() > MAX_MARKING_BYTES {
        return None;
    }
    let mut parts = text.split("//");
    let mut level = Level::parse(parts.next()?)?;
    let mut controls: Vec<Box<str>> = Vec::new();
    let (mut noforn, mut list) = (false, None::<Nations>);
    for word in parts.flat_map(|part| part.split('/')) {
        let word = word.split_ascii_whitespace().collect::<Vec<_>>().join(" ").to_ascii_uppercase();
        match word.as_str() {
            "NF" | "NOFORN" => noforn = true,
            "FOUO" | "FOR OFFICIAL USE ONLY" => level = level.max(Level::Controlled),
            NOT_RELEASABLE => list = Some(Nations::default()),
            "REL" => list = Some(narrowed(list, Nations::usa())),
            _ => match word.strip_prefix("REL TO ").or_else(|| word.strip_prefix("REL ")) {
                Some(nations) => {
                    let nations = Nations::parse(nations).filter(|n| n.contains("USA"))?;
                    list = Some(narrowed(list, nations));
                }
                None if is_control(&word) => controls.push(register::banner_name(&word).into()),
                None => return None,
            },
        }
    }
    let list = match list {
        // Nobody stays nobody.
        Some(list) if noforn => Some(if list.is_empty() { list } else { Nations::usa() }),
        None if noforn => Some(Nations::usa()),
        list => list,
    };
    Some(Classification::new(level, list, controls))
}

fn narrowed(list: Option<Nations>, with: Nations) -> Nations {
    match list {
        Some(list) => list.intersect(&with),
        None => with,
    }
}

/// Letters, digits, and what joins sub-controls: `SI-G ABCD`, `HCS-P`, `SP-CTI`, `DISPLAY ONLY AFG`.
fn is_control(word: &str) -> bool {
    !word.is_empty()
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || b" -,.".contains(&b))
        && word.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
}

/// In the register's order, each once.
fn in_order(mut controls: Vec<Box<str>>) -> Box<[Box<str>]> {
    controls.sort_unstable_by(|a, b| register::compare(a, b));
    controls.dedup();
    controls.into()
}

/// Said of what is released to nobody, as when two release lists share no nation.
const NOT_RELEASABLE: &str = "NOT RELEASABLE";

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
            ("TOP SECRET//SI-G/TK//REL TO USA, GBR/OC", "TOP SECRET//SI-G/TK//ORCON/REL TO USA, GBR"),
            ("unclassified", "UNCLASSIFIED"),
            ("S//OC/NF//TK/SI//LES", "SECRET//SI/TK//ORCON/NOFORN//LES"),
            ("CUI//PRVCY/SP-EXPT/SP-CTI//FED ONLY", "CUI//SP-CTI/SP-EXPT/PRVCY//FED ONLY"),
            ("S//NOT RELEASABLE", "SECRET//NOT RELEASABLE"),
            ("S//NOT RELEASABLE//NF", "SECRET//NOT RELEASABLE"),
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
    fn portions_are_printed_and_read_back() {
        for (text, portion) in [
            ("SECRET//REL TO USA, GBR", "(S//REL TO USA, GBR)"),
            ("TOP SECRET//SI/TK//ORCON/NOFORN", "(TS//SI/TK//OC/NF)"),
            ("CUI//SP-CTI//NOFORN", "(CUI//SP-CTI//NF)"),
            ("UNCLASSIFIED", "(U)"),
            ("C", "(C//NF)"),
        ] {
            let read = Classification::parse(text).expect("not foreign");
            assert_eq!(read.portion().to_string(), portion);
            assert_eq!(Classification::parse(portion), Ok(read), "{portion}");
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
