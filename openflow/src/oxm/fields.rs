//! The match fields: one row a field.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::table::oxm_fields;
use super::{
    CtState, IpFrag, OxmHeader, OxmId, OxmUnknown, TcpFlags, TunFlags, TunMetadata, VlanTci, tun_metadata,
};
use crate::types::{Bits128, EthType, FlowLabel, IpProto, Ipv6ExtHdr, MacAddr, PacketType, PortNo, VlanVid};

oxm_fields! {
    /// A match field (`ofp_match` and OXM TLVs): all 40 of `OFPXMC_OPENFLOW_BASIC`, and those of Open vSwitch.
    pub enum OxmField {
        0x8000 0 {
            /// Port of entry (`OFPXMT_OFB_IN_PORT`).
            0 => InPort in_port IN_PORT (PortNo, exact, disp) "in_port" [0x8000 0 "OXM_OF_IN_PORT"],
            /// Physical port of entry; needs `in_port` (`OFPXMT_OFB_IN_PHY_PORT`).
            1 => InPhyPort in_phy_port IN_PHY_PORT (PortNo, exact, disp) "in_phy_port" [0x8000 1 "OXM_OF_IN_PHY_PORT"],
            /// What tables pass to one another (`OFPXMT_OFB_METADATA`).
            2 => Metadata metadata METADATA (u64, maskable, hex) "metadata" [0x8000 2 "OXM_OF_METADATA"],
            /// Destination address (`OFPXMT_OFB_ETH_DST`).
            3 => EthDst eth_dst ETH_DST (MacAddr, maskable, mac) "eth_dst" [0x0000 1 "NXM_OF_ETH_DST"],
            /// Source address (`OFPXMT_OFB_ETH_SRC`).
            4 => EthSrc eth_src ETH_SRC (MacAddr, maskable, mac) "eth_src" [0x0000 2 "NXM_OF_ETH_SRC"],
            /// Type of the payload after VLAN tags (`OFPXMT_OFB_ETH_TYPE`).
            5 => EthType eth_type ETH_TYPE (EthType, exact, hex) "eth_type" [0x0000 3 "NXM_OF_ETH_TYPE"],
            /// VLAN id and whether there is a tag (`OFPXMT_OFB_VLAN_VID`).
            6 => VlanVid vlan_vid VLAN_VID (VlanVid, maskable, dec) "vlan_vid" [0x8000 6 "OXM_OF_VLAN_VID"],
            /// VLAN priority; needs a tag (`OFPXMT_OFB_VLAN_PCP`).
            7 => VlanPcp vlan_pcp VLAN_PCP (u8, plain, dec) "vlan_pcp" [0x8000 7 "OXM_OF_VLAN_PCP"],
            /// DSCP, 6 bits; needs IP (`OFPXMT_OFB_IP_DSCP`).
            8 => IpDscp ip_dscp IP_DSCP (u8, plain, dec) "ip_dscp" [0x8000 8 "OXM_OF_IP_DSCP"],
            /// ECN, 2 bits; needs IP (`OFPXMT_OFB_IP_ECN`).
            9 => IpEcn ip_ecn IP_ECN (u8, plain, dec) "nw_ecn" [0x0001 28 "NXM_NX_IP_ECN"],
            /// Payload of the IP packet; needs IP (`OFPXMT_OFB_IP_PROTO`).
            10 => IpProto ip_proto IP_PROTO (IpProto, exact, dec) "nw_proto" [0x0000 6 "NXM_OF_IP_PROTO"],
            /// IPv4 source; needs IPv4 (`OFPXMT_OFB_IPV4_SRC`).
            11 => Ipv4Src ipv4_src IPV4_SRC (Ipv4Addr, maskable, ip) "ip_src" [0x0000 7 "NXM_OF_IP_SRC"],
            /// IPv4 destination; needs IPv4 (`OFPXMT_OFB_IPV4_DST`).
            12 => Ipv4Dst ipv4_dst IPV4_DST (Ipv4Addr, maskable, ip) "ip_dst" [0x0000 8 "NXM_OF_IP_DST"],
            /// TCP source port; needs TCP. Masks: Open vSwitch (`OFPXMT_OFB_TCP_SRC`).
            13 => TcpSrc tcp_src TCP_SRC (u16, maskable, dec) "tcp_src" [0x0000 9 "NXM_OF_TCP_SRC"],
            /// TCP destination port; needs TCP. Masks: Open vSwitch (`OFPXMT_OFB_TCP_DST`).
            14 => TcpDst tcp_dst TCP_DST (u16, maskable, dec) "tcp_dst" [0x0000 10 "NXM_OF_TCP_DST"],
            /// UDP source port; needs UDP. Masks: Open vSwitch (`OFPXMT_OFB_UDP_SRC`).
            15 => UdpSrc udp_src UDP_SRC (u16, maskable, dec) "udp_src" [0x0000 11 "NXM_OF_UDP_SRC"],
            /// UDP destination port; needs UDP. Masks: Open vSwitch (`OFPXMT_OFB_UDP_DST`).
            16 => UdpDst udp_dst UDP_DST (u16, maskable, dec) "udp_dst" [0x0000 12 "NXM_OF_UDP_DST"],
            /// SCTP source port; needs SCTP. Masks: Open vSwitch (`OFPXMT_OFB_SCTP_SRC`).
            17 => SctpSrc sctp_src SCTP_SRC (u16, maskable, dec) "sctp_src" [0x8000 17 "OXM_OF_SCTP_SRC"],
            /// SCTP destination port; needs SCTP. Masks: Open vSwitch (`OFPXMT_OFB_SCTP_DST`).
            18 => SctpDst sctp_dst SCTP_DST (u16, maskable, dec) "sctp_dst" [0x8000 18 "OXM_OF_SCTP_DST"],
            /// ICMP type; needs ICMP (`OFPXMT_OFB_ICMPV4_TYPE`).
            19 => Icmpv4Type icmpv4_type ICMPV4_TYPE (u8, plain, dec) "icmp_type" [0x0000 13 "NXM_OF_ICMP_TYPE"],
            /// ICMP code; needs ICMP (`OFPXMT_OFB_ICMPV4_CODE`).
            20 => Icmpv4Code icmpv4_code ICMPV4_CODE (u8, plain, dec) "icmp_code" [0x0000 14 "NXM_OF_ICMP_CODE"],
            /// ARP operation; needs ARP (`OFPXMT_OFB_ARP_OP`).
            21 => ArpOp arp_op ARP_OP (u16, plain, dec) "arp_op" [0x0000 15 "NXM_OF_ARP_OP"],
            /// ARP sender address; needs ARP (`OFPXMT_OFB_ARP_SPA`).
            22 => ArpSpa arp_spa ARP_SPA (Ipv4Addr, maskable, ip) "arp_spa" [0x0000 16 "NXM_OF_ARP_SPA"],
            /// ARP target address; needs ARP (`OFPXMT_OFB_ARP_TPA`).
            23 => ArpTpa arp_tpa ARP_TPA (Ipv4Addr, maskable, ip) "arp_tpa" [0x0000 17 "NXM_OF_ARP_TPA"],
            /// ARP sender hardware address; needs ARP (`OFPXMT_OFB_ARP_SHA`).
            24 => ArpSha arp_sha ARP_SHA (MacAddr, maskable, mac) "arp_sha" [0x0001 17 "NXM_NX_ARP_SHA"],
            /// ARP target hardware address; needs ARP (`OFPXMT_OFB_ARP_THA`).
            25 => ArpTha arp_tha ARP_THA (MacAddr, maskable, mac) "arp_tha" [0x0001 18 "NXM_NX_ARP_THA"],
            /// IPv6 source; needs IPv6 (`OFPXMT_OFB_IPV6_SRC`).
            26 => Ipv6Src ipv6_src IPV6_SRC (Ipv6Addr, maskable, ip) "ipv6_src" [0x0001 19 "NXM_NX_IPV6_SRC"],
            /// IPv6 destination; needs IPv6 (`OFPXMT_OFB_IPV6_DST`).
            27 => Ipv6Dst ipv6_dst IPV6_DST (Ipv6Addr, maskable, ip) "ipv6_dst" [0x0001 20 "NXM_NX_IPV6_DST"],
            /// IPv6 flow label; needs IPv6 (`OFPXMT_OFB_IPV6_FLABEL`).
            28 => Ipv6Flabel ipv6_flabel IPV6_FLABEL (FlowLabel, maskable, hex) "ipv6_label" [0x0001 27 "NXM_NX_IPV6_LABEL"],
            /// ICMPv6 type; needs ICMPv6 (`OFPXMT_OFB_ICMPV6_TYPE`).
            29 => Icmpv6Type icmpv6_type ICMPV6_TYPE (u8, plain, dec) "icmpv6_type" [0x0001 21 "NXM_NX_ICMPV6_TYPE"],
            /// ICMPv6 code; needs ICMPv6 (`OFPXMT_OFB_ICMPV6_CODE`).
            30 => Icmpv6Code icmpv6_code ICMPV6_CODE (u8, plain, dec) "icmpv6_code" [0x0001 22 "NXM_NX_ICMPV6_CODE"],
            /// Target of neighbour discovery; needs type 135 or 136. Masks: Open vSwitch (`OFPXMT_OFB_IPV6_ND_TARGET`).
            31 => Ipv6NdTarget ipv6_nd_target IPV6_ND_TARGET (Ipv6Addr, maskable, ip) "nd_target" [0x0001 23 "NXM_NX_ND_TARGET"],
            /// Source address of a solicitation; needs type 135. Masks: Open vSwitch (`OFPXMT_OFB_IPV6_ND_SLL`).
            32 => Ipv6NdSll ipv6_nd_sll IPV6_ND_SLL (MacAddr, maskable, mac) "nd_sll" [0x0001 24 "NXM_NX_ND_SLL"],
            /// Target address of an advertisement; needs type 136. Masks: Open vSwitch (`OFPXMT_OFB_IPV6_ND_TLL`).
            33 => Ipv6NdTll ipv6_nd_tll IPV6_ND_TLL (MacAddr, maskable, mac) "nd_tll" [0x0001 25 "NXM_NX_ND_TLL"],
            /// MPLS label, 20 bits; needs MPLS (`OFPXMT_OFB_MPLS_LABEL`).
            34 => MplsLabel mpls_label MPLS_LABEL (u32, plain, dec) "mpls_label" [0x8000 34 "OXM_OF_MPLS_LABEL"],
            /// MPLS traffic class, 3 bits; needs MPLS (`OFPXMT_OFB_MPLS_TC`).
            35 => MplsTc mpls_tc MPLS_TC (u8, plain, dec) "mpls_tc" [0x8000 35 "OXM_OF_MPLS_TC"],
            /// MPLS bottom of stack, 1 bit; needs MPLS (`OFPXMT_OFB_MPLS_BOS`).
            36 => MplsBos mpls_bos MPLS_BOS (u8, plain, dec) "mpls_bos" [0x8000 36 "OXM_OF_MPLS_BOS"],
            /// PBB service instance; needs PBB (`OFPXMT_OFB_PBB_ISID`).
            37 => PbbIsid pbb_isid PBB_ISID ([u8; 3], maskable, hex) "pbb_isid" [0x8000 37 "OXM_OF_PBB_ISID"],
            /// Tunnel key (`OFPXMT_OFB_TUNNEL_ID`).
            38 => TunnelId tunnel_id TUNNEL_ID (u64, maskable, hex) "tun_id" [0x0001 16 "NXM_NX_TUN_ID"],
            /// IPv6 extension headers; needs IPv6 (`OFPXMT_OFB_IPV6_EXTHDR`).
            39 => Ipv6Exthdr ipv6_exthdr IPV6_EXTHDR (Ipv6ExtHdr, maskable, hex) "ipv6_exthdr" [0x8000 39 "OXM_OF_IPV6_EXTHDR"],
            /// What the packet begins with (`OXM_OF_PACKET_TYPE`, extension 112).
            44 => PacketType packet_type PACKET_TYPE (PacketType, exact, packet_type) "packet_type" [0x8000 44 "OXM_OF_PACKET_TYPE"],
        }
        0x8001 0 {
            /// Registers 0 and 1 as one (`OXM_OF_PKT_REG0`).
            0 => Xreg0 xreg0 XREG0 (u64, maskable, hex) "xreg0" [0x8001 0 "OXM_OF_PKT_REG0"],
            /// Registers 2 and 3 as one (`OXM_OF_PKT_REG1`).
            1 => Xreg1 xreg1 XREG1 (u64, maskable, hex) "xreg1" [0x8001 1 "OXM_OF_PKT_REG1"],
            /// Registers 4 and 5 as one (`OXM_OF_PKT_REG2`).
            2 => Xreg2 xreg2 XREG2 (u64, maskable, hex) "xreg2" [0x8001 2 "OXM_OF_PKT_REG2"],
            /// Registers 6 and 7 as one (`OXM_OF_PKT_REG3`).
            3 => Xreg3 xreg3 XREG3 (u64, maskable, hex) "xreg3" [0x8001 3 "OXM_OF_PKT_REG3"],
            /// Registers 8 and 9 as one (`OXM_OF_PKT_REG4`).
            4 => Xreg4 xreg4 XREG4 (u64, maskable, hex) "xreg4" [0x8001 4 "OXM_OF_PKT_REG4"],
            /// Registers 10 and 11 as one (`OXM_OF_PKT_REG5`).
            5 => Xreg5 xreg5 XREG5 (u64, maskable, hex) "xreg5" [0x8001 5 "OXM_OF_PKT_REG5"],
            /// Registers 12 and 13 as one (`OXM_OF_PKT_REG6`).
            6 => Xreg6 xreg6 XREG6 (u64, maskable, hex) "xreg6" [0x8001 6 "OXM_OF_PKT_REG6"],
            /// Registers 14 and 15 as one (`OXM_OF_PKT_REG7`).
            7 => Xreg7 xreg7 XREG7 (u64, maskable, hex) "xreg7" [0x8001 7 "OXM_OF_PKT_REG7"],
        }
        0x0000 0 {
            /// Port of entry in 16 bits, for register moves (`NXM_OF_IN_PORT`).
            0 => NxmInPort nxm_in_port NXM_IN_PORT (u16, plain, dec) "nxm_in_port" [0x0000 0 "NXM_OF_IN_PORT"],
            /// The VLAN tag as a whole (`NXM_OF_VLAN_TCI`).
            4 => VlanTci vlan_tci VLAN_TCI (VlanTci, maskable, hex) "vlan_tci" [0x0000 4 "NXM_OF_VLAN_TCI"],
            /// The TOS byte without ECN (`NXM_OF_IP_TOS`).
            5 => NxmIpTos nw_tos NW_TOS (u8, plain, dec) "nw_tos" [0x0000 5 "NXM_OF_IP_TOS"],
        }
        0x0001 0 {
            /// Register 0 (`NXM_NX_REG0`).
            0 => Reg0 reg0 REG0 (u32, maskable, hex) "reg0" [0x0001 0 "NXM_NX_REG0"],
            /// Register 1 (`NXM_NX_REG1`).
            1 => Reg1 reg1 REG1 (u32, maskable, hex) "reg1" [0x0001 1 "NXM_NX_REG1"],
            /// Register 2 (`NXM_NX_REG2`).
            2 => Reg2 reg2 REG2 (u32, maskable, hex) "reg2" [0x0001 2 "NXM_NX_REG2"],
            /// Register 3 (`NXM_NX_REG3`).
            3 => Reg3 reg3 REG3 (u32, maskable, hex) "reg3" [0x0001 3 "NXM_NX_REG3"],
            /// Register 4 (`NXM_NX_REG4`).
            4 => Reg4 reg4 REG4 (u32, maskable, hex) "reg4" [0x0001 4 "NXM_NX_REG4"],
            /// Register 5 (`NXM_NX_REG5`).
            5 => Reg5 reg5 REG5 (u32, maskable, hex) "reg5" [0x0001 5 "NXM_NX_REG5"],
            /// Register 6 (`NXM_NX_REG6`).
            6 => Reg6 reg6 REG6 (u32, maskable, hex) "reg6" [0x0001 6 "NXM_NX_REG6"],
            /// Register 7 (`NXM_NX_REG7`).
            7 => Reg7 reg7 REG7 (u32, maskable, hex) "reg7" [0x0001 7 "NXM_NX_REG7"],
            /// Register 8 (`NXM_NX_REG8`).
            8 => Reg8 reg8 REG8 (u32, maskable, hex) "reg8" [0x0001 8 "NXM_NX_REG8"],
            /// Register 9 (`NXM_NX_REG9`).
            9 => Reg9 reg9 REG9 (u32, maskable, hex) "reg9" [0x0001 9 "NXM_NX_REG9"],
            /// Register 10 (`NXM_NX_REG10`).
            10 => Reg10 reg10 REG10 (u32, maskable, hex) "reg10" [0x0001 10 "NXM_NX_REG10"],
            /// Register 11 (`NXM_NX_REG11`).
            11 => Reg11 reg11 REG11 (u32, maskable, hex) "reg11" [0x0001 11 "NXM_NX_REG11"],
            /// Register 12 (`NXM_NX_REG12`).
            12 => Reg12 reg12 REG12 (u32, maskable, hex) "reg12" [0x0001 12 "NXM_NX_REG12"],
            /// Register 13 (`NXM_NX_REG13`).
            13 => Reg13 reg13 REG13 (u32, maskable, hex) "reg13" [0x0001 13 "NXM_NX_REG13"],
            /// Register 14 (`NXM_NX_REG14`).
            14 => Reg14 reg14 REG14 (u32, maskable, hex) "reg14" [0x0001 14 "NXM_NX_REG14"],
            /// Register 15 (`NXM_NX_REG15`).
            15 => Reg15 reg15 REG15 (u32, maskable, hex) "reg15" [0x0001 15 "NXM_NX_REG15"],
            /// Whether the packet is a fragment; needs IP (`NXM_NX_IP_FRAG`).
            26 => IpFrag ip_frag IP_FRAG (IpFrag, maskable, frag) "ip_frag" [0x0001 26 "NXM_NX_IP_FRAG"],
            /// TTL or hop limit; needs IP (`NXM_NX_IP_TTL`).
            29 => IpTtl nw_ttl NW_TTL (u8, plain, dec) "nw_ttl" [0x0001 29 "NXM_NX_IP_TTL"],
            /// MPLS TTL; needs MPLS (`NXM_NX_MPLS_TTL`).
            30 => MplsTtl mpls_ttl MPLS_TTL (u8, plain, dec) "mpls_ttl" [0x0001 30 "NXM_NX_MPLS_TTL"],
            /// IPv4 source of the tunnel (`NXM_NX_TUN_IPV4_SRC`).
            31 => TunSrc tun_src TUN_SRC (Ipv4Addr, maskable, ip) "tun_src" [0x0001 31 "NXM_NX_TUN_IPV4_SRC"],
            /// IPv4 destination of the tunnel (`NXM_NX_TUN_IPV4_DST`).
            32 => TunDst tun_dst TUN_DST (Ipv4Addr, maskable, ip) "tun_dst" [0x0001 32 "NXM_NX_TUN_IPV4_DST"],
            /// The mark of the kernel (`NXM_NX_PKT_MARK`).
            33 => PktMark pkt_mark PKT_MARK (u32, maskable, hex) "pkt_mark" [0x0001 33 "NXM_NX_PKT_MARK"],
            /// Hash of the datapath (`NXM_NX_DP_HASH`).
            35 => DpHash dp_hash DP_HASH (u32, maskable, hex) "dp_hash" [0x0001 35 "NXM_NX_DP_HASH"],
            /// Recirculation (`NXM_NX_RECIRC_ID`).
            36 => RecircId recirc_id RECIRC_ID (u32, plain, dec) "recirc_id" [0x0001 36 "NXM_NX_RECIRC_ID"],
            /// The conjunction that was found (`NXM_NX_CONJ_ID`).
            37 => ConjId conj_id CONJ_ID (u32, plain, dec) "conj_id" [0x0001 37 "NXM_NX_CONJ_ID"],
            /// VXLAN group policy id (`NXM_NX_TUN_GBP_ID`).
            38 => TunGbpId tun_gbp_id TUN_GBP_ID (u16, maskable, dec) "tun_gbp_id" [0x0001 38 "NXM_NX_TUN_GBP_ID"],
            /// VXLAN group policy flags (`NXM_NX_TUN_GBP_FLAGS`).
            39 => TunGbpFlags tun_gbp_flags TUN_GBP_FLAGS (u8, maskable, hex) "tun_gbp_flags" [0x0001 39 "NXM_NX_TUN_GBP_FLAGS"],
            /// Tunnel flags (`NXM_NX_TUN_FLAGS`).
            104 => TunFlags tun_flags TUN_FLAGS (TunFlags, maskable, tun_flags) "tun_flags" [0x0001 104 "NXM_NX_TUN_FLAGS"],
            /// Connection state (`NXM_NX_CT_STATE`).
            105 => CtState ct_state CT_STATE (CtState, maskable, ct_state) "ct_state" [0x0001 105 "NXM_NX_CT_STATE"],
            /// Connection zone (`NXM_NX_CT_ZONE`).
            106 => CtZone ct_zone CT_ZONE (u16, plain, hex) "ct_zone" [0x0001 106 "NXM_NX_CT_ZONE"],
            /// Connection mark (`NXM_NX_CT_MARK`).
            107 => CtMark ct_mark CT_MARK (u32, maskable, hex) "ct_mark" [0x0001 107 "NXM_NX_CT_MARK"],
            /// Connection label (`NXM_NX_CT_LABEL`).
            108 => CtLabel ct_label CT_LABEL (Bits128, maskable, hex) "ct_label" [0x0001 108 "NXM_NX_CT_LABEL"],
            /// IPv6 source of the tunnel (`NXM_NX_TUN_IPV6_SRC`).
            109 => TunIpv6Src tun_ipv6_src TUN_IPV6_SRC (Ipv6Addr, maskable, ip) "tun_ipv6_src" [0x0001 109 "NXM_NX_TUN_IPV6_SRC"],
            /// IPv6 destination of the tunnel (`NXM_NX_TUN_IPV6_DST`).
            110 => TunIpv6Dst tun_ipv6_dst TUN_IPV6_DST (Ipv6Addr, maskable, ip) "tun_ipv6_dst" [0x0001 110 "NXM_NX_TUN_IPV6_DST"],
            /// Registers 0 to 3 as one (`NXM_NX_XXREG0`).
            111 => Xxreg0 xxreg0 XXREG0 (Bits128, maskable, hex) "xxreg0" [0x0001 111 "NXM_NX_XXREG0"],
            /// Registers 4 to 7 as one (`NXM_NX_XXREG1`).
            112 => Xxreg1 xxreg1 XXREG1 (Bits128, maskable, hex) "xxreg1" [0x0001 112 "NXM_NX_XXREG1"],
            /// Registers 8 to 11 as one (`NXM_NX_XXREG2`).
            113 => Xxreg2 xxreg2 XXREG2 (Bits128, maskable, hex) "xxreg2" [0x0001 113 "NXM_NX_XXREG2"],
            /// Registers 12 to 15 as one (`NXM_NX_XXREG3`).
            114 => Xxreg3 xxreg3 XXREG3 (Bits128, maskable, hex) "xxreg3" [0x0001 114 "NXM_NX_XXREG3"],
            /// IP protocol of the connection (`NXM_NX_CT_NW_PROTO`).
            119 => CtNwProto ct_nw_proto CT_NW_PROTO (u8, plain, dec) "ct_nw_proto" [0x0001 119 "NXM_NX_CT_NW_PROTO"],
            /// IPv4 source of the connection (`NXM_NX_CT_NW_SRC`).
            120 => CtNwSrc ct_nw_src CT_NW_SRC (Ipv4Addr, maskable, ip) "ct_nw_src" [0x0001 120 "NXM_NX_CT_NW_SRC"],
            /// IPv4 destination of the connection (`NXM_NX_CT_NW_DST`).
            121 => CtNwDst ct_nw_dst CT_NW_DST (Ipv4Addr, maskable, ip) "ct_nw_dst" [0x0001 121 "NXM_NX_CT_NW_DST"],
            /// IPv6 source of the connection (`NXM_NX_CT_IPV6_SRC`).
            122 => CtIpv6Src ct_ipv6_src CT_IPV6_SRC (Ipv6Addr, maskable, ip) "ct_ipv6_src" [0x0001 122 "NXM_NX_CT_IPV6_SRC"],
            /// IPv6 destination of the connection (`NXM_NX_CT_IPV6_DST`).
            123 => CtIpv6Dst ct_ipv6_dst CT_IPV6_DST (Ipv6Addr, maskable, ip) "ct_ipv6_dst" [0x0001 123 "NXM_NX_CT_IPV6_DST"],
            /// Source port of the connection (`NXM_NX_CT_TP_SRC`).
            124 => CtTpSrc ct_tp_src CT_TP_SRC (u16, maskable, dec) "ct_tp_src" [0x0001 124 "NXM_NX_CT_TP_SRC"],
            /// Destination port of the connection (`NXM_NX_CT_TP_DST`).
            125 => CtTpDst ct_tp_dst CT_TP_DST (u16, maskable, dec) "ct_tp_dst" [0x0001 125 "NXM_NX_CT_TP_DST"],
        }
        0xffff 0x4f4e_4600 {
            /// TCP flags; needs TCP (`ONFOXM_ET_TCP_FLAGS`).
            42 => TcpFlags tcp_flags TCP_FLAGS (TcpFlags, maskable, tcp_flags) "tcp_flags" [0x0001 34 "NXM_NX_TCP_FLAGS"],
            /// Where the action set sends the packet (`ONFOXM_ET_ACTSET_OUTPUT`).
            43 => ActsetOutput actset_output ACTSET_OUTPUT (PortNo, exact, disp) "actset_output" [0xffff 43 "ONFOXM_ET_ACTSET_OUTPUT"],
        }
        0xffff 0x0000_2320 {
            /// ERSPAN session index of version 1 (`NXOXM_ET_ERSPAN_IDX`).
            11 => TunErspanIdx tun_erspan_idx TUN_ERSPAN_IDX (u32, maskable, hex) "tun_erspan_idx" [0xffff 11 "NXOXM_ET_ERSPAN_IDX"],
            /// ERSPAN version (`NXOXM_ET_ERSPAN_VER`).
            12 => TunErspanVer tun_erspan_ver TUN_ERSPAN_VER (u8, maskable, dec) "tun_erspan_ver" [0xffff 12 "NXOXM_ET_ERSPAN_VER"],
            /// ERSPAN direction of version 2 (`NXOXM_ET_ERSPAN_DIR`).
            13 => TunErspanDir tun_erspan_dir TUN_ERSPAN_DIR (u8, maskable, dec) "tun_erspan_dir" [0xffff 13 "NXOXM_ET_ERSPAN_DIR"],
            /// ERSPAN hardware id of version 2 (`NXOXM_ET_ERSPAN_HWID`).
            14 => TunErspanHwid tun_erspan_hwid TUN_ERSPAN_HWID (u8, maskable, hex) "tun_erspan_hwid" [0xffff 14 "NXOXM_ET_ERSPAN_HWID"],
            /// GTP-U flags (`NXOXM_ET_GTPU_FLAGS`).
            15 => TunGtpuFlags tun_gtpu_flags TUN_GTPU_FLAGS (u8, maskable, hex) "tun_gtpu_flags" [0xffff 15 "NXOXM_ET_GTPU_FLAGS"],
            /// GTP-U message type (`NXOXM_ET_GTPU_MSGTYPE`).
            16 => TunGtpuMsgtype tun_gtpu_msgtype TUN_GTPU_MSGTYPE (u8, maskable, dec) "tun_gtpu_msgtype" [0xffff 16 "NXOXM_ET_GTPU_MSGTYPE"],
        }
        0xffff 0x005a_d650 {
            /// NSH flags; needs NSH (`NXOXM_NSH_FLAGS`).
            1 => NshFlags nsh_flags NSH_FLAGS (u8, maskable, dec) "nsh_flags" [0xffff 1 "NXOXM_NSH_FLAGS"],
            /// NSH metadata type; needs NSH (`NXOXM_NSH_MDTYPE`).
            2 => NshMdtype nsh_mdtype NSH_MDTYPE (u8, plain, dec) "nsh_mdtype" [0xffff 2 "NXOXM_NSH_MDTYPE"],
            /// NSH next protocol; needs NSH (`NXOXM_NSH_NP`).
            3 => NshNp nsh_np NSH_NP (u8, plain, dec) "nsh_np" [0xffff 3 "NXOXM_NSH_NP"],
            /// NSH service path, 24 bits; needs NSH (`NXOXM_NSH_SPI`).
            4 => NshSpi nsh_spi NSH_SPI (u32, plain, hex) "nsh_spi" [0xffff 4 "NXOXM_NSH_SPI"],
            /// NSH service index; needs NSH (`NXOXM_NSH_SI`).
            5 => NshSi nsh_si NSH_SI (u8, plain, dec) "nsh_si" [0xffff 5 "NXOXM_NSH_SI"],
            /// NSH context header 1; needs NSH (`NXOXM_NSH_C1`).
            6 => NshC1 nsh_c1 NSH_C1 (u32, maskable, hex) "nsh_c1" [0xffff 6 "NXOXM_NSH_C1"],
            /// NSH context header 2; needs NSH (`NXOXM_NSH_C2`).
            7 => NshC2 nsh_c2 NSH_C2 (u32, maskable, hex) "nsh_c2" [0xffff 7 "NXOXM_NSH_C2"],
            /// NSH context header 3; needs NSH (`NXOXM_NSH_C3`).
            8 => NshC3 nsh_c3 NSH_C3 (u32, maskable, hex) "nsh_c3" [0xffff 8 "NXOXM_NSH_C3"],
            /// NSH context header 4; needs NSH (`NXOXM_NSH_C4`).
            9 => NshC4 nsh_c4 NSH_C4 (u32, maskable, hex) "nsh_c4" [0xffff 9 "NXOXM_NSH_C4"],
            /// NSH TTL; needs NSH (`NXOXM_NSH_TTL`).
            10 => NshTtl nsh_ttl NSH_TTL (u8, plain, dec) "nsh_ttl" [0xffff 10 "NXOXM_NSH_TTL"],
        }
    }
}
