//! What the tests with namespaces, containers and packets share.
