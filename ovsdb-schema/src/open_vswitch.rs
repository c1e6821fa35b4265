//! Tables of database `Open_vSwitch`, schema version 8.3.1.
//!
//! Generated from `schemas/vswitch.ovsschema`. Do not edit.

use std::collections::{BTreeMap, BTreeSet};

use flowport_ovsdb::Ref;

flowport_ovsdb::table! {
    /// Table `Open_vSwitch`.
    pub struct OpenVSwitch: "Open_vSwitch", "Open_vSwitch" {
        /// `bridges`.
        bridges, BRIDGES, "bridges": BTreeSet<Ref<Bridge>>;
        /// `cur_cfg`.
        cur_cfg, CUR_CFG, "cur_cfg": i64;
        /// `datapath_types`.
        datapath_types, DATAPATH_TYPES, "datapath_types": BTreeSet<String>;
        /// `datapaths`.
        datapaths, DATAPATHS, "datapaths": BTreeMap<String, Ref<Datapath>>;
        /// `db_version`.
        db_version, DB_VERSION, "db_version": Option<String>;
        /// `dpdk_initialized`.
        dpdk_initialized, DPDK_INITIALIZED, "dpdk_initialized": bool;
        /// `dpdk_version`.
        dpdk_version, DPDK_VERSION, "dpdk_version": Option<String>;
        /// `external_ids`.
        external_ids, EXTERNAL_IDS, "external_ids": BTreeMap<String, String>;
        /// `iface_types`.
        iface_types, IFACE_TYPES, "iface_types": BTreeSet<String>;
        /// `manager_options`.
        manager_options, MANAGER_OPTIONS, "manager_options": BTreeSet<Ref<Manager>>;
        /// `next_cfg`.
        next_cfg, NEXT_CFG, "next_cfg": i64;
        /// `other_config`.
        other_config, OTHER_CONFIG, "other_config": BTreeMap<String, String>;
        /// `ovs_version`.
        ovs_version, OVS_VERSION, "ovs_version": Option<String>;
        /// `ssl`.
        ssl, SSL, "ssl": Option<Ref<Ssl>>;
        /// `statistics`: not kept over a restart of the server.
        statistics, STATISTICS, "statistics": BTreeMap<String, String>;
        /// `system_type`.
        system_type, SYSTEM_TYPE, "system_type": Option<String>;
        /// `system_version`.
        system_version, SYSTEM_VERSION, "system_version": Option<String>;
    }
}

flowport_ovsdb::table! {
    /// Table `Bridge`. A row goes when nothing refers to it. Unique: `name`.
    pub struct Bridge: "Open_vSwitch", "Bridge" {
        /// `auto_attach`.
        auto_attach, AUTO_ATTACH, "auto_attach": Option<Ref<AutoAttach>>;
        /// `controller`.
        controller, CONTROLLER, "controller": BTreeSet<Ref<Controller>>;
        /// `datapath_id`: not kept over a restart of the server.
        datapath_id, DATAPATH_ID, "datapath_id": Option<String>;
        /// `datapath_type`.
        datapath_type, DATAPATH_TYPE, "datapath_type": String;
        /// `datapath_version`.
        datapath_version, DATAPATH_VERSION, "datapath_version": String;
        /// `external_ids`.
        external_ids, EXTERNAL_IDS, "external_ids": BTreeMap<String, String>;
        /// `fail_mode`.
        fail_mode, FAIL_MODE, "fail_mode": Option<BridgeFailMode>;
        /// `flood_vlans`: 0 to 4095; at most 4096.
        flood_vlans, FLOOD_VLANS, "flood_vlans": BTreeSet<i64>;
        /// `flow_tables`: 0 to 254.
        flow_tables, FLOW_TABLES, "flow_tables": BTreeMap<i64, Ref<FlowTable>>;
        /// `ipfix`.
        ipfix, IPFIX, "ipfix": Option<Ref<Ipfix>>;
        /// `mcast_snooping_enable`.
        mcast_snooping_enable, MCAST_SNOOPING_ENABLE, "mcast_snooping_enable": bool;
        /// `mirrors`.
        mirrors, MIRRORS, "mirrors": BTreeSet<Ref<Mirror>>;
        /// `name`: set once, at insert.
        name, NAME, "name": String;
        /// `netflow`.
        netflow, NETFLOW, "netflow": Option<Ref<NetFlow>>;
        /// `other_config`.
        other_config, OTHER_CONFIG, "other_config": BTreeMap<String, String>;
        /// `ports`.
        ports, PORTS, "ports": BTreeSet<Ref<Port>>;
        /// `protocols`.
        protocols, PROTOCOLS, "protocols": BTreeSet<BridgeProtocols>;
        /// `rstp_enable`.
        rstp_enable, RSTP_ENABLE, "rstp_enable": bool;
        /// `rstp_status`: not kept over a restart of the server.
        rstp_status, RSTP_STATUS, "rstp_status": BTreeMap<String, String>;
        /// `sflow`.
        sflow, SFLOW, "sflow": Option<Ref<SFlow>>;
        /// `status`: not kept over a restart of the server.
        status, STATUS, "status": BTreeMap<String, String>;
        /// `stp_enable`.
        stp_enable, STP_ENABLE, "stp_enable": bool;
    }
    unique ["name"]
}

flowport_ovsdb::table! {
    /// Table `Port`. A row goes when nothing refers to it. Unique: `name`.
    pub struct Port: "Open_vSwitch", "Port" {
        /// `bond_active_slave`.
        bond_active_slave, BOND_ACTIVE_SLAVE, "bond_active_slave": Option<String>;
        /// `bond_downdelay`.
        bond_downdelay, BOND_DOWNDELAY, "bond_downdelay": i64;
        /// `bond_fake_iface`.
        bond_fake_iface, BOND_FAKE_IFACE, "bond_fake_iface": bool;
        /// `bond_mode`.
        bond_mode, BOND_MODE, "bond_mode": Option<PortBondMode>;
        /// `bond_updelay`.
        bond_updelay, BOND_UPDELAY, "bond_updelay": i64;
        /// `cvlans`: 0 to 4095; at most 4096.
        cvlans, CVLANS, "cvlans": BTreeSet<i64>;
        /// `external_ids`.
        external_ids, EXTERNAL_IDS, "external_ids": BTreeMap<String, String>;
        /// `fake_bridge`.
        fake_bridge, FAKE_BRIDGE, "fake_bridge": bool;
        /// `interfaces`: at least one.
        interfaces, INTERFACES, "interfaces": BTreeSet<Ref<Interface>>;
        /// `lacp`.
        lacp, LACP, "lacp": Option<PortLacp>;
        /// `mac`.
        mac, MAC, "mac": Option<String>;
        /// `name`: set once, at insert.
        name, NAME, "name": String;
        /// `other_config`.
        other_config, OTHER_CONFIG, "other_config": BTreeMap<String, String>;
        /// `protected`.
        protected, PROTECTED, "protected": bool;
        /// `qos`.
        qos, QOS, "qos": Option<Ref<QoS>>;
        /// `rstp_statistics`: not kept over a restart of the server.
        rstp_statistics, RSTP_STATISTICS, "rstp_statistics": BTreeMap<String, i64>;
        /// `rstp_status`: not kept over a restart of the server.
        rstp_status, RSTP_STATUS, "rstp_status": BTreeMap<String, String>;
        /// `statistics`: not kept over a restart of the server.
        statistics, STATISTICS, "statistics": BTreeMap<String, i64>;
        /// `status`: not kept over a restart of the server.
        status, STATUS, "status": BTreeMap<String, String>;
        /// `tag`: 0 to 4095.
        tag, TAG, "tag": Option<i64>;
        /// `trunks`: 0 to 4095; at most 4096.
        trunks, TRUNKS, "trunks": BTreeSet<i64>;
        /// `vlan_mode`.
        vlan_mode, VLAN_MODE, "vlan_mode": Option<PortVlanMode>;
    }
    unique ["name"]
}

flowport_ovsdb::table! {
    /// Table `Interface`. A row goes when nothing refers to it. Unique: `name`.
    pub struct Interface: "Open_vSwitch", "Interface" {
        /// `admin_state`: not kept over a restart of the server.
        admin_state, ADMIN_STATE, "admin_state": Option<InterfaceAdminState>;
        /// `bfd`.
        bfd, BFD, "bfd": BTreeMap<String, String>;
        /// `bfd_status`: not kept over a restart of the server.
        bfd_status, BFD_STATUS, "bfd_status": BTreeMap<String, String>;
        /// `cfm_fault`: not kept over a restart of the server.
        cfm_fault, CFM_FAULT, "cfm_fault": Option<bool>;
        /// `cfm_fault_status`: not kept over a restart of the server.
        cfm_fault_status, CFM_FAULT_STATUS, "cfm_fault_status": BTreeSet<String>;
        /// `cfm_flap_count`.
        cfm_flap_count, CFM_FLAP_COUNT, "cfm_flap_count": Option<i64>;
        /// `cfm_health`: 0 to 100; not kept over a restart of the server.
        cfm_health, CFM_HEALTH, "cfm_health": Option<i64>;
        /// `cfm_mpid`.
        cfm_mpid, CFM_MPID, "cfm_mpid": Option<i64>;
        /// `cfm_remote_mpids`: not kept over a restart of the server.
        cfm_remote_mpids, CFM_REMOTE_MPIDS, "cfm_remote_mpids": BTreeSet<i64>;
        /// `cfm_remote_opstate`: not kept over a restart of the server.
        cfm_remote_opstate, CFM_REMOTE_OPSTATE, "cfm_remote_opstate": Option<InterfaceCfmRemoteOpstate>;
        /// `duplex`: not kept over a restart of the server.
        duplex, DUPLEX, "duplex": Option<InterfaceDuplex>;
        /// `error`.
        error, ERROR, "error": Option<String>;
        /// `external_ids`.
        external_ids, EXTERNAL_IDS, "external_ids": BTreeMap<String, String>;
        /// `ifindex`: 0 to 4294967295; not kept over a restart of the server.
        ifindex, IFINDEX, "ifindex": Option<i64>;
        /// `ingress_policing_burst`: 0 or more.
        ingress_policing_burst, INGRESS_POLICING_BURST, "ingress_policing_burst": i64;
        /// `ingress_policing_kpkts_burst`: 0 or more.
        ingress_policing_kpkts_burst, INGRESS_POLICING_KPKTS_BURST, "ingress_policing_kpkts_burst": i64;
        /// `ingress_policing_kpkts_rate`: 0 or more.
        ingress_policing_kpkts_rate, INGRESS_POLICING_KPKTS_RATE, "ingress_policing_kpkts_rate": i64;
        /// `ingress_policing_rate`: 0 or more.
        ingress_policing_rate, INGRESS_POLICING_RATE, "ingress_policing_rate": i64;
        /// `lacp_current`: not kept over a restart of the server.
        lacp_current, LACP_CURRENT, "lacp_current": Option<bool>;
        /// `link_resets`: not kept over a restart of the server.
        link_resets, LINK_RESETS, "link_resets": Option<i64>;
        /// `link_speed`: not kept over a restart of the server.
        link_speed, LINK_SPEED, "link_speed": Option<i64>;
        /// `link_state`: not kept over a restart of the server.
        link_state, LINK_STATE, "link_state": Option<InterfaceLinkState>;
        /// `lldp`.
        lldp, LLDP, "lldp": BTreeMap<String, String>;
        /// `mac`.
        mac, MAC, "mac": Option<String>;
        /// `mac_in_use`: not kept over a restart of the server.
        mac_in_use, MAC_IN_USE, "mac_in_use": Option<String>;
        /// `mtu`: not kept over a restart of the server.
        mtu, MTU, "mtu": Option<i64>;
        /// `mtu_request`: 1 or more.
        mtu_request, MTU_REQUEST, "mtu_request": Option<i64>;
        /// `name`: set once, at insert.
        name, NAME, "name": String;
        /// `ofport`.
        ofport, OFPORT, "ofport": Option<i64>;
        /// `ofport_request`: 1 to 65279.
        ofport_request, OFPORT_REQUEST, "ofport_request": Option<i64>;
        /// `options`.
        options, OPTIONS, "options": BTreeMap<String, String>;
        /// `other_config`.
        other_config, OTHER_CONFIG, "other_config": BTreeMap<String, String>;
        /// `statistics`: not kept over a restart of the server.
        statistics, STATISTICS, "statistics": BTreeMap<String, i64>;
        /// `status`: not kept over a restart of the server.
        status, STATUS, "status": BTreeMap<String, String>;
        /// `type`.
        type_, TYPE, "type": String;
    }
    unique ["name"]
}

flowport_ovsdb::table! {
    /// Table `Flow_Table`. A row goes when nothing refers to it.
    pub struct FlowTable: "Open_vSwitch", "Flow_Table" {
        /// `external_ids`.
        external_ids, EXTERNAL_IDS, "external_ids": BTreeMap<String, String>;
        /// `flow_limit`: 0 or more.
        flow_limit, FLOW_LIMIT, "flow_limit": Option<i64>;
        /// `groups`.
        groups, GROUPS, "groups": BTreeSet<String>;
        /// `name`.
        name, NAME, "name": Option<String>;
        /// `overflow_policy`.
        overflow_policy, OVERFLOW_POLICY, "overflow_policy": Option<FlowTableOverflowPolicy>;
        /// `prefixes`: at most 3.
        prefixes, PREFIXES, "prefixes": BTreeSet<String>;
    }
}

flowport_ovsdb::table! {
    /// Table `QoS`.
    pub struct QoS: "Open_vSwitch", "QoS" {
        /// `external_ids`.
        external_ids, EXTERNAL_IDS, "external_ids": BTreeMap<String, String>;
        /// `other_config`.
        other_config, OTHER_CONFIG, "other_config": BTreeMap<String, String>;
        /// `queues`: 0 to 4294967295.
        queues, QUEUES, "queues": BTreeMap<i64, Ref<Queue>>;
        /// `type`.
        type_, TYPE, "type": String;
    }
}

flowport_ovsdb::table! {
    /// Table `Queue`.
    pub struct Queue: "Open_vSwitch", "Queue" {
        /// `dscp`: 0 to 63.
        dscp, DSCP, "dscp": Option<i64>;
        /// `external_ids`.
        external_ids, EXTERNAL_IDS, "external_ids": BTreeMap<String, String>;
        /// `other_config`.
        other_config, OTHER_CONFIG, "other_config": BTreeMap<String, String>;
    }
}

flowport_ovsdb::table! {
    /// Table `Mirror`. A row goes when nothing refers to it.
    pub struct Mirror: "Open_vSwitch", "Mirror" {
        /// `external_ids`.
        external_ids, EXTERNAL_IDS, "external_ids": BTreeMap<String, String>;
        /// `name`.
        name, NAME, "name": String;
        /// `output_port`: weak.
        output_port, OUTPUT_PORT, "output_port": Option<Ref<Port>>;
        /// `output_vlan`: 1 to 4095.
        output_vlan, OUTPUT_VLAN, "output_vlan": Option<i64>;
        /// `select_all`.
        select_all, SELECT_ALL, "select_all": bool;
        /// `select_dst_port`: weak.
        select_dst_port, SELECT_DST_PORT, "select_dst_port": BTreeSet<Ref<Port>>;
        /// `select_src_port`: weak.
        select_src_port, SELECT_SRC_PORT, "select_src_port": BTreeSet<Ref<Port>>;
        /// `select_vlan`: 0 to 4095; at most 4096.
        select_vlan, SELECT_VLAN, "select_vlan": BTreeSet<i64>;
        /// `snaplen`: 14 to 65535.
        snaplen, SNAPLEN, "snaplen": Option<i64>;
        /// `statistics`: not kept over a restart of the server.
        statistics, STATISTICS, "statistics": BTreeMap<String, i64>;
    }
}

flowport_ovsdb::table! {
    /// Table `NetFlow`. A row goes when nothing refers to it.
    pub struct NetFlow: "Open_vSwitch", "NetFlow" {
        /// `active_timeout`: -1 or more.
        active_timeout, ACTIVE_TIMEOUT, "active_timeout": i64;
        /// `add_id_to_interface`.
        add_id_to_interface, ADD_ID_TO_INTERFACE, "add_id_to_interface": bool;
        /// `engine_id`: 0 to 255.
        engine_id, ENGINE_ID, "engine_id": Option<i64>;
        /// `engine_type`: 0 to 255.
        engine_type, ENGINE_TYPE, "engine_type": Option<i64>;
        /// `external_ids`.
        external_ids, EXTERNAL_IDS, "external_ids": BTreeMap<String, String>;
        /// `targets`: at least one.
        targets, TARGETS, "targets": BTreeSet<String>;
    }
}

flowport_ovsdb::table! {
    /// Table `sFlow`. A row goes when nothing refers to it.
    pub struct SFlow: "Open_vSwitch", "sFlow" {
        /// `agent`.
        agent, AGENT, "agent": Option<String>;
        /// `external_ids`.
        external_ids, EXTERNAL_IDS, "external_ids": BTreeMap<String, String>;
        /// `header`.
        header, HEADER, "header": Option<i64>;
        /// `polling`.
        polling, POLLING, "polling": Option<i64>;
        /// `sampling`.
        sampling, SAMPLING, "sampling": Option<i64>;
        /// `targets`: at least one.
        targets, TARGETS, "targets": BTreeSet<String>;
    }
}

flowport_ovsdb::table! {
    /// Table `IPFIX`. A row goes when nothing refers to it.
    pub struct Ipfix: "Open_vSwitch", "IPFIX" {
        /// `cache_active_timeout`: 0 to 4200.
        cache_active_timeout, CACHE_ACTIVE_TIMEOUT, "cache_active_timeout": Option<i64>;
        /// `cache_max_flows`: 0 to 4294967295.
        cache_max_flows, CACHE_MAX_FLOWS, "cache_max_flows": Option<i64>;
        /// `external_ids`.
        external_ids, EXTERNAL_IDS, "external_ids": BTreeMap<String, String>;
        /// `obs_domain_id`: 0 to 4294967295.
        obs_domain_id, OBS_DOMAIN_ID, "obs_domain_id": Option<i64>;
        /// `obs_point_id`: 0 to 4294967295.
        obs_point_id, OBS_POINT_ID, "obs_point_id": Option<i64>;
        /// `other_config`.
        other_config, OTHER_CONFIG, "other_config": BTreeMap<String, String>;
        /// `sampling`: 1 to 4294967295.
        sampling, SAMPLING, "sampling": Option<i64>;
        /// `targets`.
        targets, TARGETS, "targets": BTreeSet<String>;
    }
}

flowport_ovsdb::table! {
    /// Table `Flow_Sample_Collector_Set`. Unique: `id`, `bridge`.
    pub struct FlowSampleCollectorSet: "Open_vSwitch", "Flow_Sample_Collector_Set" {
        /// `bridge`.
        bridge, BRIDGE, "bridge": Ref<Bridge>;
        /// `external_ids`.
        external_ids, EXTERNAL_IDS, "external_ids": BTreeMap<String, String>;
        /// `id`: 0 to 4294967295.
        id, ID, "id": i64;
        /// `ipfix`.
        ipfix, IPFIX, "ipfix": Option<Ref<Ipfix>>;
    }
    unique ["id", "bridge"]
}

flowport_ovsdb::table! {
    /// Table `Controller`. A row goes when nothing refers to it.
    pub struct Controller: "Open_vSwitch", "Controller" {
        /// `connection_mode`.
        connection_mode, CONNECTION_MODE, "connection_mode": Option<ControllerConnectionMode>;
        /// `controller_burst_limit`: 25 or more.
        controller_burst_limit, CONTROLLER_BURST_LIMIT, "controller_burst_limit": Option<i64>;
        /// `controller_queue_size`: 1 to 512.
        controller_queue_size, CONTROLLER_QUEUE_SIZE, "controller_queue_size": Option<i64>;
        /// `controller_rate_limit`: 100 or more.
        controller_rate_limit, CONTROLLER_RATE_LIMIT, "controller_rate_limit": Option<i64>;
        /// `enable_async_messages`.
        enable_async_messages, ENABLE_ASYNC_MESSAGES, "enable_async_messages": Option<bool>;
        /// `external_ids`.
        external_ids, EXTERNAL_IDS, "external_ids": BTreeMap<String, String>;
        /// `inactivity_probe`.
        inactivity_probe, INACTIVITY_PROBE, "inactivity_probe": Option<i64>;
        /// `is_connected`: not kept over a restart of the server.
        is_connected, IS_CONNECTED, "is_connected": bool;
        /// `local_gateway`.
        local_gateway, LOCAL_GATEWAY, "local_gateway": Option<String>;
        /// `local_ip`.
        local_ip, LOCAL_IP, "local_ip": Option<String>;
        /// `local_netmask`.
        local_netmask, LOCAL_NETMASK, "local_netmask": Option<String>;
        /// `max_backoff`: 1000 or more.
        max_backoff, MAX_BACKOFF, "max_backoff": Option<i64>;
        /// `other_config`.
        other_config, OTHER_CONFIG, "other_config": BTreeMap<String, String>;
        /// `role`: not kept over a restart of the server.
        role, ROLE, "role": Option<ControllerRole>;
        /// `status`: not kept over a restart of the server.
        status, STATUS, "status": BTreeMap<String, String>;
        /// `target`.
        target, TARGET, "target": String;
        /// `type`.
        type_, TYPE, "type": Option<ControllerType>;
    }
}

flowport_ovsdb::table! {
    /// Table `Manager`. A row goes when nothing refers to it. Unique: `target`.
    pub struct Manager: "Open_vSwitch", "Manager" {
        /// `connection_mode`.
        connection_mode, CONNECTION_MODE, "connection_mode": Option<ManagerConnectionMode>;
        /// `external_ids`.
        external_ids, EXTERNAL_IDS, "external_ids": BTreeMap<String, String>;
        /// `inactivity_probe`.
        inactivity_probe, INACTIVITY_PROBE, "inactivity_probe": Option<i64>;
        /// `is_connected`: not kept over a restart of the server.
        is_connected, IS_CONNECTED, "is_connected": bool;
        /// `max_backoff`: 1000 or more.
        max_backoff, MAX_BACKOFF, "max_backoff": Option<i64>;
        /// `other_config`.
        other_config, OTHER_CONFIG, "other_config": BTreeMap<String, String>;
        /// `status`: not kept over a restart of the server.
        status, STATUS, "status": BTreeMap<String, String>;
        /// `target`.
        target, TARGET, "target": String;
    }
    unique ["target"]
}

flowport_ovsdb::table! {
    /// Table `Datapath`. A row goes when nothing refers to it.
    pub struct Datapath: "Open_vSwitch", "Datapath" {
        /// `capabilities`.
        capabilities, CAPABILITIES, "capabilities": BTreeMap<String, String>;
        /// `ct_zones`: 0 to 65535.
        ct_zones, CT_ZONES, "ct_zones": BTreeMap<i64, Ref<CtZone>>;
        /// `datapath_version`.
        datapath_version, DATAPATH_VERSION, "datapath_version": String;
        /// `external_ids`.
        external_ids, EXTERNAL_IDS, "external_ids": BTreeMap<String, String>;
    }
}

flowport_ovsdb::table! {
    /// Table `CT_Zone`. A row goes when nothing refers to it.
    pub struct CtZone: "Open_vSwitch", "CT_Zone" {
        /// `external_ids`.
        external_ids, EXTERNAL_IDS, "external_ids": BTreeMap<String, String>;
        /// `timeout_policy`.
        timeout_policy, TIMEOUT_POLICY, "timeout_policy": Option<Ref<CtTimeoutPolicy>>;
    }
}

flowport_ovsdb::table! {
    /// Table `CT_Timeout_Policy`. A row goes when nothing refers to it.
    pub struct CtTimeoutPolicy: "Open_vSwitch", "CT_Timeout_Policy" {
        /// `external_ids`.
        external_ids, EXTERNAL_IDS, "external_ids": BTreeMap<String, String>;
        /// `timeouts`: values 0 to 4294967295.
        timeouts, TIMEOUTS, "timeouts": BTreeMap<CtTimeoutPolicyTimeouts, i64>;
    }
}

flowport_ovsdb::table! {
    /// Table `SSL`. A row goes when nothing refers to it.
    pub struct Ssl: "Open_vSwitch", "SSL" {
        /// `bootstrap_ca_cert`.
        bootstrap_ca_cert, BOOTSTRAP_CA_CERT, "bootstrap_ca_cert": bool;
        /// `ca_cert`.
        ca_cert, CA_CERT, "ca_cert": String;
        /// `certificate`.
        certificate, CERTIFICATE, "certificate": String;
        /// `external_ids`.
        external_ids, EXTERNAL_IDS, "external_ids": BTreeMap<String, String>;
        /// `private_key`.
        private_key, PRIVATE_KEY, "private_key": String;
    }
}

flowport_ovsdb::table! {
    /// Table `AutoAttach`. A row goes when nothing refers to it.
    pub struct AutoAttach: "Open_vSwitch", "AutoAttach" {
        /// `mappings`: 0 to 16777215; values 0 to 4095.
        mappings, MAPPINGS, "mappings": BTreeMap<i64, i64>;
        /// `system_description`.
        system_description, SYSTEM_DESCRIPTION, "system_description": String;
        /// `system_name`.
        system_name, SYSTEM_NAME, "system_name": String;
    }
}

flowport_ovsdb::enumeration! {
    /// Values of `fail_mode` of [`Bridge`].
    pub enum BridgeFailMode {
        Standalone = "standalone",
        Secure = "secure",
    }
}

flowport_ovsdb::enumeration! {
    /// Values of `protocols` of [`Bridge`].
    pub enum BridgeProtocols {
        OpenFlow10 = "OpenFlow10",
        OpenFlow11 = "OpenFlow11",
        OpenFlow12 = "OpenFlow12",
        OpenFlow13 = "OpenFlow13",
        OpenFlow14 = "OpenFlow14",
        OpenFlow15 = "OpenFlow15",
    }
}

flowport_ovsdb::enumeration! {
    /// Values of `bond_mode` of [`Port`].
    pub enum PortBondMode {
        BalanceTcp = "balance-tcp",
        BalanceSlb = "balance-slb",
        ActiveBackup = "active-backup",
    }
}

flowport_ovsdb::enumeration! {
    /// Values of `lacp` of [`Port`].
    pub enum PortLacp {
        Active = "active",
        Passive = "passive",
        Off = "off",
    }
}

flowport_ovsdb::enumeration! {
    /// Values of `vlan_mode` of [`Port`].
    pub enum PortVlanMode {
        Trunk = "trunk",
        Access = "access",
        NativeTagged = "native-tagged",
        NativeUntagged = "native-untagged",
        Dot1qTunnel = "dot1q-tunnel",
    }
}

flowport_ovsdb::enumeration! {
    /// Values of `admin_state` of [`Interface`].
    pub enum InterfaceAdminState {
        Up = "up",
        Down = "down",
    }
}

flowport_ovsdb::enumeration! {
    /// Values of `cfm_remote_opstate` of [`Interface`].
    pub enum InterfaceCfmRemoteOpstate {
        Up = "up",
        Down = "down",
    }
}

flowport_ovsdb::enumeration! {
    /// Values of `duplex` of [`Interface`].
    pub enum InterfaceDuplex {
        Half = "half",
        Full = "full",
    }
}

flowport_ovsdb::enumeration! {
    /// Values of `link_state` of [`Interface`].
    pub enum InterfaceLinkState {
        Up = "up",
        Down = "down",
    }
}

flowport_ovsdb::enumeration! {
    /// Values of `overflow_policy` of [`FlowTable`].
    pub enum FlowTableOverflowPolicy {
        Refuse = "refuse",
        Evict = "evict",
    }
}

flowport_ovsdb::enumeration! {
    /// Values of `connection_mode` of [`Controller`].
    pub enum ControllerConnectionMode {
        InBand = "in-band",
        OutOfBand = "out-of-band",
    }
}

flowport_ovsdb::enumeration! {
    /// Values of `role` of [`Controller`].
    pub enum ControllerRole {
        Other = "other",
        Master = "master",
        Slave = "slave",
    }
}

flowport_ovsdb::enumeration! {
    /// Values of `type` of [`Controller`].
    pub enum ControllerType {
        Primary = "primary",
        Service = "service",
    }
}

flowport_ovsdb::enumeration! {
    /// Values of `connection_mode` of [`Manager`].
    pub enum ManagerConnectionMode {
        InBand = "in-band",
        OutOfBand = "out-of-band",
    }
}

flowport_ovsdb::enumeration! {
    /// Values of `timeouts` of [`CtTimeoutPolicy`].
    pub enum CtTimeoutPolicyTimeouts {
        TcpSynSent = "tcp_syn_sent",
        TcpSynRecv = "tcp_syn_recv",
        TcpEstablished = "tcp_established",
        TcpFinWait = "tcp_fin_wait",
        TcpCloseWait = "tcp_close_wait",
        TcpLastAck = "tcp_last_ack",
        TcpTimeWait = "tcp_time_wait",
        TcpClose = "tcp_close",
        TcpSynSent2 = "tcp_syn_sent2",
        TcpRetransmit = "tcp_retransmit",
        TcpUnack = "tcp_unack",
        UdpFirst = "udp_first",
        UdpSingle = "udp_single",
        UdpMultiple = "udp_multiple",
        IcmpFirst = "icmp_first",
        IcmpReply = "icmp_reply",
    }
}
