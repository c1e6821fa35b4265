//! Meters: rates that packets are held to.

use crate::types::MeterId;
use crate::wire::macros::{tlv_enum, wire_code, wire_flags, wire_struct};
use crate::wire::{DecodeError, Reader, Wire, put_len};

wire_code! {
    /// What to do (`ofp_meter_mod_command`).
    pub struct MeterModCommand(u16) {
        /// Add a meter that is not there.
        ADD = 0,
        /// Replace one that is.
        MODIFY = 1,
        /// Delete it, and the flow entries that use it.
        DELETE = 2,
    }
}

wire_flags! {
    /// How a meter counts (`ofp_meter_flags`).
    pub struct MeterFlags(u16) {
        /// Rates in kilobits a second.
        KBPS = 1,
        /// Rates in packets a second.
        PKTPS = 2,
        /// Burst sizes count.
        BURST = 4,
        /// Keep statistics.
        STATS = 8,
    }
}

wire_struct! {
    /// Drops what is over the rate (`ofp_meter_band_drop`).
    pub struct DropBand {
        /// From this rate on.
        rate: u32,
        /// Of bursts of this size.
        burst_size: u32,
    }
}

wire_struct! {
    /// Makes what is over the rate more likely to be dropped later (`ofp_meter_band_dscp_remark`).
    pub struct DscpRemarkBand {
        /// From this rate on.
        rate: u32,
        /// Of bursts of this size.
        burst_size: u32,
        /// By how much the drop precedence rises.
        prec_level: u8,
    }
}

tlv_enum! {
    /// What happens from some rate on (`ofp_meter_band_header`).
    pub enum MeterBand {
        /// Drop (`OFPMBT_DROP`).
        1 => Drop(DropBand),
        /// Remark (`OFPMBT_DSCP_REMARK`).
        2 => DscpRemark(DscpRemarkBand),
    }
}

wire_struct! {
    /// Changes a meter (`ofp_meter_mod`).
    pub struct MeterMod {
        /// What to do.
        command: MeterModCommand,
        /// How it counts.
        flags: MeterFlags,
        /// Which meter.
        meter_id: MeterId,
        /// What happens.
        bands: Vec<MeterBand>,
    }
}

wire_struct! {
    /// Which meter (`ofp_meter_multipart_request`).
    pub struct MeterRequest {
        /// The meter, or [`MeterId::ALL`].
        meter_id: MeterId,
        ; pad 4
    }
}

wire_struct! {
    /// A meter as the datapath has it (`ofp_meter_config`).
    pub struct MeterConfig: sized {
        /// How it counts.
        flags: MeterFlags,
        /// Which meter.
        meter_id: MeterId,
        /// What happens.
        bands: Vec<MeterBand>,
    }
}

wire_flags! {
    /// Kinds of bands, bit n for type n (`ofp_meter_band_type`).
    pub struct MeterBandTypes(u32) {
        /// Drop.
        DROP = 2,
        /// Remark.
        DSCP_REMARK = 4,
    }
}

wire_struct! {
    /// What the datapath's meters can do (`ofp_meter_features`).
    pub struct MeterFeatures {
        /// How many.
        max_meter: u32,
        /// Which bands.
        band_types: MeterBandTypes,
        /// Which flags, bit for bit [`MeterFlags`].
        capabilities: u32,
        /// How many bands a meter.
        max_bands: u8,
        /// How many colours.
        max_color: u8,
        ; pad 2
    }
}

wire_struct! {
    /// Counters of a band (`ofp_meter_band_stats`).
    pub struct MeterBandStats {
        /// Packets.
        packet_band_count: u64,
        /// Bytes.
        byte_band_count: u64,
    }
}

wire_struct! {
    /// What stands between length and bands in `ofp_meter_stats`.
    pub struct MeterCounters {
        /// How many flow entries use it.
        [pad 6] flow_count: u32,
        /// Packets in.
        packet_in_count: u64,
        /// Bytes in.
        byte_in_count: u64,
        /// Its age, whole seconds.
        duration_sec: u32,
        /// Its age, nanoseconds beyond.
        duration_nsec: u32,
    }
}

/// Counters of a meter (`ofp_meter_stats`).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct MeterStats {
    /// Which meter.
    pub meter_id: MeterId,
    /// Of the meter as a whole.
    pub counters: MeterCounters,
    /// Band by band.
    pub band_stats: Vec<MeterBandStats>,
}

impl Wire for MeterStats {
    fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        self.meter_id.encode(out);
        0_u16.encode(out);
        self.counters.encode(out);
        self.band_stats.encode(out);
        let len = out.len() - start;
        put_len(out, start + 4, len);
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let outer = r.enter("MeterStats");
        let start = r.clone();
        let meter_id = r.get()?;
        let len = usize::from(r.get::<u16>()?);
        let Some(len) = len.checked_sub(6) else {
            return Err(start.error(crate::wire::Reason::Length(len)));
        };
        let mut body = r.sub("MeterStats", len)?;
        r.leave(outer);
        Ok(Self { meter_id, counters: body.get()?, band_stats: body.get()? })
    }
}
