// Package access holds who may open which versions, and the rules of it that need
// no store.
//
// An unlock is a proposal to open named versions for one requester, one purpose
// and a limited time. Officers of the custodian endorse it, the owner approves
// it, and only then do the holders of the network's key give their shares for it.
// Its id is the hash of everything that was proposed, so that nothing can be
// swapped after somebody signed. See docs/custody.md, "Opening".
//
// The state is kept by the package keeper. It holds no keys: commitments, public
// points and CIDs only.
package access
