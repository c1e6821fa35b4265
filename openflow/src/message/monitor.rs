//! Monitoring flow entries: who changed what (the ONF's extension 187, which is Open vSwitch's over 1.3).

use crate::action::Instruction;
use crate::flow_match::Match;
use crate::types::{Cookie, PortNo, TableId, Xid};
use crate::wire::macros::{wire_code, wire_flags, wire_struct};
use crate::wire::{DecodeError, Payload, Reader, Wire, put_len};

wire_flags! {
    /// Which changes are told, and how (`onf_flow_monitor_flags`).
    pub struct MonitorFlags(u16) {
        /// The entries that there are.
        INITIAL = 0x01,
        /// Added ones.
        ADD = 0x02,
        /// Deleted ones.
        DELETE = 0x04,
        /// Modified ones.
        MODIFY = 0x08,
        /// With their actions.
        ACTIONS = 0x10,
        /// One's own changes in full.
        OWN = 0x20,
    }
}

/// Which entries to watch (`onf_flow_monitor_request`).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct FlowMonitorRequest {
    /// What the controller calls it.
    pub id: u32,
    /// Which changes.
    pub flags: MonitorFlags,
    /// Only entries that output here.
    pub out_port: PortNo,
    /// The table, or all.
    pub table_id: TableId,
    /// Only entries whose match is at least as narrow.
    pub matches: Match,
    /// What stands in the place of the match's length, which nobody reads, if it is not that.
    pub match_len: Option<u16>,
}

impl FlowMonitorRequest {
    /// All entries of all tables, with their actions, one's own changes too.
    pub fn all(id: u32) -> Self {
        let changes = MonitorFlags::INITIAL | MonitorFlags::ADD | MonitorFlags::DELETE | MonitorFlags::MODIFY;
        Self {
            id,
            flags: changes | MonitorFlags::ACTIONS | MonitorFlags::OWN,
            out_port: PortNo::ANY,
            table_id: TableId::ALL,
            matches: Match::any(),
            match_len: None,
        }
    }
}

/// A match whose length stands before it a second time; the first one if it is another.
fn matching(r: &mut Reader<'_>, len: u16) -> Result<(Match, Option<u16>), DecodeError> {
    let same = matches!(*r.peek(), [_, _, a, b, ..] if u16::from_be_bytes([a, b]) == len);
    Ok((r.get()?, (!same).then_some(len)))
}

/// Writes the match, and its length without padding, or what is to stand there instead, to `at`.
fn put_match(matches: &Match, match_len: Option<u16>, at: usize, out: &mut Vec<u8>) {
    let start = out.len();
    matches.encode(out);
    let len =
        out.get(start + 2..start + 4).map_or(0, |len| len.iter().fold(0, |n, b| n << 8 | usize::from(*b)));
    put_len(out, at, match_len.map_or(len, usize::from));
}

impl Wire for FlowMonitorRequest {
    fn encode(&self, out: &mut Vec<u8>) {
        self.id.encode(out);
        self.flags.encode(out);
        let at = out.len();
        out.extend_from_slice(&[0; 2]);
        self.out_port.encode(out);
        self.table_id.encode(out);
        out.extend_from_slice(&[0; 3]);
        put_match(&self.matches, self.match_len, at, out);
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let outer = r.enter("FlowMonitorRequest");
        let (id, flags, len) = (r.get()?, r.get()?, r.get()?);
        let (out_port, table_id) = (r.get()?, r.get()?);
        r.pad(3)?;
        let (matches, match_len) = matching(r, len)?;
        r.leave(outer);
        Ok(Self { id, flags, out_port, table_id, matches, match_len })
    }
}

wire_code! {
    /// What happened to an entry (`onf_flow_update_event`).
    pub struct FlowUpdateEvent(u16) {
        /// It was added, or is there.
        ADDED = 0,
        /// It was deleted.
        DELETED = 1,
        /// It was modified.
        MODIFIED = 2,
    }
}

/// `ONFFME_ABBREV`.
const ABBREV: u16 = 3;

/// A change (`onf_flow_update_header`).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum FlowUpdate {
    /// In full.
    Full(FlowUpdateFull),
    /// One's own, by the xid of the flow-mod (`onf_flow_update_abbrev`).
    Abbrev(Xid),
    /// Something else, byte for byte.
    Unknown {
        /// Which event.
        event: u16,
        /// All that follows.
        body: Payload,
    },
}

/// A changed entry (`onf_flow_update_full`).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct FlowUpdateFull {
    /// What happened to it.
    pub event: FlowUpdateEvent,
    /// Why it was deleted (`ofp_flow_removed_reason`), else 0.
    pub reason: u16,
    /// The higher wins.
    pub priority: u16,
    /// Seconds without a packet after which it goes; 0: never.
    pub idle_timeout: u16,
    /// Seconds after which it goes; 0: never.
    pub hard_timeout: u16,
    /// The table.
    pub table_id: TableId,
    /// What its controller calls it.
    pub cookie: Cookie,
    /// Which packets.
    pub matches: Match,
    /// What stands in the place of the match's length, which nobody reads, if it is not that.
    pub match_len: Option<u16>,
    /// What is done with them, if that was asked for and it was not deleted.
    pub instructions: Vec<Instruction>,
}

impl Wire for FlowUpdate {
    fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&[0; 2]);
        match self {
            Self::Full(full) => {
                full.event.encode(out);
                full.reason.encode(out);
                full.priority.encode(out);
                full.idle_timeout.encode(out);
                full.hard_timeout.encode(out);
                let at = out.len();
                out.extend_from_slice(&[0; 2]);
                full.table_id.encode(out);
                out.push(0);
                full.cookie.encode(out);
                put_match(&full.matches, full.match_len, at, out);
                full.instructions.encode(out);
            }
            Self::Abbrev(xid) => {
                ABBREV.encode(out);
                xid.encode(out);
            }
            Self::Unknown { event, body } => {
                event.encode(out);
                body.encode(out);
            }
        }
        let len = out.len() - start;
        put_len(out, start, len);
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut r = r.sized("FlowUpdate")?;
        let event: u16 = r.get()?;
        let this = match event {
            0..=2 => {
                let (reason, priority, idle_timeout, hard_timeout) = (r.get()?, r.get()?, r.get()?, r.get()?);
                let (len, table_id) = (r.get()?, r.get()?);
                r.pad(1)?;
                let cookie = r.get()?;
                let (matches, match_len) = matching(&mut r, len)?;
                Self::Full(FlowUpdateFull {
                    event: FlowUpdateEvent(event),
                    reason,
                    priority,
                    idle_timeout,
                    hard_timeout,
                    table_id,
                    cookie,
                    matches,
                    match_len,
                    instructions: r.get()?,
                })
            }
            ABBREV => Self::Abbrev(r.get()?),
            _ => Self::Unknown { event, body: r.get()? },
        };
        r.finish()?;
        Ok(this)
    }
}

wire_struct! {
    /// Stops a monitor (`onf_flow_monitor_cancel`).
    pub struct FlowMonitorCancel {
        /// Which one.
        id: u32,
    }
}

wire_struct! {
    /// Counters of IPFIX (`nx_ipfix_stats_reply`).
    pub struct IpfixStats {
        /// Flows in all.
        total_flows: u64,
        /// Flows now.
        current_flows: u64,
        /// Packets sampled.
        pkts: u64,
        /// Of IPv4.
        ipv4_pkts: u64,
        /// Of IPv6.
        ipv6_pkts: u64,
        /// Packets that could not be sampled.
        error_pkts: u64,
        /// Of IPv4.
        ipv4_error_pkts: u64,
        /// Of IPv6.
        ipv6_error_pkts: u64,
        /// Packets sent to collectors.
        tx_pkts: u64,
        /// Packets that could not be sent.
        tx_errors: u64,
        /// For whom.
        collector_set_id: u32,
        ; pad 4
    }
}
