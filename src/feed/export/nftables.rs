//! An nftables file for `nft -f`: a table of its own with sets and drop rules, replaced as a whole in one transaction.

use std::collections::BTreeSet;
use std::io::{self, Write};

use super::{Export, Selected, Target};
use crate::feed::write::Written;
use crate::indicator::kind::IPV4;
use crate::indicator::{Index, Transport};

pub(super) const TARGET: Target = Target { name: "nftables", write };

/// What goes into which set.
#[derive(Default)]
struct Sets {
    /// IPv4, IPv6.
    addresses: [BTreeSet<String>; 2],
    endpoints: [BTreeSet<String>; 2],
}

fn write(export: &Export<'_>, out: &mut dyn Write) -> io::Result<Written> {
    let mut written = Written::default();
    let mut sets = Sets::default();
    for selected in &export.selected {
        match sets.add(selected) {
            Ok(()) => written.written += 1,
            Err(why) => written.leave_out(why),
        }
    }
    // The first line makes sure that there is a table to delete.
    writeln!(
        out,
        "# Sets by picket. Handle as the strictest of its entries: who may list rules sees all of them.\n\
         table inet picket\ndelete table inet picket\ntable inet picket {{"
    )?;
    for (at, family) in ["4", "6"].into_iter().enumerate() {
        set(out, &format!("addresses{family}"), &format!("ipv{family}_addr"), true, &sets.addresses[at])?;
        let kind = format!("ipv{family}_addr . inet_proto . inet_service");
        set(out, &format!("endpoints{family}"), &kind, false, &sets.endpoints[at])?;
    }
    writeln!(out, "    chain blocked {{")?;
    for (ip, family) in [("ip", "4"), ("ip6", "6")] {
        writeln!(
            out,
            "        {ip} saddr @addresses{family} counter drop\n        {ip} daddr @addresses{family} counter drop\n        \
             {ip} saddr . meta l4proto . th sport @endpoints{family} counter drop\n        \
             {ip} daddr . meta l4proto . th dport @endpoints{family} counter drop"
        )?;
    }
    writeln!(out, "    }}")?;
    for hook in ["input", "forward", "output"] {
        writeln!(
            out,
            "    chain {hook} {{\n        type filter hook {hook} priority filter; policy accept;\n        jump blocked\n    }}"
        )?;
    }
    writeln!(out, "}}")?;
    Ok(written)
}

impl Sets {
    fn add(&mut self, selected: &Selected<'_>) -> Result<(), &'static str> {
        let indicator = &selected.indicator;
        if indicator.kind.index != Index::Prefix {
            return Err("not an address");
        }
        let family = usize::from(*indicator.kind != IPV4);
        let address = (indicator.kind.display)(indicator.value).into_owned();
        match (indicator.port, indicator.transport) {
            (None, None) => {
                self.addresses[family].insert(address);
            }
            (None, Some(_)) => return Err("an address with a transport and no port"),
            (Some(_), _) if address.contains('/') => return Err("a network with a port"),
            (Some(port), transport) => {
                for (name, is) in [("tcp", Transport::Tcp), ("udp", Transport::Udp)] {
                    if transport.is_none_or(|only| only == is) {
                        self.endpoints[family].insert(format!("{address} . {name} . {port}"));
                    }
                }
            }
        }
        Ok(())
    }
}

/// An empty list of elements is a syntax error, so it is left out.
fn set(out: &mut dyn Write, name: &str, kind: &str, intervals: bool, elements: &BTreeSet<String>) -> io::Result<()> {
    writeln!(out, "    set {name} {{\n        type {kind}")?;
    if intervals {
        writeln!(out, "        flags interval\n        auto-merge")?;
    }
    if !elements.is_empty() {
        writeln!(out, "        elements = {{")?;
        for element in elements {
            writeln!(out, "            {element},")?;
        }
        writeln!(out, "        }}")?;
    }
    writeln!(out, "    }}")
}
