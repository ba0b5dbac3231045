// The form of a new onboarding: where, who pays, from when, and the file.

import { useState } from 'preact/hooks';
import { ASSOCIATIONS, CHANNELS, EMPLOYERS, PROVINCES } from '../documents/onboarding.js';
import { usePage } from '../i18n/index.js';
import { Notice, Section, Segmented, useLoad } from '../ui/parts.jsx';
import { DropField } from './drop.jsx';
import { SearchChoice } from './search-choice.jsx';
import { start } from './start.js';

// Staff of a government by category, and other people by segment: what they are decides who pays for them.
const CATEGORIES = ['PNS', 'CPNS', 'PPPK', 'NON_ASN'];
const SEGMENTS = ['WAGE_EARNER', 'SELF_EMPLOYED'];
/** The channel that is most likely to send the rosters of these people. */
const USUAL_CHANNEL = { WAGE_EARNER: 'BRANCH', SELF_EMPLOYED: 'ASSOCIATION_DESK' };
const FILES = ['ROSTER', 'MONTHLY_LIST'];
const PROGRAMMES = ['WORK_ACCIDENT', 'DEATH', 'OLD_AGE', 'PENSION'];

export function StartForm() {
  const { t, api, name, viewer, language } = usePage();
  const own = viewer.employer ?? viewer.association;
  const offeredPeople = peopleOf(viewer);
  const [province, setProvince] = useState(own?.province.code ?? viewer.provinces[0]?.code ?? '');
  const [payer, setPayer] = useState(own ?? null);
  const [channel, setChannel] = useState(viewer.channel ?? null);
  const [startsOn, setStartsOn] = useState('');
  const [kind, setKind] = useState(FILES[0]);
  const [month, setMonth] = useState('');
  const [people, setPeople] = useState(offeredPeople[0]);
  const [programmes, setProgrammes] = useState(['WORK_ACCIDENT', 'DEATH']);
  const [isPaid, setPaid] = useState(false);
  const [allOrNothing, setAllOrNothing] = useState(false);
  const [file, setFile] = useState(null);
  const [key, setKey] = useState(() => crypto.randomUUID());
  const [isSending, setSending] = useState(false);
  const [problems, setProblems] = useState([]);

  const provinces = useLoad((signal) => api.query(PROVINCES, {}, signal), [api]);
  // Of another province or other people, somebody else pays and another channel sends.
  const chooseAnew = () => {
    setPayer(own ?? null);
    setChannel(viewer.channel ?? null);
  };
  const loadPayers = async (words, signal) => {
    if (own || !province) return only(own);
    const kind = people === 'WAGE_EARNER' ? ['COMPANY', 'INDIVIDUAL'] : ['GOVERNMENT'];
    const variables = { province, name: words, ...(people === 'SELF_EMPLOYED' ? {} : { kind }) };
    return (await api.query(people === 'SELF_EMPLOYED' ? ASSOCIATIONS : EMPLOYERS, variables, signal)).found;
  };
  const loadChannels = async (words, signal) => {
    if (viewer.channel || !province) return only(viewer.channel);
    return (await api.query(CHANNELS, { province, name: words }, signal)).found;
  };
  const usualKind = USUAL_CHANNEL[people] ?? 'GOVERNMENT_UNIT';
  const usualChannel = (channels) => channels.find(({ kind }) => kind === usualKind) ?? channels[0];

  const offered = viewer.provinces.length > 0 ? viewer.provinces : (provinces.data?.provinces ?? []);
  const isList = kind === 'MONTHLY_LIST';
  // A person who joins without a day of their own is covered from the first day of the month.
  const days = isList ? { kind, month: `${month}-01`, startsOn: `${month}-01` } : { startsOn };
  const submit = async (event) => {
    event.preventDefault();
    setSending(true);
    const terms = {
      ...(people === 'SELF_EMPLOYED' ? { associationId: payer.id } : { employerId: payer.id }),
      ...(CATEGORIES.includes(people) ? { category: people } : {}),
      channelCode: channel.code, provinceCode: province, ...days, programmes, firstContributionPaid: isPaid, allOrNothing,
    };
    try {
      setProblems(await start(api, terms, file, key));
      // The registry remembers a key that succeeded, so another intention needs another key.
      setKey(crypto.randomUUID());
    } catch (error) {
      setProblems([error]);
    }
    setSending(false);
  };
  const toggle = (programme) =>
    setProgrammes((before) => (before.includes(programme) ? before.filter((it) => it !== programme) : [...before, programme]));
  const isReady = file && payer && channel && (isList ? month : startsOn) && programmes.length > 0;
  const template = (format) => `/onboarding/template.${format}?${kindOf(people)}${isList ? `&kind=${kind}` : ''}`;

  return (
    <Section id="start" title={t('form.title')} class="start-form">
      <form onSubmit={submit}>
        <Segmented label={t('form.file')} value={kind} onChange={setKind} choices={FILES.map((it) => [it, t(`form.${it}`)])} />
        {isList && <p class="note">{t('form.listNote')}</p>}
        <DropField label={t('drop.label')} hint={t('drop.hint')} file={file} onFile={setFile} disabled={isSending} />
        <p class="note">
          {t('form.template')} <a href={template('xlsx')}>XLSX</a> · <a href={template('csv')}>CSV</a>
        </p>
        <div class="fields">
          <Choice
            label={t('form.province')}
            value={province}
            onChange={(it) => (setProvince(it), chooseAnew())}
            choices={offered.map((it) => [it.code, language === 'id' ? it.name : it.nameEn])}
          />
          <Choice
            label={t('form.people')}
            value={people}
            onChange={(it) => (setPeople(it), chooseAnew())}
            choices={offeredPeople.map((it) => [it, name('category', it)])}
          />
          <SearchChoice
            key={`payer ${province} ${people}`}
            label={t(people === 'SELF_EMPLOYED' ? 'form.association' : 'form.employer')}
            value={payer}
            onChange={setPayer}
            load={loadPayers}
            keyOf={(it) => it.id}
          />
          <SearchChoice
            key={`channel ${province} ${people}`}
            label={t('form.channel')}
            value={channel}
            onChange={setChannel}
            load={loadChannels}
            keyOf={(it) => it.code}
            usual={usualChannel}
          />
          {isList ? (
            <label class="field">
              <span>{t('form.month')}</span>
              {/* Browsers without a field for months show one for text. */}
              <input
                type="month"
                required
                pattern="\d{4}-\d{2}"
                placeholder="2014-10"
                value={month}
                onChange={(event) => setMonth(event.currentTarget.value)}
              />
            </label>
          ) : (
            <label class="field">
              <span>{t('form.startsOn')}</span>
              <input type="date" required value={startsOn} onChange={(event) => setStartsOn(event.currentTarget.value)} />
              <small>{t('form.startsOnNote')}</small>
            </label>
          )}
          <fieldset class="field">
            <legend>{t('form.programmes')}</legend>
            {PROGRAMMES.map((it) => (
              <Check key={it} checked={programmes.includes(it)} onChange={() => toggle(it)}>
                {name('programme', it)}
              </Check>
            ))}
          </fieldset>
          <fieldset class="field">
            <legend>{t('form.options')}</legend>
            <Check checked={isPaid} onChange={() => setPaid(!isPaid)}>
              {t('form.paid')}
            </Check>
            <Check checked={allOrNothing} onChange={() => setAllOrNothing(!allOrNothing)}>
              {t('form.allOrNothing')}
            </Check>
          </fieldset>
        </div>
        <ProblemList problems={problems}>
          {problems.some(isLimit) && <a href="#batches">{t('form.waiting')}</a>}
        </ProblemList>
        <p class="form-end">
          <button type="submit" class="button button-primary" disabled={!isReady || isSending}>
            {t('form.send')}
          </button>
          <span class="note">{t('form.planFirst')}</span>
        </p>
      </form>
    </Section>
  );
}

/** Returns the people whom a viewer may send: all, or those of its own employer or association. */
function peopleOf({ employer, association }) {
  if (association) return ['SELF_EMPLOYED'];
  if (employer) return employer.kind === 'GOVERNMENT' ? CATEGORIES : ['WAGE_EARNER'];
  return [...CATEGORIES, ...SEGMENTS];
}

/** Returns a choice without alternatives, as a connection. */
const only = (node) => ({ pageInfo: { hasNextPage: false }, nodes: node ? [node] : [] });

/** Returns what a template is asked for by. */
const kindOf = (people) => (CATEGORIES.includes(people) ? `category=${people}` : `segment=${people}`);

function Choice({ label, value, onChange, choices }) {
  const { t } = usePage();
  return (
    <label class="field">
      <span>{label}</span>
      <select required value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        <option value="" disabled>
          {t('form.choose')}
        </option>
        {choices.map(([key, text]) => (
          <option key={key} value={key}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

export function Check({ checked, onChange, children }) {
  return (
    <label class="check">
      <input type="checkbox" checked={checked} onChange={onChange} /> <span>{children}</span>
    </label>
  );
}

/** Whether a problem with the terms is that too many batches have not ended. */
const isLimit = ({ code, path }) => code === 'CONFLICT' && path?.at(-1) === 'fileName';

/** Problems of the API, with what to do about each, and what else there is to say. */
export function ProblemList({ problems, children }) {
  if (problems.length === 0) return null;
  return (
    <Notice kind="error">
      <ul>
        {problems.map((problem, index) => (
          <li key={index}>
            {problem.message} {problem.hint && <span class="hint">{problem.hint}</span>}
          </li>
        ))}
      </ul>
      {children}
    </Notice>
  );
}
