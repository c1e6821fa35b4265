//! Links: what the kernel tells of them, and the operations on those of this host.

use std::collections::BTreeMap;

use netlink_packet_core::NlasIterator;
use netlink_packet_route::RouteNetlinkMessage;
use rustix::io::Errno;

use super::error::{NetlinkError, Refusal};
use super::message::{self, CREATE, VethEnd};
use super::netns::Netns;
use super::socket::{Answer, Socket};
use super::{Netlink, bulk};

pub(super) const RTM_NEWLINK: u16 = 16;
pub(super) const RTM_DELLINK: u16 = 17;

const IFINFOMSG: usize = 16;
const IFF_UP: u32 = 1;
const IFF_LOWER_UP: u32 = 1 << 16;
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINK: u16 = 5;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_IFALIAS: u16 = 20;
const IFLA_AF_SPEC: u16 = 26;
const IFLA_GROUP: u16 = 27;
const IFLA_LINK_NETNSID: u16 = 37;
const IFLA_INFO_KIND: u16 = 1;
const AF_INET6: u16 = 10;
const IFLA_INET6_ADDR_GEN_MODE: u16 = 8;

/// A network interface as the kernel describes it (RTM_NEWLINK).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// `ifindex`, unique in its namespace and not used again soon.
    pub index: u32,
    /// The name, at most 15 bytes.
    pub name: String,
    /// The alias (`ip link set alias`), by which we know our own.
    pub alias: Option<String>,
    /// The Ethernet address, where the link has one.
    pub mac: Option<[u8; 6]>,
    /// The largest packet in bytes.
    pub mtu: u32,
    /// Whether it is administratively up.
    pub up: bool,
    /// Whether it has a carrier; for a veth: whether the peer is up too.
    pub carrier: bool,
    /// The driver's kind: `veth`, `bridge`, `openvswitch`..; physical ones have none.
    pub kind: Option<String>,
    /// The other end of a veth; the lower link of a VLAN.
    pub peer: Option<Peer>,
    /// The `ifindex` of the bridge or switch it is a port of.
    pub master: Option<u32>,
    /// The link group, 0 unless set.
    pub group: u32,
    /// What IPv6 makes the link-local address of (IFLA_INET6_ADDR_GEN_MODE): 0 for the MAC; none without IPv6.
    pub addr_gen_mode: Option<u8>,
}

/// The link at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its `ifindex` in its own namespace.
    pub index: u32,
    /// Our namespace's id for the peer's; none when both are in the same.
    pub netns_id: Option<i32>,
}

/// How often links are listed that change meanwhile.
const LISTS: usize = 3;

impl Link {
    /// Reads `struct ifinfomsg` and the attributes known here; others are passed over, so that no
    /// new kernel's attribute can make a link invisible. None for messages of bridge ports (AF_BRIDGE).
    pub(super) fn parse(payload: &[u8]) -> Option<Self> {
        let (header, attributes) = payload.split_at_checked(IFINFOMSG)?;
        if header.first() != Some(&0) {
            return None;
        }
        let flags = word(header.get(8..)?)?;
        let mut link = Self {
            index: word(header.get(4..)?)?,
            up: flags & IFF_UP != 0,
            carrier: flags & IFF_LOWER_UP != 0,
            ..Self::default()
        };
        let mut netns_id = None;
        for attribute in NlasIterator::new(attributes).map_while(Result::ok) {
            let value = attribute.value();
            match attribute.kind() {
                IFLA_IFNAME => link.name = string(value),
                IFLA_IFALIAS => link.alias = Some(string(value)).filter(|alias| !alias.is_empty()),
                IFLA_ADDRESS => link.mac = value.try_into().ok(),
                IFLA_MTU => link.mtu = word(value)?,
                IFLA_GROUP => link.group = word(value)?,
                IFLA_MASTER => link.master = word(value),
                IFLA_LINK => link.peer = word(value).map(|index| Peer { index, netns_id: None }),
                IFLA_LINK_NETNSID => netns_id = value.first_chunk().map(|id| i32::from_ne_bytes(*id)),
                IFLA_LINKINFO => link.kind = within(value, IFLA_INFO_KIND, |kind| Some(string(kind))),
                IFLA_AF_SPEC => {
                    let mode =
                        |ipv6: &[u8]| within(ipv6, IFLA_INET6_ADDR_GEN_MODE, |mode| mode.first().copied());
                    link.addr_gen_mode = within(value, AF_INET6, mode);
                }
                _ => {}
            }
        }
        if let Some(peer) = &mut link.peer {
            peer.netns_id = netns_id;
        }
        Some(link)
    }
}

/// Reads the value of an attribute that is within another one.
fn within<T>(attributes: &[u8], kind: u16, read: impl FnOnce(&[u8]) -> Option<T>) -> Option<T> {
    let found = NlasIterator::new(attributes).map_while(Result::ok).find(|inner| inner.kind() == kind)?;
    read(found.value())
}

fn word(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

fn string(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned()
}

impl Netlink {
    /// All links. Where links come and go all the while, one that is gone may be among them;
    /// the [events](Self::subscribe) tell of its end.
    pub async fn links(&self) -> Result<Vec<Link>, NetlinkError> {
        self.run(|| all(&mut Socket::route()?)).await
    }

    /// The link of that name, if there is one.
    pub async fn link(&self, name: &str) -> Result<Option<Link>, NetlinkError> {
        let name = name.to_owned();
        self.run(move || find(&mut Socket::route()?, &name)).await
    }

    /// Deletes a link, and with it the other end of a veth. False if there was none.
    pub async fn del_link(&self, name: &str) -> Result<bool, NetlinkError> {
        let name = name.to_owned();
        self.run(move || delete(&mut Socket::route()?, &name)).await
    }

    /// Deletes many links in a fraction of the time that one by one takes. Returns the names that were there.
    /// On an error some may be gone and the others still there; deleting again is safe.
    pub async fn del_links(&self, names: &[String]) -> Result<Vec<String>, NetlinkError> {
        let names = names.to_vec();
        self.run(move || bulk::delete(&mut Socket::route()?, &names)).await
    }

    /// Brings a link up.
    pub async fn set_up(&self, name: &str) -> Result<(), NetlinkError> {
        self.change(name, "bring up", |index| Ok(message::set_up(index))).await
    }

    /// Sets the largest packet a link sends, in bytes.
    pub async fn set_mtu(&self, name: &str, mtu: u32) -> Result<(), NetlinkError> {
        self.change(name, "set the MTU of", move |index| Ok(message::set_mtu(index, mtu))).await
    }

    /// Makes a veth pair with both ends here, both up: a cable between two bridges.
    pub async fn add_veth_pair(&self, name: &str, other: &str) -> Result<(), NetlinkError> {
        let (name, other) = (name.to_owned(), other.to_owned());
        self.run(move || {
            let mut socket = Socket::route()?;
            let end = |name| VethEnd { name, mac: None, mtu: None, netns: None };
            let made = socket.request(CREATE, message::new_veth(&end(&name), &end(&other)), |_| ())?;
            made.map_err(|refusal| {
                if refusal.is(Errno::EXIST) {
                    NetlinkError::LinkExists { name: format!("{name} or {other}") }
                } else {
                    NetlinkError::refused(format!("add the veth pair {name} and {other}"), refusal)
                }
            })?;
            for name in [&name, &other] {
                let index = index_of(&mut socket, name)?;
                let requests = vec![(0, message::no_link_local(index)), (0, message::set_up(index))];
                let up = socket.batch(requests)?.pop().unwrap_or(Ok(()));
                up.map_err(|refusal| NetlinkError::refused(format!("bring up {name}"), refusal))?;
            }
            Ok(())
        })
        .await
    }

    /// Moves a link into a namespace, under a new name. It arrives down and without addresses.
    pub async fn move_to_netns(&self, name: &str, netns: &Netns, new_name: &str) -> Result<(), NetlinkError> {
        let (netns, new_name) = (netns.clone(), new_name.to_owned());
        self.run({
            let name = name.to_owned();
            move || {
                let open = netns.open()?;
                let mut socket = Socket::route()?;
                let index = index_of(&mut socket, &name)?;
                let request = message::move_link(index, open.raw_fd(), &new_name);
                socket.request(0, request, |_| ())?.map_err(|refusal| {
                    if refusal.is(Errno::EXIST) {
                        NetlinkError::LinkExists { name: new_name.clone() }
                    } else {
                        NetlinkError::refused(format!("move {name} to {netns}"), refusal)
                    }
                })
            }
        })
        .await
    }

    async fn change(
        &self,
        name: &str,
        verb: &'static str,
        request: impl FnOnce(u32) -> Result<RouteNetlinkMessage, NetlinkError> + Send + 'static,
    ) -> Result<(), NetlinkError> {
        let name = name.to_owned();
        self.run(move || {
            let mut socket = Socket::route()?;
            let request = request(index_of(&mut socket, &name)?)?;
            let done = socket.request(0, request, |_| ())?;
            done.map_err(|refusal| NetlinkError::refused(format!("{verb} {name}"), refusal))
        })
        .await
    }
}

/// The links of the socket's namespace. The kernel gives a long list in pieces, and one may be missing when others come and go
/// in between, of which it tells (NLM_F_DUMP_INTR): who is not listed would be taken for gone. Then several lists count
/// together, since on a busy host each may be one of these.
pub(super) fn all(socket: &mut Socket) -> Result<Vec<Link>, NetlinkError> {
    let mut all = BTreeMap::new();
    for _ in 0..LISTS {
        let listed = socket.try_dump(message::all_links(), seen)?;
        let (links, whole) = listed.map_err(|refusal| NetlinkError::refused("list interfaces", refusal))?;
        if whole {
            return Ok(links);
        }
        all.extend(links.into_iter().map(|link| (link.index, link)));
    }
    Ok(all.into_values().collect())
}

/// The link of that index in the socket's namespace.
pub(super) fn at(socket: &mut Socket, index: u32) -> Result<Option<Link>, NetlinkError> {
    one(socket, message::link_at(index), || format!("look for interface {index}"))
}

/// The link called `name` in the socket's namespace; an alternative name (`altname`) finds it too.
pub(super) fn find(socket: &mut Socket, name: &str) -> Result<Option<Link>, NetlinkError> {
    one(socket, message::link_named(name), || format!("look for interface {name}"))
}

fn one(
    socket: &mut Socket,
    question: RouteNetlinkMessage,
    what: impl FnOnce() -> String,
) -> Result<Option<Link>, NetlinkError> {
    let mut found = None;
    match socket.request(0, question, |answer| found = seen(answer))? {
        // ERANGE, EINVAL: names that no link can have.
        Err(refusal) if [Errno::NODEV, Errno::RANGE, Errno::INVAL].iter().any(|errno| refusal.is(*errno)) => {
            Ok(None)
        }
        Err(refusal) => Err(NetlinkError::refused(what(), refusal)),
        Ok(()) => Ok(found),
    }
}

/// The link called `name`, which must be there.
pub(super) fn found(socket: &mut Socket, name: &str) -> Result<Link, NetlinkError> {
    find(socket, name)?.ok_or_else(|| NetlinkError::NoSuchLink { name: name.to_owned() })
}

/// The index of the link called `name`, which must be there.
pub(super) fn index_of(socket: &mut Socket, name: &str) -> Result<u32, NetlinkError> {
    found(socket, name).map(|link| link.index)
}

/// Deletes the link called `name`; false if there is none.
pub(super) fn delete(socket: &mut Socket, name: &str) -> Result<bool, NetlinkError> {
    let Some(link) = find(socket, name)? else { return Ok(false) };
    gone(socket.request(0, message::del_link(link.index), |_| ())?, name)
}

/// Whether a deletion found its link.
pub(super) fn gone(result: Result<(), Refusal>, name: &str) -> Result<bool, NetlinkError> {
    match result {
        Ok(()) => Ok(true),
        Err(refusal) if refusal.is(Errno::NODEV) => Ok(false),
        Err(refusal) => Err(NetlinkError::refused(format!("delete interface {name}"), refusal)),
    }
}

fn seen(answer: Answer<'_>) -> Option<Link> {
    (answer.kind == RTM_NEWLINK).then(|| Link::parse(answer.payload)).flatten()
}

#[cfg(test)]
mod tests;
