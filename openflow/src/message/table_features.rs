//! What tables can do.

use super::multipart::FixedText;
use crate::types::TableId;
use crate::wire::macros::wire_struct;
use crate::wire::{DecodeError, Payload, Reader, Wire, put_padding, put_tlv};

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

/// A property of a table (`ofp_table_feature_prop_header`).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct TableProperty {
    /// Which property (`ofp_table_feature_prop_type`).
    pub ty: u16,
    /// The ids that it lists, without the padding.
    pub body: Payload,
}

impl Wire for TableProperty {
    fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        put_tlv(out, self.ty, |out| self.body.encode(out));
        put_padding(out, start);
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (ty, mut body) = r.tlv("TableProperty")?;
        let len = 4 + body.remaining();
        let body = body.get()?;
        r.pad(len.next_multiple_of(8) - len)?;
        Ok(Self { ty, body })
    }
}
