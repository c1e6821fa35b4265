//! What can go wrong, said so that a user can act on it.

use std::fmt;
use std::io;
use std::net::IpAddr;

use ipnet::IpNet;
use rustix::io::Errno;

use super::netns::NetnsError;
use super::spec::SpecError;

/// The kernel's refusal of one request: an errno and, when it gave one, its explanation (extended ack).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The errno, positive as in `errno.h`.
    pub errno: i32,
    /// `NLMSGERR_ATTR_MSG`.
    pub text: Option<String>,
}

impl Refusal {
    pub(super) fn is(&self, errno: Errno) -> bool {
        self.errno == errno.raw_os_error()
    }

    pub(super) fn is_denied(&self) -> bool {
        self.is(Errno::PERM) || self.is(Errno::ACCESS)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errno = io::Error::from_raw_os_error(self.errno);
        match &self.text {
            Some(text) => write!(f, "{errno}: {text}"),
            None => write!(f, "{errno}"),
        }
    }
}

impl std::error::Error for Refusal {}

/// An operation on links, addresses or routes failed.
#[derive(Debug, thiserror::Error)]
pub enum NetlinkError {
    /// The caller lacks CAP_NET_ADMIN here.
    #[error("no permission to {what}: run as root or with CAP_NET_ADMIN")]
    PermissionDenied {
        /// What was tried.
        what: String,
    },
    /// There is no link of that name.
    #[error("there is no interface {name}")]
    NoSuchLink {
        /// The name asked for.
        name: String,
    },
    /// A link of that name exists already.
    #[error("an interface {name} exists already")]
    LinkExists {
        /// The name wanted.
        name: String,
    },
    /// The kernel refused for another reason.
    #[error("cannot {what}")]
    Refused {
        /// What was tried.
        what: String,
        /// The kernel's answer.
        source: Refusal,
    },
    /// The netlink socket itself failed.
    #[error("the netlink socket failed")]
    Socket(#[from] io::Error),
    /// The namespace cannot be entered.
    #[error(transparent)]
    Netns(#[from] NetnsError),
    /// The runtime is going down and took no more work.
    #[error("stopped before the kernel was asked")]
    ShutDown,
}

impl NetlinkError {
    pub(super) fn refused(what: impl Into<String>, source: Refusal) -> Self {
        let what = what.into();
        if source.is_denied() { Self::PermissionDenied { what } } else { Self::Refused { what, source } }
    }
}

/// A veth was not added; nothing of it is left.
#[derive(Debug, thiserror::Error)]
pub enum VethError {
    /// The wish contradicts itself; the kernel was not asked.
    #[error(transparent)]
    Invalid(#[from] SpecError),
    /// The sandbox has an interface of that name.
    #[error("the container already has an interface {name}: choose another name or remove it first")]
    InterfaceExists {
        /// The name inside.
        name: String,
    },
    /// This host has an interface of the name meant for the host end.
    #[error("an interface {name} already exists on this host: `ip -d link show {name}` tells whose it is")]
    HostLinkExists {
        /// The name of the host end.
        name: String,
    },
    /// The sandbox ended.
    #[error("the network namespace {sandbox} is gone: the container has stopped")]
    SandboxGone {
        /// The path it was known by.
        sandbox: String,
    },
    /// The sandbox is the namespace the host end would be in.
    #[error("{sandbox} is the host's own network namespace: such a container cannot have ports")]
    SharesHostNamespace {
        /// The path it was known by.
        sandbox: String,
    },
    /// The caller lacks CAP_NET_ADMIN or CAP_SYS_ADMIN.
    #[error("no permission to {what}: run as root")]
    PermissionDenied {
        /// What was tried.
        what: String,
    },
    /// The kernel refused an address.
    #[error("the address {address} was refused")]
    AddressRefused {
        /// The address.
        address: IpNet,
        /// The kernel's answer.
        source: Refusal,
    },
    /// The kernel refused a route.
    #[error("the route to {destination} was refused")]
    RouteRefused {
        /// Where the route leads.
        destination: IpNet,
        /// The kernel's answer.
        source: Refusal,
    },
    /// The kernel refused a default route.
    #[error("the gateway {gateway} was refused")]
    GatewayRefused {
        /// The gateway.
        gateway: IpAddr,
        /// The kernel's answer.
        source: Refusal,
    },
    /// Anything else.
    #[error("cannot {what}")]
    Other {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl VethError {
    pub(super) fn other(
        what: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Other { what: what.into(), source: source.into() }
    }

    pub(super) fn refused(what: impl Into<String>, source: Refusal) -> Self {
        if source.is_denied() {
            Self::PermissionDenied { what: what.into() }
        } else {
            Self::other(what, source)
        }
    }
}

impl From<NetlinkError> for VethError {
    fn from(error: NetlinkError) -> Self {
        match error {
            NetlinkError::PermissionDenied { what } => Self::PermissionDenied { what },
            NetlinkError::Netns(error) => error.into(),
            error => Self::other("add a veth", error),
        }
    }
}

impl From<NetnsError> for VethError {
    fn from(error: NetnsError) -> Self {
        match error {
            NetnsError::Gone { path } | NetnsError::NotANamespace { path } => {
                Self::SandboxGone { sandbox: path.display().to_string() }
            }
            NetnsError::PermissionDenied { path } => {
                Self::PermissionDenied { what: format!("enter the network namespace {}", path.display()) }
            }
            error => Self::other("enter the container's network namespace", error),
        }
    }
}
