use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::Ipv4Addr;

use super::*;
use crate::oxm::{Masked, OxmUnknown};
use crate::types::{MacAddr, VlanVid};

fn hash(matches: &Match) -> u64 {
    let mut hasher = DefaultHasher::new();
    matches.hash(&mut hasher);
    hasher.finish()
}

fn bytes(matches: &Match) -> Vec<u8> {
    let mut out = Vec::new();
    matches.encode(&mut out);
    out
}

fn decoded(bytes: &[u8]) -> Match {
    let mut r = Reader::new("test", bytes);
    let matches = r.get().unwrap();
    r.finish().unwrap();
    matches
}

#[test]
fn fields_are_ordered_whatever_the_order_of_calls() {
    let a = Match::builder().tcp_dst(443).in_port(3).ipv4_src([10, 0, 0, 1]).tcp().build().unwrap();
    let b = Match::builder().tcp().ipv4_src([10, 0, 0, 1]).tcp_dst(443).in_port(3).build().unwrap();
    assert_eq!(a, b);
    assert_eq!(bytes(&a), bytes(&b));
    let names: Vec<_> = a.fields().map(|field| field.name()).collect();
    assert_eq!(names, ["in_port", "eth_type", "ip_proto", "ipv4_src", "tcp_dst"]);
}

#[test]
fn masks_are_normalised() {
    let mask = Ipv4Addr::new(255, 255, 0, 0);
    let a = Match::builder().ipv4().ipv4_dst((Ipv4Addr::new(10, 1, 2, 3), mask)).build().unwrap();
    let b = Match::builder().ipv4().ipv4_dst(Masked::ipv4_prefix([10, 1, 0, 0].into(), 16)).build().unwrap();
    assert_eq!(a, b);
    assert_eq!(a.to_string(), "ip,nw_dst=10.1.0.0/16");

    let all =
        Match::builder().ipv4().ipv4_dst(Masked::ipv4_prefix([10, 1, 2, 3].into(), 32)).build().unwrap();
    assert_eq!(all, Match::builder().ipv4().ipv4_dst([10, 1, 2, 3]).build().unwrap());
    let none =
        Match::builder().ipv4().ipv4_dst(Masked::ipv4_prefix([10, 1, 2, 3].into(), 0)).build().unwrap();
    assert_eq!(none, Match::builder().ipv4().build().unwrap());
    // 13 of the 16 bits of a VLAN id are all bits.
    let vid = VlanVid::tagged(9);
    let masked = Match::builder().vlan_vid((vid, VlanVid(0x1fff))).build().unwrap();
    assert_eq!(masked, Match::builder().vlan_vid(vid).build().unwrap());
}

#[test]
fn a_missing_prerequisite_is_named() {
    let missing = |builder: MatchBuilder| builder.build().unwrap_err().to_string();
    assert_eq!(
        missing(Match::builder().ipv4_dst([1, 2, 3, 4])),
        "match field ipv4_dst needs eth_type of IPv4"
    );
    assert_eq!(missing(Match::builder().ipv4().tcp_src(1)), "match field tcp_src needs ip_proto of TCP");
    assert_eq!(missing(Match::builder().ipv6().arp_op(1)), "match field arp_op needs eth_type of ARP");
    assert_eq!(
        missing(Match::builder().vlan_vid(VlanVid::NONE).vlan_pcp(1)),
        "match field vlan_pcp needs vlan_vid of a tag"
    );
    let builder = Match::builder().icmpv6().icmpv6_type(136).ipv6_nd_sll(MacAddr([2; 6]));
    assert_eq!(missing(builder), "match field ipv6_nd_sll needs icmpv6_type of 135");
    assert_eq!(missing(Match::builder().in_port(1).in_port(2)), "match field in_port is given twice");
}

#[test]
fn one_that_came_in_another_form_is_equal_and_goes_back_as_it_came() {
    // ip_proto before eth_type, and 10.1.2.3 with a mask of all bits and one of 255.255.0.0.
    let wire = [
        &[0, 1, 0, 39][..],
        &[0x80, 0, 20, 1, 6],
        &[0x80, 0, 10, 2, 8, 0],
        &[0x80, 0, 23, 8, 10, 1, 2, 3, 255, 255, 255, 255],
        &[0x80, 0, 25, 8, 10, 1, 2, 3, 255, 255, 0, 0],
        &[0],
    ]
    .concat();
    let received = decoded(&wire);
    assert_eq!(bytes(&received), wire);
    let built = Match::builder()
        .tcp()
        .ipv4_src([10, 1, 2, 3])
        .ipv4_dst(Masked::ipv4_prefix([10, 1, 0, 0].into(), 16))
        .build()
        .unwrap();
    assert_eq!(received, built);
    assert_eq!(hash(&received), hash(&built));
    assert_eq!(decoded(&bytes(&built)), built);
}

#[test]
fn unknown_fields_survive() {
    let unknown = OxmUnknown::new(0x8000, 99, true, vec![1, 2, 3, 4]).unwrap();
    let matches = Match::builder().in_port(1).field(OxmField::Unknown(unknown.into())).build().unwrap();
    assert_eq!(decoded(&bytes(&matches)), matches);
    assert_eq!(OxmUnknown::new(0x8000, 99, true, vec![0; 256]), None);
}

#[test]
fn a_mask_where_none_can_be_is_kept() {
    // eth_type with a mask.
    let wire = [&[0, 1, 0, 12][..], &[0x80, 0, 11, 4, 8, 0, 255, 0], &[0; 4]].concat();
    let matches = decoded(&wire);
    assert!(matches!(matches.fields().collect::<Vec<_>>()[..], [OxmField::Unknown(_)]), "{matches:?}");
    assert_eq!(bytes(&matches), wire);
}
