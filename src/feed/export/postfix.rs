//! Postfix maps: `access(5)` for names and mail addresses (`postfix`, to be compiled by `postmap`), `cidr_table(5)` for
//! addresses and networks (`postfix-cidr`). The reply that a sender gets has a reference and nothing else.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::{Export, Selected, Target, name_of};
use crate::feed::write::Written;
use crate::indicator::Index;
use crate::indicator::kind::{EMAIL_ADDR, email};

pub(super) const TARGET: Target = Target { name: "postfix", write };
pub(super) const NETWORKS: Target = Target { name: "postfix-cidr", write: write_networks };

fn write(export: &Export<'_>, out: &mut dyn Write) -> io::Result<Written> {
    let head = "# Access map by picket: check_client_access, check_helo_access, check_sender_access .. hash:FILE after postmap.\n\
                # By default (parent_domain_matches_subdomains) a name without a leading dot is matched below itself too.";
    map(export, out, head, |selected| {
        let indicator = &selected.indicator;
        if *indicator.kind == EMAIL_ADDR {
            return address(indicator.value)
                .map(|address| vec![address])
                .ok_or("a mail address with unusual characters");
        }
        let (name, below) = name_of(indicator)?;
        Ok(if below { vec![name.to_owned(), format!(".{name}")] } else { vec![name.to_owned()] })
    })
}

fn write_networks(export: &Export<'_>, out: &mut dyn Write) -> io::Result<Written> {
    map(export, out, "# Client addresses by picket: check_client_access cidr:FILE", |selected| {
        let indicator = &selected.indicator;
        if indicator.kind.index != Index::Prefix {
            return Err("not an address");
        }
        if indicator.port.is_some() || indicator.transport.is_some() {
            return Err("an address with a port or transport");
        }
        Ok(vec![(indicator.kind.display)(indicator.value).into_owned()])
    })
}

/// Each key once: `postmap` warns of others and keeps any.
fn map(
    export: &Export<'_>,
    out: &mut dyn Write,
    head: &str,
    keys: impl Fn(&Selected<'_>) -> Result<Vec<String>, &'static str>,
) -> io::Result<Written> {
    let mut written = Written::default();
    let mut rows = BTreeMap::<String, &str>::new();
    for selected in &export.selected {
        match keys(selected) {
            Err(why) => written.leave_out(why),
            Ok(keys) => {
                for key in keys {
                    rows.entry(key).or_insert(&selected.reference);
                }
                written.written += 1;
            }
        }
    }
    writeln!(out, "{head}\n# Handle as the strictest of its entries.")?;
    for (key, reference) in rows {
        writeln!(out, "{key} REJECT {reference}")?;
    }
    Ok(written)
}

/// As it is, if nothing in it means something to `postmap`.
fn address(value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value).ok()?;
    let (local, _) = email::split(value)?;
    (email::is_dot_atom(local) && text.is_ascii() && !text.starts_with('#')).then(|| text.to_owned())
}
