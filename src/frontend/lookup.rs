//! From a container's name to its network namespace.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::docker::{Docker, DockerError};
use crate::model::{ContainerRef, Owner, Sandbox};
use crate::process;
use crate::reconciler::Refused;

const OWN_NETNS: &str = "/proc/self/ns/net";

/// The sandbox of the container that the user means.
///
/// # Errors
///
/// There is none, it does not run, or it shares this host's namespace.
pub async fn look_up(docker: &Docker, container: &ContainerRef) -> Result<Sandbox, Refused> {
    match container {
        ContainerRef::Docker(name) => {
            let found = docker.container(name).await.map_err(refused)?;
            let pid = found.pid.filter(|_| found.running).ok_or_else(|| {
                Refused::other(format!("container {name} is not running: start it with `docker start {name}`"))
            })?;
            let host_network = || {
                Refused::other(format!(
                    "container {name} shares the host's network (--net=host): give it its own, as with --net=none"
                ))
            };
            if found.network_mode == "host" {
                return Err(host_network());
            }
            let netns = PathBuf::from(format!("/proc/{pid}/ns/net"));
            sandbox(Owner::from(found.id.as_str()), netns, Some(pid), name, host_network)
        }
        ContainerRef::Netns(path) => {
            let name = container.to_string();
            sandbox(Owner::netns(path), path.clone(), None, &name, || shares(&name))
        }
        ContainerRef::Pid(pid) => {
            let name = container.to_string();
            let start = process::start_time(*pid).map_err(|_| {
                Refused::other(format!("{name}: there is no process {pid}: `ps` lists those that run"))
            })?;
            let netns = PathBuf::from(format!("/proc/{pid}/ns/net"));
            sandbox(Owner::process(*pid, start), netns, Some(*pid), &name, || shares(&name))
        }
    }
}

/// The sandbox of an owner that is known from before, if it still runs; `pid` is the process of a Docker container.
pub fn sandbox_of(owner: &Owner, pid: Option<u32>) -> Option<Sandbox> {
    let (netns, pid) = match (owner.netns_path(), owner.as_process(), pid) {
        (Some(path), _, _) => (path.to_owned(), None),
        (_, Some((pid, start)), _) if process::start_time(pid).is_ok_and(|now| now == start) => {
            (format!("/proc/{pid}/ns/net").into(), Some(pid))
        }
        (None, None, Some(pid)) => (format!("/proc/{pid}/ns/net").into(), Some(pid)),
        _ => return None,
    };
    sandbox(owner.clone(), netns, pid, owner.as_str(), || shares(owner.as_str())).ok()
}

/// Whether the sandbox's namespace is the one that it was.
pub fn is_there(sandbox: &Sandbox) -> bool {
    fs::metadata(&sandbox.netns).is_ok_and(|found| found.ino() == sandbox.inode)
}

fn sandbox(
    owner: Owner,
    netns: PathBuf,
    pid: Option<u32>,
    name: &str,
    host_network: impl Fn() -> Refused,
) -> Result<Sandbox, Refused> {
    let found = fs::metadata(&netns).map_err(|error| no_netns(name, &netns, &error))?;
    let own = fs::metadata(OWN_NETNS).map_err(|error| no_netns(name, Path::new(OWN_NETNS), &error))?;
    if found.dev() != own.dev() {
        return Err(Refused::other(format!(
            "{name}: {} is no network namespace: `ip netns add` makes one",
            netns.display()
        )));
    }
    if found.ino() == own.ino() {
        return Err(host_network());
    }
    Ok(Sandbox { owner, netns, inode: found.ino(), pid })
}

fn no_netns(name: &str, netns: &Path, error: &io::Error) -> Refused {
    match error.kind() {
        io::ErrorKind::NotFound => Refused::other(format!(
            "{name}: there is no namespace {}: `ip netns` lists those that are there",
            netns.display()
        )),
        io::ErrorKind::PermissionDenied => {
            Refused::other(format!("{name}: permission denied on {}: run as root", netns.display()))
        }
        _ => Refused::other(format!("{name}: cannot use {}: {error}", netns.display())),
    }
}

fn shares(name: &str) -> Refused {
    Refused::other(format!("{name} is this host's own network namespace: give a container's"))
}

fn refused(error: DockerError) -> Refused {
    Refused::other(error.to_string())
}
