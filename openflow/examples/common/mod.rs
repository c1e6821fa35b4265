//! A session over a bridge's management socket: the loop that every caller writes.

use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use flowport_openflow::{Event, Session, SessionConfig};

/// A session and its socket.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) session: Session,
    stream: UnixStream,
}

impl Connection {
    /// Connects to `/var/run/openvswitch/BRIDGE.mgmt`, or to the path that is given.
    pub(crate) fn open(bridge: &str) -> Result<Self, Box<dyn Error>> {
        let path = match bridge.contains('/') {
            true => bridge.to_owned(),
            false => format!("/var/run/openvswitch/{bridge}.mgmt"),
        };
        let stream = UnixStream::connect(&path)
            .map_err(|error| format!("{path}: {error}: is there such a bridge?"))?;
        let session = Session::new(SessionConfig::default(), Instant::now());
        Ok(Self { session, stream })
    }

    /// Drives the session until there is an event.
    pub(crate) fn next_event(&mut self) -> Result<Event, Box<dyn Error>> {
        let mut buffer = vec![0; 1 << 16];
        loop {
            while let Some(bytes) = self.session.poll_transmit() {
                self.stream.write_all(&bytes)?;
            }
            if let Some(event) = self.session.poll_event() {
                return Ok(event);
            }
            let now = Instant::now();
            let wait = self.session.deadline().map(|deadline| deadline.saturating_duration_since(now));
            // A timeout of zero would mean none at all.
            self.stream.set_read_timeout(wait.map(|wait| wait.max(Duration::from_millis(1))))?;
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err("the datapath closed the connection".into()),
                Ok(n) => self.session.handle_input(Instant::now(), &buffer[..n])?,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    self.session.handle_timeout(Instant::now())?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}
