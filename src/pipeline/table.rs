//! The tables, each with what its entries may match and where they may go on.

use flowport_openflow::{OxmId, TableId};

/// A declared table.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    /// Its number.
    pub id: TableId,
    /// Its name.
    pub name: &'static str,
    /// The fields that its entries may match.
    pub matches: &'static [OxmId],
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
    matches: &[OxmId::IN_PORT, OxmId::VLAN_VID, OxmId::TUNNEL_ID],
    goes_to: &[1, 2],
};

/// Is the sender who it says it is?
pub const GUARD: Table = Table {
    id: TableId(1),
    name: "guard",
    matches: &[
        OxmId::METADATA,
        OxmId::IN_PORT,
        OxmId::ETH_SRC,
        OxmId::ETH_TYPE,
        OxmId::ARP_SPA,
        OxmId::ARP_SHA,
        OxmId::IPV4_SRC,
        OxmId::IPV6_SRC,
        OxmId::IP_PROTO,
        OxmId::ICMPV6_TYPE,
        OxmId::IPV6_ND_TARGET,
    ],
    goes_to: &[2],
};

/// Can it be answered here?
pub const RESPOND: Table = Table {
    id: TableId(2),
    name: "respond",
    matches: &[
        OxmId::METADATA,
        OxmId::ETH_DST,
        OxmId::ETH_TYPE,
        OxmId::ARP_OP,
        OxmId::ARP_TPA,
        OxmId::IP_PROTO,
        OxmId::ICMPV6_TYPE,
        OxmId::IPV6_ND_TARGET,
    ],
    goes_to: &[3, 5, 7],
};

/// May it be sent to another endpoint?
pub const POLICY: Table = Table {
    id: TableId(3),
    name: "policy",
    matches: &[
        OxmId::METADATA,
        OxmId::IN_PORT,
        OxmId::ETH_DST,
        OxmId::ETH_TYPE,
        OxmId::IP_PROTO,
        OxmId::TCP_SRC,
        OxmId::TCP_DST,
        OxmId::UDP_SRC,
        OxmId::UDP_DST,
        OxmId::ICMPV6_TYPE,
        OxmId::IP_FRAG,
        OxmId::CT_STATE,
        OxmId::CT_NW_PROTO,
        OxmId::CT_TP_DST,
        OxmId::CT_LABEL,
    ],
    goes_to: &[4],
};

/// Who is it for?
pub const FORWARD: Table =
    Table { id: TableId(4), name: "forward", matches: &[OxmId::METADATA, OxmId::ETH_DST], goes_to: &[5, 6] };

/// Who else might want it?
pub const FLOOD: Table =
    Table { id: TableId(5), name: "flood", matches: &[OxmId::METADATA, OxmId::ETH_DST], goes_to: &[] };

/// May the endpoint have it?
pub const OUTPUT: Table =
    Table { id: TableId(6), name: "output", matches: &[OxmId::METADATA, OxmId::CT_STATE], goes_to: &[] };

/// How does it go back?
pub const RETURN: Table =
    Table { id: TableId(7), name: "return", matches: &[OxmId::IN_PORT, OxmId::METADATA], goes_to: &[] };
