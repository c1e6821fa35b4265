use std::fmt;
use std::io;
use std::path::PathBuf;

use thiserror::Error;
use tokio_rustls::rustls::{self, AlertDescription, CertificateError};

use super::TlsOptions;

/// One of the files of [`TlsOptions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsFile {
    /// Of the authorities.
    CaCertificate,
    /// Ours.
    Certificate,
    /// Ours.
    PrivateKey,
}

impl fmt::Display for TlsFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::CaCertificate => "CA certificate",
            Self::Certificate => "certificate",
            Self::PrivateKey => "private key",
        })
    }
}

/// Why there is no TLS.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {file} {}", .path.display())]
    Unreadable {
        /// Which one.
        file: TlsFile,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{file} {}: there is none in this file (it has to be PEM)", .path.display())]
    Empty {
        /// Which one.
        file: TlsFile,
        /// Where.
        path: PathBuf,
    },
    /// A file is damaged, or of a kind that is not known here.
    #[error("{file} {} cannot be used: {reason}", .path.display())]
    Malformed {
        /// Which one.
        file: TlsFile,
        /// Where.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Nobody is there to ask for the pass phrase.
    #[error("private key {} is encrypted: decrypt it with `openssl pkey`", .0.display())]
    EncryptedKey(PathBuf),
    /// The key is another one's.
    #[error("private key {} does not belong to certificate {}", .private_key.display(), .certificate.display())]
    Mismatch {
        /// Path of the key.
        private_key: PathBuf,
        /// Path of the certificate.
        certificate: PathBuf,
    },
    /// The address has a host that cannot be in a certificate.
    #[error("{0:?} is neither the name of a host nor an address")]
    NoName(String),
    /// Nobody whom we trust has signed the server's certificate.
    #[error("the server's certificate is not signed by the CA in {}", .0.display())]
    UnknownAuthority(PathBuf),
    /// The server's certificate was valid once, or will be.
    #[error("the server's certificate is not valid now: {0} (is the clock of this host right?)")]
    NotNow(String),
    /// The server's certificate is for another host, and the name was to be verified.
    #[error("the server's certificate is not for this host: {0}")]
    WrongName(String),
    /// The server wants to know who we are.
    #[error("the server wants a certificate of its clients, and none was given")]
    CertificateWanted,
    /// The server does not accept our certificate.
    #[error("the server refuses certificate {}: {reason}", .certificate.display())]
    CertificateRefused {
        /// Path of the certificate.
        certificate: PathBuf,
        /// Its alert (RFC 8446 section 6.2).
        reason: String,
    },
    /// What listens there is something else.
    #[error("the server does not speak TLS; is this the port of a tcp: address?")]
    NoTls,
    /// Anything else.
    #[error("TLS failed: {0}")]
    Other(rustls::Error),
}

impl TlsError {
    /// What the library says, in the words of who has to mend it.
    pub(super) fn of_peer(error: rustls::Error, options: &TlsOptions) -> Self {
        match error {
            rustls::Error::InvalidMessage(_) => Self::NoTls,
            rustls::Error::InvalidCertificate(reason) => match reason {
                CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                    Self::UnknownAuthority(options.ca_certificate.clone())
                }
                CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. } => Self::NotNow(reason.to_string()),
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                    Self::WrongName(reason.to_string())
                }
                reason => Self::Other(reason.into()),
            },
            rustls::Error::AlertReceived(alert) if is_about_us(alert) => match &options.identity {
                None => Self::CertificateWanted,
                Some(identity) => Self::CertificateRefused {
                    certificate: identity.certificate.clone(),
                    reason: format!("{alert:?}"),
                },
            },
            error => Self::Other(error),
        }
    }
}

/// With TLS 1.2 a server that wants a certificate and gets none says just that the handshake failed.
fn is_about_us(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::HandshakeFailure
            | AlertDescription::NoCertificate
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::DecryptError
            | AlertDescription::CertificateRequired
    )
}
