import { computed } from '@preact/signals'
import { language } from '../words'
import { de } from './de'
import { en } from './en'

const all = { en, de }

/** walletWords are the texts about the browser's wallet. */
export const walletWords = computed(() => all[language.value])
