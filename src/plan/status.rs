//! How far an endpoint has come.

use crate::model::EndpointId;

use super::rows::same_marks;
use crate::state::{Desired, Observed};

/// How far what is observed of an endpoint is from what is desired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Nothing is left to do.
    Converged,
    /// Something is on its way: this, in words.
    Missing(String),
    /// ovs-vswitchd says that it cannot: its words.
    Failed(String),
}

/// The status of one endpoint; `flows_pending` tells whether its bridge still lacks flow changes.
pub fn status(desired: &Desired, observed: &Observed, endpoint: EndpointId, flows_pending: bool) -> Status {
    let missing = |what: String| Status::Missing(what);
    let recorded = observed.records.as_ref().map(|records| records.get(&endpoint));
    if recorded.is_some_and(|recorded| recorded != desired.attachments.get(&endpoint)) {
        return missing("it is not on record yet".into());
    }
    let Some(attachment) = desired.attachments.get(&endpoint).filter(|_| desired.wants(endpoint, observed))
    else {
        return match (observed.ports.get(&endpoint), observed.links.get(&endpoint)) {
            (Some(_), _) => missing("its port is still in the database".into()),
            (None, Some(_)) => missing(format!("link {} is still there", endpoint.host_link())),
            (None, None) if flows_pending => missing("its flow entries are still installed".into()),
            (None, None) => Status::Converged,
        };
    };
    let bridge = &attachment.bridge;
    if !observed.bridges.contains_key(bridge) {
        return Status::Failed(format!(
            "bridge {bridge} is gone: make it again with `flowport add-br {bridge}`"
        ));
    }
    let Some(link) = observed.links.get(&endpoint) else {
        return missing(format!("link {} is not there yet", attachment.host_link));
    };
    if !link.up {
        return missing(format!("link {} is down", attachment.host_link));
    }
    let mtu = observed.mtu_for(attachment);
    if link.mtu != mtu && attachment.host_link == endpoint.host_link() {
        return missing(format!("its MTU is {} and not {mtu} yet", link.mtu));
    }
    let Some(row) = observed.ports.get(&endpoint).filter(|row| row.bridge == *bridge) else {
        return missing("its port is not in the database yet".into());
    };
    if !same_marks(&row.attachment, attachment) {
        return missing("its rows in the database are not up to date yet".into());
    }
    match (&row.error, row.ofport) {
        (Some(error), _) => {
            Status::Failed(format!("ovs-vswitchd cannot use {}: {error}", attachment.host_link))
        }
        (None, None) => missing(format!(
            "ovs-vswitchd has not taken up {}: is it running? see `systemctl status openvswitch-switch`",
            attachment.host_link
        )),
        (None, Some(_)) if flows_pending => missing(format!("the flow entries are not in {bridge} yet")),
        (None, Some(_)) => Status::Converged,
    }
}
