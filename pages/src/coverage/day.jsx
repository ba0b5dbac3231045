// The choice of a day in the past.

import { useEffect, useRef, useState } from 'preact/hooks';
import { usePage } from '../i18n/index.js';

const DAY = 86_400_000;
const number = (day) => Date.parse(`${day}T00:00:00Z`) / DAY;
const text = (value) => new Date(value * DAY).toISOString().slice(0, 10);

/** A slider and a date field for the days from `first` to `today`. A drag asks for its last day only. */
export function DayChoice({ first, today, day, setDay, state }) {
  const { t, format } = usePage();
  const [moved, setMoved] = useState(null);
  const timer = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);
  useEffect(() => setMoved(null), [day]);
  if (!today) return null;
  const shown = moved ?? day ?? today;

  const move = (value) => {
    setMoved(value);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setDay(value), 250);
  };
  const type = (value) => {
    if (value !== '' && value >= first && value <= today) setDay(value);
  };
  return (
    <div class="day" role="group" aria-label={t('day.label')}>
      <Status state={state} day={day} />
      <input
        type="range"
        aria-label={t('day.slider')}
        aria-valuetext={format.day(shown)}
        min={number(first)}
        max={number(today)}
        value={number(shown)}
        onInput={(event) => move(text(Number(event.currentTarget.value)))}
      />
      <input
        type="date"
        aria-label={t('day.field')}
        min={first}
        max={today}
        value={shown}
        onChange={(event) => type(event.currentTarget.value)}
      />
      <button type="button" class="button" disabled={day === null} onClick={() => setDay(null)}>
        {t('day.today')}
      </button>
    </div>
  );
}

function Status({ state, day }) {
  const { t, format } = usePage();
  const text = state === 'past' && day ? t('day.past', { day: format.day(day) }) : t(`day.${state}`);
  return (
    <span class={`status status-${state}`} role="status">
      {text}
    </span>
  );
}
