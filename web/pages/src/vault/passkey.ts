import type { VaultFile } from '#sdk/vault/file.js'
import { passkeyQuestion } from '#sdk/vault/pepper.js'
import { vaultWords } from '../words/vault/words'

const askTime = 120_000

/** canPasskey tells whether the browser has passkeys. */
export function canPasskey(): boolean {
  return typeof PublicKeyCredential === 'function'
}

/** newPasskey makes a passkey for a vault, which stays with the device or a security key, and answers its secret of 32 bytes. The credential proves nothing to any server: what counts is the PRF output. */
export async function newPasskey(file: VaultFile): Promise<Uint8Array> {
  const made = await asked(() => navigator.credentials.create({
    publicKey: {
      challenge: crypto.getRandomValues(new Uint8Array(32)),
      rp: { name: 'phrd' },
      user: { id: crypto.getRandomValues(new Uint8Array(32)), name: `phrd ${file.patient.slice(0, 4)}…`, displayName: `phrd ${file.patient.slice(0, 4)}…` },
      pubKeyCredParams: [{ type: 'public-key', alg: -7 }, { type: 'public-key', alg: -257 }],
      authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
      extensions: { prf: { eval: { first: question(file) } } },
      timeout: askTime,
    },
  }))
  // Not every authenticator answers when it is made; then it is asked once more.
  return outputOf(made) ?? askPasskey(file, [{ type: 'public-key', id: made.rawId }])
}

/** askPasskey has a person choose a passkey, and answers its secret for the vault, 32 bytes. */
export async function askPasskey(file: VaultFile, allowed: PublicKeyCredentialDescriptor[] = []): Promise<Uint8Array> {
  const given = await asked(() => navigator.credentials.get({
    publicKey: {
      challenge: crypto.getRandomValues(new Uint8Array(32)), allowCredentials: allowed, userVerification: 'required', timeout: askTime,
      extensions: { prf: { eval: { first: question(file) } } },
    },
  }))
  const output = outputOf(given)
  if (output === undefined) throw new Error(vaultWords.value.noPRF)
  return output
}

function question(file: VaultFile): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(passkeyQuestion(file))
}

async function asked(ask: () => Promise<Credential | null>): Promise<PublicKeyCredential> {
  const given = await ask()
  if (!(given instanceof PublicKeyCredential)) throw new Error(vaultWords.value.passkeyCancelled)
  return given
}

function outputOf(credential: PublicKeyCredential): Uint8Array | undefined {
  const first = credential.getClientExtensionResults().prf?.results?.first
  if (first === undefined) return undefined
  const output = first instanceof ArrayBuffer ? new Uint8Array(first) : new Uint8Array(first.buffer, first.byteOffset, first.byteLength)
  return output.length === 32 ? Uint8Array.from(output) : undefined
}
