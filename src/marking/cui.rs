//! [`Cui`]: the CUI extension of a STIX marking definition, which is a banner in pieces.
//!
//! Source: OASIS, CUI marking definition for STIX 2.1 (`extension-definition--dff17fb3-edcb-4f99-ad1b-4b751c95738a`).

use serde::Deserialize;

use super::{Classification, Level};

/// What the extension says. Everything that limits is in the [`Classification`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cui {
    /// Level CUI, categories and dissemination controls.
    pub classification: Classification,
    /// Id of the agency that marked it.
    pub designator: Box<str>,
    /// Statements that must stay with it, and remarks such as DRAFT.
    pub statements: Box<[Box<str>]>,
}

/// It is not what the specification says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("CUI marking cannot be read: {0}")]
pub struct CuiError(&'static str);

impl Cui {
    /// Reads the extension's JSON object.
    ///
    /// # Errors
    /// [`CuiError`], also for fields that the specification does not have: they could limit.
    pub fn parse(extension: &serde_json::Value) -> Result<Self, CuiError> {
        Raw::deserialize(extension).map_err(|_| UNLIKE)?.check()
    }

    /// Reads the extension's JSON text. Unlike a parsed value, a text shows fields that are there twice, which are refused.
    ///
    /// # Errors
    /// [`CuiError`].
    pub fn parse_json(extension: &str) -> Result<Self, CuiError> {
        serde_json::from_str::<Raw>(extension).map_err(|_| UNLIKE)?.check()
    }
}

const UNLIKE: CuiError = CuiError("a field is missing, unknown, there twice or of another type");

impl Raw {
    fn check(self) -> Result<Cui, CuiError> {
        let raw = self;
        if raw.extension_type != "property-extension" || !["CUI", "CONTROLLED"].contains(&raw.control.as_str()) {
            return Err(CuiError("control is neither CUI nor CONTROLLED"));
        }
        let mut banner = "CUI".to_string();
        for part in raw.categories.iter().chain(&raw.disseminations) {
            if part.contains('/') {
                return Err(CuiError("a category or dissemination control holds a slash"));
            }
            banner.push_str("//");
            banner.push_str(part);
        }
        let classification = Classification::parse(&banner)
            .ok()
            .filter(|read| read.is_readable() && read.level() == Level::Controlled)
            .ok_or(CuiError("a category or dissemination control cannot be read"))?;
        let statements = raw.required_statements.iter().chain(&raw.supplemental_administrative);
        Ok(Cui {
            classification,
            designator: super::cut(&raw.designator_ref, MAX_DESIGNATOR_BYTES).into(),
            statements: statements.take(MAX_STATEMENTS).map(|text| super::statement(text)).collect(),
        })
    }
}

/// Longest designator kept: a STIX id has 46.
const MAX_DESIGNATOR_BYTES: usize = 256;

/// Statements kept of one marking; they inform, so that leaving some out loosens nothing.
const MAX_STATEMENTS: usize = 16;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    extension_type: String,
    control: String,
    designator_ref: String,
    #[serde(default)]
    categories: Vec<String>,
    #[serde(default)]
    disseminations: Vec<String>,
    #[serde(default)]
    required_statements: Vec<String>,
    #[serde(default)]
    supplemental_administrative: Vec<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_extension_is_a_banner_in_pieces() {
        let read = Cui::parse(&json!({
            "extension_type": "property-extension", "control": "CUI", "designator_ref": "identity--1",
            "categories": ["SP-CTI", "PRVCY"], "disseminations": ["NOFORN"],
            "required_statements": ["Warning"], "supplemental_administrative": ["Draft"]
        }))
        .expect("reads");
        assert_eq!(read.classification.to_string(), "CUI//SP-CTI/PRVCY//NOFORN");
        assert_eq!((&*read.designator, read.statements.len()), ("identity--1", 2));
    }

    #[test]
    fn what_is_not_in_the_specification_is_refused() {
        let basic = json!({"extension_type": "property-extension", "control": "CUI", "designator_ref": "identity--1"});
        assert!(Cui::parse(&basic).is_ok());
        for (field, value) in [
            ("control", json!("U")),
            ("extension_type", json!("x")),
            ("categories", json!(["CTI//S"])),
            ("categories", json!(["{}"])),
            ("disseminations", json!("NOFORN")),
            ("colour", json!("red")),
            ("designator_ref", json!(null)),
        ] {
            let mut other = basic.clone();
            other[field] = value;
            assert!(Cui::parse(&other).is_err(), "{field}");
        }
    }
}
