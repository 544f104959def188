//! Addresses and ports of a rule's header: lists, negation, ranges, variables.
//!
//! What a variable stands for a feed may say itself (`# picket: HOME_NET=[192.0.2.0/24]`); otherwise it is what Suricata's own
//! configuration file has for it.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::indicator::Refusal;
use crate::indicator::rule::{Networks, Ports, mapped, mask};

/// Variables by name.
pub(super) struct Variables(HashMap<Box<str>, Box<str>>);

impl Default for Variables {
    fn default() -> Self {
        Self(DEFAULTS.iter().map(|(name, value)| (Box::from(*name), Box::from(*value))).collect())
    }
}

impl Variables {
    /// Sets one, if it reads as addresses or ports.
    ///
    /// # Errors
    /// Too many variables, or a value that is neither.
    pub(super) fn set(&mut self, name: &str, value: &str) -> Result<(), Refusal> {
        let is_ports = name.ends_with("PORTS");
        let read = if is_ports { self.ports(value).map(|_| ()) } else { self.networks(value).map(|_| ()) };
        read?;
        if self.0.len() >= MAX_VARIABLES {
            return Err(Refusal::Full);
        }
        self.0.insert(name.into(), value.into());
        Ok(())
    }

    /// Reads addresses.
    ///
    /// # Errors
    /// [`Refusal::BadAddress`], or [`Refusal::Unsupported`] for a variable that nobody set.
    pub(super) fn networks(&self, text: &str) -> Result<Networks, Refusal> {
        let (mut of, mut but) = (Vec::new(), Vec::new());
        self.walk(text, false, 0, &mut |word, negated| {
            let side = if negated { &mut but } else { &mut of };
            if word != "any" {
                push(side, network(word)?)
            } else if negated {
                Err(Refusal::BadAddress)
            } else {
                push(side, (0, 0))
            }
        })?;
        Ok(Networks { of: of.into(), but: but.into() })
    }

    /// Reads ports.
    ///
    /// # Errors
    /// [`Refusal::BadField`], or [`Refusal::Unsupported`] for a variable that nobody set.
    pub(super) fn ports(&self, text: &str) -> Result<Ports, Refusal> {
        let (mut of, mut but) = (Vec::new(), Vec::new());
        self.walk(text, false, 0, &mut |word, negated| {
            let side = if negated { &mut but } else { &mut of };
            push(side, if word == "any" { (0, u16::MAX) } else { port_range(word)? })
        })?;
        Ok(Ports { of: of.into(), but: but.into() })
    }

    /// Calls `each` with every word of a list, and whether it is left out.
    fn walk(
        &self,
        text: &str,
        negated: bool,
        depth: u32,
        each: &mut dyn FnMut(&str, bool) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        if depth > MAX_DEPTH {
            return Err(Refusal::BadField);
        }
        let text = text.trim();
        let (text, turned) = text.strip_prefix('!').map_or((text, false), |rest| (rest.trim_start(), true));
        // What is left out of what is left out would have to be put back in, but only there.
        if negated && (turned || text.contains('!')) {
            return Err(Refusal::Unsupported("a negation within a negation in a rule's header"));
        }
        let negated = negated || turned;
        if let Some(list) = text.strip_prefix('[') {
            let list = list.strip_suffix(']').ok_or(Refusal::BadField)?;
            return split(list).try_for_each(|item| self.walk(item?, negated, depth + 1, each));
        }
        if let Some(name) = text.strip_prefix('$') {
            let value = self.0.get(name).ok_or(Refusal::Unsupported("a variable that nobody set"))?;
            // A group beside what it leaves out is not the sum of both: only a whole header may be one.
            if depth > 0 && !negated && value.contains('!') {
                return Err(Refusal::Unsupported("a variable with a negation within a list"));
            }
            return self.walk(value, negated, depth + 1, each);
        }
        if text.is_empty() {
            return Err(Refusal::BadField);
        }
        each(text, negated)
    }
}

fn push<T>(list: &mut Vec<T>, item: T) -> Result<(), Refusal> {
    if list.len() >= MAX_ITEMS {
        return Err(Refusal::TooLong);
    }
    list.push(item);
    Ok(())
}

/// What lies between the commas of the outermost list.
fn split(list: &str) -> impl Iterator<Item = Result<&str, Refusal>> {
    let mut rest = Some(list);
    std::iter::from_fn(move || {
        let text = rest?;
        let mut depth = 0_i32;
        for (at, byte) in text.bytes().enumerate() {
            match byte {
                b'[' => depth += 1,
                b']' => depth -= 1,
                b',' if depth == 0 => {
                    rest = text.get(at + 1..);
                    return Some(Ok(&text[..at]));
                }
                _ => {}
            }
        }
        rest = None;
        Some(if depth == 0 { Ok(text) } else { Err(Refusal::BadField) })
    })
}

fn network(word: &str) -> Result<(u128, u8), Refusal> {
    let (address, length) = match word.split_once('/') {
        Some((address, length)) => (address, Some(length.parse::<u8>().map_err(|_| Refusal::BadAddress)?)),
        None => (word, None),
    };
    let address: IpAddr = address.trim().parse().map_err(|_| Refusal::BadAddress)?;
    let own = if address.is_ipv4() { 32 } else { 128 };
    let length = length.unwrap_or(own);
    if length > own {
        return Err(Refusal::BadAddress);
    }
    // A network of IPv4 lies below the 96 bits of mapped addresses, even the widest.
    let length = length + (128 - own);
    Ok((mapped(address) & mask(length), length))
}

fn port_range(word: &str) -> Result<(u16, u16), Refusal> {
    let number = |text: &str, missing: u16| match text.trim() {
        "" => Ok(missing),
        text => text.parse::<u16>().map_err(|_| Refusal::BadField),
    };
    let (low, high) = match word.split_once(':') {
        Some((low, high)) => (number(low, 0)?, number(high, u16::MAX)?),
        None => {
            let port = word.trim().parse().map_err(|_| Refusal::BadField)?;
            (port, port)
        }
    };
    if low <= high { Ok((low, high)) } else { Err(Refusal::BadField) }
}

/// Suricata's `suricata.yaml`.
const DEFAULTS: &[(&str, &str)] = &[
    ("HOME_NET", "[192.168.0.0/16,10.0.0.0/8,172.16.0.0/12]"),
    ("EXTERNAL_NET", "!$HOME_NET"),
    ("HTTP_SERVERS", "$HOME_NET"),
    ("SMTP_SERVERS", "$HOME_NET"),
    ("SQL_SERVERS", "$HOME_NET"),
    ("DNS_SERVERS", "$HOME_NET"),
    ("TELNET_SERVERS", "$HOME_NET"),
    ("AIM_SERVERS", "$EXTERNAL_NET"),
    ("DC_SERVERS", "$HOME_NET"),
    ("DNP3_SERVER", "$HOME_NET"),
    ("DNP3_CLIENT", "$HOME_NET"),
    ("MODBUS_CLIENT", "$HOME_NET"),
    ("MODBUS_SERVER", "$HOME_NET"),
    ("ENIP_CLIENT", "$HOME_NET"),
    ("ENIP_SERVER", "$HOME_NET"),
    ("HTTP_PORTS", "80"),
    ("SHELLCODE_PORTS", "!80"),
    ("ORACLE_PORTS", "1521"),
    ("SSH_PORTS", "22"),
    ("DNP3_PORTS", "20000"),
    ("MODBUS_PORTS", "502"),
    ("FILE_DATA_PORTS", "[$HTTP_PORTS,110,143]"),
    ("FTP_PORTS", "21"),
    ("GENEVE_PORTS", "6081"),
    ("VXLAN_PORTS", "4789"),
    ("TEREDO_PORTS", "3544"),
    ("SIP_PORTS", "[5060,5061]"),
];

/// Variables of a feed.
const MAX_VARIABLES: usize = 256;
/// Lists in lists, and variables in variables.
const MAX_DEPTH: u32 = 16;
/// Addresses or ports of one side: each is compared for every hit.
const MAX_ITEMS: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(text: &str, ip: &str) -> bool {
        Variables::default().networks(text).expect("reads").hold(ip.parse().expect("an address"))
    }

    #[test]
    fn addresses() {
        for (text, inside, outside) in [
            ("192.0.2.0/24", "192.0.2.7", "192.0.3.7"),
            ("[192.0.2.1, 2001:db8::/32]", "2001:db8::1", "2001:db9::1"),
            ("[192.0.2.0/24,!192.0.2.7]", "192.0.2.8", "192.0.2.7"),
            ("!192.0.2.0/24", "192.0.3.1", "192.0.2.1"),
            ("!2001:db8::/32", "192.0.2.1", "2001:db8::1"),
            ("$HOME_NET", "10.1.2.3", "192.0.2.1"),
            ("$EXTERNAL_NET", "192.0.2.1", "172.31.0.1"),
            ("![$HOME_NET,192.0.2.1]", "192.0.2.2", "10.0.0.1"),
            ("0.0.0.0/0", "192.0.2.2", "2001:db8::1"),
        ] {
            assert!(holds(text, inside) && !holds(text, outside), "{text}");
        }
        assert!(Variables::default().networks("any").expect("reads").hold("::1".parse().expect("an address")));
        for bad in [
            "",
            "[",
            "[]",
            "300.1.1.1",
            "1.1.1.1/33",
            "evil.example",
            "!any",
            "$NOBODY",
            "![1.1.1.1,!2.2.2.2]",
            "[1.1.1.1,$EXTERNAL_NET]",
        ] {
            assert!(Variables::default().networks(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ports_and_variables() {
        let ports = |text| Variables::default().ports(text);
        let inside = |text, port| ports(text).expect("reads").hold(port);
        assert!(
            inside("[80,8000:8080,!8008]", 8080) && !inside("[80,8000:8080,!8008]", 8008) && inside("1024:", 65535)
        );
        assert!(inside("$HTTP_PORTS", 80) && !inside("!$HTTP_PORTS", 80) && inside("any", 0) && inside(":10", 0));
        assert!(ports("90:80").is_err() && ports("65536").is_err() && ports("http").is_err());
        let mut variables = Variables::default();
        variables.set("HOME_NET", "[203.0.113.0/24]").expect("reads");
        assert!(variables.networks("$EXTERNAL_NET").expect("reads").hold("10.0.0.1".parse().expect("an address")));
        assert!(variables.set("HOME_NET", "$NOBODY").is_err() && variables.set("X_PORTS", "x").is_err());
        variables.set("A", "$HOME_NET").expect("reads");
        variables.0.insert("B".into(), "[$B]".into());
        assert!(variables.networks("$B").is_err(), "a loop ends");
    }
}
