//! Properties of matches and messages, for any of them.

#![allow(clippy::expect_used)]

use std::net::{Ipv4Addr, Ipv6Addr};

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

proptest! {
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
        prop_assert_eq!(build(once.fields()), once);
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
