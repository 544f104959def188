//! Sightings as a STIX 2.1 bundle: a sector's identity and one `sighting` for each indicator, no observed data. Ids are UUIDv5 of
//! what they name, so that equal input gives equal bytes.
//!
//! Source: OASIS STIX 2.1, sections 4.5 (identity), 5.2 (sighting), 10.2 (sector vocabulary).

use serde_json::{Value, json};
use uuid::Uuid;

/// One indicator's.
pub(super) struct Sighting<'a> {
    /// Its feed's id.
    pub(super) indicator: &'a str,
    pub(super) count: u64,
    pub(super) first_secs: i64,
    pub(super) last_secs: i64,
}

/// Names of Picket's STIX objects are below this: UUIDv5 of `picket.sightings` in the DNS namespace.
fn namespace() -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_DNS, b"picket.sightings")
}

/// TLP:AMBER, as STIX 2.1 defines it.
const TLP_AMBER: &str = "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82";

/// When the sector's identity was made: a fixed time, because the object never changes.
const IDENTITY_CREATED: &str = "2024-01-01T00:00:00.000Z";

/// The whole bundle. Its times are whole hours: minutes would point at one connection.
pub(super) fn of<'a>(sector: &str, sightings: impl Iterator<Item = Sighting<'a>>) -> Value {
    let identity = format!("identity--{}", name(&["identity", sector]));
    let mut objects = vec![json!({
        "type": "identity",
        "spec_version": "2.1",
        "id": identity,
        "created": IDENTITY_CREATED,
        "modified": IDENTITY_CREATED,
        "name": sector,
        "identity_class": "class",
        "sectors": [sector],
    })];
    objects.extend(sightings.map(|sighting| object(&identity, &sighting)));
    let ids: Vec<String> = objects.iter().map(Value::to_string).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    json!({ "type": "bundle", "id": format!("bundle--{}", name(&ids)), "objects": objects })
}

fn object(identity: &str, sighting: &Sighting<'_>) -> Value {
    let (first, last) = (hour(sighting.first_secs), hour(sighting.last_secs));
    let count = sighting.count.to_string();
    json!({
        "type": "sighting",
        "spec_version": "2.1",
        "id": format!("sighting--{}", name(&[identity, sighting.indicator, &first, &last, &count])),
        "created": last,
        "modified": last,
        "first_seen": first,
        "last_seen": last,
        "count": sighting.count,
        "sighting_of_ref": reference(sighting.indicator),
        "where_sighted_refs": [identity],
        "object_marking_refs": [TLP_AMBER],
    })
}

/// The feed's id if STIX can have it; else an id made from it, that the feed's author can make too.
fn reference(id: &str) -> String {
    let is_stix = id.strip_prefix("indicator--").is_some_and(|uuid| Uuid::try_parse(uuid).is_ok() && uuid.len() == 36);
    if is_stix { id.to_owned() } else { format!("indicator--{}", name(&["indicator", id])) }
}

/// UUIDv5 of the parts, each ended by a zero byte.
fn name(parts: &[&str]) -> Uuid {
    let bytes: Vec<u8> = parts.iter().flat_map(|part| part.bytes().chain([0])).collect();
    Uuid::new_v5(&namespace(), &bytes)
}

fn hour(secs: i64) -> String {
    let whole = jiff::Timestamp::from_second(secs.div_euclid(3600) * 3600).unwrap_or_default();
    format!("{whole:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const STIX_ID: &str = "indicator--6a2e9c1e-3f4b-4c5d-8e6f-0123456789ab";

    fn bundle() -> Value {
        let sighting =
            |indicator, count| Sighting { indicator, count, first_secs: 1_709_287_199, last_secs: 1_709_290_801 };
        of("energy", [sighting(STIX_ID, 5), sighting("name", 7)].into_iter())
    }

    #[test]
    fn a_sighting_names_indicator_count_hours_and_sector() {
        let bundle = bundle();
        let [identity, first, second] = bundle["objects"].as_array().expect("objects").as_slice() else {
            panic!("three")
        };
        assert_eq!((identity["type"].as_str(), identity["sectors"][0].as_str()), (Some("identity"), Some("energy")));
        assert_eq!(first["sighting_of_ref"], STIX_ID);
        assert_eq!(
            (first["first_seen"].as_str(), first["count"].as_u64()),
            (Some("2024-03-01T09:00:00.000Z"), Some(5))
        );
        assert_eq!(first["last_seen"], "2024-03-01T11:00:00.000Z");
        assert_eq!(first["where_sighted_refs"], json!([identity["id"]]));
        // Python: ns = uuid.uuid5(uuid.NAMESPACE_DNS, "picket.sightings"); uuid.uuid5(ns, "indicator\0name\0")
        assert_eq!(second["sighting_of_ref"], "indicator--7e2fa05b-5985-52a5-b871-bfc14fd2bd4b");
        assert!(first.get("observed_data_refs").is_none());
    }

    #[test]
    fn equal_input_gives_equal_ids_and_other_input_others() {
        assert_eq!(bundle(), bundle());
        let one = of("energy", std::iter::empty());
        let other = of("water", std::iter::empty());
        assert_ne!(one["id"], other["id"]);
        assert_ne!(one["objects"][0]["id"], other["objects"][0]["id"]);
    }
}
