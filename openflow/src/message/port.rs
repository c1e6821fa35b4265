//! Ports of a datapath.

use super::multipart::FixedText;
use crate::types::{MacAddr, PortNo};
use crate::wire::macros::{wire_code, wire_flags, wire_struct};

wire_flags! {
    /// What a controller decides about a port (`ofp_port_config`).
    pub struct PortConfig(u32) {
        /// Administratively down.
        PORT_DOWN = 0x01,
        /// Drop what comes in.
        NO_RECV = 0x04,
        /// Drop what would go out.
        NO_FWD = 0x20,
        /// No packet-ins.
        NO_PACKET_IN = 0x40,
    }
}

wire_flags! {
    /// How a port is (`ofp_port_state`).
    pub struct PortState(u32) {
        /// No link.
        LINK_DOWN = 1,
        /// Blocked.
        BLOCKED = 2,
        /// Alive, for fast failover.
        LIVE = 4,
    }
}

wire_flags! {
    /// Speeds and media (`ofp_port_features`).
    pub struct PortFeatures(u32) {
        /// 10 Mb/s half duplex.
        HD_10MB = 0x0001,
        /// 10 Mb/s full duplex.
        FD_10MB = 0x0002,
        /// 100 Mb/s half duplex.
        HD_100MB = 0x0004,
        /// 100 Mb/s full duplex.
        FD_100MB = 0x0008,
        /// 1 Gb/s half duplex.
        HD_1GB = 0x0010,
        /// 1 Gb/s full duplex.
        FD_1GB = 0x0020,
        /// 10 Gb/s.
        FD_10GB = 0x0040,
        /// 40 Gb/s.
        FD_40GB = 0x0080,
        /// 100 Gb/s.
        FD_100GB = 0x0100,
        /// 1 Tb/s.
        FD_1TB = 0x0200,
        /// Another rate.
        OTHER = 0x0400,
        /// Copper.
        COPPER = 0x0800,
        /// Fibre.
        FIBER = 0x1000,
        /// Negotiates.
        AUTONEG = 0x2000,
        /// Pause frames.
        PAUSE = 0x4000,
        /// Pause frames one way.
        PAUSE_ASYM = 0x8000,
    }
}

wire_struct! {
    /// A port (`ofp_port`).
    pub struct Port {
        /// Its number.
        port_no: PortNo,
        /// Its hardware address.
        [pad 4] hw_addr: MacAddr,
        /// Its name.
        [pad 2] name: FixedText<16>,
        /// What was decided about it.
        config: PortConfig,
        /// How it is.
        state: PortState,
        /// Speed and medium in use.
        curr: PortFeatures,
        /// What it advertises.
        advertised: PortFeatures,
        /// What it could do.
        supported: PortFeatures,
        /// What the other end advertises.
        peer: PortFeatures,
        /// In kb/s.
        curr_speed: u32,
        /// In kb/s.
        max_speed: u32,
    }
}

wire_code! {
    /// What happened to a port (`ofp_port_reason`).
    pub struct PortReason(u8) {
        /// It came.
        ADD = 0,
        /// It went.
        DELETE = 1,
        /// It changed.
        MODIFY = 2,
    }
}

wire_struct! {
    /// A port came, went or changed (`ofp_port_status`).
    pub struct PortStatus {
        /// Which of them.
        reason: PortReason,
        /// The port as it is, or was.
        [pad 7] desc: Port,
    }
}

wire_struct! {
    /// Changes a port (`ofp_port_mod`).
    pub struct PortMod {
        /// Which port.
        port_no: PortNo,
        /// Its hardware address, so that nobody changes the wrong one.
        [pad 4] hw_addr: MacAddr,
        /// What is decided.
        [pad 2] config: PortConfig,
        /// Which bits of `config` count.
        mask: PortConfig,
        /// What it is to advertise; 0: as before.
        advertise: PortFeatures,
        ; pad 4
    }
}

wire_struct! {
    /// Which port to count (`ofp_port_stats_request`).
    pub struct PortStatsRequest {
        /// The port, or [`PortNo::ANY`].
        port_no: PortNo,
        ; pad 4
    }
}

wire_struct! {
    /// Counters of a port (`ofp_port_stats`). One that the datapath does not keep is `u64::MAX`.
    pub struct PortStats {
        /// Which port.
        port_no: PortNo,
        /// Packets received.
        [pad 4] rx_packets: u64,
        /// Packets sent.
        tx_packets: u64,
        /// Bytes received.
        rx_bytes: u64,
        /// Bytes sent.
        tx_bytes: u64,
        /// Dropped on reception.
        rx_dropped: u64,
        /// Dropped on sending.
        tx_dropped: u64,
        /// Errors of reception.
        rx_errors: u64,
        /// Errors of sending.
        tx_errors: u64,
        /// Alignment errors.
        rx_frame_err: u64,
        /// Overruns.
        rx_over_err: u64,
        /// Checksum errors.
        rx_crc_err: u64,
        /// Collisions.
        collisions: u64,
        /// Its age, whole seconds.
        duration_sec: u32,
        /// Its age, nanoseconds beyond.
        duration_nsec: u32,
    }
}
