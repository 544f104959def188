//! The data of one record, by type: which names and addresses it holds.

use std::net::IpAddr;
use std::ops::Range;

use super::message::Walk;
use crate::bytes::Reader;
use crate::indicator::Field;

/// Shows what the record's data, bytes `data` of the message, names. Types that name nothing are stepped over.
pub(super) fn show(
    walk: &mut Walk<'_, '_>,
    kind: u16,
    class: u16,
    data: Range<usize>,
    fields: &[Field<'_>],
) -> Result<(), &'static str> {
    let rdata = walk.bytes.get(data.clone()).unwrap_or_default();
    // A dynamic update asks or deletes with empty data (RFC 2136 section 2.4).
    if rdata.is_empty() {
        return Ok(());
    }
    let name_at = match kind {
        A if is_internet(class) => return addresses::<4>(walk, rdata, fields),
        AAAA if is_internet(class) => return addresses::<16>(walk, rdata, fields),
        SVCB | HTTPS => return service(walk, rdata, data, fields),
        NS | CNAME | SOA | PTR | DNAME => 0,
        MX | AFSDB | RT | KX => 2,
        SRV => 6,
        NAPTR => naptr_replacement(rdata).ok_or(DAMAGED)?,
        _ => return Ok(()),
    };
    let end = walk.data_name(data.start + name_at, data.end, fields).ok_or(DAMAGED)?;
    let fits = if kind == SOA { end < data.end } else { end == data.end };
    if fits { Ok(()) } else { Err(DAMAGED) }
}

/// SVCB and HTTPS (RFC 9460 section 2.2): a priority, the target's name (the root stands for the owner), parameters.
fn service(
    walk: &mut Walk<'_, '_>,
    rdata: &[u8],
    data: Range<usize>,
    fields: &[Field<'_>],
) -> Result<(), &'static str> {
    let end = walk.data_name(data.start + 2, data.end, fields).ok_or(DAMAGED)?;
    let read = end.checked_sub(data.start).ok_or(DAMAGED)?;
    let mut parameters = Reader::new(rdata.get(read..).ok_or(DAMAGED)?);
    while !parameters.is_empty() {
        let key = parameters.u16().ok_or(DAMAGED)?;
        let length = parameters.u16().ok_or(DAMAGED)?;
        let value = parameters.take(length.into()).ok_or(DAMAGED)?;
        match key {
            IPV4_HINT => addresses::<4>(walk, value, fields)?,
            IPV6_HINT => addresses::<16>(walk, value, fields)?,
            _ => {}
        }
    }
    Ok(())
}

/// One address or several of `N` bytes.
fn addresses<const N: usize>(walk: &mut Walk<'_, '_>, list: &[u8], fields: &[Field<'_>]) -> Result<(), &'static str>
where
    IpAddr: From<[u8; N]>,
{
    let (all, rest) = list.as_chunks::<N>();
    for octets in all {
        walk.data_addr(IpAddr::from(*octets), fields);
    }
    if rest.is_empty() { Ok(()) } else { Err(DAMAGED) }
}

/// Where a NAPTR's replacement stands: behind order, preference and three strings (RFC 3403 section 4.1).
fn naptr_replacement(rdata: &[u8]) -> Option<usize> {
    let mut r = Reader::new(rdata);
    r.skip(4)?;
    for _ in 0..3 {
        let length = r.u8()?;
        r.skip(length.into())?;
    }
    Some(r.position())
}

/// The Internet class, or NONE, with which an update deletes one record; the top bit is multicast DNS's.
fn is_internet(class: u16) -> bool {
    matches!(class & 0x7fff, 1 | 254)
}

/// `dns.question.type`: the mnemonics of the IANA registry, for the types that are asked for.
pub(super) fn type_name(kind: u16) -> Option<&'static str> {
    Some(match kind {
        A => "A",
        NS => "NS",
        CNAME => "CNAME",
        SOA => "SOA",
        10 => "NULL",
        PTR => "PTR",
        13 => "HINFO",
        MX => "MX",
        16 => "TXT",
        17 => "RP",
        AFSDB => "AFSDB",
        RT => "RT",
        AAAA => "AAAA",
        29 => "LOC",
        SRV => "SRV",
        NAPTR => "NAPTR",
        KX => "KX",
        37 => "CERT",
        38 => "A6",
        DNAME => "DNAME",
        OPT => "OPT",
        43 => "DS",
        44 => "SSHFP",
        46 => "RRSIG",
        47 => "NSEC",
        48 => "DNSKEY",
        50 => "NSEC3",
        52 => "TLSA",
        61 => "OPENPGPKEY",
        SVCB => "SVCB",
        HTTPS => "HTTPS",
        99 => "SPF",
        249 => "TKEY",
        250 => "TSIG",
        251 => "IXFR",
        252 => "AXFR",
        255 => "ANY",
        256 => "URI",
        257 => "CAA",
        _ => return None,
    })
}

/// EDNS (RFC 6891): its class is a size.
pub(super) const OPT: u16 = 41;

const DAMAGED: &str = "malformed data of a DNS record";

const A: u16 = 1;
const NS: u16 = 2;
const CNAME: u16 = 5;
const SOA: u16 = 6;
const PTR: u16 = 12;
const MX: u16 = 15;
const AFSDB: u16 = 18;
const RT: u16 = 21;
const AAAA: u16 = 28;
const SRV: u16 = 33;
const NAPTR: u16 = 35;
const KX: u16 = 36;
const DNAME: u16 = 39;
const SVCB: u16 = 64;
const HTTPS: u16 = 65;

const IPV4_HINT: u16 = 4;
const IPV6_HINT: u16 = 6;
