//! The order and the short forms of the controls in a banner: the categories of the CAPCO register and of the CUI registry.
//!
//! Controls are kept under their banner name. One that is not listed is kept as written, among the CUI categories, and is
//! a control like any other: a reader must hold it.

use std::cmp::Ordering;

/// A block between double slashes, in the order in which a banner has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Block {
    /// Sensitive compartmented information: `SI-G`, `TK`.
    Compartment,
    /// Special access programmes: `SAR-..`.
    SpecialAccess,
    /// Atomic energy information: `RD`, `FRD`.
    AtomicEnergy,
    /// CUI categories, the specified ones (`SP-..`) first, and everything unknown.
    Category,
    /// Who may be told: `ORCON`, `NOFORN`, `REL TO ..`, `FED ONLY`.
    Dissemination,
    /// Markings of other departments: `EXDIS`, `LES`.
    Departmental,
}

/// A listed control: where it stands, its name in a banner, its name in a portion.
type Entry = (Block, &'static str, &'static str);

use Block::{AtomicEnergy, Category, Compartment, Departmental, Dissemination, SpecialAccess};

/// In banner order. A name followed by `-` or a blank and more is a sub-control and stands where its head does.
static REGISTER: &[Entry] = &[
    (Compartment, "BUR", "BUR"),
    (Compartment, "HCS", "HCS"),
    (Compartment, "KLM", "KLM"),
    (Compartment, "MVL", "MVL"),
    (Compartment, "RSV", "RSV"),
    (Compartment, "SI", "SI"),
    (Compartment, "TK", "TK"),
    (SpecialAccess, "SAR", "SAR"),
    (AtomicEnergy, "RD", "RD"),
    (AtomicEnergy, "FRD", "FRD"),
    (AtomicEnergy, "DCNI", "DCNI"),
    (AtomicEnergy, "UCNI", "UCNI"),
    (AtomicEnergy, "TFNI", "TFNI"),
    (Category, "SP", "SP"),
    (Dissemination, "RSEN", "RS"),
    (Dissemination, "ORCON", "OC"),
    (Dissemination, "ORCON-USGOV", "OC-USGOV"),
    (Dissemination, "IMCON", "IMC"),
    (Dissemination, NOFORN, "NF"),
    (Dissemination, "PROPIN", "PR"),
    (Dissemination, REL_TO, REL_TO),
    (Dissemination, "RELIDO", "RELIDO"),
    (Dissemination, "DEA SENSITIVE", "DSEN"),
    (Dissemination, "FISA", "FISA"),
    (Dissemination, "DISPLAY ONLY", "DISPLAY ONLY"),
    (Dissemination, "FED ONLY", "FED ONLY"),
    (Dissemination, "FEDCON", "FEDCON"),
    (Dissemination, "NOCON", "NOCON"),
    (Dissemination, "DL ONLY", "DL ONLY"),
    (Dissemination, "ATTORNEY-CLIENT", "AC"),
    (Dissemination, "ATTORNEY-WP", "AWP"),
    (Departmental, "LIMDIS", "DS"),
    (Departmental, "EXDIS", "XD"),
    (Departmental, "NODIS", "ND"),
    (Departmental, "SBU", "SBU"),
    (Departmental, "LES", "LES"),
    (Departmental, "SSI", "SSI"),
];

/// Where a release list stands in [`REGISTER`], by name.
pub(super) const REL_TO: &str = "REL TO";
/// Where NOFORN stands.
pub(super) const NOFORN: &str = "NOFORN";

/// The banner name of a control that is written in either form, upper-case.
pub(super) fn banner_name(word: &str) -> &str {
    REGISTER.iter().find(|(_, _, portion)| *portion == word).map_or(word, |(_, banner, _)| banner)
}

/// The portion's form of a control's banner name.
pub(super) fn portion_name(control: &str) -> &str {
    REGISTER.iter().find(|(_, banner, _)| *banner == control).map_or(control, |(_, _, portion)| portion)
}

/// The block that a control stands in.
pub(super) fn block(control: &str) -> Block {
    place(control).0
}

/// Banner order.
pub(super) fn compare(a: &str, b: &str) -> Ordering {
    place(a).cmp(&place(b)).then_with(|| a.cmp(b))
}

fn place(control: &str) -> (Block, usize) {
    let exact = REGISTER.iter().position(|(_, banner, _)| *banner == control);
    let head = || {
        REGISTER
            .iter()
            .position(|(_, banner, _)| control.strip_prefix(banner).is_some_and(|rest| rest.starts_with(['-', ' '])))
    };
    match exact.or_else(head) {
        Some(at) => (REGISTER[at].0, at),
        None => (Category, REGISTER.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_block_order_and_its_names_are_unique() {
        assert!(REGISTER.is_sorted_by_key(|(block, _, _)| *block));
        for (at, (_, banner, portion)) in REGISTER.iter().enumerate() {
            let others = || REGISTER.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, entry)| entry);
            assert!(others().all(|(_, b, p)| b != banner && p != portion && p != banner), "{banner}");
        }
    }

    #[test]
    fn sub_controls_stand_with_their_head_and_the_unknown_with_the_categories() {
        assert_eq!((block("SI-G ABCD"), block("SAR-BP"), block("SP-CTI")), (Compartment, SpecialAccess, Category));
        assert_eq!((block("SIX"), block("PRVCY"), block("DISPLAY ONLY AFG")), (Category, Category, Dissemination));
        assert_eq!((banner_name("OC"), portion_name("ORCON"), portion_name("SI")), ("ORCON", "OC", "SI"));
        assert_eq!(compare("SP-CTI", "PRVCY"), Ordering::Less);
        assert_eq!(compare("SI-G", "TK"), Ordering::Less);
    }
}
