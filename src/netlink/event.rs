//! What happens to links, as it happens.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::Stream;
use netlink_sys::{AsyncSocket, SocketAddr, TokioSocket, protocols};
use rustix::io::Errno;
use rustix::net::sockopt::set_socket_recv_buffer_size_force;
use tokio::runtime::Handle;

use super::Netlink;
use super::address::{self, RTM_DELADDR, RTM_NEWADDR};
use super::error::NetlinkError;
use super::link::{Link, RTM_DELLINK, RTM_NEWLINK};
use super::socket::Messages;

/// `RTNLGRP_LINK`, `RTNLGRP_IPV4_IFADDR` and `RTNLGRP_IPV6_IFADDR`.
const GROUPS: [u32; 3] = [1, 5, 9];
/// Room for the events of a few thousand links made at once, about 2 KiB each, before the kernel drops
/// events and says so. It is accounted when used.
const RECEIVE_BUFFER: usize = 16 << 20;
const DATAGRAM: usize = 64 * 1024;

/// A link came, changed or went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkEvent {
    /// The link is there, with these properties: new or changed.
    Seen(Link),
    /// The link was deleted, by someone or with its peer's namespace, or moved to another namespace.
    Gone {
        /// Its index.
        index: u32,
        /// Its last name.
        name: String,
    },
    /// An address of a link came or went.
    Addressed {
        /// The link's index.
        index: u32,
    },
    /// The kernel dropped events because we read too slowly: list the links again.
    Resync,
}

/// The stream of [`LinkEvent`]s of one namespace. Ends with an error, or never.
pub struct LinkEvents {
    socket: TokioSocket,
    buffer: Vec<u8>,
    pending: VecDeque<LinkEvent>,
}

impl fmt::Debug for LinkEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkEvents").field("pending", &self.pending).finish_non_exhaustive()
    }
}

impl Netlink {
    /// Starts listening. What happens after this returns is reported; to know what is there already, call
    /// [`links`](Self::links) afterwards.
    pub async fn subscribe(&self) -> Result<LinkEvents, NetlinkError> {
        let runtime = Handle::current();
        self.run(move || {
            let _registers_with = runtime.enter();
            let mut tokio_socket = TokioSocket::new(protocols::NETLINK_ROUTE)?;
            let socket = tokio_socket.socket_mut();
            socket.bind(&SocketAddr::new(0, 0))?;
            if set_socket_recv_buffer_size_force(&*socket, RECEIVE_BUFFER).is_err() {
                socket.set_rx_buf_sz(i32::try_from(RECEIVE_BUFFER).unwrap_or(i32::MAX))?;
            }
            for group in GROUPS {
                socket.add_membership(group)?;
            }
            Ok(LinkEvents {
                socket: tokio_socket,
                buffer: Vec::with_capacity(DATAGRAM),
                pending: VecDeque::new(),
            })
        })
        .await
    }
}

impl LinkEvents {
    /// Waits for the next event. Cancel-safe.
    pub async fn next(&mut self) -> io::Result<LinkEvent> {
        std::future::poll_fn(|cx| self.poll_event(cx)).await
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<LinkEvent>> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return Poll::Ready(Ok(event));
            }
            self.buffer.clear();
            match ready!(self.socket.poll_recv_from(cx, &mut self.buffer)) {
                // Only the kernel (port 0) may tell us of links.
                Ok(sender) if sender.port_number() == 0 => {
                    let messages = Messages::new(&self.buffer);
                    self.pending.extend(
                        messages.filter_map(|message| event(message.message_type(), message.payload())),
                    );
                }
                Ok(_) => {}
                Err(error) => match Errno::from_io_error(&error) {
                    Some(Errno::NOBUFS) => return Poll::Ready(Ok(LinkEvent::Resync)),
                    Some(Errno::INTR) => {}
                    _ => return Poll::Ready(Err(error)),
                },
            }
        }
    }
}

impl Stream for LinkEvents {
    type Item = io::Result<LinkEvent>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_event(cx).map(Some)
    }
}

fn event(kind: u16, payload: &[u8]) -> Option<LinkEvent> {
    match kind {
        RTM_NEWLINK => Link::parse(payload).map(LinkEvent::Seen),
        RTM_DELLINK => {
            Link::parse(payload).map(|link| LinkEvent::Gone { index: link.index, name: link.name })
        }
        RTM_NEWADDR | RTM_DELADDR => address::link_of(payload).map(|index| LinkEvent::Addressed { index }),
        _ => None,
    }
}
