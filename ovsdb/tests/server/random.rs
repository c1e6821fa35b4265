//! A replica fed by updates equals one made afresh, after any transactions.

use flowport_ovsdb::{Operation, Replica, Where};

use super::*;

/// Enough for each kind of step to meet each other; a seed is one run.
const STEPS: usize = 400;

/// xorshift64*: the same steps for the same seed on every machine.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }
}

pub(crate) fn step(random: &mut Random, replica: &Replica, number: usize) -> Transaction {
    let mut transaction = Transaction::new();
    let bridges: Vec<Ref<Bridge>> = replica.rows::<Bridge>().map(|(uuid, _)| Ref::from(uuid)).collect();
    let bridge = bridges[random.below(bridges.len())];
    let ports: Vec<Ref<Port>> = replica.get(bridge).unwrap().ports.iter().copied().collect();
    let port = (!ports.is_empty()).then(|| ports[random.below(ports.len().max(1))]);
    let keys = ["a", "b", "c"];
    let (key, value) = (keys[random.below(3)], format!("{}", random.below(3)));
    let vlans =
        |random: &mut Random| (0..random.below(4)).map(|_| random.below(6) as i64).collect::<BTreeSet<_>>();
    match (random.below(10), port) {
        (0..=2, _) => return add_port(bridge, &format!("p{number}")),
        (3, Some(port)) => transaction.mutate(bridge, [Bridge::PORTS.remove([port])]),
        (4, Some(port)) => {
            let tag = [None, Some(0), Some(7)][random.below(3)];
            transaction.update(port, [Port::TAG.set(tag)])
        }
        (5, _) => transaction.mutate(bridge, [Bridge::EXTERNAL_IDS.put([(key, value)])]),
        (6, _) => transaction.mutate(bridge, [Bridge::EXTERNAL_IDS.remove([key])]),
        (7, _) => transaction.update(bridge, [Bridge::FLOOD_VLANS.set(vlans(random))]),
        (8, _) => {
            let changes =
                [Bridge::FLOOD_VLANS.insert(vlans(random)), Bridge::FLOOD_VLANS.remove(vlans(random))];
            transaction.mutate(bridge, changes)
        }
        _ => {
            let mode = [None, Some("secure"), Some("standalone")][random.below(3)].map(FailMode::from);
            transaction.push(Operation::update(Where::<Bridge>::row(bridge), [Bridge::FAIL_MODE.set(mode)]))
        }
    };
    transaction
}

#[tokio::test]
async fn updates_and_a_fresh_dump_agree() {
    let server = server();
    let (writer, reader) = (connect(&server).await, connect(&server).await);
    let mut changes = reader.changes();
    let mut root = Transaction::new();
    let bridges = ["br0", "br1"].map(|name| root.insert(&Bridge { name: name.into(), ..Default::default() }));
    root.insert(&Root { bridges: bridges.into(), ..Default::default() });
    writer.transact(root).await.unwrap();
    for seed in [1, 2, 3] {
        let mut random = Random(seed);
        for number in 0..STEPS {
            let transaction = step(&mut random, &writer.replica(), number + STEPS * seed as usize);
            writer.transact(transaction).await.unwrap();
        }
        let fresh = connect(&server).await.replica();
        assert!(fresh.count::<Port>() > 10, "the steps did something");
        assert_eq!(*writer.replica(), *fresh, "seed {seed}");
        let settled = reader.wait_for(|replica| *replica == *fresh, soon()).await;
        assert!(settled.is_ok(), "seed {seed}: the other client is elsewhere");
        while *changes.replica().as_ref() != *fresh {
            let set = within(changes.next()).await.unwrap();
            assert_ne!(set.before, set.after, "a set of no changes");
        }
    }
}
