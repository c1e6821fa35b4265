//! Rows of the `Open_vSwitch` database that are missing, wrong, or nobody's any more.

use std::sync::Arc;

use crate::model::{Attachment, EndpointId, LinkName};

use crate::state::{Desired, Observed, PortRow, RowEffect, Scope};

use super::PortNumbers;

/// The change of a managed bridge's row when somebody has Open vSwitch forward on it by itself. A command leaves that to
/// the daemon: the switch drops all flow entries for it, and a command installs none but its own again.
pub fn bridge_row(desired: &Desired, observed: &Observed, bridge: &LinkName) -> Option<RowEffect> {
    let row = observed.bridges.get(bridge).filter(|row| row.managed && !row.secure)?;
    matches!(desired.scope, Scope::Everything)
        .then(|| RowEffect::Secure { bridge: bridge.clone(), row: row.row })
}

/// The changes of the endpoint's rows that this round can begin, a new port with one of the `numbers`.
pub fn rows(
    desired: &Desired,
    observed: &Observed,
    endpoint: EndpointId,
    numbers: &mut PortNumbers,
) -> impl Iterator<Item = RowEffect> + use<> {
    let row = observed.ports.get(&endpoint);
    let change = match desired.wanted(endpoint, observed) {
        Some(attachment) => of_wanted(observed, endpoint, attachment, numbers),
        None => row
            .filter(|row| desired.unwanted(endpoint, observed) && !observed.flows_first(endpoint, row))
            .and_then(|row| del(observed, endpoint, row)),
    };
    let on_record = observed.records.as_ref().is_none_or(|records| records.contains_key(&endpoint));
    let off_record = !on_record && !desired.attachments.contains_key(&endpoint);
    let forgotten = observed.detached.contains(&endpoint) && off_record;
    change.into_iter().chain(forgotten.then_some(RowEffect::ForgetDetached(endpoint)))
}

fn of_wanted(
    observed: &Observed,
    endpoint: EndpointId,
    attachment: &Arc<Attachment>,
    numbers: &mut PortNumbers,
) -> Option<RowEffect> {
    // A row that says so, of what is not on record, was on its way out when a daemon died. Who asks for a new one has its
    // answer when both are there.
    let recorded = observed.records.is_some();
    let on_record = observed.records.as_ref().is_some_and(|records| records.contains_key(&endpoint));
    let bridge = observed.bridges.get(&attachment.bridge)?;
    match observed.ports.get(&endpoint) {
        // ovs-vswitchd cannot open a device that is not there yet.
        None if observed.links.get(&endpoint).is_none_or(|link| link.leftover) => None,
        None => Some(RowEffect::AddPort {
            attachment: Arc::clone(attachment),
            bridge: bridge.row,
            ofport_request: numbers.next(observed, &attachment.bridge),
            recorded,
        }),
        Some(row) if row.bridge != attachment.bridge => del(observed, endpoint, row),
        Some(row)
            if !observed.links.contains_key(&endpoint)
                && (row.error.is_some() || runs(observed, attachment)) =>
        {
            del(observed, endpoint, row)
        }
        Some(row)
            if !same_marks(&row.attachment, attachment)
                || (on_record && !row.recorded && is_own(attachment)) =>
        {
            Some(RowEffect::SetPort {
                attachment: Arc::clone(attachment),
                port: row.port,
                interface: row.interface,
                recorded: on_record,
            })
        }
        Some(_) => None,
    }
}

/// Whether the container is known to run, so that its link can be made.
fn runs(observed: &Observed, attachment: &Attachment) -> bool {
    observed.running.get(&attachment.owner).is_some_and(|sandbox| !sandbox.is_presumed())
}

/// Rows made by another tool hold less than we know of them, and stay as they are but for the network.
pub(super) fn same_marks(marked: &Arc<Attachment>, wanted: &Arc<Attachment>) -> bool {
    marked == wanted || (!is_own(wanted) && marked.vlan == wanted.vlan)
}

/// Whether the port was made by Flowport.
fn is_own(attachment: &Attachment) -> bool {
    attachment.host_link == attachment.endpoint().host_link()
}

fn del(observed: &Observed, endpoint: EndpointId, row: &PortRow) -> Option<RowEffect> {
    let bridge = observed.bridges.get(&row.bridge)?;
    let detached = (row.recorded && observed.records.is_none()).then_some(endpoint);
    Some(RowEffect::DelPort { bridge: bridge.row, port: row.port, detached })
}
