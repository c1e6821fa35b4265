//! From a container's name to its network namespace.

use std::path::PathBuf;

use crate::docker::Docker;
use crate::model::{Attachment, ContainerRef, Owner, Sandbox};
use crate::netlink::{Netns, NetnsError};
use crate::process;
use crate::reconciler::is_of;
use crate::refused::Refused;

/// The sandbox of the container that the user means.
///
/// # Errors
///
/// There is none, it does not run, or it shares this host's namespace.
pub async fn look_up(docker: &Docker, container: &ContainerRef) -> Result<Sandbox, Refused> {
    match container {
        ContainerRef::Docker(name) => {
            let found = docker.container(name).await?;
            let pid = found.pid.filter(|_| found.running).ok_or_else(|| {
                Refused::other(format!(
                    "container {name} is not running: start it with `docker start {name}`"
                ))
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
            let start = process::start_time(*pid).ok().flatten().ok_or_else(|| {
                Refused::other(format!("{name}: there is no process {pid}: `ps` lists those that run"))
            })?;
            let netns = PathBuf::from(format!("/proc/{pid}/ns/net"));
            sandbox(Owner::process(*pid, start), netns, Some(*pid), &name, || shares(&name))
        }
    }
}

/// Those of the attachments that are the container's, under whichever of its names they were made.
///
/// # Errors
///
/// It has none.
pub async fn attachments_of<'a>(
    docker: &Docker,
    all: impl Iterator<Item = &'a Attachment> + Clone,
    container: &ContainerRef,
) -> Result<Vec<&'a Attachment>, Refused> {
    let attached = |owner: Option<&Owner>| -> Vec<&'a Attachment> {
        all.clone().filter(|of| is_of(of, container, owner)).collect()
    };
    let mut found = attached(None);
    if let (true, ContainerRef::Docker(name)) = (found.is_empty(), container) {
        let id = docker.container(name).await.ok().map(|known| Owner::from(known.id.as_str()));
        found = attached(id.as_ref());
    }
    if found.is_empty() {
        let line = format!("{container} has no port: `flowport show` lists what has");
        return Err(Refused::no_such_port(line));
    }
    Ok(found)
}

/// The sandbox of an owner that is known from before, if it still runs; `pid` is the process of a Docker container.
///
/// # Errors
///
/// It cannot be told whether it runs.
pub fn sandbox_of(owner: &Owner, pid: Option<u32>) -> Result<Option<Sandbox>, Refused> {
    let cannot_tell = |error: &dyn std::error::Error| Refused::other(format!("{owner}: {error}"));
    let pid = match owner.as_process() {
        Some((pid, start)) => match process::start_time(pid) {
            Ok(now) => Some(pid).filter(|_| now == Some(start)),
            Err(error) => return Err(cannot_tell(&error)),
        },
        None => pid.filter(|_| owner.is_docker()),
    };
    let netns = match (owner.netns_path(), pid) {
        (Some(path), _) => path.to_owned(),
        (None, Some(pid)) => format!("/proc/{pid}/ns/net").into(),
        (None, None) => return Ok(None),
    };
    match Netns::new(&netns).is_own().and_then(|own| Ok((own, Netns::new(&netns).identity()?.inode()))) {
        Ok((true, _)) | Err(NetnsError::Gone { .. } | NetnsError::NotANamespace { .. }) => Ok(None),
        Ok((false, inode)) => Ok(Some(Sandbox { owner: owner.clone(), netns, inode, pid })),
        Err(error) => Err(cannot_tell(&error)),
    }
}

/// Whether the sandbox's namespace is the one that it was. Where that cannot be told it is: what follows from an end
/// cannot be taken back.
pub fn is_there(sandbox: &Sandbox) -> bool {
    match Netns::new(&sandbox.netns).identity() {
        Ok(found) => found.inode() == sandbox.inode,
        Err(NetnsError::Gone { .. } | NetnsError::NotANamespace { .. }) => false,
        Err(_) => true,
    }
}

fn sandbox(
    owner: Owner,
    netns: PathBuf,
    pid: Option<u32>,
    name: &str,
    host_network: impl Fn() -> Refused,
) -> Result<Sandbox, Refused> {
    let found = Netns::new(&netns);
    let cannot = |error: NetnsError| {
        let remedy = match &error {
            NetnsError::Gone { .. } | NetnsError::NotANamespace { .. } => {
                ": `ip netns` lists those that are there"
            }
            _ => "",
        };
        Refused::other(format!("{name}: {}{remedy}", Refused::because(&error)))
    };
    if found.is_own().map_err(cannot)? {
        return Err(host_network());
    }
    let inode = found.identity().map_err(cannot)?.inode();
    Ok(Sandbox { owner, netns, inode, pid })
}

fn shares(name: &str) -> Refused {
    Refused::other(format!("{name} is this host's own network namespace: give a container's"))
}
