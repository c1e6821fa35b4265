//! From an intent to a change: looks containers up, makes bridges and tunnels, and asks the reconciler for the rest.
//!
//! The same code serves a command that does the work itself and the daemon.

mod bridges;
mod lookup;

use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio::sync::mpsc;

use crate::docker::Docker;
use crate::intent::{AddPort, Intent};
use crate::model::{Attachment, ContainerRef, LinkName, Owner, Sandbox};
use crate::reconciler::{Change, Handle, Outcome, Progress, Refused, Selected, Shells};

pub use lookup::{is_there, look_up, sandbox_of};

/// How many containers are looked up at once: dockerd answers them in parallel, a few at a time.
const LOOKUPS_AT_ONCE: usize = 16;

/// Takes intents.
#[derive(Clone, Debug)]
pub struct Frontend {
    shells: Shells,
    docker: Docker,
    reconciler: Handle,
}

impl Frontend {
    /// A frontend of this reconciler.
    pub fn new(shells: Shells, docker: Docker, reconciler: Handle) -> Self {
        Self { shells, docker, reconciler }
    }

    /// Carries the intent out and waits until it has converged.
    ///
    /// # Errors
    ///
    /// It makes no sense, contradicts what is there, or did not converge in time; nothing of it is left then.
    pub async fn carry_out(
        &self,
        intent: Intent,
        timeout: Duration,
        progress: mpsc::Sender<Progress>,
    ) -> Result<Outcome, Refused> {
        let deadline = Instant::now() + timeout;
        let change = match intent {
            Intent::AddPorts { ports } => {
                self.check_vswitchd(ports.iter().filter_map(|port| port.bridge.as_ref()))?;
                Change::Attach(self.attachments(ports).await?)
            }
            Intent::DelPort { bridge, interface, container } => {
                Change::Detach(self.selected(bridge, Some(interface), vec![container]).await)
            }
            Intent::DelPorts { bridge, containers } => {
                Change::Detach(self.selected(bridge, None, containers).await)
            }
            Intent::SetVlan { bridge, interface, container, vlan } => {
                let sandbox = look_up(&self.docker, &container).await?;
                let containers = vec![(container, Some(sandbox.owner.clone()))];
                Change::SetVlan(Selected { bridge, interface: Some(interface), containers }, vlan, sandbox)
            }
            Intent::AddBr(asked) => return self.add_br(asked.into(), deadline).await,
            Intent::DelBr { bridge } => return self.del_br(&bridge, deadline).await,
            Intent::Adopt { bridge } => return self.adopt(bridge, deadline).await,
            Intent::AddTunnel(asked) => {
                let (bridge, tunnel) = asked.into_tunnel();
                return self.add_tunnel(bridge, tunnel, deadline).await;
            }
        };
        self.reconciler.ask(change, deadline, progress).await
    }

    async fn attachments(&self, ports: Vec<AddPort>) -> Result<Vec<(Attachment, Sandbox)>, Refused> {
        let lookups = ports.into_iter().map(|port| attachment(self.docker.clone(), port));
        stream::iter(lookups).buffered(LOOKUPS_AT_ONCE).try_collect().await
    }

    /// Containers that are gone cannot be looked up, but their ports can still be taken away by name.
    async fn selected(
        &self,
        bridge: LinkName,
        interface: Option<LinkName>,
        containers: Vec<ContainerRef>,
    ) -> Selected {
        let lookups = containers.into_iter().map(|container| with_owner(self.docker.clone(), container));
        let containers = stream::iter(lookups).buffered(LOOKUPS_AT_ONCE).collect().await;
        Selected { bridge, interface, containers }
    }

    /// Says at once what would otherwise take until the deadline to find out.
    fn check_vswitchd<'a>(&self, bridges: impl Iterator<Item = &'a LinkName>) -> Result<(), Refused> {
        let mut checked: Vec<&LinkName> = Vec::new();
        for bridge in bridges {
            if !checked.contains(&bridge) && self.shells.database.has_bridge(bridge) {
                checked.push(bridge);
                let socket = crate::place::management_socket(&self.shells.rundir, bridge.as_str());
                if let Err(error) = std::os::unix::net::UnixStream::connect(&socket) {
                    return Err(no_vswitchd(&socket, &error));
                }
            }
        }
        Ok(())
    }
}

async fn attachment(docker: Docker, port: AddPort) -> Result<(Attachment, Sandbox), Refused> {
    let bridge = port.bridge.clone().ok_or_else(|| {
        Refused::other(format!("{} of {} names no bridge: give one", port.interface, port.container))
    })?;
    let sandbox = look_up(&docker, &port.container).await?;
    Ok((port.into_attachment(bridge, sandbox.owner.clone())?, sandbox))
}

/// Whose container it is, if that can be told without its running.
async fn with_owner(docker: Docker, container: ContainerRef) -> (ContainerRef, Option<Owner>) {
    let owner = match &container {
        ContainerRef::Docker(name) => {
            docker.container(name).await.ok().map(|found| Owner::from(found.id.as_str()))
        }
        ContainerRef::Netns(path) => Some(Owner::netns(path)),
        ContainerRef::Pid(_) => None,
    };
    (container, owner)
}

fn no_vswitchd(socket: &std::path::Path, error: &std::io::Error) -> Refused {
    if error.kind() == std::io::ErrorKind::PermissionDenied {
        return Refused::other(format!("permission denied on {}: run as root", socket.display()));
    }
    Refused::other(format!(
        "ovs-vswitchd is not running (no answer on {}): start it with `systemctl start openvswitch-switch`",
        socket.display()
    ))
}
