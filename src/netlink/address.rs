//! Addresses of links.

use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_core::Parseable;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};

use super::error::NetlinkError;
use super::link::index_of;
use super::socket::Socket;
use super::{Netlink, message};

const RTM_NEWADDR: u16 = 20;

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
