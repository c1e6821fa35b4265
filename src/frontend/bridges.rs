//! Bridges and tunnels: rows that Open vSwitch itself keeps true once they are there.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use futures_util::stream::{self, StreamExt};
use tokio::sync::mpsc;

use crate::docker::Docker;
use crate::model::{BridgeSpec, LinkName, Owner, Remote, Sandbox, Tunnel};
use crate::openflow::ForeignFlows;
use crate::ovsdb::{Database, TakenUp};
use crate::reconciler::{Change, Outcome};
use crate::refused::Refused;

use super::undo::UNDO_TIME;
use super::{Frontend, LOOKUPS_AT_ONCE, sandbox_of};

impl Frontend {
    pub(super) async fn add_br(&self, spec: BridgeSpec, deadline: Instant) -> Result<Outcome, Refused> {
        let name = &spec.name;
        let database = &self.shells.database;
        if database.has_bridge(name) {
            return Err(Refused::other(format!(
                "bridge {name} exists already: choose another name, or `flowport adopt {name}`"
            )));
        }
        if self.shells.netlink.link(name.as_str()).await?.is_some() {
            return Err(Refused::other(format!(
                "{name} is a link of this host already: choose another name for the bridge"
            )));
        }
        if let Some(uplink) = &spec.uplink {
            self.check_uplink(uplink).await?;
        }
        let made = database.add_bridge(&spec).await;
        let finish = async |revision| self.finish_bridge(&spec, revision, deadline).await;
        let name = name.clone();
        let undo = move |database: Database| {
            let name = name.clone();
            async move { database.del_bridge(&name).await.map(drop) }
        };
        self.finish_or_undo(made, finish, undo).await
    }

    async fn finish_bridge(
        &self,
        spec: &BridgeSpec,
        revision: i64,
        deadline: Instant,
    ) -> Result<Outcome, Refused> {
        self.bridge_taken_up(&spec.name, revision, deadline).await?;
        if let Some(uplink) = &spec.uplink {
            self.port_taken_up(uplink, revision, deadline).await?;
        }
        let (progress, _) = mpsc::channel(1);
        let change = Change::Finish(spec.name.clone());
        self.reconciler.ask(change, deadline, progress, self.interrupted.clone()).await
    }

    pub(super) async fn del_br(&self, name: &LinkName, deadline: Instant) -> Result<Outcome, Refused> {
        let database = &self.shells.database;
        let rows = database.rows();
        let bridge = rows.bridges.get(name).ok_or_else(|| Refused::no_such_bridge(name))?;
        if !bridge.made {
            return Err(Refused::other(format!(
                "bridge {name} was not made by Flowport: if it may go, `ovs-vsctl del-br {name}`"
            )));
        }
        // Without ovs-vswitchd the bridge's links would stay, and be nobody's.
        self.check_vswitchd([name].into_iter()).await?;
        let attached = self.reconciler.attached_to(name.clone()).await;
        if attached > 0 {
            return Err(Refused::other(format!(
                "bridge {name} has {attached} ports of containers, stopped ones included: \
                 detach them first with `flowport del-ports {name} --all`"
            )));
        }
        let revision = database.del_bridge(name).await?;
        match database.taken_up(None, revision, deadline).await {
            TakenUp::Yes | TakenUp::Failed(_) => Ok(Outcome::default()),
            TakenUp::Late => Err(late(name)),
        }
    }

    pub(super) async fn adopt(&self, name: LinkName, deadline: Instant) -> Result<Outcome, Refused> {
        let database = &self.shells.database;
        let rows = database.rows();
        let bridge = rows.bridges.get(&name).ok_or_else(|| Refused::no_such_bridge(&name))?;
        if !bridge.managed {
            if let Some(bond) = bridge.bonds.first() {
                return Err(has_bond(&name, bond));
            }
            self.check_vswitchd([&name].into_iter()).await?;
            let foreign = Arc::new(self.foreign_flows(&name, deadline).await?);
            let (revision, before) = database.adopt_bridge(bridge.row, deadline).await?;
            // The flow entries go in only when the switch has dropped its own for the changed fail mode.
            let finish = async |revision| {
                self.put_back(&foreign, &name, revision, deadline).await?;
                self.fit(name.clone(), None, deadline).await
            };
            // It would forward nothing: better as it was.
            let (frontend, row) = (self.clone(), bridge.row);
            let as_it_was = (Arc::clone(&foreign), name.clone(), before);
            let undo = move |database: Database| {
                let (frontend, (foreign, name, before)) = (frontend.clone(), as_it_was.clone());
                async move {
                    let revision = database.give_bridge_back(row, before).await?;
                    // They may not be taken any more; the bridge is as it was all the same.
                    if let Err(refused) =
                        frontend.put_back(&foreign, &name, revision, Instant::now() + UNDO_TIME / 2).await
                    {
                        tracing::warn!("{refused}");
                    }
                    Ok(())
                }
            };
            return self.finish_or_undo(Ok(revision), finish, undo).await;
        }
        self.settle(name, deadline).await
    }

    /// The flow entries of others, which Open vSwitch drops when the fail mode changes.
    async fn foreign_flows(&self, name: &LinkName, deadline: Instant) -> Result<ForeignFlows, Refused> {
        let read = ForeignFlows::read(&self.shells.rundir, name);
        match tokio::time::timeout_at(deadline.into(), read).await {
            Ok(Ok(foreign)) => Ok(foreign),
            Ok(Err(error)) => Err(Refused::other(format!(
                "the flow entries of {name} cannot be read, and would be lost: {error}; \
                 does the bridge speak OpenFlow 1.3? see `ovs-vsctl get bridge {name} protocols`"
            ))),
            Err(_) => Err(late(name)),
        }
    }

    /// Has them there again when the switch has changed the bridge.
    async fn put_back(
        &self,
        foreign: &ForeignFlows,
        name: &LinkName,
        revision: i64,
        deadline: Instant,
    ) -> Result<(), Refused> {
        if let TakenUp::Late = self.shells.database.taken_up(None, revision, deadline).await {
            return Err(late(name));
        }
        match tokio::time::timeout_at(deadline.into(), foreign.put_back(&self.shells.rundir, name)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => {
                Err(Refused::other(format!("the flow entries that {name} had cannot be put back: {error}")))
            }
            Err(_) => Err(late(name)),
        }
    }

    pub(super) async fn add_tunnel(
        &self,
        bridge: LinkName,
        tunnel: Tunnel,
        deadline: Instant,
    ) -> Result<Outcome, Refused> {
        let database = &self.shells.database;
        let rows = database.rows();
        let row = rows.bridges.get(&bridge).ok_or_else(|| Refused::no_such_bridge(&bridge))?;
        if database.has_port(tunnel.name.as_str()) {
            return Err(Refused::other(format!(
                "port {} exists already: choose another name for the tunnel",
                tunnel.name
            )));
        }
        let underlay = match tunnel.remote {
            Remote::Ip(ip) => self.check_remote(ip, &tunnel).await?.map(|mtu| (ip, mtu)),
            Remote::Flow if row.managed => {
                return Err(Refused::other(format!(
                    "remote=flow needs flow entries that name the hosts, and {bridge} is Flowport's own: give --remote=IP"
                )));
            }
            Remote::Flow => None,
        };
        self.check_vswitchd([&bridge].into_iter()).await?;
        let made = database.add_tunnel(row.row, &tunnel).await;
        let finish = async |revision| {
            self.port_taken_up(&tunnel.name, revision, deadline).await?;
            self.fit(bridge, underlay, deadline).await
        };
        let (bridge_row, name) = (row.row, tunnel.name.clone());
        let undo = move |database: Database| {
            let name = name.clone();
            async move { database.del_port(bridge_row, name.as_str()).await }
        };
        self.finish_or_undo(made, finish, undo).await
    }

    async fn check_uplink(&self, uplink: &LinkName) -> Result<(), Refused> {
        let netlink = &self.shells.netlink;
        if netlink.link(uplink.as_str()).await?.is_none() {
            return Err(Refused::other(format!(
                "uplink {uplink} does not exist: `ip link` lists the links of this host"
            )));
        }
        if self.shells.database.has_port(uplink.as_str()) {
            return Err(Refused::other(format!(
                "uplink {uplink} is a port of a bridge already: take it out first with `ovs-vsctl del-port {uplink}`"
            )));
        }
        let addresses = netlink.addresses(uplink.as_str()).await?;
        let link_local = |ip: IpAddr| matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
        match addresses.iter().find(|address| !link_local(address.addr())) {
            None => Ok(()),
            Some(address) => Err(Refused::other(format!(
                "uplink {uplink} carries {address}, which would be cut off: \
                 take it off with `ip address del {address} dev {uplink}` and give it to the bridge with --address"
            ))),
        }
    }

    /// The MTU of the way to the remote in bytes, if there is one. A tunnel to this host itself would loop.
    async fn check_remote(&self, remote: IpAddr, tunnel: &Tunnel) -> Result<Option<u32>, Refused> {
        let route = self.shells.netlink.route_to(remote).await.ok().flatten();
        if route.as_ref().is_some_and(|path| path.link.name == "lo") {
            return Err(Refused::other(format!(
                "remote {remote} of tunnel {} is an address of this host: give the other host's",
                tunnel.name
            )));
        }
        Ok(route.map(|path| path.mtu))
    }

    async fn bridge_taken_up(
        &self,
        name: &LinkName,
        revision: i64,
        deadline: Instant,
    ) -> Result<(), Refused> {
        let taken_up = self.shells.database.taken_up(Some(name.as_str()), revision, deadline);
        match self.unless_interrupted(taken_up).await? {
            TakenUp::Yes => Ok(()),
            TakenUp::Late => Err(late(name)),
            TakenUp::Failed(why) => Err(Refused::other(format!(
                "ovs-vswitchd could not make bridge {name}{}: without the kernel's openvswitch module use --datapath=netdev",
                why.map(|why| format!(" ({why})")).unwrap_or_default()
            ))),
        }
    }

    async fn port_taken_up(&self, name: &LinkName, revision: i64, deadline: Instant) -> Result<(), Refused> {
        let taken_up = self.shells.database.taken_up(Some(name.as_str()), revision, deadline);
        match self.unless_interrupted(taken_up).await? {
            TakenUp::Yes => Ok(()),
            TakenUp::Late => Err(late(name)),
            TakenUp::Failed(why) => Err(Refused::other(format!(
                "ovs-vswitchd could not make port {name}: {}",
                why.unwrap_or_else(|| "see its log in /var/log/openvswitch".into())
            ))),
        }
    }

    /// Waits until the bridge forwards as it should, also for the containers that are on it already, and what these send
    /// fits into its new tunnel, if it has one.
    async fn fit(
        &self,
        bridge: LinkName,
        underlay: Option<(IpAddr, u32)>,
        deadline: Instant,
    ) -> Result<Outcome, Refused> {
        let rows = self.shells.database.rows();
        let owners: BTreeSet<Owner> = rows
            .ports
            .values()
            .filter(|row| row.bridge == bridge)
            .map(|row| row.attachment.owner.clone())
            .collect();
        let lookups = owners.into_iter().map(|owner| running(self.docker.clone(), owner));
        let sandboxes =
            stream::iter(lookups).buffered(LOOKUPS_AT_ONCE).filter_map(std::future::ready).collect();
        let sandboxes = self.looked_up(sandboxes, deadline).await?;
        let (progress, _) = mpsc::channel(1);
        let change = Change::Fit { bridge, sandboxes, underlay };
        self.reconciler.ask(change, deadline, progress, self.interrupted.clone()).await?;
        Ok(Outcome::default())
    }

    /// Waits until the bridge, if it is managed, forwards as it should.
    pub(super) async fn settle(&self, bridge: LinkName, deadline: Instant) -> Result<Outcome, Refused> {
        let (progress, _) = mpsc::channel(1);
        self.reconciler.ask(Change::Settle(bridge), deadline, progress, self.interrupted.clone()).await
    }
}

fn has_bond(bridge: &LinkName, bond: &str) -> Refused {
    Refused::other(format!(
        "port {bond} of {bridge} is a bond, over which only Open vSwitch's own forwarding goes: \
         make it a bond of the kernel (`ip link add NAME type bond`) and put that one link into {bridge}, \
         or take it out with `ovs-vsctl del-port {bridge} {bond}`"
    ))
}

fn late(name: &LinkName) -> Refused {
    Refused::other(format!(
        "timed out: ovs-vswitchd has not taken up {name}: is it running? see `systemctl status openvswitch-switch`"
    ))
}

/// The sandbox of a container that is known by its identity, if it runs and can be found.
async fn running(docker: Docker, owner: Owner) -> Option<Sandbox> {
    let pid = if owner.is_docker() { docker.container(owner.as_str()).await.ok()?.pid } else { None };
    sandbox_of(&owner, pid).ok().flatten()
}
