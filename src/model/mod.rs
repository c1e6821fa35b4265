//! The words of the product: what a user names, checked once when it is read.

mod alias;
mod attachment;
mod bridge;
mod container;
mod endpoint;
mod mac;
mod names;
mod policy;
mod route;
mod tunnel;
mod vlan;

pub use alias::{host_end_alias, read_alias};
pub use attachment::{Attachment, DEFAULT_MTU};
pub use bridge::{BridgeSpec, DatapathType};
pub use container::{ContainerRef, Owner, Sandbox};
pub use endpoint::{
    EndpointId, NoEndpoint, OWN_COOKIES, OWN_COOKIES_MASK, SHARED_COOKIE, SHARED_COOKIE_MASK,
};
pub use mac::Mac;
pub use names::LinkName;
pub use policy::{Policy, Rule, Traffic};
pub use route::Route;
pub use tunnel::{Remote, Tunnel, TunnelKey, TunnelKind};
pub use vlan::Vlan;

/// Why a word of the user was refused: names the word and says what would do.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub struct BadWord(pub String);
