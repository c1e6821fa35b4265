//! What the kernel tells of links, passed on.

use futures_util::StreamExt;

use crate::netlink::LinkEvents;
use crate::reconciler::Handle;

pub(super) async fn watch(mut news: LinkEvents, reconciler: Handle) {
    while let Some(event) = news.next().await {
        reconciler.link(event).await;
    }
    tracing::error!("the kernel's link events ended");
}
