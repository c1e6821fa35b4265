//! Containers on Open vSwitch.

pub mod lab;
