//! Flowport puts containers on Open vSwitch bridges and runs the controller that forwards between them.
//!
//! Data flows one way: [`cli`] and [`daemon`] take intents ([`intent`]); [`frontend`] looks up what they name; the
//! [`reconciler`] owns what is desired and observed ([`state`]) and asks [`plan`] (and through it [`pipeline`]) what is
//! to be done; the shells [`netlink`], [`ovsdb`], [`openflow`], [`docker`] and [`records`] do it and report.

pub mod cli;
pub mod daemon;
mod deadline;
pub mod demo;
pub mod direct;
pub mod docker;
pub mod doctor;
pub mod frontend;
pub mod intent;
pub mod lab;
pub mod metrics;
pub mod model;
pub mod netlink;
pub mod openflow;
pub mod ovsdb;
pub mod pipeline;
pub mod place;
pub mod plan;
pub mod process;
pub mod reconciler;
pub mod records;
pub mod refused;
pub mod state;
pub mod trace;
pub mod unixctl;
