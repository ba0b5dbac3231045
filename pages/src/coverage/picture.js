// The figures of a coverage page: followed live, or as of the end of a past day.

import { useEffect, useState } from 'preact/hooks';
import { COVERAGE, COVERAGE_CHANGED } from '../documents/coverage.js';
import { usePage } from '../i18n/index.js';
import { navigate, useAddress } from '../router.js';

/**
 * The months that are asked for: the longest curve that the API gives, around this year. The curve ends with the
 * registry's own day, which may lie years before the browser's in a demonstration.
 */
function months() {
  const year = new Date().getFullYear();
  return { from: `${year - 15}-01-01`, until: `${year + 4}-12-31` };
}

/** Returns whether a text is a day that exists, as `2014-10-31`. */
export function isDay(text) {
  const time = Date.parse(`${text}T00:00:00Z`);
  return /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(time) && new Date(time).toISOString().startsWith(text);
}

/**
 * Returns `{ picture, first, today, day, setDay, state, error }`. `day` is null for now; `state` is `loading`, `live`, `lost`,
 * `past`, or `none` where the address names a day that does not exist.
 */
export function useCoverage(filter) {
  const { api, t } = usePage();
  const address = useAddress();
  const named = new URLSearchParams(address.split('?')[1]).get('on');
  const isUnknown = named !== null && !isDay(named);
  const day = isUnknown ? null : named;
  const [calendar, setCalendar] = useState(null);
  const [shown, setShown] = useState({ picture: null, state: 'loading', error: null });
  const key = JSON.stringify(filter);

  useEffect(() => {
    const change = (next) => setShown((before) => ({ ...before, ...next }));
    if (isUnknown) {
      // It may be long, and anything.
      change({ picture: null, state: 'none', error: { message: t('day.unknown', { day: `“${named.slice(0, 20)}”` }) } });
      return undefined;
    }
    if (day !== null) {
      const abort = new AbortController();
      const variables = { filter: { ...filter, asOf: day }, ...months() };
      api.query(COVERAGE, variables, abort.signal).then(
        ({ coverage }) => change({ picture: coverage, state: 'past', error: null }),
        (error) => abort.signal.aborted || change({ error }),
      );
      return () => abort.abort();
    }
    return api.follow([COVERAGE_CHANGED, { filter }], [COVERAGE, { filter, ...months() }], {
      onData({ coverage }) {
        setCalendar(calendarOf(coverage));
        change({ picture: coverage, error: null });
      },
      onState: (state) => change({ state }),
      onError: (error) => change({ error }),
    });
  }, [api, key, named]);

  // A page that opens on a past day has to learn what today is.
  useEffect(() => {
    if (named === null || calendar) return;
    api.query(COVERAGE, { filter, ...months() }).then(
      ({ coverage }) => setCalendar(calendarOf(coverage)),
      (error) => setShown((before) => ({ ...before, error })),
    );
  }, [api, key, named, calendar]);

  const setDay = (next) => {
    const path = address.split('?')[0];
    navigate(next === null || next === calendar?.today ? path : `${path}?on=${next}`, { replace: true });
  };
  return { ...shown, ...calendar, day, setDay };
}

/** Returns the first day of the curve and the registry's day. */
function calendarOf({ trend }) {
  const counted = trend.findIndex(({ active }) => active > 0);
  return { first: `${trend[Math.max(0, counted)].on.slice(0, 7)}-01`, today: trend.at(-1).on };
}

/** Returns the months from the first one with active participants. */
export function curveOf({ trend }) {
  const counted = trend.findIndex(({ active }) => active > 0);
  return counted < 0 ? trend.slice(-1) : trend.slice(counted);
}

/** Appends the day that is looked at to an address, so that links stay on it. */
export function onDay(href, day) {
  return day === null ? href : `${href}?on=${day}`;
}
