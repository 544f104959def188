//! Unbound local zones, for `include:` in its `server:` clause. A name with what is below it does not exist
//! (`always_nxdomain`); a name alone has no data but its reference, and what is below it is resolved as ever (`transparent`).

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::{Export, Target, name_of};
use crate::feed::write::Written;

pub(super) const TARGET: Target = Target { name: "unbound", write };

fn write(export: &Export<'_>, out: &mut dyn Write) -> io::Result<Written> {
    let mut written = Written::default();
    // A zone may be there once; the wider one stands for both.
    let mut zones = BTreeMap::<&str, (bool, &str)>::new();
    for selected in &export.selected {
        match name_of(&selected.indicator) {
            Err(why) => written.leave_out(why),
            Ok((name, below)) => {
                let zone = zones.entry(name).or_insert((below, &selected.reference));
                zone.0 |= below;
                written.written += 1;
            }
        }
    }
    writeln!(out, "# Local zones by picket. Handle as the strictest of its entries.\nserver:")?;
    for (name, (below, reference)) in zones {
        if below {
            writeln!(out, "    local-zone: \"{name}.\" always_nxdomain # {reference}")?;
        } else {
            writeln!(out, "    local-zone: \"{name}.\" transparent")?;
            writeln!(out, "    local-data: \"{name}. 60 IN TXT {reference}\"")?;
        }
    }
    Ok(written)
}
