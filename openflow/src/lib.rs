//! OpenFlow 1.3.5 as bytes, values and text, without I/O; and the controller's side of a connection as a state
//! machine that is given bytes and the time. With the extensions that Open vSwitch speaks over 1.3.
//!
//! * [`Message`] is what goes over the wire; [`Framer`] cuts a byte stream into messages.
//! * [`Match`], [`Action`], [`Instruction`], [`FlowMod`], [`GroupMod`] say what a datapath is to do. A match is
//!   canonical by construction, so that what was sent equals what the datapath reports.
//! * What prints, prints as ovs-ofctl(8) does.
//! * What is not known is kept byte for byte, as `Unknown`.
//!
//! ```
//! use flowport_openflow::{Action, FlowMod, Match, PortNo};
//!
//! let matches = Match::builder().in_port(1).arp().arp_spa([10, 0, 0, 1]).build()?;
//! assert_eq!(matches.to_string(), "arp,in_port=1,arp_spa=10.0.0.1");
//!
//! let flow = FlowMod::add(0, 100, matches).cookie(0x1).apply([Action::output(PortNo::NORMAL)]);
//! # let _ = flow;
//! # Ok::<(), flowport_openflow::BuildMatchError>(())
//! ```

#![allow(
    clippy::large_enum_variant,
    reason = "bodies and events are made once a message; boxes would be in the way of every match"
)]

pub mod action;
pub mod flow_match;
pub mod framer;
pub mod message;
pub mod oxm;
#[cfg(feature = "packet")]
pub mod packet;
pub mod session;
mod text;
pub mod types;
pub mod wire;

pub use action::{Action, ActionList, ExperimenterAction, Instruction, NiciraAction, Subfield};
pub use flow_match::{BuildMatchError, Match, MatchBuilder};
pub use framer::Framer;
pub use message::config::{AsyncConfig, Capabilities, Features, Role, RoleConfig, SwitchConfig, TableMod};
pub use message::error::{ErrorCode, ErrorMessage};
pub use message::experimenter::{
    BundleAdd, BundleControl, BundleControlType, BundleFlags, BundleId, Experimenter,
};
pub use message::flow::{
    AggregateStats, FlowKey, FlowMod, FlowModCommand, FlowModFlags, FlowRemoved, FlowStats, FlowStatsRequest,
};
pub use message::group::{Bucket, GroupDesc, GroupMod, GroupModCommand, GroupStats, GroupType};
pub use message::hello::Hello;
pub use message::meter::{MeterBand, MeterConfig, MeterMod};
pub use message::multipart::{
    Desc, MultipartFlags, MultipartReply, MultipartReplyBody, MultipartRequest, MultipartRequestBody,
    TableStats,
};
pub use message::packet::{PacketIn, PacketInReason, PacketOut};
pub use message::port::{Port, PortConfig, PortReason, PortState, PortStats, PortStatus};
pub use message::{Body, Message};
pub use oxm::{CtState, Masked, OxmField, OxmHeader, OxmId, TcpFlags};

pub use session::switch::{SwitchError, SwitchEvent, SwitchSession, SwitchSessionConfig};
pub use session::{BundleError, Event, RequestError, Session, SessionConfig, SessionError};
pub use text::{ParseTextError, Problem};
pub use types::{
    BufferId, Cookie, DatapathId, EthType, GroupId, IpProto, MacAddr, MaxLen, MeterId, PortNo, QueueId,
    TableId, VlanVid, Xid,
};
pub use wire::{DecodeError, EncodeError, Payload};
