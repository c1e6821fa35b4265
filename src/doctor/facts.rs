//! What was seen of this host, as the checks take it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use flowport_openflow::FlowStats;
use ipnet::IpNet;

use crate::docker::EngineInfo;
use crate::model::{EndpointId, Mac, Owner};
use crate::netlink::{Link, LinkAddress, Path, TableRoute};
use crate::ovsdb::{Survey, SurveyedBridge};

/// Everything that was seen.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The daemon.
    pub daemon: DaemonSeen,
    /// Open vSwitch.
    pub ovs: OvsSeen,
    /// The Docker Engine.
    pub docker: EngineSeen,
    /// The containers that have ports.
    pub containers: BTreeMap<Owner, Container>,
    /// The links of this host.
    pub links: Vec<Link>,
    /// Their addresses.
    pub addresses: Vec<LinkAddress>,
    /// The routes of this host.
    pub routes: Vec<TableRoute>,
    /// The way to the remote of each tunnel; none where there is no route.
    pub paths: BTreeMap<IpAddr, Option<Path>>,
    /// Whether this host routes.
    pub forwarding: Forwarding,
    /// The interfaces inside the containers that run.
    pub inside: BTreeMap<EndpointId, Inside>,
    /// Table 0 of each managed bridge that answered.
    pub classify: BTreeMap<String, Vec<FlowStats>>,
}

/// What was seen of the daemon.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DaemonSeen {
    /// There is none.
    #[default]
    Absent,
    /// It answers.
    Answers {
        /// Whether its program was replaced since it was started.
        outdated: bool,
        /// Whether it changes nothing, since it does not hold the lock of the database.
        passive: bool,
    },
    /// Its socket is there and nobody listens.
    Dead {
        /// The socket.
        socket: String,
    },
    /// It has the socket open and says nothing.
    Silent {
        /// The socket.
        socket: String,
    },
    /// This user may not ask.
    Denied {
        /// The socket.
        socket: String,
    },
}

/// What was seen of Open vSwitch.
#[derive(Clone, Debug)]
pub struct OvsSeen {
    /// The database, or the line that says why it cannot be read.
    pub database: Result<Survey, String>,
    /// ovs-vswitchd, or the line that says why it does not answer.
    pub vswitchd: Result<VswitchdSeen, String>,
    /// Whether the kernel has the datapath (`/sys/module/openvswitch`).
    pub kernel_module: bool,
}

impl Default for OvsSeen {
    fn default() -> Self {
        Self { database: Ok(Survey::default()), vswitchd: Ok(VswitchdSeen::default()), kernel_module: false }
    }
}

/// A running ovs-vswitchd.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VswitchdSeen {
    /// Its version, as `3.1.0`.
    pub version: String,
    /// What the kernel tells of the process; nothing when it may not be seen.
    pub process: Option<Process>,
}

/// What `/proc` tells of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// How many of its threads are called `handler` and a number.
    pub handlers: usize,
    /// How many files it has open.
    pub open_files: u64,
    /// How many it may have open; none when that is not limited.
    pub most_open_files: Option<u64>,
}

/// What was seen of the Docker Engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum EngineSeen {
    /// It was not looked for, or there is none.
    #[default]
    Absent,
    /// It answers.
    Answers(EngineInfo),
    /// It should answer and does not; the line that says why.
    Fails(String),
}

/// A container that has ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// It runs.
    Runs,
    /// It is there and does not run.
    Stopped,
    /// There is no such container, namespace or process any more.
    Gone,
    /// It could not be found out.
    Unknown,
}

/// Whether this host routes between its links.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forwarding {
    /// `net.ipv4.ip_forward`.
    pub ipv4: bool,
    /// `net.ipv6.conf.all.forwarding`.
    pub ipv6: bool,
}

/// An interface inside a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inside {
    /// Whether there is one.
    pub exists: bool,
    /// Its MAC.
    pub mac: Option<Mac>,
    /// Its MTU in bytes.
    pub mtu: u32,
    /// Its addresses, link-local ones included.
    pub addresses: Vec<IpNet>,
    /// Whether it leaves checksums to its peer; none where that was not asked or not told.
    pub tx_checksum_offload: Option<bool>,
}

impl Facts {
    /// The bridges; none when the database cannot be read.
    pub fn bridges(&self) -> &[SurveyedBridge] {
        self.ovs.database.as_ref().map_or(&[], |survey| &survey.bridges)
    }

    /// The link of that name.
    pub fn link(&self, name: &str) -> Option<&Link> {
        self.links.iter().find(|link| link.name == name)
    }

    /// The name of the link with this index.
    pub fn link_name(&self, index: u32) -> Option<&str> {
        self.links.iter().find(|link| link.index == index).map(|link| link.name.as_str())
    }

    /// The addresses of the link of that name, without link-local ones.
    pub fn addresses_of(&self, name: &str) -> impl Iterator<Item = IpNet> {
        let index = self.link(name).map(|link| link.index);
        let own = self.addresses.iter().filter(move |found| Some(found.link) == index);
        own.map(|found| found.address).filter(|address| match address {
            IpNet::V4(address) => !address.addr().is_link_local(),
            IpNet::V6(address) => !address.addr().is_unicast_link_local(),
        })
    }

    /// The addresses of this host on a bridge: those of its local port and of its other internal ones.
    pub fn addresses_on(&self, bridge: &SurveyedBridge) -> Vec<IpNet> {
        let internal = bridge.ports.iter().filter(|port| port.kind == "internal");
        internal.flat_map(|port| self.addresses_of(&port.name)).collect()
    }
}
