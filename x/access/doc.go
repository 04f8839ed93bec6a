// Package access holds who may open which versions, and the rules of it that need
// no store.
//
// An unlock is a proposal to open named versions for one requester, one purpose
// and a limited time. Officers of the custodian endorse it, the owner approves
// it, and only then do the holders of the network's key give their shares for it.
// Its id is the hash of everything that was proposed, so that nothing can be
// swapped after somebody signed. See docs/custody.md, "Opening".
//
// Guardians together open a patient's vault when everything else is lost, with a half that the
// holders of the network's key of kind 3 release. A recovery is a proposal to let another
// account take the place of a lost wallet; guardians approve it, or officers of several
// hospitals, and it takes effect after a delay in which the old wallet can cancel it.
//
// The state is kept by the package keeper. It holds no keys: commitments, public
// points and CIDs only.
package access
