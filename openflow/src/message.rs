//! Messages: the header and the 30 bodies.

pub mod config;
pub mod error;
pub mod experimenter;
pub mod flow;
pub mod group;
pub mod hello;
pub mod meter;
pub mod monitor;
pub mod multipart;
pub mod nicira;
pub mod packet;
pub mod port;
pub mod queue;
pub mod table_features;

use bytes::Bytes;

use crate::types::Xid;
use crate::wire::macros::{body_enum, tlv_enum};
use crate::wire::{DecodeError, EncodeError, Payload, Reader, Reason, Wire, put_len};

use config::{AsyncConfig, Features, RoleConfig, SwitchConfig, TableMod};
use error::ErrorMessage;
use experimenter::Experimenter;
use flow::{FlowMod, FlowRemoved};
use group::GroupMod;
use hello::Hello;
use meter::MeterMod;
use multipart::{MultipartReply, MultipartRequest};
use packet::{PacketIn, PacketOut};
use port::{PortMod, PortStatus};
use queue::{QueueGetConfigReply, QueueGetConfigRequest};

/// OpenFlow 1.3 on the wire (`OFP_VERSION`).
pub const VERSION: u8 = 4;

/// Bytes of `ofp_header`.
pub const HEADER_LEN: usize = 8;

body_enum! {
    /// What a message says, by its type (`ofp_type`).
    pub enum Body(u8) {
        /// The versions that the sender speaks (`OFPT_HELLO`).
        0 => Hello(Hello),
        /// A refusal (`OFPT_ERROR`).
        1 => Error(ErrorMessage),
        /// "Are you there?" (`OFPT_ECHO_REQUEST`).
        2 => EchoRequest(Payload),
        /// The same bytes back (`OFPT_ECHO_REPLY`).
        3 => EchoReply(Payload),
        /// Of an experimenter (`OFPT_EXPERIMENTER`).
        4 => Experimenter(Experimenter),
        /// Asks for the features (`OFPT_FEATURES_REQUEST`).
        5 => FeaturesRequest,
        /// What the datapath is (`OFPT_FEATURES_REPLY`).
        6 => FeaturesReply(Features),
        /// Asks for the configuration (`OFPT_GET_CONFIG_REQUEST`).
        7 => GetConfigRequest,
        /// The configuration (`OFPT_GET_CONFIG_REPLY`).
        8 => GetConfigReply(SwitchConfig),
        /// Changes the configuration (`OFPT_SET_CONFIG`).
        9 => SetConfig(SwitchConfig),
        /// A packet for the controller (`OFPT_PACKET_IN`).
        10 => PacketIn(PacketIn),
        /// A flow entry is gone (`OFPT_FLOW_REMOVED`).
        11 => FlowRemoved(FlowRemoved),
        /// A port came, went or changed (`OFPT_PORT_STATUS`).
        12 => PortStatus(PortStatus),
        /// A packet from the controller (`OFPT_PACKET_OUT`).
        13 => PacketOut(PacketOut),
        /// Changes flow entries (`OFPT_FLOW_MOD`).
        14 => FlowMod(FlowMod),
        /// Changes a group (`OFPT_GROUP_MOD`).
        15 => GroupMod(GroupMod),
        /// Changes a port (`OFPT_PORT_MOD`).
        16 => PortMod(PortMod),
        /// Changes a table (`OFPT_TABLE_MOD`).
        17 => TableMod(TableMod),
        /// Asks for what may take several messages to say (`OFPT_MULTIPART_REQUEST`).
        18 => MultipartRequest(MultipartRequest),
        /// One of those messages (`OFPT_MULTIPART_REPLY`).
        19 => MultipartReply(MultipartReply),
        /// "Finish all before this" (`OFPT_BARRIER_REQUEST`).
        20 => BarrierRequest,
        /// "Finished" (`OFPT_BARRIER_REPLY`).
        21 => BarrierReply,
        /// Asks for the queues of a port (`OFPT_QUEUE_GET_CONFIG_REQUEST`).
        22 => QueueGetConfigRequest(QueueGetConfigRequest),
        /// The queues of a port (`OFPT_QUEUE_GET_CONFIG_REPLY`).
        23 => QueueGetConfigReply(QueueGetConfigReply),
        /// Asks for a role (`OFPT_ROLE_REQUEST`).
        24 => RoleRequest(RoleConfig),
        /// The role that was given (`OFPT_ROLE_REPLY`).
        25 => RoleReply(RoleConfig),
        /// Asks which asynchronous messages are sent (`OFPT_GET_ASYNC_REQUEST`).
        26 => GetAsyncRequest,
        /// Which asynchronous messages are sent (`OFPT_GET_ASYNC_REPLY`).
        27 => GetAsyncReply(AsyncConfig),
        /// Changes which asynchronous messages are sent (`OFPT_SET_ASYNC`).
        28 => SetAsync(AsyncConfig),
        /// Changes a meter (`OFPT_METER_MOD`).
        29 => MeterMod(MeterMod),
    }
}

macro_rules! into_body {
    ($($t:ident)*) => {$(
        impl From<$t> for Body {
            fn from(body: $t) -> Self { Self::$t(body) }
        }
    )*};
}

into_body!(Hello Experimenter FlowMod GroupMod MeterMod MultipartRequest MultipartReply PacketIn PacketOut PortMod TableMod);

/// One OpenFlow message (`ofp_header` and what follows it).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Message {
    /// Ties replies to requests.
    pub xid: Xid,
    /// What it says.
    pub body: Body,
}

impl Message {
    /// A message.
    pub fn new(xid: impl Into<Xid>, body: impl Into<Body>) -> Self {
        Self { xid: xid.into(), body: body.into() }
    }

    /// Appends the message. If it is longer than the protocol allows, nothing is appended.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        encode(self.xid, &self.body, out)
    }

    /// Reads exactly one message. Any version is taken for a hello, only [`VERSION`] for the others.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        Self::read(Reader::new("Message", bytes))
    }

    /// The same without copying payloads: they are parts of `bytes`, and keep it alive.
    pub fn decode_shared(bytes: &Bytes) -> Result<Self, DecodeError> {
        Self::decode_part(bytes, bytes)
    }

    /// Reads `bytes`, which are a part of `buffer`.
    pub(crate) fn decode_part(buffer: &Bytes, bytes: &[u8]) -> Result<Self, DecodeError> {
        Self::read(Reader::shared("Message", buffer, bytes))
    }

    #[inline(always)]
    fn read(mut r: Reader<'_>) -> Result<Self, DecodeError> {
        let [version, ty, a, b, xid @ ..]: [u8; HEADER_LEN] = r.array()?;
        let len = usize::from(u16::from_be_bytes([a, b]));
        let Some(body_len) = len.checked_sub(HEADER_LEN) else { return Err(unreadable(Reason::Length(len))) };
        match r.remaining() {
            have if have < body_len => return Err(r.error(Reason::Truncated { need: body_len, have })),
            have if have > body_len => {
                r.take(body_len)?;
                r.finish()?;
            }
            _ => {}
        }
        let xid = Xid(u32::from_be_bytes(xid));
        match (ty, version) {
            (0, _) => {
                let hello = Hello::decode_version(version, &mut r)?;
                r.finish()?;
                Ok(Self { xid, body: Body::Hello(hello) })
            }
            (_, VERSION) => Body::decode(ty, &mut r, |body, r| {
                r.finish()?;
                Ok(Self { xid, body })
            }),
            _ => Err(unreadable(Reason::Version(version))),
        }
    }
}

/// The error for a header that cannot be.
#[cold]
fn unreadable(reason: Reason) -> DecodeError {
    DecodeError::new("Message", 0, reason)
}

pub(crate) fn encode(xid: Xid, body: &Body, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let version = match body {
        Body::Hello(hello) => hello.version,
        _ => VERSION,
    };
    encode_with(version, body.ty(), xid, out, |out| {
        body.encode(out);
        Ok(())
    })
}

/// Appends a message whose body `put` writes. If that fails, or is longer than the protocol allows, nothing is appended.
pub(crate) fn encode_with(
    version: u8,
    ty: u8,
    xid: Xid,
    out: &mut Vec<u8>,
    put: impl FnOnce(&mut Vec<u8>) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    let start = out.len();
    out.extend_from_slice(&[version, ty, 0, 0]);
    xid.encode(out);
    let result = put(out);
    let len = out.len() - start;
    let result = result.and(if len > usize::from(u16::MAX) { Err(EncodeError { len }) } else { Ok(()) });
    match result {
        Ok(()) => put_len(out, start + 2, len),
        Err(_) => out.truncate(start),
    }
    result
}
