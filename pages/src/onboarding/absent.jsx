// The decision of an approver about people who are registered with the payer and are not in its list. Absence ends nobody
// without it.

import { usePage } from '../i18n/index.js';
import { ABSENT } from '../documents/onboarding.js';
import { Loading, More, Notice, usePages } from '../ui/parts.jsx';
import { Check } from './form.jsx';

export const NOBODY = { whose: 'NOBODY', people: [], on: '', reason: '' };
const WHOSE = ['NOBODY', 'NAMED', 'ALL'];
// Absence does not prove the others.
const REASONS = ['RESIGNED', 'DISMISSED', 'CONTRACT_ENDED', 'RETIRED', 'DISABLED', 'MOVED_ABROAD', 'EMPLOYER_CLOSED'];

/** Returns whether a decision says all that it needs. */
export const isComplete = ({ whose, people, on, reason }) =>
  whose === 'NOBODY' || (on !== '' && reason !== '' && (whose === 'ALL' || people.length > 0));

/** Returns a decision as the input of `approveOnboarding` has it. */
export function toInput({ whose, people, on, reason }) {
  if (whose === 'NOBODY') return {};
  return { endAbsent: { ...(whose === 'ALL' ? { all: true } : { participantIds: people }), on, reason } };
}

export function Absent({ batch, decision, onDecide }) {
  const { t, name } = usePage();
  const decide = (part) => onDecide({ ...decision, ...part });
  const { whose, on, reason } = decision;
  return (
    <fieldset class="absent">
      <legend>{t('absent.title')}</legend>
      <p class="note">{t('absent.note')}</p>
      {WHOSE.map((it) => (
        <label key={it} class="check">
          <input type="radio" name="absent" checked={whose === it} onChange={() => decide({ whose: it })} /> <span>{t(`absent.${it}`)}</span>
        </label>
      ))}
      {whose !== 'NOBODY' && (
        <div class="fields">
          <label class="field">
            <span>{t('absent.on')}</span>
            <input type="date" required value={on} onChange={(event) => decide({ on: event.currentTarget.value })} />
          </label>
          <label class="field">
            <span>{t('absent.reason')}</span>
            <select required value={reason} onChange={(event) => decide({ reason: event.currentTarget.value })}>
              <option value="" disabled>
                {t('form.choose')}
              </option>
              {REASONS.map((it) => (
                <option key={it} value={it}>
                  {name('reason', it)}
                </option>
              ))}
            </select>
          </label>
        </div>
      )}
      {whose === 'NAMED' && <Named batch={batch} people={decision.people} onChange={(people) => decide({ people })} />}
    </fieldset>
  );
}

function Named({ batch, people, onChange }) {
  const { api } = usePage();
  const load = async (after, signal) => (await api.query(ABSENT, { id: batch.id, after }, signal)).onboardingBatch.absent;
  const { nodes, error, more } = usePages(load, [api, batch.id]);
  if (error) return <Notice kind="error">{error.message}</Notice>;
  if (!nodes) return <Loading />;
  const toggle = (id) => onChange(people.includes(id) ? people.filter((it) => it !== id) : [...people, id]);
  // A person who has moved out of the scope is not named.
  const named = nodes.map(({ participant }) => participant).filter(Boolean);
  return (
    <>
      {named.map(({ id, fullName }) => (
        <Check key={id} checked={people.includes(id)} onChange={() => toggle(id)}>
          {fullName}
        </Check>
      ))}
      <More {...more} />
    </>
  );
}
