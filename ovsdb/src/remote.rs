//! Where a database server listens, as Open vSwitch writes it (`ovsdb(7)`, "Connection Methods").

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use thiserror::Error;

/// One place to connect to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Remote {
    /// `unix:FILE`
    Unix(PathBuf),
    /// `tcp:HOST[:PORT]`
    Tcp {
        /// Name or address.
        host: String,
        /// TCP port, 6640 unless given.
        port: u16,
    },
    /// `ssl:HOST[:PORT]`
    Ssl {
        /// Name or address.
        host: String,
        /// TCP port, 6640 unless given.
        port: u16,
    },
}

/// The members of one database, in the order given: `REMOTE[,REMOTE]...`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remotes(Vec<Remote>);

/// Port of OVSDB as assigned by IANA.
const DEFAULT_PORT: u16 = 6640;

/// A text that names no place to connect to.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0:?} is no database address: use unix:FILE, tcp:HOST:PORT or ssl:HOST:PORT")]
pub struct RemoteError(String);

impl FromStr for Remote {
    type Err = RemoteError;

    fn from_str(text: &str) -> Result<Self, RemoteError> {
        let error = || RemoteError(text.to_owned());
        let (scheme, rest) = text.split_once(':').ok_or_else(error)?;
        if rest.is_empty() {
            return Err(error());
        }
        match scheme {
            "unix" => Ok(Self::Unix(rest.into())),
            "tcp" => host_port(rest).map(|(host, port)| Self::Tcp { host, port }).ok_or_else(error),
            "ssl" => host_port(rest).map(|(host, port)| Self::Ssl { host, port }).ok_or_else(error),
            _ => Err(error()),
        }
    }
}

/// `HOST`, `HOST:PORT`, `[V6]` or `[V6]:PORT`.
fn host_port(text: &str) -> Option<(String, u16)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = port.map_or(Some(DEFAULT_PORT), |port| port.parse().ok())?;
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

impl fmt::Display for Remote {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, host, port) = match self {
            Self::Unix(path) => return write!(formatter, "unix:{}", path.display()),
            Self::Tcp { host, port } => ("tcp", host, port),
            Self::Ssl { host, port } => ("ssl", host, port),
        };
        if host.contains(':') {
            write!(formatter, "{scheme}:[{host}]:{port}")
        } else {
            write!(formatter, "{scheme}:{host}:{port}")
        }
    }
}

impl Remotes {
    /// At least one.
    pub fn as_slice(&self) -> &[Remote] {
        &self.0
    }
}

impl From<Remote> for Remotes {
    fn from(remote: Remote) -> Self {
        Self(vec![remote])
    }
}

impl FromStr for Remotes {
    type Err = RemoteError;

    fn from_str(text: &str) -> Result<Self, RemoteError> {
        Ok(Self(text.split(',').map(str::parse).collect::<Result<_, _>>()?))
    }
}

impl fmt::Display for Remotes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, remote) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(formatter, "{comma}{remote}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_addresses() {
        for text in ["unix:/run/openvswitch/db.sock", "tcp:[::1]:6640", "ssl:db.example:7000"] {
            assert_eq!(text.parse::<Remote>().unwrap().to_string(), text);
        }
        assert_eq!("tcp:10.0.0.1".parse::<Remote>().unwrap().to_string(), "tcp:10.0.0.1:6640");
        assert_eq!("tcp:a:1,tcp:b:2".parse::<Remotes>().unwrap().as_slice().len(), 2);
    }

    #[test]
    fn refuses_what_is_no_address() {
        for text in ["", "unix:", "tcp:", "tcp::1", "tcp:a:x", "tcp:[::1", "http://x", "tcp:a:1,,tcp:b:2"] {
            assert!(text.parse::<Remotes>().is_err(), "{text}");
        }
    }
}
