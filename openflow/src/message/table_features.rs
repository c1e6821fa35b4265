//! What tables can do.

use super::multipart::FixedText;
use crate::types::TableId;
use crate::wire::macros::{prop_enum, wire_struct};
use crate::wire::{DecodeError, Payload, Reader, Wire, put_tlv};

wire_struct! {
    /// What a table can do (`ofp_table_features`).
    pub struct TableFeatures: sized {
        /// Which table.
        table_id: TableId,
        /// Its name.
        [pad 5] name: FixedText<32>,
        /// Bits of the metadata that it can match.
        metadata_match: u64,
        /// Bits of the metadata that it can write.
        metadata_write: u64,
        /// Reserved (`OFPTC_DEPRECATED_MASK`).
        config: u32,
        /// How many entries.
        max_entries: u32,
        /// Instructions, actions and fields.
        properties: Vec<TableProperty>,
    }
}

prop_enum! {
    /// A property of a table (`ofp_table_feature_prop_type`). What holds for the table-miss entry is listed only where
    /// it is not the same.
    pub enum TableProperty {
        /// Instructions (`OFPTFPT_INSTRUCTIONS`).
        0 => Instructions(Vec<FeatureId>),
        /// Instructions of the table-miss entry (`OFPTFPT_INSTRUCTIONS_MISS`).
        1 => InstructionsMiss(Vec<FeatureId>),
        /// Tables to go to (`OFPTFPT_NEXT_TABLES`).
        2 => NextTables(Vec<TableId>),
        /// Tables to go to from the table-miss entry (`OFPTFPT_NEXT_TABLES_MISS`).
        3 => NextTablesMiss(Vec<TableId>),
        /// Actions that can be written (`OFPTFPT_WRITE_ACTIONS`).
        4 => WriteActions(Vec<FeatureId>),
        /// Actions that the table-miss entry can write (`OFPTFPT_WRITE_ACTIONS_MISS`).
        5 => WriteActionsMiss(Vec<FeatureId>),
        /// Actions that can be applied (`OFPTFPT_APPLY_ACTIONS`).
        6 => ApplyActions(Vec<FeatureId>),
        /// Actions that the table-miss entry can apply (`OFPTFPT_APPLY_ACTIONS_MISS`).
        7 => ApplyActionsMiss(Vec<FeatureId>),
        /// Fields that can be matched (`OFPTFPT_MATCH`).
        8 => Match(Vec<OxmFeature>),
        /// Fields that may be left out (`OFPTFPT_WILDCARDS`).
        10 => Wildcards(Vec<OxmFeature>),
        /// Fields that written actions can set (`OFPTFPT_WRITE_SETFIELD`).
        12 => WriteSetField(Vec<OxmFeature>),
        /// Fields that written actions of the table-miss entry can set (`OFPTFPT_WRITE_SETFIELD_MISS`).
        13 => WriteSetFieldMiss(Vec<OxmFeature>),
        /// Fields that applied actions can set (`OFPTFPT_APPLY_SETFIELD`).
        14 => ApplySetField(Vec<OxmFeature>),
        /// Fields that applied actions of the table-miss entry can set (`OFPTFPT_APPLY_SETFIELD_MISS`).
        15 => ApplySetFieldMiss(Vec<OxmFeature>),
        /// Of an experimenter (`OFPTFPT_EXPERIMENTER`).
        0xfffe => Experimenter(Payload),
        /// Of an experimenter, for the table-miss entry (`OFPTFPT_EXPERIMENTER_MISS`).
        0xffff => ExperimenterMiss(Payload),
    }
}

/// An instruction or action without what it does (`ofp_instruction`, `ofp_action_header` in lists of features).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct FeatureId {
    /// Its type.
    pub ty: u16,
    /// What follows the 4-byte header: an experimenter's number if `ty` is 0xffff; some datapaths pad.
    pub body: Payload,
}

impl From<u16> for FeatureId {
    fn from(ty: u16) -> Self {
        Self { ty, body: Payload::default() }
    }
}

impl Wire for FeatureId {
    fn encode(&self, out: &mut Vec<u8>) {
        put_tlv(out, self.ty, |out| self.body.encode(out));
    }
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (ty, mut body) = r.tlv("FeatureId")?;
        Ok(Self { ty, body: body.get()? })
    }
}

/// A field without a value: an OXM header (`oxm_ids`).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct OxmFeature {
    /// `oxm_class`.
    pub class: u16,
    /// `oxm_field`, 7 bits.
    pub field: u8,
    /// Whether any mask will do.
    pub maskable: bool,
    /// `oxm_length`, as the datapath has it.
    pub length: u8,
    /// The experimenter's number if the class is 0xffff, else 0.
    pub experimenter: u32,
}

impl Wire for OxmFeature {
    fn encode(&self, out: &mut Vec<u8>) {
        self.class.encode(out);
        out.extend_from_slice(&[self.field << 1 | u8::from(self.maskable), self.length]);
        if self.class == 0xffff {
            self.experimenter.encode(out);
        }
    }
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let outer = r.enter("OxmFeature");
        let class = r.get()?;
        let [field, length]: [u8; 2] = r.get()?;
        let experimenter = if class == 0xffff { r.get()? } else { 0 };
        r.leave(outer);
        Ok(Self { class, field: field >> 1, maskable: field & 1 == 1, length, experimenter })
    }
}
