import { computed } from '@preact/signals'
import { type Language, language } from '../words'
import { de } from './de'
import { en, type PatientWords } from './en'

const all: Record<Language, PatientWords> = { en, de }

/** patientWords are the texts of the patient's pages. */
export const patientWords = computed(() => all[language.value])

/** spanText is a span of seconds as people write it. */
export function spanText(seconds: number): string {
  const w = patientWords.value
  if (seconds % 86_400 === 0) return w.days(seconds / 86_400)
  if (seconds % 3_600 === 0) return w.hours(seconds / 3_600)
  return seconds % 60 === 0 ? w.minutes(seconds / 60) : w.seconds(seconds)
}
