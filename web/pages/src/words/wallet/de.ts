import type { WalletWords } from './en'

export const de: WalletWords = {
  otherAccount: 'Ihr Wallet verwendet jetzt ein anderes Konto, deshalb wurde diese Seite gesperrt. Verbinden Sie es wieder, um mit diesem Konto weiterzumachen.',
  unfinished: 'Sie haben das genehmigt, aber Ihre Hälfte der Schlüssel ist noch bei keinem Krankenhaus angekommen. Prüfen Sie die Anfrage noch einmal, und schließen Sie sie ab: Dafür signiert Ihr Wallet nichts.',
  finish: 'Genehmigung abschließen',
}
