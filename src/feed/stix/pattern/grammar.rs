//! The grammar, on winnow's token parsers: recursive descent, one function a rule, never a step back over more than a token.
//!
//! Keywords are case-sensitive. Comments (`/* */`, `//`) count as blanks. A key with a hyphen may stand without quotes
//! (`hashes.SHA-256`), which STIX 2.1 does not allow but feeds of STIX 2.0 do; it can mean nothing else.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use winnow::Parser;
use winnow::ascii::digit1;
use winnow::combinator::{alt, cut_err, delimited, not, opt, preceded, repeat, terminated};
use winnow::error::{EmptyError, ErrMode};
use winnow::token::{any, literal, none_of, one_of, take_until, take_while};

use super::{Comparison, Expression, Literal, MAX_DEPTH, Operator, Qualifier, Test};
use crate::time::Timestamp;

type Input<'a> = &'a str;
type Parsed<T> = Result<T, ErrMode<EmptyError>>;

/// The whole of `text`.
pub(super) fn pattern(text: &str) -> Option<Expression> {
    let mut input = text;
    let whole = blanks(&mut input).and_then(|()| expression(&mut input, 0)).ok()?;
    input.is_empty().then_some(whole)
}

/// `FOLLOWEDBY` binds loosest, then `OR`, then `AND`.
fn expression(input: &mut Input<'_>, depth: usize) -> Parsed<Expression> {
    chain(input, "FOLLOWEDBY", Expression::FollowedBy, |input| {
        chain(input, "OR", Expression::Or, |input| {
            chain(input, "AND", Expression::And, |input| qualified(input, depth))
        })
    })
}

fn qualified(input: &mut Input<'_>, depth: usize) -> Parsed<Expression> {
    let mut inner = if opt(sign("[")).parse_next(input)?.is_some() {
        let comparison = comparison(input, depth)?;
        sign("]").parse_next(input)?;
        Expression::Observation(comparison)
    } else {
        sign("(").parse_next(input)?;
        let inner = expression(input, deeper(depth)?)?;
        sign(")").parse_next(input)?;
        inner
    };
    // Each sort once: a second one needs parentheses.
    let mut seen = Vec::new();
    while let Some(qualifier) = opt(qualifier).parse_next(input)? {
        let sort = std::mem::discriminant(&qualifier);
        if seen.contains(&sort) {
            return fail();
        }
        seen.push(sort);
        inner = Expression::Qualified(Box::new(inner), qualifier);
    }
    Ok(inner)
}

fn qualifier(input: &mut Input<'_>) -> Parsed<Qualifier> {
    let seconds = alt((token((digit0, ".", digit1).void()), token(digit1.void())));
    alt((
        (keyword("WITHIN"), opt("+"), seconds, keyword("SECONDS")).value(Qualifier::Within),
        delimited((keyword("REPEATS"), opt("+")), token(digit1.try_map(str::parse)), keyword("TIMES"))
            .map(Qualifier::Repeats),
        (preceded(keyword("START"), instant), preceded(keyword("STOP"), instant))
            .map(|(start, stop)| Qualifier::StartStop(start, stop)),
    ))
    .parse_next(input)
}

fn comparison(input: &mut Input<'_>, depth: usize) -> Parsed<Comparison> {
    chain(input, "OR", Comparison::Or, |input| chain(input, "AND", Comparison::And, |input| test(input, depth)))
}

fn test(input: &mut Input<'_>, depth: usize) -> Parsed<Comparison> {
    if opt(sign("(")).parse_next(input)?.is_some() {
        let inner = comparison(input, deeper(depth)?)?;
        sign(")").parse_next(input)?;
        return Ok(inner);
    }
    if opt(keyword("EXISTS")).parse_next(input)?.is_some() {
        let path = path(input)?;
        return Ok(Comparison::Test(Test { path, negated: false, operator: Operator::Exists, operands: Vec::new() }));
    }
    let path = path(input)?;
    let negated = opt(keyword("NOT")).parse_next(input)?.is_some();
    let operator = operator(input)?;
    let operands = match operator {
        Operator::In => set(input)?,
        Operator::Equal | Operator::NotEqual => vec![primitive(input)?],
        Operator::Order => match primitive(input)? {
            Literal::Bool(_) => return fail(),
            other => vec![other],
        },
        _ => vec![token(text).map(Literal::Text).parse_next(input)?],
    };
    Ok(Comparison::Test(Test { path, negated, operator, operands }))
}

fn operator(input: &mut Input<'_>) -> Parsed<Operator> {
    alt((
        sign("==").value(Operator::Equal),
        sign("=").value(Operator::Equal),
        alt((sign("!="), sign("<>"))).value(Operator::NotEqual),
        alt((sign("<="), sign(">="), sign("<"), sign(">"))).value(Operator::Order),
        keyword("IN").value(Operator::In),
        keyword("LIKE").value(Operator::Like),
        keyword("MATCHES").value(Operator::Matches),
        keyword("ISSUBSET").value(Operator::IsSubset),
        keyword("ISSUPERSET").value(Operator::IsSuperset),
    ))
    .parse_next(input)
}

/// `type:key.'quoted key'[*]`, in the form of [`Test::path`].
fn path(input: &mut Input<'_>) -> Parsed<String> {
    let mut path = token(name).parse_next(input)?.to_owned();
    sign(":").parse_next(input)?;
    path.push(':');
    key(input, &mut path)?;
    loop {
        if opt(sign(".")).parse_next(input)?.is_some() {
            path.push('.');
            key(input, &mut path)?;
        } else if opt(sign("[")).parse_next(input)?.is_some() {
            alt((sign("*"), token((opt(one_of(['+', '-'])), digit1).void()))).parse_next(input)?;
            sign("]").parse_next(input)?;
            path.push_str("[*]");
        } else {
            return Ok(path);
        }
    }
}

fn key(input: &mut Input<'_>, path: &mut String) -> Parsed<()> {
    let key = alt((token(name).map(str::to_owned), token(text))).parse_next(input)?;
    if key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
        path.push_str(&key);
    } else {
        path.push_str(&format!("{key:?}"));
    }
    Ok(())
}

fn set(input: &mut Input<'_>) -> Parsed<Vec<Literal>> {
    sign("(").parse_next(input)?;
    let mut all = Vec::new();
    if opt(sign(")")).parse_next(input)?.is_some() {
        return Ok(all);
    }
    loop {
        all.push(primitive(input)?);
        if opt(sign(",")).parse_next(input)?.is_none() {
            sign(")").parse_next(input)?;
            return Ok(all);
        }
    }
}

fn primitive(input: &mut Input<'_>) -> Parsed<Literal> {
    alt((
        token(text).map(Literal::Text),
        token(number),
        instant.map(Literal::Time),
        token(preceded("h", quoted).verify_map(hex)).map(Literal::Bytes),
        token(preceded("b", quoted).verify_map(|text| STANDARD.decode(text).ok())).map(Literal::Bytes),
        keyword("true").value(Literal::Bool(true)),
        keyword("false").value(Literal::Bool(false)),
    ))
    .parse_next(input)
}

fn number(input: &mut Input<'_>) -> Parsed<Literal> {
    alt((
        (opt(one_of(['+', '-'])), digit0, ".", digit1).take().try_map(str::parse).map(Literal::Float),
        (opt(one_of(['+', '-'])), digit1).take().try_map(str::parse).map(Literal::Integer),
    ))
    .parse_next(input)
}

/// `'..'`, where `\` stands before `'` and `\` and nowhere else.
fn text(input: &mut Input<'_>) -> Parsed<String> {
    "'".parse_next(input)?;
    let piece = alt((none_of(['\'', '\\']), preceded('\\', one_of(['\'', '\\']))));
    cut_err(terminated(repeat(0.., piece), '\'')).parse_next(input)
}

/// `'..'` without escapes.
fn quoted<'a>(input: &mut Input<'a>) -> Parsed<&'a str> {
    delimited('\'', take_while(0.., |c| c != '\''), '\'').parse_next(input)
}

/// `t'2014-01-13T07:03:17.123Z'`.
fn instant(input: &mut Input<'_>) -> Parsed<Timestamp> {
    let read = |text: &str| {
        let utc = text.ends_with('Z') && text.as_bytes().get(10) == Some(&b'T');
        utc.then(|| crate::feed::field::instant(text).ok()).flatten()
    };
    token(preceded("t", quoted).verify_map(read)).parse_next(input)
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    let digits = digits.chars().map(|c| c.to_digit(16).map(|d| d as u8)).collect::<Option<Vec<u8>>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

/// Letters, digits, `_` and `-`, not beginning with a digit or `-`.
fn name<'a>(input: &mut Input<'a>) -> Parsed<&'a str> {
    (one_of(|c: char| c.is_ascii_alphabetic() || c == '_'), take_while(0.., is_in_name)).take().parse_next(input)
}

fn is_in_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

fn digit0<'a>(input: &mut Input<'a>) -> Parsed<&'a str> {
    take_while(0.., |c: char| c.is_ascii_digit()).parse_next(input)
}

/// One or more of `part`, joined by `word`.
fn chain<'a, T>(
    input: &mut Input<'a>,
    word: &'static str,
    join: fn(Vec<T>) -> T,
    mut part: impl FnMut(&mut Input<'a>) -> Parsed<T>,
) -> Parsed<T> {
    let first = part(input)?;
    if opt(keyword(word)).parse_next(input)?.is_none() {
        return Ok(first);
    }
    let mut all = vec![first, part(input)?];
    while opt(keyword(word)).parse_next(input)?.is_some() {
        all.push(part(input)?);
    }
    Ok(join(all))
}

fn keyword<'a>(word: &'static str) -> impl Parser<Input<'a>, (), ErrMode<EmptyError>> {
    token((word, not(one_of(is_in_name))).void())
}

fn sign<'a>(sign: &'static str) -> impl Parser<Input<'a>, (), ErrMode<EmptyError>> {
    token(literal(sign).void())
}

/// `inner` and the blanks behind it.
fn token<'a, T>(
    inner: impl Parser<Input<'a>, T, ErrMode<EmptyError>>,
) -> impl Parser<Input<'a>, T, ErrMode<EmptyError>> {
    terminated(inner, blanks)
}

fn blanks(input: &mut Input<'_>) -> Parsed<()> {
    let comment = ("/*", take_until(0.., "*/"), "*/").void();
    let line = ("//", take_while(0.., |c| c != '\r' && c != '\n')).void();
    let blank = any.verify(|c: &char| c.is_whitespace()).void();
    repeat(0.., alt((blank, line, comment))).parse_next(input)
}

fn deeper(depth: usize) -> Parsed<usize> {
    if depth < MAX_DEPTH { Ok(depth + 1) } else { fail() }
}

fn fail<T>() -> Parsed<T> {
    Err(ErrMode::Cut(EmptyError))
}
