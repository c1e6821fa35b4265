use std::fmt;
use std::path::PathBuf;

use flowport_ovsdb::client::{TlsIdentity, TlsOptions};
use flowport_ovsdb::{Remote, Remotes};

use crate::refused::Refused;

/// Where the database is, and for `ssl:` with which keys it is talked to.
#[derive(Clone, Debug)]
pub struct Address {
    text: String,
    pub(super) remotes: Remotes,
    pub(super) tls: Option<TlsOptions>,
}

/// Files for `ssl:` addresses, PEM, as `ovs-vsctl` has them.
#[derive(Clone, Debug, Default)]
pub struct TlsFiles {
    /// Our key.
    pub private_key: Option<PathBuf>,
    /// Our certificate.
    pub certificate: Option<PathBuf>,
    /// Of who signs the server's certificate.
    pub ca_cert: Option<PathBuf>,
}

impl Address {
    /// Reads `unix:PATH`, `tcp:HOST:PORT` or `ssl:HOST:PORT`; the files count for the last only.
    ///
    /// # Errors
    ///
    /// It is none of these, or a file is missing or is not what it should be.
    pub fn new(text: &str, files: TlsFiles) -> Result<Self, Refused> {
        let remotes: Remotes = text.parse().map_err(|_| {
            Refused::other(format!(
                "database {text:?} is no address: write unix:PATH, tcp:HOST:PORT or ssl:HOST:PORT"
            ))
        })?;
        let secure = remotes.as_slice().iter().any(|remote| matches!(remote, Remote::Ssl { .. }));
        let tls = if secure { Some(files.options(text)?) } else { None };
        Ok(Self { text: text.to_owned(), remotes, tls })
    }

    /// The user's word for it.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl TlsFiles {
    fn options(self, address: &str) -> Result<TlsOptions, Refused> {
        let (Some(private_key), Some(certificate), Some(ca_certificate)) =
            (self.private_key, self.certificate, self.ca_cert)
        else {
            return Err(Refused::other(format!(
                "database {address} needs --private-key, --certificate and --ca-cert"
            )));
        };
        let identity = Some(TlsIdentity { private_key, certificate });
        let options = TlsOptions { ca_certificate, identity, verify_name: false };
        options.check().map_err(|error| Refused::because(&error))?;
        Ok(options)
    }
}
