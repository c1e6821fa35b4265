//! Actions and instructions: what a flow entry does.

mod conntrack;
mod extra;
pub(crate) mod learn;
pub mod nicira;
mod select;

use std::ops::{Deref, DerefMut};

pub use nicira::NiciraAction;

use crate::message::experimenter::ONF;
use crate::oxm::{OxmField, OxmHeader};
use crate::types::{EthType, GroupId, MaxLen, MeterId, PortNo, QueueId, TableId};
use crate::wire::macros::{tlv_enum, wire_struct};
use crate::wire::{DecodeError, Payload, Reader, Wire};

wire_struct! {
    /// Sends the packet to a port (`ofp_action_output`).
    pub struct Output {
        /// Where to.
        port: PortNo,
        /// How much of it, if `port` is the controller.
        max_len: MaxLen,
    }
}

tlv_enum! {
    /// An action (`ofp_action_header`).
    pub enum Action {
        /// To a port (`OFPAT_OUTPUT`).
        0 => Output(Output),
        /// TTL from the inner to the outer header (`OFPAT_COPY_TTL_OUT`).
        11 => CopyTtlOut,
        /// TTL from the outer to the inner header (`OFPAT_COPY_TTL_IN`).
        12 => CopyTtlIn,
        /// MPLS TTL (`OFPAT_SET_MPLS_TTL`).
        15 => SetMplsTtl(u8),
        /// MPLS TTL less one (`OFPAT_DEC_MPLS_TTL`).
        16 => DecMplsTtl,
        /// A new VLAN tag with this ethertype (`OFPAT_PUSH_VLAN`).
        17 => PushVlan(EthType),
        /// Without the outer VLAN tag (`OFPAT_POP_VLAN`).
        18 => PopVlan,
        /// A new MPLS header with this ethertype (`OFPAT_PUSH_MPLS`).
        19 => PushMpls(EthType),
        /// Without the outer MPLS header; the ethertype of what is left (`OFPAT_POP_MPLS`).
        20 => PopMpls(EthType),
        /// The queue for outputs that follow (`OFPAT_SET_QUEUE`).
        21 => SetQueue(QueueId),
        /// Through a group (`OFPAT_GROUP`).
        22 => Group(GroupId),
        /// TTL or hop limit (`OFPAT_SET_NW_TTL`).
        23 => SetNwTtl(u8),
        /// TTL or hop limit less one (`OFPAT_DEC_NW_TTL`).
        24 => DecNwTtl,
        /// A header field (`OFPAT_SET_FIELD`).
        25 => SetField(OxmField),
        /// A new PBB header with this ethertype (`OFPAT_PUSH_PBB`).
        26 => PushPbb(EthType),
        /// Without the PBB header (`OFPAT_POP_PBB`).
        27 => PopPbb,
        /// Of an experimenter (`OFPAT_EXPERIMENTER`).
        0xffff => Experimenter(ExperimenterAction),
    }
}

impl Action {
    /// To `port`; to [`PortNo::CONTROLLER`] the whole packet.
    pub fn output(port: impl Into<PortNo>) -> Self {
        let port = port.into();
        let max_len = if port == PortNo::CONTROLLER { MaxLen::NO_BUFFER } else { MaxLen(0) };
        Self::Output(Output { port, max_len })
    }

    /// At most `max_len` bytes to the controller.
    pub fn controller(max_len: impl Into<MaxLen>) -> Self {
        Self::Output(Output { port: PortNo::CONTROLLER, max_len: max_len.into() })
    }

    /// Through a group.
    pub fn group(id: impl Into<GroupId>) -> Self {
        Self::Group(id.into())
    }

    /// Sets a header field as a whole.
    pub fn set_field(field: OxmField) -> Self {
        Self::SetField(field)
    }

    /// Copies bits from one field to as many of another (`NXAST_REG_MOVE`).
    pub fn reg_move(src: Subfield, dst: Subfield) -> Self {
        nicira::RegMove {
            n_bits: src.n_bits,
            src_ofs: src.ofs,
            dst_ofs: dst.ofs,
            src: src.field,
            dst: dst.field,
        }
        .into()
    }

    /// Writes a constant into at most 64 bits of a field (`NXAST_REG_LOAD`).
    pub fn reg_load(dst: Subfield, value: u64) -> Self {
        nicira::RegLoad { ofs_nbits: dst.ofs_nbits(), dst: dst.field, value }.into()
    }

    /// To the port whose number a field holds (`NXAST_OUTPUT_REG`); to the controller the whole packet.
    pub fn output_field(port: Subfield) -> Self {
        nicira::OutputReg { ofs_nbits: port.ofs_nbits(), src: port.field, max_len: u16::MAX }.into()
    }

    /// Does `actions` to a copy of the packet; neither the packet nor its fields change (`NXAST_CLONE`).
    pub fn clone_packet(actions: impl IntoIterator<Item = Self>) -> Self {
        NiciraAction::Clone(nicira::CloneActions { actions: actions.into_iter().collect() }).into()
    }

    /// Looks the packet up in another table as well, then goes on (`NXAST_RESUBMIT_TABLE`).
    pub fn resubmit_table(table: impl Into<TableId>) -> Self {
        nicira::ResubmitTable { in_port: nicira::PORT_IN_PORT, table: table.into() }.into()
    }
}

/// `ONFACT_ET_COPY_FIELD`.
const COPY_FIELD: u16 = 3200;

/// An action of an experimenter (`ofp_action_experimenter_header`).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum ExperimenterAction {
    /// Open vSwitch's (`NX_VENDOR_ID`).
    Nicira(NiciraAction),
    /// Bits of a field to another (`ONFACT_ET_COPY_FIELD`, the ONF's extension 320).
    CopyField(nicira::CopyField),
    /// Somebody else's, byte for byte.
    Unknown {
        /// Whose.
        experimenter: u32,
        /// All that follows, padding included.
        body: Payload,
    },
}

impl From<NiciraAction> for Action {
    fn from(action: NiciraAction) -> Self {
        Self::Experimenter(ExperimenterAction::Nicira(action))
    }
}

impl Wire for ExperimenterAction {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Nicira(action) => {
                nicira::VENDOR.encode(out);
                action.ty().encode(out);
                action.encode(out);
            }
            Self::CopyField(copy) => {
                ONF.encode(out);
                COPY_FIELD.encode(out);
                copy.encode(out);
            }
            Self::Unknown { experimenter, body } => {
                experimenter.encode(out);
                body.encode(out);
            }
        }
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match r.get()? {
            nicira::VENDOR => {
                let subtype = r.get()?;
                if !r.nest() {
                    let body = r.get()?;
                    return Ok(Self::Nicira(NiciraAction::Unknown { ty: subtype, body }));
                }
                NiciraAction::decode(subtype, r, |action, _| Ok(Self::Nicira(action)))
            }
            ONF if r.peek().starts_with(&COPY_FIELD.to_be_bytes()) => {
                r.take(2)?;
                r.get().map(Self::CopyField)
            }
            experimenter => Ok(Self::Unknown { experimenter, body: r.get()? }),
        }
    }
}

/// Some bits of a field.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Subfield {
    /// The field.
    pub field: OxmHeader,
    /// The lowest bit, 0 being the least significant.
    pub ofs: u16,
    /// How many.
    pub n_bits: u16,
}

impl Subfield {
    /// The field as a whole.
    pub fn whole(field: OxmHeader) -> Self {
        Self { field, ofs: 0, n_bits: field.bits() }
    }

    /// `n_bits` bits from `ofs` on.
    pub fn bits(field: OxmHeader, ofs: u16, n_bits: u16) -> Self {
        Self { field, ofs, n_bits }
    }

    /// Offset in 10 bits and count less one in 6, as several actions have them. Fields wider than 64 bits cannot be
    /// said there.
    pub(crate) fn ofs_nbits(self) -> u16 {
        self.ofs << 6 | (self.n_bits.saturating_sub(1) & 0x3f)
    }

    pub(crate) fn from_ofs_nbits(field: OxmHeader, ofs_nbits: u16) -> Self {
        Self { field, ofs: ofs_nbits >> 6, n_bits: (ofs_nbits & 0x3f) + 1 }
    }
}

/// A list of actions, carried out in order; in [`Instruction::WriteActions`] a set.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct ActionList(pub Vec<Action>);

impl Deref for ActionList {
    type Target = Vec<Action>;
    fn deref(&self) -> &Vec<Action> {
        &self.0
    }
}

impl DerefMut for ActionList {
    fn deref_mut(&mut self) -> &mut Vec<Action> {
        &mut self.0
    }
}

impl FromIterator<Action> for ActionList {
    fn from_iter<I: IntoIterator<Item = Action>>(actions: I) -> Self {
        Self(actions.into_iter().collect())
    }
}

impl Wire for ActionList {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[0; 4]);
        self.0.encode(out);
    }
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.pad(4)?;
        r.get().map(Self)
    }
}

wire_struct! {
    /// Sets the masked bits of the metadata (`ofp_instruction_write_metadata`).
    pub struct WriteMetadata {
        /// The bits to write.
        [pad 4] metadata: u64,
        /// Which bits to write.
        mask: u64,
    }
}

tlv_enum! {
    /// An instruction (`ofp_instruction`).
    pub enum Instruction {
        /// The table to look up next (`OFPIT_GOTO_TABLE`).
        1 => GotoTable(TableId),
        /// Metadata for the tables that follow (`OFPIT_WRITE_METADATA`).
        2 => WriteMetadata(WriteMetadata),
        /// Into the action set (`OFPIT_WRITE_ACTIONS`).
        3 => WriteActions(ActionList),
        /// At once (`OFPIT_APPLY_ACTIONS`).
        4 => ApplyActions(ActionList),
        /// Empties the action set (`OFPIT_CLEAR_ACTIONS`).
        5 => ClearActions,
        /// Through a meter (`OFPIT_METER`).
        6 => Meter(MeterId),
    }
}

impl Instruction {
    /// Does `actions` at once.
    pub fn apply(actions: impl IntoIterator<Item = Action>) -> Self {
        Self::ApplyActions(actions.into_iter().collect())
    }

    /// Puts `actions` into the action set.
    pub fn write(actions: impl IntoIterator<Item = Action>) -> Self {
        Self::WriteActions(actions.into_iter().collect())
    }

    /// Goes on in `table`.
    pub fn goto_table(table: impl Into<TableId>) -> Self {
        Self::GotoTable(table.into())
    }

    /// Writes the bits of `mask`.
    pub fn write_metadata(metadata: u64, mask: u64) -> Self {
        Self::WriteMetadata(WriteMetadata { metadata: metadata & mask, mask })
    }

    /// The order in which a datapath carries instructions out, which is the one in which Open vSwitch reports them.
    pub(crate) fn rank(&self) -> u8 {
        match self {
            Self::Meter(_) => 0,
            Self::ApplyActions(_) => 1,
            Self::ClearActions => 2,
            Self::WriteActions(_) => 3,
            Self::WriteMetadata(_) => 4,
            Self::Unknown { .. } => 5,
            Self::GotoTable(_) => 6,
        }
    }
}
