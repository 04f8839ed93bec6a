import { Encrypter } from 'age-encryption'

/** Openers are those who can open a file: whoever has the passphrase, or the key that belongs to one of these of age. */
export type Openers = { readonly passphrase: string } | { readonly keys: readonly string[] }

/** encrypter seals for openers. Where a text is no key of age it fails with the error that wrong gives for it. */
export function encrypter(openers: Openers, wrong: (key: string) => Error): Encrypter {
  const made = new Encrypter()
  if ('passphrase' in openers) made.setPassphrase(openers.passphrase)
  else for (const key of openers.keys) add(made, key, wrong)
  return made
}

function add(made: Encrypter, key: string, wrong: (key: string) => Error): void {
  try {
    made.addRecipient(key)
  } catch {
    throw wrong(key)
  }
}
