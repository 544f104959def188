//! YARA's tokens. Comments are none; what a string's escapes stand for is undone here.

use crate::indicator::Refusal;

/// See the module.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A word or number.
    Word(&'a str),
    /// `$a`, `$a*` or `$`.
    Name(&'a str),
    Text(Vec<u8>),
    /// Between braces, after `=`.
    Hex(&'a str),
    /// Between slashes, after `=`: with its modifiers.
    Regex(&'a str, &'a str),
    Sign(char),
}

crate::bytes::opaque_debug!(Token<'_>, "Token");

/// A place in a text.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
    pub(super) line: u32,
    /// After `=`: a brace or slash begins a string.
    is_value: bool,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, line: 1, is_value: false }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Steps over so many bytes.
    fn pass(&mut self, bytes: usize) -> &'a str {
        let passed = self.rest().get(..bytes).unwrap_or(self.rest());
        self.line += memchr::memchr_iter(b'\n', passed.as_bytes()).count() as u32;
        self.at += passed.len();
        passed
    }

    /// Over blanks and comments.
    pub(super) fn skip(&mut self) {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start().len();
            self.pass(blank);
            let rest = self.rest();
            if rest.starts_with("//") {
                self.pass(rest.find('\n').unwrap_or(rest.len()));
            } else if rest.starts_with("/*") {
                self.pass(rest.find("*/").map_or(rest.len(), |end| end + 2));
            } else {
                return;
            }
        }
    }

    /// The next token, if there is one.
    pub(super) fn next(&mut self) -> Result<Option<Token<'a>>, Refusal> {
        self.skip();
        let was_value = std::mem::take(&mut self.is_value);
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Ok(None) };
        let token = match first {
            '"' => return self.text().map(Some),
            '{' if was_value => {
                let end = rest.find('}').ok_or(Refusal::Malformed)?;
                Token::Hex(&self.pass(end + 1)[1..end])
            }
            '/' if was_value => return self.regex().map(Some),
            '$' => {
                let length = 1 + word_length(&rest[1..]);
                let star = usize::from(rest[length..].starts_with('*'));
                Token::Name(self.pass(length + star))
            }
            first if first.is_ascii_alphanumeric() || first == '_' => Token::Word(self.pass(word_length(rest))),
            first => {
                self.pass(first.len_utf8());
                self.is_value = first == '=';
                Token::Sign(first)
            }
        };
        Ok(Some(token))
    }

    /// The next token, which must be there.
    pub(super) fn need(&mut self) -> Result<Token<'a>, Refusal> {
        self.next()?.ok_or(Refusal::Malformed)
    }

    /// The next token, left where it is.
    pub(super) fn peek(&self) -> Result<Option<Token<'a>>, Refusal> {
        self.clone().next()
    }

    /// Steps over a sign.
    pub(super) fn sign(&mut self, wanted: char) -> Result<(), Refusal> {
        if self.need()? == Token::Sign(wanted) { Ok(()) } else { Err(Refusal::Malformed) }
    }

    /// Steps over a token if it is this one.
    pub(super) fn take(&mut self, wanted: &Token<'_>) -> Result<bool, Refusal> {
        let is_it = self.peek()?.as_ref() == Some(wanted);
        if is_it {
            self.next()?;
        }
        Ok(is_it)
    }

    fn text(&mut self) -> Result<Token<'a>, Refusal> {
        let rest = self.rest().as_bytes();
        let (mut out, mut at) = (Vec::new(), 1);
        loop {
            match *rest.get(at).ok_or(Refusal::Malformed)? {
                b'"' => break,
                b'\n' => return Err(Refusal::Malformed),
                b'\\' => {
                    let escaped = *rest.get(at + 1).ok_or(Refusal::Malformed)?;
                    at += 1;
                    out.push(match escaped {
                        b'n' => b'\n',
                        b't' => b'\t',
                        b'r' => b'\r',
                        b'"' | b'\\' => escaped,
                        b'x' => {
                            let digits = rest.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
                            at += 2;
                            digits.and_then(|d| u8::from_str_radix(d, 16).ok()).ok_or(Refusal::BadPattern)?
                        }
                        _ => return Err(Refusal::BadPattern),
                    });
                }
                byte => out.push(byte),
            }
            at += 1;
        }
        self.pass(at + 1);
        Ok(Token::Text(out))
    }

    fn regex(&mut self) -> Result<Token<'a>, Refusal> {
        let rest = self.rest().as_bytes();
        let mut at = 1;
        loop {
            match *rest.get(at).ok_or(Refusal::Malformed)? {
                b'/' => break,
                b'\n' => return Err(Refusal::Malformed),
                b'\\' => at += 2,
                _ => at += 1,
            }
        }
        let whole = self.pass(at + 1);
        let modifiers = self.rest();
        let count = modifiers.bytes().take_while(|b| matches!(b, b'i' | b's')).count();
        // `/a/is`, but not the `i` of a word behind it.
        let count = if word_length(modifiers) == count { count } else { 0 };
        Ok(Token::Regex(whole.get(1..at).ok_or(Refusal::Malformed)?, self.pass(count)))
    }
}

fn word_length(text: &str) -> usize {
    text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count()
}
