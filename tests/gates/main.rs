//! Gates: what no compiler checks of how the house is built. Each failure names the file and the rule.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod crates;
mod documents;
mod imports;
mod source;
mod style;
