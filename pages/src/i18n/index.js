// The languages of the pages. Messages of the API come in the same language, by `Accept-Language`.

import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import { keep, stored } from '../session.js';
import { english } from './en.js';
import { indonesian } from './id.js';

const LANGUAGE = 'participant-registry:language';
const TEXTS = { en: english, id: indonesian };
const LOCALES = { en: 'en-GB', id: 'id-ID' };

export const LANGUAGES = [
  { code: 'id', name: 'Bahasa Indonesia' },
  { code: 'en', name: 'English' },
];

/** Returns the language that the visitor chose, or else the browser's. */
export function chosenLanguage() {
  const chosen = stored(LANGUAGE);
  if (chosen in TEXTS) return chosen;
  return navigator.languages.some((it) => /^(id|in)\b/i.test(it)) ? 'id' : 'en';
}

export function chooseLanguage(code) {
  keep(LANGUAGE, code);
}

/** Returns a function from a key and its values to the text in a language. */
export function translator(language) {
  const texts = TEXTS[language];
  return (key, values = {}) => {
    const text = texts[key];
    if (text === undefined) throw new Error(`no text ${key} in ${language}`);
    return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
  };
}

/** Returns the name of a value of an enumeration, or the value itself if this version does not know it. */
export function naming(language) {
  const texts = TEXTS[language];
  return (kind, value) => texts[`${kind}.${value}`] ?? value;
}

/** Returns functions that write numbers and days in a language. */
export function formats(language) {
  const locale = LOCALES[language];
  const number = new Intl.NumberFormat(locale);
  const compact = new Intl.NumberFormat(locale, { notation: 'compact', maximumFractionDigits: 1 });
  const percent = new Intl.NumberFormat(locale, { style: 'percent', maximumSignificantDigits: 3 });
  const rupiah = new Intl.NumberFormat(locale, { style: 'currency', currency: 'IDR', maximumFractionDigits: 0 });
  // Days of the API are days, not instants: they are the same in every time zone.
  const day = new Intl.DateTimeFormat(locale, { dateStyle: 'long', timeZone: 'UTC' });
  const month = new Intl.DateTimeFormat(locale, { month: 'short', year: 'numeric', timeZone: 'UTC' });
  const moment = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short', timeZone: 'Asia/Jakarta' });
  return {
    number: (value) => number.format(value),
    compact: (value) => compact.format(value),
    percent: (value) => percent.format(value),
    rupiah: (value) => rupiah.format(value),
    day: (value) => day.format(new Date(`${value}T00:00:00Z`)),
    month: (value) => month.format(new Date(`${value}T00:00:00Z`)),
    moment: (value) => `${moment.format(new Date(value))} WIB`,
    compare: new Intl.Collator(locale).compare,
  };
}

/** What every part of the page uses: API, session, language, texts and formats. */
export const PageContext = createContext(null);
export const usePage = () => useContext(PageContext);
