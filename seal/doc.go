// Package seal holds the formats in which phrd locks a file and opens it again:
// the object with its chunks, manifest and DAG, the envelope with its owner
// halves, the vault and its slots, the capsule, guardians' shares and the
// emergency box. It follows docs/custody.md, appendix A, to the byte.
//
// The package is pure. It reads no clock, opens no connection and knows no
// chain; blocks leave through a [Sink] and come back through a [Source]. All
// mathematics on the network's half is in package lock.
//
// # Storing
//
// [Seal] reads a file of known size once, in constant memory, and puts its
// blocks into a Sink. What it returns names the object and holds a fresh data
// key (DEK). [LockVersion] then locks the DEK under the owner's and the network's
// half and gives the envelope and the lock header.
//
// # Opening
//
// [Header.OpenEnvelope] checks the envelope against what the chain says,
// [Vault.OpenOwn] or [OpenCapsule] gives the owner's half, [Envelope.Unlock] joins
// it with the network's half to the DEK, and [OpenObject] checks the manifest and
// reads the file, whole or in ranges.
//
// # Keeping keys
//
// A [Vault] holds the private keys that open owner halves. Its blob stands under a
// key of type [KV], which each slot wraps for another means of opening: a wallet's
// signature with a [Pepper], a [Code], a passkey, or guardians.
//
// # Errors
//
// Each step has one sentinel (ErrEnvelope, ErrCommitment, ErrManifest,
// ErrCiphertext and so on), wrapped with the reason; arguments out of bounds are
// lock.ErrField or lock.ErrPoint. No error holds key material, plaintext or a file's
// name.
package seal
