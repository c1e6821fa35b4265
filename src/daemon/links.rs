//! What the kernel tells of links, passed on.

use crate::netlink::LinkEvents;
use crate::reconciler::Handle;

pub(super) async fn watch(mut news: LinkEvents, reconciler: Handle) {
    loop {
        match news.next().await {
            Ok(event) => reconciler.link(event).await,
            Err(error) => return tracing::error!("the kernel's link events ended: {error}"),
        }
    }
}
