//! Network namespaces by path.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// `NSFS_MAGIC` of `linux/magic.h`: the file system that namespace files are on.
const NSFS_MAGIC: u64 = 0x6e73_6673;

/// A network namespace, known by the path of its file. Holds nothing open, so it keeps nothing alive.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Netns {
    path: PathBuf,
}

/// A namespace cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NetnsError {
    /// The file or the process does not exist (any more).
    #[error("the network namespace {} does not exist", path.display())]
    Gone {
        /// The path.
        path: PathBuf,
    },
    /// The path is something else, for instance the empty file that a deleted `ip netns` left.
    #[error("{} is not a network namespace", path.display())]
    NotANamespace {
        /// The path.
        path: PathBuf,
    },
    /// Opening or entering it needs more rights.
    #[error("no permission to enter the network namespace {}: run as root", path.display())]
    PermissionDenied {
        /// The path.
        path: PathBuf,
    },
    /// Anything else.
    #[error("cannot enter the network namespace {}", path.display())]
    Other {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Netns {
    /// The namespace at `path`, for instance `/var/run/docker/netns/1c4f..`.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The namespace that `ip netns` calls `name`.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self::new(Path::new("/run/netns").join(name))
    }

    /// The namespace that process `pid` is in. Meaningful while the process lives.
    #[must_use]
    pub fn of_process(pid: u32) -> Self {
        Self::new(format!("/proc/{pid}/ns/net"))
    }

    /// The path it was made from.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the namespace. As long as the result lives, so does the namespace: drop it soon.
    pub(super) fn open(&self) -> Result<OpenNetns, NetnsError> {
        let file = File::open(&self.path).map_err(|error| self.error(error))?;
        let on = rustix::fs::fstatfs(&file).map_err(|error| self.error(error.into()))?;
        if u64::try_from(on.f_type) != Ok(NSFS_MAGIC) {
            return Err(NetnsError::NotANamespace { path: self.path.clone() });
        }
        let metadata = file.metadata().map_err(|error| self.error(error))?;
        Ok(OpenNetns {
            fd: file.into(),
            identity: NetnsIdentity { device: metadata.dev(), inode: metadata.ino() },
            netns: self.clone(),
        })
    }

    /// Which namespace it is, whatever the path.
    pub fn identity(&self) -> Result<NetnsIdentity, NetnsError> {
        Ok(self.open()?.identity)
    }

    /// Whether it is the namespace this process is in: a container of `--net=host`.
    pub fn is_own(&self) -> Result<bool, NetnsError> {
        Ok(self.identity()? == Self::own().identity()?)
    }

    pub(super) fn own() -> Self {
        // The thread's, not the process's: /proc/self names the main thread.
        Self::new("/proc/thread-self/ns/net")
    }

    fn error(&self, source: io::Error) -> NetnsError {
        let path = self.path.clone();
        match Errno::from_io_error(&source) {
            Some(Errno::NOENT | Errno::SRCH | Errno::NOTDIR) => NetnsError::Gone { path },
            Some(Errno::PERM | Errno::ACCESS) => NetnsError::PermissionDenied { path },
            Some(Errno::INVAL) => NetnsError::NotANamespace { path },
            _ => NetnsError::Other { path, source },
        }
    }
}

impl fmt::Display for Netns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)
    }
}

/// Device and inode of a namespace's file: equal exactly when the namespace is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NetnsIdentity {
    device: u64,
    inode: u64,
}

impl NetnsIdentity {
    /// The inode number, which no other namespace of this boot has at the same time.
    #[must_use]
    pub fn inode(self) -> u64 {
        self.inode
    }
}

/// A namespace held open.
#[derive(Debug)]
pub(super) struct OpenNetns {
    fd: OwnedFd,
    identity: NetnsIdentity,
    netns: Netns,
}

impl OpenNetns {
    pub(super) fn identity(&self) -> NetnsIdentity {
        self.identity
    }

    pub(super) fn raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// Runs `work` inside, on a thread that ends with it and so need not find its way back.
    pub(super) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, NetnsError> {
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("netns".into()).spawn_scoped(scope, || {
                move_into_link_name_space(self.fd.as_fd(), Some(LinkNameSpaceType::Network))?;
                Ok(work())
            });
            match thread.map_err(|error| self.netns.error(error))?.join() {
                Ok(result) => result.map_err(|error: io::Error| self.netns.error(error)),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }
}
