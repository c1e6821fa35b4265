//! A replica fed by updates equals one made afresh, and finds by its indexes what a scan finds, after any
//! transactions and across reconnects.

mod steps;
mod tables;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use flowport_ovsdb::client::{Changes, ConnectionState};
use flowport_ovsdb::replica::RowChange;
use flowport_ovsdb::{Index, Replica, Table, Uuid};

use super::reconnect::eager;
use super::*;
pub(crate) use steps::{Random, step};
use tables::{Bridge, Interface, Mirror, Port, QoS, Queue, monitor};

/// Enough for each kind of step to meet each other; a seed is one run.
const STEPS: usize = 200;

/// What a reader of changes holds that looks at nothing else.
#[derive(Debug, Default, PartialEq)]
struct Followed {
    bridges: BTreeMap<Uuid, Bridge>,
    ports: BTreeMap<Uuid, Port>,
    interfaces: BTreeMap<Uuid, Interface>,
    mirrors: BTreeMap<Uuid, Mirror>,
    qos: BTreeMap<Uuid, QoS>,
    queues: BTreeMap<Uuid, Queue>,
}

impl Followed {
    fn of(replica: &Replica) -> Self {
        fn all<T: Table>(replica: &Replica) -> BTreeMap<Uuid, T> {
            replica.rows::<T>().map(|(uuid, row)| (uuid, row.clone())).collect()
        }
        Self {
            bridges: all(replica),
            ports: all(replica),
            interfaces: all(replica),
            mirrors: all(replica),
            qos: all(replica),
            queues: all(replica),
        }
    }

    /// Up to `end`.
    async fn follow(&mut self, changes: &mut Changes, end: &Replica) {
        while changes.replica().as_ref() != end {
            let set = within(changes.next()).await.unwrap();
            assert_ne!(set.before, set.after, "a set of no changes");
            apply(&mut self.bridges, set.rows());
            apply(&mut self.ports, set.rows());
            apply(&mut self.interfaces, set.rows());
            apply(&mut self.mirrors, set.rows());
            apply(&mut self.qos, set.rows());
            apply(&mut self.queues, set.rows());
        }
    }
}

/// Each change has to fit what was there.
fn apply<'a, T: Table + Debug>(
    rows: &mut BTreeMap<Uuid, T>,
    changes: impl Iterator<Item = RowChange<'a, T>>,
) {
    for change in changes {
        let before = match change {
            RowChange::Insert { uuid, new } | RowChange::Modify { uuid, new, .. } => {
                rows.insert(uuid, new.clone())
            }
            RowChange::Delete { uuid, .. } => rows.remove(&uuid),
        };
        let told = match change {
            RowChange::Insert { .. } => None,
            RowChange::Modify { old, new, .. } => {
                assert_ne!(old, new);
                Some(old)
            }
            RowChange::Delete { old, .. } => Some(old),
        };
        assert_eq!(before.as_ref(), told);
    }
}

/// Every index finds for every key what a look at all rows does.
fn check_indexes(replica: &Replica) {
    check(replica, Bridge::NAME, |row: &Bridge| vec![row.name.clone()]);
    check(replica, Port::NAME, |row: &Port| vec![row.name.clone()]);
    check(replica, Port::TAG, |row: &Port| vec![row.tag]);
    check(replica, Port::QOS, |row: &Port| vec![row.qos]);
    check(replica, Bridge::PORTS.elements(), |row: &Bridge| row.ports.iter().copied().collect());
    check(replica, Mirror::SELECT_SRC_PORT.elements(), |row: &Mirror| {
        row.select_src_port.iter().copied().collect()
    });
    check(replica, Bridge::FLOOD_VLANS.elements(), |row: &Bridge| row.flood_vlans.iter().copied().collect());
    check(replica, QoS::QUEUES.values(), |row: &QoS| row.queues.values().copied().collect());
    check(replica, Interface::EXTERNAL_IDS.key("a"), |row: &Interface| {
        row.external_ids.get("a").cloned().into_iter().collect()
    });
    check(replica, (Bridge::FAIL_MODE, Bridge::STP_ENABLE), |row: &Bridge| {
        vec![(row.fail_mode.clone(), row.stp_enable)]
    });
    check(replica, tables::ends(), |row: &Port| {
        row.name.chars().last().map(String::from).into_iter().collect()
    });
}

fn check<T: Table, K: Ord + Clone + Debug>(
    replica: &Replica,
    index: impl Into<Index<T, K>>,
    keys: impl Fn(&T) -> Vec<K>,
) {
    let index = index.into();
    assert!(replica.is_indexed(&index), "{index:?}");
    let mut expected: BTreeMap<K, Vec<Uuid>> = BTreeMap::new();
    for (uuid, row) in replica.rows::<T>() {
        for key in keys(row) {
            let uuids = expected.entry(key).or_default();
            // Two keys of a map may have one value.
            if uuids.last() != Some(&uuid) {
                uuids.push(uuid);
            }
        }
    }
    for (key, uuids) in expected {
        let found: Vec<Uuid> = replica.by(&index, key.clone()).map(|(uuid, _)| uuid).collect();
        assert_eq!(found, uuids, "{index:?} {key:?}");
    }
}

async fn connect(server: &Server) -> Client {
    Client::connect(&server.remotes(), monitor(), eager()).await.expect("a connection")
}

/// Random transactions; how many were committed.
async fn walk(client: &Client, random: &mut Random, steps: usize) -> usize {
    let mut committed = 0;
    for _ in 0..steps {
        let transaction = step(random, &client.replica());
        let before = client.replica();
        match client.transact(transaction).await {
            Ok(_) => committed += 1,
            Err(error) => {
                assert_eq!(*client.replica(), *before, "refused, and yet something changed: {error}");
            }
        }
    }
    committed
}

/// All copies are what the server has.
async fn compare(server: &Server, clients: [&Client; 2], seed: u64) -> Arc<Replica> {
    let fresh = connect(server).await.replica();
    for client in clients {
        let settled = client.wait_for(|replica| *replica == *fresh, soon()).await;
        let Ok(replica) = settled else { panic!("seed {seed}: a client is elsewhere") };
        check_indexes(&replica);
    }
    check_indexes(&fresh);
    fresh
}

#[tokio::test]
async fn updates_and_a_fresh_dump_agree() {
    for seed in [1, 2, 3] {
        let mut server = server();
        let (writer, reader) = (connect(&server).await, connect(&server).await);
        let (mut changes, mut followed) = (reader.changes(), Followed::default());
        writer.transact(steps::beginning()).await.unwrap();
        let mut random = Random(seed);
        let committed = walk(&writer, &mut random, STEPS).await;
        assert!(committed > STEPS / 2, "seed {seed}: {committed} of {STEPS} steps did something");
        let fresh = compare(&server, [&writer, &reader], seed).await;
        assert!(fresh.count::<Port>() > 10 && fresh.count::<Mirror>() > 0 && fresh.count::<QoS>() > 0);
        followed.follow(&mut changes, &fresh).await;
        assert_eq!(followed, Followed::of(&fresh), "seed {seed}");

        // Both lose their connection, and while it is gone another client goes on.
        let mut states = [writer.state(), reader.state()];
        let aside = server.socket().with_extension("aside");
        server.restart_at(&aside);
        for state in &mut states {
            within(state.wait_for(|state| *state != ConnectionState::Connected)).await.unwrap();
        }
        let remotes = flowport_ovsdb::Remote::Unix(aside).into();
        let other = Client::connect(&remotes, monitor(), eager()).await.unwrap();
        assert!(walk(&other, &mut random, STEPS / 4).await > 0);
        drop(other);
        server.restart();
        for state in &mut states {
            within(state.wait_for(|state| *state == ConnectionState::Connected)).await.unwrap();
        }
        assert!(walk(&writer, &mut random, STEPS / 4).await > 0);
        let fresh = compare(&server, [&writer, &reader], seed).await;
        followed.follow(&mut changes, &fresh).await;
        assert_eq!(followed, Followed::of(&fresh), "seed {seed}, after a reconnect");
    }
}
