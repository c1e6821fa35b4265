//! Addresses of links.

use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_core::Parseable;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use rustix::io::Errno;

use super::error::NetlinkError;
use super::link::{self, Link, index_of};
use super::socket::Socket;
use super::{Netlink, message};

pub(super) const RTM_NEWADDR: u16 = 20;
pub(super) const RTM_DELADDR: u16 = 21;

/// An address that a link of the namespace has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkAddress {
    /// `ifindex` of the link.
    pub link: u32,
    /// The address with its prefix length.
    pub address: IpNet,
}

impl Netlink {
    /// The addresses of all links, link-local ones included.
    pub async fn all_addresses(&self) -> Result<Vec<LinkAddress>, NetlinkError> {
        self.run(|| of_all(&mut Socket::route()?)).await
    }

    /// Adds addresses to a link, all or none.
    pub async fn add_addresses(&self, name: &str, addresses: &[IpNet]) -> Result<(), NetlinkError> {
        let (name, addresses) = (name.to_owned(), addresses.to_vec());
        self.run(move || {
            let mut socket = Socket::route()?;
            let index = index_of(&mut socket, &name)?;
            let add = |address| (message::CREATE, message::new_address(index, address));
            let results = socket.batch(addresses.iter().map(add).collect())?;
            let Some(refused) = results.iter().position(Result::is_err) else { return Ok(()) };
            let added = addresses.iter().zip(&results).filter(|(_, result)| result.is_ok());
            let undo = added.map(|(address, _)| (0, message::del_address(index, address))).collect();
            socket.batch(undo)?;
            match results.into_iter().zip(addresses).nth(refused) {
                Some((Err(refusal), address)) => {
                    Err(NetlinkError::refused(format!("add the address {address} to {name}"), refusal))
                }
                _ => Ok(()),
            }
        })
        .await
    }

    /// Has a link be up and have these addresses, beside those that it has. One that it has already is no error.
    pub async fn set_up_with(&self, name: &str, addresses: &[IpNet]) -> Result<(), NetlinkError> {
        let (name, addresses) = (name.to_owned(), addresses.to_vec());
        self.run(move || {
            let mut socket = Socket::route()?;
            let index = index_of(&mut socket, &name)?;
            let add = |address| (message::CREATE, message::new_address(index, address));
            let requests = addresses.iter().map(add).chain([(0, message::set_up(index))]).collect();
            for (nth, result) in socket.batch(requests)?.into_iter().enumerate() {
                let Err(refusal) = result else { continue };
                match addresses.get(nth) {
                    Some(_) if refusal.is(Errno::EXIST) => {}
                    Some(address) => {
                        return Err(NetlinkError::refused(
                            format!("add the address {address} to {name}"),
                            refusal,
                        ));
                    }
                    None => return Err(NetlinkError::refused(format!("bring up {name}"), refusal)),
                }
            }
            Ok(())
        })
        .await
    }

    /// Those of the links of these names that are there, with their addresses.
    pub async fn addressed_links(&self, names: Vec<String>) -> Result<Vec<(Link, Vec<IpNet>)>, NetlinkError> {
        self.run(move || {
            let mut socket = Socket::route()?;
            let mut found = Vec::new();
            for name in names {
                found.extend(link::find(&mut socket, &name)?);
            }
            let addresses = of_all(&mut socket)?;
            let of = |link: &Link| {
                addresses.iter().filter(|on| on.link == link.index).map(|on| on.address).collect()
            };
            Ok(found
                .into_iter()
                .map(|link| {
                    let own = of(&link);
                    (link, own)
                })
                .collect())
        })
        .await
    }

    /// The addresses of a link, link-local ones included.
    pub async fn addresses(&self, name: &str) -> Result<Vec<IpNet>, NetlinkError> {
        let name = name.to_owned();
        self.run(move || {
            let mut socket = Socket::route()?;
            let index = index_of(&mut socket, &name)?;
            of_link(&mut socket, index)
        })
        .await
    }
}

/// The addresses of link `index` in the socket's namespace.
pub(super) fn of_link(socket: &mut Socket, index: u32) -> Result<Vec<IpNet>, NetlinkError> {
    let addresses = of_all(socket)?.into_iter().filter(|found| found.link == index);
    Ok(addresses.map(|found| found.address).collect())
}

/// The index of the link in a `struct ifaddrmsg`.
pub(super) fn link_of(payload: &[u8]) -> Option<u32> {
    payload.get(4..)?.first_chunk().map(|index| u32::from_ne_bytes(*index))
}

fn of_all(socket: &mut Socket) -> Result<Vec<LinkAddress>, NetlinkError> {
    let addresses = socket.dump(message::all_addresses(), |answer| {
        if answer.kind != RTM_NEWADDR {
            return None;
        }
        let message = AddressMessage::parse(answer.payload).ok()?;
        let address = IpNet::new(local(&message)?, message.header.prefix_len).ok()?;
        Some(LinkAddress { link: message.header.index, address })
    })?;
    addresses.map_err(|refusal| NetlinkError::refused("list addresses", refusal))
}

/// The link's own address: IFA_LOCAL where there is one; IFA_ADDRESS is then the far end's.
fn local(message: &AddressMessage) -> Option<IpAddr> {
    let mut address = None;
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(local) => return Some(*local),
            AddressAttribute::Address(far) => address = Some(*far),
            _ => {}
        }
    }
    address
}
