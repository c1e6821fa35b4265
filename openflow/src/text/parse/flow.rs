//! Flow entries and what changes them.

use std::str::FromStr;

use super::matches::MatchText;
use super::value::FromText;
use super::{Item, ParseTextError, Problem, action, items};
use crate::action::Instruction;
use crate::flow_match::Match;
use crate::message::flow::{FlowKey, FlowMod, FlowModCommand, FlowModFlags, FlowStats};
use crate::types::{BufferId, Cookie, GroupId, PortNo, TableId};

const DEFAULT_PRIORITY: u16 = 0x8000;

/// All that the text of a flow may say.
#[derive(Debug, Default)]
struct Flow {
    cookie: Option<(Cookie, Option<Cookie>)>,
    table: Option<TableId>,
    priority: Option<u16>,
    idle_timeout: u16,
    hard_timeout: u16,
    buffer_id: Option<BufferId>,
    out_port: Option<PortNo>,
    out_group: Option<GroupId>,
    flags: FlowModFlags,
    duration: (u32, u32),
    n_packets: u64,
    n_bytes: u64,
    matches: Match,
    instructions: Vec<Instruction>,
}

impl Flow {
    fn parse(text: &str) -> Result<Self, ParseTextError> {
        let (head, actions) = split_actions(text);
        let (mut this, mut matches) = (Self::default(), MatchText::default());
        for item in items(head) {
            if !this.add(&item)? && !matches.add(item)? {
                return Err(Problem::UnknownField.of(item.whole));
            }
        }
        this.matches = matches.build(head.trim())?;
        this.instructions = action::instructions(actions)?;
        Ok(this)
    }

    /// Takes an item; false if it is one of the match.
    fn add(&mut self, item: &Item<'_>) -> Result<bool, ParseTextError> {
        match item.key {
            "cookie" => {
                let (cookie, mask) = match item.value.split_once('/') {
                    Some((cookie, "-1")) => (Cookie::from_text(cookie), Some(Some(Cookie(u64::MAX)))),
                    Some((cookie, mask)) => (Cookie::from_text(cookie), Cookie::from_text(mask).map(Some)),
                    None => (Cookie::from_text(item.value), Some(None)),
                };
                self.cookie = Some(item.expected("cookie=0x1 or cookie=0x1/0xff", cookie.zip(mask))?);
            }
            "table" => self.table = Some(item.number()?),
            "priority" => self.priority = Some(item.number()?),
            "idle_timeout" | "idle" => self.idle_timeout = item.number()?,
            "hard_timeout" | "hard" => self.hard_timeout = item.number()?,
            "buf" => self.buffer_id = Some(BufferId(item.number()?)),
            "out_port" => self.out_port = Some(item.number()?),
            "out_group" => self.out_group = Some(item.number()?),
            "duration" => self.duration = item.expected("duration=1.5s", duration(item.value))?,
            "n_packets" => self.n_packets = item.number()?,
            "n_bytes" => self.n_bytes = item.number()?,
            "idle_age" | "hard_age" => {}
            word => {
                let Some((_, flag)) = crate::text::flow::FLAGS.iter().find(|(name, _)| *name == word) else {
                    return Ok(false);
                };
                self.flags |= *flag;
            }
        }
        Ok(true)
    }

    fn flow_mod(self, command: FlowModCommand) -> FlowMod {
        let deletes = command == FlowModCommand::DELETE || command == FlowModCommand::DELETE_STRICT;
        let table = self.table.unwrap_or(if deletes { TableId::ALL } else { TableId(0) });
        let strict = command != FlowModCommand::DELETE && command != FlowModCommand::MODIFY;
        let (cookie, mask) = self.cookie.unwrap_or_default();
        FlowMod {
            cookie,
            cookie_mask: mask.unwrap_or_default(),
            command,
            idle_timeout: self.idle_timeout,
            hard_timeout: self.hard_timeout,
            priority: self.priority.unwrap_or(if strict { DEFAULT_PRIORITY } else { 0 }),
            buffer_id: self.buffer_id.unwrap_or(BufferId::NO_BUFFER),
            out_port: self.out_port.unwrap_or(PortNo::ANY),
            out_group: self.out_group.unwrap_or(GroupId::ANY),
            flags: self.flags,
            instructions: self.instructions,
            ..FlowMod::add(table, 0, self.matches)
        }
    }
}

/// What stands before and after `actions=`.
fn split_actions(text: &str) -> (&str, &str) {
    for word in ["actions=", "action="] {
        let mut places = text.match_indices(word).map(|(at, _)| at);
        let start = |at: &usize| {
            text.get(..*at).is_some_and(|head| head.is_empty() || head.ends_with([' ', ',', '\t']))
        };
        if let Some(at) = places.find(start) {
            let (head, tail) = text.split_at(at);
            return (head, tail.get(word.len()..).unwrap_or_default());
        }
    }
    (text, "")
}

fn duration(text: &str) -> Option<(u32, u32)> {
    let text = text.strip_suffix('s')?;
    let (sec, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 9 || !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let nsec = if fraction.is_empty() { 0 } else { format!("{fraction:0<9}").parse().ok()? };
    Some((sec.parse().ok()?, nsec))
}

impl FlowMod {
    /// Reads a flow as ovs-ofctl's add-flow, mod-flows and del-flows take it: `table=3,priority=7,tcp,in_port=1
    /// actions=output:2`.
    pub fn parse(command: FlowModCommand, text: &str) -> Result<Self, ParseTextError> {
        Flow::parse(text).map(|flow| flow.flow_mod(command))
    }
}

/// The words that begin a flow-mod, as ofp-print prints them and as flow files have them.
const COMMANDS: &[(&str, FlowModCommand)] = &[
    ("ADD", FlowModCommand::ADD),
    ("MOD", FlowModCommand::MODIFY),
    ("MOD_STRICT", FlowModCommand::MODIFY_STRICT),
    ("DEL", FlowModCommand::DELETE),
    ("DEL_STRICT", FlowModCommand::DELETE_STRICT),
    ("add", FlowModCommand::ADD),
    ("modify", FlowModCommand::MODIFY),
    ("modify_strict", FlowModCommand::MODIFY_STRICT),
    ("delete", FlowModCommand::DELETE),
    ("delete_strict", FlowModCommand::DELETE_STRICT),
];

impl FromStr for FlowMod {
    type Err = ParseTextError;

    /// Reads what ofp-print prints, `ADD table:3 priority=7,tcp actions=output:2`, and the lines of flow files, `delete
    /// table=3`. Without a word for it, it adds.
    fn from_str(text: &str) -> Result<Self, ParseTextError> {
        let text = text.trim();
        let (word, rest) = text.split_once([' ', '\t']).unwrap_or((text, ""));
        match COMMANDS.iter().find(|(name, _)| *name == word) {
            // ofp-print leaves out table 0 and the default priority.
            Some((name, command)) if name.starts_with(|c: char| c.is_ascii_uppercase()) => {
                let mut flow = Flow::parse(rest)?;
                flow.table = flow.table.or(Some(TableId(0)));
                flow.priority = flow.priority.or(Some(DEFAULT_PRIORITY));
                Ok(flow.flow_mod(*command))
            }
            Some((_, command)) => Self::parse(*command, rest),
            None => Self::parse(FlowModCommand::ADD, text),
        }
    }
}

impl FromStr for FlowStats {
    type Err = ParseTextError;

    /// Reads a line of dump-flows.
    fn from_str(text: &str) -> Result<Self, ParseTextError> {
        let flow = Flow::parse(text)?;
        Ok(Self {
            table_id: flow.table.unwrap_or_default(),
            duration_sec: flow.duration.0,
            duration_nsec: flow.duration.1,
            priority: flow.priority.unwrap_or(DEFAULT_PRIORITY),
            idle_timeout: flow.idle_timeout,
            hard_timeout: flow.hard_timeout,
            flags: flow.flags,
            cookie: flow.cookie.unwrap_or_default().0,
            packet_count: flow.n_packets,
            byte_count: flow.n_bytes,
            matches: flow.matches,
            instructions: flow.instructions,
        })
    }
}

impl FromStr for FlowKey {
    type Err = ParseTextError;

    /// Reads `table=3, priority=7,tcp,in_port=1`.
    fn from_str(text: &str) -> Result<Self, ParseTextError> {
        let flow = Flow::parse(text)?;
        Ok(Self {
            table_id: flow.table.unwrap_or_default(),
            priority: flow.priority.unwrap_or(DEFAULT_PRIORITY),
            matches: flow.matches,
        })
    }
}
