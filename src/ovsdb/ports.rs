//! Transactions of container ports.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use flowport_ovsdb::{Ref, Replica, Transaction, Uuid, Where};
use flowport_ovsdb_schema::open_vswitch::{Bridge, Interface, OpenVSwitch, Port};

use crate::model::{Attachment, EndpointId};
use crate::state::RowEffect;

use super::{Database, LOCK, TransactionFailed, bridges, marks};

/// How long ovs-vswitchd may take to let go of a port before another of its name comes all the same.
const LET_GO_TIME: Duration = Duration::from_secs(5);

impl Database {
    /// Carries all effects out in one transaction: either every one of them is in the database afterwards, or none.
    /// Returns the configuration's number (`next_cfg`) where ovs-vswitchd has to be waited for.
    ///
    /// A port that comes again waits until ovs-vswitchd has let go of the one that went. Who sees both at once takes the
    /// new port for the old one, and in the userspace datapath goes on listening to the link that is gone.
    pub async fn carry_out(&self, effects: &[RowEffect]) -> Result<Option<i64>, TransactionFailed> {
        self.let_go(&names_of_added(effects)).await;
        let mut transaction = Transaction::new();
        transaction.assert_lock(LOCK);
        // The cost of a change of `ports` grows with the bridge, so that there is one a bridge, not one a port.
        let mut added: BTreeMap<Ref<Bridge>, BTreeSet<Ref<Port>>> = BTreeMap::new();
        let mut removed = added.clone();
        let (mut detached, mut forgotten, mut taken_away) = (Vec::new(), Vec::new(), Vec::new());
        let replica = self.replica();
        let known: BTreeSet<EndpointId> = replica
            .rows::<OpenVSwitch>()
            .flat_map(|(_, row)| marks::all_detached(&row.external_ids))
            .collect();
        let lacking = unmarked(&replica, effects);
        let mut secured = false;
        for effect in effects {
            match effect {
                RowEffect::AddPort { attachment, bridge, ofport_request, recorded } => {
                    let port = match lacking.get(attachment.host_link.as_str()) {
                        Some((port, interface)) => {
                            set(&mut transaction, attachment, *port, *interface, *recorded);
                            for (holder, _) in replica.rows::<Bridge>().filter(|(holder, row)| {
                                holder != bridge && row.ports.contains(&Ref::from(*port))
                            }) {
                                removed.entry(Ref::from(holder)).or_default().insert(Ref::from(*port));
                            }
                            Ref::from(*port)
                        }
                        None => insert(&mut transaction, attachment, *ofport_request, *recorded),
                    };
                    forgotten.extend(Some(attachment.endpoint()).filter(|endpoint| known.contains(endpoint)));
                    added.entry(Ref::from(*bridge)).or_default().insert(port);
                }
                RowEffect::SetPort { attachment, port, interface, recorded } => {
                    set(&mut transaction, attachment, *port, *interface, *recorded);
                }
                RowEffect::Secure { row, .. } => {
                    secured = true;
                    bridges::secure(&mut transaction, &replica, *row);
                }
                RowEffect::ForgetDetached(endpoint) => forgotten.push(*endpoint),
                RowEffect::DelPort { bridge, port, detached: endpoint } => {
                    detached.extend(*endpoint);
                    taken_away.extend(replica.row::<Port>(*port).map(|row| row.name.clone()));
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
        let all = Where::<OpenVSwitch>::all;
        if !forgotten.is_empty() {
            transaction.mutate(
                all(),
                [OpenVSwitch::EXTERNAL_IDS.remove(forgotten.into_iter().map(marks::detached))],
            );
        }
        if !detached.is_empty() {
            let marks = detached.into_iter().map(|endpoint| (marks::detached(endpoint), "true".to_owned()));
            transaction.mutate(all(), [OpenVSwitch::EXTERNAL_IDS.put(marks)]);
        }
        if taken_away.is_empty() && !secured {
            return self.commit(transaction).await.map(|_| None);
        }
        let revision = self.commit_revision(transaction).await?;
        let reached = self.replica().rows::<OpenVSwitch>().map(|(_, row)| row.cur_cfg).max();
        self.taken_away.send_modify(|known| {
            known.retain(|_, until| Some(*until) > reached);
            known.extend(taken_away.into_iter().map(|name| (name, revision)));
        });
        Ok(Some(revision))
    }

    /// Waits until ovs-vswitchd knows that the ports of these names that were taken away are gone.
    async fn let_go(&self, names: &BTreeSet<&str>) {
        let revision = {
            let known = self.taken_away.borrow();
            names.iter().filter_map(|name| known.get(*name)).max().copied()
        };
        let Some(revision) = revision else { return };
        // One that does not run has nothing to let go of.
        self.taken_up(None, revision, Instant::now() + LET_GO_TIME).await;
        self.taken_away.send_modify(|known| known.retain(|_, until| *until > revision));
    }
}

fn names_of_added(effects: &[RowEffect]) -> BTreeSet<&str> {
    let added = effects.iter().filter_map(|effect| match effect {
        RowEffect::AddPort { attachment, .. } => Some(attachment.host_link.as_str()),
        _ => None,
    });
    added.collect()
}

/// The Port and Interface rows that have a name of ours, of a port that is to be added, and lack our marks: somebody has
/// taken these away. No second row can have the name.
fn unmarked<'a>(replica: &Replica, effects: &'a [RowEffect]) -> BTreeMap<&'a str, (Uuid, Uuid)> {
    let rows = names_of_added(effects).into_iter().filter_map(|name| {
        let (row, port) = replica.by(Port::NAME, name).next()?;
        let (interface, _) = replica.resolve(&port.interfaces).next()?;
        Some((name, (row, interface)))
    });
    rows.collect()
}

fn set(transaction: &mut Transaction, attachment: &Attachment, port: Uuid, interface: Uuid, recorded: bool) {
    let (tag, trunks, vlan_mode) = marks::columns(attachment);
    let columns = [Port::TAG.set(tag), Port::TRUNKS.set(trunks), Port::VLAN_MODE.set(vlan_mode)];
    transaction.update(Where::<Port>::row(port), columns);
    let marks = marks_of(attachment, recorded);
    transaction.mutate(Where::<Interface>::row(interface), [Interface::EXTERNAL_IDS.put(marks)]);
}

fn marks_of(attachment: &Attachment, recorded: bool) -> BTreeMap<String, String> {
    let mut marks = marks::of_attachment(attachment);
    marks.extend(recorded.then(|| (marks::RECORDED.to_owned(), "true".to_owned())));
    marks
}

fn insert(
    transaction: &mut Transaction,
    attachment: &Attachment,
    ofport_request: Option<u32>,
    recorded: bool,
) -> Ref<Port> {
    let name = &attachment.host_link;
    let interface = transaction.insert(&Interface {
        name: name.clone(),
        ofport_request: ofport_request.map(i64::from),
        external_ids: marks_of(attachment, recorded),
        ..Interface::default()
    });
    let (tag, trunks, vlan_mode) = marks::columns(attachment);
    transaction.insert(&Port {
        name: name.clone(),
        interfaces: BTreeSet::from([interface]),
        tag,
        trunks,
        vlan_mode,
        ..Port::default()
    })
}
