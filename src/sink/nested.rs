//! [`Nested`]: fields by dotted path, written as nested JSON objects with sorted keys.
//!
//! An alert has some fifty fields: they are kept in one list and sorted once, where a tree of maps would allocate for every
//! step of every path. It knows no schema.

use std::collections::BTreeMap;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

/// See the module.
#[derive(Default)]
pub(super) struct Nested(Vec<(&'static str, Leaf)>);

enum Leaf {
    One(Value),
    List(Vec<Nested>),
    Object(Nested),
}

impl Nested {
    /// Sets a dotted path; of two values for one path the later stands. A path below another's value is left out: the schema has
    /// none.
    pub(super) fn set(&mut self, path: &'static str, value: Value) {
        self.0.push((path, Leaf::One(value)));
    }

    /// Sets a dotted path to a list of objects.
    pub(super) fn set_list(&mut self, path: &'static str, list: Vec<Nested>) {
        self.0.push((path, Leaf::List(list)));
    }

    /// Sets a dotted path to an object of its own.
    pub(super) fn set_object(&mut self, path: &'static str, object: Nested) {
        self.0.push((path, Leaf::Object(object)));
    }

    /// Every value with its path, sorted; of two for one path the later. Without lists and objects.
    pub(super) fn values(&self) -> BTreeMap<&'static str, &Value> {
        let mut values = BTreeMap::new();
        for (path, leaf) in &self.0 {
            if let Leaf::One(value) = leaf {
                values.insert(*path, value);
            }
        }
        values
    }

    /// Appends it as JSON.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        // What is written is made of texts and numbers, and memory takes all of it.
        let _ = serde_json::to_writer(out, self);
    }
}

impl Serialize for Nested {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields: Vec<&(&'static str, Leaf)> = self.0.iter().collect();
        fields.sort_by(|(a, _), (b, _)| a.split('.').cmp(b.split('.')));
        Level { fields: &fields, depth_bytes: 0 }.serialize(serializer)
    }
}

/// Fields whose paths begin alike.
struct Level<'a> {
    fields: &'a [&'a (&'static str, Leaf)],
    /// Bytes of that beginning.
    depth_bytes: usize,
}

impl Level<'_> {
    fn head(&self, path: &'static str) -> &'static str {
        let rest = &path[self.depth_bytes..];
        rest.split('.').next().unwrap_or(rest)
    }
}

impl Serialize for Level<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for group in self.fields.chunk_by(|(a, _), (b, _)| self.head(a) == self.head(b)) {
            let head = self.head(group[0].0);
            let end = self.depth_bytes + head.len();
            // Sorted, so those that end here are in front, in the order they were set.
            let own = group.iter().take_while(|(path, _)| path.len() == end).last();
            match own {
                Some((_, Leaf::One(value))) => map.serialize_entry(head, value)?,
                Some((_, Leaf::List(list))) => map.serialize_entry(head, list)?,
                Some((_, Leaf::Object(object))) => map.serialize_entry(head, object)?,
                None => map.serialize_entry(head, &Level { fields: group, depth_bytes: end + 1 })?,
            }
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_nest_and_share_their_heads() {
        let mut root = Nested::default();
        for (path, value) in [
            ("b.z", json!(9)),
            ("a.b.c", json!(0)),
            ("a.b.d", json!("x")),
            ("@timestamp", json!("t")),
            ("a.b.c.e", json!("lost: c is no object")),
            ("a.b.c", json!(1)),
            ("a-b", json!(2)),
            ("a.bc", json!(3)),
        ] {
            root.set(path, value);
        }
        let mut below = Nested::default();
        below.set("x.y", json!(true));
        root.set_list("b.a", vec![below]);
        let expected =
            r#"{"@timestamp":"t","a":{"b":{"c":1,"d":"x"},"bc":3},"a-b":2,"b":{"a":[{"x":{"y":true}}],"z":9}}"#;
        assert_eq!(serde_json::to_string(&root).expect("writes"), expected);
    }
}
