//! Raw Ethernet in a namespace: frames that no honest kernel would send, and everything that arrives.

use std::fmt;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use flowport::lab::in_netns;
use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{
    AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, recv, sendto, socket,
};

use crate::{DEADLINE, wait_until};

/// An Ethernet address.
pub type Mac = [u8; 6];
/// The Ethernet broadcast address.
pub const BROADCAST: Mac = [0xff; 6];

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_ARP: u16 = 0x0806;
/// For experiments (RFC 3692); no kernel answers it with more than an ICMP error.
const PROTOCOL_EXPERIMENT: u8 = 253;

/// Sends and receives frames as they are. It sees what is sent from its namespace, too.
pub struct Wire {
    socket: OwnedFd,
    interface: LinkAddr,
    mac: Mac,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wire({:02x?})", self.mac)
    }
}

impl Wire {
    /// On `interface` of the namespace.
    ///
    /// # Panics
    /// When there is no such interface, or without privilege.
    #[must_use]
    pub fn open(netns: &Path, interface: &str) -> Self {
        let opened = in_netns(netns, || {
            let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
            let socket = socket(AddressFamily::Packet, SockType::Raw, flags, SockProtocol::EthAll)?;
            let of_interface = getifaddrs()?.filter(|found| found.interface_name == interface);
            let link = of_interface.filter_map(|found| found.address?.as_link_addr().copied()).next();
            link.and_then(|link| Some((socket, link, link.addr()?))).ok_or(Errno::ENODEV)
        });
        match opened {
            Ok(Ok((socket, interface, mac))) => Self { socket, interface, mac },
            other => panic!("{interface} in {}: {other:?}", netns.display()),
        }
    }

    /// The interface's own address.
    #[must_use]
    pub fn mac(&self) -> Mac {
        self.mac
    }

    /// Sends a frame, its header included.
    ///
    /// # Panics
    /// When the kernel refuses.
    pub fn send(&self, frame: &[u8]) {
        let sent = sendto(self.socket.as_raw_fd(), frame, &self.interface, MsgFlags::empty());
        assert_eq!(sent, Ok(frame.len()));
    }

    /// What arrives until a frame that is `wanted`, that one included.
    ///
    /// # Panics
    /// When none comes in time.
    pub async fn receive_until(&self, what: &str, wanted: impl Fn(&[u8]) -> bool) -> Vec<Vec<u8>> {
        let mut frames: Vec<Vec<u8>> = Vec::new();
        wait_until(DEADLINE, what, async || {
            while let Some(frame) = self.receive() {
                let found = wanted(&frame);
                frames.push(frame);
                if found {
                    return true;
                }
            }
            false
        })
        .await;
        frames
    }

    fn receive(&self) -> Option<Vec<u8>> {
        let mut buffer = vec![0; 65536];
        match recv(self.socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
            Ok(length) => {
                buffer.truncate(length);
                Some(buffer)
            }
            Err(Errno::EAGAIN) => None,
            Err(error) => panic!("{self:?}: {}", io::Error::from(error)),
        }
    }
}

/// An Ethernet frame.
#[must_use]
pub fn ethernet(destination: Mac, source: Mac, ethertype: u16, payload: &[u8]) -> Vec<u8> {
    [&destination[..], &source, &ethertype.to_be_bytes(), payload].concat()
}

/// An ARP packet (RFC 826), in a frame from `source`; `operation` is 1 for a request and 2 for a reply.
#[must_use]
pub fn arp(
    destination: Mac,
    source: Mac,
    operation: u8,
    sender: (Mac, Ipv4Addr),
    target: (Mac, Ipv4Addr),
) -> Vec<u8> {
    let addresses = [&sender.0[..], &sender.1.octets(), &target.0, &target.1.octets()].concat();
    let packet = [&[0, 1, 8, 0, 6, 4, 0, operation][..], &addresses].concat();
    ethernet(destination, source, ETHERTYPE_ARP, &packet)
}

/// An IPv4 packet with `text` in it.
#[must_use]
pub fn ipv4(macs: (Mac, Mac), source: Ipv4Addr, destination: Ipv4Addr, text: &str) -> Vec<u8> {
    let length = u16::try_from(20 + text.len()).unwrap_or(u16::MAX).to_be_bytes();
    let mut header = vec![0x45, 0, length[0], length[1], 0, 0, 0, 0, 64, PROTOCOL_EXPERIMENT, 0, 0];
    header.extend(source.octets().into_iter().chain(destination.octets()));
    let words = header.chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(word[1]));
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let checksum = !u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap_or_default();
    header[10..12].copy_from_slice(&checksum.to_be_bytes());
    ethernet(macs.0, macs.1, ETHERTYPE_IPV4, &[&header[..], text.as_bytes()].concat())
}

/// Whether the frame has `text` in it.
#[must_use]
pub fn contains(frame: &[u8], text: &str) -> bool {
    frame.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Whether the frame is an ARP request for `target`.
#[must_use]
pub fn is_arp_request_for(frame: &[u8], target: Ipv4Addr) -> bool {
    frame.len() >= 42
        && frame[12..14] == ETHERTYPE_ARP.to_be_bytes()
        && frame[20..22] == [0, 1]
        && frame[38..42] == target.octets()
}
