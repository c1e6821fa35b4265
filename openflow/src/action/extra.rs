//! Rarer actions of Open vSwitch: controller by properties, samples, headers put on and taken off, whole fields.

use super::Subfield;
use crate::message::packet::PacketInReason;
use crate::oxm::{OxmField, OxmHeader};
use crate::types::{MaxLen, MeterId, PacketType};
use crate::wire::macros::{prop_enum, wire_code, wire_struct};
use crate::wire::{DecodeError, Payload, Reader, Wire, put_padding};

prop_enum! {
    /// A property of [`Controller2`] (`nx_action_controller2_prop_type`).
    pub enum ControllerProperty {
        /// How many bytes; without it, all (`NXAC2PT_MAX_LEN`).
        0 => MaxLen(MaxLen; pad 2),
        /// Which controller; without it, 0 (`NXAC2PT_CONTROLLER_ID`).
        1 => ControllerId(u16; pad 2),
        /// The reason to be given; without it, "by an action" (`NXAC2PT_REASON`).
        2 => Reason(PacketInReason),
        /// For the packet-in (`NXAC2PT_USERDATA`).
        3 => Userdata(Payload),
        /// The packet waits until the controller resumes it (`NXAC2PT_PAUSE`).
        4 => Pause,
        /// Through this meter (`NXAC2PT_METER_ID`).
        5 => Meter(MeterId),
    }
}

wire_struct! {
    /// To a controller, with what else is to be said (`NXAST_CONTROLLER2`).
    pub struct Controller2 {
        /// How.
        [pad 6] properties: Vec<ControllerProperty>,
    }
}

wire_struct! {
    /// Samples packets for IPFIX (`nx_action_sample`).
    pub struct Sample {
        /// How many of 65536.
        probability: u16,
        /// For whom: a row of OVSDB's `Flow_Sample_Collector_Set`.
        collector_set_id: u32,
        /// Where it was seen.
        obs_domain_id: u32,
        /// Where within that.
        obs_point_id: u32,
    }
}

wire_code! {
    /// Which way the sampled packet goes (`NX_ACTION_SAMPLE_*`).
    pub struct SampleDirection(u8) {
        /// Not said.
        DEFAULT = 0,
        /// In.
        INGRESS = 1,
        /// Out.
        EGRESS = 2,
    }
}

wire_struct! {
    /// Samples packets of a port for IPFIX (`nx_action_sample2`).
    pub struct SamplePort {
        /// As in all samples.
        sample: Sample,
        /// The port, in 16 bits; 0xffff: none.
        sampling_port: u16,
        /// Which way; only in `NXAST_SAMPLE3`.
        direction: SampleDirection,
        ; pad 5
    }
}

/// A number, or the field that has it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum SampleId {
    /// This one.
    Number(u32),
    /// The one in these bits.
    Field(Subfield),
}

impl Wire for SampleId {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Number(number) => {
                0_u32.encode(out);
                number.encode(out);
            }
            Self::Field(field) => {
                field.field.encode(out);
                field.ofs_nbits().encode(out);
                0_u16.encode(out);
            }
        }
    }
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if r.peek().starts_with(&[0; 4]) {
            r.take(4)?;
            return r.get().map(Self::Number);
        }
        let field: OxmHeader = r.get()?;
        let field = Subfield::from_ofs_nbits(field, r.get()?);
        r.pad(2)?;
        Ok(Self::Field(field))
    }
}

wire_struct! {
    /// Samples packets for IPFIX, ids from fields (`nx_action_sample4`).
    pub struct SampleFields {
        /// How many of 65536.
        probability: u16,
        /// For whom.
        collector_set_id: u32,
        /// Where it was seen.
        obs_domain_id: SampleId,
        /// Where within that.
        obs_point_id: SampleId,
        /// The port, in 16 bits; 0xffff: none.
        sampling_port: u16,
        /// Which way.
        direction: SampleDirection,
        ; pad 5
    }
}

wire_struct! {
    /// Puts a header on (`nx_action_encap`).
    pub struct Encap {
        /// Its size; 0: not said.
        hdr_size: u16,
        /// Which header.
        new_pkt_type: PacketType,
        /// What is in it.
        properties: Vec<EdProperty>,
    }
}

wire_struct! {
    /// Takes the outer header off (`nx_action_decap`).
    pub struct Decap {
        /// What the packet is then; [`PacketType::USE_NEXT_PROTO`]: as the header says.
        [pad 2] new_pkt_type: PacketType,
    }
}

/// A property of [`Encap`] (`ofp_ed_prop_header`).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum EdProperty {
    /// The metadata type of NSH (`OFPPPT_PROP_NSH_MDTYPE`).
    NshMdType(u8),
    /// Metadata of NSH (`OFPPPT_PROP_NSH_TLV`).
    NshTlv {
        /// Whose.
        class: u16,
        /// Of which type.
        ty: u8,
        /// At most 239 bytes.
        value: Payload,
    },
    /// Something else, or in a form that it should not have: byte for byte.
    Unknown {
        /// `prop_class`.
        class: u16,
        /// `type`.
        ty: u8,
        /// All that follows the 4-byte header, without the padding.
        body: Payload,
    },
}

const NSH: u16 = 4;

impl Wire for EdProperty {
    fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        match self {
            Self::NshMdType(md_type) => out.extend_from_slice(&[0, NSH as u8, 1, 5, *md_type]),
            Self::NshTlv { class, ty, value } => {
                let len = 8 + value.len().next_multiple_of(8);
                out.extend_from_slice(&[0, NSH as u8, 2, len as u8]);
                class.encode(out);
                out.extend_from_slice(&[*ty, value.len() as u8]);
                value.encode(out);
            }
            Self::Unknown { class, ty, body } => {
                class.encode(out);
                out.extend_from_slice(&[*ty, 4 + body.len() as u8]);
                body.encode(out);
            }
        }
        put_padding(out, start);
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let outer = r.enter("EdProperty");
        let start = r.clone();
        let class = r.get()?;
        let [ty, len]: [u8; 2] = r.get()?;
        let len = usize::from(len);
        let Some(body) = len.checked_sub(4) else {
            return Err(start.error(crate::wire::Reason::Length(len)));
        };
        let body = r.take(body)?;
        r.pad(len.next_multiple_of(8) - len)?;
        r.leave(outer);
        Ok(match (class, ty, body) {
            (NSH, 1, [md_type]) => Self::NshMdType(*md_type),
            (NSH, 2, [a, b, ty, size, value @ ..]) if is_padded(value, (*size).into()) => Self::NshTlv {
                class: u16::from_be_bytes([*a, *b]),
                ty: *ty,
                value: value.get(..usize::from(*size)).unwrap_or_default().into(),
            },
            _ => Self::Unknown { class, ty, body: body.into() },
        })
    }
}

/// Whether `bytes` are `size` ones and the zeros that fill them up to a multiple of 8.
fn is_padded(bytes: &[u8], size: usize) -> bool {
    bytes.len() == size.next_multiple_of(8) && bytes.iter().skip(size).all(|byte| *byte == 0)
}

wire_struct! {
    /// Writes the bits of a field that its mask says (`NXAST_REG_LOAD2`).
    pub struct RegLoad2 {
        /// The field.
        field: OxmField,
    }
}

wire_struct! {
    /// Sends to the port that a field names, which may be any (`nx_action_output_reg2`).
    pub struct OutputReg2 {
        /// The lowest bit (10 bits) and the number of bits less one (6 bits).
        ofs_nbits: u16,
        /// How much, if the port is the controller.
        max_len: u16,
        /// The field.
        src: OxmHeader,
    }
}

/// Empties a field (`nx_action_delete_field`).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct DeleteField(pub OxmHeader);

/// Bytes of `nx_action_delete_field` that follow the subtype.
const DELETE_FIELD: usize = 14;

impl Wire for DeleteField {
    fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        self.0.encode(out);
        out.resize(start + DELETE_FIELD, 0);
    }
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut body = r.sub("DeleteField", DELETE_FIELD)?;
        let field = body.get()?;
        body.pad(body.remaining())?;
        Ok(Self(field))
    }
}

wire_struct! {
    /// Copies bits between fields (`onf_action_copy_field`, extension 320).
    pub struct CopyField {
        /// How many bits.
        [pad 2] n_bits: u16,
        /// The lowest bit of the source.
        src_offset: u16,
        /// The lowest bit of the destination.
        dst_offset: u16,
        /// From here.
        [pad 2] src: OxmHeader,
        /// To there.
        dst: OxmHeader,
    }
}
