//! A witness of its own, who sees when a port's row and flow entries are gone.

use std::time::{Duration, Instant};

use flowport::model::EndpointId;
use flowport::openflow::Exchange;
use flowport::place::management_socket;
use flowport_openflow::{FlowStatsRequest, MultipartReplyBody, MultipartRequestBody};
use flowport_ovsdb::{Client, ConnectOptions, Monitor, Uuid};
use flowport_ovsdb_schema::open_vswitch::{Interface, Port};
use tokio::time::sleep;

use super::BenchError;
use super::stage::{BRIDGE, Stage};
use crate::DEADLINE;

/// Between two looks at the flow entries: fine enough for the aim, and ovs-vswitchd has other things to do.
const LOOK: Duration = Duration::from_millis(1);

/// Connections that stay open: a monitor of the database, and an OpenFlow session.
pub(super) struct Watcher {
    database: Client,
    datapath: Exchange,
}

/// A port of a container.
pub(super) struct WatchedPort {
    row: Uuid,
    cookie: u64,
}

impl Watcher {
    pub(super) async fn open(stage: &Stage) -> Result<Self, BenchError> {
        let monitor = Monitor::of_only::<Port>(&[Port::NAME.any()])
            .and_only::<Interface>(&[Interface::NAME.any(), Interface::EXTERNAL_IDS.any()]);
        let database = Client::connect(&stage.host.db().parse()?, monitor, ConnectOptions::default()).await?;
        let socket = management_socket(stage.host.ovs().rundir(), BRIDGE);
        let datapath = Exchange::open(&socket).await?;
        Ok(Self { database, datapath })
    }

    /// The port of a container, which must be there, with flow entries.
    pub(super) async fn port_of(&mut self, container_id: &str) -> Result<WatchedPort, BenchError> {
        let replica = self.database.replica();
        let of_it = |interface: &Interface| {
            interface.external_ids.get("container_id").is_some_and(|id| id == container_id)
        };
        let name = replica.find::<Interface>(of_it).map(|(_, interface)| interface.name.clone());
        let name = name.ok_or_else(|| format!("container {container_id} has no port"))?;
        let (row, _) = replica.find::<Port>(|port| port.name == name).ok_or("an interface without a port")?;
        let cookie =
            EndpointId::from_host_link(&name).ok_or_else(|| format!("{name} is not our name"))?.cookie();
        if flow_count(&mut self.datapath, cookie).await? == 0 {
            return Err(format!("{name} has no flow entries").into());
        }
        Ok(WatchedPort { row, cookie })
    }

    /// When both the row and the flow entries of the port were gone.
    pub(super) async fn gone(&mut self, port: &WatchedPort) -> Result<Instant, BenchError> {
        let deadline = Instant::now() + DEADLINE;
        let database = &self.database;
        let row_gone = async {
            database.wait_for(|replica| replica.row::<Port>(port.row).is_none(), deadline).await?;
            Ok::<_, BenchError>(Instant::now())
        };
        let datapath = &mut self.datapath;
        let flows_gone = async {
            while flow_count(datapath, port.cookie).await? > 0 {
                if Instant::now() > deadline {
                    return Err("the flow entries of a killed container stay".into());
                }
                sleep(LOOK).await;
            }
            Ok(Instant::now())
        };
        let (row_gone, flows_gone) = tokio::try_join!(row_gone, flows_gone)?;
        Ok(row_gone.max(flows_gone))
    }
}

/// How many flow entries carry the cookie.
async fn flow_count(datapath: &mut Exchange, cookie: u64) -> Result<u32, BenchError> {
    let question = MultipartRequestBody::Aggregate(FlowStatsRequest::cookie(cookie, u64::MAX));
    match &datapath.ask([question]).await?[..] {
        [MultipartReplyBody::Aggregate(sums)] => Ok(sums.flow_count),
        _ => Err("another answer".into()),
    }
}
