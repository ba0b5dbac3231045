// `/onboarding`: a new roster, and the batches so far.

import { BATCHES } from '../documents/onboarding.js';
import { usePage } from '../i18n/index.js';
import { Link, Loading, More, Notice, PageHead, Section, usePages } from '../ui/parts.jsx';
import { StartForm } from './form.jsx';
import { payerOf } from './terms.jsx';

const SENDERS = ['ADMINISTRATOR', 'OFFICER', 'PARTNER'];
const READERS = [...SENDERS, 'APPROVER'];

export function OnboardingPage() {
  const { t, viewer } = usePage();
  if (!READERS.includes(viewer.role)) {
    return (
      <>
        <PageHead title={t('onboarding.title')} />
        <Notice kind="warning" title={t('onboarding.forbidden')}>
          <Link href="/coverage">{t('shell.coverage')}</Link>
        </Notice>
      </>
    );
  }
  return (
    <>
      <PageHead title={t('onboarding.title')} note={t('onboarding.note')} />
      {SENDERS.includes(viewer.role) ? <StartForm /> : <Notice>{t('onboarding.approver')}</Notice>}
      <Batches />
    </>
  );
}

function Batches() {
  const { t, api, name, format } = usePage();
  const load = async (after, signal) => (await api.query(BATCHES, { after }, signal)).onboardingBatches;
  const { nodes: batches, error, more } = usePages(load, [api]);
  if (error) return <Notice kind="error">{error.message}</Notice>;
  if (!batches) return <Loading />;
  return (
    <Section id="batches" title={t('batches.title')}>
      {batches.length === 0 && <p class="note">{t('batches.none')}</p>}
      {batches.length > 0 && (
        <div class="table-wide" role="region" aria-label={t('batches.title')} tabIndex={0}>
          <table class="table">
            <thead>
              <tr>
                <th scope="col">{t('batches.file')}</th>
                <th scope="col">{t('batches.state')}</th>
                <th scope="col">{t('batches.sent')}</th>
                <th scope="col" class="number">
                  {t('counts.received')}
                </th>
                <th scope="col" class="number">
                  {t('counts.enrolled')}
                </th>
                <th scope="col" class="number">
                  {t('counts.rejected')}
                </th>
              </tr>
            </thead>
            <tbody>
              {batches.map((it) => (
                <tr key={it.id}>
                  <th scope="row">
                    <Link href={`/onboarding/${it.id}`}>{it.fileName ?? t('batches.request')}</Link>
                    <small>{payerOf(it, t)}</small>
                  </th>
                  <td>
                    <span class={`tag tag-${it.state}`}>{name('state', it.state)}</span>
                  </td>
                  <td>
                    {format.moment(it.submittedAt)}
                    <small>{it.submittedBy}</small>
                  </td>
                  <td class="number">{format.number(it.counts.received)}</td>
                  <td class="number">{format.number(it.counts.enrolled)}</td>
                  <td class="number">{format.number(it.counts.rejected)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <More {...more} />
    </Section>
  );
}
