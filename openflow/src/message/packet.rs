//! Packets to and from the controller.

use crate::action::Action;
use crate::flow_match::Match;
use crate::types::{BufferId, Cookie, PortNo, TableId};
use crate::wire::macros::{wire_code, wire_struct};
use crate::wire::{DecodeError, Payload, Reader, Wire, put_len};

wire_code! {
    /// Why a packet came (`ofp_packet_in_reason`).
    pub struct PacketInReason(u8) {
        /// By the table-miss entry.
        NO_MATCH = 0,
        /// By an output action.
        ACTION = 1,
        /// Its TTL ran out.
        INVALID_TTL = 2,
        /// By an output action of the action set (OpenFlow 1.4, Open vSwitch).
        ACTION_SET = 3,
        /// By an output action of a group's bucket (OpenFlow 1.4, Open vSwitch).
        GROUP = 4,
        /// By an output action of a packet-out (OpenFlow 1.4, Open vSwitch).
        PACKET_OUT = 5,
    }
}

wire_struct! {
    /// A packet for the controller (`ofp_packet_in`).
    pub struct PacketIn {
        /// Where the datapath keeps it.
        buffer_id: BufferId,
        /// Its whole length, of which `data` may be the beginning.
        total_len: u16,
        /// Why it came.
        reason: PacketInReason,
        /// The table of the entry that sent it.
        table_id: TableId,
        /// The cookie of that entry.
        cookie: Cookie,
        /// Port of entry, metadata, tunnel.
        matches: Match,
        /// The packet.
        [pad 2] data: Payload,
    }
}

impl PacketIn {
    /// The port through which it came.
    #[inline]
    pub fn in_port(&self) -> Option<PortNo> {
        self.matches.in_port()
    }
}

/// A packet from the controller (`ofp_packet_out`).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct PacketOut {
    /// A packet that the datapath keeps, or [`BufferId::NO_BUFFER`].
    pub buffer_id: BufferId,
    /// As if it had come through this port.
    pub in_port: PortNo,
    /// What to do with it.
    pub actions: Vec<Action>,
    /// The packet, if the datapath does not keep it.
    pub data: Payload,
}

impl PacketOut {
    /// Sends `data`, which came from nowhere but the controller.
    #[inline]
    pub fn new(data: impl Into<Payload>, actions: impl IntoIterator<Item = Action>) -> Self {
        Self {
            buffer_id: BufferId::NO_BUFFER,
            in_port: PortNo::CONTROLLER,
            actions: actions.into_iter().collect(),
            data: data.into(),
        }
    }

    /// As if it had come through `port`.
    #[inline]
    #[must_use]
    pub fn in_port(mut self, port: impl Into<PortNo>) -> Self {
        self.in_port = port.into();
        self
    }
}

impl Wire for PacketOut {
    fn encode(&self, out: &mut Vec<u8>) {
        self.buffer_id.encode(out);
        self.in_port.encode(out);
        let at = out.len();
        out.extend_from_slice(&[0; 8]);
        self.actions.encode(out);
        let len = out.len() - at - 8;
        put_len(out, at, len);
        self.data.encode(out);
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let outer = r.enter("PacketOut");
        let (buffer_id, in_port, len) = (r.get()?, r.get()?, r.get::<u16>()?);
        r.pad(6)?;
        let actions = r.sub("PacketOut", len.into())?.get()?;
        let data = r.get()?;
        r.leave(outer);
        Ok(Self { buffer_id, in_port, actions, data })
    }
}
