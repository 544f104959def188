//! YARA's conditions, as far as they only ask which strings are there.

use super::lex::{Cursor, Token};
use super::strings::Strings;
use crate::indicator::Refusal;
use crate::indicator::rule::Formula;

/// Reads a condition up to the brace that ends its rule.
///
/// # Errors
/// What is not honoured, by name.
pub(super) fn read(cursor: &mut Cursor<'_>, strings: &Strings<'_>) -> Result<Formula, Refusal> {
    let formula = either(cursor, strings, 0)?;
    match cursor.need()? {
        Token::Sign('}') => Ok(formula),
        token => Err(unsupported(&token)),
    }
}

fn either(cursor: &mut Cursor<'_>, strings: &Strings<'_>, depth: u32) -> Result<Formula, Refusal> {
    let mut of = vec![both(cursor, strings, depth)?];
    while cursor.take(&Token::Word("or"))? {
        of.push(both(cursor, strings, depth)?);
    }
    Ok(Formula::any(of))
}

fn both(cursor: &mut Cursor<'_>, strings: &Strings<'_>, depth: u32) -> Result<Formula, Refusal> {
    let mut of = vec![one(cursor, strings, depth)?];
    while cursor.take(&Token::Word("and"))? {
        of.push(one(cursor, strings, depth)?);
    }
    Ok(Formula::all(of))
}

fn one(cursor: &mut Cursor<'_>, strings: &Strings<'_>, depth: u32) -> Result<Formula, Refusal> {
    if depth > MAX_DEPTH {
        return Err(Refusal::Malformed);
    }
    match cursor.need()? {
        Token::Sign('(') => {
            let inner = either(cursor, strings, depth + 1)?;
            match cursor.need()? {
                Token::Sign(')') => Ok(inner),
                token => Err(unsupported(&token)),
            }
        }
        Token::Name(name) => {
            let name = &name[1..];
            let known = strings.named.iter().find(|(known, _)| *known == name && !name.is_empty());
            known.map(|(_, formula)| formula.clone()).ok_or(Refusal::Malformed)
        }
        Token::Word("any") => of(Some(1), cursor, strings),
        Token::Word("all") => of(None, cursor, strings),
        Token::Word(word) if word.bytes().all(|byte| byte.is_ascii_digit()) => match cursor.peek()? {
            Some(Token::Word("of")) => of(Some(word.parse().map_err(|_| Refusal::BadField)?), cursor, strings),
            _ => Err(Refusal::Unsupported("numbers in a condition")),
        },
        token => Err(unsupported(&token)),
    }
}

/// `of them`, `of ($a, $b*)`.
fn of(count: Option<u32>, cursor: &mut Cursor<'_>, strings: &Strings<'_>) -> Result<Formula, Refusal> {
    if !cursor.take(&Token::Word("of"))? {
        return Err(Refusal::Malformed);
    }
    let mut of = Vec::new();
    match cursor.need()? {
        Token::Word("them") => of.extend(strings.named.iter().map(|(_, formula)| formula.clone())),
        Token::Sign('(') => loop {
            let Token::Name(name) = cursor.need()? else {
                return Err(Refusal::Unsupported("a set of other rules"));
            };
            let name = &name[1..];
            let before = of.len();
            of.extend(strings.named.iter().filter(|(known, _)| is_in(known, name)).map(|(_, formula)| formula.clone()));
            if of.len() == before || of.len() > MAX_SET {
                return Err(Refusal::Malformed);
            }
            match cursor.need()? {
                Token::Sign(',') => {}
                Token::Sign(')') => break,
                token => return Err(unsupported(&token)),
            }
        },
        token => return Err(unsupported(&token)),
    }
    let count = count.unwrap_or(of.len() as u32);
    // None of them, or more than there are, is no question of what is there.
    if count == 0 || count as usize > of.len() {
        return Err(Refusal::Unsupported("a count that says nothing, or never holds"));
    }
    if matches!(cursor.peek()?, Some(Token::Word("in" | "at"))) {
        return Err(Refusal::Unsupported("at and in"));
    }
    Ok(Formula::AtLeast(count, of.into()))
}

fn is_in(known: &str, name: &str) -> bool {
    name.strip_suffix('*').map_or(known == name, |start| known.starts_with(start))
}

fn unsupported(token: &Token<'_>) -> Refusal {
    Refusal::Unsupported(match token {
        Token::Word("not" | "none") => "not and none",
        Token::Word("filesize" | "entrypoint") => "filesize and entrypoint",
        Token::Word("at" | "in") => "at and in",
        Token::Word("for") => "for loops",
        Token::Word("true" | "false") => "constants in a condition",
        Token::Word(word) if INTEGERS.contains(word) => "bytes at an offset",
        Token::Sign('#' | '@' | '!') => "counts, offsets and lengths of strings",
        Token::Sign('%') => "percentages",
        Token::Word(_) => "another rule, a module or an external variable",
        _ => "an operator in a condition",
    })
}

const INTEGERS: [&str; 12] = [
    "uint8", "uint16", "uint32", "int8", "int16", "int32", "uint8be", "uint16be", "uint32be", "int8be", "int16be",
    "int32be",
];
/// Parentheses in parentheses.
const MAX_DEPTH: u32 = 32;
/// Strings of a set.
const MAX_SET: usize = 4096;
