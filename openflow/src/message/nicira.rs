//! Messages of Open vSwitch's own (`NXT_*`): packet-ins by properties, Geneve options, connection tracking.

use super::config::{AsyncConfig, Role};
use super::flow::FlowRemovedReason;
use super::packet::PacketInReason;
use crate::flow_match::{Match, NxMatch};
use crate::oxm::OxmField;
use crate::types::{BufferId, Cookie, PortNo, TableId};
use crate::wire::macros::{body_enum, prop_enum, tlv_enum, wire_code, wire_struct};
use crate::wire::{DecodeError, Payload, Reader, Wire, put_len, put_padding};

wire_code! {
    /// How packet-ins are written (`nx_packet_in_format`).
    pub struct PacketInFormat(u32) {
        /// As the specification has them.
        STANDARD = 0,
        /// [`NxPacketIn`].
        NXT_PACKET_IN = 1,
        /// [`PacketIn2`].
        NXT_PACKET_IN2 = 2,
    }
}

wire_struct! {
    /// Asks for a role, or gives it, without generation ids (`nx_role_request`). The numbers are not the
    /// specification's: 0 equal, 1 primary, 2 secondary.
    pub struct NxRole {
        /// `NX_ROLE_*`.
        role: u32,
    }
}

impl NxRole {
    /// The role by the specification's number.
    pub fn role(&self) -> Role {
        Role(self.role.wrapping_add(1))
    }
}

wire_struct! {
    /// Whether flow-mods of OpenFlow 1.0 name their table (`nx_flow_mod_table_id`).
    pub struct FlowModTableId {
        /// 1: yes.
        set: u8,
        ; pad 7
    }
}

wire_struct! {
    /// Which controller this is, for [`Controller`](crate::action::nicira::Controller) (`nx_controller_id`).
    pub struct ControllerId {
        /// The id.
        [pad 6] controller_id: u16,
    }
}

wire_struct! {
    /// Forgets the connections of a zone (`nx_zone_id`).
    pub struct CtFlushZone {
        /// The zone.
        [pad 6] zone_id: u16,
    }
}

wire_struct! {
    /// Forgets connections (`nx_ct_flush`).
    pub struct CtFlush {
        /// Of this protocol; 0: of any.
        ip_proto: u8,
        /// Of which addresses and zone.
        [pad 7] properties: Vec<CtFlushProperty>,
    }
}

prop_enum! {
    /// Which connections (`nx_ct_flush_tlv_type`).
    pub enum CtFlushProperty {
        /// In the original direction.
        0 => Original(4 + Vec<CtTupleProperty>),
        /// In the direction of replies.
        1 => Reply(4 + Vec<CtTupleProperty>),
        /// In this zone.
        2 => Zone(u16; pad 2),
    }
}

prop_enum! {
    /// Addresses and ports of a connection (`nx_ct_flush_tuple_tlv_type`).
    pub enum CtTupleProperty {
        /// The source, of 16 bytes (IPv4 mapped).
        0 => Src([u8; 16]),
        /// The destination, of 16 bytes (IPv4 mapped).
        1 => Dst([u8; 16]),
        /// The source port.
        2 => SrcPort(u16; pad 2),
        /// The destination port.
        3 => DstPort(u16; pad 2),
        /// The ICMP id.
        4 => IcmpId(u16; pad 2),
        /// The ICMP type.
        5 => IcmpType(u8),
        /// The ICMP code.
        6 => IcmpCode(u8),
    }
}

wire_struct! {
    /// Which Geneve option is which field (`nx_tlv_map`).
    pub struct TlvMap {
        /// Whose option.
        option_class: u16,
        /// Which option.
        option_type: u8,
        /// Its bytes, a multiple of 4.
        option_len: u8,
        /// The number of the `tun_metadata` field.
        index: u16,
        ; pad 2
    }
}

wire_code! {
    /// What to do with the table of options (`nx_tlv_table_mod_command`).
    pub struct TlvTableModCommand(u16) {
        /// Add.
        ADD = 0,
        /// Delete these.
        DELETE = 1,
        /// Delete all.
        CLEAR = 2,
    }
}

wire_struct! {
    /// Changes the table of options (`nx_tlv_table_mod`).
    pub struct TlvTableMod {
        /// What to do.
        command: TlvTableModCommand,
        /// With which.
        [pad 6] maps: Vec<TlvMap>,
    }
}

wire_struct! {
    /// The table of options (`nx_tlv_table_reply`).
    pub struct TlvTableReply {
        /// How many bytes of options there may be.
        max_option_space: u32,
        /// How many fields there may be.
        max_fields: u16,
        /// What there is.
        [pad 10] maps: Vec<TlvMap>,
    }
}

/// A packet for the controller, with NXM fields (`nx_packet_in`).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct NxPacketIn {
    /// Where the datapath keeps it.
    pub buffer_id: BufferId,
    /// Its whole length, of which `data` may be the beginning.
    pub total_len: u16,
    /// Why it came.
    pub reason: PacketInReason,
    /// The table of the entry that sent it.
    pub table_id: TableId,
    /// The cookie of that entry.
    pub cookie: Cookie,
    /// Port of entry, metadata, registers, tunnel.
    pub matches: Match,
    /// The packet.
    pub data: Payload,
}

impl NxPacketIn {
    /// The port through which it came.
    pub fn in_port(&self) -> Option<PortNo> {
        in_port(&self.matches)
    }
}

fn in_port(matches: &Match) -> Option<PortNo> {
    matches.fields().find_map(|field| match field {
        OxmField::InPort(port) => Some(port),
        OxmField::NxmInPort(port @ 0xff00..) => Some(PortNo(0xffff_0000 | u32::from(port))),
        OxmField::NxmInPort(port) => Some(PortNo(port.into())),
        _ => None,
    })
}

impl Wire for NxPacketIn {
    fn encode(&self, out: &mut Vec<u8>) {
        self.buffer_id.encode(out);
        self.total_len.encode(out);
        self.reason.encode(out);
        self.table_id.encode(out);
        self.cookie.encode(out);
        let at = out.len();
        out.extend_from_slice(&[0; 8]);
        let start = out.len();
        NxMatch::encode(&self.matches, out);
        let len = out.len() - start;
        put_len(out, at, len);
        put_padding(out, start);
        out.extend_from_slice(&[0; 2]);
        self.data.encode(out);
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let outer = r.enter("NxPacketIn");
        let (buffer_id, total_len, reason) = (r.get()?, r.get()?, r.get()?);
        let (table_id, cookie, len) = (r.get()?, r.get()?, r.get::<u16>()?);
        r.pad(6)?;
        let matches = NxMatch::decode(r, len.into())?;
        r.pad(2)?;
        let data = r.get()?;
        r.leave(outer);
        Ok(Self { buffer_id, total_len, reason, table_id, cookie, matches, data })
    }
}

/// A flow entry is gone, with NXM fields (`nx_flow_removed`).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct NxFlowRemoved {
    /// What the controller called it.
    pub cookie: Cookie,
    /// Its priority.
    pub priority: u16,
    /// Why.
    pub reason: FlowRemovedReason,
    /// Its table plus one; 0: not said.
    pub table_plus_one: u8,
    /// Its age, whole seconds.
    pub duration_sec: u32,
    /// Its age, nanoseconds beyond.
    pub duration_nsec: u32,
    /// Its idle timeout in seconds.
    pub idle_timeout: u16,
    /// Packets in its life.
    pub packet_count: u64,
    /// Bytes in its life.
    pub byte_count: u64,
    /// Its match.
    pub matches: Match,
}

impl Wire for NxFlowRemoved {
    fn encode(&self, out: &mut Vec<u8>) {
        self.cookie.encode(out);
        self.priority.encode(out);
        self.reason.encode(out);
        self.table_plus_one.encode(out);
        self.duration_sec.encode(out);
        self.duration_nsec.encode(out);
        self.idle_timeout.encode(out);
        let at = out.len();
        out.extend_from_slice(&[0; 2]);
        self.packet_count.encode(out);
        self.byte_count.encode(out);
        let start = out.len();
        NxMatch::encode(&self.matches, out);
        let len = out.len() - start;
        put_len(out, at, len);
        put_padding(out, start);
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let outer = r.enter("NxFlowRemoved");
        let (cookie, priority, reason, table_plus_one) = (r.get()?, r.get()?, r.get()?, r.get()?);
        let (duration_sec, duration_nsec, idle_timeout) = (r.get()?, r.get()?, r.get()?);
        let len = usize::from(r.get::<u16>()?);
        let (packet_count, byte_count) = (r.get()?, r.get()?);
        let matches = NxMatch::decode(r, len)?;
        r.leave(outer);
        Ok(Self {
            cookie,
            priority,
            reason,
            table_plus_one,
            duration_sec,
            duration_nsec,
            idle_timeout,
            packet_count,
            byte_count,
            matches,
        })
    }
}

prop_enum! {
    /// A property of [`PacketIn2`] (`nx_packet_in2_prop_type`).
    pub enum PacketIn2Property {
        /// The packet, maybe only its beginning (`NXPINT_PACKET`).
        0 => Packet(Payload),
        /// The whole length of a packet that was cut (`NXPINT_FULL_LEN`).
        1 => FullLen(u32),
        /// Where the datapath keeps it (`NXPINT_BUFFER_ID`).
        2 => BufferId(BufferId),
        /// The table of the entry that sent it (`NXPINT_TABLE_ID`).
        3 => TableId(TableId),
        /// The cookie of that entry (`NXPINT_COOKIE`).
        4 => Cookie(4 + Cookie),
        /// Why it came (`NXPINT_REASON`).
        5 => Reason(PacketInReason),
        /// Port of entry, metadata, registers, tunnel (`NXPINT_METADATA`).
        6 => Metadata(Vec<OxmField>),
        /// What the action said (`NXPINT_USERDATA`).
        7 => Userdata(Payload),
        /// How the packet goes on; to be given back as it is (`NXPINT_CONTINUATION`).
        8 => Continuation(Payload),
    }
}

wire_struct! {
    /// A packet for the controller, by properties; or, as [`NiciraMessage::Resume`], one that goes on
    /// (`NXT_PACKET_IN2`).
    pub struct PacketIn2 {
        /// What there is to say.
        properties: Vec<PacketIn2Property>,
    }
}

impl PacketIn2 {
    /// The packet.
    pub fn packet(&self) -> Option<&Payload> {
        self.properties.iter().find_map(|property| match property {
            PacketIn2Property::Packet(packet) => Some(packet),
            _ => None,
        })
    }

    /// Port of entry, metadata, registers, tunnel.
    pub fn metadata(&self) -> &[OxmField] {
        let find = self.properties.iter().find_map(|property| match property {
            PacketIn2Property::Metadata(fields) => Some(&fields[..]),
            _ => None,
        });
        find.unwrap_or_default()
    }

    /// What the action said.
    pub fn userdata(&self) -> Option<&Payload> {
        self.properties.iter().find_map(|property| match property {
            PacketIn2Property::Userdata(data) => Some(data),
            _ => None,
        })
    }
}

body_enum! {
    /// A message of Open vSwitch's own, by subtype (`nicira_header`).
    pub enum NiciraMessage(u32) {
        /// Asks for a role (`NXT_ROLE_REQUEST`).
        10 => RoleRequest(NxRole),
        /// The role that was given (`NXT_ROLE_REPLY`).
        11 => RoleReply(NxRole),
        /// A flow entry is gone (`NXT_FLOW_REMOVED`).
        14 => FlowRemoved(NxFlowRemoved),
        /// Whether flow-mods of OpenFlow 1.0 name their table (`NXT_FLOW_MOD_TABLE_ID`).
        15 => FlowModTableId(FlowModTableId),
        /// How packet-ins are to be written (`NXT_SET_PACKET_IN_FORMAT`).
        16 => SetPacketInFormat(PacketInFormat),
        /// A packet for the controller (`NXT_PACKET_IN`).
        17 => PacketIn(NxPacketIn),
        /// Flow statistics with ages (`NXT_FLOW_AGE`).
        18 => FlowAge,
        /// Which asynchronous messages are sent (`NXT_SET_ASYNC_CONFIG`).
        19 => SetAsyncConfig(AsyncConfig),
        /// Which controller this is (`NXT_SET_CONTROLLER_ID`).
        20 => SetControllerId(ControllerId),
        /// Changes the table of Geneve options (`NXT_TLV_TABLE_MOD`).
        24 => TlvTableMod(TlvTableMod),
        /// Asks for the table of Geneve options (`NXT_TLV_TABLE_REQUEST`).
        25 => TlvTableRequest,
        /// The table of Geneve options (`NXT_TLV_TABLE_REPLY`).
        26 => TlvTableReply(TlvTableReply),
        /// A paused packet goes on (`NXT_RESUME`).
        28 => Resume(PacketIn2),
        /// Forgets the connections of a zone (`NXT_CT_FLUSH_ZONE`).
        29 => CtFlushZone(CtFlushZone),
        /// A packet for the controller, by properties (`NXT_PACKET_IN2`).
        30 => PacketIn2(PacketIn2),
        /// Forgets connections (`NXT_CT_FLUSH`).
        32 => CtFlush(CtFlush),
    }
}

impl From<NiciraMessage> for super::Body {
    fn from(message: NiciraMessage) -> Self {
        Self::Experimenter(super::Experimenter::Nicira(message))
    }
}
