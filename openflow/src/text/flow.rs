//! Flow entries, as dump-flows prints them, and flow-mods, as ofp-print does.

use std::fmt::{self, Display, Formatter};

use super::actions::Instructions;
use super::matches::with_priority;
use crate::message::flow::{FlowKey, FlowMod, FlowModCommand, FlowModFlags, FlowStats};
use crate::types::{BufferId, Cookie, PortNo, TableId};

impl Display for FlowStats {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "cookie={}, duration={}, ", self.cookie, Age(self.duration_sec, self.duration_nsec))?;
        write!(f, "table={}, n_packets={}, n_bytes={}, ", self.table_id, self.packet_count, self.byte_count)?;
        if self.idle_timeout != 0 {
            write!(f, "idle_timeout={}, ", self.idle_timeout)?;
        }
        if self.hard_timeout != 0 {
            write!(f, "hard_timeout={}, ", self.hard_timeout)?;
        }
        flags(f, self.flags)?;
        if with_priority(f, Some(self.priority), &self.matches)? {
            f.write_str(" ")?;
        }
        write!(f, "actions={}", Instructions(&self.instructions))
    }
}

impl Display for FlowMod {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.command {
            FlowModCommand::ADD => f.write_str("ADD")?,
            FlowModCommand::MODIFY => f.write_str("MOD")?,
            FlowModCommand::MODIFY_STRICT => f.write_str("MOD_STRICT")?,
            FlowModCommand::DELETE => f.write_str("DEL")?,
            FlowModCommand::DELETE_STRICT => f.write_str("DEL_STRICT")?,
            FlowModCommand(command) => write!(f, "cmd:{command}")?,
        }
        if self.table_id != TableId(0) {
            write!(f, " table:{}", self.table_id)?;
        }
        f.write_str(" ")?;
        if with_priority(f, Some(self.priority), &self.matches)? {
            f.write_str(" ")?;
        }
        match (self.cookie_mask, self.command) {
            (Cookie(0), _) if self.cookie == Cookie(0) || self.cookie == Cookie(u64::MAX) => {}
            (Cookie(0), _) => write!(f, "cookie:{} ", self.cookie)?,
            (mask, _) => write!(f, "cookie:{}/{mask} ", self.cookie)?,
        }
        if self.idle_timeout != 0 {
            write!(f, "idle:{} ", self.idle_timeout)?;
        }
        if self.hard_timeout != 0 {
            write!(f, "hard:{} ", self.hard_timeout)?;
        }
        if self.buffer_id != BufferId::NO_BUFFER {
            write!(f, "buf:{:#x} ", self.buffer_id.0)?;
        }
        if self.out_port != PortNo::ANY {
            write!(f, "out_port:{} ", self.out_port)?;
        }
        flags(f, self.flags)?;
        write!(f, "actions={}", Instructions(&self.instructions))
    }
}

impl Display for FlowKey {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "table={}, ", self.table_id)?;
        with_priority(f, Some(self.priority), &self.matches).map(|_| ())
    }
}

/// The words for flags, in the order in which they are printed.
pub(super) const FLAGS: &[(&str, FlowModFlags)] = &[
    ("send_flow_rem", FlowModFlags::SEND_FLOW_REM),
    ("check_overlap", FlowModFlags::CHECK_OVERLAP),
    ("reset_counts", FlowModFlags::RESET_COUNTS),
    ("no_packet_counts", FlowModFlags::NO_PKT_COUNTS),
    ("no_byte_counts", FlowModFlags::NO_BYT_COUNTS),
];

fn flags(f: &mut Formatter<'_>, flags: FlowModFlags) -> fmt::Result {
    FLAGS.iter().filter(|(_, flag)| flags.contains(*flag)).try_for_each(|(name, _)| write!(f, "{name} "))
}

/// Seconds and nanoseconds: no decimals, three, or as many as are needed.
struct Age(u32, u32);

impl Display for Age {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match *self {
            Self(sec, 0) => write!(f, "{sec}s"),
            Self(sec, nsec) if nsec % 1_000_000 == 0 => write!(f, "{sec}.{:03}s", nsec / 1_000_000),
            Self(sec, nsec) => write!(f, "{sec}.{}s", format!("{nsec:09}").trim_end_matches('0')),
        }
    }
}
