//! One message: header, questions, records (RFC 1035 section 4.1).

use super::name::Name;
use super::record;
use crate::indicator::kind::{self, DOMAIN};
use crate::indicator::{Field, Fields, Observable, Seen, Value, Where};

/// How much may be wrong with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Care {
    /// What comes before the damage is seen; a record whose own data is damaged is stepped over.
    Lenient,
    /// Nothing: classes are real ones, names are not NetBIOS ones, the last record ends at the last byte.
    Strict,
}

/// The header (RFC 1035 section 4.1.1).
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    id: u16,
    flags: u16,
    questions: u16,
    answers: u16,
    authorities: u16,
    additionals: u16,
}

impl Header {
    /// Its length.
    pub(super) const BYTES: usize = 12;

    #[inline]
    pub(super) fn read(message: &[u8]) -> Option<Self> {
        let (words, _) = message.first_chunk::<{ Self::BYTES }>()?.as_chunks::<2>();
        let [id, flags, questions, answers, authorities, additionals] = words.first_chunk()?.map(u16::from_be_bytes);
        Some(Self { id, flags, questions, answers, authorities, additionals })
    }

    /// Whether this can begin a message at all: a known operation and something to say.
    #[inline]
    pub(super) fn is_plausible(self) -> bool {
        matches!(self.opcode(), QUERY | 1 | 2 | NOTIFY | UPDATE | 6)
            && self.questions | self.answers | self.authorities | self.additionals != 0
    }

    /// Whether this can begin a message as clients and servers really send them.
    #[inline]
    pub(super) fn is_strictly_plausible(self) -> bool {
        let flags = self.flags;
        let reply_bits = AUTHORITATIVE | TRUNCATED | RECURSION_AVAILABLE | RESPONSE_CODE;
        let counts_fit = match (self.opcode(), self.is_response()) {
            (QUERY, false) => self.questions == 1 && self.answers == 0 && flags & reply_bits == 0,
            (QUERY, true) => self.questions <= 1 && self.questions | self.answers != 0,
            (NOTIFY | UPDATE, _) => self.questions == 1,
            _ => false,
        };
        counts_fit && flags & RESERVED == 0 && flags & RESPONSE_CODE <= NOT_ZONE
    }

    fn is_response(self) -> bool {
        self.flags & RESPONSE != 0
    }

    fn opcode(self) -> u16 {
        self.flags >> 11 & 0xf
    }

    fn records(self) -> u32 {
        u32::from(self.answers) + u32::from(self.authorities) + u32::from(self.additionals)
    }
}

/// Shows what the message holds. `Err` says what was wrong, after everything before the damage was seen.
pub(super) fn walk(bytes: &[u8], care: Care, seen: Seen<'_>) -> Result<(), &'static str> {
    let header = Header::read(bytes).ok_or("DNS message cut in its header")?;
    if !header.is_plausible() {
        return Err("not a DNS message");
    }
    let mut walk = Walk { bytes, care, at: Header::BYTES, seen };
    let first = if header.questions > 0 { Some(walk.question()?) } else { None };
    let about = About { message: bytes, question: first.as_ref() };
    let with = [Field::several(&about)];
    if let Some((name, _)) = &first {
        walk.show_name(QUESTION, name, &with);
    }
    if header.questions > 1 {
        walk.further_questions(header.questions - 1)?;
    }
    if header.records() > 0 {
        walk.records(header.records(), first.as_ref(), &with)?;
    }
    if walk.at < bytes.len() { Err("bytes after the DNS message") } else { Ok(()) }
}

/// The walk over one message.
pub(super) struct Walk<'m, 's> {
    pub(super) bytes: &'m [u8],
    care: Care,
    at: usize,
    seen: Seen<'s>,
}

/// Name and type of a question.
type Question<'m> = (Name<'m>, u16);

impl<'m> Walk<'m, '_> {
    /// Steps over a question.
    #[inline(always)]
    fn question(&mut self) -> Result<Question<'m>, &'static str> {
        let name = Name::read(self.bytes, self.at).ok_or("malformed name in a DNS question")?;
        let words = self.bytes.get(name.next..).and_then(|rest| rest.first_chunk());
        let [k0, k1, c0, c1] = *words.ok_or("DNS message cut in a question")?;
        let (kind, class) = (u16::from_be_bytes([k0, k1]), u16::from_be_bytes([c0, c1]));
        if self.care == Care::Strict && (!is_class(class) || kind == 0 || is_netbios(self.bytes, self.at)) {
            return Err("not a DNS question");
        }
        self.at = name.next + 4;
        Ok((name, kind))
    }

    /// Shows what is asked besides the first question: by hardly anybody.
    #[cold]
    fn further_questions(&mut self, count: u16) -> Result<(), &'static str> {
        for _ in 0..count {
            let question = self.question()?;
            let about = About { message: self.bytes, question: Some(&question) };
            self.show_name(QUESTION, &question.0, &[Field::several(&about)]);
        }
        Ok(())
    }

    fn records(
        &mut self,
        count: u32,
        question: Option<&Question<'m>>,
        fields: &[Field<'_>],
    ) -> Result<(), &'static str> {
        let mut damage = Ok(());
        // The owner of most records is a pointer to the question's name, which stands right behind the header.
        let mut known_owner = question.and_then(|_| pointer_to(Header::BYTES));
        for _ in 0..count {
            let start = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk());
            let pair = start.map(|pair| u16::from_be_bytes(*pair));
            if pair.is_some() && pair == known_owner {
                self.at += 2;
            } else {
                let pointer = pair.filter(|pair| pair & POINTER == POINTER).or(pointer_to(self.at));
                self.owner(question, fields)?;
                known_owner = pointer;
            }
            let words = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<RECORD_BYTES>());
            let [k0, k1, c0, c1, _, _, _, _, l0, l1] = *words.ok_or("DNS message cut in a record")?;
            let [kind, class, length] = [[k0, k1], [c0, c1], [l0, l1]].map(u16::from_be_bytes);
            let start = self.at + RECORD_BYTES;
            let end = start + usize::from(length);
            if end > self.bytes.len() {
                return Err("DNS message cut in a record");
            }
            if self.care == Care::Strict && (kind == 0 || kind != record::OPT && !is_class(class)) {
                return Err("not a DNS record");
            }
            if let Err(reason) = record::show(self, kind, class, start..end, fields) {
                damage = Err(reason);
            }
            self.at = end;
        }
        damage
    }

    /// Steps over a record's owner and shows it, unless it is the question's name.
    fn owner(&mut self, question: Option<&Question<'m>>, fields: &[Field<'_>]) -> Result<(), &'static str> {
        let owner = Name::read(self.bytes, self.at).ok_or("malformed owner name in a DNS record")?;
        if !question.is_some_and(|(asked, _)| owner.is(asked)) {
            self.show_name("dns.answers.name", &owner, fields);
        }
        self.at = owner.next;
        Ok(())
    }

    /// Shows the name at `at` as a record's data, which ends at `limit`; where the name ends.
    pub(super) fn data_name(&mut self, at: usize, limit: usize, fields: &[Field<'_>]) -> Option<usize> {
        let name = Name::read(self.bytes, at).filter(|name| name.next <= limit)?;
        self.show_name("dns.answers.data", &name, fields);
        Some(name.next)
    }

    /// Shows an address of a record's data.
    pub(super) fn data_addr(&mut self, addr: std::net::IpAddr, fields: &[Field<'_>]) {
        let (kind, at) = (kind::of_addr(addr), Where("dns.resolved_ip"));
        (self.seen)(Observable { kind, value: Value::Addr(addr), at, with: fields });
    }

    /// Shows a name; the root is none.
    #[inline(always)]
    fn show_name(&mut self, at: &'static str, name: &Name<'_>, fields: &[Field<'_>]) {
        if !name.is_root() {
            let value = Value::Name(&name.encoded());
            (self.seen)(Observable { kind: &DOMAIN, value, at: Where(at), with: fields });
        }
    }
}

/// What goes with each observable of a message: most names are of no interest to anybody, and it is made when one is.
struct About<'w, 'm> {
    message: &'m [u8],
    question: Option<&'w Question<'m>>,
}

impl Fields for About<'_, '_> {
    fn each(&self, read: &mut dyn FnMut(&Field<'_>)) {
        let Some(header) = Header::read(self.message) else { return };
        let is_response = header.is_response();
        read(&Field::number("dns.id", header.id.into()));
        read(&Field::word("dns.type", if is_response { "answer" } else { "query" }));
        if let Some((name, kind)) = self.question {
            read(&Field::made("dns.question.name", &|| name.to_text()));
            read(&match record::type_name(*kind) {
                Some(word) => Field::word("dns.question.type", word),
                None => Field::number("dns.question.type", (*kind).into()),
            });
        }
        if is_response {
            let code = header.flags & RESPONSE_CODE;
            read(&match RESPONSE_CODES.get(usize::from(code)) {
                Some(word) => Field::word("dns.response_code", word),
                None => Field::number("dns.response_code", code.into()),
            });
        }
    }
}

/// The pointer to what stands at `at`, if there can be one.
fn pointer_to(at: usize) -> Option<u16> {
    u16::try_from(at).ok().filter(|at| at & POINTER == 0).map(|at| at | POINTER)
}

/// The two high bits of a name's first two bytes, if they are a pointer.
const POINTER: u16 = 0xc000;
const QUESTION: &str = "dns.question.name";
/// Type, class, time to live, length of the data.
const RECORD_BYTES: usize = 10;

/// Internet, Chaos, Hesiod, NONE, ANY (RFC 6895 section 3.2); the top bit is multicast DNS's.
fn is_class(class: u16) -> bool {
    matches!(class & 0x7fff, 1 | 3 | 4 | 254 | 255)
}

/// Whether the name at `at` begins with an encoded NetBIOS name: 32 letters A to P (RFC 1001 section 14.1).
fn is_netbios(message: &[u8], at: usize) -> bool {
    let label = message.get(at..).and_then(|b| b.split_first_chunk::<33>());
    label.is_some_and(|([size, letters @ ..], _)| *size == 32 && letters.iter().all(|b| matches!(b, b'A'..=b'P')))
}

const QUERY: u16 = 0;
const NOTIFY: u16 = 4;
const UPDATE: u16 = 5;

const RESPONSE: u16 = 0x8000;
const AUTHORITATIVE: u16 = 0x0400;
const TRUNCATED: u16 = 0x0200;
const RECURSION_AVAILABLE: u16 = 0x0080;
const RESERVED: u16 = 0x0040;
const RESPONSE_CODE: u16 = 0x000f;
/// The last response code in use (RFC 2136 section 2.2).
const NOT_ZONE: u16 = 10;

/// RFC 6895 section 2.3.
const RESPONSE_CODES: [&str; 11] = [
    "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH",
    "NOTZONE",
];
