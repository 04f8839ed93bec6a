/** en is what the pages say of the browser's wallet, in English; the other languages have the same keys. */
export const en = {
  otherAccount: 'Your wallet uses another account now, so this page was locked. Connect again to go on as that account.',
  unfinished: 'You approved this, but your half of the keys has not arrived at a hospital yet. Check it again, and finish it: your wallet signs nothing for that.',
  finish: 'Finish the approval',
}

export type WalletWords = typeof en
