//! [`Client`]: GET requests of one host, tried again where that may help.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{AlertDescription, CertificateError};
use ureq::http::{HeaderMap, Uri};
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

use super::{Credentials, FetchError, Options};

/// See the module.
pub(super) struct Client<'a> {
    agent: ureq::Agent,
    authorization: Option<String>,
    origin: Uri,
    pause: &'a dyn Fn(Duration),
}

/// A whole answer.
pub(super) struct Answer {
    pub(super) body: Vec<u8>,
    /// `X-TAXII-Date-Added-Last`.
    pub(super) added_last: Option<String>,
}

/// What came of one try.
enum Tried {
    Answer(Answer),
    /// May be better next time; after this long, if the server said so.
    Later(String, Option<Duration>),
}

impl<'a> Client<'a> {
    pub(super) fn new(url: &str, options: &Options<'a>) -> Result<Self, FetchError> {
        let origin: Uri = url.parse().map_err(|_| FetchError::Url("not a URL: https://HOST/taxii2/ is one".into()))?;
        let is_encrypted = origin.scheme_str() == Some("https");
        let is_here = matches!(origin.host(), Some("localhost" | "127.0.0.1" | "[::1]"));
        if origin.authority().is_none_or(|authority| authority.as_str().contains('@')) {
            return Err(FetchError::Url("the URL needs a host, and no user name: give a credentials file".into()));
        }
        let is_plain_here = is_here && origin.scheme_str() == Some("http");
        if !is_encrypted && !is_plain_here {
            return Err(FetchError::Url("the URL must be https (http is for this machine only)".into()));
        }
        let mut config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(options.timeout))
            .timeout_recv_response(Some(options.timeout))
            .timeout_recv_body(Some(options.timeout.saturating_mul(BODY_TIMEOUTS)))
            .user_agent(concat!("picket/", env!("CARGO_PKG_VERSION")));
        if is_encrypted {
            config = config.tls_config(tls(options)?);
        }
        let authorization = match &options.credentials {
            Credentials::None => None,
            Credentials::Basic { user, password } => {
                Some(format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}"))))
            }
            Credentials::Bearer(token) => Some(format!("Bearer {token}")),
        };
        Ok(Self { agent: config.build().into(), authorization, origin, pause: options.pause })
    }

    /// Gets `url`, which must be of the host that the user named.
    pub(super) fn get(&self, url: &str, query: &[(&str, &str)]) -> Result<Answer, FetchError> {
        let same = url
            .parse::<Uri>()
            .is_ok_and(|uri| (uri.scheme(), uri.authority()) == (self.origin.scheme(), self.origin.authority()));
        if !same {
            let why = "the server points to another host; give that one's URL if you trust it".to_owned();
            return Err(FetchError::Answer { url: url.to_owned(), why });
        }
        let mut wait = FIRST_WAIT;
        let mut tries = 0;
        loop {
            tries += 1;
            let (why, after) = match self.attempt(url, query)? {
                Tried::Answer(answer) => return Ok(answer),
                Tried::Later(why, after) => (why, after),
            };
            if tries == MAX_TRIES {
                return Err(FetchError::Unreachable { url: url.to_owned(), tries, why });
            }
            (self.pause)(after.unwrap_or(wait).min(MAX_WAIT));
            wait *= 2;
        }
    }

    fn attempt(&self, url: &str, query: &[(&str, &str)]) -> Result<Tried, FetchError> {
        let mut request = self.agent.get(url).header("Accept", MEDIA_TYPE);
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        for (name, value) in query {
            request = request.query(*name, *value);
        }
        let mut response = match request.call() {
            Ok(response) => response,
            Err(error) => return later_unless_distrust(url, &error),
        };
        let status = response.status().as_u16();
        match status {
            200 => {}
            429 | 502 | 503 | 504 => {
                return Ok(Tried::Later(format!("status {status}"), retry_after(response.headers())));
            }
            _ => return Err(FetchError::Refused { url: url.to_owned(), status, hint: hint(status) }),
        }
        let added_last = response.headers().get("X-TAXII-Date-Added-Last");
        let added_last = added_last.and_then(|value| value.to_str().ok()).map(str::to_owned);
        let mut body = Vec::new();
        // Counted after decompression, so that a bomb stays small.
        let read = response.body_mut().as_reader().take(MAX_PAGE_BYTES + 1).read_to_end(&mut body);
        match read {
            Err(error) => Ok(Tried::Later(format!("the answer broke off: {error}"), None)),
            Ok(_) if body.len() as u64 > MAX_PAGE_BYTES => {
                let why = format!("a page of over {MAX_PAGE_BYTES} bytes; ask for fewer objects (--page-objects)");
                Err(FetchError::Answer { url: url.to_owned(), why })
            }
            Ok(_) => Ok(Tried::Answer(Answer { body, added_last })),
        }
    }
}

/// A failed connection may be better next time; one that TLS gave up will not be.
fn later_unless_distrust(url: &str, error: &ureq::Error) -> Result<Tried, FetchError> {
    let inner = match error {
        ureq::Error::Rustls(error) => Some(error),
        ureq::Error::Io(error) => error.get_ref().and_then(|inner| inner.downcast_ref()),
        _ => None,
    };
    let Some(inner) = inner else { return Ok(Tried::Later(error.to_string(), None)) };
    let hint = match inner {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => "; --ca names who is trusted",
        rustls::Error::AlertReceived(alert) if OF_CERTIFICATES.contains(alert) => {
            "; it asks for a client certificate that it trusts (--client-cert, --client-key)"
        }
        _ => "",
    };
    Err(FetchError::Tls { url: url.to_owned(), why: format!("{inner}{hint}") })
}

/// What a server says of a client without a certificate that it takes; TLS 1.2 has no word of its own for none.
const OF_CERTIFICATES: [AlertDescription; 7] = [
    AlertDescription::CertificateRequired,
    AlertDescription::BadCertificate,
    AlertDescription::UnknownCA,
    AlertDescription::CertificateUnknown,
    AlertDescription::CertificateExpired,
    AlertDescription::AccessDenied,
    AlertDescription::HandshakeFailure,
];

fn hint(status: u16) -> &'static str {
    match status {
        401 => "it asks for credentials, or does not take these",
        403 => "these credentials may not read this",
        404 => "not there; is the URL that of a discovery document or API root?",
        406 | 415 => "it does not speak TAXII 2.1",
        300..=399 => "it points elsewhere; give that URL",
        _ => "the server says no",
    }
}

/// Seconds only: servers that give a date are waited for as if they gave none.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get("Retry-After")?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

fn tls(options: &Options<'_>) -> Result<TlsConfig, FetchError> {
    let roots = match &options.authorities {
        Some(path) => certificates(path)?,
        None => {
            let bundle = SYSTEM_AUTHORITIES.iter().map(Path::new).find(|path| path.is_file());
            let none = || FetchError::Url("the system has no bundle of authorities; give one (--ca FILE)".into());
            certificates(bundle.ok_or_else(none)?)?
        }
    };
    let identity = options.identity.as_ref().map(|(chain, key)| identity(chain, key)).transpose()?;
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&roots))
        .client_cert(identity)
        .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
        .build())
}

/// A client's certificate and key. That they belong together is asked here, because `ureq` panics when they do not.
fn identity(chain: &Path, key: &Path) -> Result<ClientCert, FetchError> {
    let unusable = |why: String| FetchError::Pem { path: key.to_owned(), why };
    let pem = read(key)?;
    let certificates = certificates(chain)?;
    let der = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| unusable("no private key in it".into()))?;
    let ders = certificates.iter().map(|one| CertificateDer::from(one.der().to_vec())).collect();
    CertifiedKey::from_der(ders, der, &ring::default_provider()).map_err(|error| unusable(error.to_string()))?;
    let private = PrivateKey::from_pem(&pem).map_err(|error| unusable(error.to_string()))?;
    Ok(ClientCert::new_with_certs(&certificates, private))
}

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, FetchError> {
    let pem = read(path)?;
    let items = parse_pem(&pem).filter_map(Result::ok);
    let found: Vec<_> =
        items.filter_map(|item| if let PemItem::Certificate(one) = item { Some(one) } else { None }).collect();
    if found.is_empty() {
        return Err(FetchError::Pem { path: path.to_owned(), why: "no certificate in it".into() });
    }
    Ok(found)
}

fn read(path: &Path) -> Result<Vec<u8>, FetchError> {
    std::fs::read(path).map_err(|error| FetchError::Pem { path: path.to_owned(), why: error.to_string() })
}

const MEDIA_TYPE: &str = "application/taxii+json;version=2.1";
/// Of Debian, Red Hat and Alpine, FreeBSD and macOS.
const SYSTEM_AUTHORITIES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];
/// Largest page, decompressed. Parsed it takes several times as much.
pub(super) const MAX_PAGE_BYTES: u64 = 32 << 20;
/// Tries of one request.
pub(super) const MAX_TRIES: u32 = 5;
/// Doubled each time.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// Longest wait that a server may ask for.
const MAX_WAIT: Duration = Duration::from_secs(300);
/// A page may take so many times as long as its first byte.
const BODY_TIMEOUTS: u32 = 10;
