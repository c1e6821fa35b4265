//! One of several by a hash of the packet: multipath and bundle.

use super::Subfield;
use crate::oxm::OxmHeader;
use crate::wire::macros::{wire_code, wire_struct};
use crate::wire::{DecodeError, Reader, Wire};

wire_code! {
    /// What is hashed (`nx_hash_fields`).
    pub struct HashFields(u16) {
        /// The Ethernet source.
        ETH_SRC = 0,
        /// Addresses, protocol and ports, the same in both directions.
        SYMMETRIC_L4 = 1,
        /// Addresses and TCP or SCTP ports, the same in both directions.
        SYMMETRIC_L3L4 = 2,
        /// Addresses and TCP, SCTP or UDP ports, the same in both directions.
        SYMMETRIC_L3L4_UDP = 3,
        /// The network source.
        NW_SRC = 4,
        /// The network destination.
        NW_DST = 5,
        /// Network addresses, the same in both directions.
        SYMMETRIC_L3 = 6,
    }
}

wire_code! {
    /// How the hash chooses (`nx_mp_algorithm`).
    pub struct MultipathAlgorithm(u16) {
        /// By remainder.
        MODULO_N = 0,
        /// By parts of the range.
        HASH_THRESHOLD = 1,
        /// By the highest random weight.
        HRW = 2,
        /// By hashing again until it fits.
        ITER_HASH = 3,
    }
}

wire_code! {
    /// How a member is chosen (`nx_bd_algorithm`).
    pub struct BundleAlgorithm(u16) {
        /// The first that is alive.
        ACTIVE_BACKUP = 0,
        /// By the highest random weight of those alive.
        HRW = 1,
    }
}

wire_struct! {
    /// Hashes the packet and writes the number of a link (`nx_action_multipath`).
    pub struct Multipath {
        /// What is hashed.
        fields: HashFields,
        /// With what the hash begins.
        basis: u16,
        /// How the hash chooses.
        [pad 2] algorithm: MultipathAlgorithm,
        /// How many links, less one.
        max_link: u16,
        /// Of the algorithm.
        arg: u32,
        /// The lowest bit (10 bits) and the number of bits less one (6 bits).
        [pad 2] ofs_nbits: u16,
        /// Where the number goes.
        dst: OxmHeader,
    }
}

impl Multipath {
    /// Where the number goes.
    pub fn subfield(&self) -> Subfield {
        Subfield::from_ofs_nbits(self.dst, self.ofs_nbits)
    }
}

/// Chooses one of several ports and sends there (`nx_action_bundle`).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct BundleOutput {
    /// How a member is chosen.
    pub algorithm: BundleAlgorithm,
    /// What is hashed.
    pub fields: HashFields,
    /// With what the hash begins.
    pub basis: u16,
    /// What the members are: [`OxmHeader::NXM_IN_PORT`] for ports.
    pub member_type: OxmHeader,
    /// The ports, in 16 bits.
    pub members: Vec<u16>,
}

/// Chooses one of several ports and writes its number (`nx_action_bundle` of `NXAST_BUNDLE_LOAD`).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct BundleLoad {
    /// Who is chosen and how.
    pub bundle: BundleOutput,
    /// Where the number goes.
    pub dst: Subfield,
}

impl BundleOutput {
    fn encode_with(&self, dst: Option<Subfield>, out: &mut Vec<u8>) {
        self.algorithm.encode(out);
        self.fields.encode(out);
        self.basis.encode(out);
        self.member_type.encode(out);
        (self.members.len() as u16).encode(out);
        match dst {
            None => out.extend_from_slice(&[0; 6]),
            Some(dst) => {
                dst.ofs_nbits().encode(out);
                dst.field.encode(out);
            }
        }
        out.extend_from_slice(&[0; 4]);
        self.members.encode(out);
    }

    fn decode_with(r: &mut Reader<'_>, load: bool) -> Result<(Self, Option<Subfield>), DecodeError> {
        let (algorithm, fields, basis, member_type) = (r.get()?, r.get()?, r.get()?, r.get()?);
        let count = usize::from(r.get::<u16>()?);
        let dst = match load {
            false => {
                r.pad(6)?;
                None
            }
            true => {
                let ofs_nbits = r.get()?;
                Some(Subfield::from_ofs_nbits(r.get()?, ofs_nbits))
            }
        };
        r.pad(4)?;
        let members = r.sub("BundleOutput", 2 * count)?.get()?;
        Ok((Self { algorithm, fields, basis, member_type, members }, dst))
    }
}

impl Wire for BundleOutput {
    fn encode(&self, out: &mut Vec<u8>) {
        self.encode_with(None, out);
    }
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let outer = r.enter("BundleOutput");
        let (this, _) = Self::decode_with(r, false)?;
        r.leave(outer);
        Ok(this)
    }
}

impl Wire for BundleLoad {
    fn encode(&self, out: &mut Vec<u8>) {
        self.bundle.encode_with(Some(self.dst), out);
    }
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let outer = r.enter("BundleLoad");
        let start = r.clone();
        let (bundle, dst) = BundleOutput::decode_with(r, true)?;
        r.leave(outer);
        let Some(dst) = dst else { return Err(start.error(crate::wire::Reason::Value(0))) };
        Ok(Self { bundle, dst })
    }
}
