//! Transactions of container ports.

use std::collections::{BTreeMap, BTreeSet};

use flowport_ovsdb::{Ref, Transaction, Where};
use flowport_ovsdb_schema::open_vswitch::{Bridge, Interface, Port};

use crate::model::Attachment;
use crate::plan::RowEffect;

use super::{Database, LOCK, TransactionFailed, marks};

impl Database {
    /// Carries all effects out in one transaction: either every one of them is in the database afterwards, or none.
    pub async fn carry_out(&self, effects: &[RowEffect]) -> Result<(), TransactionFailed> {
        let mut transaction = Transaction::new();
        transaction.assert_lock(LOCK);
        // The cost of a change of `ports` grows with the bridge, so that there is one a bridge, not one a port.
        let mut added: BTreeMap<Ref<Bridge>, BTreeSet<Ref<Port>>> = BTreeMap::new();
        let mut removed = added.clone();
        for effect in effects {
            match effect {
                RowEffect::AddPort { attachment, bridge } => {
                    let port = insert(&mut transaction, attachment);
                    added.entry(Ref::from(*bridge)).or_default().insert(port);
                }
                RowEffect::SetPort { attachment, port, interface } => {
                    transaction.update(Where::<Port>::row(*port), [Port::TAG.set(attachment.vlan.tag())]);
                    let marks = marks::of_attachment(attachment);
                    transaction
                        .mutate(Where::<Interface>::row(*interface), [Interface::EXTERNAL_IDS.put(marks)]);
                }
                RowEffect::DelPort { bridge, port } => {
                    removed.entry(Ref::from(*bridge)).or_default().insert(Ref::from(*port));
                }
            }
        }
        for (bridge, ports) in added {
            transaction.mutate(Where::<Bridge>::row(bridge), [Bridge::PORTS.insert(ports)]);
        }
        for (bridge, ports) in removed {
            transaction.mutate(Where::<Bridge>::row(bridge), [Bridge::PORTS.remove(ports)]);
        }
        self.commit(transaction).await.map(drop)
    }
}

fn insert(transaction: &mut Transaction, attachment: &Attachment) -> Ref<Port> {
    let name = &attachment.host_link;
    let interface = transaction.insert(&Interface {
        name: name.clone(),
        external_ids: marks::of_attachment(attachment),
        ..Interface::default()
    });
    transaction.insert(&Port {
        name: name.clone(),
        interfaces: BTreeSet::from([interface]),
        tag: attachment.vlan.tag(),
        ..Port::default()
    })
}
