//! Rows of the `Open_vSwitch` database that are missing, wrong, or nobody's any more.

use std::sync::Arc;

use flowport_ovsdb::Uuid;

use crate::model::{Attachment, EndpointId};

use super::{Desired, Observed, PortRow};

/// A change for ovsdb-server; those of one round go in one transaction.
#[derive(Clone, Debug, PartialEq)]
pub enum RowEffect {
    /// Insert the Port and Interface rows, with the marks.
    AddPort {
        /// What they are marked with.
        attachment: Arc<Attachment>,
        /// The bridge that gets the port.
        bridge: Uuid,
    },
    /// Write the network and the marks anew.
    SetPort {
        /// What the rows are to be marked with.
        attachment: Arc<Attachment>,
        /// The row of table `Port`.
        port: Uuid,
        /// The row of table `Interface`.
        interface: Uuid,
    },
    /// Take the port out of its bridge, which drops its rows.
    DelPort {
        /// The bridge that has it.
        bridge: Uuid,
        /// The row of table `Port`.
        port: Uuid,
    },
}

impl RowEffect {
    /// The endpoint whose rows it writes.
    pub fn endpoint(&self) -> Option<EndpointId> {
        match self {
            Self::AddPort { attachment, .. } | Self::SetPort { attachment, .. } => {
                Some(attachment.endpoint())
            }
            Self::DelPort { .. } => None,
        }
    }
}

/// The changes of rows that this round can begin.
pub fn rows(desired: &Desired, observed: &Observed) -> Vec<RowEffect> {
    let adds = desired.wanted(observed).filter_map(|(endpoint, attachment)| {
        let bridge = observed.bridges.get(&attachment.bridge)?;
        match observed.ports.get(&endpoint) {
            // ovs-vswitchd cannot open a device that is not there yet.
            None if observed.links.get(&endpoint).is_none_or(|link| link.leftover) => None,
            None => Some(RowEffect::AddPort { attachment: Arc::clone(attachment), bridge: bridge.row }),
            Some(row) if row.bridge != attachment.bridge => del(observed, row),
            Some(row) if row.error.is_some() && !observed.links.contains_key(&endpoint) => del(observed, row),
            Some(row) if !same_marks(&row.attachment, attachment) => Some(RowEffect::SetPort {
                attachment: Arc::clone(attachment),
                port: row.port,
                interface: row.interface,
            }),
            Some(_) => None,
        }
    });
    let dels = observed
        .ports
        .iter()
        .filter(|(endpoint, row)| {
            desired.unwanted(**endpoint, observed) && !observed.flows_first(**endpoint, row)
        })
        .filter_map(|(_, row)| del(observed, row));
    adds.chain(dels).collect()
}

/// Rows made by another tool hold less than we know of them, and stay as they are but for the network.
fn same_marks(marked: &Attachment, wanted: &Attachment) -> bool {
    marked == wanted || (wanted.host_link != wanted.endpoint().host_link() && marked.vlan == wanted.vlan)
}

fn del(observed: &Observed, row: &PortRow) -> Option<RowEffect> {
    let bridge = observed.bridges.get(&row.bridge)?;
    Some(RowEffect::DelPort { bridge: bridge.row, port: row.port })
}
