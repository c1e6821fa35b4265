//! The database of Open vSwitch: what it holds, and the transactions that change it.

mod bridges;
mod marks;
mod observe;
mod ports;

use std::sync::Arc;
use std::time::{Duration, Instant};

use flowport_ovsdb::{Client, ConnectOptions, Monitor, Remote, Replica, Transaction};
use flowport_ovsdb_schema::vswitch::{Bridge, Interface, OpenVSwitch, Port};

use crate::model::LinkName;
use crate::reconciler::Refused;

pub use bridges::TakenUp;
pub use observe::Rows;

/// The lock that whoever changes ports and flows of this database holds, so that nobody undoes another's work.
const LOCK: &str = "flowport";

/// A connection to the database, cheap to clone.
#[derive(Clone, Debug)]
pub struct Database {
    client: Client,
    /// The user's word for it.
    address: Arc<str>,
}

/// A transaction that changed nothing.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the database refused the change: {0}")]
pub struct TransactionFailed(String);

impl From<TransactionFailed> for Refused {
    fn from(error: TransactionFailed) -> Self {
        Self::other(error.to_string())
    }
}

impl Database {
    /// Connects, and returns when the whole database has been read.
    ///
    /// # Errors
    ///
    /// There is no server, or it does not let us in.
    pub async fn connect(address: &str, timeout: Duration) -> Result<Self, Refused> {
        let remote: Remote = address.parse().map_err(|error| {
            Refused::other(format!("database {address:?} is no address ({error}): write unix:PATH or tcp:HOST:PORT"))
        })?;
        let monitor = Monitor::of::<OpenVSwitch>([OpenVSwitch::BRIDGES.any(), OpenVSwitch::CUR_CFG.any(), OpenVSwitch::NEXT_CFG.any()]);
        let client = Client::connect(&remote, monitor, ConnectOptions { timeout, ..ConnectOptions::default() })
            .await
            .map_err(|error| no_database(address, &error))?;
        Ok(Self { client, address: address.into() })
    }
}
