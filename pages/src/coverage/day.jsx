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
  const [isBeyond, setBeyond] = useState(false);
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
  const isWithin = (value) => value >= first && value <= today;
  const type = (value) => {
    if (!isWithin(value)) return;
    setBeyond(false);
    setDay(value);
  };
  // A day is judged once it is typed: the year 2013 begins as the year 2.
  const finish = (field) => {
    if (isWithin(field.value)) return;
    setBeyond(field.value !== '');
    field.value = shown;
  };
  return (
    <div class="day" role="group" aria-label={t('day.label')}>
      {state !== 'none' && <Status state={state} day={day} />}
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
        onBlur={(event) => finish(event.currentTarget)}
        onKeyDown={(event) => event.key === 'Enter' && finish(event.currentTarget)}
      />
      <button type="button" class="button" disabled={day === null && state !== 'none'} onClick={() => setDay(null)}>
        {t('day.today')}
      </button>
      {isBeyond && (
        <p class="note" role="alert">
          {t('day.beyond', { first: format.day(first), today: format.day(today) })}
        </p>
      )}
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
