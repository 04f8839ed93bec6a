import { computed } from '@preact/signals'
import { type Language, language } from '../words'
import { de } from './de'
import { en, type HospitalWords } from './en'

const all: Record<Language, HospitalWords> = { en, de }

/** hospitalWords are the texts of the pages for a hospital's people, and of the viewer. */
export const hospitalWords = computed(() => all[language.value])
