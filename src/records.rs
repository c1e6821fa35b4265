//! What should be attached on this host, kept in Flowport's own database (`Flowport_Local`) so that it outlives the
//! daemon, the containers and Open vSwitch.

mod server;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use flowport_ovsdb::client::ConnectionState;
use flowport_ovsdb::{Client, ConnectOptions, Monitor, Transaction};
use flowport_ovsdb_schema::flowport_local::Attachment as Row;
use tokio::sync::watch;

use crate::model::{Attachment, EndpointId, Owner, Vlan};
use crate::ovsdb::TransactionFailed;
use crate::refused::Refused;
use crate::state::RecordEffect;

pub use server::Server;

/// A connection to the records, cheap to clone.
#[derive(Clone, Debug)]
pub struct Records {
    client: Client,
}

impl Records {
    /// Connects to the server and reads all records.
    ///
    /// # Errors
    ///
    /// The server does not answer in time.
    pub async fn connect(server: &Server, timeout: Duration) -> Result<Self, Refused> {
        let options = ConnectOptions { connect_timeout: timeout, ..ConnectOptions::default() };
        Client::connect(&server.remotes(), Monitor::of::<Row>(), options)
            .await
            .map(|client| Self { client })
            .map_err(|error| {
                Refused::other(format!("cannot read the records in {}: {error}", server.file().display()))
            })
    }

    /// Whether there is a connection to the server, to look at or to wait on.
    pub fn connection(&self) -> watch::Receiver<ConnectionState> {
        self.client.state()
    }

    /// All attachments on record. A record that does not parse is left alone, and said.
    pub fn attachments(&self) -> BTreeMap<EndpointId, Arc<Attachment>> {
        let replica = self.client.replica();
        let rows = replica.rows::<Row>().filter_map(|(_, row)| match from_row(row) {
            Some(attachment) => Some((attachment.endpoint(), Arc::new(attachment))),
            None => {
                tracing::warn!(endpoint = row.endpoint, "a record of another version is left alone");
                None
            }
        });
        rows.collect()
    }

    /// Carries all effects out in one transaction, on disk when it returns.
    pub async fn carry_out(&self, effects: &[RecordEffect]) -> Result<(), TransactionFailed> {
        let mut transaction = Transaction::new();
        for effect in effects {
            match effect {
                RecordEffect::Put(attachment) => {
                    transaction.delete(Row::ENDPOINT.eq(attachment.endpoint().to_string()));
                    transaction.insert(&to_row(attachment));
                }
                RecordEffect::Del(endpoint) => {
                    transaction.delete(Row::ENDPOINT.eq(endpoint.to_string()));
                }
            }
        }
        transaction.push(flowport_ovsdb::Operation::Commit { durable: true });
        self.client.transact(transaction).await.map(drop).map_err(TransactionFailed::from)
    }
}

fn to_row(attachment: &Attachment) -> Row {
    let endpoint = attachment.endpoint();
    let Attachment {
        owner,
        container,
        bridge,
        interface,
        host_link,
        addresses,
        gateways,
        routes,
        mac,
        mtu,
        vlan,
        trunks,
    } = attachment;
    Row {
        endpoint: endpoint.to_string(),
        bridge: bridge.to_string(),
        container: container.to_string(),
        container_id: owner.to_string(),
        interface: interface.to_string(),
        host_link: host_link.clone(),
        addresses: addresses.iter().map(ToString::to_string).collect(),
        gateways: gateways.iter().map(ToString::to_string).collect(),
        routes: routes.iter().map(ToString::to_string).collect(),
        mac: mac.to_string(),
        mtu: mtu.map(i64::from),
        vlan: vlan.id().into(),
        trunks: trunks.iter().map(|vlan| i64::from(*vlan)).collect(),
        ..Row::default()
    }
}

fn from_row(row: &Row) -> Option<Attachment> {
    Some(Attachment {
        owner: Owner::from(row.container_id.as_str()),
        container: row.container.parse().ok()?,
        bridge: row.bridge.parse().ok()?,
        interface: row.interface.parse().ok()?,
        host_link: row.host_link.clone(),
        addresses: parsed(&row.addresses)?,
        gateways: parsed(&row.gateways)?,
        routes: parsed(&row.routes)?,
        mac: row.mac.parse().ok()?,
        mtu: row.mtu.map(u32::try_from).transpose().ok()?,
        vlan: Vlan::try_from(row.vlan).ok()?,
        trunks: row.trunks.iter().map(|vlan| Vlan::try_from(*vlan).ok()).collect::<Option<_>>()?,
    })
}

fn parsed<'a, T: std::str::FromStr>(texts: impl IntoIterator<Item = &'a String>) -> Option<Vec<T>> {
    texts.into_iter().map(|text| text.parse().ok()).collect()
}
