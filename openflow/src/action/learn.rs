//! Flows that make flows: learn.

use super::Subfield;
use crate::oxm::OxmHeader;
use crate::types::{Cookie, TableId};
use crate::wire::macros::wire_flags;
use crate::wire::{DecodeError, Payload, Reader, Reason, Wire};

wire_flags! {
    /// Peculiarities of [`Learn`] (`NX_LEARN_F_*`).
    pub struct LearnFlags(u16) {
        /// The learned flow tells when it goes.
        SEND_FLOW_REM = 1,
        /// The learned flow goes with the one that learned it.
        DELETE_LEARNED = 2,
        /// Whether it was learned is written to a bit; needs [`LearnLimit::result`].
        WRITE_RESULT = 4,
    }
}

/// Adds or modifies a flow by what is in the packet (`nx_action_learn`, `nx_action_learn2`).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Learn {
    /// Of the learned flow, in seconds; 0: never.
    pub idle_timeout: u16,
    /// Of the learned flow, in seconds; 0: never.
    pub hard_timeout: u16,
    /// Of the learned flow.
    pub priority: u16,
    /// Of the learned flow.
    pub cookie: Cookie,
    /// Peculiarities.
    pub flags: LearnFlags,
    /// Where it is learned.
    pub table: TableId,
    /// The idle timeout after FIN or RST; 0: unchanged.
    pub fin_idle_timeout: u16,
    /// The hard timeout after FIN or RST; 0: unchanged.
    pub fin_hard_timeout: u16,
    /// What the learned flow matches and does, in this order.
    pub specs: Vec<LearnSpec>,
}

/// What [`Learn`] has on top when there is a limit (`nx_action_learn2`).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct LearnLimit {
    /// What is learned.
    pub learn: Learn,
    /// How many flows at most; 0: as many as there are.
    pub limit: u32,
    /// The bit that says whether it was learned; there with [`LearnFlags::WRITE_RESULT`] alone.
    pub result: Option<(OxmHeader, u16)>,
}

/// Where the bits of a [`LearnSpec`] come from.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum LearnSource {
    /// From a field of the packet, from this bit on.
    Field(OxmHeader, u16),
    /// A constant in network order, as many bytes as the bits need, rounded up to 2.
    Immediate(Payload),
}

/// Where the bits of a [`LearnSpec`] go.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum LearnTarget {
    /// The learned flow matches them in this field, from this bit on.
    Match(OxmHeader, u16),
    /// The learned flow loads them into this field, from this bit on.
    Load(OxmHeader, u16),
    /// The learned flow sends to the port of this number.
    Output,
}

/// A part of the learned flow (`flow_mod_spec`).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct LearnSpec {
    /// How many bits, 1 to 2047.
    pub n_bits: u16,
    /// Where they come from.
    pub source: LearnSource,
    /// Where they go.
    pub target: LearnTarget,
}

const N_BITS: u16 = 0x07ff;
const TARGET: u16 = 0x1800;
const TO_LOAD: u16 = 0x0800;
const TO_OUTPUT: u16 = 0x1000;
const IMMEDIATE: u16 = 0x2000;

impl Learn {
    /// Learns into `table` at the default priority, for ever.
    pub fn new(table: impl Into<TableId>, specs: impl IntoIterator<Item = LearnSpec>) -> Self {
        Self {
            idle_timeout: 0,
            hard_timeout: 0,
            priority: 0x8000,
            cookie: Cookie(0),
            flags: LearnFlags::NONE,
            table: table.into(),
            fin_idle_timeout: 0,
            fin_hard_timeout: 0,
            specs: specs.into_iter().collect(),
        }
    }

    fn encode_head(&self, out: &mut Vec<u8>) {
        self.idle_timeout.encode(out);
        self.hard_timeout.encode(out);
        self.priority.encode(out);
        self.cookie.encode(out);
        self.flags.encode(out);
        self.table.encode(out);
        out.push(0);
        self.fin_idle_timeout.encode(out);
        self.fin_hard_timeout.encode(out);
    }

    fn decode_head(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (idle_timeout, hard_timeout, priority) = (r.get()?, r.get()?, r.get()?);
        let (cookie, flags, table) = (r.get()?, r.get()?, r.get()?);
        r.pad(1)?;
        let (fin_idle_timeout, fin_hard_timeout) = (r.get()?, r.get()?);
        let specs = Vec::new();
        Ok(Self {
            idle_timeout,
            hard_timeout,
            priority,
            cookie,
            flags,
            table,
            fin_idle_timeout,
            fin_hard_timeout,
            specs,
        })
    }
}

impl LearnSpec {
    /// The learned flow matches `dst` as it is in `src` of the packet. Both are as wide as `dst`.
    pub fn matching(dst: Subfield, src: Subfield) -> Self {
        let source = LearnSource::Field(src.field, src.ofs);
        Self { n_bits: dst.n_bits, source, target: LearnTarget::Match(dst.field, dst.ofs) }
    }

    /// The learned flow copies `src` of the packet into `dst`. Both are as wide as `dst`.
    pub fn load(src: Subfield, dst: Subfield) -> Self {
        let source = LearnSource::Field(src.field, src.ofs);
        Self { n_bits: dst.n_bits, source, target: LearnTarget::Load(dst.field, dst.ofs) }
    }

    /// The learned flow sends to the port whose number is in `src` of the packet.
    pub fn output(src: Subfield) -> Self {
        let source = LearnSource::Field(src.field, src.ofs);
        Self { n_bits: src.n_bits, source, target: LearnTarget::Output }
    }

    /// The learned flow matches the low bits of `value` in `dst`.
    pub fn matching_value(dst: Subfield, value: u128) -> Self {
        let source = LearnSource::Immediate(immediate(dst.n_bits, value));
        Self { n_bits: dst.n_bits, source, target: LearnTarget::Match(dst.field, dst.ofs) }
    }

    /// The learned flow loads the low bits of `value` into `dst`.
    pub fn load_value(value: u128, dst: Subfield) -> Self {
        let source = LearnSource::Immediate(immediate(dst.n_bits, value));
        Self { n_bits: dst.n_bits, source, target: LearnTarget::Load(dst.field, dst.ofs) }
    }

    fn decode(header: u16, r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let start = r.clone();
        let n_bits = header & N_BITS;
        let source = match header & IMMEDIATE {
            0 => LearnSource::Field(r.get()?, r.get()?),
            _ => LearnSource::Immediate(r.take(immediate_len(n_bits))?.into()),
        };
        let target = match (header & !(N_BITS | IMMEDIATE), &source) {
            (0, _) => LearnTarget::Match(r.get()?, r.get()?),
            (TO_LOAD, _) => LearnTarget::Load(r.get()?, r.get()?),
            (TO_OUTPUT, LearnSource::Field(..)) => LearnTarget::Output,
            _ => return Err(start.error(Reason::Value(header.into()))),
        };
        Ok(Self { n_bits, source, target })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        let immediate = if matches!(self.source, LearnSource::Immediate(_)) { IMMEDIATE } else { 0 };
        let target = match self.target {
            LearnTarget::Match(..) => 0,
            LearnTarget::Load(..) => TO_LOAD,
            LearnTarget::Output => TO_OUTPUT,
        };
        (self.n_bits & N_BITS | target & TARGET | immediate).encode(out);
        match &self.source {
            LearnSource::Field(field, ofs) => {
                field.encode(out);
                ofs.encode(out);
            }
            LearnSource::Immediate(bytes) => {
                let len = immediate_len(self.n_bits);
                out.resize(out.len() + len.saturating_sub(bytes.len()), 0);
                out.extend_from_slice(bytes.get(bytes.len().saturating_sub(len)..).unwrap_or_default());
            }
        }
        match self.target {
            LearnTarget::Match(field, ofs) | LearnTarget::Load(field, ofs) => {
                field.encode(out);
                ofs.encode(out);
            }
            LearnTarget::Output => {}
        }
    }
}

fn immediate_len(n_bits: u16) -> usize {
    usize::from(n_bits).div_ceil(16) * 2
}

/// The low bits of `value`, in as many bytes as the wire has.
pub(crate) fn immediate(n_bits: u16, value: u128) -> Payload {
    let mut bytes = vec![0; immediate_len(n_bits).saturating_sub(16)];
    let value = value.to_be_bytes();
    bytes.extend_from_slice(value.get(16_usize.saturating_sub(immediate_len(n_bits))..).unwrap_or_default());
    bytes.into()
}

fn decode_specs(r: &mut Reader<'_>) -> Result<Vec<LearnSpec>, DecodeError> {
    let mut specs = Vec::new();
    // What is shorter than a header, or a header of zeros, is the padding of the action.
    while r.remaining() >= 2 && r.peek().iter().take(2).any(|byte| *byte != 0) {
        let header = r.get()?;
        specs.push(LearnSpec::decode(header, r)?);
    }
    r.pad_rest()?;
    Ok(specs)
}

impl Wire for Learn {
    fn encode(&self, out: &mut Vec<u8>) {
        self.encode_head(out);
        self.specs.iter().for_each(|spec| spec.encode(out));
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let outer = r.enter("Learn");
        let head = Self::decode_head(r)?;
        let this = Self { specs: decode_specs(r)?, ..head };
        r.leave(outer);
        Ok(this)
    }
}

impl Wire for LearnLimit {
    fn encode(&self, out: &mut Vec<u8>) {
        self.learn.encode_head(out);
        self.limit.encode(out);
        self.result.map_or(0, |(_, ofs)| ofs).encode(out);
        out.extend_from_slice(&[0; 2]);
        if let Some((field, _)) = self.result {
            field.encode(out);
        }
        self.learn.specs.iter().for_each(|spec| spec.encode(out));
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let outer = r.enter("LearnLimit");
        let head = Learn::decode_head(r)?;
        let limit = r.get()?;
        let start = r.clone();
        let ofs: u16 = r.get()?;
        r.pad(2)?;
        let result = match (head.flags.contains(LearnFlags::WRITE_RESULT), ofs) {
            (true, ofs) => Some((r.get()?, ofs)),
            (false, 0) => None,
            (false, ofs) => return Err(start.error(Reason::Value(ofs.into()))),
        };
        let learn = Learn { specs: decode_specs(r)?, ..head };
        r.leave(outer);
        Ok(Self { learn, limit, result })
    }
}
