//! Random transactions that fit the schema, though not always the rows.

use std::collections::BTreeSet;

use flowport_ovsdb::notation::{Mutator, RowValues, Until};
use flowport_ovsdb::{Mutation, Operation, Ref, Replica, Table, Transaction, Uuid, Value, Where};

use super::tables::{Bridge, Interface, Mirror, Port, QoS, Queue};
use crate::{FailMode, Root};

/// xorshift64*: the same steps for the same seed, which is not 0, on every machine.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.next() as usize % bound
    }

    fn uuid(&mut self) -> Uuid {
        Uuid::from_u64_pair(self.next(), self.next())
    }

    fn row<T: Table>(&mut self, replica: &Replica) -> Option<Ref<T>> {
        let count = replica.count::<T>();
        (count > 0)
            .then(|| self.below(count))
            .and_then(|at| replica.rows::<T>().nth(at))
            .map(|row| row.0.into())
    }

    fn rows<T: Table>(&mut self, replica: &Replica) -> BTreeSet<Ref<T>> {
        (0..self.below(4)).filter_map(|_| self.row(replica)).collect()
    }

    fn numbers(&mut self) -> BTreeSet<i64> {
        (0..self.below(5)).map(|_| self.below(9) as i64).collect()
    }

    fn key(&mut self) -> &'static str {
        ["a", "b", "c"][self.below(3)]
    }

    fn value(&mut self) -> &'static str {
        ["", "x", "y \"\\ \u{1f980}"][self.below(3)]
    }
}

/// The root row and two bridges.
pub(crate) fn beginning() -> Transaction {
    let mut transaction = Transaction::new();
    let bridge = |name: &str| Bridge { name: name.into(), ..Bridge::default() };
    let bridges = ["br0", "br1"].map(|name| transaction.insert(&bridge(name)).uuid());
    transaction.insert(&Root { bridges: bridges.map(Ref::from).into(), ..Root::default() });
    transaction
}

/// One to three operations of any kind.
pub(crate) fn step(random: &mut Random, replica: &Replica) -> Transaction {
    let mut transaction = Transaction::new();
    for _ in 0..=random.below(3) {
        match random.below(12) {
            0..=2 => insert(random, replica, &mut transaction),
            3..=4 => update(random, replica, &mut transaction),
            5..=7 => mutate(random, replica, &mut transaction),
            8 => delete(random, replica, &mut transaction),
            _ => other(random, replica, &mut transaction),
        }
    }
    transaction
}

fn insert(random: &mut Random, replica: &Replica, transaction: &mut Transaction) {
    let Some(bridge) = random.row::<Bridge>(replica) else { return };
    match random.below(5) {
        0..=1 => {
            // A name may be there already.
            let name = format!("p{}", random.below(400));
            let external_ids = [(random.key().to_owned(), random.value().to_owned())].into();
            let row = Interface { name: name.clone(), external_ids, ..Interface::default() };
            let interface = Ref::from(random.uuid());
            transaction.push(Operation::insert(interface, &row));
            let row = Port { name, interfaces: [interface].into(), tag: Some(0), ..Port::default() };
            let port = Ref::from(random.uuid());
            transaction.push(Operation::insert(port, &row));
            transaction.mutate(bridge, [Bridge::PORTS.insert([port])]);
        }
        2 => {
            let row = Mirror {
                name: random.value().into(),
                select_src_port: random.rows(replica),
                output_port: random.row(replica),
            };
            let mirror = Ref::from(random.uuid());
            transaction.push(Operation::insert(mirror, &row));
            transaction.mutate(bridge, [Bridge::MIRRORS.insert([mirror])]);
        }
        3 => {
            let queues =
                (0..random.below(3)).filter_map(|at| Some((at as i64, random.row(replica)?))).collect();
            let row = QoS { type_: random.value().into(), queues };
            transaction.push(Operation::insert(random.uuid(), &row));
        }
        _ => {
            // Under a name that only this transaction knows.
            let mut row = RowValues::default();
            row.0.insert("dscp".into(), Value::from(random.below(64) as i64));
            let (uuid, uuid_name) = (None, Some("queue".to_owned()));
            transaction.push(Operation::Insert { table: "Queue".into(), uuid, uuid_name, row });
        }
    }
}

fn update(random: &mut Random, replica: &Replica, transaction: &mut Transaction) {
    let Some(bridge) = random.row::<Bridge>(replica) else { return };
    let mode = [None, Some("secure"), Some("standalone")][random.below(3)].map(FailMode::from);
    match random.below(5) {
        0 => transaction.update(bridge, [Bridge::FLOOD_VLANS.set(random.numbers())]),
        1 => transaction
            .update(bridge, [Bridge::FAIL_MODE.set(mode), Bridge::STP_ENABLE.set(random.below(2) == 0)]),
        2 => {
            let tag = [None, Some(0), Some(7)][random.below(3)];
            // Of several rows at once.
            transaction.update(Port::TAG.eq(Some(0)), [Port::TAG.set(tag)])
        }
        3 => match random.row::<Port>(replica) {
            Some(port) => {
                let qos = random.row::<QoS>(replica);
                transaction.update(port, [Port::QOS.set(qos), Port::BOND_UPDELAY.set(random.below(3) as i64)])
            }
            None => return,
        },
        _ => {
            let all = Where::<Mirror>::all();
            transaction.update(all, [Mirror::OUTPUT_PORT.set(random.row::<Port>(replica))])
        }
    };
}

fn mutate(random: &mut Random, replica: &Replica, transaction: &mut Transaction) {
    let Some(bridge) = random.row::<Bridge>(replica) else { return };
    let (key, value) = (random.key(), random.value());
    let ports: BTreeSet<Ref<Port>> = random.rows(replica);
    match random.below(8) {
        0 => {
            let changes =
                [Bridge::FLOOD_VLANS.insert(random.numbers()), Bridge::FLOOD_VLANS.remove(random.numbers())];
            transaction.mutate(bridge, changes)
        }
        1 => transaction.mutate(bridge, [Bridge::EXTERNAL_IDS.put([(key, value)])]),
        2 => transaction.mutate(bridge, [Bridge::EXTERNAL_IDS.remove([key])]),
        3 => {
            let Some(interface) = random.row::<Interface>(replica) else { return };
            let changes = [
                Interface::EXTERNAL_IDS.put([(key, value)]),
                Interface::STATISTICS.put([(key.to_owned(), random.below(3) as i64)]),
            ];
            transaction.mutate(interface, changes)
        }
        4 => transaction.mutate(
            Where::<Mirror>::all(),
            [
                Mirror::SELECT_SRC_PORT.insert(ports.iter().copied()),
                Mirror::SELECT_SRC_PORT.remove(ports.iter().take(1).copied()),
            ],
        ),
        5 => {
            // With it what only this port refers to, and weak references to it.
            transaction.mutate(bridge, [Bridge::PORTS.remove(ports.into_iter().take(1))])
        }
        6 => {
            let Some(port) = random.row::<Port>(replica) else { return };
            let mutator =
                [Mutator::Add, Mutator::Subtract, Mutator::Multiply, Mutator::Divide, Mutator::Remainder]
                    [random.below(5)];
            // Division by 0 is refused.
            let value = Value::from(random.below(4) as i64);
            let mutations = vec![Mutation { column: "bond_updelay".into(), mutator, value }];
            let conditions = Where::<Port>::row(port).conditions().to_vec();
            transaction.push(Operation::Mutate { table: "Port".into(), conditions, mutations })
        }
        _ => {
            let Some(qos) = random.row::<QoS>(replica) else { return };
            let queue = random.row::<Queue>(replica);
            let changes = [
                QoS::QUEUES.remove([random.below(3) as i64]),
                QoS::QUEUES.put(queue.map(|queue| (random.below(3) as i64, queue))),
            ];
            transaction.mutate(qos, changes)
        }
    };
}

/// Refused where something refers to the row.
fn delete(random: &mut Random, replica: &Replica, transaction: &mut Transaction) {
    match random.below(3) {
        0 => random.row::<QoS>(replica).map(|row| transaction.delete(row)),
        1 => random.row::<Queue>(replica).map(|row| transaction.delete(row)),
        _ => Some(transaction.delete(Queue::DSCP.eq(Some(random.below(64) as i64)))),
    };
}

fn other(random: &mut Random, replica: &Replica, transaction: &mut Transaction) {
    let Some(bridge) = random.row::<Bridge>(replica) else { return };
    match random.below(20) {
        0..=5 => transaction.select::<Port>(Where::all()),
        6..=10 => transaction.comment(random.value()),
        11..=12 => transaction.push(Operation::Commit { durable: random.below(2) == 0 }),
        13..=14 => transaction.verify_none(Bridge::NAME.eq("nobody"), Bridge::NAME.any()),
        15..=16 => transaction.verify(bridge, [Bridge::FLOOD_VLANS.set(random.numbers())]),
        17 => transaction.push(Operation::Wait {
            table: "Bridge".into(),
            conditions: Where::<Bridge>::row(bridge).conditions().to_vec(),
            columns: vec!["name".into()],
            until: Until::NotEqual,
            rows: Vec::new(),
            timeout: Some(0),
        }),
        18 => transaction.push(Operation::Abort),
        _ => transaction.assert_lock("nobody's"),
    };
}
