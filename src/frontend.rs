//! From an intent to a change: looks containers up, makes bridges and tunnels, and asks the reconciler for the rest.
//!
//! The same code serves a command that does the work itself and the daemon.

mod bridges;
mod lookup;
mod policy;
mod undo;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt, TryStreamExt};
use ipnet::IpNet;
use tokio::sync::{mpsc, watch};

use crate::docker::Docker;
use crate::intent::{AddPort, Intent};
use crate::model::{Attachment, ContainerRef, LinkName, Owner, Sandbox, Vlan};
use crate::reconciler::{Change, Handle, Outcome, Progress, Selected, Shells};
use crate::refused::Refused;

pub use lookup::{attachments_of, is_there, look_up, sandbox_of};

/// How many containers are looked up at once: dockerd answers them in parallel, a few at a time.
const LOOKUPS_AT_ONCE: usize = 16;

/// Takes intents.
#[derive(Clone, Debug)]
pub struct Frontend {
    shells: Shells,
    docker: Docker,
    reconciler: Handle,
    /// True when the user wants no more of it.
    interrupted: Option<watch::Receiver<bool>>,
}

impl Frontend {
    /// A frontend of this reconciler.
    pub fn new(shells: Shells, docker: Docker, reconciler: Handle) -> Self {
        Self { shells, docker, reconciler, interrupted: None }
    }

    /// The same, but giving up and undoing when this turns true.
    #[must_use]
    pub fn interruptible(self, interrupted: watch::Receiver<bool>) -> Self {
        Self { interrupted: Some(interrupted), ..self }
    }

    /// Has it be noticed at once that the user was interrupted.
    pub async fn wake(&self) {
        self.reconciler.wake().await;
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
        // A database that is just starting again is worth waiting for, and until then what is known of it is old.
        self.unless_interrupted(self.shells.database.connected(deadline)).await??;
        if !self.unless_interrupted(self.reconciler.rules(deadline)).await? {
            return Err(self.shells.database.locked());
        }
        let change = match intent {
            Intent::AddPorts { ports } => {
                self.check_vswitchd(ports.iter().filter_map(|port| port.bridge.as_ref())).await?;
                self.check_host_addresses(&ports).await?;
                Change::Attach(self.looked_up(self.attachments(ports), deadline).await??)
            }
            Intent::DelPort { bridge, interface, container } => {
                let selected = self.selected(bridge, Some(interface), vec![container], deadline);
                Change::Detach(self.unless_interrupted(selected).await?)
            }
            Intent::DelPorts { bridge, containers } => {
                let selected = self.selected(bridge, None, containers, deadline);
                Change::Detach(self.unless_interrupted(selected).await?)
            }
            Intent::SetVlan { bridge, interface, container, vlan } => {
                let sandbox = self.looked_up(look_up(&self.docker, &container), deadline).await??;
                let containers = vec![(container, Some(sandbox.owner.clone()))];
                Change::SetVlan(Selected { bridge, interface: Some(interface), containers }, vlan, sandbox)
            }
            Intent::AddBr(asked) => return self.add_br(asked.into(), deadline).await,
            Intent::DelBr { bridge } => return self.del_br(&bridge, deadline).await,
            Intent::Adopt { bridge } => return self.adopt(bridge, deadline).await,
            Intent::SetIcc { bridge, vlan, icc } => return self.set_icc(bridge, vlan, icc, deadline).await,
            Intent::Allow { bridge, rule } => return self.set_rule(bridge, &rule, true, deadline).await,
            Intent::Disallow { bridge, rule } => return self.set_rule(bridge, &rule, false, deadline).await,
            Intent::AddTunnel(asked) => {
                let (bridge, tunnel) = asked.into_tunnel();
                return self.add_tunnel(bridge, tunnel, deadline).await;
            }
        };
        self.ask(change, deadline, progress).await
    }

    /// Asks the reconciler. A caller who leaves is noticed there, and what was made for it is undone; a command that is
    /// interrupted waits for that.
    async fn ask(
        &self,
        change: Change,
        deadline: Instant,
        progress: mpsc::Sender<Progress>,
    ) -> Result<Outcome, Refused> {
        self.unless_interrupted(std::future::ready(())).await?;
        self.reconciler.ask(change, deadline, progress, self.interrupted.clone()).await
    }

    /// What comes of `work`, unless the user interrupts it; it changes nothing that would have to be undone.
    async fn unless_interrupted<T>(&self, work: impl Future<Output = T>) -> Result<T, Refused> {
        let interrupted = async {
            match self.interrupted.clone().as_mut() {
                // Nobody is left who could interrupt.
                Some(interrupted) => drop(interrupted.wait_for(|interrupted| *interrupted).await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = interrupted => Err(Refused::interrupted()),
            done = work => Ok(done),
        }
    }

    /// What comes of looking containers up, unless Docker lets us wait until the deadline.
    async fn looked_up<T>(&self, look_up: impl Future<Output = T>, deadline: Instant) -> Result<T, Refused> {
        let looked_up = tokio::time::timeout_at(deadline.into(), look_up);
        self.unless_interrupted(looked_up).await?.map_err(|_| {
            Refused::other(
                "timed out (--timeout gives longer): Docker has not answered: \
                 does it hang? see `systemctl status docker`",
            )
        })
    }

    async fn attachments(&self, ports: Vec<AddPort>) -> Result<Vec<(Attachment, Sandbox)>, Refused> {
        let lookups = ports.into_iter().map(|port| attachment(self.docker.clone(), port));
        stream::iter(lookups).buffered(LOOKUPS_AT_ONCE).try_collect().await
    }

    /// Containers that are gone cannot be looked up, nor any when Docker hangs, but their ports can still be taken away by
    /// name: half of the time is left for that.
    async fn selected(
        &self,
        bridge: LinkName,
        interface: Option<LinkName>,
        containers: Vec<ContainerRef>,
        deadline: Instant,
    ) -> Selected {
        let now = Instant::now();
        let until = now + deadline.saturating_duration_since(now) / 2;
        let lookups =
            containers.into_iter().map(|container| with_owner(self.docker.clone(), container, until));
        let containers = stream::iter(lookups).buffered(LOOKUPS_AT_ONCE).collect().await;
        Selected { bridge, interface, containers }
    }

    /// Says at once what would otherwise take until the deadline to find out.
    async fn check_vswitchd<'a>(&self, bridges: impl Iterator<Item = &'a LinkName>) -> Result<(), Refused> {
        let mut checked: Vec<&LinkName> = Vec::new();
        for bridge in bridges {
            if !checked.contains(&bridge) && self.shells.database.has_bridge(bridge) {
                checked.push(bridge);
                let socket = crate::place::management_socket(&self.shells.rundir, bridge.as_str());
                match tokio::net::UnixStream::connect(&socket).await {
                    // One whose queue is full is there, only busy: the deadline tells.
                    Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => {
                        return Err(no_vswitchd(&socket, &error));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

impl Frontend {
    /// No container gets an address that this host has on the same bridge.
    async fn check_host_addresses(&self, ports: &[AddPort]) -> Result<(), Refused> {
        let mut of_bridges: BTreeMap<&LinkName, Vec<IpNet>> = BTreeMap::new();
        for port in ports.iter().filter(|port| port.vlan == Vlan::UNTAGGED) {
            let Some(bridge) = &port.bridge else { continue };
            if !of_bridges.contains_key(bridge) {
                // A bridge without a link has no addresses.
                let addresses = self.shells.netlink.addresses(bridge.as_str()).await.unwrap_or_default();
                of_bridges.insert(bridge, addresses);
            }
            let taken =
                |address: &&IpNet| of_bridges[bridge].iter().any(|of_host| of_host.addr() == address.addr());
            if let Some(address) = port.ipaddress.iter().find(taken) {
                return Err(Refused::other(format!(
                    "address {} is this host's own on {bridge}: choose another",
                    address.addr()
                )));
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
async fn with_owner(
    docker: Docker,
    container: ContainerRef,
    until: Instant,
) -> (ContainerRef, Option<Owner>) {
    let owner = match &container {
        ContainerRef::Docker(name) => {
            let found = tokio::time::timeout_at(until.into(), docker.container(name)).await;
            found.ok().and_then(Result::ok).map(|found| Owner::from(found.id.as_str()))
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
