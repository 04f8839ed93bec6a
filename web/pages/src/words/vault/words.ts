import { computed } from '@preact/signals'
import { type Language, language } from '../words'
import { de } from './de'
import { en, type VaultWords } from './en'

const all: Record<Language, VaultWords> = { en, de }

/** vaultWords are the texts about what opens the vault. */
export const vaultWords = computed(() => all[language.value])
