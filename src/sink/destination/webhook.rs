//! An HTTP server that takes batches of records, as lines or as a JSON array.
//!
//! `Idempotency-Key` is the same for the same records. Where a server refuses a batch (400, 413, 422, ..), its halves are sent by
//! themselves, down to the record that it is about.

use std::time::Duration;

pub use super::http::Authorization;
use super::http::{Http, Meaning, Reach};
use super::{Deliver, Fate, OpenError, TlsOptions, Trouble, in_halves};
use crate::sink::record::digest;
use crate::sink::{Format, Record};

/// An HTTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookOptions {
    /// Where batches are posted.
    pub url: String,
    /// Who this sensor says it is.
    pub authorization: Authorization,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// A JSON array instead of lines, of formats that are JSON.
    pub is_array: bool,
    /// Most records of a request.
    pub batch_records: usize,
    /// About the most bytes of a request.
    pub batch_bytes: usize,
    /// Whose certificates are believed.
    pub tls: TlsOptions,
    /// How long the server may take.
    pub timeout: Duration,
}

impl Default for WebhookOptions {
    fn default() -> Self {
        Self {
            url: String::new(),
            authorization: Authorization::default(),
            headers: Vec::new(),
            is_array: false,
            batch_records: 200,
            batch_bytes: 512 << 10,
            tls: TlsOptions::default(),
            timeout: Duration::from_secs(10),
        }
    }
}

/// See the module.
pub(super) struct Webhook {
    options: WebhookOptions,
    media_type: &'static str,
    http: Http,
    body: Vec<u8>,
}

impl Webhook {
    pub(super) fn open(options: &WebhookOptions, format: &'static Format) -> Result<Self, OpenError> {
        if options.is_array && !format.is_json() {
            return Err(OpenError::Setting("an array of records needs a format that is JSON"));
        }
        let WebhookOptions { url, authorization, tls, timeout, .. } = options;
        let http = Http::open(&Reach { url, authorization, tls, timeout: *timeout })?;
        let media_type = if options.is_array { "application/json" } else { format.media_type };
        Ok(Self { options: options.clone(), media_type, http, body: Vec::new() })
    }

    fn encode(&mut self, records: &[&Record]) {
        let [before, between, after]: [&[u8]; 3] =
            if self.options.is_array { [b"[", b",", b"]"] } else { [b"", b"\n", b"\n"] };
        self.body.clear();
        self.body.extend_from_slice(before);
        for (number, record) in records.iter().enumerate() {
            self.body.extend_from_slice(if number == 0 { b"" } else { between });
            self.body.extend_from_slice(&record.bytes);
        }
        self.body.extend_from_slice(after);
    }
}

impl Deliver for Webhook {
    fn deliver(&mut self, records: &[&Record], fates: &mut Vec<Fate>) -> Result<(), Trouble> {
        self.encode(records);
        let key = digest(records.iter().map(|record| record.id.as_bytes()));
        let headers: Vec<_> =
            self.options.headers.iter().cloned().chain([("Idempotency-Key".to_owned(), key)]).collect();
        match self.http.post(self.media_type, &headers, &self.body)?.meaning() {
            Meaning::Taken => fates.extend(records.iter().map(|_| Fate::Delivered)),
            Meaning::Later(trouble) => return Err(trouble),
            Meaning::Refused(trouble) if records.len() == 1 => fates.push(Fate::Refused(trouble)),
            Meaning::Refused(_) => {
                return in_halves(records, fates, |half, fates| self.deliver(half, fates));
            }
        }
        Ok(())
    }

    fn batch(&self) -> (usize, usize) {
        (self.options.batch_records.max(1), self.options.batch_bytes.max(1))
    }
}
