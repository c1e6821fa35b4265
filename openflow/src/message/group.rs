//! Groups: several ways for a packet.

use crate::action::Action;
use crate::types::{GroupId, PortNo};
use crate::wire::macros::{wire_code, wire_flags, wire_struct};

wire_code! {
    /// What to do (`ofp_group_mod_command`).
    pub struct GroupModCommand(u16) {
        /// Add a group that is not there.
        ADD = 0,
        /// Replace the type and buckets of one that is.
        MODIFY = 1,
        /// Delete it, or with [`GroupId::ALL`] all, and the flow entries that use it.
        DELETE = 2,
        /// Add or replace (Open vSwitch).
        ADD_OR_MODIFY = 0x8000,
    }
}

wire_code! {
    /// Which buckets are carried out (`ofp_group_type`).
    pub struct GroupType(u8) {
        /// All of them.
        ALL = 0,
        /// One, chosen by weight.
        SELECT = 1,
        /// The only one.
        INDIRECT = 2,
        /// The first that is alive.
        FF = 3,
    }
}

wire_struct! {
    /// One way (`ofp_bucket`).
    pub struct Bucket: sized {
        /// Its share, in select groups.
        weight: u16,
        /// It is alive while this port is, in fast-failover groups.
        watch_port: PortNo,
        /// It is alive while this group is, in fast-failover groups.
        watch_group: GroupId,
        /// What to do with a copy of the packet.
        [pad 4] actions: Vec<Action>,
    }
}

impl Bucket {
    /// A bucket for groups of type all or indirect.
    pub fn new(actions: impl IntoIterator<Item = Action>) -> Self {
        let actions = actions.into_iter().collect();
        Self { weight: 0, watch_port: PortNo::ANY, watch_group: GroupId::ANY, actions }
    }

    /// Its share, for select groups.
    #[must_use]
    pub fn weight(mut self, weight: u16) -> Self {
        self.weight = weight;
        self
    }

    /// The port on whose life it depends, for fast-failover groups.
    #[must_use]
    pub fn watch_port(mut self, port: impl Into<PortNo>) -> Self {
        self.watch_port = port.into();
        self
    }
}

wire_struct! {
    /// Changes a group (`ofp_group_mod`).
    pub struct GroupMod {
        /// What to do.
        command: GroupModCommand,
        /// Which buckets are carried out.
        group_type: GroupType,
        /// Which group.
        [pad 1] group_id: GroupId,
        /// The ways.
        buckets: Vec<Bucket>,
    }
}

impl GroupMod {
    /// Adds a group.
    pub fn add(id: impl Into<GroupId>, ty: GroupType, buckets: impl IntoIterator<Item = Bucket>) -> Self {
        Self::new(GroupModCommand::ADD, id.into(), ty, buckets)
    }

    /// Replaces the type and buckets of a group.
    pub fn modify(id: impl Into<GroupId>, ty: GroupType, buckets: impl IntoIterator<Item = Bucket>) -> Self {
        Self::new(GroupModCommand::MODIFY, id.into(), ty, buckets)
    }

    /// Deletes a group, and the flow entries that use it.
    pub fn delete(id: impl Into<GroupId>) -> Self {
        Self::new(GroupModCommand::DELETE, id.into(), GroupType::ALL, [])
    }

    fn new(
        command: GroupModCommand,
        group_id: GroupId,
        group_type: GroupType,
        buckets: impl IntoIterator<Item = Bucket>,
    ) -> Self {
        Self { command, group_type, group_id, buckets: buckets.into_iter().collect() }
    }
}

wire_struct! {
    /// A group as the datapath has it (`ofp_group_desc`).
    pub struct GroupDesc: sized {
        /// Which buckets are carried out.
        group_type: GroupType,
        /// Which group.
        [pad 1] group_id: GroupId,
        /// The ways.
        buckets: Vec<Bucket>,
    }
}

wire_struct! {
    /// Which group to count (`ofp_group_stats_request`).
    pub struct GroupStatsRequest {
        /// The group, or [`GroupId::ALL`].
        group_id: GroupId,
        ; pad 4
    }
}

wire_struct! {
    /// Counters of a bucket (`ofp_bucket_counter`).
    pub struct BucketCounter {
        /// Packets.
        packet_count: u64,
        /// Bytes.
        byte_count: u64,
    }
}

wire_struct! {
    /// Counters of a group (`ofp_group_stats`).
    pub struct GroupStats: sized {
        /// Which group.
        [pad 2] group_id: GroupId,
        /// How many flow entries and groups use it.
        ref_count: u32,
        /// Packets.
        [pad 4] packet_count: u64,
        /// Bytes.
        byte_count: u64,
        /// Its age, whole seconds.
        duration_sec: u32,
        /// Its age, nanoseconds beyond.
        duration_nsec: u32,
        /// Bucket by bucket.
        bucket_stats: Vec<BucketCounter>,
    }
}

wire_flags! {
    /// What groups can do (`ofp_group_capabilities`).
    pub struct GroupCapabilities(u32) {
        /// Weights in select groups.
        SELECT_WEIGHT = 1,
        /// Liveness in select groups.
        SELECT_LIVENESS = 2,
        /// Groups of groups.
        CHAINING = 4,
        /// Loops are found.
        CHAINING_CHECKS = 8,
    }
}

wire_struct! {
    /// What the datapath's groups can do (`ofp_group_features`). The arrays are by type: all, select, indirect, ff.
    pub struct GroupFeatures {
        /// Bit n: groups of type n.
        types: u32,
        /// What they can do.
        capabilities: GroupCapabilities,
        /// How many of each type.
        max_groups: [u32; 4],
        /// Bit n: actions of type n.
        actions: [u32; 4],
    }
}
