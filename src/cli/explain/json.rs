//! An explanation as one JSON document, for other programs.

use serde_json::{Value, json};

use super::{Judge, ends, how_it_covers, in_its_stream, reading_word, shown};
use crate::pipeline::{Explanation, FlowFacts, Noted};

/// `capture` is the one that the frame is in.
pub(super) fn document(told: &Explanation, capture: &str, judge: &mut Judge<'_>) -> Value {
    let (frame, packet) = (&told.frame, &told.packet);
    let layers: Vec<Value> =
        told.layers.iter().map(|(name, offset)| json!({ "name": name, "offset": offset })).collect();
    let mut list = |seen: &[Noted]| seen.iter().map(|noted| observable(noted, judge)).collect::<Vec<_>>();
    json!({
        "capture": capture,
        "frame": frame.number,
        "@timestamp": frame.time.to_string(),
        "wire_bytes": frame.wire_bytes,
        "captured_bytes": frame.captured_bytes,
        "layers": layers,
        "stopped": packet.stopped.map(|stopped| json!({ "offset": stopped.offset, "reason": stopped.to_string() })),
        "payload_bytes": packet.payload_bytes,
        "payload_missing_bytes": packet.payload_missing_bytes,
        "flow": told.flow.as_ref().map(flow),
        "stream": in_its_stream(&told.streams).collect::<Vec<_>>(),
        "not_read": told.unread.iter().map(|why| why.code()).collect::<Vec<_>>(),
        "verdict": told.verdict.map(|verdict| verdict.code()),
        "seen": list(&told.seen),
        "seen_later": list(&told.seen_later),
        "left_out": told.left_out,
        "alerts": told.alerts,
    })
}

fn flow(flow: &FlowFacts) -> Value {
    let identity = &flow.identity;
    let ((a, from), (b, to)) = (identity.originator(), identity.responder());
    let [source, destination] = ends(identity.ends(), [a, b]);
    json!({
        "source": { "address": source, "port": from },
        "destination": { "address": destination, "port": to },
        "network.iana_number": identity.protocol(),
        "network.protocol": flow.protocol,
        "direction": if flow.direction == crate::flow::Direction::ToResponder { "to_responder" } else { "to_originator" },
        "is_new": flow.is_new,
        "lifecycle": format!("{:?}", flow.lifecycle).to_lowercase(),
        "reading": reading_word(flow.reading),
        "has_hole": flow.has_hole,
    })
}

fn observable(noted: &Noted, judge: &mut Judge<'_>) -> Value {
    let matches: Vec<Value> = noted
        .hits
        .iter()
        .map(
            |&(ix, how, suppressed)| json!({ "id": judge.id(ix), "how": how_it_covers(how), "suppressed": suppressed }),
        )
        .collect();
    json!({
        "field": noted.field.0,
        "kind": noted.kind.name,
        "value": shown(noted),
        "frame": noted.frame.number,
        "matches": matches,
        "why": judge.why(noted),
    })
}
