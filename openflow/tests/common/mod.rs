//! A private Open vSwitch with a dummy datapath, and a session over its management socket.
#![allow(unreachable_pub, clippy::expect_used)]
#![allow(dead_code, reason = "each test file uses its part")]

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use flowport_openflow::{
    Body, Event, FlowStats, FlowStatsRequest, MultipartReplyBody, MultipartRequestBody, Session,
    SessionConfig, SessionError,
};
use tempfile::TempDir;

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// ovsdb-server and ovs-vswitchd of one test, with bridge `br0` and ports `p1` and `p2`.
pub struct Ovs {
    dir: TempDir,
    daemons: Vec<Child>,
}

impl Ovs {
    pub fn start() -> Self {
        let dir = tempfile::Builder::new().prefix("ovs").tempdir().expect("a temporary directory");
        let mut this = Self { dir, daemons: Vec::new() };
        let schema =
            ["/usr/share/openvswitch/vswitch.ovsschema", "/usr/local/share/openvswitch/vswitch.ovsschema"]
                .into_iter()
                .find(|path| Path::new(path).exists())
                .expect("vswitch.ovsschema: install the package openvswitch-common");
        this.run("ovsdb-tool", &["create", &this.path("conf.db"), schema]);
        let remote = format!("punix:{}", this.path("db.sock"));
        this.daemon("ovsdb-server", &[&this.path("conf.db"), "--remote", &remote]);
        this.wait_for("db.sock");
        this.vsctl(&["--no-wait", "init"]);
        let db = this.db();
        this.daemon("ovs-vswitchd", &[&db, "--enable-dummy=override", "--disable-system"]);
        this.vsctl(&[
            "add-br",
            "br0",
            "--",
            "set",
            "bridge",
            "br0",
            "datapath_type=dummy",
            "fail_mode=secure",
        ]);
        for (port, number) in [("p1", "ofport_request=1"), ("p2", "ofport_request=2")] {
            this.vsctl(&["add-port", "br0", port, "--", "set", "interface", port, "type=dummy", number]);
        }
        this.wait_for("br0.mgmt");
        this
    }

    pub fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    fn db(&self) -> String {
        format!("unix:{}", self.path("db.sock"))
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        for variable in ["OVS_RUNDIR", "OVS_DBDIR", "OVS_LOGDIR", "OVS_SYSCONFDIR"] {
            command.env(variable, self.dir.path());
        }
        command
    }

    fn daemon(&mut self, program: &str, args: &[&str]) {
        let child = self
            .command(program)
            .args(args)
            .args(["-vconsole:off", "-vsyslog:off", "--no-chdir"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error}: install the package openvswitch-switch"));
        self.daemons.push(child);
    }

    fn run(&self, program: &str, args: &[&str]) -> String {
        let output = self
            .command(program)
            .args(args)
            .output()
            .unwrap_or_else(|error| panic!("{program}: {error}: install the package openvswitch-switch"));
        assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    pub fn vsctl(&self, args: &[&str]) -> String {
        let db = format!("--db={}", self.db());
        self.run("ovs-vsctl", &[&[db.as_str(), "--timeout=20"], args].concat())
    }

    pub fn ofctl(&self, args: &[&str]) -> String {
        self.run("ovs-ofctl", &[&["-O", "OpenFlow13"], args].concat())
    }

    /// `ovs-appctl ARGS` of ovs-vswitchd.
    pub fn appctl(&self, args: &[&str]) -> String {
        let vswitchd = self.daemons.last().expect("it runs").id();
        let control = self.path(&format!("ovs-vswitchd.{vswitchd}.ctl"));
        self.run("ovs-appctl", &[&["-t", control.as_str()], args].concat())
    }

    fn wait_for(&self, socket: &str) {
        let path: PathBuf = self.dir.path().join(socket);
        let until = Instant::now() + PATIENCE;
        while UnixStream::connect(&path).is_err() {
            assert!(Instant::now() < until, "{} does not answer", path.display());
            std::thread::yield_now();
        }
    }

    pub fn connect(&self) -> Datapath {
        self.try_connect(PATIENCE).expect("a session")
    }

    pub fn try_connect(&self, patience: Duration) -> Result<Datapath, SessionError> {
        let stream = UnixStream::connect(self.dir.path().join("br0.mgmt")).expect("the management socket");
        stream.set_read_timeout(Some(Duration::from_millis(20))).expect("a timeout");
        let session = Session::new(SessionConfig::default(), Instant::now());
        let mut datapath = Datapath { stream, session, patience };
        datapath.try_wait(|event| matches!(event, Event::Ready(_)))?;
        Ok(datapath)
    }
}

impl Drop for Ovs {
    fn drop(&mut self) {
        for daemon in self.daemons.iter_mut().rev() {
            // They may be gone already.
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

/// A session and its socket.
#[derive(Debug)]
pub struct Datapath {
    stream: UnixStream,
    pub session: Session,
    patience: Duration,
}

impl Datapath {
    pub fn now(&self) -> Instant {
        Instant::now()
    }

    /// Drives the session until an event is what is wanted; the others are thrown away.
    pub fn wait(&mut self, wanted: impl FnMut(&Event) -> bool) -> Event {
        self.try_wait(wanted).expect("a living session")
    }

    fn try_wait(&mut self, mut wanted: impl FnMut(&Event) -> bool) -> Result<Event, SessionError> {
        let until = Instant::now() + self.patience;
        let mut buffer = vec![0; 1 << 16];
        loop {
            while let Some(bytes) = self.session.poll_transmit() {
                self.write(&bytes)?;
            }
            while let Some(event) = self.session.poll_event() {
                if wanted(&event) {
                    return Ok(event);
                }
            }
            assert!(Instant::now() < until, "nothing came of it within {:?}", self.patience);
            self.read(&mut buffer)?;
        }
    }

    /// A datapath may not read while it cannot write, so that both must go on at once.
    fn write(&mut self, mut bytes: &[u8]) -> Result<(), SessionError> {
        self.stream.set_nonblocking(true).expect("a socket");
        let mut buffer = vec![0; 1 << 16];
        while !bytes.is_empty() {
            match self.stream.write(bytes) {
                Ok(n) => bytes = &bytes[n..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.read(&mut buffer)?,
                Err(error) => panic!("write: {error}"),
            }
        }
        self.stream.set_nonblocking(false).expect("a socket");
        Ok(())
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<(), SessionError> {
        match self.stream.read(buffer) {
            Ok(0) => panic!("the datapath closed the connection"),
            Ok(n) => self.session.handle_input(Instant::now(), &buffer[..n]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                self.session.handle_timeout(Instant::now())
            }
            Err(error) => panic!("read: {error}"),
        }
    }

    pub fn bundle(&mut self, messages: impl IntoIterator<Item = Body>) -> Event {
        let messages: Vec<Body> = messages.into_iter().collect();
        let bundle = self.session.bundle(Instant::now(), messages);
        self.wait(|event| match event {
            Event::BundleCommitted { id } | Event::BundleFailed { id, .. } => *id == bundle,
            _ => false,
        })
    }

    pub fn multipart(&mut self, question: MultipartRequestBody) -> MultipartReplyBody {
        let asked = self.session.request(question, Instant::now()).expect("short");
        let answer = self.wait(|event| match event {
            Event::Reply { xid, .. } | Event::Failed { xid, .. } => *xid == asked,
            _ => false,
        });
        match answer {
            Event::Reply { body: Body::MultipartReply(reply), .. } => reply.body,
            other => panic!("{other:?}"),
        }
    }

    pub fn dump_flows(&mut self, which: FlowStatsRequest) -> Vec<FlowStats> {
        match self.multipart(MultipartRequestBody::Flow(which)) {
            MultipartReplyBody::Flow(flows) => flows,
            other => panic!("{other:?}"),
        }
    }
}
