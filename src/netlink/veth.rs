//! Making a veth between the host and a sandbox, whole or not at all.

use std::{fs, io};

use rustix::io::Errno;

use super::error::VethError;
use super::message::{self, CREATE, VethEnd};
use super::netns::{Netns, OpenNetns};
use super::socket::Socket;
use super::spec::VethSpec;
use super::{Netlink, inside, link};

impl Netlink {
    /// Adds a veth whose inner end is born in the sandbox under its final name, with everything that
    /// [`VethSpec`] says; when this returns the interface is ready. On an error nothing of it is left, and a
    /// default route that was to be replaced is back.
    ///
    /// Deleting the host end removes both ends; so does the end of the sandbox. A default route that
    /// was replaced does not come back then.
    pub async fn add_veth(&self, spec: &VethSpec) -> Result<(), VethError> {
        let spec = spec.clone();
        self.run(move || add(&mut host_socket()?, &spec)).await
    }

    /// Adds many veths one after the other: the results are in the order of the specs, and one that is
    /// refused does not stop the others.
    pub async fn add_veths(&self, specs: Vec<VethSpec>) -> Result<Vec<Result<(), VethError>>, VethError> {
        self.run(move || {
            let mut socket = host_socket()?;
            Ok::<_, VethError>(specs.iter().map(|spec| add(&mut socket, spec)).collect())
        })
        .await
    }
}

fn host_socket() -> Result<Socket, VethError> {
    Socket::route().map_err(|error| VethError::other("open a netlink socket", error))
}

fn add(socket: &mut Socket, spec: &VethSpec) -> Result<(), VethError> {
    spec.validate()?;
    let sandbox = spec.sandbox.open()?;
    if sandbox.identity() == Netns::own().identity()? {
        return Err(VethError::SharesHostNamespace { sandbox: spec.sandbox.to_string() });
    }
    create(socket, spec, &sandbox)?;
    let configured = configure_host_end(socket, spec)
        .and_then(|()| sandbox.run(|| inside::configure(spec)).map_err(VethError::from).flatten_result());
    if configured.is_err() {
        if let Err(error) = link::delete(socket, &spec.host_name) {
            tracing::error!(link = spec.host_name, %error, "a veth that failed could not be removed again");
        }
    }
    configured
}

/// One request makes both ends, so that a name taken on either side leaves nothing.
fn create(socket: &mut Socket, spec: &VethSpec, sandbox: &OpenNetns) -> Result<(), VethError> {
    let host = VethEnd { name: &spec.host_name, mac: None, mtu: spec.mtu, netns: None };
    let peer =
        VethEnd { name: &spec.name, mac: Some(spec.mac), mtu: spec.mtu, netns: Some(sandbox.raw_fd()) };
    let what = || format!("add the veth {} to {}", spec.host_name, spec.sandbox);
    let created = socket
        .request(CREATE, message::new_veth(&host, &peer), |_| ())
        .map_err(|error| VethError::other(what(), error))?;
    match created {
        Ok(()) => Ok(()),
        // The kernel looks at the host's names first.
        Err(refusal) if refusal.is(Errno::EXIST) => {
            if link::find(socket, &spec.host_name)?.is_some() {
                Err(VethError::HostLinkExists { name: spec.host_name.clone() })
            } else {
                Err(VethError::InterfaceExists { name: spec.name.clone() })
            }
        }
        Err(refusal) => Err(VethError::refused(what(), refusal)),
    }
}

fn configure_host_end(socket: &mut Socket, spec: &VethSpec) -> Result<(), VethError> {
    let index = link::index_of(socket, &spec.host_name)?;
    let what = || format!("set up {}", spec.host_name);
    // Each request by itself waits for the RTNL, which ovs-vswitchd holds much of the time while links come.
    let requests = match disable_ipv6(&spec.host_name) {
        Ipv6::Off => vec![(0, message::mark_and_set_up(index, &spec.alias, true))],
        Ipv6::Absent => vec![(0, message::mark_and_set_up(index, &spec.alias, false))],
        Ipv6::On => vec![
            (0, message::mark(index, &spec.alias)),
            (0, message::no_link_local(index)),
            (0, message::set_up(index)),
        ],
    };
    let results = socket.batch(requests).map_err(|error| VethError::other(what(), error))?;
    results.into_iter().collect::<Result<(), _>>().map_err(|refusal| VethError::refused(what(), refusal))
}

/// What a link has of IPv6.
enum Ipv6 {
    Off,
    On,
    Absent,
}

/// The host end is a port of a switch and speaks no IPv6 of its own. With IPv6 each link has a route to `ff00::/8`, and
/// ovs-vswitchd reads all routes anew whenever one comes or goes: with thousands of ports that is most of what one more
/// costs it. Where it cannot be switched off nothing but time is lost.
fn disable_ipv6(name: &str) -> Ipv6 {
    let path = format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6");
    match fs::write(&path, "1") {
        Ok(()) => Ipv6::Off,
        // There is none on this host, or not on links of this MTU.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ipv6::Absent,
        Err(error) => {
            tracing::debug!(path, %error, "IPv6 stays on");
            Ipv6::On
        }
    }
}

/// `Result::flatten`, which is newer than our oldest compiler.
trait FlattenResult<T, E> {
    fn flatten_result(self) -> Result<T, E>;
}

impl<T, E> FlattenResult<T, E> for Result<Result<T, E>, E> {
    fn flatten_result(self) -> Result<T, E> {
        self.and_then(|result| result)
    }
}
