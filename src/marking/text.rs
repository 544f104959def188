//! [`Marking::parse`]: a marking as an alert prints it, a banner or a portion.

use super::{Classification, ForeignForm, Marking, tag};

impl Marking {
    /// Reads what [`Marking`] prints, and every banner and portion: `TLP:AMBER+STRICT PAP:RED S//REL TO USA, GBR`. An ACS
    /// marking is named by its identifier only, so its definition is not here: it is undefined. What cannot be read is the
    /// strictest.
    ///
    /// # Errors
    /// [`ForeignForm`].
    pub fn parse(text: &str) -> Result<Self, ForeignForm> {
        let mut marking = Self::default();
        let mut rest = text.trim();
        while !rest.is_empty() {
            let part = match named(rest) {
                Some((name, value)) => {
                    let (value, after) = value_of(value);
                    rest = after;
                    of_name(name, &value)
                }
                None => {
                    let end = next_named(rest);
                    let banner = Classification::parse(&rest[..end])?;
                    rest = &rest[end..];
                    Self::of(banner)
                }
            };
            marking = marking.combine(&part);
            rest = rest.trim_start();
        }
        Ok(marking)
    }
}

const NAMES: [&str; 6] = ["TLP:", "PAP:", "ACS:", "CUI:", "UNDEFINED:", "STATEMENT:"];

/// The name that `text` begins with, and what is behind it.
fn named(text: &str) -> Option<(&'static str, &str)> {
    NAMES.into_iter().find_map(|name| {
        let (head, rest) = text.split_at_checked(name.len())?;
        head.eq_ignore_ascii_case(name).then_some((name, rest))
    })
}

/// Where the first name behind a blank begins.
fn next_named(text: &str) -> usize {
    let blanks = text.char_indices().filter(|(_, c)| c.is_whitespace());
    blanks.map(|(at, c)| at + c.len_utf8()).find(|at| named(&text[*at..]).is_some()).unwrap_or(text.len())
}

/// A quoted text, or the word up to a blank, and what is behind it.
fn value_of(text: &str) -> (String, &str) {
    if let Some(inner) = text.strip_prefix('"')
        && let Some((value, after)) = unquoted(inner)
    {
        return (value, after);
    }
    let (word, after) = text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()));
    (word.to_string(), after)
}

/// Undoes Rust's quoting, up to the closing quote.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut rest = text;
    loop {
        let mut chars = rest.chars();
        match chars.next()? {
            '"' => return Some((value, chars.as_str())),
            '\\' => {
                let escape = chars.next()?;
                rest = chars.as_str();
                value.push(match escape {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    '0' => '\0',
                    'u' => {
                        let (code, after) = rest.strip_prefix('{')?.split_once('}')?;
                        rest = after;
                        char::from_u32(u32::from_str_radix(code, 16).ok()?)?
                    }
                    itself => itself,
                });
            }
            c => {
                value.push(c);
                rest = chars.as_str();
            }
        }
    }
}

fn of_name(name: &str, value: &str) -> Marking {
    match name {
        "TLP:" | "PAP:" => tag(&format!("{name}{value}")).unwrap_or_else(|| Marking::undefined(value)),
        "CUI:" => Marking::of_designator(value),
        "STATEMENT:" => Marking::of_statement(value),
        _ => Marking::undefined(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_alert_prints_is_read_back() {
        for text in [
            "",
            "TLP:AMBER+STRICT PAP:RED SECRET//REL TO USA, GBR",
            "TLP:RED",
            "PAP:GREEN",
            "TOP SECRET//SI/TK//ORCON/NOFORN",
            "TLP:GREEN TLP:EX:CHR PAP:CLEAR",
            r#"CUI//SP-CTI//NOFORN CUI:"identity--1" STATEMENT:"say \"so\" TLP:CLEAR\n""#,
            r#"UNDEFINED:"marking-definition--1""#,
        ] {
            assert_eq!(Marking::parse(text).expect("not foreign").to_string(), text);
        }
    }

    #[test]
    fn portions_and_loose_forms_are_read() {
        for (text, shown) in [
            ("(S//REL TO USA, GBR)", "SECRET//REL TO USA, GBR"),
            ("tlp:amber pap:white", "TLP:AMBER PAP:CLEAR"),
            ("S//NF TLP:RED", "TLP:RED SECRET//NOFORN"),
            ("TLP:GREEN TLP:RED", "TLP:RED"),
            ("TLP:MAUVE", "TLP:RED"),
            ("STATEMENT:\"open", "STATEMENT:\"\\\"open\""),
            ("ACS:isa:guide.1", "UNDEFINED:\"isa:guide.1\""),
        ] {
            assert_eq!(Marking::parse(text).expect("not foreign").to_string(), shown, "{text}");
        }
        assert_eq!(Marking::parse("TLP:RED //JOINT S"), Err(ForeignForm));
        let unreadable = Marking::parse("MOSTLY HARMLESS TLP:CLEAR").expect("not foreign");
        assert!(unreadable.classification.is_some_and(|c| !c.is_readable()));
    }
}
