// Package phr is the Go SDK of phrd: what a hospital's application, a clinician's or a patient's program does with
// records, through the gateway of any member hospital. Its files follow the story:
//
//   - [Client.Invite], [Client.OpenAccount]: a person gets an account (account.go)
//   - [Client.PreparePatient], [Client.RegisterPatient]: the patient gets a number, a vault and a recovery code (patient.go)
//   - [Client.Store]: a clerk seals a file, uploads it and registers it (store.go), [Client.WaitForCopies] until it is copied
//   - [Client.Propose]: a clinician asks for versions (propose.go)
//   - [Client.Endorse]: officers of the custodian support it (endorse.go)
//   - [Client.Review], [Review.Approve]: the patient checks it at two hospitals and approves it (approve.go)
//   - [Client.Open]: the clinician joins both halves of the key and reads, whole or in ranges (open.go)
//   - [Client.GrantConsent]: the patient lets somebody ask without being asked again (consent.go), [Client.UseConsent] by the clinician (use.go)
//   - [Client.PrepareVault], [Client.WriteVault]: the vault gets another key, code or wallet (vault_write.go), [Client.RecoverVault] on another device
//   - [Client.Reseal], [Client.Relock]: the owner's versions follow (reseal.go, relock.go)
//   - [Client.SetGuardians]: people who together open the vault are known (guardian.go), [Client.ProposeRecovery] when the wallet is lost
//     (recovery.go), [Client.ReviewRecovery] by guardians and officers (recovery_approve.go), [Client.FinishRecovery] by the next wallet
//   - [Client.OpenOwn]: the patient reads or takes along all that is there (own.go)
//   - [Client.Log]: who did what (audit.go)
//
// # Trust
//
// A gateway is a door, not a judge. What it hands out is checked here: blocks against their CIDs, an unlock against its
// hash, shares against their proofs, keys against the commitments that the unlock's hash covers. Plaintext and keys never
// leave the program. A gateway is known by the SHA-256 of its certificate's public key, which comes with an invitation or
// with the home's client.json.
//
// # Failing over
//
// Queries and reads go to the configured gateway and, when it does not answer, to those of the other hospitals. Every
// method takes a context and ends with it.
//
// # Errors
//
// What a caller tests with errors.Is or errors.As stands in errors.go. No error holds key material or plaintext.
package phr
