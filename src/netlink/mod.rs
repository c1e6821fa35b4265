//! Links, addresses and routes of this host and of sandboxes, by rtnetlink.
//!
//! The kernel answers a netlink request inside the `send` call that carries it, under one lock for the
//! whole host. So requests go out on blocking threads, several in one datagram, and the sockets live no longer
//! than the operation: nothing here keeps a sandbox alive, except [`LinkEvents`] of [`Netlink::open_in`].

mod address;
mod bulk;
mod error;
mod ethtool;
mod event;
mod inside;
mod link;
mod message;
mod netns;
mod route;
mod socket;
mod spec;
mod veth;

use std::sync::Arc;

use tokio::sync::Semaphore;

pub use self::address::LinkAddress;
pub use self::error::{NetlinkError, Refusal, VethError};
pub use self::event::{LinkEvent, LinkEvents};
pub use self::inside::Interface;
pub use self::link::{Link, Peer};
pub use self::netns::{Netns, NetnsError, NetnsIdentity};
pub use self::route::{Path, TableRoute};
pub use self::spec::{Route, SpecError, VethSpec};

/// Operations that may be in the kernel at once. It lets one through at a time; the second has its
/// messages ready by then, more would only wait.
const OPERATIONS_IN_FLIGHT: usize = 2;

/// Access to the links of one network namespace. Clones share a limit on operations in flight.
#[derive(Clone, Debug)]
pub struct Netlink {
    netns: Option<Netns>,
    turns: Arc<Semaphore>,
}

impl Netlink {
    /// Works in the namespace of this process.
    #[must_use]
    pub fn open() -> Self {
        Self { netns: None, turns: Arc::new(Semaphore::new(OPERATIONS_IN_FLIGHT)) }
    }

    /// Works in another namespace, which each operation enters and leaves again. A namespace that is
    /// gone shows as an error of the operation.
    #[must_use]
    pub fn open_in(netns: Netns) -> Self {
        Self { netns: Some(netns), ..Self::open() }
    }

    /// Runs `work` on a thread that is in our namespace and may block. Dropping the future does not
    /// stop `work`: it is carried out whole or undone.
    async fn run<T, E>(&self, work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<NetlinkError> + Send + 'static,
    {
        let turn = self.turns.clone().acquire_owned().await.map_err(|_| NetlinkError::ShutDown)?;
        let netns = self.netns.clone();
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            match netns {
                None => work(),
                Some(netns) => {
                    let open = netns.open().map_err(NetlinkError::from)?;
                    open.run(work).map_err(NetlinkError::from)?
                }
            }
        });
        match done.await {
            Ok(result) => result,
            Err(stopped) => match stopped.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(NetlinkError::ShutDown.into()),
            },
        }
    }
}
