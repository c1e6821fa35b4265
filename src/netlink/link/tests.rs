use super::*;

fn message(family: u8, attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![family, 0, 1, 0];
    bytes.extend(7_u32.to_ne_bytes());
    bytes.extend((IFF_UP | IFF_LOWER_UP).to_ne_bytes());
    bytes.extend([0; 4]);
    for (kind, value) in attributes {
        bytes.extend(u16::try_from(4 + value.len()).unwrap().to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(*value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes
}

#[test]
fn a_veth_is_read_with_its_peer_and_mark() {
    let bytes = message(
        0,
        &[
            (IFLA_LINK_NETNSID, &3_i32.to_ne_bytes()),
            (IFLA_IFNAME, b"fp0\0"),
            (IFLA_IFALIAS, b"flowport\0"),
            (IFLA_MTU, &1450_u32.to_ne_bytes()),
            (IFLA_ADDRESS, &[2, 0, 0, 0, 0, 9]),
            (IFLA_LINK, &2_u32.to_ne_bytes()),
            (IFLA_LINKINFO | netlink_packet_core::NLA_F_NESTED, b"\x09\0\x01\0veth\0\0\0\0"),
            // Of AF_INET6: IFLA_INET6_FLAGS, IFLA_INET6_ADDR_GEN_MODE.
            (IFLA_AF_SPEC, b"\x11\0\x0a\0\x08\0\x01\0\0\0\0\0\x05\0\x08\0\x01"),
        ],
    );
    let expected = Link {
        index: 7,
        name: "fp0".into(),
        alias: Some("flowport".into()),
        mac: Some([2, 0, 0, 0, 0, 9]),
        mtu: 1450,
        up: true,
        carrier: true,
        kind: Some("veth".into()),
        peer: Some(Peer { index: 2, netns_id: Some(3) }),
        master: None,
        group: 0,
        addr_gen_mode: Some(1),
    };
    assert_eq!(Link::parse(&bytes), Some(expected));
}

#[test]
fn unknown_attributes_do_not_hide_a_link() {
    let bytes = message(0, &[(999, &[1, 2, 3]), (IFLA_IFNAME, b"eth0\0"), (IFLA_ADDRESS, &[])]);
    let link = Link::parse(&bytes).unwrap();
    assert_eq!((link.name.as_str(), link.mac), ("eth0", None));
}

#[test]
fn a_bridge_ports_message_is_no_link() {
    // AF_BRIDGE: RTM_DELLINK of that family means that the link left a bridge, not that it is gone.
    assert_eq!(Link::parse(&message(7, &[(IFLA_IFNAME, b"eth0\0")])), None);
    assert_eq!(Link::parse(&[0; 15]), None);
}
