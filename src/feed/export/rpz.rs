//! Response policy zone (RPZ) for BIND, Unbound, Knot Resolver, PowerDNS: names and addresses that are answered otherwise.
//!
//! One bad record keeps the whole zone from loading, so each is checked here: owners are relative (without a trailing dot)
//! and fit into 253 bytes with the origin; each owner has one record, a CNAME; networks have no host bits. A name and what
//! is below it are two records.

use std::collections::HashSet;
use std::io::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Export, Target, name_of};
use crate::feed::write::Written;
use crate::indicator::kind::domain::MAX_NAME_BYTES;
use crate::indicator::{Index, Indicator};

pub(super) const TARGET: Target = Target { name: "rpz", write };

fn write(export: &Export<'_>, out: &mut dyn Write) -> io::Result<Written> {
    let mut written = Written::default();
    head(export, out)?;
    let mut owners = HashSet::new();
    let answer = export.sinkhole.map_or(".".to_owned(), |host| format!("{}.", host.trim_end_matches('.')));
    for selected in &export.selected {
        match owners_of(&selected.indicator, export.origin) {
            Err(why) => written.leave_out(why),
            Ok(all) => {
                for owner in all {
                    if owners.contains(&owner) {
                        continue;
                    }
                    // An address is never resolved: the answer that holds it can only be denied.
                    let answer = if owner.ends_with(".rpz-ip") { "." } else { &answer };
                    writeln!(out, "{owner} CNAME {answer} ; {}", selected.reference)?;
                    owners.insert(owner);
                }
                written.written += 1;
            }
        }
    }
    Ok(written)
}

fn head(export: &Export<'_>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "; Response policy zone by picket. Handle as the strictest of its entries, and allow no transfers.\n\
         ; BIND by default asks the listed name's own servers before it rewrites the answer, which its owner can notice:\n\
         ;   response-policy {{ zone \"{}\"; }} qname-wait-recurse no;\n\
         $TTL 60\n\
         @ IN SOA localhost. hostmaster.localhost. ( {} 3600 600 86400 60 )\n\
         @ IN NS localhost.",
        export.origin.trim_end_matches('.'),
        export.at.secs() as u32,
    )
}

fn owners_of(indicator: &Indicator<'_>, origin: &str) -> Result<Vec<String>, &'static str> {
    if indicator.kind.index == Index::Prefix {
        return Ok(vec![address_owner(indicator)?]);
    }
    let (name, below) = name_of(indicator)?;
    if name.rsplit('.').next().is_some_and(|last| last.starts_with("rpz-")) {
        return Err("a name that would be a trigger of another kind");
    }
    let mut owners = vec![name.to_owned()];
    if below {
        owners.push(format!("*.{name}"));
    }
    let room = MAX_NAME_BYTES.saturating_sub(origin.trim_end_matches('.').len() + 1);
    if owners.iter().any(|owner| owner.len() > room) {
        return Err("a name too long with the zone's origin");
    }
    Ok(owners)
}

/// `24.0.100.51.198.rpz-ip`; of IPv6 the words in reverse, the longest run of zeros as `zz`.
fn address_owner(indicator: &Indicator<'_>) -> Result<String, &'static str> {
    if indicator.port.is_some() || indicator.transport.is_some() {
        return Err("an address with a port or transport");
    }
    let (octets, bits) = match indicator.value {
        [octets @ .., bits] if matches!(octets.len(), 4 | 16) => (octets, *bits),
        octets => (octets, (octets.len() * 8) as u8),
    };
    if let Ok(octets) = <[u8; 4]>::try_from(octets) {
        let [a, b, c, d] = Ipv4Addr::from(octets).octets();
        return Ok(format!("{bits}.{d}.{c}.{b}.{a}.rpz-ip"));
    }
    let octets = <[u8; 16]>::try_from(octets).map_err(|_| "not an address")?;
    let mut words: Vec<String> = Ipv6Addr::from(octets).segments().iter().map(|word| format!("{word:x}")).collect();
    let (start, length) = longest_zeros(&words);
    if length > 1 {
        words.splice(start..start + length, ["zz".to_owned()]);
    }
    words.reverse();
    Ok(format!("{bits}.{}.rpz-ip", words.join(".")))
}

/// Start and length of the first longest run of zeros.
fn longest_zeros(words: &[String]) -> (usize, usize) {
    let run = |start: usize| words[start..].iter().take_while(|word| *word == "0").count();
    let runs = (0..words.len()).map(|start| (start, run(start)));
    runs.fold((0, 0), |best, (start, length)| if length > best.1 { (start, length) } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_are_shortened_once() {
        let words = |text: &str| text.split(':').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(longest_zeros(&words("2001:db8:0:0:1:0:0:0")), (5, 3));
        assert_eq!(longest_zeros(&words("1:0:2:0:3:0:4:0")), (1, 1));
        assert_eq!(longest_zeros(&words("1:2:3:4:5:6:7:8")), (0, 0));
    }
}
