//! [`TlsOptions`]: whose certificates are believed, and who this sensor is. For sockets as a rustls configuration, for HTTP as ureq's.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

use super::OpenError;

/// How the other side of a TLS connection is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// Authorities that are believed, as PEM; those of the system if not given.
    pub authorities: Option<PathBuf>,
    /// This sensor's certificate chain and key, as PEM, where the other side asks for one.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The name that the certificate must have; the host's if not given.
    pub server_name: Option<String>,
}

impl TlsOptions {
    /// For a socket.
    pub(super) fn for_socket(&self) -> Result<Arc<ClientConfig>, OpenError> {
        let mut roots = RootCertStore::empty();
        let (path, pem) = self.bundle()?;
        roots.add_parsable_certificates(certificates(&path, &pem)?);
        if roots.is_empty() {
            return Err(OpenError::Pem(path));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider);
        let builder = builder.with_safe_default_protocol_versions();
        let builder = builder.map_err(|_| OpenError::Setting("no version of TLS"))?.with_root_certificates(roots);
        Ok(Arc::new(match &self.identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let unusable = || OpenError::Pem(key.clone());
                let private = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|_| unusable())?;
                let chain = certificates(chain, &read(chain)?)?;
                builder.with_client_auth_cert(chain, private).map_err(|_| unusable())?
            }
        }))
    }

    /// For HTTP.
    pub(super) fn for_http(&self) -> Result<TlsConfig, OpenError> {
        if self.server_name.is_some() {
            return Err(OpenError::Setting("a server name is for sockets: the URL names the server"));
        }
        let of_pem = |path: &Path, pem: &[u8]| {
            let items = parse_pem(pem).filter_map(Result::ok);
            let found: Vec<Certificate<'static>> =
                items.filter_map(|item| if let PemItem::Certificate(one) = item { Some(one) } else { None }).collect();
            if found.is_empty() { Err(OpenError::Pem(path.to_owned())) } else { Ok(found) }
        };
        let (path, pem) = self.bundle()?;
        let identity = match &self.identity {
            None => None,
            Some((chain, key)) => {
                let private = PrivateKey::from_pem(&read(key)?).map_err(|_| OpenError::Pem(key.clone()))?;
                Some(ClientCert::new_with_certs(&of_pem(chain, &read(chain)?)?, private))
            }
        };
        Ok(TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(&of_pem(&path, &pem)?))
            .client_cert(identity)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build())
    }

    fn bundle(&self) -> Result<(PathBuf, Vec<u8>), OpenError> {
        let path = match &self.authorities {
            Some(path) => path.clone(),
            None => {
                let known = SYSTEM_AUTHORITIES.iter().map(PathBuf::from).find(|path| path.is_file());
                known.ok_or(OpenError::Setting("the system has no bundle of authorities: name one"))?
            }
        };
        let pem = read(&path)?;
        Ok((path, pem))
    }
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, OpenError> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem).filter_map(Result::ok).collect();
    if found.is_empty() { Err(OpenError::Pem(path.to_owned())) } else { Ok(found) }
}

fn read(path: &Path) -> Result<Vec<u8>, OpenError> {
    fs::read(path).map_err(|source| OpenError::File { path: path.to_owned(), source })
}

/// Of Debian, Red Hat and Alpine, FreeBSD and macOS.
const SYSTEM_AUTHORITIES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];
