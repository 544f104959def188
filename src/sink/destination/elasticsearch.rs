//! Elasticsearch's and OpenSearch's `_bulk`, with `create` and the records' ids: what is there already is not written again, so everything may
//! be sent twice.
//!
//! Each record has a fate of its own: 409 is there already, 429 and 5xx may work later, every other 4xx never will. A request that is refused as
//! a whole for what is in it is cut in halves, down to the record that it is about.

use std::time::Duration;

use serde::Deserialize;

use super::http::{Authorization, Http, Meaning, Reach};
use super::{Deliver, Fate, OpenError, TlsOptions, Trouble, in_halves};
use crate::sink::{Format, Record};

/// A cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElasticsearchOptions {
    /// Its URL, with a path if it is behind one.
    pub url: String,
    /// The index or data stream.
    pub index: String,
    /// An ingest pipeline.
    pub pipeline: Option<String>,
    /// Who this sensor says it is.
    pub authorization: Authorization,
    /// Most records of a request.
    pub batch_records: usize,
    /// About the most bytes of a request.
    pub batch_bytes: usize,
    /// Whose certificates are believed.
    pub tls: TlsOptions,
    /// How long the cluster may take.
    pub timeout: Duration,
}

impl Default for ElasticsearchOptions {
    fn default() -> Self {
        Self {
            url: String::new(),
            index: "picket-alerts".to_owned(),
            pipeline: None,
            authorization: Authorization::default(),
            batch_records: 500,
            batch_bytes: 2 << 20,
            tls: TlsOptions::default(),
            timeout: Duration::from_secs(30),
        }
    }
}

/// See the module.
pub(super) struct Elasticsearch {
    options: ElasticsearchOptions,
    http: Http,
    body: Vec<u8>,
}

/// Of the answer, what is asked for by `filter_path`.
#[derive(Deserialize)]
struct Bulk {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    create: Created,
}

#[derive(Deserialize)]
struct Created {
    status: u16,
}

impl Elasticsearch {
    pub(super) fn open(options: &ElasticsearchOptions, format: &'static Format) -> Result<Self, OpenError> {
        if !format.is_json() {
            return Err(OpenError::Setting("Elasticsearch needs a format that is JSON"));
        }
        // Both are put into a URL and a line as they are.
        let is_plain =
            |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        if !is_plain(&options.index) || options.pipeline.as_deref().is_some_and(|name| !is_plain(name)) {
            return Err(OpenError::Setting("the name of an index or pipeline is letters, digits, -, _ and ."));
        }
        let mut url = format!("{}/_bulk?filter_path=items.*.status", options.url.trim_end_matches('/'));
        if let Some(pipeline) = &options.pipeline {
            url.push_str("&pipeline=");
            url.push_str(pipeline);
        }
        let ElasticsearchOptions { authorization, tls, timeout, .. } = options;
        let http = Http::open(&Reach { url: &url, authorization, tls, timeout: *timeout })?;
        Ok(Self { options: options.clone(), http, body: Vec::new() })
    }

    fn encode(&mut self, records: &[&Record]) {
        self.body.clear();
        for record in records {
            // Index and id are plain: see `open`, and `Record::id`.
            let action =
                format!("{{\"create\":{{\"_index\":\"{}\",\"_id\":\"{}\"}}}}\n", self.options.index, record.id);
            self.body.extend_from_slice(action.as_bytes());
            self.body.extend_from_slice(&record.bytes);
            self.body.push(b'\n');
        }
    }
}

impl Deliver for Elasticsearch {
    fn deliver(&mut self, records: &[&Record], fates: &mut Vec<Fate>) -> Result<(), Trouble> {
        self.encode(records);
        let answer = self.http.post("application/x-ndjson", &[], &self.body)?;
        match answer.meaning() {
            Meaning::Taken => {}
            Meaning::Later(trouble) => return Err(trouble),
            Meaning::Refused(trouble) if records.len() == 1 => {
                fates.push(Fate::Refused(trouble));
                return Ok(());
            }
            Meaning::Refused(_) => {
                return in_halves(records, fates, |half, fates| self.deliver(half, fates));
            }
        }
        let bulk: Bulk =
            serde_json::from_slice(&answer.body).map_err(|_| Trouble::word("an answer that is none of a cluster"))?;
        if bulk.items.len() != records.len() {
            return Err(Trouble::word("an answer about other records"));
        }
        fates.extend(bulk.items.iter().map(|item| fate(item.create.status)));
        Ok(())
    }

    fn batch(&self) -> (usize, usize) {
        (self.options.batch_records.max(1), self.options.batch_bytes.max(1))
    }
}

fn fate(status: u16) -> Fate {
    match status {
        200..300 | 409 => Fate::Delivered,
        // No such index, or none of its shards here, or not ours to write: an operator can set that right.
        401 | 403 | 404 | 429 => Fate::Again(Trouble::status(status)),
        400..500 => Fate::Refused(Trouble::status(status)),
        _ => Fate::Again(Trouble::status(status)),
    }
}
