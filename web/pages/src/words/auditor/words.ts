import { computed } from '@preact/signals'
import { type Language, language } from '../words'
import { de } from './de'
import { type AuditorWords, en } from './en'

const all: Record<Language, AuditorWords> = { en, de }

/** auditorWords are the texts of the auditor's pages. */
export const auditorWords = computed(() => all[language.value])
