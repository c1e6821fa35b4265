//! One row changed: from the update's arrival to the event in the hands of who waits for it.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use flowport_ovsdb::replica::RowChange;
use flowport_ovsdb::session::{Event, Session, SessionConfig};
use flowport_ovsdb::{Client, ConnectOptions, Monitor, Remote, Replica, Transaction};
use flowport_ovsdb_schema::open_vswitch::{Interface, OpenVSwitch};

use crate::support::Server;
use crate::table::Table;
use crate::{Size, monitor, quantile};

pub(crate) fn measure(server: &Server, size: Size, table: &mut Table) {
    let core = core(server, size.changes);
    let client = client(server, size.changes);
    for (what, micros) in [("in the client", core), ("over a socket and two tasks", client)] {
        let (half, most) = (quantile(micros.iter().copied(), 0.5), quantile(micros.iter().copied(), 0.99));
        table.row(
            format!("one row of {} changed: update to event, {what}", size.ports),
            format!("p50 {half:.0} us, p99 {most:.0} us"),
            "",
            "p99 200 us",
            Some(most <= 200.0),
        );
    }
}

fn change(name: &str, turn: usize) -> Transaction {
    let mut transaction = Transaction::new();
    let ids = [("iface-status".to_owned(), format!("turn {turn}"))];
    transaction.mutate(Interface::NAME.eq(name), [Interface::EXTERNAL_IDS.put(ids)]);
    transaction
}

/// Microseconds from bytes that were read to the row as it was and as it is.
fn core(server: &Server, changes: usize) -> Vec<f64> {
    let mut bare = crate::bare::Bare::connect(server);
    let mut stream = UnixStream::connect(server.socket()).unwrap();
    let monitor = Arc::new(monitor());
    let config = SessionConfig { monitor: monitor.clone(), last_transaction: None, probe_interval: None };
    let mut session = Session::new(config, Instant::now()).unwrap();
    let mut replica = Arc::new(Replica::new(monitor));
    let mut buffer = vec![0; 64 * 1024];
    let mut micros = Vec::new();
    while micros.len() < changes {
        if let Some(bytes) = session.poll_transmit() {
            stream.write_all(&bytes).unwrap();
        }
        let count = stream.read(&mut buffer).unwrap();
        let start = Instant::now();
        session.handle_bytes(&buffer[..count], start).unwrap();
        while let Some(event) = session.poll_event() {
            match event {
                Event::Monitored { monitor, updates, resumed, .. } => {
                    replica = Arc::new(replica.begin_again(monitor, updates, resumed).unwrap());
                    bare.transact(&change("veth0000007", 0));
                }
                Event::Updated { updates, .. } => {
                    let mut next = (*replica).clone();
                    next.apply(updates).unwrap();
                    let next = Arc::new(next);
                    let changed: Vec<_> = next.changes::<Interface>(&replica).collect();
                    assert!(matches!(changed[..], [RowChange::Modify { .. }]));
                    micros.push(start.elapsed().as_secs_f64() * 1e6);
                    replica = next;
                    bare.transact(&change(&format!("veth{:07}", micros.len() % 2_000), micros.len()));
                }
                _ => {}
            }
        }
    }
    micros
}

/// The same with the client's own task and socket, from the moment before the update is written to that socket.
fn client(server: &Server, changes: usize) -> Vec<f64> {
    let socket = server.socket().with_extension("relay");
    let written = Arc::new(Mutex::new(Instant::now()));
    relay(&server.socket(), &socket, written.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let remotes = Remote::Unix(socket).into();
        let client = Client::connect(&remotes, monitor(), ConnectOptions::default()).await.unwrap();
        let nothing = Monitor::of_only::<OpenVSwitch>(&[OpenVSwitch::NEXT_CFG.any()]);
        let direct = Remote::Unix(server.socket()).into();
        let writer = Client::connect(&direct, nothing, ConnectOptions::default()).await.unwrap();
        let mut events = client.changes();
        let mut micros = Vec::new();
        for turn in 0..changes {
            let writer = writer.clone();
            let name = format!("veth{:07}", turn % 2_000);
            let write = tokio::spawn(async move { writer.transact(change(&name, turn + 1_000_000)).await });
            let set = events.next().await.unwrap();
            assert_eq!(set.rows::<Interface>().count(), 1);
            micros.push(written.lock().unwrap().elapsed().as_secs_f64() * 1e6);
            write.await.unwrap().unwrap();
        }
        micros
    })
}

/// Passes one connection on, and notes when it passes something to the client. Ends with the connection.
fn relay(server: &Path, socket: &Path, written: Arc<Mutex<Instant>>) {
    let listener = UnixListener::bind(socket).unwrap();
    let server = UnixStream::connect(server).unwrap();
    thread::spawn(move || {
        let (client, _) = listener.accept().unwrap();
        let (mut to_server, mut from_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        thread::spawn(move || std::io::copy(&mut from_client, &mut to_server));
        let (mut server, mut client) = (server, client);
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = server.read(&mut buffer) {
            *written.lock().unwrap() = Instant::now();
            if client.write_all(&buffer[..count]).is_err() {
                return;
            }
        }
    });
}
