//! What the story claims, checked: packets, and that something is gone.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use flowport_openflow::FlowStatsRequest;

use crate::lab::{LabHost, in_netns};
use crate::model::{ContainerRef, EndpointId};
use crate::netlink::{Netlink, Netns};
use crate::openflow::read_flows;
use crate::ovsdb::{Address, Database, TlsFiles};
use crate::reconciler::is_of;

use super::{Broken, PATIENCE, chain};

/// The port of the TCP streams.
const TCP_PORT: u16 = 5001;
/// How often it is looked whether something is gone.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Pings once from a namespace; the round trip in milliseconds, as `ping` prints it.
pub(super) async fn ping(from: &Path, to: &str, patience: Duration) -> Result<String, Broken> {
    let begun = Instant::now();
    // The first packet may be lost while the underlay's neighbours are still being learnt.
    while begun.elapsed() < patience {
        let mut command = tokio::process::Command::new("ping");
        command
            .args(["-c", "1", "-W", "1", to])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let child = in_netns(from, || command.spawn())
            .map_err(|error| chain(&error))?
            .map_err(|error| format!("cannot run ping: {error}: install iputils-ping"))?;
        let output = child.wait_with_output().await.map_err(|error| error.to_string())?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let time = printed
            .split_once("time=")
            .and_then(|(_, rest)| rest.split_whitespace().next().map(str::to_owned));
        if let (true, Some(time)) = (output.status.success(), time) {
            return Ok(time);
        }
    }
    Err(format!("no answer from {to} within {} s", patience.as_secs()))
}

/// Sends `bytes` over a TCP connection between two namespaces; the rate in Gbit/s.
pub(super) async fn pull(from: &Path, to: &Path, address: &str, bytes: usize) -> Result<f64, Broken> {
    let address: IpAddr = address.parse().map_err(|_| format!("{address} is no address"))?;
    let place = SocketAddr::new(address, TCP_PORT);
    let listener = in_netns(to, || TcpListener::bind(place))
        .map_err(|error| chain(&error))?
        .map_err(|error| format!("cannot listen on {place}: {error}"))?;
    let server = tokio::task::spawn_blocking(move || -> std::io::Result<usize> {
        let (mut stream, _) = listener.accept()?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let (mut buffer, mut received) = (vec![0; 1 << 16], 0);
        loop {
            match stream.read(&mut buffer)? {
                0 => return Ok(received),
                n => received += n,
            }
        }
    });
    let begun = Instant::now();
    let from = from.to_owned();
    let client = tokio::task::spawn_blocking(move || -> Result<(), Broken> {
        let stream = in_netns(&from, || TcpStream::connect_timeout(&place, PATIENCE))
            .map_err(|error| chain(&error))?;
        let mut stream = stream.map_err(|error| format!("cannot connect to {place}: {error}"))?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
        let chunk = vec![0x5a; 1 << 16];
        for _ in 0..bytes / chunk.len() {
            stream.write_all(&chunk).map_err(|error| format!("the stream to {place} broke: {error}"))?;
        }
        Ok(())
    });
    client.await.map_err(|error| error.to_string())??;
    let received = server.await.map_err(|error| error.to_string())?;
    let received = received.map_err(|error| format!("the stream to {place} broke: {error}"))?;
    if received != bytes {
        return Err(format!("{received} of {bytes} bytes arrived at {place}"));
    }
    Ok(bytes as f64 * 8.0 / 1e9 / begun.elapsed().as_secs_f64())
}

/// Where an endpoint would be seen if it were there.
pub(super) struct Place {
    database: Database,
    netlink: Netlink,
    rundir: PathBuf,
    bridge: &'static str,
    endpoint: EndpointId,
}

impl Place {
    /// The place of the only endpoint of a container, which is attached.
    pub(super) async fn of(host: &LabHost, bridge: &'static str, container: &str) -> Result<Self, Broken> {
        let address = Address::new(&host.db(), TlsFiles::default()).map_err(|refused| refused.line)?;
        let database = Database::connect(&address, PATIENCE).await.map_err(|refused| refused.line)?;
        let container: ContainerRef = container.parse().map_err(|error| format!("{error}"))?;
        let rows = database.rows();
        let mut found = rows.ports.iter().filter(|(_, row)| is_of(&row.attachment, &container, None));
        let (endpoint, _) = found.next().ok_or_else(|| format!("{container} has no port"))?;
        Ok(Self {
            netlink: Netlink::open_in(Netns::new(host.netns().path())),
            rundir: host.ovs().rundir().to_owned(),
            bridge,
            endpoint: *endpoint,
            database,
        })
    }

    /// That port, link and flow entries are gone now.
    pub(super) async fn expect_gone(&self) -> Result<(), Broken> {
        match self.left().await? {
            None => Ok(()),
            Some(left) => Err(format!("{left} is still there")),
        }
    }

    /// Waits until port, link and flow entries are gone.
    pub(super) async fn wait_until_gone(&self, patience: Duration) -> Result<(), Broken> {
        let begun = Instant::now();
        while let Some(left) = self.left().await? {
            if begun.elapsed() > patience {
                return Err(format!("{left} is still there after {} s", patience.as_secs()));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    async fn left(&self) -> Result<Option<&'static str>, Broken> {
        if self.database.rows().ports.contains_key(&self.endpoint) {
            return Ok(Some("its port"));
        }
        let own = [FlowStatsRequest::cookie(self.endpoint.cookie(), u64::MAX)];
        let flows = read_flows(&self.rundir, self.bridge, &own).await.map_err(|error| error.to_string())?;
        if !flows.is_empty() {
            return Ok(Some("a flow entry of it"));
        }
        let link = self.netlink.link(&self.endpoint.host_link()).await.map_err(|error| chain(&error))?;
        Ok(link.map(|_| "its link"))
    }
}
