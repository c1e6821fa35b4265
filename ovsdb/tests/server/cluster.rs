//! Clusters of three, relays, and databases that are converted.

mod convert;
mod faults;
mod leader;
mod members;
mod relay;
mod resume;

use flowport_ovsdb::client::Peer;
use flowport_ovsdb::{Remote, Remotes};

use super::*;
use crate::support::run_tool;

flowport_ovsdb::table! {
    /// A host. Its name is not unique, so that what is committed twice is seen.
    pub(crate) struct Host: "Hosts", "Host" {
        /// Any.
        name, NAME, "name": String;
        /// At most one before the schema's second version.
        tags, TAGS, "tags": BTreeSet<String>;
        /// Not before the schema's second version.
        zone, ZONE, "zone": String;
    }
}

flowport_ovsdb::table! {
    /// A table that the schema's second version does not have.
    pub(crate) struct Old: "Hosts", "Old" {
        /// Any.
        name, NAME, "name": String;
    }
}

/// The first or the second version.
fn hosts_schema(version: u32) -> PathBuf {
    let name = if version == 1 { "hosts.ovsschema" } else { "hosts-2.ovsschema" };
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/server").join(name)
}

fn hosts_monitor() -> Monitor {
    Monitor::of::<Host>().and::<Old>()
}

struct Cluster {
    members: Vec<Server>,
}

impl Cluster {
    /// All members have joined. A short election timer, so that a new leader is there within a second.
    fn start(size: usize) -> Self {
        let mut members: Vec<Server> = Vec::new();
        for index in 0..size {
            let first = members.first().map(|first| first.path("raft"));
            members.push(Server::clustered(|directory| {
                let database = directory.join("hosts.db").display().to_string();
                let local = format!("unix:{}", directory.join("raft").display());
                match first {
                    None => {
                        let schema = hosts_schema(1).display().to_string();
                        let timer = "--election-timer=500";
                        run_tool("ovsdb-tool", [timer, "create-cluster", &database, &schema, &local]);
                    }
                    Some(first) => {
                        let first = format!("unix:{}", first.display());
                        run_tool("ovsdb-tool", ["join-cluster", &database, "Hosts", &local, &first]);
                    }
                }
                vec![database]
            }));
            let socket = format!("unix:{}", members[index].socket().display());
            run_tool("ovsdb-client", ["--timeout=30", "wait", &socket, "Hosts", "connected"]);
        }
        Self { members }
    }

    fn remotes(&self) -> Remotes {
        remotes(self.members.iter().map(Server::socket))
    }

    async fn connect(&self) -> Client {
        connect_to(&self.remotes(), eager()).await
    }

    /// The member that a client is connected to.
    fn member(&mut self, peer: &Peer) -> &mut Server {
        let at = |member: &&mut Server| Remote::Unix(member.socket()) == peer.remote;
        self.members.iter_mut().find(at).expect("a member of this cluster")
    }
}

fn remotes(sockets: impl IntoIterator<Item = PathBuf>) -> Remotes {
    let remotes: Vec<String> = sockets.into_iter().map(|socket| Remote::Unix(socket).to_string()).collect();
    remotes.join(",").parse().unwrap()
}

fn eager() -> ConnectOptions {
    let (min_backoff, max_backoff) = (Duration::from_millis(1), Duration::from_millis(20));
    ConnectOptions { min_backoff, max_backoff, ..Default::default() }
}

async fn connect_to(remotes: &Remotes, options: ConnectOptions) -> Client {
    Client::connect(remotes, hosts_monitor(), options).await.expect("a connection")
}

fn host(name: impl Into<String>) -> Host {
    Host { name: name.into(), ..Default::default() }
}

fn add_host(name: impl Into<String>) -> Transaction {
    let mut transaction = Transaction::new();
    transaction.insert(&host(name));
    transaction
}

fn names(client: &Client) -> Vec<String> {
    let mut names: Vec<String> = client.replica().rows::<Host>().map(|(_, host)| host.name.clone()).collect();
    names.sort();
    names
}

/// The server that the client is connected to, when `predicate` holds of it.
async fn peer(client: &Client, predicate: impl Fn(&Peer) -> bool) -> Peer {
    let mut peer = client.peer();
    let found = within(peer.wait_for(|peer| peer.as_ref().is_some_and(&predicate))).await;
    found.expect("the client lives").clone().expect("a server")
}

fn is_leader(peer: &Peer) -> bool {
    peer.database.as_ref().is_some_and(|database| database.leader)
}
