//! Secrets in every form that they could be written in, and the search for them.
#![allow(unreachable_pub)]

use aho_corasick::AhoCorasick;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use sha2::{Digest, Sha256};

/// One form of one secret.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub struct Needle {
    pub bytes: Vec<u8>,
    /// Whose it is: a number that the test gives.
    pub owner: usize,
    /// What it is of, for messages.
    pub what: String,
    /// Its letters are lower-case, and so must be what is searched.
    any_case: bool,
}

/// What must not be found.
#[derive(Default)]
pub struct Needles(Vec<Needle>);

/// Needles, compiled.
pub struct Search {
    pub needles: Vec<Needle>,
    any_case: (AhoCorasick, Vec<usize>),
    exact: (AhoCorasick, Vec<usize>),
}

/// Shorter secrets would be found by chance.
const MIN_BYTES: usize = 5;

impl Needles {
    /// Adds a secret, in every form.
    pub fn add(&mut self, owner: usize, what: &str, secret: &str) {
        if secret.len() < MIN_BYTES {
            return;
        }
        let mut put = |form: &str, bytes: Vec<u8>, any_case: bool| {
            let bytes = if any_case { bytes.to_ascii_lowercase() } else { bytes };
            self.0.push(Needle { owner, what: format!("{what} ({form})"), bytes, any_case });
        };
        put("plain", secret.into(), true);
        for (form, dot) in [("[.]", "[.]"), ("(.)", "(.)"), ("[dot]", "[dot]")] {
            if secret.contains('.') {
                put(form, secret.replace('.', dot).into(), true);
            }
        }
        if secret.contains("http") {
            put("hxxp", secret.replace("http", "hxxp").into(), true);
        }
        let hex = |bytes: &[u8]| -> String { bytes.iter().map(|b| format!("{b:02x}")).collect() };
        for (case, text) in
            [("", secret.to_owned()), (" lower", secret.to_lowercase()), (" upper", secret.to_uppercase())]
        {
            let bytes = text.as_bytes();
            put(&format!("hex{case}"), hex(bytes).into(), true);
            let percent: String = bytes.iter().map(|b| format!("%{b:02x}")).collect();
            put(&format!("percent-encoded{case}"), percent.into(), true);
            let wide: Vec<u8> = bytes.iter().flat_map(|b| [*b, 0]).collect();
            put(&format!("UTF-16{case}"), wide, true);
            put(&format!("SHA-256{case}"), hex(&Sha256::digest(bytes))[..32].into(), true);
            for (name, engine) in [("base64", STANDARD), ("base64url", URL_SAFE)] {
                for shift in 0..3 {
                    put(&format!("{name}{case}, shift {shift}"), inner_base64(&engine, bytes, shift), false);
                }
            }
        }
        let reserved: String = secret
            .bytes()
            .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
            .collect();
        if reserved != secret {
            put("URL-encoded", reserved.into(), true);
        }
        let escaped = serde_json::to_string(secret).expect("JSON");
        if escaped.len() > secret.len() + 2 {
            put("JSON-escaped", escaped[1..escaped.len() - 1].into(), true);
        }
    }

    /// Makes it searchable.
    pub fn compile(mut self) -> Search {
        self.0.sort();
        self.0.dedup_by(|a, b| (a.owner, &a.bytes, a.any_case) == (b.owner, &b.bytes, b.any_case));
        let part = |any_case: bool| {
            let numbers: Vec<usize> = (0..self.0.len()).filter(|&at| self.0[at].any_case == any_case).collect();
            let automaton = AhoCorasick::new(numbers.iter().map(|&at| &self.0[at].bytes)).expect("compiles");
            (automaton, numbers)
        };
        let (any_case, exact) = (part(true), part(false));
        Search { needles: self.0, any_case, exact }
    }
}

impl Search {
    /// What is found in `text`.
    pub fn found_in(&self, text: &[u8]) -> Vec<&Needle> {
        let mut found = std::collections::BTreeSet::new();
        let lower = text.to_ascii_lowercase();
        for ((automaton, numbers), text) in [(&self.any_case, &lower[..]), (&self.exact, text)] {
            found.extend(automaton.find_overlapping_iter(text).map(|hit| numbers[hit.pattern().as_usize()]));
        }
        found.into_iter().map(|at| &self.needles[at]).collect()
    }
}

/// The characters of a base64 text that depend on `secret` alone, when it begins `shift` bytes into a group of three.
fn inner_base64(engine: &impl Engine, secret: &[u8], shift: usize) -> Vec<u8> {
    let padded: Vec<u8> = std::iter::repeat_n(0, shift).chain(secret.iter().copied()).collect();
    let text = engine.encode(&padded);
    let start = (shift * 8).div_ceil(6);
    let end = padded.len() * 8 / 6;
    text.as_bytes()[start..end].to_vec()
}
