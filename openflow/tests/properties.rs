//! Properties of matches and messages, for any of them.

#![allow(clippy::expect_used)]

use std::net::{Ipv4Addr, Ipv6Addr};

use flowport_openflow::action::nicira::{Conjunction, Conntrack, Learn, LearnSpec, Nat, NatFlags, NatRange};
use flowport_openflow::message::meter::{DropBand, DscpRemarkBand, MeterFlags, MeterModCommand};
use flowport_openflow::*;
use proptest::prelude::*;

fn masked<T: Clone + std::fmt::Debug + 'static>(
    value: impl Strategy<Value = T> + Clone + 'static,
) -> impl Strategy<Value = Masked<T>> {
    (value.clone(), proptest::option::of(value)).prop_map(|(value, mask)| Masked { value, mask })
}

/// Fields that do not depend on one another, and IPv4 with what it needs; each at most once.
fn fields() -> impl Strategy<Value = Vec<OxmField>> {
    let mac = || any::<[u8; 6]>().prop_map(MacAddr);
    let ipv4 = || any::<u32>().prop_map(Ipv4Addr::from_bits);
    let independent = (
        proptest::option::of(any::<u32>().prop_map(|port| OxmField::InPort(PortNo(port)))),
        proptest::option::of(masked(any::<u64>()).prop_map(OxmField::Metadata)),
        proptest::option::of(masked(mac()).prop_map(OxmField::EthDst)),
        proptest::option::of(masked(mac()).prop_map(OxmField::EthSrc)),
        proptest::option::of(masked(any::<u16>().prop_map(VlanVid)).prop_map(OxmField::VlanVid)),
        proptest::option::of(masked(any::<u64>()).prop_map(OxmField::TunnelId)),
        proptest::option::of(masked(any::<u32>()).prop_map(OxmField::Reg3)),
        proptest::option::of(masked(any::<u128>().prop_map(Into::into)).prop_map(OxmField::CtLabel)),
        proptest::option::of(
            masked(any::<u128>().prop_map(Ipv6Addr::from_bits)).prop_map(OxmField::TunIpv6Src),
        ),
    )
        .prop_map(|(a, b, c, d, e, f, g, h, i)| [a, b, c, d, e, f, g, h, i].into_iter().flatten().collect());
    let over_ipv4 = (masked(ipv4()), masked(ipv4()), masked(any::<u16>())).prop_map(|(src, dst, port)| {
        vec![
            OxmField::EthType(EthType::IPV4),
            OxmField::IpProto(IpProto::TCP),
            OxmField::Ipv4Src(src),
            OxmField::Ipv4Dst(dst),
            OxmField::TcpDst(port),
        ]
    });
    (independent, proptest::option::of(over_ipv4))
        .prop_map(|(fields, more): (Vec<_>, _)| [fields, more.unwrap_or_default()].concat())
}

fn build(fields: &[OxmField]) -> Match {
    let builder = fields.iter().cloned().fold(Match::builder(), MatchBuilder::field);
    builder.build().expect("prerequisites")
}

fn round_trip(body: impl Into<Body>) -> Body {
    let mut bytes = Vec::new();
    Message::new(7, body).encode(&mut bytes).expect("short");
    let message = Message::decode(&bytes).expect("what was encoded");
    let mut again = Vec::new();
    message.encode(&mut again).expect("short");
    assert_eq!(again, bytes);
    message.body
}

/// Sub-fields of registers, at most 32 bits wide.
fn subfield() -> impl Strategy<Value = Subfield> {
    (0..16_u8, 0..32_u16, 1..=32_u16).prop_map(|(reg, ofs, n_bits)| {
        let field = OxmHeader::reg(reg).expect("a register");
        Subfield::bits(field, ofs, n_bits.min(32 - ofs))
    })
}

/// Actions that text can say in full.
fn action() -> impl Strategy<Value = Action> {
    let port = || {
        prop_oneof![0..0xff00_u32, Just(0xffff_fff8), Just(0xffff_fffa), Just(0xffff_fffe)].prop_map(PortNo)
    };
    let leaf = prop_oneof![
        port().prop_map(Action::output),
        any::<u16>().prop_map(Action::controller),
        any::<u32>().prop_map(Action::group),
        any::<u8>().prop_map(Action::SetNwTtl),
        Just(Action::PopVlan),
        any::<[u8; 6]>().prop_map(|mac| Action::set_field(OxmField::EthDst(mac.into()))),
        any::<u64>().prop_map(|id| Action::set_field(OxmField::TunnelId(id.into()))),
        (subfield(), any::<u64>())
            .prop_map(|(dst, value)| Action::reg_load(dst, value & ((1 << dst.n_bits) - 1))),
        (subfield(), subfield()).prop_map(|(src, dst)| {
            let n_bits = src.n_bits.min(dst.n_bits);
            Action::reg_move(Subfield { n_bits, ..src }, Subfield { n_bits, ..dst })
        }),
        (0..255_u8).prop_map(Action::resubmit_table),
        (any::<u16>(), 0..255_u8, any::<u32>(), any::<u16>()).prop_map(|(zone, table, addr, port)| {
            let addresses = Some(NatRange::Ipv4(Ipv4Addr::from_bits(addr | 1), None));
            let nat = Nat { flags: NatFlags::SRC, addresses, ports: (port != 0).then_some((port, None)) };
            Conntrack::lookup(zone, table).nat(nat).into()
        }),
        (any::<u16>(), any::<u64>(), 0..255_u8, subfield(), any::<u64>()).prop_map(
            |(idle, cookie, table, dst, value)| {
                let value = u128::from(value & ((1 << dst.n_bits) - 1));
                let specs = [
                    LearnSpec::matching(dst, dst),
                    LearnSpec::load_value(value, dst),
                    LearnSpec::output(Subfield::whole(OxmHeader::NXM_IN_PORT)),
                ];
                Learn { idle_timeout: idle, cookie: Cookie(cookie), ..Learn::new(table, specs) }.into()
            }
        ),
        (any::<u16>(), 1..=64_u8, any::<u32>()).prop_map(|(_, n_clauses, id)| Conjunction {
            clause: n_clauses - 1,
            n_clauses,
            id
        }
        .into()),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        proptest::collection::vec(inner, 1..4).prop_map(Action::clone_packet)
    })
}

/// A flow-mod of any command, with all that may be in it.
fn flow_mod() -> impl Strategy<Value = FlowMod> {
    let actions = || proptest::collection::vec(action(), 1..5);
    let numbers = (any::<u8>(), any::<u16>(), any::<u64>(), any::<u16>(), any::<u16>(), 0..32_u16);
    let instructions = (
        proptest::option::of(actions()),
        proptest::option::of(actions()),
        proptest::option::of(any::<u8>()),
        proptest::option::of((any::<u64>(), 1..u64::MAX)),
        proptest::option::of(any::<u32>()),
    );
    (0..5_u8, fields(), numbers, instructions).prop_map(|(command, fields, numbers, instructions)| {
        let (table, priority, cookie, idle, hard, flags) = numbers;
        let (apply, write, goto, metadata, meter) = instructions;
        let mut flow =
            FlowMod { command: FlowModCommand(command), ..FlowMod::add(table, priority, build(&fields)) };
        flow = flow.idle_timeout(idle).hard_timeout(hard).flags(FlowModFlags(flags));
        // All ones means "leave the cookie as it is", which ofp-print does not print.
        flow = flow.cookie(cookie.min(u64::MAX - 1));
        for instruction in [
            apply.map(Instruction::apply),
            write.map(Instruction::write),
            goto.map(Instruction::goto_table),
            metadata.map(|(value, mask)| Instruction::write_metadata(value, mask)),
            meter.map(|meter| Instruction::Meter(MeterId(meter))),
        ]
        .into_iter()
        .flatten()
        {
            flow = flow.instruction(instruction);
        }
        flow
    })
}

fn bucket() -> impl Strategy<Value = Bucket> {
    (proptest::collection::vec(action(), 0..3), any::<u16>(), any::<u32>(), any::<u32>()).prop_map(
        |(actions, weight, port, group)| Bucket {
            weight,
            watch_port: PortNo(port),
            watch_group: GroupId(group),
            actions,
        },
    )
}

fn band() -> impl Strategy<Value = MeterBand> {
    let numbers = || (any::<u32>(), any::<u32>());
    prop_oneof![
        numbers().prop_map(|(rate, burst_size)| MeterBand::Drop(DropBand { rate, burst_size })),
        (numbers(), any::<u8>()).prop_map(|((rate, burst_size), prec_level)| {
            MeterBand::DscpRemark(DscpRemarkBand { rate, burst_size, prec_level })
        }),
    ]
}

fn flow_stats() -> impl Strategy<Value = FlowStats> {
    (flow_mod(), any::<[u32; 2]>(), any::<[u64; 2]>()).prop_map(|(flow, duration, counts)| FlowStats {
        table_id: flow.table_id,
        duration_sec: duration[0],
        duration_nsec: duration[1],
        priority: flow.priority,
        idle_timeout: flow.idle_timeout,
        hard_timeout: flow.hard_timeout,
        flags: flow.flags,
        cookie: flow.cookie,
        packet_count: counts[0],
        byte_count: counts[1],
        matches: flow.matches,
        instructions: flow.instructions,
    })
}

/// Messages of the kinds that hold other structures; one of each of the others is in `common/messages.rs`.
fn body() -> impl Strategy<Value = Body> {
    let list = |size| proptest::collection::vec(bucket(), size);
    let data = || proptest::collection::vec(any::<u8>(), 0..200);
    let group_mod =
        (any::<u16>(), any::<u8>(), any::<u32>(), list(0..4)).prop_map(|(command, ty, id, buckets)| {
            let (command, group_type) = (GroupModCommand(command), GroupType(ty));
            GroupMod { command, group_type, group_id: GroupId(id), buckets }.into()
        });
    let meter_mod = (any::<u16>(), any::<u16>(), any::<u32>(), proptest::collection::vec(band(), 0..4))
        .prop_map(|(command, flags, id, bands)| {
            let (command, flags) = (MeterModCommand(command), MeterFlags(flags));
            MeterMod { command, flags, meter_id: MeterId(id), bands }.into()
        });
    let numbers = (any::<u32>(), any::<u16>(), any::<u8>(), any::<u8>(), any::<u64>());
    let packet_in =
        (numbers, fields(), data()).prop_map(|((buffer, total_len, reason, table, cookie), fields, data)| {
            let packet_in = PacketIn {
                buffer_id: BufferId(buffer),
                total_len,
                reason: PacketInReason(reason),
                table_id: TableId(table),
                cookie: Cookie(cookie),
                matches: build(&fields),
                data: data.into(),
            };
            packet_in.into()
        });
    let packet_out = (any::<u32>(), any::<u32>(), proptest::collection::vec(action(), 0..5), data())
        .prop_map(|(buffer, port, actions, data)| {
            let out = PacketOut::new(data, actions).in_port(port);
            PacketOut { buffer_id: BufferId(buffer), ..out }.into()
        });
    let flows = proptest::collection::vec(flow_stats(), 0..4)
        .prop_map(|flows| MultipartReplyBody::Flow(flows).into());
    let groups = (any::<u8>(), any::<u32>(), list(0..3)).prop_map(|(ty, id, buckets)| {
        let desc = GroupDesc { group_type: GroupType(ty), group_id: GroupId(id), buckets };
        MultipartReplyBody::GroupDesc(vec![desc.clone(), desc]).into()
    });
    let meters = (any::<u16>(), any::<u32>(), proptest::collection::vec(band(), 0..4)).prop_map(
        |(flags, id, bands)| {
            let config = MeterConfig { flags: MeterFlags(flags), meter_id: MeterId(id), bands };
            MultipartReplyBody::MeterConfig(vec![config.clone(), config]).into()
        },
    );
    let bundle_add = (flow_mod(), any::<u32>(), any::<u32>()).prop_map(|(flow, id, xid)| {
        let message = Message::new(xid, flow);
        let add = BundleAdd::new(BundleId(id), BundleFlags::ATOMIC, &message).expect("short");
        Experimenter::BundleAdd(add).into()
    });
    prop_oneof![group_mod, meter_mod, packet_in, packet_out, flows, groups, meters, bundle_add]
}

/// Whether text says the VLAN tag of the match in full: it has one word for value and mask of id and presence.
fn is_text_whole(matches: &Match) -> bool {
    !matches.fields().any(|field| match field {
        OxmField::VlanVid(vid) => {
            vid.value.0 & !0x1fff != 0 || vid.mask.is_none() && vid.value.0 & 0x1000 == 0
        }
        _ => false,
    })
}

proptest! {
    #[test]
    fn any_flow_mod_round_trips(flow in flow_mod()) {
        prop_assert_eq!(round_trip(flow.clone()), Body::FlowMod(flow));
    }

    #[test]
    fn any_message_that_holds_others_round_trips(body in body()) {
        prop_assert_eq!(round_trip(body.clone()), body);
    }

    #[test]
    fn any_flow_mod_is_read_as_printed(flow in flow_mod().prop_filter("a tag", |flow| is_text_whole(&flow.matches))) {
        let text = flow.to_string();
        let read: FlowMod = text.parse().map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
        prop_assert_eq!(&read.to_string(), &text);
        prop_assert_eq!(read, flow, "{}", text);
    }

    #[test]
    fn no_text_panics(text in "[a-z_0-9=:(),.\\[\\]>/ -]{0,60}") {
        let _ = text.parse::<FlowMod>().map(|flow| flow.to_string());
        let _ = text.parse::<GroupMod>().map(|group| group.to_string());
        let _ = text.parse::<MeterMod>().map(|meter| meter.to_string());
    }

    #[test]
    fn a_match_does_not_depend_on_the_order_of_its_fields(
        (fields, shuffled) in fields().prop_flat_map(|fields| (Just(fields.clone()), Just(fields).prop_shuffle()))
    ) {
        let (a, b) = (build(&fields), build(&shuffled));
        prop_assert_eq!(&a, &b);
        prop_assert_eq!(a.to_string(), b.to_string());
    }

    #[test]
    fn canonical_fields_stay_as_they_are(fields in fields()) {
        let once = build(&fields);
        prop_assert_eq!(build(&once.fields().collect::<Vec<_>>()), once);
    }

    #[test]
    fn a_flow_mod_round_trips(fields in fields(), table: u8, priority: u16, cookie: u64, port: u32, data in any::<[u8; 16]>()) {
        let flow = FlowMod::add(table, priority, build(&fields))
            .cookie(cookie)
            .goto(table)
            .write_metadata(cookie, !cookie)
            .apply([
                Action::output(port),
                Action::reg_load(Subfield::bits(OxmHeader::REG5, 3, 7), cookie & 0x7f),
                Action::Unknown { ty: 1234, body: [&data[..], &data[..4]].concat().into() },
            ]);
        prop_assert_eq!(round_trip(flow.clone()), Body::FlowMod(flow));
    }

    #[test]
    fn any_bytes_are_decoded_to_themselves_or_refused(ty: u8, body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let len = (body.len() as u16 + 8).to_be_bytes();
        let bytes = [&[4, ty, len[0], len[1], 0, 0, 0, 1], &body[..]].concat();
        if let Ok(message) = Message::decode(&bytes) {
            let mut again = Vec::new();
            message.encode(&mut again).expect("no longer than it was");
            prop_assert_eq!(again, bytes);
        }
    }
}
