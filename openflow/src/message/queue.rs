//! Queues of a port.

use crate::types::{PortNo, QueueId};
use crate::wire::macros::{tlv_enum, wire_struct};
use crate::wire::{DecodeError, Reader, Reason, Wire, put_len};

wire_struct! {
    /// Which port (`ofp_queue_get_config_request`).
    pub struct QueueGetConfigRequest {
        /// The port, or [`PortNo::ANY`].
        port: PortNo,
        ; pad 4
    }
}

wire_struct! {
    /// The queues of a port (`ofp_queue_get_config_reply`).
    pub struct QueueGetConfigReply {
        /// The port that was asked for.
        port: PortNo,
        /// Its queues.
        [pad 4] queues: Vec<PacketQueue>,
    }
}

wire_struct! {
    /// A rate in tenths of a percent; over 1000: none (`ofp_queue_prop_min_rate`).
    pub struct Rate {
        /// The rate.
        [pad 4] rate: u16,
    }
}

tlv_enum! {
    /// A property of a queue (`ofp_queue_prop_header`).
    pub enum QueueProperty {
        /// At least (`OFPQT_MIN_RATE`).
        1 => MinRate(Rate),
        /// At most (`OFPQT_MAX_RATE`).
        2 => MaxRate(Rate),
    }
}

/// A queue (`ofp_packet_queue`).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct PacketQueue {
    /// Which queue.
    pub queue_id: QueueId,
    /// Of which port.
    pub port: PortNo,
    /// How it is.
    pub properties: Vec<QueueProperty>,
}

impl Wire for PacketQueue {
    fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        self.queue_id.encode(out);
        self.port.encode(out);
        out.extend_from_slice(&[0; 8]);
        self.properties.encode(out);
        let len = out.len() - start;
        put_len(out, start + 8, len);
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let outer = r.enter("PacketQueue");
        let start = r.clone();
        let (queue_id, port, len) = (r.get()?, r.get()?, usize::from(r.get::<u16>()?));
        r.pad(6)?;
        let Some(len) = len.checked_sub(16) else { return Err(start.error(Reason::Length(len))) };
        let properties = r.sub("PacketQueue", len)?.get()?;
        r.leave(outer);
        Ok(Self { queue_id, port, properties })
    }
}

wire_struct! {
    /// Which queue to count (`ofp_queue_stats_request`).
    pub struct QueueStatsRequest {
        /// The port, or [`PortNo::ANY`].
        port_no: PortNo,
        /// The queue, or [`QueueId::ALL`].
        queue_id: QueueId,
    }
}

wire_struct! {
    /// Counters of a queue (`ofp_queue_stats`).
    pub struct QueueStats {
        /// The port.
        port_no: PortNo,
        /// The queue.
        queue_id: QueueId,
        /// Bytes sent.
        tx_bytes: u64,
        /// Packets sent.
        tx_packets: u64,
        /// Packets dropped.
        tx_errors: u64,
        /// Its age, whole seconds.
        duration_sec: u32,
        /// Its age, nanoseconds beyond.
        duration_nsec: u32,
    }
}
