// Package scenario runs a whole network of hospitals in one process, so that tests can tell stories: real homes, real consensus
// between the hospitals' nodes, real stores and blob nodes, and people who reach them through the gateways over TLS.
//
//	net := scenario.New(t, scenario.Hospitals(4))
//	alice, clinic, er := net.Patient("alice"), net.Hospital("clinic"), net.Hospital("er")
//	scan := clinic.Store(alice, "chest.dcm")
//
// [New] starts a network for one test, [Join] lends a test the one that all tests of a binary share. Everything waits for what it
// depends on and fails the test when that takes too long: there are no sleeps to tune.
package scenario
