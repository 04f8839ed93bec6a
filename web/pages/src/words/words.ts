import { computed, signal } from '@preact/signals'
import { de } from './de'
import { en, type Words } from './en'

/** languages are those that there are words for. */
export const languages = { en: 'English', de: 'Deutsch' } as const
export type Language = keyof typeof languages

const all: Record<Language, Words> = { en, de }
const key = 'phrd/language'

function first(): Language {
  const kept = localStorage.getItem(key)
  if (kept === 'en' || kept === 'de') return kept
  return navigator.language.startsWith('de') ? 'de' : 'en'
}

/** language is the one that the page speaks. */
export const language = signal<Language>(first())

/** speak changes the language, and keeps the choice. */
export function speak(next: Language): void {
  language.value = next
  localStorage.setItem(key, next)
}

/** words are the texts of the page. */
export const words = computed(() => all[language.value])

/** timeText is a time, unix seconds, as people write it. */
export function timeText(seconds: bigint): string {
  return new Intl.DateTimeFormat(language.value, { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(Number(seconds) * 1000))
}

/** sizeText is a number of bytes as people write it. */
export function sizeText(bytes: bigint): string {
  const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte'] as const
  const step = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, Number(bytes))) / 3))
  const format = new Intl.NumberFormat(language.value, { style: 'unit', unit: units[step] ?? 'byte', maximumFractionDigits: 1 })
  return format.format(Number(bytes) / 1000 ** step)
}
