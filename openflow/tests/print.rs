//! Text: what this crate prints for flow-mods, group-mods and dumps is what ovs-ofctl prints for the same bytes.

#![allow(clippy::expect_used)]

use std::fs;
use std::path::Path;
use std::process::Command;

use flowport_openflow::message::{config, group, meter, port, queue};
use flowport_openflow::*;

/// What ovs-ofctl prints for a stream of messages, each line without leading blanks.
fn ofp_parse(messages: &[&[u8]]) -> Vec<String> {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::io::Write::write_all(&mut file, &messages.concat()).expect("room for it");
    let output = Command::new("ovs-ofctl")
        .args(["-O", "OpenFlow13", "--no-names", "ofp-parse"])
        .arg(file.path())
        .output()
        .expect("ovs-ofctl: install the package openvswitch-common");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

/// Our vectors whose file names contain `kind`.
fn vectors(kind: &str) -> Vec<(String, Vec<u8>)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/messages");
    let mut paths: Vec<_> =
        fs::read_dir(dir).expect("vectors").map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let name = |path: &Path| path.file_name().expect("a file").to_string_lossy().into_owned();
    paths.retain(|path| name(path).contains(kind));
    assert!(!paths.is_empty(), "no vector of {kind}");
    paths.into_iter().map(|path| (name(&path), fs::read(path).expect("a vector"))).collect()
}

/// Whether a line has something that this crate keeps as bytes and so cannot print as ovs-ofctl does.
fn is_opaque(ours: &str) -> bool {
    ["unknown(", "nicira(", "experimenter(", "->unknown"].iter().any(|word| ours.contains(word))
}

/// Compares line by line; `opaque` of the lines are known to be incomparable.
fn compare(ours: &[String], theirs: &[String], opaque: usize) {
    assert_eq!(ours.len(), theirs.len(), "{theirs:#?}");
    let (mut wrong, mut skipped) = (Vec::new(), 0);
    for (ours, theirs) in ours.iter().zip(theirs) {
        match is_opaque(ours) {
            true => {
                println!("opaque: {ours}\n    is: {theirs}");
                skipped += 1;
            }
            false if ours != theirs => wrong.push(format!("ours:   {ours}\ntheirs: {theirs}")),
            false => {}
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), ours.len(), wrong.join("\n"));
    assert!(skipped == opaque, "{skipped} of {} lines have unknown parts; {opaque} are expected", ours.len());
}

/// Without the header's name and xid.
fn without_header(line: &str) -> String {
    line.split_once("):").map_or(line, |(_, rest)| rest.trim_start()).to_owned()
}

#[test]
fn flow_mods_print_as_ovs_ofctl_prints_them() {
    let vectors = vectors("flow_mod");
    let ours: Vec<_> = vectors
        .iter()
        .map(|(_, bytes)| match Message::decode(bytes).expect("a message").body {
            Body::FlowMod(flow_mod) => flow_mod.to_string(),
            body => panic!("{body:?}"),
        })
        .collect();
    let bytes: Vec<_> = vectors.iter().map(|(_, bytes)| bytes.as_slice()).collect();
    let theirs = ofp_parse(&bytes);
    // A message that ovs-ofctl cannot decode gets its line too, and then a hexadecimal dump.
    let theirs: Vec<_> =
        theirs.iter().filter(|line| line.starts_with("OFPT_")).map(|line| without_header(line)).collect();
    compare(&ours, &theirs, 1);
}

#[test]
fn group_mods_print_as_ovs_ofctl_prints_them() {
    let vectors = vectors("group_mod");
    let (ours, theirs): (Vec<_>, Vec<_>) = vectors
        .iter()
        .map(|(_, bytes)| match Message::decode(bytes).expect("a message").body {
            Body::GroupMod(group_mod) => (group_mod.to_string(), ofp_parse(&[bytes]).concat()),
            body => panic!("{body:?}"),
        })
        .map(|(ours, theirs)| (ours, without_header(&theirs)))
        .unzip();
    compare(&ours, &theirs, 0);
}

#[test]
fn dumps_print_as_ovs_ofctl_prints_them() {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for (_, bytes) in vectors("multipart_reply.flow.").iter().chain(&vectors("multipart_reply.group_desc")) {
        let Body::MultipartReply(reply) = Message::decode(bytes).expect("a message").body else {
            panic!("no reply")
        };
        match reply.body {
            MultipartReplyBody::Flow(flows) => ours.extend(flows.iter().map(ToString::to_string)),
            MultipartReplyBody::GroupDesc(groups) => ours.extend(groups.iter().map(ToString::to_string)),
            body => panic!("{body:?}"),
        }
        theirs.extend(ofp_parse(&[bytes]).into_iter().filter(|line| !line.starts_with("OFPST_")));
    }
    compare(&ours, &theirs, 0);
}

/// One of each message that a controller or a datapath may send, in all its parts.
fn one_of_each() -> Vec<Body> {
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

const XID: u32 = 0x1234;

#[test]
fn ovs_ofctl_reads_one_of_each_message() {
    for body in one_of_each() {
        let mut bytes = Vec::new();
        Message::new(XID, body.clone()).encode(&mut bytes).expect("short");
        assert_eq!(Message::decode(&bytes), Ok(Message::new(XID, body.clone())));
        let text = ofp_parse(&[&bytes]).join("\n");
        assert!(text.starts_with("O") && text.contains("(xid=0x1234)"), "{}: {text}", body.name());
        assert!(!text.contains("***"), "{}: {text}", body.name());
    }
}
