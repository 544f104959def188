//! The server's side of TLS for metrics: a certificate chain and a key out of PEM files, TLS 1.2 and 1.3.

use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use super::http::TlsFiles;

/// What takes connections.
///
/// # Errors
/// Files that cannot be read, that hold no certificate or key, or that do not belong together.
pub(super) fn acceptor(files: &TlsFiles) -> io::Result<TlsAcceptor> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect)
        .map_err(|error| unusable("certificate", &error))?;
    if chain.is_empty() {
        return Err(io::Error::other("there is no certificate in the certificate file"));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| unusable("key", &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| io::Error::other(format!("certificate and key cannot be used: {error}")))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Says which file; of a key's content nothing.
fn unusable(which: &str, error: &pem::Error) -> io::Error {
    match error {
        pem::Error::Io(error) => io::Error::new(error.kind(), format!("cannot read the {which} file: {error}")),
        pem::Error::NoItemsFound => io::Error::other(format!("there is no {which} in the {which} file")),
        _ => io::Error::other(format!("the {which} file is not valid PEM")),
    }
}
