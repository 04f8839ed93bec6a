/** en are the English texts about what opens the vault. */
export const en = {
  keeping: 'The wallet on another device',
  keepingText: 'Beside its signature your wallet needs a second secret to open the vault. One hospital can keep it for you, and gives it to a new device of yours for the 24 words, for a passkey, or to you in person; never for the wallet alone. Each time stands in your log.',
  keptBy: (hospital: string) => `${hospital} keeps it.`,
  keptNowhere: 'No hospital keeps it.',
  keptHere: 'This browser keeps it: your wallet opens the vault here.',
  notHere: 'This browser does not have it: your wallet alone does not open the vault here.',
  codeToLeave: 'Your 24 words, by which another device may have it',
  leave: 'Leave it with the hospital of this page',
  codeToRegain: 'Your 24 words, for which the hospital gives it',
  regain: 'Let the wallet open the vault here',
  remove: 'Have the hospital delete it',
  removeText: 'The hospital deletes it for good. A new device of yours then opens the vault with the 24 words only.',
  removeForGood: 'Delete it for good',
  passkeys: 'Passkeys',
  passkeysText: 'A passkey of this device or of a security key opens the vault without the 24 words. It belongs to the address of this page.',
  passkeyCount: (n: number) => (n === 0 ? 'The vault has no passkey.' : n === 1 ? 'One passkey opens the vault.' : `${n} passkeys open the vault.`),
  addPasskey: 'Add a passkey',
  passkeyAdded: 'The passkey opens your vault now.',
  noPasskeys: 'This browser has no passkeys that can open a vault.',
  removePasskeys: 'Remove the passkeys',
  removePasskeysText: 'To remove them, the vault is written anew with other 24 words.',
  openByPasskey: 'Open with a passkey',
  inPersonText: 'Neither words nor passkey? Show a hospital that keeps the wallet’s second secret who you are. Its staff gives you a word, which is good for a quarter of an hour.',
  word: 'A word that a hospital’s staff gave you',
  openInPerson: 'Open with the word and the wallet',
  noPRF: 'this passkey gives no secret for a vault (the PRF extension); use another one',
  passkeyCancelled: 'the passkey was not given',
}

/** VaultWords is what every language must have. */
export type VaultWords = typeof en
