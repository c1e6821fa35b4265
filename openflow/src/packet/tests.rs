use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::*;
use smoltcp::wire::{ArpOperation, EthernetAddress, NdiscNeighborFlags, NdiscRepr, RawHardwareAddress};

const A: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const B: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);

#[test]
fn arp_is_answered_with_its_tags() {
    let request = arp_request(A, [10, 0, 0, 1].into(), [10, 0, 0, 2].into());
    let plain = Frame::parse(&request).unwrap();
    let tagged = ethernet(plain.dst, plain.src, &[VlanTag::new(7)], plain.eth_type, plain.payload);
    let frame = Frame::parse(&tagged).unwrap();
    assert_eq!(
        (frame.dst, frame.src, frame.tags[0].vid(), frame.eth_type),
        (MacAddr::BROADCAST, A, 7, EthType::ARP)
    );
    let Ok(Network::Arp(request)) = frame.network() else { panic!("{frame:?}") };
    let reply = arp_reply(&frame, &request, B).unwrap();
    let frame = Frame::parse(&reply).unwrap();
    assert_eq!((frame.dst, frame.src, frame.tags.len()), (A, B, 1));
    let Ok(Network::Arp(ArpRepr::EthernetIpv4 {
        operation, source_hardware_addr, source_protocol_addr, ..
    })) = frame.network()
    else {
        panic!("{frame:?}")
    };
    assert_eq!(operation, ArpOperation::Reply);
    assert_eq!(
        (source_hardware_addr, source_protocol_addr),
        (EthernetAddress(B.0), Ipv4Addr::new(10, 0, 0, 2))
    );
    assert_eq!(arp_reply(&frame, &frame_arp(&frame), A), None);
}

fn frame_arp(frame: &Frame<'_>) -> ArpRepr {
    match frame.network() {
        Ok(Network::Arp(arp)) => arp,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_written_is_read() {
    let (src4, dst4) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2));
    let (src6, dst6): (Ipv6Addr, Ipv6Addr) = ("fe80::1".parse().unwrap(), "fe80::2".parse().unwrap());

    let echo = Icmpv4Repr::EchoRequest { ident: 1, seq_no: 2, data: b"hello" };
    let bytes = icmpv4((B, A, &[], dst4, src4), &echo).unwrap();
    match Frame::parse(&bytes).unwrap().network().unwrap() {
        Network::Ipv4(ip, Transport::Icmpv4(repr)) => assert_eq!((ip.src_addr, repr), (src4, echo)),
        other => panic!("{other:?}"),
    }

    let advert = Icmpv6Repr::Ndisc(NdiscRepr::NeighborAdvert {
        flags: NdiscNeighborFlags::SOLICITED,
        target_addr: src6,
        lladdr: Some(RawHardwareAddress::from_bytes(&A.0)),
    });
    let bytes = icmpv6((B, A, &[], dst6, src6), &advert).unwrap();
    match Frame::parse(&bytes).unwrap().network().unwrap() {
        Network::Ipv6(ip, Transport::Icmpv6(repr)) => assert_eq!((ip.hop_limit, repr), (255, advert)),
        other => panic!("{other:?}"),
    }

    // A DNS question for "a." and no answers.
    let question = [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, b'a', 0, 0, 1, 0, 1];
    let repr = UdpRepr { src_port: 5000, dst_port: 53 };
    for (dst, src) in [(IpAddr::V4(dst4), IpAddr::V4(src4)), (dst6.into(), src6.into())] {
        let bytes = udp((B, A, &[], dst, src), &repr, &question).unwrap();
        match Frame::parse(&bytes).unwrap().network().unwrap() {
            Network::Ipv4(_, Transport::Udp(got, payload))
            | Network::Ipv6(_, Transport::Udp(got, payload)) => {
                assert_eq!((got, payload), (repr, &question[..]));
                assert_eq!(dns(&got, payload).unwrap().question_count(), 1);
                assert!(dhcp(&got, payload).is_none());
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(udp((B, A, &[], dst4.into(), src6.into()), &repr, &question), None);
}

#[test]
fn lldp() {
    let lldp = Lldp::new("0000000000000001", "3", 120);
    let bytes = ethernet(MacAddr([1, 0x80, 0xc2, 0, 0, 0xe]), A, &[], EthType::LLDP, &lldp.to_bytes());
    match Frame::parse(&bytes).unwrap().network().unwrap() {
        Network::Lldp(got) => {
            assert_eq!(got, lldp);
            assert_eq!((got.value(2), got.value(3)), (Some(&b"\x073"[..]), Some(&[0, 120][..])));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn no_bytes_panic() {
    let packet = icmpv4(
        (B, A, &[VlanTag::new(1)], Ipv4Addr::LOCALHOST, Ipv4Addr::LOCALHOST),
        &Icmpv4Repr::EchoRequest { ident: 1, seq_no: 2, data: b"" },
    );
    let packet = packet.unwrap();
    for len in 0..packet.len() {
        for at in 0..len {
            let mut cut = packet[..len].to_vec();
            cut[at] ^= 0xff;
            let _ = Frame::parse(&cut).map(|frame| frame.network().is_ok());
        }
    }
}
