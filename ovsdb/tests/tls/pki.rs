//! Authorities and certificates as users of Open vSwitch make them, with `ovs-pki` and `openssl`.

use std::path::{Path, PathBuf};
use std::process::Command;

use flowport_ovsdb::client::{TlsIdentity, TlsOptions};
use tempfile::TempDir;

/// Two authorities, as `ovs-pki init` makes them: the controllers', which ours are signed by, and the switches', which
/// nobody here trusts.
pub(crate) struct Pki {
    directory: TempDir,
}

impl Pki {
    pub(crate) fn new() -> Self {
        let pki = Self { directory: TempDir::new().expect("a temporary directory") };
        pki.run("ovs-pki", &["--dir=pki", "--log=log", "init"]);
        pki
    }

    /// A key and a certificate with the defaults of `ovs-pki`, whose name is no host's.
    pub(crate) fn certify(&self, name: &str) -> TlsIdentity {
        self.run("ovs-pki", &["--dir=pki", "--log=log", "req+sign", name, "controller"]);
        self.identity(name)
    }

    /// The same, for a host and with other keys (as `openssl req -newkey` has them) or years.
    pub(crate) fn certify_host(
        &self,
        name: &str,
        key: &[&str],
        names: &str,
        years: (u32, u32),
    ) -> TlsIdentity {
        let (key_file, request) = (format!("{name}-privkey.pem"), format!("{name}-req.pem"));
        let mut words =
            vec!["req", "-new", "-nodes", "-subj", "/C=US/ST=CA/O=Open vSwitch/OU=test/CN=test", "-newkey"];
        words.extend(key);
        let alternative = format!("subjectAltName={names}");
        words.extend(["-keyout", &key_file, "-out", &request, "-addext", &alternative]);
        self.run("openssl", &words);
        let certificate = format!("{name}-cert.pem");
        let (from, until) = (format!("{}0101000000Z", years.0), format!("{}0101000000Z", years.1));
        // The authority's configuration has paths relative to its directory.
        let up = |file: &str| format!("../../{file}");
        let extensions = self.path("pki/controllerca/extensions");
        std::fs::write(extensions, format!("subjectAltName={names}\n")).expect("a file is written");
        self.run_in(
            "pki/controllerca",
            "openssl",
            &[
                "ca",
                "-batch",
                "-notext",
                "-config",
                "ca.cnf",
                "-startdate",
                &from,
                "-enddate",
                &until,
                "-extfile",
                "extensions",
                "-in",
                &up(&request),
                "-out",
                &up(&certificate),
            ],
        );
        self.identity(name)
    }

    pub(crate) fn identity(&self, name: &str) -> TlsIdentity {
        TlsIdentity {
            private_key: self.path(&format!("{name}-privkey.pem")),
            certificate: self.path(&format!("{name}-cert.pem")),
        }
    }

    /// Of the controllers.
    pub(crate) fn ca(&self) -> PathBuf {
        self.path("pki/controllerca/cacert.pem")
    }

    /// Of the switches.
    pub(crate) fn other_ca(&self) -> PathBuf {
        self.path("pki/switchca/cacert.pem")
    }

    pub(crate) fn options(&self, identity: TlsIdentity) -> TlsOptions {
        TlsOptions { ca_certificate: self.ca(), identity: Some(identity), verify_name: false }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).expect("a file is written");
        path
    }

    pub(crate) fn run(&self, program: &str, words: &[&str]) {
        self.run_in("", program, words);
    }

    fn run_in(&self, directory: &str, program: &str, words: &[&str]) {
        let output = Command::new(program).args(words).current_dir(self.path(directory)).output();
        let output = output.unwrap_or_else(|error| panic!("{program}: {error}; see .ci/deps"));
        assert!(output.status.success(), "{program} {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// What a server is started with to have this identity.
pub(crate) fn arguments(identity: &TlsIdentity, ca: &Path) -> Vec<String> {
    vec![
        "--remote=pssl:0:127.0.0.1".to_owned(),
        format!("--private-key={}", identity.private_key.display()),
        format!("--certificate={}", identity.certificate.display()),
        format!("--ca-cert={}", ca.display()),
    ]
}
