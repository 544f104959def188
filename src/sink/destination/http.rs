//! [`Http`]: POST requests to one server, and what its answers mean for those who sent records.

use std::io::Read;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ureq::http::Uri;

use super::{OpenError, Secret, TlsOptions, Trouble};

/// Who this sensor says it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Authorization {
    /// Nobody.
    #[default]
    None,
    /// A user with a password.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: Secret,
    },
    /// A bearer token.
    Bearer(Secret),
    /// An API key, as Elasticsearch wants it.
    ApiKey(Secret),
    /// A header of the server's own.
    Header {
        /// Its name.
        name: String,
        /// What it says.
        value: Secret,
    },
}

/// How a server is reached.
pub(super) struct Reach<'o> {
    pub(super) url: &'o str,
    pub(super) authorization: &'o Authorization,
    pub(super) tls: &'o TlsOptions,
    pub(super) timeout: Duration,
}

/// See the module.
pub(super) struct Http {
    agent: ureq::Agent,
    url: String,
    /// Header and value.
    authorization: Option<(String, String)>,
}

/// An answer, with as much of its body as is of interest.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    after: Option<Duration>,
}

/// What an answer means.
pub(super) enum Meaning {
    /// It has what was sent.
    Taken,
    /// It may take it later: it is busy or broken, or something is to be set right there or here.
    Later(Trouble),
    /// It refuses what was sent, or a part of it.
    Refused(Trouble),
}

impl Http {
    pub(super) fn open(reach: &Reach<'_>) -> Result<Self, OpenError> {
        let uri: Uri = reach.url.parse().map_err(|_| OpenError::Setting("not a URL: https://HOST/PATH is one"))?;
        if uri.authority().is_none_or(|authority| authority.as_str().contains('@')) {
            return Err(OpenError::Setting(
                "a URL needs a host, and no user name: the authorization has a place of its own",
            ));
        }
        let is_encrypted = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(OpenError::Setting("a URL is https, or http where nobody listens")),
        };
        let mut config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(reach.timeout.saturating_mul(3)))
            .timeout_connect(Some(reach.timeout))
            .timeout_recv_response(Some(reach.timeout))
            .user_agent(concat!("picket/", env!("CARGO_PKG_VERSION")));
        if is_encrypted {
            config = config.tls_config(reach.tls.for_http()?);
        }
        let authorization = match reach.authorization {
            Authorization::None => None,
            Authorization::Basic { user, password } => {
                let pair = BASE64_STANDARD.encode(format!("{user}:{}", password.read()?));
                Some(("Authorization".to_owned(), format!("Basic {pair}")))
            }
            Authorization::Bearer(token) => Some(("Authorization".to_owned(), format!("Bearer {}", token.read()?))),
            Authorization::ApiKey(key) => Some(("Authorization".to_owned(), format!("ApiKey {}", key.read()?))),
            Authorization::Header { name, value } => Some((name.clone(), value.read()?)),
        };
        Ok(Self { agent: config.build().into(), url: reach.url.to_owned(), authorization })
    }

    /// Sends `body`.
    ///
    /// # Errors
    /// There is no answer.
    pub(super) fn post(
        &self,
        content_type: &str,
        headers: &[(String, String)],
        body: &[u8],
    ) -> Result<Answer, Trouble> {
        let mut request = self.agent.post(&self.url).header("Content-Type", content_type);
        for (name, value) in self.authorization.iter().chain(headers) {
            request = request.header(name, value);
        }
        let mut response = request.send(body).map_err(trouble)?;
        let after = response.headers().get("Retry-After").and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let status = response.status().as_u16();
        let mut body = Vec::new();
        let read = response.body_mut().as_reader().take(MAX_ANSWER_BYTES).read_to_end(&mut body);
        // An answer that broke off says nothing of what was sent.
        read.map_err(Trouble::from)?;
        Ok(Answer { status, body, after: after.map(Duration::from_secs) })
    }
}

impl Answer {
    pub(super) fn meaning(&self) -> Meaning {
        let trouble = Trouble { after: self.after, ..Trouble::status(self.status) };
        match self.status {
            200..300 => Meaning::Taken,
            // What is wrong with a credential, an address or a route can be set right; records that were given up cannot.
            300..400 | 401 | 402 | 403 | 404 | 405 | 407 | 408 | 421 | 423 | 425 | 429 => Meaning::Later(trouble),
            400..500 => Meaning::Refused(trouble),
            _ => Meaning::Later(trouble),
        }
    }
}

fn trouble(error: ureq::Error) -> Trouble {
    match error {
        ureq::Error::Io(error) => error.into(),
        ureq::Error::Timeout(_) => Trouble::word("timed out"),
        ureq::Error::HostNotFound => Trouble::word("host not found"),
        ureq::Error::ConnectionFailed => Trouble::word("no connection"),
        ureq::Error::Rustls(_) | ureq::Error::Tls(_) => Trouble::word("TLS refused"),
        ureq::Error::Http(_) | ureq::Error::BadUri(_) => Trouble::word("a header or URL that cannot be sent"),
        _ => Trouble::word("no answer"),
    }
}

/// Longest answer that is read: one of Elasticsearch to a batch is some hundred bytes a record.
const MAX_ANSWER_BYTES: u64 = 8 << 20;
