//! [`Record`]: one view or notice in a format, as bytes without framing, with an id by which a receiver knows it again.
//!
//! The id of an alert is its `event.id`, of a customer record the keyed reference of its event, which says nothing without the key. It is the
//! same whenever the same packets are read, so what is delivered twice is stored once.

use sha2::{Digest, Sha256};

use super::Format;
use crate::alert::{Notice, OwnedValue, View};
use crate::time::Timestamp;

/// See the module.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// 32 hexadecimal digits.
    pub id: String,
    /// When it was, as the record says it.
    pub time: Timestamp,
    /// 0 to 100.
    pub severity: u8,
    /// What is to be sent: no line end in it, and none at its end.
    pub bytes: Vec<u8>,
}

crate::bytes::opaque_debug!(Record, "Record");

impl Format {
    /// A view as a record; `None` if its readers may not be told of it.
    pub fn record(&self, view: &View<'_>) -> Option<Record> {
        let id = id_of(view)?;
        let (time, severity) = match view {
            View::Full(full) => (full.frame().time, full.release.severity()),
            View::Partial(release, record) => (record.time, release.severity()),
            View::Customer(record) => (record.time, record.severity),
            View::Nothing => return None,
        };
        let mut bytes = Vec::new();
        (self.view)(view, &mut bytes);
        Some(Record { id, time, severity, bytes })
    }

    /// A notice as a record.
    pub fn notice(&self, notice: &Notice) -> Record {
        let mut bytes = Vec::new();
        (self.notice)(notice, &mut bytes);
        Record { id: notice_id(notice), time: notice.time, severity: notice.severity, bytes }
    }
}

/// What [`Record::id`] is of a view.
pub(super) fn id_of(view: &View<'_>) -> Option<String> {
    let record = match view {
        View::Full(full) => return Some(full.event_id()),
        View::Partial(_, record) | View::Customer(record) => record,
        View::Nothing => return None,
    };
    if let Some(references) = &record.references {
        return Some(references.event.clone());
    }
    // Without a key nothing may lead to the event: two records that say the same have one id.
    let host = record.internal.map(|host| format!("{} {:?}", host.ip, host.port)).unwrap_or_default();
    let time = record.time.to_string();
    let parts = [&time, &host, record.direction.word(), record.action];
    Some(digest(parts.iter().map(|part| part.as_bytes()).chain([&[record.severity][..]])))
}

/// `event.id` of a notice: of all that it says.
pub(super) fn notice_id(notice: &Notice) -> String {
    let mut parts = vec![notice.time.as_ns().to_string(), notice.action.to_owned(), notice.message.clone()];
    for (path, value) in &notice.fields {
        parts.push(path.0.to_owned());
        parts.push(match value {
            OwnedValue::Text(text) => text.clone(),
            OwnedValue::Number(number) => number.to_string(),
        });
    }
    digest(parts.iter().map(String::as_bytes))
}

/// 128 bits of the SHA-256 of the parts, each with a zero byte behind it.
pub(super) fn digest<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
        hash.update([0]);
    }
    let first = hash.finalize().iter().take(16).fold(0u128, |all, &byte| all << 8 | u128::from(byte));
    format!("{first:032x}")
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Reader, Scene, notice};
    use super::super::{FORMATS, ecs};
    use super::*;

    #[test]
    fn ids_are_the_same_in_every_format_and_run() {
        let (scene, again) = (Scene::hostile(), Scene::hostile());
        for reader in [Reader::All, Reader::Partial, Reader::Customer] {
            let id = |scene: &Scene, format: &Format| scene.record(format, reader).expect("a record").id;
            let ids: Vec<String> = FORMATS.iter().map(|format| id(&scene, format)).collect();
            assert!(ids.iter().all(|one| one.len() == 32 && *one == ids[0]), "{ids:?}");
            assert_eq!(id(&again, &ecs::FORMAT), ids[0]);
        }
        let customer = scene.record(&ecs::FORMAT, Reader::Customer).expect("a record");
        assert_ne!(customer.id, scene.record(&ecs::FORMAT, Reader::All).expect("a record").id, "it is keyed");
        let document: serde_json::Value = serde_json::from_slice(&customer.bytes).expect("JSON");
        assert_eq!(document["event"]["id"], customer.id.as_str());
    }

    #[test]
    fn a_notice_has_the_id_of_all_that_it_says() {
        let (one, mut other) = (notice(), notice());
        assert_eq!(ecs::FORMAT.notice(&one).id, ecs::FORMAT.notice(&other).id);
        other.fields[0].1 = OwnedValue::Number(8);
        assert_ne!(ecs::FORMAT.notice(&one).id, ecs::FORMAT.notice(&other).id);
    }
}
