//! Transactions of bridges and tunnels, and waiting until ovs-vswitchd has taken them up.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use flowport_ovsdb::{Ref, Replica, Transaction, Uuid, Where};
use flowport_ovsdb_schema::open_vswitch::{
    Bridge, BridgeFailMode, BridgeProtocols, Interface, OpenVSwitch, Port,
};

use crate::model::{BridgeSpec, LinkName, Rule, Tunnel, Vlan};

use super::{Database, LOCK, TransactionFailed, marks};

const SECURE: &str = "secure";
const OPENFLOW_13: &str = "OpenFlow13";

/// What became of a row that ovs-vswitchd was to take up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TakenUp {
    /// It works.
    Yes,
    /// ovs-vswitchd has seen it and could not, for this reason if it gave one.
    Failed(Option<String>),
    /// ovs-vswitchd has not seen it yet.
    Late,
}

/// Who forwarded on a bridge before it was adopted.
#[derive(Clone, Debug, Default)]
pub struct Forwarding {
    fail_mode: Option<BridgeFailMode>,
    mark: Option<String>,
}

impl Database {
    /// Whether there is a bridge of this name.
    pub fn has_bridge(&self, name: &LinkName) -> bool {
        self.find_bridge(name).is_some()
    }

    /// Whether there is a port of this name, on any bridge.
    pub fn has_port(&self, name: &str) -> bool {
        self.client.replica().by(Port::NAME, name).next().is_some()
    }

    /// Inserts a bridge with its local port and uplink; returns the configuration's number (`next_cfg`).
    pub async fn add_bridge(&self, spec: &BridgeSpec) -> Result<i64, TransactionFailed> {
        let mut transaction = self.transaction();
        let mut ports =
            BTreeSet::from([insert_port(&mut transaction, spec.name.as_str(), "internal", [], [])]);
        ports.extend(spec.uplink.iter().map(|uplink| {
            insert_port(
                &mut transaction,
                uplink.as_str(),
                "",
                [],
                [(marks::UPLINK.to_owned(), "true".to_owned())],
            )
        }));
        let bridge = transaction.insert(&Bridge {
            name: spec.name.to_string(),
            datapath_type: spec.datapath.to_string(),
            fail_mode: spec.managed.then(|| BridgeFailMode::from(SECURE)),
            ports,
            external_ids: marks::of_bridge(spec),
            ..Bridge::default()
        });
        transaction.mutate(Where::<OpenVSwitch>::all(), [OpenVSwitch::BRIDGES.insert([bridge])]);
        self.commit_revision(transaction).await
    }

    /// Takes a bridge out of the database, its ports with it; that it is not there is no error.
    pub async fn del_bridge(&self, name: &LinkName) -> Result<i64, TransactionFailed> {
        let mut transaction = self.transaction();
        if let Some(row) = self.find_bridge(name) {
            let bridge: Ref<Bridge> = row.into();
            transaction.mutate(Where::<OpenVSwitch>::all(), [OpenVSwitch::BRIDGES.remove([bridge])]);
        }
        self.commit_revision(transaction).await
    }

    /// Marks a bridge as managed: no flow entries but those it is given, OpenFlow 1.3 among what it speaks. Returns the
    /// configuration's number, and the way back. A server that dies meanwhile is waited for until the deadline: whoever
    /// adopts has to know whether it happened.
    pub async fn adopt_bridge(
        &self,
        row: Uuid,
        deadline: Instant,
    ) -> Result<(i64, Forwarding), TransactionFailed> {
        let mut transaction = self.transaction();
        let before = self.client.replica().row::<Bridge>(row).map(|found| Forwarding {
            fail_mode: found.fail_mode.clone(),
            mark: found.external_ids.get(marks::BRIDGE).cloned(),
        });
        secure(&mut transaction, &self.client.replica(), row);
        let bridge = Where::<Bridge>::row(row);
        transaction.mutate(bridge, [Bridge::EXTERNAL_IDS.put([(marks::BRIDGE, marks::MANAGED)])]);
        let revision = match self.commit_revision(transaction).await {
            Err(failed) if failed.may_be_made => {
                self.connected(deadline).await?;
                let bridges = self.rows().bridges;
                if !bridges.values().any(|bridge| bridge.row == row && bridge.managed) {
                    return Err(failed);
                }
                self.commit_revision(Transaction::new()).await?
            }
            committed => committed?,
        };
        Ok((revision, before.unwrap_or_default()))
    }

    /// Has a bridge forward as it did before it was adopted.
    /// Returns the configuration's number.
    pub async fn give_bridge_back(&self, row: Uuid, before: Forwarding) -> Result<i64, TransactionFailed> {
        let mut transaction = self.transaction();
        let bridge = || Where::<Bridge>::row(row);
        transaction.update(bridge(), [Bridge::FAIL_MODE.set(before.fail_mode)]);
        transaction.mutate(bridge(), [Bridge::EXTERNAL_IDS.remove([marks::BRIDGE])]);
        if let Some(mark) = before.mark {
            transaction.mutate(bridge(), [Bridge::EXTERNAL_IDS.insert([(marks::BRIDGE, mark)])]);
        }
        self.commit_revision(transaction).await
    }

    /// Keeps the containers of a network apart, or no more.
    pub async fn set_isolated(&self, row: Uuid, vlan: Vlan, isolated: bool) -> Result<(), TransactionFailed> {
        self.mark_bridge(row, marks::isolated(vlan), isolated).await
    }

    /// Adds a rule, or takes it away.
    pub async fn set_rule(&self, row: Uuid, rule: &Rule, allowed: bool) -> Result<(), TransactionFailed> {
        self.mark_bridge(row, marks::allow(rule), allowed).await
    }

    async fn mark_bridge(&self, row: Uuid, mark: String, there: bool) -> Result<(), TransactionFailed> {
        let mut transaction = self.transaction();
        let bridge = Where::<Bridge>::row(row);
        if there {
            transaction.mutate(bridge, [Bridge::EXTERNAL_IDS.put([(mark, "true".to_owned())])]);
        } else {
            transaction.mutate(bridge, [Bridge::EXTERNAL_IDS.remove([mark])]);
        }
        self.commit(transaction).await.map(drop)
    }

    /// Inserts a tunnel port.
    pub async fn add_tunnel(&self, bridge: Uuid, tunnel: &Tunnel) -> Result<i64, TransactionFailed> {
        let mut transaction = self.transaction();
        let port = insert_port(
            &mut transaction,
            tunnel.name.as_str(),
            &tunnel.kind.to_string(),
            tunnel.options(),
            [],
        );
        transaction.mutate(Where::<Bridge>::row(bridge), [Bridge::PORTS.insert([port])]);
        self.commit_revision(transaction).await
    }

    /// Takes a port that is no container's out of its bridge; that it is not there is no error.
    pub async fn del_port(&self, bridge: Uuid, name: &str) -> Result<(), TransactionFailed> {
        let mut transaction = self.transaction();
        if let Some((row, _)) = self.client.replica().by(Port::NAME, name).next() {
            let port: Ref<Port> = row.into();
            transaction.mutate(Where::<Bridge>::row(bridge), [Bridge::PORTS.remove([port])]);
        }
        self.commit(transaction).await.map(drop)
    }

    /// Waits until ovs-vswitchd has applied the configuration with this number, and says what became of `interface`.
    pub async fn taken_up(&self, interface: Option<&str>, revision: i64, deadline: Instant) -> TakenUp {
        let applied =
            |replica: &Replica| replica.rows::<OpenVSwitch>().any(|(_, row)| row.cur_cfg >= revision);
        // That the deadline passed is seen in the replica.
        let _ = self.client.wait_for(applied, deadline).await;
        let replica = self.client.replica();
        if !applied(&replica) {
            return TakenUp::Late;
        }
        let Some(name) = interface else { return TakenUp::Yes };
        match replica.by(Interface::NAME, name).next() {
            Some((_, row)) if row.ofport.is_some_and(|ofport| ofport > 0) => TakenUp::Yes,
            Some((_, row)) => TakenUp::Failed(row.error.clone()),
            None => TakenUp::Failed(None),
        }
    }

    fn find_bridge(&self, name: &LinkName) -> Option<Uuid> {
        self.client.replica().by(Bridge::NAME, name.as_str()).next().map(|(row, _)| row)
    }

    fn transaction(&self) -> Transaction {
        let mut transaction = Transaction::new();
        transaction.assert_lock(LOCK);
        transaction
    }

    /// Commits with `next_cfg` counted up, and returns its new value: `cur_cfg` reaches it when ovs-vswitchd is done
    /// (vswitchd.conf.db(5), table `Open_vSwitch`).
    pub(super) async fn commit_revision(
        &self,
        mut transaction: Transaction,
    ) -> Result<i64, TransactionFailed> {
        transaction.mutate(Where::<OpenVSwitch>::all(), [OpenVSwitch::NEXT_CFG.increment(1)]);
        let read = transaction.select(Where::<OpenVSwitch>::all());
        let committed = self.commit(transaction).await?;
        let rows = committed.rows::<OpenVSwitch>(read);
        rows.first().map(|(_, row)| row.next_cfg).ok_or_else(|| TransactionFailed {
            line: "table Open_vSwitch has no row: run `ovs-vsctl init`".into(),
            objects: false,
            may_be_made: false,
            disowned: false,
        })
    }
}

/// What [`is_secure`] asks for.
pub(super) fn secure(transaction: &mut Transaction, replica: &Replica, row: Uuid) {
    let bridge = || Where::<Bridge>::row(row);
    transaction.update(bridge(), [Bridge::FAIL_MODE.set(Some(BridgeFailMode::from(SECURE)))]);
    if replica.row::<Bridge>(row).is_some_and(|found| !found.protocols.is_empty()) {
        transaction.mutate(bridge(), [Bridge::PROTOCOLS.insert([BridgeProtocols::from(OPENFLOW_13)])]);
    }
}

/// Whether nothing but flow entries forwards on the bridge, and it speaks OpenFlow 1.3. An empty set of protocols stands
/// for all that the switch knows.
pub(super) fn is_secure(bridge: &Bridge) -> bool {
    let speaks =
        bridge.protocols.is_empty() || bridge.protocols.contains(&BridgeProtocols::from(OPENFLOW_13));
    speaks && bridge.fail_mode == Some(BridgeFailMode::from(SECURE))
}

fn insert_port(
    transaction: &mut Transaction,
    name: &str,
    kind: &str,
    options: impl IntoIterator<Item = (String, String)>,
    marks: impl IntoIterator<Item = (String, String)>,
) -> Ref<Port> {
    let interface = transaction.insert(&Interface {
        name: name.to_owned(),
        type_: kind.to_owned(),
        options: BTreeMap::from_iter(options),
        external_ids: BTreeMap::from_iter(marks),
        ..Interface::default()
    });
    transaction.insert(&Port {
        name: name.to_owned(),
        interfaces: BTreeSet::from([interface]),
        ..Port::default()
    })
}
