//! Named network namespaces of the lab, in `/run/netns` as `ip netns` has them.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Output;

use rustix::mount::{UnmountFlags, mount_bind, unmount};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};
use tokio::process::{Child, Command};

use crate::netlink::{self, Netlink};

use super::world::unshare;
use super::{Lab, LabError};

/// Where the namespaces' names are.
pub(super) const DIRECTORY: &str = "/run/netns";
const LOOPBACK: &str = "lo";
const NAME_MAX: usize = 32;

/// A network namespace with its name and its loopback up. Dropped: the name goes, and the namespace when no process
/// is left in it.
#[derive(Debug)]
pub struct Netns {
    name: String,
    path: PathBuf,
}

impl Netns {
    /// Makes `/run/netns/NAME`, in this lab only. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`LabError::Name`]; the name is taken; not root.
    pub async fn create(_lab: &Lab, name: &str) -> Result<Self, LabError> {
        let usable = |char: char| char.is_ascii_alphanumeric() || char == '-' || char == '_';
        if name.is_empty() || name.len() > NAME_MAX || !name.chars().all(usable) {
            return Err(LabError::Name(name.to_owned()));
        }
        let path = Path::new(DIRECTORY).join(name);
        let failed = |error| LabError::io(format!("make {}", path.display()), error);
        File::create_new(&path).map_err(failed)?;
        let netns = Self { name: name.to_owned(), path };
        on_thread(|| {
            unshare(UnshareFlags::NEWNET)?;
            mount_bind("/proc/thread-self/ns/net", &netns.path)
        })?
        .map_err(|error| LabError::io(format!("make {}", netns.path.display()), error))?;
        set_up(&Netlink::open_in(netlink::Netns::new(&netns.path)), &netns.name).await?;
        Ok(netns)
    }

    /// The name in `/run/netns`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file that stands for it, `/run/netns/NAME`.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Starts `command` in the namespace. Needs a tokio runtime.
    ///
    /// # Errors
    /// The namespace has gone or the program cannot be started.
    pub fn spawn(&self, command: &mut Command) -> Result<Child, LabError> {
        in_netns(&self.path, || command.spawn())?.map_err(|error| LabError::io(describe(command), error))
    }

    /// Runs `command` in the namespace to its end and collects what it prints.
    ///
    /// # Errors
    /// As [`Self::spawn`]; the command's own failure is in the output's status.
    pub async fn output(&self, command: &mut Command) -> Result<Output, LabError> {
        use std::process::Stdio;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let child = self.spawn(command)?;
        child.wait_with_output().await.map_err(|error| LabError::io(describe(command), error))
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        let _ = unmount(&self.path, UnmountFlags::DETACH);
        let _ = fs::remove_file(&self.path);
    }
}

/// Runs `work` on a thread of its own in the network namespace of the file `netns`, within the caller's tokio runtime.
/// Sockets that it opens and processes that it starts stay in that namespace. The caller waits, so `work` is short.
///
/// # Errors
/// The namespace cannot be entered.
pub fn in_netns<T: Send>(netns: &Path, work: impl FnOnce() -> T + Send) -> Result<T, LabError> {
    let failed = |error| LabError::io(format!("enter {}", netns.display()), error);
    let file = File::open(netns).map_err(failed)?;
    let runtime = tokio::runtime::Handle::try_current().ok();
    on_thread(move || {
        move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))?;
        let _entered = runtime.as_ref().map(tokio::runtime::Handle::enter);
        Ok(work())
    })?
    .map_err(|error: io::Error| LabError::io(format!("enter {}", netns.display()), error))
}

/// Sets the loopback of the current namespace up.
pub(super) async fn set_loopback_up() -> Result<(), LabError> {
    set_up(&Netlink::open(), "the lab").await
}

async fn set_up(netlink: &Netlink, place: &str) -> Result<(), LabError> {
    netlink.set_up(LOOPBACK).await.map_err(|error| LabError::Netlink {
        what: format!("set the loopback of {place} up"),
        source: Box::new(error),
    })
}

/// On a new thread, because a namespace that is entered is entered by the thread.
fn on_thread<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, LabError> {
    let failed = |error: io::Error| LabError::io("start a thread", error);
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().spawn_scoped(scope, work).map_err(failed)?;
        thread.join().map_err(|_| failed(io::Error::other("it panicked")))
    })
}

/// "run ip -j link": for errors.
pub(super) fn describe(command: &Command) -> String {
    let command = command.as_std();
    let mut text = format!("run {}", command.get_program().to_string_lossy());
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}
