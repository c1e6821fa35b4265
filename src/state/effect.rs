//! Effects: what takes what is observed nearer to what is desired, by who carries it out.

use std::collections::BTreeSet;
use std::sync::Arc;

use flowport_openflow::{Cookie, FlowKey, GroupId, MeterConfig, MeterId};
use flowport_ovsdb::Uuid;
use ipnet::IpNet;

use crate::model::{Attachment, EndpointId, LinkName, Sandbox};
use crate::pipeline::{Flow, Group};

/// A change for the kernel.
#[derive(Clone, Debug, PartialEq)]
pub enum LinkEffect {
    /// Make the veth, its inner end configured.
    Add {
        /// What it is to be.
        attachment: Arc<Attachment>,
        /// Where its inner end goes.
        sandbox: Sandbox,
        /// The MTU of both ends, in bytes.
        mtu: u32,
        /// Whether the inner end may leave checksums to its peer: a userspace datapath does not fill them in.
        tx_checksum_offload: bool,
    },
    /// Change the MTU of both ends.
    SetMtu {
        /// Whose link it is.
        attachment: Arc<Attachment>,
        /// Where its inner end is.
        sandbox: Sandbox,
        /// The MTU in bytes.
        mtu: u32,
    },
    /// Set up the host end, which somebody set down.
    SetUp(EndpointId),
    /// Delete the veth.
    Del(EndpointId),
}

impl LinkEffect {
    /// The endpoint whose link it changes.
    pub fn endpoint(&self) -> EndpointId {
        match self {
            Self::Add { attachment, .. } | Self::SetMtu { attachment, .. } => attachment.endpoint(),
            Self::SetUp(endpoint) | Self::Del(endpoint) => *endpoint,
        }
    }
}

/// A change for the kernel, of a link that a bridge needs: it is to be up, and to have these addresses beside its others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostLinkEffect {
    /// The link.
    pub link: LinkName,
    /// The addresses that it lacks.
    pub addresses: Vec<IpNet>,
}

/// A change for ovsdb-server; those of one round go in one transaction.
#[derive(Clone, Debug, PartialEq)]
pub enum RowEffect {
    /// Insert the Port and Interface rows, with the marks.
    AddPort {
        /// What they are marked with.
        attachment: Arc<Attachment>,
        /// The bridge that gets the port.
        bridge: Uuid,
        /// The OpenFlow port number that it is to have, if not one of ovs-vswitchd's choice.
        ofport_request: Option<u32>,
        /// Whether the marks are to say that the attachment is on record.
        recorded: bool,
    },
    /// Write the network and the marks anew.
    SetPort {
        /// What the rows are to be marked with.
        attachment: Arc<Attachment>,
        /// The row of table `Port`.
        port: Uuid,
        /// The row of table `Interface`.
        interface: Uuid,
        /// Whether the marks are to say that the attachment is on record.
        recorded: bool,
    },
    /// Take the port out of its bridge, which drops its rows.
    DelPort {
        /// The bridge that has it.
        bridge: Uuid,
        /// The row of table `Port`.
        port: Uuid,
        /// The endpoint, when a daemon that does not run now has it on record: it is to be told.
        detached: Option<EndpointId>,
    },
    /// Have nothing but flow entries forward on a managed bridge, and OpenFlow 1.3 be among what it speaks.
    Secure {
        /// The bridge's name.
        bridge: LinkName,
        /// Its row.
        row: Uuid,
    },
    /// What was detached while no daemon ran has been taken off the records.
    ForgetDetached(EndpointId),
}

impl RowEffect {
    /// The endpoint whose rows it writes.
    pub fn endpoint(&self) -> Option<EndpointId> {
        match self {
            Self::AddPort { attachment, .. } | Self::SetPort { attachment, .. } => {
                Some(attachment.endpoint())
            }
            Self::DelPort { .. } | Self::Secure { .. } | Self::ForgetDetached(_) => None,
        }
    }
}

/// A change of the records of this host.
#[derive(Clone, Debug, PartialEq)]
pub enum RecordEffect {
    /// Write the attachment, whether it is recorded already or not.
    Put(Arc<Attachment>),
    /// Forget it.
    Del(EndpointId),
}

/// Changes of one datapath, in the order in which they are to be made: meters and groups before the entries that name
/// them, and they go when no entry names them any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlowChanges {
    /// Meters to add.
    pub added_meters: Vec<MeterConfig>,
    /// Meters that have another rate from now on.
    pub modified_meters: Vec<MeterConfig>,
    /// Groups to add; a group comes after those that it names.
    pub added_groups: Vec<Group>,
    /// Groups to write anew.
    pub modified_groups: Vec<Group>,
    /// Endpoints of which no flow entry is to stay.
    pub deleted_endpoints: BTreeSet<EndpointId>,
    /// Other flow entries to delete, each with its cookie.
    pub deleted_flows: Vec<(FlowKey, Cookie)>,
    /// Flow entries to add, or to replace cookie and all.
    pub added_flows: Vec<Flow>,
    /// Flow entries that do something else from now on; their counters go on.
    pub modified_flows: Vec<Flow>,
    /// Groups to delete.
    pub deleted_groups: Vec<GroupId>,
    /// Meters to delete.
    pub deleted_meters: Vec<MeterId>,
}

impl FlowChanges {
    /// Whether nothing is to be changed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// How many changes they are that each is a message of the bundle: all but those of meters, which Open vSwitch does not
    /// take in one.
    pub fn len(&self) -> usize {
        let groups = self.added_groups.len() + self.modified_groups.len() + self.deleted_groups.len();
        let deleted = self.deleted_endpoints.len() + self.deleted_flows.len();
        groups + deleted + self.added_flows.len() + self.modified_flows.len()
    }

    /// The endpoints whose entries are changed.
    pub fn endpoints(&self) -> BTreeSet<EndpointId> {
        let deleted = self.deleted_flows.iter().map(|(_, cookie)| *cookie);
        let flows = self.added_flows.iter().chain(&self.modified_flows).map(|flow| flow.cookie);
        let some = deleted.chain(flows).filter_map(|cookie| EndpointId::from_cookie(cookie.0));
        some.chain(self.deleted_endpoints.iter().copied()).collect()
    }
}
