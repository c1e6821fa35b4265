//! Actions and instructions.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::value::{FromText, bytes, header, subfield};
use super::{Item, ParseTextError, Problem, items, matches, nested};
use crate::action::nicira::{self, CntIds, NiciraAction};
use crate::action::{Action, ActionList, Instruction, Output, Subfield};
use crate::oxm::OxmField;
use crate::types::{EthType, MacAddr, MaxLen, PortNo, TableId};

/// Lists of actions within lists of actions, as deep as messages may have them.
const MAX_DEPTH: u8 = 8;

impl FromStr for Action {
    type Err = ParseTextError;

    /// Reads one action: `output:2`, `resubmit(,10)`, `set_field:0x1->reg0`.
    fn from_str(text: &str) -> Result<Self, ParseTextError> {
        match &mut list(text, 0)?[..] {
            [one] => Ok(std::mem::replace(one, Self::PopVlan)),
            _ => Err(Problem::Expected("one action").of(text)),
        }
    }
}

impl FromStr for ActionList {
    type Err = ParseTextError;

    /// Reads actions with commas between them; `drop` and nothing at all are none.
    fn from_str(text: &str) -> Result<Self, ParseTextError> {
        list(text, 0).map(Self)
    }
}

impl FromStr for Instruction {
    type Err = ParseTextError;

    /// Reads one instruction: `goto_table:3`, `write_actions(output:1)`, or actions, which are applied.
    fn from_str(text: &str) -> Result<Self, ParseTextError> {
        match &mut instructions(text)?[..] {
            [] => Ok(Self::ApplyActions(ActionList::default())),
            [one] => Ok(std::mem::replace(one, Self::ClearActions)),
            _ => Err(Problem::Expected("one instruction").of(text)),
        }
    }
}

/// What stands after `actions=` in a flow: actions, and instructions in the order of execution.
pub(super) fn instructions(text: &str) -> Result<Vec<Instruction>, ParseTextError> {
    let (mut apply, mut all) = (Vec::new(), Vec::new());
    for item in items(text) {
        match instruction(&item)? {
            Some(instruction) => all.push(instruction),
            None => apply.extend(action(&item, 0)?),
        }
    }
    if !apply.is_empty() {
        all.push(Instruction::ApplyActions(ActionList(apply)));
    }
    all.sort_by_key(Instruction::rank);
    Ok(all)
}

fn instruction(item: &Item<'_>) -> Result<Option<Instruction>, ParseTextError> {
    Ok(Some(match item.key {
        "goto_table" => Instruction::GotoTable(item.number()?),
        "meter" => Instruction::Meter(item.number()?),
        "clear_actions" => Instruction::ClearActions,
        "write_actions" => Instruction::WriteActions(ActionList(list(item.value, 0)?)),
        "apply_actions" => Instruction::ApplyActions(ActionList(list(item.value, 0)?)),
        "write_metadata" => {
            let value = item.value;
            let parts = match value.split_once('/') {
                Some((value, mask)) => u64::from_text(value).zip(u64::from_text(mask)),
                None => u64::from_text(value).map(|value| (value, u64::MAX)),
            };
            let (metadata, mask) = item.expected("write_metadata:0x1 or write_metadata:0x1/0xff", parts)?;
            Instruction::WriteMetadata(crate::action::WriteMetadata { metadata, mask })
        }
        _ => return Ok(None),
    }))
}

pub(super) fn list(text: &str, depth: u8) -> Result<Vec<Action>, ParseTextError> {
    if depth > MAX_DEPTH {
        return Err(Problem::TooDeep.of(text));
    }
    let mut actions = Vec::new();
    for item in items(text) {
        actions.extend(action(&item, depth)?);
    }
    Ok(actions)
}

/// An action; none for `drop`.
fn action(item: &Item<'_>, depth: u8) -> Result<Option<Action>, ParseTextError> {
    if item.whole == "drop" {
        return Ok(None);
    }
    if let Some(port) = PortNo::from_text(item.whole) {
        return Ok(Some(Action::output(port)));
    }
    simple(item)
        .or_else(|| header_action(item))
        .or_else(|| extension(item, depth))
        .unwrap_or_else(|| Err(Problem::UnknownAction.of(item.whole)))
        .map(Some)
}

type Parsed = Option<Result<Action, ParseTextError>>;

/// Those of OpenFlow 1.3.
fn simple(item: &Item<'_>) -> Parsed {
    let eth_type = |make: fn(EthType) -> Action| item.number().map(make);
    let argument = |make: fn(u8) -> Action| item.number().map(make);
    Some(match item.key {
        "output" => output(item),
        "CONTROLLER" | "controller" => nested::controller(item),
        "group" => item.number().map(Action::Group),
        "set_queue" => item.number().map(Action::SetQueue),
        "copy_ttl_out" => Ok(Action::CopyTtlOut),
        "copy_ttl_in" => Ok(Action::CopyTtlIn),
        "set_mpls_ttl" => argument(Action::SetMplsTtl),
        "dec_mpls_ttl" => Ok(Action::DecMplsTtl),
        "mod_nw_ttl" => argument(Action::SetNwTtl),
        "dec_ttl" if item.value.is_empty() => Ok(Action::DecNwTtl),
        "push_vlan" => eth_type(Action::PushVlan),
        "pop_vlan" | "strip_vlan" => Ok(Action::PopVlan),
        "push_mpls" => eth_type(Action::PushMpls),
        "pop_mpls" => eth_type(Action::PopMpls),
        "push_pbb" => eth_type(Action::PushPbb),
        "pop_pbb" => Ok(Action::PopPbb),
        "set_field" => set_field(item),
        _ => return None,
    })
}

/// Those of OpenFlow 1.0 that set a field.
fn header_action(item: &Item<'_>) -> Parsed {
    let mac = |make: fn(MacAddr) -> OxmField| {
        item.expected("mod_dl_src:02:00:00:00:00:01", MacAddr::from_text(item.value))
            .map(make)
            .map(Action::SetField)
    };
    let ip = |make: fn(Ipv4Addr) -> OxmField| {
        item.expected("mod_nw_src:10.0.0.1", Ipv4Addr::from_text(item.value)).map(make).map(Action::SetField)
    };
    Some(match item.key {
        "mod_dl_src" => mac(|mac| OxmField::EthSrc(mac.into())),
        "mod_dl_dst" => mac(|mac| OxmField::EthDst(mac.into())),
        "mod_nw_src" => ip(|ip| OxmField::Ipv4Src(ip.into())),
        "mod_nw_dst" => ip(|ip| OxmField::Ipv4Dst(ip.into())),
        _ => return None,
    })
}

fn output(item: &Item<'_>) -> Result<Action, ParseTextError> {
    if item.whole.starts_with("output(") {
        let (mut port, mut max_len) = (None, None);
        for part in items(item.value) {
            match part.key {
                "port" => port = port16(part.value),
                "max_len" => max_len = u32::from_text(part.value),
                _ => return Err(Problem::UnknownWord.of(part.whole)),
            }
        }
        let both = port.zip(max_len);
        let (port, max_len) = item.expected("output(port=1,max_len=100)", both)?;
        return Ok(nicira::OutputTrunc { port, max_len }.into());
    }
    if let Some(port) = PortNo::from_text(item.value) {
        return Ok(Action::output(port));
    }
    let src = item.expected("output:2 or output:NXM_NX_REG0[0..15]", subfield(item.value))?;
    let max_len = u16::MAX;
    Ok(match src.field.experimenter {
        0 => nicira::OutputReg { ofs_nbits: src.ofs_nbits(), src: src.field, max_len }.into(),
        _ => nicira::OutputReg2 { ofs_nbits: src.ofs_nbits(), src: src.field, max_len }.into(),
    })
}

/// A port in 16 bits.
pub(super) fn port16(text: &str) -> Option<u16> {
    PortNo::from_text(text).map(|port| port.0 as u16)
}

fn set_field(item: &Item<'_>) -> Result<Action, ParseTextError> {
    let what = "set_field:value->field";
    let (text, name) = item.expected(what, item.value.rsplit_once("->"))?;
    let field = match matches::named_field(name, text) {
        Some(field) => field?,
        None => return Err(Problem::UnknownField.of(name)),
    };
    let header =
        item.expected("set_field of a field that there is", header(name.trim_end_matches("_oxm")))?;
    // OpenFlow 1.3 sets whole fields only; Open vSwitch has its own action for parts.
    let masked = text.contains('/') && header.bits() > 0;
    Ok(match masked {
        true => nicira::RegLoad2 { field }.into(),
        false => Action::SetField(field),
    })
}

/// Those of Open vSwitch.
fn extension(item: &Item<'_>, depth: u8) -> Parsed {
    Some(match item.key {
        "resubmit" => resubmit(item),
        "set_tunnel" => item.number().map(|tun_id| nicira::SetTunnel { tun_id }.into()),
        "set_tunnel64" => item.number().map(|tun_id| nicira::SetTunnel64 { tun_id }.into()),
        "pop_queue" => Ok(NiciraAction::PopQueue.into()),
        "move" => reg_move(item),
        "load" => reg_load(item),
        "push" | "pop" => stack(item),
        "note" => note(item),
        "exit" => Ok(NiciraAction::Exit.into()),
        "fin_timeout" => fin_timeout(item),
        "dec_ttl" => {
            let ids: Option<Vec<u16>> = item.value.split(',').map(u16::from_text).collect();
            item.expected("dec_ttl or dec_ttl(1,2)", ids)
                .map(|ids| NiciraAction::DecTtlCntIds(CntIds(ids)).into())
        }
        "conjunction" => conjunction(item),
        "ct" => nested::ct(item, depth),
        "nat" => nested::nat(item),
        "ct_clear" => Ok(NiciraAction::CtClear.into()),
        "clone" => list(item.value, depth + 1).map(Action::clone_packet),
        "check_pkt_larger" => check_pkt_larger(item),
        "multipath" => nested::multipath(item),
        "bundle" | "bundle_load" => nested::bundle(item),
        "learn" => nested::learn(item),
        "sample" => nested::sample(item),
        "encap" => nested::encap(item),
        "decap" => nested::decap(item),
        "dec_nsh_ttl" => Ok(NiciraAction::DecNshTtl.into()),
        "delete_field" => item
            .expected("delete_field:tun_metadata0", header(item.value))
            .map(|field| nicira::DeleteField(field).into()),
        _ => return None,
    })
}

fn resubmit(item: &Item<'_>) -> Result<Action, ParseTextError> {
    let what = "resubmit:port, resubmit(port,table) or resubmit(,table,ct)";
    if item.whole.starts_with("resubmit:") {
        return Ok(NiciraAction::Resubmit(item.expected(what, port16(item.value))?).into());
    }
    let mut parts = item.value.split(',').map(str::trim);
    let in_port = match parts.next() {
        None | Some("") => nicira::PORT_IN_PORT,
        Some(port) => item.expected(what, port16(port))?,
    };
    let table = match parts.next() {
        None | Some("") => TableId::ALL,
        Some(table) => item.expected(what, TableId::from_text(table))?,
    };
    let resubmit = nicira::ResubmitTable { in_port, table };
    match (parts.next(), parts.next()) {
        (None, None) => Ok(resubmit.into()),
        (Some("ct"), None) => Ok(NiciraAction::ResubmitTableCt(resubmit).into()),
        _ => item.expected(what, None),
    }
}

fn reg_move(item: &Item<'_>) -> Result<Action, ParseTextError> {
    let parts = item.value.split_once("->").and_then(|(src, dst)| subfield(src).zip(subfield(dst)));
    let same = parts.filter(|(src, dst)| src.n_bits == dst.n_bits);
    let (src, dst) = item.expected("move:NXM_NX_REG0[0..7]->NXM_NX_REG1[0..7], both as wide", same)?;
    Ok(Action::reg_move(src, dst))
}

fn reg_load(item: &Item<'_>) -> Result<Action, ParseTextError> {
    let parts = item.value.split_once("->").and_then(|(value, dst)| u64::from_text(value).zip(subfield(dst)));
    let fits =
        parts.filter(|(value, dst)| dst.n_bits <= 64 && (dst.n_bits == 64 || value >> dst.n_bits == 0));
    let (value, dst) = item.expected("load:0x1->NXM_NX_REG0[0..15], at most 64 bits that hold it", fits)?;
    Ok(Action::reg_load(dst, value))
}

fn stack(item: &Item<'_>) -> Result<Action, ParseTextError> {
    let Subfield { field, ofs, n_bits } = item.expected("push:NXM_NX_REG0[]", subfield(item.value))?;
    let stack = nicira::Stack { offset: ofs, field, n_bits };
    Ok(if item.key == "push" { NiciraAction::StackPush(stack) } else { NiciraAction::StackPop(stack) }.into())
}

fn note(item: &Item<'_>) -> Result<Action, ParseTextError> {
    let octets = item.value.split('.').filter(|octet| !octet.is_empty());
    let octets: Option<Vec<u8>> = octets.map(|octet| u8::from_str_radix(octet, 16).ok()).collect();
    let mut octets = item.expected("note:00.11.22", octets)?;
    // The action's length is a multiple of 8, and its header takes 10.
    octets.resize((octets.len() + 2).next_multiple_of(8).max(8) - 2, 0);
    Ok(NiciraAction::Note(octets.into()).into())
}

fn fin_timeout(item: &Item<'_>) -> Result<Action, ParseTextError> {
    let mut timeout = nicira::FinTimeout { idle: 0, hard: 0 };
    for part in items(item.value) {
        match part.key {
            "idle_timeout" => timeout.idle = part.number()?,
            "hard_timeout" => timeout.hard = part.number()?,
            _ => return Err(Problem::UnknownWord.of(part.whole)),
        }
    }
    Ok(timeout.into())
}

fn conjunction(item: &Item<'_>) -> Result<Action, ParseTextError> {
    let parts = item.value.split_once(',').and_then(|(id, of)| {
        let (clause, n_clauses) = of.trim().split_once('/')?;
        let clause = u8::from_text(clause)?.checked_sub(1)?;
        Some(nicira::Conjunction { id: u32::from_text(id)?, clause, n_clauses: u8::from_text(n_clauses)? })
    });
    item.expected("conjunction(id,clause/clauses)", parts).map(Into::into)
}

fn check_pkt_larger(item: &Item<'_>) -> Result<Action, ParseTextError> {
    let dst = item.tail.strip_prefix("->").and_then(subfield).filter(|dst| dst.n_bits == 1);
    let parts = u16::from_text(item.value).zip(dst);
    let (pkt_len, dst) = item.expected("check_pkt_larger(1500)->NXM_NX_REG0[0]", parts)?;
    Ok(nicira::CheckPktLarger { pkt_len, offset: dst.ofs, dst: dst.field }.into())
}

/// An output to the controller.
pub(super) fn to_controller(max_len: u16) -> Action {
    Action::Output(Output { port: PortNo::CONTROLLER, max_len: MaxLen(max_len) })
}

/// Kept here since it is the notation of actions: hexadecimal octets with or without dots.
pub(super) fn octets(text: &str) -> Option<Vec<u8>> {
    match text.replace('.', "") {
        digits if digits.is_empty() => Some(Vec::new()),
        digits if digits.len() % 2 == 0 => bytes(&format!("0x{digits}")),
        _ => None,
    }
}

/// The widths of addresses in `nat(...)`.
pub(super) fn address(text: &str) -> Option<Result<Ipv4Addr, Ipv6Addr>> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    match (Ipv4Addr::from_text(bare), Ipv6Addr::from_text(bare)) {
        (Some(ipv4), _) => Some(Ok(ipv4)),
        (_, Some(ipv6)) => Some(Err(ipv6)),
        _ => None,
    }
}

/// Protocols whose helpers `ct(alg=...)` names.
pub(super) fn alg(text: &str) -> Option<u16> {
    match text {
        "ftp" => Some(21),
        "tftp" => Some(69),
        port => u16::from_text(port),
    }
}
