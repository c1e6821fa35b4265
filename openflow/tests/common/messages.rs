//! One of each message.
#![allow(unreachable_pub, dead_code)]

use flowport_openflow::message::experimenter::{RoleReason, RoleStatus};
use flowport_openflow::message::monitor::{
    FlowMonitorCancel, FlowMonitorRequest, FlowUpdate, FlowUpdateEvent, FlowUpdateFull,
};
use flowport_openflow::message::multipart::{ExperimenterReply, ExperimenterRequest};
use flowport_openflow::message::nicira::{
    ControllerId, CtFlushZone, NiciraMessage, NxPacketIn, PacketIn2, PacketIn2Property, PacketInFormat,
    TlvMap, TlvTableMod, TlvTableModCommand, TlvTableReply,
};
use flowport_openflow::message::table_features::{FeatureId, OxmFeature, TableFeatures, TableProperty};
use flowport_openflow::message::{config, flow, group, meter, port, queue};
use flowport_openflow::*;

pub const XID: u32 = 0x1234;

/// One of each message that a controller or a datapath may send, in all its parts.
pub fn one_of_each() -> Vec<Body> {
    let matches = || Match::builder().tcp().tcp_dst(80).in_port(1).build().expect("prerequisites");
    let flow = FlowMod::add(1, 2, matches())
        .cookie(3)
        .instruction(Instruction::Meter(MeterId(1)))
        .write([Action::group(5), Action::SetQueue(QueueId(1))])
        .write_metadata(1, 3)
        .apply([
            Action::PushMpls(EthType::MPLS),
            Action::DecMplsTtl,
            Action::PopMpls(EthType::IPV4),
            Action::output(1),
        ])
        .goto(2);
    let bucket = || Bucket::new([Action::output(1)]);
    let role = RoleConfig { role: Role::PRIMARY, generation_id: 9 };
    let asynchronous =
        AsyncConfig { packet_in_mask: [7, 0], port_status_mask: [7, 7], flow_removed_mask: [15, 0] };
    let bands = vec![
        MeterBand::Drop(meter::DropBand { rate: 1000, burst_size: 10 }),
        MeterBand::DscpRemark(meter::DscpRemarkBand { rate: 500, burst_size: 10, prec_level: 1 }),
    ];
    let meter_flags = meter::MeterFlags::KBPS | meter::MeterFlags::BURST;
    let port = Port {
        port_no: PortNo(1),
        hw_addr: MacAddr([2, 0, 0, 0, 0, 1]),
        name: "eth0".into(),
        config: Default::default(),
        state: PortState::LIVE,
        curr: port::PortFeatures::FD_10GB,
        advertised: Default::default(),
        supported: Default::default(),
        peer: Default::default(),
        curr_speed: 10_000_000,
        max_speed: 10_000_000,
    };
    let bundle = |ty| BundleControl {
        bundle_id: BundleId(1),
        ty,
        flags: BundleFlags::ATOMIC,
        properties: Payload::default(),
    };
    let add =
        BundleAdd::new(BundleId(1), BundleFlags::ATOMIC, &Message::new(XID, flow.clone())).expect("short");
    vec![
        Hello::v13().into(),
        Body::Error(ErrorMessage { error: ErrorCode::BAD_TYPE, data: vec![4, 20, 0, 8, 0, 0, 0, 1].into() }),
        Body::EchoRequest(vec![1, 2].into()),
        Body::EchoReply(vec![].into()),
        bundle(BundleControlType::OPEN_REQUEST).into(),
        bundle(BundleControlType::COMMIT_REQUEST).into(),
        add.into(),
        Body::FeaturesRequest,
        Body::GetConfigRequest,
        Body::SetConfig(SwitchConfig { flags: config::FragmentHandling::NORMAL, miss_send_len: MaxLen(128) }),
        PacketOut::new(vec![0; 60], [Action::output(1)]).into(),
        flow.into(),
        FlowMod::modify_strict(0, 1, matches()).into(),
        FlowMod::delete_strict(0, 1, matches()).into(),
        FlowMod::delete(TableId::ALL, Match::any()).cookie_masked(1, 1).into(),
        GroupMod::add(1, GroupType::FF, [bucket().watch_port(1)]).into(),
        GroupMod::modify(1, GroupType::SELECT, [bucket().weight(2)]).into(),
        GroupMod::delete(1).into(),
        Body::PortMod(port::PortMod {
            port_no: PortNo(1),
            hw_addr: MacAddr([2, 0, 0, 0, 0, 1]),
            config: PortConfig::PORT_DOWN,
            mask: PortConfig::PORT_DOWN,
            advertise: Default::default(),
        }),
        Body::TableMod(TableMod { table_id: TableId(1), config: 0 }),
        MultipartRequestBody::Desc.into(),
        MultipartRequestBody::Flow(FlowStatsRequest::all()).into(),
        MultipartRequestBody::Aggregate(FlowStatsRequest::cookie(1, 1)).into(),
        MultipartRequestBody::Table.into(),
        MultipartRequestBody::PortStats(port::PortStatsRequest { port_no: PortNo::ANY }).into(),
        MultipartRequestBody::Queue(queue::QueueStatsRequest {
            port_no: PortNo::ANY,
            queue_id: QueueId::ALL,
        })
        .into(),
        MultipartRequestBody::Group(group::GroupStatsRequest { group_id: GroupId::ALL }).into(),
        MultipartRequestBody::GroupDesc.into(),
        MultipartRequestBody::GroupFeatures.into(),
        MultipartRequestBody::Meter(meter::MeterRequest { meter_id: MeterId::ALL }).into(),
        MultipartRequestBody::MeterConfig(meter::MeterRequest { meter_id: MeterId(1) }).into(),
        MultipartRequestBody::MeterFeatures.into(),
        MultipartRequestBody::TableFeatures(vec![]).into(),
        MultipartRequestBody::PortDesc.into(),
        MultipartReplyBody::PortDesc(vec![port.clone()]).into(),
        MultipartReplyBody::Table(vec![TableStats {
            table_id: TableId(1),
            active_count: 1,
            lookup_count: 2,
            matched_count: 3,
        }])
        .into(),
        Body::PortStatus(PortStatus { reason: PortReason::ADD, desc: port }),
        Body::BarrierRequest,
        Body::BarrierReply,
        Body::QueueGetConfigRequest(queue::QueueGetConfigRequest { port: PortNo(1) }),
        Body::RoleRequest(role),
        Body::GetAsyncRequest,
        Body::SetAsync(asynchronous),
        MeterMod { command: meter::MeterModCommand::ADD, flags: meter_flags, meter_id: MeterId(1), bands }
            .into(),
    ]
}

/// Replies and asynchronous messages, which only a datapath sends.
pub fn of_a_datapath() -> Vec<Body> {
    let matches = || Match::builder().udp().udp_src(53).in_port(2).build().expect("prerequisites");
    let instructions = || vec![Instruction::apply([Action::output(1)]), Instruction::goto_table(3)];
    let flow = FlowStats {
        table_id: TableId(1),
        duration_sec: 2,
        duration_nsec: 3,
        priority: 4,
        idle_timeout: 5,
        hard_timeout: 6,
        flags: FlowModFlags::SEND_FLOW_REM,
        cookie: Cookie(7),
        packet_count: 8,
        byte_count: 9,
        matches: matches(),
        instructions: instructions(),
    };
    let bucket = Bucket::new([Action::output(1)]);
    let bands = vec![MeterBand::Drop(meter::DropBand { rate: 1000, burst_size: 10 })];
    let text = |text: &str| text.into();
    let desc = Desc {
        mfr_desc: text("us"),
        hw_desc: text("none"),
        sw_desc: text("this"),
        serial_num: "1".into(),
        dp_desc: text("br0"),
    };
    let counters = meter::MeterCounters {
        flow_count: 1,
        packet_in_count: 2,
        byte_in_count: 3,
        duration_sec: 4,
        duration_nsec: 5,
    };
    let ids = |ids: &[u16]| ids.iter().map(|id| FeatureId::from(*id)).collect::<Vec<_>>();
    let oxm = |field, length| OxmFeature { class: 0x8000, field, maskable: false, length, experimenter: 0 };
    let tables = TableFeatures {
        table_id: TableId(1),
        name: "one".into(),
        metadata_match: 1,
        metadata_write: 2,
        config: 3,
        max_entries: 4,
        properties: vec![
            TableProperty::Instructions(ids(&[1, 4])),
            TableProperty::NextTables(vec![TableId(2), TableId(3)]),
            TableProperty::WriteActions(ids(&[0, 22])),
            TableProperty::ApplyActions(ids(&[0])),
            TableProperty::Match(vec![oxm(0, 4), oxm(5, 2)]),
            TableProperty::Wildcards(vec![oxm(0, 4)]),
            TableProperty::WriteSetField(vec![oxm(3, 6)]),
            TableProperty::ApplySetField(vec![oxm(3, 6)]),
        ],
    };
    vec![
        Body::FeaturesReply(Features {
            datapath_id: DatapathId(1),
            n_buffers: 0,
            n_tables: 254,
            auxiliary_id: 0,
            capabilities: Capabilities::FLOW_STATS,
            reserved: 0,
        }),
        Body::GetConfigReply(SwitchConfig {
            flags: config::FragmentHandling::NORMAL,
            miss_send_len: MaxLen(128),
        }),
        PacketIn {
            buffer_id: BufferId::NO_BUFFER,
            total_len: 60,
            reason: PacketInReason::ACTION,
            table_id: TableId(1),
            cookie: Cookie(2),
            matches: Match::builder().in_port(1).build().expect("a port"),
            data: vec![0; 60].into(),
        }
        .into(),
        Body::FlowRemoved(FlowRemoved {
            cookie: Cookie(1),
            priority: 2,
            reason: flow::FlowRemovedReason::DELETE,
            table_id: TableId(3),
            duration_sec: 4,
            duration_nsec: 5,
            idle_timeout: 6,
            hard_timeout: 7,
            packet_count: 8,
            byte_count: 9,
            matches: matches(),
        }),
        MultipartReplyBody::Desc(Box::new(desc)).into(),
        MultipartReplyBody::Flow(vec![flow.clone(), flow]).into(),
        MultipartReplyBody::Aggregate(AggregateStats { packet_count: 1, byte_count: 2, flow_count: 3 })
            .into(),
        MultipartReplyBody::Queue(vec![queue::QueueStats {
            port_no: PortNo(1),
            queue_id: QueueId(2),
            tx_bytes: 3,
            tx_packets: 4,
            tx_errors: 5,
            duration_sec: 6,
            duration_nsec: 7,
        }])
        .into(),
        MultipartReplyBody::Group(vec![GroupStats {
            group_id: GroupId(1),
            ref_count: 2,
            packet_count: 3,
            byte_count: 4,
            duration_sec: 5,
            duration_nsec: 6,
            bucket_stats: vec![group::BucketCounter { packet_count: 7, byte_count: 8 }],
        }])
        .into(),
        MultipartReplyBody::GroupDesc(vec![GroupDesc {
            group_type: GroupType::ALL,
            group_id: GroupId(1),
            buckets: vec![bucket],
        }])
        .into(),
        MultipartReplyBody::GroupFeatures(group::GroupFeatures {
            types: 0xf,
            capabilities: group::GroupCapabilities::CHAINING,
            max_groups: [1, 2, 3, 4],
            actions: [1, 1, 1, 1],
        })
        .into(),
        MultipartReplyBody::Meter(vec![meter::MeterStats {
            meter_id: MeterId(1),
            counters,
            band_stats: vec![meter::MeterBandStats { packet_band_count: 1, byte_band_count: 2 }],
        }])
        .into(),
        MultipartReplyBody::MeterConfig(vec![MeterConfig {
            flags: meter::MeterFlags::KBPS,
            meter_id: MeterId(1),
            bands,
        }])
        .into(),
        MultipartReplyBody::MeterFeatures(meter::MeterFeatures {
            max_meter: 1,
            band_types: meter::MeterBandTypes::DROP,
            capabilities: 0xf,
            max_bands: 1,
            max_color: 0,
        })
        .into(),
        MultipartReplyBody::TableFeatures(vec![tables]).into(),
        Body::QueueGetConfigReply(queue::QueueGetConfigReply {
            port: PortNo(1),
            queues: vec![queue::PacketQueue {
                queue_id: QueueId(1),
                port: PortNo(1),
                properties: vec![queue::QueueProperty::MinRate(queue::Rate { rate: 500 })],
            }],
        }),
        Body::RoleReply(RoleConfig { role: Role::SECONDARY, generation_id: 9 }),
        Body::GetAsyncReply(AsyncConfig {
            packet_in_mask: [7, 0],
            port_status_mask: [7, 7],
            flow_removed_mask: [15, 0],
        }),
    ]
}

/// The extensions.
pub fn of_extensions() -> Vec<Body> {
    let monitor = ExperimenterRequest::FlowMonitor(vec![FlowMonitorRequest::all(1)]);
    let update = FlowUpdate::Full(FlowUpdateFull {
        event: FlowUpdateEvent::ADDED,
        reason: 0,
        priority: 1,
        idle_timeout: 2,
        hard_timeout: 3,
        table_id: TableId(4),
        cookie: Cookie(5),
        matches: Match::any(),
        match_len: None,
        instructions: vec![Instruction::apply([Action::output(1)])],
    });
    let updates = ExperimenterReply::FlowMonitor(vec![update, FlowUpdate::Abbrev(Xid(7))]);
    let status = RoleStatus {
        role: Role::SECONDARY,
        reason: RoleReason::PRIMARY_REQUEST,
        generation_id: 1,
        properties: Payload::default(),
    };
    let packet_in = PacketIn2 {
        properties: vec![
            PacketIn2Property::Packet(vec![0; 60].into()),
            PacketIn2Property::TableId(TableId(1)),
            PacketIn2Property::Cookie(Cookie(2)),
            PacketIn2Property::Reason(PacketInReason::ACTION),
            PacketIn2Property::Metadata(vec![OxmField::InPort(PortNo(1))]),
            PacketIn2Property::Userdata(vec![1, 2, 3].into()),
        ],
    };
    let old_packet_in = NxPacketIn {
        buffer_id: BufferId::NO_BUFFER,
        total_len: 60,
        reason: PacketInReason::NO_MATCH,
        table_id: TableId(1),
        cookie: Cookie(2),
        matches: Match::builder().nxm_in_port(1).build().expect("a port"),
        data: vec![0; 60].into(),
    };
    let map = TlvMap { option_class: 0x102, option_type: 3, option_len: 4, index: 5 };
    vec![
        MultipartRequestBody::Experimenter(monitor).into(),
        MultipartReplyBody::Experimenter(updates).into(),
        MultipartRequestBody::Experimenter(ExperimenterRequest::IpfixBridge).into(),
        Body::Experimenter(Experimenter::RoleStatus(status)),
        Body::Experimenter(Experimenter::FlowMonitorCancel(FlowMonitorCancel { id: 1 })),
        Body::Experimenter(Experimenter::FlowMonitorPaused),
        Body::Experimenter(Experimenter::FlowMonitorResumed),
        NiciraMessage::SetPacketInFormat(PacketInFormat::NXT_PACKET_IN2).into(),
        NiciraMessage::PacketIn2(packet_in).into(),
        NiciraMessage::PacketIn(old_packet_in).into(),
        NiciraMessage::SetControllerId(ControllerId { controller_id: 3 }).into(),
        NiciraMessage::TlvTableMod(TlvTableMod { command: TlvTableModCommand::ADD, maps: vec![map.clone()] })
            .into(),
        NiciraMessage::TlvTableRequest.into(),
        NiciraMessage::TlvTableReply(TlvTableReply {
            max_option_space: 256,
            max_fields: 64,
            maps: vec![map],
        })
        .into(),
        NiciraMessage::CtFlushZone(CtFlushZone { zone_id: 5 }).into(),
    ]
}
