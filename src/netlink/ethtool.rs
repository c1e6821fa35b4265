//! Reading and switching offloads by the `ethtool` family of generic netlink (Linux 5.6 and later).

use std::sync::atomic::{AtomicU16, Ordering};

use netlink_packet_core::{DefaultNla, Emitable, NLA_F_NESTED, NetlinkSerializable, NlasIterator};

use super::error::{NetlinkError, VethError};
use super::socket::Socket;

const GENL_ID_CTRL: u16 = 0x10;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_VERSION: u8 = 2;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;
const GENL_HEADER: usize = 4;

const ETHTOOL_VERSION: u8 = 1;
const ETHTOOL_MSG_FEATURES_GET: u8 = 11;
const ETHTOOL_MSG_FEATURES_SET: u8 = 12;
const ETHTOOL_A_FEATURES_HEADER: u16 = 1;
const ETHTOOL_A_FEATURES_WANTED: u16 = 3;
const ETHTOOL_A_FEATURES_ACTIVE: u16 = 4;
const ETHTOOL_A_HEADER_DEV_INDEX: u16 = 1;
const ETHTOOL_A_HEADER_FLAGS: u16 = 3;
const ETHTOOL_FLAG_OMIT_REPLY: u32 = 1 << 1;
const ETHTOOL_A_BITSET_BITS: u16 = 3;
const ETHTOOL_A_BITSET_BITS_BIT: u16 = 1;
const ETHTOOL_A_BITSET_BIT_NAME: u16 = 2;

/// The checksums that a veth claims to leave to hardware. TSO needs the first and goes with it.
const TX_CHECKSUMS: [&str; 2] = ["tx-checksum-ip-generic", "tx-checksum-sctp"];

/// The id of the family, the same in all namespaces until the next boot; 0: not asked yet.
static FAMILY: AtomicU16 = AtomicU16::new(0);

/// Makes the link compute checksums itself. Call it inside the link's namespace.
pub(super) fn disable_tx_checksum_offload(index: u32) -> Result<(), VethError> {
    const WHAT: &str = "switch TX checksum offload off";
    let mut socket = Socket::generic().map_err(|error| VethError::other(WHAT, error))?;
    let family = match FAMILY.load(Ordering::Relaxed) {
        0 => family(&mut socket)?,
        known => known,
    };
    let done = socket.request(0, features_off(family, index, &TX_CHECKSUMS), |_| ());
    done.map_err(|error| VethError::other(WHAT, error))?.map_err(|refusal| VethError::refused(WHAT, refusal))
}

/// Whether the link leaves any checksum to its peer. Call it inside the link's namespace.
pub(super) fn tx_checksum_offload(index: u32) -> Result<bool, NetlinkError> {
    let mut socket = Socket::generic()?;
    let family = match FAMILY.load(Ordering::Relaxed) {
        0 => family(&mut socket).map_err(|error| std::io::Error::other(error.to_string()))?,
        known => known,
    };
    let mut active = Vec::new();
    let request = features_get(family, index);
    let read = socket.request(0, request, |answer| active = active_features(answer.payload))?;
    read.map_err(|refusal| NetlinkError::refused("read the offloads of an interface", refusal))?;
    Ok(TX_CHECKSUMS.iter().any(|name| active.iter().any(|feature| feature == name)))
}

fn family(socket: &mut Socket) -> Result<u16, VethError> {
    const WHAT: &str = "find the kernel's ethtool interface (Linux 5.6 or later)";
    let request = Generic {
        family: GENL_ID_CTRL,
        command: CTRL_CMD_GETFAMILY,
        version: CTRL_VERSION,
        attributes: vec![text(CTRL_ATTR_FAMILY_NAME, "ethtool")],
    };
    let mut id = None;
    let found = socket.request(0, request, |answer| {
        id = NlasIterator::new(answer.payload.get(GENL_HEADER..).unwrap_or_default())
            .map_while(Result::ok)
            .find(|attribute| attribute.kind() == CTRL_ATTR_FAMILY_ID)
            .and_then(|attribute| attribute.value().first_chunk().map(|id| u16::from_ne_bytes(*id)));
    });
    found
        .map_err(|error| VethError::other(WHAT, error))?
        .map_err(|refusal| VethError::refused(WHAT, refusal))?;
    let id = id.ok_or_else(|| VethError::other(WHAT, "the answer names no family"))?;
    FAMILY.store(id, Ordering::Relaxed);
    Ok(id)
}

/// ETHTOOL_MSG_FEATURES_GET.
fn features_get(family: u16, index: u32) -> Generic {
    Generic {
        family,
        command: ETHTOOL_MSG_FEATURES_GET,
        version: ETHTOOL_VERSION,
        attributes: vec![nest(ETHTOOL_A_FEATURES_HEADER, &[word(ETHTOOL_A_HEADER_DEV_INDEX, index)])],
    }
}

/// The names in a reply's set of active features: a set without mask lists those that are on.
fn active_features(payload: &[u8]) -> Vec<String> {
    let inside = |bytes: &[u8], kind: u16| -> Vec<Vec<u8>> {
        let attributes = NlasIterator::new(bytes).map_while(Result::ok);
        let of_kind = attributes.filter(|attribute| attribute.kind() == kind);
        of_kind.map(|attribute| attribute.value().to_vec()).collect()
    };
    let set = inside(payload.get(GENL_HEADER..).unwrap_or_default(), ETHTOOL_A_FEATURES_ACTIVE);
    let bits = set.iter().flat_map(|set| inside(set, ETHTOOL_A_BITSET_BITS));
    let bits = bits.flat_map(|bits| inside(&bits, ETHTOOL_A_BITSET_BITS_BIT));
    bits.flat_map(|bit| inside(&bit, ETHTOOL_A_BITSET_BIT_NAME))
        .map(|name| String::from_utf8_lossy(&name).trim_end_matches('\0').to_owned())
        .collect()
}

/// ETHTOOL_MSG_FEATURES_SET: a bit that is listed without a value is switched off, others stay.
fn features_off(family: u16, index: u32, features: &[&str]) -> Generic {
    let bits = features
        .iter()
        .map(|name| nest(ETHTOOL_A_BITSET_BITS_BIT, &[text(ETHTOOL_A_BITSET_BIT_NAME, name)]))
        .collect::<Vec<_>>();
    Generic {
        family,
        command: ETHTOOL_MSG_FEATURES_SET,
        version: ETHTOOL_VERSION,
        attributes: vec![
            nest(
                ETHTOOL_A_FEATURES_HEADER,
                &[
                    word(ETHTOOL_A_HEADER_DEV_INDEX, index),
                    word(ETHTOOL_A_HEADER_FLAGS, ETHTOOL_FLAG_OMIT_REPLY),
                ],
            ),
            nest(ETHTOOL_A_FEATURES_WANTED, &[nest(ETHTOOL_A_BITSET_BITS, &bits)]),
        ],
    }
}

/// A generic netlink message: `struct genlmsghdr` and attributes.
struct Generic {
    family: u16,
    command: u8,
    version: u8,
    attributes: Vec<DefaultNla>,
}

impl NetlinkSerializable for Generic {
    fn message_type(&self) -> u16 {
        self.family
    }

    fn buffer_len(&self) -> usize {
        GENL_HEADER + self.attributes.as_slice().buffer_len()
    }

    fn serialize(&self, buffer: &mut [u8]) {
        let (header, attributes) = buffer.split_at_mut(GENL_HEADER);
        header.copy_from_slice(&[self.command, self.version, 0, 0]);
        self.attributes.as_slice().emit(attributes);
    }
}

fn word(kind: u16, value: u32) -> DefaultNla {
    DefaultNla::new(kind, value.to_ne_bytes().to_vec())
}

fn text(kind: u16, value: &str) -> DefaultNla {
    DefaultNla::new(kind, [value.as_bytes(), b"\0"].concat())
}

fn nest(kind: u16, attributes: &[DefaultNla]) -> DefaultNla {
    let mut value = vec![0; attributes.buffer_len()];
    attributes.emit(&mut value);
    DefaultNla::new(kind | NLA_F_NESTED, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The layout is that of "FEATURES_GET" and "Bit sets" in the kernel's ethtool-netlink documentation.
    #[test]
    fn active_features_are_the_names_that_are_listed() {
        let bit =
            |name| nest(ETHTOOL_A_BITSET_BITS_BIT, &[word(1, 4), text(ETHTOOL_A_BITSET_BIT_NAME, name)]);
        let set = |kind, bits: &[DefaultNla]| nest(kind, &[word(2, 57), nest(ETHTOOL_A_BITSET_BITS, bits)]);
        let reply = Generic {
            family: 0x15,
            command: ETHTOOL_MSG_FEATURES_GET,
            version: 1,
            attributes: vec![
                set(2, &[bit("tx-checksum-ip-generic")]),
                set(ETHTOOL_A_FEATURES_ACTIVE, &[bit("rx-gro"), bit("tx-checksum-sctp")]),
            ],
        };
        let mut bytes = vec![0; reply.buffer_len()];
        reply.serialize(&mut bytes);
        assert_eq!(active_features(&bytes), ["rx-gro", "tx-checksum-sctp"]);
        assert!(active_features(&[]).is_empty() && active_features(&bytes[..9]).is_empty());
    }

    /// The layout is that of "FEATURES_SET" and "Bit sets" in the kernel's ethtool-netlink documentation.
    #[test]
    fn features_set_nests_the_named_bits_without_values() {
        let message = features_off(0x15, 7, &["ab"]);
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        let expected: Vec<u8> = [
            &[12, 1, 0, 0][..],
            &[20, 0, 1, 0x80, 8, 0, 1, 0, 7, 0, 0, 0, 8, 0, 3, 0, 2, 0, 0, 0],
            &[20, 0, 3, 0x80, 16, 0, 3, 0x80, 12, 0, 1, 0x80, 7, 0, 2, 0, b'a', b'b', 0, 0],
        ]
        .concat();
        assert_eq!(message.message_type(), 0x15);
        assert_eq!(bytes, expected);
    }
}
