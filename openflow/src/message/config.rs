//! What a datapath is and how it is set up: features, configuration, roles, asynchronous messages, tables.

use crate::types::{DatapathId, MaxLen, TableId};
use crate::wire::macros::{wire_code, wire_flags, wire_struct};

wire_flags! {
    /// What a datapath can do (`ofp_capabilities`).
    pub struct Capabilities(u32) {
        /// Counts per flow entry.
        FLOW_STATS = 0x001,
        /// Counts per table.
        TABLE_STATS = 0x002,
        /// Counts per port.
        PORT_STATS = 0x004,
        /// Counts per group.
        GROUP_STATS = 0x008,
        /// Reassembles IP fragments.
        IP_REASM = 0x020,
        /// Counts per queue.
        QUEUE_STATS = 0x040,
        /// Blocks ports that would make a loop.
        PORT_BLOCKED = 0x100,
    }
}

wire_struct! {
    /// What the datapath is (`ofp_switch_features`).
    pub struct Features {
        /// Its name for good.
        datapath_id: DatapathId,
        /// How many packets it can hold for the controller.
        n_buffers: u32,
        /// How many tables it has.
        n_tables: u8,
        /// 0 on the main connection, else the number of this auxiliary one.
        auxiliary_id: u8,
        /// What it can do.
        [pad 2] capabilities: Capabilities,
        /// Reserved.
        reserved: u32,
    }
}

wire_code! {
    /// What to do with IP fragments (`ofp_config_flags`).
    pub struct FragmentHandling(u16) {
        /// Nothing special.
        NORMAL = 0,
        /// Drop them.
        DROP = 1,
        /// Put them together.
        REASM = 2,
    }
}

wire_struct! {
    /// The datapath's configuration (`ofp_switch_config`).
    pub struct SwitchConfig {
        /// What to do with fragments.
        flags: FragmentHandling,
        /// How much of a packet goes to the controller when no action says so.
        miss_send_len: MaxLen,
    }
}

wire_code! {
    /// The part that a controller plays (`ofp_controller_role`).
    pub struct Role(u32) {
        /// Asks, and changes nothing.
        NOCHANGE = 0,
        /// Full access, shared.
        EQUAL = 1,
        /// Full access, alone (`OFPCR_ROLE_MASTER`).
        PRIMARY = 2,
        /// Reads only (`OFPCR_ROLE_SLAVE`).
        SECONDARY = 3,
    }
}

wire_struct! {
    /// A role, asked or given (`ofp_role_request`).
    pub struct RoleConfig {
        /// The role.
        role: Role,
        /// Orders the elections of the primary; an older one is refused.
        [pad 4] generation_id: u64,
    }
}

wire_struct! {
    /// Which asynchronous messages are sent, by reason, a bit each (`ofp_async_config`). First for the equal and
    /// primary role, then for the secondary one.
    pub struct AsyncConfig {
        /// Reasons of packet-ins.
        packet_in_mask: [u32; 2],
        /// Reasons of port-status.
        port_status_mask: [u32; 2],
        /// Reasons of flow-removed.
        flow_removed_mask: [u32; 2],
    }
}

wire_struct! {
    /// Changes a table (`ofp_table_mod`). OpenFlow 1.3 knows nothing to change.
    pub struct TableMod {
        /// Which table.
        table_id: TableId,
        /// Reserved (`OFPTC_DEPRECATED_MASK`).
        [pad 3] config: u32,
    }
}
