//! A module imports only from strictly lower floors: this reads every `crate::`, `picket::` and outward `super::` path in
//! `src/` and fails on one that goes sideways or up, or that names no floor (a new module belongs in [`FLOORS`], and an item
//! of the crate's root is to be imported from the module it lives in). `main.rs` and `lib.rs` are exempt; tests are not.
//!
//! Seen to fail: the unit tests below run it on made-up sources that break each rule; and `use crate::feed;` added to
//! `src/capture/mod.rs` and `use crate::proto as _;` to `src/packet/mod.rs` are reported with file and line.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Top-level modules by floor, the lowest first.
const FLOORS: &[&[&str]] = &[
    &["bytes", "time", "memory", "metrics", "prefetch", "marking"],
    &["packet", "indicator"],
    &["capture", "flow", "matcher", "feed"],
    &["proto", "alert"],
    &["sink"],
    &["pipeline"],
    &["config", "fetch", "privilege"],
    &["console"],
    &["cli"],
];

/// Files that may import anything.
const EXEMPT: &[&str] = &["main", "lib"];

#[test]
fn every_module_imports_only_from_lower_floors() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&src, &mut files);
    assert!(files.len() > 10, "found only {} sources below {}", files.len(), src.display());
    let mut problems = Vec::new();
    for file in &files {
        let module = module_of(file.strip_prefix(&src).expect("below src"));
        let source = fs::read_to_string(file).expect("readable source");
        problems
            .extend(violations(&module, &source).into_iter().map(|problem| format!("{}:{problem}", file.display())));
    }
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> =
        fs::read_dir(folder).expect("readable folder").map(|e| e.expect("entry").path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
}

/// `capture/pcap.rs` is `["capture", "pcap"]`, `capture/mod.rs` is `["capture"]`.
fn module_of(relative: &Path) -> Vec<String> {
    let mut parts: Vec<String> = relative.with_extension("").iter().map(|p| p.to_string_lossy().into_owned()).collect();
    if parts.len() > 1 && parts.last().is_some_and(|p| p == "mod") {
        parts.pop();
    }
    parts
}

/// `LINE: what is wrong` for every import of the file that the floors forbid.
fn violations(module: &[String], source: &str) -> Vec<String> {
    let top = module[0].as_str();
    if module.len() == 1 && EXEMPT.contains(&top) {
        return Vec::new();
    }
    let Some(own) = floor(top) else { return vec![format!("1: module `{top}` is on no floor")] };
    let mut seen = BTreeSet::new();
    for (line, target) in targets(module, source) {
        if target == top {
            continue;
        }
        let problem = match floor(&target) {
            None => format!("`{target}` is on no floor"),
            Some(other) if other < own => continue,
            Some(other) if other == own => format!("F{own} `{top}` imports sideways from `{target}`"),
            Some(other) => format!("F{own} `{top}` imports up from F{other} `{target}`"),
        };
        seen.insert((line, problem));
    }
    seen.into_iter().map(|(line, problem)| format!("{line}: {problem}")).collect()
}

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|names| names.contains(&module))
}

/// The top-level module (or root item) that each path leads to, with its line.
fn targets(module: &[String], source: &str) -> Vec<(usize, String)> {
    let tokens = tokens(source);
    let mut out = Vec::new();
    // Names of the inline modules that are open; `None` for any other brace.
    let mut open: Vec<Option<String>> = Vec::new();
    let mut at = 0;
    while let Some((line, token)) = tokens.get(at) {
        let text = |ahead: usize| tokens.get(at + ahead).map_or("", |(_, t)| t.as_str());
        match token.as_str() {
            "mod" if text(2) == "{" => {
                open.push(Some(text(1).to_string()));
                at += 2;
            }
            "{" => open.push(None),
            "}" => drop(open.pop()),
            "crate" | "picket" if text(1) == "::" => heads(&tokens, at + 2, *line, &mut out),
            "super" if text(1) == "::" => {
                let mut supers = 1;
                while text(supers * 2) == "super" {
                    supers += 1;
                }
                let depth = module.len() + open.iter().flatten().count();
                if supers >= depth {
                    heads(&tokens, at + supers * 2, *line, &mut out);
                }
                at += supers * 2 - 1;
            }
            _ => {}
        }
        at += 1;
    }
    out
}

/// The first names of the path, or of each path of the group, that starts at token `at`.
fn heads(tokens: &[(usize, String)], at: usize, line: usize, out: &mut Vec<(usize, String)>) {
    let Some((_, first)) = tokens.get(at) else { return };
    if first != "{" {
        out.push((line, first.clone()));
        return;
    }
    let (mut depth, mut at_start) = (0, false);
    for (line, token) in &tokens[at..] {
        match token.as_str() {
            "{" => {
                depth += 1;
                at_start = depth == 1;
            }
            "}" if depth == 1 => return,
            "}" => depth -= 1,
            "," => at_start = depth == 1,
            name if at_start => {
                out.push((*line, name.to_string()));
                at_start = false;
            }
            _ => {}
        }
    }
}

/// Identifiers, `::` and single punctuation marks with their lines, without comments, strings and characters.
fn tokens(source: &str) -> Vec<(usize, String)> {
    let bytes = source.as_bytes();
    let (mut out, mut line, mut at) = (Vec::new(), 1, 0);
    while at < bytes.len() {
        let rest = &source[at..];
        let length = match bytes[at] {
            _ if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            _ if rest.starts_with("/*") => comment(rest),
            b'"' => string(rest),
            b'r' | b'b' | b'c' if raw_or_prefixed(rest).is_some() => raw_or_prefixed(rest).unwrap_or(1),
            b'\'' => character(rest),
            b if b.is_ascii_alphabetic() || b == b'_' => {
                let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                out.push((line, rest[..length].to_string()));
                length
            }
            _ if rest.starts_with("::") => {
                out.push((line, "::".to_string()));
                2
            }
            b if b.is_ascii_punctuation() => {
                out.push((line, char::from(b).to_string()));
                1
            }
            _ => rest.chars().next().map_or(1, char::len_utf8),
        };
        line += rest[..length].matches('\n').count();
        at += length;
    }
    out
}

/// Length of the block comment, nested ones included, that `rest` starts with.
fn comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        if rest.as_bytes()[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.as_bytes()[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// Length of the string literal that `rest` starts with.
fn string(rest: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in rest.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// Length of `b".."`, `c".."`, `r".."`, `br#".."#`, if `rest` starts with one.
fn raw_or_prefixed(rest: &str) -> Option<usize> {
    let after = rest.trim_start_matches(['b', 'c']);
    let prefix = rest.len() - after.len();
    if prefix > 1 {
        return None;
    }
    if after.starts_with('"') && prefix == 1 {
        return Some(prefix + string(after));
    }
    let raw = after.strip_prefix('r')?;
    let fence = raw.len() - raw.trim_start_matches('#').len();
    raw[fence..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(fence));
    let body = prefix + 1 + fence + 1;
    Some(rest[body..].find(&end).map_or(rest.len(), |found| body + found + end.len()))
}

/// Length of the character literal or lifetime mark that `rest` starts with.
fn character(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => rest[3..].find('\'').map_or(rest.len(), |end| 3 + end + 1),
        Some(_) => match chars.next() {
            Some((at, '\'')) => at + 1,
            _ => 1,
        },
        None => 1,
    }
}

fn check(module: &str, source: &str) -> Vec<String> {
    violations(&module.split('/').map(String::from).collect::<Vec<_>>(), source)
}

#[test]
fn lower_floors_and_the_own_module_pass() {
    let source = "use crate::bytes::Reader;\nuse crate::{packet, time::Timestamp, flow::{self, Direction}};\n";
    assert_eq!(check("flow/stream", source), [""; 0]);
    assert_eq!(check("proto/dns", source), [""; 0]);
    assert_eq!(check("lib", "pub use crate::cli::run;"), [""; 0]);
}

#[test]
fn up_sideways_and_unknown_are_reported_with_their_line() {
    assert_eq!(check("packet", "\nuse crate::flow::Direction;"), ["2: F1 `packet` imports up from F2 `flow`"]);
    assert_eq!(check("flow", "fn f() { crate::matcher::go() }"), ["1: F2 `flow` imports sideways from `matcher`"]);
    assert_eq!(check("sink", "use picket::pipeline as p;"), ["1: F4 `sink` imports up from F5 `pipeline`"]);
    assert_eq!(check("sink", "use crate::Thing;"), ["1: `Thing` is on no floor"]);
    assert_eq!(check("sink", "use crate::*;"), ["1: `*` is on no floor"]);
    assert_eq!(check("helpers", ""), ["1: module `helpers` is on no floor"]);
}

#[test]
fn every_path_of_a_group_counts() {
    let source = "use crate::{\n    bytes::{Reader, sink},\n    sink::{self, Sink},\n    cli,\n};";
    let found = check("alert", source);
    assert_eq!(found, ["3: F3 `alert` imports up from F4 `sink`", "4: F3 `alert` imports up from F8 `cli`"]);
}

#[test]
fn super_counts_where_it_leaves_the_module() {
    assert_eq!(check("flow/key", "use super::super::matcher::X;").len(), 1);
    assert_eq!(check("flow", "use super::{matcher::X, packet};").len(), 1);
    assert_eq!(check("flow/key", "use super::matcher::X;").len(), 0);
    assert_eq!(check("flow", "mod tests { use super::*; use super::matcher::X; }").len(), 0);
    assert_eq!(check("flow", "mod tests { fn f() { super::super::matcher::x() } }").len(), 1);
    assert_eq!(check("flow", "mod tests { } use super::matcher::x;").len(), 1);
}

#[test]
fn comments_strings_and_characters_do_not_count() {
    let source = r###"
        //! [`crate::cli`]
        /* crate::cli /* nested */ crate::cli */
        const A: &str = "crate::cli \" crate::cli"; const B: &str = r#"crate::cli " "#; const C: &[u8] = b"crate::cli";
        const D: char = '"'; const E: char = '\''; fn f<'a>(x: &'a str) { g('{', "crate::cli") }
        use crate::cli;
    "###;
    assert_eq!(check("flow", source), ["6: F2 `flow` imports up from F8 `cli`"]);
}
