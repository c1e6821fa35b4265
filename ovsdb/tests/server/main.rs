//! Against a real ovsdb-server.
