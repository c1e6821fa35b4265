//! Multipart messages: questions whose answer may take several messages.

use std::fmt;

use super::experimenter::ONF;
use super::flow::{AggregateStats, FlowStats, FlowStatsRequest};
use super::group::{GroupDesc, GroupFeatures, GroupStats, GroupStatsRequest};
use super::meter::{MeterConfig, MeterFeatures, MeterRequest, MeterStats};
use super::monitor::{FlowMonitorRequest, FlowUpdate, IpfixStats};
use super::port::{Port, PortStats, PortStatsRequest};
use super::queue::{QueueStats, QueueStatsRequest};
use super::table_features::TableFeatures;
use crate::action::nicira::VENDOR as NICIRA;
use crate::types::TableId;
use crate::wire::macros::{body_enum, tlv_enum, wire_flags, wire_struct};
use crate::wire::{DecodeError, Payload, Reader, Wire};

wire_flags! {
    /// `ofp_multipart_request_flags`, `ofp_multipart_reply_flags`.
    pub struct MultipartFlags(u16) {
        /// More messages with the same xid follow.
        MORE = 1,
    }
}

wire_struct! {
    /// Of an experimenter (`ofp_experimenter_multipart_header`).
    pub struct ExperimenterMultipart {
        /// Whose.
        experimenter: u32,
        /// Of which type.
        exp_type: u32,
        /// All that follows.
        body: Payload,
    }
}

/// A question of an experimenter.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum ExperimenterRequest {
    /// Changes of flow entries, from now on (`ONFST_FLOW_MONITOR`, 1870).
    FlowMonitor(Vec<FlowMonitorRequest>),
    /// Counters of IPFIX of the bridge (`NXST_IPFIX_BRIDGE`).
    IpfixBridge,
    /// Counters of IPFIX of flows (`NXST_IPFIX_FLOW`).
    IpfixFlow,
    /// Something else, byte for byte.
    Unknown(ExperimenterMultipart),
}

/// An answer of an experimenter.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum ExperimenterReply {
    /// Changes of flow entries (`ONFST_FLOW_MONITOR`, 1870). Those after the first come unasked, with xid 0.
    FlowMonitor(Vec<FlowUpdate>),
    /// Counters of IPFIX of the bridge (`NXST_IPFIX_BRIDGE`).
    IpfixBridge(Box<IpfixStats>),
    /// Counters of IPFIX of flows (`NXST_IPFIX_FLOW`).
    IpfixFlow(Vec<IpfixStats>),
    /// Something else, byte for byte.
    Unknown(ExperimenterMultipart),
}

const FLOW_MONITOR: u32 = 1870;
const IPFIX_BRIDGE: u32 = 3;
const IPFIX_FLOW: u32 = 4;

fn put_experimenter(out: &mut Vec<u8>, experimenter: u32, exp_type: u32) {
    experimenter.encode(out);
    exp_type.encode(out);
}

impl Wire for ExperimenterRequest {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::FlowMonitor(monitors) => {
                put_experimenter(out, ONF, FLOW_MONITOR);
                monitors.encode(out);
            }
            Self::IpfixBridge => put_experimenter(out, NICIRA, IPFIX_BRIDGE),
            Self::IpfixFlow => put_experimenter(out, NICIRA, IPFIX_FLOW),
            Self::Unknown(unknown) => unknown.encode(out),
        }
    }
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (experimenter, exp_type) = (r.get()?, r.get()?);
        // Others have sent what Nicira has in this place under the ONF's number.
        let monitors = || r.clone().get().ok().filter(|_| (experimenter, exp_type) == (ONF, FLOW_MONITOR));
        if let Some(monitors) = monitors() {
            r.rest();
            return Ok(Self::FlowMonitor(monitors));
        }
        Ok(match (experimenter, exp_type) {
            (NICIRA, IPFIX_BRIDGE) => Self::IpfixBridge,
            (NICIRA, IPFIX_FLOW) => Self::IpfixFlow,
            _ => Self::Unknown(ExperimenterMultipart { experimenter, exp_type, body: r.get()? }),
        })
    }
}

impl Wire for ExperimenterReply {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::FlowMonitor(updates) => {
                put_experimenter(out, ONF, FLOW_MONITOR);
                updates.encode(out);
            }
            Self::IpfixBridge(stats) => {
                put_experimenter(out, NICIRA, IPFIX_BRIDGE);
                stats.encode(out);
            }
            Self::IpfixFlow(stats) => {
                put_experimenter(out, NICIRA, IPFIX_FLOW);
                stats.encode(out);
            }
            Self::Unknown(unknown) => unknown.encode(out),
        }
    }
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (experimenter, exp_type) = (r.get()?, r.get()?);
        Ok(match (experimenter, exp_type) {
            (ONF, FLOW_MONITOR) => Self::FlowMonitor(r.get()?),
            (NICIRA, IPFIX_BRIDGE) => Self::IpfixBridge(r.get()?),
            (NICIRA, IPFIX_FLOW) => Self::IpfixFlow(r.get()?),
            _ => Self::Unknown(ExperimenterMultipart { experimenter, exp_type, body: r.get()? }),
        })
    }
}

body_enum! {
    /// A question, by type (`ofp_multipart_type`).
    pub enum MultipartRequestBody(u16) {
        /// What the datapath is.
        0 => Desc,
        /// Flow entries.
        1 => Flow(FlowStatsRequest),
        /// Sums over flow entries.
        2 => Aggregate(FlowStatsRequest),
        /// Counters of tables.
        3 => Table,
        /// Counters of ports.
        4 => PortStats(PortStatsRequest),
        /// Counters of queues.
        5 => Queue(QueueStatsRequest),
        /// Counters of groups.
        6 => Group(GroupStatsRequest),
        /// Groups.
        7 => GroupDesc,
        /// What groups can do.
        8 => GroupFeatures,
        /// Counters of meters.
        9 => Meter(MeterRequest),
        /// Meters.
        10 => MeterConfig(MeterRequest),
        /// What meters can do.
        11 => MeterFeatures,
        /// What tables can do; with a body, sets it.
        12 => TableFeatures(Vec<TableFeatures>),
        /// Ports.
        13 => PortDesc,
        /// Of an experimenter.
        0xffff => Experimenter(ExperimenterRequest),
    }
}

body_enum! {
    /// An answer, by type (`ofp_multipart_type`).
    pub enum MultipartReplyBody(u16) {
        /// What the datapath is.
        0 => Desc(Box<Desc>),
        /// Flow entries.
        1 => Flow(Vec<FlowStats>),
        /// Sums over flow entries.
        2 => Aggregate(AggregateStats),
        /// Counters of tables.
        3 => Table(Vec<TableStats>),
        /// Counters of ports.
        4 => PortStats(Vec<PortStats>),
        /// Counters of queues.
        5 => Queue(Vec<QueueStats>),
        /// Counters of groups.
        6 => Group(Vec<GroupStats>),
        /// Groups.
        7 => GroupDesc(Vec<GroupDesc>),
        /// What groups can do.
        8 => GroupFeatures(GroupFeatures),
        /// Counters of meters.
        9 => Meter(Vec<MeterStats>),
        /// Meters.
        10 => MeterConfig(Vec<MeterConfig>),
        /// What meters can do.
        11 => MeterFeatures(MeterFeatures),
        /// What tables can do.
        12 => TableFeatures(Vec<TableFeatures>),
        /// Ports.
        13 => PortDesc(Vec<Port>),
        /// Of an experimenter.
        0xffff => Experimenter(ExperimenterReply),
    }
}

impl MultipartReplyBody {
    /// Adds the next part; false if it is of another type or of one that has no parts.
    pub(crate) fn append(&mut self, next: Self) -> bool {
        match (self, next) {
            (Self::Flow(all), Self::Flow(next)) => all.extend(next),
            (Self::Table(all), Self::Table(next)) => all.extend(next),
            (Self::PortStats(all), Self::PortStats(next)) => all.extend(next),
            (Self::Queue(all), Self::Queue(next)) => all.extend(next),
            (Self::Group(all), Self::Group(next)) => all.extend(next),
            (Self::GroupDesc(all), Self::GroupDesc(next)) => all.extend(next),
            (Self::Meter(all), Self::Meter(next)) => all.extend(next),
            (Self::MeterConfig(all), Self::MeterConfig(next)) => all.extend(next),
            (Self::TableFeatures(all), Self::TableFeatures(next)) => all.extend(next),
            (Self::PortDesc(all), Self::PortDesc(next)) => all.extend(next),
            (Self::Experimenter(all), Self::Experimenter(next)) => return all.append(next),
            _ => return false,
        }
        true
    }
}

impl ExperimenterReply {
    fn append(&mut self, next: Self) -> bool {
        match (self, next) {
            (Self::FlowMonitor(all), Self::FlowMonitor(next)) => all.extend(next),
            (Self::IpfixFlow(all), Self::IpfixFlow(next)) => all.extend(next),
            (Self::Unknown(all), Self::Unknown(next))
                if all.experimenter == next.experimenter && all.exp_type == next.exp_type =>
            {
                all.body = [&*all.body, &*next.body].concat().into();
            }
            _ => return false,
        }
        true
    }
}

macro_rules! multipart {
    ($(#[$m:meta])* $name:ident($body:ident)) => {
        $(#[$m])*
        #[derive(Clone, Debug, Eq, Hash, PartialEq)]
        pub struct $name {
            /// Whether more messages follow.
            pub flags: MultipartFlags,
            /// What it says.
            pub body: $body,
        }
        impl From<$body> for $name {
            fn from(body: $body) -> Self {
                Self { flags: MultipartFlags::NONE, body }
            }
        }
        impl From<$body> for super::Body {
            fn from(body: $body) -> Self {
                $name::from(body).into()
            }
        }
        impl Wire for $name {
            fn encode(&self, out: &mut Vec<u8>) {
                self.body.ty().encode(out);
                self.flags.encode(out);
                out.extend_from_slice(&[0; 4]);
                self.body.encode(out);
            }
            fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
                let outer = r.enter(stringify!($name));
                let (ty, flags) = (r.get()?, r.get()?);
                r.pad(4)?;
                let body = $body::decode(ty, r, |body, _| Ok(body))?;
                r.leave(outer);
                Ok(Self { flags, body })
            }
        }
    };
}

multipart! {
    /// A question (`ofp_multipart_request`).
    MultipartRequest(MultipartRequestBody)
}
multipart! {
    /// An answer, or a part of one (`ofp_multipart_reply`).
    MultipartReply(MultipartReplyBody)
}

/// Text in a field of `N` bytes, ended by a zero byte.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct FixedText<const N: usize>([u8; N]);

impl<const N: usize> FixedText<N> {
    /// The bytes before the first zero.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.split(|byte| *byte == 0).next().unwrap_or_default()
    }
}

impl<const N: usize> From<&str> for FixedText<N> {
    /// Cut to `N - 1` bytes if longer.
    fn from(text: &str) -> Self {
        let mut bytes = [0; N];
        bytes.iter_mut().take(N.saturating_sub(1)).zip(text.bytes()).for_each(|(to, from)| *to = from);
        Self(bytes)
    }
}

impl<const N: usize> fmt::Display for FixedText<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.as_bytes()))
    }
}

impl<const N: usize> fmt::Debug for FixedText<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(self.as_bytes()))
    }
}

impl<const N: usize> Wire for FixedText<N> {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.array().map(Self)
    }
}

wire_struct! {
    /// What the datapath is, in words (`ofp_desc`).
    pub struct Desc {
        /// Who made it.
        mfr_desc: FixedText<256>,
        /// The hardware.
        hw_desc: FixedText<256>,
        /// The software.
        sw_desc: FixedText<256>,
        /// The serial number.
        serial_num: FixedText<32>,
        /// What people call it.
        dp_desc: FixedText<256>,
    }
}

wire_struct! {
    /// Counters of a table (`ofp_table_stats`).
    pub struct TableStats {
        /// Which table.
        table_id: TableId,
        /// Entries.
        [pad 3] active_count: u32,
        /// Packets looked up.
        lookup_count: u64,
        /// Packets that matched.
        matched_count: u64,
    }
}
