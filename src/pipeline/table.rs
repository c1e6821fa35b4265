//! The tables, each with what its entries may match and where they may go on.

use flowport_openflow::TableId;

/// A declared table.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    /// Its number.
    pub id: TableId,
    /// Its name.
    pub name: &'static str,
    /// The fields that its entries may match, in the spelling of OpenFlow 1.3.5 table 12.
    pub matches: &'static [&'static str],
    /// The tables that its entries may go on to.
    pub goes_to: &'static [u8],
}

impl Table {
    /// The declared table of this number.
    pub fn numbered(id: TableId) -> Option<&'static Self> {
        const TABLES: [&Table; 8] =
            [&CLASSIFY, &GUARD, &RESPOND, &POLICY, &FORWARD, &FLOOD, &OUTPUT, &RETURN];
        TABLES.into_iter().find(|table| table.id == id)
    }
}

/// To which network, and to which endpoint, does the packet belong?
pub const CLASSIFY: Table = Table {
    id: TableId(0),
    name: "classify",
    matches: &["in_port", "vlan_vid", "tunnel_id"],
    goes_to: &[1, 2],
};

/// Is the sender who it says it is?
pub const GUARD: Table = Table {
    id: TableId(1),
    name: "guard",
    matches: &[
        "metadata",
        "in_port",
        "eth_src",
        "eth_type",
        "arp_spa",
        "arp_sha",
        "ipv4_src",
        "ipv6_src",
        "ip_proto",
        "icmpv6_type",
        "ipv6_nd_target",
    ],
    goes_to: &[2],
};

/// Can it be answered here?
pub const RESPOND: Table = Table {
    id: TableId(2),
    name: "respond",
    matches: &[
        "metadata",
        "eth_dst",
        "eth_type",
        "arp_op",
        "arp_tpa",
        "ip_proto",
        "icmpv6_type",
        "ipv6_nd_target",
    ],
    goes_to: &[3, 5, 7],
};

/// May it be sent to another endpoint?
pub const POLICY: Table = Table {
    id: TableId(3),
    name: "policy",
    matches: &[
        "metadata",
        "in_port",
        "eth_dst",
        "eth_type",
        "ip_proto",
        "tcp_src",
        "tcp_dst",
        "udp_src",
        "udp_dst",
        "icmpv6_type",
        "ip_frag",
        "ct_state",
        "ct_nw_proto",
        "ct_tp_dst",
        "ct_label",
    ],
    goes_to: &[4],
};

/// Who is it for?
pub const FORWARD: Table =
    Table { id: TableId(4), name: "forward", matches: &["metadata", "eth_dst"], goes_to: &[5, 6] };

/// Who else might want it?
pub const FLOOD: Table =
    Table { id: TableId(5), name: "flood", matches: &["metadata", "eth_dst"], goes_to: &[] };

/// May the endpoint have it?
pub const OUTPUT: Table =
    Table { id: TableId(6), name: "output", matches: &["metadata", "ct_state"], goes_to: &[] };

/// How does it go back?
pub const RETURN: Table =
    Table { id: TableId(7), name: "return", matches: &["in_port", "metadata"], goes_to: &[] };
