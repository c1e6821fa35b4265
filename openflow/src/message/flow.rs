//! Flow entries: changing them, reading them, hearing that they are gone.

use std::time::Duration;

use crate::action::{Action, Instruction};
use crate::flow_match::Match;
use crate::types::{BufferId, Cookie, GroupId, PortNo, TableId};
use crate::wire::macros::{wire_code, wire_flags, wire_struct};
use crate::wire::{DecodeError, Reader};

wire_code! {
    /// What to do (`ofp_flow_mod_command`).
    pub struct FlowModCommand(u8) {
        /// Add, or replace the entry of the same key.
        ADD = 0,
        /// Change the instructions of all entries that match.
        MODIFY = 1,
        /// Change the instructions of the entry of this key.
        MODIFY_STRICT = 2,
        /// Delete all entries that match.
        DELETE = 3,
        /// Delete the entry of this key.
        DELETE_STRICT = 4,
    }
}

wire_flags! {
    /// Peculiarities of a flow entry (`ofp_flow_mod_flags`).
    pub struct FlowModFlags(u16) {
        /// Tell when it goes.
        SEND_FLOW_REM = 0x01,
        /// Refuse it if another entry of the same priority overlaps.
        CHECK_OVERLAP = 0x02,
        /// Start its counters anew.
        RESET_COUNTS = 0x04,
        /// Do not count packets.
        NO_PKT_COUNTS = 0x08,
        /// Do not count bytes.
        NO_BYT_COUNTS = 0x10,
    }
}

/// What makes two flow entries of a datapath the same entry.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct FlowKey {
    /// The table.
    pub table_id: TableId,
    /// The higher wins.
    pub priority: u16,
    /// Which packets.
    pub matches: Match,
}

impl FlowKey {
    /// Appends the key as bytes, which are the same for keys that are equal, and for no others.
    #[inline]
    pub fn pack(&self, out: &mut Vec<u8>) {
        let [a, b] = self.priority.to_be_bytes();
        out.extend_from_slice(&[self.table_id.0, a, b]);
        out.extend_from_slice(self.matches.canonical_bytes());
    }

    /// The key whose bytes these are.
    pub fn unpack(packed: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new("FlowKey", packed);
        Ok(Self { table_id: r.get()?, priority: r.get()?, matches: Match::decode_fields(r)? })
    }
}

wire_struct! {
    /// Changes the flow entries of one table (`ofp_flow_mod`).
    pub struct FlowMod {
        /// What the controller calls the entry; with `cookie_mask`, which entries to modify or delete.
        cookie: Cookie,
        /// Which bits of `cookie` choose the entries to modify or delete; 0: all entries.
        cookie_mask: Cookie,
        /// The table.
        table_id: TableId,
        /// What to do.
        command: FlowModCommand,
        /// Seconds without a packet after which the entry goes; 0: never.
        idle_timeout: u16,
        /// Seconds after which the entry goes; 0: never.
        hard_timeout: u16,
        /// The higher wins.
        priority: u16,
        /// A packet that the datapath holds and to which the entry is applied.
        buffer_id: BufferId,
        /// When deleting: only entries that output here.
        out_port: PortNo,
        /// When deleting: only entries that use this group.
        out_group: GroupId,
        /// Peculiarities.
        flags: FlowModFlags,
        /// Which packets.
        [pad 2] matches: Match,
        /// What to do with them.
        instructions: Vec<Instruction>,
    }
}

impl FlowMod {
    /// Adds an entry that drops, until it is given something to do.
    #[inline]
    pub fn add(table: impl Into<TableId>, priority: u16, matches: Match) -> Self {
        Self::new(FlowModCommand::ADD, table.into(), priority, matches)
    }

    /// Changes the instructions of the entry with this key; its counters and cookie stay.
    #[inline]
    pub fn modify_strict(table: impl Into<TableId>, priority: u16, matches: Match) -> Self {
        Self::new(FlowModCommand::MODIFY_STRICT, table.into(), priority, matches)
    }

    /// Deletes the entry with this key.
    #[inline]
    pub fn delete_strict(table: impl Into<TableId>, priority: u16, matches: Match) -> Self {
        Self::new(FlowModCommand::DELETE_STRICT, table.into(), priority, matches)
    }

    /// Deletes all entries of the table, or of [`TableId::ALL`], whose match is at least as narrow.
    #[inline]
    pub fn delete(table: impl Into<TableId>, matches: Match) -> Self {
        Self::new(FlowModCommand::DELETE, table.into(), 0, matches)
    }

    #[inline]
    fn new(command: FlowModCommand, table_id: TableId, priority: u16, matches: Match) -> Self {
        Self {
            cookie: Cookie(0),
            cookie_mask: Cookie(0),
            table_id,
            command,
            idle_timeout: 0,
            hard_timeout: 0,
            priority,
            buffer_id: BufferId::NO_BUFFER,
            out_port: PortNo::ANY,
            out_group: GroupId::ANY,
            flags: FlowModFlags::NONE,
            matches,
            instructions: Vec::new(),
        }
    }

    /// Names the entry.
    #[inline]
    #[must_use]
    pub fn cookie(mut self, cookie: impl Into<Cookie>) -> Self {
        self.cookie = cookie.into();
        self
    }

    /// When modifying or deleting: only entries whose cookie is the same in the bits of `mask`.
    #[inline]
    #[must_use]
    pub fn cookie_masked(mut self, cookie: impl Into<Cookie>, mask: impl Into<Cookie>) -> Self {
        (self.cookie, self.cookie_mask) = (cookie.into(), mask.into());
        self
    }

    /// Seconds without a packet after which the entry goes.
    #[inline]
    #[must_use]
    pub fn idle_timeout(mut self, seconds: u16) -> Self {
        self.idle_timeout = seconds;
        self
    }

    /// Seconds after which the entry goes.
    #[inline]
    #[must_use]
    pub fn hard_timeout(mut self, seconds: u16) -> Self {
        self.hard_timeout = seconds;
        self
    }

    /// Adds flags.
    #[inline]
    #[must_use]
    pub fn flags(mut self, flags: FlowModFlags) -> Self {
        self.flags |= flags;
        self
    }

    /// Adds an instruction, in its place in the order of execution; that is how a datapath reports them.
    #[inline]
    #[must_use]
    pub fn instruction(mut self, instruction: Instruction) -> Self {
        let place = self.instructions.partition_point(|other| other.rank() <= instruction.rank());
        self.instructions.insert(place, instruction);
        self
    }

    /// Does `actions` at once.
    #[inline]
    #[must_use]
    pub fn apply(self, actions: impl IntoIterator<Item = Action>) -> Self {
        self.instruction(Instruction::apply(actions))
    }

    /// Puts `actions` into the action set.
    #[inline]
    #[must_use]
    pub fn write(self, actions: impl IntoIterator<Item = Action>) -> Self {
        self.instruction(Instruction::write(actions))
    }

    /// Goes on in `table`.
    #[inline]
    #[must_use]
    pub fn goto(self, table: impl Into<TableId>) -> Self {
        self.instruction(Instruction::goto_table(table))
    }

    /// Writes the bits of `mask` to the metadata.
    #[inline]
    #[must_use]
    pub fn write_metadata(self, metadata: u64, mask: u64) -> Self {
        self.instruction(Instruction::write_metadata(metadata, mask))
    }

    /// What makes the entry this entry.
    #[inline]
    pub fn key(&self) -> FlowKey {
        FlowKey { table_id: self.table_id, priority: self.priority, matches: self.matches.clone() }
    }
}

wire_struct! {
    /// Which entries to list or to sum up (`ofp_flow_stats_request`, `ofp_aggregate_stats_request`).
    pub struct FlowStatsRequest {
        /// The table, or all.
        table_id: TableId,
        /// Only entries that output here.
        [pad 3] out_port: PortNo,
        /// Only entries that use this group.
        out_group: GroupId,
        /// Only entries whose cookie is the same in the bits of `cookie_mask`.
        [pad 4] cookie: Cookie,
        /// Which bits of the cookie count.
        cookie_mask: Cookie,
        /// Only entries whose match is at least as narrow.
        matches: Match,
    }
}

impl FlowStatsRequest {
    /// All entries of all tables.
    pub fn all() -> Self {
        Self {
            table_id: TableId::ALL,
            out_port: PortNo::ANY,
            out_group: GroupId::ANY,
            cookie: Cookie(0),
            cookie_mask: Cookie(0),
            matches: Match::any(),
        }
    }

    /// All entries whose cookie is the same in the bits of `mask`.
    pub fn cookie(cookie: impl Into<Cookie>, mask: impl Into<Cookie>) -> Self {
        Self { cookie: cookie.into(), cookie_mask: mask.into(), ..Self::all() }
    }
}

wire_struct! {
    /// A flow entry as the datapath has it (`ofp_flow_stats`).
    pub struct FlowStats: sized {
        /// The table.
        table_id: TableId,
        /// Its age, whole seconds.
        [pad 1] duration_sec: u32,
        /// Its age, nanoseconds beyond.
        duration_nsec: u32,
        /// The higher wins.
        priority: u16,
        /// Seconds without a packet after which the entry goes; 0: never.
        idle_timeout: u16,
        /// Seconds after which the entry goes; 0: never.
        hard_timeout: u16,
        /// Peculiarities.
        flags: FlowModFlags,
        /// What the controller called it.
        [pad 4] cookie: Cookie,
        /// Packets so far.
        packet_count: u64,
        /// Bytes so far.
        byte_count: u64,
        /// Which packets.
        matches: Match,
        /// What is done with them.
        instructions: Vec<Instruction>,
    }
}

impl FlowStats {
    /// What makes the entry this entry.
    pub fn key(&self) -> FlowKey {
        FlowKey { table_id: self.table_id, priority: self.priority, matches: self.matches.clone() }
    }

    /// Its age.
    pub fn duration(&self) -> Duration {
        Duration::new(self.duration_sec.into(), self.duration_nsec)
    }
}

wire_struct! {
    /// Sums over flow entries (`ofp_aggregate_stats_reply`).
    pub struct AggregateStats {
        /// Packets.
        packet_count: u64,
        /// Bytes.
        byte_count: u64,
        /// Entries.
        flow_count: u32,
        ; pad 4
    }
}

wire_code! {
    /// Why a flow entry is gone (`ofp_flow_removed_reason`).
    pub struct FlowRemovedReason(u8) {
        /// No packet for the idle timeout.
        IDLE_TIMEOUT = 0,
        /// The hard timeout.
        HARD_TIMEOUT = 1,
        /// Deleted by a flow-mod.
        DELETE = 2,
        /// With its group.
        GROUP_DELETE = 3,
        /// With its meter.
        METER_DELETE = 4,
        /// To make room.
        EVICTION = 5,
    }
}

wire_struct! {
    /// A flow entry is gone (`ofp_flow_removed`).
    pub struct FlowRemoved {
        /// What the controller called it.
        cookie: Cookie,
        /// Its priority.
        priority: u16,
        /// Why.
        reason: FlowRemovedReason,
        /// Its table.
        table_id: TableId,
        /// Its age, whole seconds.
        duration_sec: u32,
        /// Its age, nanoseconds beyond.
        duration_nsec: u32,
        /// Its idle timeout in seconds.
        idle_timeout: u16,
        /// Its hard timeout in seconds.
        hard_timeout: u16,
        /// Packets in its life.
        packet_count: u64,
        /// Bytes in its life.
        byte_count: u64,
        /// Its match.
        matches: Match,
    }
}
