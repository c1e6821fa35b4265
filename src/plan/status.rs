//! How far an endpoint has come.

use std::fmt::{self, Display, Formatter};

use crate::model::{EndpointId, LinkName};

use super::rows::same_marks;
use crate::state::{Desired, Observed};

/// How far what is observed of an endpoint is from what is desired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status<'a> {
    /// Nothing is left to do.
    Converged,
    /// Something is on its way.
    Missing(Missing<'a>),
    /// It cannot be.
    Failed(Failed<'a>),
}

/// What is on its way. Its words are for a caller whose time is up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing<'a> {
    /// That it is desired, or is not any more, is not on record.
    Record,
    /// The rows of what is not desired are still there.
    RowsGone,
    /// So is its link.
    LinkGone(EndpointId),
    /// So are its flow entries.
    FlowsGone,
    /// This link is not there.
    Link(&'a str),
    /// This link is there, and down.
    LinkUp(&'a str),
    /// The MTU in bytes that its link has, and that it is to have.
    Mtu(u32, u32),
    /// It has no rows.
    Rows,
    /// Its rows tell something older.
    Marks,
    /// ovs-vswitchd has no port for this link.
    Port(&'a str),
    /// This bridge lacks its flow entries.
    Flows(&'a LinkName),
}

/// Why it cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failed<'a> {
    /// There is no such bridge.
    Bridge(&'a LinkName),
    /// ovs-vswitchd cannot use this link, in its own words.
    Port(&'a str, &'a str),
}

impl Display for Missing<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record => write!(f, "it is not on record yet"),
            Self::RowsGone => write!(f, "its port is still in the database"),
            Self::LinkGone(endpoint) => write!(f, "link {} is still there", endpoint.host_link()),
            Self::FlowsGone => write!(f, "its flow entries are still installed"),
            Self::Link(link) => write!(f, "link {link} is not there yet"),
            Self::LinkUp(link) => write!(f, "link {link} is down"),
            Self::Mtu(is, is_to_be) => write!(f, "its MTU is {is} and not {is_to_be} yet"),
            Self::Rows => write!(f, "its port is not in the database yet"),
            Self::Marks => write!(f, "its rows in the database are not up to date yet"),
            Self::Port(link) => write!(
                f,
                "ovs-vswitchd has not taken up {link}: is it running? see `systemctl status openvswitch-switch`"
            ),
            Self::Flows(bridge) => write!(f, "the flow entries are not in {bridge} yet"),
        }
    }
}

impl Display for Failed<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bridge(bridge) => {
                write!(f, "bridge {bridge} is gone: make it again with `flowport add-br {bridge}`")
            }
            Self::Port(link, error) => write!(f, "ovs-vswitchd cannot use {link}: {error}"),
        }
    }
}

/// The status of one endpoint; `flows_pending` tells whether its bridge still lacks flow changes.
pub fn status<'a>(
    desired: &'a Desired,
    observed: &'a Observed,
    endpoint: EndpointId,
    flows_pending: bool,
) -> Status<'a> {
    let recorded = observed.records.as_ref().map(|records| records.get(&endpoint));
    if recorded.is_some_and(|recorded| recorded != desired.attachments.get(&endpoint)) {
        return Status::Missing(Missing::Record);
    }
    let Some(attachment) = desired.attachments.get(&endpoint).filter(|_| desired.wants(endpoint, observed))
    else {
        return match (observed.ports.get(&endpoint), observed.links.get(&endpoint)) {
            (Some(_), _) => Status::Missing(Missing::RowsGone),
            (None, Some(_)) => Status::Missing(Missing::LinkGone(endpoint)),
            (None, None) if flows_pending => Status::Missing(Missing::FlowsGone),
            (None, None) => Status::Converged,
        };
    };
    let bridge = &attachment.bridge;
    if !observed.bridges.contains_key(bridge) {
        return Status::Failed(Failed::Bridge(bridge));
    }
    let Some(link) = observed.links.get(&endpoint) else {
        return Status::Missing(Missing::Link(&attachment.host_link));
    };
    if !link.up {
        return Status::Missing(Missing::LinkUp(&attachment.host_link));
    }
    let mtu = observed.mtu_for(attachment);
    if link.mtu != mtu && attachment.host_link == endpoint.host_link() {
        return Status::Missing(Missing::Mtu(link.mtu, mtu));
    }
    let Some(row) = observed.ports.get(&endpoint).filter(|row| row.bridge == *bridge) else {
        return Status::Missing(Missing::Rows);
    };
    if !same_marks(&row.attachment, attachment) {
        return Status::Missing(Missing::Marks);
    }
    match (&row.error, row.ofport) {
        (Some(error), _) => Status::Failed(Failed::Port(&attachment.host_link, error)),
        (None, None) => Status::Missing(Missing::Port(&attachment.host_link)),
        (None, Some(_)) if flows_pending => Status::Missing(Missing::Flows(bridge)),
        (None, Some(_)) => Status::Converged,
    }
}
