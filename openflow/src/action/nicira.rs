//! The actions of Open vSwitch's own (`NX_VENDOR_ID`, ovs-actions(7)).

pub use super::conntrack::{Conntrack, CtFlags, CtZone, Nat, NatFlags, NatRange};
pub use super::extra::*;
pub use super::learn::*;
pub use super::select::*;
use super::{Action, Subfield};
use crate::oxm::OxmHeader;
use crate::types::TableId;
use crate::wire::macros::{body_enum, tlv_enum, wire_struct};
use crate::wire::{DecodeError, Payload, Reader, Wire};

/// The experimenter number of Nicira, and so of Open vSwitch.
pub const VENDOR: u32 = 0x0000_2320;

/// `OFPP_IN_PORT` in 16 bits: "the port that it came through".
pub const PORT_IN_PORT: u16 = 0xfff8;

wire_struct! {
    /// Copies bits between fields (`nx_action_reg_move`).
    pub struct RegMove {
        /// How many bits.
        n_bits: u16,
        /// The lowest bit of the source.
        src_ofs: u16,
        /// The lowest bit of the destination.
        dst_ofs: u16,
        /// From here.
        src: OxmHeader,
        /// To there.
        dst: OxmHeader,
    }
}

wire_struct! {
    /// Writes a constant into bits of a field (`nx_action_reg_load`).
    pub struct RegLoad {
        /// The lowest bit (10 bits) and the number of bits less one (6 bits).
        ofs_nbits: u16,
        /// The field.
        dst: OxmHeader,
        /// The bits, at the low end.
        value: u64,
    }
}

impl RegLoad {
    /// Where to.
    pub fn subfield(&self) -> Subfield {
        Subfield::from_ofs_nbits(self.dst, self.ofs_nbits)
    }
}

wire_struct! {
    /// Looks the packet up again (`nx_action_resubmit`).
    pub struct ResubmitTable {
        /// As if it had come through this port; [`PORT_IN_PORT`]: its own.
        in_port: u16,
        /// In this table; [`TableId::ALL`]: the same.
        table: TableId,
    }
}

wire_struct! {
    /// The tunnel key in 32 bits (`NXAST_SET_TUNNEL`).
    pub struct SetTunnel {
        /// The key.
        [pad 2] tun_id: u32,
    }
}

wire_struct! {
    /// The tunnel key in 64 bits (`NXAST_SET_TUNNEL64`).
    pub struct SetTunnel64 {
        /// The key.
        [pad 6] tun_id: u64,
    }
}

wire_struct! {
    /// Sends to the port that a field names (`nx_action_output_reg`).
    pub struct OutputReg {
        /// The lowest bit (10 bits) and the number of bits less one (6 bits).
        ofs_nbits: u16,
        /// The field.
        src: OxmHeader,
        /// How much, if the port is the controller.
        max_len: u16,
    }
}

wire_struct! {
    /// Saves or restores a field (`nx_action_stack`).
    pub struct Stack {
        /// The lowest bit.
        offset: u16,
        /// The field.
        field: OxmHeader,
        /// How many bits.
        n_bits: u16,
    }
}

wire_struct! {
    /// One clause of a conjunctive match (`nx_action_conjunction`).
    pub struct Conjunction {
        /// Which clause, from 0.
        clause: u8,
        /// Of how many.
        n_clauses: u8,
        /// Which conjunction.
        id: u32,
    }
}

wire_struct! {
    /// To a controller of some id (`nx_action_controller`).
    pub struct Controller {
        /// How many bytes.
        max_len: u16,
        /// Which controller.
        controller_id: u16,
        /// The reason to be given.
        reason: u8,
    }
}

wire_struct! {
    /// Shorter timeouts after FIN or RST (`nx_action_fin_timeout`).
    pub struct FinTimeout {
        /// In seconds; 0 leaves it.
        idle: u16,
        /// In seconds; 0 leaves it.
        hard: u16,
    }
}

wire_struct! {
    /// Sets masked bits of the metadata (`nx_action_write_metadata`).
    pub struct NxWriteMetadata {
        /// The bits to write.
        [pad 6] metadata: u64,
        /// Which bits to write.
        mask: u64,
    }
}

wire_struct! {
    /// To a port, cut short (`nx_action_output_trunc`).
    pub struct OutputTrunc {
        /// The port, in 16 bits.
        port: u16,
        /// How many bytes.
        max_len: u32,
    }
}

wire_struct! {
    /// Whether the packet is longer than so much (`nx_action_check_pkt_larger`).
    pub struct CheckPktLarger {
        /// How much.
        pkt_len: u16,
        /// Which bit of the field gets the answer.
        offset: u16,
        /// The field.
        dst: OxmHeader,
        ; pad 6
    }
}

wire_struct! {
    /// What is done to the copy (`NXAST_CLONE`).
    pub struct CloneActions {
        /// In this order.
        [pad 6] actions: Vec<Action>,
    }
}

/// Controllers, by id (`nx_action_cnt_ids`).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct CntIds(pub Vec<u16>);

impl Wire for CntIds {
    fn encode(&self, out: &mut Vec<u8>) {
        (self.0.len() as u16).encode(out);
        out.extend_from_slice(&[0; 4]);
        self.0.encode(out);
    }
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let count = usize::from(r.get::<u16>()?);
        r.pad(4)?;
        r.sub("CntIds", 2 * count)?.get().map(Self)
    }
}

body_enum! {
    /// An action of Open vSwitch's own, by subtype (`nx_action_header`).
    pub enum NiciraAction(u16) {
        /// Looks the packet up again as if it had come through this port (`NXAST_RESUBMIT`).
        1 => Resubmit(u16),
        /// The tunnel key (`NXAST_SET_TUNNEL`).
        2 => SetTunnel(SetTunnel),
        /// Back to the default queue (`NXAST_POP_QUEUE`).
        5 => PopQueue,
        /// Bits of a field to another (`NXAST_REG_MOVE`).
        6 => RegMove(RegMove),
        /// A constant to bits of a field (`NXAST_REG_LOAD`).
        7 => RegLoad(RegLoad),
        /// Does nothing but be there (`NXAST_NOTE`).
        8 => Note(Payload),
        /// The tunnel key (`NXAST_SET_TUNNEL64`).
        9 => SetTunnel64(SetTunnel64),
        /// The number of a link to a field (`NXAST_MULTIPATH`).
        10 => Multipath(Multipath),
        /// To one of several ports (`NXAST_BUNDLE`).
        12 => Bundle(BundleOutput),
        /// The number of one of several ports to a field (`NXAST_BUNDLE_LOAD`).
        13 => BundleLoad(BundleLoad),
        /// Looks the packet up again (`NXAST_RESUBMIT_TABLE`).
        14 => ResubmitTable(ResubmitTable),
        /// To the port in a field (`NXAST_OUTPUT_REG`).
        15 => OutputReg(OutputReg),
        /// Makes a flow (`NXAST_LEARN`).
        16 => Learn(Learn),
        /// Ends the actions (`NXAST_EXIT`).
        17 => Exit,
        /// Shorter timeouts at the end of a TCP connection (`NXAST_FIN_TIMEOUT`).
        19 => FinTimeout(FinTimeout),
        /// To a controller (`NXAST_CONTROLLER`).
        20 => Controller(Controller),
        /// TTL less one; whom to tell if it runs out (`NXAST_DEC_TTL_CNT_IDS`).
        21 => DecTtlCntIds(CntIds),
        /// Metadata (`NXAST_WRITE_METADATA`).
        22 => WriteMetadata(NxWriteMetadata),
        /// Saves a field (`NXAST_STACK_PUSH`).
        27 => StackPush(Stack),
        /// Restores a field (`NXAST_STACK_POP`).
        28 => StackPop(Stack),
        /// Samples for IPFIX (`NXAST_SAMPLE`).
        29 => Sample(Sample),
        /// To the port in a field of any class (`NXAST_OUTPUT_REG2`).
        32 => OutputReg2(OutputReg2),
        /// A constant to bits of a field of any class (`NXAST_REG_LOAD2`).
        33 => RegLoad2(RegLoad2),
        /// A clause of a conjunction (`NXAST_CONJUNCTION`).
        34 => Conjunction(Conjunction),
        /// Through the connection tracker (`NXAST_CT`).
        35 => Ct(Conntrack),
        /// Translates addresses, inside [`Conntrack`] (`NXAST_NAT`).
        36 => Nat(Nat),
        /// To a controller, by properties (`NXAST_CONTROLLER2`).
        37 => Controller2(Controller2),
        /// Samples of a port for IPFIX (`NXAST_SAMPLE2`).
        38 => Sample2(SamplePort),
        /// To a port, cut short (`NXAST_OUTPUT_TRUNC`).
        39 => OutputTrunc(OutputTrunc),
        /// Samples of a port and direction for IPFIX (`NXAST_SAMPLE3`).
        41 => Sample3(SamplePort),
        /// On a copy of the packet and its fields (`NXAST_CLONE`).
        42 => Clone(CloneActions),
        /// Forgets the connection (`NXAST_CT_CLEAR`).
        43 => CtClear,
        /// Looks the packet up again by the connection's original addresses (`NXAST_RESUBMIT_TABLE_CT`).
        44 => ResubmitTableCt(ResubmitTable),
        /// Makes a flow, up to a limit (`NXAST_LEARN2`).
        45 => Learn2(LearnLimit),
        /// A header on (`NXAST_ENCAP`).
        46 => Encap(Encap),
        /// The outer header off (`NXAST_DECAP`).
        47 => Decap(Decap),
        /// The TTL of NSH less one (`NXAST_DEC_NSH_TTL`).
        48 => DecNshTtl,
        /// Whether the packet is longer than so much, as one bit (`NXAST_CHECK_PKT_LARGER`).
        49 => CheckPktLarger(CheckPktLarger),
        /// Empties a field (`NXAST_DELETE_FIELD`).
        50 => DeleteField(DeleteField),
        /// Samples for IPFIX, ids from fields (`NXAST_SAMPLE4`).
        51 => Sample4(SampleFields),
    }
}

macro_rules! into_action {
    ($($t:ident => $variant:ident),* $(,)?) => {$(
        impl From<$t> for Action {
            fn from(action: $t) -> Self { NiciraAction::$variant(action).into() }
        }
    )*};
}

into_action! {
    RegMove => RegMove, RegLoad => RegLoad, ResubmitTable => ResubmitTable, SetTunnel => SetTunnel,
    SetTunnel64 => SetTunnel64, OutputReg => OutputReg, Conjunction => Conjunction, Controller => Controller,
    FinTimeout => FinTimeout, Conntrack => Ct, Nat => Nat, OutputTrunc => OutputTrunc, CheckPktLarger => CheckPktLarger,
    Learn => Learn, LearnLimit => Learn2, Multipath => Multipath, BundleOutput => Bundle, BundleLoad => BundleLoad, Sample => Sample,
    SampleFields => Sample4, Controller2 => Controller2, Encap => Encap, Decap => Decap, RegLoad2 => RegLoad2, OutputReg2 => OutputReg2,
    DeleteField => DeleteField,
}
