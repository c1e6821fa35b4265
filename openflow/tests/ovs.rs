//! With a real ovs-vswitchd: a session over the bridge's management socket, flows and groups by bundle, and what
//! comes back.

#![allow(clippy::expect_used)]

mod common;

use std::time::Duration;

use common::{Datapath, Ovs};
use flowport_openflow::action::nicira::{Conntrack, Nat, NatFlags, NatRange};
use flowport_openflow::message::group::GroupStatsRequest;
use flowport_openflow::oxm::{IpFrag, TunFlags};
use flowport_openflow::{
    Action, Body, Bucket, BundleError, Cookie, CtState, Event, FlowMod, FlowModFlags, FlowStatsRequest,
    GroupId, GroupMod, GroupType, Instruction, IpProto, Masked, Match, MultipartReplyBody,
    MultipartRequestBody, OxmField, OxmHeader, PacketOut, PortNo, RequestError, Subfield, TcpFlags, VlanVid,
};

const EPOCH: u64 = 0xf10e_0000_0000_0000;

/// Flows of every kind that a bridge of containers needs, each with its own cookie.
fn flows() -> Vec<FlowMod> {
    let m = Match::builder;
    let matches = [
        m(),
        m().in_port(1),
        m().in_port(PortNo::LOCAL).vlan_vid(VlanVid::tagged(7)).vlan_pcp(3),
        m().vlan_vid(VlanVid::NONE),
        m().vlan_vid((VlanVid::PRESENT, VlanVid::PRESENT)),
        m().in_port(1)
            .eth_src([2, 0, 0, 0, 0, 1])
            .arp()
            .arp_op(1)
            .arp_spa([10, 0, 0, 1])
            .arp_sha([2, 0, 0, 0, 0, 1]),
        m().arp().arp_tpa((std::net::Ipv4Addr::new(10, 0, 3, 7), [255, 255, 0, 0].into())),
        m().metadata((0xdead_beef_u64, 0xffff))
            .eth_dst(([1, 0, 0, 0, 0, 0].into(), [1, 0, 0, 0, 0, 0].into())),
        m().metadata(0x7_u64).eth_dst([2, 0, 0, 0, 0, 2]),
        m().tcp().ipv4_src(Masked::ipv4_prefix([10, 1, 2, 3].into(), 24)).tcp_dst(443),
        m().udp().udp_src((0x1234, 0xfff0)).ipv4_dst([10, 0, 0, 255]),
        m().ipv4().ip_proto(IpProto::SCTP).sctp_dst(5).ip_dscp(46).ip_ecn(1),
        m().icmp().icmpv4_type(8).icmpv4_code(0),
        m().icmpv6()
            .icmpv6_type(135)
            .ipv6_nd_target("fe80::1".parse::<std::net::Ipv6Addr>().expect("an address")),
        m().icmpv6().icmpv6_type(136).icmpv6_code(0).ipv6_nd_tll([2, 0, 0, 0, 0, 3]),
        m().tcp6().ipv6_dst(Masked::ipv6_prefix("2001:db8::1".parse().expect("an address"), 64)).tcp_src(22),
        m().ipv6().ipv6_flabel(flowport_openflow::types::FlowLabel(0x12345)),
        m().tunnel_id(0x2a_u64)
            .tun_src([192, 0, 2, 1])
            .tun_dst(Masked::ipv4_prefix([192, 0, 2, 200].into(), 25)),
        m().reg0(1).reg1((0xffff_ffff, 0xff)).reg7(0).pkt_mark(5),
        m().ipv4().ct_state((CtState(0x22), CtState(0x2a))).ct_zone(3).ct_mark(9),
        m().tcp().tcp_flags((TcpFlags(2), TcpFlags(0x12))),
        m().eth_type(0x8847).mpls_label(100).mpls_tc(1).mpls_bos(1),
        m().eth_type(0x88cc),
        m().ipv4().ip_frag((IpFrag::ANY, IpFrag::ANY)).nw_ttl(64),
        // Masks of all the bits that count, which are not all the bits on the wire.
        m().ipv4().ip_frag((IpFrag::ANY, IpFrag(3))).ct_state(CtState::NEW | CtState::TRK),
        m().tcp().tcp_flags((TcpFlags::SYN, TcpFlags(0xfff))).tun_flags(TunFlags::OAM),
        m().ipv4().ip_frag(IpFrag::ANY | IpFrag::LATER).ct_state((CtState::TRK, CtState(0xff))),
    ];
    let mac = |n| flowport_openflow::MacAddr([2, 0, 0, 0, 0, n]);
    let actions = [
        vec![],
        vec![Action::output(2)],
        vec![Action::output(PortNo::NORMAL)],
        vec![Action::controller(128), Action::output(PortNo::IN_PORT)],
        vec![
            Action::PushVlan(0x8100.into()),
            Action::set_field(OxmField::VlanVid(VlanVid::tagged(5).into())),
        ],
        vec![
            Action::reg_move(Subfield::whole(OxmHeader::ETH_SRC), Subfield::whole(OxmHeader::ETH_DST)),
            Action::set_field(OxmField::EthSrc(mac(9).into())),
            Action::reg_load(Subfield::whole(OxmHeader::ARP_OP), 2),
            Action::reg_move(Subfield::whole(OxmHeader::ARP_SHA), Subfield::whole(OxmHeader::ARP_THA)),
            Action::set_field(OxmField::ArpSha(mac(9).into())),
            Action::reg_move(Subfield::whole(OxmHeader::ARP_SPA), Subfield::whole(OxmHeader::ARP_TPA)),
            Action::set_field(OxmField::ArpSpa(std::net::Ipv4Addr::new(10, 0, 0, 9).into())),
            Action::output(PortNo::IN_PORT),
        ],
        vec![Action::PopVlan, Action::output(PortNo::LOCAL)],
        vec![Action::reg_load(Subfield::bits(OxmHeader::REG0, 4, 8), 0xa5), Action::resubmit_table(3)],
        vec![Action::set_field(OxmField::TunnelId(7.into())), Action::group(1)],
        vec![Action::DecNwTtl, Action::SetNwTtl(9)],
        vec![
            Conntrack::lookup(7, 4).nat(Nat::default()).into(),
            Action::clone_packet([Action::DecNwTtl, Action::output(2)]),
            Conntrack::commit(7)
                .nat(Nat {
                    flags: NatFlags::SRC | NatFlags::PROTO_RANDOM,
                    addresses: Some(NatRange::Ipv4([192, 0, 2, 1].into(), Some([192, 0, 2, 9].into()))),
                    ports: Some((1024, Some(2047))),
                })
                .exec([Action::set_field(OxmField::CtMark(9.into()))])
                .into(),
        ],
    ];
    // Which of the actions fit a match: those that rewrite a header need that header.
    let fits = |n: usize| match n {
        5 => 5,
        6 => 8,
        9 => 10,
        10..=12 => 9,
        n => [0, 1, 2, 3, 4, 7, 8][n % 7],
    };
    matches
        .into_iter()
        .enumerate()
        .map(|(n, matches)| {
            let n16 = n as u16;
            let flow = FlowMod::add(n as u8 % 5, 100 + n16, matches.build().expect("prerequisites"))
                .cookie(EPOCH | n as u64)
                .idle_timeout(if n % 4 == 1 { 600 } else { 0 })
                .apply(actions[fits(n)].clone());
            match n % 5 {
                0 => flow.goto(9).write_metadata(n as u64, 0xff),
                1 => flow.write([Action::output(1)]).flags(FlowModFlags::SEND_FLOW_REM),
                2 => flow.instruction(Instruction::ClearActions),
                _ => flow,
            }
        })
        .collect()
}

fn group() -> GroupMod {
    GroupMod::add(1, GroupType::ALL, [Bucket::new([Action::output(1)]), Bucket::new([Action::output(2)])])
}

/// Installs the group and `flows` in one bundle.
fn install(datapath: &mut Datapath, flows: &[FlowMod]) -> Event {
    let mods = std::iter::once(Body::from(group())).chain(flows.iter().cloned().map(Body::from));
    datapath.bundle(mods)
}

#[test]
fn what_is_installed_is_what_is_dumped() {
    let ovs = Ovs::start();
    let mut datapath = ovs.connect();
    let flows = flows();
    let outcome = install(&mut datapath, &flows);
    assert!(matches!(outcome, Event::BundleCommitted { .. }), "{outcome:?}");

    let dump = datapath.dump_flows(FlowStatsRequest::cookie(EPOCH, 0xffff_0000_0000_0000));
    assert_eq!(dump.len(), flows.len());
    for sent in &flows {
        let got = dump.iter().find(|flow| flow.cookie == sent.cookie).expect("a flow with its cookie");
        assert_eq!(got.key(), sent.key(), "{sent}");
        assert_eq!(
            got.instructions.len(),
            sent.instructions.iter().filter(|i| !is_empty(i)).count(),
            "{sent}\n{got}"
        );
        let sent_instructions: Vec<_> = sent.instructions.iter().filter(|i| !is_empty(i)).collect();
        assert_eq!(got.instructions.iter().collect::<Vec<_>>(), sent_instructions, "{sent}");
        assert_eq!((got.idle_timeout, got.flags), (sent.idle_timeout, sent.flags), "{sent}");
    }

    let reply = datapath.multipart(MultipartRequestBody::GroupDesc);
    let MultipartReplyBody::GroupDesc(groups) = reply else { panic!("{reply:?}") };
    let sent = group();
    assert_eq!(groups.len(), 1);
    assert_eq!(
        (groups[0].group_id, groups[0].group_type, &groups[0].buckets),
        (sent.group_id, sent.group_type, &sent.buckets)
    );
}

/// An apply-actions without actions does nothing, and is not kept.
fn is_empty(instruction: &Instruction) -> bool {
    matches!(instruction, Instruction::ApplyActions(actions) if actions.is_empty())
}

#[test]
fn what_prints_is_what_ovs_ofctl_prints() {
    let ovs = Ovs::start();
    let mut datapath = ovs.connect();
    install(&mut datapath, &flows());

    // Ages differ between the two dumps, and nothing else may.
    let ageless = |line: &str| {
        let (before, rest) = line.split_once("duration=").expect("a duration");
        format!("{before}{}", rest.split_once(", ").expect("more than a duration").1)
    };
    let mut ours: Vec<_> =
        datapath.dump_flows(FlowStatsRequest::all()).iter().map(|flow| ageless(&flow.to_string())).collect();
    let theirs = ovs.ofctl(&["--no-names", "dump-flows", "br0"]);
    let mut theirs: Vec<_> =
        theirs.lines().filter(|line| line.contains("duration=")).map(|line| ageless(line.trim())).collect();
    ours.sort();
    theirs.sort();
    assert_eq!(ours.len(), theirs.len());
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs);
    }

    let MultipartReplyBody::GroupDesc(groups) = datapath.multipart(MultipartRequestBody::GroupDesc) else {
        panic!("no groups")
    };
    let theirs = ovs.ofctl(&["--no-names", "dump-groups", "br0"]);
    let theirs: Vec<_> = theirs.lines().skip(1).map(str::trim).collect();
    assert_eq!(groups.iter().map(ToString::to_string).collect::<Vec<_>>(), theirs);
}

#[test]
fn a_refused_message_undoes_its_bundle_and_is_named() {
    let ovs = Ovs::start();
    let mut datapath = ovs.connect();
    let mut mods: Vec<_> =
        flows().into_iter().filter(|flow| !flow.to_string().contains("group:")).map(Body::from).collect();
    // A group that does not exist.
    mods.insert(5, FlowMod::add(0, 1, Match::any()).apply([Action::group(77)]).into());
    let Event::BundleFailed { index, error, .. } = datapath.bundle(mods) else { panic!("committed") };
    assert_eq!(index, Some(5));
    let BundleError::Refused(refusal) = error else { panic!("{error:?}") };
    assert_eq!(refusal.error.to_string(), "OFPBAC_BAD_OUT_GROUP");
    assert_eq!(datapath.dump_flows(FlowStatsRequest::all()), []);

    // What the datapath finds out only on commit: the second group of the same number.
    let Event::BundleFailed { index, error, .. } = datapath.bundle([group().into(), group().into()]) else {
        panic!("committed")
    };
    assert_eq!(index, Some(1), "{error}");
    assert_eq!(datapath.multipart(MultipartRequestBody::GroupDesc), MultipartReplyBody::GroupDesc(vec![]));

    // And the session goes on.
    let outcome = datapath.bundle([group().into()]);
    assert!(matches!(outcome, Event::BundleCommitted { .. }), "{outcome:?}");
}

#[test]
fn an_empty_bundle_commits() {
    let ovs = Ovs::start();
    let outcome = ovs.connect().bundle([]);
    assert!(matches!(outcome, Event::BundleCommitted { .. }), "{outcome:?}");
}

#[test]
fn errors_name_the_message() {
    let ovs = Ovs::start();
    let mut datapath = ovs.connect();
    let flow = FlowMod::add(0, 1, Match::any()).apply([Action::group(77)]);
    let xid = datapath.session.send(flow).expect("short");
    let barrier = datapath.session.barrier(datapath.now());
    let failed = datapath.wait(|event| matches!(event, Event::Failed { .. }));
    let Event::Failed { xid: of, error: RequestError::Refused(_) } = failed else { panic!("{failed:?}") };
    assert_eq!(of, xid);
    datapath.wait(|event| matches!(event, Event::Reply { xid, body: Body::BarrierReply } if *xid == barrier));
}

#[test]
fn ten_thousand_flows_go_in_and_come_out() {
    let ovs = Ovs::start();
    let mut datapath = ovs.connect();
    let flow = |n: u32| {
        let matches = Match::builder()
            .ipv4()
            .ipv4_dst(std::net::Ipv4Addr::from_bits(n))
            .build()
            .expect("prerequisites");
        FlowMod::add(0, 10, matches).cookie(u64::from(n)).apply([Action::output(1)])
    };
    let outcome = datapath.bundle((0..10_000).map(|n| flow(n).into()));
    assert!(matches!(outcome, Event::BundleCommitted { .. }), "{outcome:?}");
    let mut cookies: Vec<_> =
        datapath.dump_flows(FlowStatsRequest::all()).iter().map(|flow| flow.cookie).collect();
    cookies.sort();
    assert_eq!(cookies, (0..10_000).map(Cookie).collect::<Vec<_>>());
}

#[test]
fn packets_come_while_a_reply_is_awaited() {
    let ovs = Ovs::start();
    let mut datapath = ovs.connect();
    // To the controller; the packet comes from a packet-out through the tables.
    let flow = FlowMod::add(0, 1, Match::any()).cookie(0x99).apply([Action::output(PortNo::CONTROLLER)]);
    datapath.session.send(flow).expect("short");
    let frame = [&[0xff; 6][..], &[2, 0, 0, 0, 0, 1], &[0x88, 0xb5], &[0; 46]].concat();
    let out = PacketOut::new(frame.clone(), [Action::output(PortNo::TABLE)]).in_port(PortNo::LOCAL);
    datapath.session.send(out).expect("short");
    let barrier = datapath.session.barrier(datapath.now());
    let mut barrier_done = false;
    let packet_in = datapath.wait(|event| {
        barrier_done |= matches!(event, Event::Reply { xid, .. } if *xid == barrier);
        matches!(event, Event::Async(message) if matches!(message.body, Body::PacketIn(_)))
    });
    let Event::Async(message) = packet_in else { unreachable!() };
    let Body::PacketIn(packet_in) = message.body else { unreachable!() };
    assert_eq!(packet_in.cookie, Cookie(0x99));
    assert_eq!(packet_in.in_port(), Some(PortNo::LOCAL));
    assert_eq!(packet_in.data[..], frame[..]);
    if !barrier_done {
        datapath.wait(|event| matches!(event, Event::Reply { xid, .. } if *xid == barrier));
    }
}

#[test]
fn every_question_has_its_answer() {
    let ovs = Ovs::start();
    let mut datapath = ovs.connect();
    use MultipartRequestBody as Q;
    for question in [
        Q::Desc,
        Q::Flow(FlowStatsRequest::all()),
        Q::Aggregate(FlowStatsRequest::all()),
        Q::Table,
        Q::PortStats(flowport_openflow::message::port::PortStatsRequest { port_no: PortNo::ANY }),
        Q::Group(GroupStatsRequest { group_id: GroupId::ALL }),
        Q::GroupDesc,
        Q::GroupFeatures,
        Q::MeterFeatures,
        Q::TableFeatures(vec![]),
        Q::PortDesc,
    ] {
        let ty = question.ty();
        let answer = datapath.multipart(question);
        assert_eq!(answer.ty(), ty);
        match answer {
            MultipartReplyBody::PortDesc(ports) => {
                let mut names: Vec<_> = ports.iter().map(|port| port.name.to_string()).collect();
                names.sort();
                assert_eq!(names, ["br0", "p1", "p2"]);
            }
            MultipartReplyBody::TableFeatures(tables) => assert!(tables.len() > 250, "{}", tables.len()),
            MultipartReplyBody::Desc(desc) => assert_eq!(desc.mfr_desc.to_string(), "Nicira, Inc."),
            _ => {}
        }
    }
}

#[test]
fn a_bridge_without_openflow_13_is_refused_in_words() {
    let ovs = Ovs::start();
    ovs.vsctl(&["set", "bridge", "br0", "protocols=OpenFlow10"]);
    let error = ovs.try_connect(Duration::from_secs(5)).expect_err("a refusal");
    assert!(error.to_string().contains("OpenFlow13"), "{error}");
}
