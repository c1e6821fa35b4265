//! `ssl:` addresses: TLS 1.2 and 1.3, with the certificates that `ovs-pki(8)` makes.

mod error;
mod verifier;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, Error, RootCertStore};

pub use error::{TlsError, TlsFile};
use verifier::Verifier;

/// What `ssl:` needs. The files are PEM, which may have other text around it, and are read anew for each connection,
/// so that renewed ones are used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsOptions {
    /// Certificates of the authorities that may sign the server's (`ovs-vsctl --ca-cert`).
    pub ca_certificate: PathBuf,
    /// Who we are. Open vSwitch's servers want to know, unless told otherwise.
    pub identity: Option<TlsIdentity>,
    /// Whether the server's certificate has to be for the host that the address names. Open vSwitch does not look at
    /// it, and the certificates of `ovs-pki` are for no host: with them this refuses every server.
    pub verify_name: bool,
}

/// A certificate of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsIdentity {
    /// Its key, not encrypted: PKCS#8, PKCS#1 or SEC 1 (`ovs-vsctl --private-key`).
    pub private_key: PathBuf,
    /// The certificate, and after it those between it and the authority (`ovs-vsctl --certificate`).
    pub certificate: PathBuf,
}

impl TlsOptions {
    /// Reads the files, to learn early what is wrong with them.
    pub fn check(&self) -> Result<(), TlsError> {
        self.load().map(drop)
    }

    fn load(&self) -> Result<ClientConfig, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let verifier = Verifier {
            roots: self.roots()?,
            algorithms: provider.signature_verification_algorithms,
            verify_name: self.verify_name,
        };
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Other)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        match &self.identity {
            None => Ok(config.with_no_client_auth()),
            Some(identity) => {
                let chain = certificates(TlsFile::Certificate, &identity.certificate)?;
                let key = private_key(&identity.private_key)?;
                config.with_client_auth_cert(chain, key).map_err(|error| identity.refused(error))
            }
        }
    }

    fn roots(&self) -> Result<RootCertStore, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(TlsFile::CaCertificate, &self.ca_certificate)? {
            roots.add(certificate).map_err(|source| TlsError::Malformed {
                file: TlsFile::CaCertificate,
                path: self.ca_certificate.clone(),
                reason: source.to_string(),
            })?;
        }
        Ok(roots)
    }

    /// TLS on a connection to `host`.
    pub(super) async fn handshake(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, std::io::Error> {
        let config = self.load().map_err(std::io::Error::other)?;
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| std::io::Error::other(TlsError::NoName(host.to_owned())))?;
        let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream);
        connecting.await.map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => std::io::Error::other(TlsError::NoTls),
            _ => error,
        })
    }
}

impl TlsIdentity {
    fn refused(&self, error: Error) -> TlsError {
        match error {
            Error::InconsistentKeys(_) => TlsError::Mismatch {
                private_key: self.private_key.clone(),
                certificate: self.certificate.clone(),
            },
            Error::InvalidCertificate(_) => TlsError::Malformed {
                file: TlsFile::Certificate,
                path: self.certificate.clone(),
                reason: error.to_string(),
            },
            error => TlsError::Malformed {
                file: TlsFile::PrivateKey,
                path: self.private_key.clone(),
                reason: error.to_string(),
            },
        }
    }
}

fn certificates(file: TlsFile, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(file, path)?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|error| bad(file, path, &error))?;
    if certificates.is_empty() {
        return Err(bad(file, path, &pem::Error::NoItemsFound));
    }
    Ok(certificates)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = read(TlsFile::PrivateKey, path)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| {
        let encrypted = [&b"BEGIN ENCRYPTED PRIVATE KEY"[..], b"Proc-Type: 4,ENCRYPTED"];
        if encrypted.iter().any(|mark| memchr::memmem::find(&text, mark).is_some()) {
            TlsError::EncryptedKey(path.to_owned())
        } else {
            bad(TlsFile::PrivateKey, path, &error)
        }
    })
}

/// The files are small, and on a local disk.
fn read(file: TlsFile, path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Unreadable { file, path: path.to_owned(), source })
}

fn bad(file: TlsFile, path: &Path, error: &pem::Error) -> TlsError {
    let path = path.to_owned();
    match error {
        pem::Error::NoItemsFound => TlsError::Empty { file, path },
        error => TlsError::Malformed { file, path, reason: error.to_string() },
    }
}

/// What an error of a connection to `host` means, when it came from TLS.
pub(super) fn explained(error: std::io::Error, options: &TlsOptions) -> Result<TlsError, std::io::Error> {
    match error.downcast::<TlsError>() {
        Ok(error) => Ok(error),
        Err(error) => error.downcast::<Error>().map(|error| TlsError::of_peer(error, options)),
    }
}
