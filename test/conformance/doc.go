// Package conformance drives the built slipway, with real virtual machines, through the clients that people have, as
// they come from public packages: what they do must work unchanged. It is slow and runs by `make conformance` only,
// which writes docs/conformance.md; the tests of every day are its neighbour test/e2e. It must not look inside
// slipway: what a client cannot see is not its business.
package conformance
