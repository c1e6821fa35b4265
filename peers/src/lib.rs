//! Our libraries beside their peers: see the benches.
